#!/usr/bin/env bats
# TLS and AUTH from end to end: STARTTLS, implicit TLS, passwords, certificates in rules, and what is logged

bats_require_minimum_version 1.5.0

load common
load serving

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 30 \
        -subj /CN=mail.example.com 2>openssl.out
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout client.key -out client.pem -days 30 \
        -subj /CN=client.example 2>openssl.out
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann@example.com >users
    chmod 600 users
}

setup() {
    cd "$BATS_TEST_TMPDIR"
}

teardown() {
    [ -z "${SERVER_PID:-}" ] || stop_server
}

# Serves a configuration with these lines before ours.
serve() {
    printf '%s\n' 'domain mail.example.com' "logfile $PWD/log" 'debug s' "tls.cert $BATS_FILE_TMPDIR/cert.pem" \
        "tls.key $BATS_FILE_TMPDIR/key.pem" "auth.users $BATS_FILE_TMPDIR/users" "$@" \
        "deliver auth rcpt_to private@example.com append $PWD/private" \
        "deliver tls rcpt_to secure@example.com append $PWD/secure" \
        "deliver allowgroup partner rcpt_to partner@example.com append $PWD/partner" \
        "deliver rcpt_to inbox@example.com append $PWD/inbox" \
        'allowgroup partner cert '"$(openssl x509 -in "$BATS_FILE_TMPDIR/client.pem" -noout -fingerprint -sha256 | cut -d= -f2)" >conf
    chmod 600 conf
    start_server systemd-socket-activate "$PWD" "$MAILRECV" -c "$PWD/conf"
}

# A session of smtplib: the lines of the script are its body; `s` is the connection, `tls` the context.
client() {
    python3 - "$SERVER_PORT" "$BATS_FILE_TMPDIR" 2>&1 <<END
import smtplib, ssl, sys, socket, base64
port, files = int(sys.argv[1]), sys.argv[2]
tls = ssl.create_default_context(cafile=files + '/cert.pem')
tls.check_hostname = False
def attempt(call, *arguments):
    try:
        return call(*arguments)
    except smtplib.SMTPResponseException as e:
        return e.smtp_code, e.smtp_error
$(cat)
END
}

@test "STARTTLS: everything is forgotten, the message arrives, and Received and log say how" {
    serve 'tls optional'
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.ehlo('first.example')
assert s.has_extn('starttls') and not s.has_extn('auth')
assert s.docmd('MAIL', 'FROM:<a@example.com>')[0] == 250
assert s.docmd('STARTTLS')[0] == 503
s.rset()
assert s.starttls(context=tls)[0] == 220
assert s.docmd('RCPT', 'TO:<inbox@example.com>')[0] == 503
s.ehlo('second.example')
assert not s.has_extn('starttls')
assert s.docmd('STARTTLS')[0] == 503
s.sendmail('a@example.com', ['secure@example.com'], 'Subject: x\r\n\r\n' + 'text\r\n' * 100000)
s.quit()
END
    [ "$(grep -c '^text$' secure)" = 100000 ]
    grep -q '^Received: from second.example ' secure
    grep -q 'with ESMTPS id ' secure
    grep -q '^	(TLSv1.3 TLS_[A-Z0-9_]*);$' secure
    wait_for log 'end reason=quit'
    grep -q '\[127.0.0.1\] TLS protocol=TLSv1.3 cipher=TLS_' log
}

# The kind of key that a client gets which only knows these, by STARTTLS.
kind() { # OPTION...
    printf 'QUIT\r\n' | openssl s_client -starttls smtp -connect "127.0.0.1:$SERVER_PORT" "$@" 2>&1 | sed -n 's/^Peer signature type: //p'
}

@test "two certificates: a client gets the kind that it can use, as root or not, with authorities or without" {
    openssl req -x509 -newkey rsa:2048 -nodes -keyout rsa-key.pem -out rsa-cert.pem -days 30 -subj /CN=mail.example.com 2>openssl.out
    local more
    for more in '' "tls.client_ca $BATS_FILE_TMPDIR/client.pem" 'sandbox off' 'user nobody' 'tls.min_version 1.2'; do
        serve 'tls optional' "tls.cert $PWD/rsa-cert.pem" "tls.key $PWD/rsa-key.pem" "${more:-debug s}"
        [ "$(kind -tls1_2 -cipher aRSA)" = RSA-PSS ]
        [ "$(kind -tls1_2 -cipher aECDSA)" = ECDSA ]
        [ "$(kind -tls1_3 -sigalgs ecdsa_secp256r1_sha256)" = ECDSA ]
        [ "$(kind -tls1_3 -sigalgs rsa_pss_rsae_sha256)" = RSA-PSS ]
        stop_server
    done
    SERVER_PID=
    # a second key that is missing is as bad as the first
    serve 'tls optional' "tls.cert $PWD/rsa-cert.pem" "tls.key $PWD/missing"
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.ehlo()
assert s.docmd('STARTTLS')[0] == 454
END
    wait_for log 'TLS failed reason="cannot open .*/missing: No such file or directory"'
}

