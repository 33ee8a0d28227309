#!/usr/bin/env bats
# dns.bats - what the DNS has to say about clients, senders and recipients

bats_require_minimum_version 1.5.0
load dns

setup_file() { start_nsd; }
teardown_file() { stop_nsd; }
teardown() { stop_odd; }

# The names that clients have by the log: names [SERVER] < lines "ADDRESS NAME"
names() {
    local address name

    while read -r address name; do
        printf '%s\n' "= $address" "env: TCPREMOTEIP=$address" "peer: $address" 'log: ...' \
            "log: SMTP connection from remote host $name [$address]" 'log: end *'
    done | sed "1i\\
# names\\
via: unix\\
args: -d h\\
conf: dns.server ${1:-$DNS}\\
conf: dns.timeout 3000\\
S: 220 *\\
quit" | "${BELOW[@]}" "$TESTS/dialog" -
}
BELOW=() # what the dialogues run in

# ---- names of clients ----------------------------------------------------------------------

@test "a name that leads back to the address is confirmed, IPv4 and IPv6" {
    names <<'END'
192.0.2.1 good.example
2001:db8::1 good.example
END
}

@test "names are found in hosts(5), however long that is" {
    local filler kb
    cd "$BATS_TEST_TMPDIR"
    for kb in 0 7 9 100; do
        filler=$(yes '192.0.2.77 a.name.that.nobody.asks.for.example' | head -c "$((kb * 1024))" || true)
        printf '%s\n' '192.0.2.78 first.example' "$filler" '192.0.2.79 last.example' >hosts
        BELOW=(unshare -rm sh -c 'mount --bind hosts /etc/hosts && exec "$@"' sh)
        printf '%s\n' '192.0.2.78 first.example' '192.0.2.79 last.example' | names
    done
}

@test "a name that leads elsewhere, nowhere, or is none, is unknown" {
    printf '%s unknown\n' 192.0.2.{2,3,6,9,10,11} 2001:db8::{2,3} | names
}

@test "of several names the first in alphabetical order that leads back counts" {
    names <<<'192.0.2.4 alpha.example'
}

@test "aliases are followed, from the address and from its name; not without end" {
    names <<'END'
192.0.2.5 chain.example
192.0.2.7 unknown
END
}

