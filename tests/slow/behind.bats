# slow/behind.bats - the recipes with a real Postfix, Exim or OpenSMTPD before us, which only root can start
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

setup() {
    begin_with_program
}

teardown() {
    stop_peers
    stop_server
}

# More recipients than the recipe has, who show what a refusal comes to.
refusing_recipients() {
    cat >>mailrecv.conf <<'END'
deliver rcpt_to later@scripts.example.com pipe exit 75
deliver rcpt_to never@scripts.example.com pipe echo "Not wanted"; exit 65
END
}

# What a socket unit does that has the lines of the recipe: PATH is open to USER, of this PEER, alone.
listen_for() { # PEER PATH USER
    # what is not tried here: a socket unit that listens there, and nowhere else
    [ "$(cat "$1.conf")" = $'[Socket]\nListenStream=\nListenStream='"$2"$'\nSocketUser='"$3"$'\nSocketMode=0600' ]
    timeout 120 "$MAILRECV" -L "$2" -c "$PWD/mailrecv.conf" -l "$PWD/log" >mailrecv.out 2>&1 3>&- </dev/null &
    SERVER_PID=$!
    await_socket "$2"
    in_peer "$1" chown "$3" "$2"
    chmod 600 "$2"
}

# Prints the reply of the server in front to each recipient, and sends those that are taken a message.
send() { # PORT NAME...
    python3 - "$@" <<'END'
import os, smtplib, sys
for name in sys.argv[2:]:
    source, _, name = name.rpartition("/")
    with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), os.environ.get("CLIENT", "client.example"), 30, (source or "127.0.0.1", 0)) as s:
        try:
            s.sendmail("ann@example.com", name + "@scripts.example.com", "Subject: for %s\r\n\r\ntext\r\n" % name)
            print(name, 250)
        except smtplib.SMTPRecipientsRefused as e:
            print(name, *e.recipients.popitem()[1])
END
}

@test "recipe: Behind Postfix" {
    recipe 'Behind Postfix' -e "s,/var/spool/postfix,$PWD/postfix/queue,; s,192\.0\.2\.0/24,127.0.0.2/32,"
    refusing_recipients
    # strangers to Postfix, although they come from this host
    printf '%s\n' 'mynetworks = 192.0.2.0/24' 'smtpd_relay_restrictions = reject_unauth_destination' >>main.cf
    mv postfix.conf unit
    start_postfix_peer
    mv unit postfix.conf
    listen_for postfix "$PWD/postfix/queue/private/mailrecv" postfix
    send "$POSTFIX_PORT" report 127.0.0.2/report nobody later never >replies
    for name in report later never; do
        wait_for postfix/log "lmtp\\[.*to=<$name@scripts.example.com>.*status=" 60
    done
    wait_for postfix/log 'from=<>, size=' 60 # the sender of the third is told
    # Postfix has asked before it took the mail
    [ "$(grep -cx 'report 250' replies)" -eq 2 ]
    grep -q '^nobody 550 .*No one here by that name' replies
    grep -qx 'later 250' replies
    grep -qx 'never 250' replies
    wait_for lib/office '^text$'
    wait_for lib/report '^text$'
    [ "$(cat lib/report lib/office | grep -c '^Subject: for report$')" -eq 2 ]
    grep -q '\[127.0.0.2\] delivery result=delivered .*to="report@' log
    grep -q 'to=<report@scripts.example.com>.*status=sent (250 2.0.0 Ok, delivered as ' postfix/log
    grep -q 'to=<later@scripts.example.com>.*status=deferred (.*451 4.3.0 ' postfix/log
    grep -q 'to=<never@scripts.example.com>.*status=bounced (.*554 5.7.0 .*Not wanted' postfix/log
    grep -q 'ERROR: 550 No one here by that name stage=rcpt.* from="double-bounce@' log
    # without us: who has been asked for before, and who has not
    stop_server
    send "$POSTFIX_PORT" report postmaster >replies
    grep -qx 'report 250' replies
    grep -q '^postmaster 450 .*unverified address' replies
    wait_for postfix/log 'lmtp\[.*to=<report@scripts.example.com>.*status=deferred .*private/mailrecv' 60
    rm lib/report "$PWD/postfix/queue/private/mailrecv"
    listen_for postfix "$PWD/postfix/queue/private/mailrecv" postfix
    in_peer postfix postqueue -c "$PWD/postfix" -f
    wait_for lib/report '^Subject: for report$' 60
}

