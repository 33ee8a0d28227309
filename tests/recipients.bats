#!/usr/bin/env bats
# Several recipients and one reply, dead letters, and the log line of each delivery

load common
load tools/delivery

DEFERRED='451 4.3.0 The message cannot be delivered now, try again later'

@test "every mix of recipients and dead-letter files: reply and files as the model says" {
    run "$TESTS/tools/mixes" "$MAILRECV"
    expect "$output" '620 mixes, 0 failures'
    [ "$status" = 0 ]
}

# ---- order --------------------------------------------------------------------------------

@test "commands run before files are written, both in the order of the recipients" {
    config <<END
deliver rcpt_to file1@mx.example append $HERE/mbox
deliver rcpt_to command1@mx.example pipe echo 1 \$([ -e mbox ] && echo late) >>$HERE/order
deliver rcpt_to file2@mx.example append $HERE/mbox
deliver rcpt_to command2@mx.example exec /bin/sh -c "echo 2 \$([ -e mbox ] && echo late) >>$HERE/order"
deliver rcpt_to dir@mx.example maildir $HERE/box
END
    echo text | send s@client.example file2@mx.example command2@mx.example file1@mx.example dir@mx.example command1@mx.example
    [[ $REPLY == 250* ]]
    expect "$(cat order)" $'2\n1'
    expect "$(grep ^Delivered-To: mbox)" $'Delivered-To: file2@mx.example\nDelivered-To: file1@mx.example'
    deliveries >got
    expect_file got <<'END'
delivered 6 exec command2@mx.example
delivered 4 pipe command1@mx.example
delivered 5 append file2@mx.example
delivered 3 append file1@mx.example
delivered 7 maildir dir@mx.example
END
}

# ---- unknown recipients -------------------------------------------------------------------

@test "a recipient without a rule is refused" {
    config <<END
deliver rcpt_to a@mx.example append $HERE/mbox
END
    echo text | send s@client.example other@mx.example a@mx.example
    [[ $REPLY == 250* ]]
    grep -qx '550 5.1.1 No one here by that name' replies
    expect "$(grep -c ^Delivered-To: mbox)" 1
}

@test "a real deadletter_file takes mail for recipients without a rule" {
    config <<END
deadletter_file $HERE/dead
deliver rcpt_to a@mx.example append $HERE/mbox
END
    echo text | send s@client.example other@mx.example third@other.example
    [[ $REPLY == 250* ]]
    expect "$(grep ^Delivered-To: dead)" $'Delivered-To: other@mx.example\nDelivered-To: third@other.example'
    expect "$(stat -c %a dead)" 600
    expect "$(deliveries)" $'delivered dead-letter append other@mx.example\ndelivered dead-letter append third@other.example'
    [ ! -e mbox ]
}

@test "deadletter_file /dev/null takes it, too, and throws it away, but is no safe place for what failed" {
    config <<END
deadletter_file /dev/null
deliver rcpt_to deferred@mx.example append $HERE/missing/mbox
deliver rcpt_to refused@mx.example pipe exit 67
END
    echo text | send s@client.example other@mx.example
    [[ $REPLY == 250* ]]
    echo text | send s@client.example deferred@mx.example
    expect "$REPLY" "$DEFERRED"
    echo text | send s@client.example refused@mx.example other@mx.example
    [[ $REPLY == '554 5.7.0 Delivery refused: <refused@mx.example> '* ]]
    echo text | send s@client.example other@mx.example deferred@mx.example
    expect "$REPLY" "$DEFERRED"
}

@test "a dead-letter file that cannot be written: mail without a rule is 451, tried once" {
    for path in "$HERE/missing/dead" "$HERE/link" "$HERE"; do
        config <<END
deadletter_file $path
END
        ln -sf target link
        rm -f log
        echo text | send s@client.example other@mx.example
        expect "$path: $REPLY" "$path: $DEFERRED"
        expect "$(deliveries)" 'deferred dead-letter append other@mx.example'
        [ ! -e target ]
    done
}

# ---- failures and dead letters ------------------------------------------------------------

