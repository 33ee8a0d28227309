# two-hosts.bash - sessions with hosts that remember together, each with its configuration HOST.conf, and what came of them
#
# Used by tests/redis.bats and tests/slow/redis.bats.

# The configurations of two hosts, `a` and `b`, which share the Redis at WHERE.
hosts() { # WHERE [LINE]...
    local host
    for host in a b; do
        printf '%s\n' 'domain mx.example' "lockout.db $1" "ledger $1" 'redis.timeout 20000' \
            "spool_directory $PWD" "deliver rcpt_to one@mx.example append $PWD/one" \
            "deliver rcpt_to two@mx.example pipe test -e $PWD/good || exit 75; echo \$DELIVERY_ID >>$PWD/ids; cat >>$PWD/two" \
            "deliver rcpt_to all@mx.example pipe cat >>$PWD/all" "${@:2}" >$host.conf
    done
}

# A session with a host; what the client hears is in `replies`.
session() { # HOST CLIENT [LINE]...
    local host=$1 client=$2
    shift 2
    printf '%s\r\n' "$@" QUIT | "$MAILRECV" -c "$host.conf" -l "$PWD/$host.log" -P "$client" | tr -d '\r' >replies
}

strike() { session "$1" "${2:-192.0.2.7}" 'MAIL FROM:<>' 'RCPT TO:<nobody@mx.example>'; }

# A message that is the same each time.
message() { # HOST RECIPIENT...
    local host=$1
    shift
    session "$host" 192.0.2.8 'EHLO client.example' 'MAIL FROM:<ann@client.example>' "${@/#/RCPT TO:}" DATA \
        'Message-ID: <1@client.example>' '' text .
}

greeting() { head -c 3 replies; }
answer() { sed -n '/^354/{n;s/ .*//p}' replies; }
copies() { grep -sc '^text$' "$1" || [ -e "$1" ] || echo 0; }
lines() { sed -nE 's/^.*\] (lockout|ledger): /\1: /p' "$1.log"; }

expect() { # GOT WANTED
    [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }
}
