# slow/lookup.bats - tables in PostgreSQL and MariaDB: mailrecv-lookup and the recipes, with servers of their own
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
load ../common
load ../serving
load ../recipes
load databases

LOOKUP=${MAILRECV%/*}/mailrecv-lookup
PASSWORD='se cret #1'
ODD=$'it\'s; DROP TABLE users -- \\ \\\' " `%_%%s ü'
QUERY='SELECT path FROM users WHERE address = ?'
BOTH=(postgresql mariadb)

setup_file() {
    make_place
    export PG_PORT MY_PORT
    PG_PORT=$(free_port)
    MY_PORT=$(free_port)
    make_postgresql
    make_mariadb
    postgresql "CREATE ROLE mail LOGIN PASSWORD '$PASSWORD'"
    postgresql 'CREATE DATABASE mail'
    mariadb_sql "CREATE DATABASE mail; CREATE USER mail IDENTIFIED BY '$PASSWORD'; GRANT SELECT ON mail.* TO mail"
    cat >"$PLACE/pg_service.conf" <<END_OF_FILE
[mail]
host=$PLACE
port=$PG_PORT
user=mail
dbname=mail
[by-tls]
host=127.0.0.1
port=$PG_PORT
user=mail
dbname=mail
sslmode=require
END_OF_FILE
    printf '%s\n' "*:*:mail:mail:$PASSWORD" >"$PLACE/pgpass"
    printf '%s\n' '[client]' "socket=$PLACE/mariadb.sock" user=mail "password='$PASSWORD'" database=mail >"$PLACE/my.cnf"
    printf '%s\n' '[client]' host=127.0.0.1 "port=$MY_PORT" user=mail "password='$PASSWORD'" database=mail ssl-enforce=1 >"$PLACE/by-tls.cnf"
    chmod 600 "$PLACE/pgpass" "$PLACE"/*.cnf
    export PGSERVICEFILE=$PLACE/pg_service.conf PGPASSFILE=$PLACE/pgpass
}

teardown_file() {
    stop_database postgresql
    stop_database mariadb TERM
    rm -rf "$PLACE"
}

setup() {
    cd "$BATS_TEST_TMPDIR"
    umask 022
    AS=()
    for database in "${BOTH[@]}"; do
        sql $database 'DROP TABLE IF EXISTS users; CREATE TABLE users (address varchar(200), path varchar(200), number integer)'
        sql $database "INSERT INTO users VALUES ('joe@example.com', 'joe', 7), ('two', 'a', 1), ('two', 'b', 1), ('null', NULL, 1), ('empty', '', 1)"
        [ $database = mariadb ] || sql $database 'GRANT SELECT ON users TO mail'
    done
    # as it is written where a backslash is one, and where it is not
    sql postgresql "INSERT INTO users VALUES ('${ODD//\'/\'\'}', 'odd', 1)"
    sql mariadb "SET sql_mode = 'NO_BACKSLASH_ESCAPES'; INSERT INTO users VALUES ('${ODD//\'/\'\'}', 'odd', 1)"
}

teardown() {
    for pid in "${PIDS[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
}

sql() { # DATABASE SQL
    case $1 in
    postgresql) postgresql "$2" mail ;;
    mariadb) mariadb_sql "USE mail; $2" ;;
    esac
}

# The words of SOURCE for a database.
source_of() { # DATABASE
    case $1 in
    postgresql) echo postgresql:mail ;;
    mariadb) echo "mysql:$PLACE/my.cnf" ;;
    esac
}

looks_up() { # STATUS DATABASE QUERY [KEY]...
    run --separate-stderr -"$1" "$LOOKUP" "$(source_of "$2")" "${@:3}"
}

# Starts one that is asked time and again.
start_asking() { # DATABASE [QUERY]
    coproc ASKED { exec "$LOOKUP" "${OPTIONS[@]}" "$(source_of "$1")" "${2:-$QUERY}" 2>errors 3>&-; }
    PID=$ASKED_PID
    PIDS+=("$PID")
    exec {TO}>&"${ASKED[1]}" {FROM}<&"${ASKED[0]}" # for subshells, too
    eval "exec ${ASKED[1]}>&- ${ASKED[0]}<&-"
}

ends_with() { # STATUS
    local status=0
    wait "$PID" || status=$?
    [ "$status" -eq "$1" ] || { echo "status $status"; return 1; }
}

# Prints the reply to a question for a key; fails at the end of all replies.
ask() { # KEY
    local request="users $1" len
    printf '%s' "$(LC_ALL=C; echo ${#request}):$request," >&"$TO" || return 1
    IFS= read -r -d : -t 60 len <&"$FROM" || return 1
    head -c "$((len + 1))" <&"$FROM"
}

@test "found, not found, and keys that are anything but a part of the query" {
    for database in "${BOTH[@]}"; do
        looks_up 0 $database "$QUERY" joe@example.com "$ODD" empty
        [ "$output" = "joe@example.com OK joe
$ODD OK odd
empty OK" ]
        looks_up 1 $database "$QUERY" '' "' OR '' = '" '%' nobody '\' "\\' OR 1 = 1 -- "
        [ "$(grep -c ' NOTFOUND$' <<<"$output")" -eq 6 ]
        looks_up 0 $database "SELECT CONCAT(path, '?', number) FROM users WHERE address = \$1 AND address = \$1" joe@example.com
        [ "$output" = 'joe@example.com OK joe?7' ]
        looks_up 0 $database 'SELECT number FROM users WHERE address = ? OR path = ?' joe
        [ "$output" = 'joe OK 7' ]
    done
}

@test "what is no answer is a temporary error, with what the server says" {
    for database in "${BOTH[@]}"; do
        looks_up 75 $database "$QUERY" two null nobody
        [ "$output" = 'two TEMP the query gives several rows, expected at most one
null TEMP the query gives NULL, expected a value
nobody NOTFOUND' ]
        looks_up 75 $database 'SELECT path, number FROM users WHERE address = ?' nobody
        [[ $output$stderr == *'the query gives 2 columns, expected one' ]]
        looks_up 75 $database 'SELECT path FROM missing WHERE address = ?' joe
        [[ $output$stderr == *missing* ]]
        looks_up 75 $database 'UPDATE users SET path = ?' joe # which it has no right to
        [[ $output$stderr == *[Dd]enied* || $output$stderr == *columns* ]]
        sql $database "INSERT INTO users VALUES ('long', '', 1)"
        looks_up 75 $database "SELECT REPEAT('x', 100001) FROM users WHERE address = ?" long
        [[ $output == 'long TEMP the value has 10000'* ]]
        looks_up 0 $database "SELECT REPEAT('x', 100000) FROM users WHERE address = ?" long
        [ "${#output}" -eq 100008 ]
    done
    looks_up 75 postgresql 'SELECT path FROM users WHERE number = ?::integer' joe@example.com 7
    [ "$output" = 'joe@example.com TEMP ERROR:  invalid input syntax for type integer: "joe@example.com"
7 OK joe' ]
    looks_up 1 postgresql "SELECT path FROM users WHERE address = \$1 AND '{\"a\": 1}'::jsonb ? 'b'" joe@example.com
}

@test "a key that is no UTF-8 finds nothing, or is an error" {
    for database in "${BOTH[@]}"; do
        run --separate-stderr "$LOOKUP" "$(source_of $database)" "$QUERY" $'joe\xff@example.com'
        [ "$status" -eq 1 ] || [ "$status" -eq 75 ]
        [[ $output != *OK* ]]
    done
}

@test "who is refused, or finds no server, hears why, and no password" {
    sed "s/^\*:\*:mail:.*/*:*:mail:mail:wrong one/" "$PLACE/pgpass" >pgpass
    chmod 600 pgpass
    PGPASSFILE=$PWD/pgpass looks_up 75 postgresql "$QUERY" joe
    [[ $stderr == *'password authentication failed for user "mail"'* ]]
    sed "s/^password.*/password='wrong one'/" "$PLACE/my.cnf" >my.cnf
    run --separate-stderr -75 "$LOOKUP" mysql:my.cnf "$QUERY" joe
    [[ $stderr == *"Access denied for user 'mail'@"* ]]
    run --separate-stderr -75 "$LOOKUP" mysql:missing.cnf "$QUERY" joe
    [ "$stderr" = 'mailrecv-lookup: missing.cnf: No such file or directory' ]
    run --separate-stderr -75 "$LOOKUP" postgresql:nobody "$QUERY" joe
    [[ $stderr == *'definition of service "nobody" not found'* ]]
    stop_database postgresql
    stop_database mariadb TERM
    for database in "${BOTH[@]}"; do
        run --separate-stderr -75 "$LOOKUP" "$(source_of $database)" "$QUERY" < <(printf '9:users joe,')
        [[ $output =~ ^[0-9]+:TEMP\ .*(onnect).*,$ ]]
        [[ $output$stderr != *"$PASSWORD"* && $output$stderr != *"wrong one"* ]]
    done
    start_postgresql
    start_mariadb
}

