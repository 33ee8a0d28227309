# systemd.bats - the units under a real systemd, booted in a fresh Debian: sessions, limits, keys, journal, bans
# shellcheck shell=bash
#
# A part of `make check`, which needs root: tree.bash says why.

load ../common
load tree

setup_file() {
    export tree=$BATS_FILE_TMPDIR/tree
    fresh_tree "$tree"
    cd "$BATS_FILE_TMPDIR" || return
    in_tree "$tree" apt-get -qq install --no-install-recommends libc-ares2 libidn2-0 libpcre2-8-0 libssl3 fail2ban iptables \
        python3-systemd >out 2>&1 || { cat out; return 1; }
    make -s -C "$TESTS/.." DESTDIR="$tree" install >out 2>&1 || { cat out; return 1; }
    in_tree "$tree" bash -ec 'systemd-sysusers mailrecv.conf; systemd-tmpfiles --create mailrecv.conf'
}

setup() { cd "$BATS_TEST_TMPDIR"; }

# The lines of README in the section $1 that begin with $2.
readme() {
    sed -n "/^##* $1\$/,/^#/p" "$TESTS/../README.md" | sed -nE "s/^    ($2.*)/\1/p"
}

# What all scripts begin with: a client.
client() {
    cat <<'END'
import socket, smtplib, sys, time
def connect(source="127.0.0.1", port=25):
    here = "127.0.0.1" if source == "127.0.0.1" else "192.0.2.1"
    return socket.create_connection((here, port), 20, (source, 0))
class Client(smtplib.SMTP):
    def __init__(self, port=25):
        super().__init__("127.0.0.1", port, "client.example", 20)
END
}

# Boots, and runs the shell lines on standard input; what they print goes to `out`.
boot() {
    { echo '#!/bin/bash'; echo 'set -ex'; echo 'trap "journalctl --sync; journalctl -u mailrecv\\* -o cat" EXIT'; cat; } >"$tree/root/script"
    chmod 755 "$tree/root/script"
    client >"$tree/root/client.py"
    local status=0
    boot_tree "$tree" /root/script || status=$?
    cp "$tree/root/out" out
    [ "$status" -eq 0 ] || { cat out; return 1; }
}

@test "by the lines of README: a session as the user mailrecv, who can write his mail and not the system" {
    cat >"$tree/etc/mailrecv.conf" <<'END'
domain mail.example.com
sandbox on
deliver rcpt_to inbox@example.com append /var/lib/mailrecv/inbox
deliver rcpt_to script@example.com pipe exec >/var/lib/mailrecv/facts 2>&1; id -un; grep NoNewPrivs /proc/self/status; touch /usr/x /etc/x; ls -A /tmp; cat /proc/1/comm; true
END
    {
        readme 'With systemd' 'systemctl '
        cat <<'END'
cd /root
python3 - <<PYTHON
from client import *
with Client() as c:
    c.sendmail("a@client.example", ["inbox@example.com", "script@example.com"], "Subject: hello\r\n\r\ntext\r\n")
# who goes away is no failure
connect().close()
s = connect(); s.recv(4); s.close()
PYTHON
while systemctl list-units --plain --no-legend --state=active 'mailrecv@*' | grep -q .; do sleep 0.1; done
journalctl --sync
journalctl -t MAILRECV -o cat >journal
systemctl list-units --failed --plain --no-legend 'mailrecv*' >failed
systemctl is-enabled mailrecv.socket
END
    } | boot
    [ "$(grep -c '^+ systemctl ' out)" -ge 3 ]
    grep -qx text "$tree/var/lib/mailrecv/inbox"
    [ "$(stat -c %a "$tree/var/lib/mailrecv")" = 700 ]
    diff "$tree/var/lib/mailrecv/facts" - <<'END'
mailrecv
NoNewPrivs:	1
touch: cannot touch '/usr/x': Read-only file system
touch: cannot touch '/etc/x': Read-only file system
cat: /proc/1/comm: No such file or directory
END
    [ "$(grep -c '^\[127\.0\.0\.1\] delivery result=delivered ' "$tree/root/journal")" -eq 2 ]
    [ ! -s "$tree/root/failed" ]
    grep -qx enabled out
}

@test "the tenth session of an address is served, the eleventh finds no greeting; another address does" {
    boot <<'END'
systemctl start mailrecv.socket
cd /root
python3 - <<PYTHON
from client import *
first = [connect("192.0.2.7") for _ in range(10)]
assert all(s.recv(4) == b"220 " for s in first)
assert connect("192.0.2.7").recv(4) == b""
other = connect("192.0.2.8")
assert other.recv(4) == b"220 "
PYTHON
END
}

