# fail2ban.bats - fail2ban with our filters and jails: who is found, who is banned, and nobody else
# shellcheck shell=bash

load common
load serving

filters=$BATS_TEST_DIRNAME/../fail2ban/filter.d

setup() {
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    [ -z "${BANNER_PID:-}" ] || kill "$BANNER_PID" 2>/dev/null || true
    [ -z "${BANNER_PID:-}" ] || wait "$BANNER_PID" 2>/dev/null || true
    stop_server
}

# The addresses that the filter $1 finds in file $2, each as often as it is found.
found() { fail2ban-regex -o ip --usedns=no "$2" "$filters/$1.conf"; }

# The events on standard input as lines of each kind of log, a client of its own for each kind:
# %s in an event is the address.
in_all_forms() {
    local event address=0
    while IFS= read -r event; do
        for form in "Fri Nov 21 10:13:07 2025 MAILRECV[6397]: " "Sat Nov  1 10:13:07 2025 MAILRECV[1]: " \
            "Nov  1 10:13:07 host MAILRECV[6397]: " "Nov 21 10:13:07 mail.example.com MAILRECV[6397]: " \
            "2025-11-21T10:13:07.123456+01:00 host MAILRECV[6397]: "; do
            address=$((address + 1))
            printf "%s${event//%/%%}\n" "$form" | sed "s/ADDRESS/192.0.2.$address/"
            printf "%s${event//%/%%}\n" "$form" | sed "s/ADDRESS/2001:db8::$address/"
        done
    done
}

@test "wrong passwords are found by mailrecv-auth alone, in all forms of the log, IPv4 and IPv6" {
    in_all_forms >lines <<'EOF'
[ADDRESS] ERROR: 535 Authentication failed stage=auth user="ann" from="" line="AUTH PLAIN"
[ADDRESS] ERROR: 535 Authentication failed stage=auth user="a <0x22>b<0x5d>" mechanism=login from="" line=""
[ADDRESS] ERROR: 535 Authentication failed stage=auth
EOF
    [ "$(wc -l <lines)" -eq 30 ]
    for n in $(seq 15); do printf '192.0.2.%d\n2001:db8::%d\n' "$n" "$n"; done >expected
    found mailrecv-auth lines | diff expected -
    run found mailrecv lines
    [ "$output" = "" ]
}

@test "nothing else is found by mailrecv-auth, and failed TLS handshakes by neither" {
    in_all_forms >lines <<'EOF'
[ADDRESS] TLS handshake failed reason="no shared cipher"
[ADDRESS] TLS handshake failed: "unsupported protocol"
[ADDRESS] ERROR: 454 TLS handshake failed stage=tls from="" line=""
[ADDRESS] ERROR: 454 The password cannot be checked now stage=auth user="ann" from="" line=""
[ADDRESS] ERROR: 504 This mechanism is not offered stage=auth from="" line="AUTH NTLM"
[ADDRESS] ERROR: 538 Encryption is needed first stage=auth from="" line="AUTH PLAIN"
[ADDRESS] ERROR: 501 Syntax error stage=auth user="535 Authentication failed stage=auth" from="" line=""
[ADDRESS] ERROR: 530 Authentication is required stage=mail from="" line="MAIL FROM:<x@example.com>"
[ADDRESS] ERROR: 553 This sender address is not yours stage=mail from="535 x stage=auth " line=""
[ADDRESS] ERROR: 500 Command is not known stage=command from="" line="ERROR: 535 a stage=auth "
[ADDRESS] output id=1 text="MAILRECV[1]: <0x5b>198.51.100.9<0x5d> ERROR: 535 Authentication failed stage=auth "
[ADDRESS] DEBUG s: client: "MAILRECV[1]: [198.51.100.9] ERROR: 535 Authentication failed stage=auth "
[ADDRESS] end reason=auth secs=0.000 messages=0 stage=auth
[ADDRESS] SMTP connection from remote host unknown [ADDRESS]
[local] ERROR: 535 Authentication failed stage=auth user="ann" from="" line=""
[host.example] ERROR: 535 Authentication failed stage=auth user="ann" from="" line=""
EOF
    [ "$(wc -l <lines)" -eq 160 ]
    run found mailrecv-auth lines
    [ "$output" = "" ]
    run found mailrecv lines
    [ "$output" = "" ]
}

