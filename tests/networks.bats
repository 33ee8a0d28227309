#!/usr/bin/env bats
# networks.bats - ADDRESS/BITS wherever hosts are named: who is in one, what is said of it, thousands of them

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
}

# A configuration with these lines behind its domain, which is line 1.
conf() { # LINE...
    printf '%s\n' 'domain mx.example' "$@" >conf
    chmod 600 conf
}

expect() { # GOT WANTED
    [ "$1" = "$2" ] || { printf 'got:    %s\nwanted: %s\n' "$1" "$2"; return 1; }
}

# A session of a client; BYTES are what it sends, as printf(1) has them. The codes of the replies are the output.
session() { # CLIENT BYTES
    rm -f log
    # shellcheck disable=SC2059 # a format on purpose
    printf "$2" | "$MAILRECV" -c conf -l log -P "$1" | sed 's/[ -].*//' | uniq | paste -sd' '
}

# What a session writes under the debug flag r about networks.
shown() { # CLIENT
    rm -f log
    printf 'MAIL FROM:<>\r\nRCPT TO:<joe@mx.example>\r\nQUIT\r\n' | "$MAILRECV" -c conf -l log -P "$1" >/dev/null
    sed -n 's/.*DEBUG r: \([a-z:0-9]* allowgroup ".*\)/\1/p' log
}

@test "allow and deny: by a network of either family, whatever the name" {
    conf 'allow remotehost 192.0.2.0/24' 'allow remotehost 2001:DB8:0::/48' 'deny remotehost 192.0.2.128/25' \
        'deny remotehost 2001:db8::bad:0/112'
    for client in 192.0.2.0 192.0.2.127 ::ffff:192.0.2.1 2001:db8::1 2001:db8:0:ffff::1 2001:db8::bae:0; do
        expect "$client $(session $client 'QUIT\r\n')" "$client 220 221"
    done
    for client in 192.0.2.128 192.0.2.255 192.0.3.0 192.0.1.255 2001:db8::bad:1 2001:db8:1::1 ::ffff:192.0.2.200 ::192.0.2.1 \
        local 203.0.113.9=192.0.2.0 203.0.113.9=192.0.2.1.evil.example; do
        expect "$client $(session $client 'QUIT\r\n')" "$client 554 221"
    done
    # all of a family is not all, and who has no address is in none
    conf 'allow remotehost 0.0.0.0/0'
    expect "$(session ::ffff:255.255.255.255 'QUIT\r\n')" '220 221'
    expect "$(session :: 'QUIT\r\n') $(session local 'QUIT\r\n')" '554 221 554 221'
    conf 'allow remotehost ::/0'
    expect "$(session :: 'QUIT\r\n') $(session 0.0.0.0 'QUIT\r\n') $(session local 'QUIT\r\n')" '220 221 554 221 554 221'
}

@test "a group: networks, expressions and results for the name together, and bypass by it" {
    conf 'allowgroup a 192.0.2.0/28' 'allowgroup b 192.0.2.0/24' 'allowgroup a \.example\.com$' 'allowgroup a 2001:db8::/32' \
        "deliver allowgroup a rcpt_to joe@mx.example append $PWD/joe" 'limit.fcrdns_check on' 'bypass allowgroup b'
    for client in 192.0.2.15 203.0.113.9=www.example.com 2001:db8::5=www.example.net; do
        expect "$client $(session $client 'MAIL FROM:<>\r\nRCPT TO:<joe@mx.example>\r\nQUIT\r\n')" "$client 220 250 221"
    done
    expect "$(session 192.0.2.16 'MAIL FROM:<>\r\nRCPT TO:<joe@mx.example>\r\nQUIT\r\n')" '220 250 550 221'
    expect "$(session 203.0.113.9 'QUIT\r\n')" '450'
}

@test "a proxy: the network it is in, and the one that its client is in" {
    conf 'proxy_protocol 203.0.113.0/29' 'allow remotehost 192.0.2.0/24'
    expect "$(session 203.0.113.7 'PROXY TCP4 192.0.2.7 198.51.100.1 1 25\r\nQUIT\r\n')" '220 221'
    expect "$(session 203.0.113.7 'PROXY TCP6 ::ffff:192.0.2.7 ::1 1 25\r\nQUIT\r\n')" '220 221'
    expect "$(session 203.0.113.7 'PROXY TCP4 198.51.100.7 198.51.100.1 1 25\r\nQUIT\r\n')" '554 221'
    expect "$(session 203.0.113.8 'PROXY TCP4 192.0.2.7 198.51.100.1 1 25\r\nQUIT\r\n')" '554 503 221'
}

@test "lockout.exempt: violations of a network are not counted" {
    conf "lockout.db $PWD/db" 'lockout.violations 1' 'lockout.exempt 192.0.2.0/25'
    for client in 192.0.2.127 192.0.2.128; do
        expect "$(session $client 'MAIL FROM:<>\r\nRCPT TO:<nobody@mx.example>\r\nQUIT\r\n')" '220 250 550 221'
    done
    expect "$(session 192.0.2.127 'QUIT\r\n')" '220 221'
    expect "$(session 192.0.2.128 'QUIT\r\n')" '454'
}

