#!/usr/bin/env bats
# A message arrives byte for byte, with LF for CRLF, in commands, maildirs and, unquoted, in mbox files

load common
load tools/delivery

# Sends the wire bytes of all cases in one session to an mbox, a maildir and a command, and
# compares what arrived with what should.
check_cases() { # DIRECTORY with NAME.wire and NAME.want
    local name copy number=0 count

    count=$(find "$1" -name '*.wire' | wc -l)
    config <<END
fsync off
deliver rcpt_to a@mx.example append $HERE/mbox
deliver rcpt_to m@mx.example maildir $HERE/box
deliver rcpt_to c@mx.example pipe cat >"$HERE/read/\$SENDER"
END
    mkdir -p read
    # shellcheck disable=SC2030,SC2031 # both loops count for themselves
    {
        printf 'EHLO helo.example\r\n'
        for name in "$1"/*.wire; do
            number=$((number + 1))
            envelope "$number@client.example" a@mx.example m@mx.example c@mx.example
            cat "$name"
            printf '.\r\n'
        done
        printf 'QUIT\r\n'
    } | session
    expect "$(grep -c '^250 2.0.0 Ok, delivered' replies)" "$count"
    "$TESTS/tools/unmbox" mbox out
    expect "$(find out -type f | wc -l)" "$count"
    for copy in box/new/*; do
        mv "$copy" "box/$(sed -nE '1s/^Return-Path: <(.*)>$/\1/p' "$copy")"
    done
    for name in "$1"/*.wire; do
        # shellcheck disable=SC2031
        number=$((number + 1))
        name=${name%.wire}
        for copy in "out/$number" "box/$number@client.example" "read/$number@client.example"; do
            without_head "$copy" | cmp - "$name.want" || { echo "in case ${name##*/}, $copy" >&2; return 1; }
        done
    done
}

