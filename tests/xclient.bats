#!/usr/bin/env bats
# xclient.bats - XCLIENT and XFORWARD: peers that the configuration names speak for clients of theirs, and nobody else does

bats_require_minimum_version 1.5.0
load serving
load dns

PEER=203.0.113.9

setup_file() { start_nsd; }
teardown_file() { stop_nsd; }

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    conf
}

teardown() {
    stop_server
}

# A configuration with these lines as well. Who the client was stands in the file clients.
conf() { # [LINE]...
    # shellcheck disable=SC2016 # the command's shell expands it
    printf '%s\n' 'domain mx.example' 'xclient ^203\.0\.113\.9$' 'xforward ^203\.0\.113\.9$' 'dns.reverse off' 'allowgroup office 192.0.2.7/32' \
        'deliver allowgroup office rcpt_to office@mx.example append /dev/null' \
        'deliver auth rcpt_to login@mx.example append /dev/null' \
        'deliver rcpt_to who@mx.example pipe echo "$CLIENT_ADDRESS" "$CLIENT_PORT" "$CLIENT_HOSTNAME" "$CLIENT_HELO" "$CLIENT_PROTOCOL" "$SERVER_ADDRESS" "$SERVER_PORT" "$SASL_USERNAME" >>clients' \
        "$@" >conf
    chmod 600 conf
}

expect() { # GOT WANTED
    [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }
}

# A session of a client that says these lines. The replies, cut, are the output; the log begins anew.
session() { # CLIENT LINE...
    rm -f log clients
    printf '%s\r\n' "${@:2}" QUIT >input
    "$MAILRECV" -c conf -l log -P "$1" <input | tr -d '\r' >replies
    grep -v '^250-' replies
}

# The codes of the replies.
codes() { session "$@" | cut -c1-3 | paste -sd' '; }

# Who the client was, in the order of the messages.
who() { tr -s ' ' <clients; }

# The log without dates, pids and the warning about root; with an argument only lines that begin so.
events() { sed -E '/ as root: /d; s/^.*MAILRECV\[[0-9]+\]: //; s/ secs=[0-9.]+//' log | grep -- "${1:-}"; }

# A message whose client is noted, as lines.
MESSAGE=('MAIL FROM:<>' 'RCPT TO:<who@mx.example>' 'DATA' '.')

@test "they are offered to the peers that are named, each by its own directive, and refused of all others" {
    session $PEER 'EHLO relay.example'
    grep -qx '250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT' replies
    grep -qx '250-XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE' replies
    session 192.0.2.1 'EHLO client.example' 'XCLIENT ADDR=192.0.2.7' 'XFORWARD ADDR=192.0.2.7' 'XCLIENT nonsense' \
        "${MESSAGE[@]}"
    run ! grep -q '^250-X' replies
    expect "$(grep -c '^550 5.7.0 Your host may not speak for others$' replies)" 3
    expect "$(who)" '192.0.2.1 unknown client.example ESMTP '
    expect "$(events '\] ERROR' | head -n 1)" '[192.0.2.1] ERROR: 550 Your host may not speak for others stage=command helo="client.example" from="" line="XCLIENT ADDR=192.0.2.7"'
    printf '%s\n' 'domain mx.example' 'xforward ^203' >conf
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.7' 'XFORWARD ADDR=192.0.2.7')" '220 550 250 221'
    printf '%s\n' 'domain mx.example' 'xclient 203.0.113.0/24' >conf
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7' 'XCLIENT ADDR=192.0.2.7')" '220 550 220 221'
    # the word local is no part of a name
    printf '%s\n' 'domain mx.example' 'xclient local' >conf
    expect "$(codes local 'XCLIENT ADDR=192.0.2.7')" '220 220 221'
    expect "$(codes 192.0.2.1=local.example 'XCLIENT ADDR=192.0.2.7')" '220 550 221'
}

@test "a refusal of others is a guess of nobody, however often; in a flood it ends" {
    conf "lockout.db $PWD/contacts.db" 'lockout.violations 1'
    attempts=()
    for _ in {1..30}; do attempts+=('XCLIENT ADDR=192.0.2.7'); done
    session 192.0.2.1 "${attempts[@]}" >out
    expect "$(tail -n 1 replies)" '421 4.7.0 Too many commands without a message'
    expect "$(events lockout:)" ''
}

