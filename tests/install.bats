# install.bats - make install and uninstall: what is put where, for whom, and what stays
# shellcheck shell=bash

load common

setup() {
    cd "$BATS_TEST_TMPDIR"
    root=$PWD/root
    unset MAKEFLAGS MAKELEVEL
    # the objects that are there already need no second compilation, the tree is not touched
    mkdir build
    if [ -d "$TESTS/../build" ]; then cp -p "$TESTS/../build"/*.[od] build/ 2>/dev/null || true; fi
    [ ! -e "$TESTS/../build/sysconfdir" ] || cp -p "$TESTS/../build/sysconfdir" build/
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
644 etc/mailrecv.conf
644 etc/xinetd.d/mailrecv
644 usr/local/lib/systemd/system/mailrecv.socket
644 usr/local/lib/systemd/system/mailrecv@.service
644 usr/local/lib/sysusers.d/mailrecv.conf
644 usr/local/lib/tmpfiles.d/mailrecv.conf
755 usr/local/libexec/mailrecv-tls
755 usr/local/sbin/mailrecv
755 usr/local/sbin/mailrecv-checkpassword
644 usr/local/share/doc/mailrecv/LICENSE
644 usr/local/share/doc/mailrecv/README.md
644 usr/local/share/doc/mailrecv/demanding-commands.conf
644 usr/local/share/doc/mailrecv/mailrecv.conf
644 usr/local/share/man/man5/mailrecv.conf.5
644 usr/local/share/man/man8/mailrecv-checkpassword.8
644 usr/local/share/man/man8/mailrecv-tls.8
644 usr/local/share/man/man8/mailrecv.8" ]
    cmp "$TESTS/../mailrecv.conf" root/etc/mailrecv.conf
    cmp "$TESTS/../fail2ban/filter.d/mailrecv.conf" root/etc/fail2ban/filter.d/mailrecv.conf
    cmp "$TESTS/../fail2ban/jail.d/mailrecv.conf" root/etc/fail2ban/jail.d/mailrecv.conf
    cmp "$TESTS/../xinetd/mailrecv" root/etc/xinetd.d/mailrecv
    cmp "$TESTS/../systemd/mailrecv.socket" root/usr/local/lib/systemd/system/mailrecv.socket
    cmp "$TESTS/../systemd/mailrecv@.service" root/usr/local/lib/systemd/system/mailrecv@.service
    run root/usr/local/sbin/mailrecv -V
    [[ $output =~ ^mailrecv\ [0-9]+\.[0-9]+$ ]]
    [ "$(root/usr/local/libexec/mailrecv-tls -V)" = "mailrecv-tls ${output#mailrecv }" ]
    run root/usr/local/sbin/mailrecv -t -c root/etc/mailrecv.conf
    [ "$status" -eq 0 ]
}

@test "the umask of whoever installs does not matter" {
    (umask 077 && make_it install)
    [ "$(find root -type d -printf '%m\n' | sort -u)" = 755 ]
    [ "$(list | cut -d' ' -f1 | sort -u | tr '\n' ' ')" = "644 755 " ]
}

@test "units, xinetd service and program name each other and the configuration, wherever they are" {
    make_it PREFIX=/opt/mail SYSCONFDIR=/opt/mail/etc install
    [ -x root/opt/mail/sbin/mailrecv ]
    grep -qx 'ExecStart=/opt/mail/sbin/mailrecv -c /opt/mail/etc/mailrecv.conf' root/opt/mail/lib/systemd/system/mailrecv@.service
    grep -qxE $'\tserver += /opt/mail/sbin/mailrecv' root/opt/mail/etc/xinetd.d/mailrecv
    grep -qxE $'\tserver_args +=.* -c /opt/mail/etc/mailrecv.conf' root/opt/mail/etc/xinetd.d/mailrecv
    [ "$(grep -rlE '/usr/local|[= ]/etc/mailrecv' root/opt/mail/etc/xinetd.d root/opt/mail/lib)" = "" ]
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
    [ "$(list | cut -d' ' -f2)" = "etc/mailrecv.conf
usr/local/share/man/man8/other.8" ]
    cmp "$TESTS/../mailrecv.conf" root/etc/mailrecv.conf
    [ ! -e root/usr/local/share/doc/mailrecv ]
    make_it uninstall
    rm -r root
    make_it uninstall
    [ ! -e root ]
}

@test "the line of README that installs the drop-in puts it where systemd looks" {
    make_it install
    line=$(sed -nE 's,^    (install -D -m 644 )(/usr/local/[^ ]*) (/etc/systemd/.*)$,\1root\2 root\3,p' "$TESTS/../README.md")
    [ -n "$line" ]
    eval "$line"
    cmp "$TESTS/../systemd/demanding-commands.conf" root/etc/systemd/system/mailrecv@.service.d/demanding-commands.conf
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
