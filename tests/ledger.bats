#!/usr/bin/env bats
# A retry repeats nothing: what was delivered is remembered until the sender knows it

load common.bash
load tools/delivery.bash

bats_require_minimum_version 1.5.0

ALREADY='^.*\] delivery result=already id=[0-9a-f.]+ rule=[0-9]+ target=[a-z]+ bytes=[0-9]+ secs=0\.000 '

# A configuration with a ledger, and the lines on standard input.
ledger() {
    { printf 'ledger %s/ledger.db\n' "$HERE"; cat; } | config
}

# box, and a command for `to` that appends to `piped`, and fails while there is no file `good`.
three() {
    ledger <<END
deliver rcpt_to box@mx.example append $HERE/box
deliver rcpt_to dir@mx.example maildir $HERE/dir
deliver rcpt_to pipe@mx.example pipe echo "\$DELIVERY_ID" >>$HERE/ids; test -e $HERE/good || exit 75; cat >>$HERE/piped
END
}

# The same message as often as it is wanted, but for what servers on the way add.
message() {
    printf 'Received: from a by b; %s\nDKIM-Signature: t=%s;\n\tb=%s\nMessage-ID: <1@client.example>\nSubject: x\n\ntext\n' \
        "$RANDOM" "$RANDOM" "$RANDOM"
}

to_three() {
    message | send ann@client.example box@mx.example dir@mx.example pipe@mx.example
}

copies() { # of the text in these files
    cat -- "$@" 2>/dev/null | grep -c '^text$' || true
}

# What the ledger knows: how many deliveries were made, or only begun.
known() { # delivered|begun
    "$MAILRECV" -c conf -S json | python3 -c 'import json, sys
print(sum(entry.get("state") == sys.argv[1] for entry in json.load(sys.stdin)))' "$1"
}

hears() { # HOW [-t] RECIPIENT...: see tools/heeds
    message | "$TESTS/tools/heeds" "$@" -- "$MAILRECV" -c conf -l "$HERE/log"
}

@test "a retry delivers exactly what was missing" {
    three
    for _ in 1 2 3; do
        to_three
        expect "$REPLY" "451 4.3.0 The message cannot be delivered now, try again later"
    done
    expect "$(copies box dir/new/*)" 0
    touch good
    to_three
    [[ $REPLY == 250* ]]
    expect "$(copies box) $(copies dir/new/*) $(copies piped)" '1 1 1'
}

@test "files that had it before a command failed do not get it again" {
    ledger <<END
deliver rcpt_to one@mx.example pipe cat >>$HERE/one
deliver rcpt_to two@mx.example pipe test -e $HERE/good && cat >>$HERE/two || exit 75
also rcpt_to one@mx.example append $HERE/copy
END
    message | send ann@client.example one@mx.example two@mx.example
    [[ $REPLY == 451* ]]
    expect "$(copies one) $(copies two) $(copies copy)" '1 0 0'
    message | send ann@client.example one@mx.example two@mx.example
    expect "$(copies one)" 1
    expect "$(grep -cE "$ALREADY"'host=client\.example path="cat >>[^"]*one" from="ann@client.example" to="one@mx\.example"$' log)" 1
    touch good
    message | send ann@client.example one@mx.example two@mx.example
    [[ $REPLY == 250* ]]
    expect "$(copies one) $(copies two) $(copies copy)" '1 1 1'
    expect "$(known delivered)" 0
}

@test "deliveries of one message do not take each other for a retry" {
    ledger <<END
domain mx.example
deliver rcpt_to /^"joe"@mx\.example\$/ append $HERE/quoted
deliver rcpt_to joe@mx.example append $HERE/plain
deliver rcpt_to /^postmaster\$/ append $HERE/bare
deliver rcpt_to /^postmaster@/ append $HERE/full
also rcpt_to /^(jo)e/ pipe echo "\$MATCH_1" >>$HERE/also
also rcpt_to /^(joe)/ pipe echo "\$MATCH_1" >>$HERE/also
END
    for how in cut quit; do # the first time, and again
        hears "$how" '"joe"@mx.example' joe@mx.example postmaster postmaster@mx.example >heard
        expect "$(copies quoted) $(copies plain) $(copies bare) $(copies full)" '1 1 1 1'
        expect "$(sort also | paste -sd' ')" 'jo jo joe joe'
        [ "$how" = quit ] || expect "$(known delivered)" 8
    done
    expect "$(deliveries | cut -d' ' -f1 | sort | uniq -c | awk '{ print $1, $2 }' | paste -sd' ')" '8 already 8 delivered'
    expect "$(known delivered)" 0
}

@test "all deliveries that a sender was told of are taken back, as many as a message may have" {
    printf '%s\n' 'limit.smtp_rcpt_to 1500' 'fsync off' "deliver rcpt_to @mx.example append $HERE/box" | ledger
    # shellcheck disable=SC2046 # a list of words
    message | send ann@client.example $(printf '%s@mx.example ' {1..1200})
    [[ $REPLY == 250* ]]
    expect "$(copies box)" 1200
    expect "$(known delivered)" 0
}

@test "honest messages that are the same are all delivered" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    for _ in 1 2 3; do
        printf 'text\n' | send ann@client.example box@mx.example
    done
    # in one session, by a client that waits for replies
    python3 - "$MAILRECV" -c conf -l log <<'END'
import smtplib, socket, subprocess, sys
ours, theirs = socket.socketpair()
program = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs)
client = smtplib.SMTP()
client.sock, client.file = ours, None
client.getreply()
for _ in range(2):
    client.sendmail("ann@client.example", "box@mx.example", "text\n")