@test "XCLIENT: what it tells is the client, in log and commands; the session begins anew" {
    session $PEER 'EHLO relay.example' 'MAIL FROM:<>' 'RSET' \
        'XCLIENT ADDR=192.0.2.7 NAME=Client.Example PORT=1234 HELO=client.example PROTO=SMTP LOGIN=ann DESTADDR=198.51.100.1 DESTPORT=2525' \
        "${MESSAGE[@]}" >out
    expect "$(grep -c '^220 mx.example ESMTP mailrecv$' out)" 2
    expect "$(who)" '192.0.2.7 1234 client.example client.example SMTP 198.51.100.1 2525 ann'
    expect "$(events '\(client is\|\] end\|SMTP conn\)')" "[$PEER] SMTP connection from remote host unknown [$PEER]
[192.0.2.7] client is remote host client.example [192.0.2.7] via=$PEER
[192.0.2.7] end reason=quit messages=1 ehlo=1 mail=2 rcpt=1 data=1 xclient=1 rset=1 quit=1 host=client.example helo-name=\"client.example\""
    # without EHLO it is as after connecting; what is not told is not known
    session $PEER 'EHLO relay.example' 'XCLIENT ADDR=192.0.2.8' "${MESSAGE[@]}" >out
    expect "$(who)" '192.0.2.8 unknown SMTP '
    # and as ever with EHLO, as the proxies of nginx and Dovecot say it: nginx in the client's name, Dovecot in its own
    session $PEER 'EHLO nginx.example' 'XCLIENT ADDR=192.0.2.8 LOGIN=ann NAME=[UNAVAILABLE]' 'EHLO client.example' "${MESSAGE[@]}" >out
    expect "$(who)" '192.0.2.8 unknown client.example ESMTPA ann'
    session $PEER 'EHLO dovecot.example' 'XCLIENT HELO=client.example PROTO=ESMTP LOGIN=ann+40mx.example PORT=1234 ADDR=192.0.2.8' \
        'EHLO dovecot.example' "${MESSAGE[@]}" >out
    expect "$(who)" '192.0.2.8 1234 unknown client.example ESMTPA ann@mx.example'
    # with no address it is the peer still, but for what is said
    session $PEER 'EHLO relay.example' 'XCLIENT HELO=client.example PORT=[UNAVAILABLE]' "${MESSAGE[@]}" >out
    expect "$(who)" "$PEER unknown client.example SMTP "
}

@test "addresses: IPv6, IPv4 in its form, and none" {
    while read -r told shown; do
        session $PEER "XCLIENT ADDR=$told" "${MESSAGE[@]}" >out
        expect "$told $(who | cut -d' ' -f1)" "$told $shown"
        events | grep -qxF "[$shown] client is remote host unknown [$shown] via=$PEER"
    done <<'END'
IPV6:2001:DB8::0:7 2001:db8::7
2001:db8::7 2001:db8::7
IPV6:::ffff:192.0.2.7 192.0.2.7
::ffff:c000:207 192.0.2.7
[UNAVAILABLE] unknown
[TEMPUNAVAIL] unknown
END
    # an IPv4 address is in its groups whatever its form; an unknown one is not local, nor in any network
    expect "$(codes $PEER 'XCLIENT ADDR=IPV6:::FFFF:192.0.2.7' 'MAIL FROM:<>' 'RCPT TO:<office@mx.example>')" '220 220 250 250 221'
    conf 'allow remotehost ^203' 'allow remotehost ^local$' 'allow remotehost 0.0.0.0/0'
    expect "$(codes $PEER 'XCLIENT ADDR=[UNAVAILABLE]')" '220 554 221'
}

