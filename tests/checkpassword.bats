#!/usr/bin/env bats
# checkpassword.bats - mailrecv-checkpassword: who comes in, what a users file may hold, new passwords

# shellcheck disable=SC2016,SC2154 # other shells expand; bats sets stderr

load common
bats_require_minimum_version 1.5.0

setup() {
    CHECKPASSWORD=${CHECKPASSWORD:-$(dirname "$MAILRECV")/mailrecv-checkpassword}
    cd "$BATS_TEST_TMPDIR" || return
    umask 077
}

# "secret" by every method, as cheap as it goes; those from the tenth on, and the seventh, are weak.
hashes() {
    cat <<'END'
$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA
$gy$j75$saltsaltsalt$Hr8NZO3YbGYYImkNKbG9HW7NVc2mSlRUKsEKqTUd2R4
$7$6/..../....saltsalt$hkuxrt1yzr1QIqbG6RMgFo9hN8IbKHmrUN7319pDk35
$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW
$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW
$2a$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW
$2x$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW
$6$rounds=1000$saltsalt$LAV5VE5Y7w1d73x1mFNspYWUpazfmwv2SoepNXNKJ/otop/Zok96Hr8Q13LEv0DRY/x8v0/crpIjl8NJSAqXV/
$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2
$sha1$100$saltsalt$Ha3.cIN7/tE/BC10wmSUA1dp.M5W
$md5$saltsalt$$htFYkfcXgVn6XJq7JYvMH/
$1$saltsalt$9xy1btjgzLYfb7hivXtC//
$3$$878d8014606cda29677a44efa1353fc7
_J9..saltLXKE4peqNCg
abNANd1rDfiNc
END
}

YESCRYPT=$(hashes | head -n 1)
MD5CRYPT=$(hashes | sed -n 12p)
USAGE=', see mailrecv-checkpassword -h'
MODE='expected chmod o-rw,g-w'

# ask NAME PASSWORD [ARG...]: puts the question; $status, $output and $stderr are the answer.
ask() {
    printf '%s\0%s\0Y0\0' "$1" "$2" >question
    run --separate-stderr bash -c '"$0" "$@" 3<question' "$CHECKPASSWORD" "${@:3}"
}

comes_in() { # NAME PASSWORD
    ask "$1" "$2" -f users
    [ "$status $output$stderr" = '0 ' ] || { echo "$1 with $2: $status, $output, $stderr"; false; }
}

stays_out() { # NAME PASSWORD REASON
    ask "$1" "$2" -f users
    [ "$status $output$stderr" = "1 mailrecv-checkpassword: users: user \"$1\": $3" ] || {
        echo "$1 with $2: $status, $output, $stderr"
        false
    }
}

# misuse MESSAGE ARG...: status 2 and that message, nothing else.
misuse() {
    run -2 --separate-stderr "$CHECKPASSWORD" "${@:2}" </dev/null 3<&-
    [ "$output" = '' ]
    [ "$stderr" = "mailrecv-checkpassword: $1$USAGE" ] || { echo "$stderr"; false; }
}

# ---- questions -----------------------------------------------------------------------------

@test "every method of libcrypt: the right password comes in, others do not" {
    local count=0 hash
    while IFS= read -r hash; do
        echo "joe:$hash" >users
        comes_in joe secret
        stays_out joe secreT 'wrong password'
        stays_out joe '' 'wrong password'
        stays_out joe "$hash" 'wrong password'
        count=$((count + 1))
    done < <(hashes)
    [ "$count" = 15 ]
}

@test "names are compared byte for byte, and a comment is nobody's name" {
    printf '%s\n' "joe:$YESCRYPT" "Ann@example.com:$YESCRYPT" $'J\xc3\xb6rg:'"$YESCRYPT" "#sue:$YESCRYPT" >users
    comes_in joe secret
    comes_in Ann@example.com secret
    comes_in $'J\xc3\xb6rg' secret
    for name in Joe jo joee 'joe ' ' joe' ann@example.com '#sue' sue '' "joe:$YESCRYPT"; do
        stays_out "$name" secret 'no such user'
    done
}

