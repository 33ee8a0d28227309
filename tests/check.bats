#!/usr/bin/env bats
# check.bats - mailrecv -t: what it says of certificates, passwords, files and rules, each at its place

bats_require_minimum_version 1.5.0

load common

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    pair mail.example.com
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@example.com >users
    chmod 600 users
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    umask 022
    cp "$BATS_FILE_TMPDIR"/* .
}

teardown() {
    [ -z "${place:-}" ] || rm -rf "$place"
}

# cert.pem and key.pem for this name, for 100 days unless other options say otherwise.
pair() { # NAME [OPTION...]
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 100 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -keyout key.pem -out cert.pem "${@:2}" 2>openssl.out
}

# conf, of these lines and of one that keeps some notes away.
config() { # LINE...
    printf '%s\n' "$@" "deadletter_file $PWD/dead" >conf
}

# conf with TLS and passwords, and these lines.
secure() { # LINE...
    config 'tls required' "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" 'auth required' "auth.users $PWD/users" "$@"
}

# says STATUS PATTERN [NEXT-LINE...]: -t ends so, and says a line that this matches, followed by those lines.
says() {
    run "$MAILRECV" -t -c conf
    [ "$status" -eq "$1" ]
    grep -x -A "$(($# - 2))" -e "$2" <<<"$output" >found
    shift 2
    printf '%s\n' "$@" | diff - <(sed 1d found; [ $# -gt 0 ] || echo)
}

# ---- TLS -----------------------------------------------------------------------------------

@test "good certificate, key and users: notes with the days left, and nothing else" {
    secure
    run -0 --separate-stderr "$MAILRECV" -t -c conf
    # shellcheck disable=SC2154 # bats sets it
    sed -e 's/in [0-9]* days/in N days/' -e '/: no user: /,+1d' <<<"$stderr" >notes
    [ "$(cat notes)" = "conf:2:10: note: the certificate expires in N days
conf:2:10: note: the certificate is self-signed: only clients that know it can trust it
conf:2:10: note: the certificate is for mail.example.com
conf:5:12: note: $PWD/users: users: 1, locked: 0" ]
    [ "$(grep -c '^tls required$' <<<"$output")" -eq 1 ]
}

@test "certificate and key that are missing, empty, swapped, of others, encrypted: each at its line, with status 78" {
    secure
    rm key.pem
    says 78 "conf:3:9: cannot open $PWD/key.pem: No such file or directory" "    tls.key $PWD/key.pem" '            ^'
    : >key.pem
    says 78 'conf:3:9: tls.key: is no private key in PEM' "    tls.key $PWD/key.pem" '            ^'
    openssl genpkey -algorithm ED25519 -out key.pem
    says 78 'conf:3:9: tls.key: does not belong to the certificate'
    openssl genpkey -algorithm ED25519 -aes128 -pass pass:x -out key.pem
    says 78 'conf:3:9: tls.key: is encrypted, and nobody is there to be asked for the passphrase'
    cp key.pem cert.pem
    says 78 'conf:2:10: tls.cert: holds no certificate in PEM' "    tls.cert $PWD/cert.pem" '             ^'
    rm cert.pem
    says 78 "conf:2:10: cannot open $PWD/cert.pem: No such file or directory"
    # both at once
    rm key.pem
    run "$MAILRECV" -t -c conf
    [ "$(grep -c 'cannot open' <<<"$output")" -eq 2 ]
    [ "$(grep -c 'in PEM' <<<"$output")" -eq 0 ]
    # nothing of that matters without TLS
    sed -i 's/^tls required/tls off/; s/^auth required/auth off/' conf
    run -0 "$MAILRECV" -t -c conf
}

@test "a key that may not be read is a mistake for its user" {
    secure
    chmod 000 key.pem users
    # root may read everything, unless it has given up its capabilities
    drop=()
    [ "$(id -u)" != 0 ] || drop=(setpriv --bounding-set=-all --inh-caps=-all)
    run -78 --separate-stderr "${drop[@]}" "$MAILRECV" -t -c conf
    grep -x "conf:3:9: cannot open $PWD/key.pem: Permission denied" <<<"$stderr"
    grep -x "conf:5:12: cannot open $PWD/users: Permission denied" <<<"$stderr"
    # a user to become says that root opens them
    echo "user nobody" >>conf
    [ "$(id -u)" != 0 ] || return 0
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    grep -x "conf:3:9: warning: $PWD/key.pem cannot be checked: Permission denied" <<<"$stderr"
}

# The same as cert.pem and key.pem, with an RSA key: rsa-cert.pem and rsa-key.pem.
rsa_pair() { # [OPTION...]
    openssl req -x509 -newkey rsa:2048 -nodes -days 100 -subj /CN=mail.example.com -addext subjectAltName=DNS:mail.example.com \
        -keyout rsa-key.pem -out rsa-cert.pem "$@" 2>openssl.out
}

@test "a second certificate and key: both pairs are checked, each at its line" {
    rsa_pair
    secure "tls.cert $PWD/rsa-cert.pem" "tls.key $PWD/rsa-key.pem"
    run -0 --separate-stderr "$MAILRECV" -t -c conf
    [ "$(grep -o '^conf:[26].*' <<<"$stderr" | sed 's/in [0-9]* days/in N days/')" = 'conf:2:10: note: the certificate expires in N days
conf:2:10: note: the certificate is self-signed: only clients that know it can trust it
conf:2:10: note: the certificate is for mail.example.com
conf:6:10: note: the certificate expires in N days
conf:6:10: note: the certificate is self-signed: only clients that know it can trust it
conf:6:10: note: the certificate is for mail.example.com' ]
    [ "$(grep '^tls\.[ck]e[ry]' <<<"$output")" = "tls.cert $PWD/cert.pem
tls.cert $PWD/rsa-cert.pem
tls.key $PWD/key.pem
tls.key $PWD/rsa-key.pem" ]
    printf '%s\n' "$output" >printed
    "$MAILRECV" -t -c printed 2>/dev/null | diff printed -
    chmod o+r rsa-key.pem
    says 1 'conf:7:9: warning: everybody on this host can read the key' "    tls.key $PWD/rsa-key.pem" '            ^' \
        "    run: chmod o-r $PWD/rsa-key.pem"
    rsa_pair -days 3
    says 1 'conf:6:10: warning: the certificate expires in [23] days' "    tls.cert $PWD/rsa-cert.pem" '             ^'
    cp key.pem rsa-key.pem
    says 78 'conf:7:9: tls.key: does not belong to the certificate' "    tls.key $PWD/rsa-key.pem" '            ^'
    cp cert.pem rsa-cert.pem
    says 78 'conf:6:10: tls.cert: is of the same kind as the first one, which nobody gets, expected RSA beside ECDSA'
    rm rsa-key.pem
    says 78 "conf:7:9: cannot open $PWD/rsa-key.pem: No such file or directory"
    echo nothing >rsa-cert.pem
    says 78 'conf:6:10: tls.cert: holds no certificate in PEM'
    # nothing of that matters without TLS
    sed -i 's/^tls required/tls off/; s/^auth required/auth off/' conf
    run -0 "$MAILRECV" -t -c conf
}

@test "of a second certificate or key alone, and of a third, -t says that they are" {
    secure "tls.cert $PWD/rsa-cert.pem"
    says 78 'conf:6:10: a second tls.cert, expected a second tls.key as well' "    tls.cert $PWD/rsa-cert.pem" '             ^'
    secure "tls.key $PWD/rsa-key.pem"
    says 78 'conf:6:9: a second tls.key, expected a second tls.cert as well' "    tls.key $PWD/rsa-key.pem" '            ^'
    secure 'tls.key a' 'tls.cert b' '  tls.key  c' 'tls.cert d'
    says 78 "conf:8:3: 'tls.key' stands on more than 2 lines, expected fewer" '      tls.key  c' '      ^'
    says 78 "conf:9:1: 'tls.cert' stands on more than 2 lines, expected fewer"
    # without TLS, too: it would come back with it
    secure "tls.cert $PWD/rsa-cert.pem"
    sed -i 's/^tls required/tls off/; s/^auth required/auth off/' conf
    says 78 'conf:6:10: a second tls.cert, expected a second tls.key as well'
}

@test "a certificate that has expired, will soon, has no name: a warning" {
    secure
    pair mail.example.com -days 3
    says 1 'conf:2:10: warning: the certificate expires in [23] days' "    tls.cert $PWD/cert.pem" '             ^'
    openssl req -x509 -newkey ed25519 -nodes -days 100 -subj /CN=x -keyout key.pem -out cert.pem 2>openssl.out
    says 1 'conf:2:10: warning: the certificate has no DNS name (subjectAltName): programs of people refuse it'
}

@test "ciphers, authorities and oldest version are checked with the rest" {
    secure 'tls.min_version 1.3' 'tls.ciphers  HIGH:NONSENSE' "tls.client_ca $PWD/cas"
    cp cert.pem cas
    says 1 'conf:7:14: warning: tls.ciphers: none is called NONSENSE' \
        '    tls.ciphers  HIGH:NONSENSE' '                 ^'
    echo nothing >cas
    says 78 'conf:8:15: tls.client_ca: holds no certificate in PEM'
    sed -i 's/HIGH:NONSENSE/NONSENSE/' conf
    says 78 'conf:7:14: tls.ciphers: no cipher match'
}

@test "a helper that is missing, cannot be run, fails, talks nonsense, never ends" {
    secure "tls.helper $PWD/helper"
    says 78 'conf:2:10: cannot start mailrecv-tls: No such file or directory'
    : >helper
    says 78 'conf:2:10: cannot start mailrecv-tls: Permission denied'
    chmod 755 helper
    printf '#!/bin/sh\nexit 3\n' >helper
    says 78 'conf:2:10: mailrecv-tls has failed: it exited with status 3'
    # shellcheck disable=SC2016 # of the helper
    printf '#!/bin/sh\nkill -9 $$\n' >helper
    says 78 'conf:2:10: mailrecv-tls has failed: it was killed by signal 9'
    printf '#!/bin/sh\necho hello >&2\n' >helper
    says 78 'conf:2:10: mailrecv-tls says: hello'
    printf '#!/bin/sh\nseq -f "warning: w%%g" 100\n' >helper
    run -1 "$MAILRECV" -t -c conf
    [ "$(grep -c 'warning: w' <<<"$output")" -eq 20 ]
    grep -x 'conf:2:10: note: 80 more of these: mailrecv-tls -t shows all' <<<"$output"
}

# ---- other servers -------------------------------------------------------------------------

@test "authorities are looked at where a certificate must be good, and only there" {
    config 'deliver rcpt_to @example.com smtp mail.example.com:25 verify' "tls.ca $PWD/cert.pem"
    says 0 "conf:2:8: note: tls.ca: $PWD/cert.pem: certificates: 1"
    cp key.pem cert.pem
    says 78 "conf:2:8: tls.ca: $PWD/cert.pem: holds no certificate in PEM" "    tls.ca $PWD/cert.pem" '           ^'
    rm cert.pem
    says 78 "conf:2:8: cannot open $PWD/cert.pem: No such file or directory" "    tls.ca $PWD/cert.pem" '           ^'
    [[ $output != *'cannot be read'* ]]
    sed -i 's/ verify//' conf
    run "$MAILRECV" -t -c conf
    [[ $output != *"conf:2:"* ]]
}

@test "the file with the password for another server: who may read it, and what it says" {
    config "deliver rcpt_to @example.com smtp mail.example.com:25 starttls auth $PWD/secret"
    echo user:password >secret
    chmod 644 secret
    says 78 "conf:1:69: $PWD/secret: others may read or write it, expected chmod go-rwx" \
        "    deliver rcpt_to @example.com smtp mail.example.com:25 starttls auth $PWD/secret" \
        '                                                                        ^'
    chmod 600 secret
    run "$MAILRECV" -t -c conf
    [[ $output != *"$PWD/secret:"* ]]
    echo password >secret
    says 78 "conf:1:69: $PWD/secret: expected one line, user:password" \
        "    deliver rcpt_to @example.com smtp mail.example.com:25 starttls auth $PWD/secret" \
        '                                                                        ^'
    [[ $output != *': password'* ]]
    if [ "$(id -u)" = 0 ]; then
        for mode in 600 640; do
            chmod "$mode" secret
            run "$MAILRECV" -t -u nobody -c conf
            [[ $output == *"conf:1:69: $PWD/secret: it belongs to another user than the one who serves"* ]]
            [[ $output == *"    run: chown nobody $PWD/secret && chmod 600 $PWD/secret"* ]]
            [[ $output != *"secret cannot be read"* && $output != *chgrp* ]]
        done
    fi
    config 'deliver rcpt_to @example.com smtp mail.example.com:25 starttls auth /dev/null'
    run "$MAILRECV" -t -c conf
    [[ $output == *'conf:1:69: /dev/null: it is no file'* ]]
    config "deliver rcpt_to @example.com smtp mail.example.com:25 starttls auth $PWD/secret"
    rm secret
    run "$MAILRECV" -t -c conf
    [[ $output == *"conf:1:69: warning: $PWD/secret cannot be read by "*'No such file'* ]]
}

@test "a password goes to whoever answers, unless the server is known or on this host" {
    echo user:password >secret
    chmod 600 secret
    for option in '' starttls tls; do
        line="deliver rcpt_to @example.com smtp mail.example.com:25 $option auth $PWD/secret"
        config "$line"
        says 1 'conf:1:35: warning: without verify the password goes to whoever answers there' "    $line" \
            '                                      ^' "    write: ${option:-starttls} verify auth $PWD/secret"
    done
    for fine in 'mail.example.com:25 verify' '127.0.0.1:25' '[::1]:25 starttls' 'localhost:25' 'unix:/nowhere' 'mail.example.com:25 clear'; do
        config "deliver rcpt_to @example.com smtp $fine auth $PWD/secret"
        run "$MAILRECV" -t -c conf
        [[ $output != *'whoever answers'* ]]
    done
}

# ---- passwords -----------------------------------------------------------------------------

@test "the users file: weak hashes are warnings, what is no entry and wrong modes are mistakes" {
    secure
    # shellcheck disable=SC2016 # a hash
    echo 'bob:$1$abcdefgh$IkKHPTwmkLxTMcdNxvP0e0' >>users
    weak='user "bob": md5crypt is too weak, make a new one with mailrecv-checkpassword -p'
    says 1 "conf:5:12: warning: $PWD/users:2: $weak" "    auth.users $PWD/users" '               ^'
    echo nonsense >>users
    says 78 "conf:5:12: $PWD/users:3: no colon, expected NAME:HASH"
    chmod 644 users
    says 78 "conf:5:12: $PWD/users: mode 644 lets others read it, expected chmod o-rw,g-w"
    rm users
    says 78 "conf:5:12: cannot open $PWD/users: No such file or directory"
}

@test "AUTH that is never offered is a warning" {
    config '  auth required' "auth.users $PWD/users"
    says 1 'conf:1:3: warning: AUTH is never offered, because that takes TLS and tls is off: nobody can send mail' \
        '      auth required' '      ^' '    write: tls required, tls.cert PATH and tls.key PATH'
    sed -i 's/required/optional/' conf
    says 1 'conf:1:3: warning: AUTH is never offered, because that takes TLS and tls is off'
    echo 'auth.insecure on' >>conf
    run -0 "$MAILRECV" -t -c conf
    [ "$(grep -c 'never offered' <<<"$output")" -eq 0 ]
}

@test "auth.command that cannot be executed, and one beside auth.users, are warnings" {
    secure "auth.command $PWD/ask -x"
    says 1 "conf:6:14: warning: $PWD/ask cannot be executed by $(id -un): No such file or directory" \
        "    auth.command $PWD/ask -x" '                 ^'
    : >ask
    says 1 "conf:6:14: warning: $PWD/ask cannot be executed by $(id -un): Permission denied" \
        "    auth.command $PWD/ask -x" '                 ^' "    run: chmod a+rx $PWD/ask"
    says 1 'conf:6:1: warning: both auth.users and auth.command: auth.command is asked'
    mkdir directory
    sed -i 's,/ask -x,/directory,' conf
    says 1 "conf:6:14: warning: $PWD/directory cannot be executed by $(id -un): Is a directory"
    printf '#!/bin/sh\n' >directory/ask
    chmod 755 directory/ask
    sed -i 's,/directory,/directory/ask,' conf
    run -1 "$MAILRECV" -t -c conf
    [ "$(grep -c executed <<<"$output")" -eq 0 ]
}

# ---- -u ------------------------------------------------------------------------------------

@test "-u USER: what that user cannot read is a warning, by modes or by becoming it" {
    secure 'auth.sender_check on' "auth.senders $PWD/senders"
    : >senders
    chmod 600 senders
    run -1 --separate-stderr "$MAILRECV" -t -c conf -u games
    grep -x "conf:3:9: warning: $PWD/key.pem cannot be read by games: Permission denied" <<<"$stderr"
    grep -x "    run: chgrp \$(id -gn games) $PWD/key.pem && chmod g+r $PWD/key.pem" <<<"$stderr"
    grep -x "conf:5:12: warning: $PWD/users cannot be read by games: Permission denied" <<<"$stderr"
    grep -x "conf:7:14: warning: $PWD/senders cannot be read by games: Permission denied" <<<"$stderr"
}

@test "-u wants a user who exists, and -t, -P or -r" {
    secure
    run -64 "$MAILRECV" -t -c conf -u nobody-of-this-name
    [ "$output" = "mailrecv: there is no user 'nobody-of-this-name', see mailrecv -h" ]
    run -64 --separate-stderr "$MAILRECV" -c conf -u nobody </dev/null # which is silent where it is standard output, too
    [ "$stderr" = 'mailrecv: -u is for -t, -P and -r, see mailrecv -h' ]
}

# ---- rules ---------------------------------------------------------------------------------

# What -t says of FILE, without the note that only root sees, with @DIR@ for this directory.
said() { # FILE [OPTION...]
    "$MAILRECV" -t -c "$@" 2>&1 >/dev/null | sed -e '/: note: no user: /,+1d' -e "s,$PWD,@DIR@,g"
}

@test "each file of conf/doubtful gets exactly what stands beside it, and status 1" {
    for file in "$TESTS"/conf/doubtful/*.conf; do
        name=$(basename "$file" .conf)
        sed "s,@DIR@,$PWD,g" "$file" >"$name.conf"
        said "$name.conf" | diff "$TESTS/conf/doubtful/$name.expected" - || { echo "in $name.conf"; return 1; }
        run -1 "$MAILRECV" -t -c "$name.conf"
    done
}

@test "of the lines that are said to be never reached none gets mail, and all others do" {
    grep -v '^deny' "$TESTS/conf/doubtful/order.conf" | sed "s,@DIR@,$PWD,g" >conf
    echo 'limit.smtp_commands 1000' >>conf
    for client in 192.0.2.7 198.51.100.7 203.0.113.7; do
        for rcpt in joe joe+x JOE ann bob late x b@example.net a@example.net c@example.org d@example.org; do
            [[ $rcpt == *@* ]] || rcpt=$rcpt@example.com
            printf '%s\r\n' 'MAIL FROM:<>' "RCPT TO:<$rcpt>" DATA x . RSET
        done | "$MAILRECV" -c conf -P "$client" -l log >replies
    done
    sed -n 's,^deliver .*@DIR@/,,p' "$TESTS/conf/doubtful/order.conf" | sort -n >all
    said conf | sed -n 's/^conf:\([0-9]*\):.*never reached.*/\1p/p' >numbers
    sed -nf numbers conf | sed -n 's,.*/,,p' | grep -v '^[^0-9]' | sort -n >unreached
    [ "$(paste -sd' ' unreached)" = '3 5 6 7 10 12 13 15' ]
    find . -maxdepth 1 -name '[0-9]*' -type f -printf '%f\n' | sort -n >reached
    sort -n reached unreached | diff all -
}

