# slow/tables.bats - tables that are real socketmap servers, which are unpacked for it; only root can
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load peers

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    cd "$BATS_TEST_TMPDIR"
}

teardown() { stop_peers; }

# The replies to RCPT for these, in one session.
codes() {
    { printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<>'; printf 'RCPT TO:<%s>\r\n' "$@"; printf 'QUIT\r\n'; } |
        "$MAILRECV" -c mailrecv.conf -l log -d r -P 192.0.2.7 | tr -d '\r' | sed -n '/ 2\.1\.0 /,$p' |
        sed -e 1d -e '$d' | cut -c1-3 | paste -sd' '
}

# postfix-mta-sts-resolver is for Postfix: a policy for each domain, by socketmap. It has none for what it is asked here.
start_resolver() { # PORT
    cat >resolver.yml <<END
host: 127.0.0.1
port: $1
cache:
  type: internal
  options:
    cache_size: 100
proactive_policy_fetching:
  enabled: false
default_zone:
  timeout: 1
END
    start_peer resolver postfix-mta-sts-resolver '' mta-sts-daemon -c resolver.yml
    await_port "$1"
}

@test "a socketmap server that was written for Postfix: asked several times, gone, there again" {
    local port
    port=$(free_port)
    cat >mailrecv.conf <<END
domain mx.example
spool_directory $PWD
table policies socketmap 127.0.0.1:$port postfix
deliver rcpt_to table:policies append /dev/null
deliver rcpt_to b@mx.invalid append /dev/null
END
    start_resolver "$port"
    [ "$(codes a@mx.invalid b@mx.invalid '"c d"@mx.invalid' e@[192.0.2.1])" = '550 250 550 550' ]
    [ "$(grep -c 'table policies does not have' log)" = 8 ]
    stop_peer resolver
    [ "$(codes a@mx.invalid b@mx.invalid)" = '451 451' ]
    grep 'table failed table="policies" key="a@mx.invalid" reason="cannot connect to 127.0.0.1' log
    start_resolver "$port"
    [ "$(codes b@mx.invalid)" = 250 ]
}
