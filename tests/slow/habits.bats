#!/usr/bin/env bats
# slow/habits.bats - an hour of what honest senders do: none loses a message, is locked out or found by fail2ban
#
# ../habits has their dialogues, a file for each; in an hour each is played twelve times, and between two rounds five minutes
# pass in lockout.db. The replies that the dialogues expect say that no message is lost.

bats_require_minimum_version 1.5.0
load ../common

ROUNDS=12
MAXRETRY=5 # of the jail, within two rounds

# One file of dialogues with the configuration that all share, on standard output.
configured() { # FILE
    sed -n 1p "$1"
    cat <<END
conf: fsync off
conf: lockout.db $PWD/contacts.db
conf: limit.sender_syntax_check on
conf: error rcpt_to ^later@ 451 4.3.0 Later
conf: deliver rcpt_to ann@example.com append $PWD/ann
conf: deliver rcpt_to /^postmaster@/ append $PWD/ann
conf: deliver rcpt_to fails@example.com exec /bin/false
conf: deliver rcpt_to picky@example.com pipe exit 65
run: cat log >>$PWD/log.round
END
    sed 1d "$1"
}

# The clients that the filters find in a log, each as often as it is found.
found() {
    for filter in mailrecv mailrecv-auth; do
        fail2ban-regex -o ip --usedns=no "$1" "$TESTS/../fail2ban/filter.d/$filter.conf"
    done
}

# Plays a round of all senders; what they did is in log.$1.
play_round() { # NUMBER
    local file
    : >log.round
    for file in "$TESTS"/habits/*.dialog; do
        [ -e "${file##*/}" ] || configured "$file" >"${file##*/}"
    done
    "$TESTS/dialog" ./*.dialog >played || { grep -v '^ok' played; return 1; }
    mv log.round "log.$1"
}

@test "an hour of Postfix, Exim, Exchange, Gmail, sendmail, a list server, programs and a probe" {
    cd "$BATS_TEST_TMPDIR"
    for round in $(seq "$ROUNDS"); do
        play_round "$round"
        "$TESTS/tools/contacts" contacts.db shift 300
    done
    # nobody was locked out, and nobody was told so
    cat log.{1..12} >log
    [ "$(grep -cE 'lockout: .*until=|lockout: closed|ERROR: 454' log)" -eq 0 ]
    [ "$(grep -c ' stage=limit ' log)" -eq 0 ]
    # what counts is a session that asks for nobody but who has left: too rare to be banned within ten minutes
    found log >finds
    grep -E 'end .* messages=0 .* rcpt=0/.* violation=rcpt( |$)' log | grep -oE '\[[0-9.]+\] end' | tr -d '[]' >guesses
    [ -s guesses ]
    cut -d' ' -f1 guesses | diff finds -
    for round in $(seq $((ROUNDS - 1))); do
        cat "log.$round" "log.$((round + 1))" | grep -oE '\[[0-9.]+\] end .* violation=rcpt( |$)' | cut -d']' -f1 |
            sort | uniq -c >finds
        [ "$(awk -v max="$MAXRETRY" '$1 >= max' finds | wc -l)" -eq 0 ] || { cat finds; return 1; }
    done
}

@test "the same senders with a harvester among them, who alone is locked out" {
    cd "$BATS_TEST_TMPDIR"
    printf '%s\n' 'domain mail.example.com' "lockout.db $PWD/contacts.db" "deliver rcpt_to ann@example.com append $PWD/ann" >conf
    chmod 600 conf
    play_round 1
    for _ in 1 2 3; do
        { printf 'EHLO x\r\nMAIL FROM:<>\r\n'; printf 'RCPT TO:<%s@example.com>\r\n' {a..z}{a..z}; } >guesses
        "$MAILRECV" -c conf -l log -P 203.0.113.9 <guesses >replies
        grep -q '^421 4.7.0 Too many refused recipients' replies
    done
    [ "$("$MAILRECV" -c conf -S | awk 'NR > 1 && $NF != "-" { print $1 }')" = 203.0.113.9 ]
    play_round 2
    [ "$(found log | sort -u)" = 203.0.113.9 ]
}
