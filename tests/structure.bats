#!/usr/bin/env bats
# structure: includes point one way, sources say what they are, the binary is hardened

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$TESTS/.."
}

# From the top to the bottom. A file may include what stands on a lower line, not its neighbours.
layers() {
    cat <<'END'
mailrecv checkpassword tls report
explain replay
smtp check credentials output lockout_show terminal
helper_check access lint
monitor tally
accept
deliver mailfile
command mailbox auth starttls checks lockout counts
environment
copy
clients deliveries keywords load memory places print problems reveal values words
parser
conf message scenario
rules
dnsbl mend statuses said
pattern client packet sasl
scope
expression
dns
resolver
wire canonical json hosts
settings
limit
envelope reply
line lockout_db script
log sandbox library proxy regex_lint
outlet guarded
text top
glyph
automaton
process
slice clock cold account hash inherited keyword
END
}

# All of ours, but what tests and measures.
sources() { # PATTERN
    find . -name "$1" -not -path './tests/*' -not -path './bench/*' -not -path './build*' -not -path './debian/*' | LC_ALL=C sort
}

layer_of() { # NAME
    layers | awk -v name="$1" '{ for (i = 1; i <= NF; i++) if ($i == name) { print NR; found = 1 } } END { exit !found }'
}

# Lines "NAME INCLUDED" for every include of a file of ours.
includes() {
    sed -nE 's|^#include "([a-z/]*/)?([a-z_]+)\.h".*|\2|p' "$1" | sed "s/^/$(basename "${1%.*}") /"
}

@test "every source has its place in the order, and the order names no other" {
    run -0 diff <(layers | tr ' ' '\n' | sort) <(sources '*.[ch]' | sed -E 's|.*/(.*)\.[ch]|\1|' | sort -u)
}

@test "includes point one way" {
    local count=0 name included
    while read -r name included; do
        count=$((count + 1))
        [ "$name" = "$included" ] || [ "$(layer_of "$name")" -lt "$(layer_of "$included")" ] || {
            echo "$name includes $included, which does not stand below it"
            false
        }
    done < <(for file in $(sources '*.[ch]'); do includes "$file"; done)
    [ "$count" -gt 50 ]
}

@test "each .c includes its own header first, in conf/ that of all of them" {
    local file own
    for file in $(sources '*.c'); do
        own=${file#./}
        own=${own%.c}.h
        [ -e "$own" ] || own=conf/parser.h
        grep -q '^int main(' "$file" || [ "$(grep -m 1 '^#include' "$file")" = "#include \"$own\"" ] || {
            echo "$file begins with $(grep -m 1 '^#include' "$file")"
            false
        }
    done
}

@test "the first line of each source says its purpose" {
    local file count=0
    for file in $(sources '*.[ch]') tests/unit/*.[ch] tests/fuzz/*.[ch]; do
        count=$((count + 1))
        [[ "$(head -n 1 "$file")" =~ ^/\*\ ${file##*/}\ -\ .{8,}\ \*/$ ]] || {
            echo "$file begins with: $(head -n 1 "$file")"
            false
        }
    done
    [ "$count" -gt 40 ]
}

@test "the index in README.md is that of the sources" {
    run -0 diff <(grep -E '^\* [a-z_]+\.c - ' README.md | sort) <(sources '*.c' | xargs head -qn 1 | sort | sed -E 's|^/(\* .*) \*/$|\1|')
}

@test "the rows of the command table are unique" {
    local verbs
    verbs=$(sed -n '/^static const struct command commands\[\]/,/^};/p' smtp.c | grep -oE '(\{ SLICE|NOT_IMPLEMENTED|HTTP)\("[A-Z]+"\)' |
        grep -oE '"[A-Z]+"')
    [ "$(wc -l <<<"$verbs")" -gt 20 ]
    [ "$(sort <<<"$verbs" | uniq -d)" = "" ]
}

@test "the rows of the tables of keywords are unique, and each setting has its own place in what -t prints" {
    local words orders
    words=$(cat ./*/keywords.[ch] | grep -oE '^ +\{ \.name = "[a-z._0-9]+"')
    [ "$(wc -l <<<"$words")" -gt 25 ]
    [ "$(sort <<<"$words" | uniq -d)" = "" ]
    orders=$(cat ./*/keywords.[ch] | grep -oE '\.order = [0-9]+')
    [ "$(wc -l <<<"$orders")" -gt 20 ]
    [ "$(sort <<<"$orders" | uniq -d)" = "" ]
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
