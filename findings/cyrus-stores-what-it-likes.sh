#!/bin/bash
# cyrus-stores-what-it-likes.sh - which messages Cyrus' LMTP server refuses for good, changes, or throws away with a 250
#
# A server that hands mail on expects its mail store to take any message, and to keep its bytes. Here are messages
# of some kinds, given to lmtpd of cyrus-imapd 3.6 with its settings as Debian has them. Seen:
# - `554 5.6.0 Message contains invalid header`, for good, if one line of the header is no field: a From_ line in front (as
#   mbox files and some scripts have it), a first line that is folded, text without a header. Dovecot stores all of these.
# - `554 5.6.0 Message contains NUL characters` if there is one anywhere.
# - A CR that is not before an LF is taken out, without a word: "a CR b" is stored as "ab", and the 250 is given all the
#   same. (Such a CR in the header is refused as above.)
# - A Return-Path of the message is taken out; Message-ID and Date are put in where they are missing.
# - A second message with the same Message-ID *and the same Date* is thrown away: `250 2.1.5 Success`, nothing is stored, and
#   what the two say is not looked at. With another Date both are stored. So a retry of a message that came through does no
#   harm, and two mails of a program that writes constants for both are one.
# A server in front, which has to answer its own client, cannot tell the 250 of these from any other.
#
# usage: cyrus-stores-what-it-likes.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried (it
# needs root, for a mount namespace)
set -u
packages=(cyrus-common=3.6.1-4+deb12u5 cyrus-imapd=3.6.1-4+deb12u5 libical3=3.0.16-1+b1 libxapian30=1.4.22-1
    libzephyr4=3.1.2-1.1+b1 libicu72=72.1-3+deb12u1 libjansson4=2.14-2 libldap-2.5-0=2.5.13+dfsg-5 libnsl2=1.3.0-2
    libpcre3=2:8.39-15 libpq5=15.18-0+deb12u1 libsasl2-2=2.1.28+dfsg-10 libsqlite3-0=3.40.1-2+deb12u2 libwrap0=7.6.q-32
    libxml2=2.9.14+dfsg-1.3~deb12u6)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
