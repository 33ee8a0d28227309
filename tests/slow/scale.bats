# slow/scale.bats - three receivers behind HAProxy, one broker and one memory: all are killed, and no message is lost or doubled
# shellcheck shell=bash
#
# What mailrecv-scale(7) describes, in networks of their own: the receivers 192.0.2.11 to 13, a host each with its processes; at
# 192.0.2.1 HAProxy, RabbitMQ (one node: three want more memory than is fair here) with a quorum queue, Redis, and 20 senders. SCALE is the
# number of messages (10000).

bats_require_minimum_version 1.5.0
load ../common
load ../rabbit

# A program on a receiver.
on() { # NUMBER COMMAND...
    nsenter -t "${HOSTS[$1]}" -n "${@:2}"
}

# A network for a receiver, which a process holds, with a line to ours.
make_host() { # NUMBER
    unshare -n sleep infinity &
    HOSTS[$1]=$!
    until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do :; done
    ip link add "mx$1" type veth peer name eth0 netns "$!"
    ip link set "mx$1" master hub up
    on "$1" ip addr add "192.0.2.1$1/24" dev eth0
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
    for n in 1 2 3; do make_host "$n"; done
}

configure() { # NUMBER
    cat >"mx$1.conf" <<END
domain mx$1.example.com
proxy_protocol 192.0.2.1/32
quiet 192.0.2.1/32
dns.reverse off
ledger redis:192.0.2.1:6379
lockout.db redis:192.0.2.1:6379
lockout.exempt 192.0.2.96/28
lockout.exempt 192.0.2.112/29
lockout.exempt 192.0.2.120/32
deliver rcpt_to /^postmaster(@|$)/ append $PWD/mx$1.box
deliver rcpt_to mail@example.com exec ${MAILRECV%/*}/mailrecv-publish -k 20 -w 30 -a $PWD/password amqp://192.0.2.1 "" mail
END
    chmod 644 "mx$1.conf"
    "$MAILRECV" -t -c "mx$1.conf" >effective 2>doubts || { cat doubts; exit 1; }
}

listens() { on "$1" grep -q ':0019 00000000:0000 0A' /proc/net/tcp; }

# Its processes are numbered by themselves, too: when the first is killed none is left, as when a host dies.
start_receiver() { # NUMBER
    nsenter -t "${HOSTS[$1]}" -n unshare -pf "$MAILRECV" -L 192.0.2.1"$1":25 -c "mx$1.conf" -l "$PWD/mx$1.log" >>"mx$1.out" 2>&1 </dev/null &
    RECEIVERS[$1]=$!
    until listens "$1"; do kill -0 "${RECEIVERS[$1]}"; sleep 0.02; done
}

start_redis() {
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

# What dies, and comes back with what it has on the disk.
strike() { # NAME
    local pid
    case $1 in
    mx?)
        pid=${RECEIVERS[${1#mx}]}
        kill -9 "$(cat "/proc/$pid/task/$pid/children")"
        wait "$pid" || true
        start_receiver "${1#mx}" ;;
    broker)
        kill -9 "$(cat pid)"
        tail --pid="$(cat broker.pid)" -f /dev/null
        run_rabbit ;;
    redis)
        kill -9 "$REDIS"
        wait "$REDIS" || true
        start_redis ;;
    esac
}

# 20 senders, an address each; every message is tried until it is taken, one in twenty by a sender who has gone before he heard so
# the first time. A line of standard input is a blow that is over; another thirteenth of the messages is sent while the next one
# falls, and when that is done there is a line of standard output. Writes attempts whose end leaves open whether the message was taken to `doubtful`.
senders() { # MESSAGES
    /usr/bin/python3 /dev/fd/3 "$1" 3<<'END'
import smtplib, socket, sys, threading, time
count = int(sys.argv[1])
lock, done = threading.Lock(), 0
blow, blows = threading.Condition(), 0
doubtful = open("doubtful", "w")

def doubt(number, why):
    with lock: print(number, why, file=doubtful, flush=True)

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
    global done
    for number in range(sender, count, 20):
        with blow: blow.wait_for(lambda: number < (blows + 2) * count // 13)
        impatient = number // 20 % 20 == 3
        while not attempt(number, sender, impatient):
            impatient = False
            time.sleep(0.5)
        with lock:
            done += 1
            if done * 13 // count > (done - 1) * 13 // count: print(done, flush=True)

threads = [threading.Thread(target=send, args=(n,)) for n in range(20)]
for t in threads: t.start()
for _ in range(12):
    sys.stdin.readline()
    with blow:
        blows += 1
        blow.notify_all()
for t in threads: t.join()
END
}

# Takes all out of the queue, and counts what is there twice, by what became of the attempts. Fails where a message is missing, and
# where no attempt explains a double: it was cut, or the sender had gone, or he was answered 451 because the broker had not confirmed in time.
account() { # MESSAGES
    /usr/bin/python3 - "$1" <<'END'
import collections, glob, pika, re, sys
channel = pika.BlockingConnection(pika.ConnectionParameters("192.0.2.1", 5672, "/", pika.PlainCredentials("mailrecv", "secret"))).channel()
copies, ends = collections.defaultdict(list), collections.defaultdict(list)
while (got := channel.basic_get("mail", auto_ack=True))[0]:
    copies[int(re.search(rb"Subject: (\d+)", got[2])[1])].append(got[1].message_id or f"none {got[0].delivery_tag}")
for line in open("doubtful"):
    number, why = line.split()
    ends[int(number)].append(why)
log = [line for name in glob.glob("mx?.log") for line in open(name)]
unconfirmed = sum("has not confirmed" in line for line in log)
causes = collections.Counter(" ".join(sorted(set(ends[number]))) for number, ids in copies.items() for _ in ids[1:])
print(len(copies), "messages; attempts without a 250:", dict(collections.Counter(why for all in ends.values() for why in all)))
print("not confirmed by the broker:", unconfirmed, "- twice in the queue, by what became of the attempts:", dict(causes))
print("twice with another message_id, or none, because Redis was not asked:", sum(len(set(ids)) - 1 for ids in copies.values()),
      "- it was left alone", sum("left alone" in line for line in log), "times; retries that it told of:", sum("result=already" in line for line in log))
assert sorted(copies) == list(range(int(sys.argv[1]))), "lost: %s" % (set(range(int(sys.argv[1]))) - set(copies))
assert all(len(ids) <= 1 + len(ends[number]) for number, ids in copies.items())
assert causes["deferred"] <= unconfirmed
END
}

scenario() {
    local n blow to from
    make_networks
    printf 'default_user = mailrecv\ndefault_pass = secret\n' >rabbitmq.conf
    (umask 077 && echo mailrecv:secret >password)
    start_rabbit 5672 192.0.2.1
    /usr/bin/python3 -c 'import pika
login = pika.PlainCredentials("mailrecv", "secret")
pika.BlockingConnection(pika.ConnectionParameters("192.0.2.1", 5672, "/", login)).channel().queue_declare(
    "mail", durable=True, arguments={"x-queue-type": "quorum"})'
    start_redis
    for n in 1 2 3; do
        configure "$n"
        start_receiver "$n"
    done
    start_haproxy
    coproc SENDERS { senders "$SCALE"; }
    exec {from}<&"${SENDERS[0]}" {to}>&"${SENDERS[1]}"
    n=$SENDERS_PID
    for blow in mx1 broker redis mx2 broker mx3 redis mx1 broker mx2 redis mx3; do
        read -r _ <&"$from"
        strike $blow
        echo >&"$to"
    done
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
    tail -n 4 out >&3
}
