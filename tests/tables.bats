#!/usr/bin/env bats
# tables.bats - recipients that a table knows: text files, what is done with a value, damaged indexes

bats_require_minimum_version 1.5.0
load common
load tools/delivery

# Tables that are large enough for an index: of 3000 lines, the same once more for a test that changes it, and with many lines of one
# key. Old enough they are when the tests behind the first ones need them.
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    awk 'BEGIN { for (i = 1; i <= 3000; i++) printf "user%d@example.com box%d\n", i, i }' | tee large >changing
    { cat large; yes 'user30@example.net x' | head -n 600; } >crowded
}

# What becomes of RCPT for each of these, in one session: the codes of the replies.
codes() {
    { printf '%s\r\nMAIL FROM:<s@client.example>\r\n' "$HELLO"; printf 'RCPT TO:<%s>\r\n' "$@"; printf 'QUIT\r\n'; } | session
    sed -n '/ 2\.1\.0 /,$p' replies | sed -e 1d -e '$d' | cut -c1-3 | paste -sd' '
}

@test "a recipient is known as it is, without its extension, and by its domain; without regard to case" {
    config <<END
recipient_delimiter +
table people file $HERE/people
deliver rcpt_to table:people pipe echo "\$RECIPIENT \$TABLE_VALUE \$EXTENSION" >>$HERE/seen
END
    cat >people <<'END'
# who there is
Joe@example.com   joe's mail
joe@EXAMPLE.com   second
joe+lists@example.com lists

@example.org everybody
END
    echo text | send s@client.example joe@example.com JOE+x@example.com joe+lists@example.com any@example.org
    [[ $REPLY == 250* ]]
    expect_file seen <<'END'
joe@example.com joe's mail 
JOE+x@example.com joe's mail x
joe+lists@example.com lists 
any@example.org everybody 
END
    expect "$(codes ann@example.com joe@example.net joe.x@example.com @example.org joe@sub.example.org)" '550 550 550 501 550'
}

@test "keys with blanks, quotes, backslashes, percent signs and UTF-8 are found as they are" {
    config <<END
table people file $HERE/people
deliver rcpt_to table:people pipe echo "\$TABLE_VALUE" >>$HERE/seen
END
    cat >people <<'END'
"john smith@example.com" blank
"a\"b@example.com" quote
"a\\b@example.com" backslash
o'neil@example.com it's "so"; $(id) `id`
50%n@example.com %s%n
jörg@example.com umlaut
info@bücher.example idn
info@xn--mnchen-3ya.example ace
END
    HELLO='EHLO helo.example'
    echo text | send 's@client.example> SMTPUTF8' '"john smith"@example.com' '"a\"b"@example.com' '"a\\b"@example.com' \
        "o'neil@example.com" '50%n@example.com' 'jörg@example.com' 'info@bücher.example' 'info@münchen.example'
    [[ $REPLY == 250* ]]
    expect_file seen <<'END'
blank
quote
backslash
it's "so"; $(id) `id`
%s%n
umlaut
idn
ace
END
}

@test "the value is an argument, and a part of the path; a value that would leave its place is a temporary failure" {
    config <<END
table boxes file $HERE/boxes
table words file $HERE/words
deliver rcpt_to table:boxes append $HERE/mail/%{value}.mbox
deliver rcpt_to table:words exec $HERE/show %{value} %{local}
END
    printf '#!/bin/sh\nprintf "%%s\\n" "$@" >%s/seen\n' "$HERE" >show
    chmod +x show
    mkdir mail
    printf '%s\n' 'a@example.com a' 'b@example.com b/../../b' 'c@example.com /c' 'd@example.com ..' 'e@example.com' \
        'f@example.com x..y' 'g@example.com .' >boxes
    printf '%s\n' 'w@example.com one word; $HOME %{local}' >words
    for who in a f; do
        echo text | send s@client.example "$who@example.com"
        [[ $REPLY == 250* ]]
    done
    for who in b c d e; do
        echo text | send s@client.example "$who@example.com"
        [[ $REPLY == 451* ]]
    done
    expect "$(ls mail | paste -sd' ')" 'a.mbox x..y.mbox'
    grep -q 'result=delivered .* path="'"$HERE"'/mail/a.mbox" ' log
    expect "$(sed -n 's/.*result=deferred.* to="\(.\)@.* reason="\(.*\)"$/\1 \2/p' log)" "b the value for the path has .. in it
c the value for the path begins with /
d the value for the path has .. in it
e the table has no value for the path"
    # a value that leaves it together with what stands beside the word
    for path in '.%{value}/box' '%{value}./box' 'x/%{value}%{value}/box'; do
        sed -i "s|^deliver rcpt_to table:boxes .*|deliver rcpt_to table:boxes append $HERE/mail/$path|" conf
        echo text | send s@client.example g@example.com
        [[ $REPLY == 451* ]]
        grep -q 'result=deferred .* reason="with the value the path has .. in it"$' log
    done
    [ ! -e box ]
    echo text | send s@client.example w@example.com
    [[ $REPLY == 250* ]]
    expect_file seen <<'END'
one word; $HOME %{local}
w
END
}

@test "the directory before the word that a table chooses must be there" {
    mkdir -p boxes/deep
    config <<END
table people file $HERE/people
deliver from a@example.com rcpt_to table:people maildir $HERE/missing/%{value}
deliver from b@example.com rcpt_to table:people append $HERE/missing/deep/x-%{value}/mbox
deliver from c@example.com rcpt_to table:people maildir $HERE/boxes/deep/%{value}/box
deliver from d@example.com rcpt_to table:people append $HERE/boxes/%{value}
deliver rcpt_to table:people maildir /%{value}/box
END
    echo 'a@example.com one' >people
    "$MAILRECV" -t -c conf 2>&1 >/dev/null |
        sed -nE -e "s,$HERE,,g; s/ $(id -un)\b/ ME/g" -e '/ cannot be entered /p; /^    run: /p' >said
    expect_file said <<'END'
conf:4:57: warning: /missing cannot be entered by ME: No such file or directory
    run: install -d -o ME -m 700 /missing
conf:5:56: warning: /missing/deep cannot be entered by ME: No such file or directory
    run: install -d -o ME -m 700 /missing/deep
END
}