chmod 755 "$dir"
[ "$(id -u)" -eq 0 ] || { echo 'needs root'; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
mkdir -p root/usr/lib root/usr/sbin && ln -s usr/lib usr/sbin root
for package in ./*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C root || exit 2; done

# Makes the mailbox of ann, gives her the messages, and tells what was answered and what is stored.
cat >try.py <<'END'
import glob, imaplib, re, socket, time

def connect():
    for _ in range(100):
        try:
            return imaplib.IMAP4('127.0.0.1', 14300)
        except OSError:
            time.sleep(0.1)
imap = connect()
imap.login('cyrus', 'any')
imap.create('user.ann')
imap.setacl('user.ann', 'anyone', 'p')

lmtp = socket.socket(socket.AF_UNIX)
lmtp.connect('lmtp')
stream = lmtp.makefile('rwb')
def reply():
    while (line := stream.readline())[3:4] == b'-':
        pass
    return line.decode().strip()
def say(text):
    stream.write(text + b'\r\n')
    stream.flush()
    return reply()
reply()
say(b'LHLO front.example')

def stored():
    return set(glob.glob('mail/**/[0-9]*.', recursive=True))
def send(name, message):
    before = stored()
    say(b'MAIL FROM:<a@example.com>')
    say(b'RCPT TO:<ann>')
    say(b'DATA')
    answer = say(message + b'.')
    print(name + ':', re.sub(' SESSIONID=.*', '', answer))
    for path in stored() - before:
        with open(path, 'rb') as file:
            kept = file.read().split(b'CMU Sieve 3.0\r\n')[-1]
        kept = re.sub(rb'cmu-lmtpd-[-0-9]*', b'ID', re.sub(rb'Date: (?!Sat, 01)[^\r]*', b'Date: NOW', kept))
        print('  stored', kept)

head = b'From: a@example.com\r\nMessage-ID: <%d@example.com>\r\nDate: Sat, 01 Aug 2026 10:00:0%d +0000\r\n'
send('plain', head % (1, 0) + b'\r\ntext\r\n')
send('From_ line in front', b'From a@example.com Sat Aug  1 10:00:00 2026\r\n' + head % (2, 0) + b'\r\ntext\r\n')
send('folded line in front', b' folded\r\n' + head % (3, 0) + b'\r\ntext\r\n')
send('a line that is no field', head % (8, 0) + b'no field\r\n\r\ntext\r\n')
send('no header', b'text\r\nmore text\r\n')
send('NUL', head % (4, 0) + b'\r\na\0b\r\n')
send('lone CR', head % (5, 0) + b'\r\na\rb\r\n')
send('lone CR in a field', head % (6, 0) + b'Subject: a\rb\r\n\r\ntext\r\n')
send('Return-Path, no Message-ID', b'Return-Path: <b@example.com>\r\nFrom: a@example.com\r\n\r\ntext\r\n')
send('first of the same Message-ID and Date', head % (7, 0) + b'\r\none\r\n')
send('second of the same Message-ID and Date', head % (7, 0) + b'\r\ntwo\r\n')
send('the same Message-ID, another Date', head % (7, 1) + b'\r\nthree\r\n')
END

# A Cyrus that is seen by this script alone, on a network of its own.
cat >inside <<'END'
set -eu
ip link set lo up
mount -t tmpfs tmpfs /run && mkdir -p /run/{usr,usr-work,etc,etc-work}
mount -t overlay -o "lowerdir=$PWD/root/usr:/usr,upperdir=/run/usr,workdir=/run/usr-work" overlay /usr
mount -t overlay -o "lowerdir=$PWD/root/etc:/etc,upperdir=/run/etc,workdir=/run/etc-work" overlay /etc
echo 'cyrus:x:64901:64901::/nonexistent:/bin/false' >>/etc/passwd
echo 'cyrus:x:64901:' >>/etc/group
mkdir -p config/socket mail proc lock
chmod 777 . config config/socket mail proc lock
cat >imapd.conf <<CF
configdirectory: $PWD/config
partition-default: $PWD/mail
proc_path: $PWD/proc
mboxname_lockpath: $PWD/lock
admins: cyrus
allowplaintext: yes
altnamespace: no
unixhierarchysep: no
servername: store.example
CF
cat >cyrus.conf <<CF
START {
  recover cmd="ctl_cyrusdb -C $PWD/imapd.conf -r"
}
SERVICES {
  imap cmd="imapd -N -C $PWD/imapd.conf" listen="127.0.0.1:14300"
  lmtp cmd="lmtpd -C $PWD/imapd.conf" listen="$PWD/lmtp"
}
EVENTS {
}
CF
PATH=/usr/lib/cyrus/bin:$PATH
master -D -C "$PWD/imapd.conf" -M "$PWD/cyrus.conf" -p "$PWD/pid" &
timeout 60 python3 try.py
END
timeout 120 unshare --mount --pid --fork --kill-child --mount-proc --net -- bash inside >seen 2>trouble || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { echo 'Cyrus has changed'; exit 1; }
plain: 250 2.1.5 Success
  stored b'From: a@example.com\r\nMessage-ID: <1@example.com>\r\nDate: Sat, 01 Aug 2026 10:00:00 +0000\r\n\r\ntext\r\n'
From_ line in front: 554 5.6.0 Message contains invalid header
folded line in front: 554 5.6.0 Message contains invalid header
a line that is no field: 554 5.6.0 Message contains invalid header
no header: 554 5.6.0 Message contains invalid header
NUL: 554 5.6.0 Message contains NUL characters
lone CR: 250 2.1.5 Success
  stored b'From: a@example.com\r\nMessage-ID: <5@example.com>\r\nDate: Sat, 01 Aug 2026 10:00:00 +0000\r\n\r\nab\r\n'
lone CR in a field: 554 5.6.0 Message contains invalid header
Return-Path, no Message-ID: 250 2.1.5 Success
  stored b'From: a@example.com\r\nMessage-ID: <ID@store.example>\r\nDate: NOW\r\n\r\ntext\r\n'
first of the same Message-ID and Date: 250 2.1.5 Success
  stored b'From: a@example.com\r\nMessage-ID: <7@example.com>\r\nDate: Sat, 01 Aug 2026 10:00:00 +0000\r\n\r\none\r\n'
second of the same Message-ID and Date: 250 2.1.5 Success
the same Message-ID, another Date: 250 2.1.5 Success
  stored b'From: a@example.com\r\nMessage-ID: <7@example.com>\r\nDate: Sat, 01 Aug 2026 10:00:01 +0000\r\n\r\nthree\r\n'
END
