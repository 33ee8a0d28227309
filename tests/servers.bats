# servers.bats - mailrecv under real super-servers: xinetd, systemd-socket-activate, tcpserver
# shellcheck shell=bash

load common
load serving

setup() {
    cd "$BATS_TEST_TMPDIR"
    cat >conf <<EOF
domain mail.example.com
logfile $PWD/log
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to script@example.com pipe { echo "\$CLIENT_ADDRESS \$SERVER_ADDRESS \$SERVER_PORT"; cat; } >>$PWD/script
EOF
}

teardown() {
    stop_server
}

# Sends one message to both addresses, from $1 to host $2; writes the dialogue to `dialogue`.
send() {
    exec 5<>"/dev/tcp/$2/$SERVER_PORT"
    printf '%s\r\n' "EHLO client.example" "MAIL FROM:<$1>" "RCPT TO:<inbox@example.com>" \
        "RCPT TO:<script@example.com>" DATA "Subject: hello" "" "From here on" "..." "tschüß" . QUIT >&5
    timeout 20 cat <&5 >dialogue
    exec 5<&- 5>&-
}

# The message below our headers, as a command reads it and as it stands in a file.
body=$'Subject: hello\n\nFrom here on\n..\ntschüß'
quoted=$'Subject: hello\n\n>From here on\n..\ntschüß'

# What must have come of send: $1 is the sender, $2 the address of client and server.
check_sent() {
    [ "$(head -n1 dialogue)" = $'220 mail.example.com ESMTP mailrecv\r' ]
    [ "$(grep -c '^250 2.1.5 ' dialogue)" -eq 2 ]
    [ "$(grep -c '^250 2.0.0 Ok, delivered as ' dialogue)" -eq 1 ]
    [ "$(tail -n1 dialogue)" = $'221 2.0.0 Goodbye\r' ]
    [ "$(head -n1 script)" = "$2 $2 $SERVER_PORT" ]
    [ "$(sed '1,/^$/d' script)" = "${body#*$'\n\n'}" ]
    [ "$(tail -n5 script)" = "$body" ]
    grep -q "^From $1 " inbox
    grep -q '^Delivered-To: inbox@example.com$' inbox
    [ "$(tail -n6 inbox)" = "$quoted" ]
    [ "$(grep -c "\[$2\] delivery result=delivered .* from=\"$1\" " log)" -eq 2 ]
    wait_for log "\[$2\] end reason=quit "
}

walk_through() { # KIND ADDRESS...
    local kind=$1 host
    shift
    start_server "$kind" "$PWD" "$MAILRECV" -c "$PWD/conf"
    for host in "$@"; do
        rm -f inbox script log
        send "a.$kind@example.com" "$host"
        check_sent "a.$kind@example.com" "$host"
    done
}

@test "xinetd: one message to a file and one to a command, IPv4 and IPv6" {
    walk_through xinetd 127.0.0.1 ::1
}

@test "systemd-socket-activate: one message to a file and one to a command, IPv4 and IPv6" {
    walk_through systemd-socket-activate 127.0.0.1 ::1
}

@test "tcpserver: one message to a file and one to a command" {
    walk_through tcpserver 127.0.0.1
}

@test "under xinetd the log on standard error does not reach the client" {
    start_server xinetd "$PWD" "$MAILRECV" -c "$PWD/conf" -l stderr -d s
    send a@example.com 127.0.0.1
    [ "$(grep -cvE '^[0-9]{3}[ -]' dialogue)" -eq 0 ]
    [ "$(tail -n1 dialogue)" = $'221 2.0.0 Goodbye\r' ]
}

@test "a client that is gone before the greeting, and one that is gone in a message, leave nothing" {
    start_server systemd-socket-activate "$PWD" "$MAILRECV" -c "$PWD/conf"
    exec 5<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    exec 5<&- 5>&-
    exec 5<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    printf '%s\r\n' "MAIL FROM:<a@example.com>" "RCPT TO:<inbox@example.com>" "RCPT TO:<script@example.com>" DATA half >&5
    for _ in 1 2 3 4; do read -r -t 10 -u 5 _; done
    exec 5<&- 5>&-
    wait_for log 'end reason=(eof|broken) .*data=1'
    [ ! -e inbox ]
    [ ! -e script ]
}

