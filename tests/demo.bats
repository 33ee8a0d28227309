# demo.bats - make demo and make serve: they show what they promise, and leave nothing behind
# shellcheck shell=bash

load common
load serving

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir tmp
    export TMPDIR=$PWD/tmp SERVE_SECS=60 # the server ends by itself then, whatever happens
    unset MAKEFLAGS MAKELEVEL
}

teardown() {
    [ -z "${MAKE_PID:-}" ] || kill -TERM -- "-$MAKE_PID" 2>/dev/null || true
}

# The files may belong to another user than the one who tests: build nothing in place then.
tree() {
    tree=$TESTS/..
    if [ ! -w "$tree" ] || [ ! -w "$tree/build" ]; then
        cp -r "$tree" tree
        tree=$PWD/tree
    fi
}

@test "make demo shows configuration, dialogue, file, command output and log, and removes all of it" {
    tree
    make -s -C "$tree" demo >out 2>&1
    grep -qE '^    deliver rcpt_to inbox@example\.com append '"$TMPDIR"'/mailrecv-demo\.[A-Za-z0-9]+/inbox$' out
    [ "$(grep -cE '^    S: 220 mail\.example\.com ' out)" -eq 2 ]
    [ "$(grep -cE '^    S: 250 2\.0\.0 Ok, delivered as ' out)" -eq 2 ]
    [ "$(grep -cE '^    C: RCPT TO:<(inbox|script)@example\.com>$' out)" -eq 2 ]
    grep -qx '    Delivered-To: inbox@example.com' out
    grep -qx '    >From here on this is a message.' out
    grep -qx '    8' out
    [ "$(grep -cE '^    .* MAILRECV\[[0-9]+\]: \[127\.0\.0\.1\] delivery result=delivered ' out)" -eq 2 ]
    [ "$(grep -cE '^    .* MAILRECV\[[0-9]+\]: \[127\.0\.0\.1\] end reason=quit ' out)" -eq 2 ]
    [ -z "$(ls -A tmp)" ]
    port=$(sed -nE 's/^== .* listens on port ([0-9]+) .*/\1/p' out)
    if listening "$port" 4 || listening "$port" 6; then return 1; fi
}

@test "make demo works with xinetd where there is no systemd-socket-activate" {
    tree
    # a search path without it
    mkdir bin
    for directory in /usr/sbin /usr/bin /sbin /bin; do ln -sf -t bin "$directory"/*; done
    rm bin/systemd-socket-activate
    PATH=$PWD/bin make -s -C "$tree" demo >out 2>&1
    grep -qE '^== xinetd listens on port ' out
    [ "$(grep -cE '^    S: 250 2\.0\.0 Ok, delivered as ' out)" -eq 2 ]
    [ -z "$(ls -A tmp)" ]
}

@test "make serve stays until Ctrl-C, and the lines that it prints work" {
    tree
    # a process group of its own, as a terminal makes it, so that Ctrl-C can be sent to all of it
    setsid env --default-signal=INT make -s -C "$tree" serve >out 2>&1 &
    MAKE_PID=$!
    wait_for out '^Ctrl-C stops it'
    port=$(sed -nE 's/^    nc localhost ([0-9]+) .*/\1/p' out)
    swaks=$(grep -E '^    swaks ' out)
    directory=$(sed -nE 's/^    tail -f (.*)\/log$/\1/p' out)
    sh -c "$swaks" >replies
    grep -q '^<-  250 2\.0\.0 Ok, delivered as ' replies
    grep -qx 'This is a test mailing' "$directory/inbox"
    grep -qx '[0-9][0-9]*' "$directory/count"
    printf '%s\n' 'HELO me' 'MAIL FROM:<me@example.com>' 'RCPT TO:<inbox@example.com>' DATA 'typed by hand' . QUIT |
        nc -N localhost "$port" >replies
    [ "$(tail -n1 replies)" = $'221 2.0.0 Goodbye\r' ]
    grep -qx 'typed by hand' "$directory/inbox"
    kill -INT -- "-$MAKE_PID"
    wait "$MAKE_PID" || true
    MAKE_PID=
    [ -z "$(ls -A tmp)" ]
    if listening "$port" 4 || listening "$port" 6; then return 1; fi
}
