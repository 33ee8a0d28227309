# slow/stores.bats - recipes with programs that store or pass on, in good and in bad situations
#
# The programs are in packages that are not installed (with-packages): only root can. mailrecv runs where they are.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load databases
load peers

PACKAGES=redis-server,mosquitto,mosquitto-clients,sqlite3,notmuch,nmh,age,jq,git,public-inbox

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    umask 022
    export HOME=$PWD
    start_peer stores "$PACKAGES" '' sh -c 'echo ready >ready; exec sleep infinity'
    wait_for ready ready 240
    REAL=$MAILRECV
    inside=$(pgrep -P "$(pgrep -P "${PEERS[stores]}")")
    # shellcheck disable=SC2016 # for the shell that runs it
    printf '#!/bin/sh\nexec nsenter --target=%s --mount --pid --wd="$PWD" -- %s "$@"\n' "$inside" "$REAL" >mailrecv
    chmod 755 mailrecv
    MAILRECV=$PWD/mailrecv
}

teardown() {
    stop_hook
    [ -z "${PLACE:-}" ] || { stop_database postgresql; rm -r "$PLACE"; }
    stop_peers
}

# What recipes say to do once, where the programs are.
notmuch() { in_peer stores notmuch "$@"; }
sqlite3() { in_peer stores sqlite3 "$@"; }
public-inbox-init() { in_peer stores public-inbox-init "$@"; }

# The message comes with this reply.
hears() { # RECIPIENT REPLY
    message | deliver_to "$1" | grep -q "^$2" || { tail -n 3 log; return 1; }
}

@test "recipe: Archive with public-inbox" {
    recipe 'Archive with public-inbox'
    archived() { in_peer stores git -C "$PWD/lib/list/git/0.git" log --format=%s; }
    hears list@example.com '250 2.0.0 Ok, delivered'
    # without Message-ID and To as it was, and large
    { message; seq 100000; } | deliver_to list@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(archived)" = $'test\ntest' ]
    [ -z "$(find lib/emergency/new -type f)" ]
    mv lib/list lib/away
    hears list@example.com 451
    mv lib/away lib/list
    mv public-inbox away # it would be 67
    hears list@example.com 451
    [ "$(archived)" = $'test\ntest' ]
}

@test "recipe: Index with notmuch" {
    recipe 'Index with notmuch'
    hears me@example.com '250 2.0.0 Ok, delivered'
    [ "$(notmuch --config=notmuch count subject:test)" = 1 ]
    [ "$(find lib/mail/inbox/new -type f -exec tail -n 5 {} +)" = "$(message)" ]
    # where the folder should be is something else
    rm -r lib/mail/inbox
    touch lib/mail/inbox
    hears me@example.com 451
    # no index
    rm -r lib/mail
    hears me@example.com 451
}

@test "recipe: Keep in a folder of nmh" {
    recipe 'Keep in a folder of nmh'
    hears notes@example.com '250 2.0.0 Ok, delivered'
    hears notes@example.com '250 2.0.0 Ok, delivered'
    [ "$(tail -n 5 lib/mh/inbox/2)" = "$(message)" ]
    rm -r lib/mh/inbox
    touch lib/mh/inbox
    hears notes@example.com 451
    rm mh
    hears notes@example.com 451
}

@test "recipe: Add to a stream of Redis" {
    REDIS_PORT=$(free_port)
    recipe 'Add to a stream of Redis' -e "s,-h redis.example.com,-h 127.0.0.1 -p $REDIS_PORT,"
    hears events@example.com 451 # nobody is there
    start_peer redis "$PACKAGES" '' redis-server --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --dir "$PWD"
    await_port "$REDIS_PORT"
    hears events@example.com '250 2.0.0 Ok, delivered'
    grep -qE 'delivery result=delivered .* reason="[0-9]+-0"$' log
    in_peer stores redis-cli -p "$REDIS_PORT" --raw XRANGE mail - + >range
    [ "$(sed '/^$/d' range | tail -n 4)" = "$(message | sed '/^$/d')" ]
    in_peer stores redis-cli -p "$REDIS_PORT" CONFIG SET maxmemory 1
    hears events@example.com 451
    in_peer stores redis-cli -p "$REDIS_PORT" CONFIG SET maxmemory 0
    in_peer stores redis-cli -p "$REDIS_PORT" DEL mail
    in_peer stores redis-cli -p "$REDIS_PORT" SET mail other
    hears events@example.com 451
}

