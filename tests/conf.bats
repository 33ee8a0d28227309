#!/usr/bin/env bats
# conf.bats - the configuration: every mistake is shown where it is, and files of 1.x mean what they meant

# shellcheck disable=SC2030,SC2031 # bats runs each test in a subshell

load common
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
}

# A configuration from the tests' directory, as FILE here: whatever modes a clone has given it.
take() {
    local name=${1##*/}
    sed "s,@DIR@,$PWD,g" "$TESTS/conf/$1" >"${name%.in}"
}

# What every-directive.conf names and -t looks into: a certificate, its key, an authority, the helper.
tls_files() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=mx.example.com \
        -keyout 'the key.pem' -out cert.pem 2>openssl.out
    cp cert.pem ca.pem
    ln -s "${MAILRECV%/*}/mailrecv-tls" mailrecv-tls
}

# Writes conf, a configuration of the given lines.
config() { printf '%s\n' "$@" >conf; }

# talk CLIENT LINE...: a session with the configuration conf, whose replies are in `replies`, its log in `log`.
talk() {
    local client=$1
    shift
    printf '%s\r\n' "$@" | "$MAILRECV" -c conf -l log -P "$client" >replies.crlf
    tr -d '\r' <replies.crlf >replies
}

# mail CLIENT RECIPIENT...: one message for each recipient; the reply to RCPT or to the message is in `replies`.
mail() {
    local client=$1 recipient
    shift
    for recipient; do
        talk "$client" 'MAIL FROM:<ann@client.example>' "RCPT TO:<$recipient>" DATA "Subject: to $recipient" '' text . QUIT
        # the id is new each time
        awk 'NR == 3; /^354/ { getline; sub(/ delivered as .*/, " delivered"); print }' replies
    done >answers
}

# What a mailbox holds: the recipients of its messages.
subjects() { sed -n 's/^Subject: to //p' "$1"; }

# The warnings and notes of -t without the one that only root sees.
warnings() {
    "$MAILRECV" -t -c "$1" 2>&1 >/dev/null | sed '/: note: no user: /,+1d'
}

# The configuration has no mistake, whatever -t thinks of its sense.
loads() {
    run --separate-stderr "$MAILRECV" -t -c "$1"
    [ "$status" -le 1 ]
}

# ---- mistakes ------------------------------------------------------------------------------

@test "each file of conf/bad gives exactly the mistakes beside it, and nothing on standard output" {
    for file in "$TESTS"/conf/bad/*.conf; do
        name=$(basename "$file" .conf)
        take "bad/$name.conf"
        run -78 --separate-stderr "$MAILRECV" -t -c "$name.conf"
        [ "$output" = '' ]
        # shellcheck disable=SC2154 # bats sets it
        diff "$TESTS/conf/bad/$name.expected" - <<<"$stderr" || { echo "in $name.conf"; return 1; }
    done
}

@test "ten different mistakes are ten errors, each with its line and a caret" {
    take bad/ten.conf
    run -78 --separate-stderr "$MAILRECV" -t -c ten.conf
    grep '^ten\.conf:' <<<"$stderr" >errors
    [ "$(wc -l <errors)" = 10 ]
    [ "$(grep -c '^ *	* *^$' <<<"$stderr")" = 10 ]
    # the line shown below each is that of the file
    while IFS=: read -r _ line _; do
        printf '    %s\n' "$(sed -n "${line}p" ten.conf)"
    done <errors >lines
    diff lines <(awk '/^ten\.conf:/ { getline; print }' <<<"$stderr")
}

@test "each file of conf/bad is told apart from a good one by its mistakes only" {
    for file in "$TESTS"/conf/bad/*.conf; do
        name=$(basename "$file" .conf)
        # without the lines at fault it loads
        sed -n "s/^$name\.conf:\([0-9]*\):.*/\1d/p" "$TESTS/conf/bad/$name.expected" >faults
        sed -f faults "$file" >good.conf
        loads good.conf
    done
}

@test "a line feed that is missing, a carriage return, blanks: mistakes are found all the same" {
    printf '\r\n  \t\r\ndomain mx.example.com \r\n\tfsync  maybe\t \r' >conf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [ "$stderr" = "conf:4:9: unexpected 'maybe', expected 'off' or 'on'
    	fsync  maybe	 
    	       ^" ]
}

@test "a NUL byte is a mistake wherever it stands, and hides no other" {
    printf 'domain mx.example\0.com\n# a comment\0\n\0\nfsync perhaps\nallow remotehost x\0' >conf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [ "$(grep '^conf:' <<<"$stderr")" = "conf:1:18: a NUL byte, expected text
conf:2:12: a NUL byte, expected text
conf:3:1: a NUL byte, expected text
conf:4:7: unexpected 'perhaps', expected 'off' or 'on'
conf:5:19: a NUL byte, expected text" ]
}

@test "columns are counted in bytes, and a byte order mark does not count" {
    printf '\357\273\277domain mx:example\n' >conf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == "conf:1:8: 'mx:example' is not a domain name, "* ]]
    printf 'logfile \303\244\303\266 x\n' >conf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == "conf:1:14: unexpected 'x', "* ]]
}

@test "lines of any length are read" {
    printf 'error rcpt_to ^(%s)@ 550 %s\nfsync maybe\n' "$(printf 'user%d|' $(seq 3000))x" "$(printf '%01000d' 1)" >conf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == "conf:2:7: unexpected 'maybe', "* ]]
    sed -i 2d conf
    run -0 --separate-stderr "$MAILRECV" -t -c conf
    [ "$(tail -n1 <<<"$output")" = "$(cat conf)" ]
}