@test "what is malformed is 501, the client is who it was, and its mail is not its own" {
    for argument in ADDR= ADDR ADDR=192.0.2.256 'ADDR=[192.0.2.7]' 'ADDR=192.0.2.7]' ADDR=0xc0000207 ADDR=IPV6:192.0.2.7 ADDR=unknown \
        ADDR=local 'ADDR=192.0.2.7+0D+0AQUIT' ADDR=192.0.2.7+00 'HELO=a+0Ab' 'HELO=a+0D+0Ab' HELO=a+00b HELO=a+4 HELO=a+zz \
        NAME= NAME=a+0A PORT=65536 PORT=x LOGIN=ann+00 LOGIN=ann+0A SESSION=x TTL=5 SOURCE=LOCAL \
        'ADDR=192.0.2.7 ADDR=192.0.2.7' '=' 'x' "LOGIN=$(printf 'a%.0s' {1..256})"; do
        session $PEER "XCLIENT $argument" "${MESSAGE[@]}" >out
        sed -n 2p out | grep -q '^501 5\.5\.4 ' || { echo "$argument: $(cat out)"; return 1; }
        expect "$(sed -n 3p out | cut -c1-10)" '451 4.5.4 '
        expect "$(grep -c "\[$PEER\] ERROR: 501" log)" 1
    done
    # a line of more than 512 bytes is read; one of more than 2048 is too long
    long=$(printf '+61%.0s' {1..500})
    session $PEER "XCLIENT ADDR=192.0.2.8 HELO=$long" "${MESSAGE[@]}" >out
    expect "$(who)" "192.0.2.8 unknown $(printf 'a%.0s' {1..500}) SMTP "
    expect "$(codes $PEER "XCLIENT ADDR=192.0.2.8 HELO=$long$long")" '220 500 221'
    # what is quoted or a bracket of the log stays what it is there
    session $PEER 'XCLIENT ADDR=192.0.2.8 HELO=x"+20+5B192.0.2.9+5D' 'RCPT TO:<x>' >out
    events '\] ERROR' | grep -qF ' helo="x<0x22> <0x5b>192.0.2.9<0x5d>" '
}

@test "a transaction has one client" {
    expect "$(codes $PEER 'MAIL FROM:<>' 'XCLIENT ADDR=192.0.2.7' 'XFORWARD ADDR=192.0.2.7' 'RCPT TO:<office@mx.example>' \
        'RCPT TO:<who@mx.example>' 'XCLIENT ADDR=192.0.2.7' RSET 'XCLIENT ADDR=192.0.2.7')" '220 250 503 503 550 250 503 250 220 221'
    # and one XCLIENT a connection, unless the client that it tells of is a peer itself
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.7' 'XCLIENT ADDR=192.0.2.8' 'XFORWARD ADDR=192.0.2.8')" '220 220 550 550 221'
    session $PEER 'XCLIENT ADDR=192.0.2.7' 'EHLO client.example' >out
    run ! grep -q '^250-X' replies
    conf 'xclient 192.0.2.7/32'
    session $PEER 'XCLIENT ADDR=192.0.2.7' 'XCLIENT ADDR=192.0.2.8' "${MESSAGE[@]}" >out
    expect "$(who)" '192.0.2.8 unknown SMTP '
    expect "$(events 'client is' | tail -n 1)" '[192.0.2.8] client is remote host unknown [192.0.2.8] via=192.0.2.7'
}

@test "a client that XCLIENT tells of is judged as if it had connected" {
    conf 'deny remotehost 192.0.2.66/32' 'deny remotehost ^evil\.example$' "lockout.db $PWD/contacts.db" 'lockout.violations 1'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.66' 'MAIL FROM:<>')" '220 554 503 221'
    expect "$(events '\] ERROR: 554')" \
        "[192.0.2.66] ERROR: 554 Connections from your host are not accepted stage=connect via=$PEER from=\"\" line=\"XCLIENT ADDR=192.0.2.66\""
    expect "$(events lockout:)" "$(events lockout: | grep -F '[192.0.2.66] lockout: violations=1/1 reason=connect until=')"
    # locked out it hears so each time, for a connection that is not its own cannot be closed without a word
    for _ in told again; do
        session $PEER 'XCLIENT ADDR=192.0.2.66' >out
        expect "$(sed -n 2p out | cut -c1-62)" '454 4.7.1 Too many violations, your host is locked out until 2'
        expect "$(sed -n 3p out)" ''
    done
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.7 NAME=evil.example')" '220 554 221'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.8 NAME=[UNAVAILABLE]')" '220 220 221'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.8 NAME=[TEMPUNAVAIL]')" '220 451'
    conf 'limit.fcrdns_check on'
    expect "$(codes $PEER=relay.example 'XCLIENT ADDR=192.0.2.8 NAME=a.example')" '220 220 221'
    expect "$(codes $PEER=relay.example 'XCLIENT ADDR=192.0.2.8 NAME=[UNAVAILABLE]')" '220 450'
    # HELO gets its checks, and MAIL the refusal
    conf 'limit.helo_syntax_check on'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.8 HELO=a_b..' 'EHLO relay.example' 'MAIL FROM:<>')" '220 220 250 501 221'
    conf 'limit.helo_required on'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.8' 'MAIL FROM:<>' 'XCLIENT ADDR=192.0.2.8')" '220 220 503 550 221'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.8 HELO=a' 'MAIL FROM:<>')" '220 220 250 221'
}

