#!/bin/bash
# postfix-asks-nobody-about-what-it-discards.sh - DISCARD of a policy service ends all other checks, and codes change by stage
#
# access(5) says that DISCARD throws a message away for all recipients. Who takes a policy service for one voice among several
# is surprised by what else it does, and by what becomes of the code in another answer. Seen with smtpd of Postfix 3.7, each
# policy service in a list of its own and smtpd_delay_reject = no:
# - After a DISCARD at MAIL no policy service is asked any more until the next MAIL: neither about RCPT, nor DATA, nor the end. What
#   stands behind it in the same list is not asked either. So a virus scanner behind a spam filter never sees that message,
#   and what it would have refused is a 250 for the client, who is told of no recipient that it should not have named.
# - The enhanced status code of a refusal is passed on as it is only where it can be about what is refused: 5.1.1 (a recipient)
#   stays 5.1.1 at RCPT, is made 5.1.7 (a sender) at MAIL, and 5.0.0 at DATA and the end. The three-digit code and the text stay.
#   Neither access(5) nor SMTPD_POLICY_README says so.
#
# usage: postfix-asks-nobody-about-what-it-discards.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be
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

# Two policy services, `one` and `two`: each answers what the file `answers` has behind its name and the stage, else DUNNO.
cat >policy.py <<'END'
import os, socket, sys, threading
def serve(name, stream):
    request = {}
    for line in stream:
        key, _, value = line.decode().strip().partition('=')
        request[key] = value
        if key:
            continue
        key = name + ' ' + request['protocol_state']
        with open('asked', 'a') as asked:
            asked.write(key + '\n')
        answers = dict(line.strip().split(': ', 1) for line in open('answers'))
        stream.write(b'action=%s\n\n' % answers.get(key, 'DUNNO').encode())
        stream.flush()
def listen(name):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    os.chmod(name, 0o777)
    listener.listen()
    while True:
        threading.Thread(target=serve, args=(name, listener.accept()[0].makefile('rwb')), daemon=True).start()
threading.Thread(target=listen, args=('one',), daemon=True).start()
listen('two')
END

# Sessions: what was answered at a stage, who was asked, and the last reply that counts.
cat >client.py <<'END'
import os, socket
def session(*answers):
    with open('answers', 'w') as file:
        file.writelines(answer + '\n' for answer in answers)
    open('asked', 'w').close()
    with socket.create_connection(('127.0.0.1', 25), 60) as s, s.makefile('rb') as lines:
        def hear():
            while (line := lines.readline().decode())[3:4] == '-':
                pass
            return line.strip()
        reply = hear()
        for text in ('EHLO client.example', 'MAIL FROM:<ann@client.example>', 'RCPT TO:<box@mail.example>', 'DATA',
                     'Subject: x\r\n\r\ntext\r\n.'):
            s.sendall(text.encode() + b'\r\n')
            reply = hear()
            if reply[:1] not in '23':
                break
    words = reply.split(' queued as')[0].split()
    print(', '.join(answers), '->', words[0], words[1], '| asked:', ', '.join(open('asked').read().split('\n')[:-1]))
session('one MAIL: DUNNO')
session('one MAIL: DISCARD spam', 'two MAIL: REJECT', 'two RCPT: REJECT', 'two END-OF-MESSAGE: REJECT')
session('one RCPT: DISCARD spam', 'two RCPT: REJECT')
for state in 'MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE':
    session('one %s: 550 5.1.1 no' % state)
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
both="check_policy_service unix:$PWD/one, check_policy_service unix:$PWD/two"
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
smtpd_delay_reject = no
smtpd_sender_restrictions = $both
smtpd_recipient_restrictions = $both
smtpd_data_restrictions = $both
smtpd_end_of_data_restrictions = $both
CF
cat >p/master.cf <<CF
127.0.0.1:25 inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
CF
: >answers
: >asked
python3 policy.py &
until [ -S one ] && [ -S two ]; do sleep 0.1; done
/usr/lib/postfix/sbin/master -c "$PWD/p" -w >p/start 2>&1
timeout 60 python3 client.py
END
timeout 120 unshare --mount --pid --fork --kill-child --mount-proc --net -- bash inside >seen 2>trouble || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { echo 'Postfix has changed'; exit 1; }
one MAIL: DUNNO -> 250 2.0.0 | asked: one MAIL, two MAIL, one RCPT, two RCPT, one DATA, two DATA, one END-OF-MESSAGE, two END-OF-MESSAGE
one MAIL: DISCARD spam, two MAIL: REJECT, two RCPT: REJECT, two END-OF-MESSAGE: REJECT -> 250 2.0.0 | asked: one MAIL
one RCPT: DISCARD spam, two RCPT: REJECT -> 250 2.0.0 | asked: one MAIL, two MAIL, one RCPT
one MAIL: 550 5.1.1 no -> 550 5.1.7 | asked: one MAIL
one RCPT: 550 5.1.1 no -> 550 5.1.1 | asked: one MAIL, two MAIL, one RCPT
one DATA: 550 5.1.1 no -> 550 5.0.0 | asked: one MAIL, two MAIL, one RCPT, two RCPT, one DATA
one END-OF-MESSAGE: 550 5.1.1 no -> 550 5.0.0 | asked: one MAIL, two MAIL, one RCPT, two RCPT, one DATA, two DATA, one END-OF-MESSAGE
END
