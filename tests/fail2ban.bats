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

# The events on standard input as lines of each kind of log (log-forms). ADDRESS becomes a client of its own for each
# line, IPv4 and IPv6.
in_all_forms() {
    local event address=0
    while IFS= read -r event; do
        while IFS= read -r form; do
            address=$((address + 1))
            echo "$form${event//ADDRESS/192.0.$((address / 256)).$((address % 256))}"
            echo "$form${event//ADDRESS/2001:db8::$address}"
        done < <(grep -v '^#' "$TESTS/fail2ban/log-forms")
    done
}

forms=$(grep -vc '^#' "$BATS_TEST_DIRNAME/fail2ban/log-forms")

# The clients of in_all_forms for $1 events, in their order.
clients() {
    for n in $(seq $((forms * $1))); do printf '192.0.%d.%d\n2001:db8::%d\n' $((n / 256)) $((n % 256)) "$n"; done
}

@test "each sample that must match does, in its own filter alone, in all forms of the log, IPv4 and IPv6" {
    for filter in mailrecv mailrecv-auth; do
        in_all_forms <"$TESTS/fail2ban/$filter.match" >lines
        count=$(wc -l <"$TESTS/fail2ban/$filter.match")
        [ "$count" -ge 3 ]
        [ "$(wc -l <lines)" -eq $((2 * forms * count)) ]
        found "$filter" lines | diff <(clients "$count") -
        other=mailrecv-auth
        [ "$filter" = mailrecv ] || other=mailrecv
        run found "$other" lines
        [ "$output" = "" ]
    done
}

# The rows of the table in lockout.c: REASON FIRST LAST FILTER|MEANING, without a filter where there is none.
violations() {
    sed -nE '/^\} violations\[\] = \{/,/^\};/{
        s,^ *\{ "([a-z]+)"\, ([0-9]+)\, ([0-9]+) \}\, +/\* filter ([a-z-]+): (.*) \*/$,\1 \2 \3 \4|\5,p
        s,^ *\{ "([a-z]+)"\, ([0-9]+)\, ([0-9]+) \}\, +/\* no filter: (.*) \*/$,\1 \2 \3 |\4,p
    }' "$TESTS/../client/lockout.c"
}