client.quit()
program.wait()
END
    hears again box@mx.example >heard
    expect "$(grep -c '^250 2.0.0 Ok, delivered' heard)" 2
    expect "$(copies box)" 7
    expect "$(known delivered)" 0
    run -1 grep already log
}

@test "a sender that went on, or ended in order, knows; one that may not have read the reply does not" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    for how in noop=0 quit=0 group=0 half=0 cut=1 deaf=1; do
        hears "${how%=*}" box@mx.example >heard
        expect "$how $(known delivered)" "$how ${how#*=}"
        "$MAILRECV" -c conf -S clear ledger
    done
    expect "$(copies box)" 6
}

@test "the same behind TLS" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=mx.example -keyout key.pem -out cert.pem 2>/dev/null
    ledger <<END
tls implicit
tls.cert cert.pem
tls.key key.pem
deliver rcpt_to box@mx.example append $HERE/box
END
    # not group: who has gone by the time that we look may have left behind the relay before the replies went, and counts as such
    for how in noop=0 quit=0 cut=1 deaf=1; do
        hears "${how%=*}" -t box@mx.example >heard
        expect "$how $(known delivered)" "$how ${how#*=}"
        "$MAILRECV" -c conf -S clear ledger
    done
}

# Starts a session whose command is running when this returns, and goes on when there is a file `go on`.
start_slow() {
    ledger <<END
$1
deliver rcpt_to slow@mx.example pipe cd $HERE; echo run >>runs; touch running; until [ -e "go on" ]; do sleep 0.01; done; cat >>slow
END
    hears "${2:-early}" slow@mx.example >first 3>&- &
    wait_for runs run
}

@test "what was said before the reply proves nothing" {
    start_slow '# no limit' hasty
    wait
    expect "$(known delivered)" 1
}

@test "who was gone before the reply has its message once, and hears 250 for the retry" {
    start_slow '# no limit'
    wait_for first left
    touch 'go on'
    wait
    expect "$(known delivered)" 1
    message | send ann@client.example slow@mx.example
    [[ $REPLY == 250* ]]
    expect "$(copies slow)" 1
    expect "$(deliveries | cut -d' ' -f1 | paste -sd' ')" 'delivered already'
    expect "$(known delivered)" 0
    # and now that the sender knows, the next one is another message
    message | send ann@client.example slow@mx.example
    expect "$(copies slow)" 2
}

