# recipes.bats - mailrecv-recipes(7): the lines of each recipe, as they stand there, with the real programs
#
# Those that need a server or much to install are in slow/, for `make check`.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load common
load recipes

AS=()

setup() {
    cd "$BATS_TEST_TMPDIR"
    umask 022
}

teardown() {
    stop_hook
    [ ! -e server.pid ] || kill "$(cat server.pid)" 2>/dev/null || true
}

# The messages of a mailbox, as `SUBJECT LINES-OF-TEXT`.
mails() { # mbox|Maildir PATH
    python3 - "$1" "$2" <<'END'
import mailbox, sys
for m in getattr(mailbox, sys.argv[1])(sys.argv[2], create=False):
    print(m["Subject"], m.get_payload().split("\n"))
END
}

@test "each recipe has its test, and each test its recipe" {
    sed -n 's/^@test "recipe: \(.*\)" {$/\1/p' "$TESTS"/{recipes,listener}.bats "$TESTS"/slow/*.bats | sort >tested
    [ "$(wc -l <tested)" -ge 40 ]
    recipe_titles | sort | diff - tested
}

@test "mailrecv-recipes(7) is clean for mandoc and knows the exit statuses" {
    run -0 mandoc -Tlint -Wwarning "$RECIPES"
    [ "$output" = "" ]
    [[ "$(head -n1 "$RECIPES")" == '.\" mailrecv-recipes.7 - '* ]]
    grep -q '^\.It 65, 67, 77, 100 Ta ' "$TESTS/../man/mailrecv.conf.5"
    grep -q 'with 65, 67, 77 or 100 it hears$' "$RECIPES"
}

@test "each recipe with a command says what the units of systemd take from it" {
    # those with a script of the reader's own, behind a table or a policy service, and those whose socket has a drop-in there
    awk '/^\.Ss / { title = substr($0, 5) }
        /^deliver .* (exec|pipe) / { commands[title] }
        /^\.Xr systemd 1/ || /systemd/ && /\.d\// { said[title] }
        END { for (title in commands) if (!(title in said)) print title }' "$RECIPES" | sort |
        diff - <(printf '%s\n' 'Addresses that expire' 'Refuse outside business hours')
}

@test "recipe: Archive a mailing list" {
    recipe 'Archive a mailing list'
    for list in dev news; do
        message | deliver_to $list-archive@example.com 192.0.2.25 | grep -q '^250 2.0.0 Ok, delivered'
        message | deliver_to $list-archive@example.com 192.0.2.25 | grep -q '^250 2.0.0 Ok, delivered'
        message | deliver_to $list-archive@example.com 192.0.2.250 | grep -q '^550 5.7.1 Not accepted from your host'
    done
    [ "$(mails Maildir lib/news | uniq -c | tr -s ' ')" = " 2 test ['text', 'From here', '.', '']" ]
    # quoted as mboxrd; the last line feed parts messages
    [ "$(mails mbox lib/dev.mbox | uniq -c | tr -s ' ')" = " 2 test ['text', '>From here', '.', '']" ]
    cp lib/dev.mbox before
    on_full_disk lib
    for list in dev news; do
        long_message | deliver_to $list-archive@example.com 192.0.2.25 | grep -q '^451 4.3.0 '
        grep -q 'reason="cannot write the file: ' log
        rm log
    done
    cmp -n "$(stat -c %s before)" before lib/dev.mbox
    [ "$(ls lib/news/new | wc -l)" -eq 2 ]
}

@test "recipe: Post to a webhook" {
    start_hook
    recipe 'Post to a webhook' -e "s,https://hooks.example.com,http://127.0.0.1:$HOOK_PORT,"
    message | deliver_to raw@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(cat path)" = /raw ]
    grep -qi '^content-type: message/rfc822$' headers
    [ "$(tail -n 5 body)" = "$(message)" ]
    [ "$(head -n 2 body)" = $'Return-Path: <a@example.com>\nDelivered-To: raw@example.com' ]
    message | deliver_to hook@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(cat path)" = /form ]
    python3 - headers body <<'END'
import email, json, sys
form = email.message_from_bytes(open("headers", "rb").read().rstrip() + b"\n\n" + open("body", "rb").read())
parts = {p.get_param("name", header="content-disposition"): p for p in form.get_payload()}
assert set(parts) == {"message", "facts"}, parts
facts = json.loads(parts["facts"].get_payload())
assert facts["recipient"] == "hook@example.com" and facts["sender"] == "a@example.com" and facts["client_address"] == "192.0.2.7"
message = parts["message"].get_payload()[0]
assert message["Subject"] == "test" and message.get_payload().split() == ["text", "From", "here", "."]
END
    while read -r status raw hook; do
        echo "$status" >answer
        message | deliver_to raw@example.com | grep -q "^$raw "
        message | deliver_to hook@example.com | grep -q "^$hook "
    done <<'END'
204 250 250
500 451 451
503 451 451
404 451 554
408 451 451
429 451 451
302 451 451
END
    echo 200 >answer
    takes_letters raw@example.com
    letters ISO-8859-1 | cmp - <(tail -n 7 body)
    takes_letters hook@example.com
    LC_ALL=C grep -aqx $'Gr\374\337e\r*' body
    # what is known of the message may be large
    seq -f 'X-Long-%g: <<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<<' 3000 | deliver_to hook@example.com |
        grep -q '^250 2.0.0 Ok, delivered'
    echo 403 >answer
    message | deliver_to hook@example.com | grep -q '^554 5.7.0 Delivery refused: <hook@example.com> The hook refused this message with 403'
    # no TLS there, then no file with the authorities that are trusted, then nobody there, then one who says nothing
    echo 200 >answer
    neither_takes() {
        for to in raw hook; do message | deliver_to $to@example.com | grep -q '^451 4.3.0 ' || return; done
        grep -qE "output .*curl: \($1\)" log
    }
    sed -i 's,http:,https:,' mailrecv.conf
    neither_takes 35
    sed -i 's,curl -sS,& --cacert missing,' mailrecv.conf to-hook
    neither_takes 77
    stop_hook
    wait
    neither_takes 7
    python3 -c 'import socket, time; s = socket.create_server(("127.0.0.1", int(open("port").read()))); print("listens", flush=True); time.sleep(60)' \
        >listens 3>&- &
    echo $! >server.pid
    wait_for listens listens
    sed -i 's,--max-time 100,--max-time 0.2,; s,https:,http:,' mailrecv.conf to-hook
    neither_takes 28
}

# This is done by the recipes for maildrop and for procmail.
filters_mail() {
    message 'List-Id: Dev <dev.lists.example.com>' | deliver_to joe@example.com | grep -q '^250 2.0.0 Ok, delivered'
    message | deliver_to joe@example.com | grep -q '^250 2.0.0 Ok, delivered'
    message 'X-Spam-Flag: YES' | deliver_to joe@example.com >refused
    [ "$(ls lib/joe/new | wc -l)" -eq 1 ]
    [ "$(ls lib/joe-dev/new | wc -l)" -eq 1 ]
    [ "$(tail -n 5 lib/joe/new/*)" = "$(message)" ]
    [ "$(tail -n 6 lib/joe-dev/new/*)" = "$(message 'List-Id: Dev <dev.lists.example.com>')" ]
    takes_letters joe@example.com
    has_letters lib/joe/new
    cp log lib
    on_full_disk lib
    long_message | deliver_to joe@example.com | grep -q '^451 4.3.0 '
    [ "$(grep -c /new/ left)" -le 4 ]
    AS=()
}

@test "recipe: Hand to maildrop" {
    recipe 'Hand to maildrop'
    filters_mail
    grep -q '^554 5.7.0 Delivery refused: <joe@example.com> This looks like spam' refused
    # where there is no maildir it is an mbox file
    mv lib/joe away
    message | deliver_to joe@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(mails mbox lib/joe)" = "test ['text', '>From here', '.', '']" ]
    # a filter that everybody can write to
    chmod 666 mailfilter
    message | deliver_to joe@example.com | grep -q '^451 4.3.0 '
    rm mailfilter
    message | deliver_to joe@example.com | grep -q '^451 4.3.0 '
    grep -q 'reason="the command exited with status 75"$' log
}

@test "recipe: Hand to procmail" {
    recipe 'Hand to procmail'
    filters_mail
    grep -q '^554 5.7.0 Delivery refused: <joe@example.com> ' refused
    rm procmailrc
    message | deliver_to joe@example.com | grep -q '^451 4.3.0 '
    grep -q 'reason="the command exited with status 75"$' log
}

@test "recipe: Many mailboxes" {
    recipe 'Many mailboxes'
    for to in joe@example.com Ann+shop@example.com sales@example.com any@lists.example.com; do
        message "To: $to" | deliver_to "$to" | grep '^250 2.0.0 Ok, delivered'
    done
    for box in joe ann sales lists; do
        [ "$(find "lib/$box/new" -type f | wc -l)" = 1 ]
    done
    message | deliver_to bob@example.com | grep '^550 5.1.6 This address has moved'
    message | deliver_to x@old.example.com | grep '^550 5.1.6 '
    message | deliver_to x@example.com | grep '^550 5.1.1 '
    # a table that is away is no reason to refuse
    mv people away
    message | deliver_to joe@example.com | grep '^451 '
    mv away people
    echo 'x@example.com x' >>people
    message | deliver_to x@example.com | grep '^250 2.0.0 Ok, delivered'
}

@test "recipe: Addresses that expire" {
    printf '#!/bin/sh\nprintf "%%s " "$@"; cat >mail\n' >reply
    head -c 32 /dev/urandom >secret
    recipe 'Addresses that expire'
    address=$(./given 4711 30)
    message | deliver_to "$address" | grep '^250 2.0.0 Ok, delivered'
    message | deliver_to "${address^^}" | grep '^250 2.0.0 Ok, delivered'
    grep 'text="-- 4711 a@example.com "' log
    [ -s mail ]
    for to in "$(./given 4711 -1)" "${address/4711/4712}" "${address/.2/.3}" 4711@example.com j@example.com; do
        message | deliver_to "$to" | grep '^550 5.1.1 '
    done
    # a recipient in UTF-8, and no word of a locale
    printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<> SMTPUTF8' 'RCPT TO:<Grüße@example.com>' "RCPT TO:<Grüße.99999.0@example.com>" \
        "RCPT TO:<$address>" QUIT | "$MAILRECV" -c mailrecv.conf -l "$PWD/log" -P 192.0.2.7 | tail -n 4 | cut -c1-3 |
        paste -sd' ' | grep -x '550 550 250 221'
    run ! grep "table failed" log
    rm secret
    message | deliver_to "$address" | grep '^451 '
}

@test "recipe: Refuse outside business hours" {
    local now reply
    printf '#!/bin/sh\ncat >order\n' >new-order
    recipe 'Refuse outside business hours' -e 's/\$\(date \+%u,%H\)/$(cat now)/'
    while read -r now reply; do
        echo "$now" >now
        message | deliver_to orders@example.com | grep -q "^$reply " || { echo "$now: not $reply"; false; }
        message | deliver_to inbox@example.com | grep -q '^250 2.0.0 Ok, delivered'
    done <<'END'
1,08 450 4.3.2
1,09 250 2.0.0
5,16 250 2.0.0
5,17 450 4.3.2
3,23 450 4.3.2
6,12 450 4.3.2
7,09 450 4.3.2
END
    # in whatever case the client writes the address
    message | deliver_to Orders@EXAMPLE.com | grep -q '^450 '
    grep -q '^Subject: test' order
    [ "$(grep -c 'ERROR: 450 - stage=rcpt policy=rcpt ' log)" = 6 ]
    "$MAILRECV" -x -c mailrecv.conf rcpt orders@example.com >said || :
    grep -q 'business-hours at rcpt answers: 450 4.3.2 Orders are taken' said
    # who cannot be asked
    rm business-hours
    message | deliver_to inbox@example.com | grep -q '^451 '
}

# A server that wants TLS and a password; it has the same port each time.
start_mail_server() { # REPLY-TO-RCPT REPLY-TO-MESSAGE
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -keyout server-key -out server-cert 2>openssl.out
    [ ! -e server.pid ] || kill "$(cat server.pid)" 2>kill.out || true
    rm -f port heard
    "$TESTS/tools/next-server" -t "$PWD/server-cert,$PWD/server-key" 0 'EHLO=250-x\n250-STARTTLS\n250 AUTH PLAIN' \
        "RCPT=$1" ".=$2" 3>&- &
    echo $! >server.pid
    wait_for port '^[0-9]+$'
}

# The recipe with this server as the next one, which is trusted.
recipe_with_server() {
    rm -f relay
    recipe 'Hand to another mail server' -e "s,mail\.example\.net:587,localhost:$(cat port),; s,/etc/ssl/certs/ca-cert.*,$PWD/server-cert,"
}

@test "recipe: Hand to another mail server" {
    umask 077
    start_mail_server '250 ok' '250 2.0.0 taken'
    recipe_with_server
    message | deliver_to inbox@example.com | grep -q '^250 2.0.0 taken'
    message | sed 's/^\./../' | diff - <(tr -d '\r' <heard | sed -n '/^Subject: test/,/^\.$/p' | sed '$d')
    grep -q "^AUTH PLAIN $(printf '\0mailrecv\0secret' | base64)" heard
    start_mail_server '550 5.1.1 nobody' '250 ok'
    recipe_with_server
    message | deliver_to nobody@example.com | grep -q '^550 5.1.1 nobody'
    start_mail_server '250 ok' '554 5.7.1 no such mail'
    recipe_with_server
    message | deliver_to inbox@example.com | grep -q '^554 5.7.1 .*no such mail'
    # which does not take the password, or does not want to be asked now
    for words in AUTH='535 5.7.8 no' AUTH='454 4.7.0 not now' hello='421 4.3.2 no room'; do
        kill "$(cat server.pid)" 2>kill.out || true
        rm port
        "$TESTS/tools/next-server" -t "$PWD/server-cert,$PWD/server-key" 0 'EHLO=250-x\n250-STARTTLS\n250 AUTH PLAIN' "$words" 3>&- &
        echo $! >server.pid
        wait_for port '^[0-9]+$'
        recipe_with_server
        message | deliver_to inbox@example.com | grep -q '^451 '
    done
    # nobody else may be that server
    cp server-cert trusted
    start_mail_server '250 ok' '250 ok'
    recipe_with_server
    cp trusted server-cert
    message | deliver_to inbox@example.com | grep -q '^451 '
    [ "$(grep -c '^AUTH' heard)" -eq 0 ]
    kill "$(cat server.pid)" 2>kill.out || true
    rm server.pid
    message | deliver_to inbox@example.com | grep -q '^451 '
}

@test "recipe: Store each message once" {
    recipe 'Store each message once'
    mkdir lib/orders
    for _ in 1 2 3; do
        message | deliver_to orders@example.com | grep -q '^250 2.0.0 Ok, delivered'
    done
    message 'Message-ID: <2@example.com>' | deliver_to orders@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(ls -A lib/orders | wc -l)" -eq 2 ]
    [ "$(cat lib/orders/*/order | grep -c '^Subject: test')" -eq 2 ]
    takes_letters orders@example.com
    has_letters lib/orders
    on_full_disk lib
    long_message | deliver_to orders@example.com | grep -q '^451 4.3.0 '
    [ "$(grep -c order left)" -eq 4 ]
    AS=()
    # it cannot be written
    rm -r lib/orders
    touch lib/orders
    message | deliver_to orders@example.com | grep -q '^451 4.3.0 '
}

