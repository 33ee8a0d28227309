#!/usr/bin/env bats
# policy.bats - policy services: what they are asked at each stage, what becomes of their answers, and of their failures

load common
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
    : >answers
    : >asked
    : >log
    cat >policy.conf <<END
domain mail.example.com
logfile $PWD/log
policy connect,helo,mail,rcpt,data,end unix:$PWD/sock
limit.policy_secs 10
quarantine append $PWD/held
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to cat@example.com pipe cat >>$PWD/cat
deliver rcpt_to other@example.com append $PWD/other
deliver rcpt_to env@example.com pipe env >$PWD/env
END
}

teardown() { stop_service; }

stop_service() {
    [ -n "${service:-}" ] || return 0
    kill "$service" 2>/dev/null || : # it may have been killed
    wait "$service" 2>/dev/null || :
    service=''
}

# Starts a service that answers what is in `answers`; tests/tools/policy-service says how.
serve() {
    python3 "$TESTS/tools/policy-service" answers asked "$PWD/sock" &
    service=$!
    until [ -S sock ]; do sleep 0.02; done
}

# What is answered at a stage: MAIL 'REJECT text'.
answer() {
    printf '%s\n' "$*" >answers
}

# A session with these lines; its replies are in `replies`. `conf` may name another configuration.
session() {
    printf '%s\r\n' "$@" QUIT | "$MAILRECV" -c "${conf:-policy.conf}" -P 192.0.2.7=client.example | tr -d '\r' >replies
}

# One that sends a message to these recipients, whatever is refused.
message() {
    session 'EHLO client.example' 'MAIL FROM:<ann@client.example> SIZE=100' "${@/#/RCPT TO:}" DATA 'Subject: x' '' 'Hello' .
}

# The attributes that a stage was asked with, the n-th time (1).
asked_at() { # STATE [N]
    awk -v RS= -v state="protocol_state=$1" -v nth="${2:-1}" 'index($0, state "\n") && ++n == nth' asked
}

# How often it was asked.
count_asked() {
    grep -c "^protocol_state=$1\$" asked || :
}

# ---- questions -----------------------------------------------------------------------------

@test "a service is asked at each stage, with what is known there, over one connection" {
    serve
    message '<inbox@example.com>' '<nobody@example.com>' '<cat@example.com>'
    [ "$(grep -c '^CONNECTION' asked)" = 1 ]
    [ "$(sed -n 's/^protocol_state=//p' asked | paste -sd' ')" = 'CONNECT EHLO MAIL RCPT RCPT DATA END-OF-MESSAGE' ]
    [[ $(asked_at CONNECT) == *client_address=192.0.2.7*client_name=client.example*helo_name=?sender=*instance=?size=0* ]]
    [[ $(asked_at EHLO) == *protocol_name=SMTP*helo_name=client.example*sender=?recipient=?*instance=?* ]]
    [[ $(asked_at MAIL) == *protocol_name=ESMTP*helo_name=client.example*sender=ann@client.example?recipient=?recipient_count=0?queue_id=?instance=[0-9a-f]*size=100* ]]
    [[ $(asked_at RCPT) == *recipient=inbox@example.com?recipient_count=0* ]]
    [[ $(asked_at RCPT 2) == *recipient=cat@example.com?recipient_count=0* ]]
    [[ $(asked_at DATA) == *recipient=?recipient_count=2* ]]
    id=$(sed -n 's/.*delivered as //p' replies)
    [[ $(asked_at END-OF-MESSAGE) == *recipient=?recipient_count=2?queue_id="$id"?instance=* ]]
    # "Subject: x", empty line, "Hello", each with CRLF
    [[ $(asked_at END-OF-MESSAGE) == *size=21* ]]
    # one instance for the message
    [ "$(grep '^instance=.' asked | sort -u | wc -l)" = 1 ]
}

@test "each message has an instance of its own, a lone recipient is named behind RCPT, too" {
    serve
    session 'HELO client.example' 'MAIL FROM:<>' 'RCPT TO:<inbox@example.com>' DATA x . \
        'MAIL FROM:<>' 'RCPT TO:<inbox@example.com>' RSET 'MAIL FROM:<>' 'RCPT TO:<inbox@example.com>' DATA x .
    [ "$(grep '^instance=.' asked | sort -u | wc -l)" = 3 ]
    [[ $(asked_at HELO) == *helo_name=client.example* ]]
    [[ $(asked_at DATA) == *protocol_name=SMTP*sender=?recipient=inbox@example.com?recipient_count=1* ]]
    [[ $(asked_at END-OF-MESSAGE 2) == *recipient=inbox@example.com?recipient_count=1* ]]
    first=$(asked_at END-OF-MESSAGE | grep instance)
    [ "$first" != "$(asked_at END-OF-MESSAGE 2 | grep instance)" ]
}

