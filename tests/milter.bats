#!/usr/bin/env bats
# milter.bats - milters: what they are told at each stage, what becomes of their answers, and of their failures

load common
load tools/milters
bats_require_minimum_version 1.5.0

setup() { begin; }

@test "a milter is told of all that is accepted, in order, and of nothing else" {
    serve
    message '<inbox@example.com>' '<nobody@example.com>'
    diff - <(told) <<'END'
open
optneg 6 0x1ff 0x1ff7ff
connect client.example 4 0 192.0.2.7
helo client.example
mail <ann@client.example> SIZE=100
rcpt <inbox@example.com>
data
header Subject:one
header X-Fold:a\n\tb
eoh
body 13 Hello\r\n.dot\r\n
eob 13 b3910978fd6d0f6cc77508b7e465c044
quit
END
    [ "$(codes)" = '250 250 550 354 250' ]
}

@test "a client that never says MAIL costs no milter anything" {
    serve
    session 'EHLO client.example' NOOP RSET
    [ "$(told)" = '' ]
}

@test "the macros of each stage are those of Sendmail and Postfix" {
    serve
    message
    id=$(sed -n 's/.* delivery result=delivered id=\([^ ]*\) .*/\1/p' log)
    sed -n "s/^1 macro //p" seen | sed -E "s/$id/ID/; s/ b=.*/ b=DATE/" | diff - <(cat <<'END'
connect j=mail.example.com
connect _=client.example [192.0.2.7]
connect v=mailrecv 2.0
connect {daemon_name}=mail.example.com
connect {client_addr}=192.0.2.7
connect {client_name}=client.example
connect {client_ptr}=client.example
connect {client_resolve}=OK
helo j=mail.example.com
mail i=ID
mail {mail_addr}=ann@client.example
mail {mail_host}=client.example
mail {mail_mailer}=smtp
rcpt i=ID
rcpt {rcpt_addr}=inbox@example.com
rcpt {rcpt_host}=example.com
rcpt {rcpt_mailer}=local
data i=ID
eoh i=ID
eob j=mail.example.com
eob i=ID
eob b=DATE
END
)
}

@test "a milter that asks for certain macros is told these, and those of milter.macros in any case" {
    script 'optneg macros rcpt {rcpt_addr} {nothing} j' 'optneg macros eob {nothing}' 'optneg macros mail i,{mail_addr}'
    echo 'milter.macros {site}=north r=x mail_addr=y' >>milter.conf
    serve
    message
    grep -E '^1 macro (mail|rcpt|eob)' seen | cut -d' ' -f3- | sed 's/^mail i=.*/mail i=ID/' | diff - <(cat <<'END'
mail {site}=north
mail r=x
mail {mail_addr}=y
mail i=ID
mail {mail_addr}=ann@client.example
rcpt {site}=north
rcpt r=x
rcpt {mail_addr}=y
rcpt {rcpt_addr}=inbox@example.com
rcpt j=mail.example.com
eob {site}=north
eob r=x
eob {mail_addr}=y
END
)
}

@test "each answer at each stage comes to what it comes to with Postfix" {
    serve
    while read -r stage answer wanted; do
        script "$stage $answer"
        rm -f inbox
        message
        [[ "$(codes) " = "$wanted "* ]] || { echo "$stage $answer: $(codes), not $wanted"; return 1; }
        # what was accepted is there, unless it was thrown away
        case "$stage $answer $wanted" in
        connect\ discard* | helo\ discard*) [ -s inbox ] ;; # there is nothing yet to throw away
        *discard*) [ ! -e inbox ] ;;
        *'354 250') [ -s inbox ] ;;
        *) [ ! -e inbox ] ;;
        esac || { echo "$stage $answer: inbox"; return 1; }
    done <<'END'
