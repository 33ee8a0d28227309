#!/usr/bin/env bats
# The TLS clients that people use, over STARTTLS and implicit TLS, with and without AUTH, through xinetd and systemd

bats_require_minimum_version 1.5.0

load common
load serving

# Four servers stay for the whole file: two super-servers, each with a port for STARTTLS and one for implicit TLS.
KINDS='xinetd systemd-socket-activate'

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    make_certificates
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@example.com >users
    chmod 600 users
    {
        printf 'From: Ann <ann@example.com>\nTo: box@example.com\nSubject: hello\n'
        printf 'Date: Fri, 21 Nov 2025 10:00:00 +0000\nMessage-ID: <1@example.com>\n\n'
        printf 'The text\n\n.\n..\n.hidden\nFrom the start\n%0900d\nthe end\n' 7
    } >message
    local kind mode SERVE_SECS=280
    for mode in optional implicit; do
        printf '%s\n' 'domain mail.example.com' 'limit.smtp_data_size 200000000 552 Too large' "logfile $PWD/log" \
            "tls $mode" "tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem" 'auth optional' "auth.users $PWD/users" \
            "deliver auth tls rcpt_to auth@example.com pipe cat >$PWD/got; env >$PWD/facts" \
            "deliver tls rcpt_to box@example.com pipe cat >$PWD/got; env >$PWD/facts" \
            "deliver tls rcpt_to large@example.com pipe sed 1,/^Subject:/d | sha256sum >$PWD/got" >$mode.conf
        for kind in $KINDS; do
            mkdir "$kind-$mode"
            start_server "$kind" "$PWD/$kind-$mode" "$MAILRECV" -c "$PWD/$mode.conf" 3>&-
            printf '%s\n' "$SERVER_PID" >>pids
            printf '%s\n' "$SERVER_PORT" >"$kind-$mode/port"
        done
    done
}

teardown_file() {
    local pid
    for pid in $(cat "$BATS_FILE_TMPDIR/pids"); do SERVER_PID=$pid stop_server; done
}

# A root, and a certificate of it for this host, so that clients can verify what they meet.
make_certificates() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca-key.pem -out ca.pem -days 30 \
        -subj '/CN=Example root' 2>openssl.out
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem \
        -subj /CN=localhost 2>openssl.out
    openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 30 -out cert.pem \
        -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1') 2>openssl.out
}

setup() {
    cd "$BATS_FILE_TMPDIR"
}

# Runs the command that follows for each server: KIND and MODE say which, PORT where.
everywhere() {
    for KIND in $KINDS; do
        for MODE in optional implicit; do
            PORT=$(cat "$KIND-$MODE/port")
            echo "$KIND, tls $MODE, port $PORT: $*"
            rm -f got facts log
            "$@"
        done
    done
}

# Chooses a word for STARTTLS or for implicit TLS.
by_mode() { # STARTTLS IMPLICIT
    if [ "$MODE" = optional ]; then echo "$1"; else echo "$2"; fi
}

# One for each super-server: both need not meet both.
mechanism() {
    if [ "$KIND" = xinetd ]; then echo PLAIN; else echo LOGIN; fi
}

# The message has arrived whole, over TLS, and from ann@example.com if it is ESMTPSA; the session has ended well.
arrived() { # ESMTPS|ESMTPSA [END]
    sed '/^From: /,$!d' got | cmp - message
    grep -qE "^	by mail.example.com \(mailrecv\) with $1 id " got
    grep -qx 'TLS_PROTOCOL=TLSv1.3' facts
    if [ "$1" = ESMTPSA ]; then
        grep -qx 'SASL_USERNAME=ann@example.com' facts
    else
        [ "$(grep -c '^SASL_USERNAME=.' facts)" = 0 ]
    fi
    wait_for log "end reason=${2:-quit} "
    grep -q 'TLS protocol=TLSv1.3 cipher=TLS_' log
    [ "$(grep -cE 'ERROR|failed|violation|killed' log)" = 0 ]
}

# ---- swaks -----------------------------------------------------------------------------------

by_swaks() { # RECIPIENT [OPTION...]
    swaks -4 --server 127.0.0.1 --port "$PORT" "$(by_mode --tls --tlsc)" --tls-verify --tls-ca-path "$PWD/ca.pem" \
        --ehlo swaks.example --from ann@example.com --to "$1" --data @message "${@:2}" >dialogue
    sed -i '$d' got # swaks ends its messages with an empty line of its own
}

