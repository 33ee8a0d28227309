#!/usr/bin/env bats
# proxy.bats - PROXY headers: believed of proxies that the configuration names, with the real haproxy, and refused of all others

bats_require_minimum_version 1.5.0
load common
load serving

SIGNATURE='\r\n\r\n\0\r\nQUIT\n'
FOUR='\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\xd2\x00\x19' # 192.0.2.7 1234 to 198.51.100.1 25

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    conf
}

teardown() {
    [ -z "${HAPROXY_PID:-}" ] || kill "$HAPROXY_PID" 2>/dev/null || true
    stop_server
}

# A configuration with these lines as well.
conf() { # [LINE]...
    # shellcheck disable=SC2016 # the command's shell expands it
    printf '%s\n' 'domain mx.example' 'proxy_protocol ^203\.0\.113\.9$' 'proxy_protocol ^127\.0\.0\.1$' \
        'deliver rcpt_to who@mx.example pipe echo $CLIENT_ADDRESS $CLIENT_PORT $SERVER_ADDRESS $SERVER_PORT >>who' "$@" >conf
    chmod 600 conf
}

expect() { # GOT WANTED
    [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }
}

# A session of a client that sends these bytes, as printf(1) has them; the replies are the output.
session() { # CLIENT BYTES
    rm -f log
    # shellcheck disable=SC2059 # a format on purpose
    printf "$2" >input
    "$MAILRECV" -c conf -l log -P "$1" <input
}

# The log without dates, pids and the warning about root.
events() { sed -E '/ as root: /d; s/^.*MAILRECV\[[0-9]+\]: //; s/ secs=[0-9.]+//' log; }

# The rest of a session that shows who the client is, in `who`.
SHOW='EHLO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<who@mx.example>\r\nDATA\r\n.\r\nQUIT\r\n'

@test "version 1: the header's address is the client, in the log and for commands" {
    session 203.0.113.9 "PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\n$SHOW" >replies
    expect "$(cat who)" "192.0.2.7 1234 198.51.100.1 25"
    expect "$(events | sed -n '1p;$p')" "[192.0.2.7] SMTP connection from remote host unknown [192.0.2.7] by proxy [203.0.113.9]
[192.0.2.7] end reason=quit messages=1 ehlo=1 mail=1 rcpt=1 data=1 quit=1 helo-name=\"client.example\""
    session 203.0.113.9 "PROXY TCP6 2001:db8::7 2001:DB8:0::19 1234 25\r\n$SHOW" >replies
    expect "$(tail -n 1 who)" "2001:db8::7 1234 2001:db8::19 25"
}

@test "version 2: the same" {
    session 203.0.113.9 "$SIGNATURE\x21\x11\x00\x0c$FOUR$SHOW" >replies
    expect "$(cat who)" "192.0.2.7 1234 198.51.100.1 25"
    session 203.0.113.9 "$SIGNATURE\x21\x11\x00\x10$FOUR\x04\x00\x01\x00$SHOW" >replies
    expect "$(tail -n 1 who)" "192.0.2.7 1234 198.51.100.1 25"
    # an IPv4 address in the form of IPv6 is one
    session 203.0.113.9 "PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 1234 25\r\n$SHOW" >replies
    expect "$(tail -n 1 who)" "192.0.2.7 1234 198.51.100.1 25"
}

@test "UNKNOWN and LOCAL: the proxy speaks for itself" {
    for header in 'PROXY UNKNOWN\r\n' 'PROXY UNKNOWN 2001:db8::7 2001:db8::19 1234 25\r\n' "$SIGNATURE\x20\x00\x00\x00" \
        "$SIGNATURE\x20\x11\x00\x0c$FOUR" "$SIGNATURE\x21\x00\x00\x00"; do
        session 203.0.113.9 "${header}QUIT\r\n" >replies
        expect "$(events)" "[203.0.113.9] SMTP connection from remote host unknown [203.0.113.9]
[203.0.113.9] end reason=quit messages=0 quit=1"
    done
}

