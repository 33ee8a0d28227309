#!/usr/bin/env bats
# mailrecv-tls as a client: certificates, names, servers that speak no TLS or nothing, ends, and what it cannot do

bats_require_minimum_version 1.5.0

load common

export HELPER=${MAILRECV%/*}/mailrecv-tls

# NAME.pem and NAME-key.pem, signed by ISSUER (itself if it is the same), until END.
certificate() { # NAME ISSUER END SUBJECT-ALT-NAME
    local self=()
    [ "$1" != "$2" ] || self=(-selfsign)
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1-key.pem" -out "$1.csr" \
        -subj "/O=Example/CN=$1" 2>/dev/null
    echo "$4" >ext
    : >index.txt
    openssl ca -batch -notext -config ca.conf -keyfile "$2-key.pem" -cert "$2.pem" "${self[@]}" -in "$1.csr" -out "$1.pem" \
        -startdate "$(date -u -d '30 days ago' +%Y%m%d%H%M%SZ)" -enddate "$(date -u -d "$3" +%Y%m%d%H%M%SZ)" -extfile ext 2>/dev/null
}

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    printf '%s\n' '[ca]' 'default_ca=here' '[here]' 'database=index.txt' 'rand_serial=yes' 'new_certs_dir=.' \
        'policy=any' 'default_md=sha256' 'unique_subject=no' '[any]' 'organizationName=optional' 'commonName=supplied' >ca.conf
    local ca='basicConstraints=critical,CA:true' names='subjectAltName=DNS:mail.example.com,DNS:*.mx.example.com,IP:127.0.0.1'

    certificate root root '100 days' "$ca"
    certificate foreign foreign '100 days' "$ca"
    certificate good root '50 days 1 hour' "$names"
    certificate expired root '3 days ago' "$names"
    certificate self self '50 days 1 hour' "$names"
    certificate stranger foreign '50 days 1 hour' "$names"
}

setup() { cd "$BATS_FILE_TMPDIR"; }

teardown() { stop_server; }

# A server that is real, with this certificate, and says each line backwards; its port is $PORT.
serve() { # NAME [OPTION...]
    local name=$1
    shift
    rm -f server
    openssl s_server -accept 127.0.0.1:0 -cert "$name.pem" -key "$name-key.pem" -rev "$@" >server 2>&1 3>&- &
    SERVER=$!
    wait_for server '^ACCEPT '
    PORT=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' server)
}

# One that does with its first connection what it is told (trick-server says what).
trick() { # TRICK
    rm -f server
    "$TESTS/tools/tls-trick" "$1" good.pem good-key.pem >server 3>&- &
    SERVER=$!
    wait_for server '^[0-9]+$'
    PORT=$(cat server)
}

stop_server() {
    [ -z "${SERVER:-}" ] || { kill "$SERVER"; wait "$SERVER"; } 2>/dev/null || true
    SERVER=
}

call() { CA=${CA:-root.pem} run -0 timeout 30 "$TESTS/tools/tls-call" "$@"; }

has() { grep -qxF -e "$1" <<<"$output" || { echo "no line '$1' in: $output"; false; }; }

# What is thought of the server that is called so.
trust() { # NAME TRUST
    call say "$PORT" -c "$1" -v
    has "trust=$2"
    has 'heard: olleh'
    has 'status 0'
}

@test "TLS 1.2 and 1.3 are spoken, and the facts are told" {
    local version
    for version in 1_2 1_3; do
        serve good "-tls$version"
        call say "$PORT" -c mail.example.com
        [ "${lines[0]}" = secure ]
        has "protocol=TLSv${version/_/.}"
        has 'subject=CN=good,O=Example'
        has "fingerprint=$(openssl x509 -in good.pem -outform DER | sha256sum | cut -d ' ' -f 1)"
        has 'names=mail.example.com *.mx.example.com'
        has 'days=50'
        has 'heard: olleh'
        has 'status 0'
        stop_server
    done
}

@test "the server is asked for the name, and for no address" {
    serve good -servername mail.example.com -cert2 self.pem -key2 self-key.pem
    call say "$PORT" -c mail.example.com
    has 'subject=CN=self,O=Example'
    call say "$PORT" -c mx.example.com
    has 'subject=CN=good,O=Example'
    call say "$PORT" -c 127.0.0.1
    has 'subject=CN=good,O=Example'
    call say "$PORT" -c ''
    has 'subject=CN=good,O=Example'
}

@test "-v: a good certificate, by its name, by a name with a star, by an address" {
    serve good
    trust mail.example.com ok
    trust a.mx.example.com ok
    trust 127.0.0.1 ok
}

@test "-v: a wrong name" {
    serve good
    trust www.example.com 'hostname mismatch'
    trust a.b.mx.example.com 'hostname mismatch'
    trust 127.0.0.2 'IP address mismatch'
    trust ::1 'IP address mismatch'
}

@test "-v: expired" {
    serve expired
    trust mail.example.com 'certificate has expired'
    has 'days=-3'
}

@test "-v: self-signed, unless it stands among the authorities" {
    serve self
    trust mail.example.com 'self-signed certificate'
    CA=self.pem trust mail.example.com ok
}

@test "-v: an unknown authority, unless the certificate itself stands there" {
    serve stranger
    trust mail.example.com 'unable to get local issuer certificate'
    CA=foreign.pem trust mail.example.com ok
    CA=stranger.pem trust mail.example.com ok
}

@test "-v: authorities that are none" {
    serve good
    CA=good-key.pem call say "$PORT" -c mail.example.com -v
    [ "$output" = $'failed authorities: holds no certificate in PEM\nstatus 1' ]
    : >empty.pem
    CA=empty.pem call say "$PORT" -c mail.example.com -v
    [ "$output" = $'failed authorities: holds no certificate in PEM\nstatus 1' ]
}

@test "-t: authorities are checked" {
    cat root.pem foreign.pem self.pem >three.pem
    run -0 "$HELPER" -c '' -v -t 4<three.pem
    [ "$output" = 'note: authorities: certificates: 3' ]
    run -1 "$HELPER" -c '' -v -t 4<good-key.pem
    [ "$output" = 'error: authorities: holds no certificate in PEM' ]
    sed '5s/^..../!!!!/' three.pem >broken.pem
    run -1 "$HELPER" -c '' -v -t 4<broken.pem
    [[ $output == 'error: authorities: '* ]]
}

@test "a server that speaks TLS 1.1 only, or no TLS" {
    serve good -tls1_1 -cipher DEFAULT:@SECLEVEL=0
    call say "$PORT" -c mail.example.com
    [[ $output =~ ^failed\ handshake:\ .*(version|protocol|alert).*status\ 1$ ]]
    stop_server
    trick plain
    call say "$PORT" -c mail.example.com
    [ "$output" = $'failed handshake: the server does not speak TLS\nstatus 1' ]
}

@test "a server that leaves in the handshake, or before it" {
    trick leave
    call say "$PORT" -c mail.example.com
    [[ $output =~ ^failed\ handshake:\ (the\ server\ has\ closed\ the\ connection|Connection\ reset\ by\ peer).status\ 1$ ]]
}

@test "a server that says nothing is waited for as long as the monitor has patience" {
    trick hang
    call hang "$PORT" -c mail.example.com
    [ "$output" = $'silent\nstatus 1' ]
}

@test "an end with close_notify is told from a cut, and nothing that was said before is lost" {
    trick good-bye
    call listen "$PORT" -c mail.example.com
    [[ $output == *$'\nheard: 221 bye\nclosed\nstatus 0' ]]
    stop_server
    trick cut
    call listen "$PORT" -c mail.example.com
    [[ $output == *$'\nheard: 221 bye\nfailed connection: the server has broken it off\nstatus 0' ]]
    stop_server
    trick reset
    call listen "$PORT" -c mail.example.com
    [[ $output == *$'\nfailed connection: the server has broken it off\nstatus 0' ]]
}

@test "the server gets a close_notify when we end, and is not waited for" {
    trick linger
    call say "$PORT" -c mail.example.com
    has 'heard: hello'
    has 'status 0'
    wait_for server '^closed$'
}

@test "without a monitor nothing goes on" {
    serve good
    call stare "$PORT" -c mail.example.com
    has 'status 1'
}

@test "our side ends at once" {
    serve good
    call vanish "$PORT" -c mail.example.com
    has 'status 0'
}

@test "ten megabytes each way at once" {
    trick echo
    call flood "$PORT" -c mail.example.com
    has 'heard: 10000000'
    has 'status 0'
}

@test "it is confined before it says a word" {
    trick hang
    "$TESTS/tools/tls-call" hang "$PORT" -c mail.example.com >out 3>&- &
    local caller=$! helper
    wait_for server '^connected$'
    wait_for server '^[1-9][0-9]* bytes$'
    helper=$(pgrep -P "$caller" -x mailrecv-tls || pgrep -P "$caller")
    grep -qE '^Seccomp:\s+2$' "/proc/$helper/status"
    grep -qE '^NoNewPrivs:\s+1$' "/proc/$helper/status"
    [ "$(cd "/proc/$helper/fd" && echo *)" = '0 1 2 3' ]
    wait "$caller"
}

@test "what is wrong with a command line" {
    run -64 "$HELPER" -c mail.example.com -a
    [ "$output" = 'mailrecv-tls: options -c and -v are for clients, -a, -s and -k for servers, see mailrecv-tls -h' ]
    run -64 "$HELPER" -v
    run -64 "$HELPER" -c mail.example.com -k
}
