#!/usr/bin/env bats
# Replies by PRDR leave when they are known, the last two together

# shellcheck disable=SC2030,SC2031 # each test is a process of its own

load common
load tools/delivery

@test "each reply leaves before the next delivery begins" {
    config <<END
deliver rcpt_to fast@mx.example append $HERE/mbox
deliver rcpt_to slow@mx.example pipe read line <$HERE/gate
END
    mkfifo in gate
    session <in &
    exec 5>in
    printf '%s\r\n' 'EHLO helo.example' 'MAIL FROM:<s@client.example> PRDR' 'RCPT TO:<fast@mx.example>' \
        'RCPT TO:<slow@mx.example>' 'BDAT 1 LAST' >&5
    printf 'x' >&5
    wait_for raw_replies '^250 2.0.0 Ok, delivered'
    expect "$(tail -n 2 raw_replies | cut -c -14)" $'353 A reply fo\n250 2.0.0 Ok, '
    echo >gate
    wait_for raw_replies '^250 2.0.0 Each'
    printf 'QUIT\r\n' >&5
    exec 5>&-
    wait
}

@test "the last two replies leave together, for without the last the others are void" {
    config <<END
sandbox off
deliver rcpt_to a@mx.example append $HERE/mbox
deliver rcpt_to b@mx.example append $HERE/mbox
END
    UNDER=(/usr/bin/strace -f -qq -e trace=write -s 300 -o trace)
    printf '%s\r\n' 'EHLO helo.example' 'MAIL FROM:<s@client.example> PRDR' 'RCPT TO:<a@mx.example>' \
        'RCPT TO:<b@mx.example>' 'BDAT 1 LAST' 'xQUIT' | session
    expect "$(grep -c '"250 2.0.0 Ok, delivered as [^"]*250 2.0.0 Each recipient has its reply' trace)" 1
}