@test "rules, groups and lock-out see the client, not the proxy" {
    conf 'deny remotehost ^192\.0\.2\.66$' 'allowgroup office ^192\.0\.2\.7$' "lockout.db $PWD/contacts.db" 'lockout.violations 1' \
        'deliver allowgroup office rcpt_to office@mx.example append /dev/null'
    ask='QUIT\r\n'
    session 203.0.113.9 "PROXY TCP4 192.0.2.66 198.51.100.1 1 25\r\n$ask" | grep -q '^554 '
    session 203.0.113.9 "PROXY TCP4 192.0.2.66 198.51.100.1 1 25\r\n$ask" | grep -q '^454 '
    session 203.0.113.9 "PROXY TCP4 192.0.2.66 198.51.100.1 1 25\r\n$ask" >replies
    [ ! -s replies ]
    ask='MAIL FROM:<>\r\nRCPT TO:<office@mx.example>\r\nQUIT\r\n'
    session 203.0.113.9 "PROXY TCP4 192.0.2.7 198.51.100.1 1 25\r\n$ask" | grep -q '^250 2.1.5 '
    session 203.0.113.9 "PROXY TCP4 192.0.2.8 198.51.100.1 1 25\r\n$ask" | grep -q '^550 '
    expect "$("$MAILRECV" -c conf -S | awk 'NR > 1 { print $1 }' | sort)" $'192.0.2.66\n192.0.2.7\n192.0.2.8'
}

@test "a proxy that sends no header, or a bad one, is not served, and hears nothing" {
    for bytes in 'EHLO client.example\r\n' 'PROXY TCP4 192.0.2.7 198.51.100.1 1234\r\n' 'PROXY TCP4 192.0' \
        "$SIGNATURE\x21\x12\x00\x0c$FOUR" "$SIGNATURE\x31\x11\x00\x0c$FOUR" "$SIGNATURE\x21\x11\xff\xff$FOUR" "\x16\x03\x01\x00\x10$SHOW"; do
        session 203.0.113.9 "$bytes" >replies
        [ ! -s replies ]
        expect "$(events)" "[203.0.113.9] no PROXY header reason=malformed"
    done
    run -0 session 203.0.113.9 ''
    expect "$output" ""
    expect "$(events)" "[203.0.113.9] no PROXY header reason=gone"
}

@test "a proxy that just looks is logged, unless it is quiet; -t says so" {
    conf 'quiet 203.0.113.9/32' "lockout.db $PWD/contacts.db" 'lockout.violations 1'
    for bytes in '' 'PROXY UNKNOWN\r\n' 'PROXY UNKNOWN\r\nQUIT\r\n' 'PROXY UNKNOWN\r\nEHLO proxy.example\r\nQUIT\r\n' "$SIGNATURE\x20\x00\x00\x00"; do
        run -0 session 203.0.113.9 "$bytes"
        expect "$(events)" ''
    done
    expect "$("$MAILRECV" -c conf -S | awk 'NR > 1 { print $3 }')" 0
    # but not when it has sent something else, nor for a client of its
    session 203.0.113.9 'PROXY TCP4' >replies
    expect "$(events)" '[203.0.113.9] no PROXY header reason=malformed'
    session 203.0.113.9 "PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\n" >replies
    [ "$(events | wc -l)" -eq 2 ]
    run "$MAILRECV" -t -c conf
    [[ "$output" != *'health checks'* ]]
    for proxy in 203.0.113.0/29 '^203\.0\.113\.9$'; do
        printf 'domain mx.example\nproxy_protocol %s\n' "$proxy" >conf
        run "$MAILRECV" -t -c conf
        grep -A 2 'conf:2:16: note: the health checks of this proxy are logged' <<<"$output"
        grep -F "write: quiet $proxy" <<<"$output"
    done
}

@test "SIGTERM ends the wait for a header" {
    mkfifo silence
    "$MAILRECV" -c conf -l log -P 203.0.113.9 <>silence >replies &
    pid=$!
    wait_for "/proc/$pid/comm" '^mailrecv$' # and no longer the shell that starts it
    wait_for "/proc/$pid/status" '^SigCgt:.*[4567cdef]...$' # no event announces that it has a handler
    kill "$pid"
    wait "$pid"
    expect "$(events)" "[203.0.113.9] no PROXY header reason=terminated"
}