@test "a login is what LOGIN says, and otherwise forgotten" {
    login=('MAIL FROM:<>' 'RCPT TO:<login@mx.example>')
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.7 LOGIN=ann' "${login[@]}")" '220 220 250 250 221'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.7 LOGIN=[UNAVAILABLE]' "${login[@]}")" '220 220 250 530 221'
    (umask 077 && printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p relay >users)
    conf 'auth required' 'auth.insecure on' "auth.users $PWD/users"
    auth=('EHLO relay.example' "AUTH PLAIN $(printf '\0relay\0secret' | base64)")
    expect "$(codes $PEER "${auth[@]}" "${login[@]}")" '220 250 235 250 250 221'
    expect "$(codes $PEER "${auth[@]}" 'XCLIENT ADDR=192.0.2.7' "${login[@]}" "${auth[@]}" "${login[@]}")" '220 250 235 220 530 503 250 235 250 250 221'
    expect "$(codes $PEER 'EHLO a' 'XCLIENT ADDR=192.0.2.7 LOGIN=ann' "${login[@]}" 'RSET' "${auth[@]}")" '220 250 220 250 250 250 250 503 221'
    # by XFORWARD the peer has logged in, and whoever sent the mail has not
    expect "$(codes $PEER "${auth[@]}" 'XFORWARD ADDR=192.0.2.7' "${login[@]}" RSET "${login[@]}")" '220 250 235 250 250 530 250 250 250 221'
    # mail of its own is not forwarded
    expect "$(codes $PEER "${auth[@]}" 'XFORWARD SOURCE=LOCAL IDENT=4F2A' "${login[@]}")" '220 250 235 250 250 250 221'
}

@test "TLS is the connection's, and stays; the certificate was the peer's, and is nobody else's" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout key.pem \
        -out cert.pem 2>/dev/null
    conf 'xclient 127.0.0.1/32' 'xforward 127.0.0.1/32' 'tls required' "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" "tls.client_ca $PWD/cert.pem" \
        "allowgroup relays cert $(openssl x509 -in cert.pem -noout -fingerprint -sha256 | cut -d= -f2)" \
        'deliver allowgroup relays rcpt_to relays@mx.example append /dev/null' 'deliver tls rcpt_to tls@mx.example append /dev/null'
    start_server alone "$PWD" "$MAILRECV" -c "$PWD/conf" -l "$PWD/log"
    timeout 30 python3 - "$SERVER_PORT" <<'END'
import smtplib, ssl, sys
def session():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain("cert.pem", "key.pem")
    s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "relay.example", 20)
    s.starttls(context=context)
    s.ehlo()
    return s
def expect(s, *codes):
    got = [s.docmd(line)[0] for line in ("MAIL FROM:<>", "RCPT TO:<relays@mx.example>", "RCPT TO:<tls@mx.example>", "RSET")]
    assert got == [250, *codes, 250], got
s = session()
expect(s, 250, 250)
assert s.docmd("XFORWARD ADDR=192.0.2.7")[0] == 250
expect(s, 550, 250)
expect(s, 250, 250)
assert s.docmd("XCLIENT ADDR=192.0.2.7")[0] == 220
expect(s, 550, 250)
s.quit()
END
}