@test "odd bytes, line ends and dots" {
    mkdir cases
    while IFS='|' read -r name wire want; do
        name=${name%%" "*}
        # shellcheck disable=SC2059 # the table holds formats
        printf "${wire%"${wire##*[! ]}"}" >"cases/$name.wire"
        # shellcheck disable=SC2059
        printf "$want" >"cases/$name.want"
    done <<'END'
empty               |                        |
one-empty-line      |\r\n                    |\n
only-dots           |..\r\n...\r\n.. \r\n    |.\n..\n. \n
unstuffed           |.a\r\n. \r\n.\t\r\n     |a\n \n\t\n
dots-inside         |a.\r\n..a.\r\n          |a.\n.a.\n
nul                 |a\0b\r\n\0\r\n..\0\r\n  |a\0b\n\0\n.\0\n
dot-nul             |.\0\r\na\r\n            |\0\na\n
eight-bit           |\377\200\301\303\r\n    |\377\200\301\303\n
controls            |\001\v\f\b\033\177\r\n  |\001\v\f\b\033\177\n
cr-inside           |a\rb\r\n                |a\rb\n
cr-cr-lf            |a\r\r\nb\r\n            |a\r\nb\n
cr-first            |\ra\r\n                 |\ra\n
cr-alone            |\r\r\n                  |\r\n
cr-dot-cr           |a\r.\rb\r\n             |a\r.\rb\n
dot-cr-cr-lf        |.\r\r\nb\r\n            |\r\nb\n
dot-cr-a            |.\ra\r\n                |\ra\n
cr-dot-crlf         |a\r.\r\nb\r\n           |a\r.\nb\n
lf-inside           |a\nb\r\n                |a\nb\n
lf-first            |\n\r\n                  |\n\n
lf-dot-crlf         |a\n.\r\nb\r\n           |a\n.\nb\n
lf-dot-lf           |a\n.\nb\r\n             |a\n.\nb\n
lf-dot-dot          |a\n..\r\n               |a\n..\n
crlf-dot-lf         |a\r\n.\nb\r\n           |a\n\nb\n
lf-cr               |a\n\rb\r\n              |a\n\rb\n
lf-from             |a\nFrom b\r\n           |a\nFrom b\n
cr-from             |a\rFrom b\r\n           |a\rFrom b\n
dot-from            |.From b\r\n..From b\r\n |From b\n.From b\n
dot-gt-from         |.>From b\r\n            |>From b\n
from-nul            |From\0 b\r\nFrom \0\r\n |From\0 b\nFrom \0\n
from-only           |From \r\nFrom\r\nF\r\n  |From \nFrom\nF\n
blank-lines         |\r\n\r\n\r\n            |\n\n\n
headers-of-others   |Return-Path: <x@y>\r\nDelivered-To: z\r\n\r\n |Return-Path: <x@y>\nDelivered-To: z\n\n
END
    check_cases cases
}

@test "every byte, and every string of five from the bytes that matter" {
    python3 - <<'END'
# Writes cases: one with all bytes, the others with strings whose expected form is found by the
# rules of RFC 5321 4.5.2 and of config.md.
import itertools, os, re

def want(wire):
    """Lines end in CRLF only; a leading dot goes; a lone LF stays as it is."""
    lines = wire.split(b"\r\n")
    assert lines.pop() == b""
    return b"".join((line[1:] if line.startswith(b".") else line) + b"\n" for line in lines)

def case(name, wire):
    if b"\r\n.\r\n" in b"\r\n" + wire: # that would be the end
        return
    with open(f"cases/{name}.wire", "wb") as f:
        f.write(wire)
    with open(f"cases/{name}.want", "wb") as f:
        f.write(want(wire))

os.mkdir("cases")
everything = bytes(b for b in range(256) if b not in b"\r\n")
case("everything", everything + b"\r\n" + everything[::-1] + b"\r\n")
# many in one message: each string between two lines that keep it apart from the next
for first in (b".", b"\r", b"\n", b"x", b">", b"F"):
    wire = b""
    for rest in itertools.product((b".", b"\r", b"\n", b"x"), repeat=4):
        part = b"-\r\n" + first + b"".join(rest) + b"\r\n"
        if b"\r\n.\r\n" not in part and not part.endswith(b"\r\r\n.\r\n"):
            wire += part
    case("strings-%02x" % first[0], wire)
END
    expect "$(find cases -name '*.wire' | wc -l)" 7
    check_cases cases
}

@test "lines of a megabyte" {
    mkdir cases
    printf 'From ' >from
    head -c 1000000 /dev/zero | tr '\0' x >long
    { cat from long; printf '\r\n'; cat long; printf '\r\n..'; cat long; printf '\r\n'; } >cases/x.wire
    { cat from long; printf '\n'; cat long; printf '\n.'; cat long; printf '\n'; } >cases/x.want
    { yes 'From ' | head -n 200000 | tr -d '\n'; printf '\r\n'; } >cases/from.wire
    { yes 'From ' | head -n 200000 | tr -d '\n'; printf '\n'; } >cases/from.want
    { head -c 1000000 /dev/zero | tr '\0' '>'; printf 'From \r\n'; } >cases/gt.wire
    { head -c 1000000 /dev/zero | tr '\0' '>'; printf 'From \n'; } >cases/gt.want
    { head -c 1000000 /dev/zero; printf '\r\n'; } >cases/nul.wire
    { head -c 1000000 /dev/zero; printf '\n'; } >cases/nul.want
    { head -c 1000000 /dev/zero | tr '\0' '\r'; printf '\r\n'; } >cases/cr.wire
    { head -c 1000000 /dev/zero | tr '\0' '\r'; printf '\n'; } >cases/cr.want
    { head -c 1000000 /dev/zero | tr '\0' '\n'; printf '\r\n'; } >cases/lf.wire
    head -c 1000001 /dev/zero | tr '\0' '\n' >cases/lf.want
    check_cases cases
}

@test "messages around the sizes at which memory is full" {
    mkdir cases
    for size in 65535 65536 65537 131071 131072 131073 131074 262143 262144 262145 262146; do
        # of that many bytes as delivered
        { yes "$(printf '%063d' 0)" | head -c "$((size - 1))"; echo; } >"cases/$size.want"
        expect "$(stat -c %s "cases/$size.want")" "$size"
        sed 's/$/\r/' "cases/$size.want" >"cases/$size.wire"
    done
    check_cases cases
}

@test "typed by hand, lines end in LF" {
    config <<END
deliver rcpt_to a@mx.example append $HERE/mbox
END
    printf '%s\n' 'HELO nc' 'MAIL FROM:<s@client.example>' 'RCPT TO:<a@mx.example>' DATA \
        'Subject: by hand' '' '..' 'From a' '.a' '.' QUIT | session
    expect "$(tail -n 2 replies | masked)" $'250 2.0.0 Ok, delivered as ID\n221 2.0.0 Goodbye'
    "$TESTS/tools/unmbox" mbox out
    expect "$(without_head out/1)" $'Subject: by hand\n\n.\nFrom a\na'
}