@test "from all others a header is a protocol error, which a violation is" {
    conf "lockout.db $PWD/contacts.db"
    session 192.0.2.9 "PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\n$SHOW" >replies
    expect "$(cat replies)" $'220 mx.example ESMTP mailrecv\r\n500 5.5.1 No PROXY header is taken from your host\r'
    expect "$(events)" '[192.0.2.9] SMTP connection from remote host unknown [192.0.2.9]
[192.0.2.9] ERROR: 500 No PROXY header is taken from your host stage=input from="" line="PROXY TCP4 192.0.2.7 198.51.100.1 1234 25"
[192.0.2.9] lockout: violations=1/3 reason=input
[192.0.2.9] end reason=proxy messages=0 proxy=0/1'
    session 192.0.2.9 "$SIGNATURE\x21\x11\x00\x0c$FOUR$SHOW" >replies
    expect "$(cat replies)" $'220 mx.example ESMTP mailrecv\r\n500 5.5.1 No PROXY header is taken from your host\r'
    expect "$(events | tail -n 1)" '[192.0.2.9] end reason=proxy messages=0'
    # in pieces version 2 is lines that are no commands; in front of a header, and behind one, is too late
    (printf '\r\n'; sleep 0.1; printf '\r\n\0\r\nQUIT\n\x21\x11\x00\x0cxxxxxxxxxxxx\r\nQUIT\r\n') |
        "$MAILRECV" -c conf -l log -P 192.0.2.10 >replies
    [ "$(grep -c '^500 ' replies)" -ge 3 ]
    session 203.0.113.9 "PROXY UNKNOWN\r\nPROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\n$SHOW" >replies
    grep -q '^500 5.5.1 No PROXY header' replies
    [ ! -e who ]
}

@test "not a byte behind the header is taken: implicit TLS begins there" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout key.pem \
        -out cert.pem 2>/dev/null
    conf 'tls implicit' "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" 'sandbox try'
    start_server systemd-socket-activate "$PWD" -E "PATH=$PATH" "$MAILRECV" -c "$PWD/conf" -l "$PWD/log"
    timeout 20 python3 - "$SERVER_PORT" <<'END'
import socket, ssl, sys
for header in b"PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\n", \
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\xd2\x00\x19":
    plain = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    # header and ClientHello in one packet
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    plain.sendall(header + outgoing.read())
    def step(action):
        while True:
            try:
                result = action()
                if outgoing.pending:
                    plain.sendall(outgoing.read())
                return result
            except ssl.SSLWantReadError:
                if outgoing.pending:
                    plain.sendall(outgoing.read())
                data = plain.recv(65536)
                assert data, "the connection ended"
                incoming.write(data)
    step(tls.do_handshake)
    assert step(tls.read).startswith(b"220 mx.example")
    step(lambda: tls.write(b"QUIT\r\n"))
    assert step(tls.read).startswith(b"221 ")
END
    wait_for log 'end reason=quit'
    expect "$(grep -c '\[192\.0\.2\.7\] end reason=quit' log)" 2
}

# haproxy in front of mailrecv; sets the ports V1 and V2.
start_haproxy() {
    local try
    for try in {1..10}; do
        V1=$((20000 + RANDOM % 12000))
        V2=$((V1 + 1))
        cat >haproxy.conf <<END
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen one
    bind 127.0.0.1:$V1
    server it 127.0.0.1:$SERVER_PORT send-proxy
listen two
    bind 127.0.0.1:$V2
    server it 127.0.0.1:$SERVER_PORT send-proxy-v2
END
        timeout 60 haproxy -db -f haproxy.conf >haproxy.out 2>&1 </dev/null 3>&- &
        HAPROXY_PID=$!
        for _ in {1..500}; do
            if listening "$V1" 4 && listening "$V2" 4; then return; fi
            kill -0 "$HAPROXY_PID" 2>/dev/null || break
            sleep 0.02
        done
        wait "$HAPROXY_PID" || true
    done
    cat haproxy.out
    return 1
}

@test "haproxy, both versions: the client is whoever has connected to it" {
    start_server systemd-socket-activate "$PWD" -E "PATH=$PATH" "$MAILRECV" -c "$PWD/conf" -l "$PWD/log"
    start_haproxy
    n=10
    for port in "$V1" "$V2"; do
        n=$((n + 1))
        # shellcheck disable=SC2059 # a format on purpose
        printf "$SHOW" | timeout 20 nc -s "127.0.0.$n" 127.0.0.1 "$port" >replies
        expect "$(tail -n 1 replies)" $'221 2.0.0 Goodbye\r'
        wait_for log "\[127\.0\.0\.$n\] end reason=quit"
        read -r address client_port own own_port <<<"$(tail -n 1 who)"
        expect "$address $own $own_port" "127.0.0.$n 127.0.0.1 $port"
        [ "$client_port" -gt 0 ]
        grep -q "\[127\.0\.0\.$n\] SMTP connection from remote host [a-z.-]* \[127\.0\.0\.$n\] by proxy \[127\.0\.0\.1\]$" log
    done
}
