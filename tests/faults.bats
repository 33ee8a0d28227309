#!/usr/bin/env bats
# Faults, provoked: failing calls, full disks, killed processes and vanished clients leave no half message

# shellcheck disable=SC2153 # MAILRECV is of common.bash, the variable mailrecv a process

load common
load tools/delivery

DEFERRED='451 4.3.0 The message cannot be delivered now, try again later'

fresh() {
    printf 'From old@client.example Thu Jan  1 00:00:00 1970\n\nkeep\n\n' >mbox
    cp mbox before
}

box_config() {
    config <<END
deliver rcpt_to box@mx.example append $HERE/mbox
deliver rcpt_to small@mx.example append $HERE/small
deliver rcpt_to script@mx.example pipe cat >>"$HERE/read"
$1
END
    fresh
}

# A session with one message of about so many bytes.
one_message() { # BYTES RECIPIENT
    printf 'EHLO helo.example\r\n'
    transaction "$@"
    printf 'QUIT\r\n'
}

transaction() {
    envelope s@client.example "${2:-box@mx.example}"
    { echo; head -c "${1:-10}" /dev/zero | tr '\0' x | fold -w 64; echo; } | on_wire
}

# ---- appending ----------------------------------------------------------------------------

@test "whichever call fails while a message is appended: 451, and the file is as it was" {
    box_config
    while read -r call pattern fault; do
        one_message 300000 | with_fault "$call" "$pattern" "$fault"
        expect "$call $fault: $REPLY" "$call $fault: $DEFERRED"
        cmp mbox before
    done <<'END'
openat /mbox" error=EMFILE
openat /mbox" error=EACCES
fstat,newfstatat /mbox> error=EIO
pread64 /mbox> error=EIO
pread64 deleted error=EIO
writev /mbox>,.*iov_base="From error=ENOSPC
writev /mbox>,.*iov_base="From error=EDQUOT
writev /mbox>,.[[][{]iov_base="xxx error=ENOSPC
writev /mbox>,.[[][{]iov_base="xxx error=EIO
fsync /mbox> error=EIO
fsync /mbox> error=ENOSPC
END
    while read -r call pattern fault; do
        one_message | with_fault "$call" "$pattern" "$fault" +
        expect "$call $fault: $REPLY" "$call $fault: $DEFERRED"
        cmp mbox before
    done <<'END'
flock /mbox> error=ENOLCK
fcntl /mbox>,.F_SETLK error=ENOLCK
END
    expect "$(deliveries | grep -c '^deferred 3 append box@mx.example$')" 13
}

@test "an interrupted or short write is no failure" {
    box_config
    one_message 100000 | with_fault writev '/mbox>' error=EINTR
    expect "${REPLY:0:9}" '250 2.0.0'
    expect "$(tail -n +5 mbox | text_of | tr -d '\n' | wc -c)" 100000
    # strace says that so many bytes were written, and writes none: those are missing, and no others
    { echo; head -c 100000 /dev/zero | tr '\0' x | fold -w 64; echo; echo; } >rest
    for missing in 7 1000; do
        one_message 100000 | with_fault writev '/mbox>' "retval=$missing"
        expect "${REPLY:0:9}" '250 2.0.0'
        tail -c "+$(($(stat -c %s before) + 1))" mbox >appended
        head=$(grep INJECTED trace | grep -oE 'iov_len=[0-9]+' | head -n 1 | cut -d = -f 2)
        if [ "$missing" -lt "$head" ]; then
            expect "$(head -c 15 appended)" 'client.example '
            tail -c "+$((head - missing + 1))" appended | cmp - rest
        else
            tail -c "+$((missing - head + 1))" rest | cmp - appended
        fi
    done
}

@test "a directory that cannot be synced: 451, and no message in the new file" {
    config <<END
deliver rcpt_to box@mx.example append $HERE/mbox
END
    fresh() { rm -f mbox; }
    one_message | with_fault fsync "[(][0-9]+<$HERE>" error=EIO
    expect "$REPLY" "$DEFERRED"
    [ ! -s mbox ]
    # the next delivery still syncs the directory, which does not hold the name safely yet
    UNDER=(strace -f -y -o trace -e trace=fsync)
    one_message | session
    grep -q "fsync([0-9]*<$HERE>) *= 0" trace
}

@test "a limit to the size of files: 451, and the file is as it was" {
    box_config
    UNDER=(prlimit --fsize=10000 --)
    one_message 20000 | session
    get_reply
    expect "$REPLY" "$DEFERRED"
    cmp mbox before
    expect "$(log_lines | sed -nE 's/^.* delivery .* reason="(.*)"$/\1/p')" 'cannot write the file: File too large'
}

# Has the session run with `disk` on a file system of so many KiB. What is there afterwards
# comes back; where mounting is forbidden, a limit to the size of files has to do.
small_disk() {
    mkdir disk
    cp mbox disk/mbox
    if ! unshare -rm mount -t tmpfs tmpfs /mnt; then
        UNDER=(prlimit --fsize="$(($1 * 1024))" --)
        return
    fi
    cat >on_small_disk <<'END'
size=$1
shift
mkdir after && cp disk/mbox after/mbox && mount -t tmpfs -o "size=${size}k" tmpfs disk && mv after/mbox disk/mbox || exit 99
"$@"
status=$?
cp -a disk/. after/ && umount disk && cp -a after/. disk/ || exit 99
exit "$status"
END
    UNDER=(unshare -rm sh on_small_disk "$1")
}

@test "a full disk: 451, the file is as it was, and what fits is delivered" {
    box_config
    small_disk 64
    config <<END
deliver rcpt_to box@mx.example append $HERE/disk/mbox
END
    {
        printf 'EHLO helo.example\r\n'
        transaction 80000 # stays in memory until it is appended
        transaction 1000
        printf 'QUIT\r\n'
    } | session
    expect "$(tail -n 6 replies | head -n 1)" "$DEFERRED"
    expect "$(tail -n 2 replies | head -n 1 | cut -c 1-9)" '250 2.0.0'
    cmp -n "$(stat -c %s before)" before disk/mbox
    "$TESTS/tools/unmbox" disk/mbox out
    expect "$(find out -type f | wc -l)" 2
    expect "$(without_head out/2 | tr -d '\n' | wc -c)" 1000
}

@test "when cutting back fails, too, it is still 451, and the log names file and place" {
    box_config
    UNDER=(prlimit --fsize=70000 --)
    one_message 90000 | with_fault ftruncate '/mbox>' error=EIO
    expect "$REPLY" "$DEFERRED"
    cmp -n "$(stat -c %s before)" before mbox
    log_lines | grep -qxF "[192.0.2.7] half a message is left in $HERE/mbox behind byte $(stat -c %s before): Input/output error"
}

@test "killed while it appends: no 250, old mail stays, the next message begins behind an empty line" {
    box_config
    while read -r call pattern limit size; do
        UNDER=(prlimit --fsize="$limit" --)
        status=0
        one_message "$size" | with_fault "$call" "$pattern" signal=KILL || status=$?
        expect "$call $pattern: $status" "$call $pattern: 137"
        expect "$call $pattern: $(grep -c '^250 2.0.0 Ok' replies)" "$call $pattern: 0"
        cmp -n "$(stat -c %s before)" before mbox
        cp mbox tail
        [ "$limit" = unlimited ] || expect "$(tail -c 1 tail)" x # within a line
        UNDER=()
        one_message 1000 | session
        get_reply
        expect "${REPLY:0:9}" '250 2.0.0'
        size=$(stat -c %s tail)
        cmp -n "$size" tail mbox
        tail -c "+$((size + 1))" mbox | sed -n '/^From /,$p' >appended
        "$TESTS/tools/unmbox" appended out
        expect "$(without_head out/1 | tr -d '\n' | wc -c)" 1000
        expect "$(head -c "-$(stat -c %s appended)" mbox | tail -c 2 | tr '\n' N)" NN
    done <<'END'
writev /mbox>,.*iov_base="From unlimited 300000
writev /mbox>,.[[][{]iov_base="xxx unlimited 300000
ftruncate /mbox> 70000 100000
fsync /mbox> unlimited 100000
END
}

# ---- commands -----------------------------------------------------------------------------

@test "whichever call fails before a command runs: 451, and it does not run" {
    box_config
    fresh() { rm -f read; }
    while read -r call pattern fault; do
        one_message 100 script@mx.example | with_fault "$call" "$pattern" "$fault" +
        expect "$call $fault: $REPLY" "$call $fault: $DEFERRED"
        [ ! -e read ]
    done <<'END'
memfd_create . error=ENOMEM
memfd_create . error=EMFILE
pipe2 . error=EMFILE
clone,clone3,fork,vfork VFORK error=EAGAIN
clone,clone3,fork,vfork VFORK error=ENOMEM
END
    one_message 100 script@mx.example | session
    get_reply
    expect "${REPLY:0:9}" '250 2.0.0'
    expect "$(without_head read | tr -d '\n' | wc -c)" 100
}

@test "no process for the session: the client is asked to come again" {
    config </dev/null
    UNDER=(strace -f -o trace -e 'trace=clone,clone3,fork' -e 'inject=clone,clone3,fork:error=EAGAIN')
    printf 'EHLO helo.example\r\nQUIT\r\n' | session || true
    expect "$(tail -n 1 replies | cut -c 1-4)" '421 '
    expect "$(log_lines | grep -c 'ERROR: 421 ')" 1
}

@test "a command has its whole message although mailrecv is killed" {
    config <<END
deliver rcpt_to box@mx.example pipe echo >started; read -r go <go; cat >read; echo "\$MESSAGE_SIZE" >size; mv size whole
END
    mkfifo go
    one_message 300000 >input
    "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" <input >raw_replies 3>&- &
    mailrecv=$!
    until_true [ -e started ]
    kill -KILL "$mailrecv"
    wait "$mailrecv" || true
    echo go >go
    until_true [ -e whole ]
    expect "$(stat -c %s read)" "$(cat whole)"
    expect "$(without_head read | tr -d '\n' | wc -c)" 300000
    refute grep -q '^250 2.0.0 Ok' raw_replies
}

@test "where a spool cannot be told to be final, or not be read, a command gets a copy of it" {
    config <<END
deliver rcpt_to script@mx.example pipe cat >"$HERE/read"; echo "\$MESSAGE_SIZE" >"$HERE/size"
END
    fresh() { rm -f read size; }
    for fault in 'openat /proc/self/fd error=ENOENT' 'fcntl F_SETLEASE error=EINVAL' 'fcntl F_SETLEASE error=EAGAIN' \
        'fcntl F_UNLCK error=EAGAIN'; do
        # shellcheck disable=SC2086 # words
        one_message 400000 script@mx.example | with_fault $fault
        expect "$fault: ${REPLY:0:9}" "$fault: 250 2.0.0"
        expect "$fault: $(stat -c %s read)" "$fault: $(cat size)"
        without_head read | cmp - <(echo; head -c 400000 /dev/zero | tr '\0' x | fold -w 64; echo)
    done
}

# ---- the spool ----------------------------------------------------------------------------

@test "a spool that outgrows the disk is 452, and the session goes on" {
    box_config
    UNDER=(prlimit --fsize=200000 --)
    {
        printf 'EHLO helo.example\r\n'
        transaction 400000
        transaction 1000 small@mx.example
        printf 'QUIT\r\n'
    } | session
    expect "$(tail -n 6 replies | masked)" "452 4.3.1 Not enough space, try again later
250 2.1.0 Sender ok
250 2.1.5 Recipient ok
354 Send the message, end it with a dot on a line of its own
250 2.0.0 Ok, delivered as ID
221 2.0.0 Goodbye"
    cmp mbox before
    expect "$(text_of small | tr -d '\n' | wc -c)" 1000
}

@test "a spool on a full disk is 452, nothing of it stays, and the session goes on" {
    box_config
    small_disk 300
    sed -i "2s|.*|spool_directory $HERE/disk|" conf
    {
        printf 'EHLO helo.example\r\n'
        transaction 500000
        transaction 200000 small@mx.example
        printf 'QUIT\r\n'
    } | session
    expect "$(tail -n 6 replies | sed -n '1s/ [A-Z].*//p;5s/ [A-Z].*//p' | tr '\n' ' ')" '452 4.3.1 250 2.0.0 '
    cmp mbox before
    expect "$(text_of small | tr -d '\n' | wc -c)" 200000
    expect "$(ls disk)" mbox
}

@test "calls for the spool that fail are 4xx, and nothing is delivered" {
    box_config
    while read -r call pattern fault expected; do
        one_message 400000 | with_fault "$call" "$pattern" "$fault"
        expect "$call $fault: ${REPLY:0:9}" "$call $fault: $expected"
        cmp mbox before
    done <<'END'
openat O_TMPFILE error=ENOSPC 452 4.3.1
openat O_TMPFILE error=EACCES 451 4.3.0
openat O_TMPFILE error=EMFILE 451 4.3.0
pread64 deleted error=EIO 451 4.3.0
END
}

@test "a spool_directory that is none refuses large messages temporarily and takes small ones" {
    for directory in "$HERE/missing" "$HERE/before" /proc; do
        box_config
        rm -f small
        sed -i "2s|.*|spool_directory $directory|" conf
        {
            printf 'EHLO helo.example\r\n'
            transaction 400000
            transaction 1000 small@mx.example
            printf 'QUIT\r\n'
        } | session
        expect "$directory: $(tail -n 6 replies | sed -n '1s/ [A-Z].*//p;5s/ [A-Z].*//p' | tr '\n' ' ')" \
            "$directory: 451 4.3.0 250 2.0.0 "
        cmp mbox before
        expect "$(text_of small | tr -d '\n' | wc -c)" 1000
    done
}

@test "a spool file never has a name" {
    box_config
    mkdir spool
    sed -i "2s|.*|spool_directory $HERE/spool|" conf
    {
        printf 'EHLO helo.example\r\n'
        transaction 400000
    } | head -c 300000 >input
    mkfifo client
    "$MAILRECV" -c conf -l "$HERE/log" -d f -P "$CLIENT" <client >raw_replies 3>&- &
    mailrecv=$!
    exec {connection}>client
    cat input >&"$connection"
    wait_for log 'opened a spool file'
    expect "$(ls -A spool)" ''
    kill -KILL "$mailrecv"
    wait "$mailrecv" || true
    exec {connection}>&-
    expect "$(ls -A spool)" ''
}

@test "a quota that is used up is 452 for the spool, and 451 for the copy of a command" {
    fresh() { rm -f read mbox; }
    config <<END
sandbox off
deliver rcpt_to box@mx.example append $HERE/mbox
deliver rcpt_to script@mx.example pipe cat >"$HERE/read"
END
    one_message 400000 | with_fault write '[(]deleted[)]' error=EDQUOT
    expect "$REPLY" '452 4.3.1 Not enough space, try again later'
    [ ! -e mbox ]
    one_message 400000 script@mx.example | with_fault write '[(]deleted[)].*"Return-Path' error=EDQUOT
    expect "$REPLY" '452 4.3.1 Not enough space, try again later'
    [ ! -e read ]
    # with several recipients the head is written, and the message copied, for each command
    {
        printf 'EHLO helo.example\r\n'
        envelope s@client.example script@mx.example box@mx.example
        { head -c 400000 /dev/zero | tr '\0' x | fold -w 64; echo; } | on_wire
        printf 'QUIT\r\n'
    } | with_fault write '[(]deleted[)].*"Return-Path' error=EDQUOT
    expect "$REPLY" "$DEFERRED"
    [ ! -e read ]
    [ ! -e mbox ]
}

# ---- the log ------------------------------------------------------------------------------

# A message for an mbox and one for a command, which must arrive.
delivered_without_log() {
    {
        printf 'EHLO helo.example\r\n'
        transaction 1000
        transaction 400000 script@mx.example
        printf 'QUIT\r\n'
    } | session
    expect "$(grep -c '^250 2.0.0 Ok' replies)" 2
    expect "$(tail -n +5 mbox | text_of | tr -d '\n' | wc -c)" 1000
    expect "$(without_head read | tr -d '\n' | wc -c)" 400000
}

@test "a log that takes nothing: the mail is delivered all the same" {
    box_config
    ln -s /dev/full log
    delivered_without_log
}

@test "a log on a full disk: the mail is delivered all the same" {
    box_config
    small_disk 64
    UNDER+=(sh -c 'head -c 65536 /dev/zero >disk/filler; exec "$@"' sh)
    ln -s disk/log log
    delivered_without_log
    [ "$(stat -c %s disk/filler)" -gt 0 ]
}

# ---- the client ---------------------------------------------------------------------------

@test "a client that goes away before the last byte of the end has sent nothing" {
    box_config
    {
        printf 'EHLO helo.example\r\n'
        envelope s@client.example box@mx.example script@mx.example
        printf 'text\r\n.\r\n'
    } >input
    size=$(stat -c %s input)
    for ((cut = size - 12; cut < size; cut++)); do
        head -c "$cut" input | session
        expect "$cut: $(grep -c '^250 2.0.0' replies)" "$cut: 0"
        cmp mbox before
        [ ! -e read ]
    done
    # and with it, it has, even if it goes away at once
    session <input
    [ -s read ]
    expect "$(grep -c '^text$' mbox)" 1
}

@test "a client that goes away in a large message leaves nothing, and its earlier message stays" {
    box_config
    {
        printf 'EHLO helo.example\r\n'
        transaction 100
        transaction 400000 | head -c 300000
    } | session
    expect "$(grep -c '^From s@client.example ' mbox)" 1
    expect "$(tail -n +5 mbox | text_of | tr -d '\n' | wc -c)" 100
}

@test "SIGTERM in the middle of a message: 421, and nothing is delivered" {
    box_config
    mkfifo client
    "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" <client >raw_replies 3>&- &
    mailrecv=$!
    exec {connection}>client
    { printf 'EHLO helo.example\r\n'; envelope s@client.example box@mx.example; printf 'text\r\n'; } >&"$connection"
    wait_for raw_replies ^354
    kill -TERM "$mailrecv"
    wait "$mailrecv" || true
    exec {connection}>&-
    expect "$(tail -n 1 raw_replies | cut -c 1-9)" '421 4.3.2'
    cmp mbox before
}
