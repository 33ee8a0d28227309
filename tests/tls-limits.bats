#!/usr/bin/env bats
# What TLS and AUTH do not let happen: old protocols, bad keys, stalls, half messages, secrets in the log

bats_require_minimum_version 1.5.0

load common
load serving

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    certificate cert ec -pkeyopt ec_paramgen_curve:P-256
    certificate rsa rsa:2048
    certificate ed ed25519
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@example.com >users
    chmod 600 users
}

# NAME.pem, signed by itself, and NAME-key.pem.
certificate() { # NAME ALGORITHM [OPTION...]
    openssl req -x509 -newkey "$2" "${@:3}" -nodes -keyout "$1-key.pem" -out "$1.pem" -days 30 \
        -subj /CN=mail.example.com 2>openssl.out
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    cp "$BATS_FILE_TMPDIR"/cert.pem .
    cp cert.pem trusted.pem
    cp "$BATS_FILE_TMPDIR"/cert-key.pem key.pem
    cp "$BATS_FILE_TMPDIR"/users .
}

teardown() {
    stop_server
    [ ! -e "$BATS_TEST_TMPDIR/place" ] || rm -r "$(cat "$BATS_TEST_TMPDIR/place")"
}

# Serves a configuration with these lines. It is read anew by each session.
serve() {
    configure "$@"
    stop_server
    start_server systemd-socket-activate "$PWD" "${BY[@]}" "$MAILRECV" -c "$PWD/conf"
}

configure() {
    local pair=("tls.cert $PWD/cert.pem" "tls.key $PWD/key.pem")
    [[ $* != *tls.cert* ]] || pair=("${pair[@]:1}")
    [[ $* != *tls.key* ]] || pair=()
    printf '%s\n' 'domain mail.example.com' "logfile $PWD/log" "${pair[@]}" \
        "auth.users $PWD/users" "$@" "deliver rcpt_to inbox@example.com append $PWD/inbox" >conf
    chmod 644 conf
}

# A client of Python: the lines of standard input, behind what they need.
client() {
    python3 - "$SERVER_PORT" 2>&1 <<END
import base64, os, re, select, signal, smtplib, socket, ssl, sys, time
port = int(sys.argv[1])
tls = ssl.create_default_context(cafile="trusted.pem")
tls.check_hostname = False
PATIENCE = 20

def b64(*parts):
    return base64.b64encode("\\0".join(parts).encode()).decode()

def log(pattern):
    """Waits for a line in the log."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        text = open("log").read() if os.path.exists("log") else ""
        if found := re.search(pattern, text, re.M):
            return found
        time.sleep(0.02)
    raise AssertionError("no line matches " + pattern + " in:\\n" + text)

def monitor():
    return int(log(r"MAILRECV.(\d+).: .*SMTP connection(?![^\0]*SMTP connection)")[1])

def children(pid, name):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        pids = file.read().split()
    return [int(pid) for pid in pids if open(f"/proc/{pid}/comm").read().strip() == name]

def helper():
    return children(monitor(), "mailrecv-tls")[0]

def connect():
    return socket.create_connection(("127.0.0.1", port), PATIENCE)

def say(s, line):
    """One line and its reply, which may have several."""
    if line is not None:
        s.sendall(line.encode() + b"\r\n")
    reply = b""
    while not re.search(rb"(?m)^\d{3} .*\r\n\Z", reply):
        more = s.recv(4096)
        if not more:
            break
        reply += more
    return reply.decode()

def until_starttls():
    """A connection that has heard 220 to STARTTLS."""
    s = connect()
    assert say(s, None)[:3] == "220"
    assert "STARTTLS" in say(s, "EHLO client.example")
    assert say(s, "STARTTLS")[:3] == "220"
    return s

def half_handshake(s):
    """Sends a ClientHello and reads the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = tls.wrap_bio(incoming, outgoing)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    s.sendall(outgoing.read())
    assert s.recv(1)

def secure():
    s = tls.wrap_socket(until_starttls(), suppress_ragged_eofs=False)
    return s

def is_over(s):
    """Nothing comes any more; how it ended does not matter."""
    try:
        while s.recv(4096):
            pass
    except (ConnectionResetError, ssl.SSLError):
        pass
    s.close()
$(cat)
END
}

# s_client over STARTTLS with these options, which says QUIT.
s_client() {
    printf 'QUIT\r\n' | timeout 20 openssl s_client -connect "127.0.0.1:$SERVER_PORT" -starttls smtp \
        -name client.example -ign_eof "$@" >seen 2>&1
}