@test "XFORWARD: what it tells is the client of the next transaction, and of no other" {
    session $PEER 'EHLO relay.example' "${MESSAGE[@]}" \
        'XFORWARD NAME=client.example ADDR=192.0.2.7 PORT=1234' 'XFORWARD PROTO=SMTP HELO=[192.0.2.7] IDENT=4F2A SOURCE=REMOTE' "${MESSAGE[@]}" \
        "${MESSAGE[@]}" 'XFORWARD ADDR=192.0.2.8' "${MESSAGE[@]}" >out
    expect "$(who)" "$PEER unknown relay.example ESMTP 
192.0.2.7 1234 client.example [192.0.2.7] SMTP 
$PEER unknown relay.example ESMTP 
192.0.2.8 unknown ESMTP "
    expect "$(events 'client is')" "[192.0.2.7] client is remote host client.example [192.0.2.7] via=$PEER ident=\"4F2A\"
[192.0.2.8] client is remote host unknown [192.0.2.8] via=$PEER"
    expect "$(events '\] delivery' | cut -d' ' -f1 | paste -sd' ')" "[$PEER] [192.0.2.7] [$PEER] [192.0.2.8]"
    expect "$(events '\] end')" "[$PEER] end reason=quit messages=4 ehlo=1 mail=4 rcpt=4 data=4 xforward=3 quit=1 helo-name=\"relay.example\""
    # rules see it; RSET and EHLO end it, before MAIL and behind it
    office=('MAIL FROM:<>' 'RCPT TO:<office@mx.example>')
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7' "${office[@]}" RSET "${office[@]}" RSET 'XFORWARD ADDR=192.0.2.7' RSET "${office[@]}" \
        'EHLO a' 'XFORWARD ADDR=192.0.2.7' 'EHLO b' "${office[@]}" RSET 'XFORWARD ADDR=192.0.2.7' "${office[@]}" 'EHLO c' "${office[@]}")" \
        '220 250 250 250 250 250 550 250 250 250 250 550 250 250 250 250 550 250 250 250 250 250 250 550 221'
    # of a MAIL that is refused it holds for the next try; another XFORWARD begins anew
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7' 'MAIL FROM:nonsense' "${office[@]}")" '220 250 501 250 250 221'
    conf 'limit.sender_syntax_check on'
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7' 'MAIL FROM:<a@b>' "${office[@]}")" '220 250 553 250 250 221'
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7' 'MAIL FROM:<a@b>' 'XFORWARD PORT=25' "${office[@]}")" '220 250 553 250 250 550 221'
    # when all goes in one piece, too
    session $PEER 'EHLO relay.example' 'XFORWARD ADDR=192.0.2.8' "${MESSAGE[@]}" >out
    expect "$(who)" '192.0.2.8 unknown ESMTP '
}

@test "who was not understood has no mail taken as its own, until it says it again, or RSET; that is no guess" {
    office=('MAIL FROM:<>' 'RCPT TO:<office@mx.example>')
    long=$(printf 'a%.0s' {1..2100})
    for refused in 'XFORWARD ADDR=unknown' 'XFORWARD PORT=65536' 'XFORWARD ADDR=192.0.2.7 TTL=5' 'XFORWARD' 'XFORWARD ADDR=' 'XCLIENT ADDR=x' \
        $'XFORWARD NAME=j\xc3\xbc' "XFORWARD NAME=$long"; do
        expect "$(codes $PEER "$refused" "${office[@]}" RSET 'MAIL FROM:<>' | sed 's/ 50[01] / bad /')" '220 bad 451 503 250 250 221'
        # what had been said before is not half true; what has no address does not say who it is
        expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7' "$refused" 'XFORWARD NAME=a.example HELO=a' 'MAIL FROM:<>' 'XFORWARD ADDR=192.0.2.7' "${office[@]}" |
            sed 's/ 50[01] / bad /')" '220 250 bad 250 451 250 250 250 221'
        # said too early it is about the next mail
        expect "$(codes $PEER "${MESSAGE[@]:0:3}" . 'MAIL FROM:<>' "$refused" RSET 'MAIL FROM:<>' EHLO 'XCLIENT ADDR=192.0.2.7' "${office[@]}" |
            sed 's/ 50[013] / bad /')" '220 250 250 354 250 250 bad 250 451 501 220 250 250 221'
    done
    expect "$(codes $PEER 'XFORWARD ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]' 'MAIL FROM:<>')" '220 250 250 221'
    session $PEER 'EHLO a' 'XFORWARD ADDR=x' 'EHLO a' 'MAIL FROM:<>' 'XFORWARD ADDR=x' >out
    expect "$(tail -n 3 out | cut -c1-3 | paste -sd' ')" '250 503 221'
    # whom nobody believes anyway has mail of its own only
    expect "$(codes 192.0.2.7 'XFORWARD ADDR=x' "${office[@]}")" '220 550 250 250 221'
    # the limit for what is refused for good is about guesses
    conf 'limit.smtp_failcmds 1' 'sandbox off'
    expect "$(codes $PEER 'XFORWARD ADDR=x' 'XFORWARD' 'XCLIENT y' 'MAIL FROM:<>')" '220 501 501 501 451 221'
}

@test "names as in files of hosts, and addresses with the link that they are on, are taken; a name that can be none is not known" {
    while read -r name addr shown; do
        session $PEER "XFORWARD NAME=$name $addr PORT=4711" "${MESSAGE[@]}" >out
        expect "$(who | cut -d' ' -f1-3)" "$shown"
    done <<'END'
host1 ADDR=192.0.2.7 192.0.2.7 4711 host1
mail.lan2. ADDR=IPv6:fe80::1+25eth0 fe80::1 4711 mail.lan2
a-.example ADDR=192.0.2.7 192.0.2.7 4711 unknown
192.0.2.8 ADDR=fe80::1%1 fe80::1 4711 unknown
END
}

