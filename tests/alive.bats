#!/usr/bin/env bats
# alive.bats - mailrecv -M: which mail hosts a domain has, whether their servers are alive, and what these say

bats_require_minimum_version 1.5.0

load common

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    local name
    for name in mx1.example.com localhost; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 50 -subj "/CN=$name" \
            -addext "subjectAltName=DNS:$name,IP:127.0.0.2" -keyout "$name-key.pem" -out "$name.pem" 2>/dev/null
    done
    printf '%s\n' 'domain client.example' "tls.ca $PWD/mx1.example.com.pem" >conf
    # a script that starts servers, each described by one word list of SERVERS (with ; between them), and asks -M for each argument
    cat >ask <<'END'
servers=()
rm -f "$BATS_TEST_TMPDIR"/ready.*
while read -r -a words; do
    "$TESTS/tools/mail-host" "${words[@]}" >"$BATS_TEST_TMPDIR/ready.${#servers[@]}" &
    servers+=($!)
done < <(tr ';' '\n' <<<"$SERVERS" | sed '/^ *$/d')
for i in "${!servers[@]}"; do
    until grep -qs ready "$BATS_TEST_TMPDIR/ready.$i"; do sleep 0.02; done
done
for place in "$@"; do
    "$MAILRECV" -c "${CONF:-conf}" -M "$place"
    echo "status $?"
done
kill "${servers[@]}"
exit 0
END
}

setup() { cd "$BATS_FILE_TMPDIR"; }

# What -M says of places, where there are these servers, in a DNS with these records: ask PLACE... -- RECORD...
ask() {
    local places=()
    while [ "$1" != -- ]; do
        places+=("$1")
        shift
    done
    run -0 timeout 100 "$TESTS/with-dns" "${@:2}" -- bash ask "${places[@]}"
    shown=$(sed -E 's/[0-9]+\.[0-9]{2} s$/TIME/; s/, 50 days left/, 49 days left/' <<<"$output") # the certificates are of just now
}

# A line of it, as often as is said (once).
has() { [ "$(grep -cxF -e "$1" <<<"$shown")" = "${2:-1}" ] || { echo "not ${2:-1} lines '$1' in: $shown"; false; }; }

# All that was said, but for the times.
says() { diff <(cat) <(echo "$shown"); }

