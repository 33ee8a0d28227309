# slow/milters.bats - milters: decisions and messages are those of Postfix; what happens when they fail. Needs root.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load peers

SERVICES=()

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    chmod 755 "$BATS_RUN_TMPDIR"
    cd "$BATS_TEST_TMPDIR"
    umask 022
    mkdir bin && cp "$MAILRECV" bin # where all users can execute it
    MAILRECV=$PWD/bin/mailrecv
}

teardown() {
    local pid
    stop_peers
    for pid in "${SERVICES[@]}"; do
        kill "$pid" || :
        wait "$pid" || :
    done
    stop_server
}

# A milter that does what SCRIPT says and writes what it is told to the file of its name.
milter_at() { # NAME SCRIPT
    python3 "$TESTS/tools/milter" "$PWD/$1.sock" "$2" "$1" 3>&- &
    SERVICES+=($!)
    until [ -S "$1.sock" ]; do sleep 0.02; done
}

@test "decisions and messages are those of Postfix: each action at each stage, each change, and 200 generated cases" {
    local side name port
    for name in a b; do
        : >script.$name
        for side in theirs ours; do milter_at $side.$name script.$name; done
    done
    cat >main.cf <<END
smtpd_milters = unix:$PWD/theirs.a.sock, unix:$PWD/theirs.b.sock
virtual_transport = lmtp:unix:/lmtp
virtual_mailbox_maps = regexp:{{/./ x}}
smtpd_error_sleep_time = 0
mynetworks = 127.0.0.0/8
local_header_rewrite_clients =
message_drop_headers =
lmtp_tls_security_level = none
END
    start_postfix_peer
    port=$(free_port)
    cat >mailrecv.conf <<END
domain mail.example.com
dns.reverse off
milter unix:$PWD/ours.a.sock
milter unix:$PWD/ours.b.sock
quarantine append $PWD/ours.held
limit.client_sessions 100
deliver rcpt_to @example.com lmtp unix:$PWD/ours.lmtp
END
    timeout 240 "$MAILRECV" -L "127.0.0.1:$port" -c mailrecv.conf -l "$PWD/log" >mailrecv.out 2>&1 3>&- </dev/null &
    SERVER_PID=$!
    await_port "$port"
    run "$TESTS/tools/milters-beside-postfix" "$POSTFIX_PORT" "$port" 200
    echo "$output"
    [ "${lines[-1]}" = '551 sessions, 0 differ' ]
}

@test "a milter that fails, each way at each stage, with each milter.failure: nothing is lost or gets through" {
    run timeout 280 "$TESTS/tools/milter-failures" "$MAILRECV" close half nonsense unknown length die stop silent slow
    echo "$output"
    [ "${lines[-1]}" = '388 sessions, 0 wrong' ]
}