accepts() { # OPTION...
    rm -f log
    s_client "$@" || { echo "refused: $*"; cat seen; return 1; }
    grep -q '^221 2.0.0 Goodbye' seen
    wait_for log 'end reason=quit '
}

refuses() { # REASON OPTION...
    rm -f log
    ! s_client "${@:2}" || { echo "not refused: ${*:2}"; cat seen; return 1; }
    wait_for log 'end reason='
    grep -q "\[127.0.0.1\] TLS failed reason=\"handshake: $1\"\$" log || { cat log; return 1; }
    keep_log
}

# For the last test.
keep_log() { cat log >>"$BATS_FILE_TMPDIR/logs"; }

# ---- protocols and ciphers -------------------------------------------------------------------

@test "TLS 1.2 and 1.3 are spoken, 1.0 and 1.1 are not, and SSL 3 is not understood" {
    serve 'tls optional'
    accepts -tls1_2
    accepts -tls1_3
    accepts -no_tls1_3
    refuses 'unsupported protocol' -tls1 -cipher ALL:@SECLEVEL=0
    grep -q 'alert protocol version' seen
    refuses 'unsupported protocol' -tls1_1 -cipher ALL:@SECLEVEL=0
    rm log
    client <<'END'
hello = b"\x03\x00" + bytes(32) + b"\0" + b"\0\x04\0\x2f\0\x0a" + b"\x01\0" # a ClientHello of SSL 3
s = until_starttls()
s.sendall(b"\x16\x03\x00" + (len(hello) + 4).to_bytes(2, "big") + b"\x01" + len(hello).to_bytes(3, "big") + hello)
assert s.recv(100)[0:1] in (b"\x15", b"")
is_over(s)
s = until_starttls()
s.sendall(b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37)) # one of SSL 2
is_over(s)
log(r"end reason=.*\n(.*\n)*.*end reason=")
END
    grep -q 'TLS failed reason="handshake: version too low"$' log
    grep -q 'TLS failed reason="handshake: unknown protocol"$' log
    keep_log
}

@test "tls.min_version 1.3: TLS 1.2 is refused" {
    serve 'tls optional' 'tls.min_version 1.3'
    accepts -tls1_3
    refuses 'unsupported protocol' -tls1_2
}

# All ciphers of TLS 1.2 that are accepted, best first: each is left out of the next offer.
accepted_ciphers() {
    local list=ALL:COMPLEMENTOFALL:COMPLEMENTOFDEFAULT:@SECLEVEL=0 name
    while s_client -tls1_2 -cipher "$list"; do
        name=$(sed -n 's/^ *Cipher *: //p' seen)
        echo "$name"
        list="!$name:$list"
    done
}

@test "ciphers: none is weak, and the server prefers those with forward secrecy" {
    serve 'tls optional'
    cp "$BATS_FILE_TMPDIR/rsa.pem" cert.pem
    cp "$BATS_FILE_TMPDIR/rsa-key.pem" key.pem
    accepted_ciphers >ciphers
    [ "$(wc -l <ciphers)" -ge 5 ]
    [ "$(grep -cE 'NULL|EXP|RC4|RC2|DES|IDEA|SEED|MD5|ADH|AECDH|anon|PSK|SRP|DSS' ciphers)" = 0 ]
    head -n 5 ciphers | sort | diff - <(printf '%s\n' ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-SHA256 \
        ECDHE-RSA-AES256-GCM-SHA384 ECDHE-RSA-AES256-SHA384 ECDHE-RSA-CHACHA20-POLY1305)
    wait_for log 'TLS failed reason="handshake: no shared cipher"$'
}

@test "security level 2: no SHA-1 signatures, no small groups" {
    serve 'tls optional'
    refuses 'no shared signature algorithms' -tls1_2 -sigalgs ECDSA+SHA1 -cipher ALL:@SECLEVEL=0
    refuses 'no shared cipher' -tls1_2 -groups secp192r1 -cipher ALL:@SECLEVEL=0
}

@test "tls.ciphers is honoured, and cannot lower the security level" {
    serve 'tls optional' 'tls.ciphers ECDHE-ECDSA-AES128-GCM-SHA256:NULL-SHA256:@SECLEVEL=0'
    accepted_ciphers | diff - <(echo ECDHE-ECDSA-AES128-GCM-SHA256)
    accepts -tls1_3
}

