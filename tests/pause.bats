#!/usr/bin/env bats
# pause.bats - limit.early_talker and tarpit: clients that talk too early, and refusals that take their time

bats_require_minimum_version 1.5.0
load common

# A Python program on standard input that starts the program behind a socket: see below.
play() { PYTHONPATH=$BATS_TEST_TMPDIR PYTHONDONTWRITEBYTECODE=1 timeout 60 python3 -; }

setup() {
    cat >"$BATS_TEST_TMPDIR/client.py" <<'END'
import os, re, signal, socket, subprocess, time

HERE = os.environ["BATS_TEST_TMPDIR"]


class Client:
    """A connection; clock() is the seconds since it began."""

    def __init__(self, *conf, say=""):
        with open(HERE + "/conf", "w") as file:
            file.write("\n".join(["domain mail.example.com", *conf]) + "\n")
        os.chmod(HERE + "/conf", 0o600)
        if os.path.exists(HERE + "/log"):
            os.unlink(HERE + "/log")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            self.socket = socket.create_connection(listener.getsockname())
            theirs = listener.accept()[0]
        self.socket.settimeout(30)
        self.got = b""
        self.send(say)
        self.begin = time.monotonic()
        self.process = subprocess.Popen([os.environ["MAILRECV"], "-c", HERE + "/conf", "-l", HERE + "/log"],
                                        stdin=theirs, stdout=theirs)
        theirs.close()

    def send(self, text):
        self.socket.sendall(text.encode())

    def clock(self):
        return time.monotonic() - self.begin

    def expect(self, *patterns):
        for pattern in patterns:
            while b"\n" not in self.got:
                data = self.socket.recv(65536)
                assert data, f"the connection ended, expected {pattern}"
                self.got += data
            line, _, self.got = self.got.partition(b"\n")
            assert re.fullmatch(pattern + "\r", line.decode()), f"expected {pattern}, got {line}"

    def ends(self):
        assert self.got == b"" and self.socket.recv(65536) == b""
        assert self.process.wait(30) == 0

    def await_log(self, pattern):
        """For what no event announces."""
        while not os.path.exists(HERE + "/log") or not re.search(pattern, open(HERE + "/log").read()):
            assert self.clock() < 30, f"no line of the log is like {pattern}"
            time.sleep(0.01)


def log():
    with open(HERE + "/log") as file:
        lines = [line.split("] ", 1)[1].rstrip("\n") for line in file]
    return [re.sub(r" secs=\S+", "", line) for line in lines if not line.startswith("serving as root:")]
END
}

@test "limit.early_talker: who talks before the greeting hears 554 at once, and can say QUIT" {
    play <<'END'
from client import *
client = Client("limit.early_talker on 20", say="EHLO client.example\r\nMAIL FROM:<>\r\n")
client.expect("554 You talk before you are greeted")
assert client.clock() < 15
client.expect("503 .*", "503 .*")
client.send("QUIT\r\n")
client.expect("221 .*")
client.ends()
assert log()[:2] == ["SMTP connection from remote host unknown [127.0.0.1]",
    'ERROR: 554 You talk before you are greeted stage=connect from="" line=""'], log()
client = Client("limit.early_talker on 20 450 4.7.9 Patience", say="\r\n")
client.expect("450 Patience")
END
}

@test "limit.early_talker: in the middle of the pause is too early, too" {
    play <<'END'
from client import *
client = Client("limit.early_talker on 20")
client.await_log("SMTP connection from")
client.send("E")
client.expect("554 .*")
assert client.clock() < 15
END
}

@test "limit.early_talker: who waits is greeted behind the pause" {
    play <<'END'
from client import *
client = Client("limit.early_talker on 1")
client.expect("220 .*")
assert client.clock() >= 1
client.send("QUIT\r\n")
client.expect("221 .*")
client.ends()
assert log()[-1].startswith("end reason=quit"), log()
END
}

@test "limit.early_talker: who goes has not talked" {
    play <<'END'
from client import *
client = Client("limit.early_talker on 20")
client.await_log("SMTP connection from")
client.socket.shutdown(socket.SHUT_WR)
client.expect("220 .*")
client.ends()
assert client.clock() < 15
assert len(log()) == 2 and log()[-1].startswith("end reason=eof"), log()
END
}

@test "limit.early_talker: who is refused anyway is not made to wait, SIGTERM and the session's limit end the pause" {
    play <<'END'
from client import *
client = Client("limit.early_talker on 20", "deny remotehost .")
client.expect("554 This host is not allowed.*|554 .*")
assert client.clock() < 15
assert "talk" not in log()[1]

client = Client("limit.early_talker on 20")
client.await_log("SMTP connection from")
client.process.send_signal(signal.SIGTERM)
client.expect("220 .*", "421 4.3.2 .*")
client.ends()
assert client.clock() < 15

client = Client("limit.early_talker on 20", "limit.connection_secs 1")
client.expect("220 .*", "421 4.4.2 The session took too long")
assert 1 <= client.clock() < 15
END
}

@test "limit.early_talker: never for a group of bypass" {
    play <<'END'
from client import *
client = Client("limit.early_talker on 20", "allowgroup ours ^127\\.", "bypass allowgroup ours", say="QUIT\r\n")
client.expect("220 .*", "221 .*")
client.ends()
assert client.clock() < 15
client = Client("limit.early_talker on 20", "allowgroup ours ^128\\.", "bypass allowgroup ours", say="QUIT\r\n")
client.expect("554 .*", "221 .*")
END
}

