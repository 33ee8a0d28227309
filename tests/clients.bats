# clients.bats - the clients that people use: nc by hand, swaks, Python's smtplib, curl, msmtp
# shellcheck shell=bash

load common
load serving

setup() {
    cd "$BATS_TEST_TMPDIR"
    cat >conf <<EOF
domain mail.example.com
logfile $PWD/log
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to script@example.com pipe cat >$PWD/script; echo "\$SENDER \$CLIENT_ADDRESS \$CLIENT_HELO \$CLIENT_PROTOCOL" >$PWD/facts
EOF
    # what a message can hold: dots, From_ lines, 8-bit, a long line, no blank at the end
    {
        printf 'From: Ann <ann@example.com>\nTo: script@example.com\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n'
        printf 'Date: Fri, 21 Nov 2025 10:00:00 +0000\nMessage-ID: <1@example.com>\nMIME-Version: 1.0\n'
        printf 'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n'
        printf 'Grüße\n\n.\n..\n.hidden\nFrom the start\n>From quoted\n\ttab \\ "quotes"\n'
        printf '%0900d\n' 7
        printf 'the end\n'
    } >message
    start_server systemd-socket-activate "$PWD" "$MAILRECV" -c "$PWD/conf"
}

teardown() {
    stop_server
}

# A command has read message below our headers, and nothing else; the file holds it quoted.
# check SENDER ADDRESS HELO: what the envelope was. Both addresses were recipients.
check() {
    sed '/^From: /,$!d' script | cmp - message
    sed '/^From: /,$d' script >headers
    [ "$(wc -l <headers)" -eq 5 ]
    [ "$(sed -n '1p' headers)" = "Return-Path: <$1>" ]
    [ "$(sed -n '2p' headers)" = "Delivered-To: script@example.com" ]
    [ "$(cut -d' ' -f1-3 facts)" = "$1 $2 $3" ]
    # mboxrd: one > more before each >*From , and a blank line behind it all
    { sed -E 's/^(>*From )/>\1/' message; echo; } >quoted
    sed '1d' inbox | sed '/^From: /,$!d' | cmp - quoted
    [ "$(grep -c ' delivery result=delivered ' log)" -eq 2 ]
    rm script inbox facts log
}

# A person in front of nc: types a line, waits for the answer, ends lines with LF.
type_by_hand() {
    local host=$1 line
    coproc NC { timeout 20 nc "$host" "$SERVER_PORT"; }
    read -r -t 10 -u "${NC[0]}" answer
    [ "$answer" = $'220 mail.example.com ESMTP mailrecv\r' ]
    while IFS= read -r line; do
        echo "$line" >&"${NC[1]}"
        read -r -t 10 -u "${NC[0]}" answer
        echo "$line -> $answer"
    done
}

