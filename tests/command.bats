#!/usr/bin/env bats
# pipe and exec: what a command is given, what it may do, and what its end means

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

load common
load tools/delivery

DEFERRED='451 4.3.0 The message cannot be delivered now, try again later'

setup_file() {
    # none of this may reach a command
    export LEAK=1 SENDER=leak MATCH_1=leak MATCH_9=leak IFS_LEAK=1 LD_LIBRARY_PATH=/nonexistent BASH_ENV=/nonexistent
}

# Delivers one message to `witness`, and shows its environment without the values that differ each time.
environment() { # SENDER RECIPIENT
    printf 'Subject: x\n\ntext\n' | send "$@"
    [[ $REPLY == 250* ]] || return 1
    "$TESTS/tools/json-agrees" environ
    expect "$(tr '\0' '\n' <environ | sed -n 's/^MESSAGE_SIZE=//p')" "$(stat -c %s input)"
    expect "$(tr '\0' '\n' <environ | sed -n 's/^MESSAGE_ID=//p')" "${REPLY##* }"
    tr '\0' '\n' <environ | grep -v -e '^MAILRECV_JSON=' -e '^MESSAGE_SIZE=' -e '^\(MESSAGE\|DELIVERY\)_ID=' -e '^[A-Z]*ED_AT=' | sort
}

witness_config() {
    config <<END
recipient_delimiter +-
allowgroup friends ^192\\.0\\.2\\.
deliver rcpt_to joe@mx.example exec $TESTS/tools/witness $HERE
deliver allowgroup friends rcpt_to friend@mx.example exec $TESTS/tools/witness $HERE
deliver rcpt_to @any.example exec $TESTS/tools/witness $HERE
deliver rcpt_to /^(list)-([a-z]*)-?(x)?@(lists\\.example)\$/ exec $TESTS/tools/witness $HERE
deliver rcpt_to postmaster@mx.example exec $TESTS/tools/witness $HERE
deliver rcpt_to /.*/ exec $TESTS/tools/witness $HERE
END
}

# The variables that are the same in most tests, changed by NAME=VALUE arguments.
expected_environment() {
    {
        printf '%s\n' "$@" MAIL_PARAMETERS= RECIPIENT_COUNT=1 SERVER_NAME=mx.example 'SENDER=s@client.example' \
            'RECIPIENT=joe@mx.example' 'ORIGINAL_RECIPIENT=joe@mx.example' \
            LOCAL=joe DOMAIN=mx.example EXTENSION= CLIENT_ADDRESS=192.0.2.7 CLIENT_PORT= \
            CLIENT_HOSTNAME=client.example CLIENT_FCRDNS=pass DNSBL= DNSWL= CLIENT_HELO=helo.example CLIENT_PROTOCOL=ESMTP SERVER_ADDRESS= \
            SERVER_PORT= SASL_USERNAME= TLS_PROTOCOL= TLS_CIPHER= TLS_SNI= \
            TLS_CLIENT_SUBJECT= TLS_CLIENT_FINGERPRINT= RULE=conf:5 ALLOWGROUP= TABLE_VALUE= \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
        getent passwd "$(id -u)" | awk -F: '{ print "USER=" $1 "\nLOGNAME=" $1 "\nHOME=" $6 "\nSHELL=" $7 }'
    } | awk -F= 'seen[$1]++ { next }
                 { print }
                 $1 == "RECIPIENT" { print "RECIPIENTS=" substr($0, 11) }
                 $1 == "SENDER" { at = match($0, /@[^@]*$/)
                                  print "SENDER_LOCAL=" substr($0, 8, at > 0 ? at - 8 : 512)
                                  print "SENDER_DOMAIN=" (at > 0 ? substr($0, at + 1) : "") }' | sort
}

# What a command said, from the log.
said() {
    log_lines | sed -nE 's/^\[192\.0\.2\.7\] output id=ID text="(.*)"$/\1/p'
}

# ---- what it is told ----------------------------------------------------------------------

@test "the environment is what config.md names and nothing else" {
    witness_config
    environment s@client.example joe@mx.example >got
    expected_environment | expect_file got
}

