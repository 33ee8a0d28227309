#!/usr/bin/env bats
# peer.bats - who the client is: on every kind of standard input, from wrappers, by -P, by name

load common

play() { "$TESTS/dialog" -; }

# Plays with a DNS of its own: play_with RECORD... < dialogue
play_with() { "$TESTS/with-dns" "$@" -- "$TESTS/dialog" -; }

# A session in which nothing matters but the client. Arguments are lines of a dialogue.
greet() {
    printf '%s\n' "# who the client is" "$@" "eol: lf" "S: 220 *" "C: QUIT" "S: 221 *" \
        "log: SMTP connection from *" "log: end *" | play
}

@test "TCP over IPv4" {
    greet "via: tcp" "peer: 127.0.0.1" "conf: allow remotehost ^127\.0\.0\.1$"
}

@test "TCP over IPv6, in both forms" {
    greet "via: tcp6" "peer: ::1" "conf: allow remotehost ^::1$"
    greet "via: tcp6" "peer: ::1" "conf: allow remotehost ^0000:0000:0000:0000:0000:0000:0000:0001$"
}

@test "TCP over IPv4 to an IPv6 socket is IPv4" {
    greet "via: mapped" "peer: 127.0.0.1" "conf: allow remotehost ^127\.0\.0\.1$"
    greet "via: mapped" "peer: 127.0.0.1" "conf: deny remotehost :"
}

@test "a UNIX socket, a pipe and a file are local" {
    for via in unix pipe file; do
        greet "via: $via" "peer: local" "conf: allow remotehost ^local$"
    done
}

@test "local is no address and no name" {
    for pattern in '^127' '^[0-9.]+$' ':' unknown localhost; do
        play <<END
# local matches nothing but itself
via: unix
conf: allow remotehost $pattern
S: 554 *
quit
END
    done
}

@test "a terminal is 127.0.0.1" {
    greet "via: terminal" "peer: 127.0.0.1" "conf: allow remotehost ^127\.0\.0\.1$"
}

@test "TCPREMOTEIP names the client where standard input is no TCP socket" {
    for via in unix pipe file terminal; do
        greet "via: $via" "env: TCPREMOTEIP=192.0.2.7" "peer: 192.0.2.7" "conf: allow remotehost ^192\.0\.2\.7$"
    done
    greet "via: unix" "env: TCPREMOTEIP=2001:DB8::0:7" "peer: 2001:db8::7"
    greet "via: unix" "env: TCPREMOTEIP=::ffff:192.0.2.7" "peer: 192.0.2.7"
}

@test "TCPREMOTEIP says nothing about a TCP socket" {
    greet "via: tcp" "env: TCPREMOTEIP=192.0.2.7" "peer: 127.0.0.1"
    greet "via: tcp6" "env: TCPREMOTEIP=192.0.2.7" "peer: ::1"
}

@test "TCPREMOTEIP that is no address says nothing" {
    for value in '' unknown 192.0.2 192.0.2.256 192.0.2.7:25 ' 192.0.2.7' 192.0.2.7x 2001:db8::g '[2001:db8::7]' fe80::1%lo; do
        greet "via: unix" "env: TCPREMOTEIP=$value" "peer: local"
    done
    greet "via: terminal" "env: TCPREMOTEIP=192.0.2.256" "peer: 127.0.0.1"
}

@test "what tcpserver says reaches the delivery command" {
    play <<'END'
# addresses and ports from the environment
via: unix
peer: 192.0.2.7
env: TCPREMOTEIP=192.0.2.7
env: TCPREMOTEPORT=1234
env: TCPLOCALIP=192.0.2.25
env: TCPLOCALPORT=25
conf: deliver rcpt_to user@example.com pipe echo $CLIENT_ADDRESS $CLIENT_PORT $SERVER_ADDRESS $SERVER_PORT > $DIR/out
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 250 2.0.0 *
quit
file out:
| 192.0.2.7 1234 192.0.2.25 25
END
}

@test "-P: an address without a name" {
    for address in 192.0.2.7 2001:db8::7 local; do
        greet "client: $address"
    done
    greet "client: ::ffff:192.0.2.7" "peer: 192.0.2.7"
    greet "client: 2001:DB8:0::7" "peer: 2001:db8::7"
}

@test "-P: an address with a confirmed name" {
    play <<'END'
# the name counts, in lower case, and a dot at its end does not
client: 192.0.2.7=Mail.Client.Example.
conf: allow remotehost ^mail\.client\.example$
S: 220 *
quit
log: SMTP connection from remote host mail.client.example [192.0.2.7]
log: end *
END
}

@test "-P goes before TCPREMOTEIP" {
    greet "client: 198.51.100.1" "env: TCPREMOTEIP=192.0.2.7"
}

