# lookup.bats - mailrecv-lookup: tables in SQLite and LMDB, by hand and by the socketmap protocol
# shellcheck shell=bash
#
# Servers of databases are in slow/lookup.bats.

bats_require_minimum_version 1.5.0
load common

LOOKUP=${MAILRECV%/*}/mailrecv-lookup
QUERY='SELECT path FROM users WHERE address = ?'

setup() {
    cd "$BATS_TEST_TMPDIR"
    umask 022
    sqlite3 users.db <<'END_OF_SQL'
CREATE TABLE users (address TEXT, path TEXT);
INSERT INTO users VALUES ('joe@example.com', 'joe'), ('two', 'a'), ('two', 'b'), ('null', NULL), ('empty', ''), ('number', 7);
INSERT INTO users VALUES ('it''s; DROP TABLE "users" -- \ % _ ü', 'odd');
END_OF_SQL
}

teardown() {
    [ -z "${ASKED_PID:-}" ] || kill "$PID" 2>/dev/null || true
}

# What it prints for keys, on one line each.
looks_up() { # STATUS SOURCE [QUERY] [KEY]...
    run --separate-stderr -"$1" "$LOOKUP" "${@:2}"
}

# Starts one that is asked time and again.
start_asking() { # SOURCE [QUERY]
    coproc ASKED { exec "$LOOKUP" "$@" 2>errors 3>&-; }
    TO=${ASKED[1]} FROM=${ASKED[0]} PID=$ASKED_PID # which are forgotten when it ends
}

# Prints the reply to a question for a key; nothing at the end of all replies.
ask() { # KEY
    local request="users $1" len
    printf '%s' "$(LC_ALL=C; echo ${#request}):$request," >&"$TO"
    IFS= read -r -d : -t 10 len <&"$FROM" || return 1
    head -c "$((len + 1))" <&"$FROM"
}

@test "SQLite: found, not found, and keys that are anything but a part of the query" {
    looks_up 0 sqlite:users.db "$QUERY" joe@example.com 'it'\''s; DROP TABLE "users" -- \ % _ ü' empty number
    [ "$output" = 'joe@example.com OK joe
it'\''s; DROP TABLE "users" -- \ % _ ü OK odd
empty OK
number OK 7' ]
    looks_up 1 sqlite:users.db "$QUERY" joe@example.com '' "' OR '' = '" '%' JOE@EXAMPLE.COM
    [ "$output" = "joe@example.com OK joe
 NOTFOUND
' OR '' = ' NOTFOUND
% NOTFOUND
JOE@EXAMPLE.COM NOTFOUND" ]
}

@test "what is no answer is a temporary error" {
    looks_up 75 sqlite:users.db "$QUERY" two null nobody
    [ "$output" = 'two TEMP the query gives several rows, expected at most one
null TEMP the query gives NULL, expected a value
nobody NOTFOUND' ]
    looks_up 75 sqlite:users.db 'SELECT path, address FROM users WHERE address = ?' x
    [ "$stderr" = 'mailrecv-lookup: the query gives 2 columns, expected one' ]
    looks_up 75 sqlite:users.db 'DELETE FROM users WHERE address = ?' x
    [ "$stderr" = 'mailrecv-lookup: the query does not only read' ]
    looks_up 75 sqlite:users.db "$QUERY; DELETE FROM users" x
    [ "$stderr" = 'mailrecv-lookup: the query is more than one statement' ]
    looks_up 75 sqlite:users.db 'SELECT nobody FROM users WHERE address = ?' x
    [ "$stderr" = 'mailrecv-lookup: no such column: nobody' ]
    looks_up 75 sqlite:missing.db "$QUERY" x
    [ "$stderr" = 'mailrecv-lookup: unable to open database file' ]
    [ ! -e missing.db ]
    echo 'no database at all' >text
    looks_up 75 sqlite:text "$QUERY" x
    [ "$stderr" = 'mailrecv-lookup: file is not a database' ]
    sqlite3 users.db "INSERT INTO users VALUES ('nul', CAST(X'6100' AS TEXT)), ('long', zeroblob(100001))"
    looks_up 75 sqlite:users.db "$QUERY" nul long
    [ "$output" = 'nul TEMP the value holds a NUL
long TEMP the value has 100001 bytes, at most 100000 can be told' ]
}

@test "the command line: what is missing or wrong is said, with status 64" {
    for arguments in '' sqlite: users.db oracle:x sqlite:users.db "sqlite:users.db SELECT" '-w 0 lmdb:x' '-w x lmdb:x' -x; do
        # shellcheck disable=SC2086 # words
        looks_up 64 $arguments
        [[ $stderr == 'mailrecv-lookup: '*', see mailrecv-lookup -h' ]]
    done
    looks_up 64 sqlite:users.db "SELECT '?', \"\$1\" FROM users" x
    [[ $stderr == *'there is no ? or $1 for the key in'* ]]
    # the key goes wherever it is wanted
    looks_up 0 sqlite:users.db "SELECT '?' || \$1 || \$1" x
    [ "$output" = 'x OK ?xx' ]
    looks_up 0 sqlite:users.db "SELECT 'it''s ?' || ? || ?" x
    [ "$output" = "x OK it's ?xx" ]
}

@test "LMDB: a file, a directory, and what postmap makes, with a NUL behind keys and values" {
    printf '%s\n' joe@example.com joe empty '' | tee >(mdb_load -n -T users.lmdb) | { mkdir users && mdb_load -T users; }
    wait
    for source in lmdb:users.lmdb lmdb:users; do
        looks_up 1 "$source" joe@example.com empty nobody '' "$(printf '%0600d' 0)"
        [ "$(cut -c 1-80 <<<"$output")" = "joe@example.com OK joe
empty OK
nobody NOTFOUND
 NOTFOUND
$(printf '%080d' 0)" ]
        [[ $output == *'0 NOTFOUND' ]]
    done
    printf '%s\n' 'joe@example.com\00' 'joe\00' | mdb_load -n -T postfix.lmdb
    looks_up 0 lmdb:postfix.lmdb joe@example.com
    [ "$output" = 'joe@example.com OK joe' ]
    looks_up 75 lmdb:missing x
    [ "$stderr" = 'mailrecv-lookup: missing: No such file or directory' ]
    echo 'no database at all' >text
    looks_up 75 lmdb:text x
    [[ $stderr == 'mailrecv-lookup: text: '* ]]
}

@test "LMDB: of a file that is not all there nobody hears that a key is not found" {
    local at size
    seq -f 'user%.0f@example.com' 400 | sed p | mdb_load -n -T users.lmdb
    size=$(stat -c %s users.lmdb)
    for ((at = 0; at < size; at += 2048)); do
        head -c "$at" users.lmdb >part
        rm -f part-lock
        run --separate-stderr bash -c '"$@" 2>&1' bash "$LOOKUP" lmdb:part user1@example.com user150@example.com user399@example.com
        [ "$status" -ne 1 ] || { echo "$at:" "$output"; return 1; }
        [[ $output != *NOTFOUND* ]]
    done
    # in place of one that is open
    cp users.lmdb part
    start_asking lmdb:part
    [ "$(ask user399@example.com)" = "OK user399@example.com," ]
    truncate -s 6000 part
    truncate -s "$((size - 100))" part
    [[ $(ask user1@example.com) != NOTFOUND* ]]
}

@test "requests are answered until standard input ends, also two at once" {
    run -0 "$LOOKUP" sqlite:users.db "$QUERY" < <(printf '21:users joe@example.com,12:users nobody,9:users two,')
    [ "$output" = '6:OK joe,9:NOTFOUND ,55:TEMP the query gives several rows, expected at most one,' ]
    run -0 "$LOOKUP" sqlite:users.db "$QUERY" </dev/null
    [ "$output" = '' ]
    # a key may have blanks, and nothing in front of it
    sqlite3 users.db "INSERT INTO users VALUES ('a b', 'blank')"
    run -0 "$LOOKUP" sqlite:users.db "$QUERY" < <(printf '4: a b,')
    [ "$output" = '8:OK blank,' ]
}

@test "what is no request is refused, or ends it" {
    run -0 "$LOOKUP" sqlite:users.db "$QUERY" < <(printf '5:users,9:users\0two,10:users a\0bc,')
    [ "$(grep -o '67:PERM a request is the name of a map, a blank, and a key without NUL,' <<<"$output" | wc -l)" -eq 3 ]
    for garbage in 'users two' '05:a b c,' '4:a bc;' '3000:users x'; do
        run --separate-stderr -76 "$LOOKUP" sqlite:users.db "$QUERY" <<<"$garbage"
        [ "$output" = '' ]
        [ "$stderr" = 'mailrecv-lookup: what is on standard input is no request' ]
    done
}

@test "cannot be opened: the first request hears why, and the status says so without one" {
    run --separate-stderr -75 "$LOOKUP" sqlite:missing.db "$QUERY" < <(printf '12:users nobody,12:users nobody,')
    [ "$output" = '33:TEMP unable to open database file,' ]
    [ "$stderr" = 'mailrecv-lookup: unable to open database file' ]
    run -75 "$LOOKUP" sqlite:missing.db "$QUERY" </dev/null
}

@test "another process writes meanwhile, by each mode of its journal: what counts is what is there now" {
    for mode in delete truncate persist wal; do
        sqlite3 users.db "PRAGMA journal_mode = $mode; UPDATE users SET path = 'first' WHERE address = 'joe@example.com'" >mode
        start_asking sqlite:users.db "$QUERY"
        [ "$(ask joe@example.com)" = 'OK first,' ]
        sqlite3 users.db "PRAGMA journal_mode = $mode; UPDATE users SET path = 'second' WHERE address = 'joe@example.com'" >mode
        [ "$(ask joe@example.com)" = 'OK second,' ]
        sqlite3 users.db "CREATE TABLE other_$mode (a)" # the query is made anew for what the tables are now
        [ "$(ask joe@example.com)" = 'OK second,' ]
        exec {TO}>&-
        wait "$PID"
        [ ! -s errors ]
    done
}

@test "a locked SQLite: an answer when the lock is gone in time, else none that could be taken for one" {
    coproc WRITER { exec sqlite3 users.db; }
    printf '%s\n' 'BEGIN EXCLUSIVE;' "SELECT 'locked';" >&"${WRITER[1]}"
    read -r locked <&"${WRITER[0]}"
    [ "$locked" = locked ]
    run --separate-stderr -75 "$LOOKUP" -w 1000 sqlite:users.db "$QUERY" < <(printf '21:users joe@example.com,')
    [[ $output =~ ^[0-9]+:(TEMP database is locked|TIMEOUT .*),$ ]] # the latter on a machine that is busy
    "$LOOKUP" -w 60000 sqlite:users.db "$QUERY" joe@example.com >found 3>&- &
    printf '%s\n' 'COMMIT;' .quit >&"${WRITER[1]}"
    wait $!
    [ "$(cat found)" = 'joe@example.com OK joe' ]
}

@test "LMDB while others write, and the file grows" {
    printf '%s\n' joe first | mdb_load -n -T users.lmdb
    start_asking lmdb:users.lmdb
    [ "$(ask joe)" = 'OK first,' ]
    printf '%s\n' joe second | mdb_load -n -T users.lmdb
    [ "$(ask joe)" = 'OK second,' ]
    { printf '%s\n' VERSION=3 format=print type=btree mapsize=104857600 HEADER=END
      for i in {1..1000}; do printf ' user%d\n %01000d\n' "$i" "$i"; done
      echo DATA=END; } | mdb_load -n users.lmdb
    [ "$(ask user1000)" = "OK $(printf '%01000d' 1000)," ]
    [ "$(ask joe)" = 'OK second,' ]
}

@test "another file in place of the one that is open: it ends without a reply, to be started again" {
    printf '%s\n' joe first | mdb_load -n -T users.lmdb
    printf '%s\n' joe second | mdb_load -n -T new.lmdb
    cp users.db new.db
    for source in lmdb:users.lmdb sqlite:users.db; do
        query=("$QUERY")
        [[ $source == sqlite:* ]] || query=()
        start_asking "$source" "${query[@]}"
        ask joe
        mv "new.${source##*.}" "${source#*:}"
        run -1 ask joe
        [ "$output" = '' ]
        run -75 wait "$PID"
        [ "$(cat errors)" = 'mailrecv-lookup: another file has taken its place' ]
    done
}

@test "no answer in time: TIMEOUT, and it ends" {
    run --separate-stderr -75 "$LOOKUP" -w 1000 sqlite:users.db "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n)
        SELECT count(*) FROM n WHERE i = ?" < <(printf '21:users joe@example.com,')
    [ "$output" = '45:TIMEOUT the database has not answered in time,' ]
}

@test "a library that is not there is missed only by its own tables" {
    strace -f -e trace=openat -o trace "$LOOKUP" sqlite:users.db "$QUERY" joe@example.com
    run ! grep -E 'libpq|libmariadb|liblmdb' trace
    grep -q libsqlite3 trace
    run -75 strace -qq -e trace=openat -e inject=openat:error=ENOENT -P /lib/x86_64-linux-gnu/liblmdb.so.0 "$LOOKUP" lmdb:users x
}

# Tries a deed after the database has been opened.
misbehave() { # DEED SOURCE [QUERY]
    local build=${BUILD:-$TESTS/../build}
    [ -x misbehave ] || cc -std=gnu11 -D_GNU_SOURCE -I"$TESTS/.." -pie -Wl,--wrap=serve -o misbehave "$TESTS/tools/lookup-misbehave.c" \
        "$build"/programs/lookup/*.o "$build"/base/{inherited,netstring,sandbox}.o
    MISBEHAVE=$1 run "./misbehave" "${@:2}" </dev/null
}

@test "when it is asked it is confined: no program, no socket, no file but those beside SQLite's, which can be read" {
    printf '%s\n' joe joe | mdb_load -n -T users.lmdb
    echo hello >beside
    for deed in socket connect fork exec write make remove; do
        misbehave $deed sqlite:users.db "$QUERY"
        [ "$status,$output" = 159, ] # SIGSYS
        misbehave $deed lmdb:users.lmdb
        [ "$status,$output" = 159, ]
    done
    misbehave read sqlite:users.db "$QUERY"
    [ "$status,$output" = 0,done ]
    misbehave elsewhere sqlite:users.db "$QUERY"
    [ "$status,$output" = '0,Permission denied' ]
    misbehave read lmdb:users.lmdb
    [ "$status,$output" = '0,Permission denied' ]
    [ "$(cat beside)" = hello ]
    [ ! -e made ]
}
