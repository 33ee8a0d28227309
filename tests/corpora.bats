#!/usr/bin/env bats
# Mail of other people's making arrives byte for byte in commands, maildirs and, unquoted, in mbox files

load common
load tools/delivery

@test "a hundred messages and more, from the test data of Debian packages" {
    "$TESTS/tools/corpora" "$TESTS/../build/corpora" >names
    count=$(wc -l <names)
    [ "$count" -ge 100 ]
    # the traps that they must hold, or this is not the test that it was
    for trap in '[\x80-\xff]' '^.{900}' '^>*From ' '^(?i)MIME-Version:'; do
        xargs -d '\n' grep -lP -e "$trap" <names >found || true
        [ -s found ] || { echo "none with $trap" >&2; return 1; }
    done
    # nobody packages lines as long as people send: the same mail once more, all in one line
    mkdir joined
    while read -r name; do
        number=$((number + 1))
        tr -d '\r\n' <"$name" >"joined/$number"
    done <names
    find joined -type f >>names
    count=$(wc -l <names)

    config <<END
fsync off
deliver rcpt_to mbox@mx.example append $HERE/mbox
deliver rcpt_to box@mx.example maildir $HERE/box
deliver rcpt_to pipe@mx.example pipe cat >"$HERE/read/\${SENDER%@*}"
END
    mkdir read
    "$TESTS/tools/transactions" want mbox@mx.example box@mx.example pipe@mx.example <names | session
    expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" "$count"

    "$TESTS/tools/unmbox" mbox out
    expect "$(find out -type f | wc -l)" "$count"
    expect "$(find box/new -type f | wc -l)" "$count"
    for copy in box/new/*; do
        mv "$copy" "box/$(sed -nE '1s/^Return-Path: <([0-9]+)@client.example>$/\1/p' "$copy")"
    done
    for ((i = 1; i <= count; i++)); do
        for copy in out read box; do
            without_head "$copy/$i" | cmp - "want/$i" || { echo "$copy: $(sed -n "${i}p" names)" >&2; return 1; }
        done
    done

    # and once more, out of the mailboxes
    config <<END
deliver rcpt_to mbox@mx.example pipe cat >"$HERE/again/mbox-\${SENDER%@*}"
deliver rcpt_to box@mx.example pipe cat >"$HERE/again/box-\${SENDER%@*}"
END
    mkdir again
    mv box/[0-9]* box/cur
    for place in mbox box; do
        "$MAILRECV" -c conf -l log -r $place >said
        expect "$(grep -c '^[0-9]* delivered ' said)" "$count"
        for ((i = 1; i <= count; i++)); do
            sed 1,8d "again/$place-$i" | cmp - "want/$i" || { sed -n "${i}p" names >&2; return 1; }
        done
    done
}
