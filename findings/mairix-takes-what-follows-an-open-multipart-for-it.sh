#!/bin/bash
# mairix-takes-what-follows-an-open-multipart-for-it.sh - which messages of an mbox mairix of Debian 12 finds
#
# In an mbox a message ends where the next From_ line stands behind an empty line (RFC 4155). Seen with mairix 0.24:
# - Of a message of a multipart type mairix looks for the line that closes its boundary, beyond From_ lines, too. If
#   it has none itself, and a later message has that line anywhere in its text, all from the one to the other are one
#   message: what stands between is not in the index, no search finds it, and nothing is reported.
# - That is met where boundaries are not unique, as "BOUNDARY" of scripts, and parts were cut off.
# - If no later message has the line, From_ lines count. In a maildir, where each message is a file, it finds each of
#   the same messages.
# For an archive that is searched by mairix take a maildir.
#
# usage: mairix-takes-what-follows-an-open-multipart-for-it.sh; exits 0 while that is so, 1 if something has changed, 2
# if it cannot be tried
set -u
packages=(mairix=0.24-2)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
mkdir -p box/{cur,new,tmp}

message() { # SUBJECT TYPE TEXT
    printf '%s\n' 'From: a@example.com' "Subject: $1" 'Date: Thu, 1 Jan 2026 00:00:00 +0000' \
        "Message-ID: <$1@example.com>" 'MIME-Version: 1.0' "Content-Type: $2" '' "$3" >box/new/"$1"
}

# The subjects of what mairix finds, when it looks for all that has a size.
found() { # KIND FOLDER
    rm -rf links index
    printf '%s\n' "base=$PWD" "$1=$2" mfolder=links mformat=maildir "database=$PWD/index" >rc
    { root/usr/bin/mairix -f rc -p && root/usr/bin/mairix -f rc z:0-; } >said 2>&1 || { cat said; exit 2; }
    find links/ -mindepth 2 \( -type f -o -type l \) -exec sed -n 's/^Subject: //p;/^$/q' {} \; | sort | tr '\n' ' '
}

status=0
expect() { # WHAT WANT GOT
    printf '%s: %s\n' "$1" "$3"
    [ "$2" = "$3" ] || { echo "  it was: $2"; status=1; }
}

# All as it is in box, in the order in which it was sent.
look() { # WHAT MBOX MAILDIR
    for name in first second third fourth fifth; do
        echo 'From a@example.com Thu Jan  1 00:00:00 2026'
        cat "box/new/$name"
        echo
    done >mbox
    expect "mbox, $1" "$2" "$(found mbox mbox)"
    expect "maildir, $1" "$3" "$(found maildir box)"
}

all='fifth first fourth second third '
message first text/plain hello
message second 'multipart/mixed; boundary="abc"' 'the parts were taken out'
message third text/plain hello
message fourth text/plain hello
message fifth text/plain hello
look 'nowhere a line that closes the boundary' "$all" "$all"
message fourth text/plain --abc--
look 'one in the fourth message' 'fifth first second ' "$all"
exit $status
