#!/usr/bin/env bats
# append: a message reaches an mbox file whole, quoted, locked and synced before the 250

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

load common
load tools/delivery

box_config() {
    config <<END
deliver rcpt_to box@mx.example append $HERE/mbox
$1
END
}

# ---- what is written ----------------------------------------------------------------------

@test "a message stands under From_ line, Return-Path, Delivered-To, Received, and before a blank line" {
    box_config
    printf 'Subject: one\n\nHello\n' | send sender@client.example box@mx.example
    [[ $REPLY =~ ^'250 2.0.0 Ok, delivered as '[0-9a-f]+\.[0-9a-f]+\.[0-9a-f]+$ ]]
    printf 'Subject: two\n\n' | send other@client.example box@mx.example
    masked mbox >got
    expect_file got <<END
From sender@client.example DATE
Return-Path: <sender@client.example>
Delivered-To: box@mx.example
Received: from helo.example (client.example [192.0.2.7])
	by mx.example (mailrecv) with ESMTP id ID;
	DATE
Subject: one

Hello

From other@client.example DATE
Return-Path: <other@client.example>
Delivered-To: box@mx.example
Received: from helo.example (client.example [192.0.2.7])
	by mx.example (mailrecv) with ESMTP id ID;
	DATE
Subject: two


END
}

@test "the id is the same in Received, reply and log, and another for each message" {
    box_config
    {
        printf 'EHLO helo.example\r\n'
        for _ in 1 2; do
            envelope a@client.example box@mx.example
            printf '.\r\n'
        done
        printf 'QUIT\r\n'
    } | session
    sed -nE 's/^250 2.0.0 Ok, delivered as //p' replies >told
    sed -nE 's/^.* with ESMTP id (.*);$/\1/p' mbox >written
    sed -nE 's/^.* delivery .* id=([^ ]+) .*$/\1/p' log >logged
    expect "$(sort -u told | wc -l)" 2
    cmp told written
    cmp told logged
}

