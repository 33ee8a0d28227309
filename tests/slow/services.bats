# slow/services.bats - recipes that need a mail server, or programs of packages that are unpacked for them
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes

AS=()
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
END
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
200 451
END
    stop_hook
    wait
    message | deliver_to issues@example.com | grep -q '^451 4.3.0 '
}

# Dovecot delivers as no root: root becomes nobody, in a directory where nobody may write.
as_nobody() {
    [ "$(id -u)" -eq 0 ] || return 0
    ELSEWHERE=$(mktemp -d)
    mkdir "$ELSEWHERE/bin"
    cp "$MAILRECV" "$ELSEWHERE/bin/mailrecv"
    MAILRECV=$ELSEWHERE/bin/mailrecv
    AS=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
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
    # no such user
    message | deliver_to joe@example.com | grep -q '^554 5.7.0 Delivery refused: <joe@example.com> '
    # more than the quota
    { message; seq 10000; } | deliver_to ann@example.com | grep -q '^554 5.7.0 Delivery refused: <ann@example.com> .*[Qq]uota'
    [ "$(find lib/*/Maildir/new -type f | wc -l)" -eq 1 ]
    kill "$DOVECOT"
    wait "$DOVECOT" || true
    message | deliver_to ann@example.com | grep -q '^451 4.3.0 '
    grep -q 'reason="the command exited with status 75"$' log
}