@test "nothing is compressed or resumed" {
    serve 'tls implicit'
    implicit() { timeout 20 openssl s_client -connect "127.0.0.1:$SERVER_PORT" "$@" >seen 2>&1; }
    local version
    for version in 1_2 1_3; do
        implicit -tls$version -reconnect </dev/null
        grep -q '^Compression: NONE$' seen
        [ "$(grep -c "^New, TLSv${version/_/.}, Cipher is " seen)" -ge 1 ]
        [ "$(grep -cE '^Reused|ession [Tt]icket' seen)" = 0 ]
    done
}

# ---- certificates and keys -------------------------------------------------------------------

@test "RSA, ECDSA and Ed25519, and a chain" {
    local key
    serve 'tls optional'
    for key in rsa cert ed; do
        cp "$BATS_FILE_TMPDIR/$key.pem" cert.pem
        cp "$BATS_FILE_TMPDIR/$key-key.pem" key.pem
        accepts -tls1_2 -CAfile cert.pem -verify_return_error
        accepts -tls1_3 -CAfile cert.pem -verify_return_error
    done
    openssl req -new -key "$BATS_FILE_TMPDIR/rsa-key.pem" -subj /CN=leaf.example.com -out request.pem
    openssl x509 -req -in request.pem -CA "$BATS_FILE_TMPDIR/cert.pem" -CAkey "$BATS_FILE_TMPDIR/cert-key.pem" \
        -CAcreateserial -out leaf.pem 2>openssl.out
    cat leaf.pem "$BATS_FILE_TMPDIR/cert.pem" >cert.pem
    cp "$BATS_FILE_TMPDIR/rsa-key.pem" key.pem
    accepts -showcerts -CAfile "$BATS_FILE_TMPDIR/cert.pem" -verify_return_error
    [ "$(grep -c '^-----BEGIN CERTIFICATE' seen)" = 2 ]
}

@test "a renewed certificate is served to the next session, and the session that is open goes on" {
    certificate new ec -pkeyopt ec_paramgen_curve:P-256
    cp cert.pem old.pem
    serve 'tls optional'
    accepts -CAfile old.pem -verify_return_error
    client <<'END'
s = secure()
os.rename("new.pem", "cert.pem") # as certbot and others do
os.rename("new-key.pem", "key.pem")
assert say(s, "EHLO client.example")[:3] == "250"
assert say(s, "QUIT")[:3] == "221"
END
    accepts -CAfile cert.pem -verify_return_error
    rm log
    run -1 s_client -CAfile old.pem -verify_return_error
    wait_for log 'end reason='
    grep -q 'TLS failed reason="handshake: tlsv1 alert unknown ca"$' log
    keep_log
}

# The reply to what was said last, on descriptor 5, begins so.
hears() { # BEGINNING
    local line
    while read -r -t 20 -u 5 line && [[ $line != [0-9][0-9][0-9]' '* ]]; do :; done
    [[ $line == "$1"* ]] || { echo "expected $1, heard $line"; return 1; }
}

type_line() { # LINE BEGINNING-OF-REPLY
    printf '%s\r\n' "$1" >&5
    hears "$2"
}

# STARTTLS twice: 454 each time, the reason in the log, and mail in clear.
is_454() { # REASON
    [ ! -s log ] || : >log
    [ ! -s inbox ] || : >inbox
    exec 5<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    hears '220 '
    type_line 'EHLO client.example' '250 '
    type_line STARTTLS '454 4.7.0 TLS is not available now'
    type_line STARTTLS '454 4.7.0 TLS is not available now'
    type_line 'MAIL FROM:<a@example.com>' '250 '
    type_line 'RCPT TO:<inbox@example.com>' '250 '
    type_line DATA '354 '
    type_line $'Subject: x\r\n\r\ntext\r\n.' '250 '
    type_line QUIT '221 '
    exec 5<&- 5>&-
    wait_for log 'end reason=quit'
    [ "$(grep -cE "\[127\.0\.0\.1\] TLS failed reason=\"$1\"\$" log)" = 2 ] || { cat log; return 1; }
    grep -q '^text$' inbox
    [ "$(grep -c violation log)" = 0 ]
    keep_log
}