@test "what is the same message: sender, recipient, and all but what servers on the way change" {
    ledger <<END
deliver rcpt_to box@mx.example append $HERE/box
deliver rcpt_to other@mx.example append $HERE/box
END
    hears cut box@mx.example
    base='Message-ID: <1@client.example>\nSubject: x\n'
    # the same
    for fields in "$base" "Return-Path: <x>\n${base}X-Spam-Score: 5\n" "${base}Authentication-Results: a;\n b\n\tc\n" \
        "ARC-Seal: i=1\narc-message-signature: x\n$base" "X-MS-Exchange-Organization-Network-Message-Id: x\n$base" \
        "Delivered-To: me\n${base}X-Original-To: you\nEnvelope-To: a\nDelivery-Date: now\nX-Received: by x\n"; do
        printf '%b\ntext\n' "$fields" | "$TESTS/tools/heeds" cut box@mx.example -- "$MAILRECV" -c conf -l log
        expect "$fields $(copies box)" "$fields 1"
    done
    # others
    count=1
    for fields in "${base}X-Priority: 1\n" "${base/1@/2@}" 'Subject: x\n' "${base}Received-By: x\n" " Received: x\n$base" \
        "${base}\nReceived: in the text\n" "${base}X: 1\n Received: x\n"; do
        printf '%b\ntext\n' "$fields" | "$TESTS/tools/heeds" cut box@mx.example -- "$MAILRECV" -c conf -l log
        expect "$fields $(copies box)" "$fields $((count += 1))"
    done
    message | sed 's/^text/text /' | "$TESTS/tools/heeds" cut box@mx.example -- "$MAILRECV" -c conf -l log
    expect "$(grep -c '^text $' box)" 1
    hears cut other@mx.example
    expect "$(copies box)" $((count + 1))
    message | send bob@client.example box@mx.example
    expect "$(copies box)" $((count + 2))
}

@test "a large message is recognised by all of its bytes" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    { printf 'Subject: x\n\n'; seq -w 1 60000; } >large
    "$TESTS/tools/heeds" cut box@mx.example -- "$MAILRECV" -c conf -l log <large
    "$TESTS/tools/heeds" cut box@mx.example -- "$MAILRECV" -c conf -l log <large
    expect "$(grep -c '^30000$' box)" 1
    sed 's/^30000$/3OOOO/' large | "$TESTS/tools/heeds" cut box@mx.example -- "$MAILRECV" -c conf -l log
    expect "$(grep -c '^Subject' box)" 2
}

@test "copies by also lines, and recipients of one run, are made where they are missing" {
    ledger <<END
deliver once rcpt_to /^(a|b|c)@/ pipe echo \$RECIPIENTS >>$HERE/runs
deliver rcpt_to bad@mx.example pipe test -e $HERE/good || exit 75
also once rcpt_to @mx.example pipe echo \$RECIPIENTS >>$HERE/archive; test -e $HERE/good || exit 75
also rcpt_to a@mx.example pipe echo copy >>$HERE/copies
END
    message | send ann@client.example a@mx.example b@mx.example bad@mx.example
    [[ $REPLY == 451* ]]
    message | send ann@client.example a@mx.example b@mx.example c@mx.example bad@mx.example
    touch good
    message | send ann@client.example a@mx.example b@mx.example c@mx.example bad@mx.example
    [[ $REPLY == 250* ]]
    expect "$(cat runs)" $'a@mx.example b@mx.example\nc@mx.example'
    expect "$(cat copies)" copy
    expect "$(tail -n 1 archive)" 'a@mx.example b@mx.example c@mx.example bad@mx.example'
    expect "$(known delivered)" 0
}

