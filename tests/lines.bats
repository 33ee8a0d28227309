#!/usr/bin/env bats
# lines.bats - lines of the configuration that go on in the next one: what they mean, and where their mistakes are

# shellcheck disable=SC2030,SC2031 # bats runs each test in a subshell

load common
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    umask 022
}

# What -t says of conf: the places, and the settings that are repeatable or begin so.
told() { "$MAILRECV" -t -c conf 2>&1 >/dev/null | grep '^conf:[0-9]'; }
printed() { "$MAILRECV" -t -c conf 2>/dev/null | grep -E "^($1)"; }

# A configuration with each kind of line that goes on.
plant() {
    cat >conf <<'END'
domain \
	mail.example.com
allowgroup office \
	^192\.0\.2\.
deliver \
  allowgroup office \
  rcpt_to a@mail.example.com   \
	 pipe cat > mbox\#one; \
   echo two 'three \
   four'	  # not this, \
deliver rcpt_to b@mail.example.com exec /bin/echo "x \
  y" a\\
error rcpt_to ^c@ 550 Not \
here, not \
   there
END
}

@test "a line that ends in a backslash goes on in the next one, as if there were one blank" {
    plant
    cat >expected <<'END'
domain mail.example.com
allowgroup office ^192\.0\.2\.
deliver allowgroup office rcpt_to a@mail.example.com pipe cat > mbox\#one; echo two 'three four'	  # not this, \
deliver rcpt_to b@mail.example.com exec /bin/echo "x y" a\\
error rcpt_to ^c@ 550 Not here, not there
END
    printed 'domain|allowgroup|deliver|error' | diff expected -
    "$MAILRECV" -t -c conf >whole 2>/dev/null || :
    "$MAILRECV" -t -c whole 2>/dev/null | diff whole -
    sed -i 's/$/\r/' conf
    printed 'domain|allowgroup|deliver|error' | tr -d '\r' | diff expected -
}

@test "commands, replies, log and -x have the whole line, and name the first one" {
    plant
    printf '%s\r\n' 'MAIL FROM:<s@client.example>' 'RCPT TO:<c@mail.example.com>' 'RCPT TO:<a@mail.example.com>' DATA '' text . QUIT |
        "$MAILRECV" -c conf -d cr -l log -P 192.0.2.7 >replies
    grep -x $'550 5\\.7\\.1 Not here, not there\r' replies
    grep -x $'250 2\\.0\\.0 Ok, delivered as .*\r' replies
    grep -x text "mbox#one"
    grep -F 'output id=' log | grep -F "text=\"two three four\""
    grep -F ' rule=5 target=pipe ' log
    grep -F 'DEBUG c: conf:5: "deliver allowgroup office rcpt_to a@mail.example.com pipe cat > mbox<0x5c>#one; echo two' log
    grep -F 'DEBUG r: conf:3: allowgroup ' log
    grep -F 'DEBUG r: conf:5: this line decides' log
    run -0 "$MAILRECV" -x -c conf -P 192.0.2.7 from s@client.example rcpt b@mail.example.com
    grep -F '    conf:11: exec /bin/echo' <<<"$output"
    grep -F 'RULE=conf:11' <<<"$output"
}

@test "a mistake is told where it stands, in whichever of the lines, with a caret" {
    cat >conf <<'END'
logfile \
     "x \
   y
deliver rcpt_to \
   a@example.com \
   throw /x
limit.hops \
   5 \
	250 Ok
allow remotehost \
END
    sed 's/$/\r/' conf >crlf
    run -78 --separate-stderr "$MAILRECV" -t -c conf
    # shellcheck disable=SC2154 # bats sets it
    diff - <(printf '%s\n' "$stderr") <<'END'
conf:2:6: this quote is never closed, expected another " behind the word
         "x \
         ^
    write: x
conf:6:4: unexpected 'throw', expected append, pipe, exec, maildir, lmtp or smtp
       throw /x
       ^
conf:9:2: '250' is not a reply code, expected 400 to 599
    	250 Ok
    	^
conf:10:18: a backslash at the end of the line, expected another line, with which this one goes on
    allow remotehost \
                     ^
    begin that with a blank, or take the backslash out
END
    run -78 --separate-stderr "$MAILRECV" -t -c crlf
    diff <(grep -o '^conf:.*' <<<"$(sed 's/^crlf/conf/' <<<"$stderr")") <("$MAILRECV" -t -c conf 2>&1 >/dev/null | grep '^conf')
    # in service, too
    run -78 "$MAILRECV" -c conf -l log -P 192.0.2.7 </dev/null
    grep -F "conf:6:4: unexpected 'throw'" log
}