@test "keys and certificates that are no good: 454 each time, the reason in the log, and mail in clear" {
    serve 'tls optional'
    cp "$BATS_FILE_TMPDIR/rsa-key.pem" key.pem
    is_454 'key: does not belong to the certificate'
    openssl pkcs8 -topk8 -in "$BATS_FILE_TMPDIR/cert-key.pem" -passout pass:secret -out key.pem
    is_454 'key: is encrypted, and nobody is there to be asked for the passphrase'
    echo text >key.pem
    is_454 'key: is no private key in PEM'
    rm key.pem
    is_454 'cannot open .*/key.pem: No such file or directory'
    cp "$BATS_FILE_TMPDIR/cert-key.pem" key.pem
    echo text >cert.pem
    is_454 'certificate: holds no certificate in PEM'
    openssl req -x509 -newkey rsa:1024 -nodes -keyout key.pem -out cert.pem -subj /CN=weak.example 2>openssl.out
    is_454 'certificate: ee key too small'
    configure 'tls optional' 'tls.ciphers NONSENSE'
    is_454 'ciphers: no cipher match'
    configure 'tls optional' "tls.cert $PWD"
    is_454 "cannot open $PWD: Is a directory"
}

@test "a key that is mended between two attempts of a session" {
    serve 'tls optional'
    mv key.pem good.pem
    client <<'END'
s = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
s.ehlo()
assert s.docmd("STARTTLS")[0] == 454
os.rename("good.pem", "key.pem")
s.starttls(context=tls)
s.sendmail("a@example.com", ["inbox@example.com"], "Subject: x\r\n\r\ntext\r\n")
s.quit()
END
    grep -q 'with ESMTPS id' inbox
}

@test "an expired certificate is served, for the client to judge" {
    openssl req -new -key key.pem -subj /CN=mail.example.com -out request.pem
    openssl x509 -req -in request.pem -signkey key.pem -days -1 -out cert.pem 2>openssl.out || {
        # newer versions want the end of the validity otherwise
        openssl x509 -req -in request.pem -signkey key.pem -not_before 20200101000000Z \
            -not_after 20210101000000Z -out cert.pem
    }
    serve 'tls optional'
    accepts
    grep -q 'Verify return code: 10 (certificate has expired)' seen
}

@test "a key that the user of the service may not read: 454" {
    # strace answers, for root may read everything; root goes from directory to directory, others at once
    BY=("$(command -v strace)" -f -qq -o trace -P key.pem -P "$PWD/key.pem" -e inject=openat:error=EACCES)
    serve 'tls optional'
    is_454 'cannot open .*/key.pem: Permission denied'
}

@test "root: key and users file that only root may read, when mailrecv becomes another user" {
    local place call
    place=$(mktemp -d /var/tmp/mailrecv-test.XXXXXX) # that nobody can reach
    echo "$place" >place
    chmod 711 "$place"
    cp trusted.pem "$place"
    cd "$place"
    mkdir -m 700 private
    cp "$BATS_TEST_TMPDIR"/{cert,key}.pem "$BATS_TEST_TMPDIR"/users private
    if [ "$(id -u)" -ne 0 ]; then # strace answers for a kernel that sees root: what is opened before the change of user
        BY=("$(command -v strace)" -f -qq -o "$place/trace" -e 'trace=openat,setuid')
        for call in geteuid setgroups setgid setuid; do BY+=(-e "inject=$call:retval=0"); done
    else
        chown -R nobody "$place"
        chown -R root private trusted.pem
    fi
    serve 'tls optional' 'auth optional' 'user nobody' "tls.cert $PWD/private/cert.pem" "tls.key $PWD/private/key.pem" \
        "auth.users $PWD/private/users"
    client <<'END'
s = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
s.starttls(context=tls)
s.ehlo()
assert s.docmd("AUTH", "PLAIN " + b64("", "ann@example.com", "wrong"))[0] == 535
assert s.docmd("AUTH", "PLAIN " + b64("", "ann@example.com", "secret"))[0] == 235
s.sendmail("a@example.com", ["inbox@example.com"], "Subject: x\r\n\r\ntext\r\n")
s.quit()
END
    grep -q 'with ESMTPSA id' inbox
    if [ "$(id -u)" -eq 0 ]; then
        # what is wrong is found at each attempt, though nobody may open them again
        cp "$BATS_FILE_TMPDIR/rsa-key.pem" private/key.pem
        : >log
        is_454 'key: does not belong to the certificate'
        return
    fi
    [ "$(sed '/setuid(/,$d' trace | grep -cE 'private/(cert.pem|key.pem|users)')" = 3 ]
    [ "$(sed '1,/setuid(/d' trace | grep -c '/private/')" = 0 ]
}

# ---- stalls, ends and deaths -----------------------------------------------------------------

@test "a client that stops before, in and behind the handshake meets limit.command_secs" {
    serve 'tls optional' 'limit.command_secs 1'
    client <<'END'
s = until_starttls()
is_over(s)
log("end reason=idle")
os.unlink("log")
s = until_starttls()
half_handshake(s)
is_over(s)
log("end reason=idle")
os.unlink("log")
s = secure()
assert say(s, None)[:4] == "421 "
assert s.recv(1) == b""  # a close_notify
log("end reason=idle")
END
}