@test "a maildir for each value; refuse, also and error lines by table" {
    config <<END
table people file $HERE/people
table gone file $HERE/gone
refuse rcpt_to table:gone 550 5.1.6 Gone for good
deliver rcpt_to table:people maildir $HERE/%{value}
also rcpt_to table:people append $HERE/copy-%{value}
error rcpt_to table:closed 550 5.2.1 Closed
table closed file $HERE/closed
END
    echo 'a@example.com one' >people
    echo 'g@example.com' >gone
    echo '@closed.example' >closed
    echo text | send s@client.example a@example.com
    [[ $REPLY == 250* ]]
    [ "$(find one/new -type f | wc -l)" = 1 ]
    [ -s copy-one ]
    codes g@example.com x@closed.example x@example.com
    grep -qx '550 5.1.6 Gone for good' replies
    grep -qx '550 5.2.1 Closed' replies
    grep -q '^550 5.1.1 ' replies
}

@test "a table that cannot be read says neither yes nor no; once there it is asked again" {
    config <<END
table people file $HERE/people
deliver rcpt_to table:people append $HERE/box
deliver rcpt_to any@example.com append $HERE/box
END
    expect "$(codes any@example.com)" 451
    grep -q '\] table failed table="people" key="any@example.com" reason="cannot open the file: No such file or directory"$' log
    { head -c 70000 /dev/zero | tr '\0' x; echo; echo any@example.com; } >people
    expect "$(codes any@example.com)" 451
    grep -q 'reason="cannot read the file: there is a line of more than 65536 bytes"$' log
    { printf 'any@example.com '; head -c 20000 /dev/zero | tr '\0' x; echo; } >people
    expect "$(codes any@example.com)" 451
    printf 'any@example.com a\0b\n' >people
    expect "$(codes any@example.com)" 451
    grep -q 'reason="the value has a NUL"$' log
    rm people
    mkfifo people
    expect "$(codes any@example.com)" 451
    rm people
    printf 'other@example.com' >people
    expect "$(codes any@example.com other@example.com)" '250 250'
}

@test "what a line may not say about tables is an error of the configuration" {
    cat >conf <<'END'
table a file relative
table b file
table c
table c file /x
table c file /y
table d pipe /x
deliver rcpt_to table:none append /dev/null
deliver rcpt_to table: append /dev/null
deliver rcpt_to table:c append /x/%{value}/%{local}
deliver rcpt_to a@example.com append /x/%{value}
deliver once rcpt_to table:c append /x/%{value}
deliver rcpt_to a@example.com exec /bin/true %{value}
deliver from table:c rcpt_to a@example.com append /dev/null
END
    run -78 "$MAILRECV" -t -c conf
    grep -q "^conf:1:14: 'relative' is not the path of a table" <<<"$output"
    grep -q "^conf:2:13: the line ends too early" <<<"$output"
    grep -q "^conf:3:8: " <<<"$output"
    grep -q "^conf:5:7: 'c' is defined on line 4 already" <<<"$output"
    grep -q "^conf:6:9: unexpected 'pipe', expected file, socketmap, tcp or exec" <<<"$output"
    grep -q "^conf:7:23: there is no table 'none'" <<<"$output"
    grep -q "^conf:8:23: there is no name behind 'table:'" <<<"$output"
    grep -q "^conf:9:44: a path stands for itself" <<<"$output"
    grep -q "^conf:10:41: %{value} is what a table has" <<<"$output"
    grep -q "^conf:11:40: %{value} is of one recipient" <<<"$output"
    grep -q "^conf:12:46: %{value} is what a table has" <<<"$output"
    grep -q "^conf:13:14: 'table:c' is not an address" <<<"$output"
}

@test "a line without %{value} takes what has no value; -t looks at the table, and for no file that a value chooses" {
    config <<END
table people file $HERE/people
deliver rcpt_to table:people append $HERE/box
also rcpt_to table:people append $HERE/boxes/%{value}/box
END
    mkdir boxes
    echo 'joe@example.com' >people
    run "$MAILRECV" -t -c conf
    refute grep -q '^conf:5:' <<<"$output"
    sed -i '$d' conf
    echo text | send s@client.example joe@example.com
    [[ $REPLY == 250* ]]
    chmod o+w people
    echo "table unused file $HERE/people" >>conf
    run -1 "$MAILRECV" -t -c conf
    grep -q "^conf:3:.*everybody can write to $HERE/people" <<<"$output"
    grep -q "^conf:5:1: .*no line names the table 'unused'" <<<"$output"
    rm people
    run "$MAILRECV" -t -c conf
    grep -q "^conf:3:.*$HERE/people" <<<"$output"
}

@test "-x shows each key that is tried, and what the table has" {
    config <<END
recipient_delimiter +
table people file $HERE/people
deliver rcpt_to table:people append $HERE/%{value}
END
    printf '%s\n' 'joe@example.com joes' 'ann@example.com /x' >people
    run -0 "$MAILRECV" -c conf -x from s@client.example rcpt joe+x@example.com
    grep -qF 'conf:4: table people does not have "joe+x@example.com"' <<<"$output"
    grep -qF 'conf:4: table people has "joe@example.com": "joes"' <<<"$output"
    grep -qF "conf:5: append $HERE/joes" <<<"$output"
    run "$MAILRECV" -c conf -x from s@client.example rcpt ann@example.com
    grep -qF "conf:5: append $HERE/%{value}: the value for the path begins with /" <<<"$output"
}

@test "-x does not let a value command a terminal, where it is no part of a path, either" {
    config <<END
table people file $HERE/people
deliver rcpt_to table:people append $HERE/.%{value}
END
    printf '%s\n' $'joe@example.com joe\e[1m\xc2\x9b1mé\xf0\x9f\x98\x80' $'ann@example.com ./\e[1m' >people
    run -0 "$MAILRECV" -c conf -x from s@client.example rcpt joe@example.com
    grep -qF "conf:4: append $HERE/.joe<0x1b>[1m<0xc2><0x9b>1mé"$'\xf0\x9f\x98\x80' <<<"$output"
    run "$MAILRECV" -c conf -x from s@client.example rcpt ann@example.com
    grep -qF "conf:4: append $HERE/../<0x1b>[1m: with the value the path has .. in it" <<<"$output"
}