@test "recipients: extension, case, group, domain, postmaster, captures" {
    witness_config
    while IFS='|' read -r recipient expected; do
        environment s@client.example "$recipient" >got
        # shellcheck disable=SC2086 # words
        expected_environment "ORIGINAL_RECIPIENT=$recipient" $expected | expect_file got || { echo "$recipient" >&2; return 1; }
    done <<'END'
joe+more@mx.example|RECIPIENT=joe+more@mx.example EXTENSION=more
joe-a+b@mx.example|RECIPIENT=joe-a+b@mx.example EXTENSION=a+b
joe+@mx.example|RECIPIENT=joe+@mx.example EXTENSION=
JOE+More@MX.example|RECIPIENT=JOE+More@MX.example LOCAL=JOE DOMAIN=MX.example EXTENSION=More
friend@mx.example|RECIPIENT=friend@mx.example LOCAL=friend RULE=conf:6 ALLOWGROUP=friends
who+ever@any.example|RECIPIENT=who+ever@any.example LOCAL=who+ever DOMAIN=any.example RULE=conf:7
list-abc-x@lists.example|RECIPIENT=list-abc-x@lists.example LOCAL=list-abc-x DOMAIN=lists.example RULE=conf:8 MATCH_1=list MATCH_2=abc MATCH_3=x MATCH_4=lists.example
list-@lists.example|RECIPIENT=list-@lists.example LOCAL=list- DOMAIN=lists.example RULE=conf:8 MATCH_1=list MATCH_2= MATCH_3= MATCH_4=lists.example
postmaster|RECIPIENT=postmaster@mx.example LOCAL=postmaster RULE=conf:9
postmaster+x@mx.example|RECIPIENT=postmaster+x@mx.example LOCAL=postmaster EXTENSION=x RULE=conf:9
"q+x"@mx.example|RECIPIENT=q+x@mx.example LOCAL=q+x RULE=conf:10
"q\,\x"@mx.example|RECIPIENT="q,x"@mx.example LOCAL="q,x" RULE=conf:10
x@Mx.example.|RECIPIENT=x@Mx.example LOCAL=x DOMAIN=Mx.example RULE=conf:10
x@[192.0.2.1]|RECIPIENT=x@[192.0.2.1] LOCAL=x DOMAIN=[192.0.2.1] RULE=conf:10
END
}

@test "senders and clients: null sender, quoted sender, IPv6, HELO, UTF-8, none" {
    witness_config
    while IFS='|' read -r client hello sender expected; do
        CLIENT=$client HELLO=$hello
        environment "$sender" joe@mx.example >got
        # shellcheck disable=SC2086 # words
        expected_environment $expected | expect_file got || { echo "$client $hello $sender" >&2; return 1; }
    done <<'END'
192.0.2.7=client.example|EHLO helo.example||SENDER=
192.0.2.7=client.example|EHLO helo.example|"a\"b\\c"@client.example|SENDER="a\"b\\c"@client.example
192.0.2.7|HELO [192.0.2.7]|s@client.example|CLIENT_HOSTNAME=unknown CLIENT_FCRDNS=none CLIENT_HELO=[192.0.2.7] CLIENT_PROTOCOL=SMTP
192.0.2.7|NOOP|s@client.example|CLIENT_HOSTNAME=unknown CLIENT_FCRDNS=none CLIENT_HELO= CLIENT_PROTOCOL=SMTP
2001:0DB8::0:7=SIX.client.example|EHLO helo.example|s@client.example|CLIENT_ADDRESS=2001:db8::7 CLIENT_HOSTNAME=six.client.example
::ffff:192.0.2.7|EHLO helo.example|s@client.example|CLIENT_HOSTNAME=unknown CLIENT_FCRDNS=none
192.0.2.7|EHLO helo.example|jürgen@bücher.example> SMTPUTF8|SENDER=jürgen@bücher.example MAIL_PARAMETERS=SMTPUTF8 CLIENT_HOSTNAME=unknown CLIENT_FCRDNS=none CLIENT_PROTOCOL=UTF8SMTP
local|EHLO $(id);`id`|s@client.example|CLIENT_ADDRESS=local CLIENT_HOSTNAME=unknown CLIENT_FCRDNS=none CLIENT_HELO=$(id);`id`
END
}

@test "over TCP the ports and our address are known, with IPv4 and IPv6" {
    witness_config
    for address in 127.0.0.1 ::1; do
        { printf 'EHLO helo.example\r\n'; envelope s@client.example joe@mx.example; printf '.\r\nQUIT\r\n'; } |
            "$TESTS/tools/over-tcp" "$address" "$MAILRECV" -c conf -l "$HERE/log" >replies
        grep -q '^250 2.0.0 Ok, delivered' replies
        read -r client server <ports
        tr '\0' '\n' <environ | grep -E '^(CLIENT_(ADDRESS|PORT)|SERVER_(ADDRESS|PORT))=' | sort >got
        printf '%s\n' "CLIENT_ADDRESS=$address" "CLIENT_PORT=$client" "SERVER_ADDRESS=$address" "SERVER_PORT=$server" |
            expect_file got
        "$TESTS/tools/json-agrees" environ
    done
}

@test "what tcpserver says is passed on" {
    witness_config
    export TCPREMOTEIP=198.51.100.7 TCPREMOTEPORT=4711 TCPLOCALIP=198.51.100.1 TCPLOCALPORT=25
    { printf 'EHLO helo.example\r\n'; envelope s@client.example joe@mx.example; printf '.\r\nQUIT\r\n'; } |
        "$MAILRECV" -c conf -l "$HERE/log" >replies
    tr '\0' '\n' <environ | grep -E '^(CLIENT_(ADDRESS|PORT)|SERVER_(ADDRESS|PORT))=' | sort >got
    printf '%s\n' CLIENT_ADDRESS=198.51.100.7 CLIENT_PORT=4711 SERVER_ADDRESS=198.51.100.1 SERVER_PORT=25 | expect_file got
    "$TESTS/tools/json-agrees" environ
}

