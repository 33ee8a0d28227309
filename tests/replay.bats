#!/usr/bin/env bats
# replay.bats - mailrecv -r: saved messages are decided on and delivered once more, and never twice

bats_require_minimum_version 1.5.0
load common
load tools/delivery

# replay STATUS PLACE [OPTION...] [WORD...]: its lines, without ids, are in `said`, its complaints in `errors`.
replay() {
    local status=0 expected=$1 place=$2
    shift 2
    "$MAILRECV" -r "$place" -c conf -l "$HERE/log" "$@" </dev/null >output 2>errors || status=$?
    sed -E 's/[0-9a-f]{13}\.[0-9a-f]+\.[0-9a-f]+/ID/' output >said
    expect "$status" "$expected"
}

# A script that fails until the file `mended` is there, and then keeps what it reads.
broken() {
    config <<END
deadletter_file $HERE/dead
deliver rcpt_to a@mx.example pipe test -e $HERE/mended && cat >>$HERE/a
deliver rcpt_to b@mx.example pipe test -e $HERE/mended && cat >>$HERE/b
END
    for recipient; do
        echo "to $recipient" | send s@client.example "$recipient@mx.example"
        [[ $REPLY == 250* ]]
    done
}

# What of a redelivered copy the sender has sent: below our new head and the old Received:.
as_sent() { sed 1,8d "$@"; }

@test "a dead-letter file: what failed is delivered when the script is mended, once" {
    broken a b
    cp dead before
    replay 1 dead
    expect_file said <<'END'
1 deferred from="s@client.example" to="a@mx.example" reply="451 4.3.0 The message cannot be delivered now, try again later" reason="the command exited with status 1"
2 deferred from="s@client.example" to="b@mx.example" reply="451 4.3.0 The message cannot be delivered now, try again later" reason="the command exited with status 1"
END
    # a failure leaves it as it was, and puts no copy behind it
    cmp dead before
    touch mended
    replay 0 dead
    expect_file said <<'END'
1 delivered from="s@client.example" to="a@mx.example" reply="250 2.0.0 Ok, delivered as ID"
2 delivered from="s@client.example" to="b@mx.example" reply="250 2.0.0 Ok, delivered as ID"
END
    replay 0 dead
    expect_file said <<'END'
1 done from="s@client.example" to="a@mx.example"
2 done from="s@client.example" to="b@mx.example"
END
    expect "$(as_sent a)" 'to a'
    expect "$(as_sent b)" 'to b'
    # the mark is all that has changed
    sed 's/^Delivered-To:/Re-delivered:/' before | cmp - dead
    expect "$(cat errors)" ''
}

@test "what a script reads is what it would have read, and the old Received: line" {
    broken
    touch mended
    python3 - >plain <<'END'
import sys
body = [b"From here", b">From there", b">>>From deep", b"Fro", b"F", b">", b">>", b"", b".", b"..", b".x", b"nul\0", b"\r\r",
        b"lone\rcr", b"cr\r", b"\x80\xff", b"x" * 200000, b">" * 70000 + b"From far", b">" * 70000 + b"Fro", b"From", b"", b"", b"From "]
sys.stdout.buffer.write(b"Subject: all\n\n" + b"".join(line + b"\n" for line in body))
END
    python3 -c '
import sys
data = sys.stdin.buffer.read()
sys.stdout.buffer.write(b"".join((b"." if line[:1] == b"." else b"") + line + b"\r\n" for line in data.split(b"\n")[:-1]))' <plain >wire
    send_raw s@client.example a@mx.example <wire
    [[ $REPLY == 250* ]]
    sed 1,5d a >direct
    mv a first
    cmp direct plain
    rm mended
    for _ in 1 2; do send_raw s@client.example a@mx.example <wire; done
    touch mended
    replay 0 dead 2
    as_sent a >again
    cmp again plain
    # the head is new, and what was below it is still there
    expect "$(masked a | head -n 8)" "$(masked first | head -n 5; masked first | sed -n 3,5p)"
    replay 0 dead
    expect "$(cut -d' ' -f 1,2 said)" $'1 delivered\n2 done'
}