@test "a server that is stopped while nothing is asked: it ends without a reply; started again, it answers again" {
    local signal from to
    for database in "${BOTH[@]}"; do
        signal=INT
        [ $database = postgresql ] || signal=TERM
        start_asking $database
        [ "$(ask joe@example.com)" = 'OK joe,' ]
        stop_database $database $signal
        ends_with 75
        [ "$(cat errors)" = 'mailrecv-lookup: the server has ended the connection' ]
        start_$database
        start_asking $database
        [ "$(ask joe@example.com)" = 'OK joe,' ]
        exec {TO}>&- {FROM}<&-
        wait "$PID"
    done
}

@test "a server that goes away while it is asked: no reply from who was asked before, the reason from who was not" {
    local sleep
    for database in "${BOTH[@]}"; do
        [ $database = postgresql ] && sleep='SELECT pg_sleep($1::real)::text' || sleep='SELECT sleep(?)'
        OPTIONS=(-w 100000)
        for first in '' 0; do
            start_asking $database "$sleep"
            [ -z "$first" ] || ask "$first"
            (ask 50 >reply) &
            asking=$!
            await_query $database
            kill_queries $database
            ends_with 75
            wait $asking || [ -n "$first" ]
            if [ -z "$first" ]; then grep -q '^TEMP ' reply; else [ ! -s reply ]; fi
        done
    done
}

