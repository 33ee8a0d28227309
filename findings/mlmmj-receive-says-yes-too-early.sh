#!/bin/bash
# mlmmj-receive-says-yes-too-early.sh - when a post to a list of mlmmj is lost although its sender has heard yes
#
# mlmmj-receive is the command in the alias of a list, without -F: the manual calls that for debugging only. Here is
# mlmmj 1.3.0 of Debian 12, with a list on a small disk. Seen:
# - It writes the message to incoming/, and syncs it. If there is no room for that it exits with 1.
# - Then it forks, exits with 0, and mlmmj-process makes a second copy in queue/. If there is room for one and not
#   for two, that fails, and nobody hears of it. The message stays in incoming/.
# - Nothing looks into incoming/ ever again: mlmmj-maintd, which sends again what did not get out, looks at queue/,
#   requeue/ and others. There is no command to hand such a file in once more.
# - With -F the same failure is an exit status of 1, which a mail server takes for "later".
# - A variable EXTENSION that is set and empty, as servers set it for an address without one, outweighs the addresses
#   in the message: one for list+subscribe@ is then no request.
# So what runs it as a delivery command should say -F.
#
# usage: mlmmj-receive-says-yes-too-early.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be
# tried (it makes a mount namespace)
set -u
packages=(mlmmj=1.3.0-4)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
dpkg-deb -x ./mlmmj_*.deb root || exit 2

{
    printf '%s\n' 'Return-Path: <a@example.com>' 'Delivered-To: dev@lists.example.com' 'From: a@example.com' 'To: dev@lists.example.com' ''
    seq 3000
} >post
{ sed -e '/^$/q' -e 's/dev@/dev+subscribe@/' post && echo text; } >request

cat >inside <<'END'
set -eu
mkdir disk
mount -t tmpfs -o size=256k tmpfs disk
list=$PWD/disk/dev
mkdir -p "$list"/{incoming,queue/discarded,archive,text,subconf,unsubconf,bounce,control,moderation,subscribers.d,digesters.d,requeue,nomailsubs.d}
cp root/usr/share/mlmmj/text.skel/en/* "$list/text"
touch "$list/index"
echo dev@lists.example.com >"$list/control/listaddress"
echo admin@example.com >"$list/control/owner"
echo 127.0.0.1 >"$list/control/relayhost"
echo 1 >"$list/control/smtpport" # nobody listens there: what is sent waits in requeue/
receive() { # WHAT MESSAGE [OPTION]
    local status=0
    "$PWD/root/usr/bin/mlmmj-receive" ${3:-} -L "$list" <"$2" || status=$?
    while pgrep -P 1 -f mlmmj-process >/dev/null; do sleep 0.05; done # what it has left running
    echo "$1: $status, in incoming: $(ls "$list/incoming" | wc -l), in the archive: $(ls "$list/archive" | wc -l)"
}
leave() { # BYTES
    head -c 1M /dev/zero >disk/full 2>/dev/null || truncate -s "-$1" disk/full
}
receive 'there is room' post
leave 0
receive 'there is none' post
rm disk/full && find "$list/incoming" -type f -delete
leave 20K
receive 'for one copy' post
rm disk/full
"$PWD/root/usr/bin/mlmmj-maintd" -F -L "$list"
echo "when there is room again: in incoming: $(ls "$list/incoming" | wc -l), in the archive: $(ls "$list/archive" | wc -l)"
find "$list/incoming" "$list/queue" -type f -delete
leave 20K
receive 'for one copy, with -F' post -F
rm disk/full
receive 'a request' request -F >/dev/null
echo "a request: $(ls "$list/subconf" | wc -l) to be confirmed"
EXTENSION='' receive 'a request' request -F >/dev/null
echo "with an empty EXTENSION: $(ls "$list/subconf" | wc -l) to be confirmed"
END
timeout 60 unshare --map-root-user --mount --pid --fork --kill-child --mount-proc -- bash inside >seen 2>trouble </dev/null || { cat seen trouble; exit 2; }
cat seen
diff - seen <<'END' || { cat trouble; echo 'mlmmj has changed'; exit 1; }
there is room: 0, in incoming: 0, in the archive: 1
there is none: 1, in incoming: 1, in the archive: 1
for one copy: 0, in incoming: 1, in the archive: 1
when there is room again: in incoming: 1, in the archive: 1
for one copy, with -F: 1, in incoming: 1, in the archive: 1
a request: 1 to be confirmed
with an empty EXTENSION: 1 to be confirmed
END
