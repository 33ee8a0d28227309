#!/bin/bash
# small-relays-give-up-for-all.sh - one refused recipient of several, as the small relays of Debian 12 take it
#
# Hosts without a mail server of their own often send by nullmailer, esmtp or msmtp. A server that takes the first
# recipient of a message and refuses the second one expects the sender to go on with DATA (RFC 5321 3.3), as Postfix and
# Exim do. Seen here:
# - None of the three goes on. The message reaches nobody, also not the recipient that was accepted.
# - nullmailer's smtp stops at the first refusal and says QUIT. Its status is 35 for 550, and 16 for 450. So one stale
#   address in a list is the end of the message for the good ones, and a 450 for it keeps all of them waiting.
# - nullmailer says HELO, not EHLO, when it has no password; a greeting of 554 is 35 as well, for all.
# - esmtp turns the recipients round: the last one that it was given is asked for first. Its status is 70 for 550 and for
#   450 alike, so that whoever calls it cannot tell a refusal from a delay.
# - msmtp sends DATA in the same packet as the recipients where PIPELINING is offered. If one was refused it closes the
#   connection when the server has said 354: no QUIT, no RSET, no end of the message. A server sees a message that was cut
#   in DATA each time. Its status is 65 for 550 but 69 for 450: that is no EX_TEMPFAIL, and what runs msmtp as a delivery
#   command takes a recipient's "later" for "never".
# For a server: a refused recipient, and such a cut, should not count much against a host that sends honest mail.
#
# usage: small-relays-give-up-for-all.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried
set -u
packages=(nullmailer=1:2.2-4 esmtp=1.2-18+b1 libesmtp6=1.1.0-3.1~deb12u1 msmtp=1.8.23-1)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
chmod 755 "$dir"
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
library=$(dirname "$(find "$PWD/root" -name 'libesmtp.so.6')")

# Serves one connection on a free port of 127.0.0.1, refuses the second recipient with $1, prints the verbs it has heard.
cat >server.py <<'END'
import os, socket, sys
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
listener.settimeout(20)
with open('port.new', 'w') as file:
    file.write(str(listener.getsockname()[1]))
os.rename('port.new', 'port')
greeting, second = sys.argv[1:3]
client, _ = listener.accept()
client.settimeout(10)
stream = client.makefile('rwb')
heard, recipients = [], 0
def say(text):
    stream.write(text.encode() + b'\r\n')
    stream.flush()
try:
    say(greeting)
    while line := stream.readline():
        words = line.decode().split()
        verb = words[0].upper()
        heard.append(words[1][4] if verb == 'RCPT' else verb)
        if verb == 'RCPT':
            recipients += 1
            say(second if recipients == 2 else '250 2.1.5 ok')
        elif verb == 'EHLO':
            say('250-mail.example.com\r\n250 PIPELINING')
        elif verb == 'QUIT':
            say('221 2.0.0 bye')
            break
        elif verb == 'DATA':
            say('354 go on')
            while (line := stream.readline()) not in (b'.\r\n', b''):
                pass
            heard.append('.' if line else '(closed)')
            say('250 2.0.0 stored')
        else:
            say('250 2.0.0 ok')
except OSError:
    pass
print(*heard)
END

message() { printf '%s\n' 'From: a@example.com' 'To: b@example.org' 'Subject: x' '' 'hello'; }
run_nullmailer() {
    { printf '%s\n' a@example.com b@example.org c@example.org '' && message; } >queued
    printf 'host=127.0.0.1\nport=%s\n\n' "$1" |
        HELOHOST=client.example.com timeout 20 root/usr/lib/nullmailer/smtp 3<queued
}
run_esmtp() {
    printf 'hostname = 127.0.0.1:%s\nstarttls = disabled\n' "$1" >esmtprc && chmod 600 esmtprc
    message | LD_LIBRARY_PATH=$library timeout 20 root/usr/bin/esmtp -C esmtprc -f a@example.com b@example.org c@example.org
}
run_msmtp() {
    message | timeout 20 root/usr/bin/msmtp -C /dev/null --host=127.0.0.1 --port="$1" -f a@example.com b@example.org c@example.org
}

changed=0
# A program, the greeting, the reply to the second recipient; what must have been heard (recipients by their first
# letter), and its exit status.
expect() { # PROGRAM GREETING REPLY HEARD STATUS
    local server status heard
    rm -f port
    python3 server.py "$2" "$3" >heard & server=$!
    until [ -e port ] || ! kill -0 $server 2>/dev/null; do sleep 0.05; done
    "run_$1" "$(cat port)" >output 2>&1
    status=$?
    wait $server
    heard=$(cat heard)
    echo "$1, $2, $3: heard $heard, status $status"
    [ "$heard" = "$4" ] && [ "$status" = "$5" ] || { echo "  changed: it was $4, status $5"; changed=1; }
}

hello='220 mail.example.com ESMTP'
expect nullmailer "$hello" '250 2.1.5 ok' 'HELO MAIL b c DATA . QUIT' 0
expect nullmailer "$hello" '550 5.1.1 unknown' 'HELO MAIL b c QUIT' 35
expect nullmailer "$hello" '450 4.2.0 later' 'HELO MAIL b c QUIT' 16
expect nullmailer '554 no service' '250 2.1.5 ok' 'QUIT' 35
expect esmtp "$hello" '250 2.1.5 ok' 'EHLO MAIL c b DATA . QUIT' 0
expect esmtp "$hello" '550 5.1.1 unknown' 'EHLO MAIL c b QUIT' 70
expect esmtp "$hello" '450 4.2.0 later' 'EHLO MAIL c b QUIT' 70
expect msmtp "$hello" '250 2.1.5 ok' 'EHLO MAIL b c DATA . QUIT' 0
expect msmtp "$hello" '550 5.1.1 unknown' 'EHLO MAIL b c DATA (closed)' 65
expect msmtp "$hello" '450 4.2.0 later' 'EHLO MAIL b c DATA (closed)' 69
exit $changed
