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

# cert.pem and key.pem for this name, for 100 days unless other options say otherwise.
pair() { # NAME [OPTION...]
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 100 -subj "/CN=$1" \
        -addext "subjectAltName=DNS:$1" -keyout key.pem -out cert.pem "${@:2}" 2>openssl.out
}

# conf, of these lines, of one that keeps some notes away, and of a user whom everybody may become.
config() { # LINE...
    printf '%s\n' "$@" "deadletter_file $PWD/dead" "user $(id -un)" >conf
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
    [ "$(sed 's/in [0-9]* days/in N days/' <<<"$stderr")" = "conf:2:10: note: the certificate expires in N days
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
    sed -i '/^user/d' conf
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
    run -0 --separate-stderr "$MAILRECV" -t -c conf
    grep -x "conf:3:9: warning: $PWD/key.pem cannot be checked: Permission denied" <<<"$stderr"
}

@test "a certificate that has expired, will soon, has no name: a warning" {
    secure
    pair mail.example.com -days 3
    says 0 'conf:2:10: warning: the certificate expires in [23] days' "    tls.cert $PWD/cert.pem" '             ^'
    openssl req -x509 -newkey ed25519 -nodes -days 100 -subj /CN=x -keyout key.pem -out cert.pem 2>openssl.out
    says 0 'conf:2:10: warning: the certificate has no DNS name (subjectAltName): programs of people refuse it'
}

@test "ciphers, authorities and oldest version are checked with the rest" {
    secure 'tls.min_version 1.3' 'tls.ciphers  HIGH:NONSENSE' "tls.client_ca $PWD/cas"
    cp cert.pem cas
    says 0 'conf:7:14: warning: tls.ciphers: none is called NONSENSE' '    tls.ciphers  HIGH:NONSENSE' '                 ^'
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
    says 78 'conf:2:10: mailrecv-tls has failed: exit status 3'
    # shellcheck disable=SC2016 # of the helper
    printf '#!/bin/sh\nkill -9 $$\n' >helper
    says 78 'conf:2:10: mailrecv-tls has failed: signal 9'
    printf '#!/bin/sh\necho hello >&2\n' >helper
    says 78 'conf:2:10: mailrecv-tls says: hello'
    printf '#!/bin/sh\nseq -f "warning: w%%g" 100\n' >helper
    run -0 "$MAILRECV" -t -c conf
    [ "$(grep -c 'warning: w' <<<"$output")" -eq 20 ]
    grep -x 'conf:2:10: note: 80 more of these: mailrecv-tls -t shows all' <<<"$output"
}

# ---- passwords -----------------------------------------------------------------------------

@test "the users file: weak hashes are warnings, what is no entry and wrong modes are mistakes" {
    secure
    # shellcheck disable=SC2016 # a hash
    echo 'bob:$1$abcdefgh$IkKHPTwmkLxTMcdNxvP0e0' >>users
    says 0 "conf:5:12: warning: $PWD/users:2: user \"bob\": md5crypt is too weak, make a new one with mailrecv-checkpassword -p" \
        "    auth.users $PWD/users" '               ^'
    echo nonsense >>users
    says 78 "conf:5:12: $PWD/users:3: no colon, expected NAME:HASH"
    chmod 644 users
    says 78 "conf:5:12: $PWD/users: mode 644 lets others read it, expected chmod o-rw,g-w"
    rm users
    says 78 "conf:5:12: cannot open $PWD/users: No such file or directory"
}

@test "AUTH that is never offered is a warning" {
    config '  auth required' "auth.users $PWD/users"
    says 0 'conf:1:3: warning: AUTH is never offered, because that takes TLS and tls is off: nobody can send mail' \
        '      auth required' '      ^' '    write: tls required, tls.cert PATH and tls.key PATH'
    sed -i 's/required/optional/' conf
    says 0 'conf:1:3: warning: AUTH is never offered, because that takes TLS and tls is off'
    echo 'auth.insecure on' >>conf
    run -0 "$MAILRECV" -t -c conf
    [ "$(grep -c 'never offered' <<<"$output")" -eq 0 ]
}

@test "auth.command that cannot be executed, and one beside auth.users, are warnings" {
    secure "auth.command $PWD/ask -x"
    says 0 "conf:6:14: warning: $PWD/ask cannot be executed by $(id -un): No such file or directory" \
        "    auth.command $PWD/ask -x" '                 ^'
    : >ask
    says 0 "conf:6:14: warning: $PWD/ask cannot be executed by $(id -un): Permission denied" \
        "    auth.command $PWD/ask -x" '                 ^' "    run: chmod a+rx $PWD/ask"
    says 0 'conf:6:1: warning: both auth.users and auth.command: auth.command is asked'
    mkdir directory
    sed -i 's,/ask -x,/directory,' conf
    says 0 "conf:6:14: warning: $PWD/directory cannot be executed by $(id -un): Is a directory"
    printf '#!/bin/sh\n' >directory/ask
    chmod 755 directory/ask
    sed -i 's,/directory,/directory/ask,' conf
    run -0 "$MAILRECV" -t -c conf
    [ "$(grep -c executed <<<"$output")" -eq 0 ]
}

# ---- -u ------------------------------------------------------------------------------------

@test "-u USER: what that user cannot read is a warning, by modes or by becoming it" {
    secure 'auth.sender_check on' "auth.senders $PWD/senders"
    sed -i '/^user/d' conf
    : >senders
    chmod 600 senders
    run -0 --separate-stderr "$MAILRECV" -t -c conf -u games
    grep -x "conf:3:9: warning: $PWD/key.pem cannot be read by games: Permission denied" <<<"$stderr"
    grep -x "    run: chgrp \$(id -gn games) $PWD/key.pem && chmod g+r $PWD/key.pem" <<<"$stderr"
    grep -x "conf:5:12: warning: $PWD/users cannot be read by games: Permission denied" <<<"$stderr"
    grep -x "conf:7:14: warning: $PWD/senders cannot be read by games: Permission denied" <<<"$stderr"
}

@test "-u wants a user who exists, and -t" {
    secure
    run -64 "$MAILRECV" -t -c conf -u nobody-of-this-name
    [ "$output" = "mailrecv: there is no user 'nobody-of-this-name', see mailrecv -h" ]
    run -64 "$MAILRECV" -c conf -u nobody </dev/null
    [ "$output" = 'mailrecv: -u is for -t, see mailrecv -h' ]
}
