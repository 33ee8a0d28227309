#!/usr/bin/env bats
# A power cut at any moment: whatever a 250 speaks for was synced, with its name, before the 250 left

load common
load tools/delivery

CALLS=execve,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,wait4,waitid,sendmsg

config_of() { # on|off, as the sandbox; what stands behind it are further lines
    config <<END
sandbox $1
deliver rcpt_to box@mx.example append $HERE/mbox
deliver rcpt_to dir@mx.example maildir $HERE/box
deliver rcpt_to pipe@mx.example pipe cat >/dev/null
deliver rcpt_to exec@mx.example exec /bin/cat
deliver rcpt_to failing@mx.example pipe exit 75
deliver rcpt_to locked@mx.example append $HERE/missing/mbox
deliver rcpt_to refusing@mx.example pipe exit 65
$2
END
}

# What each process does is a file of its own, in the order in which it does it.
traced_session() {
    rm -f trace.*
    UNDER=(strace -ff -y -s 4096 -o trace -e signal=none -e "trace=$CALLS")
    session
    get_reply
}

trace_of_monitor() { grep -lF "execve(\"$MAILRECV\", " trace.*; }

# The steps of a process, one word each, joined by blanks: what is written (not to files without a name)
# and synced below $HERE, `.` being $HERE itself; exit, when the status of a command is known; answer, when the monitor tells
# the session of the success; 250, when the client is told.
steps() { # TRACE
    sed -nE -e "/<${HERE//\//\\/}\/log>/d" \
        -e 's/^write\([^ ]*\/raw_replies>, ".*250 2\.0\.0 Ok, delivered as .*/250/p' \
        -e '/\/raw_replies>/d' \
        -e 's/^sendmsg\(.*Ok, delivered as.* = [0-9]+$/answer/p' \
        -e '/^write\([0-9]+<[^>]*(memfd:|\/#[0-9]+)/d' \
        -e "s/^(write|pwrite64|writev)\([0-9]+<${HERE//\//\\/}\/([^>]*)>.* = [0-9]+$/write:\2/p" \
        -e "s/^(fsync|fdatasync)\([0-9]+<${HERE//\//\\/}\/([^>]*)>\) += 0$/sync:\2/p" \
        -e "s/^fsync\([0-9]+<${HERE//\//\\/}>\) += 0$/sync:./p" \
        -e "s/^renameat2?\([0-9]+<${HERE//\//\\/}\/([^>]*)>, \"([^\"]*)\", [0-9]+<${HERE//\//\\/}\/([^>]*)>, \"([^\"]*)\".* = 0$/rename:\1\/\2:\3\/\4/p" \
        -e 's/^wait4\(.*WIFEXITED.* = [0-9]+$/exit/p' "$1" |
        sed -E 's/[0-9]+\.M[0-9]+P[0-9]+Q[0-9]+\.[^ :]+/NAME/g' |
        awk '$0 != last || !/^write/ { printf "%s ", $0 } { last = $0 }'
}

# Plays a transaction with and without the wall. The steps are those of the process that delivers.
check_order() { # STEPS RECIPIENT...
    local expected=$1 trace sandbox
    shift
    for sandbox in on off; do
        fresh
        config_of "$sandbox" "${FURTHER:-}"
        { printf 'EHLO helo.example\r\n'; envelope s@client.example "$@"; yes text | head -n "${LINES_SENT:-1}" | on_wire
            printf 'QUIT\r\n'; } | traced_session
        expect "$sandbox: ${REPLY%% as *}" "$sandbox: 250 2.0.0 Ok, delivered"
        trace=$(trace_of_monitor)
        if [ "$sandbox" = on ]; then
            expect "$(steps "$trace" | sed 's/exit $//')" "$expected answer " # that of the session itself
            # what the client hears is that answer: the id in it is the monitor's
            grep -q "^sendmsg(.*Ok, delivered as.*${REPLY##* }" "$trace"
        else
            expect "$(steps "$trace")" "$expected 250 "
        fi
    done
}

MAILDIR='write:box/tmp/NAME sync:box/tmp/NAME sync:box sync:. rename:box/tmp/NAME:box/new/NAME sync:box/new'
fresh() { rm -rf mbox box dead; }

@test "a new mbox: the file, then its directory, then the 250" {
    check_order 'write:mbox sync:mbox sync:.' box@mx.example
}

@test "an mbox with mail: the file, then the 250" {
    fresh() { printf 'From old\n\n' >mbox; }
    check_order 'write:mbox sync:mbox' box@mx.example
}

@test "an empty mbox, whose name may be as new: the file, its directory, the 250" {
    fresh() { : >mbox; }
    check_order 'write:mbox sync:mbox sync:.' box@mx.example
}

@test "a message that outgrows memory: the same" {
    LINES_SENT=60000 check_order 'write:mbox sync:mbox sync:.' box@mx.example
}

@test "a maildir: the file in tmp, its new name, the directory of that name, the 250" {
    fresh() { rm -rf box; mkdir -p box/tmp box/new box/cur; }
    check_order "$MAILDIR" dir@mx.example
}

@test "a maildir that has to be made: it and the directory that holds it are synced before the mail is in it" {
    check_order "$MAILDIR" dir@mx.example
}

@test "a command: its exit status is known before the 250" {
    check_order exit pipe@mx.example
    check_order exit exec@mx.example
}

@test "a dead letter without a rule: the file and its directory, then the 250" {
    FURTHER="deadletter_file $HERE/dead" check_order 'write:dead sync:dead sync:.' nobody@mx.example
}

@test "a dead letter of a command that failed: its exit status, the file, its directory, the 250" {
    FURTHER="deadletter_file $HERE/dead" check_order 'exit write:dead sync:dead sync:.' failing@mx.example
}

@test "a dead letter of a file that failed: the file, its directory, the 250" {
    FURTHER="deadletter_file $HERE/dead" check_order 'write:dead sync:dead sync:.' locked@mx.example
}

@test "several recipients: each of them before the one 250, and a refused one in the dead letters, too" {
    fresh() { rm -rf mbox dead; mkdir -p box/tmp box/new box/cur; }
    FURTHER="deadletter_file $HERE/dead" \
        check_order "exit exit write:dead sync:dead sync:. write:mbox sync:mbox sync:. $MAILDIR" \
        box@mx.example dir@mx.example pipe@mx.example refusing@mx.example
}

@test "several messages of a session: each 250 speaks for what was synced before it" {
    fresh
    config_of on
    { printf 'EHLO helo.example\r\n'
        for i in 1 2 3; do envelope s@client.example box@mx.example; echo "$i" | on_wire; done
        printf 'QUIT\r\n'; } | traced_session
    expect "$(steps "$(trace_of_monitor)")" \
        'write:mbox sync:mbox sync:. answer write:mbox sync:mbox answer write:mbox sync:mbox answer exit '
}