@test "recipe: Publish to a topic of MQTT" {
    MQTT_PORT=$(free_port)
    recipe 'Publish to a topic of MQTT' -e "s,-h mqtt.example.com,-h 127.0.0.1 -p $MQTT_PORT,"
    hears sensors@example.com 451
    printf '%s\n' "listener $MQTT_PORT 127.0.0.1" 'allow_anonymous true' "acl_file $PWD/acl" 'user root' \
        'message_size_limit 2000' >mosquitto.conf
    echo 'topic readwrite mail/in' >acl
    chmod 600 acl
    start_peer mqtt "$PACKAGES" '' mosquitto -c "$PWD/mosquitto.conf"
    await_port "$MQTT_PORT"
    in_peer stores timeout 20 mosquitto_sub -p "$MQTT_PORT" -t mail/in -q 1 -i keeper -c -E
    hears sensors@example.com '250 2.0.0 Ok, delivered'
    in_peer stores timeout 20 mosquitto_sub -p "$MQTT_PORT" -t mail/in -q 1 -i keeper -c -C 1 -N >got
    [ "$(tail -n 5 got)" = "$(message)" ]
    # larger than the broker takes
    { message; seq 1000; } | deliver_to sensors@example.com | grep -q '^451 '
    # another topic than that which is allowed
    sed -i 's,mail/in,mail/out,' mailrecv.conf
    hears sensors@example.com 451
    grep -q 'output .*Not authorized' log
}

@test "recipe: Store in SQLite" {
    recipe 'Store in SQLite'
    hears archive@example.com '250 2.0.0 Ok, delivered'
    printf 'Subject: nul\n\n\0 behind\n' | deliver_to archive@example.com | grep -q '^250 2.0.0 Ok, delivered'
    sqlite3 lib/mail.db "select writefile('first', message) from mail order by rowid limit 1" >written
    [ "$(tail -n 5 first)" = "$(message)" ]
    sqlite3 lib/mail.db "select hex(message) from mail order by rowid desc limit 1" | grep -q 0A00206265
    sqlite3 lib/mail.db 'drop table mail'
    hears archive@example.com 451
    rm lib/mail.db
    mkdir lib/mail.db
    hears archive@example.com 451
}

@test "recipe: Store in PostgreSQL" {
    as_nobody_beside stores
    PG_PORT=$(free_port)
    make_place
    # the server sees the small disk of this place
    SERVER_AS=(nsenter --target="$inside" --mount --wd="$PLACE" -- "${SERVER_AS[@]}")
    make_postgresql
    in_peer stores sed -i '1i local mail mailrecv trust' "$PLACE/postgresql/pg_hba.conf"
    postgresql 'SELECT pg_reload_conf()'
    postgresql 'CREATE DATABASE mail'
    recipe 'Store in PostgreSQL' -e "s,/var/run/postgresql,$PLACE," -e "s/^dbname=mail/&\nport=$PG_PORT\nuser=mailrecv/" \
        -e "s,pipe psql,pipe PGSERVICEFILE=$PWD/pg_service.conf psql,"
    hears archive@example.com 451 # no such role
    postgresql "$(cat mail.sql)" mail
    rows() { postgresql 'SELECT count(*) FROM mail' mail | grep -oE '[0-9]+' | head -n 1; }
    hears archive@example.com '250 2.0.0 Ok, delivered'
    hears archive@example.com '250 2.0.0 Ok, delivered' # the same message is one
    [ "$(rows)" = 1 ]
    # byte for byte
    { message "X: '); DROP TABLE mail; -- :'id' :id \\x41 \$1"; printf '\0 \377 \\. \n\\.\n\n'; seq 200000; } >sent
    deliver_to archive@example.com <sent | grep -q '^250 2.0.0 Ok, delivered'
    postgresql 'COPY (SELECT encode(message, $$base64$$) FROM mail ORDER BY received DESC LIMIT 1) TO STDOUT' mail |
        sed 's/\\n//g' | base64 -d | tail -n "$(wc -l <sent)" | cmp - sent
    nothing_left() { [ "$(postgresql 'SELECT count(*) FROM pg_largeobject' mail | grep -oE '[0-9]+' | head -n 1)" = 0 ]; }
    nothing_left
    # no server; and then it is stored
    stop_database postgresql
    message 'X: later' >sent
    deliver_to archive@example.com <sent | grep -q '^451 '
    start_postgresql
    deliver_to archive@example.com <sent | grep -q '^250 2.0.0 Ok, delivered'
    # no right
    postgresql 'REVOKE INSERT ON mail FROM mailrecv' mail
    message 'X: other' >sent
    deliver_to archive@example.com <sent | grep -q '^451 '
    grep -q 'output .*permission denied for table mail' log
    postgresql 'GRANT INSERT ON mail TO mailrecv' mail
    # no room in the table
    in_peer stores mkdir "$PLACE/small"
    in_peer stores mount -t tmpfs -o size=8m,mode=700,uid="$(id -u nobody)" tmpfs "$PLACE/small"
    postgresql "CREATE TABLESPACE small LOCATION '$PLACE/small'"
    postgresql 'ALTER TABLE mail SET TABLESPACE small' mail || { cat "$PLACE/postgresql.out"; false; }
    in_peer stores sh -c 'head -c 64M /dev/zero >"$1/full"' sh "$PLACE/small" || :
    head -c 100000 /dev/urandom | base64 >>sent
    deliver_to archive@example.com <sent | grep -q '^451 '
    grep -q 'output .*No space left on device' log
    in_peer stores rm "$PLACE/small/full"
    deliver_to archive@example.com <sent | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(rows)" = 4 ]
    # the script fails
    sed -i 's/INTO mail/INTO post/' store.sql
    hears archive@example.com 451
    nothing_left
    # without this word that would be 250
    sed -i 's/-v ON_ERROR_STOP=1//' mailrecv.conf
    "$MAILRECV" -t -c mailrecv.conf 2>&1 >/dev/null | grep -q 'psql exits with 0 when a statement of a script fails: mail is lost'
    hears archive@example.com '250 2.0.0 Ok, delivered'
}

