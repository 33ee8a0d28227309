# slow/smtp-clients.bats - Exim hands mail to mailrecv by SMTP, in chunks, and by PRDR each recipient has an outcome of its
# own: what was missing comes again, once. Needs root.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load peers

setup() {
    begin_behind_peers
    SERVER_PID=
}

teardown() {
    stop_peers
    [ -z "$SERVER_PID" ] || stop_server
}

configure() { # WHAT-BECOMES-OF-LATER
    cat >mailrecv.conf <<END
domain store.example.com
logfile $PWD/log
debug s
spool_directory $PWD/mail
deliver rcpt_to /^(ann|eve)@/ pipe cat >>$PWD/mail/\$RECIPIENT
deliver rcpt_to /^later@/ pipe $1
deliver rcpt_to /^never@/ pipe echo "Not wanted"; exit 65
END
}

# So large that Exim sends header and body in a chunk each.
send() { # RECIPIENT...
    python3 - "$EXIM_PORT" "$@" <<'END'
import smtplib, sys
text = "From: a@alone.example.com\r\nSubject: large\r\n\r\n" + ".\r\n..\r\nFrom here\r\n" * 4000
smtplib.SMTP("127.0.0.1", int(sys.argv[1])).sendmail("a@alone.example.com", sys.argv[2:], text)
END
}

# How many messages each of those who are named has, each of them whole.
stored() { # NAME...
    local name count
    for name; do
        [ -e "mail/$name@store.example.com" ] || { printf '%s 0 ' "$name"; continue; }
        count=$(grep -c '^Subject: large$' "mail/$name@store.example.com")
        [ "$(grep -c '^\.\.$' "mail/$name@store.example.com")" -eq $((4000 * count)) ] || count=broken
        printf '%s %s ' "$name" "$count"
    done
}

@test "Exim: chunks, a reply for each recipient, and a retry of what was missing" {
    configure 'exit 75'
    start_server alone "$PWD" "$MAILRECV" -c "$PWD/mailrecv.conf"
    cat >exim.router <<'END'
store:
  driver = manualroute
  domains = store.example.com
  route_list = * 127.0.0.1
  self = send
  transport = store
bounces:
  driver = accept
  transport = bounces
END
    cat >exim.transport <<END
store:
  driver = smtp
  port = $SERVER_PORT
  allow_localhost
bounces:
  driver = appendfile
  file = $PWD/mail/bounces
  user = nobody
END
    start_exim
    send {ann,later,never,eve}@store.example.com
    wait_for exim/mainlog '== later@.* 451 4\.3\.0 '
    wait_for exim/mainlog '\*\* never@.* 554 5\.7\.0 .*Not wanted'
    wait_for exim/mainlog '=> ann@.* K '
    wait_for exim/mainlog '[-=]> eve@.*'
    [ "$(stored ann eve later)" = 'ann 1 eve 1 later 0 ' ]
    grep -q 'client: "MAIL FROM:<a@alone.example.com> .*PRDR"' log
    [ "$(grep -c 'client: "BDAT [0-9]*"' log)" -eq 1 ]
    [ "$(grep -c 'client: "BDAT [0-9]* LAST"' log)" -eq 1 ]
    [ "$(grep -c 'client: "DATA"' log)" -eq 0 ]

    configure "cat >>$PWD/mail/\$RECIPIENT"
    in_peer exim exim4 -qf
    wait_for exim/mainlog '=> later@'
    [ "$(stored ann eve later)" = 'ann 1 eve 1 later 1 ' ]
    run -0 in_peer exim exim4 -bp
    [ -z "$output" ]
    wait_for mail/bounces 'never@store.example.com'
}