@test "no hash, a locked one, an unknown one and half a one let nobody in" {
    cat >users <<END
empty:
crypt:{CRYPT}
locked:!$YESCRYPT
star:*
starred:*$YESCRYPT
clear:secret
ldap:{SSHA}secret
future:\$9\$secret
half:${YESCRYPT%?}
setting:\$y\$j75\$saltsaltsalt
longer:${MD5CRYPT}x
colonless
:$YESCRYPT
END
    for password in '' secret '*' "$YESCRYPT"; do
        for name in empty crypt; do stays_out $name "$password" 'no hash, so nobody can log in'; done
        for name in locked star starred; do stays_out $name "$password" locked; done
        for name in clear half setting; do stays_out $name "$password" 'not a complete hash'; done
        stays_out longer "$password" 'wrong password'
        for name in ldap future; do stays_out $name "$password" 'not a hash that libcrypt knows'; done
        for name in colonless ''; do stays_out "$name" "$password" 'no such user'; done
    done
}

@test "a users file without usable users lets nobody in" {
    : >users
    stays_out joe secret 'no such user'
    stays_out joe '' 'no such user'
    stays_out '' '' 'no such user'
    echo 'joe:*' >users
    stays_out joe secret locked
    stays_out jack secret 'no such user'
}

@test "comments, blank lines, CR, {CRYPT}, further fields and a missing newline are read as meant" {
    printf '# users\r\n\r\n  \t\n\njoe:%s\r\nann:{CRYPT}%s\nsue:{crypt}%s:19000:0:99999:7:::\nbob:%s \t\neve:%s' \
        "$YESCRYPT" "$YESCRYPT" "$YESCRYPT" "$YESCRYPT" "$YESCRYPT" >users
    for name in joe ann sue bob eve; do comes_in $name secret; done
    stays_out joe other 'wrong password'
}

@test "the first line of a name counts" {
    printf '%s\n' "joe:*" "joe:$YESCRYPT" "ann:$YESCRYPT" "ann:" >users
    stays_out joe secret locked
    comes_in ann secret
}

@test "a file that others may read or write, or the group write, is not used" {
    echo "joe:$YESCRYPT" >users
    for mode in 600 400 640 440 650 611; do
        chmod $mode users
        comes_in joe secret
    done
    for mode in '604 others read' '644 others read' '646 others read' '602 others write' '642 others write' \
        '660 the group write' '620 the group write'; do
        chmod "${mode%% *}" users
        ask joe secret -f users
        [ "$status $output" = '111 ' ]
        [ "$stderr" = "mailrecv-checkpassword: users: mode ${mode%% *} lets ${mode#* } it, $MODE" ]
    done
}

@test "no file, a directory, a FIFO and a device are no users file, and nothing hangs" {
    mkfifo fifo
    ask joe secret -f missing
    [ "$status $stderr" = '111 mailrecv-checkpassword: missing: No such file or directory' ]
    for file in . fifo /dev/zero /dev/null; do
        run --separate-stderr timeout 10 bash -c '"$0" -f "$1" 3<question' "$CHECKPASSWORD" "$file"
        [ "$status $stderr" = "111 mailrecv-checkpassword: $file: not a regular file" ]
    done
}

@test "-d reads an open descriptor, again and again from its beginning" {
    echo "joe:$YESCRYPT" >users
    printf 'joe\0secret\0Y0\0' >right
    printf 'joe\0wrong\0Y0\0' >wrong
    run -0 bash -c '"$0" -d 7 3<right && "$0" -d7 3<right && ! "$0" -d 7 3<wrong 2>said && "$0" -d 7 3<right' \
        "$CHECKPASSWORD" 7<users
    [ "$(cat said)" = 'mailrecv-checkpassword: descriptor 7: user "joe": wrong password' ]
    chmod 644 users
    run -111 --separate-stderr bash -c '"$0" -d 7 3<right' "$CHECKPASSWORD" 7<users
    [ "$stderr" = "mailrecv-checkpassword: descriptor 7: mode 644 lets others read it, $MODE" ]
}

@test "without memory for a hash the answer is to ask again later" {
    echo "joe:\$7\$EU..../....saltsalt\$$(printf '%043d' 0)" >users # wants 256 MB
    for name in joe jack; do # or it would tell who exists
        printf '%s\0secret\0Y0\0' $name >question
        run -111 --separate-stderr bash -c 'ulimit -v 100000; "$0" -f users 3<question' "$CHECKPASSWORD"
        [ "$stderr" = "mailrecv-checkpassword: users: user \"$name\": libcrypt fails: out of memory, or a hash is damaged" ]
    done
}

