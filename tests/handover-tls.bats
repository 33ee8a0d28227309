#!/usr/bin/env bats
# lmtp and smtp with TLS and passwords: what is offered, wanted, and never said in clear

load common
load tools/delivery
load tools/handover

DEFERRED='451 4.3.0 The message cannot be delivered now, try again later'

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem 2>/dev/null
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=other.example \
        -addext subjectAltName=DNS:other.example -keyout other-key.pem -out other.pem 2>/dev/null
}

# The server at a port, with that certificate; mail goes there with these options.
next_with_tls() { # CERTIFICATE OPTIONS VERB=REPLY...
    local key=key.pem options=$2
    [ "$1" = cert ] || key=$1-key.pem
    next -t "$BATS_FILE_TMPDIR/$1.pem,$BATS_FILE_TMPDIR/$key" 0 "${@:3}"
    config <<END
fsync off
tls.ca $BATS_FILE_TMPDIR/cert.pem
deliver rcpt_to @mx.example smtp 127.0.0.1:$(cat port) $options
END
}

secret() { # TEXT
    (umask 077 && printf '%s\n' "$1" >secret)
}

OFFERED='EHLO=250-x\n250-STARTTLS\n250 AUTH PLAIN LOGIN'

@test "STARTTLS, and the introduction once more in it" {
    next_with_tls cert starttls "$OFFERED"
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    expect "$(commands | tr '\n' ' ')" \
        'EHLO mx.example STARTTLS EHLO mx.example MAIL FROM:<ann@a.example> RCPT TO:<bob@mx.example> DATA QUIT '
}

@test "on loopback there is no TLS unless it is wanted; starttls is a must" {
    next_with_tls cert '' "$OFFERED"
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    refute grep -q STARTTLS heard
    next_with_tls cert starttls
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    grep -q 'reason="the next server does not offer STARTTLS"' log
    refute grep -q MAIL heard
}

@test "STARTTLS that is refused, or answered with more than there may be" {
    next_with_tls cert starttls "$OFFERED" 'STARTTLS=454 4.7.0 not now'
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    grep -q 'reason="the next server answers STARTTLS with 454 4.7.0 not now"' log
    next_with_tls cert starttls "$OFFERED" 'STARTTLS=220 go on\n250 injected'
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    refute grep -q MAIL heard
}

@test "TLS from the first byte" {
    next_with_tls cert tls tls=first
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    grep -q '^MAIL' heard
}

@test "verify: a certificate for the host, of an authority; no other" {
    next_with_tls cert 'verify' "$OFFERED"
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    grep -q STARTTLS heard
    next_with_tls other verify "$OFFERED"
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    refute grep -q MAIL heard
    next_with_tls other 'tls verify' tls=first
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    refute grep -q MAIL heard
    next_with_tls other starttls "$OFFERED"
    mail bob@mx.example
    [[ $REPLY == 250* ]] # nobody has asked who that is
}

@test "auth: PLAIN, or LOGIN if that is all" {
    secret 'ann@example.com:pass:word'
    next_with_tls cert "starttls auth $HERE/secret" "$OFFERED"
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    expect "$(sed -n 's/^AUTH PLAIN \([^\r]*\)\r$/\1/p' heard | base64 -d | tr '\0' ' ')" ' ann@example.com pass:word'
    next_with_tls cert "starttls auth $HERE/secret" 'EHLO=250-x\n250-STARTTLS\n250 AUTH LOGIN' 'AUTH=334 VXNlcm5hbWU6' \
        'secret=334 UGFzc3dvcmQ6' 'secret=235 2.7.0 welcome'
    mail bob@mx.example
    [[ $REPLY == 250* ]]
    expect "$(sed -n '/^AUTH LOGIN/,/^MAIL/p' heard | sed -n '2,3p' | tr -d '\r' | while read -r line; do base64 -d <<<"$line"; echo; done)" \
        $'ann@example.com\npass:word'
    refute grep -qE "pass:word|$(printf 'pass:word' | base64)" log
}

@test "a password that is refused defers the mail, and is nowhere in the log" {
    secret 'ann:secret'
    next_with_tls cert "starttls auth $HERE/secret" "$OFFERED" 'AUTH=535 5.7.8 wrong'
    echo 'debug s' >>conf
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    grep -q 'reason="the next server answers AUTH with 535 5.7.8 wrong"' log
    grep -q 'to the next server: "AUTH PLAIN (hidden)"' log
    refute grep -qE "secret\"|$(printf '\0ann\0secret' | base64)" log
    refute grep -q MAIL heard
    next_with_tls cert "starttls auth $HERE/secret" 'EHLO=250-x\n250-STARTTLS\n250 AUTH CRAM-MD5'
    mail bob@mx.example
    grep -q 'reason="the next server offers neither AUTH PLAIN nor LOGIN"' log
    rm secret
    next_with_tls cert "starttls auth $HERE/secret" "$OFFERED"
    mail bob@mx.example
    expect "$REPLY" "$DEFERRED"
    refute grep -q AUTH heard
}