# A configuration of fail2ban with our jails, as README switches them on, whose only action is to write.
configure() {
    cp -r /etc/fail2ban etc
    chmod -R u+w etc
    rm -f etc/jail.d/*
    cp "$filters"/*.conf etc/filter.d/
    cp "$TESTS/../fail2ban/jail.d/mailrecv.conf" etc/jail.d/
    cat >etc/fail2ban.local <<EOF
[Definition]
dbfile = $PWD/fail2ban.sqlite3
EOF
    cat >etc/action.d/write.conf <<EOF
[Definition]
actionban = echo "<name> <ip>" >>$PWD/banned
actionunban = echo "<name> <ip>" >>$PWD/unbanned
EOF
    sed -nE "s,^    (printf '\[mailrecv\].*backend = auto.* >)/etc/fail2ban/(.*)$,\1etc/\2,p" "$TESTS/../README.md" >switch
    [ "$(wc -l <switch)" -eq 1 ]
    . ./switch
    cat >etc/jail.d/zz-test.local <<EOF
[DEFAULT]
action = write
ignoreself = false
usedns = no
[mailrecv]
logpath = $PWD/log
[mailrecv-auth]
enabled = true
backend = auto
logpath = $PWD/log
EOF
}

f2b() { fail2ban-client -c "$PWD/etc" -s "$PWD/f2b.sock" -p "$PWD/f2b.pid" "$@"; }

# Words that the client at address $1 says, a session of them.
client() {
    python3 - "$SERVER_PORT" "$@" <<'EOF'
import socket, sys
port, address, words = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
with socket.create_connection(("127.0.0.1", port), 20, (address, 0)) as s:
    s.sendall("".join(word + "\r\n" for word in words).encode())
    s.shutdown(socket.SHUT_WR)
    while s.recv(4096):
        pass
EOF
}

@test "a real fail2ban bans the client that guesses addresses and the one that guesses passwords, nobody else" {
    configure
    cat >conf <<EOF
domain mail.example.com
logfile $PWD/log
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to later@example.com pipe exit 75
EOF
    touch log
    fail2ban-server -f -c "$PWD/etc" -s "$PWD/f2b.sock" -p "$PWD/f2b.pid" --logtarget "$PWD/f2b.log" start \
        >f2b.out 2>&1 </dev/null &
    BANNER_PID=$!
    wait_for f2b.log "Jail 'mailrecv-auth' started" 20
    start_server systemd-socket-activate "$PWD" "$MAILRECV" -c "$PWD/conf"
    mail=('EHLO client.example' 'MAIL FROM:<a@example.com>')
    message=(DATA 'Subject: x' '' text . )
    # innocent: mail, and one mistyped address, six times
    for _ in 1 2 3 4 5 6; do
        client 127.0.0.3 "${mail[@]}" 'RCPT TO:<inbox@example.com>' "${message[@]}" QUIT
    done
    client 127.0.0.3 "${mail[@]}" 'RCPT TO:<inbux@example.com>' 'RCPT TO:<inbox@example.com>' "${message[@]}" QUIT
    # unlucky: the delivery fails in passing
    for _ in 1 2 3 4 5 6; do
        client 127.0.0.4 "${mail[@]}" 'RCPT TO:<later@example.com>' "${message[@]}" QUIT
    done
    # lines as they are written for logins, from addresses that take no part otherwise
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        printf '%s MAILRECV[1]: [192.0.2.50] TLS handshake failed reason="no shared cipher"\n' "$(LC_ALL=C date '+%a %b %e %H:%M:%S %Y')"
        [ $n -gt 9 ] || printf '%s MAILRECV[1]: [192.0.2.51] ERROR: 535 Authentication failed stage=auth user="ann" from="" line=""\n' "$(LC_ALL=C date '+%a %b %e %H:%M:%S %Y')"
        [ $n -gt 10 ] || printf '%s MAILRECV[1]: [192.0.2.52] ERROR: 535 Authentication failed stage=auth user="ann" from="" line=""\n' "$(LC_ALL=C date '+%a %b %e %H:%M:%S %Y')"
    done >>log
    # guilty, and wants somebody else to be banned
    for name in info sales admin root test; do
        client 127.0.0.2 'EHLO [127.0.0.3]' 'MAIL FROM:<"[127.0.0.3] ERROR: 550 x stage=rcpt "@example.com>' \
            "RCPT TO:<$name@example.com>" $'ERROR: 550 \r MAILRECV[1]: [127.0.0.3] ERROR: 550 stage=rcpt' QUIT
    done
    wait_for banned '^mailrecv 127\.0\.0\.2$' 20
    wait_for banned '^mailrecv-auth 192\.0\.2\.52$' 20
    [ "$(sort banned)" = $'mailrecv 127.0.0.2\nmailrecv-auth 192.0.2.52' ]
    # all lines were read: one mistake of 127.0.0.3, five of 127.0.0.2
    f2b status mailrecv >status
    grep -qE 'Total failed:\s*6$' status
    grep -qE 'Banned IP list:\s*127\.0\.0\.2$' status
    f2b status mailrecv-auth | grep -qE 'Total failed:\s*19$'
    [ ! -e unbanned ]
}
