#!/usr/bin/env bats
# try.bats - a session that a person types as a client of his choice, and rehearsals that deliver nothing

bats_require_minimum_version 1.5.0
load common
load tools/delivery

# What of a transcript is the same each time; without the line that root alone sees, and what a kernel lacks.
steady() {
    sed -E -e '/^    (serving as root|sandbox): /d' -e 's/[0-9a-f]{13}\.[0-9a-f]+\.[0-9a-f]+/ID/' \
        -e 's/secs=[0-9]+\.[0-9]{3}/secs=SECS/'
}

# typed [OPTION...]: types the lines of standard input, as 192.0.2.7.
typed() {
    "$TESTS/tools/at-terminal" "$MAILRECV" -c conf -P 192.0.2.7=client.example "$@" | steady
}

rules() {
    config <<END
allowgroup office ^198\\.51\\.100\\.
deliver allowgroup office rcpt_to joe@mx.example append $HERE/joe
deliver rcpt_to ann@mx.example append $HERE/ann
deliver rcpt_to box@mx.example maildir $HERE/box
deliver rcpt_to run@mx.example pipe touch $HERE/ran
deliver rcpt_to call@mx.example exec /usr/bin/touch $HERE/called
deliver rcpt_to no@mx.example pipe exit 100
END
}

@test "on a terminal -P prompts for each line and shows the log beneath it; with -n nothing is delivered" {
    rules
    typed -n >seen <<'END'
HELO me
MAIL FROM:<bob@client.example>
RCPT TO:<joe@mx.example>
RCPT TO:<ann@mx.example>
DATA
a line
.
QUIT
END
    expect_file seen <<END
220 mx.example ESMTP mailrecv
    SMTP connection from remote host client.example [192.0.2.7]
mailrecv> HELO me
250 mx.example
mailrecv> MAIL FROM:<bob@client.example>
250 2.1.0 Sender ok
mailrecv> RCPT TO:<joe@mx.example>
    ERROR: 550 Not accepted from your host stage=rcpt refused=1/25 groups=office host=client.example helo="me" from="bob@client.example" line="RCPT TO:<joe@mx.example>"
550 5.7.1 Not accepted from your host
mailrecv> RCPT TO:<ann@mx.example>
250 2.1.5 Recipient ok
mailrecv> DATA
354 Send the message, end it with a dot on a line of its own
mailrecv> a line
mailrecv> .
    delivery result=rehearsed id=ID rule=5 target=append bytes=7 secs=SECS host=client.example path="$HERE/ann" from="bob@client.example" to="ann@mx.example"
250 2.0.0 Ok, but nothing is delivered in a rehearsal of ID
mailrecv> QUIT
221 2.0.0 Goodbye
    end reason=quit secs=SECS messages=1 helo=1 mail=1 rcpt=1/2 data=1 quit=1 host=client.example helo-name="me"
END
    [ ! -e ann ]
}

@test "without -n it is a session like any other" {
    rules
    printf '%s\n' 'MAIL FROM:<>' 'RCPT TO:<ann@mx.example>' DATA 'a line' . QUIT | typed >seen
    grep -qx '250 2.0.0 Ok, delivered as ID' seen
    expect "$(tail -n 2 ann)" 'a line'
}

@test "prompts and log lines go to standard error, replies to standard output" {
    rules
    printf '%s\n' 'RSET' 'RCPT TO:<ann@mx.example>' QUIT |
        "$TESTS/tools/at-terminal" -2 errors "$MAILRECV" -c conf -P 192.0.2.7 >seen
    expect_file seen <<'END'
220 mx.example ESMTP mailrecv
RSET
250 2.0.0 Reset
RCPT TO:<ann@mx.example>
503 5.5.1 Give the sender first: MAIL
QUIT
221 2.0.0 Goodbye
END
    steady <errors >said
    expect_file said <<'END'
    SMTP connection from remote host unknown [192.0.2.7]
mailrecv> mailrecv>     ERROR: 503 Give the sender first: MAIL stage=rcpt refused=0/25 from="" line="RCPT TO:<ann@mx.example>"
mailrecv>     end reason=quit secs=SECS messages=0 rcpt=0/1 rset=1 quit=1
END
}

@test "with -d there is more of the log, and -l sends it elsewhere" {
    rules
    printf '%s\n' 'MAIL FROM:<>' 'RCPT TO:<ann@mx.example>' QUIT >lines
    typed -d r <lines >seen
    grep -qx '    DEBUG r: conf:5: deliver rcpt_to "ann@mx.example" names "ann@mx.example"' seen
    typed -d r -l elsewhere <lines >seen
    expect "$(grep -c '^    ' seen || :)" 0
    grep -q '\[192\.0\.2\.7\] DEBUG r: conf:5: deliver rcpt_to "ann@mx.example" names "ann@mx.example"$' elsewhere
}

@test "the log of the configuration is neither written nor made" {
    rules
    echo "logfile $HERE/service.log" >>conf
    echo QUIT | typed >seen
    grep -q '^    end reason=quit ' seen
    [ ! -e service.log ]
}