@test "recipe: Save attachments" {
    recipe 'Save attachments'
    mkdir lib/reports
    cat >mail <<'END'
Subject: report
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

see attached
--b
Content-Disposition: attachment; filename="../../evil; touch x"
Content-Transfer-Encoding: base64

aGVsbG8K
--b
Content-Disposition: attachment; filename="figures.csv"
Content-Transfer-Encoding: base64

YTtiCg==
--b--
END
    deliver_to reports@example.com <mail | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(ls -A lib/reports | wc -l)" -eq 1 ]
    cd lib/reports/*
    [ "$(basename "$PWD")" = "$(sed -n 's/.* delivery result=delivered id=\([^ ]*\) .*/\1/p' ../../../log)" ]
    tail -n "$(wc -l <../../../mail)" message | diff ../../../mail -
    [ "$(cat files/figures.csv)" = 'a;b' ]
    [ "$(find . -type f | wc -l)" -eq 3 ]
    [ "$(cat files/*evil*)" = hello ]
    cd ../../..
    takes_letters reports@example.com
    has_letters lib/reports
    # room for nothing, and for the message only: 40 KB and their 30 KB
    { sed '$d' mail; echo; head -c 30000 /dev/urandom | base64; } >large
    on_full_disk lib
    deliver_to reports@example.com <large | grep -q '^451 4.3.0 '
    [ "$(grep -c /message left)" -eq 3 ]
    on_full_disk lib 52
    deliver_to reports@example.com <large | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(grep -c /message left)" -eq 4 ]
    AS=()
    # it cannot be written
    rm -r lib/reports
    touch lib/reports
    deliver_to reports@example.com <mail | grep -q '^451 4.3.0 '
}

