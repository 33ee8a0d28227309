#!/usr/bin/env bats
# redis.bats - several hosts that remember clients and deliveries together: one Redis, and what becomes of mail without it

# shellcheck disable=SC2016,SC2030,SC2031 # each test is a process of its own; expressions for Python

bats_require_minimum_version 1.5.0
load common
load two-hosts

# A server for all tests: each has a database of its own.
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    start main >main.pid
}

teardown_file() { kill "$(cat "$BATS_FILE_TMPDIR/main.pid")"; }

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 077
    STARTED=() # what ends with the test
    SOCKET=$BATS_FILE_TMPDIR/main.sock
    DB=$BATS_TEST_NUMBER
    hosts "redis:$SOCKET/$DB"
}

teardown() {
    local pid
    for pid in "${STARTED[@]}"; do
        kill "$pid" 2>/dev/null || : # some have ended
    done
}

# Starts a server whose socket is NAME.sock, waits until it can be asked, and says its process.
start() { # NAME [OPTION]...
    local name=$1
    shift
    rm -f "$name.log" # what it said before would be taken for its beginning
    redis-server --port 0 --unixsocket "$PWD/$name.sock" --databases 100 --save '' --loglevel notice "$@" >"$name.log" 2>&1 3>&- &
    echo $!
    wait_for "$name.log" '[Rr]eady to accept connections' >&2
}

# The same in a test, which ends it.
serve() { # NAME [OPTION]...
    start "$@" >"$1.pid"
    STARTED+=("$(cat "$1.pid")")
}

redis() { redis-cli -s "$SOCKET" -n "$DB" "$@"; }

@test "a client that three hosts have refused once each is locked out on all, and on none when it is forgiven" {
    sed 's/^domain.*/domain c.example/' a.conf >c.conf
    for host in a b c; do
        strike $host
        expect "$(greeting)" 220
    done
    grep -q 'violations=2/3 reason=rcpt$' b.log
    grep -q 'violations=3/3 reason=rcpt until=' c.log
    strike a
    expect "$(greeting)" 454
    strike b
    expect "$(greeting)" ''
    strike b 192.0.2.9
    expect "$(greeting)" 220
    run -0 "$MAILRECV" -c b.conf -S
    [[ $output == *"192.0.2.7 "*" 5 "*" 3 "*" 1 "* ]]
    expect "$("$MAILRECV" -c b.conf -S clear 192.0.2.7)" '192.0.2.7 is forgotten'
    expect "$("$MAILRECV" -c b.conf -S clear 192.0.2.7)" '192.0.2.7 was not known'
    strike c
    expect "$(greeting)" 220
    "$MAILRECV" -c a.conf -S lock 192.0.2.10 1000
    strike b 192.0.2.10
    expect "$(greeting)" 454
}

@test "a message that comes again to another host is delivered where it is missing, and nowhere twice" {
    message a '<all@mx.example>' '<two@mx.example>'
    expect "$(answer) $(copies all) $(copies two)" '451 1 0'
    expect "$("$MAILRECV" -c b.conf -S json | grep -o '"state":"[a-z]*"' | sort | uniq -c | tr -s ' \n' ' ')" \
        ' 1 "state":"begun" 1 "state":"delivered" '
    touch good
    message b '<all@mx.example>' '<two@mx.example>'
    expect "$(answer) $(copies all) $(copies two)" '250 1 1'
    expect "$(grep -c '] delivery result=already ' b.log)" 1
    # the sender knows: the next one like it is another message
    message a '<all@mx.example>'
    expect "$(answer) $(copies all)" '250 2'
}

