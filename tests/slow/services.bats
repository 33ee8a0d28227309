# slow/services.bats - recipes that need a mail server or a table of others, or programs of packages that are unpacked for them
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes

# With what the unit takes away of system calls, sockets and privileges.
UNDER=("$TESTS/under-unit" "$TESTS/../systemd/mailrecv@.service" --)
AS=("${UNDER[@]}")
PIDS=()

setup() {
    cd "$BATS_TEST_TMPDIR"
    umask 022
}

teardown() {
    stop_hook
    for pid in "${PIDS[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    [ -z "${ELSEWHERE:-}" ] || rm -rf "$ELSEWHERE"
}

# Fields of the form in `headers` and `body`, as lines `NAME=VALUE`, those named.
fields() {
    python3 - "$@" <<'END'
import email, sys, urllib.parse
headers, body = open("headers", "rb").read(), open("body", "rb").read()
if b"multipart/form-data" in headers:
    form = email.message_from_bytes(headers.rstrip() + b"\n\n" + body)
    fields = {p.get_param("name", header="content-disposition"): p.get_payload() for p in form.get_payload()}
else:
    fields = {name: values[0] for name, values in urllib.parse.parse_qs(body.decode()).items()}
for name in sys.argv[1:]:
    print(name + "=" + fields[name], end="" if fields[name].endswith("\n") else "\n")
END
}

# Answers of the hook and what the sender then hears, a pair a line on standard input.
answers() { # RECIPIENT
    local status reply
    while read -r status reply; do
        echo "$status" >answer
        message | deliver_to "$1" | grep -q "^$reply " || { echo "$status: not $reply"; return 1; }
    done
}

# What is in UTF-8, and what is in Latin-1, is posted byte for byte, in a form of either kind.
posts_letters() { # RECIPIENT
    local charset
    for charset in UTF-8 ISO-8859-1; do
        letters $charset | deliver_to "$1" | grep -q '^250 2.0.0 Ok, delivered'
        python3 - $charset <<'END'
import sys, urllib.parse
body = open("body", "rb").read()
assert "Grüße".encode(sys.argv[1]) in urllib.parse.unquote_to_bytes(body), body
END
    done
}

@test "recipe: Feed Request Tracker" {
    unpack rt5-clients
    start_hook
    recipe 'Feed Request Tracker' -e "s,https://rt.example.com,http://127.0.0.1:$HOOK_PORT,; s,/usr/bin/rt-mailgate ,$UNPACKED/usr/bin/rt-mailgate-5 ,"
    echo ok >text
    message | deliver_to help@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(cat path)" = /REST/1.0/NoAuth/mail-gateway ]
    [ "$(fields queue action)" = $'queue=Help\naction=correspond' ]
    [ "$(fields message | tail -n 5)" = "$(message)" ]
    message | deliver_to help-comment@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(fields action)" = action=comment ]
    echo 'not ok - Permission Denied' >text
    message | deliver_to help@example.com | grep -q '^554 .*not ok - Permission Denied'
    echo 'something else' >text
    message | deliver_to help@example.com | grep -q '^451 '
    answers help@example.com <<'END'
500 451
403 451
302 451
END
    echo 200 >answer
    echo ok >text
    posts_letters help@example.com
    sed -i 's,http:,https:,' mailrecv.conf
    message | deliver_to help@example.com | grep -q '^451 '
    stop_hook
    wait
    message | deliver_to help@example.com | grep -q '^451 4.3.0 '
    grep -q 'reason="the command exited with status 75"$' log
}

@test "recipe: Feed Redmine" {
    unpack redmine
    start_hook
    recipe 'Feed Redmine' -e "s,https://redmine.example.com,http://127.0.0.1:$HOOK_PORT,; s,/usr/share/redmine/,$UNPACKED&,"
    echo 0123456789abcdef >redmine.key
    echo 201 >answer
    message | deliver_to issues@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(cat path)" = /mail_handler ]
    [ "$(fields key unknown_user no_permission_check 'issue[project]')" = \
        $'key=0123456789abcdef\nunknown_user=accept\nno_permission_check=1\nissue[project]=mail' ]
    [ "$(fields email | tail -n 5 | tr -d '\r')" = "$(message)" ]
    answers issues@example.com <<'END'
403 451
422 451
404 451
408 451
429 451
500 451
302 451
200 451
END
    echo 201 >answer
    posts_letters issues@example.com
    sed -i 's,http:,https:,' mailrecv.conf
    message | deliver_to issues@example.com | grep -q '^451 '
    stop_hook
    wait
    message | deliver_to issues@example.com | grep -q '^451 4.3.0 '
    rm redmine.key
    message | deliver_to issues@example.com | grep -q '^451 4.3.0 '
}

# postsrsd with the secret here, the ports FORWARD and REVERSE, as it was some DAYS ago; sets PID.
start_postsrsd() { # FORWARD REVERSE [DAYS]
    local program
    program=$("$TESTS/unpacked" postsrsd usr/sbin/postsrsd)
    timeout 120 faketime -f "-${3:-0}d" "$program" -4 -s secret -d example.com -l 127.0.0.1 -f "$1" -r "$2" >>postsrsd.out 2>&1 3>&- </dev/null &
    PID=$!
    PIDS+=("$PID")
    until listening "$1" 4 && listening "$2" 4; do
        kill -0 "$PID"
        sleep 0.02
    done
}

stop_postsrsd() {
    # shellcheck disable=SC2046 # numbers: faketime runs it
    kill "$PID" $(descendants "$PID") 2>/dev/null || true
    wait "$PID" || true
}