@test "in LMTP each recipient has its own reply, and is taken back for that" {
    three
    echo 'protocol lmtp' >>conf
    lmtp() { # what the client does in the end
        python3 - "$1" "$MAILRECV" -c conf -l log <<'END'
import smtplib, socket, subprocess, sys
ours, theirs = socket.socketpair()
program = subprocess.Popen(sys.argv[2:], stdin=theirs, stdout=theirs)
theirs.close()
client = smtplib.LMTP.__new__(smtplib.LMTP)
smtplib.SMTP.__init__(client)
client.sock, client.file = ours, None
client.getreply()
client.docmd("LHLO client.example")
client.docmd("MAIL FROM:<ann@client.example>")
for name in "box", "pipe", "dir":
    client.docmd(f"RCPT TO:<{name}@mx.example>")
client.docmd("DATA")
client.send("text\r\n.\r\n")
print(*[client.getreply()[0] for _ in range(3)])
if sys.argv[1] == "quit":
    client.docmd("QUIT")
else: # with replies unread: more than this one is not needed
    client.send("VRFY x\r\n")
    ours.recv(1, socket.MSG_PEEK)
client.close()
program.wait()
END
    }
    expect "$(lmtp cut)" '250 451 250'
    expect "$(known delivered)" 0
    expect "$(lmtp quit)" '250 451 250'
    expect "$(copies box dir/new/*)" 4
    expect "$(uniq -c ids | awk '{ print $1 }')" 2
}

@test "in LMTP a client that closes without a word, of several replies perhaps having taken in one, is not known to know" {
    ledger <<END
protocol lmtp
deliver rcpt_to box@mx.example append $HERE/box
deliver rcpt_to two@mx.example pipe cd $HERE; until [ -e "go on" ]; do sleep 0.01; done; cat >>two
END
    for family in tcp unix; do
        for how in unread=1 early=1 both=1 quit=0; do
            rm -f 'go on' box two
            [ "$how" = early=1 ] || touch 'go on'
            message | "$TESTS/tools/hears-first" "$family" "${how%=*}" box@mx.example two@mx.example -- "$MAILRECV" -c conf -l "$HERE/log" >heard
            expect "$family $how $(head -n 1 heard) $("$MAILRECV" -c conf -S | grep -c 'delivered')" \
                "$family $how 250 $((2 * ${how#*=}))"
            touch 'go on'
            message | "$TESTS/tools/hears-first" "$family" quit box@mx.example two@mx.example -- "$MAILRECV" -c conf -l "$HERE/log" >heard
            expect "$family $how $(copies box) $(copies two)" "$family $how $((2 - ${how#*=})) $((2 - ${how#*=}))"
            expect "$(known delivered)" 0
        done
    done
}

@test "a copy that a dead-letter file took is not taken again" {
    ledger <<END
deadletter_file $HERE/dead
deliver rcpt_to pipe@mx.example pipe exit 75
END
    hears cut pipe@mx.example
    hears quit pipe@mx.example >heard
    expect "$(copies dead)" 1
    expect "$(deliveries | cut -d' ' -f1,3 | paste -sd,)" 'deferred pipe,delivered append,already pipe'
}

@test "while one session delivers, another one waits, and then need not" {
    start_slow '# no limit'
    UNDER=(strace -f -o trace -e trace=fcntl)
    message | send ann@client.example slow@mx.example 3>&- &
    wait_for trace 'F_OFD_SETLK, .* EAGAIN'
    touch 'go on'
    wait
    grep -q '^250 2.0.0 Ok, delivered' replies
    expect "$(cat runs) $(copies slow)" 'run 1'
    expect "$(deliveries | cut -d' ' -f1 | paste -sd' ')" 'delivered already'
}

@test "who has waited for limit.lock_secs hears 451, and another message waits for nobody" {
    start_slow 'limit.lock_secs 1 550 Never'
    message | send ann@client.example slow@mx.example
    expect "$REPLY" '451 4.3.0 The message cannot be delivered now, try again later'
    grep -q 'result=deferred .* reason="another session is delivering it"$' log
    expect "$(cat runs)" run
    touch 'go on'
    wait
    expect "$(cat runs) $(copies slow)" 'run 1'
}

@test "a command dies with the process that would have noted its success" {
    start_slow '# no limit'
    monitor=$(pgrep -f "^$MAILRECV -c conf -l $HERE/log" | head -n 1)
    command=$(pgrep -P "$monitor" -x sh)
    kill -KILL "$monitor"
    until_true [ ! -d "/proc/$command" ]
    wait
    touch 'go on'
    message | send ann@client.example slow@mx.example
    [[ $REPLY == 250* ]]
    expect "$(copies slow)" 1
}

