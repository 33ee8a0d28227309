#!/usr/bin/env bats
# include.bats - a configuration in several files: which are read, in which order, whose they must be, and where lines stand

# shellcheck disable=SC2030,SC2031 # bats runs each test in a subshell

load common
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
    mkdir d
}

# file NAME LINE...: a file of these lines.
file() {
    local name=$1
    shift
    printf '%s\n' "$@" >"$name"
}

# What -t finds wrong with conf, without the lines that show it.
mistakes() {
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    # shellcheck disable=SC2154 # bats sets it
    grep '^[^ ]' <<<"$stderr"
}

# The lines that -t prints of what is repeatable.
rules() {
    "$MAILRECV" -t -c conf 2>/dev/null | grep -E '^(deliver|error|allow|deny|status)'
}

# ---- which files ---------------------------------------------------------------------------

@test "the lines of a file stand in the place of the line that includes it" {
    file conf 'deliver rcpt_to a@example.com append /a' 'include d/b' 'deliver rcpt_to c@example.com append /c' 'fsync off'
    file d/b 'deliver rcpt_to b@example.com append /b' 'fsync on' 'include sub' 'deliver rcpt_to b2@example.com append /b'
    file d/sub '# of d/b' 'deliver rcpt_to sub@example.com append /sub'
    [ "$(rules | cut -d' ' -f3 | paste -sd' ')" = 'a@example.com b@example.com sub@example.com b2@example.com c@example.com' ]
    "$MAILRECV" -t -c conf 2>/dev/null | grep -x 'fsync off'
    # what is printed is whole, and loads again
    "$MAILRECV" -t -c conf 2>/dev/null >printed || :
    run ! grep include printed
    "$MAILRECV" -t -c printed 2>/dev/null | diff printed -
}

@test "a path starts from the directory of the file that has it, or from the root" {
    mkdir -p d/e
    file conf "include d/first"
    file d/first 'include e/second' "include $PWD/d/third"
    file d/e/second 'deliver rcpt_to second@example.com append /x'
    file d/third 'include ./e/../e/second'
    [ "$(rules | wc -l)" = 2 ]
    cd /
    [ "$("$MAILRECV" -t -c "$BATS_TEST_TMPDIR/conf" 2>/dev/null | grep -c ^deliver)" = 2 ]
    cd "$BATS_TEST_TMPDIR/d/e"
    [ "$("$MAILRECV" -t -c ../../conf 2>/dev/null | grep -c ^deliver)" = 2 ]
}

@test "a pattern takes the files that it names in the order of their bytes, no hidden ones, and perhaps none" {
    file conf 'include d/*.conf' 'include d/?.x' 'include d/*.none' 'include d/[*'
    for name in b.conf B.conf a.conf 10.conf 9.conf .hidden.conf a.conf~ ab.x z.x 'with blank.conf'; do
        file "d/$name" "deliver rcpt_to ${name//[^A-Za-z0-9.]/}@example.com append /x"
    done
    [ "$(rules | sed 's/.*rcpt_to //; s/@.*//' | paste -sd' ')" = '10.conf 9.conf B.conf a.conf b.conf withblank.conf z.x' ]
    # whatever the language of the host says of an order
    [ "$(LC_ALL=C.UTF-8 LANG=de_DE.UTF-8 rules | sed -n 3p)" = 'deliver rcpt_to B.conf@example.com append /x' ]
}

@test "what cannot be included is an error that names it" {
    file conf 'include d/missing' 'include d' 'include' 'include a b' 'include ""' 'include missing/*.conf' 'include */a' \
        '  include  d/fifo' 'include e/*'
    mkdir -p e/directory
    mkfifo d/fifo
    mistakes >found
    diff - found <<'END'
conf:1:9: d/missing cannot be used: No such file or directory
conf:2:9: d cannot be used: Is a directory
conf:3:8: the line ends too early, expected the path of a file
conf:4:11: unexpected 'b', expected the end of the line
conf:5:9: an empty word, expected the path of a file
conf:6:9: missing/ cannot be used: No such file or directory
conf:7:9: a pattern in the name of a directory, expected one in the name of the file only
conf:8:12: d/fifo cannot be used: it is a FIFO or a device, expected a file
conf:9:9: e/directory cannot be used: Is a directory
END
}