connect accept 250 250 354 250
connect continue 250 250 354 250
connect skip 250 250 354 250
connect discard 250 250 354 250
connect reject 550 503 503
helo accept 250 250 354 250
helo discard 250 250 354 250
helo tempfail 451 503 503
mail accept 250 250 354 250
mail discard 250 250 354 250
mail skip 250 250 354 250
mail reject 550 503 503
rcpt accept 250 250 354 250
rcpt skip 250 250 354 250
rcpt discard 250 250 354 250
rcpt reject 250 550 554
rcpt tempfail 250 451 554
data accept 250 250 354 250
data reject 250 250 550
header accept 250 250 354 250
header skip 250 250 354 250
header discard 250 250 354 250
header reject 250 250 354 550
eoh accept 250 250 354 250
eoh tempfail 250 250 354 451
body accept 250 250 354 250
body skip 250 250 354 250
body reject 250 250 354 550
eob accept 250 250 354 250
eob skip 250 250 354 250
eob discard 250 250 354 250
eob reject 250 250 354 550
eob tempfail 250 250 354 451
eob shutdown 250 250 354
END
}

@test "a reply of a milter is the client's, with its lines and percent signs, and in the log" {
    serve
    script 'rcpt reply 554 5.7.9 100%% sure' 'eob reply 551 no code'
    message '<inbox@example.com>'
    grep -qx '554 5.7.9 100% sure' replies
    grep -q 'ERROR: 554 - stage=rcpt refused=1/25 milter=rcpt service=unix:[^ ]*/sock .*detail="100% sure"' log
    script 'eob reply 551 no code'
    message
    grep -qx '551 5.7.1 no code' replies
    script 'mail reply 450-4.2.0 one\r\n450 4.2.0 two'
    message
    grep -qx '450-4.2.0 one' replies
    grep -qx '450 4.2.0 two' replies
    script 'mail reply 421 4.3.2 Bye'
    message
    [ "$(tail -n 1 replies)" = '421 4.3.2 Bye' ]
    script 'mail reply 250 2.0.0 Ok'
    message
    grep -qx '451 4.7.1 A filter cannot be asked now, try again later' replies
    grep -q 'milter failed stage=mail milter="unix:.*" reason="its reply is no refusal"' log
}

@test "header, body and envelope become what the milter wants, once it has accepted" {
    cat >script <<'END'
eob h X-Added yes
eob i 0 X-Top top
eob i 2 X-Below below
eob m 1 Subject two
eob m 1 X-Fold
eob b new\r\n
eob b body
eob + <other@example.com>
eob accept
END
    serve
    message
    [ "$(codes)" = '250 250 354 250' ]
    sed -E '/^(From|Return-Path|Delivered-To|Received:|	by|	[A-Z])/d' inbox | diff - <(cat <<'END'
X-Top: top
X-Below: below
Subject: two
X-Added: yes

new
body

END
)
    grep -q '^X-Top: top$' other
    grep -q 'milter action=addheader stage=end milter="unix:.*/sock" from="ann@client.example" to="" text="X-Added: yes"$' log
    grep -q 'milter action=replacebody ' log
    sed -i 's/eob accept/eob reject/' script
    message
    [ "$(codes)" = '250 250 354 550' ]
    [ "$(grep -c '^From ' inbox)" = 1 ]
}

@test "of several milters each sees what those before have left, and the first refusal ends it" {
    printf 'milter unix:%s\n' "$PWD/sock.second" >>milter.conf
    script 'eob m 1 Subject two' 'eob h X-New new' 'eob b new body\r\n'
    : >script.second
    serve
    serve second
    message
    told second | grep -E '^(header|body)' | diff - <(printf '%s\n' 'header Subject:two' 'header X-Fold:a\n\tb' 'header X-New:new' \
        'body 10 new body\r\n')
    script 'rcpt reject'
    : >seen.second
    message
    [ "$(told second | grep rcpt)" = '' ]
    script 'mail discard'
    : >seen.second
    message
    [ "$(codes)" = '250 250 354 250' ]
    [ "$(told second)" = '' ]
}