@test "the recipients of the run and of the message, the parameters of MAIL, and when what happened" {
    witness_config
    # named twice, and refused: not counted
    before=$(date +%s)
    printf 'x\n' | send 's@client.example> SIZE=7  BODY=8BITMIME' joe@mx.example friend@mx.example Joe@MX.example 'a@-.example'
    [[ $REPLY == 250* ]]
    tr '\0' '\n' <environ | grep -E '^(RECIPIENTS|RECIPIENT_COUNT|MAIL_PARAMETERS)=' >got
    expect_file got <<'END'
MAIL_PARAMETERS=SIZE=7  BODY=8BITMIME
RECIPIENTS=friend@mx.example
RECIPIENT_COUNT=2
END
    "$TESTS/tools/json-agrees" environ
    # the client waits before it sends the last line
    {
        printf '%s\r\n' "$HELLO"
        envelope s@client.example joe@mx.example
        sleep 1.1
        printf '.\r\nQUIT\r\n'
    } | session
    tr '\0' '\n' <environ | sed -n 's/^\([A-Z]*\)ED_AT=\([0-9]*\.[0-9]\{6\}\)$/\1 \2/p' | tr '\n' ' ' >when
    read -r connect connected receive received <<<"$(cat when)"
    expect "$connect $receive" 'CONNECT RECEIV'
    awk "BEGIN { exit !($before <= $connected && $connected + 1 < $received && $received < $(date +%s) + 1) }"
}

@test "HOME and the like are those of the user who runs the command; without an entry it is a number in /" {
    # shellcheck disable=SC2016 # for the shell of the command
    echo 'deliver rcpt_to joe@mx.example pipe echo $HOME $USER $LOGNAME $SHELL' | config
    echo 'somebody:x:65533:65533::/nowhere:' >passwd
    # only a name space has another passwd, and one within that this user; nobody need be root for it
    for uid in 65533 65532; do
        # shellcheck disable=SC2016 # for sh
        UNDER=(unshare -rm sh -c 'mount --bind passwd /etc/passwd && exec unshare --user --map-user="$0" -- "$@"' "$uid")
        echo x | send s@client.example joe@mx.example
        [[ $REPLY == 250* ]]
    done
    said >heard
    expect_file heard <<'END'
/nowhere somebody somebody /bin/sh
/ 65532 65532 /bin/sh
END
}

# What Python makes of the member `headers`, and whether some are missing.
headers() {
    tr '\0' '\n' <environ | sed -n 's/^MAILRECV_JSON=//p' | python3 -c 'import json, sys
facts = json.load(sys.stdin)
for name, values in facts["headers"].items():
    print(name, ascii(values))
print("cut", facts["headers_truncated"])'
}

@test "headers in JSON: names in lower case, unfolded values in their order, U+FFFD for what is no UTF-8" {
    witness_config
    printf '%b' 'Subject: one\r\n two \r\n\t three  \r\nX-Empty:\r\nTO : a@example.com\r\nsubJECT:f\0303\0274nf \0377\0000\0001"\\\r\n' \
        'X-Last: 1\r\n\r\nBody: no\r\n' | send_raw s@client.example joe@mx.example
    headers >got
    expect_file got <<'END'
subject ['one two \t three', 'f\xfcnf \ufffd\x00\x01"\\']
to ['a@example.com']
x-empty ['']
x-last ['1']
cut False
END
    # a line that is no field is the end, too, and so is a blank at the beginning
    printf 'A: 1\nFrom me\nB: 2\n' | send s@client.example joe@mx.example
    expect "$(headers | tr '\n' ' ')" "a ['1'] cut False "
    printf ' A: 1\nB: 2\n' | send s@client.example joe@mx.example
    expect "$(headers)" 'cut False'
    send_raw s@client.example joe@mx.example </dev/null
    expect "$(headers)" 'cut False'
}

@test "headers in JSON: the first 64 KB, whole fields, as far as the environment has room" {
    witness_config
    { yes "A: $(printf '0%.0s' {1..84})" | head -n 1000; echo 'B: last'; } >long
    send s@client.example joe@mx.example <long
    expect "$(headers | tr ' ' '\n' | grep -c 0000)" $((65536 / 88))
    expect "$(headers | tail -n 1)" 'cut True'
    # in a file, which is read from its beginning
    { head -n 700 long; echo; yes x | head -n 100000; } >large
    send s@client.example joe@mx.example <large
    expect "$(headers | tr ' ' '\n' | grep -c 0000)" 700
    expect "$(headers | tail -n 1)" 'cut False'
    # each byte becomes six
    { yes "C: $(head -c 900 /dev/zero | tr '\0' '\1')" | head -n 60; echo; } >control
    send s@client.example joe@mx.example <control
    [[ $REPLY == 250* ]]
    size=$(tr '\0' '\n' <environ | grep -a '^MAILRECV_JSON' | wc -c)
    [ "$size" -gt 125000 ] && [ "$size" -le 131072 ]
    expect "$(headers | tail -n 1)" 'cut True'
    # even where the system gives little
    UNDER=(prlimit --stack=524288)
    send s@client.example joe@mx.example <control
    [[ $REPLY == 250* ]]
    expect "$(headers | tail -n 1)" 'cut True'
}