@test "a client that dribbles its handshake meets it, too" {
    serve 'tls implicit' 'limit.command_secs 1'
    client <<'END'
s = connect()
begin = time.monotonic()
try:
    for byte in b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03" + bytes(200):
        s.sendall(bytes([byte]))
        if select.select([s], [], [], 0.1)[0]:
            break
except OSError:
    pass
is_over(s)
assert time.monotonic() - begin < 10
log("end reason=idle")
END
}

@test "half a message is no message: without close_notify, and with one" {
    serve 'tls optional'
    client <<'END'
for ending in "tcp", "close_notify", "reset":
    s = secure()
    for line in "EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<inbox@example.com>", "DATA":
        assert say(s, line)[0] in "23", line
    s.sendall(b"Subject: half\r\n\r\nhalf\r\n")
    if ending == "close_notify":
        s.unwrap()
    elif ending == "reset":
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    else:
        s.shutdown(socket.SHUT_WR)
    s.close()
    log("end reason=(eof|broken) .*messages=0 .*data=1")
    os.unlink("log")
# a message that was whole, and an end without QUIT and close_notify
s = secure()
for line in "EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<inbox@example.com>", "DATA", "whole\r\n.":
    assert say(s, line)[0] in "23", line
s.close()
log("end reason=(eof|broken) .*messages=1 ")
END
    [ "$(grep -c '^half$' inbox)" = 0 ]
    [ "$(grep -c '^whole$' inbox)" = 1 ]
}

@test "what a client says in clear behind the 220 is a handshake that fails, and no command" {
    serve 'tls optional'
    client <<'END'
s = until_starttls()
s.sendall(b"EHLO client.example\r\nMAIL FROM:<a@example.com>\r\n")
is_over(s)
log("end reason=eof .* ehlo=1 starttls=1$")
log("TLS failed reason=.handshake: wrong version number.$")
END
    keep_log
}

@test "mailrecv-tls is killed in every phase: session and connection end, and nothing half is delivered" {
    local slowly='until [ -e go ]; do sleep 0.02; done; cat >>slow'
    serve 'tls optional' "deliver rcpt_to slow@example.com pipe cd $PWD; touch begun; $slowly"
    client <<'END'
def envelope(s, recipient="inbox@example.com"):
    for line in "EHLO client.example", "MAIL FROM:<a@example.com>", "RCPT TO:<%s>" % recipient:
        assert say(s, line)[0] == "2", line
def ready(): return until_starttls()
def handshake():
    s = until_starttls()
    half_handshake(s)
    return s
def transaction():
    s = secure()
    envelope(s)
    return s
def message():
    s = transaction()
    assert say(s, "DATA")[:3] == "354"
    s.sendall(b"Subject: half\r\n\r\nhalf\r\n" * 5000)
    return s
for phase in ready, handshake, secure, transaction, message:
    s = phase()
    victim, pid = helper(), monitor()
    os.kill(victim, signal.SIGKILL)
    is_over(s)
    log("end reason=(eof|broken) ")
    log(r"TLS failed reason=.mailrecv-tls (has died|was killed by signal 9).$")
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.02)
    assert not os.path.exists("inbox"), phase
    os.unlink("log")
# while the message is being delivered, which is whole: the client hears nothing, and its copy is there
s = secure()
envelope(s, "slow@example.com")
assert say(s, "DATA")[:3] == "354"
s.sendall(b"Subject: whole\r\n\r\nwhole\r\n.\r\n")
while not os.path.exists("begun"):
    time.sleep(0.02)
os.kill(helper(), signal.SIGKILL)
is_over(s)
open("go", "w").close()
log("end reason=(eof|broken) .*messages=1 ")
assert open("slow").read().endswith("\n\nwhole\n")
END
    [ "$(grep -c violation log)" = 0 ]
}

@test "a service that is stopped says so through TLS, though mailrecv-tls gets the signal as well" {
    serve 'tls implicit'
    client <<'END'
s = tls.wrap_socket(connect(), suppress_ragged_eofs=False)
assert say(s, None)[:3] == "220"
assert say(s, "EHLO client.example")[:3] == "250"
pid = monitor()
for victim in helper(), *children(pid, "mailrecv"), pid: # as systemd does
    os.kill(victim, signal.SIGTERM)
assert say(s, None)[:9] == "421 4.3.2"
assert s.recv(1) == b"" # a close_notify
log("end reason=terminated ")
END
}

