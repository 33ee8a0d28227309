#!/usr/bin/env bats
# explain.bats - mailrecv -x: every rule that was tried and why, the reply, the target, the environment

bats_require_minimum_version 1.5.0
load common
load tools/delivery

A=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

# explain STATUS WORD...: what -x prints, without the values that differ each time, is in `said`.
explain() {
    local status=0 expected=$1
    shift
    "$MAILRECV" -x -c conf "$@" </dev/null >output || status=$?
    sed -E -e 's/^(        (MESSAGE_ID|DELIVERY_ID|CONNECTED_AT|RECEIVED_AT)=).*/\1ID/' -e 's/[0-9a-f]{13}\.[0-9a-f]+\.[0-9a-f]+/ID/' \
        -e 's/^(        MESSAGE_SIZE=)[0-9]+/\1SIZE/' -e 's/("message_size":)[0-9]+/\1SIZE/' output >said
    expect "$status" "$expected"
}

@test "-x and real sessions agree in 300 generated cases" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mx.example \
        -keyout key.pem -out cert.pem 2>openssl.errors
    # shellcheck disable=SC2046 # a list of records
    run "$TESTS/with-dns" $("$TESTS/tools/explain-agrees" dns) -- "$TESTS/tools/explain-agrees" "$MAILRECV" 300
    [[ $output =~ ^300\ cases,\ ([0-9]+)\ deliveries,\ ([0-9]+)\ commands,\ 0\ differ$ ]]
    # there was something to agree about
    [ "${BASH_REMATCH[1]}" -gt 75 ] && [ "${BASH_REMATCH[2]}" -gt 25 ]
    [ "$status" = 0 ]
}

@test "hosts: each pattern of deny and allow, with its line" {
    config <<'END'
deny remotehost ^10\.
deny remotehost dyn
allow remotehost ^198\.51\.100\.
allow remotehost \.example$
END
    explain 0 -P 192.0.2.7=Mail.Client.Example helo me
    expect_file said <<'END'
client 192.0.2.7 mail.client.example
    conf:3: deny remotehost "^10\." does not match "192.0.2.7"
    conf:4: deny remotehost "dyn" does not match "192.0.2.7"
    conf:5: allow remotehost "^198\.51\.100\." does not match "192.0.2.7"
    conf:6: allow remotehost "\.example$" does not match "192.0.2.7"
    conf:3: deny remotehost "^10\." is for addresses, and is not tried on names
    conf:4: deny remotehost "dyn" does not match "mail.client.example"
    conf:5: allow remotehost "^198\.51\.100\." is for addresses, and is not tried on names
    conf:6: allow remotehost "\.example$" matches "mail.client.example"
    220 mx.example ESMTP mailrecv
EHLO me
MAIL FROM:<>
    250 2.1.0 Sender ok
END
    explain 1 -P 192.0.2.7=dyn-7.example rcpt joe@mx.example
    expect "$(tail -n 3 said)" '    conf:4: deny remotehost "dyn" matches "dyn-7.example"
    log: ERROR: 554 Connections from your host are not accepted stage=connect host=dyn-7.example from="" line=""
    554 Connections from your host are not accepted'
}

@test "hosts: what of a pattern is tried on names, and why the rest is not" {
    config <<'END'
deny remotehost ^192\.0\.2\.(mail)?
allow remotehost ^2001:db8:/32
allow remotehost \b192\.0\.2\.[^7]
allow remotehost ^192\.0\.2\.(mail)?
allow remotehost ^192\.0\.2\.|\.example\.com$
END
    explain 1 -P 203.0.113.9=192.0.3.1.evil.example helo me
    grep -A 5 'conf:7: .*"203' said >names
    expect_file names <<'END'
    conf:7: allow remotehost "^192\.0\.2\.|\.example\.com$" does not match "203.0.113.9"
    conf:3: deny remotehost "^192\.0\.2\.(mail)?" does not match "192.0.3.1.evil.example"
    conf:4: allow remotehost "^2001:db8:/32" can match no host, and is not tried on names
    conf:5: allow remotehost "\b192\.0\.2\.[^7]" is for addresses, and is not tried on names
    conf:6: allow remotehost "^192\.0\.2\.(mail)?" can match addresses, too, and is not tried on names
    conf:7: allow remotehost "\.example\.com$" does not match "192.0.3.1.evil.example"
END
}

