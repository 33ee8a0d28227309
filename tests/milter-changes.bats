#!/usr/bin/env bats
# milter-changes.bats - what becomes of a message that milters change: fields, body, recipients, sender, quarantine

load common
load tools/milters
bats_require_minimum_version 1.5.0

setup() {
    begin
    cat >>milter.conf <<END
deliver rcpt_to third@example.com append $PWD/third
deliver rcpt_to env@example.com pipe env >$PWD/env; cat >$PWD/input
also rcpt_to inbox@example.com append $PWD/also
END
    serve
}

# What is in a mailbox, without what mailrecv adds, but for where our own Received: stands.
stored() {
    sed -E '/^(From |Return-Path:|Delivered-To:|\tby |\tMon,|\tTue,|\tWed,|\tThu,|\tFri,|\tSat,|\tSun,)/d; s/^Received: from client.example .*/Received: OWN/' "$1"
}

# How often a log line says so.
logged() {
    grep -cE "milter action=$1" log || :
}

@test "fields are inserted, added, changed and deleted where a milter says, with folds and blanks as it sends them" {
    MESSAGE=(DATA 'Received: from a.example by b.example' 'Subject: one' 'X-Test: 1' 'x-test:2' 'X-TEST: 3' '' 'Hello' .)
    cat >script <<'END'
eob i 0 X-Top top
eob i 1 X-Above above
eob i 3 X-Below a\r\n\tfold\n evil\nX-Evil: b
eob i 4294967295 X-Last last
eob m 3 X-Test
eob m 2 x-TesT new
eob m 1 Received hidden
eob m 2 Subject more
eob h X-End end
eob accept
END
    message
    diff - <(stored inbox) <<'END'
X-Top: top
X-Above: above
Received: OWN
X-Below: a
	fold
 evil
	X-Evil: b
Received: hidden
Subject: one
X-Test: 1
x-TesT: new
X-Last: last
Subject: more
X-End: end

Hello

END
    rm inbox
    script 'optneg steps HDR_LEADSPC' 'eob i 1 X-None none' 'eob h X-Two   two'
    message
    stored inbox | grep -E '^X-(None|Two)' | diff - <(printf 'X-None:none\nX-Two:  two\n')
}

@test "a body is replaced in memory and in a file, in whatever pieces, for mailboxes and commands" {
    printf 'eob b one\\r\neob b \\ntwo\\r\\n\\r\\nFrom three\neob b .\\r\\nlast\n' >script
    message '<inbox@example.com>' '<env@example.com>'
    diff <(sed '1,/^$/d' input) <(printf 'one\ntwo\n\nFrom three.\nlast\n')
    diff <(sed '1,/^$/d' inbox) <(printf 'one\ntwo\n\n>From three.\nlast\n\n')
    grep -qx "MESSAGE_SIZE=$(stat -c %s input)" env
    yes 'a line of the body' | head -n 20000 >large
    rm inbox
    script "eob b @$PWD/large" 'eob h X-End end'
    message '<inbox@example.com>' '<env@example.com>'
    sed '1,/^$/d' input | cmp - large
    sed '1,/^$/d' inbox | cmp - <(cat large; echo)
    grep -qx 'X-End: end' inbox
    # a large message whose header alone is changed, and one that becomes empty
    mapfile -t lines <large
    MESSAGE=(DATA 'Subject: x' '' "${lines[@]}" .)
    script 'eob m 1 Subject y'
    message '<env@example.com>'
    sed '1,/^$/d' input | cmp - large
    grep -qx 'Subject: y' input
    grep -F '"headers":{"subject":["y"]}' env
    script 'eob b '
    message '<env@example.com>'
    [ "$(tail -n 2 input)" = "$(printf 'Subject: x\n\n')" ] && [ -z "$(tail -n 1 input)" ]
}

