# slow/next-servers.bats - Dovecot, Cyrus and Postfix take messages from mailrecv: their answers are ours, also in the
# recipes. Needs root.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

AS=()

setup() {
    begin_beside_peers
    printf '%s\n' 'Subject: test' 'From: a@client.example' 'Message-ID: <1@client.example>' \
        'Date: Sat, 01 Aug 2026 10:00:00 +0000' '' '.' '..dots' "$(head -c 3000 /dev/zero | tr '\0' x)" >message
}

teardown() { stop_peers; }

# All mail goes to TARGET.
hand_to() { # TARGET
    printf '%s\n' 'domain front.example.com' "logfile $PWD/log" "deliver rcpt_to @example.com $1" >smtp.conf
    { cat smtp.conf; echo 'protocol lmtp'; } >lmtp.conf
}

# What is answered to a message, behind 354: in LMTP for each recipient. The message is in ./message, with LF.
answers() { # smtp|lmtp NAME...
    local protocol=$1 hello=EHLO
    shift
    [ "$protocol" = smtp ] || hello=LHLO
    {
        printf '%s\r\n' "$hello client.example" 'MAIL FROM:<a@client.example>'
        printf 'RCPT TO:<%s@example.com>\r\n' "$@"
        printf 'DATA\r\n'
        sed 's/^\./../; s/$/\r/' message
        printf '.\r\nQUIT\r\n'
    } | "$MAILRECV" -c "$protocol.conf" | sed -n '1,/^354/d; s/\r$//; /^221/!p'
}