@test "no text of a client makes a line of its own; addresses are told without quotes" {
    serve
    session $'EHLO a\tb=c' 'MAIL FROM:<"a b\"=c"@client.example>' 'RCPT TO:<inbox@example.com>'
    [ "$(asked_at RCPT | wc -l)" = 29 ]
    [[ $(asked_at RCPT) == *'sender=a b"=c@client.example'* ]]
    # a tab is no control character to HELO; to a service no value has one
    run ! grep -P '[\x00-\x09\x0b-\x1f]' asked
}

@test "a message in a file has its size, too" {
    serve
    { printf '%s\r\n' 'EHLO me' 'MAIL FROM:<>' 'RCPT TO:<inbox@example.com>' DATA; seq 100000 | sed 's/$/\r/'
      printf '.\r\nQUIT\r\n'; } | "$MAILRECV" -c policy.conf -P 192.0.2.7=client.example >replies
    [[ $(asked_at END-OF-MESSAGE) == *size="$(seq 100000 | sed 's/$/\r/' | wc -c)"* ]]
}

@test "services are asked in the order of the file, each at its stages" {
    cat >one <<'END'
#!/bin/sh
while read -r line; do
    case $line in '') echo "$0 $state" >>order; printf 'action=DUNNO\n\n' ;; protocol_state=*) state=${line#*=} ;; esac
done
END
    sed -i '/^policy/d' policy.conf
    chmod +x one
    cp one two
    printf 'policy %s exec %s\n' rcpt,end "$PWD/two" mail,rcpt "$PWD/one" >>policy.conf
    message '<inbox@example.com>'
    [ "$(sed "s,$PWD/,," order | paste -sd,)" = 'one MAIL,two RCPT,one RCPT,two END-OF-MESSAGE' ]
}

# ---- refusals ------------------------------------------------------------------------------

# What a stage has answered: an extended regular expression for the replies.
refused_with() {
    grep -qE "^$1" replies || { echo "no line of replies is $1:"; cat replies; return 1; }
}