@test "MAILRECV_JSON is JSON whatever stands in the addresses" {
    witness_config
    while read -r recipient; do
        environment "$recipient> SMTPUTF8" "$recipient" >/dev/null
        expect "$(tr '\0' '\n' <environ | sed -n 's/^MAILRECV_JSON=//p' |
            python3 -c 'import json, sys; print(json.load(sys.stdin)["original_recipient"])')" "$recipient"
    done <<'END'
"\"quoted\""@mx.example
"back\\slash"@mx.example
"/{}[],:'\u0041&<>"@mx.example
"two  blanks "@mx.example
jürgen@mx.example
"日本 𝄞"@例え.example
END
}

@test "arguments of exec stand for one word each, whatever is in them" {
    config <<END
recipient_delimiter +
deliver rcpt_to joe@mx.example exec $TESTS/tools/witness $HERE %{sender} %{recipient} %{local} %{domain} %{extension} %{client_address} "two words" "" * \$HOME
deliver rcpt_to /.*/ exec $TESTS/tools/witness $HERE %{sender} %{recipient} %{local} %{domain} %{extension} %{client_address}
END
    send '"a  b"@client.example' joe+x@mx.example </dev/null
    tr '\0' '\n' <cmdline | tail -n +4 >got
    expect_file got <<'END'
"a  b"@client.example
joe+x@mx.example
joe
mx.example
x
192.0.2.7
two words

*
$HOME
END
    while read -r address; do
        send "$address" "$address" </dev/null
        expect "$(tr '\0' '\n' <cmdline | tail -n +4)" "$address
$address
${address%@*}
${address##*@}

192.0.2.7"
    done <<'END'
"$(touch run)"@mx.example
"`touch run`"@mx.example
"; touch run; "@mx.example
"' && touch run '"@mx.example
"| touch run"@mx.example
"%s %n%{sender}"@mx.example
%s%n%{sender}@mx.example
-rf@mx.example
`touch`$run@mx.example
END
    [ ! -e run ]
    send '' joe@mx.example </dev/null
    expect "$(tr '\0' '\n' <cmdline | tail -n +4 | head -n 1)" ''
}

@test "nothing that a client says is run by the shell of pipe" {
    config <<END
deliver rcpt_to /(.*)@/ pipe printf '%s\n' "\$SENDER" "\$RECIPIENT" "\$CLIENT_HELO" "\$MATCH_1" >>$HERE/told
END
    # shellcheck disable=SC2016 # to be taken literally
    for evil in '$(touch run)' '`touch run`' ';touch run;' '|touch run' '&touch run&' '>run' '() { :; }; touch run' "';touch run;'"; do
        HELLO="EHLO ${evil// /\$IFS}"
        printf '%s\n\n%s\n' "Subject: $evil" "$evil" | send "\"$evil\"@client.example" "\"$evil\"@mx.example"
        expect "$evil: ${REPLY:0:9}" "$evil: 250 2.0.0"
        printf '%s\n' "\"$evil\"@client.example" "\"$evil\"@mx.example" "${HELLO#EHLO }" "\"$evil\"" >>expected
    done
    cmp told expected
    [ ! -e run ]
}

# ---- what it runs in ----------------------------------------------------------------------

@test "descriptors 0 to 2 and no others, though mailrecv has more" {
    config <<'END'
deliver rcpt_to a@mx.example exec /bin/ls -l /proc/self/fd
END
    { printf 'EHLO x.example\r\n'; envelope s@client.example a@mx.example; printf '.\r\nQUIT\r\n'; } |
        "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" >replies 7</dev/null 9>/dev/null 55</dev/null
    # the one that ls itself opened is the directory
    expect "$(said | sed -nE 's/^.* ([0-9]+) -> (\/proc\/[0-9]+\/fd)?.*$/\1 \2/p' | sed -E 's/ .+/ ls/')" $'0 \n1 \n2 \n3 ls'
}

@test "its input is not the connection, and its output does not reach the client" {
    config <<END
deliver rcpt_to a@mx.example pipe echo to the client; echo to the client >&2; readlink /proc/\$\$/fd/0 >$HERE/zero; true
END
    send s@client.example a@mx.example </dev/null
    [[ $REPLY == 250* ]]
    refute grep -q 'to the client' replies
    refute grep -q -e pipe -e socket zero
}

@test "a session and process group of its own" {
    config <<END
deliver rcpt_to a@mx.example pipe read -r pid comm state ppid pgrp session rest </proc/\$\$/stat; echo \$((pid == \$\$)) \$((pgrp == \$\$)) \$((session == \$\$)) >$HERE/told
END
    send s@client.example a@mx.example </dev/null
    expect "$(cat told)" '1 1 1'
}

@test "signals are as after boot: none ignored, none blocked" {
    config <<'END'
deliver rcpt_to a@mx.example exec /bin/sed -n s/^Sig\(Blk\|Ign\):[[:blank:]]*/\1=/p /proc/self/status
END
    (
        trap '' INT QUIT HUP USR1 USR2 PIPE ALRM
        send s@client.example a@mx.example </dev/null
    )
    # 32 and 33 are the C library's own, which it sets itself
    expect "$(said | while IFS='=' read -r which mask; do echo "$which=$((0x$mask & ~0x180000000))"; done)" $'Blk=0\nIgn=0'
}

@test "files that it makes are its own: umask 077" {
    config <<END
deliver rcpt_to a@mx.example pipe umask >$HERE/mask; cat >$HERE/file
END
    umask 0
    send s@client.example a@mx.example </dev/null
    expect "$(cat mask)" 0077
    expect "$(stat -c %a file)" 600
}

@test "the message on its input: our headers, then what was sent, in one file from its beginning" {
    config <<END
deliver rcpt_to a@mx.example exec $TESTS/tools/witness $HERE
END
    printf 'Return-Path: <old@client.example>\nSubject: x\n\nFrom here\n.\n' >message
    send s@client.example a@mx.example <message
    masked input >got
    {
        printf 'Return-Path: <s@client.example>\nDelivered-To: a@mx.example\n'
        printf 'Received: from helo.example (client.example [192.0.2.7])\n'
        printf '\tby mx.example (mailrecv) with ESMTP id ID;\n\tDATE\n'
        cat message
    } | expect_file got
    [ "$(tr '\0' '\n' <environ | grep "^MESSAGE_SIZE=")" = "MESSAGE_SIZE=$(stat -c %s input)" ]
}

@test "a large message is on its input in the file that it was received into, which nobody writes to any more" {
    config <<END
deliver rcpt_to one@mx.example pipe stat -Lc %s /dev/stdin >size; cat /dev/stdin >again; cat >read; echo x >&0; echo "\$? \$MESSAGE_SIZE" >told
deliver rcpt_to two@mx.example pipe cat >other
END
    yes 'a line of a large message' | head -n 20000 >message
    UNDER=(strace -f -y -qq -o trace -e 'trace=openat,write')
    send s@client.example one@mx.example <message
    [[ $REPLY == '250 2.0.0 '* ]]
    expect "$(grep -c O_TMPFILE trace)" 1
    without_head read | cmp - message
    cmp read again
    expect "$(cat told)" "1 $(stat -c %s read)"
    expect "$(cat size)" "$(stat -c %s read)"
    # behind the head the session writes to it, its descriptor 3, up to multiples of 64 KiB
    at=$(sed -nE 's/^.* write\(.*"Return-Path: .* = ([0-9]+)$/\1/p' trace | head -n 1)
    sed -nE 's/^.* write\(3[<,].*, ([0-9]+)(\)| <unfinished).*$/\1/p' trace |
        awk -v "at=$at" 'at % 65536 != 0 && NR > 1 { wrong = 1 } { at += $1 } END { exit wrong || NR < 7 }'
    # with others each gets a copy of its own
    send s@client.example one@mx.example two@mx.example <message
    [[ $REPLY == '250 2.0.0 '* ]]
    expect "$(grep -c O_TMPFILE trace)" 3
    without_head read | cmp - message
    without_head other | cmp - message
}

@test "a small and a large message are the same to a command, also when it has become another user (root only)" {
    cat >look <<'END'
# What standard input is, whether it can be opened again, read twice, sought in, written to; by whoever runs this
import os, stat
status = os.fstat(0)
print("mode", stat.filemode(status.st_mode), "links", status.st_nlink, "at", os.lseek(0, 0, os.SEEK_CUR))
print("size", status.st_size == int(os.environ["MESSAGE_SIZE"]))
first = os.read(0, 10)
print("sought", os.lseek(0, -1, os.SEEK_END) + 1 == status.st_size, os.lseek(0, 5, os.SEEK_SET))
for path in "/dev/stdin", "/proc/self/fd/0":
    with open(path, "rb") as again:
        print("again", again.tell(), again.read(10) == first, len(again.read()) + 10 == status.st_size)
    print("still", os.lseek(0, 0, os.SEEK_CUR))
for what in (lambda: os.write(0, b"x")), (lambda: os.ftruncate(0, 0)):
    try:
        what()
        print("written")
    except OSError as error:
        print("not written:", error.strerror)
END
    become=(exec)
    [ "$(id -u)" != 0 ] || become+=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    config <<END
deliver rcpt_to one@mx.example pipe ${become[*]} python3 -c "\$(cat $HERE/look)"
deliver rcpt_to two@mx.example pipe cat >/dev/null
END
    for lines in 1 6000 125000; do # in memory and not
        for recipients in one 'one two' 'two one'; do # who have a copy each, or one that is what was received
            rm -f log
            # shellcheck disable=SC2046,SC2086 # words
            yes 'a line of 24 characters' | head -n "$lines" | send s@client.example $(printf '%s@mx.example ' $recipients)
            [[ $REPLY == '250 2.0.0 '* ]]
            said >told
            expect_file told <<'END'
mode -r--r--r-- links 0 at 0
size True
sought True 5
again 0 True True
still 5
again 0 True True
still 5
not written: Bad file descriptor
not written: Invalid argument
END
        done
    done
}

@test "pipe.from_line on puts a From_ line first, unquoted text behind it, and counts it" {
    config <<END
pipe.from_line on
deliver rcpt_to a@mx.example exec $TESTS/tools/witness $HERE
END
    echo 'From here' | send s@client.example a@mx.example
    expect "$(masked input | sed -n '1,2p;$p')" $'From s@client.example DATE\nReturn-Path: <s@client.example>\nFrom here'
    [ "$(tr '\0' '\n' <environ | grep "^MESSAGE_SIZE=")" = "MESSAGE_SIZE=$(stat -c %s input)" ]
}

# ---- what it says -------------------------------------------------------------------------

@test "output goes to the log, line by line and encoded" {
    config <<'END'
deliver rcpt_to a@mx.example pipe printf 'one\ntwo\n\n[192.0.2.9] "q" \\ \033[2J\303\274\r\n'; echo three >&2; printf 'no end'
END
    send s@client.example a@mx.example </dev/null
    [[ $REPLY == 250* ]]
    said >got
    expect_file got <<'END'
one
two
<0x5b>192.0.2.9<0x5d> <0x22>q<0x22> <0x5c> <0x1b><0x5b>2J<0xc3><0xbc><0x0d>
three
no end
END
}

@test "a flood of output is read, and the log is spared" {
    config <<'END'
limit.pipe_secs 15
deliver rcpt_to a@mx.example pipe yes | head -n 200000; echo the last >&2; exit 65
deliver rcpt_to b@mx.example pipe head -c 5000000 /dev/zero | tr '\0' x; exit 77
END
    send s@client.example a@mx.example </dev/null
    expect "$REPLY" '554 5.7.0 Delivery refused: <a@mx.example> the last'
    [ "$(said | wc -l)" -le 1000 ]
    [ "$(stat -c %s log)" -lt 200000 ]
    rm log
    send s@client.example b@mx.example </dev/null
    [[ $(cat replies) == *'554'[\ -]'5.7.0 Delivery refused: <b@mx.example> xxx'* ]]
    [ "$(stat -c %s log)" -lt 10000 ]
    [ "$(awk 'length > 512' replies | wc -l)" = 0 ]
}

@test "the last line of output, in printable ASCII, is the text of the 554" {
    config <<'END'
deliver rcpt_to a@mx.example pipe echo first; echo last; exit 65
deliver rcpt_to b@mx.example pipe printf 'la\303\274st\033\tline\r\n\n\n'; exit 65
deliver rcpt_to c@mx.example pipe exit 65
deliver rcpt_to d@mx.example pipe printf '250 2.0.0 forged'; exit 65
END
    while read -r recipient expected; do
        send s@client.example "$recipient@mx.example" </dev/null
        expect "$REPLY" "554 5.7.0 Delivery refused: <$recipient@mx.example> $expected"
        expect "$(grep -c '^250 2.0.0' replies)" 0
    done <<'END'
a last
b la??st??line?
c the command refused the message
d 250 2.0.0 forged
END
}

# ---- what its end means -------------------------------------------------------------------

@test "exit status 0 is 250; 65, 67, 77, 100 are 554; all others are 451" {
    {
        echo 'limit.smtp_failcmds 1000'
        echo 'limit.smtp_commands 1000'
        for code in {0..255}; do
            echo "deliver rcpt_to x$code@mx.example pipe exit $code"
        done
    } | config
    {
        printf 'EHLO helo.example\r\n'
        for code in {0..255}; do
            envelope s@client.example "x$code@mx.example"
            printf '.\r\n'
        done
        printf 'QUIT\r\n'
    } | session
    for code in {0..255}; do
        case $code in
        0) echo '250 2.0.0' ;;
        65 | 67 | 77 | 100) echo '554 5.7.0' ;;
        *) echo '451 4.3.0' ;;
        esac
    done >expected
    grep -A 1 '^354' replies | grep -v -e '^354' -e '^--' | cut -c 1-9 | diff expected - >&2
}

