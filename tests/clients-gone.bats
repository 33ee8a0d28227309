#!/usr/bin/env bats
# A client that goes away at any byte of a session: just the messages whose end it has sent are delivered, none half

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

cut() { # HOW [STEP]
    "$TESTS/tools/cut-dialogue" "$MAILRECV" "$1" "${2:-1}"
}

@test "the client sends no more after any byte, and reads: all replies to what it has sent, then the end" {
    cut half-close
}

@test "the client closes after any byte, having heard all replies" {
    cut close
}

@test "the client resets the connection after any byte, having heard all replies" {
    cut reset
}

@test "the client resets the connection after any byte, whatever is under way" {
    cut abrupt
}
