# What the tests of delivery share: a configuration, a client, and looks at what arrived
#
# Every test runs in its own empty directory, $BATS_TEST_TMPDIR. There are then:
#   conf     the configuration, `domain` and `spool_directory` in its first two lines
#   replies  what the client was told, CRs removed
#   log      what was logged
# shellcheck shell=bash

export LC_ALL=C TZ=UTC
shopt -s lastpipe # "echo text | send ..." sets REPLY here, not in a subshell

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    HERE=$PWD
    CLIENT=192.0.2.7=client.example
    HELLO='EHLO helo.example'
}

# Standard input are the lines of the configuration, from line 3 on.
config() {
    { printf 'domain mx.example\nspool_directory %s\n' "$HERE"; cat; } >conf
}

# The client's bytes on standard input become replies. What stands before the program in
# "${UNDER[@]}" runs it: strace, prlimit.
UNDER=()
session() {
    local status=0

    "${UNDER[@]}" "$MAILRECV" -c conf -l "$HERE/log" -P "$CLIENT" >raw_replies || status=$?
    tr -d '\r' <raw_replies >replies
    return "$status"
}

# One transaction, up to and with DATA. SENDER may carry parameters: "a@b> BODY=8BITMIME".
envelope() {
    local sender=$1 rcpt

    shift
    [[ $sender == *'>' || $sender == *'> '* ]] || sender="$sender>"
    printf 'MAIL FROM:<%s\r\n' "$sender"
    for rcpt; do printf 'RCPT TO:<%s>\r\n' "$rcpt"; done
    printf 'DATA\r\n'
}

# Lines that end in LF as they go over the wire, and the end of the message.
on_wire() {
    sed 's/^\./../; s/$/\r/'
    printf '.\r\n'
}

# send SENDER RECIPIENT...: the message on standard input, one session. REPLY is the one after DATA.
send() {
    { printf '%s\r\n' "$HELLO"; envelope "$@"; on_wire; printf 'QUIT\r\n'; } | session
    get_reply
}

# The same with the bytes of the message as they are; they end in CRLF or are none.
send_raw() {
    { printf '%s\r\n' "$HELLO"; envelope "$@"; cat; printf '.\r\nQUIT\r\n'; } | session
    get_reply
}

get_reply() {
    REPLY=$(tail -n 2 replies | head -n 1)
}

expect() { # WHAT IT IS = WHAT IT SHOULD BE
    [ "$1" = "$2" ] || { printf 'got:      %s\nexpected: %s\n' "$1" "$2" >&2; return 1; }
}

refute() { # COMMAND..., which must fail
    if "$@"; then
        echo "succeeded: $*" >&2
        return 1
    fi
}

# Compares a file with the text on standard input.
expect_file() {
    diff -u - "$1" >&2
}

# A copy without our five lines of Return-Path:, Delivered-To: and Received:, and what was changed at the ends of the
# header that a maildir holds.
without_head() {
    sed -E '1,5d; 6s/^X-Mailbox-Line: (>*From )/\1/; /^X-Header-End: added$/{N;d}' "$@"
}

# The text of a copy, behind the first empty line.
text_of() {
    sed '1,/^$/d' "$@"
}

# Shows dates and ids as DATE and ID.
masked() {
    sed -E -e 's/[0-9a-f]{13}\.[0-9a-f]+\.[0-9a-f]+/ID/' \
        -e 's/^(From .*) (Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 0-9][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} [0-9]{4}$/\1 DATE/' \
        -e 's/(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}$/DATE/' \
        "$@"
}

# The log without dates, pids, ids and durations.
log_lines() {
    sed -E -e 's/^.* MAILRECV\[[0-9]+\]: //' -e 's/ id=[0-9a-f.]+/ id=ID/' -e 's/secs=[0-9]+\.[0-9]{3}/secs=SECS/' log
}

# Deliveries in the log, as: result rule target to
deliveries() {
    sed -nE 's/^.*\] delivery result=([a-z]+) id=[^ ]+ rule=([^ ]+) target=([a-z]+) .* to="([^"]*)".*$/\1 \2 \3 \4/p' log
}

# Waits until a condition holds; for what the kernel has no event for.
until_true() {
    local tries=0

    until "$@"; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || { echo "waited in vain: $*" >&2; return 1; }
        sleep 0.02
    done
}

# with_fault CALL[,CALL...] PATTERN FAULT [+]: the session on standard input meets a failing call.
#
# A rehearsal shows which of its process's calls of that name is the first whose line in the trace
# matches the pattern; then the same session has the FAULT there (see inject in strace(1)), with +
# from there on. Before each of both, `fresh`, which the test defines, puts its files in order.
# In the confined session process no call can be made to fail so: seccomp would see no known call.
with_fault() {
    local input call='' nth='' trace="trace=$1" pattern=$2 fault=$3 under=("${UNDER[@]}") status=0

    input=$(mktemp "$HERE/input.XXXXXX")
    cat >"$input"
    : >>log # or only the rehearsal makes it, with one call more
    fresh
    UNDER=(strace -f -y -s 64 -o trace -e "$trace" -e signal=none "${under[@]}")
    session <"$input" || status=$?
    awk -v calls="^(${1//,/|})[(]" -v pattern="$pattern" '
        $2 ~ calls { split($2, name, "("); n[$1, name[1]]++
                     if ($0 ~ pattern) { print name[1], n[$1, name[1]]; exit } }' trace | read -r call nth ||
        { echo "no call of $1 matches $pattern" >&2; return 1; }
    fresh
    UNDER=(strace -f -y -s 64 -o trace -e "$trace" -e signal=none -e "inject=$call:$fault:when=$nth${4:-}" "${under[@]}")
    session <"$input" || status=$?
    UNDER=("${under[@]}")
    rm "$input"
    grep -qE 'INJECTED|SIGKILL| = [?]$' trace || { echo "nothing was injected" >&2; return 1; }
    get_reply
    return "$status"
}