@test "status: the meanings that are built in, those of a line, and temporary" {
    {
        echo 'limit.smtp_failcmds 10000'
        echo 'limit.smtp_commands 10000'
        echo 'status mine 1=refused 65=retry 66=delivered 255=refused 77=retry'
        for code in {0..255}; do
            for name in qmail postfix mine; do
                echo "deliver status $name rcpt_to $name$code@mx.example pipe exit $code"
            done
            echo "deliver rcpt_to temporary$code@mx.example status postfix temporary pipe exit $code"
        done
    } | config
    {
        printf 'EHLO helo.example\r\n'
        for name in qmail postfix mine temporary; do
            for code in {0..255}; do
                envelope s@client.example "$name$code@mx.example"
                printf '.\r\n'
            done
        done
        printf 'QUIT\r\n'
    } | session
    for name in qmail postfix mine temporary; do
        for code in {0..255}; do
            case $name$code in
            qmail0 | qmail99 | postfix0 | mine0 | mine66 | temporary0) echo "$name$code 250" ;;
            qmail64 | qmail65 | qmail70 | qmail76 | qmail77 | qmail78 | qmail100 | qmail112) echo "$name$code 554" ;;
            postfix71 | postfix75) echo "$name$code 451" ;;
            postfix*) echo "$name$code 554" ;;
            mine1 | mine67 | mine100 | mine255) echo "$name$code 554" ;;
            *) echo "$name$code 451" ;;
            esac
        done
    done >expected
    grep -A 1 '^354' replies | grep -v -e '^354' -e '^--' | cut -c 1-3 >got
    paste -d ' ' <(cut -d ' ' -f 1 expected) got | diff expected - >&2
}

