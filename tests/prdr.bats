#!/usr/bin/env bats
# Replies by PRDR leave when they are known, the last two together

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

load common
load tools/delivery

@test "each reply leaves before the next delivery begins" {
    config <<END
deliver rcpt_to fast@mx.example append $HERE/mbox
deliver rcpt_to slow@mx.example pipe read line <$HERE/gate
END
    mkfifo in gate
    session <in &
    exec 5>in
    printf '%s\r\n' 'EHLO helo.example' 'MAIL FROM:<s@client.example> PRDR' 'RCPT TO:<fast@mx.example>' \
        'RCPT TO:<slow@mx.example>' 'BDAT 1 LAST' >&5
    printf 'x' >&5
    wait_for raw_replies '^250 2.0.0 Ok, delivered'
    expect "$(tail -n 2 raw_replies | cut -c -14)" $'353 A reply fo\n250 2.0.0 Ok, '
    echo >gate
    wait_for raw_replies '^250 2.0.0 Each'
    printf 'QUIT\r\n' >&5
    exec 5>&-
    wait
}

@test "the last two replies leave together, for without the last the others are void" {
    config <<END
sandbox off
deliver rcpt_to a@mx.example append $HERE/mbox
deliver rcpt_to b@mx.example append $HERE/mbox
END
    UNDER=(/usr/bin/strace -f -qq -e trace=write -s 300 -o trace)
    printf '%s\r\n' 'EHLO helo.example' 'MAIL FROM:<s@client.example> PRDR' 'RCPT TO:<a@mx.example>' \
        'RCPT TO:<b@mx.example>' 'BDAT 1 LAST' 'xQUIT' | session
    expect "$(grep -c '"250 2.0.0 Ok, delivered as [^"]*250 2.0.0 Each recipient has its reply' trace)" 1
}

@test "who has gone before the last reply comes again, and has nothing delivered twice that a ledger knows" {
    config <<END
ledger $HERE/ledger
deliver rcpt_to a@mx.example append $HERE/mbox
deliver rcpt_to b@mx.example pipe read line <$HERE/gate
END
    mkfifo gate
    python3 - "$MAILRECV" <<'END'
import socket, subprocess, sys

client, server = socket.socketpair()
process = subprocess.Popen([sys.argv[1], "-c", "conf", "-l", "log", "-P", "192.0.2.7"], stdin=server, stdout=server)
server.close()
client.sendall(b"HELO c.example\r\nMAIL FROM:<s@c.example> PRDR\r\nRCPT TO:<a@mx.example>\r\nRCPT TO:<b@mx.example>\r\n"
               b"BDAT 15 LAST\r\nSubject: once\r\n")
lines = client.makefile("rb")
said = [lines.readline()[:3].decode() for _ in range(7)]
assert said == ["220", "250", "250", "250", "250", "353", "250"], said
lines.close()
client.close()
with open("gate", "w") as gate:
    gate.write("go on\n")
process.wait()
END
    rm gate # who is asked again fails
    expect "$(grep -c '^Subject: once' mbox)" 1
    printf '%s\r\n' 'HELO c.example' 'MAIL FROM:<s@c.example> PRDR' 'RCPT TO:<a@mx.example>' 'RCPT TO:<b@mx.example>' \
        'BDAT 15 LAST' 'Subject: once' QUIT >wire
    session <wire
    expect "$(tail -n 5 replies | cut -c -9)" $'353 A rep\n250 2.0.0\n250 2.0.0\n250 2.0.0\n221 2.0.0'
    expect "$(grep -c '^Subject: once' mbox)" 1
    expect "$(grep -c 'result=already' log)" 2
}
