#!/usr/bin/env bats
# TLS of a listener: one mailrecv-tls has the key and forks for each connection; renewed files, crashes, and doing without it

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load common

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    for name in one two; do
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name-key.pem -out $name.pem -days 30 \
            -subj /CN=$name.example.com 2>openssl.out
    done
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    LISTENER=
    renew one
}

teardown() {
    local process
    while read -r process; do # tests stop some
        kill -KILL "$process" 2>/dev/null || true
    done < <(keepers; ours)
}

# What only root finds by its directory: mailrecv-tls is not dumpable.
keepers() {
    local keeper
    for keeper in $(pgrep -P "${LISTENER:-0}" mailrecv-tls); do pgrep -P "$keeper"; echo "$keeper"; done
}

# Processes of the listener, and of what it has started.
ours() {
    find /proc/[0-9]*/cwd -maxdepth 0 -lname "$BATS_TEST_TMPDIR" -printf '%h\n' 2>/dev/null | while read -r process; do
        ! grep -qs '^mailrecv' "$process/comm" || echo "${process#/proc/}"
    done
}

# This pair is the one that is served.
renew() { # NAME
    cp "$BATS_FILE_TMPDIR/$1.pem" cert.new
    cp "$BATS_FILE_TMPDIR/$1-key.pem" key.new
    mv cert.new cert.pem
    mv key.new key.pem
}

# Starts a listener with these lines, and waits until it listens.
listen() { # LINE...
    local hex
    printf '%s\n' 'domain mx.example' "spool_directory $PWD" "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" \
        'limit.client_sessions 100 421 Too many' "listen.spares $SPARES" "$@" "deliver tls rcpt_to @example.com append $PWD/box" >conf
    PORT=$(free_port)
    hex=$(printf ':%04X ' "$PORT")
    "${UNDER[@]}" "$MAILRECV" -L "127.0.0.1:$PORT" -c conf -l log 3>&- &
    LISTENER=$!
    until grep -q "$hex.* 0A " /proc/net/tcp; do
        kill -0 "$LISTENER"
        sleep 0.02
    done
}
UNDER=()
SPARES=0 # sessions that wait are looked at by other tests