@test "a passing failure goes to the dead-letter file and counts as delivered" {
    config <<END
deadletter_file $HERE/dead
deliver rcpt_to a@mx.example pipe echo why; exit 75
END
    printf 'Subject: x\n\nFrom here\n' >message
    send s@client.example a@mx.example <message
    [[ $REPLY == 250* ]]
    "$TESTS/tools/unmbox" dead out
    without_head out/1 | cmp - message
    expect "$(deliveries)" $'deferred 4 pipe a@mx.example\ndelivered 4 append a@mx.example'
}

@test "one refusal alone: the sender hears it, and the dead-letter file stays as it is" {
    config <<END
deadletter_file $HERE/dead
deliver rcpt_to a@mx.example pipe echo "we do not want that"; exit 65
END
    echo text | send s@client.example a@mx.example
    expect "$REPLY" '554 5.7.0 Delivery refused: <a@mx.example> we do not want that'
    [ ! -e dead ]
}

@test "among several, refusals go to the dead-letter file" {
    config <<END
deadletter_file $HERE/dead
deliver rcpt_to a@mx.example pipe exit 65
deliver rcpt_to b@mx.example pipe exit 100
deliver rcpt_to c@mx.example append $HERE/mbox
END
    echo text | send s@client.example a@mx.example b@mx.example c@mx.example
    [[ $REPLY == 250* ]]
    expect "$(grep ^Delivered-To: dead)" $'Delivered-To: a@mx.example\nDelivered-To: b@mx.example'
    expect "$(grep ^Delivered-To: mbox)" 'Delivered-To: c@mx.example'
}

@test "a locked dead-letter file: what failed stays failed" {
    config <<END
limit.lock_secs 1
deadletter_file $HERE/dead
deliver rcpt_to a@mx.example pipe exit 75
END
    echo keep >dead
    mkfifo to_holder from_holder
    "$TESTS/tools/hold-lock" flock dead <to_holder >from_holder 3>&- &
    exec {hold}>to_holder
    read -r _ <from_holder
    echo text | send s@client.example a@mx.example {hold}>&-
    exec {hold}>&-
    wait $!
    [[ $REPLY == '451 4.'* ]]
    expect "$(cat dead)" keep
}

@test "the first refusal's recipient and reason are what the sender hears" {
    config <<'END'
deliver rcpt_to a@mx.example pipe echo reason of a; exit 65
deliver rcpt_to b@mx.example pipe echo reason of b; exit 67
END
    send s@client.example b@mx.example a@mx.example </dev/null
    expect "$REPLY" '554 5.7.0 Delivery refused: <b@mx.example> reason of b'
}

@test "after a failed message the session goes on with the next" {
    config <<END
deliver rcpt_to bad@mx.example append $HERE/missing/mbox
deliver rcpt_to good@mx.example append $HERE/mbox
END
    {
        printf 'EHLO helo.example\r\n'
        for rcpt in bad good bad good; do
            envelope "$rcpt@client.example" "$rcpt@mx.example"
            printf 'text\r\n.\r\n'
        done
        printf 'QUIT\r\n'
    } | session
    expect "$(grep -A 1 ^354 replies | grep -v -e ^354 -e ^-- | cut -c 1-3 | tr '\n' ' ')" '451 250 451 250 '
    expect "$(grep -c '^From good@client.example ' mbox)" 2
    expect "$(grep -c '^From bad' mbox)" 0
}

# ---- the log ------------------------------------------------------------------------------