@test "messages are named by numbers and ranges" {
    broken a b a b a
    touch mended
    replay 0 dead 2 4-5
    expect "$(cut -d' ' -f 1,2 said)" $'2 delivered\n4 delivered\n5 delivered'
    replay 0 dead 1-3
    expect "$(cut -d' ' -f 1,2 said)" $'1 delivered\n2 done\n3 delivered'
    replay 1 dead 5-7
    expect "$(cut -d' ' -f 1,2 said)" '5 done'
    expect "$(cat errors)" 'mailrecv: dead has 5 messages, there is no number 7'
    expect "$(grep -c '^to ' a)/$(grep -c '^to ' b)" 3/2
}

@test "-n says what would be, and marks nothing" {
    broken a
    cp dead before
    replay 0 dead -n
    expect "$(cat said)" '1 rehearsed from="s@client.example" to="a@mx.example" reply="250 2.0.0 Ok, but nothing is delivered in a rehearsal of ID"'
    cmp dead before
    [ ! -e a ]
    expect "$(deliveries | tail -n 1)" 'rehearsed 4 pipe a@mx.example'
}

@test "an address without a rule stays in the file until it has one" {
    broken x
    replay 1 dead
    expect "$(cat said)" '1 refused from="s@client.example" to="x@mx.example" reply="550 5.1.1 No one here by that name"'
    echo "deliver rcpt_to x@mx.example append $HERE/x" >>conf
    replay 0 dead
    expect "$(text_of x | sed '$d')" 'to x'
    # no refusal of a replay is a refusal of a client, for fail2ban
    expect "$(grep -c 'ERROR: ' log || :)" 0
}

# ---- killed, stopped, disturbed ---------------------------------------------------------------

@test "killed in the middle: it is begun, and only by its number tried again" {
    broken a b
    touch mended
    # the command kills mailrecv when it has read the message, once
    sed -i "s,^deliver rcpt_to a.*,deliver rcpt_to a@mx.example pipe cat >>$HERE/a; [ -e $HERE/killed ] || { touch $HERE/killed; kill -9 \$PPID; }," conf
    replay 137 dead
    expect "$(cat said)" ''
    expect "$(grep -c '^Redelivering: a@mx\.example$' dead)" 1
    replay 1 dead
    expect "$(head -n 1 said)" '1 begun from="s@client.example" to="a@mx.example" reason="a replay that was killed may have delivered it: name it by its number to try again"'
    expect "$(tail -n 1 said | cut -d' ' -f 1,2)" '2 delivered'
    replay 0 dead 1
    expect "$(cut -d' ' -f 1,2 said)" '1 delivered'
    expect "$(grep -c '^to a' a)" 2
    expect "$(grep -c '^Re-delivered: ' dead)" 2
}

@test "SIGTERM and Ctrl-C end the command, leave the message, and begin no other" {
    broken a b
    touch mended
    cp dead before
    for signal in TERM INT; do
        rm -f b
        sed -i "s,^deliver rcpt_to a.*,deliver rcpt_to a@mx.example pipe kill -$signal \$PPID; sleep 60," conf
        replay 1 dead
        expect "$(cat said)" '1 deferred from="s@client.example" to="a@mx.example" reply="451 4.3.0 The message cannot be delivered now, try again later" reason="the service is being stopped"'
        cmp dead before
        [ ! -e b ]
    done
}

@test "two at once: what one has begun the other leaves alone" {
    broken a
    touch mended
    sed -i "s,^deliver rcpt_to a.*,deliver rcpt_to a@mx.example pipe [ ! -e $HERE/second ] \&\& $MAILRECV -r $HERE/dead -c $HERE/conf -l $HERE/log >$HERE/second; cat >>$HERE/a," conf
    replay 0 dead
    expect "$(cut -d' ' -f 1,2 second said)" $'1 begun\n1 delivered'
    expect "$(grep -c '^to a' a)" 1
}

@test "mail that comes meanwhile is neither hindered nor looked at" {
    broken a
    touch mended
    printf '%s\r\n' 'MAIL FROM:<new@client.example>' 'RCPT TO:<nobody@mx.example>' DATA new . QUIT >input
    sed -i "s,^deliver rcpt_to a.*,deliver rcpt_to a@mx.example pipe $MAILRECV -c $HERE/conf -l $HERE/log -P local <$HERE/input >$HERE/answers; cat >>$HERE/a," conf
    replay 0 dead
    grep -q '^250 2\.0\.0 ' answers
    expect "$(cut -d' ' -f 1,2 said)" '1 delivered'
    expect "$(grep -E '^(Re-delivered|Delivered-To): ' dead)" $'Re-delivered: a@mx.example\nDelivered-To: nobody@mx.example'
    replay 1 dead
    expect "$(cut -d' ' -f 1,2 said)" $'1 done\n2 refused'
}

