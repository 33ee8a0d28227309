# install.bats - make install and uninstall: what is put where, for whom, and what stays
# shellcheck shell=bash

load common
load serving

setup() {
    cd "$BATS_TEST_TMPDIR"
    root=$PWD/root
    unset MAKEFLAGS MAKELEVEL
    # what is there already is compiled and linked no second time, the tree is not touched
    mkdir build
    if [ -d "$TESTS/../build" ]; then (into=$PWD/build && cd "$TESTS/../build" && find . -path ./static -prune -o \( -name '*.[od]' -o -name 'mailrecv*' \) -type f -exec cp -p --parents {} "$into" \;); fi
    [ ! -e "$TESTS/../build/sysconfdir" ] || cp -p "$TESTS/../build/sysconfdir" build/
}

teardown() {
    stop_server
}

# make install or uninstall into $root
make_it() {
    make -s -C "$TESTS/.." BUILD="$PWD/build" DESTDIR="$root" "$@"
}

# All files below $root with their modes.
list() { (cd "$root" && find . -type f -printf '%m %P\n' | LC_ALL=C sort -k 2); }

@test "install puts each file where it belongs, with its mode" {
    make_it install
    [ "$(list)" = "644 etc/fail2ban/filter.d/mailrecv-auth.conf
644 etc/fail2ban/filter.d/mailrecv.conf
644 etc/fail2ban/jail.d/mailrecv.conf
644 etc/logrotate.d/mailrecv
644 etc/mailrecv-submission.conf
644 etc/mailrecv-submissions.conf
644 etc/mailrecv.conf
644 etc/xinetd.d/mailrecv
644 etc/xinetd.d/mailrecv-submission
644 etc/xinetd.d/mailrecv-submission-wait
644 etc/xinetd.d/mailrecv-submissions
644 etc/xinetd.d/mailrecv-submissions-wait
644 etc/xinetd.d/mailrecv-wait
755 usr/local/bin/mailrecv-publish
755 usr/local/bin/mailrecv-report
644 usr/local/lib/systemd/system/mailrecv-listen.service
644 usr/local/lib/systemd/system/mailrecv-listen.socket
644 usr/local/lib/systemd/system/mailrecv-submission-listen.service
644 usr/local/lib/systemd/system/mailrecv-submission-listen.service.d/tls.conf
644 usr/local/lib/systemd/system/mailrecv-submission-listen.socket
644 usr/local/lib/systemd/system/mailrecv-submission.socket
644 usr/local/lib/systemd/system/mailrecv-submission@.service
644 usr/local/lib/systemd/system/mailrecv-submission@.service.d/tls.conf
644 usr/local/lib/systemd/system/mailrecv-submissions-listen.service
644 usr/local/lib/systemd/system/mailrecv-submissions-listen.service.d/tls.conf
644 usr/local/lib/systemd/system/mailrecv-submissions-listen.socket
644 usr/local/lib/systemd/system/mailrecv-submissions.socket
644 usr/local/lib/systemd/system/mailrecv-submissions@.service
644 usr/local/lib/systemd/system/mailrecv-submissions@.service.d/tls.conf
644 usr/local/lib/systemd/system/mailrecv.socket
644 usr/local/lib/systemd/system/mailrecv@.service
644 usr/local/lib/sysusers.d/mailrecv.conf
644 usr/local/lib/tmpfiles.d/mailrecv.conf
755 usr/local/libexec/mailrecv-tls
755 usr/local/sbin/mailrecv
755 usr/local/sbin/mailrecv-checkpassword
755 usr/local/sbin/mailrecv-lookup
644 usr/local/share/bash-completion/completions/mailrecv
644 usr/local/share/doc/mailrecv/LICENSE
644 usr/local/share/doc/mailrecv/README.md
644 usr/local/share/doc/mailrecv/bench/session.svg
644 usr/local/share/doc/mailrecv/demanding-commands.conf
644 usr/local/share/doc/mailrecv/mailrecv.conf
644 usr/local/share/doc/mailrecv/man/delivery.svg
644 usr/local/share/doc/mailrecv/tls.conf
644 usr/local/share/man/man1/mailrecv-publish.1
644 usr/local/share/man/man1/mailrecv-report.1
644 usr/local/share/man/man5/mailrecv.conf.5
644 usr/local/share/man/man7/mailrecv-recipes.7
644 usr/local/share/man/man7/mailrecv-scale.7
644 usr/local/share/man/man8/mailrecv-checkpassword.8
644 usr/local/share/man/man8/mailrecv-lookup.8
644 usr/local/share/man/man8/mailrecv-tls.8
644 usr/local/share/man/man8/mailrecv.8
644 usr/local/share/zsh/site-functions/_mailrecv" ]
    cmp "$TESTS/../mailrecv.conf" root/etc/mailrecv.conf
    cmp "$TESTS/../fail2ban/filter.d/mailrecv.conf" root/etc/fail2ban/filter.d/mailrecv.conf
    cmp "$TESTS/../fail2ban/jail.d/mailrecv.conf" root/etc/fail2ban/jail.d/mailrecv.conf
    for name in mailrecv mailrecv-wait; do cmp "$TESTS/../xinetd/$name" root/etc/xinetd.d/$name; done
    for unit in mailrecv{.socket,@.service,-listen.socket,-listen.service}; do
        cmp "$TESTS/../systemd/$unit" "root/usr/local/lib/systemd/system/$unit"
    done
    run root/usr/local/sbin/mailrecv -V
    [[ $output =~ ^mailrecv\ [0-9]+\.[0-9]+$ ]]
    [ "$(root/usr/local/libexec/mailrecv-tls -V)" = "mailrecv-tls ${output#mailrecv }" ]
    run root/usr/local/sbin/mailrecv -t -c root/etc/mailrecv.conf
    [ "$status" -eq 0 ]
}

@test "install leaves the programs of the tests as they are" {
    echo 'not to be touched' >build/unit
    cp build/unit build/replay
    make_it install
    [ "$(cat build/unit build/replay | uniq -c | tr -s ' ')" = ' 2 not to be touched' ]
}

@test "the umask of whoever installs does not matter" {
    (umask 077 && make_it install)
    [ "$(find root -type d -printf '%m\n' | sort -u)" = 755 ]
    [ "$(list | cut -d' ' -f1 | sort -u | tr '\n' ' ')" = "644 755 " ]
}

@test "units, xinetd service and program name each other and the configuration, wherever they are" {
    make_it PREFIX=/opt/mail SYSCONFDIR=/opt/mail/etc install
    [ -x root/opt/mail/sbin/mailrecv ]
    for service in mailrecv@ mailrecv-listen; do
        grep -qx 'ExecStart=/opt/mail/sbin/mailrecv -c /opt/mail/etc/mailrecv.conf' root/opt/mail/lib/systemd/system/$service.service
    done
    for name in mailrecv mailrecv-wait; do
        grep -qxE $'\tserver += /opt/mail/sbin/mailrecv' root/opt/mail/etc/xinetd.d/$name
        grep -qxE $'\tserver_args +=.* -c /opt/mail/etc/mailrecv.conf' root/opt/mail/etc/xinetd.d/$name
    done
    [ "$(grep -rlE '/usr/local|[= ]/etc/mailrecv' root/opt/mail/etc/xinetd.d root/opt/mail/lib)" = "" ]
    # the manual pages and the example, too
    grep -qx '#tls.helper /opt/mail/libexec/mailrecv-tls' root/opt/mail/etc/mailrecv.conf
    grep -qF ' /opt/mail/sbin/mailrecv mailrecv -c /opt/mail/etc/mailrecv.conf' root/opt/mail/share/man/man8/mailrecv.8
    [ "$(grep -rlE '/usr/local/(sbin|libexec|share)/|[ =]/etc/mailrecv' root/opt/mail/share/man)" = "" ]
    # what is compiled in
    run root/opt/mail/sbin/mailrecv -h
    [[ $output == *" /opt/mail/etc/mailrecv.conf"* ]]
    run root/opt/mail/sbin/mailrecv-checkpassword -h
    [[ $output == *" /opt/mail/etc/mailrecv.users"* ]]
    # and back again
    make_it install
    run root/usr/local/sbin/mailrecv -h
    [[ $output == *" /etc/mailrecv.conf"* ]]
}

@test "install again: configuration and xinetd service stay as the administrator left them" {
    make_it install
    echo 'domain mail.example.com' >root/etc/mailrecv.conf
    chmod 600 root/etc/mailrecv.conf
    echo '# mine' >>root/etc/xinetd.d/mailrecv
    cp root/etc/xinetd.d/mailrecv mine
    echo '# mine' >>root/etc/logrotate.d/mailrecv
    echo broken >root/etc/fail2ban/filter.d/mailrecv.conf
    make_it install
    [ "$(cat root/etc/mailrecv.conf)" = 'domain mail.example.com' ]
    [ "$(stat -c %a root/etc/mailrecv.conf)" = 600 ]
    cmp mine root/etc/xinetd.d/mailrecv
    [ "$(tail -n1 root/etc/logrotate.d/mailrecv)" = '# mine' ]
    cmp "$TESTS/../fail2ban/filter.d/mailrecv.conf" root/etc/fail2ban/filter.d/mailrecv.conf
}

@test "uninstall leaves nothing but the configuration, and does not mind being called again" {
    make_it install
    touch root/usr/local/share/man/man8/other.8
    make_it uninstall
    [ "$(list | cut -d' ' -f2)" = "etc/mailrecv-submission.conf
etc/mailrecv-submissions.conf
etc/mailrecv.conf
usr/local/share/man/man8/other.8" ]
    cmp "$TESTS/../mailrecv.conf" root/etc/mailrecv.conf
    [ ! -e root/usr/local/share/doc/mailrecv ]
    make_it uninstall
    rm -r root
    make_it uninstall
    [ ! -e root ]
}

@test "the lines of README that install the drop-ins put them where systemd looks" {
    make_it install
    line=$(sed -nE 's,^    (install -D -m 644 )(/usr/local/[^ ]*) (/etc/systemd/.*)$,\1root\2 root\3,p' "$TESTS/../README.md")
    [ -n "$line" ]
    eval "$line"
    cmp "$TESTS/../systemd/demanding-commands.conf" root/etc/systemd/system/mailrecv@.service.d/demanding-commands.conf
    cmp "$TESTS/../systemd/tls.conf" root/etc/systemd/system/mailrecv@.service.d/tls.conf
}

# ---- the user, the places it may write to, and its log ----

# Runs the line of README that begins with $1, in $root instead of the system.
readme_line() {
    local line
    line=$(sed -nE "s,^    ($1 .*),\1,p" "$TESTS/../README.md")
    [ "$(wc -l <<<"$line")" -eq 1 ]
    # shellcheck disable=SC2086 # a line of words
    set -- $line
    "$1" --root="$root" "${@:2}"
}

@test "systemd-sysusers makes the user as README says" {
    make_it install
    readme_line systemd-sysusers
    grep -xE 'mailrecv:x:[1-9][0-9]*:[1-9][0-9]*:receives mail:/:/usr/sbin/nologin' root/etc/passwd
    [ "$(cut -d: -f1 root/etc/passwd root/etc/group | tr '\n' ' ')" = "mailrecv mailrecv " ]
    [ "$(cut -d: -f4 root/etc/passwd)" = "$(cut -d: -f3 root/etc/group)" ]
    cat root/etc/passwd root/etc/group >before
    readme_line systemd-sysusers # changes nothing that is there
    cat root/etc/passwd root/etc/group | diff before -
}

# Here the user is whoever runs the test, because only root can give files away; as root, another one.
@test "systemd-tmpfiles makes the places that the user may write to, and keeps what is in them" {
    make_it install
    uid=$(id -u) gid=$(id -g) adm=$(id -g)
    [ "$uid" -ne 0 ] || uid=23456 gid=23457 adm=23458
    echo "mailrecv:x:$uid:$gid::/:/usr/sbin/nologin" >root/etc/passwd
    printf 'mailrecv:x:%s:\nadm:x:%s:\n' "$gid" "$adm" >root/etc/group
    readme_line systemd-tmpfiles
    [ "$(stat -c '%F %a %u %g' root/var/lib/mailrecv)" = "directory 700 $uid $gid" ]
    [ "$(stat -c '%F %a %u %g' root/var/log/mailrecv.log)" = "regular empty file 640 $uid $adm" ]
    echo mail >root/var/lib/mailrecv/inbox
    echo line >root/var/log/mailrecv.log
    readme_line systemd-tmpfiles
    [ "$(cat root/var/lib/mailrecv/inbox root/var/log/mailrecv.log)" = $'mail\nline' ]
    [ "$(find root/var | sort | tr '\n' ' ')" = "root/var root/var/lib root/var/lib/mailrecv root/var/lib/mailrecv/inbox root/var/log root/var/log/mailrecv.log " ]
}

# One session that says $1 in HELO; it is in the log then.
session() { printf 'HELO %s\r\nQUIT\r\n' "$1" | "$MAILRECV" -c conf -P 192.0.2.7 -d s >replies; }

@test "logrotate: the next session writes to the new file, one that runs to the old; eight are kept" {
    PATH=$PATH:/usr/sbin
    mkdir -m 755 logs
    printf 'domain mail.example.com\nlogfile %s/logs/mailrecv.log\n' "$PWD" >conf
    sed -e "s,/var/log/,$PWD/logs/," -e "s/create 0640 mailrecv adm/create 0640 $(id -un) $(id -gn)/" \
        "$TESTS/../logrotate/mailrecv" >rotate.conf
    [ "$(diff rotate.conf "$TESTS/../logrotate/mailrecv" | grep -c '^<')" -eq 3 ] # the comment has the path, too
    chmod 644 rotate.conf
    rotate() { logrotate -s "$PWD/state" "$@" rotate.conf; }
    rotate -f # nothing is there yet, and nothing is wrong with that
    [ "$(ls logs)" = "" ]
    session first.example
    rotate # it is not a week old
    [ "$(ls logs)" = mailrecv.log ]
    # a session that begins before and ends after
    mkfifo client
    "$MAILRECV" -c conf -P 192.0.2.8 -d s <client >running &
    exec 5>client
    wait_for running '^220 '
    chmod 600 logs/mailrecv.log # logrotate gives the mode, whatever it was
    rotate -f
    session second.example
    printf 'HELO running.example\r\nQUIT\r\n' >&5
    exec 5>&-
    wait $!
    [ "$(ls logs | tr '\n' ' ')" = "mailrecv.log mailrecv.log.1 " ]
    [ "$(stat -c '%a %U %G' logs/mailrecv.log)" = "640 $(id -un) $(id -gn)" ]
    [ "$(grep -ho 'HELO [a-z.]*' logs/mailrecv.log)" = "HELO second.example" ]
    [ "$(grep -ho 'HELO [a-z.]*' logs/mailrecv.log.1 | tr '\n' ' ')" = "HELO first.example HELO running.example " ]
    for n in 1 2 3 4 5 6 7 8 9; do
        session "$n.example"
        rotate -f
    done
    [ "$(ls logs | tr '\n' ' ')" = "mailrecv.log mailrecv.log.1 $(printf 'mailrecv.log.%d.gz ' 2 3 4 5 6 7 8)" ]
    gzip -dc logs/mailrecv.log.8.gz | grep -q 'HELO 2.example'
    grep -q 'HELO 9.example' logs/mailrecv.log.1
}

# ---- the other ports ----

# What differs from port 25: in the lines of FILE that are no comments.
changed() { # FILE NEW-FILE
    diff <(grep -v '^\s*#' "$1") <(grep -v '^\s*#' "$2") | grep '^>'
}

@test "the ports 587 and 465 have the services of port 25, with their own number, configuration and key" {
    make_it install
    units=root/usr/local/lib/systemd/system
    for at in submission:587 submissions:465; do
        name=mailrecv-${at%:*} port=${at#*:}
        [ "$(changed $units/mailrecv.socket "$units/$name.socket")" = "> ListenStream=$port" ]
        [ "$(changed $units/mailrecv@.service "$units/$name@.service")" = "> ExecStart=/usr/local/sbin/mailrecv -c /etc/$name.conf" ]
        [ "$(changed root/etc/xinetd.d/mailrecv "root/etc/xinetd.d/$name" | tr -d ' \t>')" = "service$name
port=$port
server_args=-c/etc/$name.conf" ]
        # and those where mailrecv accepts
        [ "$(changed $units/mailrecv-listen.socket "$units/$name-listen.socket")" = "> Conflicts=$name.socket
> After=$name.socket
> ListenStream=$port" ]
        [ "$(changed $units/mailrecv-listen.service "$units/$name-listen.service")" = "> Requires=$name-listen.socket
> ExecStart=/usr/local/sbin/mailrecv -c /etc/$name.conf" ]
        [ "$(changed root/etc/xinetd.d/mailrecv-wait "root/etc/xinetd.d/$name-wait" | tr -d ' \t>')" = "service$name-wait
port=$port
server_args=-c/etc/$name.conf" ]
        # comments name what they stand in
        if grep -E "mailrecv(@|-listen)?\.(socket|service)" "$units/$name"{,-listen}.socket "$units/$name"{@,-listen}.service; then return 1; fi
        for service in "$name@" "$name-listen"; do cmp "$TESTS/../systemd/tls.conf" "$units/$service.service.d/tls.conf"; done
        cmp "$TESTS/../$name.conf" "root/etc/$name.conf"
        # systemd takes them, with the drop-in
        sed -i "s,/usr/local/sbin,$PWD/root/usr/local/sbin," "$units/$name@.service" "$units/$name-listen.service"
        run systemd-analyze verify --man=no "$PWD/$units/$name"{,-listen}.socket "$PWD/$units/$name"{@,-listen}.service
        [ "$output" = "" ]
        for service in "$name@" "$name-listen"; do
            systemd-analyze security --no-pager --offline=true --threshold=20 "$PWD/$units/$service.service"
        done
    done
    echo '# mine' >>root/etc/mailrecv-submission.conf
    make_it install
    [ "$(tail -n1 root/etc/mailrecv-submission.conf)" = '# mine' ]
}

@test "configurations, services and drop-ins of the other ports follow PREFIX and SYSCONFDIR" {
    make_it PREFIX=/opt/mail SYSCONFDIR=/opt/mail/etc install
    units=root/opt/mail/lib/systemd/system
    grep -qx 'ExecStart=/opt/mail/sbin/mailrecv -c /opt/mail/etc/mailrecv-submissions.conf' $units/mailrecv-submissions@.service
    grep -qx 'LoadCredential=key.pem:/opt/mail/etc/mailrecv/tls/key.pem' $units/mailrecv-submission@.service.d/tls.conf
    grep -qx 'tls.key /opt/mail/etc/mailrecv/tls/key.pem' root/opt/mail/etc/mailrecv-submission.conf
    [ "$(grep -rlE '/usr/local|(^|[ =:])/etc/mailrecv' $units root/opt/mail/etc/mailrecv-*.conf root/opt/mail/etc/xinetd.d | tr '\n' ' ')" = "" ]
}

@test "the line of README that lets xinetd start them as root, with a user to become, does" {
    make_it install
    line=$(sed -nE 's,^    (sed -i .*) /etc/(xinetd.d/mailrecv-submission) /etc/(xinetd.d/mailrecv-submissions)$,\1 root/etc/\2 root/etc/\3,p' "$TESTS/../README.md")
    [ -n "$line" ]
    eval "$line"
    for at in submission submissions; do
        [ "$(grep -cE '^\s(user|disable) = (root|no)$' "root/etc/xinetd.d/mailrecv-$at")" -eq 2 ]
        [ "$(changed root/etc/xinetd.d/mailrecv "root/etc/xinetd.d/mailrecv-$at" | wc -l)" -eq 5 ]
        grep -qx 'user mailrecv' "root/etc/mailrecv-$at.conf"
    done
}

# The lines of README that make certificate, key and users file, as printed, below $PWD instead of /etc/mailrecv;
# the group is ours.
follow_readme() {
    local lines
    lines=$(awk '/^## TLS and passwords/ { on = 1 } /^### / { on = 0 } on && /^    (install|make|mv|mailrecv)/' "$TESTS/../README.md" |
        sed -e "s,/etc/mailrecv,$PWD,g" -e "s,^    make,make -s -f '$TESTS/../Makefile'," -e "s,-g mailrecv,-g $(id -gn)," \
            -e "s,mailrecv-checkpassword,${MAILRECV%/*}/mailrecv-checkpassword,")
    [ "$(wc -l <<<"$lines")" -eq 6 ]
    eval "$lines" <<<secret
}

# The configuration of a port as it is shipped, with the files of follow_readme and some mail to accept.
other_port() { # NAME
    [ -e users ] || follow_readme >follow.out 2>&1
    # whoever runs this is the user already, as User= of the unit would have it
    sed -e "s,/etc/mailrecv/,$PWD/," -e "s,^user .*,logfile $PWD/log," -e 's/^#\(domain\|deliver\) /\1 /' \
        -e "s,pipe new-ticket .*,pipe { echo \"\$SASL_USERNAME\"; cat; } >$PWD/ticket," "$TESTS/../mailrecv-$1.conf" >conf
    chmod 600 conf
}

@test "the configurations of the other ports load, and ask for TLS and a password" {
    for at in submission:required submissions:implicit; do
        other_port "${at%:*}"
        run "$MAILRECV" -t -c conf
        [ "$status" -eq 0 ]
        grep -qx "tls ${at#*:}" <<<"$output"
        grep -qx 'auth required' <<<"$output"
        grep -qx "tls.key $PWD/tls/key.pem" <<<"$output"
        grep -qx "auth.users $PWD/users" <<<"$output"
    done
}

@test "the other ports as they are shipped, with make cert, a password, and all that the unit restricts" {
    for at in submission submissions; do
        other_port $at
        start_server systemd-socket-activate "$PWD" "$TESTS/under-unit" "$TESTS/../systemd/mailrecv@.service" -- \
            "$MAILRECV" -c "$PWD/conf"
        python3 - "$SERVER_PORT" $at <<'END'
import smtplib, ssl, sys
port, tls = int(sys.argv[1]), ssl.create_default_context(cafile="tls/cert.pem")
if sys.argv[2] == "submission":
    s = smtplib.SMTP("localhost", port, "client.example", 60)
    assert s.docmd("MAIL", "FROM:<ann@example.com>") == (530, b"5.7.0 Say STARTTLS first")
    s.starttls(context=tls)
else:
    s = smtplib.SMTP_SSL("localhost", port, "client.example", timeout=60, context=tls)
s.ehlo()
assert s.docmd("MAIL", "FROM:<ann@example.com>") == (530, b"5.7.0 Authentication is required")
s.login("ann@example.com", "secret")
s.sendmail("ann@example.com", ["tickets@example.com"], "Subject: %s\r\n\r\ntext\r\n" % sys.argv[2])
s.quit()
END
        [ "$(sed -n '1p;/^Subject/p;$p' ticket)" = "ann@example.com
Subject: $at
text" ]
        grep -q ' with ESMTPSA id ' ticket
        wait_for log 'end reason=quit'
        grep -q 'delivery result=delivered .* target=pipe' log
        [ "$(grep -cE 'violation|killed|failed|sandbox' log)" -eq 0 ]
        stop_server
        rm ticket log
    done
}
