# What tests of handing over share: a next server that plays a part, behind a delivery that tools/delivery.bash begins
# shellcheck shell=bash

teardown() { stop_next; }

stop_next() {
    [ ! -e server.pid ] || kill "$(cat server.pid)" 2>/dev/null || true
}

# Starts that server: tools/next-server says what the arguments are. It is at the socket `next`, without another place.
next() { # [OPTION VALUE]... [PORT] VERB=REPLY...
    local options=() where="$HERE/next"

    stop_next
    rm -f next port closed
    while [[ ${1-} == -* ]]; do options+=("$1" "$2"); shift 2; done
    if [[ ${1-} =~ ^[0-9]+$ ]]; then where=$1; shift; fi
    "$TESTS/tools/next-server" "${options[@]}" "$where" "$@" 3>&- &
    echo $! >server.pid
    until_true test -e next -o -e port
}

mail() { # RECIPIENT...
    printf 'Subject: x\n\ntext\n' | send ann@a.example "$@"
}

# What the server was told, without the message, CRs, and numbers.
commands() {
    tr -d '\r' <heard | grep -aE '^(LHLO|EHLO|HELO|STARTTLS|AUTH|MAIL|RCPT|DATA|BDAT|RSET|QUIT)' | sed -E 's/(SIZE=|BDAT )[0-9]+/\1N/'
}

# Which recipients had which result, one after the other.
results() {
    sed -nE 's/^.*\] delivery result=([a-z]+) .* to="([^"@]*)@[^"]*".*$/\2=\1/p' log | tr '\n' ' '
}
