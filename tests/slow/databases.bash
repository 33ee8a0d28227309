# databases.bash - servers of PostgreSQL and MariaDB, each in a directory of its own, on a UNIX socket and a port of loopback
# shellcheck shell=bash

# As whom they run: none of them runs as root.
SERVER_AS=()
[ "$(id -u)" -ne 0 ] || SERVER_AS=(setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps=-all)

# Makes $PLACE, which is short enough for sockets, with a certificate for servers.
make_place() {
    PLACE=$(mktemp -d /tmp/databases.XXXXXX)
    chmod 755 "$PLACE"
    export PLACE
    export PG_BIN
    PG_BIN=$(printf '%s\n' /usr/lib/postgresql/*/bin | tail -n 1)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
        -keyout "$PLACE/key.pem" -out "$PLACE/cert.pem" 2>/dev/null
    chmod 600 "$PLACE/key.pem"
    [ "$(id -u)" -ne 0 ] || chown -R nobody "$PLACE"
}

# Runs a command without an end of its own as that user, and without what bats waits for; its process is in $PLACE/NAME.pid.
launch_database() { # NAME COMMAND...
    (cd "$PLACE" && exec timeout --foreground 900 "${SERVER_AS[@]}" "${@:2}") >>"$PLACE/$1.out" 2>&1 3>&- </dev/null &
    echo $! >"$PLACE/$1.pid"
}

# It ends at once, and clients are cut off.
stop_database() { # NAME [SIGNAL]
    local pid
    pid=$(cat "$PLACE/$1.pid" 2>/dev/null) || return 0
    rm "$PLACE/$1.pid"
    kill -s "${2:-INT}" "$pid" || :
    while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# Stops what answers queries, or lets it go on; the first process of PostgreSQL only accepts connections.
pause_database() { # NAME STOP|CONT
    local pid
    pid=$(pgrep -P "$(cat "$PLACE/$1.pid")")
    case $1 in
    postgresql) pgrep -P "$pid" -f '^postgres: mail ' | xargs kill -s "$2" ;;
    mariadb) kill -s "$2" "$pid" ;;
    esac
}

# Waits until a command succeeds, for a minute at most: no event tells when.
eventually() { # COMMAND...
    local _
    for _ in {1..600}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "never: $*"
    return 1
}

make_postgresql() {
    echo admin >"$PLACE/admin"
    (cd "$PLACE" && "${SERVER_AS[@]}" "$PG_BIN/initdb" -D "$PLACE/postgresql" -A scram-sha-256 -U admin --pwfile="$PLACE/admin" -N -E UTF8 --locale=C) \
        >"$PLACE/postgresql.out" 2>&1 || { cat "$PLACE/postgresql.out"; return 1; }
    start_postgresql
}

start_postgresql() {
    launch_database postgresql "$PG_BIN/postgres" -D "$PLACE/postgresql" -k "$PLACE" -c listen_addresses=127.0.0.1 -p "$PG_PORT" \
        -c ssl=on -c "ssl_cert_file=$PLACE/cert.pem" -c "ssl_key_file=$PLACE/key.pem" -c fsync=off
    eventually postgresql 'SELECT 1' || { tail -n 20 "$PLACE/postgresql.out"; return 1; }
}

# SQL of an administrator.
postgresql() { # SQL [DATABASE]
    PGPASSWORD='admin' psql -X -q -h "$PLACE" -p "$PG_PORT" -U admin -d "${2:-postgres}" -v ON_ERROR_STOP=1 -c "$1"
}

make_mariadb() {
    (cd "$PLACE" && "${SERVER_AS[@]}" mariadb-install-db --no-defaults --datadir="$PLACE/mariadb" --auth-root-authentication-method=normal \
        --skip-test-db --skip-name-resolve) >"$PLACE/mariadb.out" 2>&1 || { cat "$PLACE/mariadb.out"; return 1; }
    start_mariadb
}

start_mariadb() {
    launch_database mariadb mariadbd --no-defaults --datadir="$PLACE/mariadb" --socket="$PLACE/mariadb.sock" --bind-address=127.0.0.1 \
        --port="$MY_PORT" --skip-name-resolve --ssl-cert="$PLACE/cert.pem" --ssl-key="$PLACE/key.pem" --innodb-flush-log-at-trx-commit=0
    eventually mariadb_sql 'SELECT 1' || { tail -n 20 "$PLACE/mariadb.out"; return 1; }
}

mariadb_sql() { # SQL
    mariadb --no-defaults --default-character-set=utf8mb4 -S "$PLACE/mariadb.sock" -u root -e "$1"
}
