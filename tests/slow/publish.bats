# slow/publish.bats - mailrecv-publish and real brokers, RabbitMQ and NATS with JetStream; and their recipes
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../rabbit
load ../recipes

PUBLISH=${MAILRECV%/*}/mailrecv-publish
AS=()

# A certificate of its own authority for a name.
certificate() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \
        -keyout "$1.key" -out "$1.pem" 2>openssl.out
    chmod 644 "$1.key"
}

# What RabbitMQ knows when it has started: users, of whom one may write nothing, and queues, of which one is full with one message.
definitions() {
    cat <<'END'
{ "users": [ { "name": "mailrecv", "password": "secret", "tags": "administrator" }, { "name": "reader", "password": "secret", "tags": "" } ],
  "vhosts": [ { "name": "/" }, { "name": "a/b" } ],
  "permissions": [ { "user": "mailrecv", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" },
    { "user": "mailrecv", "vhost": "a/b", "configure": ".*", "write": ".*", "read": ".*" },
    { "user": "reader", "vhost": "/", "configure": "", "write": "", "read": ".*" } ],
  "queues": [ { "name": "in", "vhost": "/", "durable": true, "auto_delete": false, "arguments": {} },
    { "name": "in", "vhost": "a/b", "durable": true, "auto_delete": false, "arguments": {} },
    { "name": "one", "vhost": "/", "durable": true, "auto_delete": false, "arguments": { "x-max-length": 1, "x-overflow": "reject-publish" } },
    { "name": "three", "vhost": "/", "durable": true, "auto_delete": false, "arguments": { "x-queue-type": "quorum" } } ],
  "exchanges": [ { "name": "mail", "vhost": "/", "type": "topic", "durable": true, "auto_delete": false, "internal": false, "arguments": {} } ],
  "bindings": [ { "source": "mail", "vhost": "/", "destination": "in", "destination_type": "queue", "routing_key": "in.#", "arguments": {} } ] }
END
}

# A NATS with a stream that takes three messages of 100000 bytes at most.
start_nats() {
    NATS_PORT=$(free_port) NATS_TLS_PORT=$(free_port)
    export NATS_PORT NATS_TLS_PORT
    cat >users.conf <<'END'
max_payload: 300000
authorization { users = [
    { user: mailrecv, password: secret, permissions: { publish: { deny: ["mail.forbidden"] } } }
    { user: deaf, password: secret, permissions: { subscribe: { deny: [">"] } } } ] }
END
    printf 'listen: "127.0.0.1:%s"\njetstream { store_dir: "%s" }\ninclude users.conf\n' "$NATS_PORT" "$PWD/jetstream" >nats.conf
    printf 'listen: "127.0.0.1:%s"\njetstream { store_dir: "%s" }\ntls { cert_file: "%s", key_file: "%s" }\ninclude users.conf\n' \
        "$NATS_TLS_PORT" "$PWD/jetstream.tls" "$PWD/localhost.pem" "$PWD/localhost.key" >nats-tls.conf
    timeout 600 nats-server -c nats.conf >nats.out 2>&1 3>&- </dev/null &
    echo $! >nats.pid
    timeout 600 nats-server -c nats-tls.conf >nats-tls.out 2>&1 3>&- </dev/null &
    echo $! >nats-tls.pid
    wait_for nats.out 'Server is ready' 30
    wait_for nats-tls.out 'Server is ready' 30
    js STREAM.CREATE.MAIL '{ "name": "MAIL", "subjects": ["mail.>"], "storage": "file", "retention": "limits", "discard": "new",
        "max_msgs": 3, "max_msg_size": 100000, "num_replicas": 1, "duplicate_window": 120000000000 }' | grep -q '"did_create":true'
}

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    umask 022
    certificate localhost
    certificate other.example
    PORT=$(free_port) TLS_PORT=$(free_port)
    export PORT TLS_PORT
    definitions >definitions.json
    cat >rabbitmq.conf <<END
load_definitions = $PWD/definitions.json
max_message_size = 1000000
listeners.ssl.1 = 127.0.0.1:$TLS_PORT
ssl_options.certfile = $PWD/localhost.pem
ssl_options.keyfile = $PWD/localhost.key
END
    start_rabbit "$PORT"
    start_nats
}

teardown_file() {
    local file
    cd "$BATS_FILE_TMPDIR"
    for file in nats.pid nats-tls.pid; do
        [ ! -e $file ] || kill "$(cat $file)" 2>/dev/null || true
    done
    stop_rabbit
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    umask 022
    (umask 077 && echo mailrecv:secret >password && echo reader:secret >reader && echo mailrecv:wrong >wrong && echo deaf:secret >deaf)
    printf 'Subject: x\n\ntext\n' >message
    grep -o '@mailrecv-publish-.*' /proc/net/unix >others || true
    RABBIT=amqp://127.0.0.1:$PORT NATS=nats://127.0.0.1:$NATS_PORT
}

teardown() {
    [ -z "${THIEF:-}" ] || kill "$THIEF" 2>/dev/null || true
}

# With the exit status and the last line that are expected, and the message on standard input.
publish() { # STATUS LINE ARGUMENT...
    local wanted=$1 line=$2
    shift 2
    run "$PUBLISH" -w 30 "$@" <message
    echo "$output"
    [ "$status" -eq "$wanted" ] || { echo "$* exits with $status"; return 1; }
    if [ -n "$line" ]; then [ "${lines[-1]}" = "$line" ]; else [ "$output" = '' ]; fi
}

confirmed() { publish 0 '' "$@"; }

# Takes a message out of a queue: the body goes to `body`, properties and headers to standard output. Status 1: there is none.
take() { # QUEUE [VHOST]
    /usr/bin/python3 - "$@" <<'END' # whose modules are Debian's
import os, sys, pika
login = pika.PlainCredentials("mailrecv", "secret")
vhost = sys.argv[2] if len(sys.argv) > 2 else "/"
channel = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(os.environ["PORT"]), vhost, login)).channel()
method, properties, body = channel.basic_get(sys.argv[1], auto_ack=True)
if method is None: sys.exit(1)
open("body", "wb").write(body)
for name in ("content_type", "delivery_mode", "message_id", "timestamp"): print(name, "=", getattr(properties, name))
for name, value in sorted(properties.headers.items()): print("header", name, "=", repr(value))
END
}

empty() { run -1 take "$@"; }

# Asks the API of JetStream; the answer goes to standard output.
js() { # SUBJECT REQUEST
    python3 - "$@" <<'END'
import os, socket, sys
stream = socket.create_connection(("127.0.0.1", int(os.environ["NATS_PORT"]))).makefile("rwb")
stream.readline()
stream.write(b'CONNECT {"verbose":false,"user":"mailrecv","pass":"secret","headers":true,"no_responders":true}\r\nSUB _ME 1\r\n')
request = sys.argv[2].encode()
stream.write(b"PUB $JS.API.%s _ME %d\r\n%s\r\n" % (sys.argv[1].encode(), len(request), request))
stream.flush()
line = stream.readline()
while not line.startswith((b"MSG", b"HMSG")): line = stream.readline()
print(stream.read(int(line.split()[-1])).decode())
END
}

in_stream() { js STREAM.INFO.MAIL '' | grep -oE '"messages":[0-9]+' | head -n 1 | cut -d: -f2; }

# Header and text of the last message of the stream.
last_in_stream() {
    js STREAM.MSG.GET.MAIL '{ "last_by_subj": "mail.>" }' | python3 -c '
import base64, json, sys
message = json.load(sys.stdin)["message"]
print(base64.b64decode(message["hdrs"]).decode().replace("\r", "") + base64.b64decode(message["data"]).decode(), end="")'
}

# ---- RabbitMQ ------------------------------------------------------------------------------

@test "RabbitMQ: a message is confirmed, persistent, and carries the envelope" {
    export SENDER='' RECIPIENT=q@example.com RECIPIENTS=$'q@example.com\nr@example.com' CLIENT_ADDRESS=192.0.2.7 \
        RULE=/etc/mailrecv.conf:3 RECEIVED_AT=1700000000.123456 DELIVERY_ID=0123abcd.7
    confirmed -a password "$RABBIT" mail in.box
    take in >got
    diff got - <<'END'
content_type = message/rfc822
delivery_mode = 2
message_id = 0123abcd.7
timestamp = 1700000000
header client_address = '192.0.2.7'
header delivery_id = '0123abcd.7'
header received_at = '1700000000.123456'
header recipient = 'q@example.com'
header recipients = ['q@example.com', 'r@example.com']
header rule = '/etc/mailrecv.conf:3'
header sender = ''
END
    cmp body message
    # without a ledger equal messages have equal ids, by which nobody may drop one
    DELIVERY_ID=0123abcd confirmed -a password "$RABBIT" '' in
    take in >got
    grep -x 'message_id = None' got
    grep -x "header delivery_id = '0123abcd'" got
    empty in
}

@test "RabbitMQ: whatever is in the message arrives, from a file and from a pipe" {
    { cat message; seq 100000; printf '\0\377\n.\n'; } >large
    cp large message
    confirmed -a password "$RABBIT" '' in
    take in >got
    cmp body large
    "$PUBLISH" -a password "$RABBIT/" '' in < <(cat large)
    take in >got
    cmp body large
    # from where the file has been read to
    { read -r; "$PUBLISH" -a password "$RABBIT/%2F" '' in; } <large
    take in >got
    tail -n +2 large | cmp - body
    : >message
    confirmed -a password "$RABBIT" '' in
    take in >got
    cmp body /dev/null
    # another virtual host, a quorum queue
    echo x >message
    confirmed -a password "$RABBIT/a%2Fb" '' in
    take in a/b >got
    confirmed -a password "$RABBIT" '' three
    take three >got
    empty in
}

@test "RabbitMQ: what no queue takes is no success" {
    publish 75 'The message broker has no queue or stream that would keep the message' -a password "$RABBIT" '' missing
    publish 75 'The message broker has no queue or stream that would keep the message' -a password "$RABBIT" mail out.box
    confirmed -a password "$RABBIT" '' one
    publish 75 'The message broker has not taken the message; perhaps a queue is full' -a password "$RABBIT" '' one
    take one >got
    empty one
}

@test "RabbitMQ: what will never be taken is refused for good" {
    publish 67 'The message broker knows no such exchange' -a password "$RABBIT" missing in
    publish 77 'The message broker does not permit the message' -a reader "$RABBIT" mail in.box
    seq 200000 >message
    publish 65 'The message is too large for the message broker' -a password "$RABBIT" '' in
    empty in
}

@test "RabbitMQ: whom it does not let in tries again, and no line holds the password" {
    publish 75 'The message broker has refused the login' -a wrong "$RABBIT" '' in
    [[ "$output" != *wrong* ]]
    publish 75 'The message broker has refused the login' "$RABBIT" '' in # guest, who is not there
    publish 75 'The message broker has refused the login' -a password "$RABBIT/none" '' in
    publish 75 'The message broker has refused the login' -a reader "$RABBIT/a%2Fb" '' in
}

@test "RabbitMQ: the next host has the message if one is down, and once only" {
    publish 0 "mailrecv-publish: 127.0.0.1 port 1: a socket error occurred" -a password "amqp://127.0.0.1:1,127.0.0.1:$PORT,127.0.0.1:$PORT" '' in
    take in >got
    empty in
}

@test "RabbitMQ: a broker short of memory gets nothing that it would find when it reads again" {
    "$BATS_FILE_TMPDIR/in-rabbit" rabbitmqctl eval 'rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).'
    publish 75 'The message broker takes no messages at present' -a password "$RABBIT" '' in
    "$BATS_FILE_TMPDIR/in-rabbit" rabbitmqctl eval 'rabbit_alarm:clear_alarm({resource_limit, memory, node()}).'
    confirmed -a password "$RABBIT" '' in
    take in >got
    empty in
}

@test "RabbitMQ: TLS, with a certificate that is right" {
    local url=amqps://localhost:$TLS_PORT ca=$BATS_FILE_TMPDIR/localhost.pem
    confirmed -C "$ca" -a password "$url" '' in
    take in >got
    SSL_CERT_FILE=$ca confirmed -a password "$url" '' in
    take in >got
    # none that the system trusts, none of this authority, none for this name, and none at all
    publish 75 'The message broker cannot be reached' -a password "$url" '' in
    publish 75 'The message broker cannot be reached' -C "$BATS_FILE_TMPDIR/other.example.pem" -a password "$url" '' in
    publish 75 'The message broker cannot be reached' -C "$ca" -a password "amqps://127.0.0.1:$TLS_PORT" '' in
    publish 75 'The message broker cannot be reached' -C "$ca" -a password "amqps://localhost:$PORT" '' in
    publish 75 'The message broker cannot be asked' -C missing -a password "$url" '' in
    empty in
}

# How many connections RabbitMQ has taken so far. Its log is behind: who is refused now stands at its end.
connections() { # NAME
    local log=$BATS_FILE_TMPDIR/broker/test@127.0.0.1.log
    (umask 077 && echo "$1:x" >"$1")
    publish 75 'The message broker has refused the login' -a "$1" "$RABBIT" '' in >"$1.out"
    wait_for "$log" "user '$1'"
    grep -c 'accepting AMQP connection' "$log"
}

# The abstract sockets of processes that keep a connection, but for those of other tests that run on this host.
keeper() { grep -o '@mailrecv-publish-.*' /proc/net/unix | grep -vxFf others; }

# Waits until there is none.
gone() {
    local end=$((SECONDS + 20))
    while keeper >there; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
}

@test "RabbitMQ: a connection that is kept takes the messages of others, each with its own envelope and answer" {
    local before all=()
    before=$(connections before)
    RECIPIENT=0@example.com confirmed -k 20 -a password "$RABBIT" '' in
    for i in $(seq 40); do
        echo "message $i" >"$i"
        RECIPIENT=$i@example.com "$PUBLISH" -k 20 -a password "$RABBIT" '' in <"$i" &
        all+=($!)
    done
    # what becomes of these is nothing to the others
    publish 67 'The message broker knows no such exchange' -k 20 -a password "$RABBIT" missing in
    publish 75 'The message broker has no queue or stream that would keep the message' -k 20 -a password "$RABBIT" '' missing
    confirmed -k 20 -a password "$RABBIT" '' one
    publish 75 'The message broker has not taken the message; perhaps a queue is full' -k 20 -a password "$RABBIT" '' one
    seq 200000 >large
    run -65 "$PUBLISH" -k 20 -a password "$RABBIT" '' in <large
    for pid in "${all[@]}"; do wait "$pid"; done
    [ "$(connections after)" -eq $((before + 2)) ] # one of them asks
    take one >got
    take in >got
    for _ in $(seq 40); do
        take in >got
        grep -x "header recipient = '$(sed 's/message //' body)@example.com'" got
    done
    empty in
    # another login is another connection
    publish 77 'The message broker does not permit the message' -k 20 -a reader "$RABBIT" mail in.box
    # on SIGTERM it ends
    pkill -TERM -f -- "-k 20 -a password $RABBIT "
    gone
}

@test "RabbitMQ: who keeps a connection ends when nobody comes, and whoever comes then publishes himself" {
    confirmed -k 1 -a password "$RABBIT" '' in
    keeper >address
    gone
    confirmed -k 1 -a password "$RABBIT" '' in
    diff address <(keeper)
    gone
    take in >got
    take in >got
    empty in
    # another user who sits where it would be is not believed
    [ "$(id -u)" -eq 0 ] || skip 'only root can become another user'
    setpriv --reuid=nobody --clear-groups /usr/bin/python3 -c '
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind("\0" + sys.argv[1][1:])
server.listen()
print("listens", flush=True)
held = []
while True: held.append(server.accept()[0]); held[-1].send(b"x")' "$(cat address)" >thief 3>&- &
    THIEF=$!
    wait_for thief listens
    confirmed -k 1 -a password "$RABBIT" '' in
    take in >got
}

@test "RabbitMQ: a broker short of memory gets nothing by a connection that is kept" {
    confirmed -k 20 -a password "$RABBIT" '' in
    "$BATS_FILE_TMPDIR/in-rabbit" rabbitmqctl eval 'rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).'
    publish 75 'The message broker takes no messages at present' -k 20 -a password "$RABBIT" '' in
    gone
    "$BATS_FILE_TMPDIR/in-rabbit" rabbitmqctl eval 'rabbit_alarm:clear_alarm({resource_limit, memory, node()}).'
    take in >got
    empty in
}

@test "RabbitMQ: the unit's sandbox lets it through" {
    run -0 "$TESTS/under-unit" "$TESTS/../systemd/mailrecv@.service" -- "$PUBLISH" -a password "$RABBIT" '' in <message
    run -0 "$TESTS/under-unit" "$TESTS/../systemd/mailrecv@.service" -- "$PUBLISH" -a password "$NATS" mail.sandbox <message
    take in >got
    js STREAM.PURGE.MAIL ''
}

@test "recipe: Publish to RabbitMQ" {
    recipe 'Publish to RabbitMQ' -e "s,//mq1.example.com,//127.0.0.1:1,; s,\,mq2.example.com,\,127.0.0.1:$PORT," \
        -e "s,$PWD/mailrecv-publish,$PUBLISH,; s/ amqps:/ amqp:/"
    chmod 600 rabbitmq
    message | deliver_to queue@example.com | grep -q '^250 2.0.0 Ok, delivered'
    take in >got
    [ "$(head -n 2 body)" = $'Return-Path: <a@example.com>\nDelivered-To: queue@example.com' ]
    [ "$(tail -n 5 body)" = "$(message)" ]
    grep -x "header recipient = 'queue@example.com'" got
    grep -x "header sender = 'a@example.com'" got
    grep -x "header client_address = '192.0.2.7'" got
    seq 200000 | deliver_to queue@example.com | grep -q '^554 5.7.0 Delivery refused: <queue@example.com> The message is too large for the message broker'
    echo mailrecv:wrong >rabbitmq
    message | deliver_to queue@example.com | grep -q '^451 4.3.0 '
    grep 'output id=.* text="The message broker has refused the login"' log
    empty in
}

# ---- NATS ----------------------------------------------------------------------------------

@test "NATS: a message is acknowledged, carries the envelope, and a retry of it is dropped" {
    export SENDER='' RECIPIENT=q@example.com RECIPIENTS=$'q@example.com\nr@example.com' DELIVERY_ID=0123abcd.7
    confirmed -a password "$NATS" mail.in
    [ "$(in_stream)" -eq 1 ]
    last_in_stream >got
    [ "$(head -n 1 got)" = NATS/1.0 ]
    sed '1d; /^$/,$d' got | LC_ALL=C sort | diff - <(printf '%s\n' 'Content-Type: message/rfc822' 'Nats-Msg-Id: 0123abcd.7' \
        'delivery_id: 0123abcd.7' 'recipient: q@example.com' 'recipients: q@example.com' 'recipients: r@example.com' 'sender: ')
    sed '1,/^$/d' got | cmp - message
    confirmed -a password "$NATS" mail.in
    [ "$(in_stream)" -eq 1 ]
    # without a ledger equal messages are two
    DELIVERY_ID=0123abcd confirmed -a password "$NATS" mail.in
    DELIVERY_ID=0123abcd confirmed -a password "$NATS" mail.in
    [ "$(in_stream)" -eq 3 ]
    # and this is more than the stream takes
    DELIVERY_ID=0123abcd.8 publish 75 'The message broker has not taken the message; perhaps a queue is full' -a password "$NATS" mail.in
    [ "$(in_stream)" -eq 3 ]
    js STREAM.PURGE.MAIL ''
}

@test "NATS: what no stream takes is no success; what will never be taken is refused for good" {
    publish 75 'The message broker has no queue or stream that would keep the message' -a password "$NATS" other
    publish 77 'The message broker does not permit the message' -a password "$NATS" mail.forbidden
    seq 20000 >message # more than the stream takes
    publish 65 'The message is too large for the message broker' -a password "$NATS" mail.in
    seq 100000 >message # more than the server takes
    publish 65 'The message is too large for the message broker' -a password "$NATS" mail.in
    [ "$(in_stream)" -eq 0 ]
}

@test "NATS: whom it does not let in tries again; the next host has the message if one is down" {
    publish 75 'The message broker has refused the login' -a wrong "$NATS" mail.in
    publish 75 'The message broker has refused the login' "$NATS" mail.in
    publish 75 'The message broker has not confirmed the message' -a deaf "$NATS" mail.in
    js STREAM.PURGE.MAIL ''
    run -0 "$PUBLISH" -a password "nats://127.0.0.1:1,127.0.0.1:$NATS_PORT" mail.in <message
    [ "$(in_stream)" -eq 1 ]
    js STREAM.PURGE.MAIL ''
}

@test "NATS: TLS, with a certificate that is right" {
    local url=tls://localhost:$NATS_TLS_PORT ca=$BATS_FILE_TMPDIR/localhost.pem
    # nothing keeps messages there, and that is known when one has been let in
    publish 75 'The message broker has no queue or stream that would keep the message' -C "$ca" -a password "$url" mail.in
    publish 75 'The message broker has no queue or stream that would keep the message' -C "$ca" -a password "nats://localhost:$NATS_TLS_PORT" mail.in
    publish 75 'The message broker cannot be reached' -a password "$url" mail.in
    publish 75 'The message broker cannot be reached' -C "$BATS_FILE_TMPDIR/other.example.pem" -a password "$url" mail.in
    publish 75 'The message broker cannot be reached' -C "$ca" -a password "tls://127.0.0.1:$NATS_TLS_PORT" mail.in
    publish 75 'The message broker cannot be reached' -C "$ca" -a password "tls://localhost:$NATS_PORT" mail.in
}

@test "recipe: Publish to NATS" {
    recipe 'Publish to NATS' -e "s,//nats.example.com,//127.0.0.1:$NATS_PORT,; s,$PWD/mailrecv-publish,$PUBLISH,; s/ tls:/ nats:/"
    chmod 600 nats
    message | deliver_to stream@example.com | grep -q '^250 2.0.0 Ok, delivered'
    last_in_stream >got
    [ "$(tail -n 5 got)" = "$(message)" ]
    grep -x 'recipient: stream@example.com' got
    grep -E '^Nats-Msg-Id: .+\.1$' got
    # the same again is another message, for its sender has heard 250; a retry would be none
    message | deliver_to stream@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(in_stream)" -eq 2 ]
    js STREAM.PURGE.MAIL ''
}

# ---- brokers that end, the last ones here ----------------------------------------------------

@test "a broker that stops answering, or ends, is a temporary failure" {
    local beam
    confirmed -k 30 -a password "$RABBIT" '' in
    beam=$(cat "$BATS_FILE_TMPDIR/pid")
    kill -STOP "$beam"
    run "$PUBLISH" -w 1 -a password "$RABBIT" '' in <message
    [ "$status" -eq 75 ]
    run "$PUBLISH" -w 1 -k 30 -a password "$RABBIT" '' in <message
    kill -CONT "$beam"
    [ "$status" -eq 75 ]
    [ "$output" = 'The message broker has not confirmed the message in time' ]
    kill "$(cat "$BATS_FILE_TMPDIR/broker.pid")"
    tail --pid="$(cat "$BATS_FILE_TMPDIR/broker.pid")" -f /dev/null
    publish 75 'The message broker cannot be reached' -a password "$RABBIT" '' in
    publish 75 'The message broker cannot be reached' -k 30 -a password "$RABBIT" '' in
    gone
    kill "$(cat "$BATS_FILE_TMPDIR/nats.pid")"
    tail --pid="$(cat "$BATS_FILE_TMPDIR/nats.pid")" -f /dev/null
    publish 75 'The message broker cannot be reached' -a password "$NATS" mail.in
}