@test "limit.early_talker: with implicit TLS the client begins, and -t says so" {
    cd "$BATS_TEST_TMPDIR" || return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout key.pem \
        -out cert.pem 2>/dev/null
    play <<'END'
from client import *
import ssl
client = Client("limit.early_talker on 20", "tls implicit", f"tls.cert {HERE}/cert.pem", f"tls.key {HERE}/key.pem")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
client.socket = context.wrap_socket(client.socket)
client.expect("220 .*")
client.send("QUIT\r\n")
client.expect("221 .*")
assert client.clock() < 15
END
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == *"conf:2:1: warning: 'limit.early_talker' has no effect with tls implicit, where clients have to talk first"* ]]
}

@test "tarpit: each refusal takes longer than the one before, the rest no time" {
    play <<'END'
from client import *
client = Client("tarpit 1", f"deliver rcpt_to user@example.com append {HERE}/box")
client.expect("220 .*")
client.send("HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\n")
client.expect("250 .*", "250 .*", "250 .*")
assert client.clock() < 0.9, client.clock()
start = client.clock()
client.send("RCPT TO:<one@example.com>\r\nRCPT TO:<user@example.com>\r\nRCPT TO:<two@example.com>\r\nNOOP\r\n")
client.expect("550 .*", "250 .*")
first = client.clock()
client.expect("550 .*", "250 .*")
second = client.clock()
assert first - start >= 1 and second - first >= 1.9, (first - start, second - first)
assert second - start < 15
END
}

@test "tarpit: only what was refused for good takes time" {
    play <<'END'
from client import *
client = Client("tarpit 20", "error rcpt_to ^later 451 Later", "limit.smtp_rcpt_to 1",
                f"deliver rcpt_to user@example.com append {HERE}/box")
client.expect("220 .*")
client.send("MAIL FROM:<>\r\n" + "RCPT TO:<later@example.com>\r\n" * 50 + "RCPT TO:<user@example.com>\r\n" * 2 + "QUIT\r\n")
client.expect("250 .*", *["451 .*"] * 50, "250 .*", "452 .*", "221 .*")
assert client.clock() < 15
END
}

@test "tarpit: a client that has closed its direction waits like any other, and hears every byte once" {
    play <<'END'
from client import *
client = Client("tarpit 1", f"deliver rcpt_to user@example.com append {HERE}/box")
client.send("MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nNOOP\r\nQUIT\r\n")
client.socket.shutdown(socket.SHUT_WR)
client.expect("220 .*", "250 2.1.0 Sender ok", "550 5.1.1 No one here by that name", "550 5.1.1 No one here by that name",
              "250 2.0.0 Ok", "221 2.0.0 Goodbye")
assert 3 <= client.clock() < 15, client.clock()
client.ends()
END
    # the connection as two pipes: the end of the one says nothing about the other
    begin=$(date +%s%N)
    printf 'NONSENSE\r\nQUIT\r\n' | "$MAILRECV" -c "$BATS_TEST_TMPDIR/conf" -P 192.0.2.7 >"$BATS_TEST_TMPDIR/out"
    [ $(($(date +%s%N) - begin)) -ge 1000000000 ]
    [ "$(cut -c-3 "$BATS_TEST_TMPDIR/out" | paste -sd' ')" = '220 500 221' ]
}

@test "tarpit: a client that has gone altogether is not waited for, also when it had closed its direction first" {
    play <<'END'
from client import *
client = Client("tarpit 1000")
client.expect("220 .*")
client.send("NONSENSE\r\nNONSENSE\r\n")
client.socket.shutdown(socket.SHUT_WR)
client.await_log("ERROR: 500")
client.socket.close()
assert client.process.wait(20) == 0
END
}

@test "tarpit: replies to what came before do not wait, and a refused greeting does" {
    play <<'END'
from client import *
client = Client("tarpit 20")
client.expect("220 .*")
client.send("HELO client.example\r\nMAIL FROM:<>\r\nNONSENSE\r\n")
client.expect("250 .*", "250 .*")
assert client.clock() < 15
client.socket.close()
client = Client("tarpit 1", "deny remotehost .")
client.expect("554 .*")
assert 1 <= client.clock() < 15
END
}

@test "tarpit: the session's limit, SIGTERM and the client's end end the wait" {
    play <<'END'
from client import *
client = Client("tarpit 1000", "limit.connection_secs 1")
client.expect("220 .*")
client.send("NONSENSE\r\n")
client.expect("500 .*", "421 4.4.2 The session took too long")
client.ends()
assert 1 <= client.clock() < 15

client = Client("tarpit 1000")
client.expect("220 .*")
client.send("NONSENSE\r\n")
client.await_log("ERROR: 500")
client.process.send_signal(signal.SIGTERM)
client.expect("500 .*", "421 4.3.2 .*")
client.ends()

client = Client("tarpit 1000")
client.expect("220 .*")
client.send("NONSENSE\r\n")
client.await_log("ERROR: 500")
client.socket.close()
assert client.process.wait(20) == 0
END
}

@test "tarpit: who waits holds nothing that another session needs" {
    play <<'END'
from client import *
conf = "tarpit 1000", f"lockout.db {HERE}/contacts.db", f"deliver rcpt_to user@example.com append {HERE}/box"
one = Client(*conf)
one.expect("220 .*")
one.send("MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nRCPT TO:<nobody@example.com>\r\n")
one.expect("250 .*", "250 .*")
one.await_log("ERROR: 550 ")
other = Client(*conf)
other.expect("220 .*")
other.send("MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n.\r\nQUIT\r\n")
other.expect("250 .*", "250 .*", "354 .*", "250 .*", "221 .*")
other.ends()
assert other.clock() < 15
one.socket.close()
assert one.process.wait(20) == 0
END
}
