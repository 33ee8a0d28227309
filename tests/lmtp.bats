#!/usr/bin/env bats
# LMTP: when a reply is given, what becomes of those that cannot be, and servers that start mailrecv as a command

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

bats_require_minimum_version 1.5.0
load common
load serving

setup() {
    cd "$BATS_TEST_TMPDIR"
    config
}

teardown() {
    stop_server
}

# Recipients: now@ and more@ are files, wait@ is a command that ends when there is a file `go`, once@ are one command for all.
config() { # [LINE]...
    printf '%s\n' 'domain mx.example' "logfile $PWD/log" 'protocol lmtp' "spool_directory $PWD" \
        "deliver rcpt_to now@mx.example append $PWD/now" "deliver rcpt_to more@mx.example append $PWD/more" \
        "deliver rcpt_to wait@mx.example pipe cat >$PWD/wait; until [ -e $PWD/go ]; do sleep 0.02; done" \
        "deliver once rcpt_to /^once-/ pipe cat >$PWD/once; echo \"\$RECIPIENTS\" >>$PWD/runs" "$@" >conf
}

# Runs a program of servers that hand mail on. Peer() starts mailrecv as their commands are started: with a UNIX socket thrice,
# as Postfix has it, or `pipes`, of which one is standard output and standard error, as Exim has it.
peers() { # [ARGUMENT]... < PROGRAM
    {
        cat <<'END'
import os, signal, socket, subprocess, sys, time

OPTIONS = os.environ.get("OPTIONS", "").split()

def as_exim():
    os.umask(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)

class Peer:
    def __init__(self, pipes=False):
        if pipes:
            theirs, self.out = os.pipe()
            self.input, answers = os.pipe()
        else:
            ours, end = socket.socketpair()
            self.out = self.input = ours.detach()
            theirs = answers = end.detach()
        self.process = subprocess.Popen([os.environ["MAILRECV"], "-c", os.path.abspath("conf"), *OPTIONS], stdin=theirs,
                                        stdout=answers, stderr=answers, env={}, cwd="/", preexec_fn=as_exim)
        for fd in {theirs, answers}:
            os.close(fd)
        self.file = os.fdopen(self.input, "rb", closefd=False)
        expect(self.line(), "220 mx.example LMTP mailrecv")
    def line(self):
        return self.file.readline().decode().rstrip("\r\n")
    def reply(self):
        line = self.line()
        while line[3:4] == "-":
            line = self.line()
        return line
    def say(self, *lines):
        os.write(self.out, b"".join(line.encode() + b"\r\n" for line in lines))
    def begin(self, *recipients):
        """One group up to DATA, and then one from the message to QUIT."""
        self.say("LHLO peer.example", "MAIL FROM:<s@peer.example>", *("RCPT TO:<%s@mx.example>" % r for r in recipients), "DATA")
        for code in ["250", "250"] + ["250"] * len(recipients) + ["354"]:
            expect(self.reply()[:3], code)
        self.say("Subject: x", "", "text", ".", "QUIT")
    def rest(self):
        return self.file.read().decode()
    def end(self, status=0):
        expect(self.process.wait(10), status)
    def session(self):
        return int(children(self.process.pid)[0])

def children(pid):
    return open("/proc/%s/task/%s/children" % (pid, pid)).read().split()

def expect(got, wanted):
    if got != wanted:
        sys.exit("got %r, expected %r" % (got, wanted))

def expect_replies(peer, *beginnings):
    for beginning in beginnings:
        expect(peer.reply()[:len(beginning)], beginning)

def until(path):
    while not os.path.exists(path):
        time.sleep(0.01)

def go():
    open("go", "w").close()
END
        cat
    } >peers.py
    timeout 60 python3 peers.py "$@"
}