@test "recipe: Answer by token" {
    mkdir lib
    sqlite3 lib/tokens.db 'CREATE TABLE tokens (token, ticket, expires)' # or -t says that it cannot be asked
    recipe 'Answer by token' -e "s,/usr/local/sbin/mailrecv-lookup,${MAILRECV%/*}/mailrecv-lookup,"
    rm lib/tokens.db
    sqlite3 lib/tokens.db <tokens.sql
    sqlite3 lib/tokens.db "INSERT INTO tokens VALUES ('k7x2', 12, unixepoch() + 3600), ('old', 13, unixepoch() - 3600)"
    for _ in 1 2; do message | deliver_to Reply+K7X2@example.com | grep -q '^250 2.0.0 Ok, delivered'; done
    [ "$(tail -n 5 lib/ticket-12.*)" = "$(message)" ]
    for token in old k7x k7x22 '%' "'or'1'='1" ''; do
        message | deliver_to "reply+$token@example.com" | grep -q '^550 5.1.1 No one here by that name'
    done
    rm lib/tokens.db
    message | deliver_to reply+k7x2@example.com >replies
    grep -q '^451 ' replies
    grep -q 'unable to open database file' log
    [ "$(ls lib)" = "$(basename lib/ticket-12.*)" ]
    sqlite3 lib/tokens.db <tokens.sql
    sqlite3 lib/tokens.db "INSERT INTO tokens VALUES ('k7x2', 12, unixepoch() + 3600)"
    takes_letters reply+k7x2@example.com
    has_letters lib
    on_full_disk lib
    long_message | deliver_to reply+k7x2@example.com | grep -q '^451 4.3.0 '
}
