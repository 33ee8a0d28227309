#!/usr/bin/env bats
# What whoever starts mailrecv has left behind changes nothing; and what is unknown is never a yes

bats_require_minimum_version 1.5.0

load common
load tools/delivery

teardown() {
    [ ! -e "$BATS_TEST_TMPDIR/tracers" ] || xargs kill <"$BATS_TEST_TMPDIR/tracers" || true
}

DEFERRED='451 4.3.0 The message cannot be delivered now, try again later'

# after WHAT...: the program is started by a parent that has left that (tools/leave).
after() {
    UNDER=(timeout 30 "$TESTS/tools/leave" "$@" --)
}

with_users() {
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann >users 2>prompts
    chmod 600 users
    config <<END
auth optional
auth.insecure on
auth.users $HERE/users
deliver rcpt_to a@mx.example pipe cat >>$HERE/taken
END
}

# log_in PASSWORD: the code of the reply
log_in() {
    { printf 'EHLO helo.example\r\nAUTH PLAIN %s\r\nQUIT\r\n' "$(printf '\0ann\0%s' "$1" | base64)"; } | session
    get_reply
    echo "${REPLY:0:3}"
}

@test "whatever signals are ignored or blocked, a wrong password is wrong, and a right one right" {
    with_users
    for left in ignored blocked timers 'ignored blocked pending timers'; do
        # shellcheck disable=SC2086 # words
        after $left
        expect "$left: $(log_in wrong)" "$left: 535"
        expect "$left: $(log_in secret)" "$left: 235"
    done
}

@test "whatever signals are ignored or blocked, a command that exits with 0 has delivered, once" {
    with_users
    for left in ignored blocked pending timers umask nonblocking 'ignored blocked pending timers umask nonblocking'; do
        # shellcheck disable=SC2086 # words
        after $left
        echo "$left" | send s@client.example a@mx.example
        expect "$left: ${REPLY:0:9}" "$left: 250 2.0.0"
        expect "$(grep -cx "$left" taken)" 1
    done
}

@test "signals, mask and umask of a session are the same whoever starts it" {
    # While the command is started all signals are blocked, a little longer than until it runs.
    config <<END
deliver rcpt_to a@mx.example pipe while grep -q '^SigBlk:.*fffffffe7ffbfeff' /proc/\$PPID/status; do sleep 0.01; done; for p in \$PPID \$(cat /proc/\$PPID/task/\$PPID/children); do [ \$p = \$\$ ] || grep -E '^(Sig(Blk|Ign|Cgt|Pnd)|Umask)' /proc/\$p/status; done >$HERE/seen
END
    echo text | send s@client.example a@mx.example
    expect "${REPLY:0:3}" 250
    mv seen plain
    [ -s plain ]
    after ignored blocked umask
    echo text | send s@client.example a@mx.example
    # of the ignored ones without the real-time signals, which are reset for commands only
    diff <(sed -E 's/^(SigIgn:.*)[0-9a-f]{8}([0-9a-f]{8})$/\1\2/' plain) \
        <(sed -E 's/^(SigIgn:.*)[0-9a-f]{8}([0-9a-f]{8})$/\1\2/' seen)
}


@test "with SIGALRM blocked or ignored, the wait for a lock ends in time" {
    config <<END
limit.lock_secs 1
limit.connection_secs 8
deliver rcpt_to box@mx.example append $HERE/box
END
    for left in blocked ignored; do
        : >box
        exec {lock}>>box
        flock "$lock"
        after "$left"
        echo text | send s@client.example box@mx.example
        exec {lock}>&-
        expect "$REPLY" '451 4.2.0 The mailbox is locked'
        expect "$(stat -c %s box)" 0
    done
}

@test "timers of the one who starts it end neither the session nor a delivery" {
    config <<END
deliver rcpt_to a@mx.example pipe cat >$HERE/taken; sleep 0.4
END
    after timers
    echo text | send s@client.example a@mx.example
    expect "${REPLY:0:9}" '250 2.0.0'
    grep -qx text taken
}

@test "the end of a parent that wanted its children to die with it does not cut a delivery short" {
    config <<END
deliver rcpt_to a@mx.example pipe echo >$HERE/started; read -r _ <$HERE/go; cat >$HERE/taken
END
    mkfifo go
    mkfifo client
    timeout 30 "$TESTS/tools/leave" death -- "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" <client >raw_replies 3>&- &
    exec {connection}>client
    { printf 'EHLO helo.example\r\n'; envelope s@client.example a@mx.example; printf 'text\r\n.\r\nQUIT\r\n'; } >&"$connection"
    wait $! # the parent, not the session
    timeout 20 sh -c 'echo >go' # blocks until the command reads
    until_true grep -q '^221' raw_replies
    exec {connection}>&-
    grep -q '^250 2.0.0 Ok, delivered' raw_replies
    grep -qx text taken
}

