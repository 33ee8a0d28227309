#!/usr/bin/env bats
# dns.bats - what the DNS has to say about clients, senders and recipients

bats_require_minimum_version 1.5.0
load dns

setup_file() { start_nsd; }
teardown_file() { stop_nsd; }
teardown() { stop_odd; }

# The name that ADDRESS has by its log: name_is ADDRESS NAME [SERVER]
name_is() {
    from "$1" "${3:-}" <<END
# the name of $1
args: -d h
S: 220 *
quit
log: ...
log: SMTP connection from remote host $2 [$1]
log: end *
END
}

# ---- names of clients ----------------------------------------------------------------------

@test "a name that leads back to the address is confirmed, IPv4 and IPv6" {
    name_is 192.0.2.1 good.example
    name_is 2001:db8::1 good.example
}

@test "a name that leads elsewhere, nowhere, or is none, is unknown" {
    local address
    for address in 192.0.2.{2,3,6,9,10,11} 2001:db8::{2,3}; do
        name_is "$address" unknown
    done
}

@test "of several names the first in alphabetical order that leads back counts" {
    name_is 192.0.2.4 alpha.example
}

@test "aliases are followed, from the address and from its name; not without end" {
    name_is 192.0.2.5 chain.example
    name_is 192.0.2.7 unknown
}

@test "an answer that is too long for UDP comes by TCP" {
    name_is 192.0.2.8 big.example
    odd 192.0.2.7=truncate 192.0.2.7=client.example client.example=truncate client.example=192.0.2.7
    name_is 192.0.2.7 client.example "$ODD"
    [ "$(asked)" = "A client.example tcp
A client.example udp
PTR 7.2.0.192.in-addr.arpa tcp
PTR 7.2.0.192.in-addr.arpa udp" ]
}

@test "ten names of one address count, and are asked for once each" {
    local names=() i
    for i in {a..z}; do names+=("192.0.2.7=$i.example"); done
    odd "${names[@]}"
    name_is 192.0.2.7 unknown "$ODD"
    [ "$(asked | grep -c '^A ')" -eq 10 ]
}

@test "a name that names only the other IP version's address is not confirmed, and not asked for it" {
    odd 192.0.2.7=client.example client.example=2001:db8::7
    name_is 192.0.2.7 unknown "$ODD"
    [ "$(asked)" = "A client.example udp
PTR 7.2.0.192.in-addr.arpa udp" ]
}

# The greeting of a client by the answers of ODD, when the decision hangs on the name: decided ADDRESS GREETING
decided() {
    sed "s/GREETING/$2/" <<'END' | sed "1a\\
via: unix\\
env: TCPREMOTEIP=$1\\
peer: $1\\
conf: dns.server $ODD\\
conf: dns.timeout 300" | "$TESTS/dialog" -
# a decision by name
conf: limit.fcrdns_check on 550 5.7.25 No name
S: GREETING
quit
END
}

@test "what is no answer to the question is no yes and no no: try again" {
    local how
    for how in timeout refuse servfail garbage id other cut loop; do
        odd 192.0.2.7=$how 192.0.2.7=client.example client.example=192.0.2.7
        decided 192.0.2.7 '451 No name'
        odd 192.0.2.7=client.example client.example=$how client.example=192.0.2.7
        decided 192.0.2.7 '451 No name'
    done
}

@test "records of another name are nobody's" {
    odd 192.0.2.7=client.example 192.0.2.7=foreign client.example=192.0.2.7
    decided 192.0.2.7 '550 No name'
    odd 192.0.2.7=client.example client.example=192.0.2.7 client.example=foreign
    decided 192.0.2.7 '550 No name'
}

@test "one name that leads back is enough, whatever becomes of the others" {
    odd 192.0.2.7=a.example 192.0.2.7=b.example 192.0.2.7=c.example a.example=servfail b.example=192.0.2.7 c.example=timeout
    decided 192.0.2.7 '220 *'
    odd 192.0.2.7=a.example 192.0.2.7=b.example a.example=servfail b.example=192.0.2.9
    decided 192.0.2.7 '451 No name'
}

@test "where no server is, is a passing failure" {
    ODD=127.0.0.1:1 decided 192.0.2.7 '451 No name'
}

@test "the next server is asked when one fails" {
    local bad
    odd 192.0.2.7=servfail client.example=refuse
    bad=$ODD
    odd 192.0.2.7=client.example client.example=192.0.2.7
    from 192.0.2.7 "$bad" <<END
# two servers
args: -d h
conf: dns.server $ODD
S: 220 *
quit
log: ...
log: SMTP connection from remote host client.example [192.0.2.7]
log: end *
END
}

@test "dns.timeout is for the whole stage, and SIGTERM ends it" {
    local begin
    odd 192.0.2.7=a.example 192.0.2.7=b.example a.example=timeout b.example=timeout
    begin=$(date +%s%3N)
    decided 192.0.2.7 '451 No name'
    [ $(($(date +%s%3N) - begin)) -lt 2000 ]

    odd 192.0.2.7=timeout
    printf '%s\n' 'domain mail.example.com' "dns.server $ODD" 'dns.timeout 60000' 'limit.fcrdns_check on' >"$BATS_TEST_TMPDIR/conf"
    (cd "$BATS_TEST_TMPDIR" && TCPREMOTEIP=192.0.2.7 exec "$MAILRECV" -c conf -l log </dev/null >out 2>&1 3>&-) &
    wait_for "$QUESTIONS" '^PTR'
    kill $!
    wait $! || true
    grep -q '^4' "$BATS_TEST_TMPDIR/out"
}

@test "limit.connection_secs bounds the questions, too" {
    odd 192.0.2.7=timeout
    begin=$SECONDS
    sed "s/ODD/$ODD/" <<'END' | "$TESTS/dialog" -
# a second
via: unix
env: TCPREMOTEIP=192.0.2.7
peer: 192.0.2.7
conf: dns.server ODD
conf: dns.timeout 60000
conf: limit.connection_secs 1
conf: limit.fcrdns_check on
S: 450 *
S...: 421
END
    [ $((SECONDS - begin)) -lt 8 ]
}