@test "the entry is on the disk before anything is said" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    message | send ann@client.example box@mx.example
    UNDER=(strace -f -y -s 512 -o trace -e 'trace=fsync,fdatasync,sendto,write')
    message | send ann@client.example box@mx.example
    sed -nE 's/^[0-9]+ +(fsync|fdatasync)\([0-9]+<[^>]*\/([a-z.]+)>.*/\1 \2/p; s/.*250 2\.0\.0 Ok, delivered.*/250/p' trace >order
    expect "$(paste -sd' ' order)" 'fsync box fdatasync ledger.db 250'
}

@test "DELIVERY_ID is the same for each attempt, and another one for the next message" {
    three
    for _ in 1 2; do to_three; done
    touch good
    for _ in 1 2; do to_three; done
    expect "$(sed -n 1p ids)" "$(grep -om1 'id=[0-9a-f.]*' log | cut -c4-).3"
    expect "$(uniq -c ids | awk '{ print $1 }' | paste -sd' ')" '3 1'
    expect "$(known begun) $(known delivered)" '0 0'
}

@test "an attempt that was refused is over" {
    ledger <<<"deliver rcpt_to no@mx.example pipe echo \$DELIVERY_ID >>$HERE/ids; exit 65"
    for _ in 1 2; do message | send ann@client.example no@mx.example; done
    expect "$(sort -u ids | wc -l)" 2
    expect "$(known begun)" 0
}

@test "without a ledger DELIVERY_ID is made from sender, recipient and message" {
    config <<<"deliver rcpt_to @mx.example pipe printf '%s %s\n' \$DELIVERY_ID \"\$MAILRECV_JSON\" >>$HERE/ids; exit 75"
    for _ in 1 2; do message | send ann@client.example a@mx.example; done
    message | send ann@client.example b@mx.example
    message | send bob@client.example a@mx.example
    { message; echo more; } | send ann@client.example a@mx.example
    message | sed 's/<1@/<2@/' | send ann@client.example a@mx.example
    expect "$(cut -d' ' -f1 ids | uniq -c | awk '{ print $1 }' | paste -sd' ')" '2 1 1 1 1'
    expect "$(cut -d' ' -f1 ids | sort -u | grep -cE '^[0-9a-f]{40}$')" 5
    head -n 1 ids | { read -r id json; expect "$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["delivery_id"])' "$json")" "$id"; }
}

# shellcheck disable=SC2016 # what is done to the file is evaluated
@test "a damaged ledger is moved away and begun anew" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    for damage in 'head -c 20 old >ledger.db' '{ head -c 13 old; echo 00; head -c 100000 /dev/urandom; } >ledger.db' \
        '"$TESTS/tools/contacts" ledger.db spoil'; do
        rm -f ledger.db* box log
        hears cut box@mx.example
        cp ledger.db old
        eval "$damage"
        cp ledger.db before
        hears cut box@mx.example
        expect "$damage $(copies box)" "$damage 2"
        expect "$(grep -c "\] ledger: $HERE/ledger.db is damaged; it is kept as $HERE/ledger.db.corrupt, and begun anew$" log)" 1
        cmp before ledger.db.corrupt
        hears quit box@mx.example >heard
        expect "$(copies box)" 2
    done
    # an empty one, and one that lacks its end, are none
    for size in 0 4096; do
        truncate -s "$size" ledger.db
        rm log
        message | send ann@client.example box@mx.example
        refute grep ledger: log
    done
}

# A session delivers, and says once that the file is no ledger.
refused_as_ledger() {
    cp ledger.db before
    rm -f log box
    for _ in 1 2; do hears cut box@mx.example; done
    expect "$(copies box)" 2
    expect "$(grep -c "\] ledger: $HERE/ledger.db cannot be used, .* twice: it is no ledger$" log)" 2
    cmp before ledger.db
    [ ! -e ledger.db.corrupt ]
}