@test "recipients: each condition that is tried has its line, and so have refusals and copies" {
    config <<END
allowgroup office ^198\\.51\\.100\\.
refuse from <> rcpt_to @mx.example 550 5.7.1 No bounces
deliver from bob@client.example port 25 rcpt_to joe@mx.example append $HERE/1
deliver auth ann not allowgroup office rcpt_to joe@mx.example append $HERE/2
deliver helo /^mail\\./ from /^bob@/ not allowgroup office rcpt_to joe@mx.example append $HERE/3
also allowgroup office rcpt_to @mx.example append $HERE/4
also once rcpt_to /./ append $HERE/archive
END
    explain 0 -P 192.0.2.7=client.example auth bob from bob@client.example helo mail.example rcpt joe@mx.example
    sed -n '/^RCPT/,$p' said >part
    expect_file part <<END
RCPT TO:<joe@mx.example>
    conf:4: refuse rcpt_to "@mx.example" names "joe@mx.example"
    conf:4: refuse from "<>" does not match "<bob@client.example>"
    conf:5: deliver rcpt_to "joe@mx.example" names "joe@mx.example"
    conf:5: deliver from "bob@client.example" matches "<bob@client.example>"
    conf:5: deliver port 25: the client has come to none
    conf:6: deliver rcpt_to "joe@mx.example" names "joe@mx.example"
    conf:6: deliver auth ann: user "bob" has authenticated
    conf:7: deliver rcpt_to "joe@mx.example" names "joe@mx.example"
    conf:7: helo "^mail\." matches "mail.example"
    conf:7: from "^bob@" matches "bob@client.example"
    conf:3: allowgroup "^198\.51\.100\." does not match "192.0.2.7"
    conf:7: deliver not allowgroup office: the client is no member
    conf:7: this line decides
    conf:8: also rcpt_to "@mx.example" names "joe@mx.example"
    conf:8: also allowgroup office: the client is no member
    conf:9: also rcpt_to "." matches "joe@mx.example"
    conf:9: this line takes a copy
    250 2.1.5 Recipient ok
delivery to joe@mx.example
    conf:7: append $HERE/3
delivery to joe@mx.example
    conf:9: append $HERE/archive
END
    explain 1 from '<>' rcpt joe@mx.example
    grep -qx '    550 5.7.1 No bounces' said
}

@test "recipients: each rule and pattern in its order, which conditions are met, and what decides" {
    config <<END
recipient_delimiter +
allowgroup office ^198\\.51\\.100\\.
allowgroup office cert $A
deliver auth rcpt_to @mx.example append $HERE/1
deliver tls auth rcpt_to joe@mx.example append $HERE/2
deliver allowgroup office rcpt_to joe@mx.example append $HERE/3
deliver rcpt_to /^jo(.)/ append $HERE/4
error rcpt_to ^old 551 5.1.6 Gone
END
    explain 1 -P 192.0.2.7=client.example tls from bob@client.example rcpt joe+list@mx.example old@mx.example joa@other.example
    expect_file said <<END
client 192.0.2.7 client.example, TLSv1.3
    220 mx.example ESMTP mailrecv
EHLO [192.0.2.7]
MAIL FROM:<bob@client.example>
    250 2.1.0 Sender ok
RCPT TO:<joe+list@mx.example>
    conf:6: deliver rcpt_to "@mx.example" names "joe+list@mx.example"
    conf:6: deliver auth: nobody has authenticated
    conf:7: deliver rcpt_to "joe@mx.example" names "joe+list@mx.example" without its extension
    conf:7: deliver tls: the connection is encrypted
    conf:7: deliver auth: nobody has authenticated
    conf:8: deliver rcpt_to "joe@mx.example" names "joe+list@mx.example" without its extension
    conf:5: allowgroup cert $A is not the client's certificate
    conf:4: allowgroup "^198\\.51\\.100\\." does not match "192.0.2.7"
    conf:8: deliver allowgroup office: the client is no member
    conf:9: deliver rcpt_to "^jo(.)" matches "joe+list@mx.example"
    conf:9: this line decides
    250 2.1.5 Recipient ok
RCPT TO:<old@mx.example>
    conf:6: deliver rcpt_to "@mx.example" names "old@mx.example"
    conf:6: deliver auth: nobody has authenticated
    conf:7: deliver rcpt_to "joe@mx.example" does not name "old@mx.example"
    conf:8: deliver rcpt_to "joe@mx.example" does not name "old@mx.example"
    conf:9: deliver rcpt_to "^jo(.)" does not match "old@mx.example"
    log: ERROR: 530 Authentication is required stage=rcpt refused=0/25 needs=auth host=client.example helo="<0x5b>192.0.2.7<0x5d>" from="bob@client.example" line="RCPT TO:<old@mx.example>"
    530 5.7.0 Authentication is required
RCPT TO:<joa@other.example>
    conf:6: deliver rcpt_to "@mx.example" does not name "joa@other.example"
    conf:7: deliver rcpt_to "joe@mx.example" does not name "joa@other.example"
    conf:8: deliver rcpt_to "joe@mx.example" does not name "joa@other.example"
    conf:9: deliver rcpt_to "^jo(.)" matches "joa@other.example"
    conf:9: this line decides
    250 2.1.5 Recipient ok
delivery to joe+list@mx.example
    conf:9: append $HERE/4
delivery to joa@other.example
    conf:9: append $HERE/4
END
    explain 0 -P 192.0.2.7 auth bob@client.example rcpt x@mx.example
    grep -qx '    conf:6: deliver auth: user "bob@client.example" has authenticated' said
    explain 0 -P 2001:db8::7 cert "$(sed 's/../&:/g; s/:$//' <<<"${A^^}")" rcpt joe@mx.example
    expect "$(grep -A 2 '^    conf:5' said)" "    conf:5: allowgroup cert $A is the client's certificate
    conf:8: deliver allowgroup office: the client is a member
    conf:8: this line decides"
    expect "$(sed -n 1p said)" "client 2001:db8::7, TLSv1.3, certificate $A"
}

