#!/bin/bash
# opendkim-asks-the-root-of-the-dns.sh - OpenDKIM of Debian does not look at resolv.conf, and says nothing where it gets no key
#
# Other milters ask the name server of /etc/resolv.conf. OpenDKIM 2.11 of Debian is built with libunbound, and walks from
# the root servers down by itself. Behind a firewall that lets only the local resolver out, or where keys are in a zone that
# only that resolver knows (split DNS), it gets no key. Seen, with a resolver at 127.0.0.1 that knows the key:
# - with the configuration file of the package (where `Nameservers` is a comment) the resolver is never asked; the root is,
#   although opendkim.conf(5) names resolv.conf as what is usual;
# - when that fails, the message is let pass, 'a', without an Authentication-Results: field, as if it had not been signed; a
#   DMARC check behind it finds no result. On-DNSError, tempfail by default, has no effect on that;
# - with `Nameservers 127.0.0.1` the resolver is asked, and the field is added.
#
# usage: opendkim-asks-the-root-of-the-dns.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried (it
# needs root, for a mount namespace)
set -u
packages=(opendkim=2.11.0~beta2-8+deb12u1 libopendkim11=2.11.0~beta2-8+deb12u1 librbl1=2.11.0~beta2-8+deb12u1
    libvbr2=2.11.0~beta2-8+deb12u1 libmilter1.0.1=8.17.1.9-2+deb12u2 libopendbx1=1.4.6-16+b1 libmemcached11=1.1.4-1
    libhashkit2=1.1.4-1 libunbound8=1.17.1-2+deb12u4 libevent-2.1-7=2.1.12-stable-8 libprotobuf-c1=1.4.1-1+b1
    libbsd0=0.11.7-2 libdb5.3=5.3.28+dfsg2-1 liblua5.3-0=5.3.6-2 libldap-2.5-0=2.5.13+dfsg-5 libsasl2-2=2.1.28+dfsg-10)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
chmod 755 "$dir"
[ "$(id -u)" -eq 0 ] || { echo 'needs root'; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
mkdir -p root/usr/lib root/usr/sbin && ln -s usr/lib usr/sbin root
for package in ./*.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C root || exit 2; done

# Name servers at the address of the resolver and at those of the root servers: note who is asked, and answer with a key.
cat >dns.py <<'END'
import socket, struct, threading
KEY = b'v=DKIM1; k=rsa; p='  # one that has been withdrawn
def serve(name, address):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    open(name + '.ready', 'w').close()
    while True:
        packet, client = server.recvfrom(4096)
        with open('asked', 'a') as asked:
            asked.write(name + '\n')
        end = packet.index(b'\0', 12) + 5
        known = name == 'resolver' and packet[end - 4:end - 2] == b'\0\x10'
        answer = b'\xc0\x0c' + struct.pack('>HHIHB', 16, 1, 60, len(KEY) + 1, len(KEY)) + KEY if known else b''
        status = 0x8580 if name == 'resolver' else 0x8182  # the root server has trouble
        server.sendto(packet[:2] + struct.pack('>HHHHH', status, 1, known, 0, 0) + packet[12:end] + answer, client)
for address in open('roots').read().split():
    threading.Thread(target=serve, args=('root', address), daemon=True).start()
serve('resolver', '127.0.0.1')
END

# A signed message of a client that is not internal; prints who was asked, and what the milter wants.
cat >client.py <<'END'
import socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect('socket')
s.settimeout(60)
stream = s.makefile('rwb')
def say(letter, data=b'', hear=True):
    stream.write(struct.pack('>I', len(data) + 1) + letter + data)
    stream.flush()
    return stream.read(struct.unpack('>I', stream.read(4))[0]) if hear else b''
open('asked', 'w').close()
say(b'O', struct.pack('>III', 6, 0x1ff, 0))
say(b'D', b'Cj\0front.example\0', False)
say(b'C', b'client.example\x004\x04\xd2192.0.2.7\0')
say(b'H', b'client.example\0')
say(b'M', b'<ann@mail.example>\0')
say(b'R', b'<box@front.example>\0')
fields = [b'DKIM-Signature\0v=1; a=rsa-sha256; c=simple/simple; d=mail.example; s=key; h=From; bh=%s; b=%s\0' % (
    b'g3zLYH4xKxcPrHOD18z9YfpQcnk/GaJedfustWU5uGs=', b'A' * 342 + b'=='), b'From\0ann@mail.example\0']
for field in fields:
    say(b'L', field)
say(b'N')
say(b'B', b'test\r\n')
wanted, answer = [], say(b'E')
while answer[:1] not in b'actrdy':
    wanted.append(answer[5:].split(b'\0')[0].decode())
    answer = stream.read(struct.unpack('>I', stream.read(4))[0])
print(sys.argv[1], '-> asked:', *sorted(set(open('asked').read().split())), '| added:', *wanted, '|', answer.decode())
END

echo 198.41.0.4 170.247.170.2 199.9.14.201 192.33.4.12 199.7.91.13 192.203.230.10 192.5.5.241 192.112.36.4 198.97.190.53 \
    192.36.148.17 192.58.128.30 193.0.14.129 199.7.83.42 202.12.27.33 >roots

# OpenDKIM that is seen by this script alone, on a network of its own.
cat >inside <<'END'
set -eu
ip link set lo up
for root in $(cat roots); do ip address add "$root/32" dev lo; done
mount -t tmpfs tmpfs /run && mkdir -p /run/{usr,usr-work,etc,etc-work}
mount -t overlay -o "lowerdir=$PWD/root/usr:/usr,upperdir=/run/usr,workdir=/run/usr-work" overlay /usr
mount -t overlay -o "lowerdir=$PWD/root/etc:/etc,upperdir=/run/etc,workdir=/run/etc-work" overlay /etc
echo 'opendkim:x:64902:64902::/nonexistent:/bin/false' >>/etc/passwd
echo 'opendkim:x:64902:' >>/etc/group
echo 'nameserver 127.0.0.1' >resolv && cp --remove-destination resolv /etc/resolv.conf
python3 dns.py &
until [ -e root.ready ] && [ -e resolver.ready ]; do sleep 0.1; done
grep -v '^Socket\|^PidFile\|^TrustAnchorFile' /etc/opendkim.conf >conf
printf '%s\n' "Socket local:$PWD/socket" 'Background no' >>conf
chown opendkim .
for line in '# as it comes' 'Nameservers 127.0.0.1'; do
    { cat conf && echo "$line"; } >conf.now
    opendkim -x conf.now & opendkim=$!
    until [ -S socket ]; do sleep 0.1; done
    timeout 90 python3 client.py "$line"
    kill $opendkim
    wait $opendkim || :
    rm -f socket
done
END
timeout 240 unshare --mount --pid --fork --kill-child --mount-proc --net -- bash inside >seen 2>trouble || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { echo 'OpenDKIM has changed'; exit 1; }
# as it comes -> asked: root | added: | a
Nameservers 127.0.0.1 -> asked: resolver | added: Authentication-Results | a
END
