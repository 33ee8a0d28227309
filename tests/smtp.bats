#!/usr/bin/env bats
# smtp.bats - what dialogues cannot show: the process behind the session

load common

setup() {
    dir=$BATS_TEST_TMPDIR
    conf=$dir/conf
    log=$dir/log
    cat >"$conf" <<END
domain mail.example.com
deliver rcpt_to user@example.com append $dir/mbox
deliver rcpt_to slow@example.com pipe echo started > $dir/started; exec sleep 60
END
}

teardown() {
    # only a failed test leaves its session behind
    if [ -n "${session:-}" ] && kill -0 "$session" 2>/dev/null; then
        kill -KILL "$session"
    fi
}

# Starts a session whose other end are the descriptors $in and $out.
begin_session() {
    coproc SESSION { exec "$MAILRECV" -c "$conf" -l "$log" 3>&-; }
    local theirs=${SESSION[0]} ours=${SESSION[1]}

    session=$SESSION_PID
    # copies, since bash closes its own as soon as the session ends
    exec {out}<&"$theirs" {in}>&"$ours" {theirs}<&- {ours}>&-
}

# The next line of the session is the argument.
expect() {
    local line

    IFS= read -r -t 10 -u "$out" line
    echo "expected '$1', got '${line%$'\r'}'"
    # shellcheck disable=SC2053 # a pattern on purpose
    [[ ${line%$'\r'} == $1 ]]
}

# The session says nothing more and ends by itself with status 0.
expect_end() {
    local line status=0

    ! IFS= read -r -t 10 -u "$out" line
    wait "$session" || status=$?
    echo "exit status $status"
    [ "$status" -eq 0 ]
}

# Everything in the log behind the address, without the line about serving as root.
events() { sed -n '/serving as root/d; s/^.* MAILRECV\[[0-9]*\]: \[local\] //p' "$log"; }

@test "SIGTERM while the program waits for a command: 421 and the end" {
    begin_session
    expect '220 *'
    kill -TERM "$session"
    expect '421 4.3.2 The service is being stopped, try again later'
    expect_end
    run events
    [ "${#lines[@]}" -eq 3 ]
    [ "${lines[1]}" = 'ERROR: 421 The service is being stopped, try again later stage=input from="" line=""' ]
    [[ ${lines[2]} == 'end reason=terminated '* ]]
}

@test "SIGTERM inside a message: 421, and nothing is delivered" {
    begin_session
    printf 'MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\ntext\r\n' >&"$in"
    expect '220 *'
    expect '250 *'
    expect '250 *'
    expect '354 *'
    kill -TERM "$session"
    expect '421 4.3.2 *'
    expect_end
    [ ! -e "$dir/mbox" ]
}

@test "SIGTERM during a delivery: its command is ended, the message is refused temporarily" {
    begin_session
    printf 'MAIL FROM:<>\r\nRCPT TO:<slow@example.com>\r\nDATA\r\n' >&"$in"
    expect '220 *'
    expect '250 *'
    expect '250 *'
    expect '354 *'
    printf '.\r\n' >&"$in"
    wait_for "$dir/started" started
    kill -TERM "$session"
    expect '451 4.3.0 *'
    expect '421 4.3.2 *'
    expect_end
    run events
    [[ ${lines[1]} == 'delivery result=deferred '*' reason="the service is being stopped"' ]]
    [[ ${lines[-1]} == 'end reason=terminated '* ]]
}

@test "a closed standard error does not matter" {
    begin_session 2>&-
    expect '220 *'
    printf 'QUIT\r\n' >&"$in"
    expect '221 *'
    expect_end
}

@test "the program reads no further than QUIT" {
    printf 'NOOP\r\nQUIT\r\n' >"$dir/input"
    printf 'NOOP\r\n%.0s' {1..20000} >>"$dir/input"
    "$MAILRECV" -c "$conf" -l "$log" <"$dir/input" >"$dir/output"
    [ "$(tr -d '\r' <"$dir/output")" = "220 mail.example.com ESMTP mailrecv
250 2.0.0 Ok
221 2.0.0 Goodbye" ]
}

@test "a client that is gone before it hears of the delivery: the session ends, the mail is there" {
    begin_session
    printf 'MAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\n' >&"$in"
    expect '220 *'
    expect '250 *'
    expect '250 *'
    expect '354 *'
    exec {out}<&-
    printf 'text\r\n.\r\n' >&"$in"
    local status=0
    wait "$session" || status=$?
    [ "$status" -eq 0 ]
    [[ $(events | tail -n 1) == 'end reason=broken '* ]]
    [ "$(grep -c '^From ' "$dir/mbox")" -eq 1 ]
}

@test "ten sessions at once deliver into one mailbox" {
    local pids=() i

    for i in {1..10}; do
        printf 'HELO client.example\r\nMAIL FROM:<>\r\nRCPT TO:<user@example.com>\r\nDATA\r\nnumber %s\r\n.\r\nQUIT\r\n' \
            "$i" | "$MAILRECV" -c "$conf" -l "$log" >"$dir/output$i" 3>&- &
        pids+=($!)
    done
    for i in "${pids[@]}"; do
        wait "$i"
    done
    [ "$(grep -c '^250 2.0.0 ' "$dir"/output* | grep -c ':1$')" -eq 10 ]
    [ "$(grep -c '^From ' "$dir/mbox")" -eq 10 ]
    [ "$(grep '^number ' "$dir/mbox" | sort -u | wc -l)" -eq 10 ]
    # each acknowledged under an id of its own
    [ "$(cat "$dir"/output* | grep '^250 2.0.0 ' | sort -u | wc -l)" -eq 10 ]
    [ "$(grep -c ' end reason=quit ' "$log")" -eq 10 ]
}

@test "a client hears that its message is delivered before the next one, which it has sent already, takes long" {
    mkfifo "$dir/done"
    echo "deliver rcpt_to wait@example.com pipe cat $dir/done" >>"$conf"
    for sandbox in try off; do
        sed -i "1i sandbox $sandbox" "$conf"
        begin_session
        expect '220 *'
        {
            printf '%s\r\n' 'HELO client.example' 'MAIL FROM:<a@b.example>' 'RCPT TO:<user@example.com>' DATA one . \
                'MAIL FROM:<a@b.example>' 'RCPT TO:<wait@example.com>' DATA two . QUIT
        } >&"$in"
        expect '250 mail.example.com'
        expect '250 *Sender ok'
        expect '250 *Recipient ok'
        expect '354 *'
        expect '250 *delivered as *'
        expect '250 *Sender ok'
        expect '250 *Recipient ok'
        expect '354 *'
        echo >"$dir/done" # not before
        expect '250 *delivered as *'
        expect '221 *'
        expect_end
    done
}
