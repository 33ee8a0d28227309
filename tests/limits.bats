#!/usr/bin/env bats
# limits.bats - limits of time and memory, which take a clock or a hostile client to see
#
# Every wait of these tests is for the program itself, with limits of one second.

load common

# Hundredths of a second since boot: a clock that never jumps.
hundredths() { sed 's/\.\([0-9]*\) .*/\1/' /proc/uptime; }

# Plays the dialogue on standard input; it must take a second, and not many more.
play_a_second() {
    local begin took

    begin=$(hundredths)
    "$TESTS/dialog" -
    took=$(($(hundredths) - begin))
    echo "it took $took hundredths of a second"
    [ "$took" -ge 99 ]
    [ "$took" -lt 800 ]
}

# Runs a Python program on standard input that imports the client below.
hostile() { PYTHONPATH=$BATS_TEST_TMPDIR PYTHONDONTWRITEBYTECODE=1 timeout 60 python3 -; }

setup() {
    cat >"$BATS_TEST_TMPDIR/client.py" <<'END'
# a client that can misbehave, and what it can see of the program; with VIA=listener that accepts the connection itself
import os, re, select, signal, socket, subprocess, time

HERE = os.environ["BATS_TEST_TMPDIR"]
LISTENER = os.environ.get("VIA") == "listener"


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


class Client:
    """Starts the program behind a socket."""

    def __init__(self, *conf, receive_buffer=None):
        with open(HERE + "/conf", "w") as file:
            file.write("\n".join(["domain mail.example.com", "listen.idle_secs 1", *conf]) + "\n")
        os.chmod(HERE + "/conf", 0o600)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            self.socket = socket.socket()
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.connect(listener.getsockname())
            theirs = listener.dup() if LISTENER else listener.accept()[0]
        self.process = subprocess.Popen([os.environ["MAILRECV"], "-c", HERE + "/conf", "-l", HERE + "/log"],
                                        stdin=theirs, stdout=theirs)
        theirs.close()
        self.socket.settimeout(20)
        self.got = b""

    def expect(self, *patterns):
        """The next lines are as the regular expressions say."""
        for pattern in patterns:
            while b"\n" not in self.got:
                data = self.socket.recv(65536)
                assert data, f"the connection ended, expected {pattern}, got {self.got}"
                self.got += data
            line, _, self.got = self.got.partition(b"\n")
            assert re.fullmatch(pattern, line.decode().removesuffix("\r")), f"expected {pattern}, got {line}"

    def expect_end(self):
        """The program says nothing more, and exits."""
        assert self.got == b"" and self.socket.recv(65536) == b""
        self.socket.close()
        assert self.exits()

    def exits(self):
        """The program ends by itself, within ten seconds; a listener because it is told to, with its session."""
        if LISTENER:
            self.process.send_signal(signal.SIGUSR1)
        return self.process.wait(10) == 0

    def send(self, text):
        self.socket.sendall(text.encode())

    def peak(self):
        """Peak resident size in KiB, of the larger of monitor and session."""
        monitors = children(self.process.pid) if LISTENER else [self.process.pid]
        pids = [*monitors, *(pid for monitor in monitors for pid in children(monitor))]
        return max(int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1]) for pid in pids)


def log():
    with open(HERE + "/log") as file:
        return [line.split("] ", 1)[1].rstrip("\n") for line in file]
END
}

@test "limit.command_secs: a client that says nothing" {
    play_a_second <<'END'
# silence
conf: limit.command_secs 1
S: 220 *
S: 421 4.4.2 Waited too long for input
log: SMTP connection from *
log: ERROR: 421 Waited too long for input stage=input from="" line=""
log: end reason=idle *
END
}

@test "limit.command_secs: a client that stops in the middle of a line, with a reply of its own" {
    play_a_second <<'END'
# half a line
conf: limit.command_secs 1 450 4.4.9 Are you there?
S: 220 *
C: HELO client.example
S: 250 *
c: QUI
S: 450 4.4.9 Are you there?
log: ...
log: ERROR: 450 Are you there? stage=input helo="client.example" from="" line=""
log: end reason=idle *
END
}

