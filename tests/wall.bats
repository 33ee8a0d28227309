#!/usr/bin/env bats
# The wall: what a session process is, what it cannot do, and what happens when one of the two processes dies.

bats_require_minimum_version 1.5.0

load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    printf '%s\n' 'domain mail.example.com' 'logfile log' 'sandbox on' \
        'deliver rcpt_to user@example.com append box' >conf
    chmod 600 conf
}

# A session that waits for its client: descriptors 8 (to it) and 9 (from it); $monitor and $session are its processes.
begin_session() {
    coproc CLIENT { exec "$MAILRECV" -c conf -P 192.0.2.7 2>stderr; }
    monitor=$CLIENT_PID
    exec 8>&"${CLIENT[1]}" 9<&"${CLIENT[0]}"
    read -r -t 10 greeting <&9
    [[ $greeting == "220 mail.example.com "* ]]
    printf 'NOOP\r\n' >&8 # answered by the session process: it is confined by now
    read -r -t 10 line <&9
    [[ $line == 250* ]]
    session=$(tr -d ' ' <"/proc/$monitor/task/$monitor/children")
}

# Both ends of the connection as the client sees them are closed.
connection_ends() {
    ! read -r -t 10 line <&9
}

misbehave() {
    local objects client=/dev/null
    [ ! -e client ] || client=client
    if [ ! -x "$BATS_FILE_TMPDIR/misbehave" ]; then
        objects=$(make -s -C "$TESTS/.." print-objects | tr ' ' '\n' | grep -v '/smtp\.o$')
        (cd "$TESTS/.." && cc -std=gnu11 -D_GNU_SOURCE -I. -fPIE -pie -o "$BATS_FILE_TMPDIR/misbehave" tests/misbehave.c $objects ${LDFLAGS:-})
    fi
    MISBEHAVE=$1 "$BATS_FILE_TMPDIR/misbehave" -c conf -P 192.0.2.7 0<>"$client" >out 2>stderr
}

# Whatever it was: nothing was delivered, the monitor lived to tell, and the session did not survive it.
is_killed() {
    misbehave "$1"
    grep -q 'end reason=killed signal=31$' log
    [ ! -s out ]
    [ ! -e box ]
}

is_violation() {
    misbehave "$1"
    grep -q "violation: the session sent a $2 and is ended\$" log
    [ ! -s out ]
    [ ! -e box ]
}

@test "the session process has the client, the channel and nothing else" {
    misbehave descriptors 7<conf
    [ "$(cat out)" = $'0\n1\n2\nSURVIVED' ]
}

@test "the session process is not dumpable, has no new privileges, and a seccomp filter" {
    begin_session
    grep -q '^NoNewPrivs:[[:space:]]1$' "/proc/$session/status"
    grep -q '^Seccomp:[[:space:]]2$' "/proc/$session/status"
    grep -q '^NoNewPrivs:[[:space:]]0$' "/proc/$monitor/status"
    grep -q '^Max processes  *0  *0 ' "/proc/$session/limits"
    grep -q '^Max core file size  *0  *0 ' "/proc/$session/limits"
    grep -q '^Max open files  *6  *6 ' "/proc/$session/limits"
}

@test "the monitor does not hold the connection" {
    begin_session
    [ "$(readlink "/proc/$monitor/fd/0")" = /dev/null ]
    [ "$(readlink "/proc/$monitor/fd/1")" = /dev/null ]
}

