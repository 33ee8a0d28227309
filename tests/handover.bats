#!/usr/bin/env bats
# lmtp and smtp: messages handed to another server, and its answers

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0

load common
load tools/delivery
load tools/handover

DEFERRED='451 4.3.0 The message cannot be delivered now, try again later'
ALL='250-next.example\n250-SIZE\n250-8BITMIME\n250-SMTPUTF8\n250-PIPELINING\n250-CHUNKING\n250 ENHANCEDSTATUSCODES'

# All mail goes there, as LMTP unless told otherwise.
all_to_next() { # [KIND [OPTION...]]
    config <<END
fsync off
deliver rcpt_to @mx.example ${1:-lmtp} unix:$HERE/next ${*:2}
END
}

# The message that the server was given by DATA, without what is ours: the Received: field of three lines.
handed_over() {
    sed -n '/^DATA\r$/,/^\.\r$/p' heard | sed -e '1,4d' -e '$d'
}

@test "a message in clear, without any extension: one command, one answer" {
    all_to_next
    next 'LHLO=250 next.example'
    mail bob@mx.example carl@mx.example
    [[ $REPLY == '250 2.0.0 Ok, delivered as '* ]]
    commands | expect_file <(printf '%s\n' 'LHLO mx.example' 'MAIL FROM:<ann@a.example>' 'RCPT TO:<bob@mx.example>' \
        'RCPT TO:<carl@mx.example>' DATA QUIT)
    expect "$(results)" "bob=delivered carl=delivered "
    grep -qE "delivery result=delivered id=[^ ]+ rule=4 target=lmtp .* path=\"unix:$HERE/next\" .* reason=\"ok\"" log
}

@test "what is offered is used: SIZE, 8BITMIME, PIPELINING, CHUNKING" {
    all_to_next smtp
    next "EHLO=$ALL"
    printf 'Subject: x\n\n\xc3\xa4\n' | send ann@a.example bob@mx.example carl@mx.example
    [[ $REPLY == 250* ]]
    commands | expect_file <(printf '%s\n' 'EHLO mx.example' 'MAIL FROM:<ann@a.example> SIZE=N BODY=8BITMIME' \
        'RCPT TO:<bob@mx.example>' 'RCPT TO:<carl@mx.example>' 'BDAT N LAST' QUIT)
    # SIZE and BDAT say the bytes that there are
    size=$(sed -n 's/^MAIL .* SIZE=\([0-9]*\) .*/\1/p' heard)
    expect "$(sed -n 's/^BDAT \([0-9]*\) .*/\1/p' heard)" "$size"
    expect "$(sed -n '/^BDAT/,/^QUIT/p' heard | sed -e '1d' -e '$d' | wc -c)" "$size"
}

@test "no parameter is said that was not offered" {
    all_to_next
    next 'LHLO=250-next.example\n250-STARTTLSX\n250 PIPELINING'
    printf 'Subject: \xc3\xa4\n\n\xc3\xa4\n' | send 'ann@a.example> BODY=8BITMIME SMTPUTF8' bob@mx.example
    [[ $REPLY == 250* ]]
    expect "$(commands | sed -n 2p)" 'MAIL FROM:<ann@a.example>'
}

@test "the message arrives as it was sent, with one Received: field above it" {
    all_to_next
    next
    printf 'Subject: x\r\n\r\n..dot\r\n...\r\n.. \r\nFrom x\r\nlong %0100000d\r\n\r\n\r\n' 0 | send_raw ann@a.example bob@mx.example
    [[ $REPLY == 250* ]]
    cmp <(printf 'Subject: x\r\n\r\n..dot\r\n...\r\n.. \r\nFrom x\r\nlong %0100000d\r\n\r\n\r\n' 0) <(handed_over)
    expect "$(sed -n '/^DATA/,$p' heard | sed -n 2p | cut -d' ' -f1-3)" 'Received: from helo.example'
    refute grep -qaE '^(Return-Path|Delivered-To):' heard
}

