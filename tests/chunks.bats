#!/usr/bin/env bats
# A message in chunks arrives as it would by DATA, whatever the chunks are, in one group with all else, with little memory

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

load common
load tools/delivery

# By BDAT what is on standard input, cut at random places, to three targets; then the same by DATA. All in one write.
both_ways() { # SEED
    python3 - "$1" <<'END'
import random, re, sys

random.seed(int(sys.argv[1]))
out = sys.stdout.buffer

def envelope(name):
    return b"".join([b"MAIL FROM:<%s@client.example>\r\n" % name] +
                    [b"RCPT TO:<%s@mx.example>\r\n" % target for target in (b"a", b"m", b"c")])

out.write(b"EHLO helo.example\r\n")
for number in range(30):
    pieces = [b"x", b"\r", b"\n", b"\r\n", b"\r\n", b"\r\n.", b".", b"\0", b"\xff", b"From ", b"RSET\r\n", b"y" * 300]
    text = b"".join(random.choices(pieces, k=random.choice((0, 1, 5, 50, 3000)))) + b"\r\n"
    out.write(envelope(b"bdat-%d" % number))
    at = 0
    while at < len(text):
        size = min(len(text) - at, random.choice((0, 1, 2, 7, 1000, 70000)))
        last = b" LAST" if size == len(text) - at and random.random() < 0.5 else b""
        out.write(b"BDAT %d%s\r\n" % (size, last) + text[at:at + size])
        at += size
    if not last:
        out.write(b"BDAT 0 LAST\r\n")
    out.write(envelope(b"data-%d" % number) + b"DATA\r\n")
    lines = re.split(b"\r\n", text)
    out.write(b"\r\n".join(b"." + line if line[:1] == b"." else line for line in lines) + b".\r\n")
out.write(b"QUIT\r\n")
END
}

same_both_ways() { # LINE [SEED]...
    local line=$1 seed number
    shift
    for seed; do
        rm -rf mbox box read out
        mkdir -p read
        config <<END
$line
fsync off
limit.smtp_undelivered 10000
deliver rcpt_to a@mx.example append $HERE/mbox
deliver rcpt_to m@mx.example maildir $HERE/box
deliver rcpt_to c@mx.example pipe cat >"$HERE/read/\$SENDER"
END
        both_ways "$seed" | session
        expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" 60
        expect "$(tail -n 1 replies)" '221 2.0.0 Goodbye'
        "$TESTS/tools/unmbox" mbox out
        for copy in box/new/*; do
            mv "$copy" "box/$(sed -nE '1s/^Return-Path: <(.*)>$/\1/p' "$copy")"
        done
        for ((number = 0; number < 30; number++)); do
            without_head "read/data-$number@client.example" >want
            for copy in "read/bdat-$number@client.example" "box/bdat-$number@client.example" \
                "out/$((2 * number + 1))"; do
                without_head "$copy" | cmp - want || { echo "seed $seed, $copy" >&2; return 1; }
            done
        done
    done
}

@test "chunks of any size make the message that DATA makes, all in one group" {
    same_both_ways '' 1 2 3
}

@test "without a wall, too" {
    same_both_ways 'sandbox off' 4
}

@test "a chunk of BIG_MEGABYTES (64) reaches a file below 8 MB of memory" {
    size=$((${BIG_MEGABYTES:-64} * 1024 * 1024))
    config <<END
limit.smtp_data_size $((2 * size))
deliver rcpt_to mbox@mx.example append $HERE/mbox
END
    UNDER=(/usr/bin/time -q -f %M -o peak)
    text() { yes "$(printf '%062d' 0)"$'\r' | head -c "$size"; }
    {
        printf 'EHLO helo.example\r\nMAIL FROM:<s@client.example>\r\nRCPT TO:<mbox@mx.example>\r\n'
        printf 'BDAT %d LAST\r\n' "$size"
        text
        printf 'QUIT\r\n'
    } | session
    grep -q '^250 2.0.0 Ok, delivered' replies
    text_of mbox | sed '$d' | cmp - <(text | tr -d '\r')
    [ "$(cat peak)" -lt 8192 ]
}

@test "the debug flag l shows octets, too" {
    config <<END
debug l
deliver rcpt_to a@mx.example append $HERE/mbox
END
    printf '%s\r\n' 'EHLO helo.example' 'MAIL FROM:<s@client.example>' 'RCPT TO:<a@mx.example>' 'BDAT 19 LAST' \
        'Subject: shown' '.' QUIT | session
    grep 'DEBUG .*Subject: shown' log
}

@test "the spool of chunks that RSET drops is given back at once" {
    config <<END
limit.smtp_data_size 100000000
deliver rcpt_to a@mx.example append $HERE/mbox
END
    mkfifo in
    session <in &
    exec 5>in
    {
        printf '%s\r\n' 'EHLO helo.example' 'MAIL FROM:<s@client.example>' 'RCPT TO:<a@mx.example>' 'BDAT 1000000'
        head -c 1000000 /dev/zero
        printf 'NOOP\r\n'
    } >&5
    wait_for raw_replies '^250 2.0.0 Ok'
    spools() { find /proc/[0-9]*/fd -lname "$HERE/*deleted*" 2>/dev/null | wc -l; }
    expect "$(spools)" 2 # of session and monitor
    printf '%s\r\n' RSET 'RCPT TO:<a@mx.example>' 'VRFY a' >&5 # what is told travels with a refusal
    wait_for raw_replies '^252'
    expect "$(spools)" 0
    printf 'QUIT\r\n' >&5
    exec 5>&-
    wait
}