# Which CPUs the processes of the session, or those named, may use.
cpus_of() { sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$@"; }

# Sends a line and hears a whole reply, of that code.
converse() { # CODE LINE
    printf '%s\r\n' "$2" >&8
    read -r -t 10 line <&9
    [[ $line == "$1"* ]]
}

@test "a session that goes on for longer than a moment may use every CPU, and so may its commands" {
    local all
    all=$(cpus_of /proc/self/status)
    printf '%s\n' 'deliver rcpt_to command@example.com pipe grep Cpus_allowed_list /proc/self/status >cpus' >>conf
    begin_session
    until [ "$(cpus_of "/proc/$session/status" "/proc/$monitor/status")" = "$all"$'\n'"$all" ]; do sleep 0.01; done
    converse 250 'HELO client.example.com'
    converse 250 'MAIL FROM:<>'
    converse 250 'RCPT TO:<command@example.com>'
    converse 354 DATA
    converse 250 .
    [ "$(cpus_of cpus)" = "$all" ]
    converse 221 QUIT
}

@test "on a terminal the log on standard error is seen to the end" {
    # the log and the dialogue on one terminal, as whoever tries out a configuration has them
    printf 'NOOP\rQUIT\r' | timeout 20 script -qec "'$MAILRECV' -c conf -l stderr" /dev/null >seen
    grep -q '221 2.0.0 Goodbye' seen
    grep -q 'MAILRECV.*: \[127\.0\.0\.1\] end reason=quit ' seen
}

@test "with sandbox off there is one process" {
    sed -i 's/^sandbox.*/sandbox off/' conf
    begin_session
    [ -z "$session" ]
    grep -q '^Seccomp:[[:space:]]0$' "/proc/$monitor/status"
}

@test "a killed session ends connection and monitor" {
    begin_session
    kill -KILL "$session"
    connection_ends
    wait "$monitor"
    grep -q 'end reason=killed signal=9$' log
}

@test "a killed monitor ends session and connection" {
    begin_session
    kill -KILL "$monitor"
    connection_ends
}

@test "SIGTERM for the monitor: the client hears 421" {
    begin_session
    kill -TERM "$monitor"
    read -r -t 10 line <&9
    [[ $line == "421 4.3.2 "* ]]
    connection_ends
    wait "$monitor"
    grep -q ' end reason=terminated ' log
}

@test "without Landlock: try says so once and serves, on refuses" {
    sed -i 's/^sandbox.*/sandbox try/' conf
    printf 'QUIT\r\n' >in
    run -0 strace -f -o trace -e inject=landlock_create_ruleset:error=ENOSYS "$MAILRECV" -c conf -P 192.0.2.7 <in
    [[ ${lines[1]} == 221* ]]
    [ "$(grep -c 'sandbox: this kernel has no Landlock$' log)" = 1 ]
    sed -i 's/^sandbox.*/sandbox on/' conf
    run -78 strace -f -o trace -e inject=landlock_create_ruleset:error=ENOSYS "$MAILRECV" -c conf -P 192.0.2.7 <in
    [[ $output == 421* ]]
}

@test "without Landlock -t warns, or finds an error with sandbox on" {
    sed -i 's/^sandbox.*/sandbox try/' conf
    run -1 strace -f -o trace -e inject=landlock_create_ruleset:error=ENOSYS "$MAILRECV" -t -c conf
    [[ $output == *'conf: warning: sandbox: this kernel has no Landlock'* ]]
    sed -i 's/^sandbox.*/sandbox on/' conf
    run -78 strace -f -o trace -e inject=landlock_create_ruleset:error=ENOSYS "$MAILRECV" -t -c conf
    grep -x 'conf: sandbox: this kernel has no Landlock' <<<"$output"
}

@test "a session that opens a file is killed" { is_killed open; }
@test "a session that executes a program is killed" { is_killed exec; }
@test "a session that starts a process is killed" { is_killed fork; }
@test "a session that makes a socket is killed" { is_killed socket; }
@test "a session that kills its parent is killed" { is_killed kill; }
@test "a session that traces a process is killed" { is_killed ptrace; }
@test "a session that maps code is killed" { is_killed mmap; }

@test "a session that sends garbage is ended" { is_violation garbage 'malformed packet'; }
@test "a session that sends too little is ended" { is_violation little 'malformed packet'; }
@test "a session that names a recipient without a sender is ended" { is_violation rcpt-without-mail contradiction; }
@test "a session that begins two transactions is ended" { is_violation mail-twice contradiction; }
@test "a session that passes on bad syntax is ended" { is_violation mail-syntax contradiction; }
@test "a session that passes on a bad HELO is ended" { is_violation helo-syntax contradiction; }
@test "a session that delivers for a client that was refused is ended" {
    misbehave deliver
    [ "$(cat out)" = SURVIVED ]
    grep -q '^Subject: x' box
    rm -f box log out
    echo 'deny remotehost .' >>conf
    is_violation deliver contradiction
}

@test "a session that has handlers asked about a message without recipients, or twice, is ended" {
    cat >handler <<'END'
while read -r line; do
    [ "$line" != protocol_state=DATA ] || echo "$line" >>asked
    [ -n "$line" ] || printf 'action=DUNNO\n\n'
done
END
    echo 'policy mail,rcpt,data exec /bin/sh handler' >>conf
    is_violation data-to-nobody contradiction
    [ ! -e asked ]
    is_violation rcpt-without-mail contradiction
    is_violation data-twice contradiction
    [ "$(wc -l <asked)" = 1 ]
    is_violation rcpt-behind-data contradiction
    is_violation deliver-without-data contradiction
}

# A milter that notes what it sees.
begin_milter() {
    : >script
    python3 "$TESTS/tools/milter" "$PWD/sock" script seen 3>&- >/dev/null &
    milter=$!
    until [ -S sock ]; do sleep 0.02; done
    printf '%s\n' "milter unix:$PWD/sock" "spool_directory $PWD" >>conf
}

teardown() {
    [ -z "${milter:-}" ] || kill "$milter"
}

@test "a session that has milters asked about a message without recipients, or twice, is ended" {
    begin_milter
    is_violation data-to-nobody contradiction
    is_violation rcpt-without-mail contradiction
    run ! grep -E '^[0-9]+ (rcpt|data|eob)' seen
    is_violation data-twice contradiction
    [ "$(grep -cE '^[0-9]+ data$' seen)" = 1 ]
    : >seen
    is_violation rcpt-behind-data contradiction
    [ "$(grep -cE '^[0-9]+ rcpt' seen)" = 1 ]
    is_violation deliver-without-data contradiction
    run ! grep -E '^[0-9]+ (header|eoh|eob)' seen
}

@test "a session that could still write to what milters are shown is ended, and they see nothing of it" {
    begin_milter
    misbehave deliver
    grep -q '^1 eob ' seen
    rm box log
    is_violation keep-spool contradiction
    run ! grep -E '^2 (header|body|eob)' seen
}

@test "a session that delivers to nobody is ended" { is_violation deliver-to-nobody contradiction; }
@test "a session that delivers more than the memory holds is ended" { is_violation deliver-too-much 'impossible question'; }
@test "a session that delivers a file that it was not given is ended" { is_violation deliver-no-file 'impossible question'; }
@test "a session that lies about the size of its file is ended" { is_violation deliver-other-size 'impossible question'; }
@test "a session gets one file for each message" {
    misbehave spool-twice
    [ "$(cat out)" = $'REFUSED\nSURVIVED' ]
}

@test "a session that delivers more than limit.smtp_data_size is ended" {
    misbehave deliver
    [ -s box ]
    rm box log out
    echo 'limit.smtp_data_size 9' >>conf # a byte less
    is_violation deliver 'impossible question'
}

@test "LMTP: a session that asks for answers that there are not, or for anything else before it has all, is ended" {
    printf '%s\n' 'protocol lmtp' 'deliver rcpt_to other@example.com append other' >>conf
    is_violation answer-first contradiction
    for act in rcpt-between spool-between deliver-between; do
        rm -f log box
        misbehave $act-answers
        grep -q 'violation: the session sent a impossible question and is ended$' log
        [ ! -s out ]
        [ "$(grep -c '^Subject' box)" = 1 ]
        [ ! -e other ]
    done
    for act in answer-too-often answer-after-reset; do
        rm -f log box
        misbehave $act
        grep -q 'violation: the session sent a contradiction and is ended$' log
        [ "$(grep -c '^Subject' box)" = 1 ]
    done
    rm -f log box other
    misbehave deliver-after-reset
    [ "$(cat out)" = SURVIVED ]
    [ "$(grep -c '^Subject' box)" = 2 ]
    [ ! -e other ]
}

@test "a session cannot write to what a command reads" {
    # the command is done at once, and its child reads when the session has written
    printf '%s\n' 'domain mail.example.com' 'logfile log' 'sandbox on' "spool_directory $PWD" \
        "deliver rcpt_to user@example.com pipe cd $PWD; exec 5<&0; { until [ -e written ]; do sleep 0.02; done; cat <&5 >part; mv part late; } >/dev/null 2>&1 &" >conf
    misbehave keep-spool
    [ "$(cat out)" = $'WROTE\nSURVIVED' ]
    touch written
    until [ -e late ]; do sleep 0.02; done
    [ "$(tail -n 1 late)" = 'the message' ]
    [ "$(grep -c '^Return-Path: <sender@example.com>$' late)" -eq 1 ]
}

@test "a session cannot have one recipient get the copy of another" {
    printf '%s\n' 'domain mail.example.com' 'logfile log' 'sandbox on' "spool_directory $PWD" \
        "deliver rcpt_to @example.com pipe grep '^Delivered-To:' >$PWD/\$LOCAL" >conf
    misbehave recipient-behind-spool
    [ "$(cat user)" = 'Delivered-To: user@example.com' ]
    [ "$(cat resu)" = 'Delivered-To: resu@example.com' ]
}

@test "a session that logs a refusal that is none is ended" { is_violation log-no-refusal 'impossible question'; }

# ---- limits that the session does not keep ----

# A violation, and not many lines in the log.
is_bounded() { # ACT LINES
    is_violation "$1" 'command beyond all limits'
    [ "$(wc -l <log)" -le "$2" ] || { echo "$1: $(wc -l <log) lines"; return 1; }
    rm log
}

@test "a session that goes on beyond the limits is ended by the monitor, whatever it goes on with" {
    printf '%s\n' 'limit.smtp_refused_rcpts 10' 'limit.smtp_commands 20' 'limit.smtp_undelivered 100' 'limit.smtp_rcpt_to 5' >>conf
    for act in guess-recipients guess-in-turns exceed-recipients say-helo begin-transactions ask-for-spools; do
        is_bounded $act 6
    done
    for act in log-refusals log-temporary-refusals log-answers; do
        is_bounded $act 280
    done
}

@test "a session that ends twice is ended" { is_violation end-twice 'impossible question'; }

# ---- TLS and AUTH ----

# Adds these lines to conf. The client is a FIFO, which waits and says nothing, so that no handshake comes to an end.
offer() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mail.example.com \
        -keyout key.pem -out cert.pem 2>openssl.out
    printf 'secret\n' | "${MAILRECV%/*}/mailrecv-checkpassword" -p ann >users
    chmod 600 users
    ln -sf "${MAILRECV%/*}"/mailrecv-{tls,checkpassword} "$BATS_FILE_TMPDIR" # beside the program that misbehaves
    printf '%s\n' 'tls.cert cert.pem' 'tls.key key.pem' 'auth.users users' "$@" >>conf
    mkfifo client
}