says_yes() { "$@" | grep -q yes; }

# Waits until a query is at work that sleeps.
await_query() { # DATABASE
    case $1 in
    postgresql) eventually says_yes postgresql "SELECT 'yes' FROM pg_stat_activity WHERE usename = 'mail' AND wait_event = 'PgSleep'" ;;
    mariadb) eventually says_yes mariadb_sql "SELECT 'yes' FROM information_schema.processlist WHERE user = 'mail' AND state = 'User sleep'" ;;
    esac
}

kill_queries() { # DATABASE
    case $1 in
    postgresql) postgresql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mail'" ;;
    mariadb) mariadb_sql 'KILL HARD USER mail' ;;
    esac
}

@test "a server that is slow, or does not do anything: TIMEOUT in time, and it ends" {
    for database in "${BOTH[@]}"; do
        OPTIONS=(-w 1500)
        start_asking $database
        [ "$(ask joe@example.com)" = 'OK joe,' ]
        pause_database $database STOP
        [ "$(ask joe@example.com)" = 'TIMEOUT the database has not answered in time,' ]
        ends_with 75
        pause_database $database CONT
    done
}

@test "a table that is locked: TIMEOUT, or the answer when the lock is gone" {
    coproc LOCKER { PGPASSWORD='admin' exec psql -X -q -At -h "$PLACE" -p "$PG_PORT" -U admin -d mail 2>&1 3>&-; }
    PIDS+=("$LOCKER_PID")
    printf '%s\n' 'BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE;' "SELECT 'locked';" >&"${LOCKER[1]}"
    read -r line <&"${LOCKER[0]}"
    [ "$line" = locked ]
    run --separate-stderr -75 "$LOOKUP" -w 1000 postgresql:mail "$QUERY" < <(printf '21:users joe@example.com,')
    [ "$output" = '45:TIMEOUT the database has not answered in time,' ]
    "$LOOKUP" -w 60000 postgresql:mail "$QUERY" joe@example.com >found 3>&- &
    pid=$!
    eventually says_yes postgresql "SELECT 'yes' FROM pg_stat_activity WHERE usename = 'mail' AND wait_event_type = 'Lock'"
    echo 'COMMIT;' >&"${LOCKER[1]}"
    wait $pid
    [ "$(cat found)" = 'joe@example.com OK joe' ]

    coproc OTHER { exec mariadb --no-defaults -S "$PLACE/mariadb.sock" -u root -N -B -n mail 2>&1 3>&-; }
    PIDS+=("$OTHER_PID")
    printf '%s\n' 'LOCK TABLES users WRITE;' "SELECT 'locked' FROM users LIMIT 1;" >&"${OTHER[1]}"
    read -r line <&"${OTHER[0]}"
    [ "$line" = locked ]
    # the server prepares no query for a table that is locked
    run --separate-stderr -75 "$LOOKUP" -w 1000 "mysql:$PLACE/my.cnf" "$QUERY" < <(printf '21:users joe@example.com,')
    [[ $output$stderr == *'in time'* && $output != *OK* ]]
    "$LOOKUP" -w 60000 "mysql:$PLACE/my.cnf" "$QUERY" joe@example.com >found 3>&- &
    pid=$!
    eventually says_yes mariadb_sql "SELECT 'yes' FROM information_schema.processlist WHERE state = 'Waiting for table metadata lock'"
    echo 'UNLOCK TABLES;' >&"${OTHER[1]}"
    wait $pid
    [ "$(cat found)" = 'joe@example.com OK joe' ]
}