@test "an answer that is too long for UDP comes by TCP" {
    names <<<"192.0.2.8 big.example"
    odd 192.0.2.7=truncate 192.0.2.7=client.example client.example=truncate client.example=192.0.2.7
    names "$ODD" <<<"192.0.2.7 client.example"
    [ "$(asked)" = "A client.example tcp
A client.example udp
PTR 7.2.0.192.in-addr.arpa tcp
PTR 7.2.0.192.in-addr.arpa udp" ]
}

@test "ten names of one address count, and are asked for once each" {
    local names=() i
    for i in {a..z}; do names+=("192.0.2.7=$i.example"); done
    odd "${names[@]}"
    names "$ODD" <<<"192.0.2.7 unknown"
    [ "$(asked | grep -c '^A ')" -eq 10 ]
}

@test "a name may end in a digit, as of a host in a laboratory, but not in a label of digits, as an address" {
    odd 192.0.2.7=pc.lab7 pc.lab7=192.0.2.7 192.0.2.8=pc.7 pc.7=192.0.2.8 192.0.2.9=7lab.9x9 7lab.9x9=192.0.2.9
    names "$ODD" <<'END'
192.0.2.7 pc.lab7
192.0.2.8 unknown
192.0.2.9 7lab.9x9
END
    [ "$(asked | grep -c '^A pc\.7 ')" -eq 0 ]
}

@test "a name that names only the other IP version's address is not confirmed, and not asked for it" {
    odd 192.0.2.7=client.example client.example=2001:db8::7
    names "$ODD" <<<"192.0.2.7 unknown"
    [ "$(asked)" = "A client.example udp
PTR 7.2.0.192.in-addr.arpa udp" ]
}

# Dialogues with a decision by name: decide SERVER [LINE OF THE CONFIGURATION]... < lines "ADDRESS GREETING"
decide() {
    local address greeting server=$1

    shift
    while read -r address greeting; do
        printf '%s\n' "= $address" "${@/#/conf: }" "env: TCPREMOTEIP=$address" "peer: $address" "S: $greeting"
        [[ $greeting == 4* ]] || echo quit # who may come again is not asked to say so
    done | sed "1i\\
# decisions by name\\
via: unix\\
conf: dns.server $server\\
conf: dns.timeout ${TIMEOUT:-200}\\
conf: limit.fcrdns_check on 550 5.7.25 No name" | "$TESTS/dialog" -
}

@test "what is no answer to the question is no yes and no no: try again" {
    local how records=() number=0
    for how in timeout refuse servfail garbage id other cut loop; do
        number=$((number + 2))
        records+=("192.0.2.$((number - 1))="{"$how",client.example} "192.0.2.$number=$how.example"
            "$how.example="{"$how","192.0.2.$number"})
    done
    odd "${records[@]}" client.example=192.0.2.1
    seq 16 | sed 's/.*/192.0.2.& 451 No name/' | decide "$ODD"
}

@test "records of another name are nobody's" {
    odd 192.0.2.7=client.example 192.0.2.7=foreign 192.0.2.8=x.example x.example=192.0.2.8 x.example=foreign
    printf '%s\n' '192.0.2.7 550 No name' '192.0.2.8 550 No name' | decide "$ODD"
}

@test "one name that leads back is enough, whatever becomes of the others" {
    odd 192.0.2.{7,8}=a.example 192.0.2.{7,8}=b.example 192.0.2.7=c.example a.example=servfail b.example=192.0.2.7 \
        c.example=timeout
    printf '%s\n' '192.0.2.7 220 *' '192.0.2.8 451 No name' | decide "$ODD"
}

@test "where no server is, is a passing failure" {
    decide 127.0.0.1:1 <<<'192.0.2.7 451 No name'
}

@test "a server may have an IPv6 address" {
    names "[::1]:${DNS#*:}" <<<'192.0.2.1 good.example'
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
    local begin=$SECONDS
    odd 192.0.2.7={a,b,c,d,e,f}.example {a,b,c,d,e,f}.example=timeout
    TIMEOUT=1000 decide "$ODD" <<<'192.0.2.7 451 No name'
    [ $((SECONDS - begin)) -lt 6 ]

    odd 192.0.2.7=timeout
    printf '%s\n' 'domain mail.example.com' "dns.server $ODD" 'dns.timeout 60000' 'limit.fcrdns_check on' >"$BATS_TEST_TMPDIR/conf"
    (cd "$BATS_TEST_TMPDIR" && TCPREMOTEIP=192.0.2.7 exec "$MAILRECV" -c conf -l log </dev/null >out 2>&1 3>&-) &
    wait_for "$QUESTIONS" '^PTR'
    kill $!
    wait $! || true
    grep -q '^4' "$BATS_TEST_TMPDIR/out"
}

@test "a reply does not wait for what the DNS says about the next command" {
    local sandbox line
    odd silent.example=timeout
    cd "$BATS_TEST_TMPDIR"
    for sandbox in try off; do
        printf '%s\n' 'domain mail.example.com' "dns.server $ODD" 'dns.timeout 60000' 'limit.sender_dns_check on' \
            "sandbox $sandbox" 'deliver rcpt_to user@example.com append box' >conf
        coproc SESSION { exec "$MAILRECV" -c conf -l log -P 192.0.2.7 3>&-; }
        printf '%s\r\n' 'HELO client.example' 'MAIL FROM:<>' 'RCPT TO:<user@example.com>' DATA one . \
            'MAIL FROM:<ann@silent.example>' >&"${SESSION[1]}"
        until [[ ${line:=} == *delivered* ]]; do read -r -t 10 line <&"${SESSION[0]}"; done
        line=
        kill "$SESSION_PID"
        wait "$SESSION_PID" || true
    done
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
END
    [ $((SECONDS - begin)) -lt 8 ]
}

# ---- groups and exemptions -----------------------------------------------------------------

# The recipients whose groups a client belongs to: groups ADDRESS SERVER NAME...
groups() {
    local address=$1 server=$2 word
    shift 2
    {
        printf '%s\n' '# groups by the result' "args: -d -" 'S: 220 *' 'C: MAIL FROM:<>' 'S: 250 *'
        for word in pass fail none temperr; do
            printf '%s\n' "conf: allowgroup $word fcrdns $word" \
                "conf: deliver allowgroup $word rcpt_to $word@example.com append /dev/null" "C: RCPT TO:<$word@example.com>"
            case " $* " in
            *" $word "*) echo 'S: 250 *' ;;
            *" unsure "*) echo 'S: 451 *' ;;
            *) echo 'S: 550 5.7.1 *' ;;
            esac
        done
        echo quit
    } | from "$address" "$server"
}