@test "a session that speaks before the handshake is over is ended" {
    offer 'tls optional' 'auth optional'
    for act in helo mail auth; do
        is_violation $act-before-handshake contradiction
        rm log
    done
}

@test "a session that speaks after a handshake that has failed is ended" {
    offer 'tls optional'
    rm client # what is read of /dev/null ends at once
    is_violation helo-after-failure contradiction
    grep -q 'TLS failed reason="handshake: the client has closed the connection"$' log
}

@test "a session that begins TLS where there is none, twice, or in a transaction is ended" {
    is_violation tls 'impossible question'
    offer 'tls optional'
    rm log
    is_violation tls-twice 'impossible question'
    rm log
    is_violation tls-in-transaction contradiction
}

@test "a session that authenticates where there is no AUTH, or no TLS, is ended" {
    is_violation auth contradiction
    offer 'tls optional' 'auth optional'
    rm log
    is_violation auth contradiction
}

@test "a session that authenticates twice, in a transaction, as nobody or with nonsense is ended" {
    offer 'auth optional' 'auth.insecure on'
    is_violation auth-twice contradiction
    grep -q 'authenticated user="ann"' log
    for act in in-transaction nobody; do
        rm log
        is_violation auth-$act contradiction
    done
    for act in without-nul with-more-nuls; do
        rm log
        is_violation auth-$act 'impossible question'
    done
}

