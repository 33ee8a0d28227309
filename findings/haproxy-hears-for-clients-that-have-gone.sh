#!/bin/bash
# haproxy-hears-for-clients-that-have-gone.sh - what a server behind HAProxy learns of a client that leaves before its answer
#
# A server that has done what it was asked answers, and may look whether the answer arrived: a client that has closed its
# socket never acknowledges it, but sends a RST, so that bytes stay unacknowledged and the socket has an error. One that
# remembers for whom no answer was left (a ledger against doubles) lives on that. Between the two stands HAProxy in TCP mode,
# with nothing set but addresses and timeouts. The client sends a line and closes; then the server answers. Seen here:
# - HAProxy passes on the end of the client's half, and goes on taking from the server: the answer is acknowledged at once,
#   and thrown away when the client's host answers with RST. The server sees what it sees of a client that listens.
# - `option nolinger` in the backend changes that: the server's connection is reset as soon as the client has closed.
# - `option nolinger` in the frontend does not, although both sections may have it; nor does `option abortonclose`.
# - The price: a client that shuts down its sending half alone, and waits for the answer (as `nc -N` does), is taken for one
#   that has gone. It gets an end of file, and no answer.
# - A client that resets its connection is told of by a reset, with all of them.
#
# usage: haproxy-hears-for-clients-that-have-gone.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried
set -u
packages=(haproxy=2.6.12-1+deb12u4 liblua5.3-0=5.3.6-2 libopentracing-c-wrapper0=1.1.3-3+b1 libopentracing1=1.6.0-4)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
library=$(dirname "$(find "$PWD/root" -name 'liblua5.3.so.0')")

cat >try.py <<'END'
import fcntl, socket, struct, subprocess, termios, time

frontends = {"HAProxy": ("", ""), "with nolinger in the frontend": ("option nolinger", ""),
             "with nolinger in the backend": ("", "option nolinger"), "with abortonclose": ("", "option abortonclose")}
server = socket.create_server(("127.0.0.1", 0))
server.settimeout(10)
home = server.getsockname()
kept, ports = [], {} # HAProxy takes over sockets that listen
lines = ["defaults", "mode tcp", "timeout connect 5s", "timeout client 60s", "timeout server 60s"]
for number, (name, (front, back)) in enumerate(frontends.items()):
    kept.append(socket.create_server(("127.0.0.1", 0)))
    ports[name] = kept[-1].getsockname()
    lines += [f"frontend f{number}", f"bind fd@{kept[-1].fileno()}", f"default_backend b{number}", front,
              f"backend b{number}", f"server s 127.0.0.1:{home[1]}", back]
with open("haproxy.cfg", "w") as file:
    file.write("\n".join(lines) + "\n")
haproxy = subprocess.Popen(["haproxy", "-db", "-f", "haproxy.cfg"], pass_fds=[s.fileno() for s in kept])

def sees(connection):
    """What the server learns by reading, by sending its answer, and by waiting two seconds for what becomes of that."""
    try:
        seen = "end of file" if connection.recv(100) == b"" else "more"
        connection.sendall(b"taken\r\n")
    except OSError:
        return "reset before the answer"
    end = time.monotonic() + 2
    while time.monotonic() < end:
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            return seen + ", reset after the answer"
        if struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0] == 0:
            return seen + ", answer acknowledged"
        time.sleep(0.01)
    return seen + ", answer not acknowledged"

def attempt(address, way):
    client = socket.create_connection(address, 10)
    client.sendall(b"a message\r\n")
    connection, _ = server.accept()
    connection.settimeout(10)
    assert connection.recv(100) == b"a message\r\n"
    if way == "resets":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if way == "shuts down its half":
        client.shutdown(socket.SHUT_WR)
        seen = sees(connection)
        client.settimeout(10)
        return seen + ", client got " + (client.recv(100).decode().strip() or "nothing")
    client.close()
    return sees(connection)

for way in ("closes", "resets", "shuts down its half"):
    print("the client", way)
    for name, address in [("no proxy", home)] + list(ports.items()):
        print(f"  {name}: {attempt(address, way)}")
haproxy.terminate()
haproxy.wait()
END
LD_LIBRARY_PATH=$library PATH=$PWD/root/usr/sbin:$PATH timeout 120 python3 try.py >seen 2>trouble || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { echo 'HAProxy has changed'; exit 1; }
the client closes
  no proxy: end of file, reset after the answer
  HAProxy: end of file, answer acknowledged
  with nolinger in the frontend: end of file, answer acknowledged
  with nolinger in the backend: reset before the answer
  with abortonclose: end of file, answer acknowledged
the client resets
  no proxy: reset before the answer
  HAProxy: reset before the answer
  with nolinger in the frontend: reset before the answer
  with nolinger in the backend: reset before the answer
  with abortonclose: reset before the answer
the client shuts down its half
  no proxy: end of file, answer acknowledged, client got taken
  HAProxy: end of file, answer acknowledged, client got taken
  with nolinger in the frontend: end of file, answer acknowledged, client got taken
  with nolinger in the backend: reset before the answer, client got nothing
  with abortonclose: end of file, answer acknowledged, client got taken
END
