# recipes.bash - takes a recipe out of mailrecv-recipes(7), puts our places into it, and runs a session with it
# shellcheck shell=bash

RECIPES=$TESTS/../man/mailrecv-recipes.7

# The titles of all recipes.
recipe_titles() { sed -n '/^\.Sh RECIPES/,/^\.Sh SEE/s/^\.Ss //p' "$RECIPES"; }

# Text of a literal block as its reader sees it.
unescape() { sed -e 's/\\(aq/'\''/g; s/\\(dq/"/g; s/\\(ha/^/g; s/\\(ti/~/g; s/\\&//g; s/\\e/\\/g'; }

# Writes the blocks of recipe $1, each to the file whose name stands last before it, without directories;
# its `# ` lines to `commands`.
recipe_files() { # TITLE
    local file
    awk -v title=".Ss $1" '
        /^\.S[hs] / { on = $0 == title }
        !on { next }
        /^\.Pa / { file = $2; sub(/.*\//, "", file) }
        /^\.Dl # / { print substr($0, 7) >"commands" }
        /^\.Bd -literal/ { inside = 1; next }
        /^\.Ed/ { inside = 0 }
        inside { print >file }' "$RECIPES"
    change_files unescape
    for file in *; do
        [ ! -f "$file" ] || ! head -n1 "$file" | grep -q '^#!' || chmod 755 "$file"
    done
}

# Sends each file here through a filter.
change_files() { # FILTER...
    local file
    for file in *; do
        [ -f "$file" ] || continue
        "$@" <"$file" >changed
        cat changed >"$file"
    done
    rm changed
}

# The files of recipe $1, in which places are changed: our directory and, by further arguments of sed, others.
recipe() { # TITLE [SED-ARGUMENT...]
    local title=$1
    shift
    recipe_files "$title"
    [ -s mailrecv.conf ]
    sed -n 's/^\.Dl deliver /deliver /p' "$RECIPES" >>mailrecv.conf
    [ "$(grep -c postmaster mailrecv.conf)" -eq 1 ]
    mkdir -p lib
    change_files sed -E -e "s,/var/lib/mailrecv,$PWD/lib,g; s,/etc/mailrecv/|/usr/local/bin/,$PWD/,g" "$@"
    grep -q '^domain ' mailrecv.conf || sed -i '1i domain mail.example.com' mailrecv.conf
    chmod 644 mailrecv.conf
    [ ! -s commands ] || . ./commands
    if declare -F fill >/dev/null; then fill; fi # the database that -t asks
    "$MAILRECV" -t -c mailrecv.conf >effective # not even a warning
}

# The replies to a message for $1 from client $2 (192.0.2.7); the message is on standard input.
deliver_to() { # RECIPIENT [ADDRESS]
    {
        printf '%s\r\n' 'EHLO client.example' 'MAIL FROM:<a@example.com>' "RCPT TO:<$1>" DATA
        sed 's/^\./../; s/$/\r/'
        printf '.\r\nQUIT\r\n'
    } | "${AS[@]}" "$MAILRECV" -c mailrecv.conf -l "$PWD/log" -P "${2:-192.0.2.7}"
}

message() { printf '%s\n' "$@" 'Subject: test' '' 'text' 'From here' '.'; }

# Is a message taken with letters of UTF-8 in header and text, and one of Latin-1? Nothing tells of a locale.
takes_letters() { # RECIPIENT
    local charset
    for charset in UTF-8 ISO-8859-1; do
        letters $charset | deliver_to "$1" | tail -n 2 | grep -q '^250 ' || { echo "$charset is not taken"; return 1; }
    done
}

letters() { { message 'From: "Jürgen" <a@example.com>' && echo 'Grüße'; } | iconv -f UTF-8 -t "$1"; }

# Are both in these files or directories, byte for byte?
has_letters() { # PATH...
    LC_ALL=C grep -raqx $'Gr\303\274\303\237e' "$@" && LC_ALL=C grep -raqx $'Gr\374\337e' "$@"
}

# More than what a page of a file may have left.
long_message() { message && seq 3000; }

# From now on sessions have the directory on a disk with so many KiB left, and none that remembers what they have
# written; what there was afterwards is in ./left. Where mounting is forbidden, a limit to the size of files has to do.
on_full_disk() { # DIRECTORY [KIBIBYTES]
    mkdir -p disk
    # shellcheck disable=SC2016 # for the shell that runs it
    AS=(unshare -rm sh -c 'mount -t tmpfs -o size=256k tmpfs disk && cp -r --preserve=mode "$0/." disk/ || exit 99
        head -c "$1"k /dev/zero >disk/room && head -c 1M /dev/zero >disk/full 2>/dev/null
        rm disk/room && mount --bind disk "$0" && shift && "$@"
        status=$?
        find "$0" -type f ! -name full -size +0 | sort >left
        exit $status' "$1" "${2:-0}")
    unshare -rm mount -t tmpfs tmpfs disk || AS=(prlimit --fsize="${2:-1}000" --)
}

# Starts a server for HTTP, which hears one POST after the other (tests/tools/hook); sets HOOK_PORT.
start_hook() {
    echo 200 >answer
    python3 "$TESTS/tools/hook" "$PWD" 3>&- &
    HOOK=$!
    wait_for port '^[0-9]+$'
    HOOK_PORT=$(cat port)
}

# Unpacks Debian packages that cannot be installed beside all others; sets UNPACKED, where they are.
unpack() { # PACKAGE...
    local package
    UNPACKED=$(realpath -m "${BUILD:-$TESTS/../build}/unpacked")
    mkdir -p "$UNPACKED"
    for package; do
        [ ! -e "$UNPACKED/.$package" ] || continue
        mkdir "$package.download"
        (cd "$package.download" && apt-get -qq download "$package" && dpkg-deb -x ./*.deb "$UNPACKED")
        rm -r "$package.download"
        : >"$UNPACKED/.$package"
    done
}

stop_hook() {
    [ -z "${HOOK:-}" ] || kill "$HOOK" 2>/dev/null || true
    HOOK=
}
