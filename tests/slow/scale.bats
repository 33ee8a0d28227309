# slow/scale.bats - three receivers behind HAProxy, three brokers and one memory: all are killed, and no message is lost or doubled
# shellcheck shell=bash
#
# What mailrecv-scale(7) describes, in networks of their own: the receivers 192.0.2.11 to 13, a host each with its processes; a
# cluster of RabbitMQ, 192.0.2.21 to 23, with a quorum queue; at 192.0.2.1 HAProxy, Redis, and 20 senders. SCALE is the number of
# messages (10000; not below 1000).

bats_require_minimum_version 1.5.0
load ../common
load ../rabbit

# A program on a host, 192.0.2.NUMBER.
on() { # NUMBER COMMAND...
    nsenter -t "${HOSTS[$1]}" -n "${@:2}"
}

# A network for a host, which a process holds, with a line to ours.
make_host() { # NUMBER
    unshare -n sleep infinity &
    HOSTS[$1]=$!
    until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
    ip link add "to$1" type veth peer name eth0 netns "$!"
    ip link set "to$1" master hub up
    on "$1" ip addr add "192.0.2.$1/24" dev eth0
    on "$1" ip link set eth0 up
    on "$1" ip link set lo up
}

make_networks() {
    local n
    ip link set lo up
    ip link add hub type bridge
    ip link set hub up
    ip addr add 192.0.2.1/24 dev hub
    for n in {101..120}; do ip addr add "192.0.2.$n/24" dev hub; done
    for n in 11 12 13 21 22 23; do make_host "$n"; done
}