@test "a file that was replaced meanwhile is not written to" {
    broken a
    touch mended
    sed -i "s,^deliver rcpt_to a.*,deliver rcpt_to a@mx.example pipe cat >>$HERE/a; mv $HERE/dead $HERE/old; cp $HERE/old $HERE/dead," conf
    replay 1 dead
    expect "$(cat said)" '1 failed from="s@client.example" to="a@mx.example" reply="250 2.0.0 Ok, delivered as ID" reason="the file has been changed by somebody else"'
    cmp dead old
    grep -q '^Redelivering: a@mx\.example$' dead
}

@test "a file that cannot be marked is not delivered from" {
    broken a
    touch mended
    mkdir place
    mv dead place
    export MAILRECV HERE
    options=-m
    [ "$(id -u)" = 0 ] || options=-rm
    run -0 unshare $options sh -c 'mount --bind place place && mount -o remount,ro,bind place || exit
        "$MAILRECV" -r place/dead -c conf -l "$HERE/log" </dev/null; echo $?
        "$MAILRECV" -r place/dead -n -c conf -l "$HERE/log" </dev/null; echo $?'
    expect "${lines[0]}" '1 failed from="s@client.example" to="a@mx.example" reason="the file cannot be written"'
    expect "${lines[1]} ${lines[3]}" '1 0'
    [[ ${lines[2]} == '1 rehearsed '* ]]
    [ ! -e a ]
}

@test "half a message, which nobody has acknowledged, is left alone" {
    broken a b
    touch mended
    head -c -20 dead >half
    replay 1 half
    expect "$(sed -n 1p said | cut -d' ' -f 1,2)" '1 delivered'
    expect "$(sed -n 2p said)" '2 incomplete from="s@client.example" to="b@mx.example" reason="its end is missing: nobody has acknowledged it, and its sender has kept it"'
    [ ! -e b ]
    # the next delivery begins on a new line
    { sed 's/^Re-delivered:/Delivered-To:/' half; echo; cat dead; } >twice
    replay 1 twice
    expect "$(cut -d' ' -f 1,2 said)" $'1 delivered\n2 incomplete\n3 delivered\n4 delivered'
}

# ---- other places ------------------------------------------------------------------------------

@test "an mbox of somebody else: the command line says the envelope, and lines are unquoted" {
    broken
    touch mended
    printf 'From x Thu Jan  1 00:00:00 1970\nSubject: 1\n\none\n>From me\n\nFrom y Thu Jan  1 00:00:00 1970\nSubject: 2\n\n>>From two\nan end\n\n' >mbox
    replay 1 mbox
    expect "$(cat said)" '1 failed reason="it does not say its envelope: give from and rcpt"
2 failed reason="it does not say its envelope: give from and rcpt"'
    replay 0 mbox from ann@client.example rcpt a@mx.example b@mx.example
    expect "$(cat said)" '1 delivered from="ann@client.example" to="a@mx.example" to="b@mx.example" reply="250 2.0.0 Ok, delivered as ID"
2 delivered from="ann@client.example" to="a@mx.example" to="b@mx.example" reply="250 2.0.0 Ok, delivered as ID"'
    for file in a b; do
        expect "$(masked $file)" "Return-Path: <ann@client.example>
Delivered-To: $file@mx.example
Received: from localhost (local)
	by mx.example (mailrecv) with ESMTP id ID;
	DATE
Subject: 1

one
From me
Return-Path: <ann@client.example>
Delivered-To: $file@mx.example
Received: from localhost (local)
	by mx.example (mailrecv) with ESMTP id ID;
	DATE
Subject: 2

>From two
an end"
    done
}

