# servers.bats - mailrecv under real super-servers: xinetd, systemd-socket-activate, tcpserver, inetd; and without one
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

@test "xinetd with wait = yes: mailrecv accepts, over IPv4 and IPv6" {
    walk_through xinetd-wait 127.0.0.1 ::1
}

@test "systemd-socket-activate without --accept: mailrecv accepts, over IPv4 and IPv6; and at standard input" {
    walk_through systemd-socket-activate-fds 127.0.0.1 ::1
    stop_server
    walk_through systemd-socket-activate-wait 127.0.0.1
}

@test "inetd with wait, that of OpenBSD and that of GNU: mailrecv accepts" {
    for kind in openbsd-inetd-wait inetutils-inetd-wait; do
        walk_through $kind 127.0.0.1
        stop_server
    done
}

@test "-L: mailrecv accepts without a super-server, over IPv4 and IPv6" {
    walk_through alone 127.0.0.1 ::1
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
    echo 'limit.client_sessions 100' >>conf # for one that accepts
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
    block conf 2 | sed -e "s,/var/lib/mailrecv,$PWD,; s,/var/log/mailrecv\.log,$PWD/log," >"$PWD/conf"
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
    for name in mailrecv mailrecv-wait; do
        cp "$TESTS/../xinetd/$name" service
        eval "$(sed -nE "s,^    (sed -i .*) /etc/xinetd.d/$name\$,\1 service,p" "$TESTS/../README.md")"
        [ "$(diff service "$TESTS/../xinetd/$name" | grep -c '^[<>]')" -eq 2 ]
        grep -qxE '\s*disable\s*= no' service
    done
}

# The line of README that begins with $1, for our program and user. Only root can become another one.
readme_line() {
    local user
    user=$(id -un)
    sed -nE "s,^    ($1 .*),\1,p" "$TESTS/../README.md" |
        sed -E -e "s,/usr/local/sbin/mailrecv,$MAILRECV,; s,/etc/mailrecv\.conf,$PWD/conf," \
            -e "s/wait mailrecv /wait $user /; s/^s6-envuidgid mailrecv/s6-envuidgid $user/" \
            -e "s/-u .*id -u mailrecv\) -g .*id -g mailrecv\)/$([ "$user" != root ] || echo -u 0 -g 0)/" \
            -e "$([ "$user" = root ] || echo 's/s6-tcpserver -U /s6-tcpserver /')"
}

# Has start_server start what README says.
servers_of_readme() {
    accepting=()
    launch() {
        local line
        case $1 in
        inetd)
            readme_line "smtp stream tcp $WAIT" | sed "s/^smtp /127.0.0.1:$2 /" >inetd.conf
            line="$("$TESTS/unpacked" inetutils-inetd usr/sbin/inetutils-inetd) -d --pidfile=$PWD/inetd.pid $PWD/inetd.conf" ;;
        tcpserver)
            line="$(readme_line tcpserver | sed "s/ 0\.0\.0\.0 25 / 127.0.0.1 $2 /") -c $PWD/conf" ;;
        esac
        # shellcheck disable=SC2086 # a line of words
        timeout 60 $line >server.out 2>&1 </dev/null &
        SERVER_PID=$!
    }
    await_server() {
        local deadline=$((SECONDS + 10))
        until listening "$2" 4; do [ $SECONDS -lt $deadline ] && kill -0 "$SERVER_PID" && sleep 0.02 || return 1; done
    }
}

@test "mailrecv(8) has the same lines for inetd, tcpserver and s6 as README" {
    grep -E '^(smtp stream|tcpserver -|s6-envuidgid )' "$TESTS/../man/mailrecv.8" >manual
    [ "$(wc -l <manual)" -eq 4 ]
    sed -nE 's/^    ((smtp stream|tcpserver -|s6-envuidgid ).*)/\1/p' "$TESTS/../README.md" | sort | diff <(sort manual) -
}

