#!/usr/bin/env bats
# maildir: a message becomes a file of its own, in new only when it is whole and synced

load common
load tools/delivery

dir_config() {
    config <<END
deliver rcpt_to box@mx.example maildir $HERE/box
$1
END
}

@test "a message becomes one file in new, as sent below our headers, and the directories are made" {
    dir_config
    umask 0
    printf 'Subject: one\n\nFrom here\n>From there\n.\n' >message
    send s@client.example box@mx.example <message
    [[ $REPLY == '250 2.0.0 Ok, delivered as '* ]]
    expect "$(find box -printf '%P %y %m\n' | sed -E 's/[0-9]+\.M[0-9]{6}P[0-9]+Q1\.[^ ]+/NAME/' | sort)" \
        "$(printf ' d 700\ncur d 700\nnew d 700\nnew/NAME f 600\ntmp d 700')"
    masked box/new/* >copy
    {
        printf 'Return-Path: <s@client.example>\nDelivered-To: box@mx.example\n'
        printf 'Received: from helo.example (client.example [192.0.2.7])\n'
        printf '\tby mx.example (mailrecv) with ESMTP id ID;\n\tDATE\n'
        cat message
    } | expect_file copy
}

@test "names have neither / nor :, and differ within one session" {
    dir_config
    {
        printf 'EHLO helo.example\r\n'
        for i in {1..20}; do
            envelope "n$i@client.example" box@mx.example
            printf '.\r\n'
        done
        printf 'QUIT\r\n'
    } | session
    expect "$(find box/new -type f | wc -l)" 20
    expect "$(find box/new -type f -name '*:*' | wc -l)" 0
    expect "$(cat box/new/* | grep -c '^Return-Path:')" 20
}

@test "an existing maildir keeps its modes and its mail" {
    dir_config
    mkdir -p box/tmp box/new box/cur
    chmod 750 box box/new
    echo old >box/new/1.M1P1Q1.host
    echo text | send s@client.example box@mx.example
    [[ $REPLY == 250* ]]
    expect "$(stat -c %a box box/new | tr '\n' ' ')" '750 750 '
    expect "$(find box/new -type f | wc -l)" 2
    expect "$(cat box/new/1.M1P1Q1.host)" old
}

@test "fifty deliveries at once: fifty files, each whole, and tmp is empty" {
    dir_config
    mkdir sent
    for i in {1..50}; do
        yes "message $i: the same text" | head -n "$((i * 97))" >"sent/$i"
        { printf 'EHLO x.example\r\n'; envelope "n$i@client.example" box@mx.example; on_wire <"sent/$i"
            printf 'QUIT\r\n'; } | "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" >"told.$i" 3>&- &
    done
    wait
    expect "$(cat told.* | grep -c '^250 2.0.0 Ok, delivered')" 50
    expect "$(find box/new -type f | wc -l)" 50
    expect "$(ls box/tmp)" ''
    for copy in box/new/*; do
        sender=$(sed -nE '1s/^Return-Path: <n([0-9]+)@client.example>$/\1/p' "$copy")
        without_head "$copy" | cmp - "sent/$sender"
        rm "sent/$sender"
    done
    expect "$(ls sent)" ''
}

# ---- the order of the calls ---------------------------------------------------------------

order() {
    UNDER=(strace -f -y -o trace -e 'trace=openat,write,writev,fsync,rename,renameat,renameat2,link,linkat')
    echo text | send s@client.example box@mx.example
    [[ $REPLY == 250* ]]
    sed -nE -e "s|^[0-9]+ +(writev?\|fsync)\([0-9]+<$HERE/box/tmp/[^>]+>.*$|\1 file|p" \
        -e "s|^[0-9]+ +fsync\([0-9]+<$HERE((/[a-z]+)*)>[ )].*$|fsync .\1|p" \
        -e 's/^[0-9]+ +(<[.]* )?rename.*= 0$/rename/p' trace | tr '\n' ','
}

@test "written and synced in tmp, renamed to new, and new synced" {
    dir_config
    mkdir -p box/tmp box/new box/cur
    order >calls
    # whoever made the directories may have failed to sync them, or be still about to
    expect "$(cat calls)" 'writev file,fsync file,fsync ./box,fsync .,rename,fsync ./box/new,'
}

@test "directories that have to be made are synced all the same" {
    dir_config
    order >calls
    expect "$(cat calls)" 'writev file,fsync file,fsync ./box,fsync .,rename,fsync ./box/new,'
}

@test "the same however the directory is written, and where it is reached through links" {
    cd "$HERE"
    for path in box/ box// ./box /./box/ link link/ link/.; do
        rm -rf box link real
        [[ $path != link* ]] || { mkdir real && ln -s real link; }
        config <<END
deliver rcpt_to box@mx.example maildir $([[ $path == ./* ]] || echo "$HERE/")${path#/}
END
        order >calls
        where=./box
        [[ $path != link* ]] || where=./real
        expect "$path: $(sed 's,writev [^ ]*,writev file,' calls | grep -o "fsync .*")" "$path: fsync $where,fsync .,rename,fsync $where/new,"
    done
    # new elsewhere: that is what is synced
    rm -rf box link
    mkdir -p box elsewhere
    ln -s ../elsewhere box/new
    dir_config
    order >calls
    expect "$(cat calls)" 'writev file,fsync file,fsync ./box,fsync .,rename,fsync ./elsewhere,'
    expect "$(find elsewhere -type f | wc -l)" 1
}

@test "where the directory above may not be read, its file system is synced instead" {
    dir_config
    mkdir -p closed/box
    config <<END
deliver rcpt_to box@mx.example maildir $HERE/closed/box
deliver rcpt_to new@mx.example append $HERE/closed/mbox
END
    : >closed/mbox
    chmod 333 closed
    unprivileged=()
    [ "$(id -u)" != 0 ] || unprivileged=(setpriv --bounding-set=-all --inh-caps=-all)
    for rcpt in box new; do
        UNDER=("${unprivileged[@]}" strace -f -y -o trace -e trace=syncfs)
        echo text | send s@client.example "$rcpt@mx.example"
        expect "${REPLY:0:9}" '250 2.0.0'
        grep -q 'syncfs(.*) *= 0' trace
    done
    chmod 755 closed
}

@test "fsync off syncs nothing" {
    dir_config 'fsync off'
    order >calls
    expect "$(cat calls)" 'writev file,rename,'
}

# ---- failures -----------------------------------------------------------------------------

@test "where no maildir can be, the mail is 451 and nothing is made or changed" {
    config <<END
deliver rcpt_to file@mx.example maildir $HERE/file
deliver rcpt_to below@mx.example maildir $HERE/file/box
deliver rcpt_to missing@mx.example maildir $HERE/missing/box
deliver rcpt_to new@mx.example maildir $HERE/half
END
    echo keep >file
    mkdir -p half/tmp
    echo keep >half/new
    for rcpt in file below missing new; do
        echo text | send s@client.example "$rcpt@mx.example"
        expect "$rcpt: $REPLY" "$rcpt: 451 4.3.0 The message cannot be delivered now, try again later"
    done
    expect "$(cat file half/new)" $'keep\nkeep'
    [ ! -e missing ]
    expect "$(ls half/tmp)" ''
}

fresh() {
    rm -rf box
    mkdir -p box/tmp box/new box/cur
}

one_message() {
    printf 'EHLO helo.example\r\n'
    envelope s@client.example box@mx.example
    { head -c "${1:-10}" /dev/zero | tr '\0' x | fold -w 64; echo; } | on_wire
    printf 'QUIT\r\n'
}

@test "a call that fails leaves nothing in new and nothing in tmp, and is 451" {
    dir_config
    while read -r call pattern fault; do
        one_message | with_fault "$call" "$pattern" "$fault"
        expect "$call $fault: $REPLY" "$call $fault: 451 4.3.0 The message cannot be delivered now, try again later"
        expect "$call: $(find box -type f)" "$call: "
    done <<'END'
openat "[0-9]+[.]M.*O_CREAT error=ENOSPC
writev box/tmp/ error=ENOSPC
writev box/tmp/ error=EDQUOT
writev box/tmp/ error=EIO
fsync box/tmp/ error=EIO
close box/tmp/ error=EIO
rename,renameat,renameat2 . error=EIO
fsync box/new> error=EIO
END
    one_message | session
    get_reply
    expect "${REPLY:0:9}" '250 2.0.0'
}

@test "a disk that fills in the middle of a message leaves nothing behind" {
    dir_config
    fresh
    UNDER=(prlimit --fsize=100000 --)
    one_message 150000 | session
    get_reply
    [[ $REPLY == '45'[12]' 4.3.'* ]]
    expect "$(find box -type f)" ''
}

@test "a killed mailrecv has not said 250, and leaves nothing in new before it has synced it" {
    dir_config
    while read -r call pattern left; do
        status=0
        one_message 100000 | with_fault "$call" "$pattern" signal=KILL || status=$?
        expect "$call $pattern: $status" "$call $pattern: 137"
        expect "$call $pattern: $(grep -c '^250 2.0.0 Ok, delivered' replies)" "$call $pattern: 0"
        expect "$call $pattern: $(find box/new -type f | wc -l)" "$call $pattern: $left"
        [ "$left" = 0 ] || expect "$(find box/new -type f -exec cat {} + | without_head | tr -d '\n' | wc -c)" 100000
    done <<'END'
writev box/tmp/ 0
fsync box/tmp/ 0
rename,renameat,renameat2 . 0
fsync box/new> 1
END
}

# ---- what -t says of it -------------------------------------------------------------------

@test "-t warns of a maildir where nothing can be delivered, and of no other" {
    export MAILRECV HERE TESTS
    options=-m
    [ "$(id -u)" = 0 ] || options=-rm
    cat >cases <<'END'
missing: true
good: mkdir -p box/tmp box/new box/cur
link: mkdir real; ln -s real box
link to nothing: ln -s nothing box
links in it: mkdir box a b c; ln -s ../a box/tmp; ln -s ../b box/new; ln -s ../c box/cur
a link to nothing in it: mkdir box; ln -s nothing box/cur
a cycle: ln -s box box
a file: : >box
a file in it: mkdir box; : >box/cur
new is mounted: mkdir -p box/tmp box/new box/cur other; mount --bind other box/new
tmp is mounted: mkdir -p box/tmp box/new box/cur; mount -t tmpfs none box/tmp
tmp is mounted, new is to be made: mkdir -p box/tmp box/cur; mount -t tmpfs none box/tmp
tmp and new are links to another file system: mkdir -p box mounted; mount -t tmpfs none mounted; mkdir mounted/tmp mounted/new; ln -s ../mounted/tmp box; ln -s ../mounted/new box
new is a link to another file system: mkdir -p box mounted; mount -t tmpfs none mounted; ln -s ../mounted box/new
cur is mounted: mkdir -p box/tmp box/new box/cur; mount -t tmpfs none box/cur
all of it is mounted: mkdir box; mount -t tmpfs -o mode=700 none box
END
    cat >one <<'END'
eval "$1" || exit 3
for slash in '' / // /.; do
    printf 'domain mx.example\nlogfile %s/log\ndeliver rcpt_to box@mx.example maildir %s/box%s\n' "$HERE" "$PWD" "$slash" >conf
    chmod 600 conf
    "$MAILRECV" -t -c conf 2>told >/dev/null
    warned=$(grep -c '^conf:3:40: warning:\|^conf:3:39: warning:' told)
    reply=$(printf '%s\r\n' 'EHLO h' 'MAIL FROM:<>' 'RCPT TO:<box@mx.example>' DATA '' x . QUIT |
        "$MAILRECV" -c conf -P 192.0.2.7 | grep -c '^250 2.0.0 Ok, delivered')
    [ "$warned/$reply" = 0/1 ] || [ "$warned/$reply" = 1/0 ] || { echo "box$slash: $warned warnings, $reply delivered"; cat told; exit 1; }
    [ "$2" != missing ] || rm -rf box
done
END
    number=0
    while IFS=: read -r what how; do
        mkdir "case$((++number))"
        (cd "case$number" && unshare $options bash "$HERE/one" "$how" "$what") || { echo "$what" >&2; false; }
    done <cases
    expect "$number" 16
}

# ---- modes --------------------------------------------------------------------------------

@test "mailbox.mode: new files and directories have it whatever the umask, and follow a setgid directory" {
    read -r -a groups <<<"$(id -G) $((RANDOM + 5000))"
    group=${groups[1]} # root may give away to any, others to those that they are in
    for mode in 600 640 660; do
        directories=$((8#$mode | (8#$mode & 8#444) >> 2))
        mkdir shared
        chgrp "$group" shared
        chmod 2775 shared
        config <<END
user $(id -un)
mailbox.mode $mode
deliver rcpt_to new@mx.example maildir $HERE/shared/new
deliver rcpt_to mbox@mx.example append $HERE/shared/mbox
deliver rcpt_to plain@mx.example append $HERE/plain
END
        for mask in 000 077; do
            umask "$mask"
            echo text | send s@client.example new@mx.example mbox@mx.example plain@mx.example
            umask 077
            [[ $REPLY == 250* ]]
            find shared/new -type d -printf '%m %G\n' | sort -u >got
            printf '2%o %s\n' "$directories" "$group" | expect_file got
            find shared/new/new shared/mbox -type f -printf '%m %G\n' | sort -u >got
            echo "$mode $group" | expect_file got
            expect "$(stat -c '%a %g' plain)" "$mode $(id -g)"
            rm -r shared/* plain
        done
        rmdir shared
    done
}

@test "mailbox.mode: what is there keeps its mode" {
    config <<END
mailbox.mode 660
deliver rcpt_to box@mx.example maildir $HERE/box
deliver rcpt_to mbox@mx.example append $HERE/mbox
END
    mkdir -m 700 box box/tmp
    (umask 077 && : >mbox)
    echo text | send s@client.example box@mx.example mbox@mx.example
    [[ $REPLY == 250* ]]
    expect "$(stat -c %a box box/tmp mbox box/new box/new/* | tr '\n' ' ')" '700 700 600 770 660 '
}