# Redis gets all the time it wants, since all of this is on one machine: that it is slow is no reason for a double here.
configure() { # mxN
    cat >"$1.conf" <<END
domain $1.example.com
proxy_protocol 192.0.2.1/32
quiet 192.0.2.1/32
dns.reverse off
ledger redis:192.0.2.1:6379
lockout.db redis:192.0.2.1:6379
redis.timeout 10000
limit.lock_secs 5
limit.pipe_secs 40
lockout.exempt 192.0.2.96/28
lockout.exempt 192.0.2.112/29
lockout.exempt 192.0.2.120/32
deliver rcpt_to /^postmaster(@|$)/ append $PWD/$1.box
deliver rcpt_to mail@example.com exec ${MAILRECV%/*}/mailrecv-publish -k 20 -w 30 -a $PWD/password amqp://192.0.2.21,192.0.2.22,192.0.2.23 "" mail
END
    chmod 644 "$1.conf"
    "$MAILRECV" -t -c "$1.conf" >effective 2>doubts || { cat doubts; exit 1; }
}

listens() { on "$1" grep -q ':0019 00000000:0000 0A' /proc/net/tcp; }

# Its processes are numbered by themselves, too: when the first is killed none is left, as when a host dies.
start_receiver() { # mxN
    local host=1${1#mx}
    nsenter -t "${HOSTS[$host]}" -n unshare -pf "$MAILRECV" -L "192.0.2.$host:25" -c "$1.conf" -l "$PWD/$1.log" >>"$1.out" 2>&1 </dev/null &
    RECEIVERS[$host]=$!
    until listens "$host"; do kill -0 "${RECEIVERS[$host]}"; sleep 0.02; done
}

# A node of the cluster, in mqN. It finds the others by what its configuration says, and with their cookie.
start_broker() { # mqN
    local host=2${1#mq}
    mkdir "$1"
    cat >"$1/rabbitmq.conf" <<'END'
default_user = mailrecv
default_pass = secret
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = test@192.0.2.21
cluster_formation.classic_config.nodes.2 = test@192.0.2.22
cluster_formation.classic_config.nodes.3 = test@192.0.2.23
END
    (umask 377 && echo cluster >"$1/.erlang.cookie")
    on "$host" env EPMD_PORT=4369 "$BASH" -euc ". ./functions; cd $1; start_rabbit 5672 192.0.2.$host"
}

# The queue gets a member on each node that is there.
start_brokers() {
    local n pids=()
    for n in 1 2 3; do
        start_broker "mq$n" &
        pids+=($!)
    done
    for n in "${pids[@]}"; do wait "$n"; done
    on 21 mq1/in-rabbit rabbitmqctl -q await_online_nodes 3
    /usr/bin/python3 -c 'import pika
login = pika.PlainCredentials("mailrecv", "secret")
pika.BlockingConnection(pika.ConnectionParameters("192.0.2.21", 5672, "/", login)).channel().queue_declare(
    "mail", durable=True, arguments={"x-queue-type": "quorum"})'
    n=$(broker_says online | grep -o 'test@' | wc -l)
    [ "$n" -eq 3 ] || { echo "the queue has $n members: $(broker_says online)"; exit 1; }
}

# What the first node, which is there, says of the queue.
broker_says() { # COLUMN
    on 21 mq1/in-rabbit rabbitmqctl -q list_queues "$1" --no-table-headers
}

# The node that leads the queue.
leader() {
    local node
    node=$(broker_says leader)
    echo "mq${node#test@192.0.2.2}"
}

start_redis() {
    rm -f redis.out
    redis-server --bind 192.0.2.1 --port 6379 --protected-mode no --dir "$PWD" --save '' --appendonly yes >redis.out 2>&1 </dev/null &
    REDIS=$!
    wait_for redis.out 'Ready to accept connections' 30
}

# With a check that opens and closes, one that sends its own header, and one that says HELO.
start_haproxy() {
    cat >haproxy.conf <<'END'
defaults
    mode tcp
    balance roundrobin
    option redispatch
    timeout connect 2s
    timeout client 90s
    timeout server 90s
    default-server inter 200ms fall 1 rise 1
frontend smtp
    bind 192.0.2.1:25
    default_backend receivers
backend receivers
    option nolinger
    server mx1 192.0.2.11:25 send-proxy-v2 check
    server mx2 192.0.2.12:25 send-proxy-v2 check
    server mx3 192.0.2.13:25 send-proxy-v2 check
listen connects
    bind 192.0.2.1:26
    server mx1 192.0.2.11:25 send-proxy-v2 check port 25
listen greets
    bind 192.0.2.1:27
    option smtpchk EHLO lb.example.com
    server mx1 192.0.2.11:25 send-proxy check
END
    haproxy -db -f haproxy.conf >haproxy.out 2>&1 </dev/null &
}

# Waits until so many more messages were taken.
await() { # MESSAGES
    local end=$(($(wc -l <taken) + $1)) limit=$((SECONDS + 120))
    until [ "$(wc -l <taken)" -ge "$end" ]; do
        [ $SECONDS -lt $limit ] || { echo "nothing is taken any more"; exit 1; }
        sleep 0.05
    done
}

# What dies, and comes back with what it has on the disk. Without a node of the cluster, messages are taken as before.
strike() { # NAME
    local pid
    case $1 in
    mx?)
        pid=${RECEIVERS[1${1#mx}]}
        kill -9 "$(cat "/proc/$pid/task/$pid/children")"
        wait "$pid" || true
        start_receiver "$1" ;;
    mq?)
        kill -9 "$(cat "$1/pid")"
        tail --pid="$(cat "$1/broker.pid")" -f /dev/null
        echo >&"$TO"
        await $((SCALE / 40))
        on "2${1#mq}" "$BASH" -euc ". ./functions; cd $1; run_rabbit" ;;
    redis)
        date +%s >>away
        kill -9 "$REDIS"
        wait "$REDIS" || true
        start_redis
        date +%s >>away ;;
    esac
}

# 20 senders, an address each; every message is tried until it is taken, one in twenty by a sender who has gone before he heard so
# the first time. A line of standard input lets them send another twentieth of the messages, and `all` the rest. Writes what was taken
# to `taken`, and attempts whose end leaves open whether the message was taken to `doubtful`.
senders() { # MESSAGES
    /usr/bin/python3 /dev/fd/3 "$1" 3<<'END'
import smtplib, socket, sys, threading, time
count = int(sys.argv[1])
lock, leave, parts = threading.Lock(), threading.Condition(), 1
doubtful, taken = open("doubtful", "w"), open("taken", "w")

def doubt(number, why):
    with lock: print(number, why, file=doubtful, flush=True)

def allow(more):
    global parts
    with leave:
        parts += more
        leave.notify_all()

def attempt(number, sender, impatient):
    """Was it taken?"""
    sent = False
    try:
        with smtplib.SMTP(timeout=60, local_hostname="client.example.com", source_address=(f"192.0.2.{101 + sender}", 0)) as s:
            s.connect("192.0.2.1", 25)
            s.ehlo()
            if s.mail("ann@example.com")[0] != 250 or s.rcpt("mail@example.com")[0] != 250 or s.docmd("DATA")[0] != 354:
                return False
            sent = True
            s.send(f"Message-ID: <{number}@example.com>\r\nSubject: {number}\r\n\r\ntext\r\n.\r\n")
            if impatient:
                s.sock.shutdown(socket.SHUT_RDWR)
                doubt(number, "impatient")
                return False
            code, text = s.getreply()
            if code == 250:
                return True
            assert 400 <= code < 500, (code, text)
            doubt(number, "deferred")
            return False
    except (OSError, smtplib.SMTPException):
        if sent and not impatient: doubt(number, "cut")
        return False

def send(sender):
    for number in range(sender, count, 20):
        with leave: leave.wait_for(lambda: number < parts * count // 20)
        impatient = number // 20 % 20 == 3
        while not attempt(number, sender, impatient):
            impatient = False
            time.sleep(0.5)
        with lock: print(number, file=taken, flush=True)

threads = [threading.Thread(target=send, args=(n,)) for n in range(20)]
for t in threads: t.start()
while sys.stdin.readline() != "all\n": allow(1)
allow(20)
for t in threads: t.join()
END
}

# Takes all out of the queue, and counts what is there twice, by what became of the attempts. Fails where a message is missing;
# where no attempt explains a double: it was cut, or the sender had gone, or he was answered 451 because the broker had not
# confirmed in time; and where copies differ in message_id though Redis was there. After its death it is left alone for ten seconds,
# and a session may have waited for five before, or may be slow.
account() { # MESSAGES
    /usr/bin/python3 - "$1" <<'END'
import collections, glob, pika, re, sys
channel = pika.BlockingConnection(pika.ConnectionParameters("192.0.2.21", 5672, "/", pika.PlainCredentials("mailrecv", "secret"))).channel()
copies, ends = collections.defaultdict(list), collections.defaultdict(list)
for method, properties, body in channel.consume("mail", auto_ack=True, inactivity_timeout=10):
    if not method: break
    copies[int(re.search(rb"Subject: (\d+)", body)[1])].append((properties.message_id, properties.timestamp))
for line in open("doubtful"):
    number, why = line.split()
    ends[int(number)].append(why)
away = [int(line) for line in open("away")]
log = [line for name in glob.glob("mx?.log") for line in open(name)]
unconfirmed = sum("has not confirmed" in line for line in log)
doubles = {"the same": collections.Counter(), "no": collections.Counter()}
for number, found in copies.items():
    why, known = " ".join(sorted(set(ends[number]))), sum(one is not None for one, _ in found)
    doubles["the same"][why] += max(0, known - 1)
    doubles["no"][why] += min(len(found) - 1, len(found) - known)
print(len(copies), "messages; attempts without a 250:", dict(collections.Counter(why for all in ends.values() for why in all)))
print("not confirmed by the broker:", unconfirmed, "- retries that Redis told of:", sum("result=already" in line for line in log))
for kind, causes in doubles.items():
    print("twice in the queue, with", kind, "message_id, by what became of the attempts:", dict(+causes))
lost = sorted(set(range(int(sys.argv[1]))) - set(copies))
assert not lost, "lost: %d messages, as %s" % (len(lost), lost[:10])
assert all(len(found) <= 1 + len(ends[number]) for number, found in copies.items())
assert sum(causes["deferred"] for causes in doubles.values()) <= unconfirmed
for number, found in copies.items():
    assert len({one for one, _ in found if one}) <= 1, ("another message_id", number, found)
    assert all(one or any(begin - 10 <= at <= end + 15 for begin, end in zip(away[::2], away[1::2])) for one, at in found), (number, found, away)
END
}

scenario() {
    local n blow TO
    make_networks
    (umask 077 && echo mailrecv:secret >password)
    start_brokers
    start_redis
    for n in mx1 mx2 mx3; do
        configure "$n"
        start_receiver "$n"
    done
    start_haproxy
    mkfifo leave
    : >taken
    senders "$SCALE" <leave &
    n=$!
    exec {TO}>leave
    for blow in mx1 leader redis mx2 mq1 mx3 redis mx1 leader mx2 redis mx3; do
        [ $blow != leader ] || blow=$(leader)
        echo "$blow"
        echo >&"$TO"
        await $((SCALE / 100))
        strike "$blow"
    done
    echo all >&"$TO"
    wait "$n"
    account "$SCALE"
    # the checks are in no log, and no violation
    ! grep -E '\[192\.0\.2\.1\] (SMTP connection|no PROXY|the client has gone|ERROR|end)' mx?.log || exit 1
}

@test "no message is lost or doubled without a reason, whoever of receivers, broker and Redis dies" {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make networks'
    cd "$BATS_TEST_TMPDIR"
    SCALE=${SCALE:-10000}
    export SCALE
    declare -f >functions
    timeout 1800 unshare -npf --kill-child --mount-proc "$BASH" -euc 'HOSTS=() RECEIVERS=(); . ./functions; scenario' >out 2>&1 3>&- </dev/null || {
        cat out
        return 1
    }
    tail -n 4 out | sed "s/^/# /" >&3
}
