# rabbit.bash - starts a RabbitMQ with its own little name server in the directory where we are, which it keeps to
#
# Used by tests/slow/publish.bats, tests/slow/scale.bats and by bench/run.
# shellcheck shell=bash

# rabbitmq.conf is the caller's. in-rabbit runs a program of RabbitMQ so that it finds it; stop_rabbit stops it. The node is
# test@ADDRESS; those of a cluster have EPMD_PORT in common, and what is in .erlang.cookie.
start_rabbit() { # PORT [ADDRESS]
    local address=${2:-127.0.0.1} epmd distribution
    epmd=${EPMD_PORT:-$(free_port)}
    distribution=$(free_port)
    timeout 3600 epmd -port "$epmd" -address "$address" >epmd.out 2>&1 3>&- </dev/null &
    echo $! >epmd.pid
    cat >in-rabbit <<END
#!/bin/sh
exec env -i PATH="/usr/lib/rabbitmq/bin:$PATH" HOME="$PWD" ERL_EPMD_PORT="$epmd" RABBITMQ_CONF_ENV_FILE=/dev/null \\
    RABBITMQ_USE_LONGNAME=true RABBITMQ_NODENAME=test@$address RABBITMQ_MNESIA_BASE="$PWD/mnesia" RABBITMQ_LOG_BASE="$PWD/broker" \\
    RABBITMQ_CONFIG_FILE="$PWD/rabbitmq.conf" RABBITMQ_ENABLED_PLUGINS_FILE="$PWD/plugins" RABBITMQ_PID_FILE="$PWD/pid" \\
    RABBITMQ_NODE_IP_ADDRESS=$address RABBITMQ_NODE_PORT="$1" RABBITMQ_DIST_PORT="$distribution" \\
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {${address//./,}}' "\$@"
END
    chmod 755 in-rabbit
    run_rabbit
}

# Again, after its end, with all that it has kept.
run_rabbit() {
    rm -f broker.out # what it said before would be taken for its beginning
    ./in-rabbit timeout 3600 rabbitmq-server >broker.out 2>&1 3>&- </dev/null &
    echo $! >broker.pid
    wait_for broker.out 'Starting broker... completed' 240
}

# It writes here until its end.
stop_rabbit() {
    local file
    for file in broker.pid epmd.pid; do
        [ ! -e $file ] || kill "$(cat $file)" 2>/dev/null || true
    done
    [ ! -e broker.pid ] || tail --pid="$(cat broker.pid)" -f /dev/null
}