@test "allowgroup NAME fcrdns RESULT" {
    groups 192.0.2.1 "$DNS" pass
    groups 192.0.2.2 "$DNS" fail
    groups 192.0.2.3 "$DNS" none
    odd 192.0.2.7=servfail
    groups 192.0.2.7 "$ODD" temperr unsure
}

@test "results, patterns and addresses of one group are alternatives; an address decides before the DNS is asked" {
    odd 192.0.2.7=servfail
    from 192.0.2.7 "$ODD" <<'END'
# a group of several

= the address
# one process: of two, one asks for the name while the client sends its message
conf: sandbox off
conf: allowgroup g fcrdns pass
conf: allowgroup g \.example$
conf: allowgroup g ^192\.0\.2\.7$
conf: deliver allowgroup g rcpt_to a@example.com append /dev/null
S: 220 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<a@example.com>
S: 250 *
quit
END
    [ "$(asked)" = '' ]
    from 192.0.2.1 <<'END'
# a group of several
conf: allowgroup g fcrdns none
conf: allowgroup g ^good\.example$
conf: deliver allowgroup g rcpt_to a@example.com append /dev/null
S: 220 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<a@example.com>
S: 250 *
quit
END
}

# ---- checks of HELO, MAIL and RCPT ---------------------------------------------------------

@test "limit.helo_dns_check: the name has an address, a literal is the client's own" {
    from 192.0.2.1 <<'END'
# HELO names
conf: limit.helo_dns_check on 550 5.7.1 Who?
conf: limit.smtp_failcmds 100
S: 220 *
C: HELO good.example
S: 250 mail.example.com
C: EHLO only6.example
S...: 250
C: HELO chain.example
S: 250 mail.example.com
C: HELO [192.0.2.1]
S: 250 mail.example.com
C: HELO nowhere.example
S: 550 Who?
C: EHLO mx.example
S: 550 Who?
C: HELO me_too.example
S: 550 Who?
C: HELO 192.0.2.1
S: 550 Who?
C: HELO [192.0.2.2]
S: 550 Who?
C: HELO [IPv6:2001:db8::1]
S: 550 Who?
C: HELO [X-tag:192.0.2.1]
S: 550 Who?
C: MAIL FROM:<>
S: 550 5.7.1 Who?
C: HELO good.example
S: 250 mail.example.com
C: MAIL FROM:<>
S: 250 2.1.0 *
C: HELO nowhere.example
S: 550 Who?
C: RCPT TO:<a@example.com>
S: 550 5.1.1 *
quit
END
    from 2001:db8::1 <<'END'
# a literal of IPv6
conf: limit.helo_dns_check on
S: 220 *
C: HELO [IPv6:2001:DB8:0::1]
S: 250 mail.example.com
C: HELO [IPv6:2001:db8::2]
S: 450 Your HELO name has no address
C: HELO [192.0.2.1]
S: 450 Your HELO name has no address
quit
log: SMTP connection from remote host unknown [2001:db8::1]
log: ERROR: 450 Your HELO name has no address stage=helo helo="<0x5b>IPv6:2001:db8::2<0x5d>" from="" line="HELO <0x5b>IPv6:2001:db8::2<0x5d>"
log: ERROR: 450 Your HELO name has no address stage=helo *
log: end *
END
}

@test "limit.sender_dns_check: the sender's domain has a mail host or an address; null MX is refused" {
    from 192.0.2.1 <<'END'
# senders
conf: limit.sender_dns_check on 550 5.1.8 Nowhere
conf: limit.smtp_failcmds 100
S: 220 *
C: MAIL FROM:<>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@mx.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@only4.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@only6.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@alias.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@any.wild.example>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@[192.0.2.9]>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@bücher.example> SMTPUTF8
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<a@nowhere.example>
S: 550 5.1.8 Nowhere
C: MAIL FROM:<a@text.example>
S: 550 5.1.8 Nowhere
C: MAIL FROM:<a@büchse.example> SMTPUTF8
S: 550 5.1.8 Nowhere
C: MAIL FROM:<a@nullmx.example>
S: 550 5.7.27 The domain of the sender does not take mail
quit
log: ...
log: ERROR: 550 Nowhere stage=mail from="" line="MAIL FROM:<a@nowhere.example>"
log: ...
log: end *
END
}