@test "what a policy service adds is shown, and what one discards is not" {
    printf 'policy rcpt exec /bin/sh %s\n' "$PWD/policy" >>milter.conf
    cat >policy <<'END'
while read -r line; do [ -n "$line" ] || { cat answer; echo; }; done
END
    echo 'action=PREPEND X-Policy: yes' >answer
    serve
    message
    told | grep -m 1 header | grep -qx 'header X-Policy:yes'
    echo 'action=DISCARD' >answer
    : >seen
    message
    [ "$(codes)" = '250 250 354 250' ]
    [ "$(told | grep -E 'header|eob')" = '' ]
}

@test "messages of a session share a connection, and one that ends early is aborted" {
    serve
    session 'EHLO client.example' 'MAIL FROM:<a@client.example>' RSET 'MAIL FROM:<b@client.example>' 'RCPT TO:<inbox@example.com>' \
        'EHLO second.example' 'MAIL FROM:<c@client.example>' 'RCPT TO:<inbox@example.com>' "${MESSAGE[@]}" 'MAIL FROM:<d@client.example>'
    told | grep -Ev 'header|body|eoh|open|optneg|connect' | cut -d' ' -f1,2 | diff - <(cat <<'END'
helo client.example
mail <a@client.example>
abort
mail <b@client.example>
rcpt <inbox@example.com>
abort
helo second.example
mail <c@client.example>
rcpt <inbox@example.com>
data
eob 13
mail <d@client.example>
abort
quit
END
)
}

@test "a milter is told of what is no command, while there is a message, and its refusal is the reply" {
    serve
    script 'unknown:BAR reply 502 5.5.1 no bar'
    session 'EHLO client.example' FOO 'MAIL FROM:<a@client.example>' 'FOO x' 'RCPT TO:<inbox@example.com>' 'BAR y' "${MESSAGE[@]}" FOO
    [ "$(told | grep unknown | paste -sd' ')" = 'unknown FOO unknown BAR' ]
    [ "$(codes)" = '500 250 500 250 502 354 250 500' ]
    grep -qx '502 5.5.1 no bar' replies
    # none comes between chunks of a message, where libmilter would not answer
    : >seen
    session 'EHLO client.example' 'MAIL FROM:<a@client.example>' 'RCPT TO:<inbox@example.com>' 'BDAT 14' 'Subject: one' \
        'BAR y' 'BDAT 8 LAST' '' 'text' 'BAR z'
    [ "$(codes)" = '250 250 250 500 250 500' ]
    [ "$(told | grep unknown)" = '' ]
    : >seen
    script 'optneg steps NOUNKNOWN'
    session 'EHLO client.example' 'MAIL FROM:<a@client.example>' FOO
    [ "$(told | grep -c unknown)" = 0 ]
}

@test "once one milter has refused DATA, no other hears of recipients, lines or DATA that come behind it" {
    printf 'milter unix:%s\n' "$PWD/sock.second" >>milter.conf
    serve
    serve second
    for answer in 'reject:550 550 550' 'close:451 451 451'; do
        : >seen
        echo "data ${answer%:*}" >script.second
        session 'EHLO client.example' 'MAIL FROM:<a@client.example>' 'RCPT TO:<inbox@example.com>' DATA \
            'RCPT TO:<other@example.com>' FOO DATA RSET 'MAIL FROM:<b@client.example>' 'RCPT TO:<inbox@example.com>'
        [ "$(codes)" = "250 250 ${answer#*:} ${answer:(-3)} 250 250 250" ]
        [ "$(told | sed 1,4d | paste -sd' ')" = 'mail <a@client.example> rcpt <inbox@example.com> data abort mail <b@client.example> rcpt <inbox@example.com> abort quit' ]
    done
}

