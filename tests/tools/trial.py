# What the tools that break things share: a session on loopback, and what its three targets hold afterwards
"""
A trial happens in the current directory. Its message number N comes from sN@client.example and goes
to an mbox (box), a maildir (dir) and a command that stores it under the message's id (piped/new).
From the number follows every byte of the text, so that half a message is told from a whole one.
"""
import ctypes
import os
import re
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

PATIENCE = 10  # seconds for a session to end, if nobody is to wait for anything
RECIPIENTS = {"box": "append box", "dir": "maildir dir",
              "pipe": "pipe cat >piped/tmp/$MESSAGE_ID && mv piped/tmp/$MESSAGE_ID piped/new/$MESSAGE_ID"}
OLD = b"From old@client.example Thu Jan  1 00:00:00 1970\n\nkeep\n\n"
SEPARATOR = re.compile(rb"\A\n?( \t \n\n)?")  # what is put behind half a message
FROM_LINE = re.compile(rb"From s\d+@client\.example \w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}\n")
HEAD = re.compile(rb"Return-Path: <s(\d+)@client\.example>\nDelivered-To: \S+@mx\.example\n"
                  rb"Received: from helo\.example \([^)\n]*\)\n\tby mx\.example \(mailrecv\) with E?SMTPS? id (\S+)"
                  rb"(?:\n\t\(TLS[^)\n]*\))?;\n"
                  rb"\t[^\n]+\n")


class Broken(Exception):
    """A promise is."""


def configure(*lines, recipients=RECIPIENTS, **limits):
    """Writes conf, with rules for the recipients."""
    with open("conf", "w") as conf:
        print("domain mx.example", "spool_directory .", *lines, sep="\n", file=conf)
        for name, target in recipients.items():
            print(f"deliver rcpt_to {name}@mx.example {target}", file=conf)
    os.chmod("conf", 0o644)


def tls_lines():
    """Lines for configure() that ask for TLS from the first byte, as TlsSession has it."""
    if not os.path.exists("cert.pem"):
        subprocess.run(("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=mx.example", "-keyout", "key.pem", "-out", "cert.pem"),
                       check=True, capture_output=True)
    return "tls implicit", "tls.cert cert.pem", "tls.key key.pem"


def fresh(old=OLD, maildir=True):
    """The targets as they are before a session; an empty mbox does not exist yet."""
    for name in "dir", "piped":
        shutil.rmtree(name, ignore_errors=True)
    for name in ("dir/tmp", "dir/new", "dir/cur")[:3 * maildir] + ("piped/tmp", "piped/new"):
        os.makedirs(name)
    with open("box", "wb") as box:
        box.write(old)
    if not old:
        os.unlink("box")


# ---- messages ------------------------------------------------------------------------------


LARGE, SMALL, MEDIUM = SIZES = range(3)  # needs a file as spool; is one write; is several writes


def text_of(number):
    """The sizes take turns."""
    lines = {LARGE: 3000, SMALL: 20, MEDIUM: 1500}[number % len(SIZES)]
    return b"\n" + b"".join(b"message %08d line %08d of a text that is long enough\n" % (number, i) for i in range(lines))


def steps_of(number, names=tuple(RECIPIENTS)):
    """What a client sends, and how many replies it waits for before it goes on."""
    envelope = b"MAIL FROM:<s%d@client.example>\r\n" % number
    envelope += b"".join(b"RCPT TO:<%s@mx.example>\r\n" % name.encode() for name in names)
    return [(b"", 1), (b"EHLO helo.example\r\n", 1), (envelope + b"DATA\r\n", 2 + len(names)),
            (text_of(number).replace(b"\n", b"\r\n") + b".\r\n", 1), (b"QUIT\r\n", 1)]


def whole(copy):
    """The number of the message if this is a whole copy of one, else None."""
    head = HEAD.match(copy)
    if head and copy[head.end():] == text_of(int(head[1])):
        return int(head[1])
    return None


def whole_in_mbox(data):
    """The same for a message in an mbox, with From_ line and blank line."""
    line = FROM_LINE.match(data)
    return whole(data[line.end():-1]) if line and data.endswith(b"\n\n") else None


def is_beginning(data, number):
    """May this be what a killed process had written of a message in an mbox?"""
    line = FROM_LINE.match(data)
    if not line:
        return len(data) < 80 and (b"From s%d@client.example " % number).startswith(data[:24])
    head = HEAD.match(data, line.end())
    if not head:
        return len(data) < 600 and b"\n\n" not in data
    return (text_of(number) + b"\n").startswith(data[head.end():])


def in_directory(path):
    """The numbers of the messages in a directory, each of which must be whole."""
    numbers = []
    for name in os.listdir(path) if os.path.exists(path) else []:
        with open(os.path.join(path, name), "rb") as file:
            number = whole(file.read())
        if number is None:
            raise Broken(f"half a message in {path}")
        numbers.append(number)
    return numbers