@test "a program runs when the password is right, with its arguments, and without our descriptors" {
    echo "joe:$YESCRYPT" >users
    ask joe secret -f users printf '<%s>' -f 'a  b' -- '*'
    [ "$status $output$stderr" = '0 <-f><a  b><--><*>' ]
    ask joe secret -f users sh -c 'exit 42'
    [ "$status" = 42 ]
    ask joe secret -f users -- sh -c 'test ! -e /proc/self/fd/3 && ulimit -c'
    [ "$status $output" = '0 0' ]
    run -0 bash -c '"$0" -d 7 sh -c "test ! -e /proc/self/fd/7" 3<question 7<users' "$CHECKPASSWORD"
    ask joe wrong -f users touch ran
    [ "$status" = 1 ]
    [ ! -e ran ]
    ask joe secret -f users ./missing
    [ "$status $stderr" = '111 mailrecv-checkpassword: ./missing: No such file or directory' ]
}

@test "a question that is none: status 2" {
    echo "joe:$YESCRYPT" >users
    for question in '' 'joe' 'joe\0' 'joe\0secret' 'joe\0secret\0' 'joe\0secret\0Y0' '\0\0'; do
        # shellcheck disable=SC2059 # the format is the question
        printf "$question" >question
        run -2 --separate-stderr bash -c '"$0" -f users 3<question' "$CHECKPASSWORD"
        [ "$output" = '' ]
        [ "$stderr" = 'mailrecv-checkpassword: descriptor 3: expected name, password and timestamp, each with a NUL behind it' ]
    done
    run -2 --separate-stderr bash -c '"$0" -f users 3<.' "$CHECKPASSWORD"
    [ "$stderr" = 'mailrecv-checkpassword: descriptor 3: Is a directory' ]
}

@test "a question has at most 512 bytes; what follows the timestamp is not looked at" {
    echo "joe:$YESCRYPT" >users
    for question in 'joe\0secret\0\0' 'joe\0secret\0Y123456\0more' 'joe\0secret\0\0\0\0'; do
        # shellcheck disable=SC2059 # the format is the question
        printf "$question" >question
        run -0 bash -c '"$0" -f users 3<question' "$CHECKPASSWORD"
    done
    printf 'joe\0secret\0%0499d\0x' 0 >question
    [ "$(wc -c <question)" = 512 ]
    run -0 bash -c '"$0" -f users 3<question' "$CHECKPASSWORD"
    run -0 bash -c '"$0" -f users 3< <(head -c 9 question; sleep 0.1; tail -c +10 question)' "$CHECKPASSWORD"
    printf x >>question
    run -2 --separate-stderr bash -c '"$0" -f users 3<question' "$CHECKPASSWORD"
    [ "$stderr" = 'mailrecv-checkpassword: descriptor 3: more than 512 bytes' ]
}

@test "names of strangers are encoded, passwords never shown" {
    echo "joe:$YESCRYPT" >users
    ask $'a"b\n[1]\\\x1b\xff' 'pass word' -f users
    [ "$status" = 1 ]
    [ "$stderr" = 'mailrecv-checkpassword: users: user "a<0x22>b<0x0a><0x5b>1<0x5d><0x5c><0x1b><0xff>": no such user' ]
}

@test "there is one crypt() for every question, and an unknown user costs what the first one does" {
    local name want
    printf '%s\n' "ann:*" "bob:${MD5CRYPT%?}" "joe:$YESCRYPT" "sue:$MD5CRYPT" >users
    cat >count.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
char *crypt_rn(const char *phrase, const char *setting, void *data, int size)
{
    char *(*real)(const char *, const char *, void *, int) = dlsym(RTLD_NEXT, "crypt_rn");
    FILE *log = fopen("calls", "a");
    fprintf(log, "%.16s\n", setting);
    fclose(log);
    return real(phrase, setting, data, size);
}
END
    cc -shared -fPIC -o count.so count.c -ldl
    for name in joe jack ann bob '' sue; do
        rm -f calls
        printf '%s\0wrong\0\0' "$name" >question
        run -1 bash -c 'LD_PRELOAD=$PWD/count.so "$0" -f users 3<question' "$CHECKPASSWORD"
        want=${YESCRYPT:0:16}
        [ "$name" != sue ] || want=${MD5CRYPT:0:16}
        [ "$(cat calls)" = "$want" ]
    done
    # nobody is there: libcrypt's own choice stands in
    : >users
    rm calls
    run -1 bash -c 'LD_PRELOAD=$PWD/count.so "$0" -f users 3<question' "$CHECKPASSWORD"
    [ "$(wc -l <calls)" = 1 ]
    [[ "$(cat calls)" == '$y$j9T$'* ]]
}