@test "sandbox off: the same in one process" {
    serve 'tls optional' 'sandbox off' 'auth optional'
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.starttls(context=tls)
s.login('ann@example.com', 'secret')
s.sendmail('a@example.com', ['private@example.com'], 'Subject: x\r\n\r\ntext\r\n')
s.quit()
END
    grep -q 'with ESMTPSA id ' private
}

@test "who said before STARTTLS who he is has to say so again, and in HELO too" {
    serve 'tls optional' 'auth required' 'auth.insecure on' 'limit.helo_required on'
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.login('ann@example.com', 'secret')
assert s.starttls(context=tls)[0] == 220
assert s.docmd('AUTH', 'PLAIN AGFubgBzZWNyZXQ=')[0] == 503
assert s.docmd('MAIL', 'FROM:<a@example.com>')[0] == 503
s.ehlo('second.example')
assert s.has_extn('auth')
assert s.docmd('MAIL', 'FROM:<a@example.com>') == (530, b'5.7.0 Authentication is required')
s.login('ann@example.com', 'secret')
s.sendmail('a@example.com', ['private@example.com'], 'Subject: x\r\n\r\ntext\r\n')
s.quit()
END
    grep -q '^text$' private
}

@test "what is sent behind STARTTLS ends the session with 554" {
    serve 'tls optional'
    run -0 client <<'END'
s = socket.create_connection(('127.0.0.1', port))
f = s.makefile('rb')
f.readline()
s.sendall(b'EHLO a.example\r\n')
while f.readline()[3:4] == b'-': pass
s.sendall(b'STARTTLS\r\nMAIL FROM:<a@example.com>\r\n')
assert f.readline() == b'554 5.5.1 Nothing may follow STARTTLS\r\n'
assert f.readline() == b''
END
    wait_for log 'ERROR: 554 Nothing may follow STARTTLS stage=starttls'
}

@test "a key that is missing is 454, and the session goes on in clear" {
    serve 'tls optional'
    sed -i "s,^tls.key .*,tls.key $PWD/missing," conf
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.ehlo()
assert s.docmd('STARTTLS')[0] == 454
s.sendmail('a@example.com', ['inbox@example.com'], 'Subject: x\r\n\r\ntext\r\n')
s.quit()
END
    grep -q 'TLS failed reason="cannot open .*missing: No such file or directory"' log
    grep -q '^text$' inbox
}

@test "a handshake that fails is logged once, with its reason, before the end, and by no filter" {
    serve 'tls optional'
    run -0 client <<'END'
s = socket.create_connection(('127.0.0.1', port))
f = s.makefile('rb')
f.readline()
s.sendall(b'EHLO a.example\r\n')
while f.readline()[3:4] == b'-': pass
s.sendall(b'STARTTLS\r\n')
assert f.readline()[:3] == b'220'
s.sendall(b'this is no handshake\r\n')
while s.recv(4096): pass
END
    wait_for log 'end reason='
    monitor=$(sed -n 's/.*MAILRECV\[\([0-9]*\)\].* end reason=.*/\1/p' log)
    while [ -e "/proc/$monitor/exe" ]; do sleep 0.02; done # when it has ended all is logged
    grep -q '\[127.0.0.1\] TLS failed reason="handshake: ' log
    [ "$(grep -c 'TLS failed' log)" = 1 ]
    tail -n 1 log | grep -q ' end reason='
    [ "$(grep -c ERROR log)" = 0 ]
}

@test "tls required and auth required: 530 before MAIL" {
    serve 'tls required' 'auth required'
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.ehlo()
assert s.docmd('MAIL', 'FROM:<a@example.com>') == (530, b'5.7.0 Say STARTTLS first')
assert s.docmd('AUTH', 'PLAIN AGFubgBzZWNyZXQ=')[0] == 538
s.starttls(context=tls)
s.ehlo()
assert s.docmd('MAIL', 'FROM:<a@example.com>') == (530, b'5.7.0 Authentication is required')
s.login('ann@example.com', 'secret')
s.sendmail('a@example.com', ['inbox@example.com'], 'Subject: x\r\n\r\ntext\r\n')
s.quit()
END
    grep -q '^text$' inbox
}