@test "the lines of README for inetd.conf serve" {
    servers_of_readme
    for WAIT in nowait wait; do
        rm -f inbox script log
        start_server inetd "$PWD"
        send a@example.com 127.0.0.1
        check_sent a@example.com 127.0.0.1
        stop_server
    done
}

@test "the line of README for tcpserver serves" {
    servers_of_readme
    start_server tcpserver "$PWD"
    send a@example.com 127.0.0.1
    check_sent a@example.com 127.0.0.1
}

# Debian has s6-ipcserver, the sister of s6-tcpserver for sockets of this host: the same words but for
# the place. Who connects there has no address, and is `local`.
@test "the line of README for s6 serves, on a local socket" {
    line=$(readme_line s6-envuidgid | sed "s,s6-tcpserver ,s6-ipcserver -1 ,; s, 0\.0\.0\.0 25 , $PWD/socket ,")
    [[ $line == *"s6-ipcserver -1 "*"$PWD/socket $MAILRECV" ]]
    mkfifo ready
    # shellcheck disable=SC2086 # a line of words
    timeout 60 $line -c "$PWD/conf" >ready 2>server.out </dev/null &
    SERVER_PID=$!
    read -r -t 20 _ <ready # it says so when it listens
    python3 - <<'EOF'
import smtplib, socket
class Local(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect("socket")
        return s
with Local("localhost", 25, "client.example", 20) as s:
    s.sendmail("a@example.com", ["inbox@example.com"], "Subject: hello\r\n\r\ntext\r\n")
EOF
    wait_for log '\[local\] end reason=quit .*messages=1 '
    grep -qx text inbox
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

@test "the xinetd file with wait works as it stands, and mailrecv.conf has the limits" {
    launch() {
        sed -E -e 's,^(\s*disable\s*=).*,\1 no,' -e "s,^(\s*port\s*=).*,\1 $2\n\tbind = ::ffff:127.0.0.1," \
            -e "s,^(\s*log_type\s*=).*,\1 FILE $PWD/refused.log," -e "s,^(\s*user\s*=).*,\1 $(id -un)," -e "s,^(\s*server\s*=).*,\1 $MAILRECV," \
            -e "s,^(\s*server_args\s*=).*,\1 -c $PWD/conf," "$TESTS/../xinetd/mailrecv-wait" >xinetd.conf
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
    python3 - "$SERVER_PORT" <<'EOF'
import socket, sys
first = [socket.create_connection(("127.0.0.1", int(sys.argv[1])), 20) for _ in range(11)]
assert [s.recv(4) for s in first] == [b"220 "] * 10 + [b"421 "]
EOF
    grep -q '\[127\.0\.0\.1\] ERROR: 421 .* stage=connect ' log
    never_in_file 'Bad|error|ERROR|unknown|WARNING' xinetd.log
}

never_in_file() {
    if grep -E "$1" "$2"; then return 1; fi
}

# The units with our program in place of the installed one, in the directory `units`; with a drop-in, too.
units() {
    local unit
    mkdir -p units
    for unit in "$TESTS"/../systemd/*.socket "$TESTS"/../systemd/*.service; do
        sed "s,/usr/local/sbin/mailrecv,$MAILRECV," "$unit" >"units/${unit##*/}"
    done
    if [ "${1:-}" = with-drop-in ]; then
        mkdir -p units/mailrecv@.service.d
        cp "$TESTS/../systemd/demanding-commands.conf" units/mailrecv@.service.d
    fi
}

verify() { systemd-analyze verify --man=no "$PWD/units"/*.s*e "$PWD/units"/*.socket; }
exposure() { # AT MOST, of 100
    systemd-analyze security --no-pager --offline=true --threshold="$1" "$PWD/units/${2:-mailrecv@}.service"
}

@test "systemd-analyze finds nothing wrong with the units" {
    units
    run verify
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "" ]
    # it does find mistakes
    echo 'Nonsense=yes' >>units/mailrecv.socket
    run verify
    [[ $output == *"Nonsense"* ]]
}

@test "the units: one session per connection, limits, no root" {
    socket=$TESTS/../systemd/mailrecv.socket service=$TESTS/../systemd/mailrecv@.service
    for line in ListenStream=25 BindIPv6Only=both Accept=yes MaxConnections=50 MaxConnectionsPerSource=10 \
        TriggerLimitIntervalSec=0 WantedBy=sockets.target; do
        grep -qx "$line" "$socket"
    done
    for line in StandardInput=socket StandardOutput=socket StandardError=journal User=mailrecv SuccessExitStatus=66 \
        CollectMode=inactive-or-failed NoNewPrivileges=yes CapabilityBoundingSet=; do
        grep -qx "$line" "$service"
    done
}

@test "the units where mailrecv accepts: no limit of starts, stopped with the socket, confined as a session's unit is" {
    socket=$TESTS/../systemd/mailrecv-listen.socket service=$TESTS/../systemd/mailrecv-listen.service
    for line in ListenStream=25 BindIPv6Only=both Accept=no TriggerLimitIntervalSec=0 Conflicts=mailrecv.socket After=mailrecv.socket WantedBy=sockets.target; do
        grep -qx "$line" "$socket"
    done
    for line in StartLimitIntervalSec=0 Requires=mailrecv-listen.socket KillMode=process StandardError=journal; do
        grep -qx "$line" "$service"
    done
    settings() { sed '1,/^\[Service\]/d' "$1" | grep -vE '^(#|$|Standard|SuccessExitStatus=|TasksMax=)' | sort; }
    diff <(settings "$TESTS/../systemd/mailrecv@.service") <(settings "$service")
}

@test "the exposure that systemd-analyze sees is 2.0 at most" {
    units
    exposure 20 mailrecv-listen
    exposure 20
    # it does measure: without the list of system calls it is more
    sed -i '/^SystemCallFilter=/d' units/mailrecv@.service
    run exposure 20
    [ "$status" -eq 1 ]
}

@test "the drop-in for demanding commands is right, and takes back all that implies NoNewPrivileges" {
    units with-drop-in
    run verify
    [ "$output" = "" ]
    run exposure 20
    [ "$status" -eq 1 ]
    exposure 60
    # what implies NoNewPrivileges for a service with User= (systemd.exec(5))
    sed -nE 's/^((SystemCall|RestrictA|RestrictN|RestrictR|RestrictS|MemoryDeny|LockP|PrivateDev|ProtectKernel|ProtectClock|ProtectHost)[A-Za-z]*)=.*/\1/p' \
        "$TESTS/../systemd/mailrecv@.service" | grep -vx SystemCallErrorNumber | sort >implies
    [ "$(wc -l <implies)" -eq 13 ]
    sed -nE 's/^([A-Z][A-Za-z]*)=(no)?$/\1/p' "$TESTS/../systemd/demanding-commands.conf" | grep -vx NoNewPrivileges | sort | diff implies -
    grep -qx NoNewPrivileges=no "$TESTS/../systemd/demanding-commands.conf"
    # with all that it offers
    sed -i 's/^#\([A-Z]\)/\1/' units/mailrecv@.service.d/demanding-commands.conf
    run verify
    [ "$output" = "" ]
    exposure 70
}

# Serves by mailrecv under what the unit restricts, and the drop-ins that are given.
serve_under_unit() {
    local unit=$TESTS/../systemd/mailrecv@.service
    cat >>conf <<EOF
sandbox on
deliver rcpt_to maildir@example.com maildir $PWD/maildir
deliver rcpt_to exec@example.com exec $PWD/program
EOF
    start_server systemd-socket-activate "$PWD" "$TESTS/under-unit" "$unit" "$@" -- "$MAILRECV" -c "$PWD/conf"
}

# One message of 300000 bytes to the recipients $2..., by the client library of Python, via 127.0.0.1.
send_large() {
    python3 - "$SERVER_PORT" "$@" <<'EOF'
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example", 60) as s:
    s.sendmail("a@example.com", sys.argv[2:], "Subject: large\r\n\r\n" + ("x" * 98 + "\r\n") * 3000)
EOF
}

@test "a session under all that the unit restricts: file, maildir, shell and program get their mail" {
    cat >program <<'EOF'
#!/bin/sh
cat >message
grep -E '^(NoNewPrivs|CapEff|Seccomp):' /proc/self/status >status
umask >mask
unshare --user true 2>>denied
python3 -c 'import socket; socket.socket(socket.AF_NETLINK)' 2>>denied
python3 -c 'import socket; socket.socket(socket.AF_INET); socket.socket(socket.AF_INET6); socket.socket(socket.AF_UNIX)'
EOF
    sed -i "2i cd $PWD || exit 1" program
    chmod 755 program
    serve_under_unit
    send a@example.com 127.0.0.1
    check_sent a@example.com 127.0.0.1
    # large: the spool is a file that crosses the wall
    send_large inbox@example.com maildir@example.com exec@example.com
    [ "$(grep -c 'delivery result=delivered' log)" -eq 5 ]
    [ "$(grep -c x inbox)" -gt 3000 ]
    [ "$(cat maildir/new/* | grep -cx 'x\{98\}')" -eq 3000 ]
    [ "$(grep -cx 'x\{98\}' message)" -eq 3000 ]
    # what the command could and could not do
    [ "$(tr -d '\t\n' <status)" = "CapEff:0000000000000000NoNewPrivs:1Seccomp:2" ]
    [ "$(cat mask)" = 0077 ]
    grep -q 'unshare.*Operation not permitted' denied
    grep -q 'Address family not supported' denied
    [ "$(grep -cE 'violation|killed|failed|sandbox' log)" -eq 0 ]
}

@test "a session under the unit survives a client that is gone, and ends one by SIGTERM with 421" {
    serve_under_unit
    exec 5<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    printf 'EHLO client.example\r\nMAIL FROM:<a@example.com>\r\n' >&5
    exec 5<&- 5>&-
    wait_for log 'end reason=(eof|broken)'
    exec 5<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    read -r -t 20 -u 5 greeting
    [[ $greeting == 220* ]]
    until [ "$(grep -c 'SMTP connection' log)" -eq 2 ]; do sleep 0.02; done # logged behind the greeting
    kill -TERM "$(sed -nE '$s/.*MAILRECV\[([0-9]+)\].*/\1/p' log)"
    read -r -t 20 -u 5 last
    [[ $last == "421 "* ]]
    exec 5<&- 5>&-
    wait_for log 'end reason=terminated'
}

# Only root can make a setgid program and become somebody else who calls it.
@test "a setgid command is not kept from its group with the drop-in, and is without it" {
    local unit=mailrecv@.service drop_in=demanding-commands.conf tmp
    tmp=$(mktemp -d /var/tmp/mailrecv-test.XXXXXX) # a place that nobody can reach
    cp "$TESTS/under-unit" "$TESTS/../systemd/$unit" "$TESTS/../systemd/$drop_in" /usr/bin/id "$tmp"
    if [ "$(id -u)" -eq 0 ]; then
        chgrp mail "$tmp/id"
        chmod 2755 "$tmp/id"
        chmod 755 "$tmp"
        as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
        group=mail without=nogroup
    else
        as_nobody() { "$@"; }
        group=$(id -gn) without=$group
    fi
    cd "$tmp"
    as_nobody ./under-unit $unit -- sh -c './id -gn; grep NoNewPrivs /proc/self/status' >"$BATS_TEST_TMPDIR/out"
    as_nobody ./under-unit $unit $drop_in -- sh -c './id -gn; grep NoNewPrivs /proc/self/status' >>"$BATS_TEST_TMPDIR/out"
    cd "$BATS_TEST_TMPDIR"
    rm -r "$tmp"
    diff out - <<EOF
$without
NoNewPrivs:	1
$group
NoNewPrivs:	0
EOF
}
