# redis.sh - what it costs a session to remember its client and its delivery in Redis, beside files; read by run
# shellcheck shell=bash

# Lock-out and ledger in a Redis that is there and has no disk to wait for, and in files.
test_redis() {
    "$HERE/../tests/deps" test
    redis-server --port 0 --unixsocket "$DIR/redis" --unixsocketperm 777 --save '' --logfile "$DIR/redis.log" &
    SERVERS+=($!)
    until grep -qs 'eady to accept' "$DIR/redis.log"; do sleep 0.05; done
    {
        mailrecv_subject mailrecv "$DIR/bin/mailrecv" 'sandbox on'
        mailrecv_subject files "$DIR/bin/mailrecv" 'sandbox on' "lockout.db $DIR/contacts.db" "ledger $DIR/ledger.db"
        mailrecv_subject redis "$DIR/bin/mailrecv" 'sandbox on' "lockout.db redis:$DIR/redis" "ledger redis:$DIR/redis" \
            'redis.timeout 1000'
    } >"$DIR/redises"
    driver -t redis -n $((ROUNDS / 2)) -k '250 exit cpu' -f "$DIR/redises"
}