@test "files include each other eight deep and no deeper" {
    file conf 'include d/1'
    for i in $(seq 8); do file "d/$i" "include $((i + 1))" "deliver rcpt_to $i@example.com append /x"; done
    file d/8 'deliver rcpt_to 8@example.com append /x'
    [ "$(rules | cut -d' ' -f3 | cut -d@ -f1 | paste -sd' ')" = '8 7 6 5 4 3 2 1' ]
    file d/8 'include 9'
    : >d/9
    [ "$(mistakes)" = 'd/8:1:9: files include each other more than 8 deep, expected fewer' ]
}

@test "a circle is an error that names it, under whatever names its files go" {
    file conf 'include conf'
    [ "$(mistakes)" = 'conf:1:9: a circle: conf includes conf' ]
    file conf '' 'include d/a'
    file d/a 'include b'
    file d/b '# round' 'include again'
    ln -s ../d/a d/again
    [ "$(mistakes)" = 'd/b:2:9: a circle: d/a includes d/b includes d/again' ]
    file conf 'include d/*.conf'
    file d/all.conf 'include *.conf'
    [ "$(mistakes)" = 'd/all.conf:1:9: a circle: d/all.conf includes d/all.conf' ]
    # as far in as files can be
    file conf 'include d/1'
    for i in $(seq 8); do file "d/$i" "include $((i + 1))"; done
    file d/8 'include ../conf'
    [ "$(mistakes)" = "d/8:1:9: a circle: conf includes $(seq -f 'd/%g includes' 8 | paste -sd' ') d/../conf" ]
    # twice is no circle
    file conf 'include d/one' 'include d/one'
    file d/one 'deliver rcpt_to a@example.com append /a'
    [ "$(rules | wc -l)" = 2 ]
}

# ---- whose files ---------------------------------------------------------------------------

@test "each file must be safe, and the directory of a pattern" {
    file conf 'include d/a' 'include d/*.conf'
    file d/a
    file d/b.conf
    for mode in 664 646; do
        chmod "$mode" d/a d/b.conf
        diff - <(mistakes) <<'END'
conf:1:9: d/a cannot be used: others than its owner and root may write it, expected chmod go-w
conf:2:9: d/b.conf cannot be used: others than its owner and root may write it, expected chmod go-w
END
    done
    chmod 644 d/a d/b.conf
    for mode in 775 1777; do
        chmod "$mode" d
        [ "$(mistakes)" = 'conf:2:9: d/ cannot be used: others than its owner and root may put files there, expected chmod go-w' ]
    done
}

@test "each file must belong to root or to the owner of the main file" {
    [ "$(id -u)" -eq 0 ] || skip "needs root"
    file conf 'include d/a' 'include d/*.conf'
    file d/a
    file d/b.conf
    chown daemon d/a d/b.conf
    diff - <(mistakes) <<'END'
conf:1:9: d/a cannot be used: it belongs to somebody else, expected root or the owner of the main file
conf:2:9: d/b.conf cannot be used: it belongs to somebody else, expected root or the owner of the main file
END
    chown root d/a d/b.conf
    chown daemon d
    [ "$(mistakes)" = 'conf:2:9: d/ cannot be used: it belongs to somebody else, expected root or the owner of the main file' ]
    chown daemon conf d/a
    run -0 "$MAILRECV" -t -c conf
}

@test "in service a mistake in an included file is a 421, and the log has its place" {
    file conf 'include d/a'
    file d/a '' ' nonsense'
    run -78 "$MAILRECV" -c conf -l log -P 192.0.2.7 </dev/null
    grep -q '^421 ' <<<"$output"
    grep "d/a:2:2: unknown keyword 'nonsense'" log
}

# ---- where lines stand -----------------------------------------------------------------------