@test "the log shows the first line that holds the address, as it is written, or how many do not" {
    printf 'allowgroup a ::ffff:198.51.100.0/120\nallowgroup a 2001:DB8:0::/48\n' >included
    chmod 600 included
    conf 'allowgroup b 192.0.2.0/24' 'allowgroup a 192.0.2.0/28' 'allowgroup a 192.0.2.0/16' 'allowgroup a "192.0.2.0/24" # quoted' \
        'include included' 'allowgroup a 192.0.2.0/28' 'debug r' 'allowgroup a \' ' 203.0.113.0/24' \
        "deliver allowgroup a rcpt_to joe@mx.example append $PWD/joe" "deliver allowgroup b rcpt_to joe@mx.example append $PWD/joe"
    expect "$("$MAILRECV" -t -c conf 2>&1 | grep -A 1 'conf:4')" "conf:4:14: '192.0.2.0/16' has bits that are set behind its first 16, expected 0 there
    allowgroup a 192.0.2.0/16"
    sed -i 's,192.0.2.0/16,192.0.0.0/16,' conf
    expect "$(shown 192.0.2.5)" 'conf:3: allowgroup "192.0.2.0/28" matches "192.0.2.5"'
    expect "$(shown 192.0.2.77)" 'conf:4: allowgroup "192.0.0.0/16" matches "192.0.2.77"'
    expect "$(shown 198.51.100.7)" 'included:1: allowgroup "::ffff:198.51.100.0/120" matches "198.51.100.7"'
    expect "$(shown 2001:db8::7)" 'included:2: allowgroup "2001:DB8:0::/48" matches "2001:db8::7"'
    expect "$(shown 203.0.113.7)" 'conf:9: allowgroup "203.0.113.0/24" matches "203.0.113.7"'
    expect "$(shown 10.0.0.1)" 'conf:3: allowgroup "192.0.2.0/28" and 6 others do not match "10.0.0.1"
conf:2: allowgroup "192.0.2.0/24" does not match "10.0.0.1"'
}

@test "lines behind networks have their numbers, and what only looks like the line above is read as any other" {
    conf 'allowgroup a 192.0.2.0/24' 'allowgroup a 198.51.100.0/24' 'allowgroup a 203.0.113.0/24 # third' \
        'allowgroup a 10.0.0.0/8' 'allowgroup a 10.0.0.0/8 and' 'allowgroup a 11.0.0.0/8' 'allowgroup a 12.0.0.1/8' \
        'allowgroup a 12.0.0.0/8' 'allowgroup ab 13.0.0.0/8' 'allowgroup a \' ' 14.0.0.0/8' 'allowgroup a  ' \
        ' 14.0.0.0/8' 'allowgroup a 15.0.0.0/8' 'nonsense'
    expect "$("$MAILRECV" -t -c conf 2>&1 | grep ^conf)" "conf:6:25: unexpected 'and', expected the end of the line
conf:8:14: '12.0.0.1/8' has bits that are set behind its first 8, expected 0 there
conf:13:15: the line ends too early, expected a network or a regular expression
conf:14:2: unknown keyword '14.0.0.0/8', expected one of mailrecv.conf(5)
conf:16:1: unknown keyword 'nonsense', expected one of mailrecv.conf(5)"
    printf 'domain mx.example\r\nallow remotehost 192.0.2.0/24\r\nallow remotehost 198.51.100.0/24\r\nallow remotehost 203.0.113.0/24' >conf
    for client in 192.0.2.7 198.51.100.7 203.0.113.7; do
        expect "$client $(session $client 'QUIT\r\n')" "$client 220 221"
    done
    expect "$(session 10.0.0.1 'QUIT\r\n')" '554 221'
    "$MAILRECV" -t -c conf 2>/dev/null | grep -c '^allow remotehost ' | grep -x 3
}

# COUNT networks of each family, shuffled, and in other groups, too.
many() { # COUNT
    awk -v count="$1" 'BEGIN {
        for (i = 0; i < count; i++) {
            n = i * 7919 % count
            printf "allowgroup a 10.%d.%d.%d/28\n", n / 4096, n / 16 % 256, n % 16 * 16
            printf "allowgroup b 2001:db8:%x::/48\n", n
        }
        for (i = 0; i < count; i++)
            printf "allowgroup c 11.%d.%d.0/24\n", i / 256, i % 256
    }'
}

@test "of thousands each holds its addresses and no other" {
    # shellcheck disable=SC2046 # a line each
    conf "$(many 5000)" "deliver allowgroup a rcpt_to a@mx.example append $PWD/a" \
        "deliver allowgroup b rcpt_to b@mx.example append $PWD/b" "deliver allowgroup c rcpt_to c@mx.example append $PWD/c"
    tried=0
    while read -r client groups; do
        taken=
        for group in a b c; do
            [ "$(session "$client" "MAIL FROM:<>\r\nRCPT TO:<$group@mx.example>\r\nQUIT\r\n")" != '220 250 221' ] || taken+=$group
        done
        expect "$client $taken" "$client $groups"
        tried=$((tried + 1))
    done <<'END'
10.0.0.0 a
10.1.56.127 a
10.1.56.128
11.0.0.0 c
11.19.135.255 c
11.19.136.0
10.255.255.255
2001:db8:1387:ffff::1 b
2001:db8:1388::1
END
    [ "$tried" = 9 ]
}