@test "-t says which lines of a table count for nothing, and where no index can be kept" {
    config <<END
table.cache $HERE/missing
table people file $HERE/people
table large file $BATS_FILE_TMPDIR/large
deliver rcpt_to table:people append $HERE/box
deliver rcpt_to table:large append $HERE/box
END
    printf '%s\n' 'a@example.com' '"b@example.com' '"c"@example.com c' >people
    run -1 "$MAILRECV" -t -c conf
    grep -q "^conf:4:19: .*line 2 of this table counts for nothing, .*; 1 more line is like it$" <<<"$output"
    grep -q "^conf:5:.*$HERE/missing" <<<"$output"
    sed -i 2d people
    run -1 "$MAILRECV" -t -c conf
    grep -q "line 2 of this table counts for nothing, .* VALUE$" <<<"$output"
}

@test "-t says which key of a table stands twice, and in which lines; of a large table, too" {
    config <<END
table.cache $HERE
table people file $HERE/people
deliver rcpt_to table:people append $HERE/box
END
    twice() { # WARNING
        run "$MAILRECV" -t -c conf
        expect "$(sed -n 's/^conf:4:19: warning: //p' <<<"$output")" "$1"
    }
    printf '%s\n' '# a' 'a@example.com x' '"b c@example.com" x' '# a' '' '"#@example.com"' @example.com '"open@example.com' >people
    twice 'line 8 of this table counts for nothing, expected KEY VALUE or "KEY" VALUE'
    sed -i '$d' people
    twice ''
    echo 'A@Example.com y' >>people
    twice 'line 8 of this table counts for nothing, for line 2 has the same key'
    # lines 9 to 12
    printf '%s\n' '"\b c@example.com"' 'a@example.com x' '"a@example.com"' 'ab@example.com' >>people
    twice 'line 8 of this table counts for nothing, for line 2 has the same key; 3 more lines are like it'
    { seq -f 'user%g@example.com' 10000; echo user77@example.com; seq -f 'user%g@example.org' 10000; echo user5@example.org; } >people
    twice 'line 10001 of this table counts for nothing, for line 77 has the same key; 1 more line is like it'
}

@test "-t says which lines of a table can hardly be meant so" {
    config <<END
table people file $HERE/people
table hashes file $HERE/hashes
auth.users table:hashes
deliver rcpt_to table:people append $HERE/box-%{value}
END
    # an IPv6 address may end in colons, and one in a domain has some
    printf '%s\n' 'joe@example.com joe' '2001:db8:: x' '192.0.2.1 x' 'x@[IPv6:2001:db8::1] x' '"a:b@example.com" x' 'a/b@example.com x' >people
    printf '%s\n' 'ann $y$j9T$salt$hash' 'bob abcdefghijklm' >hashes
    chmod 600 hashes
    run "$MAILRECV" -t -c conf
    refute grep 'of this table' <<<"$output"
    printf '%s\n' 'a@example.com: a' 'b@example.com:b' 192.0.2.0/24\ x 2001:db8::/32\ x 'c@example.com /c' $'d@example.com' 'e@example.com a/../b' >>people
    printf '%s\n' 'ann:$y$j9T$salt$hash' 'bob secret' >>hashes
    run -1 "$MAILRECV" -t -c conf
    grep -q '^conf:3:19: .*line 7 of this table has a colon in its key,.*; 1 more line is like it$' <<<"$output"
    grep -q '^conf:3:19: .*line 9 of this table has a network for a key,.*; 1 more line is like it$' <<<"$output"
    grep -q '^conf:3:19: .*line 8 of this table has a value that cannot be a part of the path .*; 3 more lines are like it$' <<<"$output"
    grep -q '^conf:4:19: .*line 3 of this table has no hash of a password,.*; 1 more line is like it$' <<<"$output"
    refute grep secret <<<"$output"
    printf 'SQLite format 3\0x\n' >people
    run -1 "$MAILRECV" -t -c conf
    grep -q '^conf:3:19: .*line 1 of this table has a NUL: this is no text file;' <<<"$output"
}

@test "-t asks programs and servers as the user who serves, and says why there is no answer; nothing of that is logged" {
    printf '#!/bin/sh\nid -un >>%s/asked\necho "no \\\"database\\\" \047mail\047 for $USER" >&2\nexit 3\n' "$HERE" >broken
    install -m 666 /dev/null asked
    chmod 755 broken
    config <<END
table broken exec $HERE/broken
table away socketmap localhost:1 users
deliver rcpt_to table:broken append $HERE/box
deliver rcpt_to table:away append $HERE/box
END
    run "$MAILRECV" -t -l "$PWD/events" -c conf
    grep -q '^conf:3:19: warning: this table cannot be asked now: no "database" '\''mail'\'' for ' <<<"$output"
    grep -q '^conf:4:22: warning: this table cannot be asked now: cannot connect to .*: Connection refused$' <<<"$output"
    refute grep MAILRECV <<<"$output"
    [ ! -s events ]
    [ "$(sort -u asked)" = "$(id -un)" ]
    [ "$EUID" -eq 0 ] || return 0
    chmod 755 "$BATS_RUN_TMPDIR" # for nobody, too
    : >asked
    run "$MAILRECV" -t -u nobody -c conf
    grep -q '^conf:3:19: warning: this table cannot be asked now: no "database" '\''mail'\'' for nobody$' <<<"$output"
    [ "$(sort -u asked)" = nobody ]
}

# ---- indexes ----

# A configuration with a large table.
with_large() { # [FILE]
    config <<END
table.cache $HERE/cache
table people file $BATS_FILE_TMPDIR/${1:-large}
deliver rcpt_to table:people append /dev/null
END
    mkdir cache
}

known() { expect "$(codes user1@example.com USER2345@example.com user3000@example.com user3001@example.com user30@example.net)" '250 250 250 550 550'; }

has_index() { known && compgen -G "cache/table-*.index"; }