@test "a last line that is a reply is the reply, if the exit status allows its class" {
    config <<END
status late 7=retry
deliver rcpt_to quota@mx.example pipe echo not this; echo 450 4.2.2 Over quota; exit 75
deliver rcpt_to code@mx.example pipe echo 452 Over quota; exit 75
deliver rcpt_to enhanced@mx.example pipe echo 5.2.2 Over quota; exit 65
deliver rcpt_to both@mx.example pipe echo 550 5.1.1 Moved to '<new@example.com>'; exit 67
deliver rcpt_to taken@mx.example pipe echo 250 2.6.0 Stored as 17
deliver rcpt_to later@mx.example status late pipe echo 4.3.1 Full; exit 7
deliver rcpt_to never@mx.example temporary pipe echo 4.3.1 Full; exit 65
deliver rcpt_to bare@mx.example pipe echo 550; exit 65
deliver rcpt_to empty@mx.example pipe echo 250
deliver rcpt_to long@mx.example pipe printf '550 5.7.1 '; head -c 300 /dev/zero | tr '\0' x; exit 65
deliver rcpt_to soft@mx.example pipe echo 550 5.1.1 no; exit 75
deliver rcpt_to hard@mx.example pipe echo 450 4.1.1 later; exit 65
deliver rcpt_to good@mx.example pipe echo 550 5.1.1 no
deliver rcpt_to mixed@mx.example pipe echo 450 5.1.1 which; exit 75
deliver rcpt_to killed@mx.example pipe echo 450 4.9.9 said; kill -9 \$\$
END
    while IFS='|' read -r who expected; do
        send s@client.example "$who@mx.example" </dev/null
        expect "$who: ${REPLY%% as *}" "$who: $expected"
    done <<END
quota|450 4.2.2 Over quota
code|452 Over quota
enhanced|554 5.2.2 Over quota
both|550 5.1.1 Moved to <new@example.com>
taken|250 2.6.0 Stored
later|451 4.3.1 Full
never|451 4.3.1 Full
bare|550 the command refused the message
empty|250 2.0.0 Ok, delivered
soft|$DEFERRED
hard|554 5.7.0 Delivery refused: <hard@mx.example> 450 4.1.1 later
good|250 2.0.0 Ok, delivered
mixed|$DEFERRED
killed|$DEFERRED
END
    send s@client.example long@mx.example </dev/null
    [[ $REPLY == '550 5.7.1 xxxx'* ]]
    log_lines | grep -c 'delivery result=deferred .* to="quota@mx.example" reason="Over quota"$'
    log_lines | grep -c 'delivery result=delivered .* to="taken@mx.example" reason="Stored as 17"$'
    log_lines | sed -nE 's/^.* output id=ID: (the client .*)$/\1/p' >got
    expect_file got <<'END'
the client is not told 550, exit status 75 does not allow it
the client is not told 450, exit status 65 does not allow it
the client is not told 550, exit status 0 does not allow it
END
}

