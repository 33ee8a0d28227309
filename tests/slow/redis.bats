# slow/redis.bats - a Redis that moves to another host: Sentinels choose the master, HAProxy asks them; replicas and clusters by themselves
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../two-hosts

# Hosts 192.0.2.N of mailrecv-scale(7) are 127.0.2.N here, with ports of our own.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 077
    declare -gA STARTED=() # process of each program that we run, by its name
    PORT=$(free_port)
    SENTINEL_PORT=$(free_port)
}

teardown() {
    local pid
    for pid in "${STARTED[@]}"; do
        kill -KILL "$pid" 2>/dev/null || : # some have ended
    done
}

# Runs redis-server in the directory of its host: a Redis, or with `sentinel` that. What it has written there it knows again.
serve() { # HOST redis|sentinel [OPTION]...
    local name=$2$1 dir=$PWD/host$1 port=$PORT options=()
    [ "$2" = redis ] || { port=$SENTINEL_PORT; options=(--sentinel); }
    rm -f "$name.log" # what it said before would be taken for its beginning
    mkdir -p "$dir"
    touch "$dir/$2.conf"
    redis-server "$dir/$2.conf" --bind "127.0.2.$1" --bind-source-addr "127.0.2.$1" --port "$port" --protected-mode no --dir "$dir" \
        "${@:3}" "${options[@]}" >"$name.log" 2>&1 3>&- </dev/null &
    STARTED[$name]=$!
    wait_for "$name.log" 'Ready to accept connections|Sentinel ID is|Running mode=sentinel'
}

redis() { # HOST COMMAND...
    redis-cli -h "127.0.2.$1" -p "$PORT" "${@:2}"
}

# Waits until a command prints this, which no event tells.
until_said() { # PATTERN COMMAND...
    local end=$((SECONDS + 60))
    until "${@:2}" 2>&1 | grep -q -e "$1"; do
        [ $SECONDS -lt $end ] || { echo "$*: $("${@:2}" 2>&1)"; return 1; }
        sleep 0.1
    done
}

# A host of Redis: what is remembered, and a Sentinel. The first is the master that the others follow.
start_host() { # N [OPTION]...
    local n=$1
    serve "$n" redis --save '' --appendonly yes "${@:2}"
    [ -s "host$n/sentinel.conf" ] || printf '%s\n' "sentinel monitor mailrecv 127.0.2.5 $PORT 2" \
        'sentinel down-after-milliseconds mailrecv 1000' 'sentinel failover-timeout mailrecv 10000' >"host$n/sentinel.conf"
    serve "$n" sentinel
}

end_host() { # N
    kill -KILL "${STARTED[redis$1]}" "${STARTED[sentinel$1]}"
    wait "${STARTED[redis$1]}" "${STARTED[sentinel$1]}" || :
}

# What the manual shows, with the name `listen redis`.
manual() {
    printf 'defaults\nmode tcp\ntimeout connect 2s\ntimeout client 6m\ntimeout server 6m\n'
    sed -n '/^listen redis/,/^\.Ed/p' "$TESTS/../man/mailrecv-scale.7" | sed -e '/^\.Ed/d' -e 's/\\e/\\/g' -e 's/192\.0\.2\./127.0.2./g' \
        -e "s/26379/$SENTINEL_PORT/g" -e "s/:6379/:$PORT/g"
}

