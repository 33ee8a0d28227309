# restarts.bats - what becomes of the port when a mailrecv that accepts connections ends under a real super-server
# shellcheck shell=bash

load common
load serving

setup() {
    cd "$BATS_TEST_TMPDIR"
    configuration
    # counts how often it is started
    printf '#!/bin/sh\ncd "%s" && echo $$ >>starts && exec "%s" "$@"\n' "$PWD" "$MAILRECV" >counted
    chmod 755 counted
    cat >client.py <<'END'
import random, smtplib, socket, sys, threading, time
PORT = int(sys.argv[1])
def greeting():
    with socket.create_connection(("127.0.0.1", PORT), 20) as s:
        return s.makefile("rb").readline().decode().rstrip("\r\n")
def deliver(text):
    with smtplib.SMTP("127.0.0.1", PORT, "client.example", 20) as s:
        s.sendmail("a@example.com", ["inbox@example.com"], "Subject: %s\r\n\r\n" % text)
def starts():
    return open("starts").read().split()
END
}

teardown() {
    stop_server
}

configuration() { # [LINE]...
    printf '%s\n' 'domain mail.example.com' "logfile $PWD/log" "deliver rcpt_to inbox@example.com append $PWD/inbox" \
        'listen.idle_secs 1' "$@" >conf.new
    mv conf.new conf
}

play() { PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1 timeout 60 python3 - "$SERVER_PORT"; }

# Starts one of these anew, each with the program and further options.
SERVERS='xinetd-wait openbsd-inetd-wait inetutils-inetd-wait'
begin() { # KIND [OPTION]...
    local kind=$1
    shift
    stop_server
    rm -f starts inbox
    start_server "$kind" "$PWD" "$PWD/counted" -c "$PWD/conf" "$@"
}

@test "clients that come while an idle mailrecv ends are served, by it or by the next one" {
    for kind in $SERVERS; do
        begin "$kind"
        play <<'END'
from client import *
for n in range(8):
    deliver(n)
    time.sleep(random.uniform(0.95, 1.05)) # about when it ends
threads = [threading.Thread(target=deliver, args=(n,)) for n in range(8, 18)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(starts()) >= 2, starts()
END
        [ "$(grep -c '^Subject: ' inbox)" = 18 ]
    done
}

@test "a mailrecv that was killed or stopped is started again for the next client" {
    for kind in $SERVERS; do
        begin "$kind"
        play <<'END'
from client import *
import os, signal
deliver(1)
for n, end in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGHUP), 2):
    last = starts()[-1]
    os.kill(int(last), end)
    while os.path.exists("/proc/" + last):
        time.sleep(0.01)
    deliver(n)
    assert len(starts()) == n, starts()
END
        [ "$(grep -c '^Subject: ' inbox)" = 4 ]
    done
}

@test "a mistake in the configuration: 421 for each client, no start after the other, and all is well when it is mended" {
    for kind in $SERVERS; do
        configuration nonsense
        begin "$kind"
        play <<'END'
from client import *
for n in range(300): # more than any of them starts anew
    assert greeting() == "421 The service is not configured, try again later"
assert len(starts()) <= 3, starts()
END
        configuration
        play <<'END'
from client import *
deliver("mended")
END
        grep -q '^Subject: mended' inbox
    done
}

@test "a mistake on the command line: each start says 421 to a client and waits, so that the super-server does not give up" {
    for kind in $SERVERS; do
        begin "$kind" -l "$PWD/log" --nonsense
        play <<'END'
from client import *
begin = time.monotonic()
for n in range(2):
    assert greeting() == "421 The service is not configured, try again later"
assert time.monotonic() - begin > 1.9
assert len(starts()) == 2, starts()
END
    done
    # one that is found later
    begin xinetd-wait -l "$PWD/log" -n
    play <<'END'
from client import *
assert greeting() == "421 The service is not configured, try again later"
END
    grep -q -e '-n needs -P, -x or -r' log
}

@test "several sockets, one of them of this host: LISTEN_FDS" {
    launch() { # the kind does not matter
        timeout 60 systemd-socket-activate --listen="127.0.0.1:$2" --listen="[::1]:$2" --listen="$PWD/socket" \
            "$MAILRECV" -c "$PWD/conf" >server.out 2>&1 </dev/null &
        SERVER_PID=$!
    }
    start_server systemd-socket-activate "$PWD"
    play <<'END'
from client import *
for family, place in (socket.AF_INET6, ("::1", PORT)), (socket.AF_UNIX, "socket"), (socket.AF_INET, ("127.0.0.1", PORT)):
    s = socket.socket(family)
    s.settimeout(20)
    s.connect(place)
    s.sendall(b"QUIT\r\n")
    lines = s.makefile("rb").read().splitlines()
    assert [line[:3] for line in lines] == [b"220", b"221"], lines
END
    for client in 127.0.0.1 ::1 local; do wait_for log "\[$client\] end reason=quit"; done
}
