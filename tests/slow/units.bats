# slow/units.bats - recipes under a real systemd with the units as they are: what they need that is not there
# shellcheck shell=bash
#
# A part of `make check`, which needs root: tree.bash says why.

load ../common
load ../recipes
load tree

setup_file() {
    export tree=$BATS_FILE_TMPDIR/tree
    fresh_tree "$tree"
    cd "$BATS_FILE_TMPDIR" || return
    in_tree "$tree" apt-get -qq install --no-install-recommends libc-ares2 libidn2-0 libpcre2-8-0 libssl3 "${recipe_packages[@]}" \
        >out 2>&1 || { cat out; return 1; }
    make -s -C "$TESTS/.." DESTDIR="$tree" install >out 2>&1 || { cat out; return 1; }
    in_tree "$tree" bash -ec 'systemd-sysusers mailrecv.conf; systemd-tmpfiles --create mailrecv.conf'
}

setup() { cd "$BATS_TEST_TMPDIR"; }

# The files of a recipe, whose mail lies below PLACE, go where they belong in the tree; its `deliver` lines to those of others.
install_recipe() { # PLACE TITLE
    local file
    mkdir recipe && cd recipe || return
    recipe_files "$2"
    change_files sed "s,/var/lib/mailrecv,$1,g; /^allowgroup/s,\^.*,127.0.0.1/32,; s,https://[a-z.]*example.com,http://localhost:@PORT@,"
    cat mailrecv.conf >>"$tree/etc/mailrecv.conf"
    [ ! -e commands ] || cat commands >>"$tree/root/once"
    rm -f mailrecv.conf commands
    for file in *; do
        [ -e "$file" ] || continue
        if [ -x "$file" ]; then mv "$file" "$tree/usr/local/bin"; else mv "$file" "$tree/etc/mailrecv"; fi
    done
    cd .. && rmdir recipe
}

# What all of these recipes do with one message each, as lines `RECIPIENT CODE`, when their mail lies below PLACE.
replies_at() { # PLACE [LINE-OF-DROP-IN]
    local title
    rm -rf "$tree/etc/mailrecv" "$tree/etc/systemd/system/mailrecv@.service.d"
    mkdir -p "$tree/etc/mailrecv" "$tree/etc/systemd/system/mailrecv@.service.d"
    [ -z "${2:-}" ] || printf '[Service]\n%s\n' "$2" >"$tree/etc/systemd/system/mailrecv@.service.d/override.conf"
    printf '%s\n' 'domain mail.example.com' 'sandbox on' 'logfile /var/log/mailrecv.log' >"$tree/etc/mailrecv.conf"
    echo 'umask 022' >"$tree/root/once"
    for title in "${titles[@]}"; do install_recipe "$1" "$title"; done
    # one address for each
    sed -i '/procmail/s/joe@/jim@/' "$tree/etc/mailrecv.conf"
    cp "$TESTS/tools/hook" "$tree/root"
    cat >"$tree/root/send.py" <<'END'
import re, smtplib
for name in re.findall(r"^deliver .*rcpt_to ([-a-z]*)@example.com", open("/etc/mailrecv.conf").read(), re.M):
    text = open("/root/a.patch").read() if name == "patches" else "Message-ID: <%s@client.example>\n\ntext\n" % name
    with smtplib.SMTP("127.0.0.1", 25, "client.example", 60) as s:
        try:
            s.sendmail("a@example.com", [name + "@example.com"], "Subject: test\n" + text)
            print(name, 250)
        except smtplib.SMTPResponseException as e:
            print(name, e.smtp_code)
END
    cat - >"$tree/root/script" <<END
#!/bin/bash
set -ex
export HOME=/root PI_CONFIG=/etc/mailrecv/public-inbox place=$1
trap 'cat /var/log/mailrecv.log' EXIT
END
    cat >>"$tree/root/script" <<'END'
: >/var/log/mailrecv.log
rm -rf "$place" /root/port
mkdir -p "$place" && cd /root
bash -ex ./once
# what the words of the recipes say
mkdir -p "$place"/{orders,reports}
age-keygen 2>said | age-keygen -y >/etc/mailrecv/recipients
rm -rf made && git init -q -b main made && cd made && git config user.name Tester && git config user.email tester@example.com
git commit -q --allow-empty -m first
git clone -q --bare . "$place/project" && tail -n 3 .git/config >>"$place/project/config"
echo text >file && git add file && git commit -q -m second && git format-patch -1 --stdout | sed 1d >/root/a.patch
cd /root
python3 hook /root &
until [ -s port ]; do sleep 0.05; done
sed -i "s/@PORT@/$(cat port)/" /etc/mailrecv.conf
echo 200 >answer
chown -R mailrecv /etc/mailrecv "$place"
systemctl start mailrecv.socket
python3 send.py >replies
END
    chmod 755 "$tree/root/script"
    boot_tree "$tree" /root/script || { cat "$tree/root/out"; return 1; }
    cp "$tree/root/out" "$tree/root/replies" .
}

titles=('Archive a mailing list' 'Post to a webhook' 'Hand to maildrop' 'Hand to procmail' 'Store each message once'
    'Archive with public-inbox' 'Index with notmuch' 'Keep in a folder of nmh' 'Store in SQLite' 'Apply patches' 'Tell a chat'
    'Encrypt and store' 'Save attachments')

# The lines of the drop-in that the manual shows.
mapfile -t drop_in < <(sed -n '/^\.Sh DESCRIPTION/,/^\.Sh RECIPES/p' "$RECIPES" | sed -n '/^\[Service\]/,/^\.Ed/p' | sed '1d; $d')

# All of them have this reply, but for those who store nothing: these have 250.
all_hear() { # CODE
    [ "$(wc -l <replies)" -eq 15 ]
    grep -vE '^(raw|hook|alarm) ' replies | grep -vE " $1\$" >others || true
    grep -E '^(raw|hook|alarm) ' replies | grep -v ' 250$' >>others || true
    [ ! -s others ] || { cat others out; return 1; }
}

@test "as they stand, recipes need no drop-in" {
    replies_at /var/lib/mailrecv
    all_hear 250
}

@test "mail in a home needs the first line of the drop-in, and nothing else" {
    [ "${drop_in[0]}" = ProtectHome=no ]
    replies_at /home/mail
    all_hear 451
    replies_at /home/mail "${drop_in[0]}"
    all_hear 250
}

@test "mail below /usr needs the second line of the drop-in, and nothing else" {
    [ "${drop_in[1]}" = ReadWritePaths=/usr/local/mail ]
    replies_at /usr/local/mail
    all_hear 451
    replies_at /usr/local/mail "${drop_in[1]}"
    all_hear 250
}