@test "an address that no line names: error lines, the dead-letter file, 550" {
    config <<'END'
deliver rcpt_to joe@mx.example append /dev/null
error rcpt_to ^old@ 551 Gone
END
    explain 1 -P local rcpt old@mx.example new@mx.example
    expect "$(sed -n '7,$p' said)" '    conf:3: deliver rcpt_to "joe@mx.example" does not name "old@mx.example"
    conf:4: error rcpt_to "^old@" matches "old@mx.example"
    log: ERROR: 551 Gone stage=rcpt refused=1/25 helo="localhost" from="" line="RCPT TO:<old@mx.example>"
    551 5.7.1 Gone
RCPT TO:<new@mx.example>
    conf:3: deliver rcpt_to "joe@mx.example" does not name "new@mx.example"
    conf:4: error rcpt_to "^old@" does not match "new@mx.example"
    conf: no line names this address, and there is no deadletter_file
    log: ERROR: 550 No one here by that name stage=rcpt refused=2/25 helo="localhost" from="" line="RCPT TO:<new@mx.example>"
    550 5.1.1 No one here by that name'
    echo "deadletter_file $HERE/dead" >>conf
    explain 0 -P local rcpt new@mx.example
    expect "$(tail -n 4 said)" "    conf: no line names this address, and the dead-letter file takes it
    250 2.1.5 Recipient ok
delivery to new@mx.example
    conf: deadletter_file: append $HERE/dead"
    [ ! -e dead ]
}

@test "commands: program and arguments, and each variable that it would see" {
    config <<'END'
deliver rcpt_to /^t-([0-9]+)@/ exec /bin/echo -- %{sender} "two words" %{recipient}
deliver rcpt_to joe@mx.example pipe exit 1; echo "$SENDER"
END
    explain 0 -P 192.0.2.7=client.example helo me.example from bob@client.example tls auth bob rcpt t-17@mx.example joe@mx.example
    expect "$(sed -n '/^delivery to t/,/PATH=/p' said)" 'delivery to t-17@mx.example
    conf:3: exec /bin/echo "--" "bob@client.example" "two words" "t-17@mx.example"
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    # the others are compared with those of real commands above
    for line in SENDER=bob@client.example LOCAL=t-17 CLIENT_ADDRESS=192.0.2.7 CLIENT_HOSTNAME=client.example \
        CLIENT_HELO=me.example CLIENT_PROTOCOL=ESMTPSA SASL_USERNAME=bob TLS_PROTOCOL=TLSv1.3 RULE=conf:3 MATCH_1=17; do
        expect "$(grep -cx "        $line" said)" "$(case $line in LOCAL* | RULE* | MATCH*) echo 1 ;; *) echo 2 ;; esac)"
    done
    expect "$(grep -c '^        MAILRECV_JSON={"sender":"bob@client.example",.*"match":\["17"\],"headers":{},"headers_truncated":false}$' said)" 1
    grep -qx '    conf:4: pipe exit 1; echo "$SENDER"' said
    grep -qx '        RULE=conf:4' said
}