@test "Received says protocol, HELO, confirmed name and address as RFC 5321 4.4 has them" {
    box_config
    while IFS='|' read -r client hello parameters expected; do
        rm -f mbox
        CLIENT=$client HELLO=$hello
        send "a@client.example>$parameters" box@mx.example </dev/null
        expect "$(sed -n '4,5p' mbox | masked | tr -s '\n\t' ' ')" "Received: from $expected id ID; "
    done <<'END'
192.0.2.7=client.example|EHLO helo.example||helo.example (client.example [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7|EHLO helo.example||helo.example (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7=CLIENT.Example|HELO helo.example||helo.example (client.example [192.0.2.7]) by mx.example (mailrecv) with SMTP
192.0.2.7|EHLO helo.example| SMTPUTF8|helo.example (unknown [192.0.2.7]) by mx.example (mailrecv) with UTF8SMTP
192.0.2.7|EHLO helo.example| BODY=8BITMIME|helo.example (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
2001:db8::7=client.example|EHLO helo.example||helo.example (client.example [IPv6:2001:db8::7]) by mx.example (mailrecv) with ESMTP
2001:DB8:0:0::7|EHLO [IPv6:2001:db8::8]||[IPv6:2001:db8::8] (unknown [IPv6:2001:db8::7]) by mx.example (mailrecv) with ESMTP
::ffff:192.0.2.7|EHLO [192.0.2.8]||[192.0.2.8] (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7|NOOP||unknown (unknown [192.0.2.7]) by mx.example (mailrecv) with SMTP
192.0.2.7|EHLO (or);"not\||"?or?;?not?" (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7|EHLO PhpStorm 2017.2||"PhpStorm 2017.2" (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7|EHLO MÜLLER-PC||"M??LLER-PC" (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7|EHLO under_score.example||under_score.example (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7|EHLO host.example.||"host.example." (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
192.0.2.7|EHLO []||"[]" (unknown [192.0.2.7]) by mx.example (mailrecv) with ESMTP
local|EHLO helo.example||helo.example (local) by mx.example (mailrecv) with ESMTP
END
}

@test "the date of Received is local time as RFC 5322 writes it, the From_ line's is UTC" {
    box_config
    export TZ=XYZ-05:30
    before=$(date +%s)
    send a@client.example box@mx.example </dev/null
    after=$(date +%s)
    received=$(sed -n '6s/^\t//p' mbox)
    [[ $received =~ ^[A-Z][a-z]{2},\ [0-9]{2}\ [A-Z][a-z]{2}\ [0-9]{4}\ [0-9]{2}:[0-9]{2}:[0-9]{2}\ \+0530$ ]]
    seconds=$(date -d "$received" +%s)
    [ "$seconds" -ge "$before" ]
    [ "$seconds" -le "$after" ]
    expect "$(sed -n '1s/^From a@client.example //p' mbox)" "$(TZ=UTC date -d "@$seconds" '+%a %b %e %H:%M:%S %Y')"
}

@test "the null sender is MAILER-DAEMON in the From_ line and <> in Return-Path" {
    box_config
    send '' box@mx.example </dev/null
    expect "$(masked mbox | head -n 2)" $'From MAILER-DAEMON DATE\nReturn-Path: <>'
}

@test "of the sender nothing stands in the From_ line that a reader trips over, and all of it in Return-Path" {
    box_config
    while read -r shown sender; do
        rm -f mbox
        send "$sender> SMTPUTF8" box@mx.example </dev/null
        expect "$(masked mbox | head -n 2)" "From $shown DATE"$'\n'"Return-Path: <$sender>"
        "$TESTS/tools/unmbox" mbox out
    done <<'END'
-a-From--b-@client.example "a From  b"@client.example
-a----b------@client.example "a\"()b:;,\\"@client.example
a@-IPv6-2001-db8--1- a@[IPv6:2001:db8::1]
m--ller@client.example müller@client.example
a!#$%&'*+-/=?^_`{|}~.b@client.example a!#$%&'*+-/=?^_`{|}~.b@client.example
END
}

@test "Delivered-To names only the recipient whose copy it is" {
    config <<END
deliver rcpt_to a@mx.example append $HERE/a
deliver rcpt_to b@mx.example append $HERE/b
deliver rcpt_to c@mx.example append $HERE/b
END
    echo text | send s@client.example a@mx.example B@MX.example c@mx.example
    expect "$(grep -a Delivered-To a)" 'Delivered-To: a@mx.example'
    expect "$(grep -a Delivered-To b)" $'Delivered-To: B@MX.example\nDelivered-To: c@mx.example'
    [ "$(grep -c -e 'a@mx' -e 'c@mx' a)" = 1 ]
    "$TESTS/tools/unmbox" b out
    expect "$(without_head out/1)" text
    expect "$(without_head out/2)" text
}

@test "lines that begin with any number of > and From_ get one more >, no others do" {
    box_config
    cat >message <<'END'

From the beginning
>From once
>>>From thrice
From
Frome
 From
>
>From
FROM here
>>From 
From 

> From
F
>Fro
END
    send s@client.example box@mx.example <message
    tail -n +7 mbox >written
    expect_file written <<'END'

>From the beginning
>>From once
>>>>From thrice
From
Frome
 From
>
>From
FROM here
>>>From 
>From 

> From
F
>Fro

END
    "$TESTS/tools/unmbox" mbox out
    without_head out/1 | cmp - message
}

@test "quoting does not depend on where a piece of the message ends" {
    box_config
    {
        printf 'EHLO helo.example\r\n'
        for before in {65520..65540} 131060 {131064..131078}; do
            envelope "n$before@client.example" box@mx.example
            # one long line, then traps on both sides of a likely boundary
            printf '%0*d\r\n>>From x\r\nFrom y\r\n>From z\r\n.\r\n' "$((before - 2))" 0
        done
        printf 'QUIT\r\n'
    } | session
    expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" 37
    "$TESTS/tools/unmbox" mbox out
    expect "$(find out -type f | wc -l)" 37
    expect "$(grep -c '^>\+From [xyz]$' mbox)" 111
    for copy in out/*; do
        expect "$(without_head "$copy" | tail -n 3)" $'>>From x\nFrom y\n>From z'
        expect "$(without_head "$copy" | head -n 1 | tr -d 0)" ''
    done
}

@test "nor where the piece is shorter than what is quoted, since its file is written at multiples of 64 KiB" {
    box_config
    printf '\nFrom x\nFrom y\n' >message
    send s@client.example box@mx.example <message
    head=$(($(stat -c %s mbox) - 17)) # there are two more > in it, and an empty line
    for before in {-3..9}; do # the length of the head differs by a digit or two
        head -c $((65536 - head - before)) /dev/zero | tr '\0' '\n' >mbox
        send s@client.example box@mx.example <message
        expect "$before: ${REPLY:0:9}" "$before: 250 2.0.0"
        expect "$(tail -n 3 mbox)" $'>From x\n>From y'
    done
}

@test "nor where one of a large message ends, which is read from a file" {
    box_config
    for before in 1 2 3 4 5 6 7; do # lines of seven bytes, moved by one
        {
            printf '%0*d\n' "$before" 0
            yes 'From x' | head -n 50000
            printf '%070000d\n' 0 | tr 0 '>'
            { printf '%0131072d' 0 | tr 0 '>'; echo 'From y'; }
            yes '>From z' | head -n 20000
            printf '%0200000d\n' 0
            echo 'From the end'
        } >message
        rm -f mbox
        send s@client.example box@mx.example <message
        [[ $REPLY == '250 2.0.0 '* ]]
        { sed -E 's/^>*From />&/' message; echo; } | cmp - <(text_of mbox)
    done
}

# What readers take for their own notes, the end of a header that has none, and a first line that begins a message.
@test "no note of a sender's, no header without an end, no second From_ line: and -r gives back what was sent" {
    box_config "deliver rcpt_to dir@mx.example maildir $HERE/dir"
    printf 'Subject: s\nContent-Length: 0\nx-status : D\nX-Original-Lines: 5\n\nLines: 1\n' >./1
    printf 'X-Tool: t\nno field\nX-Status: D\n' >./2
    printf 'From x Thu\nX-Mozilla-Status: 0009\nFrom : y\n' >./3
    : >./4
    { yes 'X-Keywords: x' | head -n 30000; printf '%0200000d: x\n' 0; yes 'From y' | head -n 30000; } >./5
    for i in 1 2 3 4 5; do
        send "$i@client.example" box@mx.example dir@mx.example <$i
        [[ $REPLY == 250* ]]
    done
    sed '/^Return-Path: <5/,$d' mbox | sed -E '/^(From .* 20|Return-Path|Delivered-To|Received|\t)/d' >headers
    expect_file headers <<'END'
Subject: s
X-Original-Content-Length: 0
X-Original-x-status : D
X-Original-X-Original-Lines: 5

Lines: 1

X-Tool: t
X-Header-End: added

no field
X-Status: D

X-Mailbox-Line: From x Thu
X-Original-X-Mozilla-Status: 0009
>From : y
X-Header-End: added


X-Header-End: added


END
    expect "$(grep -c '^X-Original-X-Keywords: x$' mbox) $(grep -c '^>From y$' mbox)" '30000 30000'
    expect "$(cat dir/new/* | grep -E '^X-(Original|Header|Mailbox)' | sort -u | tr '\n' '|')" \
        'X-Header-End: added|X-Mailbox-Line: From x Thu|X-Original-Lines: 5|X-Original-x-status : D|'
    config <<'END'
deliver rcpt_to /^(box|dir)@/ pipe cat >"read-$RECIPIENT-$SENDER"
END
    for place in mbox dir; do
        "$MAILRECV" -c conf -l log -r $place
    done
    for i in 1 2 3 4 5; do
        for to in box dir; do
            sed 1,8d "read-$to@mx.example-$i@client.example" | cmp - $i
        done
    done
}

# What is in a file before a message, as printf has it, and what stands between the two, likewise.
tails() {
    local torn='\n \t \n\n'

    printf '%s|%s\n' '' '' '\n' '' '\n\n' '' 'x' "$torn" 'x\n' "${torn#'\n'}" 'x\n\n' '' 'x\n\n\n' '' \
        'x\r' "$torn" 'x\r\n' "${torn#'\n'}" 'x\r\n\r\n' "$torn" '\r\n' "${torn#'\n'}" 'x\n\r\n' "${torn#'\n'}" 'x\n\r' "$torn" \
        'x\n\n\0\0\0' "$torn" '\0' "$torn" 'x\n ' "$torn" 'x\n\nFrom a@b Thu J' "$torn" 'x\n\n>From ' "$torn" \
        'From a@b Thu Jan  1 00:00:00 1970\n' "${torn#'\n'}" 'From a@b Thu Jan  1 00:00:00 1970\n\nhalf a mess' "$torn"
}

@test "whatever a file ends in, a message begins behind an empty line, and what was there stays as it was" {
    box_config
    while IFS='|' read -r before between; do
        # shellcheck disable=SC2059 # these are formats
        printf "$before" >mbox
        # shellcheck disable=SC2059
        printf "$before$between" >expected
        echo text | send s@client.example box@mx.example
        [[ $REPLY == 250* ]]
        size=$(stat -c %s expected)
        cmp -n "$size" expected mbox || { echo "behind $before" >&2; false; }
        tail -c "+$((size + 1))" mbox >appended
        "$TESTS/tools/unmbox" appended out
        expect "$before: $(without_head out/1)" "$before: text"
        # and a whole message needs nothing in between
        echo text | send s@client.example box@mx.example
        tail -c "+$((size + 1))" mbox >appended
        rm -r out
        "$TESTS/tools/unmbox" appended out
        expect "$before: $(find out -type f | wc -l)" "$before: 2"
    done < <(tails)
}

# ---- which files --------------------------------------------------------------------------

@test "a new file is mode 0600 whatever the umask, an existing file keeps its mode" {
    box_config
    umask 0
    send s@client.example box@mx.example </dev/null
    expect "$(stat -c %a mbox)" 600
    chmod 664 mbox
    send s@client.example box@mx.example </dev/null
    expect "$(stat -c %a mbox)" 664
    expect "$(grep -c '^From ' mbox)" 2
}

@test "a symbolic link is refused temporarily, and nothing is written through it" {
    box_config
    echo keep >target
    for to in target missing . /dev/null; do
        ln -s "$to" mbox
        echo text | send s@client.example box@mx.example
        expect "$REPLY" '451 4.3.0 The message cannot be delivered now, try again later'
        expect "$(readlink mbox)" "$to"
        rm mbox
    done
    expect "$(cat target)" keep
    [ ! -e missing ]
    expect "$(grep -c 'reason="symbolic links are refused' log)" 4
}

@test "mail for a symbolic link is safe in a dead-letter file" {
    box_config "deadletter_file $HERE/dead"
    ln -s missing mbox
    echo text | send s@client.example box@mx.example
    [[ $REPLY == 250* ]]
    [ ! -e missing ]
    expect "$(text_of dead)" text
}

@test "a link among the directories of a path is followed" {
    config <<END
deliver rcpt_to box@mx.example append $HERE/link/mbox
END
    mkdir directory
    ln -s directory link
    echo text | send s@client.example box@mx.example
    [[ $REPLY == 250* ]]
    expect "$(text_of directory/mbox)" text
}

@test "FIFOs, directories, sockets and devices are refused at once" {
    mkfifo fifo
    mkdir directory
    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
    for path in "$HERE/fifo" "$HERE/directory" "$HERE/socket" /dev/zero /dev/full; do
        config <<END
deliver rcpt_to box@mx.example append $path
END
        UNDER=(timeout 10)
        echo text | send s@client.example box@mx.example
        expect "$path: $REPLY" "$path: 451 4.3.0 The message cannot be delivered now, try again later"
    done
    [ -p fifo ]
    expect "$(ls directory)" ''
}

@test "a FIFO is refused while somebody has it open, and gets not a byte" {
    config <<END
deliver rcpt_to box@mx.example append $HERE/fifo
END
    mkfifo fifo
    exec {reader}<>fifo
    UNDER=(timeout 10)
    echo text | send s@client.example box@mx.example
    expect "${REPLY:0:9}" '451 4.3.0'
    refute read -r -t 0 -u "$reader"
}

@test "/dev/null may be appended to" {
    config <<'END'
deliver rcpt_to box@mx.example append /dev/null
END
    echo text | send s@client.example box@mx.example
    [[ $REPLY == 250* ]]
    expect "$(deliveries)" 'delivered 3 append box@mx.example'
}

@test "a missing directory is 451, makes nothing and is named in the log" {
    config <<END
deliver rcpt_to box@mx.example append $HERE/missing/mbox
END
    echo text | send s@client.example box@mx.example
    expect "$REPLY" '451 4.3.0 The message cannot be delivered now, try again later'
    [ ! -e missing ]
    expect "$(log_lines | grep delivery)" "[192.0.2.7] delivery result=deferred id=ID rule=3 target=append bytes=5 secs=SECS host=client.example path=\"$HERE/missing/mbox\" from=\"s@client.example\" to=\"box@mx.example\" reason=\"cannot open the file: No such file or directory\""
}

@test "a file where a directory should be is 451" {
    config <<END
deliver rcpt_to box@mx.example append $HERE/file/mbox
END
    echo keep >file
    echo text | send s@client.example box@mx.example
    expect "${REPLY:0:9}" '451 4.3.0'
    expect "$(cat file)" keep
}

# ---- locks --------------------------------------------------------------------------------

# Holds a lock of the mbox until `release`.
hold() {
    rm -f to_holder from_holder
    mkfifo to_holder from_holder
    "$TESTS/tools/hold-lock" "$1" mbox <to_holder >from_holder 3>&- &
    HOLDER=$!
    exec {HOLD}>to_holder
    read -r word <from_holder
    expect "$word" locked
}

release() {
    exec {HOLD}>&-
    wait "$HOLDER"
}

# Somebody waits for a lock on the file: the kernel shows that as a line with an arrow.
is_waited_for() {
    grep -q -- "-> .*:$(stat -c %i "$1") " /proc/locks
}

# Delivers in the background, and goes on when the delivery waits for the lock.
deliver_behind_lock() {
    echo text | { send s@client.example box@mx.example; echo "$REPLY" >told; } 3>&- {HOLD}>&- &
    DELIVERY=$!
    until_true is_waited_for mbox
}

@test "a file that somebody else has locked is waited for until limit.lock_secs" {
    box_config 'limit.lock_secs 1 452 Somebody else has it'
    for kind in flock fcntl; do
        echo keep >mbox
        hold "$kind"
        UNDER=(timeout 20)
        echo text | send s@client.example box@mx.example {HOLD}>&-
        expect "$REPLY" '452 4.2.0 Somebody else has it'
        expect "$(cat mbox)" keep
        release
    done
    # the reply of the default
    box_config 'limit.lock_secs 1'
    hold flock
    echo text | send s@client.example box@mx.example {HOLD}>&-
    [[ $REPLY == '451 4.'* ]]
    expect "$(cat mbox)" keep
    release
    expect "$(deliveries)" "$(printf 'deferred 3 append box@mx.example\n%.0s' 1 2 3)"
}

@test "when the lock is released, the message is delivered" {
    box_config 'limit.lock_secs 60'
    for kind in flock fcntl; do
        printf 'keep\n\n' >mbox
        hold "$kind"
        deliver_behind_lock
        expect "$(cat mbox)" keep
        release
        wait "$DELIVERY"
        expect "$(cut -c 1-9 told)" '250 2.0.0'
        expect "$(head -n 1 mbox)" keep
        expect "$(sed 1,2d mbox | text_of)" text
    done
}

@test "what was written under the lock by others stays" {
    box_config 'limit.lock_secs 60'
    echo keep >mbox
    hold flock
    deliver_behind_lock
    printf 'written meanwhile\nwithout an end' >>mbox
    release
    wait "$DELIVERY"
    expect "$(cut -c 1-9 told)" '250 2.0.0'
    expect "$(head -n 3 mbox)" $'keep\nwritten meanwhile\nwithout an end'
    expect "$(sed '1,/^From /d' mbox | text_of)" text
}

@test "a file that is renamed or removed while it is waited for: the message goes to the new one" {
    box_config 'limit.lock_secs 60'
    for kind in flock fcntl; do
        for change in 'mv mbox old' 'rm mbox' 'mv other mbox'; do
            rm -f old
            echo keep >mbox
            printf 'other\n\n' >other
            hold "$kind"
            deliver_behind_lock
            $change
            release
            wait "$DELIVERY"
            expect "$change: $(cut -c 1-9 told)" "$change: 250 2.0.0"
            [ ! -e old ] || expect "$(cat old)" keep
            case $change in
            'mv other mbox') expect "$(head -n 1 mbox; sed 1,2d mbox | text_of)" $'other\ntext' ;;
            *) expect "$(text_of mbox)" text ;;
            esac
        done
    done
}

@test "a file that becomes a symbolic link while it is waited for is refused" {
    box_config 'limit.lock_secs 60'
    echo keep >mbox
    hold flock
    deliver_behind_lock
    mv mbox old
    ln -s old mbox
    release
    wait "$DELIVERY"
    expect "$(cut -c 1-9 told)" '451 4.3.0'
    expect "$(cat old)" keep
}

# ---- the order of the calls ---------------------------------------------------------------

traced() {
    UNDER=(strace -f -y -s 512 -o trace -e "trace=$1")
}

# Calls that concern the path, one word each.
call_order() {
    sed -nE -e "s/^[0-9]+ +([a-z0-9_]+)\([0-9]+<${1//\//\\/}>.*$/\1/p" \
        -e "s/^[0-9]+ +(fsync)\([0-9]+<${HERE//\//\\/}>[ )].*$/\1 directory/p" trace | uniq
}

@test "file and directory are synced, under both locks" {
    box_config
    traced openat,flock,fcntl,write,writev,pwrite64,fsync,fdatasync,ftruncate,close
    echo text | send s@client.example box@mx.example
    [[ $REPLY == 250* ]]
    expect "$(call_order "$HERE/mbox" | tr '\n' ' ')" 'flock fcntl writev fsync fsync directory close '
    grep -q "flock([0-9]*<$HERE/mbox>, LOCK_EX|LOCK_NB) = 0" trace
    grep -q "fcntl([0-9]*<$HERE/mbox>, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=0}) = 0" trace
    # the directory needs it for a new name only
    echo text | send s@client.example box@mx.example
    expect "$(call_order "$HERE/mbox" | tr '\n' ' ')" 'flock fcntl writev fsync close '
}

@test "the 250 comes after all of them: killed at any, mailrecv has not said it" {
    box_config
    fresh() { rm -f mbox; }
    while read -r call pattern; do
        status=0
        { printf 'EHLO helo.example\r\n'; envelope s@client.example box@mx.example; printf 'text\r\n.\r\nQUIT\r\n'; } |
            with_fault "$call" "$pattern" signal=KILL || status=$?
        expect "$call $pattern: $status" "$call $pattern: 137"
        expect "$call $pattern: $(grep -c '^250 2.0.0 Ok, delivered' replies)" "$call $pattern: 0"
    done <<END
flock /mbox>
writev /mbox>
fsync /mbox>
fsync [(][0-9]+<$HERE>
END
}

# Ten million bytes.
large() { yes 'a line of a large message' | head -n 384616; }

@test "of a large message the disk begins early, and whatever comes of that, the fsync decides" {
    box_config
    fresh() { rm -f mbox; }
    for fault in '' error=EIO error=ENOSYS; do
        fresh
        UNDER=(strace -f -y -o trace -e 'trace=writev,sync_file_range,fsync')
        [ -z "$fault" ] || UNDER+=(-e "inject=sync_file_range:$fault")
        large | send s@client.example box@mx.example
        [[ $REPLY == '250 2.0.0 '* ]]
        expect "$fault $(call_order "$HERE/mbox" | tr '\n' ' ')" \
            "$fault writev sync_file_range writev sync_file_range writev fsync fsync directory "
        cmp <(text_of mbox) <(large; echo)
    done
}

@test "a large message is given back while it is appended, unless it may be needed again" {
    while IFS=, read -r calls address lines; do
        box_config "$lines"
        echo "deliver rcpt_to other@mx.example append $HERE/other" >>conf
        rm -f mbox other
        UNDER=(strace -f -y -o trace -e 'trace=fallocate')
        large | send s@client.example box@mx.example ${address:+"$address"}
        [[ $REPLY == '250 2.0.0 '* ]]
        cmp <(text_of mbox) <(large; echo)
        expect "$address $lines: $(grep -c 'fallocate.*KEEP_SIZE.* = 0$' trace)" "$address $lines: $calls"
    done <<END
9,,
0,other@mx.example,
0,,deadletter_file $HERE/dead
END
    # no file system need be able to do so
    box_config
    UNDER=()
    fresh() { rm -f mbox; }
    { printf '%s\r\n' "$HELLO"; envelope s@client.example box@mx.example; large | on_wire; printf 'QUIT\r\n'; } |
        with_fault fallocate deleted error=EOPNOTSUPP +
    [[ $REPLY == '250 2.0.0 '* ]]
    cmp <(text_of mbox) <(large; echo)
}

@test "fsync off syncs nothing" {
    box_config 'fsync off'
    traced fsync,fdatasync,sync,syncfs,sync_file_range,write,writev,openat,flock,fcntl,close
    for text in echo large; do
        "$text" | send s@client.example box@mx.example
        [[ $REPLY == 250* ]]
        expect "$(call_order "$HERE/mbox" | tr '\n' ' ')" 'flock fcntl writev close '
        refute grep -Eq 'sync|O_D?SYNC' trace
    done
}

# ---- many at once -------------------------------------------------------------------------

@test "two hundred deliveries at once: all are whole and none is interleaved" {
    box_config 'limit.lock_secs 120'
    mkdir sent
    for i in {1..200}; do
        # from one line to more than the buffers of anybody
        yes "message $i: the same text again and again" | head -n "$((i * i % 2500 + 1))" >"sent/$i"
    done
    for i in {1..200}; do
        { printf 'EHLO x.example\r\n'; envelope "n$i@client.example" box@mx.example; on_wire <"sent/$i"
            printf 'QUIT\r\n'; } | "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" >"told.$i" 3>&- &
    done
    wait
    expect "$(cat told.* | grep -c '^250 2.0.0 Ok, delivered')" 200
    "$TESTS/tools/unmbox" mbox out
    expect "$(find out -type f | wc -l)" 200
    for copy in out/*; do
        sender=$(sed -nE '1s/^Return-Path: <n([0-9]+)@client.example>$/\1/p' "$copy")
        without_head "$copy" | cmp - "sent/$sender"
        rm "sent/$sender"
    done
    expect "$(ls sent)" ''
}