@test "the process cannot be looked into, and leaves no core" {
    : >users
    mkfifo question
    "$CHECKPASSWORD" -f users 3<question 2>/dev/null &
    exec 8>question # ends when the other end is open
    local end=$((SECONDS + 10)) status=0
    until grep -qs '^Max core file size *0 *0 ' "/proc/$!/limits" || [ "$SECONDS" -gt "$end" ]; do sleep 0.02; done
    grep -q '^Max core file size *0 *0 ' "/proc/$!/limits"
    printf 'joe\0wrong\0\0' >&8
    exec 8>&-
    wait $! || status=$?
    [ "$status" = 1 ]
    run -0 strace -e trace=prctl -o calls "$CHECKPASSWORD" -V
    grep -q '^prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE) *= 0' calls
}

# ---- -t ------------------------------------------------------------------------------------

@test "-t says what is wrong in a users file, each with its line" {
    cat >users <<END
# comment
joe:$YESCRYPT
ann:{CRYPT}$YESCRYPT:more

colonless
:$YESCRYPT
empty:
half:${YESCRYPT%?}
clear:secret
ldap:{SSHA}secret
locked:!
joe:$MD5CRYPT
old[1]:$MD5CRYPT
older:$(hashes | tail -n 1)
joe:
END
    run -1 --separate-stderr "$CHECKPASSWORD" -t -f users
    [ "$stderr" = '' ]
    diff - <(echo "$output") <<'END'
error: users:5: no colon, expected NAME:HASH
error: users:6: no name, expected NAME:HASH
error: users:7: user "empty": no hash, so nobody can log in; make a new one with mailrecv-checkpassword -p or htpasswd -B, or write * for one who shall not
error: users:8: user "half": not a complete hash, make a new one with mailrecv-checkpassword -p or htpasswd -B
error: users:9: user "clear": not a complete hash (a password in plain text?), make a new one with mailrecv-checkpassword -p or htpasswd -B
error: users:10: user "ldap": not a hash that libcrypt knows (it is of LDAP or Dovecot), make a new one with mailrecv-checkpassword -p or htpasswd -B
warning: users:12: user "joe" stands on line 2 already, this one is not used
warning: users:13: user "old<0x5b>1<0x5d>": md5crypt is too weak, make a new one with mailrecv-checkpassword -p
warning: users:13: user "old<0x5b>1<0x5d>": md5crypt, others have yescrypt: the time of an answer then tells who exists
warning: users:14: user "older": DES is too weak, make a new one with mailrecv-checkpassword -p
warning: users:15: user "joe" stands on line 2 already, this one is not used
note: users: users: 9, locked: 1
END
}