@test "what DNS says of an address without a name, and that it says nothing" {
    config <<'END'
allowgroup partner client\.example$
deliver allowgroup partner rcpt_to joe@mx.example append /dev/null
END
    "$TESTS/with-dns" 192.0.2.7=mail.client.example mail.client.example=192.0.2.7 192.0.2.8=fail -- sh -c '
        "$MAILRECV" -x -c conf -P 192.0.2.7 rcpt joe@mx.example </dev/null >confirmed; echo $? >>confirmed
        "$MAILRECV" -x -c conf -P 192.0.2.8 rcpt joe@mx.example </dev/null >unsure; echo $? >>unsure
        "$MAILRECV" -x -c conf -P 192.0.2.9 rcpt joe@mx.example </dev/null >none; echo $? >>none'
    expect "$(grep -e DNS -e '^    conf:3' -e '^[0-9]' -e '^    [0-9]' confirmed)" '    DNS: PTR "7.2.0.192.in-addr.arpa": found
    DNS: address 192.0.2.7 has the name "mail.client.example"
    DNS: A "mail.client.example": found
    DNS: name of 192.0.2.7: mail.client.example fcrdns=pass
    220 mx.example ESMTP mailrecv
    250 2.1.0 Sender ok
    conf:3: allowgroup "client\.example$" does not match "192.0.2.7"
    conf:3: allowgroup "client\.example$" matches "mail.client.example"
    250 2.1.5 Recipient ok
0'
    grep -qx '    DNS: name of 192\.0\.2\.8: unknown fcrdns=temperr' unsure
    expect "$(tail -n 5 unsure)" '    conf:4: deliver allowgroup partner: the client may be a member, or not
    log: the name of the client cannot be found out: temporary DNS failure
    log: ERROR: 451 This address cannot be checked now, try again later stage=rcpt helo="<0x5b>192.0.2.8<0x5d>" from="" line="RCPT TO:<joe@mx.example>"
    451 4.3.0 This address cannot be checked now, try again later
1'
    grep -qx '    DNS: name of 192\.0\.2\.9: unknown fcrdns=none' none
    expect "$(tail -n 1 none)" 1
}

@test "the checks of names and addresses, and who bypasses them" {
    config <<END
allowgroup friends ^192\\.0\\.2\\.8$
allowgroup named fcrdns pass
bypass allowgroup friends
limit.fcrdns_check on
limit.helo_dns_check on
limit.sender_syntax_check on
limit.sender_dns_check on
deliver allowgroup named rcpt_to @mx.example append $HERE/file
END
    decided() { # STATUS CLIENT WORD...
        "$TESTS/with-dns" 192.0.2.7=mail.client.example mail.client.example=192.0.2.7 192.0.2.8=other.example \
            client.example=192.0.2.1 7.2.0.192.bl.example=127.0.0.2 -- sh -c '
            "$MAILRECV" -x -c conf -P "$@" </dev/null >output; echo $? >status' _ "${@:2}"
        expect "$(cat status)" "$1"
        grep -v -e '^    DNS:' -e '^    log:' output | sed "s,$HERE/file,FILE," >said
    }
    decided 0 192.0.2.7 helo mail.client.example from bob@client.example rcpt joe@mx.example
    expect_file said <<'END'
client 192.0.2.7
    conf:3: allowgroup "^192\.0\.2\.8$" does not match "192.0.2.7"
    conf:5: bypass allowgroup friends: the client is no member
    conf: limit.fcrdns_check has no objection
    220 mx.example ESMTP mailrecv
EHLO mail.client.example
    conf:5: bypass allowgroup friends: the client is no member
    conf:7: limit.helo_dns_check has no objection
MAIL FROM:<bob@client.example>
    conf:8: limit.sender_syntax_check has no objection
    conf:5: bypass allowgroup friends: the client is no member
    conf:9: limit.sender_dns_check has no objection
    250 2.1.0 Sender ok
RCPT TO:<joe@mx.example>
    conf:10: deliver rcpt_to "@mx.example" names "joe@mx.example"
    conf: allowgroup named fcrdns: the client's name is as it wants
    conf:10: deliver allowgroup named: the client is a member
    conf:10: this line decides
    250 2.1.5 Recipient ok
delivery to joe@mx.example
    conf:10: append FILE
END
    decided 1 192.0.2.7 helo none.example
    expect "$(tail -n 4 said)" "EHLO none.example
    conf:5: bypass allowgroup friends: the client is no member
    conf:7: limit.helo_dns_check objects
    450 Your HELO name has no address"
    decided 1 192.0.2.8 helo none.example from '"odd"@none.example' rcpt joe@mx.example
    expect "$(sed -n 2,4p said)" '    conf:3: allowgroup "^192\.0\.2\.8$" matches "192.0.2.8"
    conf:5: bypass allowgroup friends: the client is a member
    220 mx.example ESMTP mailrecv'
    expect "$(tail -n 4 said)" "    conf:10: deliver rcpt_to \"@mx.example\" names \"joe@mx.example\"
    conf: allowgroup named fcrdns: the client's name is not as it wants
    conf:10: deliver allowgroup named: the client is no member
    550 5.7.1 Not accepted from your host"
    decided 1 192.0.2.9
    grep -qx '    conf: limit.fcrdns_check objects' said
    printf '%s\n' 'dnsbl bl.example 554 Listed' 'dnswl wl.example' >>conf
    decided 1 192.0.2.7
    expect "$(grep -e '^    conf.*check' -e dns said)" '    conf: limit.fcrdns_check has no objection
    conf:11: dnsbl bl.example lists the client
    conf:12: dnswl wl.example does not list the client'
}

