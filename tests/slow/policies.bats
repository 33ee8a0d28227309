# slow/policies.bats - the recipes with real policy services, which are unpacked for them; only root can
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

AS=()
SERVICES=()

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    begin_with_program
}

teardown() {
    stop_peers
    for pid in "${SERVICES[@]}"; do
        kill "$pid" || :
        wait "$pid" || :
    done
    stop_server
}

# A session of a client that is told to be this one, with a sender at this domain.
try() { # ADDRESS DOMAIN
    printf '%s\r\n' "EHLO $2" "MAIL FROM:<ann@$2>" 'RCPT TO:<inbox@example.com>' 'RCPT TO:<inbox@example.com>' \
        DATA 'Subject: x' . QUIT | "$MAILRECV" -c mailrecv.conf -l log -P "$1=$2"
}

check_spf() { # PROGRAM PATTERN-OF-FIELD
    export PROGRAM=$1 FIELD=$2
    printf '%s\n' 'good.example v=spf1 ip4:192.0.2.7 -all' 'soft.example v=spf1 ~all' >records
    export -f try
    in_a_network postfix-policyd-spf-python,postfix-policyd-spf-perl policyd-spf <<'END'
[ -x "$PROGRAM" ]
try 192.0.2.7 good.example | tee replies
grep '^250 2\.0\.0 Ok' replies
grep -iE "^$FIELD: pass " lib/inbox
[ "$(grep -ciE "^$FIELD:" lib/inbox)" = 1 ]
grep -iE "policy action=prepend stage=rcpt .*text=.$FIELD: pass" log
try 192.0.2.66 good.example | tee replies
grep '^550 5\.7\.' replies
grep "ERROR: 550 - stage=rcpt .*policy=rcpt service=$PROGRAM" log
try 192.0.2.66 soft.example | grep '^250 2\.0\.0 Ok'
grep -i "^$FIELD: softfail " lib/inbox
try 192.0.2.66 none.example | grep '^250 2\.0\.0 Ok'
! grep 'policy failed' log
END
}

@test "recipe: Check SPF" {
    recipe_without_check 'Check SPF'
    check_spf /usr/bin/policyd-spf Received-SPF
}

@test "SPF by the service in Perl" {
    recipe_without_check 'Check SPF' -e 's,/usr/bin/policyd-spf,/usr/sbin/postfix-policyd-spf-perl,'
    check_spf /usr/sbin/postfix-policyd-spf-perl Received-SPF
}

# The program is there only where it is unpacked.
recipe_without_check() {
    local there=$MAILRECV
    MAILRECV=true
    recipe "$@"
    MAILRECV=$there
}

@test "recipe: Greylist" {
    local port
    port=$(free_port)
    recipe 'Greylist' -e "s/10023/$port/"
    mkdir greylist
    chmod 777 greylist
    start_peer postgrey postgrey postgrey postgrey --inet="127.0.0.1:$port" --dbdir="$PWD/greylist" --delay=2 --user=postgrey \
        --group=postgrey --whitelist-clients=/dev/null --whitelist-recipients=/dev/null
    await_port "$port"
    try 192.0.2.7 client.example >replies
    grep '^450 4\.2\.0 Greylisted' replies
    [ ! -e lib/inbox ]
    until try 192.0.2.7 client.example | grep '^250 2\.0\.0 Ok'; do sleep 0.5; done
    grep '^X-Greylist: delayed ' lib/inbox
    stop_peer postgrey
    try 192.0.2.7 client.example | grep '^451 4\.3\.5'
}

# A service that answers what is in `answers`, where others can connect to it.
serve_at() { # NAME
    : >"asked.$1"
    chmod 666 "asked.$1"
    python3 "$TESTS/tools/policy-service" answers "asked.$1" "$PWD/$1" 3>&- &
    SERVICES+=($!)
    until [ -S "$1" ]; do sleep 0.02; done
    chmod 777 "$1"
}

@test "decisions and questions are those of Postfix, each action at each stage and in 200 generated cases" {
    local stage port
    : >answers
    serve_at theirs
    serve_at ours
    { for stage in client helo sender recipient data end_of_data; do
        echo "smtpd_${stage}_restrictions = check_policy_service unix:$PWD/theirs"
    done
    printf '%s\n' 'smtpd_delay_reject = no' 'smtpd_error_sleep_time = 0'; } >main.cf
    start_postfix_peer
    port=$(free_port)
    cat >mailrecv.conf <<END
domain mail.example.com
dns.reverse off
policy connect,helo,mail,rcpt,data,end unix:$PWD/ours
quarantine append /dev/null
limit.client_sessions 100
deliver rcpt_to @example.com append /dev/null
END
    timeout 240 "$MAILRECV" -L "127.0.0.1:$port" -c mailrecv.conf -l "$PWD/log" >mailrecv.out 2>&1 3>&- </dev/null &
    SERVER_PID=$!
    await_port "$port"
    run "$TESTS/tools/beside-postfix" answers "$POSTFIX_PORT" asked.theirs "$port" asked.ours 200
    echo "$output"
    [ "${lines[-1]}" = '473 sessions, 0 differ' ]
}
