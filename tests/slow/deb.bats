# deb.bats - the Debian package in a fresh Debian: installed, at work, upgraded, removed, purged
# shellcheck shell=bash
#
# A part of `make check`, which needs root: tree.bash says why. The tests stand in their order: each goes on
# with the tree that the one above has left.

load ../common
load tree

setup_file() {
    export tree=$BATS_FILE_TMPDIR/tree BUILT=$BATS_FILE_TMPDIR/built
    fresh_tree "$tree"
    in_tree "$tree" apt-get -qq install --no-install-recommends xinetd >"$BATS_FILE_TMPDIR/out" 2>&1 || { cat "$BATS_FILE_TMPDIR/out"; return 1; }
}

setup() { cd "$BATS_FILE_TMPDIR"; }

# All files and empty directories but what is mounted, temporary, or a note of apt and dpkg about their work.
list() {
    (cd "$tree" && find . -mindepth 1 \( -path ./proc -o -path ./dev -o -path ./run -o -path ./tmp -o -path ./root \
        -o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log/dpkg.log -o -path ./var/log/apt \) \
        -prune -o \( ! -type d -o -empty \) -printf '/%P\n' | LC_ALL=C sort)
}

# What was not there before us, and belongs to no package that is installed.
remains() {
    dpkg-query --root="$tree" -W -f '${db:Status-Abbrev} ${binary:Package}\n' | sed -n 's/^ii *//p' |
        xargs dpkg-query --root="$tree" -L | LC_ALL=C sort -u >owned
    list | LC_ALL=C comm -13 before - | LC_ALL=C comm -13 owned -
}

@test "make deb builds a package that lintian finds nothing wrong with" {
    make -s -C "$TESTS/.." BUILD="$BUILT" deb >out 2>&1 || { tail -50 out; return 1; }
    run grep -E '^[EW]: ' out
    [ "$status" -eq 1 ]
    mv "$BUILT"/deb/mailrecv_*.deb mailrecv.deb
    [ "$(dpkg-deb -f mailrecv.deb Version)" = "$("$MAILRECV" -V | cut -d' ' -f2)" ]
    # the libraries that the programs are linked with, and those that they load; nothing else is wanted
    dpkg-deb -f mailrecv.deb Depends | tr ',|' '\n\n' | sed -E 's/ *([^ ]+).*/\1/' | LC_ALL=C sort -u | paste -sd' ' >depends
    [ "$(cat depends)" = "libc-ares2 libc6 libcrypt1 libidn2-0 libpcre2-8-0 libssl3 systemd systemd-standalone-sysusers systemd-standalone-tmpfiles systemd-sysusers systemd-tmpfiles" ]
    # those of databases are loaded by a program of its own package
    dpkg-deb -f "$BUILT"/deb/mailrecv-lookup_*.deb Recommends | tr ',' '\n' | sed -E 's/ *([^ ]+).*/\1/' | paste -sd' ' >recommends
    [ "$(cat recommends)" = "liblmdb0 libmariadb3 libpq5 libsqlite3-0" ]
    dpkg-deb -f "$BUILT"/deb/mailrecv-lookup_*.deb Depends | sed -E 's/ *\([^)]*\)//g' >depends
    [ "$(cat depends)" = "mailrecv, libc6" ]
    dpkg-deb -c "$BUILT"/deb/mailrecv-lookup_*.deb | grep -q '^-rwxr-xr-x .* \./usr/sbin/mailrecv-lookup$'
    # who wants to publish has a package of its own
    dpkg-deb -f "$BUILT"/deb/mailrecv-publish_*.deb Depends | tr ',|' '\n\n' | sed -E 's/ *([^ ]+).*/\1/' | LC_ALL=C sort -u | paste -sd' ' >depends
    [ "$(cat depends)" = "libc6 libnats3.4 librabbitmq4" ]
    dpkg-deb -c "$BUILT"/deb/mailrecv-publish_*.deb | grep -q '^-rwxr-xr-x .* \./usr/bin/mailrecv-publish$'
}

@test "installed: a user, places of his own, and nothing that listens" {
    list >before
    cp mailrecv.deb "$tree/root/"
    in_tree "$tree" apt-get -qq install --no-install-recommends /root/mailrecv.deb >out 2>&1 || { cat out; return 1; }
    grep -xE 'mailrecv:x:[1-9][0-9]*:[1-9][0-9]*:receives mail:/:/usr/sbin/nologin' "$tree/etc/passwd"
    in_tree "$tree" stat -c '%F %a %U %G %n' /var/lib/mailrecv /var/log/mailrecv.log >places
    diff places - <<END
directory 700 mailrecv mailrecv /var/lib/mailrecv
regular empty file 640 mailrecv adm /var/log/mailrecv.log
END
    # no unit is enabled, the xinetd service and the jails are off
    [ "$(find "$tree/etc/systemd" -name '*mailrecv*')" = "" ]
    grep -qxE $'\tdisable +=\\s*yes' "$tree/etc/xinetd.d/mailrecv"
    [ "$(grep -c '^enabled *= false' "$tree/etc/fail2ban/jail.d/mailrecv.conf")" -eq "$(grep -c '^enabled' "$tree/etc/fail2ban/jail.d/mailrecv.conf")" ]
    # what an administrator changes is a conffile, all of it and nothing else
    dpkg-query --root="$tree" -W -f '${Conffiles}\n' mailrecv | awk 'NF { print $1 }' | LC_ALL=C sort >conffiles
    (cd "$tree" && find etc -type f | sed 's,^,/,' | LC_ALL=C sort | comm -12 - <(dpkg -L --root="$tree" mailrecv | LC_ALL=C sort)) | diff - conffiles
    [ "$(wc -l <conffiles)" -ge 6 ]
    # and names the programs where they are
    (cd "$tree" && xargs -a ../conffiles -I '{}' grep -H /usr/ '.{}') | grep -v '^\S*: *#' | sed 's,.*\(/usr/\),\1,; s,[ \t].*,,' | sort -u >programs
    [ "$(cat programs)" = /usr/sbin/mailrecv ]
    grep -qx '#tls.helper /usr/libexec/mailrecv-tls' "$tree/etc/mailrecv.conf"
}