@test "a client that a peer speaks for has a connection of its own" {
    echo 'xclient ^192\.0\.2\.7$' >>milter.conf
    serve
    session 'EHLO peer.example' 'MAIL FROM:<a@client.example>' RSET 'XCLIENT ADDR=192.0.2.9 NAME=ann.example' 'EHLO ann.example' \
        'MAIL FROM:<b@client.example>'
    told | grep -E 'connect|quit' | sort | diff - <(printf '%s\n' 'connect ann.example 4 0 192.0.2.9' 'connect client.example 4 0 192.0.2.7' quit quit)
    grep -q '^2 macro connect {client_addr}=192.0.2.9$' seen
}

@test "a milter is told no step that it does not want, and not waited for where it does not answer" {
    serve
    script 'optneg steps NOCONNECT NOHELO NOMAIL NORCPT NODATA NOHDRS NOEOH NOBODY'
    message
    [ "$(codes)" = '250 250 354 250' ]
    [ "$(told | paste -sd' ')" = 'open optneg 6 0x1ff 0x1ff7ff eob 0 d41d8cd98f00b204e9800998ecf8427e quit' ]
    : >seen
    # as rspamd has it
    script 'optneg steps NR_CONN NR_HELO NR_MAIL NR_RCPT NR_DATA NR_HDR NR_EOH NR_BODY' 'eob reject'
    message
    [ "$(codes)" = '250 250 354 550' ]
    [ "$(told | grep -cE '^(connect|helo|mail|rcpt|data|eoh|body|eob) ?')" = 8 ]
    : >seen
    script 'optneg steps HDR_LEADSPC'
    message
    told | grep -qx 'header Subject: one'
    : >seen
    script 'optneg version 2'
    message
    [ "$(codes)" = '250 250 354 250' ]
    [ "$(told | grep -c '^data')" = 0 ]
    script 'optneg version 7'
    message
    [ "$(codes | cut -c1-3)" = 451 ]
    grep -q 'reason="it speaks version 7 of the protocol, expected 2 to 6"' log
}

@test "a body goes in packets of 65535 bytes, until the milter skips the rest" {
    { printf '%s\n' 'Subject: x' ''; yes 'a line of the body, which has sixty-two bytes with its line end' | head -n 4000; } >large
    mapfile -t lines <large
    serve
    session 'EHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<inbox@example.com>' DATA "${lines[@]}" .
    [ "$(told | sed -n 's/^body \([0-9]*\) .*/\1/p' | paste -sd' ')" = '65535 65535 65535 63395' ]
    grep -q "^1 eob 260000 $(sed '1,2d; s/$/\r/' large | md5sum | cut -d' ' -f1)" seen
    : >seen
    script 'optneg steps SKIP' 'body skip'
    session 'EHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<inbox@example.com>' DATA "${lines[@]}" .
    [ "$(told | grep -c '^body')" = 1 ]
    [ "$(codes)" = '250 250 354 250' ]
}