@test "mistakes, warnings and advice have file, line and column of their line" {
    file conf 'fsync off' 'include d/a' 'bogus' 'status s 1=retry'
    file d/a '' 'fsync off' '	nonsense # and why' 'status s 1=refused'
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    diff - <(printf '%s\n' "$stderr") <<'END'
d/a:2:1: warning: 'fsync' stands twice (first on line 1 of conf), the last one wins
    fsync off
    ^
d/a:3:2: unknown keyword 'nonsense', expected one of mailrecv.conf(5)
    	nonsense # and why
    	^
conf:3:1: unknown keyword 'bogus', expected one of mailrecv.conf(5)
    bogus
    ^
conf:4:8: 's' is defined on line 4 of d/a already
    status s 1=retry
           ^
END
    "$MAILRECV" -t json -c conf >json || :
    grep -F '{"severity":"error","file":"d/a","line":3,"column":2,"source":"\u0009nonsense # and why",' json
    grep -F '{"severity":"error","file":"conf","line":3,"column":1,"source":"bogus",' json
}

@test "lines that are never reached are told with the line that takes their mail, of whichever file" {
    file conf 'domain example.com' 'deliver rcpt_to @example.com append /dev/null' 'include d/a' \
        'deliver rcpt_to a@other.example append /dev/null' 'error rcpt_to x 550 No' 'include d/b'
    file d/a '# lists' 'deliver rcpt_to list@example.com append /dev/null'
    file d/b 'deliver rcpt_to A@other.example append /dev/null' 'error rcpt_to x 550 No'
    "$MAILRECV" -t -c conf 2>told >/dev/null || :
    grep -A3 -F 'd/a:2:17: warning: this line is never reached: line 2 of conf takes all the mail that it could take' told |
        grep -F 'move it above line 2 of conf, or take it out'
    grep -F 'd/b:1:17: warning: this line is never reached: line 4 of conf takes all' told
    grep -F 'd/b:2:15: warning: this line is never reached: line 5 of conf refuses all' told
}

@test "log, environment, -x and the debug flags c and r name file and line of a rule" {
    file conf 'domain example.com' 'allowgroup g 192\.0\.2\.7' 'include d/a' 'deliver rcpt_to b@example.com append mbox'
    file d/a 'error rcpt_to ^x 550 No' 'deliver allowgroup g rcpt_to a@example.com pipe echo "$RULE" >rule'
    mail=('MAIL FROM:<s@client.example>' 'RCPT TO:<a@example.com>' DATA '' . 'MAIL FROM:<s@client.example>' 'RCPT TO:<b@example.com>' DATA '' . QUIT)
    printf '%s\r\n' "${mail[@]}" | "$MAILRECV" -d cr -c conf -l log -P 192.0.2.7 >/dev/null
    [ "$(cat rule)" = d/a:2 ]
    grep -F 'delivery result=delivered' log | grep -F ' rule="d/a:2" target=pipe'
    grep -F 'delivery result=delivered' log | grep -F ' rule=4 target=append'
    grep -F 'd/a:2: "deliver allowgroup g ' log
    grep -F 'conf:4: "deliver rcpt_to b@example.com' log
    grep -F 'd/a:2: deliver rcpt_to "a@example.com" names "a@example.com"' log
    grep -F 'conf:2: allowgroup "192<0x5c>.0<0x5c>.2<0x5c>.7" matches "192.0.2.7"' log
    grep -F 'd/a:2: deliver allowgroup g: the client is a member' log
    grep -F 'conf:4: this line decides' log
    run -0 "$MAILRECV" -x -c conf -P 192.0.2.7 from s@client.example rcpt a@example.com
    grep -F '    d/a:2: pipe echo' <<<"$output"
    grep -F 'RULE=d/a:2' <<<"$output"
}

@test "a pattern of an included file that decides nothing is told with its place" {
    file conf 'domain example.com' 'include d/a'
    file d/a '' 'deliver rcpt_to /(/ append mbox'
    printf '%s\r\n' 'MAIL FROM:<s@client.example>' 'RCPT TO:<a@example.com>' QUIT |
        "$MAILRECV" -c conf -l log -P 192.0.2.7 | grep '^451 '
    grep -F 'd/a:2:17: the pattern "(" decides nothing' log
    run -78 "$MAILRECV" -t -c conf
    grep '^d/a:2:' <<<"$output"
}
