# slow/next-cuts.bats - connections to real next servers that end behind any line: with a ledger the sender tries until all have the
# message; twice it can come only where the answer to it was lost, which nobody can know. Needs root.
# shellcheck shell=bash disable=SC2317 # functions are called by their names

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load peers

NAMES=(ann eve) # whom all of them know

setup() {
    begin_beside_peers
    SERVERS=()
    PROXY=
}

teardown() {
    stop_peers
    [ -z "$PROXY" ] || kill "$PROXY"
    for SERVER_PID in "${SERVERS[@]}"; do stop_server; done
}

# A mailrecv in the directory NAME that speaks LMTP or SMTP, and delivers so; at SERVER_PORT.
start_mailrecv() { # NAME PROTOCOL TARGET [LINE]
    mkdir "$1"
    printf '%s\n' "domain $1.example.com" "protocol $2" "logfile $PWD/$1/log" "deliver rcpt_to @example.com $3" "${4:-}" >"$1/conf"
    start_server alone "$PWD/$1" "$MAILRECV" -c "$PWD/$1/conf"
    SERVERS+=("$SERVER_PID")
}

# Sends messages until each cut has been met; each again to those who have not got a 250, until all have. Prints for each transaction
# the number of the message and its recipients.
send_until_taken() { # PORT CUTS
    python3 - "$@" "${NAMES[@]}" <<'END'
import smtplib, sys
port, cuts, names = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]

def send(number, left):
    print(number, *left)
    text = (f"From: a@client.example\r\nDate: Sat, 01 Aug 2026 10:00:00 +0000\r\nMessage-ID: <{number}@client.example>\r\n"
            f"Subject: message {number}\r\n\r\n.dot\r\nthe end\r\n")
    with smtplib.LMTP("127.0.0.1", port, "client.example") as s:
        s.ehlo()
        s.mail("a@client.example")
        for name in left:
            assert s.rcpt(name + "@example.com")[0] == 250
        assert s.docmd("DATA")[0] == 354
        s.send(smtplib._quote_periods(text.encode()) + b".\r\n")
        replies = [s.getreply() for name in left]
        assert all(code in (250, 451) for code, text in replies), replies
        return [name for name, (code, text) in zip(left, replies) if code != 250]

number = tries = 0
while tries < cuts:
    left = names
    while left:
        left, tries = send(number, left), tries + 1
    number += 1
END
}

# Each message is there for each recipient, as often as the answer to it was lost on the way, and once.
judge() { # lmtp|smtp CUT...
    python3 - "${NAMES[*]}" "$@" <<'END'
import collections, re, sys
names, protocol, words = sys.argv[1].split(), sys.argv[2], sys.argv[3:]
cuts = dict(re.match(r"([cs]\d+) (\d+|-)", line).groups() for line in open("cuts") if line[0] in "cs")
most = collections.Counter()
for i, line in enumerate(open("tries")):
    number, *left = line.split()
    heard = cuts[words[i]] if i < len(words) else "-"
    for index, name in enumerate(left):
        most[number, name] += heard != "-" and int(heard) <= (index if protocol == "lmtp" else 0)
found = {name: collections.Counter(line.split()[-1] for line in open("stored." + name)) for name in names}
bad = [(number, name, found[name][number]) for (number, name), lost in most.items() if not 1 <= found[name][number] <= 1 + lost]
assert cuts.keys() == set(words) and not bad and len(found[names[0]]) > 0, (bad, cuts)
END
}

# The next server, at TARGET, with cuts in between; SUBJECTS-OF NAME prints the Subject of each message that is there.
cut_each_line() { # lmtp|smtp TARGET CLIENT-LINES SERVER-LINES SUBJECTS-OF
    local port name words
    port=$(free_port)
    mapfile -t words < <(seq -f 'c%g' 0 "$3" && seq -f 's%g' 1 "$4")
    "$TESTS/tools/cut-proxy" "$port" "$2" "${words[@]}" >cuts 2>&1 3>&- </dev/null &
    PROXY=$!
    wait_for cuts ready
    start_mailrecv front lmtp "$1 127.0.0.1:$port" "ledger $PWD/ledger"
    send_until_taken "$SERVER_PORT" "${#words[@]}" >tries
    for name in "${NAMES[@]}"; do $5 "$name" >"stored.$name"; done
    judge "$1" "${words[@]}"
}

# Among the places where it was cut are these.
was_cut() { # PATTERN...
    local pattern
    for pattern; do grep -qE "^[cs][0-9]+ [-0-9]+ $pattern" cuts || { echo "it was not cut behind $pattern"; cat cuts; return 1; }; done
}

@test "Dovecot, cut behind each line" {
    start_dovecot_lmtp
    subjects() { cat dovecot/mail/"$1"/Maildir/new/* | tr -d '\r' | grep '^Subject: message '; }
    cut_each_line lmtp "$PWD/dovecot/lmtp" 16 14 subjects
    was_cut 'the connection' LHLO MAIL RCPT 'BDAT .* LAST' 'the end' '220 ' '250-' '250 2\.1\.0' '250 2\.0\.0 <.* Saved'
}

@test "Cyrus, cut behind each line" {
    start_cyrus
    subjects() { cat "$(in_peer cyrus /usr/lib/cyrus/bin/mbpath -C "$PWD/imapd.conf" "user.$1")"/[0-9]*. | tr -d '\r' | grep '^Subject: message '; }
    cut_each_line lmtp "$PWD/cyrus/lmtp" 18 16 subjects
    was_cut 'the connection' LHLO MAIL RCPT DATA '\.$' '220 ' '250-' '354 ' '250 2\.1\.5 Success'
}

@test "Postfix, cut behind each line" {
    printf '%s\n' 'virtual_mailbox_maps = inline:{ann@example.com=ann/, eve@example.com=eve/}' 'smtpd_discard_ehlo_keywords = chunking' >main.cf
    start_postfix_peer
    subjects() { cat postfix/mail/"$1"/new/* | grep '^Subject: message '; }
    settled() { in_peer postfix postqueue -c "$PWD/postfix" -p | grep -q 'queue is empty'; }
    when_settled() {
        until settled; do sleep 0.1; done
        subjects "$1"
    }
    cut_each_line smtp "$POSTFIX_PORT" 18 20 when_settled
    was_cut 'the connection' EHLO MAIL RCPT DATA '\.$' '220 ' '250-' '354 ' '250 2\.0\.0 Ok: .*queued as'
}

@test "another mailrecv, by LMTP and by SMTP, cut behind each line" {
    subjects() { grep '^Subject: message ' "mail.$1"; }
    for protocol in lmtp smtp; do
        rm -rf front next mail.* ledger
        start_mailrecv next "$protocol" "pipe cat >>$PWD/mail.\${RECIPIENT%@*}"
        cut_each_line "$protocol" "$SERVER_PORT" 16 24 subjects
        was_cut 'the connection' '[EL]HLO' MAIL RCPT 'BDAT .* LAST' 'the end' '220 ' '250-' '250 2\.0\.0 Ok, delivered'
        kill "$PROXY"
        PROXY=
    done
}
