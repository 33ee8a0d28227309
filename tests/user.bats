#!/usr/bin/env bats
# user NAME: started as root, mailrecv becomes that user before anything is read from the network

bats_require_minimum_version 1.5.0

load common

# The calls are answered by strace, so that nobody has to be root for these tests.
setup() {
    cd "$BATS_TEST_TMPDIR" || return
    printf '%s\n' 'domain mail.example.com' 'logfile log' 'user nobody' >conf
    chmod 600 conf
    printf 'NOOP\r\nQUIT\r\n' >in
}

# serve [INJECTION...]: a session of a mailrecv that believes to be root; its calls are in `trace`.
serve() {
    local words=() injection

    for injection in geteuid:retval=0 "$@"; do
        words+=(-e "inject=$injection")
    done
    strace -f -o trace "${words[@]}" "$MAILRECV" -c conf -P 192.0.2.7 <in >replies
}

# The line of the trace on which a call first stands.
line_of() { # PATTERN
    local found
    found=$(grep -nm 1 -E "$1" trace) || { echo "no $1 in the trace"; return 1; }
    echo "${found%%:*}"
}

@test "groups first, then the group, then the user, and only then the client" {
    serve setgroups:retval=0 setgid:retval=0 setuid:retval=0
    [ "$(tail -n 1 replies)" = $'221 2.0.0 Goodbye\r' ]
    groups=$(line_of 'setgroups\(')
    group=$(line_of "setgid\\($(id -g nobody)\\)")
    user=$(line_of "setuid\\($(id -u nobody)\\)")
    client=$(line_of 'read\(0, ') # what it reads only root may see
    [ "$groups" -lt "$group" ]
    [ "$group" -lt "$user" ]
    [ "$user" -lt "$client" ]
}

@test "each call that fails: 421, and nothing is read from the client" {
    for call in setgroups setgid setuid; do
        injections=(setgroups:retval=0 setgid:retval=0 setuid:retval=0)
        injections=("${injections[@]/$call:retval=0/$call:error=EPERM}")
        run -78 serve "${injections[@]}"
        [ "$(cat replies)" = $'421 The service is not configured, try again later\r' ]
        grep -q 'cannot become user nobody: Operation not permitted$' log
        run ! grep -q 'read(0, ' trace
        rm log
    done
}

@test "a user that does not exist: 421 in service, a warning of -t" {
    sed -i 's/^user.*/user nobody-of-this-name/' conf
    run -78 serve
    [ "$(cat replies)" = $'421 The service is not configured, try again later\r' ]
    grep -q 'there is no user nobody-of-this-name: ' log
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    # shellcheck disable=SC2154 # bats sets it
    [[ $stderr == *'warning: there is no user nobody-of-this-name: '* ]]
}

@test "without user the log of a root says so, and so does -t" {
    sed -i '/^user/d' conf
    serve
    grep -q 'serving as root: user NAME in the configuration changes that$' log
    sed -i '/^logfile/d' conf # it has no full path
    run -0 --separate-stderr strace -o trace -e inject=geteuid:retval=0 "$MAILRECV" -t -c conf
    [[ $stderr == *'note: no user: when it is started as root, mailrecv serves as root'* ]]
}
