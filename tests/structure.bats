#!/usr/bin/env bats
# structure.bats - the house: its rooms, who may know whom, the size of files, what README says of them; and what the
# compiler has made of them

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$TESTS/.."
}

# From the ground to the roof. A room may know those before it, and none behind it: rules.c, smtp.c and mailrecv.c at the
# top of the tree count as rooms.
ROOMS=(base patterns session dns nexthop stores tables client rules delivery handlers listener conf monitor smtp admin mailrecv)
# The other programs, and the rooms that they may know.
PROGRAMS=(checkpassword lookup publish report tls)
SHARED=(base session)

# Files above 500 lines, each with its reason behind it. There are none.
LONG=""

# All of ours, but what tests and measures.
sources() { # PATTERN
    find . -name "$1" -not -path './tests/*' -not -path './bench/*' -not -path './build*' -not -path './debian/*' |
        sed 's|^\./||' | LC_ALL=C sort
}

# Lines "ROOM/NAME ROOM/NAME" for every include of a file of ours, but that of its own header.
includes() {
    # shellcheck disable=SC2016 # of awk, not of the shell
    sources '*.[ch]' | xargs awk '
        /^#include "/ {
            from = FILENAME; sub(/\.[ch]$/, "", from)
            split($0, part, "\""); to = part[2]; sub(/\.h$/, "", to)
            if (from != to) print from, to
        }' | LC_ALL=C sort -u
}

@test "each source is in a room, and each room has sources" {
    run -0 diff <(printf '%s\n' "${ROOMS[@]}" "${PROGRAMS[@]/#/programs/}" | LC_ALL=C sort) \
        <(sources '*.[ch]' | sed -E 's|/[^/]*$||; s|\.[ch]$||' | LC_ALL=C sort -u)
}

@test "a room knows only those before it" {
    includes >"$BATS_TEST_TMPDIR/includes"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/includes")" -gt 100 ]
    # shellcheck disable=SC2016 # of awk, not of the shell
    awk -v rooms="${ROOMS[*]}" -v shared="${SHARED[*]}" '
        function room(file) { sub(/\/[^\/]*$/, "", file); return file }
        BEGIN {
            n = split(rooms, name, " "); for (i = 1; i <= n; i++) place[name[i]] = i
            n = split(shared, name, " "); for (i = 1; i <= n; i++) is_shared[name[i]] = 1
        }
        { from = room($1); to = room($2) }
        from == to { next }
        from ~ /^programs\// ? !is_shared[to] : !(place[to] && place[to] < place[from]) {
            print $1 " includes " $2 ".h: " from " may not know " to
            bad = 1
        }
        END { exit bad }' "$BATS_TEST_TMPDIR/includes"
}

@test "no files include each other in a circle" {
    includes >"$BATS_TEST_TMPDIR/includes"
    run -0 tsort "$BATS_TEST_TMPDIR/includes"
}

@test "no wait for the end of another process is without a limit" {
    # mailrecv-report has nobody waiting for it but the one who can end it
    run -0 diff /dev/null <(sources '*.c' | grep -v '^programs/report/' | xargs grep -nE '\b(wait|waitpid|waitid|wait4)\([^2]' | grep -v WNOHANG)
}

@test "no file has more than 500 lines, but for those that have a reason" {
    local lines file
    while read -r lines file; do
        grep -q "^$file  *[a-z]" <<<"$LONG" || {
            echo "$file has $lines lines: cut it, or give the reason in LONG"
            false
        }
    done < <(sources '*.[ch]' | xargs wc -l | awk '$1 > 500 && $2 != "total" { print $1, $2 }')
}

@test "at the top of the tree is what a newcomer must see first" {
    run -0 diff <(printf '%s\n' Makefile packaging.mk README.md CONTRIBUTING.md LICENSE mailrecv.c smtp.c smtp.h rules.c rules.h \
        mailrecv.conf mailrecv-submission.conf mailrecv-submissions.conf | LC_ALL=C sort) \
        <(find . -maxdepth 1 -type f -not -name '.*' -printf '%P\n' | grep -vxFf <(sed -n 's|^/||p' .gitignore) | LC_ALL=C sort)
}