@test "with the change of user all capabilities go, whatever the securebits say (root only)" {
    [ "$(id -u)" = 0 ] || skip 'only root can become somebody else'
    chmod 755 "$HERE"
    config <<END
user nobody
deliver rcpt_to a@mx.example pipe grep -hE '^Cap(Inh|Prm|Eff|Amb)' /proc/\$PPID/status /proc/self/status
END
    UNDER=(timeout 30 setpriv --securebits +no_setuid_fixup --inh-caps +chown --ambient-caps +chown)
    echo text | send s@client.example a@mx.example
    expect "${REPLY:0:9}" '250 2.0.0'
    expect "$(grep -c 'output .*Cap' log)" 8
    expect "$(grep 'output .*Cap' log | grep -cv '<0x09>0000000000000000"$')" 0
}

@test "replies go into a file behind what it holds, however much that is" {
    printf '%s\n' 'domain mx.example' 'limit.smtp_data_size 1000' >small.conf
    truncate -s 10M replies
    mkfifo input
    "$MAILRECV" -c small.conf -l log <input >>replies &
    exec 5>input
    printf 'NOOP\r\n' >&5
    wait_for replies '250 '
    printf 'QUIT\r\n' >&5
    exec 5>&-
    wait $!
    tail -n 1 replies | grep -q '^221 '
    grep -q 'end reason=quit ' log
}

@test "nothing that was left open stays open in service" {
    config <<END
deliver rcpt_to a@mx.example pipe exit 0
END
    mkfifo pipe
    exec {reader}<>pipe # so that nobody waits for the other end
    coproc SESSION { timeout 30 "$TESTS/tools/leave" open -- "$MAILRECV" -c conf -l "$HERE/log" 2>/dev/null; }
    # shellcheck disable=SC2153 # of the coprocess
    read -r -t 20 line <&"${SESSION[0]}"
    [[ $line == 220* ]]
    wait_for log 'MAILRECV\['
    pid=$(sed -n 's/.* MAILRECV\[\([0-9]*\)\].*/\1/p;q' log)
    [ -e "/proc/$pid/fd/0" ]
    refute [ -e "/proc/$pid/fd/30" ]
    printf 'QUIT\r\n' >&"${SESSION[1]}"
    exec {reader}<&-
}

@test "a status that cannot be had is no yes and no refusal: 454 for a password, 451 for a message" {
    with_users
    UNDER=(timeout 30 strace -f -o trace -e inject=wait4:error=ECHILD)
    expect "$(log_in wrong)" 454
    expect "$(log_in secret)" 454
    grep -q 'auth failed: the password program has an unknown status: No child processes$' log
    echo text | send s@client.example a@mx.example
    expect "$REPLY" "$DEFERRED"
    grep -q 'reason="the command has an unknown status: No child processes"' log
}

@test "a program that hangs in the kernel, killed or not, is not waited for: 454 for a password, 451 for a message" {
    config <<END
auth optional
auth.insecure on
auth.command $TESTS/tools/undying $HERE/tracers
limit.pipe_secs 10 550 5.3.0 Too long
deliver rcpt_to a@mx.example pipe exec $TESTS/tools/undying $HERE/tracers
END
    UNDER=(timeout 20)
    expect "$(log_in secret)" 454
    grep -q 'auth failed: the password program has an unknown status: it hangs in the kernel$' log
    echo text | send s@client.example a@mx.example
    expect "$REPLY" "$DEFERRED"
    [ "$(grep -c 'reason="the command has an unknown status: it hangs in the kernel"' log)" -eq 1 ]
    sed -i 's/pipe_secs 10/pipe_secs 1/; s/tracers$/& 30/' conf
    echo text | send s@client.example a@mx.example
    expect "$REPLY" "$DEFERRED"
    [ "$(grep -c 'reason="the command has an unknown status: it hangs in the kernel"' log)" -eq 2 ]
    [ "$(wc -l <tracers)" -eq 3 ]
}

@test "whose addresses a user has is unknown while auth.senders cannot be read: 451, and not 553" {
    with_users
    mkdir senders
    printf 'auth.sender_check on\nauth.senders %s/senders\n' "$HERE" >>conf
    for state in 'cannot open.*Is a directory' 'cannot open.*No such file or directory' 'cannot read.*Input/output error'; do
        { printf 'EHLO helo.example\r\nAUTH PLAIN %s\r\n' "$(printf '\0ann\0secret' | base64)"
            printf 'MAIL FROM:<list@mx.example>\r\nQUIT\r\n'; } | session
        get_reply
        expect "${REPLY:0:9}" '451 4.3.0'
        grep -q "$state" log
        if [ -d senders ]; then
            rmdir senders
        else
            echo 'ann: other@mx.example' >senders
            UNDER=(timeout 30 strace -f -o trace -P "$HERE/senders" -e inject=read:error=EIO)
        fi
    done
}

