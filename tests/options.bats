#!/usr/bin/env bats
# options.bats - the command line: each option, each debug flag, where the log goes, exit statuses

# shellcheck disable=SC2016,SC2030,SC2031 # bats runs each test in a subshell; other shells expand, too

load common
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
    echo 'domain mx.example.com' >conf
}

USAGE=', see mailrecv -h'
DATE='(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123][0-9] [0-9:]{8} 20[0-9]{2}'

# Sends the lines as a client would; the options are those of this test.
say() { printf '%s\r\n' "$@"; }

# wrong MESSAGE ARGUMENT...: the program says that about its command line, does nothing else, and exits with 64.
wrong() {
    local message=$1
    shift
    run -64 --separate-stderr "$MAILRECV" "$@" </dev/null
    [ "$output" = '' ]
    # shellcheck disable=SC2154 # bats sets it
    [ "$stderr" = "mailrecv: $message$USAGE" ]
}

# on_socket OPTIONS...: runs the program on a connection over the loopback interface, whose client says
# QUIT. What the client read is in `replies`, the exit status in `status`.
on_socket() {
    python3 - "$MAILRECV" "$@" <<'END'
import socket, subprocess, sys
with socket.create_server(("127.0.0.1", 0)) as listener:
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
program = subprocess.Popen(sys.argv[1:], stdin=server, stdout=server)
server.close()
received = b""
try: # the program may have closed the connection by now
    client.sendall(b"QUIT\r\n")
    client.shutdown(socket.SHUT_WR)
    while piece := client.recv(65536):
        received += piece
except OSError:
    pass # the program has ended without reading what we said
open("replies", "wb").write(received.replace(b"\r", b""))
open("status", "w").write(str(program.wait()) + "\n")
END
}

# ---- -h, -V --------------------------------------------------------------------------------

@test "-h shows the usage and exits with 0" {
    run -0 --separate-stderr "$MAILRECV" -h
    [ "$stderr" = '' ]
    [[ $output == 'usage: mailrecv '* ]]
    for option in c d l P n t u r x V h; do [[ $output == *$'\n'"  -$option "* ]]; done
    [[ $output == *'mailrecv(8) and mailrecv.conf(5) say more.' ]]
}

@test "-V shows the version and exits with 0" {
    run -0 --separate-stderr "$MAILRECV" -V
    [ "$stderr" = '' ]
    [[ $output =~ ^mailrecv\ [0-9]+\.[0-9]+(\.[0-9]+)?$ ]]
}

@test "-h, -V and -t exit with 74 when their output cannot be written" {
    for option in -h -V; do
        run -74 bash -c '"$1" "$2" >/dev/full' _ "$MAILRECV" $option
    done
    run -74 bash -c '"$1" -t -c conf 2>/dev/null >/dev/full' _ "$MAILRECV"
}

# ---- what is wrong -------------------------------------------------------------------------

@test "an unknown option is named in full" {
    for option in -xyz --config --help -T -tc -Vh -hV -th - -- -é; do
        wrong "unknown option '$option'" $option
    done
    wrong "unknown option '-z'" -c conf -l stderr -z -P 192.0.2.7
}

@test "an argument that belongs to no option is named" {
    wrong "unknown argument 'conf'" conf
    wrong "unknown argument ''" ''
    wrong "unknown argument 'x y'" -t -c conf 'x y'
}

@test "an option without its value is named" {
    for option in -c -d -l -P -u -r; do
        wrong "option '$option' needs a value" $option
        wrong "option '$option' needs a value" -c conf -t $option
    done
}

@test "a debug flag that does not exist is named, with -t too" {
    wrong "'z' is no debug flag, expected any of acfFhlrsw+" -c conf -d acz
    wrong "'S' is no debug flag, expected any of acfFhlrsw+" -c conf -dS
    wrong "'z' is no debug flag, expected any of acfFhlrsw+" -t -c conf -d z
}

@test "-P wants an address, and a name behind =" {
    for client in x 192.0.2 192.0.2.256 192.0.2.7.1 2001:db8::g fe80::1%lo 192.0.2.7= 192.0.2.7=a..b \
        '192.0.2.7=a b' 192.0.2.7=-a =client.example mx.example ''; do
        wrong "'$client' is no client, expected ADDRESS or ADDRESS=NAME" -c conf -P "$client"
        wrong "'$client' is no client, expected ADDRESS or ADDRESS=NAME" -t -c conf -P "$client"
    done
}