@test "it is the dialogue that answers: syntax, order, limits and requirements" {
    config <<END
limit.smtp_rcpt_to 1
limit.helo_required on
deliver rcpt_to @mx.example append $HERE/file
END
    reply() { # WHAT WORD...: the last reply is that, and something was refused
        local what=$1
        shift
        explain 1 -P 192.0.2.7 "$@"
        expect "$(grep '^    [0-9]' said | tail -n 1)" "    $what"
    }
    reply '501 5.5.4 The argument is missing' helo '' rcpt a@mx.example
    reply '501 5.1.7 Syntax error in the address of the sender' from a@@b rcpt a@mx.example
    reply '501 5.1.3 Syntax error in the address of the recipient' rcpt a@@b
    reply '452 4.5.3 Too many recipients' rcpt a@mx.example b@mx.example
    echo 'limit.smtp_refused_rcpts 1 421 Enough' >>conf
    reply '421 4.7.0 Enough' rcpt a@b.example b@b.example c@b.example
    printf '%s\n' 'tls required' 'tls.cert cert.pem' 'tls.key key.pem' >>conf
    reply '530 5.7.0 Say STARTTLS first' rcpt a@mx.example
    explain 0 -P 192.0.2.7 tls rcpt '<a@mx.example>'
    sed -i 's/^tls required/tls implicit/' conf
    explain 0 -P 192.0.2.7 rcpt 'jö@mx.example'
    grep -qx 'MAIL FROM:<> SMTPUTF8' said
    [ ! -e file ]
}

@test "without words it is about the host alone, without -P about whoever a session would have" {
    config <<<'deny remotehost ^local$'
    explain 1
    expect "$(head -n 2 said)" $'client local\n    conf:3: deny remotehost "^local$" matches "local"'
    TCPREMOTEIP=192.0.2.7 explain 0
    expect "$(head -n 1 said)" 'client 192.0.2.7'
}

@test "a client that is locked out: it is said, and nothing is counted" {
    config <<END
lockout.db $HERE/contacts
lockout.violations 2
lockout.exempt ^192\\.0\\.2\\.9$
tarpit 5
limit.early_talker on 5
deliver rcpt_to joe@mx.example append /dev/null
END
    explain 1 -P 192.0.2.7 rcpt guess@mx.example
    [ ! -e contacts ]
    sed -i '/^tarpit/d; /^limit.early/d' conf
    for client in 7 7 9 9; do
        printf 'MAIL FROM:<>\r\nRCPT TO:<guess@mx.example>\r\nQUIT\r\n' |
            TCPREMOTEIP=192.0.2.$client "$MAILRECV" -c conf -l "$HERE/log" >/dev/null
    done
    before=$("$MAILRECV" -c conf -S json)
    for _ in 1 2; do
        explain 1 -P 192.0.2.7 rcpt joe@mx.example
        grep -Eq '^    lockout\.db: locked out until 20[-0-9T:]*Z, whatever the rules say; mailrecv -S clear 192\.0\.2\.7 ends that$' said
        grep -qx '    250 2.1.5 Recipient ok' said
    done
    explain 0 -P 192.0.2.8 rcpt joe@mx.example
    explain 0 -P 192.0.2.9 rcpt joe@mx.example
    expect "$("$MAILRECV" -c conf -S json)" "$before"
}