@test "whose mail is not wanted is refused at MAIL, and allow is for the peer" {
    conf 'deny remotehost 192.0.2.66/32' 'deny remotehost ^evil\.example$' "allow remotehost 203.0.113.0/24" "lockout.db $PWD/contacts.db" 'lockout.violations 1'
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.66' 'MAIL FROM:<>' RSET 'XFORWARD ADDR=192.0.2.7' 'MAIL FROM:<>')" '220 250 554 250 250 250 221'
    expect "$(events '\] ERROR')" "[192.0.2.66] ERROR: 554 Connections from your host are not accepted stage=mail via=$PEER from=\"\" line=\"MAIL FROM:<>\""
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7 NAME=evil.example' 'MAIL FROM:<>')" '220 250 554 221'
    expect "$(codes $PEER 'XFORWARD ADDR=192.0.2.7 NAME=[TEMPUNAVAIL]' 'MAIL FROM:<>')" '220 250 451 221'
    # guesses are those of the client, in the log for fail2ban and in the lock-out; the next client begins anew
    guess=('MAIL FROM:<>' 'RCPT TO:<x@mx.example>' 'RCPT TO:<y@mx.example>' RSET)
    session $PEER 'XFORWARD ADDR=192.0.2.9' "${guess[@]}" 'XFORWARD ADDR=192.0.2.10 HELO=a' "${MESSAGE[@]}" 'XFORWARD ADDR=192.0.2.9' 'MAIL FROM:<>' >out
    expect "$(tail -n 2 out | cut -c1-50)" $'454 4.7.1 Too many violations, your host is locked\n221 2.0.0 Goodbye'
    expect "$(events 'violation' | grep -v ERROR | sed 's/ until=.*//')" '[192.0.2.9] lockout: violations=1/1 reason=rcpt
[192.0.2.9] client ends violation=rcpt'
    expect "$("$MAILRECV" -c conf -S | awk '$1 ~ /^203/ { print $3 }')" 0
    # the peer is never the one, with as many guesses as it likes
    guesses=()
    for _ in {1..13}; do guesses+=('XFORWARD ADDR=192.0.2.11' "${guess[@]}"); done
    conf 'limit.smtp_refused_rcpts 3'
    session $PEER "${guesses[@]}" >out
    expect "$(tail -n 1 out)" '221 2.0.0 Goodbye'
    run ! grep -q "\[$PEER\].*violation=" log
    session $PEER "${guess[@]}" "${guess[@]}" >out
    run ! grep -q "violation=" log
    conf 'limit.smtp_refused_rcpts 3' "lockout.db $PWD/contacts.db"
    session $PEER 'XFORWARD ADDR=192.0.2.12' "${MESSAGE[@]}" "${guess[@]}" "${guess[@]}" >out
    expect "$(tail -n 1 out)" '421 4.7.0 Too many refused recipients'
    expect "$(events lockout:)" ''
}

@test "the DNS is asked about the client that was told of, and again about the peer" {
    # shellcheck disable=SC2016 # the command's shell expands it
    conf "dns.server $DNS" 'dnsbl bl.example log' 'allowgroup named ^good\.example$' 'deliver allowgroup named rcpt_to named@mx.example append /dev/null' \
        'deliver rcpt_to list@mx.example pipe echo $CLIENT_ADDRESS $CLIENT_HOSTNAME $DNSBL >>clients'
    list=('MAIL FROM:<>' 'RCPT TO:<list@mx.example>' DATA .)
    # without NAME the name is looked for, with it it is what the peer says
    named=('MAIL FROM:<>' 'RCPT TO:<named@mx.example>')
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.1' "${named[@]}")" '220 220 250 250 221'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE]' "${named[@]}")" '220 220 250 550 221'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.1 NAME=[TEMPUNAVAIL]' "${named[@]}")" '220 220 250 451 221'
    expect "$(codes $PEER 'XCLIENT ADDR=192.0.2.9 NAME=good.example' "${named[@]}")" '220 220 250 250 221'
    expect "$(codes 192.0.2.9 "${named[@]}")" '220 250 550 221'
    expect "$(codes $PEER "${named[@]}" RSET 'XFORWARD ADDR=192.0.2.1' "${named[@]}" RSET "${named[@]}")" '220 250 550 250 250 250 250 250 250 550 221'
    # what lists say of one is not said of the next
    session $PEER "${list[@]}" 'XFORWARD ADDR=192.0.2.1' "${list[@]}" "${list[@]}" 'XFORWARD ADDR=192.0.2.9' "${list[@]}" 'XCLIENT ADDR=192.0.2.1' "${list[@]}" >out
    expect "$(cut -d' ' -f1,3 clients)" "$PEER
