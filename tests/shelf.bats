#!/usr/bin/env bats
# Programs of tables that answer the sessions of a listener one after the other, and when they end

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    mkfifo gate
    cat >program <<'END'
#!/usr/bin/env python3
# known@ is found; slow@ when somebody writes to `gate`; late@ at once, and NOTFOUND follows then; twice@ ends it when it is asked again
import os, sys

def note(name):
    with open(name, "a") as file:
        file.write("%d\n" % os.getpid())

def say(answer):
    os.write(1, b"%d:%s," % (len(answer), answer))

def wait():
    note("waiting")
    open("gate").read()

os.chdir(os.path.dirname(sys.argv[0]))
note("started")
ending = False
while True:
    size = b""
    while not size.endswith(b":"):
        byte = os.read(0, 1)
        if not byte:
            sys.exit(0)
        size += byte
    name = os.read(0, int(size[:-1]) + 1).split(b" ")[1].split(b"@")[0]
    if ending:
        sys.exit(75)
    ending = name == b"twice"
    if name == b"slow":
        wait()
    say(b"OK " if name in (b"known", b"slow", b"late", b"twice") else b"NOTFOUND ")
    if name == b"late":
        wait()
        say(b"NOTFOUND ")
        note("said")
END
    chmod +x program
    LISTENER=
    config
}

teardown() {
    # shellcheck disable=SC2046 # numbers
    [ -z "$LISTENER" ] || kill -KILL "$LISTENER" $(cat "/proc/$LISTENER/task/$LISTENER/children") 2>/dev/null || true
}

config() { # [LINE]...
    printf '%s\n' 'domain mx.example' "spool_directory $PWD" "table people exec $PWD/program" \
        "deliver rcpt_to table:people append $PWD/box" "$@" >conf.new
    mv conf.new conf
}

listen() {
    local port
    PORT=$(free_port)
    "$MAILRECV" -L "127.0.0.1:$PORT" -c conf -l log 3>&- &
    LISTENER=$!
    port=$(printf ':%04X ' "$PORT")
    until grep -q "$port.* 0A " /proc/net/tcp; do
        kill -0 "$LISTENER"
        sleep 0.02
    done
}

