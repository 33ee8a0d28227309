#!/usr/bin/env bats
# callout.bats - limit.sender_mta_check: does a mail host of the sender's domain answer, and who is not asked

bats_require_minimum_version 1.5.0

load common

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    # A script that starts servers, each described by words of SERVERS (with ; between them), whose calls are then lines of calls.N, and
    # shows what a client hears that says EHLO, the lines of its standard input, and QUIT.
    cat >hear <<'END'
servers=()
rm -f calls.* # of servers of before: these are not ready yet
while read -r -a words; do
    "$TESTS/tools/mail-host" "${words[@]}" >"calls.${#servers[@]}" &
    servers+=($!)
done < <(tr ';' '\n' <<<"$SERVERS" | sed '/^ *$/d')
for i in "${!servers[@]}"; do
    until grep -qs ready "calls.$i"; do sleep 0.02; done
done
{ echo 'EHLO client.example'; cat; echo QUIT; } | "$MAILRECV" -c conf -l log -P "$CLIENT" >heard
kill "${servers[@]}"
grep -A 100 '^250 ' heard | tail -n +2 | tr -d '\r' | sed '/^2[25][01] [^ ]* \(Ok\|Reset\|Goodbye\)/d'
exit 0
END
}

setup() {
    cd "$BATS_FILE_TMPDIR"
    rm -f calls.* log
    export CLIENT=192.0.2.9 SERVERS=
}

# conf 'on CODE TEXT' LINE... - the configuration
conf() {
    printf '%s\n' 'domain mx.example' "limit.sender_mta_check $1" 'deliver rcpt_to @mx.example append /dev/null' "${@:2}" >conf
}

# What is heard by who says the lines of standard input, in a DNS with these records: hear RECORD...
hear() { timeout 60 "$TESTS/with-dns" "$@" -- bash hear; }

# MAIL from each domain.
mails() { printf 'MAIL FROM:<a@%s>\nRSET\n' "$@"; }

calls() { grep -c call "calls.$1"; }

# The last line of the log about this domain.
asked() { sed -E -n "s/.*\] (sender mta=[a-z]+) ms=[0-9]+ domain=\"$1\" (last=.*)/\1 \2/p" log; }

@test "one mail host that greets with 220 is enough, and is asked once in a session" {
    conf on
    SERVERS='192.0.2.2:25 refuse; 192.0.2.3:25 good; 192.0.2.4:25 good'
    mails example.com Example.COM | hear example.com=mx:10:a.example.com example.com=mx:20:b.example.com example.com=mx:30:c.example.com \
        a.example.com=192.0.2.2 b.example.com=192.0.2.3 c.example.com=192.0.2.4 >said
    diff said - <<<'250 2.1.0 Sender ok
250 2.1.0 Sender ok'
    [ "$(calls 0) $(calls 1) $(calls 2)" = '1 1 0' ]
    [ "$(asked example.com)" = 'sender mta=yes last="b.example.com 192.0.2.3:25: 220"' ]
}

@test "a domain without MX is its own mail host; one that closes the connection may be another time" {
    conf on
    SERVERS='192.0.2.2:25 good' hear example.com=192.0.2.2 < <(mails example.com) >said
    diff said - <<<'250 2.1.0 Sender ok'
    SERVERS='192.0.2.2:25 slam' hear example.com=192.0.2.2 < <(mails example.com) >said
    diff said - <<<'450 4.1.8 The mail hosts of the sender do not answer now, try again later'
}

@test "who refuses for good, and who has no mail hosts, is refused by CODE and TEXT" {
    conf 'on 550 5.1.8 Nobody there'
    SERVERS='192.0.2.2:25 refuse'
    mails refused.example null.example nothing.example odd.example | hear refused.example=192.0.2.2 null.example=mx:0: \
        nothing.example=mx:10:none.example odd.example=mx:10:a..b >said
    [ "$(sort said | uniq -c | sed 's/^ *//')" = '4 550 5.1.8 Nobody there' ]
    [ "$(asked refused.example)" = 'sender mta=no last="refused.example 192.0.2.2:25: the next server answers the connection with 554 Go away"' ]
    [ "$(asked null.example)" = 'sender mta=no last="the domain wants no mail"' ]
    [ "$(asked nothing.example)" = 'sender mta=no last="none.example has no address"' ]
}

@test "what may be another time is temporary: one that cannot be connected to, is busy, or that the DNS does not tell" {
    conf 'on 550 5.1.8 Nobody there'
    SERVERS='192.0.2.2:25 busy; 192.0.2.4:25 refuse'
    mails dead.example busy.example unsure.example host.example both.example | hear dead.example=192.0.2.3 busy.example=192.0.2.2 \
        unsure.example=fail host.example=mx:10:unsure.example both.example=mx:10:dead.example both.example=mx:20:d.example \
        d.example=192.0.2.4 >said
    [ "$(sort said | uniq -c | sed 's/^ *//')" = '5 451 4.1.8 The mail hosts of the sender do not answer now, try again later' ]
    [ "$(asked dead.example)" = 'sender mta=unknown last="dead.example 192.0.2.3:25: Connection refused"' ]
    [ "$(asked host.example)" = 'sender mta=unknown last="unsure.example cannot be looked up now"' ]
}