def read(path):
    """What is in a file; nothing, if it does not exist."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def in_box(before, number, may_be_cut=False):
    """How often the message is in box behind what was there: 0, 1, or None for an unacknowledged tail."""
    now = read("box")
    if not now.startswith(before):
        raise Broken("old mail in the mbox has changed")
    rest = now[len(before):]
    if before and not before.endswith(b"\n\n"):
        rest = SEPARATOR.sub(b"", rest, 1)
    if rest == b"":
        return 0
    if whole_in_mbox(rest) == number:
        return 1
    if may_be_cut and is_beginning(rest, number):
        return None
    raise Broken(f"half a message in the mbox: {rest[:70]!r}... of {len(rest)} bytes")


def delivered(before, number, may_be_cut=False):
    """How often a message is in each of the targets."""
    counts = {"box": in_box(before, number, may_be_cut)}
    for name, path in ("dir", "dir/new"), ("pipe", "piped/new"):
        numbers = in_directory(path)
        if any(other != number for other in numbers) or len(numbers) > 1:
            raise Broken(f"{path} holds {numbers}, sent was {number}")
        counts[name] = len(numbers)
    return counts


# ---- sessions ------------------------------------------------------------------------------


def adopt_orphans():
    """From here on every process that a session leaves behind becomes our child, so that we can wait for it."""
    if ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
        raise OSError(ctypes.get_errno(), "prctl")


def connection():
    """Both ends of a TCP connection on loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client = socket.create_connection(listener.getsockname())
        return client, listener.accept()[0]


def start(command, server):
    """Runs the program as a super-server does; the connection is its own then."""
    program = shutil.which(command[0])
    pid = os.posix_spawn(program, command, os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, server.fileno(), fd) for fd in (0, 1)])
    server.close()
    return pid


def reset_on_close(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def ends(pid):
    """Waits until the process has ended, and ends it itself if that lasts: then the result is false."""
    pidfd = os.pidfd_open(pid)
    in_time = bool(select.select([pidfd], [], [], PATIENCE)[0])
    if not in_time:
        os.kill(pid, signal.SIGKILL)
    os.close(pidfd)
    os.waitpid(pid, 0)
    return in_time


def children():
    with open(f"/proc/{os.getpid()}/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]


def end_all():
    for pid in iter(lambda: next(iter(children()), None), None):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def wait_for_all():
    """Waits until no process is left of a session. It is an error if that lasts."""
    left = []
    for pid in iter(lambda: next(iter(children()), None), None):
        if not ends(pid):
            left.append(pid)
    if left:
        raise Broken(f"processes do not end: {left}")


class Session:
    """One client that sends one message, in lockstep, until the connection is closed."""

    def __init__(self, command, number, names=tuple(RECIPIENTS)):
        self.steps = steps_of(number, names)
        self.codes, self.times, self.pending, self.said = [], [], b"", b""
        self.want = 0
        self.begin = time.monotonic()
        self.client, self.pid = self.connect(command)
        self.client.setblocking(False)

    def connect(self, command):
        """Returns the client's end of a connection, and the process behind the other one."""
        client, server = connection()
        return client, start(command, server)

    def wait(self):
        """Waits until no process is left of it."""
        wait_for_all()

    def clock(self):
        return time.monotonic() - self.begin

    def encode(self, step):
        """What is to be sent for what is to be said."""
        return step

    def decode(self, data):
        """What was said by what has come."""
        return data

    def go_on(self):
        """Sends what is to be sent, and the next step when its turn has come."""
        while len(self.codes) >= self.want and not self.pending and self.steps:
            step, replies = self.steps.pop(0)
            self.pending = self.encode(step)
            self.want += replies
            self.times.append(self.clock())
        try:
            while self.pending:
                self.pending = self.pending[self.client.send(self.pending):]
        except BlockingIOError:
            pass
        except OSError:
            self.pending, self.steps = b"", []  # the other end is closed: we shall read that

    def hear(self):
        """Reads what is there. False: the connection is closed."""
        try:
            data = self.client.recv(65536)
        except OSError:
            data = b""
        self.said += self.decode(data)
        self.codes = [int(code) for code in re.findall(rb"^(\d{3}) .*\r\n", self.said, re.M)]
        return data != b""

    def play(self, moment=None, strike=None):
        """To the end; at a moment, in seconds, strike(pid) is called. Returns the codes of all replies."""
        self.go_on()
        while True:
            left = PATIENCE if strike is None else max(0, moment - self.clock())
            readable, writable, _ = select.select([self.client], [self.client] if self.pending else [], [], left)
            if strike is not None and self.clock() >= moment:
                strike(self.pid)
                strike = None
            elif not readable and not writable:
                end_all()
                raise Broken(f"the session hangs after {self.said[-60:]!r}")
            if readable and not self.hear():
                break
            self.go_on()
        self.times.append(self.clock())
        self.client.close()
        self.wait()
        return self.codes

    def acknowledged(self):
        """Was the message answered with 250? The codes before: greeting, EHLO, MAIL, RCPT..., DATA."""
        try:
            return self.codes[self.codes.index(354) + 1] == 250
        except (ValueError, IndexError):
            return False


class TlsSession(Session):
    """The same over TLS from the first byte."""

    def __init__(self, *arguments):
        context = ssl.create_default_context(cafile="cert.pem")
        context.check_hostname = False
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        super().__init__(*arguments)

    def encode(self, step):
        if step:
            self.tls.write(step)
        else:
            self.decode(b"")  # the greeting is awaited: the handshake begins
        pending, self.pending = self.pending + self.outgoing.read(), b""
        return pending

    def decode(self, data):
        self.incoming.write(data)
        said = b""
        try:
            self.tls.do_handshake()  # does nothing when it is done
            while more := self.tls.read(65536):
                said += more
        except ssl.SSLError:
            pass  # there will be more, or no more, or it is no TLS: a service that is not configured says so in clear
        self.pending += self.outgoing.read()
        return said
