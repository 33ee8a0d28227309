#!/bin/bash
# postfix-asks-for-itself-alone.sh - for whom Postfix 3.7 asks the next server whether a recipient is there
#
# With reject_unverified_recipient a Postfix in front asks the next server for each recipient before it takes mail, and with
# lmtp_send_xforward_command (or that of smtp) it tells it who the client is. An administrator expects that the next
# server can then let a rule about clients decide on the recipient. Seen here, with two clients, of whom the next server
# wants the second one:
# - The question is a message of Postfix's own: XFORWARD SOURCE=LOCAL and nothing else (no ADDR, NAME, HELO, PROTO), and
#   MAIL FROM:<double-bounce@...>, whoever asks to send. The next server sees Postfix as the client, and this sender.
# - So the next server, which refuses everybody whom it does not know, refuses the recipient for all: also for the client
#   that it wants. XFORWARD ADDR= is never sent.
# - One question stands for all clients: the second client hears the refusal without a new question, although
#   address_verify_map is empty, by which nothing is kept on disk.
# - Where the next server says yes to Postfix (SOURCE=LOCAL) and decides by the client when the message comes, its 550 is
#   too late: Postfix has said 250 to the client, and sends a bounce to whoever the sender claimed to be.
# So: rules about clients that refuse belong into the front server; what stands behind must take double-bounce@... and a
# client that is only LOCAL for each recipient that exists.
#
# usage: postfix-asks-for-itself-alone.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried
# (it needs root, for a mount namespace)
set -u
packages=(postfix=3.7.11-0+deb12u1 libdb5.3=5.3.28+dfsg2-1 libnsl2=1.3.0-2 libtirpc3=1.3.3+ds-1 libicu72=72.1-3+deb12u1
    libsasl2-2=2.1.28+dfsg-10)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