@test "an attempt keeps its name from host to host; what another host is making is waited for" {
    touch good
    sed -i "s|^deliver rcpt_to two.*|deliver rcpt_to two@mx.example pipe echo \$DELIVERY_ID >>$PWD/ids; exit 75|" a.conf
    message a '<two@mx.example>'
    message b '<two@mx.example>'
    expect "$(answer) $(sort -u ids | wc -l) $(wc -l <ids)" '250 1 2'

    mkfifo gate
    hosts "redis:$SOCKET/$DB" 'limit.lock_secs 1'
    sed -i "s|^deliver rcpt_to two.*|deliver rcpt_to two@mx.example pipe echo >>$PWD/begun; cat $PWD/gate|" a.conf
    message a '<two@mx.example>' &
    wait_for begun ''
    held=$(redis keys '*:held')
    [ "$(redis ttl "$held")" -le 182 ]
    session b 192.0.2.8 'EHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<two@mx.example>' DATA \
        'Message-ID: <1@client.example>' '' text . || :
    grep -q 'reason="another session is delivering it"' b.log
    : >gate
    wait
    expect "$(redis --scan --pattern '*:held')$(redis --scan --pattern '*holder*')" ''
}

@test "no count is lost when many sessions of several hosts change it at once" {
    for i in {1..15}; do
        for host in a b; do
            "$MAILRECV" -c $host.conf -l "$PWD/$host.log" -P 192.0.2.7 </dev/null >"out.$i.$host" &
        done
    done
    wait
    expect "$(lines a)$(lines b)" ''
    "$MAILRECV" -c a.conf -S json | grep -q '"connections":30,'
}

@test "keys have a prefix, a time to live and a database; nothing but them is read or written" {
    redis set 192.0.2.7 other >&2
    strike a
    message a '<two@mx.example>'
    expect "$(redis keys '*' | sort | sed -E 's/[0-9a-f]{40}$/DIGEST/')" \
        "$(printf '%s\n' 192.0.2.7 mailrecv:contacts-01:192.0.2.7 mailrecv:contacts-01:192.0.2.8 mailrecv:deliver-01:DIGEST)"
    ttl=$(redis ttl mailrecv:contacts-01:192.0.2.7)
    [ "$ttl" -gt 3500 ] && [ "$ttl" -le 3601 ]
    ttl=$(redis ttl "$(redis keys 'mailrecv:deliver*')")
    [ "$ttl" -gt 431900 ] && [ "$ttl" -le 432001 ]
    expect "$(redis get 192.0.2.7)" other
    hosts "redis:$SOCKET/$DB" 'lockout.violations 1' 'lockout.secs 100000' 'lockout.period 10'
    strike b
    ttl=$(redis ttl mailrecv:contacts-01:192.0.2.7)
    [ "$ttl" -gt 99000 ]
}

@test "a value that is none of ours is left alone, and told" {
    redis set mailrecv:contacts-01:192.0.2.7 hello >&2
    redis lpush mailrecv:contacts-01:192.0.2.9 hello >&2
    strike a
    expect "$(greeting)" 220
    expect "$(lines a | head -n 1)" "lockout: redis:$SOCKET/$DB cannot be kept: what is there was not written by mailrecv"
    strike b 192.0.2.9
    [[ $(lines b | head -n 1) == *"cannot be kept: WRONGTYPE "* ]]
    expect "$(redis get mailrecv:contacts-01:192.0.2.7)" hello
}

@test "without Redis mail flows, and each session says so once" {
    hosts "redis:$PWD/nobody.sock/1"
    message a '<one@mx.example>'
    expect "$(answer) $(copies one)" '250 1'
    expect "$(lines a)" "lockout: redis:$PWD/nobody.sock/1 cannot be kept: cannot connect to $PWD/nobody.sock: No such file or directory"
    run -74 --separate-stderr "$MAILRECV" -c a.conf -S
    [[ $stderr == "mailrecv: redis:$PWD/nobody.sock/1: cannot connect to "* ]]
}

# A server that takes connections and says this, in Python.
fake() { # EXPRESSION
    python3 - "$PWD/fake.sock" <<END 3>&- &
import socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(50)
while True:
    client, _ = server.accept()
    open("connections", "a").write("x")
    try:
        client.recv(4096)
        client.sendall($1)
        while client.recv(4096):
            pass
    except OSError:
        pass
END
    STARTED+=($!)
    until [ -S fake.sock ]; do sleep 0.02; done
    hosts "redis:$PWD/fake.sock"
}