@test "a message that is larger than all buffers, by DATA and by BDAT" {
    { printf 'Subject: x\r\n\r\n'; yes "$(printf '..%070d\r' 1)" | head -n 20000; } >large
    all_to_next
    next
    send_raw ann@a.example bob@mx.example <large
    [[ $REPLY == 250* ]]
    cmp large <(handed_over)
    next "LHLO=$ALL"
    send_raw ann@a.example bob@mx.example <large
    [[ $REPLY == 250* ]]
    cmp <(sed 's/^\.//' large) <(sed -n '/^BDAT/,/^QUIT/p' heard | sed -e '1,4d' -e '$d')
}

@test "a lone CR and NUL: refused where only DATA can take them, else handed over" {
    all_to_next
    next
    printf 'Subject: x\r\n\r\na\rb\r\n' | send_raw ann@a.example bob@mx.example
    expect "$REPLY" '554 5.6.0 The message has a NUL or a lone CR, which the next server cannot take'
    refute grep -q DATA heard
    next
    printf 'Subject: x\r\n\r\na\0b\r\n' | send_raw ann@a.example bob@mx.example
    expect "$REPLY" '554 5.6.0 The message has a NUL or a lone CR, which the next server cannot take'
    next "LHLO=$ALL"
    printf 'Subject: x\r\n\r\na\rb\0c\r\n' | send_raw ann@a.example bob@mx.example
    [[ $REPLY == 250* ]]
    grep -qaP 'a\rb\x00c\r$' heard
}

@test "a message that came in chunks is handed over by DATA as by BDAT, its last line whole" {
    all_to_next
    for offers in 'LHLO=250-x\n250 PIPELINING' "LHLO=$ALL"; do
        next "$offers"
        { printf '%s\r\nMAIL FROM:<ann@a.example>\r\nRCPT TO:<bob@mx.example>\r\n' "$HELLO"
          printf 'BDAT 14\r\nSubject: x\r\n\r\nBDAT 11 LAST\r\n.\r\na\nb\r\nendQUIT\r\n'; } | session
        get_reply
        [[ $REPLY == 250* ]]
        cmp <(printf 'Subject: x\r\n\r\n.\r\na\r\nb\r\nend\r\n') \
            <(sed -n '/^Subject/,/^end/p' heard | if [[ $offers == *CHUNKING* ]]; then cat; else sed 's/^\.//'; fi)
    done
}

@test "an address outside ASCII: by SMTPUTF8, or refused" {
    all_to_next
    next "LHLO=$ALL"
    printf 'Subject: x\n\ntext\n' | send 'j\xc3\xb6rg@a.example> SMTPUTF8' bob@mx.example 2>/dev/null || true
    printf '%s\r\nMAIL FROM:<j\xc3\xb6rg@a.example> SMTPUTF8\r\nRCPT TO:<bob@mx.example>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n' \
        "$HELLO" >input
    next "LHLO=$ALL"
    session <input
    get_reply
    [[ $REPLY == 250* ]]
    grep -qa '^MAIL FROM:<j.*rg@a.example> SIZE=[0-9]* SMTPUTF8' heard
    next
    session <input
    get_reply
    expect "$REPLY" '550 5.6.7 The next server takes no addresses outside ASCII'
    expect "$(commands | tr '\n' ' ')" 'LHLO mx.example QUIT '
    # only the recipient that is one
    printf '%s\r\nMAIL FROM:<ann@a.example> SMTPUTF8\r\nRCPT TO:<j\xc3\xb6rg@mx.example>\r\nRCPT TO:<bob@mx.example>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n' \
        "$HELLO" >input
    rm log
    next
    session <input
    get_reply
    [[ $REPLY == '550 5.6.7 <j'*'> The next server takes no addresses outside ASCII' ]]
    expect "$(tr -d '\r' <accepted)" 'RCPT TO:<bob@mx.example>'
}

