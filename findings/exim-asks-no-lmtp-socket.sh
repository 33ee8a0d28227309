#!/bin/bash
# exim-asks-no-lmtp-socket.sh - through which transports Exim 4.96 asks whether a recipient is there
#
# "verify = recipient/callout" has Exim ask the server behind it for a recipient before it takes the mail. Two of its
# drivers speak LMTP: `lmtp`, by a UNIX socket or a command, and `smtp` with protocol = lmtp, by TCP. Here a server that
# knows nobody stands behind both. Seen:
# - By TCP it is asked (LHLO, MAIL FROM:<>, RCPT, QUIT), and the client hears its 550.
# - By the socket it is not even connected to. The client hears 250 for any name, and what is not there is bounced
#   later, to whoever the sender claimed to be.
# - The question by TCP comes from <>, whoever the client's sender is. The answer is kept (callout cache) and stands for all
#   senders: the second one is refused unasked. With /use_sender the true sender is in it, and each sender is asked for anew.
#   So a rule for senders of a server behind Exim decides at RCPT only with use_sender.
# Who moves a transport from TCP to a socket of the same host loses the question, and gets no error for it.
#
# usage: exim-asks-no-lmtp-socket.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried (it
# needs root, for a mount namespace)
set -u
packages=(exim4-base=4.96-15+deb12u11 exim4-daemon-light=4.96-15+deb12u11 libgnutls-dane0=3.7.9-2+deb12u7 libidn12=1.41-1
    libdb5.3=5.3.28+dfsg2-1 libnsl2=1.3.0-2 libtirpc3=1.3.3+ds-1 libunbound8=1.17.1-2+deb12u4
    libevent-2.1-7=2.1.12-stable-8+deb12u1)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
chmod 755 "$dir"
[ "$(id -u)" -eq 0 ] || { echo 'needs root'; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
LD_LIBRARY_PATH=$(find "$PWD/root" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd :)
export LD_LIBRARY_PATH

# The server behind: knows nobody, and writes down what it has heard.
cat >behind.py <<'END'
import os, socket, threading
heard = open('heard', 'a', buffering=1)
tcp = socket.create_server(('127.0.0.1', 0))
by_path = socket.socket(socket.AF_UNIX)
by_path.bind('socket')
os.chmod('socket', 0o777)
by_path.listen()
def serve(how, client):
    stream = client.makefile('rwb')
    def say(text):
        stream.write(text.encode() + b'\r\n')
        stream.flush()
    say('220 behind')
    while line := stream.readline().decode().strip():
        heard.write(how + ' heard ' + line + '\n')
        verb = line.split()[0].upper()
        say({'RCPT': '550 5.1.1 nobody here', 'QUIT': '221 bye'}.get(verb, '250 ok'))
def accept(how, listener):
    while True:
        threading.Thread(target=serve, args=(how, listener.accept()[0]), daemon=True).start()
threading.Thread(target=accept, args=('socket', by_path), daemon=True).start()
with open('port.new', 'w') as file:
    file.write(str(tcp.getsockname()[1]))
os.rename('port.new', 'port')
accept('tcp', tcp)
END

# Exim insists on its user, and sees one in this mount namespace.
cat >inside <<'END'
set -eu
{ cat /etc/passwd; echo 'Debian-exim:x:64901:64901::/nonexistent:/bin/false'; } >passwd
{ cat /etc/group; echo 'Debian-exim:x:64901:'; } >group
mount --bind passwd /etc/passwd
mount --bind group /etc/group
python3 behind.py &
until [ -e port ]; do sleep 0.05; done
mkdir -m 777 spool
cat >exim.conf <<CF
primary_hostname = front.example
spool_directory = $PWD/spool
log_file_path = $PWD/spool/%slog
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
keep_environment =
queue_only
acl_smtp_rcpt = ask
begin acl
ask:
  accept domains = sender.example
         verify = recipient/callout=10s,use_sender
  accept domains = !sender.example
         verify = recipient/callout=10s
begin routers
socket:
  driver = accept
  domains = socket.example
  transport = by_socket
tcp:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  transport = by_tcp
begin transports
by_socket:
  driver = lmtp
  socket = $PWD/socket
by_tcp:
  driver = smtp
  protocol = lmtp
  port = $(cat port)
  allow_localhost
CF
while read -r sender recipient; do
    printf '%s\r\n' 'EHLO client.example' "MAIL FROM:<$sender>" "RCPT TO:<$recipient>" QUIT |
        timeout 60 root/usr/sbin/exim4 -C "$PWD/exim.conf" -bs -oMa 192.0.2.1 >replies
    echo "client: from $sender to $recipient: $(sed -n '/HELP/,$s/^\(...\)[ -].*/\1/p' replies | sed -n 3p)"
    cat heard
    : >heard
done <<'MAILS'
ann@client.example box@socket.example
ann@client.example box@tcp.example
joe@client.example box@tcp.example
ann@client.example box@sender.example
joe@client.example box@sender.example
MAILS
END
timeout 300 unshare --mount --pid --fork --kill-child --mount-proc -- bash inside >seen 2>trouble || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { echo 'Exim has changed'; exit 1; }
client: from ann@client.example to box@socket.example: 250
client: from ann@client.example to box@tcp.example: 550
tcp heard LHLO front.example
tcp heard MAIL FROM:<>
tcp heard RCPT TO:<box@tcp.example>
tcp heard QUIT
client: from joe@client.example to box@tcp.example: 550
client: from ann@client.example to box@sender.example: 550
tcp heard LHLO front.example
tcp heard MAIL FROM:<ann@client.example>
tcp heard RCPT TO:<box@sender.example>
tcp heard QUIT
client: from joe@client.example to box@sender.example: 550
tcp heard LHLO front.example
tcp heard MAIL FROM:<joe@client.example>
tcp heard RCPT TO:<box@sender.example>
tcp heard QUIT
END