# Runs a program of clients.
clients() { # [ARGUMENT]... < PROGRAM
    {
        cat <<'END'
import os, re, signal, socket, ssl, sys, time

PORT, LISTENER = int(os.environ["PORT"]), int(os.environ["LISTENER"])
PATIENCE = 20
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

class Client:
    """A session; `tls` begins it with TLS: at once (implicit), or by STARTTLS (True)."""
    def __init__(self, tls=True):
        self.socket = socket.create_connection(("127.0.0.1", PORT), PATIENCE)
        if tls == "implicit":
            self.encrypt()
        self.file = self.socket.makefile("rb") # the connection ends when both are closed
        expect(self.line(), "220 ")
        if tls is True:
            self.starttls()
    def encrypt(self):
        self.socket = context.wrap_socket(self.socket, suppress_ragged_eofs=False)
    def starttls(self):
        expect(self.say("EHLO client.example"), "250 ")
        expect(self.say("STARTTLS"), "220 ")
        self.encrypt()
        self.file = self.socket.makefile("rb")
    def certificate(self):
        der = self.socket.getpeercert(binary_form=True)
        return re.search(rb"(one|two)\.example\.com", der)[1].decode()
    def line(self):
        return self.file.readline().decode().rstrip("\r\n")
    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        line = self.line()
        while line[3:4] == "-":
            line = self.line()
        return line
    def deliver(self, text="hello"):
        expect(self.say("EHLO client.example"), "250 ")
        expect(self.say("MAIL FROM:<>"), "250 ")
        expect(self.say("RCPT TO:<a@example.com>"), "250 ")
        expect(self.say("DATA"), "354 ")
        expect(self.say(text + "\r\n."), "250 ")
    def quit(self):
        expect(self.say("QUIT"), "221 ")
        assert self.file.read() == b""
        self.file.close()
        self.socket.close()
    def ends(self):
        """Nothing comes any more; how it ended does not matter."""
        try:
            while self.file.read(4096):
                pass
        except (OSError, ssl.SSLError):
            pass

def expect(got, wanted):
    if got[:len(wanted)] != wanted:
        sys.exit("got %r, expected %r" % (got, wanted))

def children(pid, name=None):
    try:
        pids = [int(p) for p in open(f"/proc/{pid}/task/{pid}/children").read().split()]
        return [p for p in pids if state(p) != "Z" and name in (None, open(f"/proc/{p}/comm").read().strip())]
    except (FileNotFoundError, ProcessLookupError):
        return []

def state(pid):
    """A letter, or "" if there is none."""
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""

def until(what):
    end = time.monotonic() + PATIENCE
    while not (result := what()):
        if time.monotonic() > end:
            raise AssertionError("it does not happen; the log:\n" + log())
        time.sleep(0.01)
    return result

def log():
    return open("log").read() if os.path.exists("log") else ""

def keeper():
    """The one mailrecv-tls of the listener, which has a process that waits. One that it replaces may take a moment to end."""
    pid, = until(lambda: len(pids := children(LISTENER, "mailrecv-tls")) == 1 and pids)
    until(lambda: len(children(pid)) >= 1)
    return pid

def monitors():
    return children(LISTENER, "mailrecv")

def own_helpers():
    """Those that monitors have started."""
    return [p for monitor in monitors() for p in children(monitor, "mailrecv-tls")]
END
        cat
    } >clients.py
    PORT=$PORT LISTENER=$LISTENER python3 clients.py "$@"
}

# Nothing of this listener is left.
nobody_left() {
    local end=$((SECONDS + 10))
    while [ -n "$(ours)" ] && [ $SECONDS -lt $end ]; do sleep 0.05; done
    [ -z "$(ours)" ]
}

@test "STARTTLS: the session is served by a process of the one that has the key, and everything is as ever" {
    local mode
    for mode in optional implicit; do
        for SPARES in 0 2; do
            rm -f log box
            listen "tls $mode"
            clients $mode <<'END'
pid = keeper()
for i in range(3):
    client = Client("implicit" if sys.argv[1] == "implicit" else True)
    assert not own_helpers() and keeper() == pid
    until(lambda: len(children(pid)) == 2) # it, and one that waits
    client.deliver()
    client.quit()
    until(lambda: len(children(pid)) == 1)
END
            kill -TERM "$LISTENER"
            wait "$LISTENER"
            [ "$(grep -c 'TLS protocol=TLSv1.3 cipher=' log)" = 3 ]
            [ "$(grep -c 'end reason=quit' log)" = 3 ]
            [ "$(grep -c 'with ESMTPS' box)" = 3 ]
            [ "$(grep -c 'TLS failed\|listener:' log)" = 0 ]
        done
    done
}

@test "tls implicit: spares wait as confined pairs, and their sessions have nothing of the client but what is decrypted" {
    SPARES=2
    listen 'tls implicit'
    clients <<'END'
def confined(pid):
    return "Seccomp:\t2\n" in open(f"/proc/{pid}/status").read()
def sessions():
    return [s for m in monitors() for s in children(m)]
until(lambda: len(sessions()) == 2 and all(map(confined, sessions())))
waiting = set(sessions())
client = Client("implicit")
expect(client.say("EHLO client.example"), "250 ")
served = [s for s in waiting if len(os.listdir(f"/proc/{s}/fd")) == 3 and
          all(os.readlink(f"/proc/{s}/fd/{fd}").startswith("socket:") for fd in range(3)) and
          os.readlink(f"/proc/{s}/fd/0") == os.readlink(f"/proc/{s}/fd/1")]
assert len(served) == 1, served
ends = [":%04X" % port for port in (PORT, client.socket.getsockname()[1])]
inodes = [w[9] for w in map(str.split, open("/proc/net/tcp")) if [w[1][-5:], w[2][-5:]] == ends]
assert len(inodes) == 1, inodes
assert os.readlink(f"/proc/{served[0]}/fd/0") != f"socket:[{inodes[0]}]"
client.quit()
END
}