@test "Postfix goes on with MAIL behind an XFORWARD that it was refused: nobody's mail is taken for its own" {
    cat >mailrecv.conf <<END
domain scripts.example.com
protocol lmtp
logfile $PWD/log
xforward 127.0.0.1/32
allowgroup relays 127.0.0.1/32
deliver allowgroup relays rcpt_to report@scripts.example.com append $PWD/own
deliver rcpt_to report@scripts.example.com append $PWD/of-others
END
    start_server alone "$PWD" "$MAILRECV" -c "$PWD/mailrecv.conf"
    printf '%s\n' 'relay_domains = scripts.example.com' 'virtual_mailbox_domains =' 'lmtp_send_xforward_command = yes' \
        'smtpd_relay_restrictions = reject_unauth_destination' \
        "transport_maps = inline:{scripts.example.com=lmtp:inet:127.0.0.1:$SERVER_PORT}" >main.cf
    start_postfix_peer
    # each + is three bytes there
    CLIENT=$(printf '+%.0s' {1..1000}) send "$POSTFIX_PORT" 127.0.0.2/report
    wait_for postfix/log 'warning: host .* said: 500 5\.5\.2 Line is too long \(in reply to XFORWARD' 20
    wait_for postfix/log 'to=<report@scripts.example.com>.*status=deferred \(.*451 4\.5\.4 Whose mail this is was not understood' 20
    send "$POSTFIX_PORT" 127.0.0.2/report
    wait_for of-others '^text$'
    [ ! -e own ]
    [ "$(grep -c '^Subject: ' of-others)" -eq 1 ]
    grep -q '\[127\.0\.0\.2\] delivery result=delivered ' log
}

@test "recipe: Behind Exim" {
    recipe 'Behind Exim' -e "s,/run/mailrecv/,$PWD/,; s,/usr/local/sbin/mailrecv,$MAILRECV -c $PWD/mailrecv.conf,; s,user = mailrecv,user = nobody," \
        -e "s,/var/log/mailrecv.log,$PWD/log,"
    install -m 666 /dev/null log
    chmod 777 lib
    mv 30_mailrecv exim.transport
    sed -i 's/report : postmaster/report : later : never : postmaster/' 150_mailrecv
    refusing_recipients
    { cat 150_mailrecv; printf 'sender:\n  driver = accept\n  local_parts = ann\n  transport = discarded\n'; } >exim.router
    printf 'discarded:\n  driver = appendfile\n  file = /dev/null\n  user = nobody\n' >>exim.transport
    mv exim.conf unit
    start_exim
    cp unit exim.conf
    listen_for exim "$PWD/lmtp" Debian-exim
    outcome() {
        send "$EXIM_PORT" report nobody later never >replies
        grep -qx 'report 250' replies
        grep -q '^nobody 550 .*No one here by that name' replies
        wait_for lib/report '^Subject: for report$'
        wait_for exim/mainlog "=> report <.* T=$1 C=.250 2.0.0 Ok, delivered as "
        wait_for exim/mainlog "== later@.* T=$1 defer .* 451 4.3.0 "
        wait_for exim/mainlog "\*\* never@.* T=$1: .*554 5.7.0 .*Not wanted"
        rm lib/report
    }
    outcome mailrecv
    stop_peer exim
    stop_server
    sed -i 's/transport = mailrecv$/&_started/' exim.router
    start_exim
    outcome mailrecv_started
    # without us
    stop_peer exim
    sed -i 's/transport = mailrecv_started$/transport = mailrecv/' exim.router
    start_exim
    : >exim/mainlog
    send "$EXIM_PORT" report >replies
    grep -qx 'report 250' replies
    wait_for exim/mainlog '== report@.* T=mailrecv defer '
    rm -f lmtp
    mv exim.conf away
    mv unit exim.conf
    listen_for exim "$PWD/lmtp" Debian-exim
    mv away exim.conf
    in_peer exim exim4 -qff
    wait_for lib/report '^Subject: for report$'
}

@test "recipe: Behind OpenSMTPD" {
    recipe 'Behind OpenSMTPD' -e "s,/run/mailrecv/,$PWD/,; s,= mailrecv\>,= nobody,g"
    refusing_recipients
    sed -i '/^table/s/ }$/, "later@scripts.example.com" = nobody, "never@scripts.example.com" = nobody }/' smtpd.conf
    mv opensmtpd.conf unit
    start_opensmtpd
    mv unit opensmtpd.conf
    sed -i s/SocketUser=mailrecv/SocketUser=nobody/ opensmtpd.conf
    listen_for opensmtpd "$PWD/lmtp" nobody
    send "$OPENSMTPD_PORT" report nobody later never >replies
    grep -qx 'report 250' replies
    grep -q '^nobody 5' replies
    wait_for lib/report '^Subject: for report$'
    wait_for opensmtpd.out 'to=<report@.* result=Ok '
    wait_for opensmtpd.out 'to=<later@.* result=TempFail .*451 4.3.0 '
    wait_for opensmtpd.out 'to=<never@.* result=TempFail .*554 5.7.0 .*Not wanted'
    in_peer opensmtpd smtpctl schedule all
    wait_for log 'to="never@.*' 10
    [ "$(in_peer opensmtpd smtpctl show queue | wc -l)" -eq 2 ]
    # without us
    stop_server
    rm lib/report lmtp
    send "$OPENSMTPD_PORT" report >replies
    grep -qx 'report 250' replies
    wait_for opensmtpd.out 'to=<report@.* result=TempFail '
    listen_for opensmtpd "$PWD/lmtp" nobody
    in_peer opensmtpd smtpctl schedule all
    wait_for lib/report '^Subject: for report$'
}