# Runs a program of clients: Client().asks(NAME) is the code of the reply to that recipient.
clients() { # < PROGRAM
    {
        cat <<'END'
import os, select, signal, socket, time

LISTENER = int(os.environ["LISTENER"])

class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 10)
        self.file = self.socket.makefile("rb")
        assert self.reply() == "220"
        assert self.says("HELO client.example") == "250"
        assert self.says("MAIL FROM:<>") == "250"
    def reply(self):
        return self.file.readline().decode()[:3]
    def tells(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
    def says(self, text):
        self.tells(text)
        return self.reply()
    def asks(self, name):
        return self.says("RCPT TO:<%s@example.com>" % name)
    def quit(self):
        assert self.says("QUIT") == "221"
        assert self.file.read() == b""

def numbers(name):
    return [int(line) for line in open(name)] if os.path.exists(name) else []

def until(what):
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)

def children(pid):
    return [int(pid) for pid in open("/proc/%d/task/%d/children" % (pid, pid)).read().split()]

def runs(pid): # a zombie does not
    try:
        return open("/proc/%d/cmdline" % pid).read() != ""
    except OSError:
        return False

def session(code, name):
    client = Client()
    got = client.asks(name)
    assert got == code, got
    client.quit()

def open_gate():
    open("gate", "w").close()

def slowly(clients): # each has a program of its own
    before = len(numbers("waiting"))
    for client in clients:
        client.tells("RCPT TO:<slow@example.com>")
    until(lambda: len(numbers("waiting")) == before + len(clients))
    for client in clients:
        until(lambda: answers(client))
        assert client.reply() == "250"

def answers(client): # who waits at the gate goes on
    try:
        os.close(os.open("gate", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        pass
    return select.select([client.socket], [], [], 0)[0]
END
        cat
    } >clients.py
    PORT=$PORT LISTENER=$LISTENER timeout 60 python3 clients.py
}

@test "a program answers one session after the other, and several in turn; who asks meanwhile has another one" {
    listen
    clients <<'END'
session("250", "known")
session("550", "unknown")
first, second = Client(), Client()
for i in range(3):
    assert first.asks("known") + second.asks("unknown") == "250550"
assert len(numbers("started")) == 1
first.tells("RCPT TO:<slow@example.com>")
until(lambda: numbers("waiting"))
assert second.asks("unknown") == "550"
assert len(numbers("started")) == 2
open_gate()
assert first.reply() == "250"
session("250", "known")
session("550", "unknown")
assert len(numbers("started")) == 2
END
    run ! grep 'table failed' log
}

@test "the answer to a session that was killed is nobody else's; nor is what a program says without a question" {
    config 'listen.spares 0'
    listen
    clients <<'END'
session("250", "known")
killed = Client()
killed.tells("RCPT TO:<slow@example.com>")
until(lambda: numbers("waiting"))
os.kill(children(LISTENER)[0], signal.SIGKILL)
killed.file.read()
open_gate()
session("550", "unknown")
program = numbers("started")[0]
until(lambda: not runs(program))
session("250", "late")
until(lambda: len(numbers("waiting")) == 2)
open_gate()
until(lambda: numbers("said"))
session("250", "known")
assert not runs(numbers("said")[0])
END
}

@test "one that has ended, or ends without an answer, is started again, however many of them do" {
    listen
    clients <<'END'
session("250", "known")
os.kill(numbers("started")[0], signal.SIGKILL)
until(lambda: not runs(numbers("started")[0]))
session("250", "known")
pair = [Client(), Client()]
slowly(pair)
for client in pair:
    client.quit()
session("250", "twice") # each by another one
session("250", "twice")
session("550", "unknown")
assert len(numbers("started")) == 5 # one for each of the two keys
END
    run ! grep 'table failed' log
}

@test "they end with the configuration, with SIGHUP though a session goes on, and when they are not asked for table.keep_secs" {
    config 'table.keep_secs 1000'
    listen
    clients <<'END'
session("250", "known")
END
    config 'table.keep_secs 1'
    clients <<'END'
session("250", "known")
old, new = numbers("started")
until(lambda: not runs(old))
until(lambda: not runs(new))
END
    config 'table.keep_secs 1000'
    clients <<'END'
client, other = Client(), Client()
assert client.asks("known") == "250"
program = numbers("started")[-1]
assert runs(program)
os.kill(LISTENER, signal.SIGHUP)
until(lambda: not runs(program))
assert client.asks("known") == "250"
program = numbers("started")[-1]
client.quit()
until(lambda: not runs(program))
other.quit()
END
    wait "$LISTENER"
    LISTENER=
}

@test "no more of them wait than a handful; the session behind the wall has no way to them" {
    config 'sandbox on'
    listen
    clients <<'END'
many = [Client() for i in range(9)]
slowly(many)
def links(pid):
    return {os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
monitors = [pid for pid in children(LISTENER) if len(children(pid)) > 1] # others are spares
assert len(monitors) == 9
shared = {link for link in set.intersection(*map(links, monitors)) if link.startswith("socket:")}
assert len(shared) >= 2
for pid in children(monitors[0]):
    assert not shared & links(pid)
for client in many:
    client.quit()
until(lambda: len([pid for pid in numbers("started") if runs(pid)]) < 9)
END
}

@test "table.keep_secs 0: each session has its own program, for all of its questions" {
    config 'table.keep_secs 0'
    listen
    clients <<'END'
for i in range(2):
    client = Client()
    assert client.asks("known") + client.asks("unknown") == "250550"
    client.quit()
assert len(numbers("started")) == 2
END
}