@test "mistakes in status lines and their names are found where they stand" {
    cat >conf <<'END'
status mine 1=refused 300=retry
status other 1=refusd
status third one
status fourth 0=refused
status qmail 1=retry
status fifth 1=retry
status fifth 2=retry
status
status sixth
deliver status nowhere rcpt_to a@example.com pipe true
deliver temporary rcpt_to b@example.com append /tmp/b
deliver rcpt_to c@example.com status fifth maildir /tmp/c
deliver rcpt_to d@example.com status fifth temporary pipe true
deliver rcpt_to e@example.com status postfix exec /bin/true
END
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [ "$(grep '^conf:.*[^g]: ' <<<"$stderr" | grep -v ': warning: ')" = "conf:1:23: '300' is out of range, expected 1 to 255
conf:2:16: 'refusd' is no meaning of a status, expected delivered, retry, refused or violation
conf:3:14: 'one' is no status with its meaning, expected CODE=MEANING, as in 69=retry
conf:4:15: status 0 always means that the message was delivered
conf:5:8: 'qmail' is built in, expected another name
conf:7:8: 'fifth' is defined on line 6 already
conf:8:7: the line ends too early, expected a name for the meanings of exit statuses
conf:9:13: the line ends too early, expected CODE=MEANING
conf:10:16: there is no status line 'nowhere', expected one, or sysexits, qmail or postfix
conf:11:41: 'append' refuses nothing, expected pipe, exec, lmtp or smtp behind 'temporary'
conf:12:44: 'maildir' has no exit status, expected pipe or exec behind 'status'" ]
}

@test "an empty file loads and accepts nothing" {
    : >conf
    run -0 "$MAILRECV" -t -c conf
    mail 192.0.2.7 joe@example.com "postmaster"
    [ "$(cat answers)" = "550 5.1.1 No one here by that name
550 5.1.1 No one here by that name" ]
}

# ---- the file itself -----------------------------------------------------------------------

@test "a file that its group or others may write is refused" {
    config 'domain mx.example.com'
    for mode in 660 620 606 602 666; do
        chmod $mode conf
        run -78 --separate-stderr "$MAILRECV" -t -c conf
        [ "$output" = '' ]
        [ "$stderr" = 'conf: cannot be used: others than its owner and root may write it, expected chmod go-w' ]
    done
    for mode in 400 600 640 644 755; do
        chmod $mode conf
        run -0 "$MAILRECV" -t -c conf
    done
}

@test "a file that is missing, a directory, and one below a file are errors" {
    : >file
    for case in 'none|No such file or directory' '.|Is a directory' 'file/conf|Not a directory'; do
        run -78 --separate-stderr "$MAILRECV" -t -c "${case%|*}"
        [ "$output" = '' ]
        [ "$stderr" = "${case%|*}: cannot be used: ${case#*|}" ]
    done
}

@test "a file that may not be read is an error" {
    config 'domain mx.example.com'
    chmod 000 conf
    # root may read everything, unless it has given up its capabilities
    drop=()
    [ "$(id -u)" != 0 ] || drop=(setpriv --bounding-set=-all --inh-caps=-all)
    run -78 --separate-stderr "${drop[@]}" "$MAILRECV" -t -c conf
    [ "$stderr" = 'conf: cannot be used: Permission denied' ]
}

# ---- mistakes in service -------------------------------------------------------------------

# The client hears 421 and nothing else, whatever it says; the exit status is 78.
refused_service() {
    printf 'EHLO x\r\nMAIL FROM:<>\r\nQUIT\r\n' >commands
    run -78 --separate-stderr "$MAILRECV" -c "$1" -l log -P 192.0.2.7 <commands
    [ "$output" = $'421 The service is not configured, try again later\r' ]
    [ "$stderr" = '' ]
    grep -q '\[192\.0\.2\.7\] ERROR: 421 The service is not configured, try again later stage=connect ' log
}

@test "in service the client of a wrong configuration hears 421 and nothing else, the log has all mistakes" {
    take bad/ten.conf
    refused_service ten.conf
    # a bad pattern is found when it is needed, or by -t
    grep '^ten\.conf:' "$TESTS/conf/bad/ten.expected" | grep -v 'bad regular expression' >expected
    [ "$(wc -l <expected)" = 9 ]
    diff expected <(sed -n 's/.*MAILRECV\[[0-9]*\]: \[192\.0\.2\.7\] \(ten\.conf:.*\)/\1/p' log)
}

@test "in service a file that cannot be used is a 421, too" {
    refused_service none
    grep -q '\] none.*: cannot be used: No such file or directory$' log
    config 'domain mx.example.com'
    chmod 666 conf
    refused_service conf
    grep -q '\] conf.*: cannot be used: others than its owner and root may write it, expected chmod go-w$' log
    refused_service .
}

@test "in service a wrong configuration is no reason to log to a file that it names" {
    config "logfile $PWD/other" 'fsync maybe'
    refused_service conf
    [ ! -e other ]
}

@test "a bad pattern for recipients: only the decisions that need it are 451, -t shows it" {
    config 'deliver rcpt_to first@example.com append /dev/null' \
        'deliver rcpt_to /^(ann/ append /dev/null' \
        'deliver rcpt_to last@example.com append /dev/null'
    run -78 "$MAILRECV" -t -c conf
    mail 192.0.2.7 first@example.com
    [ "$(cat answers)" = '250 2.1.5 Recipient ok
250 2.0.0 Ok, delivered' ]
    [ "$(grep -c conf: log)" = 0 ]
    mail 192.0.2.7 last@example.com
    [ "$(cat answers)" = '451 4.3.0 This address cannot be checked now, try again later' ]
    grep -q '\[192\.0\.2\.7\] conf:2:17: the pattern "^(ann" decides nothing: missing closing parenthesis$' log
}

@test "a bad pattern for hosts: the greeting is 451" {
    config 'allow remotehost ^192\.0\.2\.7$' 'allow remotehost x('
    run -78 "$MAILRECV" -t -c conf
    talk 192.0.2.7 QUIT
    [[ $(head -n1 replies) == '220 '* ]]
    talk 192.0.2.8=client.example QUIT
    [ "$(head -n1 replies)" = '451 Your host cannot be checked now, try again later' ]
    grep -q '\] conf:2:18: the pattern "x(" decides nothing: missing closing parenthesis$' log
    config 'deny remotehost x('
    talk 192.0.2.8=client.example QUIT
    [[ $(head -n1 replies) == '451 '* ]]
}

@test "a bad pattern of a group: 451 for those who need the group, and for no others" {
    config 'deliver allowgroup office rcpt_to ann@example.com append /dev/null' \
        'deliver rcpt_to joe@example.com append /dev/null' \
        'allowgroup office [0-' 'allowgroup office ^192'
    mail 192.0.2.7 joe@example.com ann@example.com
    [ "$(cat answers)" = '250 2.1.5 Recipient ok
250 2.0.0 Ok, delivered
451 4.3.0 This address cannot be checked now, try again later' ]
    grep -q '\] conf:3:19: the pattern "<0x5b>0-" decides nothing: missing terminating <0x5d> for character class$' log ||
        grep -q '\] conf:3:19: the pattern "<0x5b>0-" decides nothing: missing terminating \] for character class$' log
}

@test "a bad pattern of an error line: 451 for addresses that no deliver line names" {
    config 'deliver rcpt_to joe@example.com append /dev/null' 'error rcpt_to *x 550 Never' 'error rcpt_to . 550 All'
    mail 192.0.2.7 joe@example.com ann@example.com
    [ "$(cat answers)" = '250 2.1.5 Recipient ok
250 2.0.0 Ok, delivered
451 4.3.0 This address cannot be checked now, try again later' ]
    grep -q '\] conf:2:15: the pattern "\*x" decides nothing: ' log
}

@test "a pattern that takes too many steps is 451, never a yes or a no" {
    config 'error rcpt_to ^(a+)+$ 550 Only letters' 'deadletter_file /dev/null'
    loads conf
    mail 192.0.2.7 "$(printf '%060d' 0 | tr 0 a)@example.com"
    [ "$(cat answers)" = '451 4.3.0 This address cannot be checked now, try again later' ]
    grep -q '\] conf:1:15: the pattern "^(a+)+\$" decides nothing: match limit exceeded$' log
    mail 192.0.2.7 'b@example.com'
    [ "$(tail -n1 answers)" = '250 2.0.0 Ok, delivered' ]
}

# ---- large files ---------------------------------------------------------------------------

# Writes conf: the given lines behind 1500 groups and as many recipients, in more than 131072 bytes.
large() {
    {
        echo 'domain mx.example.com'
        seq 1500 | sed 's/.*/allowgroup group& ^192\\.0\\.2\\.1&$\
deliver allowgroup group& rcpt_to user&@example.com append \/dev\/null/'
        printf '%s\n' "$@"
    } >conf
    [ "$(wc -c <conf)" -gt 131072 ]
}

# stranger LINE...: a session that is no trial (-P reads all at once); its exit status is that of mailrecv.
stranger() {
    printf '%s\r\n' "$@" >commands
    TCPREMOTEIP=192.0.2.15 "$MAILRECV" -c conf -l log <commands >replies.crlf && status=0 || status=$?
    tr -d '\r' <replies.crlf >replies
}

# A session that names three recipients: a member's, one that needs no group, and none.
three_recipients() {
    stranger 'HELO client.example' 'MAIL FROM:<>' 'RCPT TO:<user5@example.com>' 'RCPT TO:<user6@example.com>' \
        'RCPT TO:<last@example.com>' 'RCPT TO:<spam@example.com>' DATA 'Subject: to all' '' text . QUIT
}

@test "a large file serves like any other, in two processes and in one" {
    for sandbox in try off; do
        large "sandbox $sandbox" "deliver rcpt_to last@example.com append $PWD/last.$sandbox" 'error rcpt_to ^spam 550 Never'
        three_recipients
        [ "$status" -eq 0 ]
        sed -i 's/ delivered as .*/ delivered/' replies
        diff - replies <<'END'
220 mx.example.com ESMTP mailrecv
250 mx.example.com
250 2.1.0 Sender ok
250 2.1.5 Recipient ok
550 5.7.1 Not accepted from your host
250 2.1.5 Recipient ok
550 5.7.1 Never
354 Send the message, end it with a dot on a line of its own
250 2.0.0 Ok, delivered
221 2.0.0 Goodbye
END
        [ "$(subjects "last.$sandbox")" = all ]
    done
}

@test "a mistake anywhere in a large file is a 421 in the greeting, and the log has its place" {
    for sandbox in try off; do
        large "sandbox $sandbox" 'deliver rcpt_to last@example.com append' 'allowgroup office' \
            'debug w' 'fsync on' 'fsync on'
        : >log
        three_recipients
        [ "$status" -eq 78 ]
        [ "$(cat replies)" = '421 The service is not configured, try again later' ]
        sed -n 's/.*MAILRECV\[[0-9]*\]: \[192\.0\.2\.15\] \(conf:.*\)/\1/p' log >found
        diff - found <<'END'
conf:3003:40: the line ends too early, expected a path
conf:3004:18: the line ends too early, expected a network or a regular expression
conf:3007:1: 'fsync' stands twice (first on line 3006), the last one wins
END
        run -78 --separate-stderr "$MAILRECV" -t -c conf
        [[ $stderr == *'conf:3003:40: the line ends too early, expected a path'* ]]
        run -78 --separate-stderr "$MAILRECV" -x -c conf rcpt last@example.com
        run -78 --separate-stderr "$MAILRECV" -c conf -l log -P 192.0.2.15 <commands
        [ "$output" = $'421 The service is not configured, try again later\r' ]
    done
}

# ---- warnings ------------------------------------------------------------------------------

@test "a configuration that is a FIFO or a device is an error at once, the pipe of a shell's <(...) is read" {
    mkfifo fifo
    chmod 600 fifo
    for file in fifo /dev/zero /dev/tty; do
        run -78 timeout -s KILL 20 "$MAILRECV" -t -c $file
        [[ $output == *"$file: cannot be used: "* ]]
    done
    # its mode is not what is to be changed
    run -78 "$MAILRECV" -t -c /dev/null
    [[ $output == *'/dev/null: cannot be used: it is a FIFO or a device, expected a file'* ]]
    printf 'QUIT\r\n' >input
    run -78 timeout -s KILL 20 "$MAILRECV" -c fifo -l log -P 192.0.2.7 <input
    grep -q '\] fifo: cannot be used: it is a FIFO or a device, expected a file$' log
    # also when somebody holds it open and says nothing
    exec 8<>fifo
    run -78 timeout -s KILL 20 "$MAILRECV" -t -c fifo
    exec 8>&-
    "$MAILRECV" -t -c <(echo 'domain piped.example'; sleep 0.2; echo 'fsync off') >settings 2>problems || [ $? -eq 1 ]
    grep -qx 'domain piped.example' settings
    grep -qx 'fsync off' settings
}

@test "-t warns where a directive stands twice, of which the last wins" {
    config "deadletter_file $PWD/x" 'domain one.example' '' 'fsync on' 'domain two.example' 'domain three.example' 'fsync on'
    [ "$(warnings conf)" = "conf:5:1: warning: 'domain' stands twice (first on line 2), the last one wins
    domain two.example
    ^
conf:6:1: warning: 'domain' stands twice (first on line 5), the last one wins
    domain three.example
    ^
conf:7:1: warning: 'fsync' stands twice (first on line 4), the last one wins
    fsync on
    ^" ]
    loads conf
    [ "$(grep -e ^domain -e ^greeting <<<"$output")" = 'domain three.example
greeting three.example ESMTP mailrecv' ]
}

@test "of a limit that stands twice, nothing of the first one stays" {
    config 'limit.smtp_commands 5 500 5.1.1 First' 'limit.smtp_ascii off 501 First' 'limit.bare_newline reject 554 First' \
        'limit.smtp_commands 7' 'limit.smtp_ascii on' 'limit.bare_newline normalize'
    loads conf
    grep -x 'limit.smtp_commands 7 421 4.7.0 Too many commands without a message' <<<"$output"
    grep -x 'limit.smtp_ascii on 500 5.5.2 Commands must be printable ASCII' <<<"$output"
    grep -x 'limit.bare_newline normalize 550 5.5.2 Lines must end in CRLF' <<<"$output"
}

@test "-t speaks about dead letters: none, thrown away, kept" {
    config 'domain mx.example.com'
    [ "$(warnings conf)" = 'conf: note: no deliver line: no mail is accepted
conf: note: no deadletter_file: mail for an address without a rule is refused with 550' ]
    config ' deadletter_file  /dev/null'
    [ "$(warnings conf)" = 'conf:1:19: warning: mail for an address without a rule is accepted and thrown away; a delivery that fails temporarily is answered with 451
     deadletter_file  /dev/null
                      ^
    take the line out, or write a file that holds mail' ]
    config "deadletter_file $PWD/dead"
    [ "$(warnings conf)" = '' ]
}

@test "-t warns about fsync off" {
    config "deadletter_file $PWD/x" 'fsync off'
    [ "$(warnings conf)" = 'conf:2:1: warning: an accepted message can be lost with the power
    fsync off
    ^
    take the line out, unless the mail is on a temporary file system anyway' ]
}

@test "-t notes for root, and nobody else, that there is no user, and warns of one that is root" {
    config "deadletter_file $PWD/x"
    run -0 --separate-stderr "$MAILRECV" -t -c conf
    note='conf: note: no user: when it is started as root, mailrecv serves as root
    write: user mailrecv; or, if the super-server sees to that, ask mailrecv -t -u mailrecv'
    if [ "$(id -u)" = 0 ]; then [ "$stderr" = "$note" ]; else [ "$stderr" = '' ]; fi
    echo 'user root' >>conf
    [ "$(warnings conf)" = "conf:2:6: warning: mailrecv serves as root: a mistake in a command is root's
    user root
         ^
    write: user mailrecv" ]
}

@test "-t warns about mailboxes that are symbolic links" {
    : >real
    ln -s real link
    ln -s nowhere broken
    config "deadletter_file $PWD/link" "deliver rcpt_to a@example.com append $PWD/real" \
        "deliver rcpt_to b@example.com append $PWD/link" "  deliver rcpt_to c@example.com append $PWD/broken"
    [ "$(warnings conf | sed "s,$PWD,,")" = 'conf:1:17: warning: /link is a symbolic link: mailrecv refuses to append to it
    deadletter_file /link
                    ^
conf:3:38: warning: /link is a symbolic link: mailrecv refuses to append to it
    deliver rcpt_to b@example.com append /link
                                         ^
conf:4:40: warning: /broken is a symbolic link: mailrecv refuses to append to it
      deliver rcpt_to c@example.com append /broken
                                           ^' ]
}

@test "-t notes that names must be confirmed, at the first pattern that can match one" {
    note='note: host names count only when they are forward-confirmed: when DNS leads from the name back to the address'
    for line in 'allow remotehost \.example\.com$' 'deny remotehost ^mail' 'allowgroup a \.example\.com$' \
        'allow remotehost [^0-9]' 'allow remotehost ^(192\.0\.2\.1|mail)'; do
        config "deadletter_file $PWD/x" 'allow remotehost ^192\.0\.2\.' "$line" 'deny remotehost ^last$'
        [ "$(warnings conf | grep -F "$note")" = "conf:3:$((1 + $(expr "$line" : '.* '))): $note" ]
    done
    for line in 'allow remotehost ^192\.0\.2\.[0-9]{1,3}$' 'deny remotehost ^2001:db8:[0-9a-f:]*$' \
        'allow remotehost ^(192\.0\.2\.|198\.51\.100\.)'; do
        config "deadletter_file $PWD/x" "$line"
        [ "$(warnings conf)" = '' ]
    done
}

@test "-t notes that commands get no From line, as long as there are commands" {
    config "deadletter_file $PWD/x" 'deliver rcpt_to a@example.com pipe cat'
    [ "$(warnings conf)" = 'conf: note: commands get the message without an mbox From line (pipe.from_line on brings it back)' ]
    echo 'pipe.from_line on' >>conf
    [ "$(warnings conf)" = '' ]
    config "deadletter_file $PWD/x" "deliver rcpt_to a@example.com append $PWD/x"
    [ "$(warnings conf)" = '' ]
}

@test "-t notes several rules for one address" {
    config "deadletter_file $PWD/x" 'allowgroup a ^192\.' 'allowgroup b ^198\.' \
        "deliver allowgroup a rcpt_to joe@example.com append $PWD/x" "deliver rcpt_to ann@example.com append $PWD/x" \
        "deliver allowgroup b rcpt_to Joe@Example.com append $PWD/y"
    [ "$(warnings conf)" = 'conf:6:30: note: Joe@Example.com has a rule on line 4, too: the first one that accepts the client decides' ]
}

@test "-t notes limits without a code, whose codes have changed since 1.x" {
    for name in smtp_commands smtp_unknowncmd smtp_failcmds connection_secs; do
        config "deadletter_file $PWD/x" "limit.$name 25"
        reply=$("$MAILRECV" -t -c conf 2>/dev/null | sed -n "s/^limit\\.$name 25 //p")
        [ "$(warnings conf)" = "conf:2:1: note: without CODE and TEXT the reply is the default: $reply" ]
        config "deadletter_file $PWD/x" "limit.$name 25 500 Enough"
        [ "$(warnings conf)" = '' ]
    done
    config "deadletter_file $PWD/x" 'limit.smtp_commands 25' 'limit.hops 9 554 Enough' 'limit.command_secs 25' 'limit.smtp_failcmds 7'
    [ "$(warnings conf)" = \
        'conf:5:1: note: without CODE and TEXT 3 limits have their default replies' ]
}

@test "warnings make the exit status 1, and change nothing that is printed" {
    config 'domain one.example' 'domain two.example' 'fsync off'
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    warned=$output
    config 'domain two.example' 'fsync off'
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    [ "$output" = "$warned" ]
    config 'domain two.example'
    run -0 --separate-stderr "$MAILRECV" -t -c conf
    [ "$output" = "${warned/fsync off/fsync on}" ]
}

# ---- what -t prints ------------------------------------------------------------------------

@test "-t prints every directive as it is in effect" {
    take good/every-directive.conf
    take good/every-directive.printed
    tls_files
    loads every-directive.conf
    diff every-directive.printed - <<<"$output"
}

@test "what -t prints loads again and prints the same" {
    cp "$TESTS/../mailrecv.conf" commented.conf
    for file in "$TESTS"/conf/good/*.conf; do take "good/${file##*/}"; done
    tls_files
    for file in *.conf; do
        loads "$file"
        printf '%s\n' "$output" >once
        loads once
        diff once - <<<"$output"
    done
}

@test "what -t prints means the same: words and texts with quotes, backslashes and signs" {
    config 'greeting \# a \\# b # c' 'limit.smtp_unknowncmd 1 421 \#1 "x" \\#2 it'"'"'s # c' 'recipient_delimiter "#"' \
        'deadletter_file /dev/null'
    talk 192.0.2.7 X X
    cp replies original
    [ "$(cat original)" = '220 # a \# b
500 5.5.1 Command is not known
421 4.7.0 #1 "x" \#2 it'"'"'s' ]
    loads conf
    printf '%s\n' "$output" >conf
    talk 192.0.2.7 X X
    diff original replies
    for path in 'a b' '"a' 'a"' '\#a' '#a' \\ a\\ 'a\#b' '"a b"' 'ä'; do
        # quoted by the rules, printed, and read back: the file is still the same
        escaped=${path//\\/\\\\}
        escaped=${escaped//\"/\\\"}
        config "deadletter_file \"$PWD/$escaped\"" "spool_directory \"$escaped\""
        loads conf
        printf '%s\n' "$output" >conf
        mail 192.0.2.7 joe@example.com
        [ "$(subjects "$path")" = joe@example.com ]
        rm -f -- "$path"
        loads conf
        diff conf - <<<"$output"
    done
}

# ---- files of 1.x --------------------------------------------------------------------------

@test "1.x, every directive: who may connect" {
    take good/1x-all.conf
    mv 1x-all.conf conf
    for client in 192.0.2.7 198.51.100.7=example.net 2001:db8::7=mx.example.net; do
        talk $client QUIT
        [ "$(head -n1 replies)" = '220 mx.example.com ESMTP mailrecv' ]
    done
    for client in 198.51.100.7 198.51.100.192 local 198.51.100.7=example.net.example.org 198.51.100.7=myexample.net \
        198.51.100.7=192.0.2.7.example.org; do
        talk $client QUIT
        [ "$(head -n1 replies)" = '554 Connections from your host are not accepted' ]
    done
}

@test "1.x, every directive: deliver, groups, error, dead letters" {
    take good/1x-all.conf
    mv 1x-all.conf conf
    mail 192.0.2.10 all@example.com
    [ "$(cat answers)" = '250 2.1.5 Recipient ok
250 2.0.0 Ok, delivered' ]
    mail 198.51.100.7=MAIL.Example.Net ALL@EXAMPLE.COM
    [ "$(subjects all)" = 'all@example.com
ALL@EXAMPLE.COM' ]
    mail 192.0.2.20 all@example.com
    [ "$(cat answers)" = '550 5.7.1 Not accepted from your host' ]
    [[ $(grep 'Not accepted' log) == *' groups=staff '* ]]
    mail 192.0.2.20 joe@example.com script@example.com
    [ "$(subjects joe)" = joe@example.com ]
    [ "$(subjects script)" = script@example.com ]
    [ "$(head -n1 script)" = 'Return-Path: <ann@client.example>' ]
    [ "$(cat sender)" = ann@client.example ]
    mail 192.0.2.20 old@example.com OLD@example.org nobody@example.com
    [ "$(cat answers)" = '551 5.7.1 User has moved to new@example.com
551 5.7.1 User has moved to new@example.com
550 5.7.1 Nobody here is called so' ]
    [ ! -e dead ]
    mail 192.0.2.20 nobody@example.org
    [ "$(subjects dead)" = nobody@example.org ]
    # the log went to the file of -l, without it it goes where the configuration says
    rm log
    printf 'QUIT\r\n' | "$MAILRECV" -c conf -P 192.0.2.10
    grep -q 'SMTP connection from remote host unknown \[192\.0\.2\.10\]' log
}

@test "1.x, every directive: limits" {
    take good/1x-all.conf
    mv 1x-all.conf conf
    talk 192.0.2.7 NOOP RSET HELP 'VRFY joe' NOOP
    [ "$(tail -n1 replies)" = '421 4.7.0 Enough commands' ]
    [ "$(grep -c '^4' replies)" = 1 ]
    talk 192.0.2.7 BLAH BLAH BLAH NOOP
    [ "$(sed 1d replies)" = '500 5.5.1 Command is not known
500 5.5.1 Command is not known
421 4.7.0 Enough unknown commands' ]
    talk 192.0.2.7 DATA DATA DATA NOOP
    [ "$(tail -n1 replies)" = '421 4.7.0 Enough failures' ]
    [ "$(wc -l <replies)" = 4 ]
    talk 192.0.2.7 'EHLO client.example' QUIT
    grep -x '250-SIZE 1000' replies
    grep -x '250-LIMITS RCPTMAX=2' replies
    talk 192.0.2.7 'MAIL FROM:<> SIZE=1001' 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' DATA "$(printf '%0999d' 0)" . NOOP QUIT
    [ "$(sed 1d replies)" = '552 5.3.4 Enough bytes
250 2.1.0 Sender ok
250 2.1.5 Recipient ok
354 Send the message, end it with a dot on a line of its own
552 5.3.4 Enough bytes
250 2.0.0 Ok
221 2.0.0 Goodbye' ]
    talk 192.0.2.7 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' 'RCPT TO:<script@example.com>' 'RCPT TO:<joe@example.com>' \
        'RCPT TO:<joe@example.com>' 'RCPT TO:<joe@example.com>' 'RCPT TO:<joe@example.com>' RSET QUIT
    [ "$(tail -n6 replies)" = '452 4.5.3 Enough recipients
452 4.5.3 Enough recipients
452 4.5.3 Enough recipients
452 4.5.3 Enough recipients
250 2.0.0 Reset
221 2.0.0 Goodbye' ]
    talk 192.0.2.7 $'NOOP \303\244' NOOP QUIT
    [ "$(sed 1d replies)" = '500 5.5.2 Plain ASCII please
250 2.0.0 Ok
221 2.0.0 Goodbye' ]
    sed -i 's/^limit.fcrdns_check off/limit.fcrdns_check on/' conf
    talk 192.0.2.7 QUIT
    [ "$(head -n1 replies)" = '450 Enough strangers' ]
    talk 192.0.2.7=client.example QUIT
    [[ $(head -n1 replies) == '220 '* ]]
}

@test "1.x, every directive: the same under all line ends, indents and quotes" {
    take good/1x-all.conf
    "$MAILRECV" -t -c 1x-all.conf 2>/dev/null >expected
    [ "$(grep -c '^limit' expected)" -ge 28 ]
    sed 's/$/\r/' 1x-all.conf >crlf
    sed 's/$/\r\r/' 1x-all.conf >crcrlf
    printf %s "$(cat 1x-all.conf)" >unfinished
    printf '%s\r' "$(cat 1x-all.conf)" >unfinished-cr
    sed 's/^/\t  /' 1x-all.conf >indented
    sed 's/$/ \t /' 1x-all.conf >trailing
    sed 's/$/\n\n#\n\t\n/' 1x-all.conf >spread
    { printf '\357\273\277'; cat 1x-all.conf; } >marked
    for file in crlf crcrlf unfinished unfinished-cr indented spread marked; do
        "$MAILRECV" -t -c $file 2>/dev/null >out
        diff expected out || { echo "$file"; return 1; }
    done
    # lines that may be repeated are shown as written, with their blanks
    "$MAILRECV" -t -c trailing 2>/dev/null | sed 's/[ \t]*$//' | diff expected -
}

@test "1.x, comments in odd places" {
    take good/1x-comments.conf
    mv 1x-comments.conf conf
    mail 192.0.2.7 c#d@example.com command@example.com quoting@example.com
    [ "$(grep -c '^250 2.0.0' answers)" = 3 ]
    [ "$(subjects 'c#d')" = 'c#d@example.com' ]
    [ "$(cat command)" = 'a#b # c #d e#f' ]
    [ "$(cat quoting)" = 'a  b c"d' ]
    mail 192.0.2.7 '#x@example.com' y@example.com commented@example.com disabled@example.com
    [ "$(cat answers)" = '550 5.7.1 Text with # sign, a#b and#c
550 5.7.1 # first
550 5.1.1 No one here by that name
550 5.1.1 No one here by that name' ]
    talk 192.0.2.7 X X
    [ "$(sed 1d replies)" = '500 5.5.1 Command is not known
421 4.7.0 Text   with   blanks' ]
    [ "$(head -n1 replies)" = '220 mx.example.com ESMTP mailrecv' ]
    talk 198.51.100.7 QUIT
    [[ $(head -n1 replies) == '554 '* ]]
}

@test "1.x, groups before and after their use mean the same" {
    for file in 1x-groups-before 1x-groups-after; do
        take good/$file.conf
        mv $file.conf conf
        rm -f inside outside
        for client in 192.0.2.7 198.51.100.7 2001:db8::7; do mail $client a@example.com b@example.com; done
        [ "$(subjects inside)" = 'a@example.com
b@example.com
a@example.com
b@example.com' ]
        # several lines for one address with different groups all count
        [ "$(subjects outside)" = a@example.com ]
        mail 127.0.0.1 a@example.com
        [ "$(cat answers)" = '550 5.7.1 Not accepted from your host' ]
        [[ $(grep 'from your host' log) == *'ERROR: 550 Not accepted from your host '*' groups=inside,outside '* ]]
    done
}

@test "1.x, limits without code and text have their defaults" {
    take good/1x-limits-short.conf
    mv 1x-limits-short.conf conf
    talk 192.0.2.7 QUIT
    [ "$(head -n1 replies)" = '450 Your host has no name that leads back to its address' ]
    client=192.0.2.7=client.example
    talk $client NOOP NOOP NOOP NOOP
    [ "$(tail -n1 replies)" = '421 4.7.0 Too many commands without a message' ]
    [ "$(wc -l <replies)" = 4 ]
    talk $client X X X
    [ "$(tail -n1 replies)" = '421 4.7.0 Too many unknown commands' ]
    [ "$(wc -l <replies)" = 3 ]
    talk $client DATA DATA DATA
    [ "$(tail -n1 replies)" = '421 4.7.0 Too many failed commands' ]
    [ "$(wc -l <replies)" = 3 ]
    talk $client 'MAIL FROM:<> SIZE=501' 'MAIL FROM:<>' 'RCPT TO:<joe@example.com>' 'RCPT TO:<joe@example.com>' QUIT
    [ "$(sed 1d replies)" = '552 5.3.4 Message is too large
250 2.1.0 Sender ok
250 2.1.5 Recipient ok
452 4.5.3 Too many recipients
221 2.0.0 Goodbye' ]
    talk $client $'NOOP \303\244' QUIT
    [ "$(sed 1d replies)" = '250 2.0.0 Ok
221 2.0.0 Goodbye' ]
}

@test "1.x, limits keep the code that the file gives them" {
    take good/1x-limits-500.conf
    mv 1x-limits-500.conf conf
    talk 192.0.2.7 NOOP NOOP NOOP NOOP
    [ "$(tail -n1 replies)" = '500 5.7.0 Enough commands' ]
    [ "$(wc -l <replies)" = 4 ]
    talk 192.0.2.7 X X X
    [ "$(tail -n1 replies)" = '500 5.7.0 Enough unknown commands' ]
    [ "$(wc -l <replies)" = 3 ]
    talk 192.0.2.7 DATA DATA DATA
    [ "$(tail -n1 replies)" = '500 5.7.0 Enough failures' ]
    [ "$(wc -l <replies)" = 3 ]
    # a second passes in which the client says nothing
    mkfifo silence
    "$MAILRECV" -c conf -l log -P 192.0.2.7 <>silence | tr -d '\r' >replies
    [ "$(tail -n1 replies)" = '500 5.4.2 Enough time' ]
    [ "$(wc -l <replies)" = 2 ]
}

@test "1.x, numbers as large as it took them" {
    take good/1x-limits-large.conf
    mv 1x-limits-large.conf conf
    talk 192.0.2.7 'EHLO client.example' QUIT
    grep -x '250-SIZE 1000000000000000' replies
    grep -x '250-LIMITS RCPTMAX=100000' replies
    [ "$(tail -n1 replies)" = '221 2.0.0 Goodbye' ]
}

# ---- words ---------------------------------------------------------------------------------

@test "quoted words, and quotes that are characters" {
    take good/quoting.conf
    mv quoting.conf conf
    mail 192.0.2.7 joe@example.com "o'neil@example.com" '"joe,"@example.com' back@example.com d.x@example.com args@example.com
    [ "$(grep -c '^250 2.0.0' answers)" = 6 ]
    [ "$(subjects "joe's box # 1")" = joe@example.com ]
    [ "$(subjects "o'neil")" = "o'neil@example.com" ]
    [ "$(subjects 'the quoted joe')" = '"joe,"@example.com' ]
    [ "$(subjects "back\\slash\"quote\\")" = back@example.com ]
    [ "$(subjects 'dots"')" = d.x@example.com ]
    grep -q 'text="<two  words><><a<0x22>b><a<0x22>b<0x22>><ann@client.example><args@example.com><#>"$' log
    mail 192.0.2.7 "it's@example.com" aa@example.com
    [ "$(cat answers)" = "550 5.7.1 It's \"quoted\" and 'so'
551 5.7.1 \"From the beginning\"" ]
    talk 198.51.100.7 QUIT
    [[ $(head -n1 replies) == '554 '* ]]
}

@test "a quote that does not quote is an error, and what is advised instead denies the host" {
    # shellcheck disable=SC1112 # they are what a word processor makes of quotes
    for word in "'^198\\.51\\.100\\.'" '"^198\.51\.100\.' '^198\.51\.100\."' "^198\\.51\\.100\\.'" '“^198\.51\.100\.”' \
        '‘^198\.51\.100\.’' '«^198\.51\.100\.»' '"^198\.51"\.100\.' "'^(198\\.51\\.100\\.| )'"; do
        for directive in 'deny remotehost' 'allowgroup office' lockout.exempt proxy_protocol xclient xforward; do
            config "$directive $word"
            run -78 --separate-stderr "$MAILRECV" -t -c conf
            [[ $stderr == *"conf:"*"quote"*"write: "* ]] || { echo "$directive $word: $stderr"; false; }
        done
        # and a session says no to everybody instead of yes
        config "deny remotehost $word"
        talk 203.0.113.7 QUIT || true
        [[ $(head -n1 replies) == '421 '* ]]
        config "deny remotehost $("$MAILRECV" -t -c conf 2>&1 >/dev/null | sed -n 's/^    write: //p' | head -n1)"
        talk 198.51.100.7 QUIT
        [[ $(head -n1 replies) == '554 '* ]]
        talk 203.0.113.7 QUIT
        [[ $(head -n1 replies) == '220 '* ]]
    done
}

@test "what cannot be seen is named, with its place" {
    config $'deny remotehost ^198\\.51\\.100\\.\u00a0' $'fsync\u3000on' $'"debug"\tx\ecy'
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == *':32: '*'U+00A0 (no-break space)'*':6: '*'U+3000 (ideographic space)'*':10: '*'U+001B (control character)'* ]]
    [[ $stderr != *$'\e'* ]]
    config $'deliver rcpt_to a@example.com pipe cat\u00a0>x'
    run -1 --separate-stderr "$MAILRECV" -t -c conf
    [[ $stderr == *':39: warning:'*'U+00A0 (no-break space)'* ]]
    # in quotes it is meant
    config $'deliver rcpt_to a@example.com append "'"$PWD"$'/a\u00a0b"'
    mail 192.0.2.7 a@example.com
    [ "$(subjects $'a\u00a0b')" = a@example.com ]
}

@test "the enhanced code of a text is used, otherwise one that fits the directive, of the class of the code" {
    config 'error rcpt_to ^a@ 550 5.1.6 Moved' 'error rcpt_to ^b@ 450 Later' 'error rcpt_to ^c@ 550 5.1 is no code' \
        'error rcpt_to ^d@ 550 5.1.1234 neither' 'error rcpt_to ^e@ 550 5.999.999   Large' 'error rcpt_to ^f@ 599 5' \
        'error rcpt_to ^g@ 400 4.7.1. Nor this'
    mail 192.0.2.7 a@b.example b@b.example c@b.example d@b.example e@b.example f@b.example g@b.example
    [ "$(cat answers)" = '550 5.1.6 Moved
450 4.7.1 Later
550 5.7.1 5.1 is no code
550 5.7.1 5.1.1234 neither
550 5.999.999 Large
599 5.7.1 5
400 4.7.1 4.7.1. Nor this' ]
    # the log has code and text without it
    grep -q '\] ERROR: 550 Large stage=rcpt ' log
    grep -q '\] ERROR: 450 Later stage=rcpt ' log
}

# ---- size ----------------------------------------------------------------------------------

@test "10,000 groups and 10,000 deliver lines load and work" {
    seq 0 9999 | sed 's,.*,deliver allowgroup g& rcpt_to u&@example.com append /dev/null,' >conf
    seq 0 9999 | sed 's,.*,allowgroup g& ^192\\.0\\.2\\.&$,' >>conf
    loads conf
    [ "$(grep -c ^deliver <<<"$output")" = 10000 ]
    talk 192.0.2.17 'MAIL FROM:<>' 'RCPT TO:<u17@example.com>' 'RCPT TO:<u9999@example.com>' 'RCPT TO:<u10000@example.com>' QUIT
    [ "$(sed 1,2d replies)" = '250 2.1.5 Recipient ok
550 5.7.1 Not accepted from your host
550 5.1.1 No one here by that name
221 2.0.0 Goodbye' ]
}

@test "10,000 mistakes are 10,000 errors" {
    seq 0 9999 | sed 's,.*,deliver allowgroup g& rcpt_to u&@example.com append /dev/null,' >conf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    [ "$(grep -c '^conf:[0-9]*:20: there is no group ' <<<"$stderr")" = 10000 ]
}