192.0.2.1 bl.example
$PEER
192.0.2.9
192.0.2.1 bl.example"
    expect "$(grep -c 'listed by bl.example' log)" 2
    conf "dns.server $DNS" 'dnsbl bl.example log' 'bypass allowgroup office' 'xforward 192.0.2.1/32' \
        "deliver rcpt_to list@mx.example pipe echo \$CLIENT_ADDRESS \$DNSBL >>clients"
    session 192.0.2.1 "${list[@]}" 'XFORWARD ADDR=192.0.2.7' "${list[@]}" "${list[@]}" 'XFORWARD ADDR=192.0.2.9' "${list[@]}" "${list[@]}" >out
    expect "$(cat clients)" $'192.0.2.1 bl.example\n192.0.2.7\n192.0.2.1 bl.example\n192.0.2.9\n192.0.2.1 bl.example'
    # who has a name that decides, and no DNS to tell it, is not taken for itself
    printf '%s\n' 'domain mx.example' 'dns.server 127.0.0.1:9' 'dns.timeout 200' 'xforward ^relay\.example$' >conf
    printf 'QUIT\r\n' >input
    TCPREMOTEIP=192.0.2.1 "$MAILRECV" -c conf -l log <input | grep -q '^451 Your host cannot be checked now'
}

@test "the filter of fail2ban finds the client that was told of, and not its peer" {
    guess=('MAIL FROM:<>' 'RCPT TO:<x@mx.example>' 'RCPT TO:<y@mx.example>')
    conf 'deny remotehost 192.0.2.66/32'
    session $PEER 'XCLIENT ADDR=192.0.2.66' >out; cat log >all
    session $PEER 'XCLIENT ADDR=192.0.2.67' "${guess[@]}" >out; cat log >>all
    session $PEER 'XFORWARD ADDR=IPV6:2001:db8::68' "${guess[@]}" >out; cat log >>all
    session $PEER 'XFORWARD ADDR=[UNAVAILABLE]' "${guess[@]}" >out; cat log >>all
    session $PEER 'XCLIENT ADDR=192.0.2.69+5D' 'XFORWARD IDENT="+5B192.0.2.70+5D' "${guess[@]}" >out; cat log >>all
    session 192.0.2.71 'XCLIENT ADDR=192.0.2.72' >out; cat log >>all
    expect "$(fail2ban-regex -o ip --usedns=no all "$TESTS/../fail2ban/filter.d/mailrecv.conf")" $'192.0.2.66\n192.0.2.67\n2001:db8::68'
}

@test "quiet: sessions without MAIL of clients that a peer tells of are not logged; of others the peer's are" {
    conf "quiet 192.0.2.7/32"
    session $PEER 'XCLIENT ADDR=192.0.2.7' >out
    expect "$(events)" "[$PEER] SMTP connection from remote host unknown [$PEER]"
    session $PEER 'XCLIENT ADDR=192.0.2.7' 'MAIL FROM:<>' >out
    expect "$(events | wc -l)" 3
    conf "quiet 203.0.113.9/32"
    session $PEER 'XCLIENT ADDR=192.0.2.7' >out
    expect "$(events | wc -l)" 3
    session $PEER >out
    expect "$(events)" ''
}

@test "in LMTP, too: the client's own protocol is shown, and each recipient has its reply" {
    conf 'protocol lmtp'
    session $PEER 'LHLO relay.example' 'XFORWARD ADDR=192.0.2.7 PROTO=ESMTP HELO=client.example' 'MAIL FROM:<>' 'RCPT TO:<who@mx.example>' \
        'RCPT TO:<office@mx.example>' DATA . 'MAIL FROM:<>' 'RCPT TO:<who@mx.example>' 'RCPT TO:<office@mx.example>' DATA . \
        'XCLIENT ADDR=192.0.2.8 HELO=client.example PROTO=LMTP' 'LHLO dovecot.example' "${MESSAGE[@]}" >out
    expect "$(cut -c1-3 out | paste -sd' ')" '220 250 250 250 250 250 354 250 250 250 250 550 354 250 220 250 250 250 354 250 221'
    expect "$(who)" "192.0.2.7 unknown client.example ESMTP 
$PEER unknown relay.example LMTP 
192.0.2.8 unknown client.example LMTP "
}

