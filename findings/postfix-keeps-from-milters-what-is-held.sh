#!/bin/bash
# postfix-keeps-from-milters-what-is-held.sh - what milters do not get to see, or may not do, with Postfix as client
#
# Milters in a row each see what those before have left, says MILTER_README, and a milter may ask for its changes in any
# order (libmilter sends each as it is asked for). Seen with smtpd and cleanup of Postfix 3.7 and two milters:
# - When the first one asks for quarantine, the second is not shown the message: it hears of the envelope and DATA, then
#   ABORT. So a virus scanner behind a spam filter never looks at what is held, and whoever releases it does so unseen.
# - A body that comes in two pieces with another change between them (smfi_replacebody, smfi_addheader, smfi_replacebody)
#   makes the milter one that has failed: 451, and 451 to each later MAIL of the session. With the pieces together all is well.
# - A header field is cut at a fold before 60000 bytes, without a word in the log, although header_size_limit is 102400: for
#   the recipients, with or without milters.
#
# usage: postfix-keeps-from-milters-what-is-held.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be
# tried (it needs root, for a mount namespace)
set -u
packages=(postfix=3.7.11-0+deb12u1 libdb5.3=5.3.28+dfsg2-1 libnsl2=1.3.0-2 libtirpc3=1.3.3+ds-1 libicu72=72.1-3+deb12u1
    libsasl2-2=2.1.28+dfsg-10)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
chmod 755 "$dir"
[ "$(id -u)" -eq 0 ] || { echo 'needs root'; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
mkdir -p root/usr/lib root/usr/sbin && ln -s usr/lib usr/sbin root
for package in ./*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C root || exit 2; done

# Two milters, `one` and `two`, that continue always; before that `one` sends at the end what `wishes` holds.
cat >milters.py <<'END'
import os, socket, struct, threading
def serve(name, client):
    stream = client.makefile('rwb')
    def send(letter, data=b''):
        stream.write(struct.pack('>I', len(data) + 1) + letter + data)
        stream.flush()
    while head := stream.read(4):
        packet = stream.read(struct.unpack('>I', head)[0])
        letter = packet[:1]
        if letter not in b'OD':
            with open('told', 'a') as told:
                told.write(name + letter.decode() + ' ')
        if letter == b'O':
            send(b'O', struct.pack('>III', 6, 0x3f, 0))
        elif letter == b'E' and name == '1':
            for wish in open('wishes', 'rb').read().split(b'|')[:-1]:
                send(wish[:1], wish[1:])
        if letter not in b'ODAQ':
            send(b'c')
def listen(path, name):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen()
    while True:
        threading.Thread(target=serve, args=(name, listener.accept()[0]), daemon=True).start()
threading.Thread(target=listen, args=('one', '1'), daemon=True).start()
listen('two', '2')
END

# A message, and another MAIL: the replies to the two; what the milters were told from DATA to the end; what became of it.
cat >client.py <<'END'
import os, re, socket, time
def session(what, port, wishes=b'', header='Subject: x\r\n'):
    open('told', 'w').close()
    with open('wishes', 'wb') as file:
        file.write(wishes)
    with socket.create_connection(('127.0.0.1', port), 60) as s, s.makefile('rb') as lines:
        def say(text):
            s.sendall(text.encode())
            while (line := lines.readline().decode())[3:4] == '-':
                pass
            return line
        say('')
        for line in 'EHLO client.example', 'MAIL FROM:<ann@client.example>', 'RCPT TO:<box@mail.example>', 'DATA':
            say(line + '\r\n')
        reply = say(header + '\r\ntext\r\n.\r\n')
        again = say('MAIL FROM:<ann@client.example>\r\n')
    told = re.findall('[12][TLNBE]', open('told').read())
    queued, size = re.search('queued as (\\w+)', reply), ''
    while queued and not (size := re.search(queued[1] + r': (milter-hold|from=.*size=\d+)', open('p/log').read())):
        time.sleep(0.05)
    size = size and ('held' if 'hold' in size[1] else 'cut' if len(header) > int(size[1].split('=')[-1]) else 'whole')
    print(what, '->', reply[:3], again[:3], '|', *told, '|', size or 'refused')
one, two = b'bnew\r\n|', b'bmore\r\n|'
session('nothing', 25)
session('quarantine', 25, b'qlook\0|')
session('two pieces together', 25, one + two + b'hX-New\0yes\0|')
session('two pieces apart', 25, one + b'hX-New\0yes\0|' + two)
long = 'X-Long: a' + '\r\n\tbbbbbbbbb' * 7500 + '\r\n'
session('a long field', 25, header=long)
session('a long field, no milters', 26, header=long)
END

# A Postfix that is seen by this script alone, on a network of its own.
cat >inside <<'END'
set -eu
ip link set lo up
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
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
alias_maps =
smtpd_peername_lookup = no
virtual_mailbox_domains = mail.example
virtual_mailbox_maps = static:box
virtual_transport = discard:
CF
cat >p/master.cf <<CF
127.0.0.1:25 inet n - n - - smtpd
  -o smtpd_milters=unix:$PWD/one,unix:$PWD/two
127.0.0.1:26 inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
CF
python3 milters.py &
until [ -S one ] && [ -S two ]; do sleep 0.1; done
/usr/lib/postfix/sbin/master -c "$PWD/p" -w >p/start 2>&1
timeout 60 python3 client.py
END
timeout 120 unshare --mount --pid --fork --kill-child --mount-proc --net -- bash inside >seen 2>trouble || { cat seen trouble p/log; exit 2; }
cat seen
diff - seen <<'END' || { echo 'Postfix has changed'; exit 1; }
nothing -> 250 250 | 1T 2T 1L 1L 1L 1L 1N 1B 1E 2L 2L 2L 2L 2N 2B 2E | whole
quarantine -> 250 250 | 1T 2T 1L 1L 1L 1L 1N 1B 1E | held
two pieces together -> 250 250 | 1T 2T 1L 1L 1L 1L 1N 1B 1E 2L 2L 2L 2L 2L 2N 2B 2E | whole
two pieces apart -> 451 451 | 1T 2T 1L 1L 1L 1L 1N 1B 1E | refused
a long field -> 250 250 | 1T 2T 1L 1L 1L 1L 1N 1B 1E 2L 2L 2L 2L 2N 2B 2E | cut
a long field, no milters -> 250 250 | | cut
END