@test "a command that asks for 421 ends the session" {
    config <<'END'
deliver rcpt_to a@mx.example pipe echo 421 4.3.2 Closing; exit 75
END
    {
        printf 'EHLO helo.example\r\n'
        envelope s@client.example a@mx.example
        printf '.\r\nNOOP\r\n'
    } | session
    expect "$(tail -n 1 replies)" '421 4.3.2 Closing'
    log_lines | grep 'end reason=data '
}

@test "with several recipients a reply of a command names the one that it is about" {
    config <<'END'
deliver rcpt_to a@mx.example pipe echo 250 2.0.0 Mine
deliver rcpt_to b@mx.example pipe echo 550 5.2.2 Full; exit 65
END
    send s@client.example a@mx.example b@mx.example </dev/null
    expect "$REPLY" '550 5.2.2 <b@mx.example> Full'
    log_lines | grep -c 'ERROR: 550 - stage=data .*detail="<b@mx.example> Full"'
}

@test "a signal, a missing program, a program that is none: 451" {
    echo 'no program' >file
    config <<END
deliver rcpt_to term@mx.example pipe kill -TERM \$\$
deliver rcpt_to kill@mx.example pipe kill -KILL \$\$
deliver rcpt_to segv@mx.example exec /bin/sh -c "kill -SEGV \$\$"
deliver rcpt_to missing@mx.example exec $HERE/missing
deliver rcpt_to directory@mx.example exec $HERE
deliver rcpt_to file@mx.example exec $HERE/file
deliver rcpt_to shell126@mx.example pipe $HERE/file
deliver rcpt_to shell127@mx.example pipe $HERE/missing
END
    while IFS='|' read -r who reason; do
        send s@client.example "$who@mx.example" </dev/null
        expect "$who: $REPLY" "$who: $DEFERRED"
        expect "$(log_lines | sed -nE 's/^.* delivery result=deferred .* to="'"$who"'@mx.example" reason="(.*)"$/\1/p')" "$reason"
    done <<'END'
term|the command was killed by signal 15
kill|the command was killed by signal 9
segv|the command was killed by signal 11
missing|cannot be started: No such file or directory
directory|cannot be started: Permission denied
file|cannot be started: Permission denied
shell126|the command exited with status 126
shell127|the command exited with status 127
END
}