@test "a Redis that does not answer costs its time once in a session, and nobody else anything for a while" {
    fake 'b""'
    sed -i 's/^redis.timeout.*/redis.timeout 30/' a.conf
    message a '<one@mx.example>'
    expect "$(answer) $(copies one)" '250 1'
    expect "$(lines a)" "lockout: redis:$PWD/fake.sock cannot be kept: it has not answered in time"
    expect "$(cat connections)" x

    rm -f a.log
    PORT=$(free_port)
    "$MAILRECV" -L "127.0.0.1:$PORT" -c a.conf -l "$PWD/a.log" 3>&- &
    STARTED+=($!)
    until grep -q "$(printf ':%04X ' "$PORT").* 0A " /proc/net/tcp; do sleep 0.02; done
    for _ in 1 2 3; do
        printf 'QUIT\r\n' | nc -w 10 127.0.0.1 "$PORT" | grep -q '^221'
    done
    expect "$(lines a)" \
        "lockout: redis:$PWD/fake.sock cannot be kept: it has not answered in time; it is left alone for 10 seconds"
}

@test "answers that are too long, nonsense or cut are none" {
    fake 'b"$64\r\n"'
    sed -i 's/^redis.timeout.*/redis.timeout 30/' a.conf
    message a '<one@mx.example>'
    grep -q 'it has not answered in time' a.log
    for bytes in 'b"hello\r\n"' 'b"$20000\r\n" + b"x" * 20000 + b"\r\n"' 'b"*1\r\n" * 50'; do
        kill -KILL "${STARTED[@]}"
        rm -f fake.sock a.log
        fake "$bytes"
        message a '<one@mx.example>'
        expect "$(answer) $(lines a | grep -cE 'its answer (is too long|cannot be read: )')" '250 1'
    done
    expect "$(copies one)" 4
}

@test "a Redis that is full keeps out whom it knows, and stops nothing" {
    serve full
    hosts "redis:$PWD/full.sock/1" 'lockout.violations 1'
    strike a
    redis-cli -s full.sock config set maxmemory 1 >&2
    strike b
    expect "$(greeting)" 454
    grep -q 'lockout: .* cannot be kept: OOM ' b.log
    strike b 192.0.2.9
    expect "$(greeting)" 220
    message b '<one@mx.example>'
    expect "$(answer) $(copies one)" '250 1'
    grep -q 'ledger: .* cannot be used, and what is sent again may be delivered twice: OOM ' b.log
}

@test "a password, and a user with the rights that the manual names" {
    serve locked --requirepass master
    sed -n '/^ACL SETUSER/s/>PASSWORD/>secret/p; /^ACL SETUSER.*-@all/p' "$TESTS/../man/mailrecv.conf.5" >rights
    expect "$(redis-cli -s locked.sock --no-auth-warning -a master <rights | tr '\n' ' ')" 'OK OK '
    printf 'mailrecv:secret\n' >password
    hosts "redis:$PWD/locked.sock/2" "redis.auth $PWD/password" 'lockout.violations 1'
    message a '<one@mx.example>'
    strike a
    strike b
    expect "$(greeting) $(answer)" '454 '
    expect "$(lines a | grep -c cannot)" 0
    run -0 "$MAILRECV" -c a.conf -S
    [[ $output == *192.0.2.8* ]]
    "$MAILRECV" -c a.conf -S clear 192.0.2.7

    echo master >password
    strike b
    expect "$(greeting)" 220
    for wrong in wrong mailrecv:wrong; do
        rm -f a.log
        echo $wrong >password
        message a '<one@mx.example>'
        expect "$(answer) $(lines a | sed 's/.* kept: \([A-Z]*\) .*/\1/')" '250 WRONGPASS'
    done
    chmod 640 password
    rm -f a.log
    strike a
    grep -q "lockout: .* cannot be kept: $PWD/password: others may read or write it" a.log
    sed -i '/^redis.auth/d' a.conf
    strike a
    grep -q 'lockout: .* cannot be kept: NOAUTH ' a.log
}