@test "what decides and cannot be read by whoever asks is said, and nothing is guessed" {
    unprivileged=()
    [ "$(id -u)" != 0 ] || unprivileged=(setpriv --bounding-set=-all --inh-caps=-all)
    mkdir closed
    : >closed/box
    for file in contacts users senders cert key ca; do : >$file; done
    cat >lines <<END
lockout.db $HERE/contacts
auth optional
auth.users $HERE/users
auth.sender_check on
auth.senders $HERE/senders
tls optional
tls.cert $HERE/cert
tls.key $HERE/key
tls.client_ca $HERE/ca
deliver rcpt_to a@mx.example append $HERE/closed/box
deliver rcpt_to b@mx.example exec $HERE/closed/script
deliver rcpt_to c@mx.example append /dev/null
END
    config <lines
    # asks STATUS WORD...: what is said of files is in `closed_files`
    asks() {
        local status=0 expected=$1
        shift
        "${unprivileged[@]}" "$MAILRECV" -x -c conf -P 192.0.2.7 "$@" </dev/null >said || status=$?
        expect "$status" "$expected"
        sed -nE 's/^    ([a-z._]+): you may not read .*, so that it is not known (.*); ask as root or as the user of the service$/\1 \2/p' said >closed_files
    }
    asks 0 rcpt c@mx.example
    expect "$(cat closed_files)" ''
    asks 0 from ann@y.example tls auth ann@y.example rcpt c@mx.example
    expect "$(cat closed_files)" ''
    chmod 0 contacts users senders cert key ca
    asks 77 rcpt c@mx.example
    expect "$(cat closed_files)" 'lockout.db whether the client is locked out'
    asks 77 from ann@y.example tls auth ann@y.example rcpt c@mx.example
    expect "$(cat closed_files)" 'lockout.db whether the client is locked out
auth.users whether that user can log in
auth.senders which senders that user may be
tls.cert whether TLS can begin
tls.key whether TLS can begin
tls.client_ca whose certificates are believed'
    rm contacts
    asks 0 rcpt c@mx.example
    expect "$(cat closed_files)" ''
    # where a target lies
    trouble='        you may not look there, so that it is not known whether this can be done; mailrecv -t by root knows'
    asks 0 rcpt a@mx.example b@mx.example
    expect "$(grep -cxF "$trouble" said)" 0
    chmod 0 closed
    asks 0 rcpt a@mx.example b@mx.example
    expect "$(grep -cxF "$trouble" said)" 2
    chmod 700 closed
}

@test "nothing is done: no log, no file, no command" {
    config <<END
logfile $HERE/service.log
deliver rcpt_to a@mx.example append $HERE/a
deliver rcpt_to b@mx.example maildir $HERE/b
deliver rcpt_to c@mx.example pipe touch $HERE/c
END
    explain 0 rcpt {a,b,c}@mx.example
    expect "$(ls)" $'conf\noutput\nsaid'
}

@test "what is wrong is said, and the exit status tells" {
    config <<<'deliver rcpt_to @mx.example append /dev/null'
    wrong() { # MESSAGE WORD...
        local message=$1
        shift
        run -64 --separate-stderr "$MAILRECV" -x -c conf "$@" </dev/null
        # shellcheck disable=SC2154 # bats sets it
        expect "$stderr" "mailrecv: $message, see mailrecv -h"
        expect "$output" ''
    }
    wrong "unknown word 'joe@mx.example', expected helo, from, auth, tls, cert or rcpt" joe@mx.example
    for word in helo from auth cert rcpt; do wrong "'$word' needs a value" tls $word; done
    wrong "'12:34' is no SHA-256 fingerprint, expected 64 hexadecimal digits" cert 12:34
    wrong "'' is no name of a user" auth ''
    wrong 'a word holds a control character' rcpt $'a@mx.example\r\nDATA'
    wrong 'a word is too long' rcpt "$(printf %1025s x)"
    wrong "unknown option '-y'" -y rcpt joe@mx.example
    run -74 sh -c '"$MAILRECV" -x -c conf rcpt joe@mx.example </dev/null >/dev/full'
    echo delivr >>conf
    run -78 --separate-stderr "$MAILRECV" -x -c conf rcpt joe@mx.example </dev/null
    expect "$output" ''
    [[ $stderr == "conf:4:1: unknown keyword 'delivr'"* ]]
    # never to a client
    run -64 "$TESTS/tools/over-tcp" 127.0.0.1 "$MAILRECV" -x -c conf -l "$HERE/log" </dev/null
    expect "$output" ''
    grep -q '\] -x is not for real connections$' log
}