@test "limit.rcpt_dns_check: for recipients that only a pattern names" {
    from 192.0.2.1 <<'END'
# recipients
conf: limit.rcpt_dns_check on 550 5.1.2 Nowhere
conf: limit.smtp_failcmds 100
conf: deliver rcpt_to named@nowhere.example append /dev/null
conf: deliver rcpt_to @nullmx.example append /dev/null
conf: deliver rcpt_to /^any@/ append /dev/null
S: 220 *
C: MAIL FROM:<a@nowhere.example>
S: 250 *
C: RCPT TO:<named@nowhere.example>
S: 250 *
C: RCPT TO:<any@nullmx.example>
S: 250 *
C: RCPT TO:<any@mx.example>
S: 250 *
C: RCPT TO:<any@nowhere.example>
S: 550 5.1.2 Nowhere
C: RCPT TO:<other@nowhere.example>
S: 550 5.1.1 No one here by that name
quit
END
    from 192.0.2.1 <<'END'
# null MX, which a pattern names
conf: limit.rcpt_dns_check on
conf: deliver rcpt_to /./ append /dev/null
S: 220 *
C: MAIL FROM:<a@example.com>
S: 250 *
C: RCPT TO:<any@nullmx.example>
S: 556 5.1.10 The domain of the recipient does not take mail
C: RCPT TO:<any@nowhere.example>
S: 450 4.1.2 The domain of the recipient does not exist
quit
END
}

@test "a domain or a HELO name of which nothing is known: try again" {
    odd bad.example=servfail half.example=192.0.2.7 half.example=servfail
    from 192.0.2.7 "$ODD" <<'END'
# nothing known

= with a 5xx
conf: limit.helo_dns_check on 550 5.7.1 Who?
conf: limit.sender_dns_check on 550 5.1.8 Nowhere
conf: limit.rcpt_dns_check on 550 5.1.2 Nowhere
conf: deliver rcpt_to /./ append /dev/null
S: 220 *
C: EHLO bad.example
S: 451 Your HELO name cannot be looked up now, try again later
C: EHLO [192.0.2.7]
S...: 250
C: MAIL FROM:<a@bad.example>
S: 451 4.1.8 The domain cannot be looked up now, try again later
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<a@bad.example>
S: 451 4.1.2 The domain cannot be looked up now, try again later
quit

= with a 4xx
conf: limit.sender_dns_check on 455 Later
S: 220 *
C: MAIL FROM:<a@bad.example>
S: 455 4.1.8 The domain cannot be looked up now, try again later
quit
END
}

@test "limit.sender_syntax_check and limit.rcpt_syntax_check: plain addresses only" {
    from 192.0.2.1 <<'END'
# syntax
conf: limit.sender_syntax_check on
conf: limit.rcpt_syntax_check on 550 5.1.3 Plainly, please
conf: limit.smtp_failcmds 100
conf: deliver rcpt_to /./ append /dev/null
S: 220 *
C: MAIL FROM:<"a b"@example.com>
S: 553 5.1.7 The address of the sender is not a plain one
C: MAIL FROM:<"a"@example.com>
S: 553 5.1.7 *
C: MAIL FROM:<a..b@example.com>
S: 553 5.1.7 *
C: MAIL FROM:<.a@example.com>
S: 553 5.1.7 *
C: MAIL FROM:<a.@example.com>
S: 553 5.1.7 *
C: MAIL FROM:<a@localhost>
S: 553 5.1.7 *
C: MAIL FROM:<a@[192.0.2.1]>
S: 553 5.1.7 *
C: MAIL FROM:<ä@example.com> SMTPUTF8
S: 553 5.1.7 *
C: MAIL FROM:<a@bücher.example> SMTPUTF8
S: 553 5.1.7 *
C: MAIL FROM:<>
S: 250 *
C: RSET
S: 250 *
C: MAIL FROM:<!#$%&'*+-/=?^_`{|}~.a1@e-x.example>
S: 250 *
C: RCPT TO:<"a"@example.com>
S: 550 5.1.3 Plainly, please
C: RCPT TO:<a@localhost>
S: 550 5.1.3 Plainly, please
C: RCPT TO:<a@[IPv6:2001:db8::1]>
S: 550 5.1.3 Plainly, please
C: RCPT TO:<Postmaster>
S: 250 *
C: RCPT TO:<a.b@example.com>
S: 250 *
quit
log: ...
log: ERROR: 550 Plainly, please stage=rcpt refused=* from="!#$%&<0x27>*+-/=?^_<0x60>{|}~.a1@e-x.example" line="RCPT TO:<<0x22>a<0x22>@example.com>"
log: ...
log: end *
END
}