@test "each .c includes its own header first, or one that its room shares" {
    local file first
    for file in $(sources '*.c'); do
        first=$(sed -n 's/^#include "\(.*\)"$/\1/p' "$file" | head -n 1)
        grep -q '^int main(' "$file" || [ "$(grep -m 1 '^#include' "$file")" = "#include \"${file%.c}.h\"" ] ||
            { [ ! -e "${file%.c}.h" ] && [ "${first%/*}" = "${file%/*}" ]; } || {
            echo "$file begins with $(grep -m 1 '^#include' "$file")"
            false
        }
    done
}

@test "the first line of each source says its purpose" {
    local file count=0
    for file in $(sources '*.[ch]') tests/*.c tests/*/*.[ch] bench/*.[ch]; do
        count=$((count + 1))
        [[ "$(head -n 1 "$file")" =~ ^/\*\ ${file##*/}\ -\ .{8,}\ \*/$ ]] || {
            echo "$file begins with: $(head -n 1 "$file")"
            false
        }
    done
    [ "$count" -gt 40 ]
}

# Lines "FILE - PURPOSE" of the index, each with the room that its heading says.
indexed() {
    awk '
        /^## The source$/ { inside = 1; next }
        /^## / { inside = 0 }
        !inside { next }
        /^`[a-z\/]+\/` - ......../ { split($0, part, "`"); room = part[2] }
        /^\* [a-z_]+\.c - / { print room substr($0, 3) }' README.md
}

@test "the index in README.md is that of the sources, room by room" {
    run -0 diff <(indexed | LC_ALL=C sort) \
        <(for file in $(sources '*.c'); do sed -nE "1s|^/\* [a-z_]+\.c(.*) \*/\$|$file\1|p" "$file"; done | LC_ALL=C sort)
}

@test "the rows of the command table are unique" {
    local verbs
    verbs=$(sed -n '/^const struct command smtp_commands\[\]/,/^};/p' smtp.c | grep -oE '(\{ SLICE|NOT_IMPLEMENTED|HTTP)\("[A-Z]+"\)' |
        grep -oE '"[A-Z]+"')
    [ "$(wc -l <<<"$verbs")" -gt 20 ]
    [ "$(sort <<<"$verbs" | uniq -d)" = "" ]
}

@test "the binary is position independent, its relocations are read-only" {
    readelf -hW "$MAILRECV" | grep -qE 'Type: +DYN'
    readelf -lW "$MAILRECV" | grep -q GNU_RELRO
    readelf -dW "$MAILRECV" | grep -qE 'FLAGS.*BIND_NOW|FLAGS_1.*NOW'
    readelf -dW "$MAILRECV" | grep -qE 'FLAGS_1.*PIE'
}

@test "no part of the binary is writable and executable" {
    readelf -lW "$MAILRECV" | grep -qE 'GNU_STACK .* RW +0x'
    run ! grep -E 'RWE' <(readelf -lW "$MAILRECV")
}

@test "the stack is protected, string functions check their bounds" {
    readelf -sW --dyn-syms "$MAILRECV" | grep -q __stack_chk_fail
    readelf -sW --dyn-syms "$MAILRECV" | grep -qE '__(v?snprintf|memcpy|vfprintf|fprintf|realpath|read|poll|ppoll)_chk'
}

@test "the binary needs the C library and nothing else, a static one nothing" {
    local expected=libc
    readelf -lW "$MAILRECV" | grep -q INTERP || expected=
    [ "$(readelf -dW "$MAILRECV" | sed -nE 's/.*\(NEEDED\).*\[([a-z0-9-]+)\.so.*/\1/p')" = "$expected" ]
}

@test "no large buffer lies among the small variables, of which each session touches some" {
    local large last
    large=$(nm -Sn "$MAILRECV" | awk '$3 ~ /^[bB]$/ && $2 > "0000000000001fff" { print $1; exit }')
    last=$(nm -n "$MAILRECV" | awk '$3 ~ /^(conf|session)\.[0-9]+$|^(the_monitor|wall_sent|dns|in_use)$/ { print $1 }' | tail -n 1)
    [ "${#large} ${#last}" = "16 16" ]
    [[ $last < $large ]]
}

@test "relocations are packed where ld can do that" {
    [ "$(uname -m)" = x86_64 ] || return 0
    readelf -SW "$MAILRECV" | grep -qF .relr.dyn
}
