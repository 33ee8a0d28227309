# serving.bash - starts a real super-server with mailrecv on a free loopback port, and stops it
#
# Used by tests/demo and by the tests of super-servers and clients.
# shellcheck shell=bash

PATH=$PATH:/usr/sbin # xinetd is there, and an ordinary user does not look there

# Does anything listen on port $1 of the IP version $2 (4 or 6)? The kernel's list tells without
# connecting, which would begin a session.
listening() {
    local file=/proc/net/tcp
    [ "$2" = 4 ] || file=/proc/net/tcp6
    [ -r "$file" ] && awk -v port="$(printf ':%04X$' "$1")" '$2 ~ port && $4 == "0A" { found = 1 }
                                                            END { exit !found }' "$file"
}

have_ipv6() { grep -qs '^0\{31\}1 ' /proc/net/if_inet6; }

# One xinetd service on address $1, port $2, with wait = $3; the rest is the command.
xinetd_service() {
    local address=$1 port=$2 wait=$3 server=$4
    shift 4
    cat <<EOF
service mailrecv
{
    id = mailrecv-$address
    type = UNLISTED
    protocol = tcp
    socket_type = stream
    wait = $wait
    flags = NOLIBWRAP
    user = $(id -un)
    bind = $address
    port = $port
    server = $server
    server_args = $*
}
EOF
}

# Starts super-server $1 on port $2 in directory $3 for the command that follows. It ends by itself
# after some minutes, should nobody stop it. With -wait or -fds at the end of the super-server's name, and for
# `alone`, where there is none, the command accepts the connections.
launch() {
    local kind=$1 port=$2 dir=$3 wait=no place
    local -a listen=("127.0.0.1:$port")
    ! have_ipv6 || listen+=("[::1]:$port")
    shift 3
    [[ $kind != *-wait ]] || wait=yes
    case $kind in
    xinetd*)
        xinetd_service 127.0.0.1 "$port" $wait "$@" >"$dir/xinetd.conf"
        ! have_ipv6 || xinetd_service ::1 "$port" $wait "$@" >>"$dir/xinetd.conf"
        set -- xinetd -dontfork -f "$dir/xinetd.conf" -pidfile "$dir/xinetd.pid" -filelog "$dir/xinetd.log" ;;
    openbsd-inetd-wait | inetutils-inetd-wait)
        place=usr/sbin/inetutils-inetd
        [ $kind = inetutils-inetd-wait ] || place=usr/sbin/inetd
        place=$("$TESTS/unpacked" "${kind%-wait}" $place) || return
        echo "127.0.0.1:$port stream tcp wait $(id -un) $1 ${1##*/} ${*:2}" >"$dir/inetd.conf"
        set -- "$place" -d "$dir/inetd.conf" ;;
    systemd-socket-activate)
        set -- systemd-socket-activate --accept --inetd "${listen[@]/#/--listen=}" "$@" ;;
    systemd-socket-activate-fds)
        set -- systemd-socket-activate "${listen[@]/#/--listen=}" "$@" ;;
    systemd-socket-activate-wait) # standard input can be one socket
        set -- systemd-socket-activate --inetd --listen="${listen[0]}" "$@" ;;
    alone)
        set -- "$@" "${listen[@]/#/-L}" ;;
    tcpserver)
        set -- tcpserver -HR -l localhost 127.0.0.1 "$port" "$@" ;;
    esac
    timeout "${SERVE_SECS:-120}" "$@" >"$dir/server.out" 2>&1 </dev/null &
    SERVER_PID=$!
}

# Waits until the server listens, for both versions of IP where it should. No event tells.
await_server() {
    local kind=$1 port=$2 deadline=$((SECONDS + 10))
    while [ $SECONDS -lt $deadline ] && kill -0 "$SERVER_PID" 2>/dev/null; do
        if listening "$port" 4 && { [[ $kind =~ ^tcpserver|inetd-wait|activate-wait ]] || ! have_ipv6 || listening "$port" 6; }; then
            kill -0 "$SERVER_PID" 2>/dev/null
            return
        fi
        sleep 0.02
    done
    return 1
}

declare -gA accepting=([xinetd]=xinetd-wait [systemd-socket-activate]=systemd-socket-activate-fds [tcpserver]=alone)

# start_server KIND DIRECTORY COMMAND...: sets SERVER_PID and SERVER_PORT. Another program may take
# the port between the look and the start: then another port is tried. With VIA=listener in the
# environment the command accepts, whatever the kind.
start_server() {
    local kind=$1 dir=$2
    shift 2
    [ "${VIA:-}" != listener ] || kind=${accepting[$kind]:-$kind}
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        SERVER_PORT=$((20000 + RANDOM % 12000))
        if listening "$SERVER_PORT" 4 || listening "$SERVER_PORT" 6; then continue; fi
        launch "$kind" "$SERVER_PORT" "$dir" "$@"
        ! await_server "$kind" "$SERVER_PORT" || return 0
        stop_server
    done
    echo "$kind does not start:" >&2
    cat "$dir/server.out" "$dir/xinetd.log" >&2 2>/dev/null
    return 1
}

# All processes that have come from process $1.
descendants() {
    local child
    for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do echo "$child"; descendants "$child"; done
}

# What accepts connections goes on without the super-server that has started it: all of them end.
stop_server() {
    [ -n "${SERVER_PID:-}" ] || return 0
    # shellcheck disable=SC2046 # numbers
    kill "$SERVER_PID" $(descendants "$SERVER_PID") 2>/dev/null || true
    wait "$SERVER_PID" 2>/dev/null || true
    SERVER_PID=
}
