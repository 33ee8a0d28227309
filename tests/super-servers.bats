#!/usr/bin/env bats
# super-servers.bats - mailrecv -t: what it says of the files with which systemd and xinetd start a listener

bats_require_minimum_version 1.5.0
load common

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    printf '%s\n' 'domain example.com' 'deliver rcpt_to me@example.com append /dev/null' >conf
    mkdir units xinetd.d
    for file in "$TESTS"/../systemd/mailrecv* "$TESTS"/../xinetd/*; do
        sed "s,/etc/mailrecv.conf,$PWD/conf," "$file" >"${file##*/}"
    done
    mv ./*.socket ./*.service units
    sed -i 's/\(disable.*=\).*/\1 no/' mailrecv mailrecv-wait
    mv mailrecv mailrecv-wait xinetd.d
    printf 'defaults\n{\n}\n' >xinetd.conf
}

# says LINE...: -t says these lines of services, with the advice beneath each, and no others
says() {
    # shellcheck disable=SC2016 # of the inner shell
    run unshare -rm sh -c 'mkdir -p /etc/systemd/system && mount -t tmpfs tmpfs /etc && mkdir -p /etc/systemd /etc/xinetd.d &&
        ln -s "$PWD/units" /etc/systemd/system && ln -s "$PWD"/xinetd.d/* /etc/xinetd.d/ && cp xinetd.conf /etc &&
        exec "$@"' sh "$MAILRECV" -t -c "$PWD/conf"
    grep -A 1 -e 'warning: /etc/\(systemd\|xinetd\)' <<<"$output" | grep -v '^--$' >found || true
    printf '%s\n' "$@" | sed "s,^/etc,$PWD/conf: warning: &," | diff - <(cat found; [ $# -gt 0 ] || echo)
}

@test "the files that come with mailrecv: not a word" {
    says
}

@test "a unit without StartLimitIntervalSec=0, or without its socket: what happens then, and what to write" {
    sed -i -e '/^StartLimit/d' -e '/^Requires/d' units/mailrecv-listen.service
    says '/etc/systemd/system/mailrecv-listen.service: without StartLimitIntervalSec=0 systemd closes the port for good when mailrecv, which ends when nobody comes, is started often' \
        '    write there: StartLimitIntervalSec=0' \
        '/etc/systemd/system/mailrecv-listen.service: without Requires=mailrecv-listen.socket that cannot be restarted while the service runs' \
        '    write there: Requires=mailrecv-listen.socket'
}

@test "what a drop-in says counts" {
    sed -i '/^StartLimit/d' units/mailrecv-listen.service
    mkdir units/mailrecv-listen.service.d
    printf '[Unit]\nStartLimitIntervalSec = 0\n' >units/mailrecv-listen.service.d/limit.conf
    says
}

@test "a socket with a trigger limit, or with MaxConnections that have no effect" {
    sed -i '/^TriggerLimit/d' units/mailrecv.socket
    echo MaxConnections=5 >>units/mailrecv-listen.socket
    says '/etc/systemd/system/mailrecv-listen.socket: MaxConnections has no effect with Accept=no' \
        '    write: limit.sessions and limit.client_sessions in the configuration' \
        '/etc/systemd/system/mailrecv.socket: without TriggerLimitIntervalSec=0 a burst of connections makes systemd close the port, until somebody starts the socket again' \
        '    write there: TriggerLimitIntervalSec=0'
}

@test "a socket on port 25, where LMTP is not spoken" {
    says
    echo 'protocol lmtp' >>conf
    local why='on port 25 clients of LMTP hear 421, since others believe that it is SMTP' \
        write='    write there another place: ListenStream=/run/mailrecv.lmtp, or ListenStream=127.0.0.1:24'
    says "/etc/systemd/system/mailrecv-listen.socket: $why" "$write" "/etc/systemd/system/mailrecv.socket: $why" "$write"
    sed -i 's/^ListenStream=25/ListenStream=127.0.0.1:24/' units/mailrecv.socket
    sed -i 's/^ListenStream=25/ListenStream=/; /^ListenStream=$/a ListenStream=[::]:25' units/mailrecv-listen.socket
    says "/etc/systemd/system/mailrecv-listen.socket: $why" "$write"
}

@test "xinetd: only_from and a missing NOLIBWRAP of a listener, whether in its service or in the defaults" {
    sed -i -e 's/ NOLIBWRAP//' -e 's/^}/only_from += 192.0.2.0\n&/' xinetd.d/mailrecv-wait
    local only='with only_from xinetd, which does not know the client of a listener, starts nothing' \
        write='    take it out, and write: deny remotehost in the configuration'
    says "/etc/xinetd.d/mailrecv-wait: $only" "$write" \
        '/etc/xinetd.d/mailrecv-wait: without the flag NOLIBWRAP a line of /etc/hosts.deny can have xinetd start nothing' \
        '    write there: flags = NOLIBWRAP, behind what stands there'
    sed -i -e '/only_from +=/d' xinetd.d/mailrecv-wait
    printf 'defaults\n{\n\tflags = NOLIBWRAP\n\tonly_from = 192.0.2.0\n}\n' >xinetd.conf
    says "/etc/xinetd.d/mailrecv-wait: $only" "$write"
}

@test "services that are off, start another program, or with another configuration: not a word" {
    sed -i -e 's/ NOLIBWRAP//' -e 's/\(disable.*=\).*/\1 yes/' xinetd.d/mailrecv-wait
    sed -i -e '/^StartLimit/d' -e 's,sbin/mailrecv,sbin/another,' units/mailrecv-listen.service
    sed -e '/^StartLimit/d' -e 's,-c [^ ]*,-c /etc/another.conf,' units/mailrecv-listen.service >units/other.service
    says
}