# Splits the file `mbox`, which somebody else has written: each text, without our head, behind a line of its number.
split() { # STATUS [NUMBER...]
    rm -f a texts
    replay "$1" mbox -d f from ann@client.example rcpt a@mx.example "${@:2}"
    [ ! -e a ] || awk '/^Return-Path: <ann@/ { print "[" ++n "]"; skip = 5 } skip-- <= 0' a >texts
}

@test "an mbox of somebody else is cut where a From_ line with address and date stands behind an empty line, only" {
    broken
    touch mended
    D='Thu Jan  1 00:00:00 1970'
    # line by line: what begins a message behind an empty line, and what does not
    while read -r answer line; do
        printf 'From x %s\n\none\n\n%b\n\ntwo\n\n' "$D" "$line" >mbox
        split 0
        expect "$line: $(grep -c '^\[' texts)" "$line: $answer"
    done <<END
2 From a@b $D
2 From - $D
2 From "a b"@c $D
2 From a@b Thu Jan 01 00:00 1970
2 From a@b Thu Jan 1 00:00:00 MET 1970
2 From a@b Thu Jan  1 00:00:00 1970 +0100
2 From a@b Thu Jan  1 00:00:00 1970 remote from uucp
2 From a@b $D\\r
1 From here on, a text
1 From a@b
1 From $D
1 From a@b Thu Jan  1 00:00:00
1 From a@b Thu Foo  1 00:00:00 1970
1 From a@b Thu Jan 41 00:00:00 1970
1 From a@b Thu Jan  1 1970
1 \\x20From a@b $D
1 FROM a@b $D
1 >From a@b $D
END
    # within a paragraph; Content-Length, whatever it says
    printf 'From x %s\nContent-Length: 9999\n\none\nFrom a@b %s\nend\n\nFrom y %s\nContent-Length: 0\n\ntwo\n\n' "$D" "$D" "$D" >mbox
    split 0
    expect "$(cat texts)" "[1]
Content-Length: 9999

one
From a@b $D
end
[2]
Content-Length: 0

two"
    # a DOS file, also when we have appended to it
    printf 'From x %s\r\nSubject: 1\r\n\r\none\r\n\r\nFrom y %s\r\nSubject: 2\r\n\r\ntwo\r\n\r\n' "$D" "$D" >mbox
    for _ in 1 2; do
        split 0
        expect "$(cat texts)" $'[1]\nSubject: 1\n\none\n[2]\nSubject: 2\n\ntwo'"${more-}"
        echo "deliver rcpt_to box@mx.example append $HERE/mbox" >>conf
        send s@client.example box@mx.example </dev/null
        more=$'\n[3]\n'$(sed -n '/^Received/,$p' mbox | sed '/^X-Header-End/,$d')
    done
}

