# slow/troubles.bats - recipes with programs that store or pass on, as a user without a home: any letters, full disks, the same again
#
# What else they hear of is in stores.bats. Only root can unpack the programs, and mount a small disk.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

PACKAGES=notmuch,nmh,age,sqlite3,git,public-inbox,redis-server,mosquitto,mosquitto-clients,jq

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    begin_with_program
}

teardown() { stop_peers; }

# Runs the script on standard input where the programs are, in the directory of the recipe, all of which belongs to the user
# mailrecv; lib is a disk of its own.
try_recipe() { # TITLE [SED-SCRIPT]
    export TITLE=$1 PLACES=${2:-}
    {
        cat <<'END'
set +o pipefail # a reply that is there is enough
. "$TESTS/common.bash" && . "$TESTS/recipes.bash"
mkdir here && cd here && mkdir lib && mount -t tmpfs -o size=16m,mode=755 tmpfs lib
umask 022
recipe "$TITLE" -e "$PLACES"
chown -R mailrecv .
AS=(env HOME=/nonexistent setpriv --reuid=mailrecv --regid=mailrecv --clear-groups)

# The message on standard input comes with this reply.
hears() { # RECIPIENT CODE [TEXT]
    deliver_to "$1" >replies
    grep -q "^$2 .*${3:-}" replies || { cat replies log; return 1; }
}

# Leaves so much room on the disk, or none.
leave() { # [KIBIBYTES]
    head -c "${1:-0}"k /dev/zero >lib/room
    head -c 64M /dev/zero >lib/full 2>full.out || true
    rm lib/room
}
END
        cat
        echo 'cd ..'
    } | in_a_network "$PACKAGES" mailrecv
}

@test "public-inbox: any letters, a full disk, the same again" {
    try_recipe 'Archive with public-inbox' <<'END'
archived() { "${AS[@]}" git -C lib/list/git/0.git rev-list --count HEAD; }
takes_letters list@example.com
[ "$(archived)" = 2 ]
for commit in HEAD HEAD~1; do "${AS[@]}" git -C lib/list/git/0.git show $commit:m >>mails; done
has_letters mails
# the same is not there twice; something else with its Message-ID is
message 'Message-ID: <1@example.com>' >first
hears list@example.com 250 <first
hears list@example.com 250 <first
[ "$(archived)" = 3 ]
{ cat first; echo more; } | hears list@example.com 250
[ "$(archived)" = 4 ]
[ "$(grep -rc '^Message-ID: <1@' lib/emergency/new | wc -l)" = 1 ]
# what it does not want
message 'Content-Type: text/html' | hears list@example.com 554 'We only accept plain-text mail, No HTML'
[ "$(grep -rl '^Content-Type: text/html' lib/emergency/new | wc -l)" = 1 ]
leave
for mail in message long_message; do $mail 'Subject: new' | hears list@example.com 451; done
rm lib/full
[ "$(archived)" = 4 ]
long_message | hears list@example.com 250
[ "$(archived)" = 5 ]
END
}

@test "notmuch: any letters, a full disk, the same again" {
    try_recipe 'Index with notmuch' <<'END'
takes_letters me@example.com
has_letters lib/mail/inbox/new
# a second file, and one message
for _ in 1 2; do message 'Message-ID: <1@example.com>' | hears me@example.com 250; done
[ "$(notmuch --config=notmuch count '*')" = 3 ]
# room for nothing, for the file, and perhaps for the index: 250 when both are there, and neither when not
for kib in 0 4 16 32 64 128; do
    leave $kib
    for n in 1 2 3; do
        before=$(find lib/mail/inbox/new -type f | wc -l)
        { message "Message-ID: <$kib.$n@example.com>"; seq -f 'wo%grd' 300; } | deliver_to me@example.com >replies
        grep -c '^250 2.0.0' replies >stored || :
        [ "$(find lib/mail/inbox/new -type f | wc -l)" = $((before + $(cat stored))) ]
        [ "$(notmuch --config=notmuch count id:$kib.$n@example.com)" = "$(cat stored)" ]
    done
    [ "$kib" != 0 ] || grep -q '^451 ' replies
    rm lib/full
done
END
}

@test "nmh: any letters, a full disk, the same again" {
    try_recipe 'Keep in a folder of nmh' <<'END'
takes_letters notes@example.com
has_letters lib/mh/inbox
for _ in 3 4; do message | hears notes@example.com 250; done
for kib in 0 4 8; do
    leave $kib
    long_message | hears notes@example.com 451
    [ "$(ls lib/mh/inbox | xargs)" = '1 2 3 4' ]
    rm lib/full
done
long_message | hears notes@example.com 250
END
}