@test "an answer too many is none to the next command, and none of the next milter" {
    printf 'milter unix:%s\n' "$PWD/sock.second" >>milter.conf
    echo 'eob reject' >script.second
    serve
    serve second
    two='\0\0\0\x01c\0\0\0\x01c'
    for stage in optneg connect helo mail rcpt data header eoh body; do
        script "$stage bytes $two" "$stage none" 'eob accept'
        [ "$stage" != optneg ] || script 'open packet c x' 'eob accept'
        message
        [[ $(codes) = *451* && ! -e inbox ]] || { echo "$stage: $(codes)"; return 1; }
    done
    # one that comes while there is nothing to answer
    script 'optneg steps NR_MAIL' 'mail progress' 'mail continue'
    { printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@client.example>'
        until grep -q '> continue' <(grep -A3 '^[0-9]* mail' seen | tail -n 1); do sleep 0.02; done
        printf '%s\r\n' 'RCPT TO:<inbox@example.com>'; } | "$MAILRECV" -c milter.conf -P 192.0.2.7=client.example >replies
    tail -n 2 replies | grep -q '^451'
    [ "$(grep -c 'reason="it has answered' log)" = 10 ]
    # behind the last command the first one counts, for this message
    script "eob bytes $two" 'eob none'
    session 'EHLO client.example' 'MAIL FROM:<a@client.example>' 'RCPT TO:<inbox@example.com>' "${MESSAGE[@]}" \
        'MAIL FROM:<b@client.example>' 'RCPT TO:<inbox@example.com>' "${MESSAGE[@]}"
    [ "$(codes)" = '250 250 354 550 250 250 354 550' ]
    [ "$(told second | grep -c '^eob')" = 2 ]
}

@test "a field whose name is larger than a packet keeps no milter from seeing the message" {
    name=$(head -c 70000 /dev/zero | tr '\0' x)
    echo 'milter.failure accept' >>milter.conf
    script 'eob reject'
    serve
    session 'EHLO client.example' 'MAIL FROM:<a@client.example>' 'RCPT TO:<inbox@example.com>' DATA "$name: x" 'Subject: x' '' .
    [ "$(codes)" = '250 250 354 550' ]
    [ "$(told | sed -n 's/^header //p' | awk '{ print length }' | paste -sd' ')" = '60001 9' ]
}

@test "a milter that fails at any stage, in any way: what milter.failure says, and nothing gets through that it does not let" {
    sessions=0
    serve
    for failure in tempfail accept reject quarantine; do
        sed "\$a milter.failure $failure" milter.conf >"$failure.conf"
    done
    for stage in optneg connect helo mail rcpt data header eoh body eob; do
        for how in close half 'packet z x' 'bytes 220 hello there\r\n' 'packet h X'; do
            script "$stage $how"
            for failure in tempfail accept reject quarantine; do
                # all of them where it closes the connection, and one for each of the other ways
                [[ $how = close || $failure = tempfail || $stage = rcpt ]] || continue
                rm -f inbox held
                conf=$failure.conf message
                sessions=$((sessions + 1))
                case $failure in
                tempfail) [[ $(codes) = *451* && ! -e inbox && ! -e held ]] ;;
                reject) [[ $(codes) = *550* && ! -e inbox && ! -e held ]] ;;
                accept) [[ $(codes) = '250 250 354 250' && -s inbox && ! -e held ]] ;;
                quarantine) [[ $(codes) = '250 250 354 250' && ! -e inbox && -s held ]] ;;
                esac || { echo "$stage $how, $failure: $(codes)"; return 1; }
            done
        done
    done
    [ "$(grep -c 'milter failed stage=.* milter="unix:.*" reason="' log)" = "$sessions" ]
}

@test "a new body that cannot be kept is no failure of the milter: nothing else is delivered in its place" {
    printf '%s\n' 'milter.failure accept' 'spool_directory /nonexistent' >>milter.conf
    head -c 200000 /dev/zero | tr '\0' x >large
    script "eob b @$PWD/large" 'eob accept'
    serve
    message
    grep -qx '451 4.3.0 The message cannot be changed now, try again later' replies
    [ ! -e inbox ]
    grep -q 'cannot keep what a milter wants changed: No such file or directory$' log
    # nor is a file that may not be larger
    sed -i '$d' milter.conf
    (ulimit -f 100; message)
    grep -qx '451 4.3.0 The message cannot be changed now, try again later' replies
    [ ! -e inbox ]
    grep -q 'cannot keep what a milter wants changed: File too large$' log
}

@test "a milter that is not there is asked again for the next message, and found when it is back" {
    session 'EHLO client.example' 'MAIL FROM:<a@client.example>' 'MAIL FROM:<a@client.example>'
    [ "$(codes)" = '451 451' ]
    grep -q 'milter failed stage=connect milter="unix:.*" reason="cannot connect to .*/sock: No such file or directory"' log
    serve
    # the connection of the first message is closed when the second comes
    script 'abort close'
    session 'EHLO client.example' 'MAIL FROM:<a@client.example>' RSET 'MAIL FROM:<b@client.example>'
    [ "$(codes)" = '250 250 250' ]
    [ "$(told | grep -c open)" = 2 ]
}