@test "a hundred clients at once: each gets its answer, each message arrives whole" {
    start_server systemd-socket-activate "$PWD" "$MAILRECV" -c "$PWD/conf"
    python3 - "$SERVER_PORT" <<'EOF'
import smtplib, sys, threading
def one(n):
    with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example", 60) as s:
        s.sendmail("a@example.com", ["inbox@example.com"], "Subject: %d\r\n\r\n%s\r\n" % (n, ("%d " % n) * 2000))
    done.append(n)
done = []
threads = [threading.Thread(target=one, args=(n,)) for n in range(100)]
for t in threads: t.start()
for t in threads: t.join()
assert sorted(done) == list(range(100)), done
EOF
    python3 - inbox <<'EOF'
import mailbox, sys
box = list(mailbox.mbox(sys.argv[1]))
assert sorted(int(m["Subject"]) for m in box) == list(range(100))
for m in box:
    assert m.get_payload().strip() == ("%s " % m["Subject"] * 2000).strip(), m["Subject"]
EOF
}

# ---- README ----

# The fenced block number $2 of kind $1 in README.
block() {
    awk -v kind="\`\`\`$1" -v number="$2" '/^```/ { on = $0 == kind && ++n == number; next } on' "$TESTS/../README.md"
}

@test "the small configuration of README and the dialogue with nc go as printed" {
    block conf 2 | sed -e "s,/var/lib/mailrecv,$PWD," >"$PWD/conf"
    echo "logfile $PWD/log" >>conf
    block smtp 1 | sed '1d' >printed # the first line is the command
    [ "$(wc -l <printed)" -eq 18 ]
    for kind in xinetd systemd-socket-activate; do
        start_server $kind "$PWD" "$MAILRECV" -c "$PWD/conf"
        grep -v '^[0-9]' printed | timeout 20 nc -N localhost "$SERVER_PORT" >replies
        same_id='s/delivered as [0-9a-f.]+/delivered as ID/'
        tr -d '\r' <replies | sed -E "$same_id" >heard
        grep '^[0-9]' printed | sed -E "$same_id" | diff - heard
        tail -n4 inbox | diff - <(printf 'Subject: hello\n\nIt works.\n\n')
        wait_for log 'end reason=quit '
        # the log lines of README, as far as they are printed
        sed -nE 's/^    \.\.\. (MAILRECV\[6397\]: .*)/\1/p' "$TESTS/../README.md" |
            sed -E -e 's/ \.\.\.$//' -e 's/.*: \[127\.0\.0\.1\] //' -e 's/\[127\.0\.0\.1\]$//' -e 's/id=[^ ]*/id=ID/' -e 's/secs=[^ ]*/secs=N/' >shown
        [ "$(wc -l <shown)" -eq 4 ]
        sed -E -e 's/id=[^ ]*/id=ID/' -e 's/secs=[^ ]*/secs=N/' log >simple
        while IFS= read -r line; do grep -F -e "$line" simple; done <shown
        stop_server
        rm inbox log
    done
}

@test "the lines of README that switch the xinetd service on do" {
    cp "$TESTS/../xinetd/mailrecv" service
    eval "$(sed -nE 's,^    (sed -i .*) /etc/xinetd.d/mailrecv$,\1 service,p' "$TESTS/../README.md")"
    [ "$(diff service "$TESTS/../xinetd/mailrecv" | grep -c '^[<>]')" -eq 2 ]
    grep -qxE '\s*disable\s*= no' service
}

# ---- the files that are installed ----

