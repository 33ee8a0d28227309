# soak.bats - a listener after very many connections is what it was after the first hundred
# shellcheck shell=bash
#
# A part of `make check` by name (tests/check soak): SOAK connections (100000), which take some minutes.

load ../common

teardown() {
    [ -z "${LISTENER:-}" ] || kill "$LISTENER" 2>/dev/null || true
}

@test "memory, descriptors and processes are in the end what they were after the first hundred" {
    cd "$BATS_TEST_TMPDIR"
    printf '%s\n' 'domain mx.example' 'logfile /dev/null' "deliver rcpt_to @example.com append $PWD/box" >conf
    "$MAILRECV" -L "$PWD/socket" -c conf 3>&- &
    LISTENER=$!
    python3 - "$LISTENER" "${SOAK:-100000}" <<'END'
import os, socket, sys, threading, time
listener, count = int(sys.argv[1]), int(sys.argv[2])

def play(lines):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect("socket")
        f = s.makefile("rb")
        assert f.readline()[:4] == b"220 "
        s.sendall(lines)
        assert f.read().splitlines()[-1][:4] == b"221 "

def some(numbers):
    for n in numbers:
        play(b"MAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n" if n % 100 == 0 else b"QUIT\r\n")
        done.append(n)

def many(count):
    threads = [threading.Thread(target=some, args=(range(k, count, 4),)) for k in range(4)]
    for t in threads: t.start()
    for t in threads: t.join()

def state():
    """When all is quiet: two looks that see the same."""
    while True:
        before = look()
        time.sleep(0.5)
        if look() == before:
            return before

def look():
    with open(f"/proc/{listener}/smaps_rollup") as maps, open(f"/proc/{listener}/task/{listener}/children") as children:
        dirty = sum(int(line.split()[1]) for line in maps if line.startswith("Private_Dirty:"))
        return dirty, len(os.listdir(f"/proc/{listener}/fd")), len(children.read().split())

done = []
while not os.path.exists("socket"):
    time.sleep(0.01)
many(100)
first = state()
many(count - 100)
last = state()
print("after 100 (KiB dirty, descriptors, children):", first, "after", len(done), last)
assert len(done) == count
assert last[1:] == first[1:]
assert last[0] <= first[0] * 1.2 + 32
END
    [ "$(grep -c ^hello box)" -eq "$((1 + (${SOAK:-100000} - 100 + 99) / 100))" ]
}