@test "a users file that becomes shorter while it is read says nothing about anybody: 454" {
    with_users
    UNDER=(timeout 30 strace -f -o trace -P "$HERE/users" -e inject=pread64:retval=0)
    expect "$(log_in secret)" 454
    grep -q 'it has become shorter while it was read' log
}

@test "a client of which it cannot be told who it is, is not a local one" {
    config <<END
allow remotehost ^local\$
END
    run -66 strace -o trace -e inject=getsockname:error=ENOBUFS "$MAILRECV" -c conf -l "$HERE/log" </dev/null
    [ -z "$output" ]
    grep -q 'the client has gone before it was greeted' log
}

# ---- what is said late ----------------------------------------------------------------------

@test "a command that exits with 0 in the grace of limit.pipe_secs has delivered" {
    config <<END
limit.pipe_secs 1
deliver rcpt_to a@mx.example pipe trap : TERM; cat >$HERE/taken; sleep 60 & wait; echo taken; exit 0
END
    UNDER=(timeout 20)
    echo text | send s@client.example a@mx.example
    expect "${REPLY:0:9}" '250 2.0.0'
    grep -qx text taken
    grep -q 'delivery result=delivered' log
}

@test "what a command that was asked to end refuses, or leaves undone, is deferred" {
    for end in 'exit 100' 'exit 1' 'kill -KILL $$'; do
        config <<END
limit.pipe_secs 1
deliver rcpt_to a@mx.example pipe trap '$end' TERM; sleep 60 & wait
END
        UNDER=(timeout 20)
        echo text | send s@client.example a@mx.example
        expect "${REPLY:0:4}" '451 '
    done
}

@test "a command that has written more than a pipe holds in its grace can exit with 0" {
    config <<END
limit.pipe_secs 1
deliver rcpt_to a@mx.example pipe trap 'head -c 300000 /dev/zero | tr "\\0" x; exit 0' TERM; sleep 60 & wait
END
    UNDER=(timeout 20)
    echo text | send s@client.example a@mx.example
    expect "${REPLY:0:9}" '250 2.0.0'
}

# stopped_in_delivery COMMAND: SIGTERM while the command runs, which has begun when the file `begun` is there
stopped_in_delivery() {
    config <<END
deliver rcpt_to a@mx.example pipe $1
END
    mkfifo client
    timeout 30 "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" <client >raw_replies 3>&- &
    exec {connection}>client
    { printf 'EHLO helo.example\r\n'; envelope s@client.example a@mx.example; printf 'text\r\n.\r\n'; } >&"$connection"
    until_true [ -e begun ]
    kill -TERM $! # timeout passes it on
    wait $! || true
    exec {connection}>&-
    tr -d '\r' <raw_replies | sed -n '/^354/,$p' | tail -n +2 | cut -c 1-3 | tr '\n' ' ' >codes
}

@test "a command that exits with 0 in the grace of SIGTERM has delivered, and the client hears that" {
    stopped_in_delivery "trap 'cat >$HERE/taken; exit 0' TERM; echo >$HERE/begun; sleep 60 & wait"
    expect "$(cat codes)" '250 421 '
    grep -qx text taken
}

@test "a password program that says yes late is believed, and one that says no late is not" {
    for status in 0 1; do
        printf '#!/bin/sh\ntrap "exit %s" TERM\ncat <&3 >/dev/null\nsleep 60 & wait\n' "$status" >ask
        chmod 755 ask
        printf 'domain mx.example\nlimit.pipe_secs 1\nauth optional\nauth.insecure on\nauth.command %s/ask\n' "$HERE" >conf
        log_in any >"code.$status"
    done
    expect "$(cat code.0)" 235
    expect "$(cat code.1)" 454
    grep -q 'auth failed: the password program has not answered in time$' log
}

@test "the end of a child is never ignored, and so its status not lost, even where one was to be told of" {
    config "deliver rcpt_to a@mx.example append $HERE/box"
    strace -o trace -e trace=rt_sigaction "$TESTS/tools/leave" pending -- "$MAILRECV" -c conf -l "$HERE/log" </dev/null
    grep -q 'SIGHUP, {sa_handler=SIG_IGN' trace
    run ! grep 'SIGCHLD, {sa_handler=SIG_IGN' trace
}