# A program in the place of mailrecv-tls.
put_helper() {
    printf '#!/usr/bin/env python3\nimport os, signal, socket, time\n' >helper
    printf 'channel = socket.socket(fileno=3)\n%s\n' "$1" >>helper
    chmod 755 helper
}

@test "a mailrecv-tls that fails, dies, hangs, talks nonsense or is none: 454, and the reason" {
    serve 'tls optional' 'limit.command_secs 1' "tls.helper $PWD/helper"
    put_helper 'channel.send(b"failed key: [198.51.100.9] \"is\" broken\n")'
    is_454 'key: <0x5b>198.51.100.9<0x5d> <0x22>is<0x22> broken<0x0a>'
    put_helper ''
    is_454 'mailrecv-tls has died'
    put_helper 'os.kill(os.getpid(), signal.SIGKILL)'
    is_454 'mailrecv-tls has died'
    put_helper 'channel.send(b"ready or not")'
    is_454 'mailrecv-tls has died'
    put_helper 'channel.send(b"secure\nprotocol=TLSv1.3")'
    is_454 'mailrecv-tls has died'
    put_helper 'time.sleep(60)'
    is_454 'it is not ready in time'
    chmod 644 helper
    is_454 'cannot start mailrecv-tls: Permission denied'
    rm helper
    is_454 'cannot start mailrecv-tls: No such file or directory'
}

# The real one under strace, which lets the calls fail that follow.
put_failing() { # CALL ERROR [WHEN]
    printf '#!/bin/sh\nexec strace -qq -o trace -e inject=%s:error=%s%s %s "$@"\n' \
        "$1" "$2" "${3:+:when=$3}" "${MAILRECV%/*}/mailrecv-tls" >helper
    chmod 755 helper
}

@test "a mailrecv-tls that cannot confine itself serves nobody: 454" {
    local call
    serve 'tls optional' "tls.helper $PWD/helper"
    for call in 'prctl EPERM 2' 'close_range EINVAL 1'; do
        # shellcheck disable=SC2086 # words
        put_failing $call
        is_454 'start: (Operation not permitted|Invalid argument)'
    done
    for call in 'prctl EPERM 4' 'capset EPERM' 'landlock_restrict_self EPERM' 'seccomp EPERM 2'; do
        # shellcheck disable=SC2086 # words
        put_failing $call
        is_454 'sandbox: Operation not permitted'
    done
}