@test "a file that was never a ledger is left alone, and logged" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    printf 'From x Thu Jan  1 00:00:00 1970\n\ntext\n\n' >ledger.db
    refused_as_ledger
    printf '\0' >ledger.db
    refused_as_ledger
    { head -c 8192 /dev/zero; echo the image of a disk; } >ledger.db
    refused_as_ledger
    head -c 5000000 /dev/zero >ledger.db
    refused_as_ledger
}

@test "a damaged ledger never takes the name of one that is kept" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    for i in {1..11}; do
        { printf '0000deliver 00'; echo "$i"; } >ledger.db
        rm -f log box
        hears cut box@mx.example
        expect "$(copies box)" 1
    done
    expect "$(tail -qc 3 ledger.db.corrupt{,.{1..9}} | sort -n | paste -sd' ')" '01 02 03 04 05 06 07 08 09 10'
    grep -q 'ledger.db cannot be used, and what is sent again may be delivered twice: File exists$' log
}

@test "a ledger that cannot be used is logged once, and mail flows" {
    printf 'ledger %s/nowhere/ledger.db\ndeliver rcpt_to @mx.example append %s/box\n' "$HERE" "$HERE" | config
    { for _ in 1 2; do envelope ann@client.example a@mx.example b@mx.example; message | on_wire; done; } | session
    expect "$(copies box)" 4
    expect "$(grep -c "\] ledger: $HERE/nowhere/ledger.db cannot be used, and what is sent again may be delivered twice: No such file" log)" 1
}

@test "on a full disk a ledger goes on that is there; one that is not cannot begin, and mail flows" {
    mkdir small
    cat >on-small <<'END'
mount -t tmpfs -o size=$1,mode=700 tmpfs small && cd "$HERE" && . "$TESTS/common.bash" && . "$TESTS/tools/delivery.bash"
HERE=$PWD CLIENT=192.0.2.7 HELLO='EHLO helo.example'
printf 'domain mx.example\nspool_directory %s\nledger %s/small/ledger.db\ndeliver rcpt_to @mx.example append %s/box\n' "$HERE" "$HERE" "$HERE" >conf
[ "$1" = 1m ] || echo x | send ann@client.example other@mx.example
cat /dev/zero >small/all 2>/dev/null
for _ in 1 2; do
    printf 'text\n' | "$TESTS/tools/heeds" cut box@mx.example -- "$MAILRECV" -c conf -l "$HERE/log"
done
END
    HERE=$HERE unshare -rm bash on-small 5m
    expect "$(copies box)" 1
    refute grep ledger: log
    rm -f box log
    HERE=$HERE unshare -rm bash on-small 1m
    expect "$(copies box)" 2
    grep -q 'ledger.db cannot be used, and what is sent again may be delivered twice: No space left on device$' log
}

@test "an entry waits for ledger.secs from the last attempt on" {
    printf 'ledger.secs 100\ndeliver rcpt_to box@mx.example append %s/box\n' "$HERE" | ledger
    hears cut box@mx.example
    "$TESTS/tools/contacts" ledger.db age 90
    hears cut box@mx.example
    expect "$(copies box)" 1
    "$TESTS/tools/contacts" ledger.db age 101
    expect "$(known delivered)" 0
    hears cut box@mx.example
    expect "$(copies box)" 2
    expect "$("$TESTS/tools/contacts" ledger.db records)" 1
}

@test "what others try with a ledger leaves it alone: -n, -d on a terminal, -x, -r" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    printf '%s\r\n' 'MAIL FROM:<>' 'RCPT TO:<box@mx.example>' DATA x . QUIT | "$MAILRECV" -n -c conf -l log -P 192.0.2.7
    "$MAILRECV" -c conf -x rcpt box@mx.example
    printf 'From x Thu Jan  1 00:00:00 1970\n\ntext\n\n' >mail
    "$MAILRECV" -c conf -l log -r mail from x@client.example rcpt box@mx.example
    expect "$(copies box)" 1
    [ ! -e ledger.db ]
}

