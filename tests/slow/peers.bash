# peers.bash - real mail servers beside mailrecv: starting them in this directory, running something where they are
#
# They are in packages that are not installed (with-packages), so only root can start them. Each has below ./NAME what it
# writes, its log in NAME/log, and settings of the least that it needs; what the test wants of it is in files that are
# named with each. To be used behind common.bash and serving.bash.
# shellcheck shell=bash

# For setup: a directory that all users can enter, where they are.
begin_beside_peers() {
    chmod 755 "$BATS_RUN_TMPDIR"
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
}

# The same, with the program where all of them can execute it.
begin_with_program() {
    begin_beside_peers
    mkdir bin
    cp "$MAILRECV" bin
    MAILRECV=$PWD/bin/mailrecv
}

# Or with a place for mail and a log for all of them, and with the program where nobody can execute it.
begin_behind_peers() {
    begin_beside_peers
    mkdir -m 777 mail
    install -m 666 /dev/null log
    cp "$MAILRECV" mailrecv
    MAILRECV=$PWD/mailrecv
}

declare -A PEERS=() # NAME: the process that ends all of it

start_peer() { # NAME PACKAGES USERS COMMAND...
    local name=$1
    shift
    # fetched first, however long that takes
    "$TESTS/slow/with-packages" "$1" '' true >"$name.out" 2>&1 3>&- </dev/null || { cat "$name.out"; return 1; }
    timeout -k 5 "${PEER_SECS:-240}" "$TESTS/slow/with-packages" "$@" >"$name.out" 2>&1 3>&- </dev/null &
    PEERS[$name]=$!
}

# Runs a command where the programs of a peer are. Paths must be absolute: relative ones lead past what is mounted there.
in_peer() { # NAME COMMAND...
    local inside
    inside=$(pgrep -P "$(pgrep -P "${PEERS[$1]}")")
    nsenter --target="$inside" --mount --pid --wd="$PWD" -- "${@:2}"
}

# Has mailrecv run where the programs of a peer are, as nobody with this group, who has no home, under what its unit takes away.
# All in ./lib is to be his.
as_nobody_beside() { # NAME [GROUP]
    local inside
    inside=$(pgrep -P "$(pgrep -P "${PEERS[$1]}")")
    install -d -o nobody -g nogroup lib
    install -m 666 /dev/null log
    mkdir bin # beside the files of recipes
    cp "${REAL:-$MAILRECV}" bin/mailrecv
    cp "$TESTS/under-unit" "$TESTS/../systemd/mailrecv@.service" bin
    cat >bin/as-nobody <<END
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
exec nsenter --target=$inside --mount --pid --wd="\$PWD" -- \\
    setpriv --reuid=nobody --regid=nogroup --groups="$(in_peer "$1" getent group "${2:-nogroup}" | cut -d: -f3)" -- \\
    bin/under-unit bin/mailrecv@.service -- bin/mailrecv "\$@"
END
    chmod 755 bin/as-nobody
    MAILRECV=$PWD/bin/as-nobody
}

stop_peer() { # NAME
    kill "${PEERS[$1]}" 2>/dev/null || true
    wait "${PEERS[$1]}" 2>/dev/null || true
    unset "PEERS[$1]"
}

stop_peers() {
    local name
    for name in "${!PEERS[@]}"; do stop_peer "$name"; done
}