@test "-t knows all methods, and which are too weak" {
    hashes | awk '{ print "user" NR ":" $0 }' >users
    run -0 "$CHECKPASSWORD" -t -f users
    [ "$(sed -n 's/^warning: users:\([0-9]*\): .*: \(.*\) is too weak, .*/\1 \2/p' <<<"$output")" = '7 broken bcrypt
10 sha1crypt
11 sunmd5
12 md5crypt
13 NT
14 bsdicrypt
15 DES' ]
    [ "$(tail -n 1 <<<"$output")" = 'note: users: users: 15, locked: 0' ]
}

@test "-t names what other programs write and libcrypt does not know, and shows nothing of it" {
    local n=0 hash says
    while IFS='|' read -r hash says; do
        n=$((n + 1))
        echo "joe:$hash" >users
        run -1 "$CHECKPASSWORD" -t -f users
        [ "${lines[0]}" = "error: users:1: user \"joe\": $says" ] || { echo "$hash: ${lines[0]}"; false; }
        [[ $output != *ecret* ]]
        ask joe secret -f users
        [ "$status" = 1 ]
    done < <(sed 's/%/, make a new one with mailrecv-checkpassword -p or htpasswd -B/' <<END
\$apr1\$salt\$6sn3vQHzo1cvEGhOYPIFE/|not a hash that libcrypt knows (it is of htpasswd without -B)%
{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=|not a hash that libcrypt knows (it is of htpasswd -s or LDAP)%
{sha}5en6G6MezRroT3XKqkdPOmY/BfQ=|not a hash that libcrypt knows (it is of htpasswd -s or LDAP)%
{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=|not a hash that libcrypt knows (it is of LDAP or Dovecot)%
{PLAIN}secret|not a hash that libcrypt knows (a password in plain text)%
{PLAIN}\$secret|not a hash that libcrypt knows (a password in plain text)%
{BLF-CRYPT}$(hashes | sed -n 5p)|not a hash that libcrypt knows with what stands in braces before it, take that away
{SHA512-CRYPT}$(hashes | sed -n 8p)|not a hash that libcrypt knows with what stands in braces before it, take that away
\$argon2id\$v=19\$m=65536,t=3,p=4\$c2FsdA\$aGFzaA|not a hash that libcrypt knows (it is of argon2)%
\$pbkdf2-sha256\$29000\$salt\$hash|not a hash that libcrypt knows (it is of PBKDF2)%
\$9\$secret|not a hash that libcrypt knows%
secret|not a complete hash (a password in plain text?)%
correctsecrets|no hash of DES (a password in plain text?)%
correct horse secret|not a hash that libcrypt knows (a password in plain text?)%
ein-geheimnis secretive!|not a hash that libcrypt knows (a password in plain text?)%
${MD5CRYPT}x|no hash of md5crypt%
END
    )
    [ "$n" = 16 ]
}

@test "-t says why a file cannot be used, and reads a descriptor" {
    echo "joe:$YESCRYPT" >users
    chmod 644 users
    run -1 "$CHECKPASSWORD" -t -f users
    [ "$output" = "error: users: mode 644 lets others read it, $MODE" ]
    run -1 "$CHECKPASSWORD" -t -f missing
    [ "$output" = 'error: missing: No such file or directory' ]
    run -1 "$CHECKPASSWORD" -t -d 7 7<.
    [ "$output" = 'error: descriptor 7: not a regular file' ]
    chmod 600 users
    run -0 "$CHECKPASSWORD" -t -d 7 7<users
    [ "$output" = 'note: descriptor 7: users: 1, locked: 0' ]
    run -111 bash -c '"$0" -t -f users >/dev/full' "$CHECKPASSWORD"
}

# ---- -p ------------------------------------------------------------------------------------

@test "-p makes a line for the file, by any method that is strong" {
    local method prefix
    while read -r method prefix; do
        echo secret | "$CHECKPASSWORD" -p -m "$method" joe >users
        [[ "$(cat users)" == "joe:$prefix"* ]] || { cat users; false; }
        comes_in joe secret
        run -0 "$CHECKPASSWORD" -t -f users
        [ "$output" = 'note: users: users: 1, locked: 0' ]
    done <<'END'
yescrypt $y$j9T$
gost $gy$j9T$
scrypt $7$
bcrypt $2b$10$
sha512 $6$rounds=100000$
sha256crypt $5$rounds=100000$
END
    # yescrypt is what libcrypt prefers; each has a salt of its own; without a name only the hash
    for _ in 1 2; do echo secret | "$CHECKPASSWORD" -p; done >lines
    [ "$(grep -c '^\$y\$j9T\$' lines)" = 2 ]
    [ "$(sort -u lines | wc -l)" = 2 ]
}

@test "-p takes a line of standard input: the first, all of it, and nothing that AUTH cannot carry" {
    printf ' two  words \nnext' >input
    { "$CHECKPASSWORD" -p joe >users && cat >rest; } <input
    comes_in joe ' two  words '
    [ "$(cat rest)" = next ]
    printf 'no newline' | "$CHECKPASSWORD" -p joe >users
    comes_in joe 'no newline'
    printf '%0255d\n' 0 | "$CHECKPASSWORD" -p joe >users
    comes_in joe "$(printf '%0255d' 0)"
    for bad in '%0256d\n|no password on standard input, or one that is too long' \
        '|no password on standard input, or one that is too long' \
        '\n|an empty password is none' '\xe4\n|the password is not UTF-8'; do
        # shellcheck disable=SC2059 # the format is the password
        printf "${bad%|*}" >input
        run -1 --separate-stderr "$CHECKPASSWORD" -p joe <input
        [ "$output$stderr" = "mailrecv-checkpassword: ${bad#*|}" ]
    done
}

@test "-p asks twice on a terminal, shows nothing, and leaves the terminal as it was" {
    python3 - "$CHECKPASSWORD" <<'END'
import fcntl, os, pty, signal, sys, termios

def talk(answers):
    """Starts -p on a terminal, answers each prompt; what the terminal showed, and the status."""
    tty, terminal = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for fd in 0, 1, 2:
            os.dup2(terminal, fd)
        os.execv(sys.argv[1], [sys.argv[1], "-p", "joe"])
    shown = b""
    for prompt, text in answers:
        while not shown.endswith(prompt):
            shown += os.read(tty, 1000)
        assert not termios.tcgetattr(terminal)[3] & termios.ECHO
        os.write(tty, text)
    status = os.waitpid(pid, 0)[1]
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    os.set_blocking(tty, False)
    try:
        while True:
            shown += os.read(tty, 1000)
    except BlockingIOError:
        return shown, status

signal.alarm(20)
shown, status = talk([(b"Password: ", b"secret\n"), (b"Again: ", b"secret\n")])
assert status == 0 and shown.startswith(b"Password: \r\nAgain: \r\njoe:$y$") and b"secret" not in shown, shown
shown, status = talk([(b"Password: ", b"secret\n"), (b"Again: ", b"secrets\n")])
assert os.WEXITSTATUS(status) == 1, status
assert shown == b"Password: \r\nAgain: \r\nmailrecv-checkpassword: the two passwords are not the same\r\n", shown
shown, status = talk([(b"Password: ", b"sec\x03")])
assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT and b"sec" not in shown, (shown, status)
END
}

# ---- the command line ----------------------------------------------------------------------

@test "misuse is told, with status 2" {
    misuse "unknown option '-x'" -x
    misuse "option '-f' needs a value" -f
    misuse "-f and -d exclude each other" -f users -d 0
    misuse "-p goes with -m and NAME only" -p -f users
    misuse "-p goes with -m and NAME only" -pt
    misuse "-m is for -p" -m bcrypt
    misuse "-t runs no program" -t true
    misuse "-p wants one NAME only" -p joe ann
    for fd in '' x -1 3 9 0x 99999999999999999999; do
        misuse "'$fd' is no descriptor of a users file" -d "$fd" 9<&-
    done
    misuse "unknown method 'rot13'" -p -m rot13
    misuse "'s' may be scrypt or sha512crypt" -p -m s
    misuse "md5crypt is too weak for new passwords" -p -m md5
    for name in '' a:b '#a' $'a\nb' $'\xff'; do
        run -2 --separate-stderr "$CHECKPASSWORD" -p -- "$name" </dev/null
        [[ "$output$stderr" == "mailrecv-checkpassword: '"*"' cannot be a name$USAGE" ]]
    done
    misuse "descriptor 3 is not open: this is started by mailrecv and others of its kind"
}

@test "-h and -V; the manual documents each option of -h, and no other" {
    run -0 --separate-stderr "$CHECKPASSWORD" -V
    [ "$output" = "mailrecv-checkpassword $("$MAILRECV" -V | cut -d ' ' -f 2)" ]
    run -0 --separate-stderr "$CHECKPASSWORD" -h
    [ "$stderr" = '' ]
    [[ "$output" == 'usage: mailrecv-checkpassword '* ]]
    [ "$(sed -n 's/^  \(-[A-Za-z]\) .*/\1/p' <<<"$output" | sort)" = \
        "$(sed -n 's/^\.It Fl \([A-Za-z]\).*/-\1/p' "$TESTS/../man/mailrecv-checkpassword.8" | sort)" ]
    run -0 mandoc -Tlint -Wwarning "$TESTS/../man/mailrecv-checkpassword.8"
    [ "$output" = '' ]
    run -111 bash -c '"$0" -h >/dev/full' "$CHECKPASSWORD"
}

@test "libcrypt is needed here and nowhere else" {
    [ "$(readelf -dW "$CHECKPASSWORD" | sed -nE 's/.*\(NEEDED\).*\[([a-z0-9-]+)\.so.*/\1/p' | sort | xargs)" = 'libc libcrypt' ]
    [ "$(cd "$TESTS/.." && grep -rl --include='*.[ch]' '<crypt\.h>' . --exclude-dir=tests)" = ./programs/checkpassword/crypts.c ]
    readelf -hW "$CHECKPASSWORD" | grep -qE 'Type: +DYN'
    readelf -lW "$CHECKPASSWORD" | grep -q GNU_RELRO
    readelf -sW --dyn-syms "$CHECKPASSWORD" | grep -q __stack_chk_fail
}
