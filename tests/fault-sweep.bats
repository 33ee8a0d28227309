#!/usr/bin/env bats
# Every system call of every kind of delivery fails in turn: nothing is half, nothing acknowledged is missing, no hang
#
# faults.bats says what single failures lead to; here it is only told right from wrong. SWEEP=all, as
# `make check` has it, tries other errors and a kill at each call, and all kinds of targets.

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    faults=error=EIO since=data
    [ "${SWEEP:-}" = all ] || return 0
    faults=error=EIO,error=EINTR,error=ENOMEM,signal=KILL
}

sweep() { # KIND [KIND FOR SWEEP=all]...
    [ "${SWEEP:-}" = all ] || set -- "$1"
    "$TESTS/tools/fail-each-call" "$MAILRECV" "$faults" "$since" "$@"
}

@test "each call while a message is appended" {
    sweep append append-large append-new
}

@test "each call while a message is put into a maildir" {
    sweep maildir-new maildir maildir-large
}

@test "each call while a command runs" {
    sweep pipe-large pipe exec
}

@test "each call while a dead letter is saved" {
    sweep dead-letter
}

@test "each call while a message comes over TLS" {
    [ "${SWEEP:-}" != all ] || since=start
    sweep tls
}

@test "each call while a message is delivered to an mbox, a maildir and a command" {
    [ "${SWEEP:-}" != all ] || since=start
    sweep all
}