@test "nc, typed by hand: each line is answered, LF ends lines and the message" {
    for host in 127.0.0.1 ::1; do
        type_by_hand "$host" < <(printf '%s\n' 'HELO hand.example' 'MAIL FROM: ann@example.com' \
            'RCPT TO: script@example.com' 'RCPT TO: <inbox@example.com>' DATA) >typed
        [ "$(tr -d '\r' <typed)" = 'HELO hand.example -> 250 mail.example.com
MAIL FROM: ann@example.com -> 250 2.1.0 Sender ok
RCPT TO: script@example.com -> 250 2.1.5 Recipient ok
RCPT TO: <inbox@example.com> -> 250 2.1.5 Recipient ok
DATA -> 354 Send the message, end it with a dot on a line of its own' ]
        sed 's/^\./../' message >&"${NC[1]}"
        echo . >&"${NC[1]}"
        read -r -t 10 -u "${NC[0]}" answer
        [[ $answer == '250 2.0.0 Ok, delivered as '* ]]
        pid=$NC_PID
        echo quit >&"${NC[1]}"
        read -r -t 10 -u "${NC[0]}" answer
        [ "$answer" = $'221 2.0.0 Goodbye\r' ]
        eval "exec ${NC[1]}>&-" # Ctrl-D: nc itself would wait for more to send
        wait "$pid"
        check ann@example.com "$host" hand.example
    done
}

@test "nc -N with the whole session on its input" {
    for host in 127.0.0.1 ::1; do
        {
            printf '%s\n' 'EHLO pipe.example' 'MAIL FROM:<ann@example.com>' 'RCPT TO:<script@example.com>' \
                'RCPT TO:<inbox@example.com>' DATA
            sed 's/^\./../' message
            printf '%s\n' . QUIT
        } | timeout 20 nc -N "$host" "$SERVER_PORT" >replies
        [ "$(tail -n1 replies)" = $'221 2.0.0 Goodbye\r' ]
        check ann@example.com "$host" pipe.example
    done
}

@test "swaks" {
    for host in 127.0.0.1 ::1; do
        option=-4
        [ "$host" = 127.0.0.1 ] || option=-6
        swaks $option --server "$host" --port "$SERVER_PORT" --ehlo swaks.example --from ann@example.com \
            --to script@example.com,inbox@example.com --data @message >replies
        grep -q '^<-  250 2\.0\.0 Ok, delivered as ' replies
        # swaks ends its messages with an empty line of its own
        [ "$(tail -n2 script)" = "the end" ]
        sed -i '$d' script inbox
        check ann@example.com "$host" swaks.example
    done
}

@test "swaks hears why a recipient is refused" {
    run swaks -4 --server 127.0.0.1 --port "$SERVER_PORT" --ehlo swaks.example --from ann@example.com --to nobody@example.com
    [ "$status" -eq 24 ] # no recipient was accepted
    [[ $output == *'<** 550 5.1.1 No one here by that name'* ]]
}

@test "Python's smtplib, with and without UTF-8 addresses" {
    for host in 127.0.0.1 ::1; do
        python3 - "$host" "$SERVER_PORT" <<'EOF'
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), "python.example", 20) as s:
    code, text = s.ehlo()
    assert code == 250, (code, text)
    assert s.esmtp_features["size"] == "24000000", s.esmtp_features
    for name in ("pipelining", "8bitmime", "smtputf8", "enhancedstatuscodes", "help"):
        assert s.has_extn(name), name
    refused = s.sendmail("ann@example.com", ["script@example.com", "inbox@example.com", "nobody@example.com"],
                         open("message", "rb").read().replace(b"\n", b"\r\n"), ["BODY=8BITMIME"])
    assert refused == {"nobody@example.com": (550, b"5.1.1 No one here by that name")}, refused
EOF
        check ann@example.com "$host" python.example
        python3 - "$host" "$SERVER_PORT" <<'EOF'
import smtplib, sys
with smtplib.SMTP(sys.argv[1], int(sys.argv[2]), "python.example", 20) as s:
    s.sendmail("änn@example.com", ["script@example.com", "inbox@example.com"], open("message", "rb").read().replace(b"\n", b"\r\n"),
               ["SMTPUTF8", "BODY=8BITMIME"])
EOF
        [ "$(cut -d' ' -f4 facts)" = UTF8SMTP ]
        check änn@example.com "$host" python.example
    done
}

@test "curl" {
    for host in 127.0.0.1 '[::1]'; do
        curl -sS --max-time 20 "smtp://$host:$SERVER_PORT/curl.example" --mail-from ann@example.com \
            --mail-rcpt script@example.com --mail-rcpt inbox@example.com --crlf --upload-file message
        check ann@example.com "$(tr -d '[]' <<<"$host")" curl.example
    done
}

@test "msmtp" {
    for host in 127.0.0.1 ::1; do
        msmtp --host="$host" --port="$SERVER_PORT" --domain=msmtp.example --from=ann@example.com \
            --tls=off --auth=off --timeout=20 script@example.com inbox@example.com <message
        check ann@example.com "$host" msmtp.example
    done
}