# What a port says of a key, encoded.
says() { # PORT KEY
    printf 'get %s\n' "$2" | timeout 20 nc -N 127.0.0.1 "$1"
}

# The address that a port makes of this one.
signed() { # PORT ADDRESS
    local said
    said=$(says "$@")
    [[ $said == '200 SRS0='* ]] && echo "${said#200 }"
}

@test "recipe: Answer by signed address" {
    local forward reverse past address old
    forward=$(free_port)
    reverse=$(free_port)
    echo 'first secret' >secret
    start_postsrsd "$forward" "$reverse"
    recipe 'Answer by signed address' -e "s,127.0.0.1:10002,127.0.0.1:$reverse,"
    address=$(signed "$forward" Joe@example.org)
    [[ $address == SRS0=*=*=example.org=Joe@example.com ]]
    message | deliver_to "$address" | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(head -n 1 lib/bounce-*)" = 'X-Signed-For: joe@example.org' ]
    [ "$(tail -n 5 lib/bounce-*)" = "$(message)" ]
    # of what is no such address one port knows nothing, the other nearly all
    [ "$(says "$reverse" joe@example.org)" = '500 Not an SRS address.' ]
    [ "$(says "$forward" joe@example.com)" = '200 joe@example.com' ]
    [[ "$(says "$forward" @example.net)" == '200 SRS0='*'=example.net=@example.com' ]]
    # as some hosts change it
    message | deliver_to "$(tr A-Z a-z <<<"$address")" | grep -q '^250 2.0.0 Ok, delivered'
    # all that is not signed, not for us, or no such address at all
    for other in "${address/=example.org=/=example.net=}" "SRS0=AAAA=${address#SRS0=*=}" "${address%@*}@example.net" SRS0=x@example.com \
        SRS0=@example.com joe@example.com joe@example.org '"a b%\\"@example.com' "SRS1=${address#SRS0=}"; do
        message | deliver_to "$other" | grep -q '^550 ' || { echo "$other"; false; }
    done
    [ "$(find lib -name 'bounce-*' | wc -l)" = 2 ]
    # with another secret before the old one, which still counts
    stop_postsrsd
    message | deliver_to "$address" | grep -q '^451 '
    sed -i '1i another secret' secret
    start_postsrsd "$forward" "$reverse"
    message | deliver_to "$address" | grep -q '^250 2.0.0 Ok, delivered'
    # of three weeks ago, or more, or so much more that the days have been counted round
    for days in 20:250 23:550 1000:550 1030:250; do
        past=$(free_port)
        start_postsrsd "$past" "$(free_port)" "${days%:*}"
        old=$(signed "$past" Joe@example.org)
        message | deliver_to "$old" | grep -q "^${days#*:} "
        stop_postsrsd
    done
    run ! grep 'table failed.*its answer' log
}

# Dovecot delivers as no root: root becomes nobody, in a directory where nobody may write.
as_nobody() {
    [ "$(id -u)" -eq 0 ] || return 0
    ELSEWHERE=$(mktemp -d)
    mkdir "$ELSEWHERE/bin"
    cp "$MAILRECV" "$ELSEWHERE/bin/mailrecv"
    MAILRECV=$ELSEWHERE/bin/mailrecv
    AS=(setpriv --reuid=nobody --regid=nogroup --clear-groups "${UNDER[@]}")
    cd "$ELSEWHERE"
}

start_dovecot() {
    cat >dovecot.conf <<END
base_dir = $PWD/run
state_dir = $PWD/state
log_path = $PWD/dovecot.log
default_internal_user = $user
default_internal_group = $group
default_login_user = $user
protocols =
listen = 127.0.0.1
ssl = no
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = $PWD/users
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
!include $PWD/99-mailrecv.conf
mail_plugins = quota
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=20K
}
END
    echo 'ann:{PLAIN}secret' >users
    [ -z "${ELSEWHERE:-}" ] || chown -R "$user" .
    "${AS[@]}" timeout 60 dovecot -F -c "$PWD/dovecot.conf" >dovecot.out 2>&1 3>&- </dev/null &
    DOVECOT=$!
    PIDS+=("$DOVECOT")
    wait_for dovecot.log 'starting up' 20
}

@test "recipe: Hand to Dovecot" {
    as_nobody
    user=$("${AS[@]}" id -un) group=$("${AS[@]}" id -gn)
    recipe 'Hand to Dovecot' -e "s,dovecot-lda ,&-c $PWD/dovecot.conf ," -e "s/uid=mailrecv gid=mailrecv/uid=$user gid=$group/; s/user = mailrecv/user = $user/"
    start_dovecot
    message | deliver_to ann@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(ls lib/ann/Maildir/new | wc -l)" -eq 1 ]
    [ "$(tail -n 5 lib/ann/Maildir/new/*)" = "$(message)" ]
    takes_letters ann@example.com
    has_letters lib/ann/Maildir/new
    # no such user
    message | deliver_to joe@example.com | grep -q '^554 5.7.0 Delivery refused: <joe@example.com> '
    # more than the quota
    { message; seq 10000; } | deliver_to ann@example.com | grep -q '^554 5.7.0 Delivery refused: <ann@example.com> .*[Qq]uota'
    [ "$(find lib/*/Maildir/new -type f | wc -l)" -eq 3 ]
    # it cannot write
    chmod 500 lib/ann/Maildir/tmp
    message | deliver_to ann@example.com | grep -q '^451 4.3.0 '
    chmod 700 lib/ann/Maildir/tmp
    kill "$DOVECOT"
    wait "$DOVECOT" || true
    message | deliver_to ann@example.com | grep -q '^451 4.3.0 '
    grep -q 'reason="the command exited with status 75"$' log
}