swaks_without() { by_swaks box@example.com; arrived ESMTPS; }
swaks_plain() { by_swaks auth@example.com --auth plain -au ann@example.com -ap secret; arrived ESMTPSA; }
swaks_login() { by_swaks auth@example.com --auth login -au ann@example.com -ap secret; arrived ESMTPSA; }

@test "swaks --tls and --tlsc" { everywhere swaks_without; }
@test "swaks --tls and --tlsc, --auth plain" { everywhere swaks_plain; }
@test "swaks --tls and --tlsc, --auth login" { everywhere swaks_login; }

# ---- by hand ---------------------------------------------------------------------------------

# What a person types; with a word, that of PLAIN.
typed() { # RECIPIENT [RESPONSE]
    echo 'EHLO hand.example'
    [ -z "${2:-}" ] || echo "AUTH PLAIN $2"
    printf '%s\n' 'MAIL FROM:<ann@example.com>' "RCPT TO:<$1>" DATA
    sed 's/^\./../' message
    printf '%s\n' . QUIT
}

# \0ann@example.com\0secret
RESPONSE=AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=

by_s_client() {
    local starttls=()
    [ "$MODE" = implicit ] || starttls=(-starttls smtp -name s-client.example)
    typed "$@" | openssl s_client -connect "127.0.0.1:$PORT" "${starttls[@]}" -CAfile ca.pem -verify_return_error \
        -verify_ip 127.0.0.1 -quiet -crlf >dialogue 2>&1
    grep -q '^221 ' dialogue
}

# It ends with its input, whatever is still to come; of --crlf only the last line of many would hear.
by_gnutls() {
    local starttls=()
    [ "$MODE" = implicit ] || starttls=(--starttls-proto=smtp)
    rm -f dialogue
    { typed "$@" | sed 's/$/\r/' && wait_for dialogue '^221 '; } |
        gnutls-cli --x509cafile ca.pem "${starttls[@]}" -p "$PORT" localhost >dialogue
    grep -q '^- Status: The certificate is trusted' dialogue
}

s_client_without() { by_s_client box@example.com; arrived ESMTPS; }
s_client_auth() { by_s_client auth@example.com "$RESPONSE"; arrived ESMTPSA; }
gnutls_without() { by_gnutls box@example.com; arrived ESMTPS; }
gnutls_auth() { by_gnutls auth@example.com "$RESPONSE"; arrived ESMTPSA; }

@test "openssl s_client" { everywhere s_client_without; }
@test "openssl s_client, AUTH PLAIN" { everywhere s_client_auth; }
@test "gnutls-cli" { everywhere gnutls_without; }
@test "gnutls-cli, AUTH PLAIN" { everywhere gnutls_auth; }

# ---- curl, msmtp -----------------------------------------------------------------------------

by_curl() { # RECIPIENT [OPTION...]
    curl -sS --max-time 20 --cacert ca.pem --ssl-reqd "$(by_mode smtp smtps)://localhost:$PORT/curl.example" \
        --mail-from ann@example.com --mail-rcpt "$1" --crlf --upload-file message "${@:2}"
}

curl_without() { by_curl box@example.com; arrived ESMTPS; }
curl_user() { by_curl auth@example.com --user ann@example.com:secret; arrived ESMTPSA; }
curl_login() { by_curl auth@example.com --user ann@example.com:secret --login-options AUTH=LOGIN; arrived ESMTPSA; }

@test "curl --ssl-reqd and smtps" { everywhere curl_without; }
@test "curl --ssl-reqd and smtps, --user" { everywhere curl_user; }
@test "curl --ssl-reqd and smtps, --user by LOGIN" { everywhere curl_login; }

by_msmtp() { # RECIPIENT OPTION...
    msmtp --host=localhost --port="$PORT" --domain=msmtp.example --from=ann@example.com --timeout=20 --tls=on \
        --tls-starttls="$(by_mode on off)" --tls-trust-file="$PWD/ca.pem" "${@:2}" "$1" <message
}

