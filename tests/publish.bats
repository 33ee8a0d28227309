#!/usr/bin/env bats
# publish.bats - mailrecv-publish without a broker: its command line, its password file, brokers that are down or silent
#
# What brokers do is in slow/publish.bats.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    PUBLISH=${MAILRECV%/*}/mailrecv-publish
    printf 'Subject: x\n\ntext\n' >message
    printf 'joe:open sesame\n' >password
    chmod 600 password
}

teardown() {
    [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
}

# A server that takes each connection and says nothing; sets PORT.
start_silent() {
    python3 -c '
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
held = []
while True: held.append(server.accept())' >port 3>&- </dev/null &
    SERVER=$!
    wait_for port '^[0-9]+$'
    PORT=$(cat port)
}

# The exit status and the whole output of a command line, the message on standard input.
publish() { # STATUS ARGUMENT...
    local wanted=$1
    shift
    run "$PUBLISH" "$@" <message
    [ "$status" -eq "$wanted" ] || { echo "$* exits with $status:" "$output"; return 1; }
}

@test "help and version go to standard output" {
    run -0 "$PUBLISH" -h </dev/null
    [[ "$output" == "usage: mailrecv-publish "*"mailrecv-publish(1) says more." ]]
    [ "$("$PUBLISH" -V)" = "mailrecv-publish $("$MAILRECV" -V | cut -d' ' -f2)" ]
    run bash -c '"$1" -V >/dev/full' bash "$PUBLISH"
    [ "$status" -ne 0 ]
}

@test "it is linked with the C library alone, and loads those of brokers" {
    [ "$(readelf -dW "$PUBLISH" | sed -nE 's/.*\(NEEDED\).*\[([a-z0-9-]+)\.so.*/\1/p' | xargs)" = libc ]
}

@test "a command line that is wrong is told what is wrong, with 64" {
    local words
    while IFS='|' read -r words said; do
        eval "publish 64 $words"
        [[ "${lines[0]}" == "mailrecv-publish: "*"$said"* ]] || { echo "$words: not: $said:" "$output"; return 1; }
        [ "${lines[-1]}" = 'see mailrecv-publish -h' ]
    done <<'END'
|expected the URL of a broker
-x|unknown option -x
-a|option -a needs a value
-w 0 amqp://localhost '' mail|-w 0: expected seconds, from 1 to 86400
-w 1m amqp://localhost '' mail|-w 1m: expected seconds
http://localhost '' mail|expected amqp://, amqps://, nats:// or tls://
localhost '' mail|expected amqp://
amqp://localhost mail|expected EXCHANGE ROUTING-KEY behind the URL
amqps://localhost a b c|expected EXCHANGE ROUTING-KEY behind the URL
nats://localhost|expected SUBJECT behind the URL
tls://localhost a b|expected SUBJECT behind the URL
-k 10 nats://localhost mail|-k is for RabbitMQ
-k 0 amqp://localhost '' mail|-k 0: expected seconds, from 1 to 86400
amqp:// '' mail|expected a host, or an address
amqp://localhost, '' mail|expected a host, or an address
amqp://,localhost '' mail|expected a host, or an address
amqp://[::1 '' mail|expected a host, or an address of IPv6 in brackets
amqp://[::1]x '' mail|expected a port
amqp://localhost: '' mail|expected a port from 1 to 65535
amqp://localhost:0 '' mail|expected a port
amqp://localhost:65536 '' mail|expected a port
amqp://localhost:-1 '' mail|expected a port
amqp://localhost/a/b '' mail|expected %2F
amqp://localhost/a%2 '' mail|expected two hexadecimal digits
amqp://localhost/a%00 '' mail|and not 00
nats://localhost/a mail|expected nothing behind the hosts
amqp://a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q '' mail|expected at most 16 hosts
END
    publish 64 "amqp://localhost/$(printf '%0256d' 0)" '' mail
    [[ "$output" == *'at most 255 bytes'* ]]
    publish 64 amqp://localhost "$(printf '%0256d' 0)" mail
    [[ "$output" == *'expected at most 255 bytes'* ]]
    local subject
    for subject in '' 'a b' $'a\r\nPUB b 2\r\nhi' $'a\n' $'\177' . a. .a a..b 'mail.*' '>' 'a.>' '*.a'; do
        publish 64 nats://127.0.0.1:1 "$subject"
        [[ "${lines[0]}" == 'mailrecv-publish: expected a subject without blanks, '* ]]
        [ "${lines[-1]}" = 'see mailrecv-publish -h' ]
    done
    for subject in a 'a*b' 'x>' mail.jörg '$JS.a'; do
        publish 75 nats://127.0.0.1:1 "$subject"
    done
}

@test "a password in the URL is refused, and is not shown" {
    publish 64 amqp://joe:secret@localhost/ '' mail
    [[ "${lines[0]}" == *'option -a names a file' ]]
    [[ "$output" != *secret* ]]
}

@test "the password file must be for the service's user alone, and have one line" {
    local mode
    for mode in 640 604 660 606; do
        chmod $mode password
        publish 75 -a password amqp://127.0.0.1:1 '' mail
        [ "${lines[0]}" = 'mailrecv-publish: password: others may read or write it, expected chmod go-rwx' ]
        [ "${lines[1]}" = 'The message broker cannot be asked' ]
    done
    chmod 600 password
    publish 75 -a password amqp://127.0.0.1:1 '' mail
    [ "${lines[-1]}" = 'The message broker cannot be reached' ]
    printf 'open sesame\n' >password
    publish 75 -a password amqp://127.0.0.1:1 '' mail
    [ "${lines[0]}" = 'mailrecv-publish: password: expected one line, user:password' ]
    [[ "$output" != *sesame* ]]
    publish 75 -a missing amqp://127.0.0.1:1 '' mail
    [ "${lines[0]}" = 'mailrecv-publish: missing: No such file or directory' ]
    if [ "$(id -u)" -eq 0 ]; then
        printf 'joe:open sesame\n' >password
        chown nobody password
        publish 75 -a password amqp://127.0.0.1:1 '' mail
        [[ "$output" == *'belongs to another user'* ]]
    fi
}

@test "each host that is down is named for the log, and the last line, for the sender, names none" {
    local url
    for url in amqp amqps nats tls; do
        words=(mail)
        [[ $url != amqp* ]] || words=('' mail)
        publish 75 -a password "$url://127.0.0.1:1,localhost:2,[::1]:3" "${words[@]}"
        [ "${#lines[@]}" -eq 4 ]
        [[ "${lines[0]}" == 'mailrecv-publish: 127.0.0.1 port 1: '* ]]
        [[ "${lines[1]}" == 'mailrecv-publish: localhost port 2: '* ]]
        [[ "${lines[2]}" == 'mailrecv-publish: ::1 port 3: '* ]]
        [ "${lines[3]}" = 'The message broker cannot be reached' ]
    done
}

@test "a broker that says nothing is given up in time, and another one is asked within that" {
    local url words pids=()
    start_silent
    SECONDS=0
    for url in amqp amqps nats tls; do
        words=(mail)
        [[ $url != amqp* ]] || words=('' mail)
        {
            "$PUBLISH" -w 1 "$url://127.0.0.1:$PORT" "${words[@]}" <message >"$url" 2>&1 3>&- || echo "status $?" >>"$url"
        } &
        pids+=($!)
    done
    "$PUBLISH" -w 1 "amqp://127.0.0.1:$PORT,127.0.0.1:1" '' mail <message >two 2>&1 || echo "status $?" >>two
    wait "${pids[@]}"
    [ "$SECONDS" -lt 10 ]
    for url in amqp amqps nats tls two; do
        [ "$(tail -n 1 $url)" = 'status 75' ]
        grep -E "^mailrecv-publish: 127.0.0.1 port $PORT: |not confirmed the message in time" "$url"
    done
    grep -E '127.0.0.1 port 1: |not confirmed the message in time' two
}

# A broker that confirms what it should not; sets PORT.
start_false() { # MODE
    rm -f got
    "$TESTS/tools/false-broker" "$1" >got 3>&- </dev/null &
    SERVER=$!
    wait_for got '^[0-9]+$'
    PORT=$(head -n 1 got)
}

stop_false() {
    kill "$SERVER"
    wait "$SERVER" || :
    SERVER=
}

@test "RabbitMQ: a confirmation counts for the message that it is of, when all of that has been sent" {
    start_false honest
    publish 0 "amqp://127.0.0.1:$PORT" '' mail
    run -0 "$PUBLISH" "amqp://127.0.0.1:$PORT" '' mail </dev/null
    [ "$(grep -c message got)" -eq 2 ]
    stop_false
    start_false early
    publish 75 -w 1 "amqp://127.0.0.1:$PORT" '' mail
    stop_false
    # an answer to the question comes between the return and the confirmation
    start_false returned
    run -75 "$PUBLISH" -w 10 "amqp://127.0.0.1:$PORT" '' mail </dev/null
    [ "${lines[-1]}" = 'The message broker has no queue or stream that would keep the message' ]
    stop_false
    # by a connection that is kept, where the second confirmation of the first message is heard together with the second
    start_false twice
    publish 0 -k 2 -w 10 "amqp://127.0.0.1:$PORT" '' mail 3>&-
    publish 75 -k 2 -w 1 "amqp://127.0.0.1:$PORT" '' mail 3>&-
    stop_false
}

@test "a message that cannot be read, or is too large for any broker, goes nowhere" {
    run "$PUBLISH" amqp://127.0.0.1:1 '' mail <.
    [ "$status" -eq 75 ]
    [ "${lines[-1]}" = 'The message cannot be read' ]
    run bash -c '"$1" amqp://127.0.0.1:1 "" mail <&-' bash "$PUBLISH"
    [ "$status" -eq 75 ]
    [ "${lines[0]}" = 'mailrecv-publish: standard input: Bad file descriptor' ]
    truncate -s $(((128 << 20) + 1)) large
    run "$PUBLISH" amqp://127.0.0.1:1 '' mail <large
    [ "$status" -eq 65 ]
    [ "$output" = 'The message is too large for the message broker' ]
    truncate -s $((128 << 20)) large
    run "$PUBLISH" amqp://127.0.0.1:1 '' mail <large
    [ "$status" -eq 75 ]
    # from a pipe, in bounded memory
    truncate -s $((129 << 20)) large
    run bash -c 'ulimit -v 60000; cat large | "$1" amqp://127.0.0.1:1 "" mail' bash "$PUBLISH"
    [ "$status" -eq 65 ]
}