@test "a command need not read its input, or not all of it" {
    config <<END
deliver rcpt_to nothing@mx.example pipe true
deliver rcpt_to closed@mx.example pipe exec <&-; true
deliver rcpt_to half@mx.example pipe head -c 1000 >$HERE/half
deliver rcpt_to no@mx.example pipe head -n 1 >/dev/null; exit 67
END
    head -c 500000 /dev/zero | tr '\0' x | fold -w 70 >message
    echo >>message
    while read -r who expected; do
        send s@client.example "$who@mx.example" <message
        expect "$who: ${REPLY:0:9}" "$who: $expected"
    done <<'END'
nothing 250 2.0.0
closed 250 2.0.0
half 250 2.0.0
no 554 5.7.0
END
    expect "$(stat -c %s half)" 1000
}

@test "a child in the background does not hold the session up, and lives on" {
    config <<END
deliver rcpt_to a@mx.example pipe exec 5<&0; (read -r go <$HERE/go; cat <&5 >$HERE/later) & echo started
END
    mkfifo go
    UNDER=(timeout 20)
    echo text | send s@client.example a@mx.example
    expect "${REPLY:0:9}" '250 2.0.0'
    expect "$(said)" started
    timeout 20 sh -c 'echo go >go' # blocks until the child reads
    until_true grep -q text later
}

# ---- limits -------------------------------------------------------------------------------

# Is the process gone, or a zombie that only its new parent has to notice?
is_gone() {
    [ ! -e "/proc/$1/stat" ] || grep -q '^State:.Z' "/proc/$1/status"
}

@test "limit.pipe_secs ends the whole process group, and has its reply" {
    config <<END
limit.pipe_secs 1 452 Too slow a script
deliver rcpt_to a@mx.example pipe sleep 60 & echo \$! >$HERE/child; echo \$\$ >$HERE/shell; wait
deliver rcpt_to file@mx.example append $HERE/mbox
END
    UNDER=(timeout 20)
    echo text | send s@client.example file@mx.example a@mx.example
    expect "$REPLY" '452 4.3.0 Too slow a script'
    is_gone "$(cat shell)"
    until_true is_gone "$(cat child)"
    [ ! -e mbox ]
}

@test "a command that ignores SIGTERM is killed" {
    config <<END
limit.pipe_secs 1
deliver rcpt_to a@mx.example pipe trap '' TERM HUP INT; echo \$\$ >$HERE/shell; while :; do sleep 60; done
END
    UNDER=(timeout 20)
    echo text | send s@client.example a@mx.example
    [[ $REPLY == '451 4.'* ]]
    is_gone "$(cat shell)"
}

@test "a command may tidy up at SIGTERM" {
    config <<END
limit.pipe_secs 1
deliver rcpt_to a@mx.example pipe trap 'echo tidy; echo tidied >$HERE/told; exit 75' TERM; sleep 60 & wait
END
    UNDER=(timeout 20)
    echo text | send s@client.example a@mx.example
    [[ $REPLY == '451 4.'* ]]
    expect "$(cat told)" tidied
    expect "$(said)" tidy
}

@test "limit.connection_secs ends a running command, and nothing is appended" {
    config <<END
limit.connection_secs 1 421 That took too long
deliver rcpt_to a@mx.example pipe echo \$\$ >$HERE/shell; exec sleep 60
deliver rcpt_to file@mx.example append $HERE/mbox
END
    UNDER=(timeout 20)
    { printf 'EHLO helo.example\r\n'; envelope s@client.example a@mx.example file@mx.example; printf 'text\r\n.\r\n'
        printf 'NOOP\r\n'; } | session
    [[ $(tail -n 1 replies) == '421 4.'*' That took too long' ]]
    is_gone "$(cat shell)"
    [ ! -e mbox ]
}

@test "SIGTERM to mailrecv ends a running command: 4xx, nothing is appended, the session closes" {
    config <<END
deliver rcpt_to a@mx.example pipe echo \$\$ >$HERE/pid; mv $HERE/pid $HERE/shell; exec sleep 60
deliver rcpt_to file@mx.example append $HERE/mbox
END
    mkfifo client
    timeout 30 "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" <client >raw_replies 3>&- &
    exec {connection}>client
    { printf 'EHLO helo.example\r\n'; envelope s@client.example file@mx.example a@mx.example; printf 'text\r\n.\r\n'; } >&"$connection"
    until_true [ -e shell ]
    kill -TERM $! # timeout passes it on
    wait $! || true
    exec {connection}>&-
    tr -d '\r' <raw_replies >replies
    expect "$(sed -n '/^354/,$p' replies | tail -n +2 | cut -c 1-3 | tr '\n' ' ')" '451 421 '
    is_gone "$(cat shell)"
    [ ! -e mbox ]
}