@test "what comes before a refusal, or from a milter that fails, changes nothing" {
    printf 'milter unix:%s\nmilter.failure accept\n' "$PWD/sock.second" >>milter.conf
    : >script.second
    serve second
    for end in close half 'bytes x'; do
        rm -f inbox other
        script 'eob m 1 Subject two' 'eob b new' 'eob + other@example.com' 'eob - inbox@example.com' 'eob e <>' 'eob q no' "eob $end"
        message
        [ "$(codes)" = '250 250 354 250' ]
        stored inbox | diff - <(printf '%s\n' 'Received: OWN' 'Subject: one' 'X-Fold: a' $'\tb' '' 'Hello' '.dot' '')
        [ ! -e other ] && [ ! -e held ]
    done
    [ "$(told second | grep -c '^header Subject:one')" = 3 ]
    [ "$(logged '')" = 0 ]
}

@test "a recipient is added if a deliver line takes it, as one more copy, once" {
    script 'eob + other@example.com' 'eob 2 <third@example.com> NOTIFY=NEVER' 'eob + nobody@example.com' 'eob + <other@Example.com>' \
        'eob + inbox@example.com' 'eob + what is that' 'eob + '
    message
    [ "$(codes)" = '250 250 354 250' ]
    grep -qx 'Delivered-To: other@example.com' other
    grep -qx 'Delivered-To: third@example.com' third
    [ "$(cat inbox other third also | grep -c '^From ')" = 4 ]
    grep -q 'milter action=addrcpt stage=end milter="unix:.*" from="ann@client.example" to="other@example.com" text=""$' log
    grep -q 'milter action=addrcpt .* to="third@example.com" text="NOTIFY=NEVER"$' log
    grep -q 'milter action=addrcpt .* ignored="no deliver line takes that address" .* to="nobody@example.com"' log
    [ "$(logged 'addrcpt.* ignored="it is a recipient already"')" = 2 ]
    [ "$(logged 'addrcpt.* ignored="it is no address"')" = 2 ]
    # a dead-letter file is for who has mistyped an address
    echo "deadletter_file $PWD/dead" >>milter.conf
    script 'eob + nobody@example.com'
    message
    [ ! -e dead ]
    # as many as there may be
    sed -i "1i deliver rcpt_to @many.example append $PWD/many" milter.conf
    for n in {1..101}; do echo "eob + $n@many.example"; done >script
    message
    [ "$(grep -c '^From ' many)" = 100 ]
    [ "$(logged 'addrcpt.* ignored="the message has too many recipients"')" = 1 ]
}

@test "a recipient is deleted with its copies, where the local part is the same; the client's RCPT keeps its reply" {
    script 'eob - INBOX@example.com' 'eob - nobody@example.com' 'eob - <>' 'eob - <other@EXAMPLE.com>'
    message '<inbox@example.com>' '<other@example.com>'
    [ "$(codes)" = '250 250 250 354 250' ]
    [ -s inbox ] && [ -s also ] && [ ! -e other ]
    [ "$(logged 'delrcpt.* ignored="it is no recipient"')" = 3 ]
    grep -q 'milter action=delrcpt stage=end milter="unix:.*" from="ann@client.example" to="other@EXAMPLE.com" text=""$' log
    grep -q 'delivery result=delivered .* path="/dev/null" .* to="other@example.com"' log
    rm inbox also
    # the last one
    script 'eob - inbox@example.com'
    message
    [ "$(codes)" = '250 250 354 250' ]
    [ ! -e inbox ] && [ ! -e also ]
    [ "$(grep -c 'delivery result=delivered .* path="/dev/null"' log)" = 2 ]
    # instead of it another one, as it was written, and one that was added
    script 'eob - Other@Example.com' 'eob + inbox@example.com' 'eob + third@example.com' 'eob - third@example.com'
    message '<Other@Example.com>'
    [ "$(codes)" = '250 250 354 250' ]
    [ -s inbox ] && [ ! -e other ] && [ ! -e third ]
    # deleted and added
    script 'eob - other@example.com' 'eob + other@example.com'
    message '<other@example.com>'
    [ "$(grep -c '^From ' other)" = 1 ]
}

