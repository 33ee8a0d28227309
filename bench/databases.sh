# databases.sh - what a table in a database costs a session, beside a line that says the same; read by run
# shellcheck shell=bash

# shellcheck source=tests/slow/databases.bash
. "$HERE/../tests/slow/databases.bash"

# The line of the table stands first; it knows the recipient, so that the line behind it is not reached.
database_lines() { # SOURCE [QUERY]
    printf '%s\n' 'sandbox on' "table people exec $DIR/bin/mailrecv-lookup $1 ${2:+\"$2\"}" \
        "deliver rcpt_to table:people append $DIR/%{value}"
}

# A recipient who is known by a line, and by a table in a database.
test_databases() {
    local made="CREATE TABLE users (address text PRIMARY KEY, path text); INSERT INTO users VALUES ('inbox@example.com', 'inbox."
    "$HERE/../tests/deps" databases
    install -m 755 "$(dirname "$MAILRECV")/mailrecv-lookup" "$DIR/bin"
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
        mailrecv_subject lmdb "$DIR/bin/mailrecv" "$(database_lines "lmdb:$DIR/users.lmdb")"
        mailrecv_subject sqlite "$DIR/bin/mailrecv" "$(database_lines "sqlite:$DIR/users.db" 'SELECT path FROM users WHERE address = ?')"
        mailrecv_subject postgresql "$DIR/bin/mailrecv" "$(database_lines postgresql:mail 'SELECT path FROM users WHERE address = ?')"
    } >"$DIR/databases"
    driver -t databases -n $((ROUNDS / 2)) -k '250 exit cpu' -f "$DIR/databases"
    stop_database postgresql
    rm -rf "$PLACE"
}
