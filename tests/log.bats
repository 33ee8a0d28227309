# log.bats - the log: its shape, its places, what fail2ban finds in it, and that nobody can forge it
# shellcheck shell=bash

load common

filter=$BATS_TEST_DIRNAME/../fail2ban/filter.d/mailrecv.conf
loose='^.* \[<HOST>\] ERROR: 550 No one here'
date='(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 1-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-6][0-9] [0-9]{4}'

setup() {
    cd "$BATS_TEST_TMPDIR"
    cat >conf <<EOF
domain mail.example.com
logfile $PWD/log
deny remotehost ^192\.0\.2\.66$
deny remotehost ^2001:db8::66$
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to echo@example.com pipe cat
deliver rcpt_to refuse@example.com pipe cat; exit 65
deliver rcpt_to later@example.com pipe exit 75
error rcpt_to ^broken@ 451 4.3.0 Come back later
limit.smtp_unknowncmd 100000
limit.smtp_failcmds 100000
limit.smtp_commands 100000
recipient_delimiter +
EOF
}

# A session: the client's lines are arguments, `from` its address (and more options before it).
session() {
    local from=$1
    shift
    printf '%s\r\n' "$@" | timeout -s KILL 20 "$MAILRECV" -c conf -P "$from"
}

# The addresses that fail2ban finds in a file, each line of them as often as it is found.
found() { fail2ban-regex -o ip --usedns=no "$1" "$2"; }

to() { printf '%s\n' 'EHLO client.example' 'MAIL FROM:<a@example.com>' "RCPT TO:<$1>"; }

# A whole message to one recipient, as arguments of session.
message_to() {
    mapfile -t lines < <(to "$1"; printf '%s\n' DATA 'Subject: test' '' text . QUIT)
    session "$2" "${lines[@]}"
}

# Fails if the command succeeds (a plain ! would not fail a test).
never() {
    if "$@"; then return 1; fi
}

# What stands outside of double quotes in a file.
outside_quotes() { sed 's/"[^"]*"//g' "$1"; }

# ---- what fail2ban finds ----

@test "the filter finds refusals in a file, in syslog and in the journal's form, IPv4 and IPv6" {
    cat >lines <<'EOF'
Sat Nov  1 10:13:07 2025 MAILRECV[6397]: [192.0.2.1] ERROR: 550 No one here by that name stage=rcpt from="x@example.com" line="RCPT TO:<nobody@example.com>"
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [2001:db8::2] ERROR: 550 No one here by that name stage=rcpt from="x@example.com" line="RCPT TO:<nobody@example.com>"
Nov  1 10:13:07 host MAILRECV[6397]: [192.0.2.3] ERROR: 421 Too many unknown commands stage=limit from="" line="FOO"
Nov 21 10:13:07 mail.example.com MAILRECV[6397]: [2001:db8:0:1::4] ERROR: 550 Not accepted from your host stage=rcpt groups=office from="" line="RCPT TO:<a@example.com>"
2025-11-21T10:13:07.123456+00:00 host MAILRECV[6397]: [192.0.2.5] ERROR: 554 Connections from your host are not accepted stage=connect from="" line=""
2025-11-21T10:13:07.123456+01:00 host MAILRECV[6397]: [2001:db8::6] ERROR: 500 This is an SMTP server, not HTTP stage=input from="" line="GET / HTTP/1.1"
Fri Nov 21 10:13:07 2025 MAILRECV[6397]: [192.0.2.7] ERROR: 500 This is an SMTP server without TLS on this port stage=input from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[6397]: [192.0.2.8] ERROR: 550 Lines must end in CRLF stage=input from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[6397]: [192.0.2.10] ERROR: 521 stage=connect stage=rcpt from="" line=""
EOF
    run found lines "$filter"
    [ "$output" = "192.0.2.1
2001:db8::2
192.0.2.3
2001:db8:0:1::4
192.0.2.5
2001:db8::6
192.0.2.7
192.0.2.8
192.0.2.10" ]
}

@test "the filter does not find passing failures, mistakes, refused messages and forged lines" {
    cat >lines <<'EOF'
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] SMTP connection from remote host unknown [192.0.2.7]
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] end reason=quit secs=0.000 messages=0 stage=rcpt
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 451 Your host cannot be checked now, try again later stage=connect from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 450 Your host has no name that leads back to its address stage=connect from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 451 This address cannot be checked now, try again later stage=rcpt from="" line="x"
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 452 Too many recipients stage=rcpt from="" line="x"
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 421 Waited too long for input stage=input from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 554 Delivery refused: stage=data detail="<a@example.com> no" from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 552 Message is too large stage=data from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 501 The argument is missing stage=helo from="" line="HELO"
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 501 Syntax error stage=mail from="" line="MAIL"
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 500 Command is not known stage=command from="" line="a stage=rcpt "
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 554 no stage=data detail=" stage=rcpt " from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] ERROR: 550 No one here by that name stage=rcpts from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [local] ERROR: 550 No one here by that name stage=rcpt from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [-] ERROR: 550 No one here by that name stage=rcpt from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [host.example] ERROR: 550 No one here by that name stage=rcpt from="" line=""
Fri Nov 21 10:13:07 2025 OTHER[1]: [192.0.2.7] ERROR: 550 No one here by that name stage=rcpt from="" line=""
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] output id=1 text="MAILRECV[1]: [198.51.100.9] ERROR: 550 No one here stage=rcpt "
Fri Nov 21 10:13:07 2025 MAILRECV[1]: [192.0.2.7] DEBUG s: client: "Fri Nov 21 10:13:07 2025 MAILRECV[1]: [198.51.100.9] ERROR: 550 No stage=rcpt "
EOF
    run found lines "$filter"
    [ "$output" = "" ]
}