@test "one that is late is given up when its time is over, and one that says it is at work is not" {
    sed -i 's/^limit.milter_secs .*/limit.milter_secs 2 451 4.7.0 Too late/' milter.conf
    serve
    script 'mail silent'
    message
    grep -qx '451 4.7.0 Too late' replies
    grep -q 'milter failed stage=mail .* reason="it has not answered in time"' log
    script 'eob sleep 0.7' 'eob progress' 'eob sleep 0.7' 'eob progress' 'eob sleep 0.7' 'eob accept'
    message
    [ "$(codes)" = '250 250 354 250' ]
}

@test "nothing passes a milter that could not answer because mailrecv was stopped, whatever milter.failure says" {
    echo 'milter.failure accept' >>milter.conf
    script 'rcpt silent'
    serve
    mkfifo lines
    "$MAILRECV" -c milter.conf -P 192.0.2.7 <lines >replies &
    services+=" $!"
    exec 8>lines
    printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@client.example>' 'RCPT TO:<inbox@example.com>' "${MESSAGE[@]}" >&8
    until told | grep -q '^rcpt'; do sleep 0.02; done
    kill -TERM $!
    wait $! || :
    exec 8>&-
    tr -d '\r' <replies | grep -qx '451 4.7.1 A filter cannot be asked now, try again later'
    grep -q 'milter failed stage=rcpt .* reason="the service is being stopped"' log
    [ ! -e inbox ]
}

@test "a milter is asked about the clients that its line names" {
    serve
    printf 'allowgroup us ^192\\.0\\.2\\.7$\nallowgroup them ^192\\.0\\.2\\.8$\n' >>milter.conf
    for clients in 'for allowgroup us:1' 'for allowgroup them:0' 'not allowgroup us:0' 'not allowgroup them:1' \
        'for allowgroup us not allowgroup them:1' 'for allowgroup us not allowgroup us:0'; do
        sed "s|^milter unix.*|& ${clients%:*}|" milter.conf >for.conf
        : >seen
        conf=for.conf message
        [ "$(codes)" = '250 250 354 250' ]
        [ "$(told | grep -c eob)" = "${clients#*:}" ]
    done
}

@test "what is written wrongly in a milter line is shown where it stands" {
    while IFS='|' read -r line message; do
        printf 'logfile %s\n%s\n' "$PWD/log" "$line" >wrong.conf
        run ! "$MAILRECV" -t -c wrong.conf
        [[ $output = *"$message"* ]] || { echo "$line: $output"; return 1; }
    done <<'END'
milter|expected the place of a milter
milter nowhere|'nowhere' is no place of a service: there is no port; expected unix:PATH, HOST:PORT or [ADDRESS]:PORT
milter /sock allowgroup us|unexpected 'allowgroup', expected 'for allowgroup' or 'not allowgroup'
milter /sock for us|expected 'allowgroup'
milter.failure pass|unexpected 'pass'
milter.macros x|'x' is no macro, expected NAME=VALUE
milter.macros {}=x|'{}=x' is no macro, expected NAME=VALUE
milter.macros|expected NAME=VALUE
END
}

@test "as many macros as a file may have are all told, and one more is a mistake" {
    local i value

    value=$(printf '%1000s' '' | tr ' ' x)
    for i in {01..16}; do echo "milter.macros m$i=$value"; done >>milter.conf
    serve
    message
    [ "$(grep -cE "^1 macro mail \{m[0-9]+\}=$value$" seen)" -eq 16 ]
    grep -qx '1 macro mail {mail_addr}=ann@client.example' seen
    echo "milter.macros last=$value" >>milter.conf
    run ! "$MAILRECV" -t -c milter.conf
    [[ $output = *"all macros together have more than 16384 bytes"* ]]
}

