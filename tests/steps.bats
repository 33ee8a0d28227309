#!/usr/bin/env bats
# steps.bats - tests/check itself: a step that fails is told, however it fails, and none outlives it

bats_require_minimum_version 1.5.0

load common
load tools/delivery

# tests/check in a directory of its own, with steps of ours, which it gets as functions of its environment.
setup() {
    cd "$BATS_TEST_TMPDIR"
    mkdir tests
    sed '/^tests\/deps /d; s/^read .*print-sources)$/sources=()/' "$TESTS/check" >tests/check
    step_good() { echo unheard; }
    step_bad() { echo heard && false; }
    step_exits() { exit 3; }
    step_unbound() { echo "$nothing"; }
    step_killed() { kill -9 "$BASHPID"; }
    step_orphan() { kill -9 "$(ps -o ppid= -p "$BASHPID")"; }
    step_long() { exec sleep 60 >alive; }
    export -f step_{good,bad,exits,unbound,killed,orphan,long}
}

@test "steps pass, one or two at a time" {
    for n in 1 2; do
        AT_ONCE=$n bash tests/check good good >said
        expect "$(sed -E 's/ +/ /g; s/[0-9]+ s$/N s/' said)" $'check good passed, N s\ncheck good passed, N s'
    done
}

@test "a step that fails, ends its shell or is killed is told, and so says the status" {
    for step in bad exits unbound killed orphan; do
        run -1 bash tests/check good $step
        expect "${lines[-1]}" "check: failed: $step"
    done
    AT_ONCE=3 run -1 bash tests/check bad good exits
    expect "${lines[-1]}" 'check: failed: bad exits'
    [[ $output == *$'\nheard\n'* && $output != *unheard* ]]
}

@test "an interrupted run leaves no step behind" {
    mkfifo alive
    for signal in INT TERM HUP; do
        env --default-signal=INT setsid bash tests/check long >said 2>&1 &
        check=$!
        exec {alive}<alive # which waits for the step
        kill -s $signal $check
        status=0
        wait $check || status=$?
        expect $status 130
        timeout --foreground 10 cat <&"$alive" # it ends when nobody has it open any more
    done
}