@test "each RCPT has its reply by LMTP and PRDR, whoever is deleted, added or held" {
    sed '$a protocol lmtp' milter.conf >lmtp.conf
    while IFS='|' read -r answers files; do
        rm -f inbox also other third held
        tr ';' '\n' <<<"$answers" >script
        conf=lmtp.conf session 'LHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<inbox@example.com>' \
            'RCPT TO:<other@example.com>' 'RCPT TO:<inbox@example.com>' "${MESSAGE[@]}"
        [ "$(codes)" = '250 250 250 250 354 250 250 250' ] || { echo "$answers: $(codes)"; return 1; }
        [ "$(find inbox also other third held 2>/dev/null | paste -sd' ')" = "$files" ] || { ls; return 1; }
        session 'EHLO client.example' 'MAIL FROM:<ann@client.example> PRDR' 'RCPT TO:<inbox@example.com>' \
            'RCPT TO:<other@example.com>' "${MESSAGE[@]}"
        [ "$(codes)" = '250 250 250 354 353 250 250 250' ] || { echo "$answers: $(codes)"; return 1; }
    done <<'END'
eob continue|inbox also other
eob - other@example.com|inbox also
eob - inbox@example.com|other
eob - inbox@example.com;eob - other@example.com|
eob + third@example.com;eob - inbox@example.com|other third
eob + third@example.com;eob - inbox@example.com;eob - other@example.com|third
eob q look;eob - other@example.com|held
eob discard|
END
}