@test "a large table has an index, when it has not changed for a moment; the answers are the same" {
    with_large
    known
    until_true has_index
    expect "$(find cache -type f -perm 600 -name '*.index' | wc -l)" 1
    expect "$(find cache -name '*.new' | wc -l)" 0
    # it is what is read
    strace -f -o trace -e trace=pread64 "$MAILRECV" -c conf -l log <<<$'HELO x\nMAIL FROM:<>\nRCPT TO:<user2000@example.com>' >replies
    grep -q '^250 2.1.5 ' replies
    refute grep -q '262144' trace
}

@test "an index that is damaged, cut, empty, of another table or writable for others is made again, and never believed" {
    with_large
    until_true has_index
    index=$(echo cache/*.index)
    cp "$index" good
    damage() { # OFFSET...
        cp good "$index"
        for at; do printf 'XXXXXXXXXXXXXXXX' | dd of="$index" bs=1 seek="$at" conv=notrunc status=none; done
        known
        cmp good "$index"
    }
    size=$(stat -c %s good)
    damage $(seq 4096 4096 $((size - 1)))          # the checksum and the count of each page
    damage $(seq $((4096 + 64)) 4096 $((size - 1))) # a line in each
    damage 0
    damage 40
    for size in 0 10 5000; do
        head -c "$size" good >"$index"
        known
        cmp good "$index"
    done
    chmod 666 "$index"
    inode=$(stat -c %i "$index")
    known
    [ "$(stat -c %a "$index")" = 600 ]
    [ "$(stat -c %i "$index")" != "$inode" ]
}

@test "where no index can be written the table is read; one that another process writes is not waited for" {
    with_large
    until_true has_index
    index=$(echo cache/*.index)
    rm "$index"
    ln -s /dev/full "$index.new"
    known
    [ ! -e "$index" ]
    rm "$index.new"
    exec {lock}>"$index.new"
    flock "$lock"
    known
    [ ! -e "$index" ]
    exec {lock}>&-
    known
    [ -e "$index" ]
    rm -r cache
    known
}

@test "a table with so many lines of one key that it can have no index is read; the log says so once for a session" {
    with_large crowded
    warned() {
        rm -f log
        expect "$(codes user1@example.com user30@example.net user3000@example.com user3001@example.com)" '250 250 250 550'
        grep -q 'cannot make the index .*: too many lines have the same key, or there are too many$' log
    }
    until_true warned
    expect "$(grep -c 'cannot make the index' log)" 1
    expect "$(find cache -type f)" ''
}

@test "a table that has changed is another one, whatever its index says" {
    local own=$BATS_FILE_TMPDIR/changing
    with_large changing
    until_true has_index
    # in place, of the same size, with the time that it had
    time=$(stat -c @%.Y "$own")
    printf 'uzer' | dd of="$own" conv=notrunc status=none
    touch -d "$time" "$own"
    expect "$(codes user1@example.com uzer1@example.com)" '550 250'
    sed 's/^user2@/abc@/' "$own" >new
    mv new "$own"
    expect "$(codes user2@example.com abc@example.com user3@example.com)" '550 250 250'
}

@test "a table that has just been written is not read before it has been left alone for a moment" {
    local begun
    config <<END
table people file $HERE/people
deliver rcpt_to table:people append /dev/null
END
    begun=$(date +%s%3N)
    echo user1@example.com >people
    expect "$(codes user1@example.com user2@example.com)" '250 550'
    [ $(($(date +%s%3N) - begun)) -ge 90 ]
    # longer than an answer may take
    echo 'table.timeout 10' >>conf
    just_written() { echo '# more' >>people && expect "$(codes user1@example.com user2@example.com)" '451 451'; }
    until_true just_written
    grep -q 'table failed table="people" key="user2@example.com" reason="the file is being written"$' log
    sed -i '/^table.timeout/d' conf
    expect "$(codes user1@example.com user2@example.com)" '250 550'
}

@test "a table that has no bytes but blocks, as one that is just being emptied, is not believed before a moment has passed" {
    config <<END
table people file $HERE/people
table.timeout 10
deliver rcpt_to table:people append /dev/null
END
    : >people
    fallocate -n -l 4096 people
    old() { [ $(($(date +%s%3N) - $(stat -c %.3Z people | tr -d .))) -gt 200 ]; }
    until_true old
    expect "$(codes user1@example.com)" 451
    grep -q 'table failed table="people" key="user1@example.com" reason="the file is being written"$' log
    sed -i '/^table.timeout/d' conf
    expect "$(codes user1@example.com)" 550
}

# Starts a session that asks for one address, and is stopped when it has read the first piece of `people`.
ask_and_stop() { # ADDRESS
    : >trace
    strace -f -qq -P "$HERE/people" -e trace=pread64 -e inject=pread64:signal=SIGSTOP:when=1 -o trace \
        "$MAILRECV" -c conf -l log <<<"HELO x"$'\n'"MAIL FROM:<>"$'\n'"RCPT TO:<$1>" >replies 3>&- &
    until_true grep -q ' --- stopped by SIGSTOP ---$' trace
}

# It goes on, and this is the code of its reply.
go_on() { # CODE
    kill -CONT "$(sed -n 's/ .*--- stopped by SIGSTOP ---$//p' trace)"
    wait $!
    expect "$(tail -n 1 replies | cut -c1-3)" "$1"
}

@test "a table that changes while it is read is read again: none is asked that is half the old and half the new one" {
    local rest
    rest=$(seq -f 'user%g@example.com' 20000) # more than is read at once
    config <<END
table.cache $HERE/missing
table.timeout 60000
table people file $HERE/people
deliver rcpt_to table:people append /dev/null
END
    printf '%s\n' 'first@example.com' "$rest" 'last@example.com' >people
    printf '%s\n' 'last@example.com ' "$rest" 'first@example.com' >other
    # written in place: the last line is the first one now, of which another was read
    ask_and_stop last@example.com
    cat other >people
    go_on 250
    # another one in its place, without the last line
    echo new@example.com >other
    ask_and_stop first@example.com
    mv other people
    go_on 550
    # none in its place
    ask_and_stop new@example.com
    rm people
    go_on 451
    grep -q 'key="new@example.com" reason="cannot open the file: No such file or directory"$' log
    # no time is left to read it again
    echo new@example.com >people
    expect "$(codes new@example.com)" 250
    sed -i 's/^table.timeout.*/table.timeout 1/' conf
    ask_and_stop new@example.com
    echo more@example.com >>people
    go_on 451
    grep -q 'key="new@example.com" reason="the file was changed while it was read"$' log
}

@test "a link that leads to another table, or to none, counts in a session that has begun" {
    config <<END
table people file $HERE/now/people
deliver rcpt_to table:people append /dev/null
END
    mkdir old new
    echo 'a@example.com' >old/people
    echo 'b@example.com' >new/people
    ln -s old now
    mkfifo lines
    "$MAILRECV" -c conf -l log <lines >replies 3>&- &
    session=$!
    exec {lines}>lines
    has_replies() { [ "$(wc -l <replies)" -ge "$1" ]; }
    asked() { # NUMBER WANTED: the replies to RCPT for both
        printf 'RCPT TO:<a@example.com>\r\nRCPT TO:<b@example.com>\r\n' >&"$lines"
        until_true has_replies $((3 + 2 * $1))
        expect "$(tail -n 2 replies | cut -c1-3 | paste -sd' ')" "$2"
    }
    printf 'HELO x\r\nMAIL FROM:<>\r\n' >&"$lines"
    asked 1 '250 550'
    ln -sfn new now
    asked 2 '550 250'
    rm now
    asked 3 '451 451'
    exec {lines}>&-
    wait "$session"
}

# ---- servers and programs ----

# A table people that is a server which answers what is in `answers`; the lines of the configuration that follow are on standard input.
with_server() {
    config < <(printf 'table people socketmap unix:%s/sock users\ntable.timeout 10000\n' "$HERE"; cat)
    : >asked
    serve
}

# The same of one that speaks the protocol of tcp tables, at a port.
with_tcp_server() {
    : >asked
    serve tcp people.port
    config < <(printf 'table people tcp 127.0.0.1:%s\ntable.timeout 10000\n' "$(cat people.port)"; cat)
}

serve() { # [PROTOCOL PLACE]
    "$TESTS/tools/table-server" "${1:-socketmap}" answers asked "${2:-$HERE/sock}" 3>&- &
    server=$!
    until_true test -e "${2:-sock}"
}

stop() {
    [ -n "${server:-}" ] || return 0
    kill "$server" || :
    wait "$server" || :
    server=
    rm -f sock
}

teardown() { stop; }

@test "a socketmap server is asked by the same keys, over one connection for each session" {
    printf '%s\t%s\n' joe@example.com 'OK joes' @example.org 'pieces OK every body' 'q"uote\x@example.com' 'OK' \
        'jörg@example.com' 'OK $x %s "\x27' >answers
    with_server <<END
recipient_delimiter +
deliver rcpt_to table:people exec $HERE/show %{value}
END
    printf '#!/bin/sh\nprintf "<%%s>" "$@" >>%s/seen\n' "$HERE" >show
    chmod +x show
    echo text | send 's@client.example> SMTPUTF8' Joe+Lists@example.com any@EXAMPLE.org '"q\"uote\\x"@example.com' 'jörg@example.com'
    [[ $REPLY == 250* ]]
    expect "$(cat seen)" $'<joes><every body><><$x %s "\'>'
    expect_file asked <<'END'
connection
users joe+lists@example.com
users joe@example.com
users any@example.org
users @example.org
users q"uote\x@example.com
users jörg@example.com
END
    expect "$(codes joe@example.net)" 550
    [ "$(grep -c '^connection$' asked)" = 2 ]
}

@test "TEMP, TIMEOUT, PERM, nonsense, an end and a value with NUL are neither yes nor no, and logged" {
    cat >answers <<'END'
temp@example.com	TEMP The database is "down"
timeout@example.com	TIMEOUT
perm@example.com	PERM no such map
word@example.com	YES x
ok@example.com	ok x
raw@example.com	raw 3:OK x,
zero@example.com	raw 04:OK x,
long@example.com	raw 99999:OK
html@example.com	raw HTTP/1.0 400 Bad Request
close@example.com	close
nul@example.com	OK a\x00b
two@example.com	raw 4:OK x,4:OK y,
good@example.com	OK
END
    with_server <<END
deliver rcpt_to table:people append $HERE/box
END
    expect "$(codes temp@example.com timeout@example.com perm@example.com word@example.com ok@example.com raw@example.com zero@example.com \
        long@example.com html@example.com close@example.com nul@example.com)" '451 451 451 451 451 451 451 451 451 451 451'
    expect "$(sed -n 's/.*table failed table="people" key="\(.*\)@example.com" reason="\(.*\)"$/\1 \2/p' log)" 'temp TEMP The database is <0x22>down<0x22>
timeout TIMEOUT
perm PERM no such map
word its answer is no table answer
ok its answer is no table answer
raw its answer is no table answer
zero its answer is no table answer
long its answer is no table answer
html its answer is no table answer
close it has closed the connection
nul the value has a NUL'
    # what comes behind an answer is none to the next question
    : >asked
    expect "$(codes two@example.com none@example.com good@example.com)" '250 550 250'
    expect "$(grep -c '^connection$' asked)" 2
}

@test "a server that is silent, not there, or there again" {
    printf '%s\t%s\n' a@example.com 'silent' b@example.com 'OK' >answers
    with_server <<END
deliver rcpt_to table:people append $HERE/box
END
    sed -i 's/^table.timeout.*/table.timeout 50/' conf
    expect "$(codes a@example.com)" 451
    grep -q 'key="a@example.com" reason="it has not answered in time"$' log
    sed -i 's/^table.timeout.*/table.timeout 10000/' conf
    mkfifo lines
    "$MAILRECV" -c conf -l log <lines >replies &
    session=$!
    exec {lines}>lines
    printf 'HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.com>\r\n' >&"$lines"
    until_true grep -q '^250 2.1.5' replies
    stop
    printf 'RCPT TO:<b@example.com>\r\n' >&"$lines"
    until_true grep -q '^451' replies
    serve
    printf 'RCPT TO:<b@example.com>\r\nQUIT\r\n' >&"$lines"
    exec {lines}>&-
    wait "$session"
    [ "$(grep -c '^250 2.1.5' replies)" = 2 ]
    grep -q 'reason="cannot connect to .*/sock: ' log
}

@test "SIGTERM: what stands behind the question that waits is not asked about, and the session ends with 421" {
    printf '*\tsilent\n' >answers
    with_server <<<'deliver rcpt_to table:people append box'
    printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<>' 'RCPT TO:<'{a,b,c}'@example.com>' >sent
    (cat sent && exec sleep 30) | "$MAILRECV" -c conf -l log -P 192.0.2.7 >replies 2>&1 3>&- &
    until_true grep -q a@example.com asked
    kill -TERM $!
    wait $!
    expect "$(tr -d '\r' <replies | sed -n '/^250 2.1.0/,$s/ .*//p')" $'250\n451\n421'
    expect "$(grep -c '^users [abc]@' asked)" 1
    grep -q 'end reason=terminated ' log
    refute grep -q violation: log
}

@test "a program that never stops to talk is given up in time, whatever it says" {
    local late='table failed table="people" key="a@example.com" reason="it has not answered in time"$'
    config <<END
table people exec $HERE/program
table.timeout 100
deliver rcpt_to table:people append $HERE/box
END
    for where in '' '>\&2'; do
        printf '#!/bin/sh\nexec yes "" %s\n' "${where//\\/}" >program
        chmod +x program
        # each read comes late, so that there always is something to read
        echo "$HELLO"$'\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\nQUIT' >lines
        timeout 20 strace -f -qq -o /dev/null -e trace=read -e inject=read:delay_enter=20000 \
            "$MAILRECV" -c conf -l log <lines >replies
        grep -q '^451' replies
        grep -q "$late" log
        rm log
    done
}

@test "a program is started once for a session, as the map is called like the table; what it says on standard error is logged" {
    printf '%s\t%s\n' a@example.com 'OK' b@example.com 'exit 3' >answers
    : >asked
    config <<END
table people exec $HERE/program "a b" %{value}
deliver rcpt_to table:people append $HERE/box
END
    cat >program <<END
#!/bin/sh
echo "said \$1 \$2 \$HOME \$PGSERVICEFILE \$PGPASSWORD" >&2
exec "$TESTS/tools/table-server" socketmap answers asked -
END
    chmod +x program
    export PGSERVICEFILE=/pg/service PGPASSWORD=secret
    expect "$(codes a@example.com a@example.com c@example.com)" '250 250 550'
    expect_file asked <<'END'
connection
people a@example.com
people a@example.com
people c@example.com
people @example.com
END
    grep -q 'table output service="'"$HERE"'/program" text="said a b %{value} .* /pg/service "$' log
    expect "$(codes b@example.com)" 451
    grep -q 'key="b@example.com" reason="the program exited with status 3"$' log
    chmod -x program
    expect "$(codes a@example.com)" 451
    grep -q 'reason="the program cannot be started: Permission denied"$' log
}

@test "-x asks, and shows what came; -t says what of a table cannot be reached" {
    printf '%s\t%s\n' a@example.com 'OK va lue' t@example.com 'TEMP later' >answers
    with_server <<END
deliver rcpt_to table:people append $HERE/box
END
    run "$MAILRECV" -c conf -x from s@client.example rcpt a@example.com
    grep -qF 'conf:3: table people has "a@example.com": "va lue"' <<<"$output"
    run "$MAILRECV" -c conf -x from s@client.example rcpt t@example.com
    grep -qF 'conf:3: table people says nothing of "t@example.com"' <<<"$output"
    grep -qF 'reason="TEMP later"' <<<"$output"
    stop
    run "$MAILRECV" -t -c conf
    grep -q "^conf:3:.*$HERE/sock" <<<"$output"
    config <<END
table a exec /nowhere/program
table b socketmap here users
table c socketmap /sock
table d socketmap /sock "a b"
deliver rcpt_to table:a append /dev/null
END
    run -78 "$MAILRECV" -t -c conf
    grep -q "^conf:4:19: 'here' is no place of a service" <<<"$output"
    grep -q '^conf:5:24: the line ends too early, expected the name of a map' <<<"$output"
    grep -q '^conf:6:25: the name of a map has no blanks' <<<"$output"
    sed -i '4,6d' conf
    run "$MAILRECV" -t -c conf
    grep -q "^conf:3:14: .*/nowhere" <<<"$output"
    # nobody listens on port 1, and somebody on this socket
    config <<END
table a socketmap 127.0.0.1:1 users
table b socketmap $HERE/sock users
deliver rcpt_to table:a append /dev/null
deliver rcpt_to table:b append /dev/null
END
    serve
    run -1 "$MAILRECV" -t -c conf
    grep -q "^conf:3:19: .*this table cannot be asked now: cannot connect to 127.0.0.1:1: " <<<"$output"
    refute grep -q "^conf:4:" <<<"$output"
}

# ---- tcp tables ----

@test "a tcp table is asked by the same keys, encoded, a line each, over one connection for each session" {
    printf '%s\t%s\n' joe@example.com '200 joes' @example.org 'pieces 200 every%20body' 'a"b c%\x@example.com' '200 ' \
        'jörg@example.com' '200 $x %25s "\x27 %c3%BC' >answers
    with_tcp_server <<END
recipient_delimiter +
deliver rcpt_to table:people exec $HERE/show %{value}
END
    printf '#!/bin/sh\nprintf "<%%s>" "$@" >>%s/seen\n' "$HERE" >show
    chmod +x show
    echo text | send 's@client.example> SMTPUTF8' Joe+Lists@example.com any@EXAMPLE.org '"a\"b c%\\x"@example.com' 'jörg@example.com'
    [[ $REPLY == 250* ]]
    expect "$(cat seen)" $'<joes><every body><><$x %s "\' ü>'
    expect_file asked <<'END'
connection
get joe+lists@example.com
get joe@example.com
get any@example.org
get @example.org
get a"b%20c%25\x@example.com
get j%C3%B6rg@example.com
END
    expect "$(codes joe@example.net)" 550
    [ "$(grep -c '^connection$' asked)" = 2 ]
    stop
    # the same by a socket; the word for it is that of the protocol
    sed -i "s|^table people .*|table people tcp unix:$HERE/sock|" conf
    serve tcp "$HERE/sock"
    expect "$(codes joe@example.com joe@example.net)" '250 550'
}

@test "what is no answer of a tcp table is neither yes nor no; what comes behind an answer is none to the next question" {
    cat >answers <<'END'
later@example.com	400 The%20database is "down"
other@example.com	250 ok
bare@example.com	200
cut@example.com	200 a%4
percent@example.com	500 100% sure
map@example.com	raw 4:OK x,\n
empty@example.com	raw \n200\n
close@example.com	close
part@example.com	raw 500 no
nul@example.com	200 a%00b
two@example.com	raw 500 no\n200 x\n
lines@example.com	raw \r\n200 x\n\r\n
END
    printf 'long@example.com\traw 500 %4100s\n' x >>answers
    printf 'longest@example.com\traw 200 %4091s\\n\n' x >>answers
    with_tcp_server <<END
deliver rcpt_to table:people append $HERE/box
END
    expect "$(codes later@example.com other@example.com bare@example.com cut@example.com percent@example.com map@example.com \
        empty@example.com close@example.com nul@example.com long@example.com)" '451 451 451 451 451 451 451 451 451 451'
    expect "$(sed -n 's/.*table failed table="people" key="\(.*\)@example.com" reason="\(.*\)"$/\1 \2/p' log)" 'later 400 The database is <0x22>down<0x22>
other its answer is no table answer
bare its answer is no table answer
cut its answer is no table answer
percent its answer is no table answer
map its answer is no table answer
empty its answer is no table answer
close it has closed the connection
nul the value has a NUL
long its answer is no table answer'
    : >asked
    expect "$(codes two@example.com lines@example.com none@example.com longest@example.com)" '550 250 550 250'
    expect "$(grep -c '^connection$' asked)" 2
    sed -i 's/^table.timeout.*/table.timeout 50/' conf
    expect "$(codes part@example.com)" 451
    grep -q 'key="part@example.com" reason="it has not answered in time"$' log
}

@test "-x asks a tcp table; -t tells that it cannot be reached, and what its line lacks" {
    printf '%s\t%s\n' a@example.com '200 va%20lue' t@example.com '400 later' >answers
    with_tcp_server <<END
deliver rcpt_to table:people append $HERE/box
END
    run "$MAILRECV" -c conf -x from s@client.example rcpt a@example.com
    grep -qF 'conf:3: table people has "a@example.com": "va lue"' <<<"$output"
    run "$MAILRECV" -c conf -x from s@client.example rcpt t@example.com
    grep -qF 'conf:3: table people says nothing of "t@example.com"' <<<"$output"
    run "$MAILRECV" -t -c conf
    grep -qx "table people tcp 127.0.0.1:$(cat people.port)" <<<"$output"
    refute grep -q '^conf:3:' <<<"$output"
    stop
    run -1 "$MAILRECV" -t -c conf
    grep -q "^conf:3:18: warning: this table cannot be asked now: cannot connect to 127.0.0.1:" <<<"$output"
    printf 'table a tcp\ntable b tcp here\ntable c tcp 127.0.0.1:1 users\n' >conf
    run -78 "$MAILRECV" -t -c conf
    grep -q '^conf:1:12: the line ends too early, expected the place of a service' <<<"$output"
    grep -q "^conf:2:13: 'here' is no place of a service" <<<"$output"
    grep -q "^conf:3:25: unexpected 'users'" <<<"$output"
}

@test "-t warns where nobody is postmaster in a table that is a service, either, and says where that is not known" {
    local domain='nobody gets mail for postmaster@example.com, which every domain must take'
    local bare='nobody gets mail for <postmaster>, which is postmaster@mx.example and every server must take'
    local unknown='note: whether somebody gets mail for postmaster is not known: not all tables could be asked'
    with_server <<END
table others exec $HERE/others
deliver rcpt_to a@example.com append $HERE/box
deliver rcpt_to table:people append $HERE/box
deliver rcpt_to table:others append $HERE/box
END
    others() { printf '#!/bin/sh\nexec "%s/tools/table-server" socketmap "%s/%s" /dev/null -\n' "$TESTS" "$HERE" "$1" >others; }
    others none
    chmod +x others
    : >none
    told() { # ANSWER... TEXT: this is all that -t says of it
        printf '%s\tOK\n' "${@:1:$#-1}" >answers
        run "$MAILRECV" -t -c conf
        expect "$(grep -oE "$domain|$bare|$unknown" <<<"$output")" "${!#}"
    }
    told nobody@example.com "$domain"
    told postmaster@example.com "$bare"
    told postmaster@mx.example "$domain"
    told @example.com postmaster@mx.example ''
    # the one is in the one table, the other in the other
    printf '%s\tOK\n' postmaster@mx.example >some
    others some
    told postmaster@example.com ''
    # one cannot be asked; then a line takes it
    others missing/answers
    told postmaster@example.com "$unknown"
    sed -i "3i deliver rcpt_to /^postmaster(@|$)/ append $HERE/box" conf
    told nobody@example.com ''
}

@test "-t asks as the user who serves whether somebody is postmaster, and leaves it open who cannot become that user" {
    local unknown='whether somebody gets mail for postmaster is not known'
    config <<END
table people exec $HERE/people
deliver rcpt_to table:people append $HERE/box
END
    install -m 666 /dev/null asked
    printf '#!/bin/sh\nid -un >>%s/asked\nexec "%s" socketmap /dev/null /dev/null -\n' "$HERE" "$TESTS/tools/table-server" >people
    chmod 755 people
    run -1 "$MAILRECV" -t -c conf
    grep -q 'warning: nobody gets mail for <postmaster>' <<<"$output"
    [ "$(uniq -c asked | tr -s ' ')" = " 2 $(id -un)" ]
    [ "$EUID" -eq 0 ] || return 0
    chmod 755 "$BATS_RUN_TMPDIR" # for nobody, too
    run -1 "$MAILRECV" -t -u nobody -c conf
    grep -q 'warning: nobody gets mail for <postmaster>' <<<"$output"
    [ "$(tail -n 2 asked | sort -u)" = nobody ]
    install -m 755 "$MAILRECV" mailrecv # where nobody finds it
    run setpriv --reuid=nobody --regid=nogroup --clear-groups ./mailrecv -t -u daemon -c conf
    grep -q "$unknown" <<<"$output"
    refute grep -q 'warning: nobody' <<<"$output"
    [ "$(wc -l <asked)" = 4 ]
}

# ---- clients ----

@test "a group by table: the address, the confirmed name, then its domains; deny by table" {
    config <<END
table hosts file $HERE/hosts
table bad file $HERE/bad
allowgroup known table hosts
deny remotehost table:bad
deliver allowgroup known rcpt_to a@example.com append $HERE/box
END
    printf '%s\n' 192.0.2.7 partner.example 2001:db8::7 >hosts
    printf '%s\n' 192.0.2.66 bad.example net >bad
    may() { # CLIENT CODE
        CLIENT=$1
        expect "$(codes a@example.com)" "$2"
    }
    may 192.0.2.7 250
    may 192.0.2.8 550
    may 192.0.2.8=partner.example 250
    may 192.0.2.8=mx.a.partner.example 250
    may 192.0.2.8=notpartner.example 550
    may 192.0.2.8=partner.example.net 550
    may 2001:db8::7 250
    for client in 192.0.2.66 192.0.2.8=a.b.bad.example 192.0.2.7=bad.example; do
        CLIENT=$client session <<<'QUIT'
        grep -q '^554 ' replies
    done
    rm hosts
    may 192.0.2.7 451
    rm bad
    CLIENT=192.0.2.7 session <<<'QUIT'
    grep -q '^[45][25]1 ' replies
    refute grep -q '^220' replies
    grep -q 'table failed table="bad" key="192.0.2.7" ' log
    run "$MAILRECV" -c conf -x -P 192.0.2.7 from s@client.example rcpt a@example.com
    grep -q 'conf:4: table bad says nothing of "192.0.2.7"' <<<"$output"
}

CHECKPASSWORD=${MAILRECV%/*}/mailrecv-checkpassword

# login NAME PASSWORD: the reply to AUTH PLAIN.
login() {
    local word
    word=$(printf '\0%s\0%s' "$1" "$2" | base64 -w 0)
    printf 'EHLO x\r\nAUTH PLAIN %s\r\nMAIL FROM:<%s>\r\nQUIT\r\n' "$word" "${3:-}" | session
    sed -n '/^2[35][50] 2.7.0\|^[45]/{s/ .*//p;q}' replies
}