@test "each delivery has one line with from, to, rule, target, bytes, result and seconds" {
    config <<END
deliver rcpt_to file@mx.example append $HERE/mbox
deliver rcpt_to /.*/ pipe [ "\$LOCAL" != no ] || { echo 'a "reason" [x]'; exit 77; }
END
    {
        printf 'EHLO helo.example\r\n'
        envelope s@client.example file@mx.example
        printf '12345\r\n.\r\n'
        envelope '' '"odd [192.0.2.9]"@mx.example'
        printf '.\r\n'
        envelope "s'\`@client.example" no@mx.example
        printf '..\r\n.\r\n'
        printf 'QUIT\r\n'
    } | session
    log_lines | grep ' delivery ' >got
    # shellcheck disable=SC2016 # as it stands in the configuration
    command='[ <0x22>$LOCAL<0x22> != no ] || { echo <0x27>a <0x22>reason<0x22> [x]<0x27>; exit 77; }'
    command=${command//[/<0x5b>} command=${command//]/<0x5d>}
    expect_file got <<END
[192.0.2.7] delivery result=delivered id=ID rule=3 target=append bytes=6 secs=SECS host=client.example path="$HERE/mbox" from="s@client.example" to="file@mx.example"
[192.0.2.7] delivery result=delivered id=ID rule=4 target=pipe bytes=0 secs=SECS host=client.example path="$command" from="" to="<0x22>odd <0x5b>192.0.2.9<0x5d><0x22>@mx.example"
[192.0.2.7] delivery result=refused id=ID rule=4 target=pipe bytes=2 secs=SECS host=client.example path="$command" from="s<0x27><0x60>@client.example" to="no@mx.example" reason="a <0x22>reason<0x22> <0x5b>x<0x5d>"
END
    expect "$(log_lines | grep -c ' ERROR: 554 Delivery refused: ')" 1
}

@test "who needs no libidn2 loads none, and where it cannot be loaded an address outside ASCII can be tried again" {
    if ! readelf -lW "$MAILRECV" | grep -q INTERP; then # a static program has it, and loads nothing
        grep -qa xn-- "$MAILRECV"
        printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@bücher.example> SMTPUTF8' QUIT | "$MAILRECV" -P 192.0.2.7 -c <(:) >replies
        grep -q '^250 2\.1\.0 ' replies
        return
    fi
    mkdir lib
    echo nonsense >lib/libidn2.so.0
    play() { # COMMAND...: the replies, with that library
        printf '%s\r\n' 'EHLO client.example' "$@" QUIT | LD_LIBRARY_PATH=$PWD/lib "$MAILRECV" -c conf -P 192.0.2.7 >replies
    }
    printf '%s\n' 'domain mx.example' "logfile $PWD/log" "deliver rcpt_to joe@example.com append $PWD/box" >conf
    play 'MAIL FROM:<"a b"@xn--bcher-kva.example.> SMTPUTF8' 'RCPT TO:<"Joe"@example.com>' DATA '' text .
    grep -q '^250 2\.0\.0 Ok, delivered' replies
    refute grep libidn2 log
    play 'MAIL FROM:<a@bücher.example> SMTPUTF8' 'MAIL FROM:<a@example.org> SMTPUTF8' 'RCPT TO:<jö@example.com>'
    [ "$(grep -c '^451 4\.3\.0 This address cannot be checked now, try again later' replies)" = 2 ]
    grep -q 'libidn2 cannot be asked: .*libidn2\.so\.0' log
    # in the configuration it is a mistake
    echo "deliver rcpt_to @bücher.example append $PWD/box" >>conf
    LD_LIBRARY_PATH=$PWD/lib run -78 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == *"conf:4:18: 'bücher.example' is not a domain name: libidn2 cannot be asked"* ]]
}

@test "what a client writes outside ASCII is looked at in a process of its own that can do nothing else" {
    printf '%s\n' 'domain mx.example' "logfile $PWD/log" 'sandbox on' "deliver rcpt_to joe@example.com append $PWD/box" >conf
    printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@bücher.example> SMTPUTF8' QUIT |
        strace -f -o trace -e trace=clone,clone3,fork,vfork,seccomp,write,openat "$MAILRECV" -c conf -P 192.0.2.7 >replies
    grep -q '^250 2\.1\.0 Sender ok' replies
    # the answer is all that it says, and it says it behind the filter
    process=$(awk '/write\(0, .*xn--bcher-kva/ { print $1 }' trace)
    [ -n "$process" ]
    [ "$(awk -v p="$process" '$1 == p && /seccomp|write|open/ { sub(/\(.*/, "", $2); print $2 }' trace | tail -n 2)" = 'seccomp
write' ]
}
