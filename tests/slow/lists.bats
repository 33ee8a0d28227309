# slow/lists.bats - recipes that hand mail to lists and to a news server, in good and in bad situations
#
# The programs are in packages that are not installed (with-packages): only root can. mailrecv runs where they are, as a user
# without rights and without a home, under what its unit takes away.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    begin_beside_peers
    export HOME=$PWD
}

teardown() {
    [ -z "${RELAY:-}" ] || kill "$RELAY" || true
    stop_peers
}

# Has these packages, and mailrecv run where they are, as nobody with this group.
begin() { # PACKAGES USERS [GROUP]
    start_peer programs "$1" "$2" sh -c 'echo ready >ready; exec sleep infinity'
    wait_for ready ready 240
    as_nobody_beside programs "${3:-nogroup}"
}

# The message comes with this reply.
hears() { # RECIPIENT REPLY
    deliver_to "$1" <message | grep -q "^$2" || { tail -n 3 log; return 1; }
}

# Runs something until it succeeds, for half a minute: no event tells when.
until_it() { # COMMAND...
    local _
    for _ in {1..600}; do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.05
    done
    echo "never: $*"
    return 1
}

# A disk in this directory, with so many kilobytes.
small_disk() { # DIRECTORY KILOBYTES MODE OWNER:GROUP
    in_peer programs mount -t tmpfs -o "size=$2k" tmpfs "$PWD/$1"
    in_peer programs chmod "$3" "$PWD/$1"
    in_peer programs chown "$4" "$PWD/$1"
}

# Leaves so many kilobytes of it.
fill_disk() { # DIRECTORY [KILOBYTES]
    in_peer programs sh -c 'rm -f "$1/.full"; { head -c 64M /dev/zero >"$1/.full"; } 2>/dev/null || truncate -s "-$2K" "$1/.full"' \
        sh "$PWD/$1" "${2:-0}"
}