@test "what was torn is reported with its place, and never taken for whole, whoever has written it" {
    broken
    touch mended
    D='Thu Jan  1 00:00:00 1970'
    no_end='no empty line ends it: if nothing is missing, name it by its number'
    no_from='no From_ line with address and date begins it: if it is a message all the same, name it by its number'
    echo "deliver rcpt_to box@mx.example append $HERE/mbox" >>conf
    for tail in 'half a mess' 'half a mess\n' 'no end\r' 'From a@b Thu J' '\0\0\0'; do
        # shellcheck disable=SC2059 # a format
        printf "From x $D\nSubject: 1\n\none\n\nFrom y $D\nSubject: 2\n\ntwo\n$tail" >mbox
        begin=$(grep -abo 'From y' mbox | cut -d: -f1) end=$(($(stat -c %s mbox) - 1))
        for count in 2 3; do # with nothing behind it, and a message of ours
            rm -f a
            replay 1 mbox from ann@client.example rcpt a@mx.example
            expect "$tail: $(wc -l <said)" "$tail: $count"
            expect "$tail: $(sed -n 2p said)" "$tail: 2 incomplete from=\"ann@client.example\" to=\"a@mx.example\" bytes=$begin-$end reason=\"$no_end\""
            expect "$tail: $(grep -c ^two a)" "$tail: 0"
            [ "$count" = 2 ] || break
            size=$(stat -c %s mbox)
            echo text | send s@client.example box@mx.example
            end=$((end + $(tail -c "+$((size + 1))" mbox | grep -abo '^From ' | cut -d: -f1)))
        done
        # a person may know better; what was put behind it is not given on
        replay 0 mbox 2 from ann@client.example rcpt a@mx.example
        [[ $(cat said) == '2 delivered '* ]]
        grep -q ^two a
        refute grep -q $'^ \t' a
    done
    # half a From_ line behind a message of ours, which itself is whole
    rm mbox
    echo text | send s@client.example box@mx.example
    size=$(stat -c %s mbox)
    printf 'From a@b Thu J' >>mbox
    echo text | send s@client.example box@mx.example
    replay 1 mbox rcpt a@mx.example
    expect "$(cut -d' ' -f1,2 said)" $'1 delivered\n2 incomplete\n3 delivered'
    sed -i 's/^Re-delivered:/Delivered-To:/' mbox
    # half a header of ours, behind which 2.0 has put a line end only
    printf 'From a@b %s\nReturn-Path: <a@b>\nDeliv\n' "$D" >half
    truncate -s "$size" mbox
    cat half mbox >both
    replay 1 both -n
    expect "$(cut -d' ' -f1,2 said)" $'1 incomplete\n2 rehearsed'
    # a torn message of ours, right behind which stands one of a DOS file, before and after another of ours
    printf 'From y %s\r\nSubject: 2\r\n\r\ntwo\r\n\r\n' "$D" >dos
    cp mbox whole
    { head -c "$((size - 2))" whole; cat dos; } >mbox
    for words in '1 incomplete' $'1 incomplete\n2 rehearsed'; do
        replay 1 mbox -n
        expect "$(cut -d' ' -f1,2 said)" "$words"
        echo text | send s@client.example box@mx.example
    done
    mv whole mbox
    # a file that begins with half a message, and one that is none
    { printf 'rest of a mess\n\n'; cat mbox; } >both
    replay 1 both -n
    expect "$(sed -n 1p said)" "1 incomplete bytes=0-15 reason=\"$no_from\""
    expect "$(cut -d' ' -f1,2 said)" $'1 incomplete\n2 rehearsed'
    printf 'From here on\na text\n' >text
    replay 1 text
    expect "$(cat said)" "1 incomplete bytes=0-19 reason=\"$no_from\""
}

@test "of 300 generated mbox files no byte is lost, by -r or by what is appended, and nothing torn becomes whole" {
    mkdir odd
    cd odd
    run -0 "$TESTS/tools/odd-mboxes" "$MAILRECV" "${SEED:-1}" "${FILES:-300}"
    expect "$output" "${FILES:-300} files of seed ${SEED:-1}"
}

@test "a message that itself ends as one that was torn is whole, and comes back as it was sent" {
    config <<END
deliver rcpt_to a@mx.example append $HERE/box
deliver rcpt_to b@mx.example pipe cat >>$HERE/back
END
    for text in '' $'\n' $'\n\n' $'\nx\n \t \n' $'\n\n \t \n\n' $'\n\n \t \n\n\n' $'\n \t \n' $' \t \n'; do
        rm -f box back sent
        for i in 1 2; do
            printf 'Subject: x\n%s' "$text" | tee -a sent | send s@client.example a@mx.example
        done
        replay 0 box rcpt b@mx.example
        expect "$(cut -d' ' -f1,2 said)" $'1 delivered\n2 delivered'
        sed -E '/^(Return-Path|Delivered-To|Received): /d; /^\t(by|[A-Z][a-z]{2},)/d' back | cmp - sent
    done
}

@test "a box is read through no oftener for each message because none of its headers ends in CRLF" {
    config <<END
deliver rcpt_to a@mx.example append $HERE/box
END
    { echo 'Subject: x'; echo; head -c 3000 /dev/zero | tr '\0' x; echo; } | send s@client.example a@mx.example
    for i in 1 2 3 4 5 6 7 8 9; do cat box box >twice; mv twice box; done
    strace -o trace -e trace=pread64 "$MAILRECV" -r box -c conf -n </dev/null >said 2>/dev/null
    expect "$(grep -c '^[0-9]* rehearsed' said)" 512
    expect "$(awk '{ bytes += $NF } END { print (bytes < 200 * 1024 * 1024) }' trace)" 1
}