@test "mail hosts are asked in their order, at all of their addresses" {
    export SERVERS='127.0.0.2:25 [::1]:25 good; 127.0.0.3:25 good'
    ask example.com -- example.com=mx:20:mx2.example.com example.com=mx:10:mx1.example.com example.com=mx:30:gone.example.com \
        mx1.example.com=127.0.0.2 mx1.example.com=::1 mx2.example.com=127.0.0.3
    [ "$(grep -v '^ ' <<<"$shown")" = 'mx1.example.com [::1]:25
mx1.example.com 127.0.0.2:25
mx2.example.com 127.0.0.3:25
gone.example.com has no address
status 0' ]
}

@test "greeting and what is offered are shown, no byte that could fool a terminal" {
    SERVERS='127.0.0.2:25 good' ask 127.0.0.2 --
    says <<'END'
127.0.0.2:25
    220 mail.example.com
    220 ready
    250 mail.example.com
    250 SIZE 1000
    250 ODD ???
    alive, TIME
status 0
END
}

@test "STARTTLS: version, certificate, its days, whether it is good, and what is offered then" {
    SERVERS='127.0.0.2:25 tls mx1.example.com.pem mx1.example.com-key.pem' ask example.com 127.0.0.2 -- \
        example.com=mx:10:mx1.example.com mx1.example.com=127.0.0.2
    [ "$(sed '/^status/q' <<<"$shown")" = 'mx1.example.com 127.0.0.2:25
    220 mail.example.com
    220 ready
    250 mail.example.com
    250 SIZE 1000
    250 ODD ???
    250 STARTTLS
    220 Go ahead
    TLSv1.3 TLS_AES_256_GCM_SHA384
    certificate of mx1.example.com, 49 days left, good
    250 mail.example.com
    250 SIZE 1000
    250 ODD ???
    250 AUTH PLAIN
    alive, TIME
status 0' ]
    [ "$(grep -c 'days left, good$' <<<"$shown")" = 2 ] # for the address, too
}

@test "a certificate that is not good is told, and the server is alive" {
    SERVERS='127.0.0.2:25 tls mx1.example.com.pem mx1.example.com-key.pem;127.0.0.3:25 tls localhost.pem localhost-key.pem' \
        ask www.example.com 127.0.0.3 -- www.example.com=127.0.0.2
    has '    certificate of mx1.example.com, 49 days left, not good: hostname mismatch'
    has '    certificate of localhost, 49 days left, not good: self-signed certificate'
    has 'status 0' 2
    echo "tls.ca $PWD/missing.pem" >without
    SERVERS='127.0.0.2:25 tls mx1.example.com.pem mx1.example.com-key.pem' CONF=without ask 127.0.0.2 --
    has "    certificate of mx1.example.com, 49 days left, not verified: cannot read $PWD/missing.pem"
}

@test "TLS from the first byte at port 465" {
    SERVERS='127.0.0.2:465 implicit mx1.example.com.pem mx1.example.com-key.pem' ask mx1.example.com:465 -- mx1.example.com=127.0.0.2
    [ "$(head -n 4 <<<"$shown")" = 'mx1.example.com 127.0.0.2:465
    TLSv1.3 TLS_AES_256_GCM_SHA384
    certificate of mx1.example.com, 49 days left, good
    220 mail.example.com' ]
    has 'status 0'
}

@test "servers of no use" {
    SERVERS='127.0.0.2:25 refuse; 127.0.0.3:25 slam; 127.0.0.4:25 broken' ask 127.0.0.2 127.0.0.3 127.0.0.4 127.0.0.5 --
    says <<'END'
127.0.0.2:25
    554 Go away
    the next server answers the connection with 554 Go away
    of no use, TIME
status 1
127.0.0.3:25
    no answer to the connection: the next server has closed the connection
    of no use, TIME
status 1
127.0.0.4:25
    220 mail.example.com
    220 ready
    250 mail.example.com
    250 SIZE 1000
    250 ODD ???
    250 STARTTLS
    220 Go ahead
    TLS failed: handshake: the server does not speak TLS
    of no use, TIME
status 1
127.0.0.5:25
    Connection refused
    of no use, TIME
status 1
END
}

@test "one that is alive is enough" {
    SERVERS='127.0.0.2:25 refuse; 127.0.0.3:25 good' ask example.com -- example.com=mx:10:a.example.com example.com=mx:20:b.example.com \
        a.example.com=127.0.0.2 b.example.com=127.0.0.3
    [ "$(grep -cE '^    (alive|of no use)' <<<"$shown")" = 2 ]
    has 'status 0'
}

@test "old servers know HELO only; sockets and port 24 speak LMTP" {
    SERVERS="127.0.0.2:25 old; 127.0.0.2:24 unix:$BATS_TEST_TMPDIR/lmtp lmtp" \
        ask 127.0.0.2 127.0.0.2:24 "unix:$BATS_TEST_TMPDIR/lmtp" "$BATS_TEST_TMPDIR/lmtp" --
    has 'status 0' 4
    [ "$(sed '/^status/q' <<<"$shown")" = '127.0.0.2:25
    220 mail.example.com
    220 ready
    500 What?
    250 mail.example.com
    alive, TIME
status 0' ]
}

@test "no MX: the domain itself; an alias; a null MX; names that are none; a DNS that fails" {
    SERVERS='127.0.0.2:25 good' ask itself.example alias.example null.example odd.example fail.example nothing.example -- \
        itself.example=127.0.0.2 alias.example=alias:example.com example.com=mx:10:mx1.example.com mx1.example.com=alias:itself.example \
        null.example=mx:0: odd.example=mx:10:a_b..c fail.example=fail odd.example=mx:20:
    [ "$(grep -v '^ ' <<<"$shown")" = 'itself.example names no mail hosts, and is its own
itself.example 127.0.0.2:25
status 0
mx1.example.com 127.0.0.2:25
status 0
null.example wants no mail: it says so by an MX without a name
status 1
a_b.c has no address
status 1
the mail hosts of fail.example cannot be looked up now
status 1
nothing.example names no mail hosts, and is its own
nothing.example has no address
status 1' ]
}

@test "a domain outside ASCII" {
    SERVERS='127.0.0.2:25 good' ask bücher.example -- xn--bcher-kva.example=127.0.0.2
    [ "$(head -n 1 <<<"$shown")" = 'xn--bcher-kva.example names no mail hosts, and is its own' ]
    has 'status 0'
}

@test "a server that is slow is waited for, and its time is told" {
    SERVERS='127.0.0.2:25 slow' ask 127.0.0.2 --
    [[ $output =~ alive,\ ([0-9]+)\.[0-9][0-9]\ s ]]
    [ "${BASH_REMATCH[1]}" -ge 1 ]
}

@test "SIGTERM ends it" {
    "$TESTS/tools/mail-host" "unix:$BATS_TEST_TMPDIR/silent" silent >"$BATS_TEST_TMPDIR/ready" 3>&- &
    local server=$! status=0
    wait_for "$BATS_TEST_TMPDIR/ready" ready
    # --foreground, or SIGCONT comes as well, and may have the sanitizers wait for ever for a process that is to stop for them
    timeout --foreground -s TERM 1 "$MAILRECV" -c conf -M "$BATS_TEST_TMPDIR/silent" >out || status=$?
    kill "$server"
    [ "$status" = 124 ]
    grep -q 'of no use' out
}

@test "what is no place" {
    run -64 "$MAILRECV" -c conf -M 'a b'
    [ "$output" = "mailrecv: 'a b' is no domain, HOST:PORT, address or path of a socket" ]
    run -64 "$MAILRECV" -c conf -M 192.0.2.1:x
    run -64 "$MAILRECV" -c conf -M
    [ "$output" = "mailrecv: option '-M' needs a value, see mailrecv -h" ]
    echo nonsense >bad
    run -78 "$MAILRECV" -c bad -M example.com
    # shellcheck disable=SC2016 # for the shell inside
    run -74 sh -c '"$MAILRECV" -c conf -M 127.0.0.77 >/dev/full'
}
