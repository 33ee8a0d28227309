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
    [ "$(list)" = "644 etc/fail2ban/filter.d/mailrecv.conf
644 etc/fail2ban/jail.d/mailrecv.conf
644 etc/mailrecv.conf
644 etc/xinetd.d/mailrecv
644 usr/local/lib/systemd/system/mailrecv.socket
644 usr/local/lib/systemd/system/mailrecv@.service
755 usr/local/sbin/mailrecv
644 usr/local/share/doc/mailrecv/LICENSE
644 usr/local/share/doc/mailrecv/README.md
644 usr/local/share/doc/mailrecv/demanding-commands.conf
644 usr/local/share/doc/mailrecv/mailrecv.conf
644 usr/local/share/man/man5/mailrecv.conf.5
644 usr/local/share/man/man8/mailrecv.8" ]
    cmp "$TESTS/../mailrecv.conf" root/etc/mailrecv.conf
    cmp "$TESTS/../fail2ban/filter.d/mailrecv.conf" root/etc/fail2ban/filter.d/mailrecv.conf
    cmp "$TESTS/../fail2ban/jail.d/mailrecv.conf" root/etc/fail2ban/jail.d/mailrecv.conf
    cmp "$TESTS/../xinetd/mailrecv" root/etc/xinetd.d/mailrecv
    cmp "$TESTS/../systemd/mailrecv.socket" root/usr/local/lib/systemd/system/mailrecv.socket
    cmp "$TESTS/../systemd/mailrecv@.service" root/usr/local/lib/systemd/system/mailrecv@.service
    run root/usr/local/sbin/mailrecv -V
    [[ $output =~ ^mailrecv\ [0-9]+\.[0-9]+$ ]]
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
    echo broken >root/etc/fail2ban/filter.d/mailrecv.conf
    make_it install
    [ "$(cat root/etc/mailrecv.conf)" = 'domain mail.example.com' ]
    [ "$(stat -c %a root/etc/mailrecv.conf)" = 600 ]
    cmp mine root/etc/xinetd.d/mailrecv
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