@test "mailrecv-listen.socket: mailrecv accepts, ends when nobody comes and is started again, however often" {
    cat >"$tree/etc/mailrecv.conf" <<'END'
domain mail.example.com
sandbox on
listen.idle_secs 1
deliver rcpt_to inbox@example.com append /var/lib/mailrecv/listened
END
    boot <<'END'
systemctl start mailrecv.socket
systemctl start mailrecv-listen.socket
systemctl is-active mailrecv.socket && exit 1
cd /root
python3 - <<PYTHON
from client import *
import subprocess
def main_pid():
    return subprocess.run(["systemctl", "show", "-P", "MainPID", "mailrecv-listen.service"], capture_output=True, text=True).stdout
pids = set()
for n in range(8): # more starts than systemd's own limit allows in ten seconds
    with Client() as c:
        c.sendmail("a@client.example", ["inbox@example.com"], "Subject: hello\r\n\r\ntext\r\n")
        pids.add(main_pid())
    while main_pid().strip() != "0":
        time.sleep(0.05)
assert len(pids) == 8, pids
stays = connect()
assert stays.recv(4) == b"220 "
subprocess.run(["systemctl", "restart", "mailrecv-listen.socket"], check=True)
rest = b""
while data := stays.recv(4096):
    rest += data
assert b"\r\n421 4.3.2 " in rest, rest
with Client() as c:
    c.noop()
PYTHON
[ -z "$(systemctl list-units --failed --plain --no-legend 'mailrecv*')" ]
systemctl stop mailrecv-listen.socket
END
    [ "$(grep -cx text "$tree/var/lib/mailrecv/listened")" -eq 8 ]
}

@test "a session that is stopped says 421 to its client, and is no failure" {
    boot <<'END'
systemctl start mailrecv.socket
cd /root
python3 - <<PYTHON
from client import *
import subprocess
s = connect()
assert s.recv(4) == b"220 "
subprocess.run(["systemctl", "stop", "mailrecv@*"], check=True)
rest = b""
while data := s.recv(4096):
    rest += data
assert b"\\r\\n421 4.3.2 " in rest, rest
PYTHON
[ -z "$(systemctl list-units --failed --plain --no-legend 'mailrecv*')" ]
END
}

@test "ports 587 and 465: a key that only root can read reaches the session, which takes mail by password" {
    mkdir -p "$tree/etc/mailrecv/tls"
    (cd "$tree/etc/mailrecv/tls" && umask 077 && make -s -f "$TESTS/../Makefile" CERT_NAME=mail.example.com cert >/dev/null 2>&1)
    for name in submission submissions; do
        sed -i '/^deliver/d' "$tree/etc/mailrecv-$name.conf"
        cat >>"$tree/etc/mailrecv-$name.conf" <<END
deliver auth rcpt_to $name@example.com pipe cat >/var/lib/mailrecv/$name
deliver rcpt_to /^postmaster(@|\$)/ append /var/lib/mailrecv/postmaster
END
    done
    {
        echo 'chmod 755 /etc/mailrecv; chown -R root: /etc/mailrecv/tls; chmod 700 /etc/mailrecv/tls; chmod 600 /etc/mailrecv/tls/*'
        echo 'install -g mailrecv -m 640 /dev/null /etc/mailrecv/users'
        echo 'echo secret | mailrecv-checkpassword -p ann@example.com >>/etc/mailrecv/users'
        readme 'Mail from those who have a password: ports 587 and 465' 'mailrecv -t '
        readme 'Mail from those who have a password: ports 587 and 465' 'systemctl enable '
        cat <<'END'
cd /root
python3 - <<PYTHON
from client import *
import ssl
context = ssl.create_default_context(cafile="/etc/mailrecv/tls/cert.pem")
context.check_hostname = False
def send(c, name):
    c.login("ann@example.com", "secret")
    c.sendmail("ann@example.com", [name + "@example.com"], "Subject: hello\\r\\n\\r\\ntext\\r\\n")
    c.quit()
c = Client(587)
c.starttls(context=context)
send(c, "submission")
send(smtplib.SMTP_SSL("127.0.0.1", 465, "client.example", timeout=20, context=context), "submissions")
PYTHON
END
    } | boot
    for name in submission submissions; do grep -qx text "$tree/var/lib/mailrecv/$name"; done
}

@test "with the log in the journal fail2ban bans who guesses, and nobody else" {
    {
        # the second line is for a log file; README says what the word for the journal is
        readme 'Keeping guessers out: fail2ban' 'printf ' | head -n 2 | sed 's/backend = auto/backend = systemd/'
        cat <<'END'
systemctl start mailrecv.socket
systemctl restart fail2ban
cd /root
timeout 30 python3 - <<PYTHON
from client import *
import subprocess
def status():
    return subprocess.run(["fail2ban-client", "status", "mailrecv"], capture_output=True, text=True).stdout
while "Status for" not in status():
    time.sleep(0.1)
def guess(source, names):
    for name in names:
        with connect(source) as s:
            s.sendall(("HELO me\\r\\nMAIL FROM:<>\\r\\nRCPT TO:<%s@example.com>\\r\\nQUIT\\r\\n" % name).encode())
            while s.recv(4096):
                pass
guess("192.0.2.8", ["inbux"] + ["inbox"] * 5)
guess("203.0.113.9", ["info", "sales", "admin", "root", "test"])
while "203.0.113.9" not in status():
    time.sleep(0.1)
assert "192.0.2.8" not in status(), status()
assert connect("192.0.2.8").recv(4) == b"220 "
try:
    connect("203.0.113.9")
    raise SystemExit("the banned client is connected")
except ConnectionRefusedError:
    print("banned")
PYTHON
END
    } | boot
    grep -qx banned out
}