@test "a saved message, with CRLF or LF: one message, its lines end in LF" {
    broken
    touch mended
    printf 'Subject: x\r\n\r\nFrom me\r\n.\r\nlone\rcr\r\n>From you\r\n' >crlf
    printf 'Subject: x\n\nFrom me\n.\nlone\rcr\n>From you\n' >lf
    for file in crlf lf; do
        rm -f a
        replay 0 $file from '<>' rcpt '<a@mx.example>'
        sed 1,5d a | cmp - lf
    done
    : >empty
    replay 0 empty from '' rcpt a@mx.example
    expect "$(cat said)" ''
}

@test "a maildir: its own copies by their own envelopes, each once" {
    config <<END
deliver rcpt_to box@mx.example maildir $HERE/box
END
    for i in 1 2 3; do echo "message $i" | send s@client.example box@mx.example; done
    echo "deliver rcpt_to script@mx.example pipe cat >>$HERE/script" >>conf
    mv "$(find box/new -type f | sort | sed -n 2p)" box/cur
    replay 0 box 2 rcpt script@mx.example
    expect "$(as_sent script)" 'message 2'
    name=$(ls box/cur)
    expect "$(cat said)" "2 delivered file=\"box/cur/$name\" from=\"s@client.example\" to=\"script@mx.example\" reply=\"250 2.0.0 Ok, delivered as ID\""
    replay 0 box rcpt script@mx.example
    expect "$(cut -d' ' -f 1,2 said)" $'1 delivered\n2 done\n3 delivered'
    expect "$(grep '^message ' script)" $'message 2\nmessage 1\nmessage 3'
    expect "$(cat box/*/* | grep -c '^Re-delivered: box@mx\.example$')" 3
    # what cannot be read is named, and counts as one
    mkfifo box/new/0
    replay 1 box
    expect "$(cat errors)" 'mailrecv: cannot read box/new/0: Invalid argument'
    expect "$(cut -d' ' -f 1,2 said)" $'2 done\n3 done\n4 done'
}

# ---- who it was --------------------------------------------------------------------------------

@test "the client is the one that it was, for the rules and for the script" {
    config <<END
deadletter_file $HERE/dead
END
    CLIENT=192.0.2.7=mail.client.example
    echo one | send '' joe+x@mx.example
    CLIENT=2001:db8::7
    echo two | send bob@client.example 'Joe@mx.example'
    CLIENT=local HELLO='HELO me'
    echo three | send bob@client.example joe@mx.example
    cat >>conf <<END
recipient_delimiter +
allowgroup partner ^mail\\.client
allowgroup partner ^2001:
deliver allowgroup partner rcpt_to joe@mx.example exec /usr/bin/cp --backup=numbered /proc/self/environ $HERE/environment
END
    replay 1 dead
    expect "$(cat said)" '1 delivered from="" to="joe+x@mx.example" reply="250 2.0.0 Ok, delivered as ID"
2 delivered from="bob@client.example" to="Joe@mx.example" reply="250 2.0.0 Ok, delivered as ID"
3 refused from="bob@client.example" to="joe@mx.example" reply="550 5.7.1 Not accepted from your host" groups=partner'
    seen() { tr '\0' '\n' <"$1" | grep -E '^(SENDER|RECIPIENT|EXTENSION|CLIENT_(ADDRESS|HOSTNAME|HELO|PROTOCOL)|RULE)=' | paste -sd' '; }
    expect "$(seen environment.~1~)" 'SENDER= RECIPIENT=joe+x@mx.example EXTENSION=x CLIENT_ADDRESS=192.0.2.7 CLIENT_HOSTNAME=mail.client.example CLIENT_HELO=helo.example CLIENT_PROTOCOL=ESMTP RULE=conf:7'
    expect "$(seen environment)" 'SENDER=bob@client.example RECIPIENT=Joe@mx.example EXTENSION= CLIENT_ADDRESS=2001:db8::7 CLIENT_HOSTNAME=unknown CLIENT_HELO=helo.example CLIENT_PROTOCOL=ESMTP RULE=conf:7'
    grep -q '\[2001:db8::7\] delivery result=delivered .* to="Joe@mx\.example"' log
    # the command line wins
    replay 0 dead -P 192.0.2.9=mail.client.example 3 helo other.example from '<>'
    expect "$(seen environment)" 'SENDER= RECIPIENT=joe@mx.example EXTENSION= CLIENT_ADDRESS=192.0.2.9 CLIENT_HOSTNAME=mail.client.example CLIENT_HELO=other.example CLIENT_PROTOCOL=SMTP RULE=conf:7'
}