@test "the sender becomes another one for mailboxes, commands and the next server; the log keeps what the client said" {
    script 'eob e <new@client.example> SIZE=1' 'eob e bad' 'eob e a@-b-.example-'
    message '<inbox@example.com>' '<env@example.com>'
    grep -q '^From new@client.example ' inbox
    grep -qx 'Return-Path: <new@client.example>' inbox
    grep -qx 'SENDER=new@client.example' env
    grep -q 'delivery result=delivered .* path=".*/inbox" from="ann@client.example" ' log
    grep -q 'milter action=changefrom stage=end milter="unix:.*" from="ann@client.example" to="" text="<new@client.example>"$' log
    [ "$(logged 'changefrom.* ignored="it is no address"')" = 2 ]
    script 'eob e <>'
    message '<env@example.com>'
    grep -qx 'SENDER=' env
    # of this message alone
    script 'mail accept'
    message '<env@example.com>'
    grep -qx 'SENDER=ann@client.example' env
    # one that has heard of another sender, or of a recipient that is deleted, has the message in a new transaction
    echo "deliver rcpt_to @next.example lmtp unix:$PWD/next ask" >>milter.conf
    "$TESTS/tools/next-server" -n 4 "$PWD/next" 3>&- &
    services+=" $!"
    until [ -S next ]; do sleep 0.02; done
    script 'eob e new@client.example'
    message '<a@next.example>'
    script 'eob - b@next.example'
    message '<a@next.example>' '<b@next.example>'
    [ "$(codes)" = '250 250 250 354 250' ]
    tr -d '\r' <heard | grep -E '^(MAIL|RCPT|DATA)' | sed 's/ SIZE=.*//' | diff - <(printf '%s\n' 'MAIL FROM:<ann@client.example>' \
        'RCPT TO:<a@next.example>' 'MAIL FROM:<new@client.example>' 'RCPT TO:<a@next.example>' DATA 'MAIL FROM:<ann@client.example>' \
        'RCPT TO:<a@next.example>' 'RCPT TO:<b@next.example>' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<a@next.example>' DATA)
}

@test "a message that is held goes to the quarantine alone, for those who would have had it" {
    script 'eob q look at it' 'eob h X-Look yes' 'eob + third@example.com' 'eob - other@example.com'
    message '<inbox@example.com>' '<other@example.com>'
    [ "$(codes)" = '250 250 250 354 250' ]
    stored held | diff - <(printf '%s\n' 'X-Original-To: inbox@example.com' 'X-Original-To: third@example.com' 'Received: OWN' \
        'Subject: one' 'X-Fold: a' $'\tb' 'X-Look: yes' '' 'Hello' '.dot' '')
    [ ! -e inbox ] && [ ! -e also ] && [ ! -e other ] && [ ! -e third ]
    grep -q 'milter action=quarantine stage=end milter="unix:.*" from="ann@client.example" to="" text="look at it"$' log
    # if nobody is left, too
    rm held
    script 'eob q look at it' 'eob - inbox@example.com'
    message
    [ "$(codes)" = '250 250 354 250' ]
    [ "$(grep -c '^From ' held)" = 1 ]
    sed '/^quarantine/d' milter.conf >none.conf
    conf=none.conf message
    [ "$(codes)" = '250 250 354 451' ]
    grep -q 'milter action=quarantine .* ignored="there is no quarantine: the client is told to try again"' log
}

@test "what policy services want comes before: fields are counted, a copy can be deleted, what is held stays so" {
    printf 'policy rcpt exec /bin/sh %s\n' "$PWD/policy" >>milter.conf
    cat >policy <<'END'
while read -r line; do [ -n "$line" ] || { cat answer; echo; }; done
END
    echo 'action=PREPEND X-Policy: yes' >answer
    script 'eob i 1 X-First one' 'eob i 3 X-Third three'
    message
    stored inbox | head -n 4 | diff - <(printf '%s\n' 'X-Policy: yes' 'X-First: one' 'Received: OWN' 'X-Third: three')
    echo 'action=BCC other@example.com' >answer
    script 'eob - other@example.com'
    message
    [ ! -e other ]
    rm inbox
    echo 'action=HOLD' >answer
    script 'eob + third@example.com' 'eob e new@client.example'
    message
    [ "$(codes)" = '250 250 354 250' ]
    [ ! -e inbox ] && [ ! -e third ]
    grep '^X-Original-To' held | diff - <(printf 'X-Original-To: %s\n' inbox@example.com third@example.com)
    grep -qx 'Return-Path: <new@client.example>' held
}

@test "a message that is sent again is the same, whatever milters make of it each time" {
    cat >>milter.conf <<END
deliver rcpt_to first@example.com pipe echo "\$DELIVERY_ID" >>$PWD/first
deliver rcpt_to added@example.com pipe echo "\$DELIVERY_ID" >>$PWD/added
deliver rcpt_to fails@example.com append $PWD/missing/box
END
    sed "\$a ledger $PWD/ledger" milter.conf >ledger.conf
    for n in 1 2 3; do
        script "eob i 0 X-Attempt $n" "eob m 1 Subject $n" "eob b $n" "eob e $n@client.example" 'eob + added@example.com'
        [ "$n" -lt 3 ] || mkdir missing
        conf=ledger.conf message '<first@example.com>' '<fails@example.com>'
        [ "$(codes)" = "250 250 250 354 $((n < 3 ? 451 : 250))" ]
    done
    # each had it once, and whoever has waited has what milters made of the last one
    [ "$(wc -l <first)" = 1 ] && [ "$(wc -l <added)" = 1 ]
    stored missing/box | diff - <(printf '%s\n' 'X-Attempt: 3' 'Received: OWN' 'Subject: 3' 'X-Fold: a' $'\tb' '' 3 '')
    # without a ledger the id alone says it
    rm -r first added missing
    for n in 4 5; do
        script "eob i 0 X-Attempt $n" "eob m 1 Subject $n" "eob b $n" "eob e $n@client.example" 'eob + added@example.com'
        message '<first@example.com>' '<fails@example.com>'
    done
    [ "$(wc -l <first)" = 2 ] && [ "$(sort -u first | wc -l)" = 1 ]
    [ "$(wc -l <added)" = 2 ] && [ "$(sort -u added | wc -l)" = 1 ]
}
