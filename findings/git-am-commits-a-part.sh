#!/bin/bash
# git-am-commits-a-part.sh - what git does where it cannot write the end of a patch
#
# Who applies patches by a script takes the exit status of git am for the truth. It copies each mail into a file of its own
# (git mailsplit), and the patch out of that into another (git mailinfo); what stdio still has in its buffer is written when
# these files are closed, and git 2.39 does not look whether that succeeded. Here the room ends at a multiple of 4096 bytes,
# by a limit to the size of files (ulimit -f, with SIGXFSZ ignored), in the place of a disk that is full for that moment. Seen:
# - git am commits the files whose patches are complete, leaves out the rest, and exits with 0. Nothing is said, nothing is
#   left in .git/rebase-apply, and the commit has the subject of the whole patch.
# - git mailinfo exits with 0 as well when nothing at all of its output could be written (/dev/full).
# - An error in the middle of the file, more than a buffer from its end, is noticed: "Failed to split patches", 128.
# For a script: look afterwards whether the patch is there: git apply --check --reverse, with the patch from a pipe.
#
# usage: git-am-commits-a-part.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried
set -u
packages=(git=1:2.39.5-0+deb12u3)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
export PATH=$dir/root/usr/bin:$PATH GIT_EXEC_PATH=$dir/root/usr/lib/git-core GIT_TEMPLATE_DIR=$dir/root/usr/share/git-core/templates
export HOME=$dir GIT_CONFIG_NOSYSTEM=1 LC_ALL=C
trap '' XFSZ

{
    git --version
    git init -q -b main work && cd work || exit 2
    git config user.name Tester && git config user.email tester@example.com
    git commit -q --allow-empty -m first
    for n in $(seq 200); do seq 3 >"file$n"; done
    git add . && git commit -q -m 'Add 200 files' && git format-patch -1 --stdout >../mail
    git reset -q --hard HEAD~1
    size=$(($(stat -c %s ../mail) / 4096 * 4))
    (ulimit -f $size && git am -q ../mail)
    echo "room for all but the end: status $?, $(git log -1 --format=%s)"
    [ "$(git ls-files | wc -l)" -eq 200 ] || echo 'not all of the files'
    echo "clean: $(git status --porcelain | wc -l) changes, $([ -e .git/rebase-apply ] || echo nothing) left"
    git apply --check --reverse ../mail 2>/dev/null || echo 'the patch is not there'
    git reset -q --hard HEAD~1
    (ulimit -f 8 && git am -q ../mail)
    echo "room for the beginning: status $?"
    git am --abort 2>/dev/null
    git mailinfo /dev/full /dev/full <../mail >/dev/null
    echo "mailinfo to a full disk: status $?"
} >"$dir/seen" 2>"$dir/trouble"
cd "$dir" || exit 2
cat seen
diff - seen <<'END' || { cat trouble; echo 'git has changed'; exit 1; }
git version 2.39.5
room for all but the end: status 0, Add 200 files
not all of the files
clean: 0 changes, nothing left
the patch is not there
room for the beginning: status 128
mailinfo to a full disk: status 0
END
