#!/bin/bash
# postfix-refuses-for-good-what-it-does-not-know.sh - which exit statuses of a delivery command Postfix 3.7 takes as temporary
#
# A command that pipe(8) or local(8) has run says by its exit status what became of the message. sysexits.h has names for
# 64 to 78, and an administrator expects that whatever is no clear refusal is tried again. Asked here is the function of
# Postfix's own library that decides (sys_exits_softerror), and the one with the code and text for the bounce
# (sys_exits_detail), for each status from 1 to 255. Seen:
# - Two statuses are temporary: 75 (EX_TEMPFAIL) and 71 (EX_OSERR). All 253 others send the message back.
# - That includes 69 (a service is unavailable), 74 (an error of the disk), 73 (a file cannot be created), 78 (a mistake
#   in a configuration), and everything that sysexits.h does not name: 1 of a script that failed, 111 of programs that
#   were written for qmail and mean "later" by it, 126 and 127 of a shell that cannot find the command.
# - The sender of such a message reads "unknown mail system error 111", with 5.3.0.
# Whoever moves a command from Postfix to a receiver that keeps unknown statuses for later (or the other way) changes what
# its failures mean without touching it: each status that can come is to be given a meaning explicitly.
#
# usage: postfix-refuses-for-good-what-it-does-not-know.sh; exits 0 while that is so, 1 if something has changed, 2 if it
# cannot be tried
set -u
packages=(postfix=3.7.11-0+deb12u1 libdb5.3=5.3.28+dfsg2-1 libnsl2=1.3.0-2 libtirpc3=1.3.3+ds-1 libicu72=72.1-3+deb12u1)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done
LD_LIBRARY_PATH=$(find "$PWD/root" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd :)
export LD_LIBRARY_PATH

cat >ask.py <<'END'
import ctypes, glob, sys

class Detail(ctypes.Structure):
    _fields_ = [('status', ctypes.c_int), ('code', ctypes.c_char_p), ('text', ctypes.c_char_p)]

def load(name):
    return ctypes.CDLL(glob.glob(f'root/usr/lib/postfix/libpostfix-{name}.so*')[0], mode=ctypes.RTLD_GLOBAL)

try:
    util, mail = load('util'), load('global')
except (IndexError, OSError) as error:
    sys.exit(f'cannot be loaded: {error}')
mail.sys_exits_detail.restype = ctypes.POINTER(Detail)
temporary = [status for status in range(1, 256) if mail.sys_exits_softerror(status)]
print('temporary', *temporary)
for status in (1, 69, 73, 74, 78, 111, 127):
    detail = mail.sys_exits_detail(status).contents
    print(status, detail.code.decode(), detail.text.decode())
END
python3 ask.py >seen 2>trouble || { cat trouble; exit 2; }
cat seen
diff - seen <<'END' || { echo 'Postfix has changed its mind'; exit 1; }
temporary 71 75
1 5.3.0 unknown mail system error 1
69 5.3.0 service unavailable
73 5.2.0 can't create user output file
74 5.3.0 input/output error
78 5.3.5 local configuration error
111 5.3.0 unknown mail system error 111
127 5.3.0 unknown mail system error 127
END