@test "-P that is no client is refused" {
    echo 'domain mail.example.com' >"$BATS_TEST_TMPDIR/conf"
    for client in '' unknown 192.0.2.256 192.0.2.7= =name 192.0.2.7=-name '192.0.2.7=two words' 2001:db8::g fe80::1%lo; do
        run "$MAILRECV" -c "$BATS_TEST_TMPDIR/conf" -l stderr -P "$client" </dev/null
        echo "$output"
        [ "$status" -eq 64 ]
        [ "$output" = "mailrecv: '$client' is no client, expected ADDRESS or ADDRESS=NAME, see mailrecv -h" ]
    done
}

@test "-P is refused on a TCP socket" {
    for via in tcp tcp6 mapped; do
        play <<END
# the client hears nothing, the log says why
via: $via
peer: -
args: -P 192.0.2.7
exit: 64
log: -P is not for real connections
END
    done
}

@test "a name that leads back to the address counts (in a namespace with a DNS of its own)" {
    play_with 127.0.0.1=Mail.Client.Example mail.client.example=127.0.0.1 <<'END'
# a confirmed name
conf: allow remotehost ^mail\.client\.example$
S: 220 *
quit
log: SMTP connection from remote host mail.client.example [127.0.0.1]
log: end *
END
    play_with ::1=mail.client.example mail.client.example=192.0.2.9 mail.client.example=::1 <<'END'
# a confirmed name of an IPv6 address
via: tcp6
conf: allow remotehost ^mail\.client\.example$
S: 220 *
quit
log: SMTP connection from remote host mail.client.example [::1]
log: end *
END
    play_with 127.0.0.1=mail.client.example mail.client.example=127.0.0.1 <<'END'
# a confirmed name of an IPv4-mapped address
via: mapped
peer: 127.0.0.1
conf: allow remotehost ^mail\.client\.example$
S: 220 *
quit
log: SMTP connection from remote host mail.client.example [127.0.0.1]
log: end *
END
}

@test "a name that does not lead back is unknown (in a namespace with a DNS of its own)" {
    # no A, another address, the address of the other IP version, an address as name, no PTR
    for records in '127.0.0.1=mail.client.example' \
        '127.0.0.1=mail.client.example mail.client.example=192.0.2.7' \
        '127.0.0.1=mail.client.example mail.client.example=::1' \
        '127.0.0.1=127.0.0.1' \
        'mail.client.example=127.0.0.1'; do
        # shellcheck disable=SC2086 # words on purpose
        play_with $records <<'END'
# an unconfirmed name
conf: allow remotehost mail.client.example
conf: allow remotehost unknown
S: 554 *
quit
log: SMTP connection from remote host unknown [127.0.0.1]
log: ERROR: 554 *
log: end *
END
    done
}

@test "a name that does not lead back joins no group, and is not told to commands (own DNS)" {
    play_with 127.0.0.1=mail.client.example mail.client.example=192.0.2.7 <<'END'
# who controls a reverse zone
conf: allowgroup friends mail\.client\.example
conf: deliver allowgroup friends rcpt_to secret@example.com append $DIR/mbox
conf: deliver rcpt_to user@example.com pipe echo $CLIENT_HOSTNAME > $DIR/out
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<secret@example.com>
C: RCPT TO:<user@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 550 5.7.1 Not accepted from your host
S: 250 2.1.5 *
S: 354 *
S: 250 2.0.0 *
quit
file out:
| unknown
END
}

@test "a passing failure of the DNS is no yes and no no (own DNS)" {
    for records in 127.0.0.1=fail '127.0.0.1=mail.client.example mail.client.example=fail'; do
        # shellcheck disable=SC2086 # words on purpose
        play_with $records <<'END'
# allow, deny, groups while the DNS fails

= allow
conf: allow remotehost client
S: 451 *

= deny
conf: deny remotehost client
S: 451 *

= a group
conf: allowgroup friends client
conf: deliver allowgroup friends rcpt_to user@example.com append $DIR/mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
S: 250 2.1.0 *
S: 451 4.3.0 *
quit
END
    done
}

@test "limit.fcrdns_check (own DNS)" {
    play_with 127.0.0.1=mail.client.example mail.client.example=127.0.0.1 <<'END'
# a confirmed name passes
conf: limit.fcrdns_check on
S: 220 *
quit
log: SMTP connection from remote host mail.client.example [127.0.0.1]
log: end *
END
    play_with 127.0.0.1=mail.client.example <<'END'
# an unconfirmed one does not

= with the default
conf: limit.fcrdns_check on
S: 450 Your host has no name that leads back to its address

= with a reply of its own
conf: limit.fcrdns_check on 550 5.7.25 No name
S: 550 No name
quit
END
    play_with 127.0.0.1=fail <<'END'
# a passing failure is never permanent

= with a 4xx
conf: limit.fcrdns_check on 455 Later
S: 455 Later

= with a 5xx
conf: limit.fcrdns_check on 550 5.7.25 No name
S: 451 No name
END
}

