# slow/lmtp-clients.bats - Postfix, Exim and OpenSMTPD hand mail to mailrecv by LMTP: each recipient has an outcome of its
# own, and what was missing comes again, once. The same by SMTP with a ledger. Needs root.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load peers

setup() {
    begin_behind_peers
    mkdir -m 777 flags
    SERVERS=()
    NEVER=never # in SMTP that is no for all
}

teardown() {
    stop_peers
    for SERVER_PID in "${SERVERS[@]}"; do stop_server; done
}

# What the commands of all recipients do: NAME@WAY is stored in mail/NAME@WAY. A file flags/NAME@WAY stands for what is
# broken; it is mended by removing it, which `cut` does itself, before it ends the session that has started it.
configure() {
    cat >mailrecv.conf <<END
domain store.example.com
${PROTOCOL:-protocol lmtp}
logfile $PWD/log
deliver rcpt_to /^(ann|eve|bounces)@/ exec $PWD/store
deliver rcpt_to /^broken@/ exec $PWD/store
deliver rcpt_to /^never@/ pipe echo "Not wanted"; exit 65
deliver rcpt_to /^cut@/ exec $PWD/cut-off
$1
deliver rcpt_to /^postmaster(@|$)/ append $PWD/postmaster
END
}

prepare() {
    configure 'refuse rcpt_to /^later@/ 450 4.2.0 Not now'
    cat >store <<END
#!/bin/sh
[ ! -e "$PWD/flags/\$RECIPIENT" ] && { cat; echo end; } >>"$PWD/mail/\$RECIPIENT"
END
    cat >cut-off <<END
#!/bin/sh
rm "$PWD/flags/\$RECIPIENT" 2>/dev/null && kill -KILL \$PPID && sleep 60
exec "$PWD/store"
END
    chmod 755 store cut-off
    printf '%s\n' 'From: bounces@alone.example.com' 'Subject: test' '' text >message
    sed 's/test/cut/' message >message-cut
}