# The replies to one that waits for a second, whatever else is done meanwhile.
login_wrongly() { # NAME PASSWORD
    printf 'EHLO x\r\nAUTH PLAIN %s\r\nQUIT\r\n' "$(printf '\0%s\0%s' "$1" "$2" | base64 -w 0)" |
        "$MAILRECV" -c conf -l log -P "$CLIENT" 3>&-
}

@test "users by table: each password is checked by its hash, which nobody sees" {
    with_server <<END
auth optional
auth.insecure on
auth.users table:people
deliver auth joe rcpt_to a@example.com append $HERE/box
END
    hash=$("$CHECKPASSWORD" -p <<<secret)
    {
        printf 'joe\tOK %s\n' "$hash"
        printf 'ann\tOK {CRYPT}%s:more\n' "$hash"
        printf 'lines\tOK %s\\nx\n' "$hash"
        printf 'down\tTEMP later\n'
    } >answers
    login_wrongly lines secret >replies.lines &
    expect "$(login JOE secret)" 235
    grep -q '\] authenticated user="joe"$' log
    expect "$(login ann secret)" 235
    expect "$(login down secret)" 454
    # neither in the log, nor as an argument or a variable of the program
    word=$(printf '\0joe\0secret' | base64)
    strace -f -s 1000 -v -e trace=execve -o trace "$MAILRECV" -c conf -l log -d a >replies <<<"EHLO x"$'\n'"AUTH PLAIN $word"
    grep -q '^235' replies
    grep -q 'execve.*mailrecv-checkpassword' trace
    wait $!
    grep -q '^535 5.7.8' replies.lines
    refute grep -qF "${hash:5}" trace
    refute grep -qF "${hash:5}" log
}