@test "-t reaches each milter, and says what it wants" {
    run "$MAILRECV" -t -c milter.conf
    [[ $output = *"milter.conf:3:13: warning: $PWD/sock is not there: "* ]]
    script 'optneg actions ADDHDRS QUARANTINE' 'optneg steps NOHELO NOBODY'
    serve
    run "$MAILRECV" -t -c milter.conf
    [[ $output = *"milter.conf:3:8: note: this milter speaks version 6 of the protocol, and may do this: add fields, have messages kept back; it is told all but HELO, the body"* ]]
    script 'optneg actions 0'
    run "$MAILRECV" -t -c milter.conf
    [[ $output = *"may do this: nothing; it is told all"$'\n'* ]]
    script 'optneg close'
    run "$MAILRECV" -t -c milter.conf
    [[ $output = *"milter.conf:3:8: warning: this milter cannot be asked now: it has closed the connection instead of negotiating"* ]]
    sed 's/^milter unix.*/& for allowgroup us/; $a allowgroup us ^192\\.0\\.2\\.' milter.conf >group.conf
    run "$MAILRECV" -t -c group.conf
    [[ $output != *'no line is for this group'* ]]
    sed '/^quarantine/d; $a milter.failure quarantine' milter.conf >aside.conf
    run "$MAILRECV" -t -c aside.conf
    [[ $output = *"aside.conf:7:1: warning: there is no quarantine"* ]]
}

@test "-n and -r ask no milter; -x shows what one is asked and answers" {
    serve
    script 'rcpt reply 550 5.7.1 no'
    "$MAILRECV" -n -c milter.conf -P 192.0.2.7=client.example -x from a@client.example rcpt inbox@example.com >shown || :
    [ "$(told)" = '' ]
    grep -q 'milter unix:.*/sock at mail is not asked' shown
    "$MAILRECV" -c milter.conf -P 192.0.2.7=client.example -x from a@client.example rcpt inbox@example.com >shown || :
    grep -q 'milter unix:.*/sock at rcpt answers: reply 550 5.7.1 no' shown
}

@test "TLS, the client's certificate and who has authenticated are macros" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /O=Example/CN=client.example \
        -keyout key.pem -out cert.pem 2>openssl.out
    printf '%s\n' 'tls optional' "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" "tls.client_ca $PWD/cert.pem" 'auth optional' \
        "auth.command $PWD/yes" >>milter.conf
    printf '#!/bin/sh\nexit 0\n' >yes
    chmod +x yes
    serve
    python3 - "$MAILRECV" <<'END'
import smtplib, socket, ssl, subprocess, sys
ours, theirs = socket.socketpair()
class Client(smtplib.SMTP):
    def _get_socket(self, *_):
        return ours
service = subprocess.Popen([sys.argv[1], "-c", "milter.conf"], stdin=theirs, stdout=theirs)
theirs.close()
client = Client("mail.example.com", local_hostname="client.example")
context = ssl.create_default_context(cafile="cert.pem")
context.check_hostname = False
context.load_cert_chain("cert.pem", "key.pem")
client.starttls(context=context)
client.login("ann", "secret")
client.sendmail("ann@client.example", "inbox@example.com", "Subject: x\n\nx\n")
client.quit()
service.wait()
END
    grep -E '^1 macro (helo|mail)' seen | grep -Ev ' (i|j|\{mail_.*)=' | sed -E 's/\{cipher\}=.*/{cipher}=CIPHER/' | diff - <(cat <<'END'
1 macro helo {tls_version}=TLSv1.3
1 macro helo {cipher}=CIPHER
1 macro helo {cipher_bits}=256
1 macro helo {cert_subject}=CN=client.example,O=Example
1 macro helo {cert_issuer}=CN=client.example,O=Example
1 macro mail {auth_type}=PLAIN
1 macro mail {auth_authen}=ann
END
)
    told | grep -qx 'connect localhost 4 0 127.0.0.1'
}