@test "-S shows the ledger, and -S clear forgets" {
    three
    touch good
    run -0 "$MAILRECV" -c conf -S
    [ "$output" = 'DELIVERY                         STATE       LAST ATTEMPT          KEPT UNTIL' ]
    hears cut box@mx.example pipe@mx.example
    rm good
    echo other | send ann@client.example pipe@mx.example
    "$MAILRECV" -c conf -S >shown
    expect "$(awk 'NR > 1 { print $2 }' shown | sort | paste -sd' ')" 'begun delivered delivered'
    expect "$("$MAILRECV" -c conf -S json | python3 -c 'import json, sys
for e in json.load(sys.stdin): print(sorted(e))' | sort -u)" "['delivery', 'last', 'state', 'until']"
    id=$(awk 'NR == 2 { print $1 }' shown)
    grep -q "id=${id%.*} " log
    expect "$("$MAILRECV" -c conf -S clear "$id")" "$id is forgotten"
    for word in "$id" nonsense; do
        run -1 --separate-stderr "$MAILRECV" -c conf -S clear "$word"
        expect "$output$stderr" "mailrecv: there is no delivery $word in $HERE/ledger.db"
    done
    expect "$("$MAILRECV" -c conf -S clear ledger)" '2 deliveries are forgotten'
    hears cut box@mx.example
    expect "$("$MAILRECV" -c conf -S clear ledger)" '1 delivery is forgotten'
    expect "$("$MAILRECV" -c conf -S clear ledger)" '0 deliveries are forgotten'
    echo nonsense >ledger.db
    run -74 --separate-stderr "$MAILRECV" -c conf -S
    expect "$stderr" "mailrecv: $HERE/ledger.db: it is no ledger"
    printf 'lockout.db %s/contacts.db\n' "$HERE" >>conf
    rm ledger.db
    run -0 "$MAILRECV" -c conf -S json
    [ "$output" = '[]' ]
    run -0 "$MAILRECV" -c conf -S
    expect "${#lines[@]}" 2
}

@test "-x does not show an id that a delivery will not have" {
    ledger <<<'deliver rcpt_to @mx.example pipe true "$DELIVERY_ID"'
    "$MAILRECV" -c conf -x rcpt a@mx.example >said
    expect "$(grep -o 'DELIVERY_ID=.*' said)" 'DELIVERY_ID=(given at the delivery)'
    config <<<'deliver rcpt_to @mx.example pipe true "$DELIVERY_ID"'
    "$MAILRECV" -c conf -x rcpt a@mx.example >said
    grep -qE 'DELIVERY_ID=[0-9a-f]{40}$' said
}

@test "-t says what is wrong with the directives" {
    printf 'domain mx.example\nledger.secs 5\ndeliver rcpt_to @mx.example append box\n' >conf
    run -1 --separate-stderr "$MAILRECV" -c conf -t
    [[ $stderr == *"conf:2:1: warning: 'ledger.secs' has no effect without ledger"* ]]
    printf 'ledger redis:localhost\n' >conf
    run -78 --separate-stderr "$MAILRECV" -c conf -t
    [[ $stderr == *"conf:1:8: 'redis:localhost' is no place of Redis: there is no port"* ]]
    printf 'domain mx.example\nledger %s/nowhere/ledger.db\nuser %s\n' "$HERE" "$(id -un)" >conf
    run -1 --separate-stderr "$MAILRECV" -c conf -t
    [[ $stderr == *"conf:2:8: warning: $HERE/nowhere/ledger.db is not there, and $(id -un) cannot make it in $HERE/nowhere: No such"* ]]
    mkdir -m 777 everybody
    chmod 777 everybody
    printf 'domain mx.example\nledger %s/everybody/ledger.db\n' "$HERE" >conf
    run --separate-stderr "$MAILRECV" -c conf -t
    [[ $stderr == *"conf:2:8: warning: "*everybody* ]]
}

@test "mailrecv-report counts what was not repeated" {
    ledger <<<"deliver rcpt_to box@mx.example append $HERE/box"
    hears cut box@mx.example
    hears quit box@mx.example >heard
    expect "$("$MAILRECV"-report -o json log | python3 -c 'import json, sys
t = json.load(sys.stdin)["totals"]; print(t["deliveries_done"], t["deliveries_already"], t["deliveries_refused"])')" '1 1 0'
}