@test "tls implicit, -a and a second pair: the same" {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa-key.pem -out rsa.pem -days 30 -subj /CN=two.example.com 2>openssl.out
    listen 'tls implicit' "tls.client_ca $PWD/cert.pem" "tls.cert $PWD/rsa.pem" "tls.key $PWD/rsa-key.pem"
    clients <<'END'
keeper()
for ciphers, name in ("ECDHE+aECDSA", "one"), ("ECDHE+aRSA", "two"):
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    client = Client("implicit")
    assert not own_helpers() and client.certificate() == name
    client.quit()
context.load_cert_chain("cert.pem", "key.pem")
client = Client("implicit")
assert not own_helpers()
client.quit()
END
    grep -q 'TLS protocol=TLSv1.2 cipher=.* fingerprint=[0-9a-f]\{64\} .*subject="CN=one.example.com"' log
    [ "$(grep -c 'TLS failed' log)" = 0 ]
}

@test "a handshake that fails is logged once, before the end" {
    listen 'tls optional'
    clients <<'END'
keeper()
client = Client(False)
expect(client.say("EHLO client.example"), "250 ")
expect(client.say("STARTTLS"), "220 ")
client.socket.sendall(b"this is no handshake\r\n")
client.ends()
until(lambda: " end reason=" in log())
until(lambda: not monitors())
lines = log().splitlines()
assert [("TLS failed" in line) for line in lines].count(True) == 1 and " end reason=" in lines[-1], log()
END
}

@test "tls off, or a mistake in the configuration: nobody has the key" {
    listen 'tls off'
    clients <<<'Client(False).quit(); assert not children(LISTENER, "mailrecv-tls")'
    kill -KILL "$LISTENER"
    listen 'tls optional' 'nonsense'
    clients <<<'time.sleep(0.2); assert not children(LISTENER, "mailrecv-tls")'
}

@test "a renewed certificate is served to the next session; the session that is open goes on, the old key is gone" {
    listen 'tls optional'
    clients "$BATS_FILE_TMPDIR" <<'END'
import shutil
open_session, old = Client(), keeper()
assert open_session.certificate() == "one"
until(lambda: len(children(old)) == 2)
theirs = children(old)
for source, name in ("two-key.pem", "key.pem"), ("two.pem", "cert.pem"):
    shutil.copy(f"{sys.argv[1]}/{source}", "new")
    os.rename("new", name)
client = Client()
assert client.certificate() == "two" and not own_helpers() and keeper() != old
until(lambda: not state(old) and [state(p) != "" for p in theirs].count(True) == 1) # that of the open session
open_session.deliver()
open_session.quit()
client.quit()
until(lambda: not any(state(p) for p in theirs))
END
}

@test "keys that are no good: 454 each time and the reason, without a word of the keeper; when they are mended, all is well" {
    cp "$BATS_FILE_TMPDIR/two-key.pem" key.pem
    listen 'tls optional'
    clients <<'END'
for i in range(2):
    client = Client(False)
    expect(client.say("EHLO client.example"), "250 ")
    expect(client.say("STARTTLS"), "454 ")
    client.quit()
assert not children(LISTENER, "mailrecv-tls")
END
    [ "$(grep -c 'TLS failed reason="key: does not belong to the certificate"' log)" = 2 ]
    renew one
    clients <<<'c = Client(); assert not own_helpers(); keeper(); c.quit()'
    rm key.pem
    clients <<<'c = Client(False); c.say("EHLO c"); expect(c.say("STARTTLS"), "454 "); c.quit()'
    grep -q 'TLS failed reason="cannot open .*key.pem: No such file' log
    renew one
    clients <<<'c = Client(); assert not own_helpers(); keeper(); c.quit()'
}

