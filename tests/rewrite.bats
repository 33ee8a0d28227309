#!/usr/bin/env bats
# rewrite lines: addresses become others before anything else is decided about them

bats_require_minimum_version 1.5.0
load common
load tools/delivery

@test "a recipient becomes what the line says: by number, by name, all of it; rules, commands and the log know the new one" {
    config <<END
rewrite rcpt_to /^(.+)-(?<tag>.+)@old\.example$/ \${1}+\${tag}@mx.example
rewrite rcpt_to /^joe\.?/ \${0}doe
rewrite rcpt_to /^[^@]+/ all-\${0}@mx.example
recipient_delimiter +
deliver rcpt_to ann@mx.example pipe echo "\$RECIPIENT \$EXTENSION \$ORIGINAL_RECIPIENT" >>$HERE/seen
deliver rcpt_to all-bob@mx.example append $HERE/box
refuse rcpt_to ann-list@old.example 550 5.1.6 Gone
END
    echo text | send s@client.example Ann-List@old.example bob@elsewhere.example
    [[ $REPLY == 250* ]]
    expect "$(cat seen)" 'Ann+List@mx.example List Ann-List@old.example'
    grep -qx 'Delivered-To: all-bob@mx.example' box
    grep -q '\] rewrite rule=3 to="Ann-List@old.example" as="Ann+List@mx.example"$' log
    grep -q '\] rewrite rule=5 to="bob@elsewhere.example" as="all-bob@mx.example"$' log
    grep -q '\] delivery result=delivered .* rule=7 .* to="Ann+List@mx.example"$' log
}

@test "a sender becomes another one, or <>: checks, rules and commands know the new one" {
    config <<END
rewrite sender /^srs0=[^=]+=[^=]+=([^=]+)=(.+)@mx\.example$/ \${2}@\${1}
rewrite sender /^bounce-/ <>
deliver from ann@client.example rcpt_to a@mx.example pipe echo "\$SENDER" >>$HERE/seen
deliver from <> rcpt_to a@mx.example pipe echo null >>$HERE/seen
END
    echo text | send SRS0=HH=TT=client.example=ann@mx.example a@mx.example
    [[ $REPLY == 250* ]]
    echo text | send bounce-17@client.example a@mx.example
    [[ $REPLY == 250* ]]
    expect "$(cat seen)" $'ann@client.example\nnull'
    grep -q '\] rewrite rule=4 from="bounce-17@client.example" as=""$' log
}

@test "it is done once, by the first line that matches" {
    config <<END
rewrite rcpt_to /^a@/ b@mx.example
rewrite rcpt_to /^b@/ c@mx.example
rewrite rcpt_to /^a@/ d@mx.example
deliver rcpt_to b@mx.example append $HERE/b
deliver rcpt_to c@mx.example append $HERE/c
END
    echo text | send s@client.example a@mx.example
    [ -e b ]
    echo text | send s@client.example b@mx.example
    [ "$(grep -c ^Delivered-To: b)" = 1 ]
    [ "$(grep -c ^Delivered-To: c)" = 1 ]
}

@test "two recipients that become one are one delivery" {
    config <<END
rewrite rcpt_to /^(a|b)@/ c@mx.example
deliver rcpt_to c@mx.example append $HERE/box
END
    echo text | send s@client.example a@mx.example b@mx.example c@mx.example
    [[ $REPLY == 250* ]]
    [ "$(grep -c ^Delivered-To: box)" = 1 ]
    grep -q 'messages=1' log
}

@test "what comes out and is no address is 451, with its reason in the log; other recipients go on" {
    config <<END
rewrite rcpt_to /^x(.*)@/ \${1}
rewrite sender /^y/ \${0}z
deliver rcpt_to @mx.example append $HERE/box
END
    echo text | send s@client.example xa@mx.example b@mx.example
    [[ $REPLY == 250* ]]
    grep -qx '451 4.3.0 This address cannot be checked now, try again later' replies
    grep -q '^.*conf:3:17: the pattern "^x(.\*)@" decides nothing: it makes no address: "a"$' log
    [ "$(grep -c ^Delivered-To: box)" = 1 ]
    echo text | send y@client.example b@mx.example || true
    [ "$(grep -c '^451 4.3.0 This address' replies)" = 1 ]
    [ "$(grep -c ^Delivered-To: box)" = 1 ]
}

@test "an address that is too long behind rewriting is 451, and nothing is cut" {
    config <<END
rewrite rcpt_to /^(x+)@/ \${1}\${1}\${1}\${1}\${1}\${1}@mx.example
deliver rcpt_to @mx.example append $HERE/box
END
    echo text | send s@client.example "$(printf 'x%.0s' $(seq 60))@mx.example" b@mx.example
    grep -qx '451 4.3.0 This address cannot be checked now, try again later' replies
    [ "$(grep -c ^Delivered-To: box)" = 1 ]
}

@test "a message that is delivered again is not rewritten again" {
    config <<END
rewrite rcpt_to /^(.+)@/ x\${1}@mx.example
rewrite sender /^(.+)@/ x\${1}@client.example
deliver rcpt_to @mx.example append $HERE/box
END
    echo text | send s@client.example a@mx.example
    [[ $REPLY == 250* ]]
    mv box saved
    run -0 "$MAILRECV" -r saved -c conf -l log
    grep -qx 'Delivered-To: xa@mx.example' box
    grep -qx 'Return-Path: <xs@client.example>' box
}

@test "-x shows each line that is tried, and what it makes" {
    config <<END
rewrite rcpt_to /^b@/ c@mx.example
rewrite rcpt_to /^a@/ b@mx.example
deliver rcpt_to b@mx.example append $HERE/box
END
    run -0 "$MAILRECV" -x -c conf -P "$CLIENT" rcpt a@mx.example
    grep -qxF '    conf:3: rewrite rcpt_to "^b@" does not match "a@mx.example"' <<<"$output"
    grep -qxF '    conf:4: rewrite rcpt_to "^a@" matches "a@mx.example"' <<<"$output"
    grep -qxF '    conf:4: rewrite rcpt_to makes it "b@mx.example"' <<<"$output"
    grep -qxF 'delivery to b@mx.example' <<<"$output"
}