@test "a server without connections left: temporary, with what it says" {
    postgresql 'ALTER ROLE mail CONNECTION LIMIT 1'
    mariadb_sql 'GRANT USAGE ON *.* TO mail WITH MAX_USER_CONNECTIONS 1'
    for database in "${BOTH[@]}"; do
        start_asking $database
        ask joe@example.com
        looks_up 75 $database "$QUERY" joe@example.com
        [[ $stderr == *'too many connections'* || $stderr == *max_user_connections* ]]
        exec {TO}>&- {FROM}<&-
        wait "$PID"
    done
    postgresql 'ALTER ROLE mail CONNECTION LIMIT -1'
    mariadb_sql 'GRANT USAGE ON *.* TO mail WITH MAX_USER_CONNECTIONS 0'
}

@test "PostgreSQL: who asks again has the query prepared, and hears of a table what it is now" {
    start_asking postgresql "SELECT COUNT(*) FROM pg_prepared_statements WHERE \$1 <> ''"
    [ "$(ask first),$(ask second),$(ask third)" = 'OK 0,,OK 1,,OK 1,' ]

    start_asking postgresql 'SELECT number FROM users WHERE address = ?'
    [ "$(ask joe@example.com),$(ask joe@example.com),$(ask nobody)" = 'OK 7,,OK 7,,NOTFOUND ,' ]
    sql postgresql "ALTER TABLE users ALTER number TYPE text USING 'seven'"
    [ "$(ask joe@example.com),$(ask joe@example.com),$(ask nobody)" = 'OK seven,,OK seven,,NOTFOUND ,' ]
    sql postgresql "ALTER TABLE users RENAME number TO other"
    [[ $(ask joe@example.com) == 'TEMP ERROR:'*number* ]]
    sql postgresql "ALTER TABLE users RENAME other TO number"
    [ "$(ask joe@example.com)" = 'OK seven,' ]
}

