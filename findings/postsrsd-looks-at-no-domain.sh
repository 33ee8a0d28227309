#!/bin/bash
# postsrsd-looks-at-no-domain.sh - what the two tables of postsrsd 1.10 have for addresses that are not theirs
#
# postsrsd is two tcp tables (tcp_table(5)) for Postfix's canonical maps: one makes SRS addresses at its domain, here
# example.com, the other reads them. A map that "has" an address has it rewritten; who asks there for recipients takes
# it as known. Asked here is each of both for addresses of its domain, of others, and of an excluded one. Seen:
# - An SRS0 address is read at any domain, and at none: the domain that it must be given is for making them alone.
# - It is read in any case, and comes back in the case that was asked, not in the one that was signed: who asks in lower
#   case, as Postfix's indexed maps do, gets another local part than was put in.
# - The other table has nearly everything: addresses of its own domain, as they are (200, no change), and a bare
#   @domain, for which it makes an address. What is excluded by -X is not rewritten either, but is not found (500).
# So neither can stand for a table of recipients without a look at the domain before it, and "found" in the first does
# not mean that something was rewritten.
#
# usage: postsrsd-looks-at-no-domain.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried
set -u
packages=(postsrsd=1.10-2+b1)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
echo 'a secret' >secret

cat >ask.py <<'END'
import re, socket, subprocess, sys, time

def free():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

makes, reads = free(), free()
daemon = subprocess.Popen(['root/usr/sbin/postsrsd', '-4', '-l', '127.0.0.1', '-s', 'secret', '-d', 'example.com',
                           '-Xexample.net', '-f', str(makes), '-r', str(reads)], stdin=subprocess.DEVNULL)

def connect(port):
    for _ in range(500):
        try:
            return socket.create_connection(('127.0.0.1', port), timeout=20)
        except ConnectionRefusedError:
            if daemon.poll() is not None:
                break
            time.sleep(0.02)
    sys.exit('postsrsd does not listen')

def ask(port, key):
    with connect(port) as s:
        s.sendall(b'get %s\n' % key.encode())
        return s.makefile().readline().rstrip('\n')

def show(label, port, key):
    print(label + ':', re.sub('(SRS0=)[^=]*=[^=]*', r'\1HASH=DAY', ask(port, key)))

try:
    signed = ask(makes, 'Joe@Example.org').removeprefix('200 ')
    local = signed.partition('@')[0]
    show('makes, other domain', makes, 'Joe@Example.org')
    show('makes, its own domain', makes, 'joe@example.com')
    show('makes, no local part', makes, '@example.org')
    show('makes, excluded domain', makes, 'joe@example.net')
    show('reads, as made', reads, signed)
    show('reads, in lower case', reads, signed.lower())
    show('reads, at another domain', reads, local + '@example.net')
    show('reads, at no domain', reads, local)
    show('reads, no such address', reads, 'joe@example.com')
finally:
    daemon.terminate()
    daemon.wait()
END
python3 ask.py >seen 2>trouble || { cat trouble; exit 2; }
cat seen
diff - seen <<'END' || { echo 'postsrsd has changed its mind'; exit 1; }
makes, other domain: 200 SRS0=HASH=DAY=Example.org=Joe@example.com
makes, its own domain: 200 joe@example.com
makes, no local part: 200 SRS0=HASH=DAY=example.org=@example.com
makes, excluded domain: 500 Domain excluded py policy
reads, as made: 200 Joe@Example.org
reads, in lower case: 200 joe@example.org
reads, at another domain: 200 Joe@Example.org
reads, at no domain: 200 Joe@Example.org
reads, no such address: 500 Not an SRS address.
END