@test "whoever has no hash, or a name that no users file can hold, does not come in; nor does a wrong password" {
    config <<END
table users file $HERE/users
auth optional
auth.insecure on
auth.users table:users
deliver auth joe rcpt_to a@example.com append $HERE/box
END
    hash=$("$CHECKPASSWORD" -p <<<secret)
    {
        printf 'joe %s\nempty\nlocked !\nplain secret\n' "$hash"
        printf '"#c" %s\n"d:e" %s\n' "$hash" "$hash"
        printf '"f:%s" x\n' "$hash"
    } >users
    for name in joe:wrong empty:secret locked:secret plain:secret '#c:secret' d:secret "f:$hash:secret" f:secret nobody:secret; do
        login_wrongly "${name%:*}" "${name##*:}" >"replies.${name:0:3}" &
    done
    expect "$(login joe secret)" 235
    wait
    [ "$(cat replies.* | grep -c '^535 5.7.8')" = 9 ]
}

@test "users and senders by text file; what cannot be read is neither yes nor no" {
    config <<END
table users file $HERE/users
table senders file $HERE/senders
auth required
auth.insecure on
auth.users table:users
auth.sender_check on
auth.senders table:senders
deliver auth joe rcpt_to a@example.com append $HERE/box
END
    printf 'Joe %s\n' "$("$CHECKPASSWORD" -p <<<secret)" >users
    printf 'joe joe@example.com @example.org\n' >senders
    chmod 644 users
    run -1 "$MAILRECV" -t -c conf
    grep -q "^conf:3:.*everybody can read the hashes of passwords in $HERE/users" <<<"$output"
    chmod 600 users
    run "$MAILRECV" -t -c conf
    refute grep -q "^conf:3:" <<<"$output"
    expect "$(login JOE secret joe@example.com)" 235
    grep -q '^250 2.1.0' replies
    login joe secret any@example.org
    grep -q '^250 2.1.0' replies
    login joe secret joe@example.net
    grep -q '^553 5.7.1' replies
    rm senders
    login joe secret joe@example.com
    grep -q '^451 4.3.0' replies
    rm users
    expect "$(login joe secret)" 454
}