@test "what is typed can be edited, and ends lines as a mail server does" {
    rules
    echo 'limit.bare_newline reject' >>conf
    printf '%s\n' 'NOPE\x15NOOP' 'RSEX\x7fT' 'MAIL FROM:<>' 'RCPT TO:<ann@mx.example>' DATA x . QUIT | typed >seen
    expect "$(grep -c '^[25]' seen)" 7
    expect "$(grep -c '^5' seen || :)" 0
    expect "$(tail -n 2 ann)" x
}

@test "Ctrl-D ends the session" {
    rules
    printf '%s\n' NOOP '\x04\c' | typed >seen
    expect "$(tail -n 2 seen)" $'mailrecv> \n    end reason=eof secs=SECS messages=0 noop=1 host=client.example'
}

@test "limits and SIGTERM end it as they end any session" {
    rules
    printf '%s\n' NOOP TERM | typed >seen
    grep -qx '421 4.3.2 The service is being stopped, try again later' seen
    echo 'limit.command_secs 1' >>conf
    echo NOOP | typed >seen
    grep -qx '421 4.4.2 Waited too long for input' seen
    grep -q '^    end reason=idle ' seen
}

@test "a host that is refused, and a configuration with a mistake, are shown" {
    rules
    echo 'deny remotehost client' >>conf
    echo QUIT | typed >seen
    grep -qx '554 Connections from your host are not accepted' seen
    echo 'delivr' >>conf
    NO_COLOR=1 run -78 "$TESTS/tools/at-terminal" "$MAILRECV" -c conf -P 192.0.2.7 </dev/null
    grep -qx '421 The service is not configured, try again later' <<<"$output"
    grep -q "^conf:11:1: unknown keyword 'delivr'" <<<"$output"
}

@test "tls implicit: what is typed counts as encrypted" {
    config <<END
tls implicit
tls.cert cert.pem
tls.key key.pem
deliver tls rcpt_to ann@mx.example append $HERE/ann
END
    printf '%s\n' 'EHLO me' 'MAIL FROM:<>' 'RCPT TO:<ann@mx.example>' DATA x . QUIT | typed >seen
    grep -qx '250 2.0.0 Ok, delivered as ID' seen
    grep -q 'with ESMTPS id ' ann
}

@test "without -P there is no prompt on a terminal, and the log goes where it goes" {
    rules
    echo "logfile $HERE/service.log" >>conf
    # the session needs no prompt to hear what was typed before; it ends with the terminal's line
    python3 - "$MAILRECV" >seen <<'END'
import os, pty, subprocess, sys
master, slave = pty.openpty()
program = subprocess.Popen([sys.argv[1], "-c", "conf"], stdin=slave, stdout=slave, stderr=slave)
os.close(slave)
os.write(master, b"QUIT\n")
seen = b""
try:
    while data := os.read(master, 4096):
        seen += data
except OSError:
    pass
sys.stdout.buffer.write(seen.replace(b"\r", b""))
sys.exit(program.wait())
END
    grep -qx '221 2.0.0 Goodbye' seen
    expect "$(grep -c -e 'mailrecv>' -e '^    ' seen || :)" 0
    grep -q '\[127\.0\.0\.1\] end reason=quit ' service.log
}

# ---- rehearsals -----------------------------------------------------------------------------

@test "-n from a pipe: each kind of target is named and left alone, whatever it would have said" {
    rules
    echo "deadletter_file $HERE/dead" >>conf
    { envelope s@client.example {ann,box,run,call,no,nobody}@mx.example
      printf 'text\r\n.\r\nQUIT\r\n'; } | "$MAILRECV" -c conf -l "$HERE/log" -P 192.0.2.7 -n | tr -d '\r' >replies
    get_reply
    [[ $REPLY == '250 2.0.0 Ok, but nothing is delivered in a rehearsal of '* ]]
    deliveries >got
    expect_file got <<'END'
rehearsed 7 pipe run@mx.example
rehearsed 8 exec call@mx.example
rehearsed 9 pipe no@mx.example
rehearsed 5 append ann@mx.example
rehearsed 6 maildir box@mx.example
rehearsed dead-letter append nobody@mx.example
END
    expect "$(ls)" $'conf\ngot\nlog\nreplies'
}

@test "-n decides as ever, and refuses what is refused" {
    rules
    { envelope s@client.example joe@mx.example nobody@mx.example; printf 'QUIT\r\n'; } |
        "$MAILRECV" -c conf -l "$HERE/log" -P 192.0.2.7 -n | tr -d '\r' >replies
    expect "$(grep -c '^550 ' replies)" 2
}

@test "-n is not for real connections, whatever else is said" {
    rules
    usage() { run -64 --separate-stderr "$MAILRECV" -c conf "$@" </dev/null; }
    usage -n
    # shellcheck disable=SC2154 # bats sets it
    expect "$stderr" 'mailrecv: -n needs -P, -x or -r, see mailrecv -h'
    expect "$output" ''
    for options in '-n' '-n -P 192.0.2.7'; do
        # shellcheck disable=SC2086 # words
        run -64 "$TESTS/tools/over-tcp" 127.0.0.1 "$MAILRECV" -c conf -l "$HERE/log" $options </dev/null
        expect "$output" ''
    done
    expect "$(sed 's/.*\] //' log)" $'-n needs -P, -x or -r\n-P is not for real connections'
}
