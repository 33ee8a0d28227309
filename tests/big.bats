#!/usr/bin/env bats
# A message of any size is delivered with little memory; BIG_MEGABYTES=1024 makes it the gigabyte of `make check`

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

load common
load tools/delivery

# The message: lines of 64 bytes, one of them a trap for mboxes.
text() {
    yes "$(printf '%063d\n' {1..1023}; printf 'From here %053d' 0)" | head -c "$1"
}

@test "a message of BIG_MEGABYTES (64) reaches a file and a command below 8 MB of memory each" {
    size=$((${BIG_MEGABYTES:-64} * 1024 * 1024))
    config <<END
limit.smtp_data_size $((2 * size))
deliver rcpt_to mbox@mx.example append $HERE/mbox
deliver rcpt_to pipe@mx.example pipe echo "\$MESSAGE_SIZE" >$HERE/told; cat >$HERE/read
END
    # the peak of all processes that mailrecv has waited for, in KiB
    UNDER=(/usr/bin/time -q -f %M -o peak)
    text "$size" | send s@client.example pipe@mx.example mbox@mx.example
    [[ $REPLY == '250 2.0.0 '* ]]
    expect "$(stat -c %s read)" "$(cat told)"
    head=$(head -n 5 read | wc -c)
    expect "$(cat told)" "$((head + size))"
    without_head read | cmp - <(text "$size")
    rm read
    text_of mbox | sed 's/^>From /From /; $d' | cmp - <(text "$size")
    rm mbox
    [ "$(cat peak)" -lt 8192 ]
}

# The milter, which tools/milter plays, until the test ends.
teardown() {
    [ -z "${milter-}" ] || kill "$milter" 2>/dev/null || true
}

@test "so does one of BIG_MEGABYTES (16) through a milter that changes its header, or replaces its body by another as large" {
    size=$((${BIG_MEGABYTES:-16} * 1024 * 1024))
    config <<END
limit.smtp_data_size $((2 * size))
milter unix:$HERE/sock
deliver rcpt_to mbox@mx.example append $HERE/mbox
deliver rcpt_to pipe@mx.example pipe cat >$HERE/read
END
    echo 'eob h X-New yes' >script
    python3 "$TESTS/tools/milter" "$HERE/sock" script seen 3>&- >ready &
    milter=$!
    until_true test -S sock
    UNDER=(/usr/bin/time -q -f %M -o peak)
    text "$size" | send s@client.example pipe@mx.example mbox@mx.example
    [[ $REPLY == '250 2.0.0 '* ]]
    head -n 7 read | grep -qx 'X-New: yes'
    text_of read | cmp - <(text "$size")
    rm mbox
    [ "$(cat peak)" -lt 8192 ]
    text "$size" | tr 0 1 >body
    echo "eob b @$HERE/body" >script
    text "$size" | send s@client.example pipe@mx.example mbox@mx.example
    [[ $REPLY == '250 2.0.0 '* ]]
    text_of read | cmp - body
    rm mbox
    [ "$(cat peak)" -lt 8192 ]
}