@test "one of three is refused, for now or for good, at RCPT or after the message" {
    for kind in lmtp smtp; do
        all_to_next "$kind"
        rm -f log
        next 'RCPT=250 ok' 'RCPT=550-5.1.1 <b> no such\n550 5.1.1 user' 'RCPT=250 ok'
        mail a@mx.example b@mx.example c@mx.example
        expect "$REPLY" '550 5.1.1 <b@mx.example> <b> no such'
        expect "$(results)" "a=delivered b=refused c=delivered "
        rm log
        next 'RCPT=250 ok' 'RCPT=452 4.2.2 full' 'RCPT=250 ok'
        mail a@mx.example b@mx.example c@mx.example
        expect "$REPLY" '452 4.2.2 <b@mx.example> full'
        expect "$(results)" "a=delivered b=deferred c=delivered "
    done
    all_to_next lmtp
    for last in '452 4.2.2 full' '552 full'; do
        rm -f log
        next '.=250 2.0.0 stored' ".=$last" '.=250 2.0.0 stored'
        mail a@mx.example b@mx.example c@mx.example
        [[ $last == 4* ]] || last='552 5.0.0 full' # RFC 2034 wants a code where the next server gives none
        expect "$REPLY" "${last% full} <b@mx.example> full"
        expect "$(results)" "a=delivered b=$([[ $last == 4* ]] && echo deferred || echo refused) c=delivered "
    done
    all_to_next smtp
    rm log
    next '.=550 5.7.1 spam'
    mail a@mx.example b@mx.example
    expect "$REPLY" '550 5.7.1 <a@mx.example> spam'
    expect "$(results)" "a=refused b=refused "
}

@test "a single recipient hears the answer as it is, whatever it is" {
    all_to_next
    next 'RCPT=550 5.1.1 <bob@mx.example> no such user'
    mail bob@mx.example
    expect "$REPLY" '550 5.1.1 <bob@mx.example> no such user'
    refute grep -q DATA heard # nobody is left
    for text in '2.0.0 Saved as 17' 'Saved as 17'; do
        next ".=250 $text"
        mail bob@mx.example
        expect "$REPLY" '250 2.0.0 Saved as 17'
    done
    next 'MAIL=553 5.1.8 no such sender'
    mail bob@mx.example
    expect "$REPLY" '553 5.1.8 no such sender'
    next 'DATA=451 4.3.1 no room'
    mail bob@mx.example
    expect "$REPLY" '451 4.3.1 no room'
    next '.=550'
    mail bob@mx.example
    expect "$REPLY" '550 5.0.0 the next server gives no reason'
    next $'.=550 5.7.1 a\xc3\xa4\tb"[]'
    mail bob@mx.example
    expect "$REPLY" '550 5.7.1 a???b"[]'
}

@test "what is no answer about the mail defers it, and is in the log" {
    all_to_next
    while read -r replies; do
        [[ $replies == 'LHLO=500 what' ]] || :
        rm -f log
        next "$replies"
        mail bob@mx.example
        expect "$REPLY" "$DEFERRED"
        grep -q 'result=deferred .* reason="' log
    done <<'END'
hello=554 5.3.2 go away
hello=421 busy
hello=HTTP/1.1 400 Bad Request
hello=close
LHLO=500 what
LHLO=451 later
MAIL=530 5.7.0 Must issue a STARTTLS command first
MAIL=421 4.3.2 stopping\nclose
RCPT=421 4.3.2 stopping\nclose
RCPT=354 what
DATA=250 what
.=221 bye
.=421 4.3.2 stopping\nclose
.=close
.=250-ok\n251 not
END
    expect "$(sed -n 's/.* reason="\(.*\)"$/\1/p' log | tail -n 1)" 'no answer to the message: the next server has said what is no reply'
}

@test "the connection is cut at each line: nobody is told a lie" {
    # LHLO, MAIL, three RCPT, DATA, the message of 6 lines and its dot, QUIT
    all_to_next
    for cut in {1..13}; do
        rm -f log
        next -c "$cut" 'LHLO=250-x\n250 PIPELINING'
        mail a@mx.example b@mx.example c@mx.example
        expect "$REPLY" "$DEFERRED"
        expect "$(results)" "a=deferred b=deferred c=deferred "
    done
    next -c 14
    mail a@mx.example b@mx.example c@mx.example
    [[ $REPLY == 250* ]]
}