@test "a reply is there as soon as it is known, on a socket and over pipes, and QUIT is answered behind the last" {
    for how in '' pipes; do
        rm -f go wait now more
        peers $how <<'END'
peer = Peer(pipes=len(sys.argv) > 1)
peer.begin("now", "wait", "more", "now")
expect_replies(peer, "250 2.0.0 Ok, delivered as")
until("wait")
expect(os.path.exists("more"), False)
go()
expect_replies(peer, "250 2.0.0", "250 2.0.0", "250 2.0.0")
expect(peer.rest(), "221 2.0.0 Goodbye\r\n")
peer.end()
END
    done
    [ "$(grep -c '^From ' now)" = 1 ]
    grep -qF '[local] end reason=quit' log
}

@test "two replies that are known at once leave one by one" {
    peers <<'END'
peer = Peer()
peer.say("NOOP")
expect_replies(peer, "250") # of the session process, which is there by now
tracer = subprocess.Popen(["strace", "-qq", "-s", "200", "-e", "trace=sendto", "-o", "trace", "-p", str(peer.session())])
while "TracerPid:\t%d\n" % tracer.pid not in open("/proc/%d/status" % peer.session()).read():
    time.sleep(0.01)
peer.begin("now", "more", "now")
peer.rest()
peer.end()
tracer.wait(10)
END
    [ "$(grep -c '"250 2.0.0' trace)" = 3 ]
    run ! grep '"250 2.0.0.*250 2.0.0' trace
}

@test "the monitor is killed between two replies, or the session: the connection ends, and QUIT has no answer" {
    for whom in monitor session; do
        rm -f go wait now more
        peers $whom <<'END'
peer = Peer()
peer.begin("now", "wait", "more")
expect_replies(peer, "250 2.0.0")
until("wait")
monitor = sys.argv[1] == "monitor"
os.kill(peer.process.pid if monitor else peer.session(), signal.SIGKILL)
expect(peer.rest(), "")
go()
peer.end(-9 if monitor else 0)
END
        [ -e now ]
        [ ! -e more ]
    done
    # the same connection by the listener
    rm -f go wait now more
    "$MAILRECV" -L "unix:$PWD/socket" -c conf -l log 3>&- &
    local listener=$!
    until [ -S socket ]; do sleep 0.02; done
    peers $listener <<'END'
s = socket.socket(socket.AF_UNIX)
s.connect("socket")
f = s.makefile("rb")
s.sendall(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<now@mx.example>\r\nRCPT TO:<wait@mx.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n")
while not f.readline().startswith(b"250 2.0.0 Ok"):
    pass
until("wait")
for child in children(sys.argv[1]):
    if len(children(child)) == 2: # session and command: it is the monitor
        os.kill(int(child), signal.SIGKILL)
expect(f.read(), b"")
go()
END
    kill -TERM $listener
    wait $listener
}

@test "the peer goes between two replies: nothing is delivered to those behind" {
    peers <<'END'
peer = Peer()
peer.begin("now", "wait", "more")
expect_replies(peer, "250 2.0.0")
until("wait")
os.close(peer.out)
go()
peer.end()
END
    grep -q 'delivery result=delivered .*to="wait@mx.example"' log
    grep -q 'end reason=broken ' log
    [ ! -e more ]
}

@test "SIGTERM, which the peer ignores, ends the delivery at hand; the others hear 451, and QUIT is answered" {
    peers <<'END'
peer = Peer(pipes=True)
peer.begin("now", "wait", "more", "now")
expect_replies(peer, "250 2.0.0")
until("wait")
os.kill(peer.process.pid, signal.SIGTERM)
expect_replies(peer, "451 4.3.0", "451 4.3.2 The service is being stopped", "250 2.0.0")
rest = peer.rest()
if rest[:3] not in ("221", "421"):
    sys.exit(rest)
peer.end()
END
    [ ! -e more ]
    [ "$(grep -c '^From ' now)" = 1 ]
}

@test "nothing is written where the peer reads replies: no log, whatever is wrong" {
    config 'logfile stderr' 'debug s' 'sandbox off'
    OPTIONS='-l stderr -d srf' peers <<'END'
for pipes in True, False:
    peer = Peer(pipes)
    peer.begin("now", "more")
    expect_replies(peer, "250 2.0.0", "250 2.0.0")
    expect(peer.rest(), "221 2.0.0 Goodbye\r\n")
    peer.end()
END
    [ "$(stat -c %a now)" = 600 ] # the umask of the peer is 0
    config 'nonsense'
    OPTIONS='-l stderr' peers <<'END' && return 1
Peer(pipes=True)
END
    peers <<'END' 2>&1 | grep -F "got '421 The service is not configured"
Peer(pipes=True)
END
}

@test "a line with once is run once, when the first of its recipients is due" {
    peers <<'END'
peer = Peer()
peer.begin("wait", "once-a", "now", "once-b")
until("wait")
expect(os.path.exists("runs"), False)
go()
expect_replies(peer, "250", "250", "250", "250")
expect(peer.rest(), "221 2.0.0 Goodbye\r\n")
END
    [ "$(cat runs)" = $'once-a@mx.example\nonce-b@mx.example' ]
    [ "$(grep -c 'delivery result=delivered .* to="once-' log)" = 2 ]
}

@test "a message that needs a file is whole for each, and many that fail are not too much" {
    config 'deliver rcpt_to @fail.example append /nonexistent/box'
    peers <<'END'
peer = Peer()
text = "".join("%06d %s\r\n" % (i, "x" * 90) for i in range(5000))
peer.say("LHLO peer.example", "MAIL FROM:<s@peer.example>", "RCPT TO:<now@mx.example>", "RCPT TO:<once-a@mx.example>",
         "RCPT TO:<more@mx.example>", "DATA")
for code in "250", "250", "250", "250", "250", "354":
    expect(peer.reply()[:3], code)
data = (text + ".\r\n").encode()
while data:
    data = data[os.write(peer.out, data):]
expect_replies(peer, "250", "250", "250")
open("text", "w").write(text.replace("\r\n", "\n"))
for i in range(30):
    peer.say("MAIL FROM:<s@peer.example>", *("RCPT TO:<a%d@fail.example>" % n for n in range(100)), "DATA")
    expect_replies(peer, *["250"] * 101, "354")
    peer.say(".")
    expect_replies(peer, *["451"] * 100)
peer.say("QUIT")
expect(peer.rest(), "221 2.0.0 Goodbye\r\n")
peer.end()
END
    for file in now once more; do grep -E '^[0-9]{6} ' $file | cmp - text; done
    run ! grep violation log
}

@test "a delivery that a command calls a violation is one for its message, whatever the others say" {
    config "lockout.db $PWD/db" 'status strict 9=violation' 'deliver status strict rcpt_to @spam.example pipe exit 9'
    { printf '%s\r\n' 'LHLO x' 'MAIL FROM:<>' 'RCPT TO:<a@spam.example>' 'RCPT TO:<now@mx.example>' 'RCPT TO:<a@spam.example>' \
        'RCPT TO:<b@spam.example>' DATA x . QUIT; } | TCPREMOTEIP=192.0.2.7 "$MAILRECV" -c conf >out
    [ "$(grep -cE '^(554 5.7.0|250 2.0.0) ' out)" = 4 ]
    grep -q 'end reason=quit .*violation=command' log
    [[ $("$MAILRECV" -S json -c conf) == *'"address":"192.0.2.7","connections":1,"violations":1,'* ]]
}

@test "-n delivers nothing and answers each; -x plays a session of LMTP" {
    printf '%s\r\n' 'LHLO x' 'MAIL FROM:<>' 'RCPT TO:<now@mx.example>' 'RCPT TO:<more@mx.example>' DATA x . QUIT |
        "$MAILRECV" -n -P 192.0.2.7 -c conf >out
    [ "$(grep -c '^250 2.0.0 Ok, but nothing is delivered' out)" = 2 ]
    [ "$(grep -c 'delivery result=rehearsed' log)" = 2 ]
    "$MAILRECV" -x -c conf -P 192.0.2.7 from s@peer.example rcpt now@mx.example more@mx.example >out
    grep -q '^LHLO \[192.0.2.7\]$' out
    grep -q '^delivery to now@mx.example$' out
    grep -q '^delivery to more@mx.example$' out
    [ ! -e now ]
    "$MAILRECV" -x -c conf -P local from unknown rcpt once-1 | grep -q '^delivery to once-1@mx.example$'
}

@test "-r delivers what came by LMTP, and a message has one fate there" {
    config "deadletter_file $PWD/dead" "deliver rcpt_to mended@mx.example pipe [ -e $PWD/go ] && cat >>$PWD/mended"
    peers <<'END'
peer = Peer()
peer.begin("mended")
expect_replies(peer, "250 2.0.0")
peer.end()
END
    grep -q 'with LMTP id' dead
    run -1 "$MAILRECV" -r dead -c conf
    touch go
    run -0 "$MAILRECV" -r dead -c conf
    [[ $output == '1 delivered '* ]]
    grep -q 'with LMTP id' mended
    rm go
    printf 'Subject: x\n\ntext\n' >message
    run -1 "$MAILRECV" -r message -c conf 1 from s@peer.example rcpt now@mx.example mended@mx.example
    [[ $output == '1 deferred '* ]]
    [ ! -e now ] # commands come first
}

@test "real clients, each below another that accepts: Python's smtplib, swaks, msmtp, and openssl in TLS with a password" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 30 \
        -subj /CN=mx.example 2>openssl.out
    "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@mx.example <<<'a good password' >users
    chmod 600 users key.pem
    config 'tls optional' "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" 'auth optional' "auth.users $PWD/users"
    printf 'Subject: x\n\ntext\n' >message

    start_server xinetd "$PWD" "$MAILRECV" -c "$PWD/conf"
    python3 -c "import smtplib, sys
with smtplib.LMTP('127.0.0.1', $SERVER_PORT) as client:
    client.sendmail('s@peer.example', ['now'], open('message').read())"
    grep -q 'with LMTP id' now
    stop_server

    start_server systemd-socket-activate "$PWD" "$MAILRECV" -c "$PWD/conf"
    swaks --protocol LMTP --server 127.0.0.1 --port "$SERVER_PORT" --from s@peer.example --pipeline \
        --to now@mx.example,more@mx.example,nobody@mx.example --data - <message >said || true
    [ "$(grep -c '250 2.0.0 Ok, delivered' said)" = 2 ]
    [ "$(grep -c '550 5.1.1' said)" = 1 ]
    stop_server

    start_server systemd-socket-activate-fds "$PWD" "$MAILRECV" -c "$PWD/conf"
    msmtp -C /dev/null --protocol=lmtp --host=127.0.0.1 --port="$SERVER_PORT" --from=s@peer.example --tls=off \
        more@mx.example once-1@mx.example <message
    [ "$(cat runs)" = once-1@mx.example ]
    { printf '%s\n' 'LHLO peer.example' "AUTH PLAIN $(printf '\0ann@mx.example\0a good password' | base64)" 'MAIL FROM:<>' 'RCPT TO:<now@mx.example>' \
        'RCPT TO:<more@mx.example>' DATA x . QUIT; } |
        while read -r line; do echo "$line"; sleep 0.1; done |
        openssl s_client -connect "127.0.0.1:$SERVER_PORT" -starttls lmtp -quiet -crlf >said 2>errors
    [ "$(grep -c '^250 2.0.0 Ok, delivered' said)" = 2 ]
    grep -q 'with LMTPSA id' more
    stop_server
    [ "$(grep -c '^From ' more)" = 3 ]
    run ! grep -E 'violation|ERROR: 4' log
}