@test "an expression in a line that goes on has its mistakes at their places, in -t and in service" {
    printf '%s\n' 'domain example.com' 'deliver \' '  rcpt_to \' '    /ab(c/ \' '  append /dev/null' 'allow \' '  remotehost "a\ \' '  (b"' >conf
    told | grep -E '^conf:4:'
    told | grep -E '^conf:8:5:'
    sed -i '/^allow/,$d' conf
    printf '%s\r\n' 'MAIL FROM:<s@client.example>' 'RCPT TO:<a@example.com>' QUIT |
        "$MAILRECV" -c conf -l log -P 192.0.2.7 | grep '^451 '
    grep -F 'conf:4:5: the pattern "ab(c" decides nothing' log
}

@test "nothing to go on with is an error: the end of the file, an empty line, a comment, a directive" {
    local rest n=0
    for rest in '' '\n' '\n\n  x' '\n   \n x' '\n# comment\n  x' '\n   # comment\n  x' '\ndeliver rcpt_to b@example.com append /x' '\nfsync on'; do
        printf "deliver rcpt_to a@example.com pipe cat \\\\$rest" >conf
        told | grep -F 'conf:1:40: a backslash at the end of the line, expected another line' || { echo "in $rest"; return 1; }
        printf "greeting a \\\\\r$rest" >conf
        [ "$rest" = '' ] || told | grep -F 'conf:1:12: a backslash at the end of the line, expected another line'
        n=$((n + 1))
    done
    [ "$n" = 8 ]
    # what follows is looked at all the same
    printf '%s\n' 'greeting a \' 'fsync maybe' >conf
    told | grep -F 'conf:2:7: '
    # with a blank before it, a word of a condition goes on
    printf '%s\n' 'tls off' 'deliver \' ' auth rcpt_to a@example.com append /x' >conf
    printed deliver | grep -x 'deliver auth rcpt_to a@example.com append /x'
}

@test "where a text goes on, or does not, and that may be a mistake, -t says so" {
    printf '%s\n' 'greeting hello \' '  user nobody' 'deliver rcpt_to a@example.com pipe cat \ ' '# deliver rcpt_to \' \
        '  loghex on' '# tail \' '# more' '#x\\' ' loghex on' '#x \' 'loghex on' >conf
    told >found
    grep -F "conf:2:3: warning: this is part of the text above, which ends in a backslash, and no directive 'user'" found
    grep -F 'conf:3:40: warning: the line does not go on in the next one: there is something behind the backslash' found
    grep -F 'conf:4:19: warning: a comment does not go on in the next line, which is no part of it' found
    [ "$(grep -c 'a comment does not go on' found)" = 1 ]
    printed greeting | grep -x 'greeting hello user nobody'
    # the command that ended in a backslash and a blank is what it was
    printed deliver | grep -xF 'deliver rcpt_to a@example.com pipe cat \ '
    printf '%s\n' 'greeting hello # a \' '  there' >conf
    told | grep -F "conf:2:3: unknown keyword 'there'"
    printf '%s\n' 'greeting "hello # a" \' '  there' >conf
    told | grep -F 'conf:1:17: a comment within a line that goes on, expected one behind all of it'
    printf '%s\n' 'logfile x\ ' >conf
    told | grep -F 'conf:1:11: a blank behind the backslash, expected the end of the line'
}

@test "two backslashes at the end are what they were, three go on" {
    printf '%s\n' 'domain example.com' 'deliver rcpt_to a@example.com pipe cat \\' 'deliver rcpt_to b@example.com pipe cat \\\' '   x' >conf
    printed deliver >found
    grep -xF 'deliver rcpt_to a@example.com pipe cat \\' found
    grep -xF 'deliver rcpt_to b@example.com pipe cat \\ x' found
}

@test "the place of a setting is its first line, of a value where it stands" {
    printf '%s\n' '' 'fsync \' '  off' 'lockout.db \' '  relative' 'include \' '   missing' 'tls \' ' required' 'fsync on' >conf
    told >found
    grep -F "conf:7:4: missing cannot be used: No such file or directory" found
    grep -F "conf:10:1: warning: 'fsync' stands twice (first on line 2), the last one wins" found
    grep -F "conf:8:1: 'tls' is on, expected tls.cert as well" found
    sed -i '/^include/,/^ req/d' conf
    told | grep -F 'conf:5:3: warning: relative is looked for where the super-server starts mailrecv'
}

@test "10,000 lines that go on are read in their order" {
    echo 'domain example.com' >conf
    for i in $(seq 10000); do printf 'deliver rcpt_to user%d@example.com \\\n  append /dev/null\n' "$i"; done >>conf
    printf '%s\r\n' 'MAIL FROM:<s@client.example>' 'RCPT TO:<user9999@example.com>' DATA '' . QUIT |
        "$MAILRECV" -c conf -l log -P 192.0.2.7 | grep '^250 .*delivered'
    grep -F ' rule=19998 ' log
    printed deliver | awk '{ print $3 }' | cmp - <(seq -f 'user%.0f@example.com' 10000)
}