# A message that no socket takes as a whole.
mail_much() {
    { printf 'Subject: x\r\n\r\n'; yes "$(printf '%070d\r' 1)" | head -n 100000; } | send_raw ann@a.example bob@mx.example
}

@test "a yes before the message has left as a whole is none; a no is one" {
    for kind in lmtp smtp; do
        all_to_next "$kind"
        cp conf "$kind"
        for verb in DATA=354\ go\\n BDAT=; do
            offers=250\ x
            [ "$verb" != BDAT= ] || offers=$ALL
            for ends in '' '\nclose' '\ndeaf'; do
                cp "$kind" conf
                [ "$ends" != '\ndeaf' ] || echo 'limit.handover_secs 1 452 Too slow a server' >>conf
                next "LHLO=$offers" "EHLO=$offers" "${verb}250 2.0.0 got it all$ends"
                mail_much
                [[ $REPLY == "$DEFERRED" || ($ends == *deaf && $REPLY == '452 4.4.1 Too slow a server') ]]
            done
            rm log
        done
        cp "$kind" conf
        next "LHLO=$ALL" "EHLO=$ALL" 'BDAT=552 5.3.4 too large\nclose'
        mail_much
        expect "$REPLY" '552 5.3.4 too large'
    done
}

@test "what was said without being asked is no answer to the message" {
    for kind in lmtp smtp; do
        for options in '' ask; do
            all_to_next "$kind" $options
            for offers in '250 x' '250-x\n250 PIPELINING' "$ALL"; do
                rm -f log
                next -n 2 "LHLO=$offers" "EHLO=$offers" 'RCPT=250 ok\n250 twice' '.=550 5.7.1 spam'
                mail bob@mx.example
                expect "$REPLY" "$DEFERRED"
                grep -qE 'reason="(BDAT|DATA) cannot be said: the next server has said more than it was asked for"' log
            done
        done
    done
    all_to_next
    next 'DATA=354 go\n550 5.7.1 spam'
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
}

@test "cut between the answers of LMTP: those that were given count, the others come again" {
    all_to_next
    next '.=250 2.0.0 stored' '.=550 5.2.2 full\nclose'
    mail a@mx.example b@mx.example c@mx.example
    expect "$(results)" "a=delivered b=refused c=deferred "
    expect "$REPLY" "$DEFERRED"
    expect "$(grep -c QUIT heard)" 0
}

@test "221 is nobody's answer, and QUIT does not go ahead of the answers" {
    all_to_next
    next '.=250 2.0.0 stored' '.=221 2.0.0 bye\nclose'
    mail a@mx.example b@mx.example
    expect "$(results)" "a=delivered b=deferred "
    expect "$REPLY" "$DEFERRED"
}

@test "SMTP without EHLO; LMTP knows no other word" {
    all_to_next smtp
    next 'EHLO=502 what'
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    expect "$(commands | head -n 3 | tr '\n' ' ')" 'EHLO mx.example HELO mx.example MAIL FROM:<ann@a.example> '
}

@test "one transaction for all lines with the same server; others have their own" {
    config <<END
fsync off
deliver rcpt_to a@mx.example lmtp unix:$HERE/next
deliver rcpt_to b@mx.example append $HERE/b
deliver temporary rcpt_to c@mx.example lmtp $HERE/next
deliver rcpt_to d@mx.example lmtp $HERE/next
also rcpt_to b@mx.example lmtp $HERE/next
END
    next -n 2
    mail a@mx.example b@mx.example c@mx.example d@mx.example
    [[ $REPLY == 250* ]]
    expect "$(grep -ac '^LHLO' heard)" 2
    expect "$(results)" "a=delivered b=delivered d=delivered c=delivered b=delivered "
}