@test "a keeper that is killed or stopped: the session starts its own helper; the next has a keeper again" {
    listen 'tls optional'
    clients <<'END'
client = Client(False)
old = keeper()
os.kill(old, signal.SIGKILL)
until(lambda: not children(LISTENER, "mailrecv-tls"))
client.starttls()
assert len(own_helpers()) == 1
client.deliver()
client.quit()
until(lambda: not monitors())
client = Client()
assert not own_helpers() and keeper() != old
until(lambda: len(children(keeper())) == 2) # that of the session, and one that waits
stopped = [keeper(), *children(keeper())]
next_one = Client(False)
for pid in stopped:
    os.kill(pid, signal.SIGSTOP)
begin = time.monotonic()
next_one.starttls()
assert 4 < time.monotonic() - begin < 15 and len(own_helpers()) == 1
for pid in stopped: # what it was asked comes too late
    os.kill(pid, signal.SIGCONT)
next_one.deliver()
next_one.quit()
client.quit()
END
    [ "$(grep -c 'listener: process [0-9]* was ended by signal 9' log)" = 1 ]
    [ "$(grep -c 'TLS failed' log)" = 0 ]
}

@test "a process for a connection that crashes: its session ends, and there is another keeper" {
    listen 'tls optional'
    clients <<'END'
keep, first = keeper(), set(children(keeper()))
victim = Client()
for pid in first: # the first connection's is one of these
    try:
        os.kill(pid, signal.SIGSEGV)
    except ProcessLookupError:
        pass # the keeper has ended, and it with that
victim.ends()
until(lambda: "TLS failed reason=\"mailrecv-tls has died\"" in log())
until(lambda: state(keep) in ("", "Z"))
client = Client()
assert not own_helpers() and keeper() != keep
client.deliver()
client.quit()
END
    grep -q 'listener: a process of mailrecv-tls was ended by signal 11' log
}

@test "a session that stays with TLS is ended, and its process goes with it" {
    listen 'tls optional'
    clients <<'END'
client = Client()
before = set(children(keeper()))
for pid in before: # it answers nobody any more
    os.kill(pid, signal.SIGSTOP)
os.kill(monitors()[0], signal.SIGTERM)
client.ends()
until(lambda: len([p for p in before if state(p)]) == len(before) - 1)
until(lambda: not monitors())
for pid in before:
    try: os.kill(pid, signal.SIGCONT)
    except ProcessLookupError: pass
END
}

@test "a client that is slow or silent keeps no other waiting" {
    listen 'tls implicit'
    clients <<'END'
silent = [socket.create_connection(("127.0.0.1", PORT), PATIENCE) for _ in range(40)]
begin = time.monotonic()
for _ in range(5):
    Client("implicit").quit()
assert time.monotonic() - begin < 5
assert not own_helpers()
END
}

@test "random numbers of sessions differ, though their processes are copies" {
    listen 'tls implicit'
    for _ in $(seq 12); do
        echo QUIT | openssl s_client -connect "127.0.0.1:$PORT" -ign_eof -msg 2>/dev/null |
            awk '/ServerHello/ { n = 8 } n-- > 0 { print }' | tr -d ' \n' | grep -oE '020000..0303[0-9a-f]{64}'
    done >randoms
    [ "$(wc -l <randoms)" = 12 ]
    [ "$(sort -u randoms | wc -l)" = 12 ]
}

@test "over 200 sessions no process, no descriptor and no zombie remains" {
    listen 'tls implicit'
    clients <<'END'
def look():
    """Processes, zombies too, and descriptors."""
    kids = [open(f"/proc/{p}/task/{p}/children").read().split() for p in (LISTENER, keep)]
    return [len(k) for k in kids], len(os.listdir(f"/proc/{LISTENER}/fd"))
def memory(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])
keep = keeper()
for _ in range(20):
    Client("implicit").quit()
