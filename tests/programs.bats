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
    redis-cli -x RPUSH "$1" "$(maildrop -d joe)"
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
        printf "$column $HERE/script:%s\n" '8: maildrop' '8: redis-cli' '12: mosquitto_pub' | expect_file said
    done
    # none of it where it is no shell's, or too long
    sed -i '1s/sh$/cat/' script
    expect "$(warnings)" ''
    sed -i '1s/cat$/sh/' script
    expect "$(warnings | wc -l)" 3
    head -c 65536 /dev/zero | tr '\0' '\n' >>script
    expect "$(warnings)" ''
}

@test "no honest script is warned of" {
    config <<END
deliver rcpt_to a@mx.example exec $HERE/script
END
    for text in "(case \$1 in (foo|bar) cat >x ;; esac)" '[[ $1 =~ ^(foo|bar)$ ]] && cat >x' \
        'msmtp a@mx.example &>/dev/null || exit 75' 'for i in 1 2 3; do maildrop -d joe && exit 0; done; exit 75' \
        $'set -e\ntrap "exit 75" EXIT\nmsmtp x\ntrap - EXIT' 'if spamc -c | tail -n 1; then cat >x; fi' \
        'mail-is-there | grep -q mail || exit 75; cat >x' 'find x -name y | xargs rm; base64 | mdeliver x' \
        $'cat >x <<\\EOT\nit\'s a | b\nEOT\nmsmtp || exit 75'; do
        printf '#!/bin/bash\n%s\n' "$text" >script
        chmod 755 script
        expect "$text: $("$MAILRECV" -t -c conf 2>&1 >/dev/null | grep "$HERE/script:[0-9]")" "$text: "
    done
}

@test "a script is read in a moment, whatever it is" {
    config <<END
deliver rcpt_to a@mx.example exec $HERE/script
END
    for text in '\n' ';' ' ' '(' 'a;' '`' "'" '<<' '|' '$(' 'fi ' '\\'; do
        { echo '#!/bin/sh'; printf "%.0s$text" {1..30000}; } >script
        chmod 755 script
        timeout -s KILL 20 "$MAILRECV" -t -c conf >said 2>&1 || [ $? -lt 128 ]
    done
}