@test "temporary: a refusal for good is none" {
    config <<END
deliver temporary rcpt_to @mx.example lmtp $HERE/next
END
    next 'RCPT=550 5.1.1 no such user'
    mail bob@mx.example
    expect "$REPLY" '451 4.1.1 no such user'
}

@test "what the next server does not take goes to the dead letters" {
    config <<END
fsync off
deadletter_file $HERE/dead
deliver rcpt_to @mx.example lmtp $HERE/next
END
    next '.=250 2.0.0 stored' '.=452 4.2.2 full'
    mail a@mx.example b@mx.example
    [[ $REPLY == '250 2.0.0 Ok, delivered as '* ]]
    expect "$(deliveries | tr '\n' ' ')" 'delivered 5 lmtp a@mx.example deferred 5 lmtp b@mx.example delivered 5 append b@mx.example '
    expect "$(grep -c '^Delivered-To: b@mx.example' dead)" 1
}

@test "no server, no socket, no host" {
    all_to_next
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    grep -q 'reason=".*No such file or directory"' log
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == *"conf:4:39: warning: $HERE/next is not there: the server that makes it is not running, or makes it somewhere else"* ]]
    : >next
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == *"warning: $HERE/next is no socket"* ]]
}

@test "limit.handover_secs ends it, with its reply" {
    all_to_next
    echo 'limit.handover_secs 1 452 Too slow a server' >>conf
    for verb in hello RCPT .; do
        next "$verb=hang"
        mail bob@mx.example
        expect "$REPLY" '452 4.4.1 Too slow a server'
        wait "$(cat server.pid)"
    done
}

@test "a server that reads nothing of a large message: the limit holds" {
    all_to_next
    echo 'limit.handover_secs 1 452 Too slow a server' >>conf
    next 'DATA=354 go on'
    kill -STOP "$(cat server.pid)"
    { printf 'Subject: x\r\n\r\n'; yes "$(printf '%070d\r' 1)" | head -n 200000; } | send_raw ann@a.example bob@mx.example
    kill -CONT "$(cat server.pid)"
    expect "$REPLY" '452 4.4.1 Too slow a server'
}

@test "limit.connection_secs ends it, too" {
    all_to_next
    echo 'limit.connection_secs 1' >>conf
    next '.=hang'
    mail bob@mx.example || true
    grep -qE '^421 4.4.2 The session took too long' replies
}

# The message is with the server, and SIGTERM comes.
stop_at_dot() {
    { printf '%s\r\n' "$HELLO"; envelope ann@a.example bob@mx.example; printf 'Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n'; } >input
    "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" <input >raw 3>&- &
    session=$!
    wait_for heard '^\.'
    kill -TERM "$session"
    wait "$session" || true
}

@test "SIGTERM ends it: the client keeps the mail" {
    all_to_next
    next '.=hang'
    stop_at_dot
    grep -q "^${DEFERRED}" raw
    grep -q 'result=deferred .* reason="no answer to the message: the next server was not waited for: the service is being stopped"' log
}

@test "to another mailrecv: dots, long lines and the header arrive as they were sent" {
    mkdir other
    cat >other/conf <<END
domain other.example
fsync off
deliver rcpt_to bob@mx.example append $HERE/other/bob
deliver rcpt_to carl@mx.example append $HERE/other/carl
END
    "$MAILRECV" -c other/conf -l "$HERE/other/log" -L "unix:$HERE/next" 3>&- &
    echo $! >server.pid
    until_true test -e next
    all_to_next smtp
    printf 'Subject: x\n\n.\n..\n%05000d\n' 0 | send ann@a.example bob@mx.example carl@mx.example nobody@mx.example
    expect "$REPLY" '550 5.1.1 <nobody@mx.example> No one here by that name'
    expect "$(results)" "bob=delivered carl=delivered nobody=refused "
    for name in bob carl; do
        sed -n '/^Subject/,$p' "other/$name" | expect_file <(printf 'Subject: x\n\n.\n..\n%05000d\n\n' 0)
        expect "$(grep -c '^Received: ' "other/$name")" 2
        expect "$(grep '^Delivered-To: ' "other/$name")" "Delivered-To: $name@mx.example"
        expect "$(grep -c '^Return-Path: <ann@a.example>' "other/$name")" 1
    done
}