# The shipped xinetd file for this test: our port, our user, our program, and instead of all
# addresses an IPv4-mapped one, which an IPv6 socket sees as it sees IPv4 on a dual-stack port.
@test "the xinetd file works as it stands, and IPv4 on its IPv6 socket is IPv4 in the log" {
    launch() {
        sed -E -e 's,^(\s*disable\s*=).*,\1 no,' -e "s,^(\s*port\s*=).*,\1 $2\n\tbind = ::ffff:127.0.0.1," \
            -e "s,^(\s*log_type\s*=).*,\1 FILE $PWD/refused.log," -e "s,^(\s*user\s*=).*,\1 $(id -un)," -e "s,^(\s*server\s*=).*,\1 $MAILRECV," \
            -e "s,^(\s*server_args\s*=).*,\1 -c $PWD/conf," "$TESTS/../xinetd/mailrecv" >xinetd.conf
        timeout 60 xinetd -dontfork -f "$PWD/xinetd.conf" -pidfile "$PWD/xinetd.pid" -filelog "$PWD/xinetd.log" \
            >server.out 2>&1 </dev/null &
        SERVER_PID=$!
    }
    await_server() {
        local deadline=$((SECONDS + 10))
        until listening "$2" 6; do [ $SECONDS -lt $deadline ] && kill -0 "$SERVER_PID" && sleep 0.02 || return 1; done
    }
    start_server xinetd "$PWD"
    send a@example.com 127.0.0.1
    check_sent a@example.com 127.0.0.1
    # per_source = 10: the eleventh of one address is closed without a greeting, and comes later
    python3 - "$SERVER_PORT" <<'EOF'
import socket, sys
def connect():
    return socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20)
first = [connect() for _ in range(10)]
for s in first:
    assert s.recv(4) == b"220 "
assert connect().recv(4) == b""
EOF
    wait_for refused.log 'FAIL: mailrecv per_source_limit from=::ffff:127\.0\.0\.1'
    never_in_file 'Bad|error|ERROR|unknown|WARNING' xinetd.log
}

never_in_file() {
    if grep -E "$1" "$2"; then return 1; fi
}

# The units with our program in place of the installed one.
units() {
    mkdir -p units
    for unit in mailrecv.socket mailrecv@.service; do
        sed "s,/usr/local/sbin/mailrecv,$MAILRECV," "$TESTS/../systemd/$unit" >"units/$unit"
    done
}

@test "systemd-analyze finds nothing wrong with the units" {
    units
    run systemd-analyze verify --man=no "$PWD/units/mailrecv.socket" "$PWD/units/mailrecv@.service"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "" ]
    # it does find mistakes
    echo 'Nonsense=yes' >>units/mailrecv.socket
    run systemd-analyze verify --man=no "$PWD/units/mailrecv.socket"
    [[ $output == *"Nonsense"* ]]
}

@test "the units: one session per connection, limits, no root, and setgid commands still work" {
    socket=$TESTS/../systemd/mailrecv.socket service=$TESTS/../systemd/mailrecv@.service
    for line in ListenStream=25 BindIPv6Only=both Accept=yes MaxConnections=50 MaxConnectionsPerSource=10 \
        TriggerLimitIntervalSec=0 WantedBy=sockets.target; do
        grep -qx "$line" "$socket"
    done
    for line in StandardInput=socket StandardOutput=socket StandardError=journal User=mailrecv SuccessExitStatus=66 \
        CollectMode=inactive-or-failed; do
        grep -qx "$line" "$service"
    done
    # what implies NoNewPrivileges for a service with User= (systemd.exec(5)), by which commands would lose setgid
    never_in_file '^(NoNewPrivileges|DynamicUser|SystemCall.*|RestrictAddressFamilies|RestrictNamespaces|RestrictRealtime|RestrictSUIDSGID|MemoryDenyWriteExecute|LockPersonality|PrivateDevices|ProtectKernel.*|ProtectClock|ProtectHostname)=' "$service"
}

@test "the exposure that systemd-analyze sees is medium, and ok with what the comments offer" {
    units
    run systemd-analyze security --no-pager --offline=true --threshold=70 "$PWD/units/mailrecv@.service"
    [ "$status" -eq 0 ]
    sed -E -i 's/^#   ([A-Z])/\1/; /^useradd/d' "units/mailrecv@.service"
    run systemd-analyze verify --man=no "$PWD/units/mailrecv@.service"
    [ "$output" = "" ]
    run systemd-analyze security --no-pager --offline=true --threshold=35 "$PWD/units/mailrecv@.service"
    [ "$status" -eq 0 ]
}