until(lambda: look()[0] == [1, 1])
before, sizes = look(), [memory(p) for p in (LISTENER, keep)]
for i in range(200):
    client = Client("implicit")
    if i % 10 == 0:
        client.file.close() # without a word
        client.socket.close()
    else:
        client.quit()
until(lambda: look() == before)
for pid, size in zip((LISTENER, keep), sizes):
    assert memory(pid) <= size + 200, (size, memory(pid))
assert keeper() == keep
END
    [ "$(grep -c 'TLS failed\|listener:' log)" = 0 ]
}

@test "SIGTERM and SIGHUP: sessions end or go on in TLS, and then nobody is left; nor when the listener is killed" {
    listen 'tls optional'
    clients <<'END'
client, plain = Client(), Client(False)
os.kill(LISTENER, signal.SIGHUP)
client.deliver()
plain.starttls() # even now
assert not own_helpers()
plain.quit()
client.quit()
END
    wait "$LISTENER"
    nobody_left
    listen 'tls optional'
    clients <<'END'
client = Client()
expect(client.say("EHLO client.example"), "250 ") # in the midst of the handshake nothing could be said
os.kill(LISTENER, signal.SIGTERM)
expect(client.line(), "421 4.3.2")
client.ends()
END
    wait "$LISTENER"
    nobody_left
    listen 'tls optional'
    clients <<'END'
client = Client()
old = keeper()
os.kill(LISTENER, signal.SIGKILL)
until(lambda: state(old) == "")
client.deliver()
client.quit()
END
    nobody_left
}

@test "keeper, those that wait and those that serve are killed at random: sessions are whole or end, and the next is served" {
    listen 'tls optional'
    clients <<'END'
import random
random.seed(int(os.environ.get("SEED", "7")))
acknowledged = []
def session(i):
    global acknowledged
    client = Client(False)
    client.starttls()
    client.deliver(f"Subject: number {i}\r\n\r\n{i}")
    acknowledged += [i]
    client.quit()
import threading
for i in range(60):
    stop = time.monotonic() + random.random() * 0.03
    def kill():
        while time.monotonic() < stop:
            time.sleep(0.001)
        helpers = children(LISTENER, "mailrecv-tls")
        victims = helpers + [p for h in helpers for p in children(h)]
        try:
            os.kill(random.choice(victims), random.choice([signal.SIGKILL, signal.SIGSEGV]))
        except (IndexError, ProcessLookupError):
            pass
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        session(i)
    except (OSError, ssl.SSLError, SystemExit):
        pass
    killer.join()
assert len(acknowledged) > 10, acknowledged
box = open("box").read()
assert not [i for i in acknowledged if f"Subject: number {i}\n" not in box]
until(lambda: not monitors())
def is_kept():
    """A session, which has no helper of its own."""
    client = Client()
    kept = not own_helpers()
    client.quit()
    until(lambda: not monitors())
    return kept
until(is_kept) # the last end of a keeper may not have been heard of
keep = keeper()
until(lambda: len(children(keep)) == 1)
END
    kill -TERM "$LISTENER"
    wait "$LISTENER"
    nobody_left
}