chmod 755 "$dir"
[ "$(id -u)" -eq 0 ] || { echo 'needs root'; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
mkdir -p root/usr/lib root/usr/sbin && ln -s usr/lib usr/sbin root
for package in ./*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C root || exit 2; done

# The next server: refuses recipients unless the client is 192.0.2.2 or, with "lenient", not known; writes down what it heard.
cat >next.py <<'END'
import os, socket, sys, threading
heard, lenient = open('heard', 'a', buffering=1), sys.argv[1] == 'lenient'
listener = socket.socket(socket.AF_UNIX)
listener.bind('next')
os.chmod('next', 0o777)
listener.listen()
def serve(stream):
    def say(text):
        stream.write(text.encode() + b'\r\n')
        stream.flush()
    client, accepted = None, 0
    say('220 next')
    while line := stream.readline().decode().strip():
        verb = line.split()[0].upper()
        if verb in ('XFORWARD', 'MAIL', 'RCPT', 'DATA'):
            heard.write(line.split(' PORT=')[0].split(' IDENT=')[0].split(' SIZE=')[0] + '\n')
        if verb == 'LHLO':
            say('250-next\r\n250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE')
        elif verb == 'XFORWARD' and 'ADDR=' in line:
            client = line.split('ADDR=')[1].split()[0]
            say('250 ok')
        elif verb == 'RCPT':
            good = client == '192.0.2.2' or (client is None and lenient)
            accepted += good
            say('250 ok' if good else '550 5.7.1 not from there')
        elif verb == 'DATA':
            say('354 go on' if accepted else '503 no recipients')
            while accepted and stream.readline() not in (b'.\r\n', b''):
                pass
            if accepted:
                say('250 stored')
        else:
            say('221 bye' if verb == 'QUIT' else '250 ok')
while True:
    threading.Thread(target=serve, args=(listener.accept()[0].makefile('rwb'),), daemon=True).start()
END

# What a client at 192.0.2.N hears for each recipient and after a message.
cat >client.py <<'END'
import smtplib, sys
with smtplib.SMTP('192.0.2.25', 25, 'client.example', 60, (sys.argv[1], 0)) as smtp:
    smtp.ehlo()
    smtp.mail('ann@client.example')
    code = smtp.rcpt('box@next.example')[0]
    print(sys.argv[1], 'RCPT', code, *(('message', smtp.data(b'Subject: x\r\n\r\ntext\r\n')[0]) if code == 250 else ()))
END

# A Postfix that is seen by this script alone, on a network of its own.
cat >inside <<'END'
set -eu
ip link set lo up
ip address add 192.0.2.25/24 dev lo # all of the network is then ours
mount -t tmpfs tmpfs /run && mkdir -p /run/{usr,usr-work,etc,etc-work}
mount -t overlay -o "lowerdir=$PWD/root/usr:/usr,upperdir=/run/usr,workdir=/run/usr-work" overlay /usr
mount -t overlay -o "lowerdir=$PWD/root/etc:/etc,upperdir=/run/etc,workdir=/run/etc-work" overlay /etc
echo 'postfix:x:64902:64902::/nonexistent:/bin/false' >>/etc/passwd
printf '%s\n' postfix:x:64902: postdrop:x:64903: >>/etc/group
mkdir -p p/data p/queue/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace,public,maildrop,pid}
chown postfix p/data p/queue/*
chown root p/queue/pid
chgrp postdrop p/queue/{public,maildrop}
chmod 710 p/queue/public
chmod 730 p/queue/maildrop
cat >p/main.cf <<CF
compatibility_level = 3.6
queue_directory = $PWD/p/queue
data_directory = $PWD/p/data
maillog_file = $PWD/p/log
maillog_file_prefixes = $PWD
myhostname = front.example
inet_interfaces = 192.0.2.25
inet_protocols = ipv4
mydestination =
mynetworks = 203.0.113.0/24
alias_maps =
smtpd_peername_lookup = no
relay_domains = next.example
transport_maps = inline:{next.example=lmtp:unix:$PWD/next, client.example=discard:}
lmtp_send_xforward_command = yes
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unverified_recipient
unverified_recipient_reject_code = 550
address_verify_map =
address_verify_poll_delay = 1
CF
cat >p/master.cf <<CF
192.0.2.25:25 inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
retry unix - - n - - error
error unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
lmtp unix - - n - - lmtp
postlog unix-dgram n - n - 1 postlogd
CF
python3 next.py "$1" &
/usr/lib/postfix/sbin/master -c "$PWD/p" -w >p/start 2>&1
for client in 192.0.2.1 192.0.2.2; do
    timeout 60 python3 client.py $client
    timeout 60 sh -c 'until [ -z "$(find p/queue/incoming p/queue/active -type f)" ]; do sleep 0.1; done'
done
sed 's/^/next heard: /' heard
sed -n 's/.*to=<ann@client.example>.*status=\([a-z]*\).*/bounce to ann@client.example: \1/p' p/log
END

# Runs all of that once; the socket and what was heard begin anew.
try() {
    rm -rf p heard next
    echo "the next server is $1"
    timeout 120 unshare --mount --pid --fork --kill-child --mount-proc --net -- bash inside "$1" 2>trouble ||
        { cat trouble p/start p/log >&2; exit 2; }
}
{ try strict && try lenient; } >seen || { cat seen; exit 2; }
cat seen
diff - seen <<'END' || { echo 'Postfix has changed'; exit 1; }
the next server is strict
192.0.2.1 RCPT 550
192.0.2.2 RCPT 550
next heard: XFORWARD SOURCE=LOCAL
next heard: MAIL FROM:<double-bounce@front.example>
next heard: RCPT TO:<box@next.example>
the next server is lenient
192.0.2.1 RCPT 250 message 250
192.0.2.2 RCPT 250 message 250
next heard: XFORWARD SOURCE=LOCAL
next heard: MAIL FROM:<double-bounce@front.example>
next heard: RCPT TO:<box@next.example>
next heard: XFORWARD ADDR=192.0.2.1
next heard: XFORWARD PROTO=ESMTP HELO=client.example
next heard: MAIL FROM:<ann@client.example>
next heard: RCPT TO:<box@next.example>
next heard: XFORWARD ADDR=192.0.2.2
next heard: XFORWARD PROTO=ESMTP HELO=client.example
next heard: MAIL FROM:<ann@client.example>
next heard: RCPT TO:<box@next.example>
next heard: DATA
bounce to ann@client.example: sent
END
