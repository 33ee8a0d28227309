#!/usr/bin/env bats
# Too few descriptors, processes or memory: the session works wholly, or the client is asked to come again

load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

short_of() { # descriptors, processes, address space or data, as prlimit(1) calls them
    "$TESTS/tools/run-short" "$MAILRECV" "$1"
}

@test "short of descriptors" {
    short_of nofile
}

@test "short of processes" {
    short_of nproc
}

@test "short of address space" {
    short_of as
}

@test "short of memory for data" {
    short_of data
}