@test "recipe: Hand to mlmmj" {
    begin mlmmj,msmtp-mta ''
    mlmmj-make-ml() { in_peer programs mlmmj-make-ml -s "$PWD/lib" "$@"; }
    small_disk lib 400 755 nobody:nogroup
    recipe 'Hand to mlmmj' -e "s,/var/spool/mlmmj,$PWD/lib,; s,-c mailrecv,-c nobody," >made 2>&1 || { cat made; false; }
    local list=lib/dev
    at() { in_peer programs sh -c "cd $PWD/$list && $1"; }
    SMTP_PORT=$(free_port)
    at "echo 127.0.0.1 >control/relayhost; echo $SMTP_PORT >control/smtpport; echo joe@example.org >subscribers.d/j"

    # its server is down: the message waits for it
    message 'From: a@example.com' 'To: dev@lists.example.com' >message
    hears dev@lists.example.com '250 2.0.0 Ok, delivered'
    [ "$(at 'tail -n 5 archive/1')" = "$(tail -n 5 message)" ]
    [ "$(at 'cat requeue/1/subscribers')" = joe@example.org ]
    # and up: it is sent again, and what comes then goes at once
    printf '%s\n' 'domain relay.example.com' "deliver rcpt_to /@/ maildir $PWD/sent" >relay.conf
    mkdir -m 777 sent
    chmod 644 relay.conf
    bin/mailrecv -c relay.conf -L "127.0.0.1:$SMTP_PORT" -l "$PWD/relay.log" 3>&- </dev/null >relay.out 2>&1 &
    RELAY=$!
    await_port "$SMTP_PORT"
    in_peer programs /usr/bin/mlmmj-maintd -F -d "$PWD/lib"
    hears dev@lists.example.com '250 2.0.0 Ok, delivered'
    until_it sh -c '[ "$(cat sent/new/* | grep -c "^Return-Path: <dev+bounces-[12]-joe=example.org@")" -eq 2 ]'
    # somebody subscribes
    sed -i 's/^To: dev@/To: dev+subscribe@/' message
    hears dev+subscribe@lists.example.com '250 2.0.0 Ok, delivered'
    until_it grep -rq 'dev+confsub-' sent/new
    [ "$(at 'ls archive | wc -l')" -eq 2 ]
    sed -i 's/^To: dev+subscribe@/To: dev@/' message
    # bounces: of a post, and to the list
    bounces_to() { # RECIPIENT
        printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<>' "RCPT TO:<$1>" DATA "To: $1" 'Subject: failure' '' text . QUIT |
            "$MAILRECV" -c mailrecv.conf -l "$PWD/log" -P 192.0.2.7 | grep -q '^250 2.0.0 Ok, delivered'
    }
    bounces_to dev+bounces-2-joe=example.org@lists.example.com
    at 'test -s bounce/joe=example.org'
    bounces_to dev@lists.example.com
    [ "$(at 'ls queue/discarded | wc -l')" -eq 1 ]
    # one message for several subscribers
    at 'touch control/verp; echo jane@example.org >>subscribers.d/j'
    hears dev@lists.example.com '250 2.0.0 Ok, delivered'
    until_it sh -c '[ "$(cat sent/new/* | grep -c "^Return-Path: <dev+bounces-3@")" -eq 2 ]'
    [ "$(grep -c ' delivery .* from="dev+bounces-3@' relay.log)" -eq 2 ]
    [ "$(grep ' delivery .* from="dev+bounces-3@' relay.log | grep -o ' id=[^ ]*' | uniq | wc -l)" -eq 1 ]
    # no other address
    hears devel@lists.example.com 550

    # no room for it, and none for what is made of it
    seq 3000 >>message
    local before kilobytes
    before=$(at 'ls archive | wc -l')
    for kilobytes in 0 8 20 24; do
        fill_disk lib $kilobytes
        hears dev@lists.example.com 451
    done
    [ "$(at 'ls archive | wc -l')" -eq "$before" ]
    at 'rm -f ../.full incoming/* queue/*' || :
    hears dev@lists.example.com '250 2.0.0 Ok, delivered'
    # without -F the sender would hear otherwise
    fill_disk lib 20
    sed -i 's/ -F / /' mailrecv.conf
    "$MAILRECV" -t -c mailrecv.conf 2>&1 >/dev/null | grep -q 'mlmmj-receive exits with 0 .*: mail is lost'
    hears dev@lists.example.com '250 2.0.0 Ok, delivered'
    [ "$(at 'ls archive | wc -l')" -eq $((before + 1)) ]
    sed -i 's/mlmmj-receive /&-F /' mailrecv.conf

    # not his, and not there
    at 'chown root .'
    hears dev@lists.example.com 451
    in_peer programs mv "$PWD/lib/dev" "$PWD/lib/away"
    hears dev@lists.example.com 451
}

@test "recipe: Hand to Sympa" {
    begin sympa,msmtp-mta sympa sympa
    local -a commands=(adduser chmod)
    adduser() { :; } # nobody has it
    mkdir -p lib/{msg,bounce}
    chown nobody:nogroup lib
    small_disk lib/msg 200 770 sympa:sympa
    in_peer programs chown sympa:sympa "$PWD/lib/bounce"
    chmod() { in_peer programs chmod "$@"; }
    recipe 'Hand to Sympa' -e "s,/var/spool/sympa,$PWD/lib,g"
    unset -f chmod
    in_peer programs sh -c 'mkdir -p /etc/sympa/sympa && printf "%s\n" "domain lists.example.com" "listmaster a@example.com" "db_type SQLite" \
        "db_name $1/db" "queue $1/lib/msg" "queuebounce $1/lib/bounce" >/etc/sympa/sympa/sympa.conf && echo >/etc/sympa/facility' sh "$PWD"
    as_sympa() { in_peer programs setpriv --reuid=sympa --regid=sympa --clear-groups "$@"; }
    # What Sympa finds in a spool, without its first three lines, and what is told of it.
    cat >take <<'END'
use lib '/usr/share/sympa/lib';
use Conf;
use Sympa::Log;
use Sympa::Spool::Incoming;
use Sympa::Spool::Bounce;
Conf::load('/etc/sympa/sympa/sympa.conf', 1) or die;
my $spool = "Sympa::Spool::$ARGV[0]"->new;
while (my ($message, $file) = $spool->next(no_filter => 1)) {
    last unless $file;
    print "@$message{qw(localpart domainpart envelope_sender)}\n", $message->as_string =~ s/.*?\nFrom:/From:/sr;
    $spool->remove($file);
}
END
    takes() { # SPOOL LOCALPART
        as_sympa perl take "$1" >taken 2>perl.out || { cat perl.out; return 1; }
        { echo "$2 lists.example.com a@example.com" && cat message; } | diff -a - taken
    }

    { message 'From: a@example.com' 'To: dev@lists.example.com'; printf 'x \0 y\n'; } >message
    hears dev@lists.example.com '250 2.0.0 Ok, delivered'
    takes Incoming dev
    hears Dev-Request@lists.example.com '250 2.0.0 Ok, delivered'
    takes Incoming dev-request
    hears dev-owner@lists.example.com '250 2.0.0 Ok, delivered'
    takes Bounce dev
    hears devel@lists.example.com 550

    # full: nothing; and when there is room, all of it
    seq 20000 >>message
    for kilobytes in 0 4 40; do
        fill_disk lib/msg $kilobytes
        hears dev@lists.example.com 451
        [ "$(in_peer programs ls -A "$PWD/lib/msg" | grep -cv -e '^bad$' -e '^\.full$')" -eq 0 ]
    done
    in_peer programs rm "$PWD/lib/msg/.full"
    hears dev@lists.example.com '250 2.0.0 Ok, delivered'
    takes Incoming dev

    # what Sympa's own program makes of all that
    queue() { in_peer programs setpriv --reuid="$1" --regid=sympa --clear-groups /usr/lib/sympa/bin/queue dev@lists.example.com <message; }
    queue sympa
    run ! takes Incoming dev
    grep -q '^text$' taken
    queue nobody
    as_sympa perl take Incoming >taken
    [ ! -s taken ]
    fill_disk lib/msg
    queue sympa

    # not there, and not for him
    in_peer programs umount "$PWD/lib/msg"
    in_peer programs mv "$PWD/lib/msg" "$PWD/lib/away"
    hears dev@lists.example.com 451
    mkdir -m 755 lib/msg
    hears dev@lists.example.com 451
}

# A server of INN with groups, all of it below ./inn; sets NEWS_PORT.
start_innd() {
    local place=$PWD/inn
    NEWS_PORT=$(free_port)
    mkdir -p inn/{db,run,log,tmp,spool/{articles,overview,incoming/{bad,tmp},outgoing,archive}}
    cat >inn.conf <<END
mta: "$place/mail %s"
pathhost: news.example.com
domain: example.com
server: 127.0.0.1
port: $NEWS_PORT
nnrpdpostport: $NEWS_PORT
nnrpdloadlimit: 0
bindaddress: 127.0.0.1
ovmethod: tradindexed
hismethod: hisv6
pathnews: /usr/lib/news
pathetc: /etc/news
pathdb: $place/db
pathrun: $place/run
pathlog: $place/log
pathtmp: $place/tmp
pathspool: $place/spool
patharticles: $place/spool/articles
pathoverview: $place/spool/overview
pathincoming: $place/spool/incoming
pathoutgoing: $place/spool/outgoing
patharchive: $place/spool/archive
END
    printf '%s 0000000000 0000000001 %s\n' control n control.cancel n junk n local.test y local.other y local.moderated m >inn/db/active
    printf '#!/bin/sh\ncat >>%s/mailed\n' "$place" >inn/mail
    chmod 755 inn/mail
    touch inn/db/newsgroups inn/db/active.times inn/db/history
    in_peer programs chown -R news:news "$place"
    in_peer programs sh -c 'cp inn.conf /etc/news && echo "ME:!*::" >/etc/news/newsfeeds && chmod -R a+rX /etc/news'
    as_news() { in_peer programs setpriv --reuid=news --regid=news --clear-groups "$@"; }
    as_news sh -c 'cd inn/db && /usr/lib/news/bin/makedbz -i -o -f "$PWD/history"'
    run_innd
}

run_innd() {
    as_news sh -c '/usr/lib/news/bin/innd -f </dev/null >inn/log/out 2>&1 &' 3>&-
    await_port "$NEWS_PORT"
}

ctlinnd() { as_news /usr/lib/news/bin/ctlinnd -s "$@"; }

stop_innd() {
    ctlinnd shutdown test
    until_it test ! -e inn/run/innd.pid
}

# The body of an article, as it was posted.
article() { # GROUP NUMBER
    until_it test -s "inn/spool/articles/$1/$2" && tr -d '\r' <"inn/spool/articles/$1/$2" | sed -e '1,/^$/d' -e 's/^\.//' | head -n -2 # mailpost adds an empty line
}
articles() { in_peer programs sh -c 'ls inn/spool/articles/local/*/* 2>/dev/null | wc -l'; }

# A message with this number in its Message-ID, and a line of that name.
mail() { # NUMBER
    message 'From: a@example.com' 'To: local-test@example.com' "Message-ID: <$1@example.com>" "Date: $(date -R)" "X-Number: $1" >message
}

@test "recipe: Post to a newsgroup" {
    begin inn2,msmtp-mta news
    start_innd
    recipe 'Post to a newsgroup' -e "s,/usr/bin/inews,& -p $NEWS_PORT,"
    mail 1
    hears local-test@example.com '250 2.0.0 Ok, delivered'
    article local/test 1 | diff - <(tail -n 3 message)

    # a second one with its Message-ID
    hears local-test@example.com '554 .*435 Duplicate'
    # the server is down: later it is posted
    stop_innd
    mail 2
    hears local-test@example.com 451
    hears local-test@example.com 451
    run_innd
    hears local-test@example.com '250 2.0.0 Ok, delivered'
    article local/test 2 | diff - <(tail -n 3 message)
    # the server takes no articles
    mail 3
    ctlinnd throttle full
    hears local-test@example.com 451
    ctlinnd go full
    hears local-test@example.com '250 2.0.0 Ok, delivered'
    # no Message-ID
    mail 4
    sed -i '/^Message-ID/d' message
    hears local-test@example.com 451
    # an old Date
    mail 5
    sed -i 's/^Date: .*/Date: Mon, 01 Jan 2001 00:00:00 +0000/' message
    hears local-test@example.com 451
    # no such group
    mail 6
    sed -i 's/local.test$/local.none/' mailrecv.conf
    hears local-test@example.com 451
    sed -i 's/local.none$/local.test,local.other/' mailrecv.conf
    hears local-test@example.com '250 2.0.0 Ok, delivered'
    [ "$(articles)" -eq 5 ]
    # a moderator is asked
    mail 7
    sed -i 's/local.test,local.other$/local.moderated/' mailrecv.conf
    hears local-test@example.com '250 2.0.0 Ok, delivered'
    grep -q '^X-Number: 7' inn/mailed
    sed -i 's/local.moderated$/local.test/' mailrecv.conf

    # no room for what mailpost writes: nothing, and no part
    seq 3000 >>message
    sed -i 's/<7@/<8@/' message
    small_disk inn/tmp 100 1777 root:root
    sed -i "2i export TMPDIR=$PWD/inn/tmp" to-news
    for kilobytes in 4 48; do
        fill_disk inn/tmp $kilobytes
        hears local-test@example.com 451
    done
    fill_disk inn/tmp 80
    hears local-test@example.com '250 2.0.0 Ok, delivered'
    [ "$(article local/test 5 | tail -n 1)" = 3000 ]
    [ -z "$(in_peer programs ls "$PWD/inn/tmp")" ]
}
