#!/usr/bin/env bats
# dialog.bats - the player of the dialogues notices what is wrong

load common

setup() { dir=$BATS_TEST_TMPDIR; }

# The dialogue on standard input must fail with what was expected, a text, and what came, a pattern.
must_fail() { # EXPECTED GOT
    run "$TESTS/dialog" -
    echo "$output"
    [ "$status" -eq 1 ]
    [ "${lines[0]}" = 1..1 ]
    [[ ${lines[1]} == 'not ok 1 - '* ]]
    [ "${lines[3]}" = "# expected: $1" ]
    # shellcheck disable=SC2053 # a pattern on purpose
    [[ ${lines[4]} == "# got:      "$2 ]]
}

@test "another reply than expected" {
    must_fail '250 2.0.1 Ok' '250 2.0.0 Ok' <<<'# wrong
S: 220 *
C: NOOP
S: 250 2.0.1 Ok'
}

@test "a reply more than expected" {
    must_fail '(the end of the connection)' '250 2.0.0 Ok' <<<'# wrong
S: 220 *
C 2: NOOP
S: 250 2.0.0 Ok
eof'
}

@test "a reply less than expected" {
    must_fail '250 2.0.0 Ok' '(the end of the connection)' <<<'# wrong
S: 220 *
C: QUIT
S: 221 *
S: 250 2.0.0 Ok'
}

@test "no reply, and a session that does not end" {
    export PATIENCE=0.2
    must_fail '250 2.0.0 Ok' '(nothing for 0.2 seconds)' <<<'# wrong
S: 220 *
S: 250 2.0.0 Ok'
    must_fail '(the end of the connection)' '(nothing for 0.2 seconds)' <<<'# wrong
S: 220 *'
}

@test "another log, file, output, status than expected" {
    must_fail 'ERROR: *' 'end reason=quit *' <<<'# wrong
S: 220 *
quit
log: SMTP connection from *
log: ERROR: *
log: end *'
    must_fail '(no more lines)' 'end reason=quit *' <<<'# wrong
S: 220 *
quit
log: SMTP connection from *'
    must_fail 'no line end reason=*' 'end reason=quit *' <<<'# wrong
S: 220 *
quit
no log: end reason=*'
    must_fail 'the file nothing' 'no such file' <<<'# wrong
S: 220 *
quit
file nothing:
| x'
    must_fail 'no file conf' "*" <<<'# wrong
S: 220 *
quit
no file: conf'
    must_fail 'two' 'one' <<<'# wrong
S: 220 *
quit
run: echo one
| two'
    must_fail 'exit status 1' '0' <<<'# wrong
exit: 1
S: 220 *
quit'
}

@test "a program that answers in LF, without text, at too great length, or that fails" {
    local says

    for says in '220 mail.example.com ESMTP\n' '220\r\n' '220 \r\n' "220 $(printf '%0510d' 0)\r\n" '220 caf\351\r\n'; do
        printf '#!/bin/sh\nprintf '\''%s'\''\nread quit\n' "$says" >"$dir/false"
        chmod +x "$dir/false"
        MAILRECV=$dir/false must_fail '220 *' '(bad reply line *' <<<'# wrong
S: 220 *
quit'
    done
    printf '#!/bin/sh\nexit 3\n' >"$dir/false"
    MAILRECV=$dir/false must_fail '220 *' '(the end of the connection)' <<<'# wrong
S: 220 *
quit'
    printf '#!/bin/sh\nprintf "220 x\\r\\n"\nread quit; printf "221 2.0.0 Goodbye\\r\\n"; echo trouble >&2\n' >"$dir/false"
    MAILRECV=$dir/false must_fail 'nothing on standard error' 'trouble' <<<'# wrong
S: 220 *
quit'
    printf '#!/bin/sh\nprintf "220 x\\r\\n"\nread quit; printf "221 2.0.0 Goodbye\\r\\n"\n' >"$dir/false"
    MAILRECV=$dir/false must_fail 'the connection first' '*' <<<'# wrong
S: 220 *
quit'
}

@test "a refusal that is not in the log" {
    # a program that says 500 by itself, with a log of two lines
    cat >"$dir/false" <<'END'
#!/bin/sh
log() { printf 'Sat Nov 21 10:00:00 2026 MAILRECV[1]: [127.0.0.1] %s\n' "$1" >>log; }
log 'SMTP connection from remote host unknown [127.0.0.1]'
printf '220 x\r\n'
read -r noop
printf '500 5.5.1 No\r\n'
read -r quit
printf '221 2.0.0 Goodbye\r\n'
log 'end reason=quit'
END
    chmod +x "$dir/false"
    MAILRECV=$dir/false must_fail "ERROR lines with the codes ['500']" '\[\]' <<<'# wrong
S: 220 *
C: NOOP
S: 500 5.5.1 No
quit'
}

@test "a file that is no dialogue" {
    for text in '' 'S: 220 *' $'# purpose\nX: what' $'# purpose\nC: \\q' $'# purpose\n| x' '# purpose
via: pigeon'; do
        run "$TESTS/dialog" - <<<"$text"
        echo "$output"
        [ "$status" -eq 1 ]
        [[ $output == dialog:* ]]
    done
}
