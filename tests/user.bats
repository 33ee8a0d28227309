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

# ---- what root opens, and makes (root only) ------------------------------------------------------

# A directory `state` of nobody, and one of root, `etc`; the log of the configuration lies in the former.
with_state() {
    [ "$(id -u)" = 0 ] || skip 'only root can become somebody else'
    chmod 711 "$BATS_TEST_TMPDIR"
    install -d -o nobody -m 700 state
    install -d -m 700 etc
    printf 'domain mail.example.com\nuser nobody\nlogfile %s/state/log\n' "$PWD" >conf
    # bats makes its directories so that others can only pass through where they are told to
    HERE=$PWD
    while [ "$HERE" != /tmp ] && [ "$HERE" != / ]; do chmod o+x "$HERE"; HERE=${HERE%/*}; done
}

as_nobody() { setpriv --reuid nobody --regid nogroup --clear-groups "$@"; }

quit() { # [OPTION...]: a session of root that says QUIT only
    timeout 20 "$MAILRECV" -c conf -P 192.0.2.7 "$@" <in >replies
    [ "$(tail -n 1 replies)" = $'221 2.0.0 Goodbye\r' ]
}

@test "a log that is made belongs to the user and has mode 640, by logfile and by -l, whatever the umask" {
    with_state
    for mask in 000 022 077; do
        (umask "$mask" && quit && quit -l "$PWD/etc/log")
        [ "$(stat -c '%U %a' state/log etc/log | tr '\n' ,)" = 'nobody 640,nobody 640,' ]
        rm state/log etc/log
    done
}

@test "root opens no log through links, other names and FIFOs that the user can have put there" {
    with_state
    echo root >etc/there
    as_nobody mkfifo state/fifo
    ln -s "$PWD/etc" state/directory
    ln "$PWD/etc/there" state/name
    ln -s "$PWD/etc/there" state/link
    ln -s "$PWD/etc/new" state/dangling
    ln -s ../state/link etc/chain # root's own, that leads through one that is not
    for place in state/link state/dangling state/directory/there state/directory/new state/name etc/chain; do
        sed -i "s,^logfile.*,logfile $PWD/$place," conf
        quit
        quit -l "$PWD/$place"
        [ "$(cat etc/there)" = root ]
        [ ! -e etc/new ]
    done
    sed -i "s,^logfile.*,logfile $PWD/state/fifo," conf
    exec {reader}<>state/fifo
    quit # the user itself may write to what it has made
    exec {reader}<&-
}

@test "root's own links in its own directories are followed, and a log that only root can write is written" {
    with_state
    ln -s real etc/log
    ln -s etc here
    sed -i "s,^logfile.*,logfile $PWD/here/log," conf
    touch etc/real
    quit
    grep -q ' end reason=quit ' etc/real
    [ "$(stat -c %U etc/real)" = root ]
}

@test "where root may not open the log, the user does" {
    with_state
    as_nobody touch state/real
    as_nobody ln -s real state/log
    quit
    grep -q ' end reason=quit ' state/real
    [ "$(stat -c %U state/real)" = nobody ]
}

@test "root reads no users file through a link of the user, and a FIFO keeps nobody waiting" {
    with_state
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann >etc/users 2>prompts
    chmod 600 etc/users
    printf 'auth optional\nauth.insecure on\nauth.users %s/etc/users\n' "$PWD" >>conf
    printf 'EHLO me\r\nAUTH PLAIN %s\r\nQUIT\r\n' "$(printf '\0ann\0secret' | base64)" >in
    quit
    grep -q '^235' replies
    as_nobody ln -s "$PWD/etc/users" state/link
    as_nobody mkfifo state/fifo
    for place in link fifo; do
        sed -i "s,^auth.users.*,auth.users $PWD/state/$place," conf
        quit
        grep -q '^454' replies
    done
}

@test "-t warns of a log where others than root can put something else" {
    with_state
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == *"conf:3:9: warning: others than root can write to $PWD/state, and so put something else"* ]]
    sed -i "s,^logfile.*,logfile $PWD/etc/log," conf
    run --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr != *'others than root can write'* ]]
}

@test "-P, -n and -r of root make nothing in a directory of the user who serves, but as that user" {
    with_state
    printf 'HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.com>\r\nDATA\r\n\r\nhi\r\n.\r\nQUIT\r\n' >in
    printf 'Subject: x\n\ntext\n' >message
    printf 'domain mail.example.com\nlockout.db %s/state/contacts\ndeliver rcpt_to joe@example.com append %s/state/box\n' \
        "$PWD" "$PWD" >plain.conf
    cp plain.conf conf
    chmod 644 conf
    for what in '-P 192.0.2.7' "-r $PWD/message"; do
        # shellcheck disable=SC2086 # words
        run -64 "$MAILRECV" -c conf -l "$PWD/etc/log" $what -u nobody-of-this-name <in
        # shellcheck disable=SC2086 # words
        run -64 "$MAILRECV" -c conf -l "$PWD/etc/log" $what <in
        [[ $output == *"$PWD/state/box would be made by root, and others than root use that directory"* ]]
        [ -z "$(ls state)" ]
    done
    printf 'logfile %s/state/log\n' "$PWD" >>conf
    run -64 "$MAILRECV" -c conf -P 192.0.2.7 -n <in
    [[ $output == *"$PWD/state/log would be made by root"* ]]
    [ -z "$(ls state)" ]
    quit -u nobody
    grep -q '^250 2.0.0 Ok, delivered' replies
    [ "$(stat -c %U state/* | sort -u)" = nobody ]
    [ "$(ls state | tr '\n' ' ')" = 'box contacts log ' ]
    rm state/*
    "$MAILRECV" -r "$PWD/message" -c conf -u nobody from a@b.example rcpt joe@example.com
    [ "$(stat -c '%U' state/* | sort -u)" = nobody ]
    as_nobody "$MAILRECV" -c conf -P 192.0.2.7 <in >replies # what the service does
    grep -q '^250 2.0.0 Ok, delivered' replies
    rm state/*
    quit -u root # who means it
    [ "$(stat -c %U state/box)" = root ]
}

@test "-u with -P is for root" {
    [ "$(id -u)" = 0 ] || skip 'somebody else is to be tried'
    cp "$MAILRECV" mailrecv
    chmod 755 . mailrecv
    run -64 as_nobody ./mailrecv -c conf -P 192.0.2.7 -u root
    [[ $output == *"only root can become 'root'"* ]]
}