@test "the key is in no process but mailrecv-tls: listener, monitor and session do not have it" {
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(unshare -r)
    openssl pkey -in key.pem -noout -text | sed -n '/^priv:/,/^pub:/s/^ //p' | tr -d ' :\n' | tail -c 64 >key.hex
    printf '%s\n' 'domain mx.example' "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" 'tls optional' \
        'deliver rcpt_to @example.com append box' >conf
    PORT=$(free_port)
    LISTENER=0
    clients </dev/null
    LISTENER=
    sed -i "s/^PORT, LISTENER = .*/import subprocess\nPORT = $PORT/" clients.py
    cat >>clients.py <<'END'
server = subprocess.Popen([os.environ["MAILRECV"], "-L", f"127.0.0.1:{PORT}", "-c", "conf", "-l", "log"])
LISTENER = server.pid
pem, number = open("key.pem", "rb").read().split(b"\n")[1], bytes.fromhex(open("key.hex").read())
secrets = [pem, number, number[::-1]] # as OpenSSL has numbers
def has(pid, words):
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            begin, end = (int(n, 16) for n in line.split()[0].split("-"))
            if line.split()[1][0] == "r" and "[v" not in line:
                mem.seek(begin)
                data = mem.read(end - begin)
                if any(word in data for word in words):
                    return True
    return False
try:
    def connected():
        try:
            return Client()
        except OSError:
            return None
    client = until(connected)
    keep, monitor = keeper(), monitors()[0]
    session = children(monitor)[0]
    for pid in LISTENER, monitor, session:
        assert not has(pid, secrets), pid
        assert has(pid, [b"mx.example"]), pid # it is looked at
    assert has(keep, secrets)
    assert pem not in open("log", "rb").read()
    # nor is it in a file or a descriptor of any process that waits
    for pid in children(keep):
        links = sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
        assert not [l for l in links if "pem" in l], links
    client.quit()
finally:
    server.kill()
END
    "${as_root[@]}" python3 clients.py
}

@test "root: a key that only root may read is served by the user of the service" {
    local call process
    if [ "$(id -u)" -ne 0 ]; then # strace answers for a kernel that sees root: what is opened before the change of user
        UNDER=("$(command -v strace)" -f -qq -o trace -e 'trace=openat,geteuid,setgroups,setgid,setuid')
        for call in geteuid setgroups setgid setuid; do UNDER+=(-e "inject=$call:retval=0"); done
        listen 'tls optional' 'user nobody'
        wait_for trace ' setuid\(.*INJECTED'
        process=$(sed -n 's/ .*setuid(.*//p' trace)
        grep "^$process " trace >calls
        [ "$(sed '/setuid(/,$d' calls | grep -cE '(cert|key)\.pem", O_RDONLY.O_NOCTTY')" = 2 ]
        [ "$(sed '1,/setuid(/d' calls | grep -cE '(cert|key)\.pem')" = 0 ]
        return
    fi
    chmod 711 "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$BATS_RUN_TMPDIR"
    chmod 400 key.pem
    touch log box
    chmod 666 log box
    listen 'tls optional' 'user nobody'
    clients <<'END'
client = Client()
assert not own_helpers()
keep = keeper()
for pid in keep, *children(keep):
    uids = re.search(r"Uid:\s+(.*)", open(f"/proc/{pid}/status").read())[1].split()
    assert set(uids) == {str(int(os.popen("id -u nobody").read()))}, uids
client.quit()
END
    renew two
    chmod 400 key.pem
    clients <<<'c = Client(); assert c.certificate() == "two" and not own_helpers(); c.quit()'
}

@test "those that wait are confined, and have nothing but where connections come from" {
    listen 'tls optional'
    clients <<'END'
def fds(pid):
    return "".join(sorted(os.listdir(f"/proc/{pid}/fd")))
for pid in children(keeper()):
    def confined():
        status = dict(line.split(":\t", 1) for line in open(f"/proc/{pid}/status").read().splitlines() if ":\t" in line)
        return status if status["Seccomp"] == "2" else None
    status = until(confined)
    assert status["NoNewPrivs"] == "1" and status["CapEff"] == "0" * 16, status
    if os.getuid() == 0:
        assert fds(pid) == "246", fds(pid)
client = Client() # what it has then is what every mailrecv-tls has
assert os.getuid() != 0 or [fds(pid) for pid in children(keeper())].count("0123") == 1
END
}