@test "the name that a delivery shows is looked up while the client sends its message" {
    odd
    from 192.0.2.7 "$ODD" <<'END'
# a client that changes its mind

= before there is a recipient, nothing is asked
conf: deliver rcpt_to a@example.com append /dev/null
S: 220 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<b@example.com>
S: 550 *
quit
END
    [ "$(asked)" = '' ]
    from 192.0.2.7 "$ODD" <<'END'
# a client that changes its mind

= with the first recipient, and once
conf: deliver rcpt_to a@example.com append /dev/null
conf: deliver rcpt_to b@example.com append /dev/null
S: 220 *
C: MAIL FROM:<>
S: 250 *
C: RCPT TO:<a@example.com>
S: 250 *
C: RCPT TO:<b@example.com>
S: 250 *
quit
END
    [[ $(asked) = 'PTR 7.2.0.192.in-addr.arpa udp'* ]]
    [ "$(asked | grep -c PTR)" -eq 1 ]
}

@test "bypass: none of it for a client in such a group" {
    odd 192.0.2.9=timeout
    from 192.0.2.7 "$ODD" <<'END'
# a client that may

= by its address, and no question is asked
# one process: of two, one asks for the name while the client sends its message
conf: sandbox off
conf: allowgroup friends ^192\.0\.2\.7$
conf: allowgroup others ^192\.0\.2\.9$
conf: bypass allowgroup others
conf: bypass allowgroup friends
conf: limit.fcrdns_check on
conf: limit.helo_dns_check on
conf: limit.sender_dns_check on
conf: limit.sender_syntax_check on
conf: limit.rcpt_syntax_check on
conf: limit.rcpt_dns_check on
conf: deliver rcpt_to /./ append /dev/null
S: 220 *
C: HELO nowhere.example
S: 250 mail.example.com
C: MAIL FROM:<a@localhost>
S: 250 *
C: RCPT TO:<"a b"@nowhere.example>
S: 250 *
quit
END
    [ "$(asked)" = '' ]
    from 192.0.2.1 <<'END'
# by its name, and one that is not
= a friend
conf: allowgroup friends ^good\.example$
conf: bypass allowgroup friends
conf: limit.sender_syntax_check on
S: 220 *
C: MAIL FROM:<a@localhost>
S: 250 *
quit

= a stranger
conf: allowgroup friends ^friend\.example$
conf: bypass allowgroup friends
conf: limit.sender_syntax_check on
S: 220 *
C: MAIL FROM:<a@localhost>
S: 553 *
quit
END
}

@test "who may be exempt, as far as is known, is refused temporarily only" {
    odd 192.0.2.7=servfail
    from 192.0.2.7 "$ODD" <<'END'
# perhaps a friend
conf: allowgroup friends ^friend\.example$
conf: bypass allowgroup friends
conf: limit.sender_syntax_check on
conf: limit.helo_dns_check on 550 5.7.1 Who?
S: 220 *
C: HELO nowhere.example
S: 451 Who?
C: HELO [192.0.2.7]
S: 250 *
C: MAIL FROM:<a@localhost>
S: 451 4.1.7 *
quit
END
}

# ---- lists of hosts ------------------------------------------------------------------------

# Dialogues about lists: listed < lines "ADDRESS GREETING | LINES OF THE CONFIGURATION, separated by ;"
listed() {
    local address greeting lines

    while IFS='|' read -r address greeting lines; do
        printf '%s\n' "= $address with $lines" "client: $address" "conf: ${lines//;/$'\n'conf: }" "S: $greeting"
        [[ $greeting == 4* ]] || echo quit
    done | sed "1i\\
# lists\\
conf: dns.server ${1:-$DNS}\\
conf: dns.timeout ${2:-3000}" | "$TESTS/dialog" -
}

