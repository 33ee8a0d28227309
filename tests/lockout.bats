#!/usr/bin/env bats
# lockout.bats - three strikes and you are out: what counts, whom, for how long, and that it never stops the mail
#
# HAMMER_SECS is how long a hundred processes at once are killed at random (2); `make check` takes a minute.

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    conf
}

# A configuration, with these lines as well.
conf() { # [LINE]...
    printf '%s\n' 'domain mx.example' "lockout.db $PWD/contacts.db" 'deliver rcpt_to user@mx.example append box' \
        'deliver rcpt_to picky@mx.example pipe exit 65' "$@" >conf
    chmod 600 conf
}

# A session of a client, with these lines; its replies are the output, its log is in the file log.
session() { # CLIENT [LINE]...
    local client=$1
    shift
    rm -f log
    [ $# -eq 0 ] || printf '%s\r\n' "$@" >input
    [ $# -gt 0 ] || : >input
    "$MAILRECV" -c conf -l log -P "$client" <input
}

strike() { session "${1:-192.0.2.7}" 'MAIL FROM:<>' 'RCPT TO:<nobody@mx.example>' QUIT >replies; }
good() { session "${1:-192.0.2.7}" 'MAIL FROM:<>' 'RCPT TO:<user@mx.example>' DATA . QUIT >replies; }

# The events of the log about lock-outs, without the dates of locks.
lines() { sed -nE '/ as root: /d; s/^.*\] (lockout: .*)/\1/; s/until=[0-9TZ:-]+/until=TIME/; /^lockout/p' log; }

expect() { # GOT WANTED
    [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }
}

# The first word of what a client hears: 220, 454, or nothing.
greeting() { session "${1:-192.0.2.7}" QUIT | sed -nE '1s/^([0-9]+).*/\1/p'; }

# The seconds from now to a time as it stands in replies and log.
seconds_to() { echo $(($(date -u -d "$1" +%s) - $(date +%s))); }

@test "three violations: 454 with the end of the lock, and then nothing but a closed connection" {
    strike
    expect "$(lines)" "lockout: violations=1/3 reason=rcpt"
    expect "$(tail -n 1 replies)" $'221 2.0.0 Goodbye\r'
    strike
    expect "$(lines)" "lockout: violations=2/3 reason=rcpt"
    strike
    expect "$(lines)" "lockout: violations=3/3 reason=rcpt until=TIME"

    session 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<nobody@mx.example>' QUIT >replies
    grep -qE '^454 4\.7\.1 Too many violations, your host is locked out until 20[0-9-]+T[0-9:]+Z.$' replies
    left=$(seconds_to "$(sed -nE '1s/.*until ([^ \r]+).*/\1/p' replies)")
    [ "$left" -gt 3500 ]
    [ "$left" -le 3600 ]
    # one row for all in mailrecv-report: the time is no part of the reason
    grep -qE 'ERROR: 454 4\.7\.1 Too many .* until stage=connect detail="20[0-9-]+T[0-9:]+Z" from="" line=""$' log
    expect "$(lines)" ""

    session 192.0.2.7 'HELO client.example' QUIT >replies
    expect "$(cat replies)" ""
    expect "$(sed -E 's/.*\]: (.*)until=.* /\1/' log)" "[192.0.2.7] lockout: closed connections=5"
    expect "$(greeting 192.0.2.8)" 220
}

@test "who comes back inside the lock does not make it longer, and is served when it is over" {
    conf 'lockout.violations 1' 'lockout.secs 1000' 'lockout.period 1000'
    strike
    "$TESTS/tools/contacts" contacts.db shift 900
    left=$(seconds_to "$(session 192.0.2.7 QUIT | sed -nE '1s/.*until ([^ \r]+).*/\1/p')")
    [ "$left" -le 100 ]
    expect "$(greeting)" ""
    expect "$(greeting)" ""
    left=$(seconds_to "$(sed -nE 's/.*until=([^ ]+).*/\1/p' log)")
    [ "$left" -le 100 ]
    "$TESTS/tools/contacts" contacts.db shift 101
    good
    grep -q '^250 2.0.0 Ok, delivered' replies
}

@test "a violation of a session that was under way makes no lock longer" {
    conf 'lockout.violations 1' 'lockout.secs 1000'
    mkfifo go locked
    (exec 8>go; printf 'EHLO client.example\r\n' >&8; read -r _ <locked; printf 'GET / HTTP/1.1\r\n' >&8) 3>&- &
    "$MAILRECV" -c conf -l late -P 192.0.2.7 <go >late.out 3>&- &
    late=$!
    until grep -q '^250' late.out; do :; done
    strike
    "$TESTS/tools/contacts" contacts.db shift 900
    echo >locked
    wait "$late"
    left=$(seconds_to "$(sed -nE 's/.*lockout: violations=2.*until=([^ ]+).*/\1/p' late)")
    [ "$left" -le 100 ]
}

# The minutes at which mail servers try again while they are refused: Postfix (300 s, doubled up to 4000 s), Exim (15 minutes),
# sendmail (30 minutes), Exchange (1, 5, 6 minutes and 15 behind that), Gmail (growing up to 2 hours).
@test "the retries of mail servers reach the end of a lock" {
    for gaps in '5 10 20 40 66 66' '15 15 15 15 15' '30 30 30' '1 5 6 15 15 15 15' '10 20 40 120'; do
        rm -f contacts.db
        for _ in 1 2 3; do strike; done
        for gap in $gaps; do
            "$TESTS/tools/contacts" contacts.db shift $((gap * 60))
            good
            ! grep -q '^250 2.0.0 Ok, delivered' replies || continue 2
        done
        echo "refused to the end: $gaps"
        return 1
    done
}

@test "no temporary refusal is a violation, however many and at whatever stage" {
    conf 'lockout.violations 1' 'limit.smtp_undelivered 150' \
        'error rcpt_to ^later 450 Later' 'limit.smtp_rcpt_to 1' 'limit.smtp_data_size 20 452 Too much' 'deliver rcpt_to fails@mx.example pipe exit 75'
    mapfile -t many < <(yes 'RCPT TO:<later@mx.example>' | head -n 120)
    session 192.0.2.7 'EHLO out.example' 'MAIL FROM:<>' "${many[@]}" 'RCPT TO:<user@mx.example>' 'RCPT TO:<user@mx.example>' \
        DATA 'too much for this limit' . 'MAIL FROM:<>' 'RCPT TO:<fails@mx.example>' DATA . 'MAIL FROM:<> SIZE=100' QUIT >replies
    expect "$(grep -c '^45[0-2]' replies)" 124
    expect "$(lines)" ""
    session 192.0.2.7 'EHLO out.example' 'MAIL FROM:<>' "${many[@]}" "${many[@]}" QUIT >replies
    grep -q '^421 4.7.0 Too many commands without a delivery' replies
    expect "$(lines)" ""
    expect "$(grep -c stage=flood log)" 1
}

@test "recipients: refused and a message came is none, refused and nothing else is one" {
    gone=('RCPT TO:<gone1@mx.example>' 'RCPT TO:<gone2@mx.example>' 'RCPT TO:<gone3@mx.example>')
    session 192.0.2.7 'MAIL FROM:<>' "${gone[@]}" 'RCPT TO:<user@mx.example>' DATA . QUIT >replies
    expect "$(lines)" ""
    session 192.0.2.7 'MAIL FROM:<>' "${gone[@]}" 'RCPT TO:<picky@mx.example>' DATA . QUIT >replies
    expect "$(lines)" ""
    conf 'limit.smtp_data_size 20'
    session 192.0.2.7 'MAIL FROM:<>' "${gone[@]}" 'RCPT TO:<user@mx.example>' DATA 'more than twenty bytes' . QUIT >replies
    expect "$(lines)" ""
    conf
    session 192.0.2.7 'MAIL FROM:<>' "${gone[0]}" 'RCPT TO:<user@mx.example>' QUIT >replies
    expect "$(lines)" ""
    session 192.0.2.7 'MAIL FROM:<>' "${gone[@]}" 'RCPT TO:<user@mx.example>' QUIT >replies
    expect "$(lines)" "lockout: violations=1/4 reason=rcpt"
    grep -q '\] end reason=quit .* violation=rcpt$' log
    session 192.0.2.8 'MAIL FROM:<>' "${gone[@]}" DATA QUIT >replies
    expect "$(lines)" "lockout: violations=1/3 reason=rcpt"
}

@test "a violation is what the table says, whatever the code of a limit" {
    conf 'lockout.violations 1000' 'limit.smtp_unknowncmd 1 450 Slowly' 'deny remotehost ^198\.51\.100\.' 'error rcpt_to ^old 551 Gone'
    counts() { # REASON CLIENT LINE...
        local reason=$1
        shift
        session "$@" >replies
        expect "$(lines)" "lockout: violations=1/1000 reason=$reason"
    }
    counts limit 192.0.2.1 ONE TWO THREE
    counts connect 198.51.100.1 QUIT
    counts rcpt 192.0.2.2 'MAIL FROM:<>' 'RCPT TO:<nobody@mx.example>'
    counts rcpt 192.0.2.3 'MAIL FROM:<>' 'RCPT TO:<old@mx.example>'
    counts input 192.0.2.4 'GET / HTTP/1.1'
    rm log
    printf '\x16\x03\x01' >input
    "$MAILRECV" -c conf -l log -P 192.0.2.5 <input >replies
    expect "$(lines)" "lockout: violations=1/1000 reason=input"
}

@test "what the fail2ban filters do not count is no violation" {
    session 192.0.2.7 NONSENSE 'HELO' $'HELO a\tb' 'MAIL FROM:<' 'DATA' QUIT >replies
    expect "$(grep -c '^50' replies)" 5
    expect "$(lines)" ""
    session 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<picky@mx.example>' DATA . QUIT >replies
    grep -q '^554 ' replies
    expect "$(lines)" ""
    conf 'limit.smtp_rcpt_to 1 452 Enough'
    session 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<user@mx.example>' 'RCPT TO:<user@mx.example>' QUIT >replies
    grep -q '^452 ' replies
    expect "$(lines)" ""
}

@test "a command whose status is called a violation makes one, and the end of the session says so" {
    conf 'status strict 9=violation 8=refused' 'deliver status strict rcpt_to strict@mx.example pipe echo 5.7.1 Spam; exit 9' \
        'deliver status strict rcpt_to mild@mx.example pipe exit 8' \
        'deliver status strict temporary rcpt_to soft@mx.example pipe exit 9'
    session 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<mild@mx.example>' DATA . 'MAIL FROM:<>' 'RCPT TO:<soft@mx.example>' DATA . QUIT >replies
    expect "$(grep -cE '^(554 5.7.0|451 4.3.0) ' replies)" 2
    expect "$(lines)" ''
    run ! grep 'violation=' log
    session 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<strict@mx.example>' DATA . QUIT >replies
    grep -qx $'554 5.7.1 Spam\r' replies
    expect "$(lines)" 'lockout: violations=1/3 reason=command'
    grep -q ' end reason=quit .* violation=command' log
}

@test "wrong passwords are violations" {
    [ -x "${MAILRECV%/*}/mailrecv-checkpassword" ]
    # shellcheck disable=SC2016 # a hash
    echo 'ann:$1$salt$UsdFqFVB.FsuinRDK5eE..' >users
    chmod 600 users
    conf 'auth optional' 'auth.insecure on' "auth.users $PWD/users"
    session 192.0.2.7 'EHLO client.example' "AUTH PLAIN $(printf '\0ann\0wrong' | base64)" QUIT >replies
    grep -q '^535 ' replies
    expect "$(lines)" "lockout: violations=1/3 reason=auth"
}

@test "a client that has gone in the middle of a command is one, one that has just gone is not" {
    printf 'HELO client.example\r\nMAIL FR' >input
    "$MAILRECV" -c conf -l log -P 192.0.2.7 <input >replies
    expect "$(lines)" "lockout: violations=1/3 reason=cut"
    grep -q '\] end reason=cut ' log
    rm log
    conf 'auth optional' 'auth.insecure on' 'auth.users /nowhere'
    session 192.0.2.7 'EHLO client.example' 'AUTH LOGIN' >replies
    expect "$(lines)" "lockout: violations=2/3 reason=cut"

    session 192.0.2.8 >replies
    grep -q '\] end reason=eof ' log
    expect "$(lines)" ""
    session 192.0.2.8 'HELO client.example' 'MAIL FROM:<>' >replies
    expect "$(lines)" ""
    session 192.0.2.8 'MAIL FROM:<>' 'RCPT TO:<user@mx.example>' DATA 'half a message' >replies
    expect "$(lines)" ""
}

@test "a session is one violation at most" {
    session 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<a@mx.example>' 'RCPT TO:<b@mx.example>' 'RCPT TO:<c@mx.example>' \
        'RCPT TO:<d@mx.example>' 'GET /' >replies
    expect "$(lines)" "lockout: violations=1/3 reason=input"
    run -1 grep violation=rcpt log
}

@test "each delivered message allows one violation more, for as long as violations are counted" {
    for _ in 1 2 3; do good; done
    for _ in 1 2 3 4 5; do strike; done
    expect "$(lines)" "lockout: violations=5/6 reason=rcpt"
    strike
    expect "$(lines)" "lockout: violations=6/6 reason=rcpt until=TIME"
    good 192.0.2.8
    strike 192.0.2.8
    "$TESTS/tools/contacts" contacts.db shift 3610
    strike 192.0.2.8
    expect "$(lines)" "lockout: violations=1/3 reason=rcpt"
}

@test "a delivered message clears the count, a refused one does not" {
    strike
    strike
    good
    expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" 1
    strike
    expect "$(lines)" "lockout: violations=1/4 reason=rcpt"
    session 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<picky@mx.example>' DATA . QUIT >replies
    strike
    expect "$(lines)" "lockout: violations=2/4 reason=rcpt"
}

@test "violations of another period do not count, a lock ends, and then the count begins anew" {
    strike
    strike
    "$TESTS/tools/contacts" contacts.db shift 3590
    strike
    expect "$(lines)" "lockout: violations=3/3 reason=rcpt until=TIME"
    "$TESTS/tools/contacts" contacts.db shift 3590
    expect "$(greeting)" 454
    "$TESTS/tools/contacts" contacts.db shift 20
    strike
    expect "$(lines)" "lockout: violations=1/3 reason=rcpt"
    strike
    "$TESTS/tools/contacts" contacts.db shift 3610
    strike
    expect "$(lines)" "lockout: violations=1/3 reason=rcpt"
}

@test "when the clock is set back, nobody is locked out for longer than lockout.secs" {
    conf 'lockout.violations 1' 'lockout.secs 60'
    strike
    "$TESTS/tools/contacts" contacts.db shift -1000000
    session 192.0.2.7 QUIT >replies
    left=$(seconds_to "$(sed -nE '1s/.*until ([^ \r]+).*/\1/p' replies)")
    [ "$left" -ge 0 ]
    [ "$left" -le 60 ]
    strike 192.0.2.8
    "$MAILRECV" -c conf -S clear 192.0.2.8
    conf
    strike 192.0.2.8
    "$TESTS/tools/contacts" contacts.db shift -1000000
    strike 192.0.2.8
    expect "$(lines)" "lockout: violations=1/3 reason=rcpt"
}

@test "IPv6: a /64 is one client" {
    conf 'lockout.violations 1'
    strike 2001:db8:1:2::7
    expect "$(greeting 2001:db8:1:2:ffff::8)" 454
    expect "$(greeting 2001:db8:1:3::7)" 220
    strike ::ffff:192.0.2.9
    expect "$(greeting 192.0.2.9)" 454
}

@test "lockout.exempt: neither counted nor kept out, by address or by confirmed name" {
    conf 'lockout.violations 1' 'lockout.exempt ^192\.0\.2\.7$' 'lockout.exempt \.friend\.example$'
    strike
    expect "$(lines)" ""
    strike 192.0.2.8=mail.friend.example
    expect "$(lines)" ""
    strike 192.0.2.70
    expect "$(greeting 192.0.2.70)" 454
    conf 'lockout.exempt ^192\.0\.2\.70$'
    expect "$(greeting 192.0.2.70)" 220
    conf
    expect "$(greeting 192.0.2.70)" ""
}

@test "a client without an address is not counted, and without lockout.db nobody is" {
    conf 'lockout.violations 1'
    strike local
    expect "$(lines)" ""
    printf 'domain mx.example\n' >conf
    strike
    expect "$(lines)" ""
    [ ! -e contacts.db ]
}

@test "the file is the owner's alone" {
    strike
    expect "$(stat -c %a contacts.db)" 600
}

@test "-S: the contacts, latest first, as a table and as JSON" {
    conf 'lockout.violations 2'
    run -0 "$MAILRECV" -c conf -S
    expect "$output" "ADDRESS                    CONNECTIONS VIOLATIONS LOCKS  LAST SEEN             LOCKED UNTIL"
    run -0 "$MAILRECV" -c conf -S json
    expect "$output" "[]"
    [ ! -e contacts.db ]

    strike 2001:db8:1:2::7
    strike 2001:db8:1:2::8
    "$TESTS/tools/contacts" contacts.db shift 60
    strike 192.0.2.7
    good 192.0.2.7
    run -0 "$MAILRECV" -c conf -S
    expect "${#lines[@]}" 3
    [[ "${lines[1]}" =~ ^192\.0\.2\.7\ +2\ +0\ +0\ +20[0-9-]+T[0-9:]+Z\ +-$ ]]
    [[ "${lines[2]}" =~ ^2001:db8:1:2::/64\ +2\ +2\ +1\ +20[0-9-]+T[0-9:]+Z\ +20[0-9-]+T[0-9:]+Z$ ]]
    run -0 bash -c '"$MAILRECV" -c conf -S json | python3 -c "
import datetime, json, sys
for c in json.load(sys.stdin):
    first, last, until = [c[key] and datetime.datetime.fromisoformat(c[key].replace(\"Z\", \"+00:00\"))
                          for key in (\"first\", \"last\", \"locked_until\")]
    print(c[\"address\"], c[\"connections\"], c[\"violations\"], c[\"locks\"], first <= last, until and until > last, len(c))
"'
    expect "$output" $'192.0.2.7 2 0 0 True None 7\n2001:db8:1:2::/64 2 2 1 True True 7'
}

@test "-S shows nobody who is forgotten, and no lock that has ended" {
    conf 'lockout.violations 1' 'lockout.secs 100'
    strike
    "$TESTS/tools/contacts" contacts.db shift 200
    run -0 "$MAILRECV" -c conf -S
    [[ "${lines[1]}" =~ ^192\.0\.2\.7\ +1\ +0\ +1\ .*Z\ +-$ ]]
    "$TESTS/tools/contacts" contacts.db shift 3600
    run -0 "$MAILRECV" -c conf -S
    expect "${#lines[@]}" 1
}

@test "-S clear forgives one client" {
    conf 'lockout.violations 1'
    strike
    strike 2001:db8:1:2::7
    run -0 "$MAILRECV" -c conf -S clear 192.0.2.7
    expect "$output" "192.0.2.7 is forgotten"
    run -0 "$MAILRECV" -c conf -S clear 192.0.2.7
    expect "$output" "192.0.2.7 was not known"
    expect "$(greeting)" 220
    expect "$(greeting 2001:db8:1:2::7)" 454
    run -0 "$MAILRECV" -c conf -S clear 2001:db8:1:2::/64
    expect "$output" "2001:db8:1:2::/64 is forgotten"
    expect "$(greeting 2001:db8:1:2::7)" 220
}

# The end of the lock that -S lock has told, which is all that it says of a client.
locked_until() { # SAID CLIENT
    [[ "$1" =~ ^"$2 is locked out until "(20[0-9-]+T[0-9:]+Z)$ ]] && echo "${BASH_REMATCH[1]}"
}

@test "-S lock locks one client out, until -S clear or the end" {
    conf 'lockout.secs 500'
    expect "$(greeting 192.0.2.9)" 220
    run -0 --separate-stderr "$MAILRECV" -c conf -S lock 192.0.2.7
    expect "$stderr" ''
    left=$(seconds_to "$(locked_until "$output" 192.0.2.7)")
    [ "$left" -gt 490 ]
    [ "$left" -le 500 ]
    session 192.0.2.7 QUIT >replies
    grep -qE "^454 4\.7\.1 .* your host is locked out until $(locked_until "$output" 192.0.2.7).\$" replies
    session 192.0.2.7 QUIT >replies
    expect "$(cat replies)" ''
    expect "$(lines)" 'lockout: closed until=TIME connections=2'
    expect "$(greeting 192.0.2.9)" 220
    run -0 "$MAILRECV" -c conf -S
    [[ "$output" =~ 192\.0\.2\.7\ +2\ +0\ +1\ .*Z\ +20[0-9-]+T[0-9:]+Z ]]
    run -0 "$MAILRECV" -c conf -S clear 192.0.2.7
    expect "$(greeting)" 220
    run -0 "$MAILRECV" -c conf -S lock 192.0.2.7 100
    "$TESTS/tools/contacts" contacts.db shift 101
    expect "$(greeting)" 220
}

@test "-S lock takes seconds, more than lockout.secs too, and the network of an IPv6 address" {
    conf 'lockout.secs 10' 'lockout.violations 1'
    strike 192.0.2.7
    expect "$(greeting)" 454
    run -0 "$MAILRECV" -c conf -S lock 192.0.2.7 86400
    # the client is told anew; neither that nor its coming again makes the lock shorter
    expect "$(greeting)" 454
    expect "$(greeting)" ''
    left=$(seconds_to "$("$MAILRECV" -c conf -S json | sed -n 's/.*"locked_until":"\(.*\)".*/\1/p')")
    [ "$left" -gt 86300 ]
    # when it has ended, the next one is as long as ever
    "$TESTS/tools/contacts" contacts.db shift 86401
    strike
    "$MAILRECV" -c conf -S json >json
    left=$(seconds_to "$(sed -n 's/.*"locked_until":"\(.*\)".*/\1/p' json)")
    [ "$left" -le 10 ]
    run -0 "$MAILRECV" -S lock 2001:db8:1:2::7 1 -c conf
    locked_until "$output" 2001:db8:1:2::/64
    run -0 "$MAILRECV" -c conf -S lock 2001:db8:1:2::/64 1000
    expect "$(greeting 2001:db8:1:2::8)" 454
    expect "$(greeting 2001:db8:1:3::8)" 220
}

@test "-S lock warns of a client that is exempt, and is served" {
    conf 'lockout.exempt ^192\.0\.2\.7$'
    good 192.0.2.9
    run -0 --separate-stderr "$MAILRECV" -c conf -S lock 192.0.2.7
    expect "$stderr" 'mailrecv: warning: lockout.exempt names 192.0.2.7, for which the lock has no effect'
    expect "$(greeting)" 220
    run -0 --separate-stderr "$MAILRECV" -c conf -S lock 192.0.2.8
    expect "$stderr" ''
}

@test "-S lock says what is wrong, and makes no file" {
    run -74 --separate-stderr "$MAILRECV" -c conf -S lock 192.0.2.7
    expect "$stderr" "mailrecv: $PWD/contacts.db: is not there yet; the first session makes it"
    [ ! -e contacts.db ]
    good
    for secs in 0 1x '' 1000000001 99999999999999999999999 1.5; do
        run -64 --separate-stderr "$MAILRECV" -c conf -S lock 192.0.2.7 "$secs"
        expect "$stderr" "mailrecv: '$secs' is no number of seconds from 1 to 1000000000"
    done
    run -64 --separate-stderr "$MAILRECV" -c conf -S lock example.com
    expect "$stderr" "mailrecv: 'example.com' is no address"
    run -64 --separate-stderr "$MAILRECV" -c conf -S lock
    expect "$stderr" "mailrecv: option '-S lock' needs an address, see mailrecv -h"
    run -64 --separate-stderr "$MAILRECV" -c conf -S lock 192.0.2.7 5 6
    expect "$stderr" "mailrecv: unknown argument '6', see mailrecv -h"
    expect "$(greeting)" 220
    printf 'domain mx.example\n' >conf
    run -78 --separate-stderr "$MAILRECV" -c conf -S lock 192.0.2.7
}

@test "-S says what is wrong" {
    for address in nonsense local 192.0.2.7/24 192.0.2.7/64 2001:db8::/48 192.0.2.7/64x 192.0.2; do
        run -64 --separate-stderr "$MAILRECV" -c conf -S clear "$address"
        # shellcheck disable=SC2154 # bats sets it
        expect "$stderr" "mailrecv: '$address' is no address"
    done
    run -64 --separate-stderr "$MAILRECV" -c conf -S clear
    expect "$stderr" "mailrecv: option '-S clear' needs an address, see mailrecv -h"
    run -64 --separate-stderr "$MAILRECV" -c conf -S xml
    expect "$stderr" "mailrecv: unknown argument 'xml', see mailrecv -h"
    echo nonsense >contacts.db
    run -74 --separate-stderr "$MAILRECV" -c conf -S
    expect "$stderr" "mailrecv: $PWD/contacts.db: it is no lockout.db"
    run -74 --separate-stderr "$MAILRECV" -c conf -S clear 192.0.2.7
    expect "$stderr" "mailrecv: $PWD/contacts.db: it is no lockout.db"
    expect "$(cat contacts.db)" nonsense
    printf 'domain mx.example\n' >conf
    for json in '' json; do
        run -78 --separate-stderr "$MAILRECV" -c conf -S $json
        expect "$output$stderr" "mailrecv: conf: there is no lockout.db and no ledger, so nothing is remembered"
    done
    run -78 --separate-stderr "$MAILRECV" -c conf -S clear 192.0.2.7
    expect "$stderr" "mailrecv: conf: there is no lockout.db, so nothing is known of clients"
    printf 'domain mx.example\nnonsense\n' >conf
    run -78 --separate-stderr "$MAILRECV" -c conf -S
    [[ "$stderr" == "conf:2:1: unknown keyword 'nonsense'"* ]]
}

@test "-t says what has no effect" {
    printf '%s\n' 'domain mx.example' 'lockout.secs 5' 'lockout.exempt .' >conf
    run -1 --separate-stderr "$MAILRECV" -c conf -t
    [[ "$stderr" == *"conf:2:1: warning: 'lockout.secs' has no effect without lockout.db"* ]]
    [[ "$stderr" == *"conf:3:1: warning: 'lockout.exempt' has no effect without lockout.db"* ]]
    conf "lockout.db $PWD/nowhere/contacts.db" "user $(id -un)"
    run -1 --separate-stderr "$MAILRECV" -c conf -t
    [[ "$stderr" == *"conf:5:12: warning: $PWD/nowhere/contacts.db is not there, and $(id -un) cannot make it in $PWD/nowhere: No such"* ]]
    printf '%s\n' 'lockout.db contacts' 'lockout.exempt (' >conf
    run -78 --separate-stderr "$MAILRECV" -c conf -t
    [[ "$stderr" == *"conf:2:17: bad regular expression"* ]]
}

# What was in the file is moved to contacts.db.corrupt, and mail goes on.
begun_anew() {
    cp contacts.db before
    good
    expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" 1
    expect "$(grep -c "\] contacts: $PWD/contacts.db is damaged; it is kept as $PWD/contacts.db.corrupt, and begun anew$" log)" 1
    cmp before contacts.db.corrupt
    expect "$("$TESTS/tools/contacts" contacts.db records)" 1
    good
    run -1 grep -E 'contacts:|lockout:' log
}

@test "a damaged file is moved away and begun anew" {
    for damage in 'head -c 20 old >contacts.db' '{ head -c 13 old; head -c 4096 /dev/urandom; } >contacts.db' 'cp old contacts.db; "$TESTS/tools/contacts" contacts.db spoil' \
        '{ head -c 13 old; yes; } | head -c 5000000 >contacts.db' 'cp old contacts.db; printf x | dd of=contacts.db conv=notrunc bs=1 seek=17 2>/dev/null'; do
        rm -f contacts.db*
        strike
        cp contacts.db old
        eval "$damage"
        begun_anew
    done
}

@test "a file that was never a lockout.db is left alone, and logged; mail goes on" {
    printf 'From x Thu Jan  1 00:00:00 1970\n\ntext\n\n' >contacts.db
    cp contacts.db before
    goes_on 'it is no lockout\.db'
    cmp before contacts.db
    [ ! -e contacts.db.corrupt ]
    run -74 --separate-stderr "$MAILRECV" -c conf -S
    expect "$stderr" "mailrecv: $PWD/contacts.db: it is no lockout.db"
}

@test "what a power cut can leave is no damage: a file that is empty, or lacks its end" {
    strike
    for size in 0 4096; do
        truncate -s "$size" contacts.db
        good
        expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" 1
        run -1 grep -E 'contacts:|lockout:' log
    done
}

# Locks all of contacts.db until `release`, as a process that never goes on would.
hold() {
    mkfifo go held
    python3 -c '
import fcntl, struct
with open("contacts.db", "r+b") as file:
    fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
    open("held", "w").close()
    open("go").read()' 3>&- &
    HOLDER=$!
    : <held
}

release() {
    : >go
    wait "$HOLDER"
}

@test "when many find the damage at once, one moves the file away and all go on" {
    strike
    "$TESTS/tools/contacts" contacts.db spoil
    hold
    pids=()
    for i in {1..8}; do
        printf 'MAIL FROM:<>\r\nRCPT TO:<nobody@mx.example>\r\nQUIT\r\n' | "$MAILRECV" -c conf -l "log.$i" -P 192.0.2.7 >"out.$i" 3>&- &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do # each has the damaged file open, and waits for its turn
        until readlink "/proc/$pid"/fd/* | grep -qxF "$PWD/contacts.db"; do
            kill -0 "$pid"
        done
    done
    release
    wait "${pids[@]}"
    expect "$(cat log.* | grep -c 'is damaged; it is kept')" 1
    expect "$(cat log.* | grep -c 'cannot')" 0
    # whoever was served before the lock counts; nothing of that is lost
    served=$(grep -l '^220 ' out.* | wc -l)
    [ "$served" -ge 3 ]
    expect "$("$MAILRECV" -c conf -S | awk 'NR == 2 { print $2, $3 }')" "8 $served"
}

# A session delivers a message, and says once in the log why contacts cannot be kept.
goes_on() { # REASON
    good
    expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" 1
    expect "$(grep -c "\] lockout: .* cannot be kept: $1$" log)" 1
}

@test "a file that cannot be used never stops the mail, and is logged once for each session" {
    mkdir contacts.db
    goes_on 'Is a directory'
    rmdir contacts.db
    mkfifo contacts.db
    goes_on 'Invalid argument'
    rm contacts.db
    ln -s elsewhere contacts.db
    goes_on 'Too many levels of symbolic links'
    [ ! -e elsewhere ]
    conf "lockout.db $PWD/nowhere/contacts.db"
    goes_on 'No such file or directory'
}

@test "a full disk stops no mail; locks that it holds are kept" {
    conf 'lockout.violations 1'
    strike 192.0.2.9
    # as a full disk, a limit on the size of files lets nothing be added
    session 192.0.2.7 QUIT >/dev/null
    (ulimit -f 1 && "$MAILRECV" -c conf -l stderr -P 192.0.2.7 <<<QUIT >replies 2>errors)
    grep -q '^220 ' replies
    expect "$(grep -c 'lockout: .* cannot be kept: File too large' errors)" 1
    (ulimit -f 1 && "$MAILRECV" -c conf -l stderr -P 192.0.2.9 <<<QUIT >replies 2>errors)
    grep -q '^454 ' replies
    expect "$(grep -c 'lockout: .* cannot be kept: File too large' errors)" 1
}

@test "somebody who holds the lock for ever stops no mail" {
    strike
    hold
    conf 'lockout.violations 1'
    "$MAILRECV" -c conf -l log2 -P 192.0.2.7 <<<QUIT >replies || { release; false; }
    release
    grep -q '^220 ' replies
    expect "$(grep -c 'lockout: .* cannot be kept: Resource temporarily unavailable' log2)" 1
}

# The C compiler, quick, with what the build of the program has.
compile() { "${CC:-cc}" -std=gnu11 -D_GNU_SOURCE -O1 -I"$TESTS/.." "$@"; }

@test "a hundred processes change one file without a pause, and are killed: nothing is lost, nobody is refused" {
    compile -o hammer "$TESTS/tools/hammer.c" "$TESTS"/../{client/lockout_db,stores/store_file,stores/store_lock,base/guarded,base/log,base/outlet}.c
    ./hammer contacts.db "${SEED:-$RANDOM}" "${HAMMER_SECS:-2}" 100
}

@test "a hundred sessions at once, half of them killed: no violation and no lock is lost, nobody waits" {
    "$TESTS/tools/hammer-contacts" "$MAILRECV" "${SEED:-$RANDOM}" "${HAMMER_SECS:-2}" 100 30
}