@test "implicit: TLS from the first byte" {
    serve 'tls implicit' 'auth optional'
    run -0 client <<'END'
s = smtplib.SMTP_SSL('127.0.0.1', port, context=tls)
s.ehlo()
assert not s.has_extn('starttls')
s.user, s.password = 'ann@example.com', 'secret'
assert s.auth('LOGIN', s.auth_login, initial_response_ok=False)[0] == 235
s.sendmail('a@example.com', ['private@example.com'], 'Subject: x\r\n\r\ntext\r\n')
s.quit()
END
    grep -q '^text$' private
}

@test "AUTH: its answers, and no secret in the log at any debug level" {
    serve 'auth optional' 'auth.insecure on' 'debug a' 'limit.smtp_failcmds 100'
    run -0 client <<'END'
def plain(*parts): return base64.b64encode('\0'.join(parts).encode()).decode()
s = smtplib.SMTP('127.0.0.1', port)
good = plain('', 'ann@example.com', 'secret')
assert s.docmd('AUTH', 'PLAIN ' + good)[0] == 503
s.ehlo()
assert s.docmd('AUTH', 'PLAIN')[0] == 334
assert s.docmd('*') == (501, b'5.7.0 Authentication is cancelled')
assert s.docmd('AUTH', 'PLAIN c2Vjcm')[0] == 501
assert s.docmd('AUTH', 'CRAM-MD5')[0] == 504
assert s.docmd('AUTH', 'PLAIN ' + plain('bob', 'ann@example.com', 'secret')) == (535, b'5.7.8 You can act for nobody but yourself')
assert s.docmd('AUTH', 'PLAIN ' + plain('Bob Other', 'ann@example.com', 'secret'))[0] == 535
assert s.docmd('AUTH', 'PLAIN ' + plain('', 'ann@example.com', 'secret2')) == (535, b'5.7.8 Authentication failed')
assert s.docmd(base64.b64encode(b'secret').decode())[0] == 500
assert s.docmd('AUTH', 'PLAIN ' + plain('', 'x stage=limit', 'secret2'))[0] == 535
assert s.docmd('MAIL', 'FROM:<a@example.com> AUTH=<>')[0] == 250
assert s.docmd('AUTH', 'PLAIN ' + good)[0] == 503
s.rset()
assert s.docmd('AUTH', 'PLAIN ' + good)[0] == 235
assert s.docmd('AUTH', 'PLAIN ' + good)[0] == 503
s.quit()
END
    wait_for log 'end reason=quit'
    grep -q 'ERROR: 535 Authentication failed stage=auth user=ann@example.com ' log
    grep -q 'ERROR: 535 Authentication failed stage=auth user=x<0x20>stage=limit .*from="" line="AUTH PLAIN"$' log
    grep -q 'ERROR: 535 You can act for nobody but yourself stage=identity user=ann@example.com identity=bob .*from=' log
    grep -q 'stage=identity user=ann@example.com identity=Bob<0x20>Other .*from=' log
    grep -q 'authenticated user="ann@example.com"' log
    [ "$(grep -ciE 'secret|c2Vjc|zZWNyZX|Y3Jld|AGFub' log)" = 0 ]
}

@test "the own name once more, in any case, is no other identity; a right password for others is no guess" {
    serve 'auth optional' 'auth.insecure on' 'limit.auth_failures 1'
    run -0 client <<'END'
import base64
plain = lambda *parts: base64.b64encode('\0'.join(parts).encode()).decode()
s = smtplib.SMTP('127.0.0.1', port)
s.ehlo()
for _ in range(3):
    assert s.docmd('AUTH', 'PLAIN ' + plain('bob', 'ann@example.com', 'secret'))[0] == 535
assert s.docmd('AUTH', 'PLAIN ' + plain('Ann@Example.COM', 'ann@example.com', 'secret'))[0] == 235
s.quit()
END
    wait_for log 'end reason=quit'
    grep -q 'authenticated user="ann@example.com"' log
    run fail2ban-regex -o ip --usedns=no log "$TESTS/../fail2ban/filter.d/mailrecv-auth.conf"
    [ "$output" = '' ]
}