await_port() { # PORT [SECONDS]
    local end=$((SECONDS + ${2:-20}))
    until listening "$1" 4; do
        [ $SECONDS -lt $end ] || { echo "nobody listens on port $1"; tail -n 20 ./*.out; return 1; }
        sleep 0.02
    done
}

# Waits until a socket of the UNIX domain is listened on.
await_socket() { # PATH
    local end=$((SECONDS + 20))
    until grep -q " 00010000 .* $1\$" /proc/net/unix; do
        [ $SECONDS -lt $end ] || { echo "nobody listens on $1"; tail -n 20 ./*.out; return 1; }
        sleep 0.02
    done
}

# Runs the script on standard input where these packages are, in a network with nothing but a DNS, which knows the TXT records
# in ./records (`NAME TEXT`, a line each), now or later.
in_a_network() { # PACKAGES USERS
    cat >dns.py <<'END'
import socket, struct
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
open("dns.ready", "w").write("ready\n")
while True:
    packet, client = server.recvfrom(4096)
    records = dict(line.rstrip("\n").split(" ", 1) for line in open("records"))
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode())
        at += packet[at] + 1
    question, kind = packet[12:at + 5], struct.unpack(">H", packet[at + 1:at + 3])[0]
    text = records.get(".".join(labels).lower(), "").encode() if kind == 16 else b""
    data = b"".join(struct.pack("B", len(text[i:i + 255])) + text[i:i + 255] for i in range(0, len(text), 255))
    answer = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data if text else b""
    server.sendto(packet[:2] + struct.pack(">HHHHH", 0x8580, 1, bool(text), 0, 0) + question + answer, client)
END
    touch records
    { cat <<'END'
set -eux -o pipefail
. "$TESTS/serving.bash"
. "$TESTS/slow/peers.bash"
ip link set lo up
echo 'nameserver 127.0.0.1' >resolv.new && cp --remove-destination resolv.new /etc/resolv.conf
python3 dns.py &
until [ -e dns.ready ]; do sleep 0.05; done
END
        cat && echo 'echo finished >finished'; } >inside
    start_peer inside "$1" "$2" unshare --net bash inside
    wait "${PEERS[inside]}" || :
    [ -e finished ] || { cat inside.out log; false; }
}

# Postfix, with what main.cf says more; sets POSTFIX_PORT. What is to be tried again is tried when
# `in_peer postfix postqueue -c "$PWD/postfix" -f` says so.
start_postfix_peer() {
    touch main.cf
    # shellcheck disable=SC2016 # for the shell inside
    POSTFIX_PORTS=$(free_port) start_peer postfix postfix postfix,postdrop,Debian-exim "$TESTS/slow/with-postfix" sh -c 'echo "$POSTFIX_PORT" >postfix/port; exec sleep infinity'
    wait_for postfix/port . 20
    POSTFIX_PORT=$(cat postfix/port)
}

# Exim, with the routers and transports in exim.router and exim.transport; takes mail for recipients whom a router knows;
# sets EXIM_PORT. What is to be tried again is tried when `in_peer exim exim4 -qf` says so.
start_exim() {
    mkdir -p exim
    chmod 777 exim
    EXIM_PORT=$(free_port)
    cat >exim.conf <<END
primary_hostname = mx.example.com
spool_directory = $PWD/exim
log_file_path = $PWD/exim/%slog
log_selector = +smtp_confirmation
local_interfaces = 127.0.0.1
daemon_smtp_ports = $EXIM_PORT
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
keep_environment =
acl_smtp_rcpt = ask
begin acl
ask:
  accept verify = recipient
END
    { echo 'begin routers' && cat exim.router && echo 'begin transports' && cat exim.transport
        printf 'begin retry\n* * F,1h,1s\n'; } >>exim.conf
    # shellcheck disable=SC2016 # for the shell inside
    start_peer exim exim4-daemon-light Debian-exim sh -c 'cp exim.conf /etc/exim4/exim4.conf && exec exim4 -bdf'
    await_port "$EXIM_PORT"
}

# OpenSMTPD with the lines of smtpd.conf, which must not name a listener; sets OPENSMTPD_PORT. What is to be tried again
# is tried when `in_peer opensmtpd smtpctl schedule all` says so.
start_opensmtpd() {
    OPENSMTPD_PORT=$(free_port)
    echo "listen on 127.0.0.1 port $OPENSMTPD_PORT" | cat - smtpd.conf >opensmtpd.conf
    chmod 600 opensmtpd.conf
    # shellcheck disable=SC2016 # for the shell inside
    start_peer opensmtpd opensmtpd opensmtpd,opensmtpq sh -c 'mount -t tmpfs tmpfs /var/spool && mount -t tmpfs tmpfs /var/lib &&
        mkdir -p -m 711 /var/spool/smtpd /var/lib/opensmtpd/empty &&
        chgrp opensmtpq /usr/sbin/smtpctl && chmod 2755 /usr/sbin/smtpctl && exec smtpd -d -f "$PWD/opensmtpd.conf"'
    await_port "$OPENSMTPD_PORT"
}

# Dovecot's LMTP at the socket dovecot/lmtp and at DOVECOT_PORT, for ann, joe and eve, of whom joe has no space left;
# their mail is in maildirs below dovecot/mail. More settings may be in dovecot.extra.
start_dovecot_lmtp() {
    local name
    mkdir -p dovecot/mail
    for name in ann joe eve; do echo "$name::65534:65534::$PWD/dovecot/mail/$name::userdb_quota_rule=*:bytes=10M"; done >dovecot/users
    sed -i '/^joe/s/10M/1/' dovecot/users
    chown 65534:65534 dovecot/mail
    touch dovecot.extra
    DOVECOT_PORT=$(free_port)
    cat - dovecot.extra >dovecot.conf <<END
base_dir = $PWD/dovecot/run
state_dir = $PWD/dovecot/state
log_path = $PWD/dovecot/log
protocols = lmtp
ssl = no
hostname = store.example.com
auth_username_format = %n
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_plugins = quota
plugin {
  quota = maildir:User quota
}
userdb {
  driver = passwd-file
  args = $PWD/dovecot/users
}
passdb {
  driver = passwd-file
  args = $PWD/dovecot/users
}
service lmtp {
  unix_listener $PWD/dovecot/lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    address = 127.0.0.1
    port = $DOVECOT_PORT
  }
}
END
    start_peer dovecot dovecot-lmtpd dovecot,dovenull dovecot -F -c "$PWD/dovecot.conf"
    await_port "$DOVECOT_PORT"
}

# Cyrus' LMTP at the socket cyrus/lmtp, for ann, joe and eve, of whom joe has no space left.
start_cyrus() {
    mkdir -p cyrus/{config/socket,mail,proc,lock}
    chmod -R 777 cyrus
    CYRUS_PORT=$(free_port)
    cat >imapd.conf <<END
configdirectory: $PWD/cyrus/config
partition-default: $PWD/cyrus/mail
proc_path: $PWD/cyrus/proc
mboxname_lockpath: $PWD/cyrus/lock
admins: cyrus
allowplaintext: yes
altnamespace: no
unixhierarchysep: no
servername: store.example.com
END
    cat >cyrus.conf <<END
START {
  recover cmd="ctl_cyrusdb -C $PWD/imapd.conf -r"
}
SERVICES {
  imap cmd="imapd -N -C $PWD/imapd.conf" listen="127.0.0.1:$CYRUS_PORT"
  lmtpunix cmd="lmtpd -C $PWD/imapd.conf" listen="$PWD/cyrus/lmtp"
}
EVENTS {
}
END
    # shellcheck disable=SC2016 # for the shell inside
    start_peer cyrus cyrus-imapd,msmtp-mta cyrus sh -c 'PATH=/usr/lib/cyrus/bin:$PATH
        exec master -D -C "$PWD/imapd.conf" -M "$PWD/cyrus.conf" -p "$PWD/cyrus/pid" -L "$PWD/cyrus/log"'
    await_port "$CYRUS_PORT" && await_socket "$PWD/cyrus/lmtp"
    python3 - "$CYRUS_PORT" <<'END'
import imaplib, sys
imap = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
imap.login("cyrus", "any")
for name in "ann", "joe", "eve":
    assert imap.create("user." + name)[0] == "OK"
    imap.setacl("user." + name, "anyone", "p")
imap.setacl("user.joe", "cyrus", "ip")
imap.append("user.joe", None, None, b"Subject: large\r\n\r\n" + 40 * (b"x" * 70 + b"\r\n"))
imap.setquota("user.joe", "(STORAGE 1)")
imap.logout()
END
}
