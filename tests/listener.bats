#!/usr/bin/env bats
# Listening: connections that mailrecv accepts by itself, each served by a process of its own, and what ends the listener

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    LISTENER=
    config
}

teardown() {
    # shellcheck disable=SC2046 # numbers
    [ -z "$LISTENER" ] || kill -KILL "$LISTENER" $(cat "/proc/$LISTENER/task/$LISTENER/children") 2>/dev/null || true
}

# The configuration, with further lines.
config() { # [LINE]...
    printf '%s\n' 'domain mx.example' "spool_directory $PWD" "deliver rcpt_to @example.com append $PWD/box" "$@" >conf.new
    mv conf.new conf
}

# Starts a listener on a port of 127.0.0.1, and waits until it listens.
listen() { # [OPTION]...
    PORT=$(free_port)
    "${UNDER[@]}" "$MAILRECV" -L "127.0.0.1:$PORT" -c conf -l log "$@" 3>&- &
    LISTENER=$!
    until_listening
}
UNDER=()

until_listening() {
    local port
    port=$(printf ':%04X ' "$PORT")
    until grep -q "$port.* 0A " /proc/net/tcp; do
        kill -0 "$LISTENER"
        sleep 0.02
    done
}

# Runs a program of clients: connect(source) gives a session whose greeting was read.
clients() { # [ARGUMENT]... < PROGRAM
    {
        cat <<'END'
import os, signal, socket, sys, time

PORT = int(os.environ["PORT"])

class Client:
    def __init__(self, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", PORT), 10, (source, 0))
        self.file = self.socket.makefile("rb")
        self.greeting = self.line()
    def line(self):
        return self.file.readline().decode().rstrip("\r\n")
    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        line = self.line()
        while line[3:4] == "-":
            line = self.line()
        return line
    def deliver(self, text="hello"):
        assert self.say("MAIL FROM:<>")[:3] == "250"
        assert self.say("RCPT TO:<a@example.com>")[:3] == "250"
        assert self.say("DATA")[:3] == "354"
        return self.say(text + "\r\n.")
    def quit(self):
        assert self.say("QUIT")[:3] == "221"
        assert self.file.read() == b""
        self.socket.close()

def children(pid):
    return open("/proc/%s/task/%s/children" % (pid, pid)).read().split()

def expect(got, wanted):
    if got[:len(wanted)] != wanted:
        sys.exit("got %r, expected %r" % (got, wanted))
END
        cat
    } >clients.py
    PORT=$PORT LISTENER=$LISTENER timeout 60 python3 clients.py "$@"
}

# Has the listener ended, and how?
ended() { # STATUS
    local status=0
    wait "$LISTENER" || status=$?
    LISTENER=
    [ "$status" = "$1" ]
}

# Nothing of ours is left: no process has the configuration of this test open or among its words.
nobody_left() {
    local end=$((SECONDS + 10))
    while grep -lsz "^$PWD" /proc/[0-9]*/environ 2>/dev/null | grep -q . && [ $SECONDS -lt $end ]; do sleep 0.05; done
    [ "$(pgrep -fc -- "-L 127.0.0.1:$PORT ")" = 0 ]
}

@test "-L: on addresses of IPv4 and IPv6 and on a UNIX socket, each client with its own address" {
    PORT=$(free_port)
    "$MAILRECV" -L "127.0.0.1:$PORT" -L "[::1]:$PORT" -L "unix:$PWD/socket" -c conf -l log 3>&- &
    LISTENER=$!
    until_listening
    clients <<'END'
for family, address in (socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_INET6, ("::1", PORT)), (socket.AF_UNIX, "socket"):
    s = socket.socket(family)
    s.connect(address)
    f = s.makefile("rb")
    expect(f.readline(), b"220 mx.example")
    s.sendall(b"MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n")
    assert [line[:3] for line in f.read().splitlines()] == [b"250", b"250", b"354", b"250", b"221"]
END
    for address in 127.0.0.1 ::1 local; do grep -qF "[$address] delivery result=delivered" log; done
    [ "$(grep -c ^hello box)" = 3 ]
    kill -TERM "$LISTENER"
    ended 0
}

@test "-L: a port of all addresses; what is no place, and a port that is taken, are errors" {
    PORT=$(free_port)
    "$MAILRECV" -L "$PORT" -c conf -l log 3>&- &
    LISTENER=$!
    wait_for /proc/net/tcp6 "$(printf ':%04X ' "$PORT").* 0A "
    clients <<'END'
expect(Client().greeting, "220")
END
    run -69 "$MAILRECV" -L "$PORT" -c conf
    [ "$output" = "mailrecv: cannot listen at $PORT: Address already in use" ]
    for where in 0 65536 smtp mail.example.com:25 192.0.2.1 '[::1:25' 192.0.2.1:x; do
        run -69 "$MAILRECV" -L "$where" -c conf
        [ "$output" = "mailrecv: '$where' is no place to listen, expected PORT, ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH" ]
    done
    for where in unix: unix:relative; do
        run -69 "$MAILRECV" -L "$where" -c conf
        [ "$output" = "mailrecv: '$where' is no place to listen: PATH begins with /" ]
    done
    : >file
    run -69 "$MAILRECV" -L "unix:$PWD/file" -c conf
    [ "$output" = "mailrecv: cannot listen at unix:$PWD/file: a file is there that is no socket" ]
    run -69 unshare -rn setpriv --bounding-set=-all --inh-caps=-all "$MAILRECV" -L 25 -c conf
    [ "$output" = 'mailrecv: cannot listen at 25: ports below 1024 need root, or a super-server' ]
    run -64 "$MAILRECV" -L "$PORT" -t -c conf
}

@test "-L: a UNIX socket that a killed listener has left is taken over, one that is in use is not" {
    "$MAILRECV" -L "$PWD/socket" -c conf -l log 3>&- &
    LISTENER=$!
    until grep -q " 00010000 .* $PWD/socket$" /proc/net/unix; do sleep 0.02; done # it listens
    [ "$(stat -c %a socket)" = 666 ] # whatever the umask: mailrecv(8) says that its directory keeps others away
    run -69 "$MAILRECV" -L "$PWD/socket" -c conf
    kill -KILL "$LISTENER"
    wait "$LISTENER" || true
    "$MAILRECV" -L "$PWD/socket" -c conf -l log 3>&- &
    LISTENER=$!
    until grep -q "$PWD/socket$" /proc/net/unix && python3 -c '
import socket
s = socket.socket(socket.AF_UNIX); s.connect("socket"); assert s.recv(99)[:3] == b"220"' 2>/dev/null; do sleep 0.02; done
}

@test "a socket from systemd: LISTEN_FDS, and standard input; it ends when nobody comes, and the socket is left as it was" {
    config 'listen.idle_secs 1'
    for how in '' --inetd; do
        PORT=$(free_port)
        # shellcheck disable=SC2086 # a word or none
        systemd-socket-activate $how -l "127.0.0.1:$PORT" "$MAILRECV" -c "$PWD/conf" -l "$PWD/log" 2>/dev/null 3>&- &
        LISTENER=$!
        until_listening
        clients <<'END'
for i in range(3):
    client = Client()
    expect(client.greeting, "220")
    expect(client.deliver(), "250")
    client.quit()
END
        ended 0
    done
    [ "$(grep -c 'delivery result=delivered' log)" = 6 ]
}

@test "several clients at once are served, each by a process of its own" {
    config 'listen.spares 0'
    listen
    clients <<'END'
many = [Client("127.0.0.%d" % (i // 5 + 2)) for i in range(40)]
for client in many:
    expect(client.greeting, "220")
pids = children(os.environ["LISTENER"])
assert len(pids) == 40, pids
for client in reversed(many):
    expect(client.deliver(), "250")
for client in many:
    client.quit()
END
    [ "$(grep -c ^hello box)" = 40 ]
}

@test "limit.client_sessions: 200 idle clients of one address keep nobody out" {
    listen
    clients <<'END'
bad = [Client("127.0.0.9") for i in range(200)]
assert [c.greeting[:3] for c in bad].count("220") == 10
assert set(c.greeting for c in bad[10:]) == {"421 Too many sessions from your host, try again later"}
good = Client()
expect(good.deliver(), "250")
good.quit()
# and when one of them is gone another may come
bad[0].quit()
time_is_up = time.monotonic() + 10
while not Client("127.0.0.9").greeting.startswith("220"):
    assert time.monotonic() < time_is_up
END
    grep -qF '[127.0.0.9] ERROR: 421 Too many sessions from your host, try again later stage=connect from="" line=""' log
}

@test "a client beyond limit.client_rate is counted in lockout.db, by one process that the listener does not wait for" {
    config 'listen.spares 0' 'limit.client_rate 1' 'lockout.db contacts' 'lockout.violations 2' 'lockout.exempt 127.0.0.8/32'
    listen
    clients <<'END'
import subprocess

held = [Client("127.0.0.9"), Client("127.0.0.8")]
assert [c.greeting[:3] for c in held] == ["220", "220"]
lock = subprocess.Popen([os.environ["TESTS"] + "/tools/hold-lock", "fcntl", "contacts"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
assert lock.stdout.readline() == b"locked\n"
before = time.monotonic()
for i in range(20):
    assert Client("127.0.0.9").greeting.startswith("421 Too many connections")
    assert len(children(os.environ["LISTENER"])) <= 3
assert time.monotonic() - before < 20 # each would have waited for two seconds
lock.communicate()
while " until=" not in open("log").read():
    assert time.monotonic() - before < 20
    for source in "127.0.0.8", "127.0.0.9":
        assert Client(source).greeting.startswith("421 Too many connections")
END
    grep -q '\[127\.0\.0\.9\] lockout: violations=2/2 reason=limit until=' log
    run -1 grep '\[127\.0\.0\.8\] lockout:' log
    run -0 "$MAILRECV" -c conf -S
    grep -Eq '^127\.0\.0\.9 +1 +[0-9]+ +1 +20[0-9T:Z-]+ +20' <<<"$output"
}

@test "limit.sessions: beyond it everybody is told, and that is nobody's violation" {
    config 'limit.sessions 3 421 4.3.9 We are full'
    listen
    clients <<'END'
first = [Client("127.0.0.%d" % i) for i in range(2, 5)]
for client in first:
    expect(client.greeting, "220")
expect(Client("127.0.0.5").greeting, "421 We are full")
first[1].quit()
while not Client("127.0.0.5").greeting.startswith("220"):
    pass
END
    grep -qF '[127.0.0.5] ERROR: 421 We are full stage=connect from="" line=""' log
}

@test "limit.client_rate: connections of a client in a minute; bypass and proxies are free of both limits" {
    config 'listen.spares 0' 'limit.client_rate 4' 'limit.client_sessions 2' 'allowgroup friends 127.0.0.7/32' 'bypass allowgroup friends' \
        'proxy_protocol 127.0.0.8/32'
    listen
    clients <<'END'
for i in range(4):
    client = Client("127.0.0.6")
    expect(client.greeting, "220")
    client.quit()
    while children(os.environ["LISTENER"]):
        pass
expect(Client("127.0.0.6").greeting, "421 Too many connections from your host, try later")
assert "ERROR: 421 Too many connections from your host, try later stage=limit" in open("log").read()
many = [Client("127.0.0.7") for i in range(8)]
for client in many:
    expect(client.greeting, "220")
for i in range(8):
    s = socket.create_connection(("127.0.0.1", PORT), 10, ("127.0.0.8", 0))
    s.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 1111 25\r\n")
    expect(s.recv(999), b"220")
    many.append(s)
END
}

@test "what the listener finds out about a client is nobody else's: groups are those of each client" {
    for spares in 0 2; do
        config "listen.spares $spares" 'allowgroup friends 127.0.0.7/32' 'allowgroup named ^friend\.example$' \
            'bypass allowgroup friends' 'bypass allowgroup named' "deliver allowgroup friends rcpt_to friend@mx.example append $PWD/box"
        listen
        clients <<'END'
for source in ["127.0.0.8", "127.0.0.7", "127.0.0.7", "127.0.0.8"] * 3:
    client = Client(source)
    client.say("MAIL FROM:<>")
    expect(client.say("RCPT TO:<friend@mx.example>"), "250" if source == "127.0.0.7" else "550")
    client.quit()
    time.sleep(0.05) # a new spare waits by now, of which nothing can be seen
END
        kill -TERM "$LISTENER"
        ended 0
    done
}

@test "expressions that the listener has tried are none the worse in sessions" {
    for spares in 0 2; do
        config "listen.spares $spares" 'allowgroup friends ^(127[.]0[.]0|x)[.]7$' 'bypass allowgroup friends' \
            'deny remotehost ^(?:127|y)[.]0+[.]0[.]9$' 'allow remotehost ^(?:127|z)[.]0'
        listen
        clients <<'END'
for source, code in [("127.0.0.8", "220"), ("127.0.0.9", "554"), ("127.0.0.7", "220")] * 4:
    expect(Client(source).greeting, code)
END
        kill -TERM "$LISTENER"
        ended 0
    done
}

@test "the configuration is the file as it stands; a mistake is 421, and no reason to end" {
    listen
    clients <<'END'
expect(Client().greeting, "220 mx.example")
open("conf.new", "w").write(open("conf").read().replace("mx.example", "other.example"))
os.rename("conf.new", "conf")
expect(Client().greeting, "220 other.example")
open("conf", "a").write("nonsense\n")
expect(Client().greeting, "421 The service is not configured")
expect(Client().greeting, "421 The service is not configured")
os.unlink("conf")
expect(Client().greeting, "421 The service is not configured")
open("conf", "w").write("domain third.example\ninclude conf.d/*.conf\n")
os.mkdir("conf.d")
expect(Client().greeting, "220 third.example")
open("conf.d/a.conf", "w").write("domain fourth.example\n")
expect(Client().greeting, "220 fourth.example")
os.kill(int(os.environ["LISTENER"]), 0)
END
}

# The line of the listener's program in its memory: another one after each exec.
layout() {
    grep -m 1 mailrecv "/proc/$LISTENER/maps"
}

@test "a session that crashes has the listener execute itself anew; the sessions beside it go on, and count" {
    config 'listen.spares 0' 'limit.client_sessions 3' 'sandbox off'
    listen
    before=$(layout)
    clients <<'END'
stays = Client(), Client()
crashes = Client()
listener = os.environ["LISTENER"]
sessions = children(listener)
assert len(sessions) == 3
os.kill(int(sessions[-1]), signal.SIGSEGV)
assert crashes.file.read() == b""
while len(children(listener)) == 3:
    pass
third = Client()
expect(third.greeting, "220")
expect(Client().greeting, "421 Too many sessions from your host")
for client in stays + (third,):
    expect(client.deliver(), "250")
    client.quit()
END
    [ "$(layout)" != "$before" ]
    [ "$(grep -c ^hello box)" = 3 ]
}

@test "a session behind the wall that is killed has the listener execute itself anew, too; an ordinary one does not" {
    config 'listen.spares 0'
    listen
    before=$(layout)
    clients <<'END'
Client().quit()
Client().quit()
END
    [ "$(layout)" = "$before" ]
    "$MAILRECV" -t -c conf 2>/dev/null | grep -q '^sandbox off' && return # one process: see the test before
    clients <<'END'
listener = os.environ["LISTENER"]
client = Client()
monitor = children(listener)[-1]
while not children(monitor): # it greets first
    pass
os.kill(int(children(monitor)[0]), signal.SIGKILL)
assert client.file.read() == b""
while os.path.exists("/proc/" + monitor):
    pass
expect(Client().greeting, "220")
END
    [ "$(layout)" != "$before" ]
    grep -q 'end reason=killed signal=9' log
}

@test "spares wait for the next connection, as sessions that can do nothing; one that is killed has no followers at once" {
    config 'listen.spares 3'
    listen
    clients <<'END'
listener = os.environ["LISTENER"]
def wait_for(count):
    end = time.monotonic() + 10
    while len(children(listener)) != count:
        assert time.monotonic() < end, children(listener)
wait_for(3)
spares = children(listener)
client = Client()
expect(client.greeting, "220 mx.example")
wait_for(4)
assert set(spares) < set(children(listener)) # one of them serves
expect(client.deliver(), "250")
client.quit()
wait_for(3)
killed = children(listener)
for spare in killed:
    os.kill(int(spare), signal.SIGKILL)
while set(killed) & set(children(listener)):
    pass
others = [Client() for i in range(3)]
for client in others:
    expect(client.greeting, "220 mx.example")
    client.quit()
wait_for(3)
END
    "$MAILRECV" -t -c conf 2>/dev/null | grep -q '^sandbox off' && return
    for spare in $(cat "/proc/$LISTENER/task/$LISTENER/children"); do
        for session in $(cat "/proc/$spare/task/$spare/children"); do
            grep -q '^Seccomp:.2' "/proc/$session/status"
        done
    done
}

@test "spares end with the listener, however that ends" {
    for how in TERM HUP KILL; do
        config 'listen.spares 2'
        listen
        clients <<'END'
Client().quit()
END
        until [ "$(wc -w <"/proc/$LISTENER/task/$LISTENER/children")" = 2 ]; do sleep 0.02; done
        spares=$(cat "/proc/$LISTENER/task/$LISTENER/children")
        kill -s "$how" "$LISTENER"
        wait "$LISTENER" || true
        LISTENER=
        for spare in $spares; do while [ -d "/proc/$spare" ]; do sleep 0.02; done; done
    done
}

@test "SIGTERM: sessions say 421, and all ends; SIGHUP: they go on to their end, and nothing more is accepted" {
    listen
    clients <<'END'
many = [Client() for i in range(3)]
os.kill(int(os.environ["LISTENER"]), signal.SIGTERM)
for client in many:
    expect(client.line(), "421 4.3.2 The service is being stopped")
END
    ended 0
    nobody_left
    listen
    clients <<'END'
client = Client()
os.kill(int(os.environ["LISTENER"]), signal.SIGHUP)
while True:
    try:
        socket.create_connection(("127.0.0.1", PORT), 10).close()
    except (ConnectionRefusedError, ConnectionResetError): # it was open, and is not
        break
expect(client.deliver(), "250")
client.quit()
END
    ended 0
    nobody_left
}

@test "signals count while clients are waiting, too" {
    listen
    clients <<'END'
listener = int(os.environ["LISTENER"])
os.kill(listener, signal.SIGSTOP)
many = [socket.create_connection(("127.0.0.1", PORT), 10) for i in range(50)]
os.kill(listener, signal.SIGTERM)
os.kill(listener, signal.SIGCONT)
for client in many:
    try:
        expect(client.recv(99), b"421")
    except ConnectionResetError: # it was not accepted
        break
else:
    sys.exit("all were accepted")
END
    ended 0
}

# What forks twice and goes away leaves a child to the first process of a container.
# As the first process: SIGTERM and SIGINT end it, no zombie stays, and the log goes to standard error; it is no session that has crashed.
@test "recipe: Run in a container" {
    UNDER=(unshare --user --map-root-user --pid --fork --kill-child)
    PORT=$(free_port)
    for signal in TERM INT; do
        config "listen.spares 0" "deliver rcpt_to leaves@mx.example pipe cat >/dev/null; sh -c 'sleep 0.1; echo gone >>$PWD/gone; kill -9 \$\$' >/dev/null 2>&1 &"
        "${UNDER[@]}" "$MAILRECV" -L "127.0.0.1:$PORT" -c conf -l stderr 2>log 3>&- &
        LISTENER=$!
        until_listening
        SIGNAL=$signal clients <<'END'
[first] = children(os.environ["LISTENER"])
client = Client()
for rcpt in "leaves@mx.example", "a@example.com":
    assert client.say("MAIL FROM:<>")[:3] == "250"
    assert client.say("RCPT TO:<%s>" % rcpt)[:3] == "250"
    assert client.say("DATA")[:3] == "354"
    expect(client.say("."), "250")
client.quit()
while not os.path.exists("gone") or children(first): # the session, and what its command has left
    time.sleep(0.01)
os.unlink("gone")
client = Client()
os.kill(int(first), getattr(signal, "SIG" + os.environ["SIGNAL"]))
expect(client.line(), "421 4.3.2 The service is being stopped")
END
        ended 0
        [ "$(grep -c 'delivery result=delivered' log)" = 2 ]
        ! grep 'was ended by signal' log || return 1
    done
}

@test "a session does without its listener, and keeps nobody from listening there" {
    listen
    clients <<'END'
client = Client()
os.kill(int(os.environ["LISTENER"]), signal.SIGKILL)
while True:
    try:
        socket.create_server(("127.0.0.1", PORT)).close()
        break
    except OSError:
        pass
expect(client.deliver(), "250")
client.quit()
END
    wait "$LISTENER" || true
    LISTENER=
    nobody_left
}

@test "out of descriptors and processes: the client hears 421 or waits, nothing spins, and all goes on when there are some again" {
    listen
    clients <<'END'
import resource
listener = int(os.environ["LISTENER"])
used = {int(fd) for fd in os.listdir("/proc/%d/fd" % listener)}
before = resource.prlimit(listener, resource.RLIMIT_NOFILE)
resource.prlimit(listener, resource.RLIMIT_NOFILE, (min(set(range(99)) - used), before[1]))
waiting = socket.create_connection(("127.0.0.1", PORT), 10)
waiting.settimeout(0.5)
try:
    sys.exit("got %r" % waiting.recv(99))
except socket.timeout:
    pass
ticks = lambda: sum(map(int, open("/proc/%d/stat" % listener).read().rsplit(")")[-1].split()[11:13]))
begin = ticks()
time.sleep(1) # nothing can be seen of what does not happen
assert ticks() - begin < 10
resource.prlimit(listener, resource.RLIMIT_NOFILE, before)
waiting.settimeout(10)
expect(waiting.recv(99), b"220")
END
    grep -q 'listener: cannot accept: Too many open files' log
}

@test "what a session forks has no socket of the listener, and none of its list" {
    listen
    clients <<'END'
listener = os.environ["LISTENER"]
def links(pid):
    return {os.readlink("/proc/%s/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%s/fd" % pid)}
sockets = {link for link in links(listener) if link.startswith("socket:")} # it has a connection, too, for a moment
client = Client()
monitor = children(listener)[0]
for pid in [monitor] + children(monitor):
    assert not sockets & links(pid), links(pid)
END
}

@test "a log that is renamed has a new one, also from processes that were waiting" {
    listen
    clients <<'END'
def wait_for_spares():
    while len(children(os.environ["LISTENER"])) < 2:
        pass
wait_for_spares()
Client().quit()
wait_for_spares()
os.rename("log", "log.1")
for i in range(3):
    Client().quit()
END
    wait_for log 'end reason=quit'
    kill -TERM "$LISTENER"
    ended 0
    [ "$(grep -c 'end reason=quit' log.1)" = 1 ]
    [ "$(grep -c 'end reason=quit' log)" = 3 ]
}

@test "SIGHUP while it executes itself anew is neither lost nor the end of it, with its sessions" {
    config "$(seq -f 'deliver rcpt_to u%.0f@example.com append box' 30000)"
    for after in 0 0.02 0.04 0.06; do
        listen
        clients "$after" <<'END'
listener = int(os.environ["LISTENER"])
client = Client()
os.utime("conf", (0, 0))
late = socket.create_connection(("127.0.0.1", PORT), 10)
time.sleep(float(sys.argv[1])) # it reads the configuration
os.kill(listener, signal.SIGHUP)
deadline = time.monotonic() + 5
while True:
    try:
        socket.create_connection(("127.0.0.1", PORT), 10).close()
    except ConnectionRefusedError:
        break
    except ConnectionResetError: # it was in the backlog
        continue
    assert time.monotonic() < deadline
os.kill(listener, 0)
expect(client.deliver(), "250")
client.quit()
END
        ended 0
    done
}

@test "a socket that somebody else has shut does not keep it busy, and is said" {
    python3 - "$MAILRECV" <<'END'
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
pid = os.fork()
if pid == 0:
    os.dup2(server.fileno(), 0)
    os.execv(sys.argv[1], ["mailrecv", "-c", "conf", "-l", "log"])
ticks = lambda: sum(map(int, open("/proc/%d/stat" % pid).read().rsplit(")")[-1].split()[11:13]))
assert socket.create_connection(server.getsockname()).recv(3) == b"220"
server.shutdown(socket.SHUT_RDWR)
begin = ticks()
time.sleep(1) # nothing can be seen of what does not happen
spent = ticks() - begin
os.kill(pid, 9)
os.waitpid(pid, 0)
assert spent < 10, spent
END
    grep -q 'listener: cannot accept: Invalid argument' log
}

@test "what is no listening socket among LISTEN_FDS, and what else the starter has left open, is closed" {
    for number in 2 999999999 9223372036854775807; do
        python3 - "$MAILRECV" "$number" <<'END'
import os, socket, sys, time
server, datagrams, other = socket.create_server(("127.0.0.1", 0)), socket.socket(type=socket.SOCK_DGRAM), open("conf")
pid = os.fork()
if pid == 0:
    for i, part in enumerate((server, datagrams, other)):
        os.dup2(part.fileno(), 20 + i)
    for i in range(3):
        os.dup2(20 + i, 3 + i if i < 2 else 90)
        os.close(20 + i)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=sys.argv[2])
    os.execv(sys.argv[1], ["mailrecv", "-c", "conf", "-l", "log"])
greeting = None
try:
    greeting = socket.create_connection(server.getsockname(), 5).recv(3)
except TimeoutError:
    pass
links = [os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)]
os.kill(pid, 9)
os.waitpid(pid, 0)
assert greeting == b"220"
link_of = lambda socket: "socket:[%d]" % os.fstat(socket.fileno()).st_ino
assert links.count(link_of(server)) == 1 and link_of(datagrams) not in links, links
assert not any(link.endswith("/conf") for link in links), links
END
    done
    listen 9<conf
    clients <<'END'
fds = "/proc/%s/fd/" % os.environ["LISTENER"]
assert not [fd for fd in os.listdir(fds) if os.readlink(fds + fd).endswith("/conf")]
END
}

@test "its own lines go where the log is now, too, after a rotation" {
    config 'limit.client_sessions 1'
    listen
    clients <<'END'
client = Client()
os.rename("log", "log.1")
expect(Client().greeting, "421")
END
    grep -q 'ERROR: 421 Too many sessions from your host.* stage=connect' log
}

@test "who resets the connection at once has an address in the log, and none where quiet names it" {
    for spares in 0 2; do
        config 'quiet 127.0.0.6/32' "listen.spares $spares"
        rm -f log
        listen
        clients <<'END'
import struct
listener = int(os.environ["LISTENER"])
for address in "127.0.0.6", "127.0.0.7":
    os.kill(listener, signal.SIGSTOP)
    gone = socket.create_connection(("127.0.0.1", PORT), 10, (address, 0))
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    os.kill(listener, signal.SIGCONT)
    Client().quit()
END
        kill -TERM "$LISTENER"
        ended 0
        [ "$(grep -c 'the client has gone before it was greeted' log)" = 1 ]
        grep -qF '[127.0.0.7] the client has gone before it was greeted' log
    done
}

@test "connections that are refused are no sessions: a flood of them does not have the listener execute itself anew" {
    config 'limit.client_sessions 1'
    listen
    before=$(layout)
    clients <<'END'
stays = Client()
expect(stays.greeting, "220")
for i in range(1010):
    expect(Client().greeting, "421")
stays.quit()
END
    [ "$(layout)" = "$before" ]
}