@test "a session that goes on guessing passwords beyond the limit is ended" {
    offer 'auth optional' 'auth.insecure on' 'limit.auth_failures 1'
    is_violation auth-guess contradiction
    [ "$(grep -c 'auth output text=.*: wrong password' log)" = 2 ]
}

@test "a session that speaks for another client than its own, where nobody may, is ended" {
    is_violation xclient contradiction
    rm log
    is_violation xforward contradiction
    rm log
    is_violation mistold contradiction
    echo 'xclient 192.0.2.7/32' >>conf
    rm log
    is_violation xforward contradiction
    for act in twice in-transaction syntax; do
        rm log
        is_violation xclient-$act contradiction
    done
    echo 'xforward 192.0.2.7/32' >>conf
    for act in in-transaction syntax; do
        rm log
        is_violation xforward-$act contradiction
    done
    rm log
    is_violation mistold contradiction
    echo 'deny remotehost 192.0.2.66/32' >>conf
    rm log
    is_violation xforward-refused contradiction
}

# ---- what a session knows ----

# A configuration in which all that the session need not know is marked with the word "sekrit".
plant() {
    umask 077
    mkdir sekrit-logs
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mail.example.com \
        -keyout sekrit-key.pem -out sekrit-cert.pem 2>openssl.out
    printf 'sekrit-user:x\n' >sekrit-users
    cat >conf <<'END'
domain mail.example.com
greeting what clients may hear
sandbox on
logfile sekrit-logs/log
deadletter_file sekrit-dead.letter
lockout.db sekrit-lockout.db
lockout.exempt ^198\.51\.100\.7.sekrit-exempt
dns.server 127.0.0.1:9
dnsbl key.sekrit-zone.example log
allow remotehost .
deny remotehost ^203\.0\.113\.7.sekrit-plain-deny
deny remotehost (?i)^(sekrit-deny|x)+\.example$
allowgroup sekrit-group ^sekrit-plain\.example$
allowgroup sekrit-group ^(sekrit-pcre2|x)[a-c]+\.example$
bypass allowgroup sekrit-group
auth optional
auth.insecure on
auth.users sekrit-users
auth.senders sekrit-senders
limit.connection_secs 100
deliver allowgroup sekrit-group rcpt_to sekrit-address@example.com exec /bin/true --token sekrit-token
deliver rcpt_to user@example.com pipe cat >/dev/null; : sekrit-pipe
deliver rcpt_to box@example.com append sekrit-box
deliver rcpt_to /^(sekrit-recipient|x)@example\.com$/ maildir sekrit-maildir
error rcpt_to ^stranger@ 550 Not here
error rcpt_to ^sekrit-error@ 550 sekrit-text of another recipient
policy connect,helo,mail,rcpt,data,end exec /bin/sh sekrit-handler
milter unix:/sekrit-milter
milter.macros sekrit-macro=sekrit-value
milter.failure accept
quarantine append sekrit-quarantine
END
    cat >sekrit-handler <<'END'
state=
while read -r line; do
    case $line in
        protocol_state=RCPT | protocol_state=DATA) state=$line ;;
        '') printf 'action=%s\n\n' "${state:+PREPEND X-Test: }sekrit-answer" && state= ;;
    esac