@test "TLS, with a certificate that must be good" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null
    PORT=$(free_port)
    serve tls --tls-port "$PORT" --tls-cert-file "$PWD/cert.pem" --tls-key-file "$PWD/key.pem" --tls-auth-clients no \
        --tls-ca-cert-file "$PWD/cert.pem"
    hosts "rediss:localhost:$PORT/1" "tls.ca $PWD/cert.pem" 'lockout.violations 1'
    message a '<one@mx.example>'
    strike a
    expect "$(lines a | grep -c cannot)" 0
    strike b
    expect "$(greeting)" 454
    sed -i '/^tls.ca/d' a.conf
    strike a
    expect "$(greeting)" 220
    grep -q 'lockout: .* cannot be kept: .*the certificate is not to be trusted' a.log
}

@test "a Redis that starts anew is found again in the same session, and what it has written is there" {
    serve first --appendonly yes --appendfsync always
    hosts "redis:$PWD/first.sock/$DB" 'lockout.violations 1'
    mkfifo in out
    "$MAILRECV" -c a.conf -l "$PWD/a.log" -P 192.0.2.7 <in >out 3>&- &
    host=$!
    exec 8>in 9<out
    read -r line <&9
    [[ $line == 220* ]]
    kill -KILL "$(cat first.pid)"
    while kill -0 "$(cat first.pid)" 2>/dev/null; do sleep 0.02; done
    rm first.sock
    serve first --appendonly yes --appendfsync always
    printf 'MAIL FROM:<>\r\nRCPT TO:<nobody@mx.example>\r\nQUIT\r\n' >&8
    exec 8>&-
    cat <&9 >/dev/null
    wait $host # what it logs last comes behind what it says
    expect "$(lines a | sed 's/until.*//')" 'lockout: violations=1/1 reason=rcpt '
    strike b
    expect "$(greeting)" 454
    "$MAILRECV" -c a.conf -S json | grep -q '"connections":2,'
}

@test "-t says what is wrong with the place, whether it may be asked, and what it would forget" {
    run -1 --separate-stderr "$MAILRECV" -c a.conf -t
    [[ $stderr == *"a.conf:2:12: note: this is Redis "[67].*", and it may be asked"* ]]
    [[ $stderr == *"a.conf:3:8: warning: Redis forgets its last minutes when it dies"*"(aof_enabled:0)"* ]]
    [[ $output == *"lockout.db redis:$SOCKET/$DB"*"redis.timeout 20000"* ]]
    for wrong in redis:localhost redis:localhost:6379/x rediss:; do
        hosts "$wrong"
        run -78 --separate-stderr "$MAILRECV" -c a.conf -t
        [[ $stderr == *"a.conf:2:12: '$wrong' is no place of Redis: "*"write redis:HOST:PORT"* ]]
    done
    hosts "redis:$PWD/nobody.sock"
    run -1 --separate-stderr "$MAILRECV" -c a.conf -t
    [[ $stderr == *"a.conf:2:12: warning: Redis cannot be asked now: cannot connect to $PWD/nobody.sock"* ]]
    serve evicts --maxmemory-policy allkeys-lru --requirepass x
    echo x >password
    hosts "redis:$PWD/evicts.sock" "redis.auth $PWD/password"
    run -1 --separate-stderr "$MAILRECV" -c a.conf -t
    [[ $stderr == *"a.conf:2:12: warning: when its memory is full, Redis forgets any key"*"(maxmemory_policy:allkeys-lru)"* ]]
    chmod 644 password
    run -78 --separate-stderr "$MAILRECV" -c a.conf -t
    [[ $stderr == *"a.conf:"*"$PWD/password: others may read or write it, expected chmod go-rwx"* ]]
    printf 'domain mx.example\nredis.timeout 5\nredis.auth %s\n' "$PWD/password" >a.conf
    run -1 --separate-stderr "$MAILRECV" -c a.conf -t
    [[ $stderr == *"a.conf:2:1: warning: 'redis.timeout' has no effect without redis: in lockout.db or ledger"* ]]
    [[ $stderr == *"a.conf:3:1: warning: 'redis.auth' has no effect"* ]]
}