@test "a FIFO for certificate, key, authorities, users or senders is an error at once, in -t and in a session" {
    mkfifo fifo
    chmod 600 fifo
    serve 'tls optional' 'auth optional' 'auth.insecure on' "tls.cert $PWD/fifo" "tls.key $PWD/fifo" "tls.client_ca $PWD/fifo" \
        "auth.users $PWD/fifo" 'auth.sender_check on' "auth.senders $PWD/fifo"
    run -78 --separate-stderr timeout -s KILL 20 "$MAILRECV" -t -c conf
    # shellcheck disable=SC2154 # bats sets it
    [ "$(grep -c '/fifo is a FIFO or a device, expected a file' <<<"$stderr")" -ge 4 ]
    # the mode of a device is not what is to be changed
    run -78 --separate-stderr "$MAILRECV" -t -c <(sed 's|^tls.key .*|tls.key /dev/null|' conf)
    [[ $stderr != *chmod* ]]
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port, timeout=20)
s.ehlo()
assert s.docmd('STARTTLS')[0] == 454
assert s.docmd('AUTH', 'PLAIN AGJvYgB4')[0] == 454
s.quit()
END
    grep -q 'TLS failed reason="cannot open .*/fifo: ' log
    grep -q 'auth failed: cannot open .*/fifo: ' log
}

@test "more failed logins than limit.auth_failures: 421" {
    serve 'auth optional' 'auth.insecure on' 'limit.auth_failures 1'
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.ehlo()
assert s.docmd('AUTH', 'PLAIN AGJvYgB4')[0] == 535
assert s.docmd('AUTH', 'PLAIN AGJvYgB4') == (421, b'4.7.0 Too many failed logins')
END
}

@test "auth.sender_check: one's own address, those of auth.senders, and no other" {
    printf 'ann@example.com: list@example.com @lists.example.com\n' >senders
    serve 'auth required' 'auth.insecure on' 'auth.sender_check on' "auth.senders $PWD/senders"
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.login('ann@example.com', 'secret')
for sender, code in (('ann@example.com', 250), ('list@example.com', 250), ('x@lists.example.com', 250), ('', 250),
                     ('bob@example.com', 553)):
    assert s.docmd('MAIL', 'FROM:<%s>' % sender)[0] == code, sender
    s.rset()
s.quit()
END
}

@test "auth.sender_check: an address is the same however it is written" {
    printf 'ann@example.com: "li\\st"@B\303\234CHER.example. @m\303\274nchen.example @lists.example.com.\n' >senders
    serve 'auth required' 'auth.insecure on' 'auth.sender_check on' "auth.senders $PWD/senders"
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.login('ann@example.com', 'secret')
for sender, code in (('"an\\n"@Example.com.', 250), ('list@xn--bcher-kva.example', 250), ('LIST@bücher.example', 250),
                     ('x@XN--mnchen-3ya.example.', 250), ('x@MÜNCHEN.example', 250), ('"x y"@lists.example.com', 250),
                     ('list@bucher.example', 553), ('list@\u200bxn--bcher-kva.example', 553)):
    s.send(('MAIL FROM:<%s> SMTPUTF8\r\n' % sender).encode())
    assert s.getreply()[0] == code, sender
    s.rset()
s.quit()
END
}

@test "auth.command is asked by the checkpassword interface, with a clean environment" {
    printf '#!/bin/sh\ncat <&3 | tr "\\0" "|" >"%s/asked"\necho >>"%s/asked"\nenv >>"%s/asked"\nexit "$1"\n' "$PWD" "$PWD" "$PWD" >ask
    chmod 755 ask
    serve 'auth optional' 'auth.insecure on'
    sed -i "s,^auth.users.*,auth.command $PWD/ask 0," conf
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
assert s.login('bob', 'other')[0] == 235
END
    grep -q '^bob|other|[0-9]*|' asked
    [ "$(grep -c '^PATH=' asked)" = 1 ]
    [ "$(grep -cE '^[A-Z_]+=' <(grep -vE '^(PATH|PWD|_|SHLVL)=' asked))" = 0 ]
    sed -i 's,/ask 0,/ask 111,' conf
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.ehlo()
assert s.docmd('AUTH', 'PLAIN AGJvYgB4')[0] == 454
END
    wait_for log 'auth failed: the password program exited with status 111'
}

@test "a client's certificate makes it a member of a group" {
    serve 'tls optional' "tls.client_ca $BATS_FILE_TMPDIR/client.pem"
    run -0 client <<'END'
s = smtplib.SMTP('127.0.0.1', port)
s.starttls(context=tls)
s.ehlo()
s.docmd('MAIL', 'FROM:<a@example.com>')
assert s.docmd('RCPT', 'TO:<partner@example.com>')[0] == 550
s.quit()
tls.load_cert_chain(files + '/client.pem', files + '/client.key')
s = smtplib.SMTP('127.0.0.1', port)
s.starttls(context=tls)
s.sendmail('a@example.com', ['partner@example.com'], 'Subject: x\r\n\r\ntext\r\n')
s.quit()
END
    grep -q ', certificate of CN=client.example);$' partner
    grep -q 'subject="CN=client.example"' log
}
