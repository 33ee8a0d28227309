#!/usr/bin/env bats
# mailrecv-tls: protocols, ciphers, keys, certificates, both directions, ends, deaths, and what it cannot do

bats_require_minimum_version 1.5.0

load common

export HELPER=${MAILRECV%/*}/mailrecv-tls

# A request and its key, NAME.csr and NAME-key.pem.
request() { # NAME ALGORITHM [OPTION...]
    openssl req -new -newkey "$2" -nodes -keyout "$1-key.pem" -out "$1.csr" -subj "/O=Example/CN=$1" "${@:3}" 2>/dev/null
}

# NAME.pem, signed by ISSUER (itself if it is the same) with these dates and extensions.
sign() { # NAME ISSUER BEGIN END [EXTENSION-LINE...]
    local self=()
    [ "$1" != "$2" ] || self=(-selfsign)
    printf '%s\n' "${@:5}" >"$1.ext"
    : >index.txt
    openssl ca -batch -notext -config ca.conf -keyfile "$2-key.pem" -cert "$2.pem" "${self[@]}" \
        -startdate "$3" -enddate "$4" -extfile "$1.ext" -in "$1.csr" -out "$1.pem" -md "${MD:-sha256}" 2>/dev/null
}

day() { date -u -d "$1" +%Y%m%d%H%M%SZ; }

EC=(ec -pkeyopt ec_paramgen_curve:P-256)

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    local past next name
    past=$(day '30 days ago')
    next=$(day '100 days 1 hour')
    printf '%s\n' '[ca]' 'default_ca=here' '[here]' 'database=index.txt' 'rand_serial=yes' 'new_certs_dir=.' \
        'policy=any' 'default_md=sha256' 'unique_subject=no' '[any]' 'organizationName=optional' 'commonName=supplied' >ca.conf
    local ca='basicConstraints=critical,CA:true' names='subjectAltName=DNS:mail.example.com,DNS:mx.example.com,IP:192.0.2.1'

    for name in root middle leaf expired future soon client stale stranger other; do
        request "$name" "${EC[@]}"
    done
    request rsa rsa:2048
    request ed ed25519
    request weak rsa:1024
    sign root root "$past" "$next" "$ca"
    sign middle root "$past" "$next" "$ca"
    sign leaf middle "$past" "$next" "$names"
    for name in rsa ed weak; do sign "$name" "$name" "$past" "$next" "$names"; done
    sign other other "$past" "$next"
    sign expired expired "$past" "$(day '3 days ago 1 hour ago')" "$names"
    sign future future "$(day '3 days 1 hour')" "$next" "$names"
    sign soon soon "$past" "$(day '13 days 1 hour')" "$names"
    sign client root "$past" "$next"
    sign stale root "$past" "$(day '3 days ago')"
    sign stranger stranger "$past" "$next"
    MD=sha1 sign leaf middle "$past" "$next" "$names"
    mv leaf.pem sha1.pem
    sign leaf middle "$past" "$next" "$names"
    cat leaf.pem middle.pem >chain.pem
    cat sha1.pem middle.pem >sha1-chain.pem
    cat leaf.pem root.pem middle.pem >disorder.pem
    cat rsa-key.pem rsa.pem >both.pem
    openssl pkcs8 -topk8 -in rsa-key.pem -passout pass:secret -out encrypted8.pem
    openssl rsa -in rsa-key.pem -aes128 -passout pass:secret -traditional -out encrypted1.pem 2>/dev/null
    cp root.pem ca.pem
    cp chain.pem cert.pem
    cp leaf-key.pem key.pem
    echo 'no certificate' >text.pem
    sed '3s/^..../!!!!/' rsa.pem >broken.pem
    : >empty.pem
}

setup() { cd "$BATS_FILE_TMPDIR"; }

play() { "$TESTS/tools/tls-play" "$@"; }

# What is said about a certificate, a key and CA certificates.
verdict() { # CERTIFICATE KEY [OPTION...]
    run "$HELPER" -t "${@:3}" 4<"$1" 5<"$2" 6<ca.pem </dev/null
}

# The same, when it should serve.
loading() { # CERTIFICATE KEY [OPTION...]
    CERT=$1 KEY=$2 run -0 play load -- "${@:3}"
}

# openssl s_client with these options and then those of the helper, on an echo that gets a line.
s_client() { # OPTION... [-- HELPER-OPTION...]
    run -0 play s-client "$@"
}

# A line of what was heard or said.
has() { grep -qxF -e "$1" <<<"$output" || { echo "no line '$1' in: $output"; false; }; }

# ---- the command line ------------------------------------------------------------------------

@test "-V and -h, and what is wrong with a command line" {
    run -0 "$HELPER" -V
    [[ $output =~ ^mailrecv-tls\ [0-9]+\.[0-9]+$ ]]
    run -0 "$HELPER" -h
    [[ ${lines[0]} == 'usage: mailrecv-tls '* ]]
    run -64 "$HELPER" -x
    [ "$output" = "mailrecv-tls: unknown option '-x', see mailrecv-tls -h" ]
    run -64 "$HELPER" -m
    [ "$output" = "mailrecv-tls: option '-m' needs a value, see mailrecv-tls -h" ]
    run -64 "$HELPER" -m 1.1
    [ "$output" = "mailrecv-tls: '1.1' is no version of TLS, expected 1.2 or 1.3, see mailrecv-tls -h" ]
    run -64 "$HELPER" word
    [ "$output" = "mailrecv-tls: unknown argument 'word', see mailrecv-tls -h" ]
    run -74 sh -c '"$HELPER" -V >/dev/full'
}

@test "the manual page is clean for mandoc, and has the options of -h" {
    run -0 mandoc -Tlint -Wwarning "$TESTS/../man/mailrecv-tls.8"
    run -0 diff <("$HELPER" -h | grep -oE '^  -[a-zA-Z]' | tr -d ' -' | sort) \
        <(sed -nE 's/^\.It Fl ([a-zA-Z])( .*)?$/\1/p' "$TESTS/../man/mailrecv-tls.8" | sort)
}

@test "only mailrecv-tls is linked with OpenSSL" {
    readelf -dW "$HELPER" | grep -q 'NEEDED.*libssl\.so\.3'
    run -0 readelf -dW "$MAILRECV"
    [[ $output != *libssl* && $output != *libcrypto* ]]
    readelf -dW "$HELPER" | grep -qE 'FLAGS.*BIND_NOW|FLAGS_1.*NOW'
    readelf -hW "$HELPER" | grep -qE 'Type: +DYN'
}

# ---- protocols and ciphers -------------------------------------------------------------------

@test "TLS 1.2 and 1.3 are served, with RSA, ECDSA and Ed25519 keys" {
    local key version
    for key in rsa leaf ed; do
        for version in 1_2 1_3; do
            CERT=$key.pem KEY=$key-key.pem s_client -tls$version -servername mx.example.com
            has secure
            has "protocol=TLSv${version/_/.}"
            has 'sni=mx.example.com'
            has 'subject='
            has 'fingerprint='
            has 'client: hello'
            has 'status 0'
            [[ $version = 1_2 ]] || has 'cipher=TLS_AES_256_GCM_SHA384'
        done
    done
}

@test "-s: a client gets the pair that it can use, each with its chain" {
    # shellcheck disable=SC2030,SC2031 # bats runs each test in a subshell
    export CERT=chain.pem KEY=leaf-key.pem SECOND_CERT=rsa.pem SECOND_KEY=rsa-key.pem
    # what a client says of itself, which kind it gets then, whom it trusts, how many certificates there are
    while read -r version option value kind trusted count; do
        for ask in -s '-s -a'; do
            # shellcheck disable=SC2086 # words
            s_client -$version $option $value -showcerts -CAfile $trusted.pem -- $ask
            has secure
            has "client: Peer signature type: $kind"
            has 'client: Verification: OK'
            [ "$(grep -c 'BEGIN CERTIFICATE' <<<"$output")" = "$count" ]
        done
    done <<'END'
tls1_2 -cipher aECDSA ECDSA root 2
tls1_2 -cipher aRSA RSA-PSS rsa 1
tls1_3 -sigalgs ecdsa_secp256r1_sha256 ECDSA root 2
tls1_3 -sigalgs rsa_pss_rsae_sha256 RSA-PSS rsa 1
END
    # whichever comes first
    CERT=rsa.pem KEY=rsa-key.pem SECOND_CERT=chain.pem SECOND_KEY=leaf-key.pem s_client -tls1_2 -cipher aECDSA -- -s
    has 'client: Peer signature type: ECDSA'
}

@test "-t -s: both pairs are checked, and what is said of the second says so" {
    # as verdict, of two pairs
    two() { run "$HELPER" -t -s "${@:5}" 4<"$1" 5<"$2" 6<ca.pem 7<"$3" 8<"$4" </dev/null; }
    two chain.pem leaf-key.pem rsa.pem rsa-key.pem
    [ "$status" = 0 ]
    [ "$output" = 'note: the certificate expires in 100 days
note: the certificate is for mail.example.com mx.example.com
note: second pair: the certificate expires in 100 days
note: second pair: the certificate is self-signed: only clients that know it can trust it
note: second pair: the certificate is for mail.example.com mx.example.com' ]
    two chain.pem leaf-key.pem rsa.pem ed-key.pem
    [ "$status" = 1 ]
    has 'error: second pair: key: does not belong to the certificate'
    two chain.pem rsa-key.pem rsa.pem rsa-key.pem
    [ "$status" = 1 ]
    has 'error: key: does not belong to the certificate'
    two rsa.pem rsa-key.pem text.pem empty.pem
    has 'error: second pair: certificate: holds no certificate in PEM'
    has 'error: second pair: key: is no private key in PEM'
    has 'note: the certificate expires in 100 days'
    two rsa.pem rsa-key.pem expired.pem expired-key.pem
    [ "$status" = 0 ]
    grep -q '^warning: second pair: the certificate has expired 3 days ago' <<<"$output"
    two other.pem other-key.pem disorder.pem leaf-key.pem
    [ "$status" = 1 ]
    has 'error: second pair: certificate: is of the same kind as the first one, which nobody gets, expected RSA beside ECDSA'
    two rsa.pem rsa-key.pem disorder.pem leaf-key.pem
    grep -q '^warning: second pair: certificate 2 of the file did not issue' <<<"$output"
    two other.pem other-key.pem rsa.pem rsa-key.pem -a
    [ "$status" = 0 ]
    has 'warning: the certificate has no DNS name (subjectAltName): programs of people refuse it'
}

@test "-s: two pairs of one kind: the second is served, with its chain only" {
    # shellcheck disable=SC2030,SC2031 # bats runs each test in a subshell
    export CERT=disorder.pem KEY=leaf-key.pem SECOND_CERT=soon.pem SECOND_KEY=soon-key.pem
    s_client -showcerts -- -s
    has secure
    [ "$(grep -c 'BEGIN CERTIFICATE' <<<"$output")" = 1 ]
    SECOND_KEY=rsa-key.pem play load -- -s | grep -x 'failed second pair: key: does not belong to the certificate'
}

@test "TLS 1.0 and 1.1 are refused" {
    local version
    for version in tls1 tls1_1; do
        s_client -$version -cipher ALL:@SECLEVEL=0
        has 'failed handshake: unsupported protocol'
        has 'status 1'
        [[ $output == *'alert protocol version'* && $output != *$'\nsecure'* ]]
    done
}

@test "-m 1.3 refuses TLS 1.2" {
    s_client -tls1_2 -- -m 1.3
    has 'failed handshake: unsupported protocol'
    s_client -- -m1.3
    has 'protocol=TLSv1.3'
    has 'client: hello'
}

@test "-C limits the ciphers of TLS 1.2, and cannot lower the security level" {
    s_client -tls1_2 -- -C ECDHE-ECDSA-AES128-GCM-SHA256
    has 'cipher=ECDHE-ECDSA-AES128-GCM-SHA256'
    s_client -tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384 -- -C ECDHE-ECDSA-AES128-GCM-SHA256
    has 'failed handshake: no shared cipher'
    s_client -tls1_2 -cipher 'ALL:@SECLEVEL=0' -- -C 'aNULL:@SECLEVEL=0'
    has 'failed handshake: no shared cipher'
    s_client -tls1_3 -- -C ECDHE-ECDSA-AES128-GCM-SHA256
    has 'protocol=TLSv1.3'
    loading cert.pem key.pem -C NONSENSE
    [ "$output" = $'failed ciphers: no cipher match\nstatus 1' ]
    CERT=weak.pem KEY=weak-key.pem run play load -- -C ALL:@SECLEVEL=0
    [ "$output" = $'failed certificate: ee key too small\nstatus 1' ]
}

@test "no session is resumed, nothing is compressed" {
    local version
    for version in 1_2 1_3; do
        s_client -tls$version -sess_out "$BATS_TEST_TMPDIR/session" # written when there is one to be resumed
        has 'status 0'
        [[ $output != *'ession ticket'* && $output != *'ession Ticket'* ]]
        [ ! -e "$BATS_TEST_TMPDIR/session" ]
        has 'client: Compression: NONE'
    done
}

@test "GnuTLS is served, and verifies the chain" {
    # the client ends with its input
    run --separate-stderr play client sh -c \
        '{ echo hello; for i in $(seq 500); do ! grep -qx hello "$2" || break; sleep 0.02; done; } |
            gnutls-cli --x509cafile root.pem --sni-hostname mail.example.com --verify-hostname mail.example.com -p "$1" 127.0.0.1 >"$2"' \
        sh %PORT "$BATS_TEST_TMPDIR/seen"
    has secure
    has 'sni=mail.example.com'
    output+=$'\n'$(cat "$BATS_TEST_TMPDIR/seen")
    has '- Status: The certificate is trusted. '
    has hello
    has 'status 0'
}

@test "OpenSSL verifies the chain" {
    s_client -CAfile root.pem -verify_return_error -verify_hostname mx.example.com
    has 'client: Verify return code: 0 (ok)'
    has 'client: hello'
}

# ---- certificates of clients -----------------------------------------------------------------

@test "-a: subject and fingerprint of a verified client are told" {
    local version print
    print=$(openssl x509 -in client.pem -outform DER | sha256sum | cut -d' ' -f1)
    for version in 1_2 1_3; do
        s_client -tls$version -cert client.pem -key client-key.pem -- -a
        has 'subject=CN=client,O=Example'
        has "fingerprint=$print"
        has 'client: hello'
    done
}

@test "-a: a client without a certificate is served" {
    s_client -- -a
    has 'subject='
    has 'fingerprint='
    has 'client: hello'
    has 'status 0'
}

@test "-a: certificates that do not verify are refused with the reason" {
    local version
    for version in 1_2 1_3; do
        s_client -tls$version -cert stranger.pem -key stranger-key.pem -- -a
        has 'failed handshake: self-signed certificate'
        s_client -tls$version -cert stale.pem -key stale-key.pem -- -a
        has 'failed handshake: certificate has expired'
        s_client -tls$version -cert leaf.pem -key leaf-key.pem -- -a
        has 'failed handshake: unable to get local issuer certificate'
        [[ $output != *$'\nsecure'* && $output != *'client: hello'* ]]
    done
}

@test "without -a no certificate is asked for" {
    s_client -cert stranger.pem -key stranger-key.pem
    has 'subject='
    has 'client: hello'
}

@test "what a client calls itself is told as printable text that is cut" {
    openssl req -x509 -newkey "${EC[@]}" -nodes -utf8 -keyout odd-key.pem -out odd.pem \
        -subj "/O=a=b, c\"/OU=$(printf 'L\xc3\xb6we')/CN=$(printf 'two\nlines')" 2>/dev/null
    openssl req -x509 -newkey "${EC[@]}" -nodes -keyout long-key.pem -out long.pem \
        -subj "$(printf '/OU=%060d' 1 2 3 4 5 6)" 2>/dev/null
    CA=odd.pem s_client -cert odd.pem -key odd-key.pem -- -a
    has 'subject=CN=two\0Alines,OU=L\C3\B6we,O=a=b\, c\"'
    CA=long.pem s_client -cert long.pem -key long-key.pem -servername "$(printf 'a%.0s' {1..243}).example.com" -- -a
    [[ $output =~ subject=(OU=[^$'\n']*) ]]
    [ "${#BASH_REMATCH[1]}" = 255 ]
    [[ $output =~ fingerprint=[0-9a-f]{64} ]]
    # nor can a name that it asks for become a line of its own
    s_client -servername $'a\nsubject=b\x01\xc3'
    has 'sni=a?subject=b???' || has 'sni=a?subject=b??'
    has 'subject='
}

# ---- certificates of ours --------------------------------------------------------------------

@test "-t: a good chain" {
    verdict chain.pem leaf-key.pem -a -C ECDHE+AESGCM
    [ "$status" = 0 ]
    [ "$output" = $'note: the certificate expires in 100 days\nnote: the certificate is for mail.example.com mx.example.com' ]
    verdict both.pem both.pem # certificate and key in one file
    [ "$status" = 0 ]
    [ "${lines[1]}" = 'note: the certificate is self-signed: only clients that know it can trust it' ]
}

@test "-t and loading: files that hold something else" {
    local file
    for file in text.pem empty.pem leaf-key.pem; do
        verdict $file leaf-key.pem
        [ "$status" = 1 ]
        [ "$output" = 'error: certificate: holds no certificate in PEM' ]
    done
    for file in text.pem empty.pem chain.pem; do
        verdict chain.pem $file
        [ "$status" = 1 ]
        [ "${lines[0]}" = 'error: key: is no private key in PEM' ]
    done
    verdict broken.pem rsa-key.pem
    [ "$output" = 'error: certificate: bad base64 decode' ]
    run -1 "$HELPER" -t -a 4<chain.pem 5<leaf-key.pem 6<text.pem
    [ "${lines[0]}" = 'error: client CA: holds no certificate in PEM' ]
    loading text.pem leaf-key.pem
    [ "$output" = $'failed certificate: holds no certificate in PEM\nstatus 1' ]
    loading chain.pem text.pem
    [ "$output" = $'failed key: is no private key in PEM\nstatus 1' ]
    CA=text.pem loading chain.pem leaf-key.pem -a
    [ "$output" = $'failed client CA: holds no certificate in PEM\nstatus 1' ]
}

@test "-t and loading: descriptors that are missing, no file, or endless" {
    run -1 "$HELPER" -t 4<chain.pem 5<&-
    [ "${lines[0]}" = 'error: key: Bad file descriptor' ]
    run -1 "$HELPER" -t 4<. 5<leaf-key.pem
    [ "$output" = 'error: certificate: Is a directory' ]
    run -1 "$HELPER" -t 4</dev/zero 5<leaf-key.pem
    [ "$output" = 'error: certificate: is too large' ]
}

@test "-t and loading: an encrypted key, without a prompt" {
    local key
    for key in encrypted8.pem encrypted1.pem; do
        run -1 timeout 10 setsid "$HELPER" -t 4<rsa.pem 5<$key
        [ "${lines[0]}" = 'error: key: is encrypted, and nobody is there to be asked for the passphrase' ]
        loading rsa.pem $key
        [ "${lines[0]}" = 'failed key: is encrypted, and nobody is there to be asked for the passphrase' ]
    done
}

@test "-t and loading: a key that does not belong to the certificate" {
    local key
    for key in other-key.pem rsa-key.pem; do
        verdict chain.pem $key
        [ "$status" = 1 ]
        [ "${lines[0]}" = 'error: key: does not belong to the certificate' ]
        loading chain.pem $key
        [ "$output" = $'failed key: does not belong to the certificate\nstatus 1' ]
    done
}

@test "-t and loading: weak keys and signatures" {
    verdict weak.pem weak-key.pem
    [ "$status" = 1 ]
    [ "${lines[0]}" = 'error: certificate: ee key too small' ]
    loading weak.pem weak-key.pem
    [ "$output" = $'failed certificate: ee key too small\nstatus 1' ]
    verdict sha1-chain.pem leaf-key.pem
    [ "${lines[0]}" = 'error: certificate: ca md too weak' ]
}

@test "-t: a chain out of order or incomplete" {
    verdict disorder.pem leaf-key.pem
    [ "$status" = 0 ]
    [ "${lines[1]}" = 'warning: certificate 2 of the file did not issue the one before it: the chain is out of order' ]
    [ "${lines[2]}" = 'warning: certificate 3 of the file did not issue the one before it: the chain is out of order' ]
    verdict leaf.pem leaf-key.pem
    [ "$status" = 0 ]
    [ "${lines[1]}" = 'warning: the chain is incomplete, unless clients know the issuer of the certificate' ]
}

@test "-t: dates, and certificates that have expired are served" {
    verdict expired.pem expired-key.pem
    [ "$status" = 0 ]
    [ "${lines[0]}" = 'warning: the certificate has expired 3 days ago: most servers send mail all the same, programs of people refuse it' ]
    verdict future.pem future-key.pem
    [ "$status" = 0 ]
    [ "${lines[0]}" = 'warning: the certificate is not valid yet: 3 days to go' ]
    verdict soon.pem soon-key.pem
    [ "${lines[0]}" = 'warning: the certificate expires in 13 days' ]
    cat leaf.pem expired.pem >stale-chain.pem
    verdict stale-chain.pem leaf-key.pem
    [[ $output == *$'\nwarning: certificate 2 of the file has expired 3 days ago'* ]]
    CERT=expired.pem KEY=expired-key.pem s_client
    has 'client: hello'
}

@test "-t: no DNS name" {
    verdict other.pem other-key.pem
    [ "$status" = 0 ]
    [ "${lines[2]}" = 'warning: the certificate has no DNS name (subjectAltName): programs of people refuse it' ]
}

@test "-t: ciphers" {
    verdict chain.pem leaf-key.pem -C NONSENSE:@SECLEVEL=1
    [ "$status" = 1 ]
    [ "${lines[0]}" = 'error: ciphers: no cipher match' ]
    verdict chain.pem leaf-key.pem -C 'ECDHE+AESGCM:ECDHE-TYPO:!MD5:!NONSENSE'
    [ "$status" = 0 ]
    [ "${lines[0]}" = 'warning: ciphers: none is called ECDHE-TYPO' ]
    [ "${#lines[@]}" = 3 ]
}

@test "-t: all that is wrong is said at once" {
    verdict text.pem text.pem -C NONSENSE
    [ "$output" = 'error: ciphers: no cipher match
error: certificate: holds no certificate in PEM
error: key: is no private key in PEM
warning: ciphers: none is called NONSENSE' ]
    run -74 sh -c '"$HELPER" -t 4<chain.pem 5<leaf-key.pem >/dev/full'
}

@test "where others have read the files to does not matter" {
    { read -r <&4; read -r <&5; run -0 "$HELPER" -t; } 4<chain.pem 5<leaf-key.pem
    [ "${lines[0]}" = 'note: the certificate expires in 100 days' ]
}

@test "make cert writes a pair that works, and does not overwrite one" {
    cd "$BATS_TEST_TMPDIR"
    unset MAKEFLAGS MAKELEVEL
    run -0 make -s -f "$TESTS/../Makefile" cert CERT_NAME=mail.example.com
    run -0 "$HELPER" -t 4<cert.pem 5<key.pem
    has 'note: the certificate is for mail.example.com'
    [ "$(stat -c %a key.pem)" = 600 ]
    sha256sum key.pem cert.pem >before
    run make -s -f "$TESTS/../Makefile" cert
    [ "$status" != 0 ]
    [[ $output == 'key.pem exists, and is left as it is'* ]]
    rm key.pem
    run make -s -f "$TESTS/../Makefile" cert
    [ "$status" != 0 ]
    [ ! -e key.pem ]
    grep -q cert.pem before
    sha256sum -c --ignore-missing before
}

# ---- bytes -----------------------------------------------------------------------------------

@test "100 MB to a client that is slow at first, in bounded memory" { play download; }
@test "100 MB from a client to a session that is slow at first, in bounded memory" { play upload; }
@test "100 MB out and back at once" { play duplex; }
@test "one byte in a segment, TLS 1.2" { play pieces 1 TLSv1_2; }
@test "one byte in a segment, TLS 1.3" { play pieces 1 TLSv1_3; }
@test "seven bytes in a segment" { play pieces 7 TLSv1_3; }
@test "keys are updated" { play key-updates; }
@test "a client cannot renegotiate" { play renegotiation; }
@test "what the session says before the handshake waits for it" { play early-greeting; }

# ---- ends ------------------------------------------------------------------------------------

@test "when the session ends, its last words arrive with a close_notify" { play session-ends; }
@test "when the session says no more, the same" { play session-half-closes; }
@test "a client that does not end then is left" { play client-lingers; }
@test "a client that does not even read is left" { play client-never-reads; }
@test "when the client ends with close_notify, the session can still answer" { play client-ends close_notify; }
@test "when the client ends without, the session can still answer" { play client-ends tcp; }
@test "a connection that breaks is an end" { play client-resets; }
@test "half a record is nothing" { play truncated; }
@test "a record that was changed ends the connection" { play forged; }
@test "a client that leaves before the handshake" { play client-leaves loaded; }
@test "a client that leaves in mid-handshake" { play client-leaves handshake; }

@test "what is no TLS gets an alert, and no reset" {
    run -0 play garbage 'EHLO client.example.com'
    [ "$output" = 'failed handshake: wrong version number' ]
    run -0 play garbage 'GET / HTTP/1.1'
    [[ $output =~ ^failed\ handshake:\ (http request|wrong version number)$ ]]
    run -0 play garbage $'\x16\x03\x01\x01\x01'
    [[ $output =~ ^failed\ handshake:\ [a-z\ ]+$ ]]
}

@test "killed once it is ready" { play killed loaded; }
@test "killed in mid-handshake" { play killed handshake; }
@test "killed while passing bytes" { play killed secure; }
@test "the monitor ends once it is ready" { play monitor-dies loaded; }
@test "the monitor ends in mid-handshake" { play monitor-dies handshake; }
@test "the monitor ends while bytes are passed" { play monitor-dies secure; }
@test "the monitor ends while the client does not read" { play monitor-dies-stalled; }
@test "the session ends before the handshake" { play session-dies loaded; }
@test "the session ends in mid-handshake" { play session-dies handshake; }
@test "it dies with its parent" { play parent-dies; }

# ---- confinement -----------------------------------------------------------------------------

@test "no privileges, a filter, no core" {
    run -0 play status
    grep -qE '^NoNewPrivs:\s+1$' <<<"$output"
    grep -qE '^Seccomp:\s+2$' <<<"$output"
    [ "$(grep -cE '^Cap(Inh|Prm|Eff|Amb):\s+0+$' <<<"$output")" = 4 ]
    grep -qE '^Max core file size +0 +0 ' <<<"$output"
    grep -qE '^Max processes +0 +0 ' <<<"$output"
    grep -qE '^Max file size +0 +0 ' <<<"$output"
}

# A build whose handshake does what a letter says.
misbehave() { # LETTER
    local build=${BUILD:-$TESTS/../build}
    [ -x misbehave ] || cc -std=gnu11 -D_GNU_SOURCE -pie -Wl,--wrap=SSL_accept -o misbehave \
        "$TESTS/tools/tls-misbehave.c" "$build"/{programs/tls/{tls,channel,handshake,relay,keeper,credentials},base/sandbox,base/inherited}.o -lssl -lcrypto
    HELPER=$PWD/misbehave run -0 play misbehave "$1"
}

is_killed() {
    misbehave "$1"
    [ "$output" = $'\nstatus -31' ]
}

@test "it holds client, session, standard error and channel only" {
    misbehave d
    [ "$output" = $'0123SURVIVED\nstatus 0' ]
}

@test "it is killed when it opens a file" { is_killed o; }
@test "it is killed when it executes a program" { is_killed x; }
@test "it is killed when it starts a process" { is_killed f; }
@test "it is killed when it makes a socket" { is_killed s; }
@test "it is killed when it kills its parent" { is_killed k; }
@test "it is killed when it maps code" { is_killed m; }
