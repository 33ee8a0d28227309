# publish.sh - how many messages a second get into RabbitMQ; read by run
# shellcheck shell=bash

# shellcheck source=tests/common.bash
. "$HERE/../tests/common.bash"
# shellcheck source=tests/rabbit.bash
. "$HERE/../tests/rabbit.bash"

# Messages a second, 50 at once, each by this command of its own, as mailrecv starts it: without a shell, whose start would cost
# as much as that of the command. All have one open file as standard input, of which they must leave the offset alone.
publishing() { # MESSAGES COMMAND...
    local begin end count=$1
    shift
    begin=$(date +%s%N)
    xargs -a <(seq "$count") -P 50 -I '{}' "$@" <message
    end=$(date +%s%N)
    echo $((count * 1000000000 / (end - begin)))
}

# The subjects in turn: mailrecv-publish with and without a connection that is kept; and amqp-publish, which waits for no
# confirmation, and has the message on its command line, since it would read that file to its end. The queue must have all of them in the end.
test_publish() {
    local port rounds=$(((ROUNDS + 39) / 40)) messages=1000 subject kept
    "$HERE/../tests/deps" brokers
    port=$(free_port)
    mkdir -p "$DIR/rabbit"
    cd "$DIR/rabbit"
    printf 'default_user = mailrecv\ndefault_pass = secret\n' >rabbitmq.conf
    (umask 077 && echo mailrecv:secret >password)
    printf 'username:mailrecv\npassword:secret\n' >amqp
    { printf 'Subject: x\n\n'; seq 700; } >message
    start_rabbit "$port"
    amqp-declare-queue -s 127.0.0.1 --port="$port" --authfile=amqp -d -q mail >/dev/null
    for _ in $(seq "$rounds"); do
        publishing "$messages" "${MAILRECV%/*}/mailrecv-publish" -k 5 -a password "amqp://127.0.0.1:$port" '' mail >>mailrecv-publish
        publishing "$messages" "${MAILRECV%/*}/mailrecv-publish" -a password "amqp://127.0.0.1:$port" '' mail >>without-k
        publishing "$messages" amqp-publish -s 127.0.0.1 --port="$port" --authfile=amqp -p -r mail -b "$(cat message)" >>amqp-publish
    done
    kept=$(./in-rabbit rabbitmqctl -q list_queues messages --no-table-headers)
    printf '%-16s %8s %8s   messages of 2.7 KB a second into RabbitMQ, 50 at once\n' publish median least
    for subject in mailrecv-publish without-k amqp-publish; do
        sort -n $subject | awk -v subject=$subject -v figures="$FIGURES" '{ v[NR] = $1 } END {
            median = v[int((NR + 1) / 2)]
            printf "%-16s %8d %8d\n", subject, median, v[1]
            printf "publish\t%s\trate\t%d\t%d\n", subject, median, v[1] >>figures }'
    done
    [ "$kept" -eq $((3 * rounds * messages)) ] || echo "publish: $kept messages are in the queue, of $((3 * rounds * messages))"
    stop_rabbit
    cd "$HERE"
    echo
}
