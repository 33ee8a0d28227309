#!/usr/bin/env bats
# resolver.bats - the process that reads what the DNS answers: what it is, what it cannot do, what its lies do

bats_require_minimum_version 1.5.0
load dns

setup() {
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    stop_odd
    if [ -n "${MONITOR:-}" ]; then kill -KILL "$MONITOR" 2>/dev/null || true; fi
}

configure() { # [LINE]...
    printf '%s\n' 'domain mail.example.com' "dns.server $ODD" "dns.timeout ${TIMEOUT:-60000}" \
        'limit.fcrdns_check on 550 5.7.25 No name' "$@" >conf
}

# A monitor ($MONITOR) that waits for the DNS, and its one child ($RESOLVER). The session has not begun.
begin_asking() {
    odd 192.0.2.7=timeout
    configure "$@"
    # shellcheck disable=SC2094 # nothing is read
    TCPREMOTEIP=192.0.2.7 "$MAILRECV" -c conf -l log </dev/null >out 2>stderr 3>&- &
    MONITOR=$!
    wait_for "$QUESTIONS" '^PTR'
    wait_for "/proc/$MONITOR/task/$MONITOR/children" '[0-9]'
    RESOLVER=$(tr -d ' ' <"/proc/$MONITOR/task/$MONITOR/children")
}

confined() { wait_for "/proc/$RESOLVER/status" '^Seccomp:[[:space:]]2$'; }

# The session is over, and its client has been told to try again.
is_unsure() {
    wait "$MONITOR" || true
    MONITOR=
    grep -q '^451 No name' out
}

is_gone() { # PID
    local try
    for try in {1..500}; do
        grep -q '^State:[[:space:]][^Z]' "/proc/$1/status" 2>/dev/null || return 0
        sleep 0.02
    done
    return 1
}

@test "the process that reads answers has no privileges, a seccomp filter, and limits" {
    begin_asking
    confined
    grep -q '^NoNewPrivs:[[:space:]]1$' "/proc/$RESOLVER/status"
    grep -q '^CapEff:[[:space:]]0*$' "/proc/$RESOLVER/status"
    grep -q '^Max processes  *0  *0 ' "/proc/$RESOLVER/limits"
    grep -q '^Max core file size  *0  *0 ' "/proc/$RESOLVER/limits"
    grep -q '^Max file size  *0  *0 ' "/proc/$RESOLVER/limits"
    grep -q '^Max open files  *18  *18 ' "/proc/$RESOLVER/limits"
    grep -q '^NoNewPrivs:[[:space:]]0$' "/proc/$MONITOR/status"
    kill "$MONITOR"
    is_unsure
}

@test "it has the channel, its sockets, of which one is spare, and nothing else; no memory is shared with it" {
    begin_asking 'sandbox off' # who is confined does not let itself be looked at
    wait_for "/proc/$RESOLVER/wchan" . # it has begun
    for try in {1..500}; do
        [ "$(readlink "/proc/$RESOLVER"/fd/* | sed 's/:.*//' | sort | uniq -c | tr -s ' ')" != ' 3 socket' ] || break
        sleep 0.02
    done
    [ "$(readlink "/proc/$RESOLVER"/fd/* | sed 's/:.*//' | sort | uniq -c | tr -s ' ')" = ' 3 socket' ]
    grep -q ' rw-s ' "/proc/$MONITOR/maps"
    run ! grep ' rw-s ' "/proc/$RESOLVER/maps"
    kill "$MONITOR"
    is_unsure
}

@test "a session that asks nothing does not start it, and who has an answer is not kept from ending" {
    odd 192.0.2.7=client.example client.example=192.0.2.7
    configure
    sed -i '/^limit/d' conf
    TCPREMOTEIP=192.0.2.7 strace -f -e trace=clone,clone3,fork,vfork -o calls "$MAILRECV" -c conf -l log <<<QUIT >out
    [ "$(grep -c 'clone' calls)" -eq 1 ] # the session
    configure
    TCPREMOTEIP=192.0.2.7 strace -f -e trace=clone,clone3,fork,vfork,kill -o calls "$MAILRECV" -c conf -l log <<<QUIT >out
    [ "$(grep -c 'clone' calls)" -eq 2 ]
    grep -q '^220' out
    grep -q 'end reason=quit' log
}

@test "what follows from the first answer is asked from a port of its own, and waits for no socket of the monitor" {
    odd 192.0.2.7=client.example client.example=192.0.2.7
    configure 'sandbox on'
    TCPREMOTEIP=192.0.2.7 strace -f -e trace=socket,sendmsg,sendto -o calls "$MAILRECV" -c conf -l log <<<QUIT >out
    grep -q '^220' out
    cat calls
    [ "$(asked | wc -l)" -eq 2 ]
    [ "$(grep -c 'AF_INET, SOCK_DGRAM' calls)" -eq 2 ]
    run ! grep SCM_RIGHTS calls
}

@test "where an answer comes before the question, that is asked from another port" {
    odd 192.0.2.7=early 192.0.2.7=client.example client.example=192.0.2.7
    configure 'sandbox on'
    TCPREMOTEIP=192.0.2.7 strace -f -e trace=sendmsg -o calls "$MAILRECV" -c conf -l log <<<QUIT >out
    grep -q '^220' out
    [ "$(asked | wc -l)" -eq 2 ]
    [ "$(grep -c SCM_RIGHTS calls)" -eq 1 ]
}