@test "in one process it is the same, and in one that waited for its client" {
    conf 'sandbox off'
    session $PEER 'EHLO a' 'XCLIENT ADDR=192.0.2.8 HELO=b' "${MESSAGE[@]}" >out
    expect "$(who)" '192.0.2.8 unknown b SMTP '
    session $PEER 'EHLO a' 'XFORWARD ADDR=192.0.2.8' "${MESSAGE[@]}" "${MESSAGE[@]}" >out
    expect "$(who)" $'192.0.2.8 unknown ESMTP \n'"$PEER unknown a ESMTP "
    for spares in 0 2; do
        conf 'xclient 127.0.0.1/32' 'xforward 127.0.0.1/32' "listen.spares $spares" 'allow remotehost 127.0.0.1/32' 'allow remotehost 192.0.2.0/24'
        rm -f log clients
        start_server alone "$PWD" "$MAILRECV" -c "$PWD/conf" -l "$PWD/log"
        printf '%s\r\n' 'EHLO a' 'XFORWARD ADDR=192.0.2.8' "${MESSAGE[@]}" 'XCLIENT ADDR=192.0.2.9' "${MESSAGE[@]}" QUIT |
            timeout 20 nc -N 127.0.0.1 "$SERVER_PORT" >replies
        wait_for log '\[192\.0\.2\.9\] end reason=quit'
        expect "$(grep -c '^250-X' replies)" 2
        expect "$(who | cut -d' ' -f1)" $'192.0.2.8\n192.0.2.9'
        printf '%s\r\n' 'EHLO a' 'XCLIENT ADDR=203.0.113.1' QUIT | timeout 20 nc -N 127.0.0.1 "$SERVER_PORT" | grep -q '^554 '
        stop_server
    done
}

@test "behind a proxy it is the host in the header that is named, or not" {
    conf 'proxy_protocol 198.51.100.1/32' 'xclient 198.51.100.1/32'
    expect "$(codes 198.51.100.1 $'PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\nXCLIENT ADDR=192.0.2.7')" '220 550 221'
    expect "$(codes 198.51.100.1 $'PROXY TCP4 203.0.113.9 192.0.2.2 1 25\r\nXCLIENT ADDR=192.0.2.7' "${MESSAGE[@]}")" '220 220 250 250 354 250 221'
    expect "$(who | cut -d' ' -f1)" 192.0.2.7
}

@test "-t says what to write for local and localhost, which are words only where peers are named" {
    advice() { # LINE
        printf '%s\n' 'domain mx.example' "$1" >conf
        run --separate-stderr "$MAILRECV" -t -c conf
        [[ $stderr != *forward-confirmed* || $1 == *host ]]
        sed -n '/^conf:2:.*warning: as a regular/,/^conf:2:.* note:/s/^    write: //p' <<<"$stderr"
    }
    for line in 'deny remotehost' 'allow remotehost' 'allowgroup here' quiet lockout.exempt proxy_protocol; do
        expect "$(advice "$line local")" '^local$'
        expect "$(advice "$line localhost")" '^local$ for UNIX sockets, 127.0.0.0/8 for loopback'
        expect "$(advice "$line ^local\$")" ''
    done
    for line in xclient xforward; do
        expect "$(advice "$line local")" ''
        expect "$(advice "$line LOCAL")" 'local'
        expect "$(advice "$line localhost")" 'local for UNIX sockets, 127.0.0.0/8 for loopback'
    done
    # which does what it says
    conf 'deny remotehost ^local$'
    expect "$(codes local) $(codes 192.0.2.1=local.evil.example)" '554 221 220 221'
}

@test "-t warns of peers that are everybody" {
    for line in 'xclient .' 'xforward .*' 'xclient 0.0.0.0/0' 'xforward ::/0' 'proxy_protocol 0.0.0.0/0'; do
        printf '%s\n' 'domain mx.example' "$line" >conf
        run -1 --separate-stderr "$MAILRECV" -t -c conf
        # shellcheck disable=SC2154 # run sets it
        [[ $stderr == *":2:"*"warning: this is every host, and each could claim to be any other"* ]]
    done
    printf '%s\n' 'domain mx.example' 'xclient local' 'xforward 192.0.2.0/24' 'xclient ^192\.0\.2\.1$' >conf
    run --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr != *warning:* ]]
}