done
END
}

# The session knows nothing that is secret, at no time, and the search finds what it knows.
knows_nothing() { # [-i]
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(unshare -r)
    # shellcheck disable=SC2046 # words
    "${as_root[@]}" "$TESTS/tools/session-memory" "$@" "$MAILRECV" conf user@example.com 'what clients may hear' \
        sekrit 127.0.0.1:9 $(grep -o 'sekrit[-a-z0-9.]*' conf | sort -u) >found
    cut -c 1-150 found | head -n 20
    grep -q '^what clients may hear: greeted' found
    grep -q '^what clients may hear: behind a message of 200000 bytes' found
    [ "$(grep -vc '^what clients may hear: ' found)" = 0 ]
}

@test "a session knows nothing of rules, hosts, addresses, commands, files and users" {
    plant
    knows_nothing
    sed -i 's/^debug.*//; 1i debug a' conf
    knows_nothing
}

@test "a session knows nothing of a large configuration" {
    plant
    for i in $(seq 5000); do echo "deliver rcpt_to user$i@example.com append sekrit-box-$((i % 7))"; done >>conf
    knows_nothing
}

@test "a session knows nothing of included files, nor of their names" {
    plant
    mkdir sekrit-directory
    grep -v '^domain\|^error' conf >sekrit-directory/sekrit-included.conf
    chmod go-w sekrit-directory sekrit-directory/*
    { grep '^domain\|^error' conf; echo 'include sekrit-directory/*.conf'; } >with
    mv with conf
    knows_nothing
}

@test "a session in TLS knows nothing either, of certificate and key neither" {
    plant
    printf '%s\n' 'tls optional' 'tls.cert sekrit-cert.pem' 'tls.key sekrit-key.pem' >>conf
    knows_nothing
    grep -q '^what clients may hear: in TLS' found
    sed -i 's/^tls optional/tls implicit/' conf
    knows_nothing -i
}

# ---- a session that stays ----

# Processes of ours that are still there.
leftovers() {
    local process
    while read -r process; do
        grep -shE '^(mailrecv|misbehave)' "${process%/cwd}/comm" || true
    done < <(find /proc/[0-9]*/cwd -maxdepth 0 -lname "$PWD" 2>/dev/null)
}