@test "PostgreSQL: a key of another type than it was when the query was prepared is found, and an error stays one" {
    start_asking postgresql 'SELECT path FROM users WHERE number = ?'
    [ "$(ask 7),$(ask 7)" = 'OK joe,,OK joe,' ]
    [[ $(ask seven) == 'TEMP ERROR:'*integer* ]]
    sql postgresql 'ALTER TABLE users ALTER number TYPE bigint'
    sql postgresql "INSERT INTO users VALUES ('far', 'far', 10000000000)"
    [ "$(ask 10000000000),$(ask 7)" = 'OK far,,OK joe,' ]
    sql postgresql 'ALTER TABLE users ALTER number TYPE text'
    [ "$(ask 7),$(ask seven)" = 'OK joe,,NOTFOUND ,' ]

    start_asking postgresql 'SELECT path FROM users WHERE number = ?'
    [ "$(ask 7),$(ask 7)" = 'OK joe,,OK joe,' ]
    sql postgresql 'ALTER TABLE users ALTER number TYPE bigint USING number::bigint'
    [ "$(ask 7),$(ask 7)" = 'OK joe,,OK joe,' ]
}

# Its transactions go to one connection and the other by turns: what is prepared on one the other does not know.
start_pooler() {
    POOLER_PORT=$(free_port)
    cat >"$PLACE/pooler.ini" <<END_OF_FILE
[databases]
mail = host=$PLACE port=$PG_PORT dbname=mail user=admin password=admin
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $POOLER_PORT
unix_socket_dir =
auth_type = any
pool_mode = transaction
min_pool_size = 2
default_pool_size = 2
server_round_robin = 1
END_OF_FILE
    printf '%s\n' '[mail]' host=127.0.0.1 "port=$POOLER_PORT" user=mail dbname=mail >pooled.conf
    launch_database pooler pgbouncer "$PLACE/pooler.ini"
    POOLER=$(cat "$PLACE/pooler.pid")
    PIDS+=("$POOLER")
    PGSERVICEFILE=$PWD/pooled.conf eventually "$LOOKUP" postgresql:mail "$QUERY" joe@example.com
}

@test "PostgreSQL: a pooler that has others answer hears each table's own query" {
    local others
    start_pooler
    export PGSERVICEFILE=$PWD/pooled.conf
    start_asking postgresql 'SELECT number FROM users WHERE address = ?'
    others=("$TO" "$FROM")
    start_asking postgresql
    eventually says_yes postgresql "SELECT 'yes' FROM pg_stat_activity WHERE datname = 'mail' HAVING COUNT(*) = 2"
    for _ in {1..7}; do
        [ "$(ask joe@example.com)" = 'OK joe,' ]
        [ "$(TO=${others[0]} FROM=${others[1]} ask joe@example.com)" = 'OK 7,' ]
    done
    grep -q 'prepared statement "mailrecv_[^"]*" does not exist' "$PLACE/postgresql.out"
}

@test "by TCP and TLS, too" {
    run -0 "$LOOKUP" postgresql:by-tls "SELECT path || (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) FROM users WHERE address = ?" joe@example.com
    [ "$output" = 'joe@example.com OK joetrue' ]
    run -0 "$LOOKUP" "mysql:$PLACE/by-tls.cnf" "SELECT CONCAT(path, (SELECT variable_value <> '' FROM information_schema.session_status
        WHERE variable_name = 'Ssl_cipher')) FROM users WHERE address = ?" joe@example.com
    [ "$output" = 'joe@example.com OK joe1' ]
    for source in postgresql:by-tls "mysql:$PLACE/by-tls.cnf"; do # many answers, and long ones
        # shellcheck disable=SC2046 # words
        run -0 "$LOOKUP" "$source" "SELECT REPEAT('x', 50000) FROM users WHERE address = ?" $(yes joe@example.com | head -n 50)
        [ "${#lines[@]}" -eq 50 ]
    done
}

