# slow/postfix.bats - the recipe with a real Postfix before us, which only root can start
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

setup() {
    chmod 755 "$BATS_RUN_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    umask 022
}

teardown() {
    stop_peers
    stop_server
}

# A client that prints the reply of Postfix to each recipient, and sends those that are taken a message.
client() {
    cat <<'END'
import os, smtplib
with smtplib.SMTP("127.0.0.1", int(os.environ["POSTFIX_PORT"]), "client.example", 30) as s:
    for name in ("report", "nobody", "later", "never"):
        try:
            s.sendmail("ann@example.com", name + "@scripts.example.com", "Subject: for %s\r\n\r\ntext\r\n" % name)
            print(name, 250)
        except smtplib.SMTPRecipientsRefused as e:
            print(name, *e.recipients.popitem()[1])
END
}

# Sends, and waits until Postfix has said what became of each.
send_and_wait() {
    python3 session.py >replies
    for name in report later never; do
        wait_for postfix/log "smtp\\[.*to=<$name@scripts.example.com>.*status=" 60
    done
    wait_for postfix/log 'from=<>, size=' 60 # the sender of the third is told
}

@test "recipe: Behind Postfix" {
    recipe 'Behind Postfix'
    cat >>mailrecv.conf <<'END'
deliver rcpt_to later@scripts.example.com pipe exit 75
deliver rcpt_to never@scripts.example.com pipe echo "Not wanted"; exit 65
END
    # what is not tried here: a socket unit that listens there, and nowhere else
    [ "$(cat postfix.conf)" = $'[Socket]\nListenStream=\nListenStream=127.0.0.1:2525' ]
    start_server systemd-socket-activate "$PWD" "$MAILRECV" -c "$PWD/mailrecv.conf" -l "$PWD/log"
    sed -i "s/:2525/:$SERVER_PORT/" main.cf
    # strangers to Postfix, although they come from this host
    printf '%s\n' 'mynetworks = 192.0.2.0/24' 'smtpd_relay_restrictions = reject_unauth_destination' >>main.cf
    client >session.py
    start_postfix_peer
    export POSTFIX_PORT
    send_and_wait
    # Postfix has asked before it took the mail
    grep -qx 'report 250' replies
    grep -q '^nobody 550 .*No one here by that name' replies
    grep -qx 'later 250' replies
    grep -qx 'never 250' replies
    grep -q '^Subject: for report$' lib/report
    [ "$(tail -n1 lib/report)" = text ]
    grep -q 'to=<report@scripts.example.com>.*status=sent (250 2.0.0 Ok, delivered as ' postfix/log
    grep -q 'to=<later@scripts.example.com>.*status=deferred (.*451 4.3.0 ' postfix/log
    grep -q 'to=<never@scripts.example.com>.*status=bounced (.*554 5.7.0 .*Not wanted' postfix/log
    grep -q '\[127.0.0.1\] ERROR: 550 No one here by that name stage=rcpt' log
}
