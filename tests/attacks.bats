#!/usr/bin/env bats
# What attackers try: false ends of data, forged headers, commands and names, patterns and sessions that take for ever

load common
load tools/delivery

# ---- the end of data ----------------------------------------------------------------------

@test "no false end of data ends a message, wherever it is cut" {
    "$TESTS/tools/false-ends" crlf "$MAILRECV"
}

@test "with limit.bare_newline reject neither, and those with a lone CR or LF are refused" {
    "$TESTS/tools/false-ends" reject "$MAILRECV"
}

@test "in an LF session neither do those that need a CR or NUL" {
    "$TESTS/tools/false-ends" lf "$MAILRECV"
}

@test "the true end ends a message, wherever it is cut" {
    "$TESTS/tools/false-ends" true "$MAILRECV"
}

# ---- injection ----------------------------------------------------------------------------

@test "no field of the client becomes a header, a file name or a word of a shell" {
    "$TESTS/tools/forger" "$MAILRECV"
}

# All names are in the zone and lead back, each client is 127.0.0.N. What is no host name is unknown; fail2ban
# finds nobody, since their messages came, and if that did not count, the clients and nobody else.
@test "a reverse name is no name unless it is one, and forges nothing (own DNS)" {
    local names=() records=() name

    config <<END
deliver rcpt_to pipe@mx.example pipe echo "\$CLIENT_HOSTNAME" >>$HERE/told; cat >>$HERE/copies
END
    cat >serve <<'END'
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
for number in range(1, int(sys.argv[1]) + 1):
    client = socket.create_connection(listener.getsockname(), source_address=(f"127.0.0.{number}", 0))
    server = listener.accept()[0]
    mailrecv = subprocess.Popen(sys.argv[2:], stdin=server, stdout=server)
    server.close()
    client.sendall(b"HELO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<nobody@mx.example>\r\nRCPT TO:<pipe@mx.example>\r\n"
                   b"DATA\r\ntext\r\n.\r\nQUIT\r\n")
    while client.recv(4096):
        pass
    assert mailrecv.wait() == 0
END
    names=('[198.51.100.9].example' 198.51.100.9 '198.51.100.9] ERROR: 550 No one here.example'
        $'a\nX-Forged: yes.example' $'a\r\nX-Forged: yes.example' '$(touch${IFS}forged).example' '`touch forged`.example'
        ';touch forged;.example' '%n%s%n%s.example' ../../forged 'a"b.example' 'a\.example' error.198.51.100.9.example)
    for name in "${names[@]}"; do records+=("127.0.0.$((${#records[@]} / 2 + 1))=$name" "$name=127.0.0.$((${#records[@]} / 2 + 1))"); done
    "$TESTS/with-dns" "${records[@]}" -- python3 serve "${#names[@]}" "$MAILRECV" -c conf -l "$HERE/log" -d h
    # the last one is a name
    expect "$(uniq -c told | tr -s ' ')" $' 12 unknown\n 1 error.198.51.100.9.example'
    expect "$(grep -cE '^Received: from x \(unknown \[127\.0\.0\.[0-9]+\]\)$' copies)" 12
    expect "$(grep -c Forged copies)" 0
    [ ! -e forged ]
    expect "$(LC_ALL=C grep -c '[^ -~]' log)" 0
    expect "$(grep -cE '\[(127\.0\.0\.[0-9]+)\] SMTP connection from remote host unknown \[\1\]$' log)" 12
    expect "$(sed 's/error[.]198[.]51[.]100[.]9[.]example//; s/"[^"]*"//g' log | grep -c -e '198[.]51' -e forged -e Forged -e '%')" 0
    sed 's/ refused=[^ ]*//' log >unforgiven
    expect "$(fail2ban-regex -o ip --usedns=no unforgiven "$TESTS/../fail2ban/filter.d/mailrecv.conf")" "$(printf '127.0.0.%d\n' {1..13})"
    expect "$(fail2ban-regex -o ip --usedns=no log "$TESTS/../fail2ban/filter.d/mailrecv.conf")" ""
}

# ---- time and space -----------------------------------------------------------------------

# Plays a session that may use seconds of the processor, where a pattern that runs wild takes hours.
in_a_moment() {
    UNDER=(prlimit --cpu=5 --)
    session
}

@test "patterns that backtrack for ever are 451 in a moment, time and again" {
    config <<'END'
limit.smtp_failcmds 1000
limit.smtp_commands 1000
deliver rcpt_to /^(a+)+$/ append /dev/null
error rcpt_to ^(b|b?)+$ 550 Never
deliver rcpt_to /^(c*)*\1d@/ append /dev/null
error rcpt_to ^(.*e){30}x 550 Never
deliver rcpt_to ok@mx.example append /dev/null
END
    {
        printf 'HELO x\r\nMAIL FROM:<>\r\n'
        for letter in a b c e; do
            for _ in {1..10}; do printf 'RCPT TO:<%s@mx.example>\r\n' "$(printf "%060d" 0 | tr 0 "$letter")"; done
        done
        printf 'RCPT TO:<ok@mx.example>\r\nQUIT\r\n'
    } | in_a_moment
    expect "$(grep -c '^451 4.3.0 This address cannot be checked now, try again later$' replies)" 40
    expect "$(tail -n 2 replies)" $'250 2.1.5 Recipient ok\n221 2.0.0 Goodbye'
    expect "$(grep -cE '\] conf:[5-8]:[0-9]+: the pattern "[^"]*" decides nothing: ' log)" 40
}

@test "so are those for hosts: nobody is let in, and nobody joins a group" {
    local name
    name=$(printf '%060d' 0 | tr 0 a).example
    CLIENT=192.0.2.7=$name
    config <<'END'
allowgroup friends ^(a+)+$
deliver allowgroup friends rcpt_to box@mx.example append /dev/null
END
    printf 'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<box@mx.example>\r\nQUIT\r\n' | in_a_moment
    expect "$(sed -n 4p replies | cut -c 1-9)" '451 4.3.0'
    for directive in allow deny; do
        config <<<"$directive remotehost ^(a+)+\$"
        printf 'QUIT\r\n' | in_a_moment
        expect "$directive: $(head -n 1 replies)" "$directive: 451 Your host cannot be checked now, try again later"
    done
    expect "$(grep -cE 'conf:3:[0-9]+: the pattern "\^\(a\+\)\+\$" decides nothing: ' log)" 3
}

@test "addresses as long and as deep as they can be are read in a moment" {
    config <<'END'
limit.smtp_failcmds 100000
limit.smtp_commands 100000
deliver rcpt_to /(.+)@(.+)\.(.+)/ append /dev/null
END
    python3 - >input <<'END'
import sys
def command(path):
    line = f"RCPT TO:<{path}>\r\n"
    sys.stdout.write("RSET\r\nMAIL FROM:<>\r\n" + line if len(line) <= 2048 else "NOOP\r\n")
sys.stdout.write("HELO x\r\n")
for _ in range(500):
    command("@a," * 600 + "@b:user@mx.example")                # a source route
    command("a." * 31 + "a@" + "b." * 120 + "example")          # atoms and labels
    command('"' + "\\\"" * 31 + '"@mx.example')                  # quoted pairs
    command('"' + '" "' * 500)                                   # quotes that never end
    command("user@[IPv6:" + "1:" * 800 + "]")                   # a literal
    command("((" * 900)
    command("@" * 1900)
sys.stdout.write("QUIT\r\n")
END
    in_a_moment <input
    expect "$(tail -n 1 replies)" '221 2.0.0 Goodbye'
    expect "$(grep -c '^250 2.1.5' replies)" 1500
    expect "$(grep -c '^501 5.1.3' replies)" 2000
    expect "$(wc -l <replies)" $((2 + 3 * 3500 + 1))
}

thousand() { printf 'RCPT TO:<user%d@mx.example>\r\n' {1..1000}; }

@test "a thousand recipients: a hundred are accepted, and their mail arrives once each" {
    config <<END
fsync off
deliver rcpt_to @mx.example append $HERE/mbox
END
    { printf 'HELO x\r\nMAIL FROM:<>\r\n'; thousand; printf 'DATA\r\ntext\r\n.\r\nQUIT\r\n'; } | session
    expect "$(grep -c '^250 2.1.5' replies)" 100
    expect "$(grep -c '^452 4.5.3 Too many recipients$' replies)" 900
    expect "$(tail -n 2 replies | cut -c 1-9 | tr '\n' ' ')" '250 2.0.0 221 2.0.0 '
    expect "$(sed -n 's/^Delivered-To: //p' mbox)" "$(printf 'user%d@mx.example\n' {1..100})"
}

@test "a thousand recipients where they may be: each gets a copy of its own, by each way" {
    config <<END
fsync off
limit.smtp_rcpt_to 1000
deliver rcpt_to /^user[0-9]*[0-4]@mx.example\$/ append $HERE/mbox
deliver rcpt_to /^user[0-9]*[5-8]@mx.example\$/ maildir $HERE/box
deliver rcpt_to @mx.example exec /bin/true
END
    { printf 'HELO x\r\nMAIL FROM:<>\r\n'; thousand; printf 'DATA\r\ntext\r\n.\r\nQUIT\r\n'; } | session
    expect "$(tail -n 2 replies | cut -c 1-9 | tr '\n' ' ')" '250 2.0.0 221 2.0.0 '
    expect "$(grep -c '^Delivered-To: ' mbox)" 500
    expect "$(cat box/new/* | grep -c '^Delivered-To: ')" 400
    expect "$({ sed -n 's/^Delivered-To: //p' mbox box/new/*; sed -nE 's/.* target=exec .* to="([^"]*)".*/\1/p' log; } | sort -u | wc -l)" 1000
}

@test "a hundred thousand Received: lines are read to their end and refused once" {
    config <<END
deliver rcpt_to box@mx.example append $HERE/mbox
END
    { printf 'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<box@mx.example>\r\nDATA\r\n'
        yes $'Received: from a\r\n\tby b;\r' | head -n 200000
        printf '\r\ntext\r\n.\r\nQUIT\r\n'; } | in_a_moment
    expect "$(tail -n 2 replies)" $'554 5.4.6 Too many hops, the message is in a loop\n221 2.0.0 Goodbye'
    [ ! -e mbox ]
}

# ---- the wall -----------------------------------------------------------------------------

@test "a session that cannot be confined says 421 to its client and reads nothing, and the log tells" {
    config </dev/null
    printf 'HELO x\r\nQUIT\r\n' >input
    UNDER=(strace -f -o trace -e trace=prctl -e inject=prctl:error=EPERM:when=2)
    session <input
    expect "$(cat replies)" $'220 mx.example ESMTP mailrecv\n421 4.3.0 The service is out of order, try again later'
    expect "$(log_lines | tail -n 1)" '[192.0.2.7] end reason=failed status=77 host=client.example'
}