@test "TLS is remembered, a user is not and can be said" {
    broken a
    touch mended
    sed -i 's/ with ESMTP id \(.*\);$/ with ESMTPSA id \1\n\t(TLSv1.2 ECDHE-X, certificate of CN=x);/' dead
    cp dead saved
    sed -i "s,^deliver rcpt_to a.*,deliver tls auth rcpt_to a@mx.example pipe echo \$TLS_PROTOCOL \$TLS_CIPHER \$SASL_USERNAME \$CLIENT_PROTOCOL >$HERE/a," conf
    replay 1 dead
    grep -q 'reply="530 5\.7\.0 Authentication is required" needs=auth$' said
    replay 0 dead auth bob
    expect "$(cat a)" 'TLSv1.2 ECDHE-X bob ESMTPSA'
    mv saved dead
    printf '%s\n' 'tls required' 'tls.cert cert.pem' 'tls.key key.pem' 'auth required' 'auth.users users' >>conf
    replay 1 dead
    grep -q 'reply="530 5\.7\.0 Authentication is required"' said
    replay 0 dead auth ann
    expect "$(cat a)" 'TLSv1.2 ECDHE-X ann ESMTPSA'
}

@test "addresses outside ASCII" {
    config <<<"deadletter_file $HERE/dead"
    echo text | send 'böb@client.example> SMTPUTF8' 'jö@mx.example'
    [[ $REPLY == 250* ]]
    printf 'deliver rcpt_to jö@mx.example pipe cat >%s/a\n' "$HERE" >>conf
    replay 0 dead
    grep -qx 'Delivered-To: jö@mx.example' a
    expect "$(grep -c 'with UTF8SMTP id' a)" 2
}

@test "an address or a name that is none is refused as in a session" {
    broken a
    replay 1 dead from a@@b
    grep -q '^1 refused .* reply="501 5\.1\.7 Syntax error in the address of the sender"$' said
    replay 1 dead rcpt a@@b
    grep -q '^1 refused .* reply="501 5\.1\.3 Syntax error in the address of the recipient"$' said
    replay 1 dead helo ''
    grep -q '^1 failed .* reason="the name behind helo is none that a client may give"$' said
}

@test "the checks of who calls, and in whose name, are not repeated" {
    broken a
    touch mended
    printf '%s\n' 'deny remotehost .' 'limit.fcrdns_check on' 'limit.helo_dns_check on' 'limit.sender_dns_check on' \
        'limit.sender_syntax_check on' 'limit.rcpt_dns_check on' 'limit.rcpt_syntax_check on' 'dns.server 127.0.0.1:9' >>conf
    replay 0 dead helo unknown from '"quoted"@client.example'
    expect "$(cut -d' ' -f 1,2 said)" '1 delivered'
}

# ---- what is wrong ------------------------------------------------------------------------------

@test "what is wrong is said, and the exit status tells" {
    broken
    replay 66 missing
    expect "$(cat errors)" 'mailrecv: cannot read missing: No such file or directory'
    mkdir directory
    replay 66 directory
    mkfifo fifo
    replay 66 fifo
    wrong() { # MESSAGE WORD...
        local message=$1
        shift
        run -64 --separate-stderr "$MAILRECV" -c conf "$@" </dev/null
        # shellcheck disable=SC2154 # bats sets it
        expect "$stderr" "mailrecv: $message, see mailrecv -h"
    }
    wrong "option '-r' needs a value" -r
    for word in 0 3- 3-2 x; do
        wrong "unknown word '$word', expected helo, from, auth, tls, cert or rcpt" -r dead 1 $word
    done
    wrong "unknown word '2', expected helo, from, auth, tls, cert or rcpt" -r dead from x 2
    wrong "'rcpt' needs a value" -r dead 1 rcpt
    echo delivr >>conf
    replay 78 dead
    run -64 "$TESTS/tools/over-tcp" 127.0.0.1 "$MAILRECV" -r dead -c conf -l "$HERE/tcp.log" </dev/null
    expect "$output" ''
    grep -q '\] -r is not for real connections$' tcp.log
}