@test "installed: the programs take a message for a file and for a command, as the user mailrecv" {
    cp "$TESTS/../debian/tests/delivery" "$tree/root/"
    in_tree "$tree" /root/delivery
}

@test "installed: README.Debian's line makes xinetd serve port 25" {
    cat >"$tree/etc/mailrecv.conf" <<'END'
domain mail.example.com
logfile /var/log/mailrecv.log
deliver rcpt_to inbox@example.com append /var/lib/mailrecv/inbox
END
    {
        echo 'set -e'
        sed -nE 's/^    ((sed|service) .*)/\1/p' "$TESTS/../debian/mailrecv.README.Debian"
        cat <<'END'
for _ in $(seq 100); do # no event tells when a daemon listens
    exec 5<>/dev/tcp/127.0.0.1/25 && break
    sleep 0.1
done 2>/dev/null
printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@client.example>' 'RCPT TO:<inbox@example.com>' DATA 'Subject: hello' '' text . QUIT >&5
timeout 20 cat <&5
service xinetd stop
END
    } >"$tree/root/serve"
    in_tree "$tree" bash /root/serve >out 2>&1 || { cat out; return 1; }
    grep -q '^250 2\.0\.0 Ok, delivered as ' out
    [ "$(tail -n2 "$tree/var/lib/mailrecv/inbox")" = $'text' ]
    [ "$(stat -c %a "$tree/var/lib/mailrecv/inbox")" = 600 ]
    grep -q 'delivery result=delivered .* from="a@client.example"' "$tree/var/log/mailrecv.log"
}

@test "upgraded: changed configuration, mail, log and an enabled socket stay" {
    in_tree "$tree" systemctl enable mailrecv.socket
    dpkg-deb -R mailrecv.deb newer
    sed -i 's/^Version: .*/Version: 999/' newer/DEBIAN/control
    echo '# new' >>newer/etc/mailrecv.conf
    echo '# new' >>newer/etc/logrotate.d/mailrecv
    dpkg-deb --root-owner-group -b newer "$tree/root/newer.deb" >/dev/null
    cp -p "$tree/etc/mailrecv.conf" "$tree/etc/xinetd.d/mailrecv" "$tree/var/lib/mailrecv/inbox" "$tree/var/log/mailrecv.log" .
    cp mailrecv was.conf
    in_tree "$tree" dpkg --force-confdef --force-confold -i /root/newer.deb
    diff mailrecv.conf "$tree/etc/mailrecv.conf"
    diff was.conf "$tree/etc/xinetd.d/mailrecv"
    diff inbox "$tree/var/lib/mailrecv/inbox"
    diff mailrecv.log "$tree/var/log/mailrecv.log"
    tail -n1 "$tree/etc/logrotate.d/mailrecv" | grep -qx '# new' # nobody had changed that one
    [ -L "$tree/etc/systemd/system/sockets.target.wants/mailrecv.socket" ]
}

@test "removed: configuration, log and mail stay, and nothing else" {
    in_tree "$tree" dpkg -r mailrecv
    remains | diff - <(LC_ALL=C sort conffiles - <<END
/etc/mailrecv.conf.dpkg-dist
/etc/systemd/system/sockets.target.wants/mailrecv.socket
/var/lib/mailrecv/inbox
$(dpkg-deb --fsys-tarfile mailrecv.deb | tar -t | sed -nE 's,.*/(mailrecv[a-z-]*\.socket)$,/var/lib/systemd/deb-systemd-helper-enabled/\1.dsh-also,p')
/var/lib/systemd/deb-systemd-helper-enabled/sockets.target.wants/mailrecv.socket
/var/log/mailrecv.log
END
    )
    diff mailrecv.conf "$tree/etc/mailrecv.conf"
}

@test "purged: mail stays, and the user whose it is" {
    touch "$tree/var/log/mailrecv.log.1" "$tree/var/log/mailrecv.log.2.gz"
    in_tree "$tree" dpkg -P mailrecv
    [ "$(remains)" = /var/lib/mailrecv/inbox ]
    diff inbox "$tree/var/lib/mailrecv/inbox"
    grep -q '^mailrecv:' "$tree/etc/passwd"
}

@test "installed and purged without use: nothing is left" {
    rm -r "$tree/var/lib/mailrecv"
    in_tree "$tree" dpkg -i /root/mailrecv.deb >out 2>&1 || { cat out; return 1; }
    [ -d "$tree/var/lib/mailrecv" ]
    in_tree "$tree" dpkg -P mailrecv
    [ "$(remains)" = "" ]
}