@test "SQLite: any letters, a full disk, a lock, the same again" {
    try_recipe 'Store in SQLite' <<'END'
rows() { sqlite3 lib/mail.db 'select count(*) from mail; pragma integrity_check'; }
takes_letters archive@example.com
sqlite3 lib/mail.db "select writefile('mail' || rowid, message) from mail" >written
has_letters mail1 mail2
for _ in 3 3; do message | hears archive@example.com 250; done
[ "$(rows)" = $'3\nok' ]
for kib in 0 4 12; do
    leave $kib
    long_message | hears archive@example.com 451
    rm lib/full
    [ "$(rows)" = $'3\nok' ]
done
grep -q 'output .*database or disk is full' log
sed -i s/30000/100/ mailrecv.conf
coproc sqlite3 lib/mail.db
locker=$COPROC_PID
echo 'begin exclusive; select 1;' >&"${COPROC[1]}"
read -r _ <&"${COPROC[0]}"
message | hears archive@example.com 451
grep -q 'output .*database is locked' log
echo 'rollback;' >&"${COPROC[1]}"
eval "exec ${COPROC[1]}>&-"
wait $locker
long_message | hears archive@example.com 250
[ "$(rows)" = $'4\nok' ]
END
}

# A patch that adds a large file, as ./large.patch, and a repository that it is for, which is copied to lib/project.
prepare_patches() {
    cat <<'END'
"${AS[@]}" sh -ec 'mkdir tree && cd tree && git init -q -b main && git config user.name Tester && git config user.email tester@example.com
    echo one >file && git add file && git commit -q -m first
    git clone -q --bare . ../project && git -C ../project config user.name Tester && git -C ../project config user.email tester@example.com
    { seq 4000 && echo Grüße; } >large && git add large && git commit -q -m "Add Grüße"
    git format-patch -1 --stdout | sed 1d >../large.patch'
anew() { "${AS[@]}" rm -rf lib/project && "${AS[@]}" cp -r project lib; }
at() { "${AS[@]}" git -C lib/project "$@"; }
head_is() { [ "$(at log -1 --format=%s main)" = "$1" ]; }
anew
END
}

@test "recipe: Apply patches" {
    { prepare_patches && cat; } <<'END' | try_recipe 'Apply patches'
message | hears patches@example.com 554 'This is no patch, or it does not apply'
sed 's/^+1$/-1/' large.patch | hears patches@example.com 554 'does not apply'
head_is first
hears patches@example.com 250 <large.patch
head_is 'Add Grüße'
at show main:large | grep -qx Grüße
[ "$(at log -1 --format=%an main)" = Tester ]
# again, since the first time was not heard of
hears patches@example.com 250 <large.patch
[ "$(at rev-list --count main)" = 2 ]
# as mail programs send it, in UTF-8 and in Latin-1
for charset in UTF-8 ISO-8859-1; do
    anew
    {
        printf '%s\n' 'From: a@example.com' 'Subject: [PATCH] Add base64' 'MIME-Version: 1.0' \
            "Content-Type: text/plain; charset=$charset" 'Content-Transfer-Encoding: base64' ''
        sed '1,/^$/d' large.patch | iconv -f UTF-8 -t $charset | base64
    } | hears patches@example.com 250
    head_is 'Add base64'
    at show main:large | iconv -f $charset -t UTF-8 | grep -qx Grüße
done
# the file that git has made, with its first line
anew
{ echo 'From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001' && cat large.patch; } | hears patches@example.com 250
head_is 'Add Grüße'
# a disk with little room: the patch is there, or the sender tries again, and then it is
for kib in $(seq 0 8 128); do
    anew
    leave $kib
    deliver_to patches@example.com <large.patch >replies
    rm lib/full
    if grep -q '^250 2.0.0' replies; then
        head_is 'Add Grüße'
    else
        grep -q '^451 ' replies
        head_is first
        hears patches@example.com 250 <large.patch
        head_is 'Add Grüße'
    fi
    [ -z "$(at worktree list --porcelain | grep ^detached)" ]
done
grep -q '^250 2.0.0' replies
# no room for the end of a patch, and then room again: git commits what it has
"${AS[@]}" sh -ec 'cd tree && for n in $(seq 200); do seq 3 >f$n; done
    git add . && git commit -q -m "Add 200 files" && git format-patch -1 --stdout | sed 1d >../many.patch'
anew
hears patches@example.com 250 <large.patch
size=$(("$(stat -c %s many.patch)" / 4096 * 4))
printf '%s\n' '#!/bin/bash' "[ \$1 != am ] || { trap '' XFSZ; ulimit -f $size; }" 'exec /usr/bin/git "$@"' >/usr/local/bin/git
chmod 755 /usr/local/bin/git
hears patches@example.com 451 <many.patch
head_is 'Add Grüße'
rm /usr/local/bin/git
hears patches@example.com 250 <many.patch
head_is 'Add 200 files'
# somebody pushes while a patch is committed
anew
"${AS[@]}" tee lib/project/hooks/post-applypatch >push <<'HOOK'
#!/bin/sh
exec git update-ref refs/heads/main "$(git commit-tree -p main -m pushed 'main^{tree}')"
HOOK
"${AS[@]}" chmod 755 lib/project/hooks/post-applypatch
hears patches@example.com 451 <large.patch
head_is pushed
rm lib/project/hooks/post-applypatch
hears patches@example.com 250 <large.patch
head_is 'Add Grüße'
[ "$(at rev-list --count main)" = 3 ]
# no name, no repository
anew
at config --unset user.email
hears patches@example.com 451 <large.patch
at config user.email tester@example.com
mv lib/project lib/away
hears patches@example.com 451 <large.patch
END
}