@test "what is wrong with the command line is found before the configuration is looked at" {
    wrong "unknown option '-y'" -t -c missing -y
    wrong "'z' is no debug flag, expected any of acfFhlrsw+" -t -c missing -d z
}

# ---- values --------------------------------------------------------------------------------

@test "a value may be the next word or joined to its option; the last one counts" {
    say QUIT >quit
    "$MAILRECV" -c conf -d s -l one -P 192.0.2.7 <quit >replies
    "$MAILRECV" -cconf -ds -ltwo -P192.0.2.7 <quit | diff replies -
    "$MAILRECV" -c missing -cconf -d c -ds -lone -ltwo -P local -P192.0.2.7 <quit | diff replies -
    [ "$(grep -c 'DEBUG s:' one)" = 3 ]
    [ "$(grep -c 'DEBUG s:' two)" = 6 ]
    [ "$(grep -c 'DEBUG c:' two)" = 0 ]
    grep -q '\[192\.0\.2\.7\] SMTP connection' one two
}

@test "a value may look like an option" {
    cp conf -- -t
    run -0 "$MAILRECV" -t -c -t
    mkdir sub
    say QUIT | "$MAILRECV" -c conf -l -h -P 192.0.2.7 | grep -q '^221 '
    grep -q 'SMTP connection' ./-h
}

# ---- -c and -t -----------------------------------------------------------------------------

@test "-c names the configuration" {
    say QUIT | "$MAILRECV" -c conf -l log -P 192.0.2.7 >replies
    [ "$(head -n1 replies)" = $'220 mx.example.com ESMTP mailrecv\r' ]
    run -78 --separate-stderr "$MAILRECV" -t -c missing
    [ "$stderr" = 'missing: cannot be used: No such file or directory' ]
}