# The messages in the files end as ours does, with LF or with CRLF.
stored() { # NUMBER FILE...
    local number=$1 file
    shift
    [ $# -eq "$number" ]
    for file; do
        tr -d '\r' <"$file" | tail -n "$(wc -l <message)" | cmp - message
    done
}

# While a server is down its mail stays with the sender.
waits_for() { # NAME
    stop_peer "$1"
    [[ "$(answers lmtp ann eve)" == '451 4.3.0 '*$'\n451 4.3.0 '* ]]
    [[ "$(answers smtp ann eve)" == '451 4.3.0 '* ]]
}

@test "Dovecot, by a UNIX socket and by TCP: users that it does not know, quotas, and each byte" {
    start_dovecot_lmtp
    for where in "unix:$PWD/dovecot/lmtp" "127.0.0.1:$DOVECOT_PORT"; do
        hand_to "lmtp $where"
        run answers lmtp ann joe nobody eve
        [[ ${lines[0]} == '250 2.0.0 <ann@example.com> '*' Saved' ]]
        [ "${lines[1]}" = '552 5.2.2 <joe@example.com> Quota exceeded (mailbox for user is full)' ]
        [ "${lines[2]}" = "550 5.1.1 <nobody@example.com> User doesn't exist: nobody@example.com" ]
        [[ ${lines[3]} == '250 2.0.0 <eve@example.com> '*' Saved' ]]
        [ ${#lines[@]} -eq 4 ]
        stored 2 dovecot/mail/{ann,eve}/Maildir/new/*
        rm dovecot/mail/*/Maildir/new/*
    done
    [ "$(grep -c 'Connect from' dovecot/log)" -eq 2 ] # one transaction for all
    # SMTP has one answer
    [[ "$(answers smtp ann eve)" == 250\ * ]]
    [[ "$(answers smtp ann joe eve)" == '5'*'<joe@example.com>'*'Quota exceeded'* ]]
    rm dovecot/mail/*/Maildir/new/*
    # what a command reads, Dovecot reads: it has CHUNKING
    printf 'Subject: odd\n\na\rb\0c\n' >message
    [[ "$(answers lmtp ann)" == '250 '* ]]
    stored_bytes=$(tail -n 1 dovecot/mail/ann/Maildir/new/* | od -An -tx1)
    [ "$stored_bytes" = "$(printf 'a\rb\0c\n' | od -An -tx1)" ]
    waits_for dovecot
}

@test "Cyrus: users that it does not know, quotas, and what it does not take" {
    start_cyrus
    hand_to "lmtp $PWD/cyrus/lmtp"
    run answers lmtp ann joe nobody eve
    [[ ${lines[0]} == '250 2.1.5 Success'* ]]
    [[ ${lines[1]} == '452 4.2.2 Over quota'* ]]
    [[ ${lines[2]} == '550 5.1.1 Mailbox unknown.'* ]]
    [[ ${lines[3]} == '250 2.1.5 Success'* ]]
    [ ${#lines[@]} -eq 4 ]
    mapfile -t files < <(grep -rl '^Subject: test' cyrus/mail --include='[0-9]*.')
    stored 2 "${files[@]}"
    # in SMTP the one that waits is all that the sender hears
    [[ "$(answers smtp ann joe)" == '4'* ]]
    # it has no CHUNKING, so that a lone CR, which it would drop, does not come to it
    printf 'Subject: odd\n\na\rb\n' >message
    [[ "$(answers lmtp ann)" == '554 5.6.0 '* ]]
    waits_for cyrus
}

@test "Postfix: recipients that it does not know, and messages that it does not want" {
    cat >main.cf <<'END'
virtual_mailbox_maps = inline:{ann@example.com=ann/, eve@example.com=eve/}
smtpd_recipient_restrictions = check_recipient_access inline:{{joe@example.com = 452 4.2.2 Over quota}}, permit
header_checks = regexp:{{/^Subject: unwanted/ REJECT No such mail}}
END
    start_postfix_peer
    hand_to "smtp 127.0.0.1:$POSTFIX_PORT"
    run answers lmtp ann joe nobody eve
    [[ ${lines[0]} == '250 2.0.0 Ok: '*' bytes queued as '* ]]
    [[ ${lines[1]} == '452 4.2.2 <joe@example.com>: Recipient address rejected: Over quota' ]]
    [[ ${lines[2]} == '550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown '* ]]
    [ "${lines[3]}" = "${lines[0]}" ]
    [ ${#lines[@]} -eq 4 ]
    for name in ann eve; do wait_for postfix/log "to=<$name@example.com>.*status=sent"; done
    stored 2 postfix/mail/{ann,eve}/new/*
    sed -i 's/^Subject: .*/Subject: unwanted/' message
    run answers lmtp ann eve
    [ "${lines[0]}" = '550 5.7.1 No such mail' ]
    [ "${lines[1]}" = '550 5.7.1 No such mail' ]
    [[ "$(answers smtp ann eve)" == '550 5.7.1 '*'No such mail' ]]
    waits_for postfix
}

# From now on the server finds this directory on a disk without room.
full_disk() { # NAME DIRECTORY
    # a path from the working directory would lead past the mount
    # shellcheck disable=SC2016 # for the shell inside
    in_peer "$1" sh -ec 'cp -a "$1" copied
        mount -t tmpfs -o size=1m tmpfs "$1"
        cp -a copied/. "$1"
        ! head -c 2M /dev/zero 2>/dev/null >"$1/full"' sh "$(realpath "$2")"
}

# Goes to a directory of its own, where only files of the recipe are.
recipe_here() { # TITLE SED-ARGUMENT...
    mkdir -p recipe
    cd recipe
    recipe "$@"
}

@test "recipe: Hand to Dovecot by LMTP" {
    places=(-e "s,/run/dovecot,$PWD/dovecot/run,; s/user = mailrecv/user = nobody/")
    run recipe_here 'Hand to Dovecot by LMTP' "${places[@]}" # -t warns that there is no such socket yet
    cp recipe/99-mailrecv.conf dovecot.extra
    start_dovecot_lmtp
    await_socket "$PWD/dovecot/run/lmtp-mailrecv"
    recipe_here 'Hand to Dovecot by LMTP' "${places[@]}"
    message | deliver_to Ann@example.com | grep -q '^250 2.0.0 .* Saved'
    [ "$(tail -n 5 ../dovecot/mail/ann/Maildir/new/*)" = "$(message)" ]
    message | deliver_to joe@example.com | grep -q '^552 5.2.2 .*Quota exceeded'
    message | deliver_to nobody@example.com | grep -q '^550 5.1.1 '
    grep -q 'ERROR: 550 .* stage=rcpt .*line="RCPT TO:<nobody@example.com>"' log
    takes_letters ann@example.com
    has_letters ../dovecot/mail/ann/Maildir/new
    full_disk dovecot ../dovecot/mail/ann
    long_message | deliver_to ann@example.com | grep -q '^451 4\.2\.0 '
    stop_peer dovecot
    message | deliver_to ann@example.com | grep -q '^451 4.4.1 '
}

@test "recipe: Hand to Cyrus" {
    start_cyrus
    recipe_here 'Hand to Cyrus' -e "s,/run/cyrus/socket,$PWD/cyrus,"
    message | deliver_to ann@example.com | grep -q '^250 2.1.5 '
    message | deliver_to joe@example.com | grep -q '^452 4.2.2 '
    message | deliver_to nobody@example.com | grep -q '^550 5.1.1 '
    [ "$(grep -c 'ERROR: [45]5[02] .* stage=rcpt' log)" -eq 2 ]
    { echo 'no field'; message; } | deliver_to ann@example.com | grep -q '^554 5.6.0 .*invalid header'
    twice() { message 'Message-ID: <1@example.com>' 'Date: Sat, 01 Aug 2026 10:00:00 +0000'; }
    for _ in 1 2; do twice | deliver_to eve@example.com | grep -q '^250 2.1.5 '; done
    [ "$(grep -rl '^Message-ID: <1@example.com>' ../cyrus/mail --include='*.' | wc -l)" -eq 1 ]
    takes_letters ann@example.com
    tr -d '\r' <"$(grep -rl JXrgen ../cyrus/mail --include='[0-9]*.')" >latin-1
    LC_ALL=C grep -aqx $'Gr\374\337e' latin-1
    tr -d '\r' <"$(grep -rl JXXrgen ../cyrus/mail --include='[0-9]*.')" | grep -qx Grüße
    full_disk cyrus ../cyrus/mail
    long_message | deliver_to ann@example.com | grep -q '^451 4\.3\.1 '
    stop_peer cyrus
    message | deliver_to ann@example.com | grep -q '^451 4.4.1 '
}