@test "dnsbl: who is on the list is refused, with the list's reason" {
    listed <<'END'
192.0.2.1|554 Your host is listed by bl.example - see https://bl.example/192.0.2.1|dnsbl bl.example
192.0.2.1|450 Not today - see https://bl.example/192.0.2.1|dnsbl bl.example 450 4.7.1 Not today
192.0.2.2|554 Your host is listed by bl.example|dnsbl bl.example
192.0.2.4|554 Your host is listed by bl.example - see https://bl.example/192.0.2.1|dnsbl bl.example
192.0.2.5|554 Your host is listed by bl.example - a?b ?"[c]*|dnsbl bl.example
192.0.2.9|220 *|dnsbl bl.example
2001:db8::1|554 Your host is listed by bl.example|dnsbl bl.example
2001:db8::2|220 *|dnsbl bl.example
local|220 *|dnsbl bl.example
192.0.2.1|554 Your host is listed by other.example|dnsbl nobody.example;dnsbl other.example;dnsbl bl.example
END
}

@test "dnsbl: only the answers of the filter count" {
    listed <<'END'
192.0.2.1|554 *|dnsbl bl.example =127.0.0.2
192.0.2.1|220 *|dnsbl bl.example =127.0.0.3..11
192.0.2.2|554 *|dnsbl bl.example =127.0.0.5..11
192.0.2.2|220 *|dnsbl bl.example =127.0.0.5..10
192.0.2.3|220 *|dnsbl bl.example =127.0.0.2..19
192.0.2.3|554 *|dnsbl bl.example =127.0..1.0.2..20
192.0.2.2|451 Fourth|dnsbl bl.example =127.0.0.2 554 Second;dnsbl bl.example =127.0.0.4 451 Fourth
END
}

@test "dnswl: who is on it is not refused by dnsbl" {
    listed <<'END'
192.0.2.1|220 *|dnsbl bl.example;dnswl wl.example
192.0.2.2|220 *|dnswl wl.example;dnsbl bl.example
192.0.2.2|554 *|dnswl wl.example =127.0.0..255.1..3;dnsbl bl.example
192.0.2.1|220 *|dnswl wl.example =127.0.0..255.1..3;dnsbl bl.example
192.0.2.5|554 *|dnswl wl.example;dnsbl bl.example
END
}

@test "an answer that is an error lists nobody, and allows nobody for sure" {
    listed <<'END'
192.0.2.1|220 *|dnsbl errors.example
192.0.2.1|220 *|dnsbl errors.example =127.255.255.254
192.0.2.1|220 *|dnsbl sold.example
192.0.2.1|220 *|dnsbl mixed.example
192.0.2.1|554 *|dnsbl errors.example;dnsbl bl.example
192.0.2.1|451 Your host is listed by bl.example *|dnswl errors.example;dnsbl bl.example
192.0.2.1|451 Your host is listed by bl.example *|dnswl sold.example;dnsbl bl.example
192.0.2.1|455 Later *|dnswl sold.example;dnsbl bl.example 455 Later
192.0.2.1|220 *|dnswl errors.example;dnsbl bl.example;dnswl wl.example
END
}

@test "a list that does not answer lists nobody; what the others say counts" {
    odd 7.2.0.192.dead.example=timeout 7.2.0.192.bad.example=servfail 7.2.0.192.good.example=127.0.0.2 \
        7.2.0.192.odd.example={foreign,127.0.0.2} 7.2.0.192.other.example={other,127.0.0.2}
    listed "$ODD" 200 <<'END'
192.0.2.7|220 *|dnsbl dead.example
192.0.2.7|220 *|dnsbl bad.example
192.0.2.7|220 *|dnsbl odd.example
192.0.2.7|220 *|dnsbl other.example
192.0.2.7|554 *|dnsbl dead.example;dnsbl good.example
192.0.2.7|451 *|dnsbl good.example;dnswl dead.example
END
}