@test "what is written as advised is not warned of any more" {
    sed "s,@DIR@,$PWD,g" "$TESTS/conf/doubtful/patterns.conf" >conf
    # the line number and the pattern of each advice, where the last for a line counts
    said conf | awk -F: '/^conf:[0-9]+:/ { line = $2 } sub(/^    write: /, "") { print line "\t" $0 }' >advice
    [ "$(wc -l <advice)" -eq 9 ]
    while IFS=$'\t' read -r line pattern; do
        awk -v line="$line" -v number=0 -v pattern="$(sed 's/[\\&]/\\&/g' <<<"$pattern")" '
            NR == line { place = $1 == "deliver" ? ($2 == "rcpt_to" ? 3 : 5) : 3
                         $place = place == 5 || $2 == "rcpt_to" && $1 == "deliver" ? "/" pattern "/" : pattern }
            { print }' conf >mended
        mv mended conf
    done <advice
    # what is left has advice in words
    said conf >again
    [ "$(grep -c warning again)" = "$(grep -c '^    write .*between ^ and \$$' again)" ] || { cat conf again; false; }
    [ "$(grep -c warning again)" -eq 1 ]
}

# Follows the advice of -t for the pattern of line 3 until nothing is advised any more; several are lines from there on.
follow() { # DIRECTIVE PATTERN
    local advice
    for _ in 1 2 3; do
        {
            printf '%s\n' 'domain mx.example' "deadletter_file $PWD/dead"
            tr ' ' '\n' <<<"$2" | awk -v directive="$1" '{ print directive, $0 }'
        } >conf
        advice=$("$MAILRECV" -t -c conf 2>&1 >/dev/null | grep -A 3 '^conf:3:' |
            sed -n 's/^    write: //p; s/^    write a line for each of: //p' | head -n 1)
        [ -n "$advice" ] || return 0
        set -- "$1" "$advice"
    done
}

