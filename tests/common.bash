# common.bash - what all bats files share: where things are, how to wait for a line, sanitised runs
# shellcheck shell=bash

# The directory of the tests, and the program under test: ours unless the environment names another.
TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MAILRECV=${MAILRECV:-$TESTS/../mailrecv}
MAILRECV=$(cd "$(dirname "$MAILRECV")" && pwd)/${MAILRECV##*/}
export TESTS MAILRECV

# Waits until a line of FILE matches the extended regular expression PATTERN, SECONDS (10) at most.
# For what no event announces; the file need not exist yet.
wait_for() { # FILE PATTERN [SECONDS]
    local end=$((SECONDS + ${3:-10}))

    until [ -e "$1" ] && grep -qE -e "$2" "$1"; do
        if [ "$SECONDS" -gt "$end" ]; then
            echo "no line of $1 matches $2; it holds:"
            cat "$1"
            return 1
        fi
        sleep 0.02
    done
}

# A TCP port of loopback that nobody has, below those that the kernel gives to clients: none of them takes it meanwhile.
free_port() {
    local port

    until port=$((10000 + RANDOM % 20000)) && ! grep -qi "$(printf ':%04X ' "$port")" /proc/net/tcp /proc/net/tcp6; do :; done
    echo "$port"
}
