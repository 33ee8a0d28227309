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