@test "limit.command_secs: a client that stops in the middle of a message, of which nothing is delivered" {
    play_a_second <<'END'
# half a message
conf: limit.command_secs 1
conf: deliver rcpt_to user@example.com append $DIR/mbox
S: 220 *
C: MAIL FROM:<sender@example.com>
C: RCPT TO:<user@example.com>
C: DATA
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
C: text
c: .
S: 421 4.4.2 Waited too long for input
no file: mbox
log: SMTP connection from *
log: message lost reason=idle bytes=6 recipients=1 from="sender@example.com" to="user@example.com"
log: ERROR: 421 Waited too long for input stage=data*from="sender@example.com" line=""
log: end reason=idle *
END
}

@test "limit.command_secs: a line that comes byte by byte is one wait" {
    hostile <<'END'
from client import *
begin = time.monotonic()
client = Client("limit.command_secs 1")
client.expect("220 .*")
while not select.select([client.socket], [], [], 0.2)[0]:
    client.send("x")
    assert time.monotonic() - begin < 5, "the program waits on"
assert time.monotonic() - begin >= 1
client.expect("421 4.4.2 Waited too long for input")
END
}

@test "limit.command_secs: a message that comes line by line may take longer" {
    hostile <<'END'
from client import *
client = Client("limit.command_secs 1", f"deliver rcpt_to user@example.com append {HERE}/mbox")
client.send("MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
client.expect("220 .*", "250 .*", "250 .*", "354 .*")
for _ in range(6):
    assert not select.select([client.socket], [], [], 0.3)[0]
    client.send("a line\r\n")
client.send(".\r\nQUIT\r\n")
client.expect("250 2.0.0 .*", "221 .*")
client.expect_end()
END
}

@test "limit.connection_secs: a client that says nothing" {
    play_a_second <<'END'
# silence
conf: limit.connection_secs 1
S: 220 *
S: 421 4.4.2 The session took too long
log: SMTP connection from *
log: ERROR: 421 The session took too long stage=input from="" line=""
log: end reason=time *
END
}

@test "limit.connection_secs: a client that is never silent, with a reply of its own" {
    hostile <<'END'
from client import *
begin = time.monotonic()
client = Client("limit.connection_secs 1 450 4.4.9 Time is up", "limit.smtp_commands 2000000")
client.expect("220 .*")
while time.monotonic() - begin < 8:
    client.send("NOOP\r\n")
    client.got += client.socket.recv(1000)
    if client.got != b"250 2.0.0 Ok\r\n":
        break
    client.got = b""
assert 1 <= time.monotonic() - begin < 8
client.got = client.got.removeprefix(b"250 2.0.0 Ok\r\n")
client.expect("450 4.4.9 Time is up")
client.expect_end()
assert log()[-2].startswith("ERROR: 450 Time is up stage=input "), log()
assert log()[-1].startswith("end reason=time "), log()
END
}

@test "limit.connection_secs: a client that never waits for a reply" {
    hostile <<'END'
from client import *
import threading
begin = time.monotonic()
client = Client("limit.connection_secs 1", "limit.smtp_commands 1000000000")

def flood():
    try:
        while True:
            client.socket.sendall(b"NOOP\r\n" * 1000)
    except OSError:
        pass

threading.Thread(target=flood, daemon=True).start()
tail = b""
try:
    while data := client.socket.recv(65536):
        tail = (tail + data)[-200:]
        assert time.monotonic() - begin < 8, "the session goes on"
except ConnectionResetError:
    assert False, "the last reply is lost"
assert time.monotonic() - begin >= 1
assert tail.endswith(b"\r\n421 4.4.2 The session took too long\r\n"), tail
assert client.exits()
END
}

@test "limit.connection_secs: a message that never ends" {
    hostile <<'END'
from client import *
client = Client("limit.connection_secs 1", f"deliver rcpt_to user@example.com append {HERE}/mbox")
client.send("MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
client.expect("220 .*", "250 .*", "250 .*", "354 .*")
begin = time.monotonic()
while not select.select([client.socket], [], [], 0.05)[0]:
    client.send("a line\r\n")
    assert time.monotonic() - begin < 5
client.expect("421 4.4.2 The session took too long")
client.socket.shutdown(socket.SHUT_WR)
client.expect_end()
assert not os.path.exists(HERE + "/mbox")
END
}

@test "limit.connection_secs ends a running delivery: its command is killed, nothing is appended" {
    play_a_second <<'END'
# a slow command
conf: limit.connection_secs 1
conf: deliver rcpt_to slow@example.com pipe echo $$ > $DIR/pid; sleep 60 & wait
conf: deliver rcpt_to user@example.com append $DIR/mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
C: RCPT TO:<slow@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 250 2.1.5 *
S: 354 *
S: 421 4.4.2 The session took too long
no file: mbox
run: pgrep -r D,R,S,T -s $(cat pid) || echo nobody of the group is left
| nobody of the group is left
log: SMTP connection from *
log: delivery result=deferred * target=pipe * to="slow@example.com" *
log: ERROR: 421 The session took too long stage=data *
log: end reason=time *
END
}

@test "limit.connection_secs with a 5xx: the message is refused temporarily all the same" {
    play_a_second <<'END'
# 4xx in any case
conf: limit.connection_secs 1 550 5.4.9 Too slow
conf: deliver rcpt_to slow@example.com exec /bin/sleep 60
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<slow@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 451 4.4.9 Too slow
END
}

@test "limit.pipe_secs: the group of the command is killed, and the session goes on" {
    play_a_second <<'END'
# a slow command
conf: limit.pipe_secs 1
conf: deliver rcpt_to slow@example.com pipe echo $$ > $DIR/pid; sleep 60 & wait
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<slow@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 451 4.3.0 The delivery took too long
C: MAIL FROM:<>
S: 250 2.1.0 *
quit
run: pgrep -r D,R,S,T -s $(cat pid) || echo nobody of the group is left
| nobody of the group is left
log: SMTP connection from *
log: delivery result=deferred *
log: ERROR: 451 The delivery took too long stage=data *
log: end reason=quit *
END
}

@test "limit.pipe_secs: a command that ignores SIGTERM, with a reply of its own" {
    play_a_second <<'END'
# a stubborn command; it is given two seconds to end
conf: limit.pipe_secs 1 450 4.3.9 Try later
conf: deliver rcpt_to slow@example.com pipe trap '' TERM; echo $$ > $DIR/pid; while :; do sleep 60; done
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<slow@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 450 4.3.9 Try later
quit
run: pgrep -r D,R,S,T -s $(cat pid) || echo nobody of the group is left
| nobody of the group is left
log: ...
log: ERROR: 450 Try later stage=data *
log: end *
END
}

@test "limit.pipe_secs: a command that reads nothing and one that never stops talking" {
    play_a_second <<'END'
# each a command with a message that no pipe holds
conf: limit.pipe_secs 1
conf: deliver rcpt_to deaf@example.com exec /bin/sleep 60
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<deaf@example.com>
C: DATA
C 9000: a line of a message that is larger than any pipe
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 451 4.3.0 *
quit
END
    play_a_second <<'END'
# the output is read and dropped
conf: limit.pipe_secs 1
conf: deliver rcpt_to loud@example.com exec /usr/bin/yes
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<loud@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 451 4.3.0 *
quit
run: test $(wc -l < log) -lt 200 && echo the log is short
| the log is short
END
}

@test "limit.lock_secs: a mailbox that somebody holds with flock" {
    local mbox=$BATS_TEST_TMPDIR/mbox

    exec 9>"$mbox"
    flock 9
    play_a_second <<END
# a locked mailbox
conf: limit.lock_secs 1
conf: deliver rcpt_to user@example.com append $mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 451 4.2.0 The mailbox is locked
C: MAIL FROM:<>
S: 250 2.1.0 *
quit
log: SMTP connection from *
log: delivery result=deferred *
log: ERROR: 451 The mailbox is locked stage=data *
log: end reason=quit *
END
    exec 9>&-
    [ ! -s "$mbox" ]
}

@test "limit.lock_secs: a mailbox that somebody holds with fcntl, with a reply of its own" {
    local mbox=$BATS_TEST_TMPDIR/mbox holder

    : >"$mbox"
    mkfifo "$BATS_TEST_TMPDIR/hold" "$BATS_TEST_TMPDIR/held"
    python3 -c '
import fcntl, sys
with open(sys.argv[1], "r+") as mbox:
    fcntl.lockf(mbox, fcntl.LOCK_EX)
    open(sys.argv[2], "w").close()
    open(sys.argv[3]).read()' "$mbox" "$BATS_TEST_TMPDIR/held" "$BATS_TEST_TMPDIR/hold" 3>&- &
    holder=$!
    : <"$BATS_TEST_TMPDIR/held" # waits until it is locked
    play_a_second <<END || { kill "$holder"; false; }
# a locked mailbox
conf: limit.lock_secs 1 450 4.2.9 In use
conf: deliver rcpt_to user@example.com append $mbox
S: 220 *
C: MAIL FROM:<>
C: RCPT TO:<user@example.com>
C: DATA
C: .
S: 250 2.1.0 *
S: 250 2.1.5 *
S: 354 *
S: 450 4.2.9 In use
quit
END
    : >"$BATS_TEST_TMPDIR/hold"
    wait "$holder"
    [ ! -s "$mbox" ]
}

@test "a client that never reads does not hold the program" {
    hostile <<'END'
from client import *
client = Client("limit.command_secs 1", "limit.smtp_commands 1000000", receive_buffer=2048)
client.socket.settimeout(3)
try:
    for _ in range(1000):
        client.send("HELP\r\n" * 1000)
    assert False, "the program reads on although nobody reads its replies"
except OSError:
    pass
assert client.exits()
assert re.match(r"end reason=(idle|broken) ", log()[-1]), log()[-1]
END
}

@test "a refused client that says nothing is not waited for as long as others" {
    hostile <<'END'
from client import *
client = Client("limit.command_secs 1", "deny remotehost 127")
client.expect("554 .*", "421 4.4.2 Waited too long for input")
client.expect_end()
assert log()[-1].startswith("end reason=idle "), log()
END
}

@test "memory: a hundred thousand recipients" {
    hostile <<'END'
from client import *
import threading
COUNT = 100000
client = Client(f"limit.smtp_rcpt_to {COUNT}", f"deliver rcpt_to @example.com append {HERE}/mbox")
client.expect("220 .*")
client.send("MAIL FROM:<sender@example.com>\r\n")
client.expect("250 .*")
before = client.peak()
threading.Thread(target=lambda: client.send("".join(f"RCPT TO:<user{i}@example.com>\r\n" for i in range(COUNT))),
                 daemon=True).start()
client.expect(*["250 2.1.5 Recipient ok"] * COUNT)
client.send("RCPT TO:<more@example.com>\r\n")
client.expect("452 4.5.3 Too many recipients")
after = client.peak()
client.send("RSET\r\nQUIT\r\n")
client.expect("250 .*", "221 .*")
client.expect_end()
print(f"peak {before} KiB, with the recipients {after} KiB")
assert after - before < COUNT * 512 // 1024, "more than 512 bytes for a recipient"
END
}

@test "memory: a million commands" {
    hostile <<'END'
from client import *
import threading
COUNT = 1000000
client = Client("limit.smtp_commands 2000000")
client.expect("220 .*")
client.send("NOOP\r\n")
client.expect("250 .*")
before = client.peak()
threading.Thread(target=lambda: client.send("NOOP\r\n" * COUNT), daemon=True).start()
left = COUNT * len("250 2.0.0 Ok\r\n")
while left > 0:
    data = client.socket.recv(min(left, 1 << 20))
    assert data, "the connection ended"
    left -= len(data)
    assert not data.replace(b"250 2.0.0 Ok\r\n", b"").strip(b"250. Ok\r\n"), "another reply"
after = client.peak()
client.send("QUIT\r\n")
client.expect("221 .*")
client.expect_end()
print(f"peak {before} KiB, behind {COUNT} commands {after} KiB")
assert after - before < 256
assert f" noop={COUNT + 1} " in log()[-1], log()[-1]
END
}

@test "memory: a line of 10 MB" {
    hostile <<'END'
from client import *
client = Client("limit.smtp_failcmds 9")
client.expect("220 .*")
client.send("NOOP\r\n")
client.expect("250 .*")
before = client.peak()
for _ in range(10):
    client.send("x" * 1000000)
client.send("\r\nNOOP\r\n")
client.expect("500 5.5.2 Line is too long", "250 .*")
for _ in range(10):
    client.send("\n" * 500000 + "x\n" * 250000)
client.send("\r\nNOOP\r\n")
client.expect("500 5.5.2 .*", "250 .*")
after = client.peak()
client.send("QUIT\r\n")
client.expect("221 .*")
client.expect_end()
assert after - before < 256, f"peak {before} KiB, behind the line {after} KiB"
assert len(log()) - sum("serving as root" in line for line in log()) == 4, log()
END
}

@test "memory: a line of 10 MB that never ends" {
    hostile <<'END'
from client import *
client = Client()
client.expect("220 .*")
client.send("NOOP\r\n")
client.expect("250 .*") # the session has begun: what that needs is no part of the line
before = client.peak()
for _ in range(10):
    client.send("x" * 1000000)
after = client.peak()
client.socket.shutdown(socket.SHUT_WR)
client.expect_end()
assert after - before < 256, f"peak {before} KiB, behind the line {after} KiB"
assert log()[-1].startswith("end reason=cut "), log()
END
}

@test "memory: a message of 50 MB, and one far beyond the limit" {
    hostile <<'END'
from client import *
client = Client("limit.smtp_data_size 50000000", f"spool_directory {HERE}",
                f"deliver rcpt_to user@example.com pipe wc -c > {HERE}/size")
client.send("MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
client.expect("220 .*", "250 .*", "250 .*", "354 .*")
line = "x" * 998 + "\r\n"
for _ in range(50):
    client.send(line * 1000)
client.send(".\r\n")
client.expect("250 2.0.0 .*")
peak = client.peak()
client.send("MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n")
client.expect("250 .*", "250 .*", "354 .*")
for _ in range(60):
    client.send(line * 1000)
client.send(".\r\nQUIT\r\n")
client.expect("552 5.3.4 Message is too large", "221 .*")
client.expect_end()
assert peak < 8192, f"{peak} KiB"
assert int(open(HERE + "/size").read()) > 49900000
assert sorted(os.listdir(HERE)) == ["client.py", "conf", "log", "size"], os.listdir(HERE)
END
}

# The session with what is in the file input has ended by a limit, and its log is small.
is_ended() { # WHAT
    "$MAILRECV" -c conf -l log -P 192.0.2.7 <input | tail -n 1 >last
    grep -q '^421 4\.7\.0 Too many ' last || { echo "$1: $(cat last)"; return 1; }
    [ "$(wc -l <log)" -le 1100 ] && [ "$(stat -c %s log)" -le 300000 ] || { echo "$1: $(wc <log)"; return 1; }
}

@test "nothing can be repeated without end: each session ends by a limit, and with a log that is small" {
    cd "$BATS_TEST_TMPDIR"
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann >users
    chmod 600 users
    printf '%s\n' 'domain mail.example.com' 'limit.smtp_rcpt_to 2' 'limit.smtp_data_size 10' 'fsync off' \
        'auth optional' 'auth.insecure on' "auth.users $PWD/users" 'error rcpt_to ^later 451 Later' \
        "deliver rcpt_to user@example.com append $PWD/box" 'deliver rcpt_to no@example.com pipe exit 65' \
        'deliver rcpt_to fails@example.com pipe exit 75' >conf
    chmod 600 conf
    head='EHLO me\r\n' mail='MAIL FROM:<>\r\n' user='RCPT TO:<user@example.com>\r\n'
    for what in 'EHLO me\r\n' 'HELO me\r\n' 'HELO\r\n' 'NOOP\r\n' 'RSET\r\n' 'VRFY x\r\n' 'HELP\r\n' 'EXPN x\r\n' 'FOO\r\n' '\r\n' '\xff\r\n' \
        'STARTTLS\r\n' 'AUTH LOGIN\r\n*\r\n' 'AUTH PLAIN ????\r\n' 'AUTH NTLM\r\n' 'AUTH LOGIN\r\nx\r\n' \
        'DATA\r\n' "$mail" "$user" "${mail}RSET\r\n" "${mail}${user}RSET\r\n" "${mail}EHLO me\r\n" "${mail}DATA\r\nRSET\r\n" \
        "${mail}RCPT TO:<gone@example.com>\r\nRSET\r\n" "${mail}RCPT TO:<later@example.com>\r\nRSET\r\n" 'MAIL FROM:<\r\n' \
        'MAIL FROM:<> SIZE=99\r\n' 'MAIL FROM:<> BODY=x\r\n' 'MAIL FROM:<> XYZ\r\n' "MAIL FROM:<> SIZE=99\r\n$user" \
        "${mail}${user}DATA\r\nmore than ten bytes\r\n.\r\n" \
        "${mail}RCPT TO:<no@example.com>\r\nDATA\r\n.\r\n" "${mail}RCPT TO:<fails@example.com>\r\nDATA\r\n.\r\n"; do
        rm -f log
        # shellcheck disable=SC2059 # it is a format
        printf "$head" >input
        # shellcheck disable=SC2059
        printf "$what%.0s" {1..1100} >>input
        is_ended "$what"
    done
    for what in 'RCPT TO:<gone@example.com>' 'RCPT TO:<later@example.com>' 'RCPT TO:<user@example.com>' 'RCPT TO:<' 'RCPT' 'MAIL FROM:<>'; do
        rm -f log
        { printf '%b' "$head$mail"; yes "$what"$'\r' | head -n 1200; } >input
        is_ended "$what"
    done
}