@test "it dies with its monitor, and ignores SIGTERM of its own" {
    begin_asking
    confined
    kill -TERM "$RESOLVER"
    kill -HUP "$RESOLVER"
    kill -INT "$RESOLVER"
    [ -e "/proc/$RESOLVER" ]
    grep -q '^State:[[:space:]]S' "/proc/$RESOLVER/status"
    kill -KILL "$MONITOR"
    is_gone "$RESOLVER"
}

@test "killed, it is no yes and no no, and the log says so once" {
    begin_asking
    kill -KILL "$RESOLVER"
    is_unsure
    [ "$(grep -c 'the DNS cannot be asked: the resolver was killed by signal 9$' log)" -eq 1 ]
}

@test "stopped, it costs no more than dns.timeout" {
    TIMEOUT=3000 begin_asking
    kill -STOP "$RESOLVER"
    begin=$SECONDS
    is_unsure
    [ $((SECONDS - begin)) -lt 10 ]
    is_gone "$RESOLVER"
    run ! grep 'the DNS cannot be asked' log
}

@test "after a stage without answer, and after a delivery, there is another one" {
    odd client.example=192.0.2.7 192.0.2.7=client.example {slow,slower}.example=timeout {a,b,c}.example=192.0.2.9
    from 192.0.2.7 "$ODD" <<'END'
# stages and messages
conf: dns.timeout 500
conf: limit.helo_dns_check on 550 5.7.1 Who?
conf: limit.sender_dns_check on 550 5.1.8 Nowhere
conf: limit.fcrdns_check on
conf: deliver rcpt_to a@example.com append $DIR/mbox
S: 220 *
C: HELO slow.example
S: 451 *
C: HELO a.example
S: 250 mail.example.com
C: MAIL FROM:<x@b.example>
S: 250 *
C: RCPT TO:<a@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 *
C: MAIL FROM:<x@slower.example>
S: 451 4.1.8 *
C: MAIL FROM:<x@c.example>
S: 250 *
C: RCPT TO:<a@example.com>
S: 250 *
C: DATA
S: 354 *
C: .
S: 250 *
quit
END
    [ "$(asked | grep -v slow | uniq -d)" = '' ]
}

# ---- one that was taken over ---------------------------------------------------------------

# What misresolve.c tries under this name, while the DNS is silent; the session and its client are as ever.
misresolve() {
    if [ ! -x "$BATS_FILE_TMPDIR/misresolve" ]; then
        # shellcheck disable=SC2046,SC2086 # words
        (cd "$TESTS/.." && cc -std=gnu11 -D_GNU_SOURCE -I. -fPIE -pie -Wl,--wrap=sandbox_enter -o "$BATS_FILE_TMPDIR/misresolve" \
            tests/misresolve.c $(make -s print-objects) ${LDFLAGS:-})
    fi
    odd 192.0.2.7=timeout
    configure 'sandbox on'
    rm -f log
    echo QUIT | TCPREMOTEIP=192.0.2.7 MISRESOLVE=$1 SERVER_PORT=${ODD#*:} timeout 30 "$BATS_FILE_TMPDIR/misresolve" -c conf -l log >out
    stop_odd
}

# Its end, once in the log, and what the client hears: misresolve NAME, and the log has a line with WORDS
is_ended() { # NAME WORDS
    misresolve "$1"
    echo "$1"
    cat out log
    [ "$(head -n 1 out | tr -d '\r')" = '451 No name' ]
    [ "$(grep -c "the DNS cannot be asked: $2\$" log)" -eq 1 ]
    [ "$(grep -c 'the DNS cannot be asked' log)" -eq 1 ]
    grep -q 'end reason=connect' log
    run ! grep -a '^forged' log
}

@test "it can open, execute, fork, connect, signal nothing, and send to no other address" {
    local what
    for what in open execute fork socket connect send send-far send-message kill code; do
        is_ended "$what" 'the resolver was killed by signal 31'
    done
}

@test "crashed or ended, it is no yes and no no" {
    is_ended crash 'the resolver was killed by signal 4'
    is_ended end 'the resolver exited with status 3'
}

@test "silent, it costs no more than dns.timeout" {
    local begin=$SECONDS
    TIMEOUT=500 misresolve silent
    [ "$(head -n 1 out | tr -d '\r')" = '451 No name' ]
    [ $((SECONDS - begin)) -lt 10 ]
    grep -q 'end reason=connect' log
}

@test "what nobody could have answered is nothing, and ends it" {
    local what
    for what in little much garbage another beyond without-end newline too-many status log-lines; do
        is_ended "$what" 'violation: the resolver sent a malformed message and is ended'
    done
    is_ended fail-lines 'none<0x0a>forged'
}

@test "it gets a connection to the servers only, and not without end" {
    is_ended want-elsewhere 'violation: the resolver sent a malformed message and is ended'
    is_ended want-nonsense 'violation: the resolver sent a malformed message and is ended'
    is_ended want-for-ever 'violation: the resolver sent a malformed message and is ended'
}

@test "who answers without end ends in time, and so does the session" {
    misresolve for-ever
    grep -q '^[245]' out
    grep -q 'end reason=connect' log
    [ "$(grep -c 'the DNS cannot be asked' log)" -le 1 ]
}