# What it does is over in time, and nothing is left.
is_over() { # ACT
    local begin=$SECONDS
    misbehave "$1"
    [ $((SECONDS - begin)) -le 15 ]
    [ -z "$(leftovers)" ]
    [ ! -s out ]
    grep -q 'end reason=killed signal=9$' log || [ "$1" = flood ] # which may see the end of the channel first
}

@test "a session that closes its channel and stays is killed" {
    is_over leave
    grep -q 'violation: the session stays without a channel and is ended$' log
}
@test "a session that sends nothing and stays is killed" { is_over empty-packet; }
@test "a session that half-closes its channel and stays is killed" { is_over half-close; }

@test "a session that stays beyond its time is killed, and so is one that has ever more to say" {
    echo 'limit.connection_secs 1' >>conf
    is_over stay
    grep -q 'violation: the session stays beyond its time and is ended$' log
    rm log
    is_over flood
}

@test "a session that stays with TLS takes mailrecv-tls along" {
    offer 'tls optional'
    is_over tls-leave
}

@test "a session that is stopped is killed when its time is over" {
    echo 'limit.connection_secs 1' >>conf
    begin_session
    kill -STOP "$session"
    connection_ends
    wait "$monitor" || true
    [ -z "$(leftovers)" ]
    grep -q 'end reason=killed signal=9$' log
}

@test "a session that does not heed SIGTERM is killed" {
    begin_session
    kill -STOP "$session"
    kill -TERM "$monitor"
    connection_ends
    wait "$monitor" || true
    [ -z "$(leftovers)" ]
    grep -q 'end reason=killed signal=9$' log
}

@test "a session cannot log for another address" {
    misbehave forge-log
    [ "$(cat out)" = SURVIVED ]
    grep -q 'ERROR: 550' log
    [ "$(grep -vc '^[A-Z][a-z][a-z] .* MAILRECV\[[0-9]*\]: \[192\.0\.2\.7\] ' log)" = 0 ]
    [ "$(grep -cF '[198.51.100.9]' log)" = 0 ]
}

# ---- a session that keeps the limits ----

@test "a session that keeps the limits is not ended, whatever is refused and reset" {
    echo 'limit.sender_syntax_check on' >>conf
    { for _ in $(seq 80); do printf 'EHLO x\r\nMAIL FROM:<"s s"@e.example>\r\nRSET\r\n'; done; printf 'QUIT\r\n'; } >input
    "$MAILRECV" -c conf -P 192.0.2.7 <input >out
    grep -q '^221 ' out
    run ! grep -E 'violation|421' log
    echo 'limit.smtp_undelivered 5' >>conf
    { printf 'EHLO x\r\n'; for _ in 1 2 3 4; do printf 'MAIL FROM:<"s s"@e.example>\r\n'; done; printf 'QUIT\r\n'; } >input
    "$MAILRECV" -c conf -P 192.0.2.7 <input >out
    grep -q '^221 ' out
    run ! grep -E 'violation|421' log
}

@test "a delivery that ends after the session should have: the client hears of it" {
    echo 'limit.connection_secs 1' >>conf
    printf '%s\r\n' 'EHLO x' 'MAIL FROM:<>' 'RCPT TO:<user@example.com>' DATA 'X: y' . QUIT |
        strace -f -qq -o trace -e trace=fsync -e inject=fsync:delay_enter=5000000:when=1 "$MAILRECV" -c conf -P 192.0.2.7 >out
    grep -q 'result=delivered' log
    grep -q '^250 2.0.0 Ok, delivered' out
    run ! grep violation log
}
