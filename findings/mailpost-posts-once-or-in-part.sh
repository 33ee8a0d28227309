#!/bin/bash
# mailpost-posts-once-or-in-part.sh - which mail never becomes an article, or half of one, by mailpost of INN
#
# Mail servers hand mail for a newsgroup to mailpost, and take its exit status for the fate of the message: with
# another one than 0 they try again later. Here is that of inn2 2.7.1, with a command in place of inews (-o). Seen:
# - It notes the Message-ID before it posts. When posting fails it exits with 1; the second attempt finds the note,
#   exits with 1 again, and so do all further ones. The article is never posted, although the server has long been up
#   again. Nothing is printed: that it takes its own first attempt for a duplicate is told to syslog alone. Each
#   first failure is mailed to the news master.
# - A directory of notes for each attempt (-b) makes the second attempt post.
# - It does not look whether its copy of the article could be written. Where -t (or pathtmp) has no room, and the
#   notes lie elsewhere, the beginning of the article is posted, and it exits with 0.
# - It looks at what the posting command prints, and then exits with the status of wait(2), not that of the command:
#   one that exits with 1 and prints nothing is an exit with 256, which is 0.
# So a message can be lost with a 1, by trying again, and with a 0, by not doing so. What helps: -b and -t in one new
# directory for each attempt, and a posting command that prints something whenever it fails.
#
# usage: mailpost-posts-once-or-in-part.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be
# tried (it needs root, for a mount namespace)
set -u
packages=(inn2=2.7.1-1+deb12u1 inn2-inews=2.7.1-1+deb12u1)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
chmod 755 "$dir"
[ "$(id -u)" -eq 0 ] || { echo 'needs root'; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done

cat >message <<'END'
From: a@example.com
Date: Sat, 01 Aug 2026 10:00:00 +0000
Subject: test
Message-ID: <1@example.com>

END
seq 3000 >>message

cat >inside <<'END'
set -eu
mount -t tmpfs tmpfs /run && mkdir -p /run/{usr,usr-work,etc,etc-work}
mount -t overlay -o "lowerdir=$PWD/root/usr:/usr,upperdir=/run/usr,workdir=/run/usr-work" overlay /usr
mount -t overlay -o "lowerdir=$PWD/root/etc:/etc,upperdir=/run/etc,workdir=/run/etc-work" overlay /etc
printf '#!/bin/sh\ncat >/dev/null\necho "$1" >>%s/mails\n' "$PWD" >master
printf '#!/bin/sh\ncat >/dev/null\necho "the server is down"\n' >down
printf '#!/bin/sh\ncat >/dev/null\nexit 1\n' >silent
printf '#!/bin/sh\ncat >%s/article\n' "$PWD" >up
chmod 755 master down silent up
sed -i -e "s,^mta:.*,mta: \"$PWD/master %s\"," -e '/^domain:/d' /etc/news/inn.conf
echo 'domain: example.com' >>/etc/news/inn.conf
mkdir notes tmp other full
mount -t tmpfs -o size=64k tmpfs full
post() { # WHAT DIRECTORY-OF-NOTES DIRECTORY-OF-COPIES COMMAND
    local status=0 lines=none
    rm -f article
    /usr/lib/news/bin/mailpost -b "$2" -t "$3" -o "$PWD/$4" local.test <message || status=$?
    [ ! -e article ] || lines=$(sed '1,/^$/d' article | grep -c .)
    [ "$lines" = none ] || [ "$lines" -eq 3000 ] || lines='a part'
    echo "$1: $status, lines posted: $lines"
}
post 'the server is down' notes tmp down
post 'it is up again' notes tmp up
post 'and still is' notes tmp up
post 'with other notes' other tmp up
echo "to the news master: $(wc -l <mails)"
head -c 56k /dev/zero >full/other
rm -r other && mkdir other
post 'no room for the copy' other full up
rm -r other && mkdir other
post 'a silent failure' other tmp silent
END
timeout 60 unshare --mount -- bash inside >seen 2>trouble </dev/null || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { cat trouble; echo 'mailpost has changed'; exit 1; }
the server is down: 1, lines posted: none
it is up again: 1, lines posted: none
and still is: 1, lines posted: none
with other notes: 0, lines posted: 3000
to the news master: 1
no room for the copy: 0, lines posted: a part
a silent failure: 0, lines posted: none
END