@test "no DNS is asked when the address has decided, or nothing depends on the name (own DNS)" {
    local questions=$BATS_TEST_TMPDIR/questions

    # in one process: of two, one asks for the name while the client sends its message
    QUESTIONS=$questions play_with 127.0.0.1=fail <<'END'
# decisions by address

= no rule asks for a name
conf: sandbox off
conf: deliver rcpt_to user@example.com append $DIR/mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
S: 250 2.1.0 *
S: 250 2.1.5 *
quit

= the address matches, although a name stands first
conf: allow remotehost client
conf: allow remotehost ^127\.
S: 220 *
quit

= the address is denied
conf: deny remotehost client
conf: deny remotehost ^127\.
S: 554 *
quit

= patterns that only addresses can match
conf: allow remotehost ^192\.0\.2\.
S: 554 *
quit

= a group of addresses
conf: sandbox off
conf: allowgroup friends client
conf: allowgroup friends ^127\.0\.0\.[0-9]+$
conf: deliver allowgroup friends rcpt_to user@example.com append $DIR/mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
S: 250 2.1.0 *
S: 250 2.1.5 *
quit
END
    [ ! -e "$questions" ]
}

@test "the DNS is asked once in a session (own DNS)" {
    local questions=$BATS_TEST_TMPDIR/questions

    QUESTIONS=$questions play_with 127.0.0.1=mail.client.example mail.client.example=127.0.0.1 <<'END'
# several decisions by name
conf: allow remotehost client
conf: deny remotehost other
conf: limit.fcrdns_check on
conf: allowgroup friends client
conf: deliver allowgroup friends rcpt_to user@example.com append $DIR/mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
C: RCPT TO:<user@example.com>
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 250 2.1.5 *
quit
END
    [ "$(cat "$questions")" = "PTR 1.0.0.127.in-addr.arpa
A mail.client.example" ]
}

@test "hosts(5) is read first, and the DNS is not asked for what it holds (own DNS)" {
    local questions=$BATS_TEST_TMPDIR/questions hosts='# names of hosts
127.0.0.2 first.example
 127.0.0.1	Known.Example	alias.example # comment.example
127.0.0.1 second.example
192.0.2.9 second.example
::1 six.example
nonsense known.example
127.0.0.9'

    HOSTS=$hosts QUESTIONS=$questions play_with 127.0.0.1=fail known.example=fail <<'END'
# the canonical name, which leads back
conf: allow remotehost ^known\.example$
conf: limit.helo_dns_check on
S: 220 *
C: HELO alias.example
S: 250 mail.example.com
C: HELO SIX.example
S: 250 mail.example.com
quit
log: SMTP connection from remote host known.example [127.0.0.1]
log: end *
END
    [ ! -e "$questions" ]
    HOSTS=$hosts play_with comment.example=fail <<'END'
# what is none
conf: limit.helo_dns_check on 550 5.7.1 Who?
S: 220 *
C: HELO comment.example
S: 451 *
C: HELO known
S: 550 Who?
quit
END
    HOSTS='127.0.0.1 mail.client.example' play_with mail.client.example=192.0.2.7 <<'END'
# hosts(5) has the last word about the names that it holds
conf: allow remotehost ^mail\.client\.example$
S: 220 *
quit
END
    HOSTS='192.0.2.7 mail.client.example' play_with 127.0.0.1=mail.client.example mail.client.example=127.0.0.1 <<'END'
# wherever they come from
conf: allow remotehost ^mail\.client\.example$
S: 554 *
quit
END
}

@test "a name with an underscore is a name, and one with an A-label is met by its U-label (own DNS)" {
    play_with 127.0.0.1=host_11.dyn.example host_11.dyn.example=127.0.0.1 <<'END'
# of a client, in an expression, in HELO
conf: limit.fcrdns_check on
conf: limit.helo_dns_check on
conf: allow remotehost ^host_\d+\.dyn\.example$
S: 220 *
C: EHLO host_11.dyn.example
S...: 250
C: EHLO Host_11.dyn.example.
S...: 250
C: EHLO [127.0.0.1]
S...: 250
quit
log: SMTP connection from remote host host_11.dyn.example [127.0.0.1]
log: end *
END
    play_with 127.0.0.1=mail.xn--bcher-kva.example mail.xn--bcher-kva.example=127.0.0.1 <<'END'
# in capitals, too
conf: allow remotehost \.BÜCHER\.example$
conf: limit.helo_dns_check on
S: 220 *
C: EHLO mail.bücher.example
S...: 250
quit
log: SMTP connection from remote host mail.xn--bcher-kva.example [127.0.0.1]
log: end *
END
    play_with 127.0.0.1=mail.xn--bcher-kva.example mail.xn--bcher-kva.example=127.0.0.1 <<'END'
# denied
conf: deny remotehost ^mail\.bücher\.
S: 554 *
quit
END
}

@test "a host that hosts(5) holds with one family has the other family's addresses from the DNS (own DNS)" {
    local questions=$BATS_TEST_TMPDIR/questions hosts='2001:db8::9 client.example
127.0.0.9 six.example'

    HOSTS=$hosts QUESTIONS=$questions play_with 127.0.0.1=client.example client.example=127.0.0.1 <<'END'
# a client with IPv4 whose name stands there with IPv6
conf: allow remotehost ^client\.example$
S: 220 *
quit
END
    [ "$(cat "$questions")" = "PTR 1.0.0.127.in-addr.arpa
A client.example" ]
    HOSTS=$hosts play_with ::1=six.example six.example=::1 <<'END'
# and the other way round
via: tcp6
conf: allow remotehost ^six\.example$
S: 220 *
quit
END
    HOSTS=$hosts play_with ::1=six.example six.example=::2 six.example=127.0.0.9 <<'END'
# the DNS has the last word then
via: tcp6
conf: allow remotehost ^six\.example$
S: 554 *
quit
END
    # any address will do where none of a certain family is wanted: nothing is asked
    rm "$questions"
    HOSTS=$hosts QUESTIONS=$questions play_with client.example=fail six.example=fail <<'END'
# one address is enough
client: 192.0.2.7
conf: limit.helo_dns_check on
S: 220 *
C: HELO client.example
S: 250 *
C: HELO six.example
S: 250 *
quit
END
    [ ! -e "$questions" ]
}

@test "hosts(5) with odd lines: no last newline, CR, tabs, scopes, mapped addresses, a final dot (own DNS)" {
    local hosts
    hosts=$(printf 'fe80::1%%lo scoped.example\n192.0.2.9 %0500d\n::ffff:192.0.2.9 Mapped.EXAMPLE\n\t192.0.2.9\tcr.example\r\n\n192.0.2.9 dot.example.\n192.0.2.9\n192.0.2.9 last.example' 7)
    HOSTS=$hosts play_with scoped.example=fail <<'END'
# odd lines
client: 192.0.2.7
conf: limit.helo_dns_check on 550 5.7.1 Who?
S: 220 *
C: HELO mapped.example
S: 250 *
C: HELO cr.example
S: 250 *
C: HELO dot.example
S: 250 *
C: HELO last.example
S: 250 *
C: HELO scoped.example
S: 451 *
C: HELO other.example
S: 550 *
quit
END
    HOSTS='::ffff:127.0.0.1 client.example.' play_with client.example=fail <<'END'
# the client by such a line
conf: allow remotehost ^client\.example$
S: 220 *
quit
END
}

@test "a resolver library that cannot be loaded is a passing failure, which the log names" {
    if ! readelf -lW "$MAILRECV" | grep -q INTERP; then # a static program has the library, and loads nothing
        grep -qa ares_ "$MAILRECV"
        return
    fi
    echo nonsense >"$BATS_TEST_TMPDIR/libcares.so.2"
    play <<END
# the wrong file is found first
via: unix
env: TCPREMOTEIP=192.0.2.7
env: LD_LIBRARY_PATH=$BATS_TEST_TMPDIR
peer: 192.0.2.7

= before the greeting
conf: limit.fcrdns_check on 550 5.7.25 No name
S: 451 No name
log: SMTP connection from remote host unknown [192.0.2.7]
log: the name of the client cannot be found out: temporary DNS failure
log: the DNS cannot be asked: *libcares.so.2: *
log: ERROR: 451 No name *
log: end *

= for the Received: line
conf: deliver rcpt_to a@example.com append \$DIR/mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<a@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 250 2.0.0 *
quit
log: SMTP connection from remote host unknown [192.0.2.7]
log: the DNS cannot be asked: *libcares.so.2: *
log: delivery result=delivered *
log: end *
END
}

@test "debug h: what the DNS said (own DNS)" {
    play_with 127.0.0.1=mail.client.example mail.client.example=192.0.2.7 <<'END'
# the lookups
args: -d h
S: 220 *
quit
log: DEBUG h: PTR "1.0.0.127.in-addr.arpa": found
log: DEBUG h: address 127.0.0.1 has the name "mail.client.example"
log: DEBUG h: A "mail.client.example": found
log: DEBUG h: name of 127.0.0.1: unknown fcrdns=fail
log: SMTP connection from remote host unknown [127.0.0.1]
log: end *
END
}