@test "no filter of fail2ban finds anybody in the logs of the handshakes above" {
    local filter logs=$BATS_FILE_TMPDIR/logs
    [ "$(grep -c 'TLS failed reason="handshake: ' "$logs")" -ge 8 ]
    [ "$(grep -c 'ERROR: 454 TLS is not available' "$logs")" -ge 30 ]
    for filter in mailrecv mailrecv-auth; do
        [ "$(fail2ban-regex -o ip --usedns=no "$logs" "$TESTS/../fail2ban/filter.d/$filter.conf")" = '' ]
    done
}

# ---- AUTH ------------------------------------------------------------------------------------

@test "AUTH: each reply, with its enhanced code" {
    serve 'tls optional' 'auth optional' 'limit.smtp_failcmds 100' 'limit.smtp_commands 100'
    client <<'END'
def expect(reply, *lines):
    for line in lines[:-1]:
        assert say(s, line)[:3] == "334", line
    got = say(s, lines[-1])
    assert got.startswith(reply + " "), (lines, got)
s = connect()
say(s, None)
expect("503 5.5.1", "AUTH PLAIN")
expect("250", "HELO client.example")
expect("538 5.7.11", "AUTH PLAIN " + b64("", "ann@example.com", "secret"))
assert "AUTH" not in say(s, "EHLO client.example")
expect("220", "STARTTLS")
s = tls.wrap_socket(s)
expect("503 5.5.1", "AUTH PLAIN " + b64("", "ann@example.com", "secret"))
assert "AUTH PLAIN LOGIN\r\n" in say(s, "EHLO client.example")
expect("501 5.5.4", "AUTH")
expect("504 5.5.4", "AUTH CRAM-MD5")
expect("504 5.5.4", "AUTH XOAUTH2 " + b64("x"))
assert say(s, "AUTH PLAIN") == "334 \r\n"
expect("501 5.7.0", "*")
assert say(s, "auth login") == "334 VXNlcm5hbWU6\r\n"
assert say(s, b64("ann@example.com")) == "334 UGFzc3dvcmQ6\r\n"
expect("501 5.7.0", "*")
expect("501 5.5.2", "AUTH PLAIN =")
expect("501 5.5.2", "AUTH LOGIN =")
expect("501 5.5.2", "AUTH PLAIN", "=")
expect("501 5.5.2", "AUTH PLAIN", "")
expect("501 5.5.2", "AUTH LOGIN", b64("ann@example.com"), "")
expect("501 5.5.2", "AUTH PLAIN c2Vjcm")
expect("501 5.5.2", "AUTH PLAIN", "QUIT!")
expect("501 5.5.2", "AUTH PLAIN " + b64("ann@example.com", "secret"))
expect("501 5.5.2", "AUTH PLAIN " + b64("", "ann@example.com", ""))
expect("501 5.5.2", "AUTH PLAIN x y")
expect("500 5.5.6", "AUTH PLAIN " + b64("", "a" * 256, "secret"))
expect("500 5.5.2", "AUTH PLAIN", "A" * 12000)
expect("250 2.0.0", "NOOP")
begin = time.monotonic()
expect("535 5.7.8", "AUTH PLAIN " + b64("", "ann@example.com", "wrong"))
assert time.monotonic() - begin >= 0.99
expect("535 5.7.8", "AUTH LOGIN", b64("nobody@example.com"), b64("secret"))
assert time.monotonic() - begin >= 2.98 # one second, then two
expect("535 5.7.8", "AUTH PLAIN " + b64("bob@example.com", "ann@example.com", "secret"))
expect("250 2.1.0", "MAIL FROM:<a@example.com>")
expect("503 5.5.1", "AUTH PLAIN " + b64("", "ann@example.com", "secret"))
expect("250 2.0.0", "RSET")
expect("235 2.7.0", "AUTH PLAIN", b64("ann@example.com", "ann@example.com", "secret"))
expect("503 5.5.1", "AUTH LOGIN")
assert "AUTH" not in say(s, "EHLO client.example")
for value, code in (("<>", 250), ("ann@example.com", 250), ("e+3Dmc2@example.com", 250), ("a+2Bb", 250), ("a=b", 501),
                    ("a+2", 501), ("a+2b", 501), ("a+zz", 501), ("", 501)):
    assert say(s, "MAIL FROM:<a@example.com> AUTH=" + value)[:3] == str(code), value
    say(s, "RSET")
expect("501 5.5.4", "MAIL FROM:<a@example.com> AUTH")
expect("501 5.5.4", "MAIL FROM:<a@example.com> AUTH=<> AUTH=<>")
expect("221", "QUIT")
# STARTTLS takes everything back, and AUTH= is unknown where there is no AUTH
END
    configure 'tls optional' 'auth optional' 'auth.insecure on'
    client <<'END'
s = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
s.login("ann@example.com", "secret")
s.starttls(context=tls)
s.ehlo()
assert s.has_extn("auth")
assert s.login("ann@example.com", "secret")[0] == 235
END
    configure 'tls optional'
    client <<'END'
s = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
s.ehlo()
assert s.docmd("MAIL", "FROM:<a@example.com> AUTH=<>")[0] == 555
assert s.docmd("AUTH", "PLAIN")[0] == 500
END
}

@test "no spelling of AUTH brings a secret into the log, at any debug level, right or wrong" {
    printf 'Xyzzy-7Plugh\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@example.com >users
    serve 'tls optional' 'auth optional' 'auth.insecure on' 'debug a' 'limit.smtp_unknowncmd 1000' \
        'limit.smtp_failcmds 1000' 'limit.smtp_commands 1000'
    client <<'END'
WORD = "Xyzzy-7Plugh"
good, name, word = b64("", "ann@example.com", WORD), b64("ann@example.com"), b64(WORD)
odd = [" AUTH PLAIN " + good, good, "AUTH=PLAIN " + good, good, "AUTHPLAIN " + good, "AUTH CRAM-MD5 " + good, word,
       "AUTH PLAIN " + good + " x", "AUTH PLAIN " + good[:-1], "AUTH PLAIN\xe4 " + good, good, "AUTH PLAIN", good[:-1],
       "AUTH PLAIN", word, "AUTH LOGIN", name, word[:-1], "auth login " + name, word[:-1], word]
wrong = ["AUTH\tPLAIN\t" + b64("", "bob@example.com", WORD)]
right = ["AUTH LOGIN", name, word]
def session(s, *parts):
    say(s, None)
    for line in sum(parts, []):
        reply = say(s, line)
        assert reply[:3] not in ("421", ""), line
    assert say(s, "QUIT")[:3] == "221"
    s.close()
    return reply
hello, mail = ["EHLO client.example"], ["MAIL FROM:<a@example.com>"]
session(connect(), odd, wrong, right)  # before EHLO
session(connect(), hello, mail, odd, wrong, right)
assert session(connect(), hello, odd, wrong, odd, right)[:3] == "235"
session(connect(), hello, right, odd, right)
# and all the lines at once
s = connect()
s.sendall("\r\n".join([*hello, *odd, *wrong, *right, "QUIT", ""]).encode("latin-1"))
is_over(s)
text = open("log").read()
assert text.count("DEBUG s: client:") > 100
assert text.count("authenticated user=") == 3
# however it stands in a group of three bytes
for padding in "", "x", "xx":
    part = base64.b64encode((padding + WORD).encode()).decode()[4:12]
    assert part.lower() not in text.lower(), part
assert WORD.lower() not in text.lower()
END
}

@test "... nor does what is misspelt, glued together, in clear or of another protocol, behind the wall and without" {
    printf 'Xyzzy-7Plugh\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@example.com >users
    for auth in 'auth optional' 'auth off'; do
        for sandbox in on off; do
            serve 'tls optional' "$auth" 'auth.insecure on' 'debug a' 'limit.smtp_unknowncmd 1000' \
                'limit.smtp_failcmds 1000' 'limit.smtp_commands 1000' "sandbox $sandbox"
            client <<'END'
WORD = "Xyzzy-7Plugh"
good, word = b64("", "ann@example.com", WORD), b64(WORD)
lines = ["AUTH " + good, "AUTH PLAIN=" + good, "AUTH =" + good, "auth\t" + good, "\t AUTH " + good, "AUTH:PLAIN " + good,
         "AUTH ann@example.com " + WORD, "AUTH PLIAN " + good, "AUTH LOGIN= " + word, "AUTH LOGIN ann " + WORD, "AUHT PLAIN " + good,
         "AUT " + good, "ATUH " + good, ">AUTH PLAIN " + good, "PLAIN " + good, "XAUTH PLAIN " + good, "a1 LOGIN ann " + WORD,
         "USER ann", "PASS " + WORD, "a2 AUTHENTICATE PLAIN " + good, "Authorization: Basic " + good, "Authenticate " + WORD,
         "HELP AUTH " + good, "NOOP AUTH PLAIN " + good, "AUTH NTLM " + good, "help " + WORD, "noop " + WORD, WORD, "vrfy " + WORD]
for hello in [[], ["EHLO client.example"], ["EHLO client.example", "MAIL FROM:<a@example.com>"]]:
    s = connect()
    say(s, None)
    for line in hello + lines:
        reply = say(s, line)
        while reply[:3] == "334": # what an honest client would not say
            reply = say(s, "*")
        assert reply[:3] not in ("421", ""), line
    say(s, "MAIL FROM")
    assert say(s, "QUIT")[:3] == "221"
    s.close()
END
            wait_for log 'end reason=quit .*ehlo=1 mail='
            grep -q 'line="AUTH NTLM"' log
            grep -q 'line="MAIL FROM"' log # what is no secret is shown
            run -1 grep -i -e 'yzzy' -e 'plugh' log
            for padding in '' x xx; do
                part=$(printf '%sXyzzy-7Plugh' "$padding" | base64 | cut -c 5-12)
                run -1 grep -i -F -e "$part" log
            done
            rm log
        done
    done
}

@test "a password program that says the password is not repeated in the log" {
    cat >tells <<'END'
#!/bin/sh
tr '\0' '\n' <&3
exit 1
END
    chmod +x tells
    serve 'auth optional' 'auth.insecure on' "auth.command $PWD/tells"
    client <<'END'
s = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
s.ehlo()
try:
    s.login("ann@example.com", "Xyzzy-7Plugh", initial_response_ok=True)
except smtplib.SMTPAuthenticationError:
    pass
END
    wait_for log 'auth output text="\(hidden\)"'
    grep -q 'auth output text="ann@example.com"' log
    run -1 grep yzzy log
    # the pieces of one with a line end are not, either
    client <<'END'
s = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
s.ehlo()
try:
    s.login("bob@example.com", "Xyzzy\n7Plugh", initial_response_ok=True)
except smtplib.SMTPAuthenticationError:
    pass
END
    wait_for log '535 .*user=bob@example.com.*line="\(hidden\)"'
    run -1 grep -e yzzy -e Plugh log
}