@test "LMTP in and out: each recipient hears what the next server says of it" {
    config <<END
fsync off
protocol lmtp
deliver rcpt_to @mx.example lmtp unix:$HERE/next
END
    mkdir other
    cat >other/conf <<END
domain other.example
protocol lmtp
fsync off
deliver rcpt_to bob@mx.example append $HERE/other/bob
deliver rcpt_to carl@mx.example pipe echo 4.2.2 Over quota; exit 75
deliver rcpt_to dora@mx.example pipe echo 5.7.1 Spam; exit 65
END
    "$MAILRECV" -c other/conf -l "$HERE/other/log" -L "unix:$HERE/next" 3>&- &
    echo $! >server.pid
    until_true test -e next
    HELLO='LHLO helo.example'
    mail bob@mx.example carl@mx.example dora@mx.example nobody@mx.example
    tail -n 5 replies | sed 's/delivered as .*/delivered as ID/' | expect_file <(cat <<'END'
250 2.0.0 Ok, delivered as ID
451 4.2.2 Over quota
554 5.7.1 Spam
550 5.1.1 No one here by that name
221 2.0.0 Goodbye
END
    )
    expect "$(results)" "bob=delivered carl=deferred dora=refused nobody=refused "
    expect "$(grep -c 'connection from' other/log)" 1
}

@test "SIGTERM: an answer to the message that comes soon counts" {
    all_to_next
    next '.=slow\n250 2.0.0 stored'
    stop_at_dot
    grep -q '^250 2.0.0 stored' raw
    expect "$(results)" "bob=delivered "
}

@test "debug s shows what is said, both ways" {
    all_to_next
    echo 'debug s' >>conf
    next
    mail bob@mx.example
    grep -q 'DEBUG s: to the next server: "RCPT TO:<bob@mx.example>"$' log
    grep -q 'DEBUG s: from the next server: "354 go on"$' log
}

