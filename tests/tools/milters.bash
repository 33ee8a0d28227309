# What tests of milters share: milters that do what a script says (tests/tools/milter), and sessions with them
# shellcheck shell=bash

# A folder, and a configuration with one milter.
begin() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
    : >script
    : >seen
    : >log
    cat >milter.conf <<END
domain mail.example.com
logfile $PWD/log
milter unix:$PWD/sock
limit.milter_secs 10
quarantine append $PWD/held
deliver rcpt_to inbox@example.com append $PWD/inbox
deliver rcpt_to other@example.com append $PWD/other
END
}

teardown() {
    local service
    for service in $services; do
        kill "$service" 2>/dev/null || : # it may have been killed
        wait "$service" 2>/dev/null || :
    done
    # what libmilter would leave without an answer is never sent
    run ! grep -h ' misplaced ' seen*
}
services=''

# Starts a milter that does what `script` says; tests/tools/milter says how. With a name, what it has is script.NAME and so on.
serve() { # [NAME]
    local suffix=${1:+.$1}
    python3 "$TESTS/tools/milter" "$PWD/sock$suffix" "script$suffix" "seen$suffix" 3>&- >"ready$suffix" &
    services+=" $!"
    until [ -S "sock$suffix" ]; do sleep 0.02; done
}

# What is done at a stage, each argument a line: 'mail reject'.
script() {
    printf '%s\n' "$@" >script
}

# A session with these lines; its replies are in `replies`. `conf` may name another configuration. What the milter has seen is noted then.
session() {
    printf '%s\r\n' "$@" QUIT | "$MAILRECV" -c "${conf:-milter.conf}" -P 192.0.2.7=client.example | tr -d '\r' >replies
    for file in seen*; do
        until [ "$(grep -cE '^[0-9]+ open$' "$file")" = "$(grep -cE '^[0-9]+ (quit|gone)$' "$file")" ]; do sleep 0.01; done
    done
}

MESSAGE=(DATA 'Subject: one' 'X-Fold: a' $'\tb' '' 'Hello' '..dot' .)

# One that sends a message, to inbox or these recipients, whatever is refused.
message() {
    [ $# -gt 0 ] || set -- '<inbox@example.com>'
    session 'EHLO client.example' 'MAIL FROM:<ann@client.example> SIZE=100' "${@/#/RCPT TO:}" "${MESSAGE[@]}"
}

# What follows a refusal is no message: its lines are refused as commands.
# The replies behind EHLO and before QUIT, codes alone.
codes() {
    sed -n '/^250 HELP/,$p' replies | sed '1d;$d' | cut -c1-3 | paste -sd' '
}

# What the milter was told, without macros and answers.
told() {
    grep -Ev '^[0-9]+ (macro|>)' "seen${1:+.$1}" | cut -d' ' -f2- || :
}
