# databases.sh - what a table in a database costs a session, beside a line that says the same; read by run
# shellcheck shell=bash

# shellcheck source=tests/slow/databases.bash
. "$HERE/../tests/slow/databases.bash"

# The line of the table stands first; it knows the recipient, so that the line behind it is not reached.
table_lines() { # SUFFIX PROGRAM
    printf '%s\n' 'sandbox on' "table people exec $DIR/bin/$2" "deliver rcpt_to table:people append $DIR/%{value}$1"
}
database_lines() { table_lines "$1" "mailrecv-lookup $2 ${3:+\"$3\"}"; } # SUFFIX SOURCE [QUERY]

# Those of a listener, which keeps programs, have the suffix in their names. The first looks nowhere: it costs what any
# program does.
database_subjects() { # KIND SUFFIX
    local query='SELECT path FROM users WHERE address = ?'
    "$1_subject" "program$2" "$DIR/bin/mailrecv" "$(table_lines "$2" 'answer inbox.program')"
    "$1_subject" "lmdb$2" "$DIR/bin/mailrecv" "$(database_lines "$2" "lmdb:$DIR/users.lmdb")"
    "$1_subject" "sqlite$2" "$DIR/bin/mailrecv" "$(database_lines "$2" "sqlite:$DIR/users.db" "$query")"
    "$1_subject" "postgresql$2" "$DIR/bin/mailrecv" "$(database_lines "$2" postgresql:mail "$query")"
}

# A recipient who is known by a line, and by a table in a database.
test_databases() {
    local made="CREATE TABLE users (address text PRIMARY KEY, path text); INSERT INTO users VALUES ('inbox@example.com', 'inbox."
    "$HERE/../tests/deps" databases
    install -m 755 "$(dirname "$MAILRECV")/mailrecv-lookup" "$TOOLS/answer" "$DIR/bin"
    make_place
    PG_PORT=$(free_port)
    make_postgresql
    printf '%s\n' '[mail]' "host=$PLACE" "port=$PG_PORT" user=admin password=admin dbname=postgres >"$DIR/pg_service.conf"
    postgresql "${made}postgresql')"
    sqlite3 "$DIR/users.db" "${made}sqlite')"
    printf '%s\n' inbox@example.com inbox.lmdb | mdb_load -n -T "$DIR/users.lmdb"
    [ "$(id -u)" -ne 0 ] || chown "$OWNER" "$DIR"/users.*
    {
        mailrecv_subject mailrecv "$DIR/bin/mailrecv" 'sandbox on'
        database_subjects mailrecv ''
        grep '^listener ' "$DIR/subjects"
        database_subjects listening -kept
    } >"$DIR/databases"
    driver -t databases -n $((ROUNDS / 2)) -k '250 exit cpu' -f "$DIR/databases"
    stop_database postgresql
    rm -rf "$PLACE"
}