@test "without -c the configuration is that of the help" {
    path=$("$MAILRECV" -h | sed -n 's/^  -c FILE .*instead of \(.*\)$/\1/p')
    [[ $path == /*/mailrecv.conf ]]
    # whether there is one or not: the same as with -c
    "$MAILRECV" -t >out 2>&1 && status=0 || status=$?
    run "-$status" "$MAILRECV" -t -c "$path"
    [ "$output" = "$(cat out)" ]
}

@test "-t reads nothing from the client, logs nothing, and says nothing to it but the settings" {
    mkfifo silence
    run -0 --separate-stderr "$MAILRECV" -t -c conf -l log -d a -P 192.0.2.7 <>silence
    [[ $output == 'domain mx.example.com'* ]]
    [ ! -e log ]
}

@test "-t exits with 78 and prints no settings when there is a mistake" {
    echo 'fsync maybe' >>conf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [ "$output" = '' ]
    [[ $stderr == "conf:2:7: unexpected 'maybe', "* ]]
}

# ---- -P ------------------------------------------------------------------------------------

@test "-P pretends an address, with a confirmed name or none" {
    cat >conf <<'END'
domain mx.example.com
allow remotehost ^192\.0\.2\.7$
allow remotehost ^mail\.example\.net$
END
    greets() { # CLIENT CODE NAME ADDRESS
        say QUIT | "$MAILRECV" -c conf -l log -P "$1" | head -n1 | grep -q "^$2 "
        [[ $(grep 'SMTP connection' log | tail -n1) == *"] SMTP connection from remote host $3 [$4]" ]]
    }
    greets 192.0.2.7 220 unknown 192.0.2.7
    greets 192.0.2.8 554 unknown 192.0.2.8
    greets 192.0.2.8=mail.example.net 220 mail.example.net 192.0.2.8
    greets 192.0.2.8=MAIL.Example.net. 220 mail.example.net 192.0.2.8
    greets ::ffff:192.0.2.7 220 unknown 192.0.2.7
    greets 2001:DB8:0:0::7 554 unknown 2001:db8::7
    greets local 554 unknown local
    greets local=mail.example.net 220 mail.example.net local
}

@test "-P asks no DNS" {
    # -d h would show it
    echo 'limit.fcrdns_check on 450 No name' >>conf
    say QUIT | "$MAILRECV" -c conf -l log -d h -P 192.0.2.7 | head -n1 | grep -q '^450 No name'
    say QUIT | "$MAILRECV" -c conf -l log -d h -P 192.0.2.7=client.example | head -n1 | grep -q '^220 '
    [ "$(grep -c 'DEBUG h' log)" = 0 ]
}

@test "-P is refused on a TCP socket: nothing is said to the client" {
    on_socket -c conf -l log -P 192.0.2.7
    [ "$(cat status)" = 64 ]
    [ ! -s replies ]
    grep -q '\] -P is not for real connections$' log
    on_socket -c conf -l log
    [ "$(cat status)" = 0 ]
    [ "$(cat replies)" = '220 mx.example.com ESMTP mailrecv
221 2.0.0 Goodbye' ]
    grep -q '\[127\.0\.0\.1\] SMTP connection' log
}

# ---- -l ------------------------------------------------------------------------------------

@test "-l stderr: each line with date, name and process, and nothing of it in the dialogue" {
    say 'EHLO client.example' QUIT >commands
    run -0 --separate-stderr "$MAILRECV" -c conf -l stderr -P 192.0.2.7 <commands
    [[ $output != *MAILRECV* ]]
    grep -cEx "$DATE MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] (SMTP connection from remote host unknown \[192\.0\.2\.7\]|(end|serving|sandbox) .*)" \
        <<<"$stderr" | grep -x "$(wc -l <<<"$stderr")"
}

@test "-l FILE: the same in a file, which is made for its owner and group, and appended to" {
    say QUIT | "$MAILRECV" -c conf -l log -P 192.0.2.7 2>errors
    [ ! -s errors ]
    [ "$(stat -c %a log)" = 640 ] || [ "$(stat -c %a log)" = 600 ]
    grep -Eq "^$DATE MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] end reason=quit " log
    before=$(wc -l <log)
    say QUIT | "$MAILRECV" -c conf -l "$PWD/log" -P 192.0.2.8
    [ "$(wc -l <log)" = $((2 * before)) ]
    [ "$(grep -c 'end reason=quit' log)" = 2 ]
}

@test "-l wins over logfile, and logfile counts without it" {
    echo "logfile $PWD/configured" >>conf
    say QUIT | "$MAILRECV" -c conf -l given -P 192.0.2.7
    [ ! -e configured ]
    grep -q 'SMTP connection' given
    say QUIT | "$MAILRECV" -c conf -P 192.0.2.7
    grep -q 'SMTP connection' configured
    sed -i "s,^logfile.*,logfile stderr," conf
    say QUIT | "$MAILRECV" -c conf -P 192.0.2.7 2>errors
    grep -q 'SMTP connection' errors
}

@test "-l syslog: the same without date, to the facility mail, and to nowhere else" {
    say QUIT >commands
    export MAILRECV
    unshare -rm "$TESTS/with-syslog" lines sh -c '"$MAILRECV" -c conf -l syslog -P 192.0.2.7 <commands >replies 2>errors'
    [ ! -s errors ]
    [ "$(wc -l <replies)" = 2 ]
    # <22> is mail.info: 2 * 8 + 6
    grep -Eq '^<22>.* MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] SMTP connection from remote host unknown \[192\.0\.2\.7\]$' lines
    grep -Eq '^<22>.* MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] end reason=quit ' lines
    # syslog is the default
    unshare -rm "$TESTS/with-syslog" default sh -c '"$MAILRECV" -c conf -P 192.0.2.7 <commands >replies 2>errors'
    [ ! -s errors ]
    [ "$(grep -c 'MAILRECV' default)" = "$(grep -c MAILRECV lines)" ]
}

@test "a log file that cannot be opened does not stop the mail; its lines go to syslog" {
    echo "deliver rcpt_to joe@example.com append $PWD/joe" >>conf
    say 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' DATA x . QUIT >commands
    mkdir directory
    for log in /nonexistent/log directory ./joe/x; do
        run -0 --separate-stderr "$MAILRECV" -c conf -l $log -P 192.0.2.7 <commands
        [ "$(grep -c '^250 2\.0\.0 ' <<<"$output")" = 1 ]
        [ "$stderr" = '' ]
    done
    [ "$(grep -cx x joe)" = 3 ]
    export MAILRECV
    unshare -rm "$TESTS/with-syslog" lines sh -c '"$MAILRECV" -c conf -l /nonexistent/log -P 192.0.2.7 <commands >replies'
    grep -q 'cannot open the log /nonexistent/log: No such file or directory$' lines
    grep -q 'delivery result=delivered ' lines
}

@test "a log that cannot be written does not stop the mail; its lines go to syslog" {
    echo "deliver rcpt_to joe@example.com append $PWD/joe" >>conf
    say 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' DATA x . QUIT >commands
    run -0 --separate-stderr "$MAILRECV" -c conf -l /dev/full -P 192.0.2.7 <commands
    [ "$(grep -c '^250 2\.0\.0 ' <<<"$output")" = 1 ]
    [ "$stderr" = '' ]
    run -0 bash -c '"$MAILRECV" -c conf -l stderr -P 192.0.2.7 <commands 2>/dev/full'
    [ "$(grep -c '^250 2\.0\.0 ' <<<"$output")" = 1 ]
    # a FIFO that nobody reads
    mkfifo unread
    run -0 timeout 20 "$MAILRECV" -c conf -l unread -P 192.0.2.7 <commands
    [ "$(grep -c '^250 2\.0\.0 ' <<<"$output")" = 1 ]
    [ "$(grep -cx x joe)" = 3 ]
    unshare -rm "$TESTS/with-syslog" lines sh -c '"$MAILRECV" -c conf -l /dev/full -P 192.0.2.7 <commands >replies'
    grep -q 'delivery result=delivered ' lines
}

# ---- -d ------------------------------------------------------------------------------------

# The session that shows every flag: names, patterns, files, a command, a refusal, a directive twice.
flagged() { # OPTION...
    cat >conf <<END
domain other.example.com
domain mx.example.com   # twice
allowgroup office ^198\\.51\\.100\\.
deliver allowgroup office rcpt_to joe@example.com append $PWD/never
deliver rcpt_to /^jo[ea]@/ append $PWD/joe
deliver rcpt_to ann@example.com pipe cat >/dev/null
END
    rm -f log
    say 'EHLO client.example' 'MAIL FROM:<bob@client.example>' 'RCPT TO:<joa@example.com>' 'RCPT TO:<ann@example.com>' \
        DATA 'Subject: x' '' 'text ["]' . QUIT | "$MAILRECV" -c conf -l log -P 192.0.2.7 "$@" >replies
    [ "$(grep -c '^250 2\.0\.0 ' replies)" = 1 ]
}

# The events of the log: without date, process and client, and without what differs each time.
events() {
    sed -E "s/^$DATE MAILRECV\[[0-9]+\]: \[192\.0\.2\.7\] //" log
}

# only PATTERN: these are all debug lines and warnings there are.
only() {
    grep -e '^DEBUG' -e "^conf:" <(events) >debug || :
    [ -s debug ]
    [ "$(grep -cvE "$1" debug)" = 0 ]
}

@test "without a debug flag there are the lines that are always there, and no others" {
    for flags in '' - +F F-; do
        flagged -d "$flags"
        events | grep -v -e '^serving as root' -e '^sandbox: ' | sed 's/ .*//' >kinds
        [ "$(paste -sd' ' kinds)" = 'SMTP delivery delivery end' ]
    done
    flagged
    [ "$(grep -c -e DEBUG -e conf: log)" = 0 ]
}

@test "-d c: each directive with file and line" {
    flagged -d c
    only '^DEBUG c: conf:[0-9]+: '
    [ "$(wc -l <debug)" = 6 ]
    [ "$(head -n2 debug)" = 'DEBUG c: conf:1: "domain other.example.com"
DEBUG c: conf:2: "domain mx.example.com   # twice"' ]
    grep -q '^DEBUG c: conf:3: "allowgroup office ^198<0x5c>.51<0x5c>.100<0x5c>."$' debug
}

@test "-d f: opening and closing of files, start and end of commands" {
    flagged -d f
    only '^DEBUG f: '
    grep -qx "DEBUG f: opened $PWD/joe" debug
    grep -qx "DEBUG f: closed $PWD/joe" debug
    command=$(sed -n 's/^DEBUG f: started command \([0-9]*\)$/\1/p' debug)
    [ -n "$command" ]
    grep -qx "DEBUG f: command $command has ended" debug
    [ "$(wc -l <debug)" = 4 ]
}

@test "-d f: the spool file of a message that outgrows memory, and maildirs" {
    printf 'spool_directory %s\ndeliver rcpt_to joe@example.com maildir %s/box\n' "$PWD" "$PWD" >conf
    { say 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' DATA; seq 200000 | sed 's/$/\r/'; say . QUIT; } |
        "$MAILRECV" -c conf -l log -d f -P 192.0.2.7 | grep -q '^250 2\.0\.0 '
    only '^DEBUG f: '
    grep -qx "DEBUG f: opened a spool file in $PWD" debug
    name=$(ls box/new)
    grep -qx "DEBUG f: opened $PWD/box/tmp/$name" debug
    grep -qx "DEBUG f: closed $PWD/box/new/$name" debug
}

@test "-d h: look-ups of host names" {
    # this host's own address, whatever its name is
    on_socket -c conf -l log -d h
    grep -q '^220 mx' replies
    grep -Eq '\[127\.0\.0\.1\] DEBUG h: name of 127\.0\.0\.1: ' log
    [ "$(grep DEBUG log | grep -cv 'DEBUG h: ')" = 0 ]
    rm log
    on_socket -c conf -l log
    [ "$(grep -c 'DEBUG h' log)" = 0 ]
    grep -q 'SMTP connection' log
}

@test "-d l: the lines of messages" {
    flagged -d l
    only '^DEBUG l: message: "'
    # CR is shown as it is encoded, and so are quotes and brackets
    [ "$(cat debug)" = 'DEBUG l: message: "Subject: x<0x0d>"
DEBUG l: message: "<0x0d>"
DEBUG l: message: "text <0x5b><0x22><0x5d><0x0d>"
DEBUG l: message: ".<0x0d>"' ]
}

@test "-d r: each rule and regular expression that is tried, on what, and whether it matches" {
    flagged -d r
    only '^DEBUG r: conf:[0-9]+: '
    [ "$(cat debug)" = 'DEBUG r: conf:4: deliver rcpt_to "joe@example.com" does not name "joa@example.com"
DEBUG r: conf:5: deliver rcpt_to "^jo<0x5b>ea<0x5d>@" matches "joa@example.com"
DEBUG r: conf:5: this line decides
DEBUG r: conf:4: deliver rcpt_to "joe@example.com" does not name "ann@example.com"
DEBUG r: conf:5: deliver rcpt_to "^jo<0x5b>ea<0x5d>@" does not match "ann@example.com"
DEBUG r: conf:6: deliver rcpt_to "ann@example.com" names "ann@example.com"
DEBUG r: conf:6: this line decides' ]
    printf 'deny remotehost zz\nallow remotehost ^192\\.0\n' >conf
    rm log
    say QUIT | "$MAILRECV" -c conf -l log -d r -P 192.0.2.7=client.example
    [ "$(events | grep DEBUG)" = 'DEBUG r: conf:1: deny remotehost "zz" does not match "192.0.2.7"
DEBUG r: conf:2: allow remotehost "^192<0x5c>.0" matches "192.0.2.7"
DEBUG r: conf:1: deny remotehost "zz" does not match "client.example"' ]
}

@test "-d s: the dialogue, both ways" {
    flagged -d s
    only '^DEBUG s: (client|server): "'
    sed -n 's/^DEBUG s: client: "\(.*\)"$/\1/p' debug >said
    [ "$(cat said)" = 'EHLO client.example
MAIL FROM:<bob@client.example>
RCPT TO:<joa@example.com>
RCPT TO:<ann@example.com>
DATA
QUIT' ]
    grep -qx 'DEBUG s: server: "220 .*mx\.example\.com ESMTP mailrecv"' debug
    grep -q '^DEBUG s: server: "250 .*Recipient ok"$' debug
    # each line of the client is followed by its answer
    [ "$(sed 's/^DEBUG s: \([a-z]*\):.*/\1/' debug | uniq | paste -sd' ')" = \
        'server client server client server client server client server client server client server' ]
}

@test "-d w: warnings about the configuration" {
    flagged -d w
    only '^conf:2:1: '
    [ "$(cat debug)" = "conf:2:1: 'domain' stands twice (first on line 1), the last one wins" ]
}

@test "-d a: all of them, wherever it stands" {
    for flags in a ca 'F+a' a-; do
        flagged -d $flags
        events >all
        for flag in c f l r s; do grep -q "^DEBUG $flag: " all; done
        grep -q '^conf:2:1: ' all
    done
    sed 's/^DEBUG \(.\): .*/\1/' all | grep -x . | sort -u >shown
    flagged -d cfhlrsw
    events | sed 's/^DEBUG \(.\): .*/\1/' | grep -x . | sort -u | diff shown -
}

@test "-d wins over debug, and debug counts without it" {
    flagged
    cp conf configured
    for case in 'debug s||DEBUG s' 'debug s|-dr|DEBUG r' 'debug rs|-d-|'; do
        IFS='|' read -r directive option expected <<<"$case"
        { cat configured; echo "$directive"; } >conf
        rm -f log
        say 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' QUIT |
            "$MAILRECV" -c conf -l log -P 192.0.2.7 ${option:+"$option"} >replies
        [ "$(events | grep -o '^DEBUG .' | sort -u)" = "$expected" ]
    done
}

# ---- exit statuses -------------------------------------------------------------------------

@test "a session that was served is 0, whatever was said in it" {
    for commands in 'QUIT' 'NONSENSE' '' 'GET / HTTP/1.0' 'MAIL FROM:<>\r\nRCPT TO:<x@example.com>\r\nDATA'; do
        printf '%b\r\n' "$commands" >commands
        run -0 "$MAILRECV" -c conf -l log -P 192.0.2.7 <commands
        [[ $output == '220 mx.example.com ESMTP mailrecv'* ]]
    done
    run -0 "$MAILRECV" -c conf -l log -P 192.0.2.7 </dev/null
    echo 'deny remotehost .' >>conf
    say QUIT >commands
    run -0 "$MAILRECV" -c conf -l log -P 192.0.2.7 <commands
    [[ $output == '554 '* ]]
}

@test "a client that has gone before it was greeted is 66" {
    run -66 python3 - "$MAILRECV" -c conf -l log <<'END'
import socket, subprocess, sys
# a TCP socket without a peer is what is left of a connection that was reset
with socket.socket() as unconnected:
    sys.exit(subprocess.run(sys.argv[1:], stdin=unconnected, stdout=subprocess.DEVNULL).returncode)
END
    [ "$output" = '' ]
    grep -q 'the client has gone before it was greeted' log
    [ "$(grep -c 'SMTP connection' log)" = 0 ]
}

@test "a wrong configuration is 78, in service and with -t" {
    echo 'fsync maybe' >>conf
    say QUIT >commands
    run -78 "$MAILRECV" -c conf -l log -P 192.0.2.7 <commands
    [ "$output" = $'421 The service is not configured, try again later\r' ]
    run -78 "$MAILRECV" -t -c conf
}

@test "a user that cannot be become is 78 for root, and of no meaning for others" {
    echo 'user no-such-user-here' >>conf
    say QUIT >commands
    if [ "$(id -u)" = 0 ]; then
        run -78 "$MAILRECV" -c conf -l log -P 192.0.2.7 <commands
        [ "$output" = $'421 The service is not configured, try again later\r' ]
        grep -q '\] there is no user no-such-user-here: ' log
    else
        run -0 "$MAILRECV" -c conf -l log -P 192.0.2.7 <commands
        [[ $output == '220 '* ]]
    fi
}

@test "descriptors that are closed are no reason to fail" {
    echo "deliver rcpt_to joe@example.com append $PWD/joe" >>conf
    say 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' DATA x . QUIT >commands
    run -0 "$MAILRECV" -c conf -l log -P 192.0.2.7 <commands 2>&-
    [ "$(grep -c '^250 2\.0\.0 ' <<<"$output")" = 1 ]
    # the log or the mailbox must not become one of the first three
    "$MAILRECV" -c conf -l log -P 192.0.2.7 <commands >&- 2>&-
    "$MAILRECV" -c conf -l log -P 192.0.2.7 <&- >&- 2>&-
    [ "$(grep -c '^220 ' log joe | paste -sd' ')" = 'log:0 joe:0' ]
}
