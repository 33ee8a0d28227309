#!/bin/bash
# s-nail-copies-an-enclosed-header-into-the-outer-one.sh - what s-nail of Debian 12 saves of a message that is a message
#
# `copy`, `save` and `move` write a message into another mailbox as it is, one would think. Seen with s-nail 14.9.24:
# - Of a message whose type is message/rfc822, as what is forwarded as an attachment alone, the empty line behind its
#   header is not written. The header of the message within it so becomes a part of the outer header: the copy has two
#   From:, two Subject: fields, and its text is that of the inner message.
# - So whoever sends such a message chooses fields of the copy that the servers on its way have not seen in its header:
#   the copy in an archive does not say the same as the mail that came, and nothing is reported.
# - The type must be that of the whole message. One of type text/plain whose text begins with lines like fields is
#   copied as it is.
# Whoever moves mail between mailboxes by s-nail should not rely on the header of what it has moved; mutt, mailutils and
# Dovecot copy the same message byte for byte.
#
# usage: s-nail-copies-an-enclosed-header-into-the-outer-one.sh; exits 0 while that is so, 1 if something has changed, 2
# if it cannot be tried
set -u
packages=(s-nail=14.9.24-2)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
export HOME=$PWD LC_ALL=C.UTF-8 TERM=dumb MAILRC=/dev/null

message() { # TYPE
    printf '%s\n' 'From a@example.com Thu Jan  1 00:00:00 1970' 'From: a@example.com' 'Subject: outer' \
        'MIME-Version: 1.0' "Content-Type: $1" '' 'From: b@example.com' 'Subject: inner' '' 'text' ''
}

# The header of the copy of a message of this type, without what s-nail adds.
header_of_copy() { # TYPE COMMAND
    rm -f copy
    message "$1" >box
    printf '%s 1 %s\nexit\n' "$2" "$PWD/copy" |
        timeout 20 root/usr/bin/s-nail -n -# -S quiet -f "$PWD/box" >said 2>&1 || { cat said; exit 2; }
    sed '/^$/q' copy | grep -E '^(From|Subject): ' | tr '\n' ' '
}

status=0
expect() { # WHAT WANT GOT
    printf '%s: %s\n' "$1" "$3"
    [ "$2" = "$3" ] || { echo "  it was: $2"; status=1; }
}
both='From: a@example.com Subject: outer From: b@example.com Subject: inner '
for command in copy save move; do
    expect "message/rfc822, $command" "$both" "$(header_of_copy message/rfc822 $command)"
done
expect text/plain 'From: a@example.com Subject: outer ' "$(header_of_copy text/plain copy)"
exit $status