# Tries a deed after the database has been opened.
misbehave() { # DEED DATABASE
    local build=${BUILD:-$TESTS/../build}
    [ -x misbehave ] || cc -std=gnu11 -D_GNU_SOURCE -I"$TESTS/.." -pie -Wl,--wrap=serve -o misbehave "$TESTS/tools/lookup-misbehave.c" \
        "$build"/programs/lookup/*.o "$build"/base/{inherited,netstring,sandbox}.o
    MISBEHAVE=$1 run ./misbehave "$(source_of "$2")" "$QUERY" </dev/null
}

@test "when it is asked it is confined: no program, no socket, no file" {
    echo hello >beside
    for database in "${BOTH[@]}"; do
        for deed in socket connect fork exec read elsewhere write make remove; do
            misbehave $deed $database
            [ "$status,$output" = 159, ] # SIGSYS
        done
    done
}

@test "other libraries need not be there" {
    for database in "${BOTH[@]}"; do
        strace -f -e trace=openat -o trace "$LOOKUP" "$(source_of $database)" "$QUERY" joe@example.com
        [ "$(grep -c 'lib\(pq\|mariadb\|lmdb\|sqlite3\)\.so.* = [0-9]' trace)" -eq 1 ]
    done
}

@test "a session in which the server is restarted: the program is started again, and recipients are known" {
    local signal from to
    for database in "${BOTH[@]}"; do
        signal=INT
        [ $database = postgresql ] || signal=TERM
        printf '%s\n' 'domain mail.example.com' "table people exec $LOOKUP $(source_of $database) \"$QUERY\"" \
            "deliver rcpt_to table:people append $PWD/%{value}" >mailrecv.conf
        coproc MAIL { exec "$MAILRECV" -c mailrecv.conf -l "$PWD/log" -P 192.0.2.7 3>&-; }
        PIDS+=("$MAIL_PID")
        # descriptors of our own: the shell closes the others as soon as the session has ended, its last reply read or not
        exec {from}<&"${MAIL[0]}" {to}>&"${MAIL[1]}"
        SESSION=("$from" "$to")
        says 220 ''
        says 250 'HELO client.example'
        says 250 'MAIL FROM:<a@example.com>'
        says 250 'RCPT TO:<joe@example.com>'
        says 550 'RCPT TO:<nobody@example.com>'
        stop_database $database $signal
        says 451 'RCPT TO:<nobody@example.com>'
        start_$database
        says 250 'RCPT TO:<joe@example.com>'
        says 550 'RCPT TO:<nobody@example.com>'
        says 221 QUIT
        exec {from}<&- {to}>&-
    done
}

@test "behind a listener the sessions share a connection; when the server is restarted there is another" {
    local first
    printf '%s\n' 'domain mail.example.com' "table people exec $LOOKUP postgresql:mail \"$QUERY\"" 'table.keep_secs 1000' \
        "deliver rcpt_to table:people append $PWD/%{value}" >mailrecv.conf
    start_server alone "$PWD" "$MAILRECV" -c mailrecv.conf -l "$PWD/log"
    PIDS+=("$SERVER_PID")
    session_by_port
    first=$(connections)
    [[ $first == *'(1 row)'* ]]
    session_by_port
    [ "$(connections)" = "$first" ]
    stop_database postgresql INT
    start_postgresql
    session_by_port
    [[ $(connections) == *'(1 row)'* ]]
    [ "$(connections)" != "$first" ]
    run ! grep 'table failed' log
}

connections() {
    postgresql "SELECT pid, backend_start FROM pg_stat_activity WHERE application_name = 'mailrecv-lookup'"
}

session_by_port() {
    local connection
    exec {connection}<>"/dev/tcp/127.0.0.1/$SERVER_PORT"
    SESSION=("$connection" "$connection")
    says 220 ''
    says 250 'HELO client.example'
    says 250 'MAIL FROM:<a@example.com>'
    says 250 'RCPT TO:<joe@example.com>'
    says 550 'RCPT TO:<nobody@example.com>'
    says 221 QUIT
    exec {connection}>&-
}

# A command in the session, and how the reply begins.
says() { # CODE COMMAND
    local reply
    [ -z "$2" ] || printf '%s\r\n' "$2" >&"${SESSION[1]}"
    IFS= read -r -t 60 reply <&"${SESSION[0]}"
    [[ $reply == "$1 "* ]] || { echo "$2: $reply"; return 1; }
}

# ---- recipes -----------------------------------------------------------------------------------

@test "recipe: Take recipients from PostgreSQL" {
    fill() {
        postgresql "$(cat mail.sql)" mail
        postgresql "ALTER ROLE mailrecv PASSWORD 'there is no such user here'"
    }
    echo '*:*:*:mailrecv:there is no such user here' >pgpass
    chmod 600 pgpass
    export PGPASSFILE=$PWD/pgpass PGSERVICEFILE=$PWD/pg_service.conf
    recipe 'Take recipients from PostgreSQL' -e "s,/usr/local/sbin/mailrecv-lookup,$LOOKUP,; s,/var/run/postgresql,$PLACE," \
        -e "s/^dbname=mail/&\nport=$PG_PORT\nuser=mailrecv/"
    message | deliver_to Joe@example.com | grep -q '^250 2.0.0 Ok, delivered'
    message | deliver_to anybody@example.org | grep -q '^250 2.0.0 Ok, delivered'
    message | deliver_to ann@example.com | grep -q '^550 5.1.1 No one here by that name'
    [ "$(tail -n 5 lib/joe/new/*)" = "$(message)" ]
    [ "$(ls lib/org/new | wc -l)" -eq 1 ]
    stop_database postgresql
    message | deliver_to joe@example.com | grep -q '^451 '
    start_postgresql
    message | deliver_to joe@example.com | grep -q '^250 2.0.0 Ok, delivered'
    [ "$(ls lib/joe/new | wc -l)" -eq 2 ]
}

# A session of a user, with a message from this address.
send_as() { # USER PASSWORD SENDER
    printf '%s\r\n' 'EHLO client.example' "AUTH PLAIN $(printf '\0%s\0%s' "$1" "$2" | base64)" "MAIL FROM:<$3>" \
        'RCPT TO:<inbox@example.com>' DATA 'Subject: x' . QUIT | "$MAILRECV" -c mailrecv.conf -l "$PWD/log" -P 192.0.2.7
}

@test "recipe: Keep users and passwords in MariaDB" {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=mail.example.com \
        -addext subjectAltName=DNS:mail.example.com -keyout key.pem -out cert.pem 2>/dev/null
    fill() {
        chmod 600 mariadb.cnf
        mariadb_sql 'USE mail; DROP TABLE users'
        mariadb_sql "$(cat mail.sql)"
    }
    recipe 'Keep users and passwords in MariaDB' -e "s,/usr/local/sbin/mailrecv-lookup,$LOOKUP,; s,/run/mysqld/mysqld.sock,$PLACE/mariadb.sock," \
        -e '/^CREATE DATABASE/d'
    for method in yescrypt gost-yescrypt scrypt bcrypt sha512crypt sha256crypt; do
        hash=$(echo "secret of $method" | "${MAILRECV%/*}/mailrecv-checkpassword" -p -m $method)
        mariadb_sql "INSERT INTO mail.users VALUES ('$method', '$hash', '$method@example.com sales@example.com')"
    done
    sed -i '/^tls/d; s/^auth required/&\nauth.insecure on/' mailrecv.conf # no client here speaks TLS
    for method in yescrypt gost-yescrypt scrypt bcrypt sha512crypt sha256crypt; do
        send_as $method "secret of $method" $method@example.com | grep -q '^250 2.0.0 Ok, delivered'
        send_as $method "secret of another" $method@example.com | grep -q '^535 '
    done
    send_as bcrypt 'secret of bcrypt' sales@example.com | grep -q '^250 2.0.0 Ok, delivered'
    send_as bcrypt 'secret of bcrypt' scrypt@example.com >replies
    grep -q '^235 ' replies
    run ! grep -q delivered replies
    send_as "' OR '1' = '1" 'secret of bcrypt' bcrypt@example.com | grep -q '^535 '
    stop_database mariadb TERM
    send_as bcrypt 'secret of bcrypt' bcrypt@example.com | grep -q '^454 '
    start_mariadb
    send_as bcrypt 'secret of bcrypt' bcrypt@example.com | grep -q '^250 2.0.0 Ok, delivered'
    run ! grep -rF -e 'secret of' -e "$hash" -e 'change this' log
}
