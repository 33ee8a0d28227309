#!/usr/bin/env bats
# Processes killed at random moments of a session: nothing acknowledged is lost, nothing is half, nobody stays behind
#
# KILLS of each are killed (20); `make check` has 100. What fails prints a seed: SEED=... tries the same moments again.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

killed() { # ROLE...
    "$TESTS/tools/kill-at-random" "$MAILRECV" "${SEED:-$RANDOM}" "${KILLS:-20}" "$@"
}

@test "the monitor is killed: targets are whole but for a tail in the mbox, the session ends, mail goes on" {
    killed monitor
}

@test "the session process is killed: targets are whole, the monitor ends, mail goes on" {
    killed session
}

@test "a delivery command is killed: targets are whole, the session goes on, mail goes on" {
    killed command
}

@test "mailrecv-tls is killed, or monitor or session over TLS: targets are whole, all ends, mail goes on" {
    killed -t helper monitor session
}

@test "monitor, session or command are killed: with a ledger, and a client that sends again, each has the message once" {
    "$TESTS/tools/kill-and-retry" "$MAILRECV" "${SEED:-$RANDOM}" "${KILLS:-20}" monitor session command
}

@test "a listener, its spare processes, monitors and sessions are killed: nobody else's session ends, mail goes on" {
    "$TESTS/tools/kill-under-listener" "$MAILRECV" "${SEED:-$RANDOM}" "${KILLS:-20}" listener spare monitor session
}