@test "REJECT, codes and DEFER refuse at each stage, and the log says who has refused" {
    local stage state wanted
    serve
    for stage in connect:CONNECT helo:EHLO mail:MAIL rcpt:RCPT data:DATA end:END-OF-MESSAGE; do
        state=${stage#*:}
        for try in 'REJECT|554 5.7.1 Refused by a policy' 'reject No way|554 5.7.1 No way' '550 5.7.23 SPF fails|550 5.7.23 SPF fails' \
            '550|550 5.7.1 Refused by a policy' '450 4.2.0 Wait|450 4.2.0 Wait' 'DEFER|450 4.7.1 Refused by a policy for now' \
            'defer  5.1.8 odd|450 4.1.8 odd' '599 x|599 5.7.1 x'; do
            : >log
            answer "$state" "${try%|*}"
            message '<inbox@example.com>'
            wanted=${try#*|}
            # RFC 2034: greetings and what answers HELO have no enhanced code
            [[ $state != CONNECT && $state != EHLO ]] || wanted=${wanted%% *}' '${wanted#* * }
            refused_with "${wanted//./\\.}"
            grep -E "ERROR: ${wanted%% *} .* stage=[a-z]* .*policy=${stage%:*} service=unix:$PWD/sock" log
            [ ! -e inbox ]
        done
    done
}

@test "a recipient that is refused is no recipient; the others get the message" {
    serve
    answer RCPT:cat@example.com 'REJECT not he'
    message '<inbox@example.com>' '<cat@example.com>'
    refused_with '554 5\.7\.1 not he'
    refused_with '250 2\.0\.0 Ok, delivered'
    [ -s inbox ]
    [ ! -e cat ]
    [[ $(asked_at END-OF-MESSAGE) == *recipient=inbox@example.com?recipient_count=1* ]]
}

@test "421 and 521 end the session" {
    serve
    for code in 421 521; do
        answer MAIL "$code bye"
        message '<inbox@example.com>'
        [[ $(tail -n1 replies) == "$code "*bye ]]
    done
}

@test "a refused HELO is a refusal of the MAIL that comes all the same" {
    serve
    answer EHLO '550 5.7.9 not you'
    message '<inbox@example.com>'
    [ "$(grep -c 'not you' replies)" = 2 ]
    [ "$(count_asked MAIL)" = 0 ]
}

@test "only recipients that would be accepted are asked about; OK ends nothing" {
    serve
    echo "policy rcpt exec $PWD/no" >>policy.conf
    # shellcheck disable=SC2016 # of the handler's shell
    printf '#!/bin/sh\nwhile read -r l; do [ -n "$l" ] || printf "action=550 5.7.1 me not\\n\\n"; done\n' >no
    chmod +x no
    answer RCPT OK
    message '<inbox@example.com>' '<nobody@example.com>'
    refused_with '550 5\.1\.1 No one here by that name'
    refused_with '550 5\.7\.1 me not'
    [ "$(count_asked RCPT)" = 1 ]
}

@test "DEFER_IF_PERMIT defers what nobody refuses, at each stage up to RCPT, and at DATA and the end" {
    local stage
    serve
    for stage in CONNECT EHLO MAIL RCPT DATA END-OF-MESSAGE; do
        answer "$stage" 'DEFER_IF_PERMIT 4.2.0 Greylisted'
        message '<inbox@example.com>' '<nobody@example.com>'
        [ "$(grep -c '^450 4\.2\.0 Greylisted' replies)" = 1 ]
        refused_with '550 5\.1\.1'
        [ ! -e inbox ]
    done
    printf '%s\n' 'MAIL DEFER_IF_PERMIT wait' 'RCPT REJECT no' >answers
    message '<inbox@example.com>'
    refused_with '554 5\.7\.1 no'
    run ! grep wait replies
    # the next transaction is another
    printf '%s\n' 'MAIL DEFER_IF_PERMIT wait' >answers
    (sleep 0.3; : >answers) &
    { printf '%s\r\n' 'EHLO me' 'MAIL FROM:<>' 'RCPT TO:<inbox@example.com>'; sleep 0.6
      printf '%s\r\n' RSET 'MAIL FROM:<>' 'RCPT TO:<inbox@example.com>' QUIT; } |
        "$MAILRECV" -c policy.conf -P 192.0.2.7=client.example >replies
    [ "$(grep -c '^450 4\.7\.1 wait' replies)" = 1 ]
    refused_with '250 2\.1\.5'
    wait %2 || :
}

@test "DEFER_IF_REJECT makes a later refusal temporary" {
    serve
    printf '%s\n' 'MAIL DEFER_IF_REJECT 4.7.5 not yet' 'RCPT REJECT no' >answers
    message '<inbox@example.com>'
    refused_with '450 4\.7\.5 not yet'
    printf '%s\n' 'MAIL DEFER_IF_REJECT 4.7.5 not yet' >answers
    message '<inbox@example.com>' '<nobody@example.com>'
    refused_with '550 5\.1\.1'
    refused_with '250 2\.0\.0'
}

@test "5xx at the greeting is a violation, 5xx for recipients as other refusals of them" {
    serve
    echo "lockout.db $PWD/contacts" >>policy.conf
    answer CONNECT 'REJECT'
    message '<inbox@example.com>'
    grep 'ERROR: 554 Refused by a policy stage=connect policy=connect' log
    "$MAILRECV" -S -c policy.conf >contacts.out
    grep -E '^192\.0\.2\.7 .* connect ' contacts.out || cat contacts.out
    answer RCPT '550 no'
    message '<inbox@example.com>'
    grep 'stage=rcpt refused=1/25 policy=rcpt service=' log
    grep 'end reason=quit.* violation=rcpt' log
}

# ---- what is done to a message -------------------------------------------------------------

@test "PREPEND adds fields above Received:, folded, each once" {
    serve
    cat >answers <<'END'
MAIL PREPEND X-Mail: a
RCPT prepend Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.7; helo=client.example; envelope-from=ann@client.example; receiver=example.com 
DATA PREPEND X-Data:d
END-OF-MESSAGE PREPEND X-End: e
END
    message '<inbox@example.com>' '<cat@example.com>'
    cat >wanted <<'END'
Return-Path: <ann@client.example>
Delivered-To: cat@example.com
X-Mail: a
Received-SPF: Pass (mailfrom) identity=mailfrom; client-ip=192.0.2.7;
 helo=client.example; envelope-from=ann@client.example; receiver=example.com
X-Data:d
X-End: e
END
    diff wanted <(sed '/^Received: /,$d' cat)
    diff <(sed 1,2d wanted) <(sed '/^Received: /,$d; 1,3d' inbox)
    sed -n '/^Received: /,$p' cat | sed 1,3d | diff - <(printf 'Subject: x\n\nHello\n')
    [ "$(grep -c 'policy action=prepend stage=rcpt' log)" = 1 ]
    grep "policy action=prepend stage=rcpt service=\"unix:$PWD/sock\" from=\"ann@client.example\" to=\"inbox@example.com\" text=\"Received-SPF: Pass" log
}

@test "fields that are added are among the headers in JSON, above what the sender sent" {
    serve
    printf '%s\n' 'MAIL PREPEND Subject: a' 'DATA PREPEND X-Long: b' >answers
    message '<env@example.com>'
    grep -F '"headers":{"subject":["a","x"],"x-long":["b"]},"headers_truncated":false}' env
}

@test "fields are of one message, of large ones in files, and of what is refused nothing remains" {
    serve
    printf '%s\n' 'RCPT:cat@example.com PREPEND X-Cat: 1' 'RCPT PREPEND X-Inbox: 1' >answers
    { printf '%s\r\n' 'EHLO me' 'MAIL FROM:<>' 'RCPT TO:<inbox@example.com>' RSET 'MAIL FROM:<>' 'RCPT TO:<cat@example.com>' DATA
      seq 100000 | sed 's/$/\r/'
      printf '.\r\nQUIT\r\n'; } | "$MAILRECV" -c policy.conf -P 192.0.2.7=client.example >replies
    grep -x 'X-Cat: 1' cat
    run ! grep -q X-Inbox cat
    sed -n '/^Received: /,$p' cat | sed 1,3d | cmp - <(seq 100000)
}

@test "what is no field is not added" {
    serve
    for field in '' 'X-Test' 'X Test: a' ': a' 'X-Test : a' $'X-Test: \001'; do
        answer RCPT "PREPEND $field"
        message '<cat@example.com>'
        refused_with '250 2\.0\.0'
    done
    run ! grep -q X.Test cat
    [ "$(grep -c 'policy action=prepend .*ignored="it is no header field' log)" = 6 ]
}

@test "REDIRECT sends the message to one address, BCC to one more, if a deliver line takes it" {
    serve
    answer RCPT 'REDIRECT <other@example.com>'
    message '<inbox@example.com>' '<cat@example.com>'
    refused_with '250 2\.0\.0'
    [ ! -e inbox ]
    [ ! -e cat ]
    [ "$(grep -c '^Delivered-To: other@example.com' other)" = 1 ]
    rm other
    answer DATA 'bcc other@example.com'
    message '<inbox@example.com>' '<cat@example.com>'
    [ "$(cat inbox cat other | grep -c '^Subject: x')" = 3 ]
    # a copy that is there already is no further one
    rm other
    answer RCPT 'bcc other@example.com'
    message '<inbox@example.com>' '<other@example.com>' '<cat@example.com>'
    [ "$(grep -c '^Subject: x' other)" = 1 ]
    for what in 'REDIRECT stranger@example.org' 'BCC stranger@example.org' 'REDIRECT' 'BCC a b'; do
        rm -f inbox
        : >log
        answer MAIL "$what"
        message '<inbox@example.com>'
        [ "$(grep -c '^Subject: x' inbox)" = 1 ]
        grep -E 'policy action=(redirect|bcc) .*ignored="(no deliver line takes that address|it is no address)"' log
    done
}

@test "DISCARD throws a message away, and the client hears nothing of it" {
    serve
    answer RCPT:inbox@example.com 'DISCARD spam'
    message '<cat@example.com>' '<inbox@example.com>'
    refused_with '250 2\.0\.0 Ok, delivered as'
    [ ! -e inbox ]
    [ ! -e cat ]
    grep 'policy action=discard stage=rcpt .*text="spam"' log
    [ "$(grep -c 'delivery result=delivered .*path="/dev/null"' log)" = 2 ]
    # nobody is asked about it any more
    [ "$(count_asked DATA)" = 0 ]
    printf '%s\n' 'MAIL DISCARD' 'RCPT REJECT' 'CONNECT DEFER_IF_PERMIT' >answers
    message '<inbox@example.com>'
    refused_with '250 2\.0\.0 Ok, delivered as'
}

@test "HOLD puts one copy into the quarantine, with all recipients" {
    serve
    printf '%s\n' 'MAIL PREPEND X-Mail: a' 'END-OF-MESSAGE HOLD look at it' >answers
    message '<cat@example.com>' '<inbox@example.com>' '<cat@example.com>'
    refused_with '250 2\.0\.0 Ok, delivered as'
    [ ! -e inbox ]
    [ ! -e cat ]
    [ "$(grep -c '^Subject: x' held)" = 1 ]
    [ "$(grep '^X-' held | paste -sd,)" = 'X-Mail: a,X-Original-To: cat@example.com,X-Original-To: inbox@example.com' ]
    [ "$(grep -c "delivery result=delivered .*rule=5 target=append .*path=\"$PWD/held\"" log)" = 2 ]
    sed -i "s,^quarantine .*,quarantine maildir $PWD/dir," policy.conf
    message '<inbox@example.com>'
    grep -q '^X-Original-To: inbox@example.com' dir/new/*
    # also lines copy nothing of it
    echo "also rcpt_to /./ append $PWD/archive" >>policy.conf
    message '<inbox@example.com>'
    [ ! -e archive ]
}

@test "HOLD without a quarantine is 451" {
    serve
    sed -i '/^quarantine/d' policy.conf
    answer DATA HOLD
    message '<inbox@example.com>'
    refused_with '451 4\.3\.5'
    grep 'policy action=hold stage=data .*ignored="there is no quarantine' log
    [ ! -e inbox ]
}

@test "INFO, WARN, FILTER and other words are a line in the log" {
    serve
    for what in 'INFO hello' 'warn hello' 'FILTER smtp:x' 'OKAY' '250 fine'; do
        : >log
        answer RCPT "$what"
        message '<inbox@example.com>'
        refused_with '250 2\.0\.0'
        case $what in
            [FO2]*) grep "policy action=unknown stage=rcpt .*ignored=\"mailrecv does not know this action\" .*text=\"$what\"" log ;;
            *) grep -i "policy action=${what% *} stage=rcpt .*text=\"hello\"" log ;;
        esac
    done
}

@test "OK, PERMIT, DUNNO, nothing and numbers are no objection, and no line in the log" {
    serve
    for what in OK permit 'Dunno NULL (<>) Sender' '' 200 12345; do
        answer RCPT "$what"
        message '<inbox@example.com>'
        refused_with '250 2\.0\.0'
    done
    run ! grep policy log
}

@test "what is about a message is ignored where there is none" {
    serve
    for state in CONNECT EHLO; do
        for what in 'PREPEND X-Test: a' DISCARD HOLD 'REDIRECT other@example.com' 'BCC other@example.com'; do
            answer "$state" "$what"
            rm -f inbox
            message '<inbox@example.com>'
            grep -q '^Subject' inbox
            run ! grep -q X-Test inbox
        done
    done
    [ "$(grep -c 'ignored="there is no message yet"' log)" = 10 ]
    [ ! -e other ]
}

@test "in LMTP each recipient hears what becomes of the message" {
    serve
    echo 'protocol lmtp' >>policy.conf
    lmtp() {
        session 'LHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<inbox@example.com>' 'RCPT TO:<cat@example.com>' \
            'RCPT TO:<inbox@example.com>' DATA x .
        [ "$(grep -c "$1" replies)" = 3 ]
        [ "$(tail -n1 replies)" = '221 2.0.0 Goodbye' ]
    }
    answer END-OF-MESSAGE '550 5.7.9 never'
    lmtp '^550 5\.7\.9 never'
    answer END-OF-MESSAGE 'HOLD'
    lmtp '^250 2\.0\.0'
    [ "$(grep -c X-Original-To held)" = 2 ]
    answer END-OF-MESSAGE 'DISCARD'
    lmtp '^250 2\.0\.0'
    answer DATA 'REDIRECT other@example.com'
    lmtp '^250 2\.0\.0'
    [ "$(grep -c '^Delivered-To' other)" = 1 ]
    [ ! -e inbox ]
    answer DATA 'BCC other@example.com'
    lmtp '^250 2\.0\.0'
    [ "$(grep -c '^Delivered-To' other)" = 2 ]
    [ "$(grep -c '^Delivered-To' inbox)" = 1 ]
    [[ $(asked_at LHLO) == '' ]]
    [[ $(asked_at MAIL) == *protocol_name=LMTP* ]]
}

# ---- services that fail --------------------------------------------------------------------

@test "a service that is not there, closes twice or talks nonsense is limit.policy_secs, at each stage" {
    local sandbox state what
    serve
    for sandbox in try off; do
        echo "sandbox $sandbox" | cat - policy.conf >other.conf
        conf=other.conf
        for state in CONNECT EHLO MAIL RCPT DATA END-OF-MESSAGE; do
            for what in !close !half !nonsense !silent !huge; do
                answer "$state" "$what"
                : >log
                message '<inbox@example.com>'
                grep -E '^451 (4\.3\.5 )?A policy cannot be checked now, try again later' replies
                grep "policy failed stage=.* service=\"unix:$PWD/sock\" reason=" log
                [ ! -e inbox ]
            done
        done
    done
    conf=policy.conf
    answer RCPT DUNNO
    stop_service
    message '<inbox@example.com>'
    grep -x '451 A policy cannot be checked now, try again later' replies
    grep 'policy failed stage=connect .*reason="cannot connect' log
}

@test "a service that is killed while it is asked is limit.policy_secs, at each stage" {
    local state
    for state in CONNECT EHLO MAIL RCPT DATA END-OF-MESSAGE; do
        rm -f sock
        serve
        answer "$state" !die
        message '<inbox@example.com>'
        grep -E '^451 (4\.3\.5 )?A policy cannot be checked now, try again later' replies
        [ ! -e inbox ]
        stop_service
    done
}

@test "a service that has closed the connection is asked once again, over another" {
    serve
    answer RCPT !once
    message '<inbox@example.com>'
    refused_with '250 2\.0\.0'
    [ "$(count_asked RCPT)" = 2 ]
    [ "$(grep -c '^CONNECTION' asked)" = 2 ]
    run ! grep 'policy failed' log
}

@test "a service that answers too late is limit.policy_secs, and not heard any more" {
    serve
    sed -i 's/^limit.policy_secs .*/limit.policy_secs 1 450 4.7.9 Too late/' policy.conf
    for state in CONNECT EHLO MAIL RCPT DATA END-OF-MESSAGE; do
        answer "$state" !hang
        message '<inbox@example.com>'
        grep -E '^450 (4\.7\.9 )?Too late' replies
        [ ! -e inbox ]
    done
    grep 'policy failed stage=end .*reason="it has not answered in time"' log
    # the next question is over another connection
    answer RCPT:inbox@example.com !hang
    : >asked
    message '<inbox@example.com>' '<cat@example.com>'
    refused_with '250 2\.0\.0'
    [ "$(grep -c '^CONNECTION' asked)" = 2 ]
}

@test "an answer that nobody has asked for answers no other question" {
    serve
    answer MAIL !twice
    message '<inbox@example.com>'
    refused_with '250 2\.0\.0'
    answer MAIL !stray
    { printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<ann@client.example>'
      wait_for asked '^STRAY$'
      printf '%s\r\n' 'RCPT TO:<inbox@example.com>' QUIT; } | "$MAILRECV" -c policy.conf -P 192.0.2.7=client.example >replies
    refused_with '250 2\.1\.5'
    answer MAIL !newline
    : >asked
    message '<inbox@example.com>'
    refused_with '250 2\.0\.0'
    [ "$(grep -c '^CONNECTION' asked)" = 1 ]
}

# ---- programs ------------------------------------------------------------------------------

@test "a program is started once in a session, as delivery commands are, and ends with it" {
    sed -i '/^policy/d' policy.conf
    echo "policy mail,rcpt exec $PWD/handler one \"two three\"" >>policy.conf
    cat >handler <<'END'
#!/bin/sh
echo "$$" >>pids
printf '%s\n' "$@" >arguments
env >environment
ls -l /proc/$$/fd >descriptors
echo 'a word' >&2
while read -r line; do
    [ -n "$line" ] || printf 'action=DUNNO\n\n'
done
echo ended >>pids
END
    chmod +x handler
    message '<inbox@example.com>' '<cat@example.com>'
    refused_with '250 2\.0\.0'
    [ "$(wc -l <pids)" = 2 ]
    [ "$(tail -n1 pids)" = ended ]
    [ "$(paste -sd, arguments)" = 'one,two three' ]
    [ "$(grep -vE '^(PWD|SHLVL|_|OLDPWD)=' environment | cut -d= -f1 | sort | paste -sd' ')" = 'HOME LOGNAME PATH SHELL USER' ]
    [ "$(grep -c pipe: descriptors)" = 3 ]
    run ! grep socket: descriptors
    grep "policy output service=\"$PWD/handler\" text=\"a word\"" log
}

@test "a program that cannot be started, ends or does not end, holds nobody up" {
    sed -i '/^policy/d' policy.conf
    cp policy.conf base.conf
    for what in /nonexistent "$PWD/exits" "$PWD/stays"; do
        cp base.conf policy.conf
        echo "policy rcpt exec $what" >>policy.conf
        printf '#!/bin/sh\nexit 3\n' >exits
        # shellcheck disable=SC2016
        printf '#!/bin/sh\ntrap "" TERM\necho $$ >pid\nwhile read -r l; do [ -n "$l" ] || printf "action=DUNNO\\n\\n"; done\nwhile :; do sleep 1; done\n' >stays
        chmod +x exits stays
        message '<inbox@example.com>'
        [ "$what" = "$PWD/stays" ] || refused_with '451 4\.3\.5'
    done
    refused_with '250 2\.0\.0'
    grep 'policy failed stage=rcpt service="/nonexistent" reason="the program cannot be started: No such file' log
    grep "policy failed stage=rcpt service=\"$PWD/exits\" reason=\"the program exited with status 3\"" log
    run ! kill -0 "$(cat pid)"
}

# ---- other ways of being served --------------------------------------------------------------

@test "with sandbox off, and by a listener, it is the same" {
    serve
    printf '%s\n' 'MAIL PREPEND X-Mail: a' 'RCPT:cat@example.com REJECT no' 'DATA BCC other@example.com' >answers
    echo 'sandbox off' >>policy.conf
    message '<inbox@example.com>' '<cat@example.com>'
    refused_with '554 5\.7\.1 no'
    cat inbox other >direct
    rm inbox other
    sed -i '/^sandbox/d' policy.conf
    port=$(free_port)
    "$MAILRECV" -c policy.conf -L "127.0.0.1:$port" &
    listener=$!
    for _ in one two three; do
        swaks --server "127.0.0.1:$port" --helo client.example --from ann@client.example --to inbox@example.com,cat@example.com >replies || :
        grep '554 5\.7\.1 no' replies
    done
    kill "$listener"
    wait "$listener" || :
    [ "$(grep -c '^X-Mail: a' inbox)" = 3 ]
    [ "$(grep -c '^X-Mail: a' other)" = 3 ]
    [ "$(grep -c '^X-Mail: a' direct)" = 2 ]
}

@test "BDAT is asked about as DATA is, once, before its first chunk" {
    serve
    bdat() {
        printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<ann@client.example>' 'RCPT TO:<cat@example.com>' 'BDAT 3' >input
        printf 'a\r\nBDAT 3 LAST\r\nb\r\nNOOP\r\nQUIT\r\n' >>input
        "$MAILRECV" -c policy.conf -P 192.0.2.7=client.example <input | tr -d '\r' >replies
    }
    bdat
    [ "$(count_asked DATA)" = 1 ]
    [[ $(asked_at END-OF-MESSAGE) == *size=6* ]]
    refused_with '250 2\.0\.0 Ok, delivered'
    answer DATA '550 5.7.9 not that'
    rm cat
    bdat
    refused_with '550 5\.7\.9 not that'
    [ "$(tail -n2 replies | head -n1)" = '250 2.0.0 Ok' ]
    [ ! -e cat ]
}

@test "what rewrite lines have made of addresses is what services are told" {
    serve
    printf '%s\n' 'rewrite sender /^ann@/ eve@client.example' 'rewrite rcpt_to /^old@/ inbox@example.com' >>policy.conf
    message '<old@example.com>'
    [[ $(asked_at RCPT) == *sender=eve@client.example?recipient=inbox@example.com* ]]
}

@test "a peer speaks for another client: services hear of that" {
    serve
    printf '%s\n' 'xclient ^192\.0\.2\.7$' >>policy.conf
    session 'EHLO peer.example' 'XCLIENT ADDR=192.0.2.99 NAME=other.example HELO=he' 'EHLO peer.example' 'MAIL FROM:<>' \
        'RCPT TO:<inbox@example.com>'
    [[ $(asked_at CONNECT) == *client_address=192.0.2.7?client_name=client.example* ]]
    [[ $(asked_at CONNECT 2) == *client_address=192.0.2.99?client_name=other.example* ]]
    [[ $(asked_at RCPT) == *client_address=192.0.2.99?*helo_name=he* ]]
    answer CONNECT 'REJECT'
    sed -i 's/^policy connect/policy connect,helo/; s/helo,helo/helo/' policy.conf
    session 'EHLO peer.example'
    refused_with '554 Refused by a policy'
}

# ---- what -t and -x say ------------------------------------------------------------------------

@test "-t says what is wrong with policy and quarantine lines" {
    wrong() { # LINE PATTERN
        printf '%s\n' "$1" >wrong.conf
        run -78 "$MAILRECV" -t -c wrong.conf
        # shellcheck disable=SC2053 # a pattern
        [[ $output == $2 ]] || { echo "$1: $output"; false; }
    }
    wrong 'policy' '*expected stages*'
    wrong 'policy rcpt' '*expected the place of a service, or exec and a program*'
    wrong 'policy rcpt,later unix:/x' "*:1:13: *'later' is no stage, expected connect, helo, mail, rcpt, data or end*"
    wrong 'policy rcpt, unix:/x' "*:1:13: *'' is no stage*"
    wrong 'policy rcpt example.com' "*:1:13: *'example.com' is no place of a service: *"
    wrong 'policy rcpt unix:/x more' "*unexpected 'more'*"
    wrong 'policy rcpt exec handler' '*expected one that begins with /*'
    wrong 'quarantine /x' "*unexpected '/x', expected append or maildir*"
    wrong 'quarantine append' '*expected a value*'
    wrong 'limit.policy_secs 0' '*'
}

@test "-t looks at sockets, programs and the quarantine" {
    printf '#!/bin/sh\n' >handler
    chmod 644 handler
    cat >t.conf <<END
policy rcpt unix:$PWD/nothing
policy rcpt unix:$PWD/handler
policy rcpt exec $PWD/handler
policy rcpt exec $PWD/missing
quarantine append $PWD/no/held
END
    run -1 "$MAILRECV" -t -c t.conf
    for what in ":1:*$PWD/nothing is not there: the server that makes it is not running*" ":2:*$PWD/handler is no socket*" \
        ":3:*$PWD/handler cannot be executed*" ":4:*$PWD/missing cannot be executed*" ":5:*$PWD/no/held*"; do
        [[ $output == *$what* ]] || { echo "not $what: $output"; false; }
    done
}

@test "-t prints policy lines and quarantine as they load again" {
    "$MAILRECV" -t -c policy.conf >once 2>errors || :
    grep -x "policy connect,helo,mail,rcpt,data,end unix:$PWD/sock" once
    grep -x "quarantine append $PWD/held" once
    "$MAILRECV" -t -c once >twice 2>errors || :
    diff once twice
}

@test "-x asks for real, and shows question and answer; with -n nobody is asked" {
    serve
    answer RCPT '550 5.7.23 SPF fails'
    run -1 "$MAILRECV" -x -c policy.conf -P 192.0.2.7 from ann@client.example rcpt inbox@example.com
    [[ $output == *"policy.conf:3: policy unix:$PWD/sock at rcpt is asked:"* ]]
    [[ $output == *"        protocol_state=RCPT"*"        recipient=inbox@example.com"* ]]
    [[ $output == *"policy.conf:3: policy unix:$PWD/sock at rcpt answers: 550 5.7.23 SPF fails"*"    550 5.7.23 SPF fails"* ]]
    run -0 "$MAILRECV" -x -n -c policy.conf -P 192.0.2.7 from ann@client.example rcpt inbox@example.com
    [[ $output == *"policy unix:$PWD/sock at rcpt is not asked"* ]]
    answer RCPT HOLD
    run -0 "$MAILRECV" -x -c policy.conf -P 192.0.2.7 from ann@client.example rcpt inbox@example.com
    [[ $output == *"policy.conf:5: append $PWD/held"* ]]
    [ ! -e held ]
    : >asked
    printf '%s\r\n' 'EHLO me' QUIT | "$MAILRECV" -n -c policy.conf -P 192.0.2.7 >replies
    [ ! -s asked ]
    # a service that is not there
    stop_service
    run -1 "$MAILRECV" -x -c policy.conf -P 192.0.2.7 rcpt inbox@example.com
    [[ $output == *"at connect has no answer: cannot connect to $PWD/sock"* ]]
}

@test "with PRDR each recipient hears what becomes of the message" {
    serve
    prdr() {
        session 'EHLO client.example' 'MAIL FROM:<ann@client.example> PRDR' 'RCPT TO:<inbox@example.com>' 'RCPT TO:<cat@example.com>' DATA x .
        grep -q '^353' replies
        [ "$(tail -n1 replies)" = '221 2.0.0 Goodbye' ]
    }
    answer END-OF-MESSAGE '550 5.7.9 never'
    prdr
    [ "$(sed -n '/^353/,$p' replies | cut -c-9 | sed '1d; $d' | paste -sd,)" = '550 5.7.9,550 5.7.9,554 5.7.0' ] # as mailrecv(8) says
    for what in HOLD DISCARD 'REDIRECT other@example.com'; do
        answer END-OF-MESSAGE "$what"
        prdr
        [ "$(sed -n '/^353/,$p' replies | grep -c '^250')" -ge 2 ]
        run ! grep '^[45]' replies
    done
    [ "$(grep -c '^Delivered-To' other)" = 1 ]
    [ "$(grep -c X-Original-To held)" = 2 ]
    [ ! -e inbox ]
}

# ---- delivered again -----------------------------------------------------------------------------

@test "-r delivers again what has fields of services, and to all for whom it was held; it asks nobody" {
    serve
    printf '%s\n' 'MAIL PREPEND X-Mail: a' 'RCPT PREPEND Received-SPF: Pass' >answers
    echo "deadletter_file $PWD/dead" >>policy.conf
    message '<stranger@example.com>'
    grep -q '^Received-SPF: Pass' dead
    echo "deliver rcpt_to stranger@example.com append $PWD/strange" >>policy.conf
    : >asked
    run -0 "$MAILRECV" -r dead -c policy.conf
    [[ $output == '1 delivered '* ]]
    grep -q '^Delivered-To: stranger@example.com' strange
    [ "$(grep -c '^Received-SPF: Pass' strange)" = 1 ]
    grep -q '^Re-delivered: stranger@example.com' dead
    [ ! -s asked ]
    echo 'END-OF-MESSAGE HOLD' >>answers
    message '<cat@example.com>' '<inbox@example.com>' '<other@example.com>'
    [ "$(grep -c '^X-Original-To' held)" = 3 ]
    run -0 "$MAILRECV" -r held -c policy.conf
    [[ $output == '1 delivered '*'to="cat@example.com" to="inbox@example.com" to="other@example.com"'* ]] || { echo "$output"; false; }
    for file in cat inbox other; do
        [ "$(grep -c '^Subject: x' $file)" = 1 ]
    done
    run -0 "$MAILRECV" -r held -c policy.conf
    [[ $output == '1 done '* ]]
}

@test "-r takes no copy for ours that others have stored below their own lines" {
    { printf 'Return-Path: <a@example.com>\nDelivered-To: b@example.com\nReceived: by other.example\n'
      printf 'Received: from me (unknown [192.0.2.7])\n\tby mail.example.com (mailrecv) with ESMTP id 1.2.3;\n\tx\n\ntext\n'; } >theirs
    run -1 "$MAILRECV" -r theirs -c policy.conf
    [[ $output == '1 failed '* ]] || { echo "$output"; false; }
}