@test "what the log says about lists, once each" {
    from 192.0.2.1 <<'END'
# the log
conf: dnsbl errors.example
conf: dnsbl errors.example 550 No
conf: dnsbl sold.example
conf: dnswl wl.example
conf: dnsbl bl.example =127.0.0.2
conf: dnsbl other.example log
conf: dnsbl nobody.example
S: 220 *
quit
log: SMTP connection from remote host unknown [192.0.2.1]
log: the list errors.example has answered 127.255.255.254, which is an error and no entry
log: the list sold.example has answered 192.0.2.99, which is an error and no entry
log: listed by wl.example as 127.0.10.2
log: listed by bl.example as 127.0.0.2
log: listed by other.example as 127.0.0.3
log: end *
END
    from 192.0.2.5 <<'END'
# a refusal
conf: dnsbl bl.example
S: 554 *
quit
log: SMTP connection from remote host unknown [192.0.2.5]
log: listed by bl.example as 127.0.0.2
log: ERROR: 554 Your host is listed by bl.example stage=connect detail="- a?b ?<0x22><0x5b>c<0x5d><0x5c>" from="" line=""
log: end *
END
    odd 7.2.0.192.dead.example=refuse
    from 192.0.2.7 "$ODD" <<'END'
# no answer
conf: dnsbl dead.example
S: 220 *
quit
log: SMTP connection from remote host unknown [192.0.2.7]
log: the list dead.example has not answered
log: end *
END
}

