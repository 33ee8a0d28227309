# slow/fronts.bats - nginx and Dovecot as proxies before us, who say by XCLIENT for whom they speak
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

setup() {
    begin_beside_peers
}

teardown() {
    stop_peers
    stop_server
}

# mailrecv with ./mailrecv.conf, at SERVER_PORT.
serve() { start_server alone "$PWD" "$MAILRECV" -c "$PWD/mailrecv.conf" -l "$PWD/log"; }

# Sends a message by port $1 from address $2 to the recipients behind it; prints what each hears, or the whole message.
send() { # PORT ADDRESS RECIPIENT...
    python3 - "$@" <<'END'
import smtplib, sys
with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), "client.example", 30, (sys.argv[2], 0)) as s:
    s.ehlo()
    if s.has_extn("auth"):
        s.login("ann", "secret")
    try:
        refused = s.sendmail("ann@example.com", sys.argv[3:], "Subject: from %s\r\n\r\ntext\r\n" % sys.argv[2])
        print(250, *[code for code, text in refused.values()])
    except smtplib.SMTPRecipientsRefused as e:
        print(*[code for code, text in e.recipients.values()])
    except smtplib.SMTPException as e:
        print(e.smtp_code)
END
}

@test "recipe: Behind nginx" {
    HTTP_PORT=$(free_port)
    NGINX_PORT=$(free_port)
    recipe 'Behind nginx' -e "s/127\.0\.0\.1:8025/127.0.0.1:$HTTP_PORT/; s/listen 25;/listen 127.0.0.1:$NGINX_PORT;/; /resolver/d"
    # two files have this name
    [ "$(tail -n 3 nginx.conf)" = $'[Socket]\nListenStream=\nListenStream=127.0.0.1:2525' ]
    sed -i '/^\[Socket\]/,$d' nginx.conf
    printf '%s\n' 'deny remotehost 127.0.0.66/32' 'allowgroup friends 127.0.0.7/32' \
        "deliver allowgroup friends rcpt_to friends@mail.example.com append $PWD/lib/friends" >>mailrecv.conf
    serve
    sed -i "s/2525/$SERVER_PORT/; 1i load_module modules/ngx_mail_module.so; daemon off; pid $PWD/pid; error_log $PWD/error.log; events { }" nginx.conf
    for place in client_body proxy fastcgi scgi uwsgi; do
        sed -i "s,^http {,&\n    ${place}_temp_path $PWD/$place;," nginx.conf
    done
    sed -i "s,^http {,&\n    access_log off;," nginx.conf
    start_peer nginx nginx,libnginx-mod-mail www-data nginx -c "$PWD/nginx.conf"
    await_port "$NGINX_PORT"
    [ "$(send "$NGINX_PORT" 127.0.0.7 report@mail.example.com)" = 250 ]
    wait_for lib/report '^Subject: from 127\.0\.0\.7$'
    grep -q '^Received: from client.example (unknown \[127\.0\.0\.7\])$' lib/report
    grep -q '\[127\.0\.0\.7\] client is remote host unknown \[127\.0\.0\.7\] via=127\.0\.0\.1$' log
    # rules see who it is, also where the host is not wanted
    [ "$(send "$NGINX_PORT" 127.0.0.7 friends@mail.example.com nobody@mail.example.com)" = '250 550' ]
    [ "$(send "$NGINX_PORT" 127.0.0.8 friends@mail.example.com)" = 550 ]
    [[ $(send "$NGINX_PORT" 127.0.0.66 report@mail.example.com) =~ ^(451|554)$ ]]
    grep -q '\[127\.0\.0\.66\] ERROR: 554 Connections from your host are not accepted stage=connect via=127\.0\.0\.1 ' log
    run ! grep -q '\[127\.0\.0\.1\] ERROR' log
    # without us its own answer is one for now
    stop_server
    [[ $(send "$NGINX_PORT" 127.0.0.7 report@mail.example.com) == 451 ]]
    # of a peer that is not named it is the other way round: nothing is delivered
    sed -i /^xclient/d mailrecv.conf
    serve
    sed -i "s/Auth-Port [0-9]*/Auth-Port $SERVER_PORT/" nginx.conf
    in_peer nginx nginx -c "$PWD/nginx.conf" -s reload
    until [[ $(send "$NGINX_PORT" 127.0.0.7 report@mail.example.com) == 451 ]] && grep -q 'stage=command' log; do sleep 0.1; done
    grep -q '\[127\.0\.0\.1\] ERROR: 550 Your host may not speak for others stage=command .* line="XCLIENT ADDR=127\.0\.0\.7 ' log
}

@test "Dovecot's submission relay: who has logged in there is the user here" {
    mkdir dovecot
    DOVECOT_PORT=$(free_port)
    cat >mailrecv.conf <<END
domain mail.example.com
xclient 127.0.0.1/32
allowgroup friends 127.0.0.7/32
deliver allowgroup friends auth ann rcpt_to report@mail.example.com append $PWD/report
END
    chmod 600 mailrecv.conf
    serve
    echo "ann:{PLAIN}secret:65534:65534::$PWD/dovecot/home" >dovecot/users
    cat >dovecot.conf <<END
base_dir = $PWD/dovecot/run
state_dir = $PWD/dovecot/state
log_path = $PWD/dovecot/log
protocols = submission
ssl = no
disable_plaintext_auth = no
hostname = front.example.com
first_valid_uid = 1
mail_location = maildir:~/Maildir
submission_relay_host = 127.0.0.1
submission_relay_port = $SERVER_PORT
submission_relay_trusted = yes
userdb {
  driver = passwd-file
  args = $PWD/dovecot/users
}
passdb {
  driver = passwd-file
  args = $PWD/dovecot/users
}
service submission-login {
  chroot =
  inet_listener submission {
    address = 127.0.0.1
    port = $DOVECOT_PORT
  }
}
END
    start_peer dovecot dovecot-submissiond dovecot,dovenull dovecot -F -c "$PWD/dovecot.conf"
    await_port "$DOVECOT_PORT"
    [ "$(send "$DOVECOT_PORT" 127.0.0.7 report@mail.example.com)" = 250 ]
    wait_for report '^Subject: from 127\.0\.0\.7$'
    grep -q '^Received: from client.example (unknown \[127\.0\.0\.7\])$' report
    grep -q 'with ESMTPA id' report
    grep -q '\[127\.0\.0\.7\] client is remote host unknown \[127\.0\.0\.7\] via=127\.0\.0\.1$' log
    [[ $(send "$DOVECOT_PORT" 127.0.0.8 report@mail.example.com) == 550 ]]
}
