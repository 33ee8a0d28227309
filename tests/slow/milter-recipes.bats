# slow/milter-recipes.bats - the recipes with real milters, which are unpacked for them; only root can
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load peers

setup() {
    [ "$(id -u)" -eq 0 ] || skip 'only root can make a mount namespace'
    local programs=${MAILRECV%/*}
    begin_with_program
    cp "$programs/mailrecv-checkpassword" bin
    : >log
    chmod 666 log
    letters UTF-8 >utf-8
    letters ISO-8859-1 >latin-1
    export -f as_mailrecv say check start_opendkim takes_them has_letters
}

teardown() { stop_peers; }

# The files of a recipe, and in ./later its commands, which change what `with-packages` forgets.
recipe_for_later() { # TITLE [SED-ARGUMENT...]
    local there=$MAILRECV command
    local -a commands=(adduser chown opendkim-genkey)
    for command in "${commands[@]}"; do eval "$command() { echo $command \"\$*\" >>later; }"; done
    MAILRECV=true # there are no milters here, which -t would miss
    recipe "$@"
    MAILRECV=$there
    unset -f "${commands[@]}"
    : >>later
}

as_mailrecv() { setpriv --reuid=mailrecv --regid=mailrecv --init-groups "$@"; }

# Sends a file as a message from a client that is told to be at this address; prints the replies.
say() { # CONFIGURATION ADDRESS FILE [COMMAND...]
    {
        printf '%s\r\n' 'EHLO client.example' "${@:4}" 'MAIL FROM:<ann@example.com>' 'RCPT TO:<inbox@example.com>' DATA
        sed 's/^\./../; s/\r*$/\r/' "$3"
        printf '.\r\nQUIT\r\n'
    } | as_mailrecv "$MAILRECV" -c "$1" -l "$PWD/log" -P "$2=client.example"
}

# Messages with letters of either kind in header and text are taken; they are in ./utf-8 and ./latin-1.
takes_them() {
    local file
    for file in utf-8 latin-1; do
        say mailrecv.conf 192.0.2.7 $file >replies
        grep '^250 2\.0\.0 Ok' replies || { cat replies log; return 1; }
    done
    has_letters lib/inbox
}

# The configuration is good, and its milters are there for the user mailrecv; not even a warning.
check() { as_mailrecv "$MAILRECV" -t -c mailrecv.conf; }

# A message of ann@example.com with this text.
letter() { # TEXT
    printf '%s\n' 'From: Ann <ann@example.com>' 'To: inbox@example.com' 'Subject: test' \
        'Date: Sat, 01 Aug 2026 10:00:00 +0000' 'Message-ID: <1@example.com>' '' "$1"
}

# Runs the script on standard input where the milters are, after the commands of the recipe.
with_milters() { # PACKAGES USERS
    { echo '. ./later' && echo 'chown -R mailrecv lib' && cat; } | in_a_network "$1" "$2,mailrecv"
}

# OpenDKIM as the recipe has it; what it needs of the DNS gets there.
start_opendkim() {
    systemd-tmpfiles --create opendkim.conf opendmarc.conf
    sed -i "s/^TrustAnchorFile.*/Nameservers 127.0.0.1/" /etc/opendkim.conf # else it asks the root servers itself
    [ ! -e opendkim.conf ] || cat opendkim.conf >>/etc/opendkim.conf
    opendkim
    await_socket /run/opendkim/opendkim.sock
}

OPENDKIM=('opendkim,opendmarc,opendkim-tools' 'opendkim,opendmarc')

@test "recipe: Check and sign with OpenDKIM" {
    recipe_for_later 'Check and sign with OpenDKIM' -e '/^tls required$/d; /^tls\./d; s/^auth required/&\nauth.insecure on/' \
        -e "s,smtp mail.example.net:587 .*,append $PWD/lib/sent,"
    bin/mailrecv-checkpassword -p ann <<<secret >users
    chmod 600 users
    letter 'a text' >message
    with_milters "${OPENDKIM[@]}" <<'END'
start_opendkim
echo "mail._domainkey.example.com $(grep -o '"[^"]*"' /etc/dkimkeys/mail.txt | tr -d '"\n')" >>records
check
chown mailrecv users
say mailrecv-submission.conf 192.0.2.7 message "AUTH PLAIN $(printf '\0ann\0secret' | base64)" | tee replies
grep '^250 2\.0\.0 Ok' replies
grep -A1 '^DKIM-Signature: v=1; .*d=example.com; s=mail' lib/sent
# the same message comes in; somebody else has changed it; somebody claims that it has been looked at
sed '1d' lib/sent >signed # the line of the mailbox
{
    echo 'Authentication-Results: mail.example.com; dkim=pass header.d=example.org'
    sed 's/a text/another/' signed
} >changed
say mailrecv.conf 192.0.2.7 signed | grep '^250 2\.0\.0 Ok'
sed -n '/^Authentication-Results: mail.example.com;$/{n;p}' lib/inbox | grep '^	dkim=pass .*header.d=example.com'
: >lib/inbox
say mailrecv.conf 192.0.2.7 changed | grep '^250 2\.0\.0 Ok'
grep '^	dkim=fail ' lib/inbox
! grep 'dkim=pass' lib/inbox
takes_them
# who does not log in has nothing signed
: >lib/inbox
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
! grep DKIM-Signature lib/inbox
kill "$(cat /run/opendkim/opendkim.pid)"
until [ ! -e /run/opendkim/opendkim.sock ]; do sleep 0.05; done
say mailrecv.conf 192.0.2.7 message | grep '^451'
END
}

@test "recipe: Reject by DMARC" {
    recipe_for_later 'Reject by DMARC'
    printf '%s\n' '_dmarc.example.com v=DMARC1; p=reject' 'example.com v=spf1 ip4:192.0.2.7 -all' >records
    letter 'a text' >message
    with_milters "${OPENDKIM[@]}" <<'END'
start_opendkim
cat opendmarc.conf >>/etc/opendmarc.conf
opendmarc
await_socket /run/opendmarc/opendmarc.sock
check
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
grep '^Authentication-Results: mail.example.com; dmarc=pass ' lib/inbox
say mailrecv.conf 192.0.2.66 message | grep '^550 5\.7\.1 rejected by DMARC policy for example.com'
takes_them
# whoever says that it has been looked at is not believed
{
    printf '%s\n' 'Authentication-Results: mail.example.com; dkim=pass header.d=example.com' 'Received-SPF: pass'
    cat message
} >forged
say mailrecv.conf 192.0.2.66 forged | grep '^550 5\.7\.1 rejected by DMARC policy for example.com'
END
}

@test "recipe: Filter spam with Rspamd" {
    recipe_for_later 'Filter spam with Rspamd'
    letter 'a text' >message
    letter 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X' >spam
    with_milters rspamd _rspamd <<'END'
mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs /var/log
install -d -o _rspamd /var/lib/rspamd /var/log/rspamd /run/rspamd
mkdir -p /etc/rspamd/local.d && cp milter_headers.conf /etc/rspamd/local.d
rspamd -f -u _rspamd -g _rspamd >rspamd.out 2>&1 &
rspamd=$!
await_port 11332 120 # it compiles expressions first
check
say mailrecv.conf 192.0.2.7 spam | tee replies
grep '^554 5\.7\.1 Gtube pattern' replies
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
grep '^X-Spamd-Bar: ' lib/inbox
grep '^Authentication-Results: mail.example.com;' lib/inbox
takes_them
kill $rspamd
wait $rspamd || :
say mailrecv.conf 192.0.2.7 message | grep '^451 '
END
}

@test "recipe: Filter spam with SpamAssassin" {
    recipe_for_later 'Filter spam with SpamAssassin'
    letter 'a text' >message
    letter 'XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X' >spam
    with_milters spamass-milter,spamassassin,spamd spamass-milter,debian-spamd <<'END'
spamd -d -L -x -m 1 -u debian-spamd -s "$PWD/spamd.log" -r /run/spamd.pid
cat spamass-milter >>/etc/default/spamass-milter
/etc/init.d/spamass-milter start
check
say mailrecv.conf 192.0.2.7 spam | grep '^550 5\.7\.1 Blocked by SpamAssassin'
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
grep '^X-Spam-Status: No, ' lib/inbox
! grep UNPARSEABLE_RELAY lib/inbox
takes_them
# without spamd, then without the milter
kill "$(cat /run/spamd.pid)"
while [ -e /run/spamd.pid ]; do sleep 0.05; done
: >lib/inbox
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
! grep X-Spam-Status lib/inbox
pid=$(cat /run/spamass/spamass.pid)
kill "$pid"
while [ -e "/proc/$pid" ]; do sleep 0.05; done
: >lib/inbox
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
! grep X-Spam lib/inbox
END
}

@test "recipe: Look for viruses with ClamAV" {
    recipe_for_later 'Look for viruses with ClamAV'
    letter 'a text' >message
    letter 'a virus of the test' >infected
    with_milters clamav-milter,clamav-daemon clamav <<'END'
install -d -o clamav /run/clamav signatures
echo "Test.Signature:0:*:$(printf 'a virus of the test' | od -An -tx1 -v | tr -d ' \n')" >signatures/test.ndb
cat >clamd.conf <<EOF
LocalSocket /run/clamav/clamd.ctl
DatabaseDirectory $PWD/signatures
User clamav
Foreground true
EOF
clamd --config-file=clamd.conf >clamd.out 2>&1 &
clamd=$!
await_socket /run/clamav/clamd.ctl
printf '%s\n' 'ClamdSocket unix:/run/clamav/clamd.ctl' 'User clamav' 'Foreground true' |
    cat clamav-milter.conf - >/etc/clamav/clamav-milter.conf
clamav-milter >clamav-milter.out 2>&1 &
milter=$!
await_socket /run/clamav/clamav-milter.ctl
check
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
grep '^X-Virus-Status: Clean' lib/inbox
: >lib/inbox
say mailrecv.conf 192.0.2.7 infected | grep '^250 '
[ ! -s lib/inbox ]
grep 'a virus of the test' lib/viruses
takes_them
# as the words of the recipe have it
kill $milter
wait $milter || :
sed -i 's/^OnInfected .*/OnInfected Reject\nRejectMsg Found %v/' /etc/clamav/clamav-milter.conf
rm -f /run/clamav/clamav-milter.ctl
clamav-milter >clamav-milter.out 2>&1 &
await_socket /run/clamav/clamav-milter.ctl
say mailrecv.conf 192.0.2.7 infected | grep '^550 5\.7\.1 Found Test.Signature'
kill $clamd
wait $clamd || :
say mailrecv.conf 192.0.2.7 message | grep '^451 '
END
}

@test "recipe: Write a milter" {
    recipe_for_later 'Write a milter' -e "s,/run/stamp/,$PWD/run/,"
    letter 'a text' >message
    grep -v '^Subject:' message >without
    with_milters python3-milter '' <<'END'
install -d -o mailrecv run
setpriv --reuid=mailrecv --regid=mailrecv --init-groups env -i ./stamp >stamp.out 2>&1 &
milter=$!
await_socket "$PWD/run/stamp.sock"
check
say mailrecv.conf 192.0.2.7 message | grep '^250 2\.0\.0 Ok'
grep '^X-Stamp: [0-9a-f]' lib/inbox
say mailrecv.conf 192.0.2.7 without | grep '^550 5\.7\.1 What is it about?'
takes_them
kill $milter
wait $milter || :
say mailrecv.conf 192.0.2.7 message | grep '^451 '
END
}