@test "the questions about a client are under way together; none is asked about one whose address decides" {
    odd 192.0.2.7={together,client.example} client.example=192.0.2.7 7.2.0.192.{a,b,c}.example=together
    TIMEOUT=5000 decide "$ODD" 'dnsbl a.example' 'dnsbl b.example' 'dnswl c.example' <<<'192.0.2.7 220 *'
    [ "$(asked)" = "A 7.2.0.192.a.example udp
A 7.2.0.192.b.example udp
A 7.2.0.192.c.example udp
A client.example udp
PTR 7.2.0.192.in-addr.arpa udp" ]
    odd 192.0.2.7={a,b,c}.example {a,b,c}.example={together,192.0.2.9}
    TIMEOUT=5000 decide "$ODD" <<<'192.0.2.7 550 No name'
    odd
    listed "$ODD" <<'END'
192.0.2.7|554 *|deny remotehost ^192;dnsbl a.example
192.0.2.7|554 *|allow remotehost ^198;dnsbl a.example
192.0.2.7|220 *|allowgroup g ^192;bypass allowgroup g;dnsbl a.example
END
    [ "$(asked)" = '' ]
}

@test "what the DNS said reaches the command" {
    odd 192.0.2.7=client.example client.example=192.0.2.7 7.2.0.192.{bl,bl2,wl}.example=127.0.0.2
    from 192.0.2.7 "$ODD" <<'END'
# lists and name
conf: dnsbl bl.example
conf: dnsbl bl2.example log
conf: dnsbl bl.example =127.0.0.2
conf: dnsbl nobody.example
conf: dnswl wl.example
conf: deliver rcpt_to a@example.com pipe echo "$CLIENT_FCRDNS,$DNSBL,$DNSWL" > $DIR/out; printf %s "$MAILRECV_JSON" > $DIR/json
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
file out:
| pass,bl.example bl2.example,wl.example
run: python3 -c 'import json; j = json.load(open("json")); print(j["client_fcrdns"], j["dnsbl"], j["dnswl"], sep="|")'
| pass|bl.example bl2.example|wl.example
END
    [ "$(asked | cut -d ' ' -f 1,2 | uniq -d)" = '' ]
}

@test "dns.reverse: by default a name is asked for when there is a delivery that shows it; off: for rules alone" {
    odd 192.0.2.7=client.example client.example=192.0.2.7
    # each: a line of the configuration, what the command is told, how many questions there are
    while IFS='|' read -r line told questions; do
        asked >"$BATS_TEST_TMPDIR/before"
        from 192.0.2.7 "$ODD" <<END
# $line
$(sed "s/^/conf: /; s/;/\nconf: /g" <<<"$line")
conf: deliver rcpt_to a@example.com pipe echo "\$CLIENT_HOSTNAME,\$CLIENT_FCRDNS" >\$DIR/out; grep -o '([a-z. ]*\[192[^)]*)' >\$DIR/received
S: 220 *
C: MAIL FROM:<>
S: 250 2.1.0 *
C: RCPT TO:<a@example.com>
S: 250 2.1.5 *
C: DATA
S: 354 *
C: .
S: 250 2.0.0 *
quit
file out:
| $told
file received:
| (${told%,*} [192.0.2.7])
END
        [ "$(($(asked | wc -l) - $(wc -l <"$BATS_TEST_TMPDIR/before")))" = "$questions" ] || { asked; return 1; }
    done <<'END'
dns.reverse on|client.example,pass|2
dns.reverse off|unknown,|0
dns.reverse off;limit.fcrdns_check on|client.example,pass|2
dns.reverse off;allow remotehost \.example$|client.example,pass|2
END
}

# Zones with a key and what is told of them: "ZONE TOLD [as TOLD]"; and such that have none.
keys() {
    cat <<'END'
abcdefghijklmnopqrstuvwx.zen.list.example zen.list.example
4f9c1a2b.zen.list.example zen.list.example
zen.k7q2x9m4p1.list.example list.example
short.list.example the-list as the-list
b.barracudacentralcentral.example b.barracudacentralcentral.example
dnsbl-1.list.example dnsbl-1.list.example
END
}

@test "the key in the zone of a list is told to no client, command or log, at any debug level" {
    local zone told as
    while read -r zone told as; do
        stop_odd
        odd "7.2.0.192.$zone=127.0.0.2" "7.2.0.192.wl.$zone=127.0.0.2"
        sed "/KEY/s,KEY,$([ "$zone" = "$told" ] && echo no-key || grep -oE '[a-z0-9]{5,}' <<<"$zone" | head -n 1),g" <<END | from 192.0.2.7 "$ODD"
# keys
args: -d a
no log: *KEY*

= refused: $zone
conf: dnsbl $zone =127.0.0.2 $as
S: 554 Your host is listed by $told
quit
log: ...
log: listed by $told as 127.0.0.2
log: ...
log: ERROR: 554 Your host is listed by $told stage=connect from="" line=""
log: ...

= told to a command: $zone
conf: dnsbl $zone =127.0.0.2 $as log
conf: dnswl wl.$zone =127.0.0.2 $as
conf: deliver rcpt_to a@example.com pipe echo "\$DNSBL,\$DNSWL" > \$DIR/out; printf %s "\$MAILRECV_JSON" > \$DIR/json
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
run: grep -c KEY out json || true
| out:0
| json:0
run: cut -d , -f 1 out
| $told
END
    done < <(keys)
}

@test "-t says what is told of a zone with a key" {
    keys | while read -r zone _ as; do echo "dnsbl $zone =127.0.0.2 $as"; done >"$BATS_TEST_TMPDIR/conf"
    run --separate-stderr "$MAILRECV" -t -c "$BATS_TEST_TMPDIR/conf"
    # shellcheck disable=SC2154 # bats sets it
    [ "$(grep -o -e ':[0-9]*:7: note: .*' <<<"$stderr")" = \
":1:7: note: clients, commands and the log are told zen.list.example: what stands before it looks like a key
:2:7: note: clients, commands and the log are told zen.list.example: what stands before it looks like a key
:3:7: note: clients, commands and the log are told list.example: what stands before it looks like a key" ]
}

@test "-t warns of lists without a filter" {
    printf '%s\n' 'dnsbl bl.example' 'dnsbl bl.example =127.0.0.2' 'dnswl wl.example' >"$BATS_TEST_TMPDIR/conf"
    run -1 --separate-stderr "$MAILRECV" -t -c "$BATS_TEST_TMPDIR/conf"
    # shellcheck disable=SC2154 # bats sets it
    [ "$(grep -o -e ':[0-9]*:7: warning: without a filter.*' -e 'write: .*127.*' <<<"$stderr")" = \
":1:7: warning: without a filter such as =127.0.0.2..11, any answer of bl.example below 127.0.0.0/8 says that a host is listed
write: bl.example =127.0.0.2..11, or what the list says of its answers
:3:7: warning: without a filter such as =127.0.0.2..11, any answer of wl.example below 127.0.0.0/8 says that a host is listed
write: wl.example =127.0.0.2..11, or what the list says of its answers" ]
}

@test "-t finds by the DNS where a table is, though it has found a milter before" {
    odd milter.example=127.0.0.1 table.example=127.0.0.1
    cat >"$BATS_TEST_TMPDIR/conf" <<END
domain example.com
dns.server $ODD
milter inet:milter.example:1
table people tcp table.example:1
deliver rcpt_to table:people append $BATS_TEST_TMPDIR/box
END
    run -1 "$MAILRECV" -t -c "$BATS_TEST_TMPDIR/conf"
    [ "$(grep -c 'cannot be asked now: cannot connect to 127.0.0.1:1: Connection refused' <<<"$output")" -eq 2 ]
    asked | grep '^A table.example'
}
