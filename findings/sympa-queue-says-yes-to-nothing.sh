#!/bin/bash
# sympa-queue-says-yes-to-nothing.sh - what Sympa's queue makes of a message on a full disk, or with a NUL in it
#
# queue is the command in the alias of each list of Sympa: it puts the message into a spool, which Sympa reads. Here
# is that of Sympa 6.2.70. Seen:
# - On a full disk it exits with 0, and leaves an empty file, under the name of a message that is complete. With some
#   room, that is the beginning of the message.
# - Of a line with a NUL, what is behind that and the end of the line are left out, and the next line is glued to it:
#   exit status 0.
# - When the spool is not there it exits with 77 (EX_NOPERM): mail servers send the message back for a disk that is
#   not mounted.
# - The file is for its owner alone (0600), whatever the umask is. Debian's queue is not setuid, and Sympa wants to
#   open the file for writing: what another user than sympa has put there it would skip without a word, each time.
# What helps: look at the room before (df), run it as sympa; or do what it does, in a script that fails when writing
# fails.
#
# usage: sympa-queue-says-yes-to-nothing.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be
# tried (it makes a mount namespace)
set -u
packages=(sympa=6.2.70~dfsg-2+deb12u2)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
dpkg-deb -x ./sympa_*.deb root || exit 2

{ printf '%s\n' 'From: a@example.com' 'To: dev@lists.example.com' '' && printf 'one \0 two\nthree\n' && seq 30000; } >message
{ echo 'X-Sympa-To: dev@lists.example.com' && cat message; } >whole

cat >inside <<'END'
set -eu
mount --bind root/etc /etc # where its configuration is expected
mkdir disk
mount -t tmpfs -o size=1m tmpfs disk
mkdir disk/spool
echo "queue $PWD/disk/spool" >/etc/sympa/sympa/sympa.conf
queue() { # WHAT
    local status=0 file
    umask 007
    root/usr/lib/sympa/bin/queue dev@lists.example.com <message 2>/dev/null || status=$?
    file=$(ls -d disk/spool/dev@* 2>/dev/null) || file=
    echo "$1: $status${file:+, mode $(stat -c %a "$file")}"
    [ -z "$file" ] || mv "$file" "$PWD/file"
}
is() {
    if [ ! -s file ]; then echo '  an empty file'
    elif cmp -s file whole; then echo '  all of it'
    elif tr -d '\0' <file | cmp -s - <(sed 's/\x00.*//' whole | sed ':a; /^one $/ { N; s/\n//; ba }'); then echo '  without what is behind the NUL'
    else echo "  the beginning of it"; fi
}
queue 'with room' && is
head -c 2m /dev/zero >disk/full 2>/dev/null || :
queue 'without room' && is
truncate -s -64K disk/full
queue 'with some' && is
rm -r disk/spool
queue 'without a spool'
END
timeout 60 unshare --map-root-user --mount -- bash inside >seen 2>trouble </dev/null || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { cat trouble; echo "Sympa's queue has changed"; exit 1; }
with room: 0, mode 600
  without what is behind the NUL
without room: 0, mode 600
  an empty file
with some: 0, mode 600
  the beginning of it
without a spool: 77
END
