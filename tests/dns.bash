# dns.bash - what the tests of DNS share: a real server with zones of their own, and one that misbehaves
# shellcheck shell=bash

load common

# The address of nsd, which serves tests/zones, in $DNS, and on the same port of ::1; stop_nsd ends it.
start_nsd() {
    local directory=$BATS_FILE_TMPDIR/nsd try zone file

    mkdir -p "$directory"
    for try in 1 2 3 4 5; do
        DNS=127.0.0.1:$(python3 -c '
import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])')
        cat >"$directory/conf" <<END
server:
    ip-address: ${DNS/:/@}
    ip-address: ::1@${DNS#*:}
    username: ""
    chroot: ""
    zonesdir: "$TESTS/zones"
    database: ""
    pidfile: ""
    xfrdfile: ""
    xfrdir: "$directory"
    zonelistfile: "$directory/zonelist"
    server-count: 1
remote-control:
    control-enable: no
END
        while read -r zone file; do
            printf 'zone:\n    name: %s\n    zonefile: %s\n' "$zone" "$file" >>"$directory/conf"
        done <<END
example example.zone
2.0.192.in-addr.arpa 192.0.2.zone
8.b.d.0.1.0.0.2.ip6.arpa 2001-db8.zone
END
        PATH=$PATH:/usr/sbin nsd -d -c "$directory/conf" >"$directory/log" 2>&1 3>&- &
        NSD=$!
        wait_for "$directory/log" 'nsd started|error' || true
        grep -q 'nsd started' "$directory/log" && break
        kill "$NSD" 2>/dev/null || true
        [ "$try" -lt 5 ] || { cat "$directory/log"; return 1; }
    done
    export DNS NSD
}

stop_nsd() {
    kill "$NSD"
    wait "$NSD" || true
}

# Starts the server that does as it is told: odd RECORD...; its address is $ODD, what it was asked in $QUESTIONS.
odd() {
    QUESTIONS=$BATS_TEST_TMPDIR/questions.$((++ODD_COUNT))
    "$TESTS/tools/odd-dns" "$QUESTIONS" "$@" 3>&- &
    ODD_PIDS="$ODD_PIDS $!"
    wait_for "$QUESTIONS" '^[0-9]+$'
    ODD=127.0.0.1:$(head -n 1 "$QUESTIONS")
}

# The questions that it got, sorted, without the ports of servers.
asked() { tail -n +2 "$QUESTIONS" | sort; }

stop_odd() {
    local pid
    for pid in $ODD_PIDS; do
        kill "$pid"
        wait "$pid" || true
    done 2>/dev/null
    ODD_PIDS=
}

# Plays a dialogue from standard input whose client is ADDRESS: from ADDRESS [SERVER]
from() {
    sed "1a\\
via: unix\\
env: TCPREMOTEIP=$1\\
peer: $1\\
conf: dns.server ${2:-$DNS}\\
conf: dns.timeout 3000" | "$TESTS/dialog" -
}
