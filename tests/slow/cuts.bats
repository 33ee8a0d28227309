# slow/cuts.bats - connections that end behind any line, with real servers before us and behind us: with a ledger the retries deliver
# what is missing, once. Needs root.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load peers

NAMES=(ann bob eve)

setup() {
    begin_behind_peers
    SERVER_PID=
    PROXY=
}

teardown() {
    stop_peers
    [ -z "$PROXY" ] || kill "$PROXY"
    [ -z "$SERVER_PID" ] || stop_server
}

# A mailrecv that speaks PROTOCOL, at SERVER_PORT.
start_mailrecv() { # PROTOCOL
    cat >mailrecv.conf <<END
domain store.example.com
protocol $1
logfile $PWD/log
ledger $PWD/ledger
limit.client_sessions 100
limit.smtp_rcpt_to 10
deliver rcpt_to /^ann@/ append $PWD/mail/ann
deliver rcpt_to /^(bob|eve)@/ pipe cat >>$PWD/mail/\${RECIPIENT%@*}
END
    start_server alone "$PWD" "$MAILRECV" -c "$PWD/mailrecv.conf"
}

# Cuts the connections to TARGET at PROXY_PORT: behind each of so many lines of the client, and of the server.
start_proxy() { # TARGET CLIENT-LINES SERVER-LINES
    CUTS=$((1 + $2 + $3))
    PROXY_PORT=$(free_port)
    # shellcheck disable=SC2046 # words
    "$TESTS/tools/cut-proxy" "$PROXY_PORT" "$1" $(seq -f 'c%g' 0 "$2") $(seq -f 's%g' 1 "$3") >cuts 2>&1 3>&- </dev/null &
    PROXY=$!
    wait_for cuts ready
}

# Gives the server in front as many messages as there are cuts, each for all; N in the domain is the number of the message.
send_all() { # PORT DOMAIN
    python3 - "$1" "$CUTS" "$2" "${NAMES[@]}" <<'END'
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1])) as s:
    for i in range(int(sys.argv[2])):
        s.sendmail("a@alone.example.com", [name + "@" + sys.argv[3].replace("N", str(i)) for name in sys.argv[4:]],
                   "From: a@alone.example.com\r\nMessage-ID: <%d@alone.example.com>\r\nSubject: message %d\r\n\r\n.dot\r\nthe end\r\n" % (i, i))
END
}

# Has it try again what is left, until nothing is.
retry_until_empty() { # HOW-TO-RETRY HOW-MANY-ARE-LEFT
    local end=$((SECONDS + 150))
    until [ "$($2)" = 0 ]; do
        [ $SECONDS -lt $end ] || { echo "$($2) are left"; return 1; }
        $1
        sleep 0.3
    done
}

# Each message is there for each recipient, once.
all_once() {
    local name
    for name in "${NAMES[@]}"; do
        grep -h '^Subject: message ' "mail/$name" | sort | uniq -c | sed 's/^ *//' >"stored.$name"
        seq -f '1 Subject: message %g' 0 $((CUTS - 1)) | LC_ALL=C sort | diff - <(LC_ALL=C sort "stored.$name")
    done
    cat cuts
    [ "$(grep -c '^[cs][0-9]' cuts)" -eq "$CUTS" ]
    grep -q ' delivery result=already ' log
}

# Among the places where it was cut are these.
was_cut() { # PATTERN...
    local pattern
    for pattern; do grep -E "^[cs][0-9]+ [-0-9]+ $pattern" cuts || { echo "it was not cut behind $pattern"; return 1; }; done
}

was_cut_all_over() { # LHLO|EHLO
    was_cut 'the connection' "$1" MAIL RCPT DATA '\.$' '220 ' '250-' '250 2\.1\.5' '354' '250 2\.0\.0 Ok, delivered'
}

retry_postfix() { in_peer postfix postqueue -c "$PWD/postfix" -f; }
left_postfix() { in_peer postfix postqueue -c "$PWD/postfix" -j | wc -l; }
retry_exim() { in_peer exim exim4 -qf; }
left_exim() { in_peer exim exim4 -bpc; }

behind_postfix() { # smtp|lmtp CLIENT-LINES SERVER-LINES
    start_mailrecv "$1"
    start_proxy "$SERVER_PORT" "$2" "$3"
    printf '%s\n' 'relay_domains = store.example.com' 'virtual_mailbox_domains =' \
        "transport_maps = inline:{store.example.com=$1:inet:127.0.0.1:$PROXY_PORT}" >main.cf
    [ "$1" = lmtp ] || sed -i "s/smtp:inet:127.0.0.1/smtp:[127.0.0.1]/" main.cf
    start_postfix_peer
    send_all "$POSTFIX_PORT" store.example.com
    retry_until_empty retry_postfix left_postfix
    all_once
}

@test "Postfix, by LMTP, cut behind each line" {
    behind_postfix lmtp 20 22
    was_cut_all_over LHLO
}

@test "Postfix, by SMTP, cut behind each line" {
    behind_postfix smtp 20 22
    was_cut_all_over EHLO
}

behind_exim() { # smtp|lmtp CLIENT-LINES SERVER-LINES LINE...
    start_mailrecv "$1"
    start_proxy "$SERVER_PORT" "$2" "$3"
    printf '%s\n' 'store:' '  driver = manualroute' '  domains = store.example.com' '  route_list = * 127.0.0.1' '  self = send' \
        '  transport = store' >exim.router
    printf '%s\n' 'store:' '  driver = smtp' "  port = $PROXY_PORT" '  allow_localhost' "  protocol = $1" "${@:4}" >exim.transport
    start_exim
    send_all "$EXIM_PORT" store.example.com
    retry_until_empty retry_exim left_exim
    all_once
}

@test "Exim, by LMTP, cut behind each line" {
    behind_exim lmtp 20 22 '  hosts_try_chunking ='
    was_cut_all_over LHLO
}

@test "Exim, by SMTP in chunks and with PRDR, cut behind each line" {
    behind_exim smtp 20 22
    was_cut 'the connection' EHLO 'MAIL.*PRDR' RCPT BDAT '220 ' '250-' '250 2\.1\.5' '353' '250 2\.0\.0 Ok, delivered'
}

@test "Exim, by SMTP with one reply for all, cut behind each line" {
    behind_exim smtp 20 22 '  hosts_try_chunking =' '  hosts_try_prdr ='
    was_cut_all_over EHLO
}

retry_opensmtpd() { in_peer opensmtpd smtpctl schedule all >/dev/null; }
left_opensmtpd() { in_peer opensmtpd smtpctl show queue | wc -l; }

behind_opensmtpd() { # smtp|lmtp CLIENT-LINES SERVER-LINES
    local i
    start_mailrecv "$1"
    start_proxy "$SERVER_PORT" "$2" "$3"
    for ((i = 0; i < CUTS; i++)); do # it leaves a host alone for a while that has failed
        echo "action a$i relay host \"${1/smtp/smtp+notls}://127.0.0.$((i + 1)):$PROXY_PORT\""
        echo "match from any for domain store$i.example.com action a$i"
    done >smtpd.conf
    start_opensmtpd
    send_all "$OPENSMTPD_PORT" storeN.example.com
    retry_until_empty retry_opensmtpd left_opensmtpd
    all_once
}

@test "OpenSMTPD, relaying by LMTP, cut behind each line" {
    behind_opensmtpd lmtp 20 22
    was_cut_all_over LHLO
}

@test "OpenSMTPD, by SMTP, cut behind each line" {
    behind_opensmtpd smtp 20 22
    was_cut_all_over EHLO
}