@test "recipe: Tell a chat" {
    start_hook
    recipe 'Tell a chat' -e "s,https://chat.example.com,http://127.0.0.1:$HOOK_PORT,"
    hears alarm@example.com '250 2.0.0 Ok, delivered'
    [ "$(cat path)" = /hook ]
    [ "$(cat body)" = '{"text":"Mail from a@example.com for alarm@example.com"}' ]
    for status in 302 404 500; do
        echo $status >answer
        hears alarm@example.com 451
    done
    # shellcheck disable=SC2153 # start_hook sets it
    local hook=$HOOK
    stop_hook
    wait "$hook" || true
    hears alarm@example.com 451
}

@test "recipe: Encrypt and store" {
    recipe 'Encrypt and store'
    hears secret@example.com 451 # no key
    in_peer stores age-keygen -o key 2>said
    in_peer stores age-keygen -y key >recipients
    hears secret@example.com '250 2.0.0 Ok, delivered'
    in_peer stores age -d -i key lib/sealed/*.age | tail -n 5 | diff - <(message)
    rm -r lib/sealed
    hears secret@example.com 451
    # a disk without room
    mkdir lib/sealed
    in_peer stores mount -t tmpfs -o size=4k tmpfs "$PWD/lib/sealed"
    in_peer stores sh -c 'head -c 4096 /dev/zero >"$1/full"' sh "$PWD/lib/sealed"
    hears secret@example.com 451
    [ "$(in_peer stores ls -A "$PWD/lib/sealed")" = full ]
}

@test "recipe: Encrypt and store with OpenSSL" {
    as_nobody_beside stores
    recipe 'Encrypt and store with OpenSSL'
    chown nobody lib/sealed
    hears sealed@example.com 451 # no certificate
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=archive@example.com -keyout key.pem -out archive.pem 2>said
    { message && printf 'a \0 \377 b\n\n' && head -c 300000 /dev/urandom | base64; } >sent
    opens() { # FILE
        # shellcheck disable=SC1090 # a line of the manual
        openssl cms -decrypt -binary -inform DER -recip archive.pem -inkey key.pem -in "$1" | tail -n "$(wc -l <sent)" | cmp - sent
    }
    grep -qF 'openssl cms -decrypt -binary -inform DER -recip archive.pem -inkey key.pem -in FILE' "$RECIPES"
    deliver_to sealed@example.com <sent | grep -q '^250 2.0.0 Ok, delivered'
    opens lib/sealed/*.cms
    run ! grep -q 'From here' lib/sealed/*.cms
    rm -r lib/sealed
    deliver_to sealed@example.com <sent | grep -q '^451 '
    # a disk without room, and with too little; then with enough
    mkdir lib/sealed
    in_peer stores mount -t tmpfs -o size=1000k,uid="$(id -u nobody)",mode=700 tmpfs "$PWD/lib/sealed"
    for kilobytes in 1000 996 700; do
        in_peer stores sh -c 'head -c "$2"K /dev/zero >"$1/full"' sh "$PWD/lib/sealed" $kilobytes
        deliver_to sealed@example.com <sent | grep -q '^451 '
        [ "$(in_peer stores ls -A "$PWD/lib/sealed")" = full ]
    done
    # what openssl itself makes of it
    in_peer stores sh -c 'head -c 1000K /dev/zero >"$1/full"; openssl cms -encrypt -out "$1/empty" archive.pem <sent' sh "$PWD/lib/sealed"
    [ "$(in_peer stores stat -c %s "$PWD/lib/sealed/empty")" -eq 0 ]
    in_peer stores sh -c 'rm "$1/full" "$1/empty"' sh "$PWD/lib/sealed"
    deliver_to sealed@example.com <sent | grep -q '^250 2.0.0 Ok, delivered'
    in_peer stores sh -c 'cat "$1"/*.cms' sh "$PWD/lib/sealed" >taken
    opens taken
}