@test "when the master dies HAProxy goes to the one that the Sentinels have chosen, where lock-out and ledger go on; the old one, back, is not asked" {
    local n new
    start_host 5
    for n in 6 7; do start_host $n --replicaof 127.0.2.5 "$PORT"; done
    until_said 'slaves=2,sentinels=3' redis-cli -h 127.0.2.5 -p "$SENTINEL_PORT" info sentinel
    manual >haproxy.conf
    haproxy -db -f haproxy.conf >haproxy.out 2>&1 3>&- </dev/null &
    STARTED[haproxy]=$!
    for n in 6 7; do wait_for haproxy.out "redis/127.0.2.$n is DOWN" 30; done

    hosts "redis:127.0.2.1:$PORT"
    strike a
    strike b
    message a '<all@mx.example>' '<two@mx.example>'
    expect "$(answer) $(copies all) $(copies two)" '451 1 0'
    mkfifo in out
    "$MAILRECV" -c a.conf -l "$PWD/a.log" -P 192.0.2.7 <in >out 3>&- &
    session=$!
    exec 8>in 9<out
    read -r line <&9
    [[ $line == 220* ]]
    expect "$(lines a)$(lines b | grep -v violations=)" "$(lines a | grep violations=)"
    redis 5 wait 2 10000 >waited # what replicas have not heard of is lost with the master

    end_host 5
    until_said role:master redis 1 info replication
    new=$(redis 1 config get dir | tail -n 1)
    [[ $new == "$PWD"/host[67] ]]
    # a session that began before goes on
    printf 'MAIL FROM:<>\r\nRCPT TO:<nobody@mx.example>\r\nQUIT\r\n' >&8
    exec 8>&-
    cat <&9 >/dev/null
    wait $session
    expect "$(lines a | tail -n 1 | sed 's/ until.*//')" 'lockout: violations=3/3 reason=rcpt'
    strike b
    expect "$(greeting)" 454
    touch good
    message b '<all@mx.example>' '<two@mx.example>'
    expect "$(answer) $(copies all) $(copies two)" '250 1 1'
    expect "$(lines a; lines b)" "$( (lines a; lines b) | grep violations=)"

    # It thinks that it is the master still, until its Sentinel has heard of the other one.
    start_host 5
    until redis 5 info replication | grep -q '^role:slave'; do
        expect "$(redis 1 config get dir | tail -n 1)" "$new"
        sleep 0.1
    done
    expect "$(redis 1 config get dir | tail -n 1)" "$new"
    strike a
    expect "$(greeting)" ''
}

@test "a replica takes no changes, which is logged and stops no mail; -t tells" {
    serve 5 redis --save ''
    serve 6 redis --save '' --replicaof 127.0.2.5 "$PORT"
    until_said master_link_status:up redis 6 info replication
    hosts "redis:127.0.2.6:$PORT"
    touch good
    message a '<two@mx.example>'
    expect "$(answer) $(copies two)" '250 1'
    [[ $(lines a) == *"lockout: redis:127.0.2.6:$PORT cannot be kept: READONLY "* ]]
    [[ $(lines a) == *"ledger: redis:127.0.2.6:$PORT cannot be used, and what is sent again may be delivered twice: READONLY "* ]]
    run -1 --separate-stderr "$MAILRECV" -c a.conf -t
    [[ $stderr == *"a.conf:2:12: warning: this Redis is a replica, which takes no changes: name its master, or a proxy that follows it"* ]]
}

@test "a cluster answers MOVED and CROSSSLOT, which is logged and stops no mail; -t tells" {
    local n
    for n in 5 6 7; do
        serve $n redis --save '' --cluster-enabled yes --cluster-port "$SENTINEL_PORT" --cluster-config-file nodes
    done
    redis-cli --cluster create 127.0.2.{5,6,7}:"$PORT" --cluster-yes >created
    until_said cluster_state:ok redis 5 cluster info
    hosts "redis:127.0.2.5:$PORT"
    touch good
    for n in {1..9}; do session a 192.0.2.$n 'MAIL FROM:<>' 'RCPT TO:<nobody@mx.example>'; done
    [[ $(lines a) == *"lockout: redis:127.0.2.5:$PORT cannot be kept: MOVED "*" 127.0.2."[67]":$PORT"* ]]
    [[ $(lines a) == *"lockout: violations=1/3 reason=rcpt"* ]] # of keys that this node has
    message a '<two@mx.example>'
    expect "$(answer) $(copies two)" '250 1'
    [[ $(lines a) == *"ledger: redis:127.0.2.5:$PORT cannot be used, and what is sent again may be delivered twice: CROSSSLOT "* ]]
    run -1 --separate-stderr "$MAILRECV" -c a.conf -t
    [[ $stderr == *"a.conf:3:8: warning: this Redis is a node of a cluster, and mailrecv follows none of its redirections: name a Redis without one"* ]]
}