@test "-x shows what would be handed over, and connects to nobody" {
    config <<END
deliver rcpt_to @mx.example lmtp $HERE/next
deliver rcpt_to @b.example smtp mail.example.com:25 verify auth $HERE/secret
END
    run -0 "$MAILRECV" -x -c conf from ann@a.example rcpt a@mx.example b@b.example c@mx.example
    [[ $output == *"delivery to a@mx.example
    conf:3: lmtp $HERE/next
        LMTP, in clear
        MAIL FROM:<ann@a.example>
        RCPT TO:<a@mx.example>
        RCPT TO:<c@mx.example>
delivery to b@b.example
    conf:4: smtp mail.example.com:25
        SMTP, with STARTTLS, to nobody without a good certificate, logged in
        MAIL FROM:<ann@a.example>
        RCPT TO:<b@b.example>" ]]
}

# ---- ask: at RCPT already ------------------------------------------------------------------

ask_next() {
    all_to_next "${1:-lmtp}" ask
}

@test "ask: the next server refuses at RCPT, and the client hears it there" {
    ask_next
    next "LHLO=$ALL" 'RCPT=250 ok' 'RCPT=550 5.1.1 <b> no such user' 'RCPT=452 full' 'RCPT=250 ok'
    mail a@mx.example b@mx.example c@mx.example d@mx.example
    grep '^[245]..[ -].*' replies | sed -n '/Sender ok/,$p' | sed 's/delivered as .*/delivered as ID/' | expect_file <(cat <<'END'
250 2.1.0 Sender ok
250 2.1.5 Recipient ok
550 5.1.1 <b> no such user
452 4.0.0 full
250 2.1.5 Recipient ok
250 2.0.0 Ok, delivered as ID
221 2.0.0 Goodbye
END
    )
    # one connection, one transaction
    commands | expect_file <(printf '%s\n' 'LHLO mx.example' 'MAIL FROM:<ann@a.example>' RCPT\ TO:\<{a,b,c,d}@mx.example\> 'BDAT N LAST' QUIT)
    expect "$(results)" "a=delivered d=delivered "
    grep -q 'ERROR: 550 .*stage=rcpt refused=1/25 .*detail="<b> no such user"' log
}

@test "ask: the same recipient again is not asked again, nor is a transaction without a message kept" {
    ask_next smtp
    next -n 2
    { printf '%s\r\n' "$HELLO"
      printf 'MAIL FROM:<ann@a.example> SIZE=100\r\nRCPT TO:<bob@mx.example>\r\nRCPT TO:<BOB@mx.example>\r\nRSET\r\n'
      envelope ann@a.example bob@mx.example; printf 'Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n'; } | session
    get_reply
    [[ $REPLY == 250* ]]
    commands | expect_file <(printf '%s\n' 'EHLO mx.example' 'MAIL FROM:<ann@a.example>' 'RCPT TO:<bob@mx.example>' QUIT \
        'EHLO mx.example' 'MAIL FROM:<ann@a.example>' 'RCPT TO:<bob@mx.example>' DATA QUIT)
}

@test "ask: the client goes without a message, and the next server hears QUIT" {
    ask_next
    next
    printf '%s\r\nMAIL FROM:<ann@a.example>\r\nRCPT TO:<bob@mx.example>\r\n' "$HELLO" | session
    wait "$(cat server.pid)"
    expect "$(commands | tail -n 1)" QUIT
    refute grep -q DATA heard
}

@test "ask: a next server that is not there, that goes, or says nothing" {
    ask_next
    mail bob@mx.example
    grep -q '^451 4.4.1 The next server cannot be asked now, try again later' replies
    grep -q "not asked path=\"unix:$HERE/next\" to=\"bob@mx.example\" reason=\".*No such file or directory\"" log
    next 'RCPT=421 4.3.2 stopping\nclose'
    mail bob@mx.example
    grep -q '^451 4.4.1 The next server cannot be asked now, try again later' replies
    echo 'limit.handover_secs 1 452 Too slow a server' >>conf
    next 'RCPT=hang'
    mail bob@mx.example
    grep -q '^452 4.4.1 Too slow a server' replies
}

# A session whose input waits, before RCPT number N (or, behind the last, DATA), until the server has closed a connection.
mail_with_wait() { # N RECIPIENT...
    local n=$1 i=0 rcpt

    shift
    { printf '%s\r\nMAIL FROM:<ann@a.example>\r\n' "$HELLO"
      for rcpt; do
          [ $((i++)) != "$n" ] || until_true test -s closed
          printf 'RCPT TO:<%s>\r\n' "$rcpt"
      done
      [ "$i" != "$n" ] || until_true test -s closed
      printf 'DATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n'; } | session
    get_reply
}

@test "ask: the next server ends the connection before the message comes: all is said once more" {
    ask_next
    next -n 2 'RCPT=250 2.1.5 ok' 'RCPT=250 2.1.5 ok\nclose' 'RCPT=250 2.1.5 ok'
    mail_with_wait 2 a@mx.example b@mx.example
    [[ $REPLY == 250* ]]
    expect "$(results)" "a=delivered b=delivered "
    commands | expect_file <(printf '%s\n' 'LHLO mx.example' 'MAIL FROM:<ann@a.example>' RCPT\ TO:\<{a,b}@mx.example\> \
        'LHLO mx.example' 'MAIL FROM:<ann@a.example>' RCPT\ TO:\<{a,b}@mx.example\> DATA QUIT)
    # and where that happens between two recipients, none is forgotten
    rm log
    next -n 2 'RCPT=250 2.1.5 ok\nclose' 'RCPT=250 2.1.5 ok'
    mail_with_wait 1 a@mx.example b@mx.example c@mx.example
    [[ $REPLY == 250* ]]
    expect "$(results)" "a=delivered b=delivered c=delivered "
    commands | expect_file <(printf '%s\n' 'LHLO mx.example' 'MAIL FROM:<ann@a.example>' 'RCPT TO:<a@mx.example>' \
        'LHLO mx.example' 'MAIL FROM:<ann@a.example>' RCPT\ TO:\<{b,c,a}@mx.example\> DATA QUIT)
}

@test "ask: recipients of also lines, and of another line with the same server, go with the message" {
    config <<END
fsync off
deliver rcpt_to a@mx.example lmtp $HERE/next ask
deliver rcpt_to b@mx.example append $HERE/b
deliver rcpt_to c@mx.example lmtp unix:$HERE/next ask
also rcpt_to b@mx.example lmtp $HERE/next ask
END
    next
    mail a@mx.example b@mx.example c@mx.example
    [[ $REPLY == 250* ]]
    commands | expect_file <(printf '%s\n' 'LHLO mx.example' 'MAIL FROM:<ann@a.example>' RCPT\ TO:\<{a,c,b}@mx.example\> DATA QUIT)
    expect "$(results)" "a=delivered b=delivered c=delivered b=delivered "
}

@test "ask: the message is redirected meanwhile: only the new recipient has it" {
    # shellcheck disable=SC2016 # of the script
    printf '#!/bin/bash\nwhile read -r line; do [ -n "$line" ] || printf "action=%%s\\n\\n" "$(cat action)"; done\n' >redirects
    chmod +x redirects
    echo 'REDIRECT carl@mx.example' >action
    config <<END
fsync off
policy end exec $HERE/redirects
deliver rcpt_to @mx.example lmtp $HERE/next ask
END
    next -n 2
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    commands | expect_file <(printf '%s\n' 'LHLO mx.example' 'MAIL FROM:<ann@a.example>' 'RCPT TO:<bob@mx.example>' QUIT \
        'LHLO mx.example' 'MAIL FROM:<ann@a.example>' 'RCPT TO:<carl@mx.example>' DATA QUIT)
}

@test "with a ledger the retry hands over what was missing, once, with ask or without" {
    for ask in '' ask; do
        rm -rf log
        config <<END
fsync off
ledger $HERE/ledger$ask
deliver rcpt_to @mx.example lmtp $HERE/next $ask
END
        next '.=250 2.0.0 stored' '.=452 4.2.2 full' '.=250 2.0.0 stored'
        mail a@mx.example b@mx.example c@mx.example
        expect "$REPLY" '452 4.2.2 <b@mx.example> full'
        next -n 2
        mail a@mx.example b@mx.example c@mx.example
        [[ $REPLY == 250* ]]
        # with ask all three were asked for; the message is for one
        commands | sed -n '/^LHLO/h; /^LHLO/!H; ${x;p}' | expect_file <(printf '%s\n' 'LHLO mx.example' \
            'MAIL FROM:<ann@a.example>' 'RCPT TO:<b@mx.example>' DATA QUIT)
        expect "$(grep -ac '^DATA' heard)" 1
        expect "$(results)" "a=delivered b=deferred c=delivered a=already c=already b=delivered "
    done
}

@test "ask: temporary, and a sender that the next server refuses" {
    config <<END
deliver temporary rcpt_to @mx.example lmtp $HERE/next ask
END
    next 'RCPT=550 5.1.1 no such user'
    mail bob@mx.example
    grep -q '^451 4.1.1 no such user' replies
    ask_next
    next -n 2 'MAIL=553 5.1.8 no such sender'
    mail bob@mx.example carl@mx.example
    expect "$(grep -c '^553 5.1.8 no such sender' replies)" 2
}

@test "ask: -x asks nobody" {
    ask_next
    run -0 "$MAILRECV" -x -c conf from ann@a.example rcpt a@mx.example
    [[ $output == *'        LMTP, in clear, would be asked at RCPT; not asked here'* ]]
}