@test "both find exactly the clients that were refused in real sessions" {
    # shellcheck disable=SC2046 # one word a line
    session 192.0.2.1 $'MAIL FROM:<a@example.com>' 'RCPT TO:<nobody@example.com>' QUIT
    session 2001:db8::1=client.example 'MAIL FROM:<>' 'RCPT TO:<nobody@example.com>' QUIT
    session 192.0.2.66 QUIT
    session 2001:db8::66 QUIT
    session 192.0.2.2 'GET / HTTP/1.1'
    printf '\026\003\001\002\000\001\000' | "$MAILRECV" -c conf -P 192.0.2.3
    printf 'limit.smtp_unknowncmd 2 421 Enough\nlimit.bare_newline reject\n' >>conf
    session 192.0.2.4 ONE TWO THREE
    printf 'EHLO x\nQUIT\n' | "$MAILRECV" -c conf -P 192.0.2.5
    # these do nothing that counts
    message_to inbox@example.com 192.0.2.11
    message_to refuse@example.com 192.0.2.12
    message_to later@example.com 192.0.2.13
    session 192.0.2.14 'MAIL FROM:<a@example.com>' 'RCPT TO:<broken@example.com>' QUIT
    session 192.0.2.15 HELO 'MAIL FROM' UNKNOWN QUIT
    session local 'MAIL FROM:<a@example.com>' 'RCPT TO:<nobody@example.com>' QUIT

    run found log "$filter"
    [ "$output" = "192.0.2.1
2001:db8::1
192.0.2.66
2001:db8::66
192.0.2.2
192.0.2.3
192.0.2.4
192.0.2.5" ]
    sed -i '/\[local\]/d' log # a word, which the loose pattern would take for the name of a host
    run found log "$loose"
    [ "$output" = "192.0.2.1
2001:db8::1" ]
}

@test "a refusal with quotes in the configured text is found as well" {
    printf 'error rcpt_to ^old@ 550 This "address" has [moved]\n' >>conf
    session 192.0.2.1 'MAIL FROM:<a@example.com>' 'RCPT TO:<old@example.com>' QUIT
    run found log "$filter"
    [ "$output" = 192.0.2.1 ]
}

@test "the jail uses the filter and is off until the administrator wants it" {
    cp -r /etc/fail2ban etc
    cp "$TESTS/../fail2ban/filter.d/mailrecv.conf" etc/filter.d/
    cp "$TESTS/../fail2ban/jail.d/mailrecv.conf" etc/jail.d/
    touch mail.log
    rm -f etc/jail.d/defaults-debian.conf # what else would need files of this host
    run fail2ban-client -c etc -d
    [ "$status" -eq 0 ]
    never grep mailrecv <<<"$output"
    printf '[mailrecv]\nenabled = true\nlogpath = %s/mail.log\n' "$PWD" >etc/jail.d/mailrecv.local
    run fail2ban-client -c etc -d
    [ "$status" -eq 0 ]
    [[ $output == *"['set', 'mailrecv', 'addlogpath', '$PWD/mail.log'"* ]]
    [[ $output == *"['set', 'mailrecv', 'maxretry', 5]"* ]]
    [[ $output == *"['set', 'mailrecv', 'addfailregex', '"*'stage=limit'* ]]
    [[ $output == *"['start', 'mailrecv']"* ]]
}

# ---- a hostile client ----

# After a hostile session of 192.0.2.7: nobody else is found, nothing of it stands outside of quotes.
check_unforged() {
    local refused
    never env LC_ALL=C grep '[^ -~]' log
    outside_quotes log >fixed
    never grep -F -e 198.51.100.9 -e db8::9 -e '"' fixed
    [ "$(LC_ALL=C grep -cvE "^$date MAILRECV\[[0-9]+\]: \[(192\.0\.2\.7|-)\] [A-Za-z]" log)" -eq 0 ]
    refused=$(grep -c '^[^"]*\[192\.0\.2\.7\] ERROR: 550 No one here by that name stage=rcpt' log)
    [ "$refused" -gt 10 ]
    found log "$loose" >by_loose
    [ "$(sort -u by_loose)" = 192.0.2.7 ]
    [ "$(wc -l <by_loose)" -eq "$refused" ]
    # its messages came, so its recipients do not count; if they did
    found log "$filter" >by_filter
    [ ! -s by_filter ]
    sed -E 's/^([^"]*) refused=[^ ]*/\1/' log >unforgiven
    found unforgiven "$filter" >by_filter
    [ "$(sort -u by_filter)" = 192.0.2.7 ]
    [ "$(wc -l <by_filter)" -eq "$(grep -cE '^[^"]*ERROR: 5[0-9]{2} [^"]* stage=rcpt refused=' log)" ]
}

@test "no field of a session can forge an address for the filter or a loose pattern" {
    "$TESTS/hostile" | "$MAILRECV" -c conf -P 192.0.2.7 >replies
    [ "$(tail -n1 replies)" = $'221 2.0.0 Goodbye\r' ]
    # the texts did arrive in the log: of commands, of senders, of what commands say and refuse with
    grep -q 'line="FOO <0x5b>198\.51\.100\.9<0x5d> ERROR: 550' log
    grep -q 'from="<0x22><0x5b>198\.51\.100\.9<0x5d> ERROR: 550' log
    grep -q 'output .*text=".*<0x5b>198\.51\.100\.9<0x5d> ERROR: 550' log
    grep -q 'ERROR: 554 .*stage=data .*detail="<.*198\.51\.100\.9<0x5d> ERROR' log
    check_unforged
}

@test "nor can it when smtp_ascii is off, in an LF session, and with all debug flags on" {
    printf 'limit.smtp_ascii off\ndebug a\n' >>conf
    "$TESTS/hostile" | "$MAILRECV" -c conf -P 192.0.2.7=client.example >replies
    "$TESTS/hostile" | sed 's/\r$//' | "$MAILRECV" -c conf -P 192.0.2.7=client.example >>replies
    [ "$(grep -c '^221 2.0.0 Goodbye' replies)" -eq 2 ]
    grep -q 'DEBUG s: client: "FOO <0x5b>198' log
    grep -q 'DEBUG l: .*"<0x5b>198' log
    # the configuration is the administrator's own text
    sed -i '/\] DEBUG c: /d' log
    check_unforged
}

@test "a name that no host can have is refused, and a valid one stays outside of ERROR" {
    for name in '[198.51.100.9]' 'a] ERROR: 550' $'a\nb.example' 'a b.example' 'a"b.example' '' 'a..b' '-a.example'; do
        run "$MAILRECV" -c conf -P "192.0.2.7=$name" </dev/null
        [ "$status" -eq 64 ]
        [[ $output == *"is no client, expected ADDRESS or ADDRESS=NAME"* ]]
    done
    session 192.0.2.7=error.550.198.51.100.9.example 'MAIL FROM:<a@example.com>' 'RCPT TO:<nobody@example.com>' QUIT
    grep -q 'SMTP connection from remote host error\.550\.198\.51\.100\.9\.example \[192\.0\.2\.7\]$' log
    [ "$(found log "$loose")" = 192.0.2.7 ]
    [ "$(found log "$filter")" = 192.0.2.7 ]
}

@test "a reverse name with anything in it does not leave its quotes" {
    printf '127.0.0.1 a]b["[198.51.100.9]ERROR:550\n' >hosts
    printf 'hosts: files\n' >nsswitch
    cat >serve <<'EOF'
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server = listener.accept()[0]
mailrecv = subprocess.Popen(sys.argv[1:], stdin=server, stdout=server)
server.close()
client.sendall(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<nobody@example.com>\r\nQUIT\r\n")
while client.recv(4096):
    pass
sys.exit(mailrecv.wait())
EOF
    unshare -rm sh -c 'mount --bind hosts /etc/hosts && mount --bind nsswitch /etc/nsswitch.conf && exec "$@"' sh \
        python3 serve "$MAILRECV" -c conf -d h
    cat log
    grep -q 'DEBUG h: .*"a<0x5d>b<0x5b><0x22><0x5b>198\.51\.100\.9<0x5d>' log
    grep -q 'SMTP connection from remote host unknown \[127\.0\.0\.1\]$' log
    outside_quotes log >fixed
    never grep -F 198.51.100.9 fixed
    [ "$(found log "$loose")" = 127.0.0.1 ]
    [ "$(found log "$filter")" = 127.0.0.1 ]
}

# ---- the shape ----

@test "each line has exactly the documented shape, and a session these lines in this order" {
    mapfile -t lines < <(to nobody@example.com; to echo@example.com | tail -n1; printf '%s\n' DATA 'Subject: x' '' hello . QUIT)
    printf '%s\r\n' "${lines[@]}" | "$MAILRECV" -c conf -P 192.0.2.7=client.example
    id='[0-9a-f]{13}\.[0-9a-f]+\.1'
    prefix="^$date MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] "
    shapes=(
        'SMTP connection from remote host client\.example \[192\.0\.2\.7\]'
        'ERROR: 550 No one here by that name stage=rcpt refused=1/100000 host=client\.example helo="client\.example" from="a@example\.com" line="RCPT TO:<nobody@example\.com>"'
        "output id=$id text=\"Return-Path: <a@example\.com>\""
        "output id=$id text=\"Delivered-To: echo@example\.com\""
        "output id=$id text=\"Received: from client\.example \(client\.example <0x5b>192\.0\.2\.7<0x5d>\)\""
        "output id=$id text=\"<0x09>by mail\.example\.com \(mailrecv\) with ESMTP id $id;\""
        "output id=$id text=\"<0x09>[A-Z][a-z]{2}, [ 0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [+-][0-9]{4}\""
        "output id=$id text=\"Subject: x\""
        "output id=$id text=\"hello\""
        "delivery result=delivered id=$id rule=6 target=pipe bytes=[0-9]+ secs=[0-9]+\.[0-9]{3} host=client\.example path=\"cat\" from=\"a@example\.com\" to=\"echo@example\.com\" reason=\"hello\""
        'end reason=quit secs=[0-9]+\.[0-9]{3} messages=1 ehlo=1 mail=1 rcpt=1/2 data=1 quit=1 host=client\.example helo-name="client\.example"'
    )
    # when it is root that runs this, mailrecv says so behind the first line
    mapfile -t lines < <(grep -v '\] serving as root: ' log)
    [ "${#lines[@]}" -eq "${#shapes[@]}" ]
    for i in "${!shapes[@]}"; do
        [[ ${lines[i]} =~ $prefix${shapes[i]}$ ]] || { echo "${lines[i]}"; echo "$prefix${shapes[i]}"; return 1; }
    done
}

@test "the dialogue, for who read the debug lines of 1.x, has the shape that README says" {
    printf '%s\r\n' 'EHLO a' 'FOO "[x]"' QUIT | "$MAILRECV" -c conf -d s -l shown -P 192.0.2.7 >/dev/null
    sed -n 's/^.* MAILRECV\[[0-9]*\]: \[192\.0\.2\.7\] DEBUG s: //p' shown >lines
    # shellcheck disable=SC2016 # quotes of README
    for who in 'client: "TEXT"' 'server: "CODE TEXT"'; do grep -F "\`DEBUG s: $who\`" "$TESTS/../README.md"; done
    grep -x 'client: "EHLO a"' lines
    grep -xE 'server: "250 [a-z.]+(<0x0a>[A-Z0-9 =]+)+"' lines
    grep -x 'client: "FOO <0x22><0x5b>x<0x5d><0x22>"' lines
    grep -x 'server: "500 Command is not known"' lines
    [ "$(cut -d: -f1 lines | paste -sd' ')" = 'server client server client server client server' ]
}

@test "an IPv6 client stands in brackets like any other" {
    session 2001:0DB8:0::7 QUIT
    head -n1 log | grep -qE "^$date MAILRECV\[[0-9]+\]: \[2001:db8::7\] SMTP connection from remote host unknown \[2001:db8::7\]$"
}

@test "the log file is made for owner and group only" {
    session 192.0.2.7 QUIT
    [ "$(stat -c %a log)" = 640 ]
}

# ---- one line, one write ----

@test "each line is one write to a file that is opened for appending" {
    # a message, refusals, command output; a trace per process names the file of each descriptor
    mapfile -t lines < <(to nobody@example.com; to echo@example.com | tail -n1; printf '%s\n' DATA hello . QUIT)
    printf '%s\r\n' "${lines[@]}" | strace -ff -y -s 9999 -e trace=write,writev,pwrite64,openat,open -o trace "$MAILRECV" -c conf -P 192.0.2.7
    grep -qE '^open(at)?\(.*"('"$PWD"'/)?log", [^)]*O_APPEND' trace.*
    grep -E '^[a-z0-9]+\([0-9]+<'"$PWD"'/log>' -h trace.* >writes
    [ "$(grep -cE '^write\([0-9]+<[^>]*>, "[^"\\]*(\\"[^"\\]*)*\\n", [0-9]+\) += [0-9]+$' writes)" -eq "$(wc -l <log)" ]
    [ "$(wc -l <writes)" -eq "$(wc -l <log)" ]
    [ "$(wc -l <log)" -gt 8 ]
}

@test "lines of concurrent processes do not mix" {
    long=$(printf '%01500d' 7)
    {
        for _ in 1 2 3 4 5 6 7 8 9 10; do printf 'FOO %s\r\n' "$long"; done
        printf 'QUIT\r\n'
    } >input
    for n in $(seq 1 30); do
        "$MAILRECV" -c conf -P "192.0.2.$((n + 100))" <input >/dev/null &
    done
    wait
    cut='0{'$((511 - 3 - 4))'}\.\.\.'
    for n in $(seq 1 30); do
        [ "$(grep -cE "^$date MAILRECV\[[0-9]+\]: \[192\.0\.2\.$((n + 100))\] ERROR: 500 Command is not known stage=command from=\"\" line=\"FOO $cut\"$" log)" -eq 10 ]
    done
    # 10 refusals, the first and the last line of each, and one more when it is root that runs this
    grep -v '\] serving as root: ' log >all
    [ "$(wc -l <all)" -eq 360 ]
}

# ---- syslog ----

@test "syslog gets facility mail, the right levels, and the same text without our date" {
    sed -i "s,^logfile .*,logfile syslog," conf
    mapfile -t lines < <(to nobody@example.com; for a in inbox later; do to $a@example.com | tail -n1; done; printf '%s\n' DATA hello . QUIT)
    printf '%s\r\n' "${lines[@]}" >input
    unshare -rm "$TESTS/with-syslog" out sh -c '"$@" <input >replies' sh "$MAILRECV" -c conf -d s -P 192.0.2.7
    grep -q '^451 4\.3\.0 ' replies
    stamp='[A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8}'
    # mail is facility 2: 8 * 2 + level
    grep -qE "^<22>$stamp MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] SMTP connection from remote host unknown \[192\.0\.2\.7\]$" out
    grep -qE "^<21>$stamp MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] ERROR: 550 No one here by that name stage=rcpt refused=[0-9/]+ helo=\"client\.example\" from=\"a@example\.com\" line=\"RCPT TO:<nobody@example\.com>\"$" out
    grep -qE "^<20>$stamp MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] delivery result=deferred .* to=\"later@example\.com\" reason=\"the command exited with status 75\"$" out
    grep -qE "^<22>$stamp MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] end reason=quit " out
    grep -qE "^<23>$stamp MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] DEBUG s: client: \"QUIT\"$" out
    [ "$(grep -cvE "^<(19|2[0-3])>$stamp MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] " out)" -eq 0 ]
}

@test "an error of the configuration is of level err in syslog, and on the line of the client" {
    printf 'nonsense\n' >conf
    unshare -rm "$TESTS/with-syslog" out sh -c 'echo QUIT | "$@" >replies || [ $? -eq 78 ]' sh "$MAILRECV" -c conf -P 192.0.2.7
    grep -q '^421 ' replies
    grep -qE '^<19>.* MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] conf:1:1: ' out
}

# A configuration with two mistakes, and a log in the directory.
mistaken() {
    printf '%s\n' 'domain mail.example.com' 'nonsense' "logfile $PWD/log" 'deliver nobody knows' >conf
}

@test "mistakes in the configuration are in the log that it names, with their places, and in syslog" {
    mistaken
    unshare -rm "$TESTS/with-syslog" out sh -c 'echo QUIT | "$@" >replies || [ $? -eq 78 ]' sh "$MAILRECV" -c conf -P 192.0.2.7
    grep -q '^421 ' replies
    for file in log out; do
        grep -E 'MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] conf:2:1: unknown keyword ' $file
        grep -E 'MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] conf:4:9: unexpected ' $file
    done
    grep -q '^<19>.* conf:2:1: ' out
    grep -q '\] ERROR: 421 .* stage=connect ' log
}

@test "... the same one not again within a minute, whoever connects; another, or later, is" {
    mistaken
    for n in 1 2 3; do echo QUIT | "$MAILRECV" -c conf -P "192.0.2.$n" >replies || true; done
    [ "$(grep -c '\] conf:2:1: ' log)" -eq 1 ]
    [ "$(grep -c '\] conf:4:9: ' log)" -eq 1 ]
    [ "$(grep -c '\] ERROR: 421 ' log)" -eq 3 ]
    sed -i 's/nonsense/rubbish/' conf
    echo QUIT | "$MAILRECV" -c conf -P 192.0.2.7 >replies || true
    [ "$(grep -c '\] conf:2:1: ' log)" -eq 2 ]
    [ "$(grep -c '\] conf:4:9: ' log)" -eq 1 ]
    readelf -lW "$MAILRECV" | grep -q INTERP || return 0 # a static program asks the kernel for the time, whatever faketime says
    faketime -f +61s "$MAILRECV" -c conf -P 192.0.2.7 </dev/null >replies || true
    [ "$(grep -c '\] conf:4:9: ' log)" -eq 2 ]
}

@test "... and in syslog alone where the line of logfile is a mistake itself" {
    mistaken
    sed -i '/^logfile/s/$/ and more/' conf
    unshare -rm "$TESTS/with-syslog" out sh -c 'echo QUIT | "$@" >replies || [ $? -eq 78 ]' sh "$MAILRECV" -c conf -P 192.0.2.7
    [ ! -e log ]
    grep -q '\] conf:3:' out
}

@test "a hostile session cannot forge a line in syslog either" {
    sed -i "s,^logfile .*,logfile syslog," conf
    "$TESTS/hostile" >input
    unshare -rm "$TESTS/with-syslog" out sh -c '"$@" <input >replies' sh "$MAILRECV" -c conf -P 192.0.2.7
    [ "$(tail -n1 replies)" = $'221 2.0.0 Goodbye\r' ]
    # as syslogd writes it to a file
    sed -E 's/^<[0-9]+>([A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8}) /\1 host /' out >log
    never env LC_ALL=C grep '[^ -~]' log
    [ "$(found log "$loose" | sort -u)" = 192.0.2.7 ]
    sed -E 's/^([^"]*) refused=[^ ]*/\1/' log >unforgiven
    [ "$(found unforgiven "$filter" | sort -u)" = 192.0.2.7 ]
}

# ---- a log that cannot be written ----

@test "a log that is full, missing, a directory or nobody's never stops the mail" {
    mkdir dir
    for where in /dev/full "$PWD/missing/log" "$PWD/dir" ""; do
        rm -f inbox
        sed -i "s,^logfile .*,logfile ${where:-syslog}," conf
        message_to inbox@example.com 192.0.2.7 >replies
        grep -q '^250 2.0.0 Ok, delivered as ' replies
        [ "$(tail -n1 replies)" = $'221 2.0.0 Goodbye\r' ]
        [ "$(tail -n2 inbox)" = "text" ]
    done
}

@test "lines that the log file does not take go to syslog" {
    for where in /dev/full "$PWD/missing/log"; do
        sed -i "s,^logfile .*,logfile $where," conf
        printf 'QUIT\r\n' >input
        unshare -rm "$TESTS/with-syslog" out sh -c '"$@" <input >replies' sh "$MAILRECV" -c conf -P 192.0.2.7
        grep -qE '^<22>.* MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] SMTP connection from remote host unknown \[192\.0\.2\.7\]$' out
        grep -qE '^<22>.* MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] end reason=quit ' out
    done
    grep -qE '^<19>.* cannot open the log .*: No such file or directory$' out
}

@test "a FIFO that nobody reads does not hold the mail up" {
    mkfifo fifo
    sed -i "s,^logfile .*,logfile $PWD/fifo," conf
    message_to inbox@example.com 192.0.2.7 >replies
    grep -q '^250 2.0.0 Ok, delivered as ' replies
}

# ---- a log that takes nothing for the time being ----

# Writes a script for inside of with-syslog: a session that delivers, wakes the daemon, and goes on.
waking_session() {
    cat >waking <<'EOF'
mkfifo to from
"$@" <to >from &
exec 8>to 9<from
hear() { while IFS= read -r -t 20 line <&9 && [[ $line != "$1"* ]]; do :; done; [[ $line == "$1"* ]]; }
printf '%s\r\n' 'EHLO x' 'MAIL FROM:<a@example.com>' 'RCPT TO:<inbox@example.com>' DATA hello . >&8
hear '250 2.0.0 Ok, delivered' || exit 1
printf x >out.wake
while [ -e out.wake ]; do sleep 0.02; done
printf '%s\r\n' 'MAIL FROM:<a@example.com>' 'RCPT TO:<nobody@example.com>' QUIT >&8
hear 221
wait
EOF
}

@test "a syslog daemon that hangs does not hold the mail up, and what it missed is told when it is back" {
    sed -i "s,^logfile .*,logfile syslog," conf
    waking_session
    timeout -s KILL 30 unshare -rm "$TESTS/with-syslog" --deaf out bash waking "$MAILRECV" -c conf -P 192.0.2.7
    cat out
    # the connection, that root serves, the delivery
    grep -E '^<20>.* MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] log: missing lines=3$' out
    grep -A1 'missing lines=' out | tail -n1 | grep 'ERROR: 550 No one here'
    grep -q '\] end reason=quit ' out
    never grep 'delivery result' out
}

@test "a syslog daemon that hangs for ever costs a session a moment, not one for each line" {
    sed -i "s,^logfile .*,logfile syslog," conf
    for n in $(seq 40); do echo "NONSENSE $n"; done >lines
    { cat lines; echo QUIT; } | sed 's/$/\r/' >input
    timeout -s KILL 30 unshare -rm "$TESTS/with-syslog" --deaf out sh -c '"$@" <input >replies' sh \
        strace -f -e trace=poll -o trace "$MAILRECV" -c conf -P 192.0.2.7
    [ "$(tail -n1 replies)" = $'221 2.0.0 Goodbye\r' ]
    # one line is waited for, and the one that would tell at the end
    [ "$(grep -cE 'poll\(\[\{fd=[0-9]+, events=POLLOUT\}\], 1, 250\) *= 0' trace)" -eq 2 ]
}

@test "a syslog daemon that is restarted in the middle of a session gets the rest of it" {
    sed -i "s,^logfile .*,logfile syslog," conf
    waking_session
    timeout -s KILL 30 unshare -rm "$TESTS/with-syslog" --restart out bash waking "$MAILRECV" -c conf -P 192.0.2.7
    cat out
    grep -q '\] delivery result=delivered ' out
    grep -q '\] ERROR: 550 No one here' out
    grep -q '\] end reason=quit ' out
    never grep 'missing lines=' out
}

@test "a syslog daemon that takes streams gets each line whole" {
    sed -i "s,^logfile .*,logfile syslog," conf
    waking_session
    timeout -s KILL 30 unshare -rm "$TESTS/with-syslog" --stream out bash waking "$MAILRECV" -c conf -P 192.0.2.7
    cat out
    [ "$(grep -cE '^<(19|2[0-3])>[A-Z][a-z]{2} [ 1-3][0-9] [0-9:]{8} MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] ' out)" -eq "$(wc -l <out)" ]
    grep -q '\] delivery result=delivered ' out
    grep -q '\] end reason=quit ' out
}

# Runs a command where nothing listens at /dev/log.
without_syslog() {
    # shellcheck disable=SC2016 # the inner shell's
    unshare -rm sh -c 'mount -t tmpfs tmpfs /dev && : >/dev/null && exec "$@"' sh "$@"
}

@test "where no syslog daemon listens the log goes to standard error, which is said once" {
    sed -i "s,^logfile .*,logfile syslog," conf
    mapfile -t lines < <(to inbox@example.com; printf '%s\n' DATA 'Subject: test' '' text . QUIT)
    printf '%s\r\n' "${lines[@]}" | without_syslog "$MAILRECV" -c conf -P 192.0.2.7 >replies 2>errors
    grep -q '^250 2.0.0 Ok, delivered as ' replies
    never grep MAILRECV replies
    [ "$(grep -cE "^$date MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] " errors)" -eq "$(wc -l <errors)" ]
    [ "$(grep -c '\] log: nothing listens at /dev/log, the log goes to standard error$' errors)" -eq 1 ]
    grep -q '\] delivery result=delivered ' errors
    grep -q '\] end reason=quit ' errors
}

@test "-t says when the log is to go to syslog and no daemon listens" {
    sed -i "s,^logfile .*,logfile syslog," conf
    without_syslog "$MAILRECV" -t -c conf >settings 2>problems || [ $? -eq 1 ]
    grep '^conf:2:9: warning: the log is to go to syslog, but nothing listens at /dev/log: No such file or directory$' problems
    unshare -rm "$TESTS/with-syslog" out "$MAILRECV" -t -c conf >settings 2>problems || [ $? -eq 1 ]
    never grep /dev/log problems
}

@test "... and never to the client, who has standard error as well under xinetd" {
    sed -i "s,^logfile .*,logfile syslog," conf
    cat >serve <<'EOF'
import socket, subprocess, sys
client, server = socket.socketpair()
mailrecv = subprocess.Popen(sys.argv[1:], stdin=server, stdout=server, stderr=server)
server.close()
client.sendall(b"MAIL FROM:<a@example.com>\r\nRCPT TO:<nobody@example.com>\r\nQUIT\r\n")
print(client.makefile().read())
sys.exit(mailrecv.wait())
EOF
    without_syslog python3 serve "$MAILRECV" -c conf -P 192.0.2.7 >replies
    grep -q '^221 2.0.0 Goodbye' replies
    never grep -e MAILRECV -e 'log:' replies
}

# How many bytes lie in the pipe that descriptor 8 is.
bytes_in_pipe() {
    python3 -c 'import array, fcntl, termios; n = array.array("i", [0]); fcntl.ioctl(8, termios.FIONREAD, n); print(n[0])'
}

@test "a pipe or FIFO that is full does not hold the mail up, and what it missed is told" {
    local line flags
    mkfifo full
    exec 8<>full
    flags=$(grep ^flags: /proc/self/fdinfo/8)
    for where in stderr "$PWD/full"; do
        dd if=/dev/zero of=/dev/fd/8 oflag=nonblock bs=4096 2>/dev/null || true
        sed -i "s,^logfile .*,logfile $where," conf
        rm -f to from
        mkfifo to from
        without_syslog timeout -s KILL 30 "$MAILRECV" -c conf -P 192.0.2.7 <to >from 2>&8 &
        exec 6>to 7<from
        printf '%s\r\n' 'EHLO x' 'MAIL FROM:<a@example.com>' 'RCPT TO:<inbox@example.com>' DATA hello . >&6
        while IFS= read -r -t 20 line <&7 && [[ $line != '250 2.0.0 Ok, delivered'* ]]; do :; done
        [[ $line == '250 2.0.0 Ok, delivered'* ]]
        head -c "$(bytes_in_pipe)" <&8 >dregs
        printf '%s\r\n' 'MAIL FROM:<a@example.com>' 'RCPT TO:<nobody@example.com>' QUIT >&6
        while IFS= read -r -t 20 line <&7 && [[ $line != 221* ]]; do :; done
        exec 6>&- 7<&-
        wait
        head -c "$(bytes_in_pipe)" <&8 >got
        cat got
        grep -qE "^$date MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] log: missing lines=3$" got
        grep -qE "^$date MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] end reason=quit " got
        [ "$(grep -c MAILRECV got)" -eq "$(wc -l <got)" ]
    done
    [ "$(grep ^flags: /proc/self/fdinfo/8)" = "$flags" ]
}

# ---- quiet ----

@test "quiet: looks whether somebody is there leave no line, with and without a wall, IPv4, IPv6 and by name" {
    printf '%s\n' 'quiet ^192\.0\.2\.7$' 'quiet ^2001:db8::7$' 'quiet ^probe\.example$' >>conf
    for sandbox in on off; do
        sed -i '/^sandbox/d' conf
        echo "sandbox $sandbox" >>conf
        for from in 192.0.2.7 2001:db8::7 198.51.100.7=probe.example; do
            session "$from" QUIT | grep -q '^221'
            session "$from" 'EHLO probe.example' NOOP RSET QUIT | grep -q '^221'
            session "$from" 'HELO probe.example' >replies # and just ends
            timeout -s KILL 20 "$MAILRECV" -c conf -P "$from" </dev/null >replies
        done
    done
    [ ! -s log ]
    # others are logged
    for from in 192.0.2.8 2001:db8::8 198.51.100.7; do
        session "$from" QUIT
    done
    [ "$(grep -c ' SMTP connection from ' log)" = 3 ]
    [ "$(grep -c ' end reason=quit ' log)" = 3 ]
}

@test "quiet: with MAIL, a refusal, a violation or a failure all of it is logged, with its times" {
    echo 'quiet ^192\.0\.2\.' >>conf
    # each: what the client says, and what the log has to have between the connection and the end
    while IFS='|' read -r words expected; do
        rm -f log
        IFS=, read -r -a lines <<<"$words"
        session 192.0.2.7 "${lines[@]}" >replies
        sed -E 's/^.*\] (ERROR: [0-9]+|[A-Za-z]+).*/\1/' log | grep -v '^serving$' | paste -sd, >got
        [ "$(cat got)" = "$expected" ] || { echo "$words"; cat log; return 1; }
    done <<'EOF'
EHLO me,MAIL FROM:<>,QUIT|SMTP,end
EHLO me,NONSENSE,QUIT|SMTP,ERROR: 500,end
MAIL FROM:nonsense nonsense,QUIT|SMTP,ERROR: 501,end
EOF
    rm -f log
    message_to inbox@example.com 192.0.2.7
    grep -q 'delivery result=delivered' log
    [ "$(wc -l <log)" = "$((3 + $(grep -c 'serving as root' log)))" ]
    # what is logged late has its own time: the refusal comes later than the connection
    rm -f log
    { sleep 1.1; printf 'NONSENSE\r\nQUIT\r\n'; } | "$MAILRECV" -c conf -P 192.0.2.7 >replies
    first=$(date +%s -d "$(sed -n '/SMTP connection/s/ MAILRECV.*//p' log)")
    second=$(date +%s -d "$(sed -n '/ERROR: 500/s/ MAILRECV.*//p' log)")
    [ "$first" -lt "$second" ]
    # refused in the greeting
    rm -f log
    session 192.0.2.66 QUIT >replies
    grep -q 'SMTP connection' log
    grep -q 'stage=connect' log
    # a client that goes in the middle of a command
    rm -f log
    printf 'EHLO' | "$MAILRECV" -c conf -P 192.0.2.7 >replies
    grep -q 'SMTP connection' log
    grep -q ' end reason=' log
}

@test "quiet: a violation counts all the same, and debug flags show all of it" {
    printf '%s\n' 'quiet ^192\.0\.2\.' "lockout.db $PWD/db" 'lockout.violations 2' >>conf
    for _ in 1 2 3; do
        printf 'EHLO' | timeout -s KILL 20 "$MAILRECV" -c conf -P 192.0.2.7 >replies
    done
    grep -q '^454 .* locked out' replies
    rm -f log
    timeout -s KILL 20 "$MAILRECV" -c conf -P 192.0.2.9 -d s <<<QUIT >replies
    grep -q 'DEBUG s: client: "QUIT"' log
    [ "$(grep -c ' SMTP connection from ' log)" = 1 ]
    grep -q ' end reason=quit ' log
}