msmtp_without() { by_msmtp box@example.com --auth=off; arrived ESMTPS; }
msmtp_auth() {
    by_msmtp auth@example.com --auth="$(mechanism | tr A-Z a-z)" --user=ann@example.com --passwordeval='echo secret'
    arrived ESMTPSA
}

@test "msmtp" { everywhere msmtp_without; }
@test "msmtp, auth plain and login" { everywhere msmtp_auth; }

# ---- libraries -------------------------------------------------------------------------------

by_smtplib() { # RECIPIENT [MECHANISM]
    python3 - "$PORT" "$MODE" "$@" <<'END'
import smtplib, ssl, sys
port, mode, recipient, *mechanisms = sys.argv[1:]
tls = ssl.create_default_context(cafile="ca.pem")
if mode == "implicit":
    s = smtplib.SMTP_SSL("localhost", int(port), "python.example", timeout=20, context=tls)
else:
    s = smtplib.SMTP("localhost", int(port), "python.example", 20)
    s.starttls(context=tls)
s.ehlo()
for mechanism in mechanisms:
    s.user, s.password = "ann@example.com", "secret"
    code, text = s.auth(mechanism, s.auth_plain if mechanism == "PLAIN" else s.auth_login)
    assert code == 235, (code, text)
s.sendmail("ann@example.com", [recipient], open("message", "rb").read().replace(b"\n", b"\r\n"))
s.quit()
END
}

smtplib_without() { by_smtplib box@example.com; arrived ESMTPS; }
smtplib_auth() {
    by_smtplib auth@example.com "$(mechanism)"
    arrived ESMTPSA
}

@test "Python's smtplib" { everywhere smtplib_without; }
@test "Python's smtplib, PLAIN and LOGIN" { everywhere smtplib_auth; }

# It hangs up without QUIT. Debian's nodejs looks in /usr/share/nodejs, others do not.
by_nodemailer() { # RECIPIENT [MECHANISM]
    NODE_PATH=/usr/share/nodejs node - "$PORT" "$MODE" "$@" <<'END'
const fs = require("fs"), nodemailer = require("nodemailer");
const [port, mode, recipient, mechanism] = process.argv.slice(2);
const login = mechanism ? { auth: { user: "ann@example.com", pass: "secret" }, authMethod: mechanism } : {};
nodemailer.createTransport({
    host: "localhost", port: Number(port), name: "node.example", secure: mode === "implicit", requireTLS: true,
    tls: { ca: fs.readFileSync("ca.pem") }, ...login,
}).sendMail({
    envelope: { from: "ann@example.com", to: recipient }, raw: fs.readFileSync("message"),
}).catch(error => { console.error(error); process.exitCode = 1; });
END
}

nodemailer_without() { by_nodemailer box@example.com; arrived ESMTPS eof; }
nodemailer_auth() {
    by_nodemailer auth@example.com "$(mechanism)"
    arrived ESMTPSA eof
}

@test "nodemailer" { everywhere nodemailer_without; }
@test "nodemailer, PLAIN and LOGIN" { everywhere nodemailer_auth; }

# ---- what a client must not put up with ------------------------------------------------------

@test "a client that verifies finds out that the name is another one" {
    PORT=$(cat xinetd-optional/port)
    run -60 --separate-stderr curl -sS --max-time 20 --cacert ca.pem --ssl-reqd \
        --connect-to "mx.example:$PORT:127.0.0.1:$PORT" "smtp://mx.example:$PORT/curl.example" \
        --mail-from a@example.com --mail-rcpt box@example.com -T message
}

# ---- a large message -------------------------------------------------------------------------

@test "100 MB arrive whole" {
    PORT=$(cat systemd-socket-activate-optional/port)
    # our headers stand above what is sent, and have the time in them: they are not looked at
    { printf 'Subject: large\n\n'; head -c 75000000 /dev/urandom | base64; } | sed 's/$/\r/' >large
    sed 1d large | tr -d '\r' | sha256sum >sum
    [ "$(stat -c %s large)" -gt 100000000 ]
    rm -f log got
    curl -sS --max-time 60 --cacert ca.pem --ssl-reqd "smtp://localhost:$PORT/curl.example" \
        --mail-from ann@example.com --mail-rcpt large@example.com --upload-file large
    wait_for log 'end reason=quit .*messages=1'
    cmp got sum
    rm large
}
