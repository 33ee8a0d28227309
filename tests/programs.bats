#!/usr/bin/env bats
# Commands whose exit status says too little: what -t says of them, in lines and in scripts

load common
load tools/delivery

# A configuration with a line for each command of a class, in the order of conf/programs; WORDS before rcpt_to.
lines_for() { # CLASS [WORDS]
    {
        printf 'domain mx.example\ndeliver rcpt_to /^postmaster(@|$)/ append /dev/null\n'
        sed -nE "s/^[0-9]+ $1 //p" "$TESTS/conf/programs" |
            awk -v words="${2:-}" '{ print "deliver " words " rcpt_to n" NR "@mx.example pipe " $0 }'
    } >conf
}

# The warnings about programs, as LINE CONSEQUENCE.
warnings() {
    "$MAILRECV" -t -c conf 2>&1 >/dev/null | sed -nE \
        -e 's/^conf:([0-9]+):[0-9]+: warning: .*: mail is (lost) .*$/\1 \2/p' \
        -e 's/^conf:([0-9]+):[0-9]+: warning: .*: good mail is (bounced) .*$/\1 \2/p' \
        -e 's/^conf:([0-9]+):[0-9]+: warning: .*: each retry leaves one more (cop)y .*$/\1 \2ies/p'
}

@test "each program that was seen to lose, bounce or copy mail is warned of, or the manual says why not" {
    for class in lost bounced copies; do
        lines_for $class
        warnings | grep " $class$" | cut -d ' ' -f 1 | uniq >found
        seq 3 "$(wc -l <conf)" | diff - found
    done
    mandoc -Tascii "$TESTS/../man/mailrecv.conf.5" | col -bx | tr -s ' \n' ' ' >manual
    sed -nE 's/^[0-9]+ manual (.*)$/\1/p' "$TESTS/conf/programs" | while read -r words; do
        grep -qF -e "$words" manual || { echo "$words" >&2; return 1; }
    done
    # each row, 48 known to -t and 6 named there
    expect "$(sed -nE 's/^([0-9]+) .*/\1/p' "$TESTS/conf/programs" | sort -nu | tr '\n' ' ')" "$(seq 54 | tr '\n' ' ')"
    expect "$(sed -nE 's/^([0-9]+) (lost|bounced|copies) .*/\1/p' "$TESTS/conf/programs" | sort -u | wc -l)" 48
    expect "$(sed -nE 's/^([0-9]+) manual .*/\1/p' "$TESTS/conf/programs" | sort -u | wc -l)" 6
}

@test "no honest form is warned of" {
    lines_for good
    expect "$(warnings)" ''
    lines_for bounced temporary
    expect "$(warnings | grep bounced)" ''
    lines_for bounced 'status none'
    echo 'status none 65=retry 67=retry 77=retry' >>conf
    expect "$(warnings | grep bounced)" ''
}

@test "a warning has the place of the program, the consequence and what to write" {
    config <<'END'
deliver rcpt_to a@mx.example pipe test -e x || exec /usr/bin/env -i redis-cli -x RPUSH mail
deliver rcpt_to b@mx.example exec /usr/bin/maildrop -d joe
END
    "$MAILRECV" -t -c conf 2>&1 >/dev/null | grep -A3 ' exits with ' | grep -v '^--' >said
    expect_file said <<'END'
conf:3:69: warning: redis-cli exits with 0 when Redis answers with an error: wrong type, password, no memory, read-only: mail is lost (seen with 7.0.15)
    deliver rcpt_to a@mx.example pipe test -e x || exec /usr/bin/env -i redis-cli -x RPUSH mail
                                                                        ^
    write: redis-cli -e -x ...
conf:4:35: warning: /usr/bin/maildrop exits with 67 while authdaemon is not running: good mail is bounced (seen with 2.9.3)
    deliver rcpt_to b@mx.example exec /usr/bin/maildrop -d joe
                                      ^
    write: maildrop -d USER || exit 75; or temporary before rcpt_to
END
}