@test "what the filters find is what the table of the program calls a violation: each stage, each code" {
    violations >table
    [ "$(wc -l <table)" -ge 6 ]
    [ "$(wc -l <table)" -eq "$(sed -n '/^} violations\[\] = {/,/^};/p' "$TESTS/../client/lockout.c" | grep -c '^ *{ "')" ]
    tr -d '\n*' <"$TESTS/../monitor/monitor.h" | grep -o 'is one of the words [a-z, ]*' | cut -d' ' -f6- | tr -d , |
        tr -s ' ' '\n' >stages
    [ "$(wc -l <stages)" -ge 11 ]
    python3 - <<'END'
import ipaddress, itertools
rows = [line.rstrip("\n").split("|")[0].split(" ") for line in open("table")]
address = ipaddress.ip_address("10.0.0.0")
wanted = {"mailrecv": [], "mailrecv-auth": []}
with open("lines", "w") as out:
    def line(event, filters):
        global address
        address += 1
        out.write(f"Sat Nov  1 10:13:07 2025 MAILRECV[1]: [{address}] {event}\n")
        for name in filters:
            wanted[name].append(f"{address}\n")
    for stage, code in itertools.product(open("stages").read().split(), range(400, 600)):
        found = {name for reason, first, last, name in rows if reason == stage and int(first) <= code <= int(last)}
        mark = " refused=3/25" if stage == "rcpt" and code >= 500 else ""
        line(f'ERROR: {code} Text stage={stage}{mark} from="" line=""', found)
    for reason, first, last, name in rows:
        if first == "0":
            line(f"end reason=quit secs=0.000 messages=0 violation={reason}", [name] if name else [])
for name, addresses in wanted.items():
    with open(name, "w") as out:
        out.writelines(addresses)
END
    for filter in mailrecv mailrecv-auth; do
        [ -s "$filter" ]
        found "$filter" lines | diff "$filter" -
    done
}

# The text of a file, without comment signs and mdoc, on one line.
text() { sed -E 's/^(# |\.(Pq|Cm|Ql|It Cm) )?//; s/[|`]/ /g' "$1" | tr -s ' \n' '  '; }

@test "the filters, README and mailrecv.conf(5) say of each violation what the table says" {
    violations >table
    while IFS='|' read -r row meaning; do
        read -r reason _ _ filter <<<"$row"
        [ "${filter:-none}" != mailrecv ] || [[ "$(text "$filters/mailrecv.conf")" == *"$meaning"* ]]
        [[ "$(text "$TESTS/../README.md")" == *"$meaning"* ]]
        [[ "$(text "$TESTS/../man/mailrecv.conf.5")" == *"$reason $meaning"* ]]
    done <table
}

@test "no sample that must not match does, in any form of the log" {
    for filter in mailrecv mailrecv-auth; do
        in_all_forms <"$TESTS/fail2ban/$filter.no-match" >lines
        [ "$(wc -l <lines)" -ge 192 ]
        run found "$filter" lines
        [ "$output" = "" ]
    done
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

# A session of client $1 with one wrong password, $2; the answer takes a second.
guesser() { client "$1" 'EHLO client.example' "AUTH PLAIN $(printf '\0ann\0%s' "$2" | base64 -w 0)" QUIT; }

@test "a real fail2ban bans the client that guesses addresses and the one that guesses passwords, nobody else" {
    configure
    cat >conf <<EOF
domain mail.example.com
logfile $PWD/log
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to later@example.com pipe exit 75
auth optional
auth.insecure on
auth.users $PWD/users
EOF
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann >users
    chmod 600 users
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
    # unlucky: the delivery fails temporarily
    for _ in 1 2 3 4 5 6; do
        client 127.0.0.4 "${mail[@]}" 'RCPT TO:<later@example.com>' "${message[@]}" QUIT
    done
    # a person: nine wrong passwords, and then the right one
    for _ in 1 2 3 4 5 6 7 8 9; do guesser 127.0.0.5 wrong & guessers+=($!); done
    # a guesser, who wants somebody else to be banned
    for _ in 1 2 3 4 5 6 7 8 9 10; do guesser 127.0.0.66 '[127.0.0.5] ERROR: 535' & guessers+=($!); done
    wait "${guessers[@]}"
    client 127.0.0.5 "${mail[0]}" "AUTH PLAIN $(printf '\0ann\0secret' | base64)" QUIT
    # guilty, and wants somebody else to be banned
    for name in info sales admin root test; do
        client 127.0.0.2 'EHLO [127.0.0.3]' 'MAIL FROM:<"[127.0.0.3] ERROR: 550 x stage=rcpt "@example.com>' \
            "RCPT TO:<$name@example.com>" $'ERROR: 550 \r MAILRECV[1]: [127.0.0.3] ERROR: 550 stage=rcpt' QUIT
    done
    wait_for banned '^mailrecv 127\.0\.0\.2$' 20
    wait_for banned '^mailrecv-auth 127\.0\.0\.66$' 20
    [ "$(sort banned)" = $'mailrecv 127.0.0.2\nmailrecv-auth 127.0.0.66' ]
    grep -q '\[127\.0\.0\.5\] authenticated user="ann"$' log
    # all lines were read: none of 127.0.0.3, whose messages came, five sessions of 127.0.0.2
    f2b status mailrecv >status
    grep -qE 'Total failed:\s*5$' status
    grep -qE 'Banned IP list:\s*127\.0\.0\.2$' status
    f2b status mailrecv-auth | grep -qE 'Total failed:\s*19$'
    [ ! -e unbanned ]
}