@test "addresses that are not of the public internet are never connected to" {
    conf 'on 550 5.1.8 Nobody there'
    local name i=0 addresses=(127.0.0.2 0.0.0.0 10.1.2.3 100.64.0.1 169.254.1.1 172.31.0.1 192.168.7.7 224.0.0.1 ::1 fe80::1 fc00::1 ::ffff:192.0.2.2)
    SERVERS='0.0.0.0:25 [::1]:25 good'
    mails localhost loopback.example | hear loopback.example=127.0.0.2 loopback.example=::1 >said
    [ "$(sort -u said)" = '550 5.1.8 Nobody there' ]
    for name in "${addresses[@]}"; do records+=("d$((++i)).example=$name"); done
    mails d{1..9}.example | hear "${records[@]}" >>said
    mails d10.example d11.example d12.example | hear "${records[@]}" >>said
    [ "$(sort said | uniq -c | sed 's/^ *//')" = '14 550 5.1.8 Nobody there' ]
    [ "$(calls 0)" = 0 ]
    [ "$(asked d3.example)" = 'sender mta=no last="d3.example 10.1.2.3:25: is not asked, as it is no address of the public internet"' ]
}

@test "at most six addresses of a domain, and ten domains of a client, are asked" {
    conf on 'xclient ^192\.0\.2\.9$'
    local i records=()
    for i in {1..12}; do records+=("d$i.example=192.0.2.2" "many.example=192.0.2.1$i"); done
    SERVERS='192.0.2.2:25 good'
    { mails d{1..11}.example d1.example; echo 'XCLIENT ADDR=192.0.2.8 NAME=[UNAVAILABLE]'; mails d12.example; } |
        hear "${records[@]}" >said
    [ "$(cut -c 1-29 said | uniq -c | sed 's/^ *//')" = '10 250 2.1.0 Sender ok
1 451 4.7.0 Too many domains of
1 250 2.1.0 Sender ok
1 220 mx.example ESMTP mailrecv
1 250 2.1.0 Sender ok' ]
    [ "$(calls 0)" = 11 ]
    SERVERS='0.0.0.0:25 busy'
    mails many.example | hear "${records[@]}" >said
    [ "$(calls 0)" = 6 ]
}

@test "nobody is asked for the null sender, an address literal, who bypasses it, and who is refused otherwise" {
    conf on 'limit.sender_syntax_check on' 'allowgroup friends ^192\.0\.2\.8$' 'bypass allowgroup friends' "policy mail exec $PWD/policy"
    SERVERS='192.0.2.2:25 refuse'
    cat >policy <<'END'
#!/bin/sh
while read -r line; do
    case $line in
    sender=no@*) action=550 ;;
    "") printf 'action=%s\n\n' "${action-DUNNO}" ;;
    esac
done
END
    chmod +x policy
    printf '%s\nRSET\n' 'MAIL FROM:<>' 'MAIL FROM:<a@[192.0.2.2]>' 'MAIL FROM:<"a b"@example.com>' 'MAIL FROM:<no@example.com>' |
        hear example.com=192.0.2.2 >said
    diff said - <<<'250 2.1.0 Sender ok
553 5.1.7 The address of the sender is not a plain one
553 5.1.7 The address of the sender is not a plain one
550 5.7.1 Refused by a policy'
    CLIENT=192.0.2.8 hear example.com=192.0.2.2 < <(mails example.com) >said
    diff said - <<<'250 2.1.0 Sender ok'
    [ "$(calls 0)" = 0 ]
    run ! grep 'sender mta=' log
}

@test "SIGTERM ends the wait for a greeting" {
    conf on
    cat >stop <<'END'
"$TESTS/tools/mail-host" 192.0.2.2:25 silent >calls.0 &
server=$!
until grep -q ready calls.0; do sleep 0.02; done
coproc { exec "$MAILRECV" -c conf -l log -P 192.0.2.9 2>/dev/null; }
exec {said}<&"${COPROC[0]}" # bash forgets it when the process ends
printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@example.com>' >&"${COPROC[1]}"
until grep -q call calls.0; do sleep 0.02; done
kill "$COPROC_PID"
cat <&"$said" >heard
kill "$server"
exit 0
END
    timeout 60 "$TESTS/with-dns" example.com=192.0.2.2 -- bash stop
    grep '^450 4.1.8 The mail hosts of the sender do not answer now' heard || grep '^421' heard
    [ "$(asked example.com)" = 'sender mta=unknown last="example.com 192.0.2.2:25: no answer to the connection: the next server was not waited for: the service is being stopped"' ]
}