@test "age: any letters, the same again" {
    try_recipe 'Encrypt and store' <<'END'
age-keygen -o key 2>said
age-keygen -y key >recipients
takes_letters secret@example.com
for _ in 3 4; do message | hears secret@example.com 250; done
for file in lib/sealed/*; do age -d -i key "$file" >>opened; done
has_letters opened
[ "$(grep -c '^Subject: test$' opened)" = 4 ]
for kib in 0 4 8; do
    leave $kib
    long_message | hears secret@example.com 451
    rm lib/full
    [ "$(ls -A lib/sealed | wc -l)" = 4 ]
done
END
}

@test "mail filters and scripts, as a user without a home" {
    local title
    for title in 'Hand to maildrop' 'Hand to procmail'; do
        rm -rf here finished
        try_recipe "$title" <<'END'
takes_letters joe@example.com
has_letters lib/joe/new
leave
long_message | hears joe@example.com 451
rm lib/full
[ -z "$(find /var/mail -name 'mailrecv*')" ]
long_message | hears joe@example.com 250
END
    done
}

@test "Redis: any letters, a full disk, a password, a replica" {
    try_recipe 'Add to a stream of Redis' 's,redis.example.com,127.0.0.1,' <<'END'
redis() { redis-cli -e --no-auth-warning -a "$@"; }
start_redis() {
    redis-server --bind 127.0.0.1 --save '' --appendonly yes --dir "$PWD/lib" >redis.out 2>&1 &
    redis=$!
    await_port 6379
}
start_redis
takes_letters events@example.com
redis-cli --raw XRANGE mail - + >range
has_letters range
# what it notices of a full disk it says with the next command, and goes on when there is room
leave
for _ in 1 2 3; do long_message | deliver_to events@example.com >replies; done
grep -q '^451 ' replies
grep 'output .*MISCONF' log
rm lib/full
until message | deliver_to events@example.com | grep -q '^250 2.0.0'; do sleep 0.2; done
# with this setting nothing is taken that the disk does not have
redis '' CONFIG SET appendfsync always
message | hears events@example.com 250
redis '' XLEN mail >before
leave
long_message | hears events@example.com 451
wait $redis || true
rm lib/full
start_redis
redis '' XLEN mail | diff before -
redis '' CONFIG SET requirepass secret
message | hears events@example.com 451
grep -q 'output .*NOAUTH' log
redis secret CONFIG SET requirepass ''
redis '' REPLICAOF 127.0.0.1 1
message | hears events@example.com 451
grep -q 'output .*READONLY' log
END
}

@test "MQTT: any letters" {
    try_recipe 'Publish to a topic of MQTT' 's,mqtt.example.com,127.0.0.1,' <<'END'
printf '%s\n' 'listener 1883 127.0.0.1' 'allow_anonymous true' 'user root' >mosquitto.conf
mosquitto -c mosquitto.conf >mosquitto.out 2>&1 &
await_port 1883
mosquitto_sub -t mail/in -q 1 -i keeper -c -E
takes_letters sensors@example.com
mosquitto_sub -t mail/in -q 1 -i keeper -c -C 2 -W 20 >got
has_letters got
END
}

@test "a chat: any letters, and an address in UTF-8" {
    try_recipe 'Tell a chat' 's,https://chat.example.com,http://127.0.0.1:@PORT@,' <<'END'
rm -f port
start_hook
sed -i "s/@PORT@/$HOOK_PORT/" mailrecv.conf
takes_letters alarm@example.com
printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<Jürgen@example.com> SMTPUTF8' 'RCPT TO:<alarm@example.com>' DATA 'Subject: x' . QUIT |
    "${AS[@]}" "$MAILRECV" -c mailrecv.conf -l "$PWD/log" -P 192.0.2.7 | grep '^250 2.0.0 Ok, delivered'
[ "$(cat body)" = '{"text":"Mail from Jürgen@example.com for alarm@example.com"}' ]
END
}