@test "a shell script that is the program of a line is read, up to 64 KB" {
    cat >script <<'END'
#!/bin/sh
# curl --data-binary @- https://example.com
x='curl -d x'
cat >/dev/null <<EOT
redis-cli -x
EOT
store() {
    redis-cli -x RPUSH "$1" && x=$(maildrop -d joe)
}
case $1 in
a | b) store mail ;;
*) exec mosquitto_pub -s -t x ;;
esac
END
    chmod 755 script
    for line in "exec $HERE/script a" "pipe $HERE/script a" "pipe A=b exec $HERE/script -- \"\$SENDER\""; do
        config <<END
deliver rcpt_to a@mx.example $line
END
        "$MAILRECV" -t -c conf 2>&1 >/dev/null | sed -nE 's/^conf:3:([0-9]+): warning: (.*) exits with .*$/\1 \2/p' >said
        head=${line%%"$HERE"*}
        column=$((${#head} + 30))
        printf "$column $HERE/script:%s\n" '8: redis-cli' '8: maildrop' '12: mosquitto_pub' | expect_file said
    done
    # none of it where it is no shell's, or too long
    sed -i '1s/sh$/cat/' script
    expect "$(warnings)" ''
    sed -i '1s/cat$/sh/' script
    expect "$(warnings | wc -l)" 3
    head -c 65536 /dev/zero | tr '\0' '\n' >>script
    expect "$(warnings)" ''
}

# The warnings of scripts in a file of conf/, as "NAME: CONSEQUENCE LINE". Each begins behind a line "=== NAME [WORD...]", in
# whose place is the #! of bash, and ends with LINE.
said_of_scripts() { # FILE [LINE]
    local script

    rm -rf scripts
    mkdir scripts
    awk '/^=== /{ name = $2; print "#!/bin/bash" >("scripts/" name); next } name != "" { print >("scripts/" name) }' "$TESTS/conf/$1"
    chmod 755 scripts/*
    for script in scripts/*; do
        [ $# -lt 2 ] || echo "$2" >>"$script"
        echo "deliver rcpt_to /^${script##*/}-.*@mx[.]example$/ exec $HERE/$script"
    done | { echo 'domain mx.example'; cat; } >conf
    "$MAILRECV" -t -c conf 2>&1 >/dev/null | sed -nE "s|^conf:[0-9]+:[0-9]+: warning: $HERE/scripts/||p" | sed -E \
        -e 's/^(.*):([0-9]+): .* may fail, and what stands around it .*$/\1: hidden \2/' \
        -e 's/^(.*):([0-9]+): .* exits with 0 .*: mail is lost .*$/\1: lost \2/' \
        -e 's/^(.*):([0-9]+): .* good mail is bounced .*$/\1: bounced \2/' \
        -e 's/^(.*):([0-9]+): .* the pipe hides that.*$/\1: piped \2/' \
        -e 's/^(.*):([0-9]+): .* in the background: .*$/\1: background \2/' \
        -e 's/^(.*):([0-9]+): .* without quotes is split .*$/\1: split \2/' \
        -e 's/^(.*):([0-9]+): .* becomes code of .*$/\1: code \2/' | LC_ALL=C sort
}

@test "no honest script is warned of" {
    said_of_scripts scripts-good >said
    expect_file said </dev/null
    # and all of them were understood
    said_of_scripts scripts-good 'fdm -m -a stdin fetch' >said
    expect "$(grep -c ': lost ' said)" "$(grep -c '^===' "$TESTS/conf/scripts-good")"
}

@test "scripts that lose mail are warned of, at the line" {
    said_of_scripts scripts-bad >said
    sed -nE 's/^=== ([^ ]*) (.*)$/\1: \2/p' "$TESTS/conf/scripts-bad" | LC_ALL=C sort >want
    [ "$(wc -l <want)" -gt 50 ]
    diff want said
}

@test "where a failure is said to be hidden, bash exits with 0" {
    said_of_scripts scripts-bad >said
    mkdir bin
    printf '#!/bin/sh\nexit 1\n' >bin/new-ticket
    chmod 755 bin/new-ticket
    sed -nE 's/^(.*): (hidden|background) .*$/\1/p' said >names
    [ "$(wc -l <names)" -gt 15 ]
    while read -r name; do
        PATH=$HERE/bin:$PATH bash "scripts/$name" a <<<text >/dev/null 2>&1 3>&- || { echo "$name: $?"; return 1; }
    done <names
}

@test "a variable that strangers choose is warned of at its place, with what to write" {
    config <<'END'
recipient_delimiter +
deliver rcpt_to a@mx.example pipe new-ticket -f "$SENDER" ${RECIPIENT} $LOCAL || exit 75
deliver rcpt_to b@mx.example pipe test -e x || exec timeout 9 sh -c "new-ticket '$SENDER'"
deliver rcpt_to c@mx.example pipe env -i sh -c 'new-ticket $CLIENT_HELO'
END
    "$MAILRECV" -t -c conf 2>&1 >/dev/null | grep -A3 -e ' without quotes ' -e ' code ' | grep -v '^--' >said
    expect_file said <<'END'
conf:4:59: warning: ${RECIPIENT} without quotes is split at blanks, and * and ? in it become names of files: a stranger chooses the words of new-ticket
    deliver rcpt_to a@mx.example pipe new-ticket -f "$SENDER" ${RECIPIENT} $LOCAL || exit 75
                                                              ^
    write: "${RECIPIENT}"
conf:5:82: warning: $SENDER becomes code of sh here: a stranger can have anything executed
    deliver rcpt_to b@mx.example pipe test -e x || exec timeout 9 sh -c "new-ticket '$SENDER'"
                                                                                     ^
    write single quotes around the code, in which "$SENDER" is a variable of that shell
conf:6:60: warning: $CLIENT_HELO without quotes is split at blanks, and * and ? in it become names of files: a stranger chooses the words of new-ticket
    deliver rcpt_to c@mx.example pipe env -i sh -c 'new-ticket $CLIENT_HELO'
                                                               ^
    write: "$CLIENT_HELO"
END
}

@test "what the line itself decides is not warned of" {
    config <<'END'
deliver rcpt_to a@mx.example pipe new-ticket $LOCAL $RECIPIENT $DOMAIN
deliver rcpt_to /^t-([0-9]+)@mx[.]example$/ pipe new-ticket $LOCAL $MATCH_1
deliver from a@example.com rcpt_to b@mx.example pipe new-ticket $SENDER $SENDER_LOCAL
also rcpt_to a@mx.example pipe new-ticket || true
END
    "$MAILRECV" -t -c conf 2>&1 >/dev/null | grep -e ' without quotes ' -e ' stands around ' >said || true
    expect_file said </dev/null
}

@test "what stands in the background reads nothing, and is not waited for" {
    for shell in sh bash; do
        echo mail >message
        "$shell" -c 'cat >read & wait; false & ' <message
        expect_file read </dev/null
    done
}

@test "a script is read in a moment, whatever it is" {
    config <<END
deliver rcpt_to a@mx.example exec $HERE/script
END
    for text in '\n' ';' ' ' '(' 'a;' '`' "'" '<<' '|' '$(' 'fi ' '\\' '{ ' 'if ' 'f()' '${' '[[ ' 'a=(' 'a&' '! ' '$?' 'A=$A '; do
        { echo '#!/bin/sh'; printf "%.0s$text" $(seq $((65000 / ${#text}))); } >script
        chmod 755 script
        timeout -s KILL 20 "$MAILRECV" -t -c conf >said 2>&1 || [ $? -lt 128 ]
    done
}