@test "a network or expression that is advised lets in what was meant, and nothing else" {
    while read -r pattern inside outside; do
        follow 'allow remotehost' "$pattern"
        for client in ${inside//,/ } ${outside//,/ }; do
            printf 'QUIT\r\n' | "$MAILRECV" -c conf -l log -P "$client" >replies
            [[ ,$inside, == *",$client,"* ]] && expected=220 || expected=554
            [ "$(head -c 3 replies)" = $expected ] || { echo "$expected, $pattern, $(tail -n +3 conf): $client"; cat replies; false; }
        done
        # what is about addresses is a network
        [[ $inside == *=* ]] || [[ $pattern == *[[]* ]] || ! tail -n +3 conf | grep -v '^allow remotehost [0-9a-f.:]*/[0-9]*$' || false
    done <<'END'
10.0.0.0/8 10.0.0.0,10.255.255.255,10.1.2.3,::ffff:10.0.0.1 9.255.255.255,11.0.0.0,110.0.0.1,203.0.113.9=10.0.0.1.evil.example
10/8 10.0.0.0,10.255.255.255 9.255.255.255,11.0.0.0
172.16/12 172.16.0.0,172.31.255.255 172.15.255.255,172.32.0.0
192.0.2.0/25 192.0.2.0,192.0.2.9,192.0.2.127 192.0.2.128,192.0.1.255,192.0.20.1,2001:db8::1
192.0.2.77/25 192.0.2.0,192.0.2.9,192.0.2.127 192.0.2.128,192.0.1.255,192.0.20.1
192.0.2.77/33 192.0.2.77 192.0.2.76,192.0.2.78
^192\.0\.2\.0/25$ 192.0.2.0,192.0.2.127 192.0.2.128,192.0.1.255
192.0.2.0/255.255.255.128 192.0.2.0,192.0.2.127 192.0.2.128,192.0.1.255
172.16.0.0/12 172.16.0.0,172.31.255.255 172.15.255.255,172.32.0.0,72.16.0.1
192.168.1.* 192.168.1.0,192.168.1.255 192.168.10.1,192.168.2.1,192.168.0.255
192.168.*.* 192.168.0.0,192.168.255.255 192.169.0.0,192.16.8.1,192.167.255.255
192.168.1. 192.168.1.0,192.168.1.255 192.168.10.1,192.168.2.1,192.168.0.255,1.192.168.1
192.0.2.1-20 192.0.2.1,192.0.2.20,192.0.2.9 192.0.2.0,192.0.2.21,192.0.2.200
192.0.2.250-192.0.3.5 192.0.2.250,192.0.2.255,192.0.3.0,192.0.3.5 192.0.2.249,192.0.3.6,192.0.1.255
192.0.2.1 192.0.2.1 192.0.2.10,192.0.2.11,192.0.241.1
^192.0.2. 192.0.2.1,192.0.2.255 192.0.20.1,192.0.222.1
^192\.0\.2\.[0-99]$ 192.0.2.0,192.0.2.10,192.0.2.99 192.0.2.100,192.0.1.1
2001:db8::/32 2001:db8::,2001:db8::7,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:db7:ffff::1,2001:db9::,2001:db80::1,192.0.2.1
2001:db8::1/32 2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff 2001:db7:ffff::1,2001:db9::
2001:db8:a000::/36 2001:db8:a000::,2001:db8:afff:ffff::1 2001:db8:9fff::1,2001:db8:b000::,2001:db8:a0::1,2001:db8:a::1
2001:db8::/129 2001:db8:: 2001:db8::1,2001:db7:ffff:ffff:ffff:ffff:ffff:ffff
::ffff:192.0.2.0/24 192.0.2.0,192.0.2.255,::ffff:192.0.2.7 192.0.1.255,192.0.3.0,::1,2001:db8::1
2001:DB8:0:0::0001 2001:db8::1 2001:db8::10,2001:db8::2,2001:db8:1::1
2001:db8:* 2001:db8::1,2001:db8:ffff::1 2001:db80::1,2001:db9::1
2001:db8: 2001:db8::1,2001:db8:ffff::1 2001:db80::1,2001:db9::1,1:2001:db8::1
fe80::/10 fe80::1,febf::1 fec0::1,fe7f::1,192.0.2.1,203.0.113.9=fe80.evil.example
0.0.0.0/0.0.0.0 192.0.2.1,::ffff:192.0.2.1 2001:db8::1,::1
::/0 2001:db8::1,::1 192.0.2.1,::ffff:192.0.2.1
*.example.com 192.0.2.7=mail.example.com 192.0.2.7=example.com,192.0.2.7=mail.example.com.evil.example,192.0.2.7=a.exampleycom.example
mail*.example.com 192.0.2.7=mail17.example.com 192.0.2.7=xmail17.example.com,192.0.2.7=mail17.example.comx
example.com 192.0.2.7=example.com,192.0.2.7=a.example.com 192.0.2.7=notexample.com,192.0.2.7=example.com.evil.example
^mx[0-9]+.example.com$ 192.0.2.7=mx12.example.com 192.0.2.7=mx12xexample.com,192.0.2.7=mx12.examplexcom
^(a|b).example\.[com|net]$ 192.0.2.7=a.example.com,192.0.2.7=b.example.net 192.0.2.7=axexample.com,192.0.2.7=a.example.c
[A-z]+\.example\.com$ 192.0.2.7=a.example.com 192.0.2.7=a.example.org
END
    follow 'allow remotehost' '^2001:db8'
    for client in 2001:db8::1:220 2001:db8:1::1:220 2001:db80::1:554 2001:db9::1:554; do
        printf 'QUIT\r\n' | "$MAILRECV" -c conf -l log -P "${client%:*}" | grep "^${client##*:}"
    done
    # where nothing passes, or nothing can be said, nothing is offered
    for pattern in 0.0.0.1-255.255.255.254 '^mail\.' '^192\.0\.2\.(mail)?' '(\w+)\1.example.com'; do
        printf 'allow remotehost %s\n' "$pattern" >conf
        said conf >warnings
        grep -q '^conf:1:.*warning' warnings
        ! grep '^    write.*: ' warnings
    done
}

@test "a recipient with a star is a mailbox called so, and what is advised takes what was meant" {
    while read -r recipient inside outside; do
        printf 'deliver rcpt_to %s append %s/box\n' "$recipient" "$PWD" >conf
        advice=$(said conf | grep -A 3 '^conf:1:' | sed -n 's/^    write: //p' | head -n 1)
        [ -n "$advice" ]
        [[ $recipient != /* ]] || advice=/$advice/
        printf 'deliver rcpt_to %s append %s/box\n' "$advice" "$PWD" >conf
        for rcpt in ${inside//,/ } ${outside//,/ }; do
            printf '%s\r\n' 'MAIL FROM:<>' "RCPT TO:<$rcpt>" QUIT | "$MAILRECV" -c conf -l log -P 192.0.2.7 >replies
            [[ ,$inside, == *",$rcpt,"* ]] && expected=250 || expected=550
            [ "$(sed -n '3s/ .*//p' replies)" = $expected ] || { echo "$recipient, $(tail -n1 conf): $rcpt"; cat replies; false; }
        done
    done <<'END'
*@example.com joe@example.com,a.b@EXAMPLE.com joe@example.org,joe@examplexcom.example
bounce-*@example.com bounce-17@example.com xbounce-1@example.com,bounce@example.com,bounce-1@example.com.example
joe@* joe@example.com,joe@example.org xjoe@example.com,jo@example.com
@*.example.com joe@a.example.com joe@example.com,joe@a.example.com.example
/bounce-*@example.com/ bounce-17@example.com bounce@example.com,xbounce-1@example.com
END
}

# ---- files and programs --------------------------------------------------------------------

# Runs what follows without root's right to read, write and execute everything.
unprivileged() {
    if [ "$(id -u)" != 0 ]; then "$@"; else setpriv --bounding-set=-all --inh-caps=-all "$@"; fi
}

@test "files, directories and programs that cannot be used: each with the reason, and what to run" {
    mkdir -p closed box/tmp box/new box/cur full/tmp full/new full/cur
    : >mbox
    : >script
    ln -s mbox link
    chmod 555 closed box/new
    chmod 444 mbox
    chmod 500 full/cur
    cat >conf <<END
deliver rcpt_to a@example.com append $PWD/mbox
deliver rcpt_to b@example.com append $PWD/closed/new
deliver rcpt_to c@example.com append $PWD/missing/new
deliver rcpt_to d@example.com append $PWD/box
deliver rcpt_to e@example.com maildir $PWD/closed/box
deliver rcpt_to f@example.com maildir $PWD/missing/box
deliver rcpt_to g@example.com maildir $PWD/box
deliver rcpt_to h@example.com exec $PWD/script
deliver rcpt_to i@example.com exec $PWD/missing
deliver rcpt_to j@example.com exec $PWD/closed -x
deliver rcpt_to k@example.com pipe $PWD/missing/program
deliver rcpt_to l@example.com append inbox
deliver rcpt_to m@example.com maildir $PWD/new-box
deliver rcpt_to n@example.com append $PWD/new-mbox
deliver rcpt_to o@example.com append /dev/null
deadletter_file $PWD/link
spool_directory $PWD/closed
logfile $PWD/closed/log
END
    unprivileged "$MAILRECV" -t -c conf 2>&1 >/dev/null |
        sed -e '/: note: /d' -e "s/ $(id -un)\b/ ME/g" -e "s,$PWD,,g" |
        awk '/^conf:/ { print } /^    (run|write)/ { print }' | sed '/mailrecv -t -u/d' >found
    diff - found <<'END'
conf:1:38: warning: /mbox cannot be written by ME: Permission denied
    run: chown ME /mbox
conf:2:38: warning: /closed/new is not there, and ME cannot make it in /closed: Permission denied
    run: install -o ME -m 600 /dev/null /closed/new
conf:3:38: warning: /missing/new is not there, and ME cannot make it in /missing: No such file or directory
    run: install -d -o ME -m 700 /missing
conf:4:38: warning: /box cannot be written by ME: Is a directory
conf:5:39: warning: /closed/box is not there, and ME cannot make it in /closed: Permission denied
    run: install -d -o ME -m 700 /closed/box
conf:6:39: warning: /missing/box is not there, and ME cannot make it in /missing: No such file or directory
    run: install -d -o ME -m 700 /missing
conf:7:39: warning: /box cannot be written by ME: Permission denied
    run: chown -R ME /box
conf:8:36: warning: /script cannot be executed by ME: Permission denied
    run: chmod a+rx /script
conf:9:36: warning: /missing cannot be executed by ME: No such file or directory
conf:10:36: warning: /closed cannot be executed by ME: Is a directory
conf:11:36: warning: /missing/program cannot be executed by ME: No such file or directory
conf:12:38: warning: inbox is looked for where the super-server starts mailrecv, mostly in /
    write the full path
conf:16:17: warning: /link is a symbolic link: mailrecv refuses to append to it
conf:17:17: warning: /closed cannot be written by ME: Permission denied
    run: chown -R ME /closed
conf:18:9: warning: /closed/log is not there, and ME cannot make it in /closed: Permission denied
    run: install -o ME -m 600 /dev/null /closed/log
END
}

@test "the program of a shell command is looked for where that is plain, as the command will be" {
    # shellcheck disable=SC2016 # for the shell of the command
    for command in 'cat >/dev/null' 'exec cat' 'LANG=C X=1 exec cat' '  cat;no-such' 'cd /tmp && no-such' \
        'if no-such; then :; else exit 75; fi' \
        'exec 9>/dev/null; flock 9; cat >&9' '2>/dev/null cat' 'command -v cat && cat >/dev/null' 'exec 3<&0; no-such' \
        '{ no-such; }' '(no-such)' '"no such"' '$PROGRAM' 'no-su*' '/bin/sh -c x' 'FOO=$(no-such) bar' '! no-such'; do
        config "deliver rcpt_to a@example.com pipe $command"
        run -0 "$MAILRECV" -t -c conf
    done
    for command in 'no-such' 'no-such;cat' 'no-such|cat' 'X=1 no-such x' 'exec no-such' 'no-such>x' 'no-such&'; do
        config "deliver rcpt_to a@example.com pipe $command"
        run -1 "$MAILRECV" -t -c conf
        [[ $output == *' warning: there is no program no-such in /usr/local/sbin:/usr/local/bin:/usr/sbin:'* ]]
    done
}

@test "a script whose #! line leads nowhere: -t says so with column and advice, and agrees with the delivery" {
    mkdir directory
    printf '#!/bin/sh\r\n' >crlf
    printf '#!%s/crlf\n' "$PWD" >nested
    printf '#!/bin/sh\n' >plain
    printf '#!%s/nested-well\n' "$PWD" >nested-twice
    printf '#!/bin/sh -e\n' >nested-well
    : >closed
    ln -s loop loop
    chmod 755 crlf nested nested-well nested-twice
    local n=0 how line text advice reply
    # how it is run, its first line, whether mail is delivered, what -t says and advises
    while IFS='|' read -r how line text advice; do
        printf "${line//@/$PWD}" >script
        [ "$line" = - ] || printf "\n%s\n" 'exit 0' >>script
        [ "$line" != empty ] || : >script
        chmod 755 script
        config "domain mx.example" "deliver rcpt_to a@example.com $how $PWD/script -x"
        "$MAILRECV" -t -c conf 2>told >/dev/null || :
        rm -f log
        printf '%s\r\n' 'EHLO h' 'MAIL FROM:<>' 'RCPT TO:<a@example.com>' DATA '' x . QUIT |
            "$MAILRECV" -c conf -l log -P 192.0.2.7 >replies
        reply=$(grep -c "delivery result=delivered .* target=$how" log || :)
        grep -A 3 "^conf:2:36: warning: $PWD/script cannot be executed by $(id -un): " told >found || :
        sed -i -e "s,$PWD,@,g" -e 's/^.* cannot be executed by [^:]*: //' found
        if [ "$text" = good ]; then
            [ ! -s found ] || { echo "$how $line"; cat found; false; }
        else
            diff - <(sed -n '1p;4p' found) <<<"$text"$'\n'"    ${advice//%/@/script}" || { echo "$how $line"; false; }
        fi
        [ "$reply" = "$([ "$text" = good ] && echo 1 || echo 0)" ] || { echo "$how $line: $reply delivered"; tail -n 3 log; false; }
        n=$((n + 1))
    done <<'END'
exec|#!/bin/sh|good
exec|#! /bin/sh -e|good
exec|#!/bin/sh \t|good
exec|#!/usr/bin/env sh|good
exec|#!/usr/bin/env -S sh -e|good
exec|#!/usr/bin/env -S A=1 sh -e|good
exec|#!@/nested-well|good
exec|#!@/nested-twice|good
pipe|# a comment|good
pipe||good
exec|#!/bin/sh\r|its #! line ends in CR LF, and the CR is taken for a part of what it names|run: sed -i 's/\r$//' %
pipe|#!/bin/sh\r|its #! line ends in CR LF, and the CR is taken for a part of what it names|run: sed -i 's/\r$//' %
exec|#!/bin/sh -e\r|its #! line ends in CR LF, and the CR is taken for a part of what it names|run: sed -i 's/\r$//' %
exec|#!/usr/bin/env sh\r|its #! line ends in CR LF, and the CR is taken for a part of what it names|run: sed -i 's/\r$//' %
exec|#!/no/such|its #! line leads to /no/such: No such file or directory|install /no/such, or write as its first line: #!, and the full path of what runs it
pipe|#!/no/such -x|its #! line leads to /no/such: No such file or directory|install /no/such, or write as its first line: #!, and the full path of what runs it
exec|#!@/plain|its #! line leads to @/plain: Permission denied|see: ls -lL @/plain
exec|#!@/directory|its #! line leads to @/directory: Is a directory|see: ls -lL @/directory
exec|#!@/loop|its #! line leads to @/loop: Too many levels of symbolic links|see: ls -lL @/loop
exec|#!@/nested|its #! line ends in CR LF, and the CR is taken for a part of what it names|run: sed -i 's/\r$//' %
exec|#!@/script|its #! line leads to @/script: Too many levels of symbolic links|see: ls -lL @/script
exec|#!no-such|its #! line has no full path: no-such|write as its first line: #!, and the full path of no-such
exec|#!bin/no-such -x|its #! line has no full path: bin/no-such|write as its first line: #!, and the full path of bin/no-such
exec|#!|its #! line names no interpreter|write as its first line: #!/bin/sh, or the full path of what else runs it
exec|#! \t|its #! line names no interpreter|write as its first line: #!/bin/sh, or the full path of what else runs it
exec|#!/usr/bin/env no-such|its #! line lets env look for no-such: No such file or directory|install no-such, or write as its first line: #!, and the full path of what runs it
exec|#!/usr/bin/env /no/such|its #! line lets env look for /no/such: No such file or directory|install /no/such, or write as its first line: #!, and the full path of what runs it
exec|#!/usr/bin/env -S no-such -x|its #! line lets env look for no-such: No such file or directory|install no-such, or write as its first line: #!, and the full path of what runs it
exec|#!/usr/bin/env sh -e|its #! line gives env one word with blanks in it: sh -e|write as its first line: #!/usr/bin/env -S sh -e
exec|echo|it has no #! line, and is no other program|write as its first line: #!/bin/sh, or the full path of what else runs it
exec|empty|it has no #! line, and is no other program|write as its first line: #!/bin/sh, or the full path of what else runs it
END
    [ "$n" -eq 31 ]
}

@test "a program on a file system that is mounted noexec" {
    export MAILRECV
    options=-m
    [ "$(id -u)" = 0 ] || options=-rm
    mkdir mounted
    printf '#!/bin/sh\n' >script
    printf '#!%s/mounted/sh\n' "$PWD" >led
    chmod 755 script led
    config "deliver rcpt_to a@example.com exec $PWD/mounted/script" "deliver rcpt_to b@example.com pipe $PWD/led"
    run -1 unshare "$options" sh -c 'mount -t tmpfs -o noexec none mounted && cp script mounted && cp script mounted/sh &&
        "$MAILRECV" -t -c conf 2>&1 >/dev/null'
    [[ $output == *"conf:1:36: warning: $PWD/mounted/script is on a file system that is mounted noexec"* ]]
    [[ $output == *"conf:2:36: warning: $PWD/led cannot be executed by $(id -un): its #! line leads to $PWD/mounted/sh: it is on a file system that is mounted noexec"* ]]
}

@test "-u tells the same by becoming the user and by looking at modes" {
    place=$(mktemp -d /var/tmp/mailrecv-test.XXXXXX) # a place that every user can reach
    cd "$place"
    mkdir own group others closed closed/inner sticky
    : >own/mbox
    : >others/mbox
    : >closed/mbox
    chmod 755 . own
    chmod 700 closed
    chmod 777 others closed/inner
    chmod 1777 sticky
    chmod 666 others/mbox closed/mbox
    chmod 644 own/mbox
    cp "$MAILRECV" mailrecv
    cp /usr/bin/true true
    chmod 755 mailrecv true
    chmod 744 own
    for target in append\ {own,others,closed}/{mbox,new} "maildir others/box" "maildir closed/inner" \
        "maildir sticky/box" "exec true" "exec own/true"; do
        echo "deliver rcpt_to u$((++n))@example.com ${target/ / $PWD/}"
    done >conf
    # what its group may do; only root can give it something
    chmod 770 group
    [ "$(id -u)" != 0 ] || { chgrp games group && echo "deliver rcpt_to g@example.com append $PWD/group/new" >>conf; }
    chmod 644 conf
    ./mailrecv -t -u games -c conf 2>&1 >/dev/null | grep games >by-one || :
    as_nobody=()
    [ "$(id -u)" != 0 ] || as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    # what only root can see is said to be so
    "${as_nobody[@]}" ./mailrecv -t -u games -c conf 2>&1 >/dev/null | sed '/: warning: you may not look at /,/ask as root/d' |
        grep games >by-modes || :
    sed -e 's/.* warning: //' -e "s,$PWD/,,g" by-one >short
    cd "$BATS_TEST_TMPDIR"
    mv "$place"/{by-one,by-modes,short} .
    diff by-one by-modes
    grep -v '^ ' short | diff - <(cat <<'END'
own/mbox cannot be written by games: Permission denied
own/new cannot be written by games: Permission denied
closed/mbox cannot be written by games: Permission denied
closed/new cannot be written by games: Permission denied
closed/inner cannot be written by games: Permission denied
own/true cannot be executed by games: Permission denied
END
)
}

@test "what an ordinary user may not look at is not taken for good (root tries that)" {
    [ "$(id -u)" = 0 ] || return 0 # who else could make what is another user's?
    place=$(mktemp -d /var/tmp/mailrecv-test.XXXXXX)
    cd "$place"
    chmod 755 .
    mkdir closed
    mkdir closed/box
    chown games closed closed/box
    chmod 700 closed
    cp "$MAILRECV" mailrecv
    printf 'deliver rcpt_to %s@example.com %s\n' a "append $PWD/closed/mbox" b "maildir $PWD/closed/box" \
        c "exec $PWD/closed/script" >conf
    setpriv --reuid=nobody --regid=nogroup --clear-groups ./mailrecv -t -u games -c conf 2>&1 >/dev/null |
        grep -e ': you may not' -e '^    ask' >told
    for at in '1:38 mbox written' '2:39 box written' '3:36 script executed'; do
        read -r at name verb <<<"$at"
        echo "conf:$at: warning: you may not look at $PWD/closed/$name, so that it is not known whether it can be $verb by games"
        echo '    ask as root: mailrecv -t -u games'
    done >expected
    cd "$BATS_TEST_TMPDIR"
    diff "$place/expected" "$place/told"
}

@test "what everybody can write to, above the path or itself, and a key that everybody can read" {
    mkdir -p open/inner sticky/inner fine
    : >sticky/mbox
    : >fine/mbox
    chmod 777 open
    chmod 1777 sticky
    chmod 666 fine/mbox
    secure
    chmod 644 key.pem
    cat >>conf <<END
deliver rcpt_to a@example.com append $PWD/open/inner/mbox
deliver rcpt_to b@example.com append $PWD/open/mbox
deliver rcpt_to c@example.com append $PWD/sticky/mbox
deliver rcpt_to d@example.com append $PWD/sticky/new
deliver rcpt_to e@example.com append $PWD/sticky/inner/new
deliver rcpt_to f@example.com append $PWD/fine/mbox
deliver rcpt_to g@example.com maildir $PWD/open
spool_directory $PWD/sticky
END
    said conf | sed -e 's/@DIR@//g' |
        awk '/warning: everybody/ { on = 1; print; next } on && /^    (run|write)/ { print; on = 0 }' |
        diff - <(cat <<'END'
conf:3:9: warning: everybody on this host can read the key
    run: chmod o-r /key.pem
conf:7:38: warning: everybody can write to /open, and so put something else there
    write a path in a directory that is not open to everybody, as /var/lib/mailrecv
conf:8:38: warning: everybody can write to /open, and so put something else there
    write a path in a directory that is not open to everybody, as /var/lib/mailrecv
conf:10:38: warning: everybody can write to /sticky, and so be the first to make this
    write a path in a directory that is not open to everybody, as /var/lib/mailrecv
conf:12:38: warning: everybody can write to /fine/mbox
    run: chmod o-w /fine/mbox
conf:13:39: warning: everybody can write to /open
    run: chmod o-w /open
END
)
}

# ---- how it is told ------------------------------------------------------------------------

@test "-t json: the same problems, status and lines, and no settings" {
    name=$'tab\tand \xff "quotes"'
    sed "s,@DIR@,$PWD,g" "$TESTS/conf/doubtful/patterns.conf" >"$name"
    printf 'deliver rcpt_to t\xc3\xa4@example.com append %s\n' "$PWD/x" >>"$name"
    run -1 --separate-stderr "$MAILRECV" -t json -c "$name"
    [ "$stderr" = '' ]
    printf '%s\n' "$output" >json
    "$MAILRECV" -t -c "$name" 2>text >settings || :
    python3 - "$name" <<'END'
import json, os, sys
found = json.load(open("json", encoding="utf-8"))
assert list(found) == ["file", "status", "problems"], found
assert found["file"] == os.fsencode(sys.argv[1]).decode("utf-8", "replace") and found["status"] == 1
lines = open(sys.argv[1], encoding="utf-8").read().split("\n")
out = b""
for p in found["problems"]:
    assert list(p) == ["severity", "file", "line", "column", "source", "message", "advice"]
    place = ""
    if p["line"] is None:
        assert p["column"] is None and p["source"] is None
    else:
        assert p["source"] == lines[p["line"] - 1]
        place = "%d:%d:" % (p["line"], p["column"])
    out += os.fsencode(sys.argv[1]) + (":%s %s: %s\n" % (place, p["severity"], p["message"])).encode()
    if p["line"] is not None and p["severity"] != "note":
        before = "".join(c if c == "\t" else " " for c in p["source"][:p["column"] - 1])
        out += ("    %s\n    %s^\n" % (p["source"], before)).encode()
    if p["advice"] is not None:
        out += ("    %s\n" % p["advice"]).encode()
assert out == open("text", "rb").read(), out
assert len(found["problems"]) > 10
END
    echo nonsense >conf
    run -78 --separate-stderr "$MAILRECV" -t json -c conf
    [ "$output" = '{"file":"conf","status":78,"problems":[
{"severity":"error","file":"conf","line":1,"column":1,"source":"nonsense",'"$(
        )"'"message":"unknown keyword '"'nonsense'"', expected one of mailrecv.conf(5)","advice":null}]}' ]
    run -64 "$MAILRECV" -c conf -t json json
    [ "$output" = "mailrecv: unknown argument 'json', see mailrecv -h" ]
    run -74 bash -c '"$1" -t json -c conf >/dev/full' _ "$MAILRECV"
}

@test "colours on a terminal only, and not with NO_COLOR" {
    sed "s,@DIR@,$PWD,g" "$TESTS/conf/doubtful/groups.conf" >conf
    echo 'user' >wrong
    cat >on-terminal <<'END'
import os, pty, subprocess, sys
ours, theirs = pty.openpty()
environment = {**os.environ, "NO_COLOR": sys.argv[1]}
subprocess.run(sys.argv[2:], stderr=theirs, stdout=subprocess.DEVNULL, env=environment)
os.close(theirs)
text = b""
try:
    while piece := os.read(ours, 65536):
        text += piece
except OSError:
    pass
sys.stdout.buffer.write(text.replace(b"\r\n", b"\n"))
END
    for file in conf wrong; do
        "$MAILRECV" -t -c $file 2>plain >settings || :
        [ "$(grep -c $'\033' plain)" -eq 0 ]
        python3 on-terminal 1 "$MAILRECV" -t -c $file | diff plain -
        python3 on-terminal '' "$MAILRECV" -t -c $file >coloured
        [ "$(grep -c $'\033' coloured)" -ge 2 ]
        sed 's/\x1b\[[0-9;]*m//g' coloured | diff plain -
    done
    grep -F $'\033[1;35mwarning: \033[0m' <(python3 on-terminal '' "$MAILRECV" -t -c conf)
    grep -F $'\033[1;32m^\033[0m' coloured
}

@test "the configurations that are shipped and shown give no warning to whoever has what they name" {
    mkdir -p tls
    cp cert.pem key.pem tls
    for file in mailrecv.conf mailrecv-submission.conf mailrecv-submissions.conf; do
        sed -e "s,/etc/mailrecv/,$PWD/,; s,/var/lib/mailrecv,$PWD,; s,new-ticket,cat,; s,^user .*,user $(id -un)," \
            -e '/^#deliver rcpt_to hello/,$!s/^#\(domain\|deliver\) /\1 /' "$TESTS/../$file" >conf
        run "$MAILRECV" -t -c conf
        [ "$(grep 'warning' <<<"$output" | grep -vc 'mailrecv serves as root')" -eq 0 ] || { echo "$output"; false; }
    done
}

@test "mailbox.mode: what its group could not use, and how to mend that" {
    [ "$(id -u)" != 0 ] || as=(-u "$(id -un)")
    group=$(id -G | tr ' ' '\n' | tail -n 1)
    [ "$group" != "$(id -g)" ] || group=4242
    mkdir -m 700 closed && mkdir -m 755 open && mkdir -m 2750 box box/tmp box/new box/cur && mkdir -m 755 other
    for name in closed/mbox open/old; do : >"$name"; chmod 600 "$name"; done
    printf '%s\n' 'domain mx.example' 'mailbox.mode 660' "deliver rcpt_to a@mx.example append $PWD/closed/new" \
        "deliver rcpt_to b@mx.example append $PWD/open/old" "deliver rcpt_to c@mx.example maildir $PWD/box/" \
        "deliver rcpt_to d@mx.example append $PWD/open/new" "deliver rcpt_to postmaster@mx.example append /dev/null" >conf
    chmod 600 conf
    mode_warnings() { "$MAILRECV" -t "${as[@]}" -c conf 2>&1 >/dev/null | sed "s|$PWD/||g" | grep -A3 -e mailbox.mode -e setgid | grep -o -e 'conf:[0-9]*:[0-9]*: .*' -e 'run: .*'; }
    mode_warnings >got
    diff - got <<'END'
conf:3:37: warning: the group that mailbox.mode is for cannot enter closed
run: chmod g+x closed
conf:4:37: warning: open/old has mode 600: mailbox.mode is for new files
run: chmod 660 open/old
conf:5:38: warning: the group that mailbox.mode is for cannot change box
run: chmod g+rxws box box/tmp box/new box/cur
END
    sed -n 's/^run: //p' got | sh
    run ! mode_warnings
    # the group of a directory is not that of the files
    chmod -R g-s box
    if chgrp -R "$group" box; then
        mode_warnings >got
        diff - got <<END
conf:5:38: warning: box is not setgid: what is new there gets the group of $(id -un)
run: chmod g+rxws box box/tmp box/new box/cur
END
    fi
    sed -i 's/660/600/' conf
    run ! mode_warnings
}

# A refusal of `ledger` or `lockout.db` at line 2, before these lines.
not_theirs() { # MESSAGE LINE...
    for keyword in ledger lockout.db; do
        config 'domain mx.example' "$keyword $PWD/store" "${@:2}"
        run -78 --separate-stderr "$MAILRECV" -c conf -t
        [[ $stderr == *"conf:2:$((${#keyword} + 2)): $PWD/store $1"* ]]
    done
}

@test "lockout.db and ledger have files that nothing else is written to" {
    not_theirs 'is what line 3 writes to as well' "logfile $PWD/store"
    not_theirs 'is what line 3 writes to as well' "quarantine append $PWD/store"
    not_theirs 'is what line 4 writes to as well' 'deliver rcpt_to a@mx.example pipe true' "deliver rcpt_to @mx.example append $PWD/store"
    not_theirs 'is what line 3 writes to as well' "also rcpt_to @mx.example maildir $PWD/store"
    ln -s store link
    : >store
    not_theirs 'is what line 3 writes to as well' "logfile $PWD/link"
    rm link store
    printf '%s\n' 'domain mx.example' "ledger $PWD/store" "deadletter_file $PWD/store" "lockout.db $PWD/store" >conf
    run -78 --separate-stderr "$MAILRECV" -c conf -t
    [[ $stderr == *"conf:2:8: $PWD/store is what line 4 writes to as well"*"conf:2:8: $PWD/store is what line 3 writes to as well"* ]]
}

@test "lockout.db and ledger name no file that is something else" {
    echo 'From x' >store
    not_theirs 'is no ' 'deliver rcpt_to @mx.example pipe true'
    [ "$(cat store)" = 'From x' ]
    : >store
    config 'domain mx.example' "ledger $PWD/store" 'deliver rcpt_to @mx.example pipe true'
    run --separate-stderr "$MAILRECV" -c conf -t
    [[ $stderr != *"is no ledger"* ]]
}