# Mends what is broken, but for what nobody wants.
mend() {
    configure "deliver rcpt_to /^later@/ exec $PWD/store"
    rm -f flags/*
}

# A mailrecv at TCP for each of the ways; sets WAY_PORT[WAY].
start_mailrecv() {
    local way
    declare -gA WAY_PORT=()
    for way in systemd xinetd alone; do
        mkdir "$way"
        start_server "${way/%systemd/systemd-socket-activate}" "$PWD/$way" "$MAILRECV" -c "$PWD/mailrecv.conf"
        SERVERS+=("$SERVER_PID")
        WAY_PORT[$way]=$SERVER_PORT
    done
}

# One more, at a UNIX socket.
start_mailrecv_at() { # PATH
    timeout 120 "$MAILRECV" -c "$PWD/mailrecv.conf" -L "$1" >unix.out 2>&1 3>&- </dev/null &
    SERVERS+=($!)
    await_socket "$1"
    chmod 777 "$1"
}

# A message for all recipients of these ways; and one of those whose session is cut.
send_all() { # PORT WAY...
    local way port=$1
    shift
    for way; do
        touch "flags/broken@$way.example.com" "flags/cut@$way.example.com"
        # shellcheck disable=SC2046 # words
        curl -sS "smtp://127.0.0.1:$port" --mail-from bounces@alone.example.com -T message \
            $(printf -- "--mail-rcpt %s@$way.example.com " ann later broken $NEVER gone eve)
        # shellcheck disable=SC2046 # words
        curl -sS "smtp://127.0.0.1:$port" --mail-from bounces@alone.example.com -T message-cut \
            $(printf -- "--mail-rcpt %s@$way.example.com " ann cut eve)
    done
}

# How many messages are stored for each recipient: `NAME N` in one line.
stored() { # WAY
    local name
    for name in ann later broken never gone cut eve; do
        echo "$name $(cat "mail/$name@$1.example.com" 2>/dev/null | grep -c '^end$')"
    done | paste -sd ' '
}

# Waits until so many are stored, and no more.
await_stored() { # EXPECTED WAY...
    local way expected=$1 end=$((SECONDS + 30))
    shift
    for way; do
        until [ "$(stored "$way")" = "$expected" ]; do
            [ $SECONDS -lt $end ] || { echo "$way: $(stored "$way")"; return 1; }
            sleep 0.1
        done
    done
}

before='ann 2 later 0 broken 0 never 0 gone 0 cut 0 eve 1'
after='ann 2 later 1 broken 1 never 0 gone 0 cut 1 eve 2'

retry_postfix() { in_peer postfix postqueue -c "$PWD/postfix" -f; }
retry_exim() { in_peer exim exim4 -qf; }

# Nothing is left in the queue of the one that runs.
await_empty() {
    for _ in $(seq 300); do
        if [ -n "${PEERS[exim]:-}" ]; then
            [ -n "$(in_peer exim exim4 -bp)" ] || return 0
        else
            ! in_peer postfix postqueue -c "$PWD/postfix" -p | grep -q 'queue is empty' || return 0
        fi
        sleep 0.1
    done
    return 1
}

# Routers and transports of Exim for all ways by TCP, with these lines of the transport.
exim_ways() { # LINE...
    local way
    for way in "${!WAY_PORT[@]}"; do
        printf '%s:\n  driver = manualroute\n  domains = %s.example.com\n  route_list = * 127.0.0.1\n  self = send\n  transport = %s\n' \
            "$way" "$way" "$way" >>exim.router
        { printf '%s:\n  driver = smtp\n  port = %s\n  allow_localhost\n' "$way" "${WAY_PORT[$way]}" && printf '  %s\n' "$@"; } >>exim.transport
    done
}

# What Postfix and Exim do: the answered are settled, whoever is refused for good is told to the sender, the others come again.
tells_and_retries() { # PORT RETRY WAY...
    local port=$1 retry=$2 way name
    shift 2
    send_all "$port" "$@"
    await_stored "${BEFORE:-$before}" "$@"
    mend
    $retry
    await_stored "$after" "$@"
    $retry # has nothing left to send again
    for way; do
        for name in $NEVER gone; do
            wait_for mail/bounces@alone.example.com "$name@$way.example.com"
        done
    done
    await_empty
    await_stored "$after" "$@"
    run -1 grep -E '^<?(ann|later|broken|cut|eve)@' mail/bounces@alone.example.com
}

@test "Postfix, by TCP and by a UNIX socket" {
    prepare
    start_mailrecv
    {
        printf 'relay_domains = example.com, unix.example.com\ntransport_maps = inline:{'
        for way in "${!WAY_PORT[@]}"; do printf '%s.example.com=lmtp:inet:127.0.0.1:%s, ' "$way" "${WAY_PORT[$way]}"; done
        printf 'unix.example.com=lmtp:unix:private/mailrecv}\n' # from its chroot
        printf 'virtual_mailbox_domains =\nparent_domain_matches_subdomains = relay_domains\n'
    } >main.cf
    start_postfix_peer
    start_mailrecv_at "$PWD/postfix/queue/private/mailrecv"
    tells_and_retries "$POSTFIX_PORT" retry_postfix "${!WAY_PORT[@]}" unix
}

@test "Exim, by TCP, by a UNIX socket, and with a mailrecv that it starts for each transaction" {
    prepare
    start_mailrecv
    start_mailrecv_at "$PWD/socket"
    exim_ways 'protocol = lmtp'
    for way in unix command; do
        printf '%s:\n  driver = accept\n  domains = %s.example.com\n  transport = %s\n' "$way" "$way" "$way" >>exim.router
    done
    cat >>exim.transport <<END
unix:
  driver = lmtp
  socket = $PWD/socket
  batch_max = 100
command:
  driver = lmtp
  command = "$MAILRECV -c $PWD/mailrecv.conf"
  user = nobody
  batch_max = 100
END
    start_exim
    tells_and_retries "$EXIM_PORT" retry_exim "${!WAY_PORT[@]}" unix command
}

@test "OpenSMTPD, which has a connection for each recipient, and keeps what is refused" {
    prepare
    start_mailrecv
    start_mailrecv_at "$PWD/socket"
    WAY_PORT[unix]=
    {
        echo 'table users { "@" = nobody }'
        for way in "${!WAY_PORT[@]}"; do
            place=127.0.0.1:${WAY_PORT[$way]}
            [ "$way" != unix ] || place=$PWD/socket
            echo "action \"$way\" lmtp \"$place\" rcpt-to virtual <users>"
            echo "match from any for domain $way.example.com action \"$way\""
        done
    } >smtpd.conf
    start_opensmtpd
    send_all "$OPENSMTPD_PORT" "${!WAY_PORT[@]}"
    await_stored 'ann 2 later 0 broken 0 never 0 gone 0 cut 0 eve 2' "${!WAY_PORT[@]}"
    mend
    in_peer opensmtpd smtpctl schedule all
    await_stored "$after" "${!WAY_PORT[@]}"
    run -0 in_peer opensmtpd smtpctl show queue
    [ "$(grep -cE '(never|gone)@' <<<"$output")" -eq $((2 * ${#WAY_PORT[@]})) ]
    [ "${#lines[@]}" -eq $((2 * ${#WAY_PORT[@]})) ]
}

# One reply for all: what the ledger knows is not delivered again.
in_one_reply() {
    PROTOCOL="ledger $PWD/ledger" NEVER=''
    BEFORE='ann 2 later 0 broken 0 never 0 gone 0 cut 0 eve 0'
    prepare
    start_mailrecv
}

@test "Postfix, by SMTP, with a ledger" {
    in_one_reply
    {
        printf 'relay_domains = example.com\nparent_domain_matches_subdomains = relay_domains\nvirtual_mailbox_domains =\n'
        printf 'transport_maps = inline:{%s}\n' \
            "$(for way in "${!WAY_PORT[@]}"; do printf '%s.example.com=smtp:[127.0.0.1]:%s ' "$way" "${WAY_PORT[$way]}"; done)"
    } >main.cf
    start_postfix_peer
    tells_and_retries "$POSTFIX_PORT" retry_postfix "${!WAY_PORT[@]}"
    grep -q ' delivery result=already ' log
}

@test "Exim, by SMTP without PRDR, with a ledger" {
    in_one_reply
    exim_ways 'hosts_try_prdr ='
    start_exim
    tells_and_retries "$EXIM_PORT" retry_exim "${!WAY_PORT[@]}"
    grep -q ' delivery result=already ' log
}
