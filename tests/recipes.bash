# recipes.bash - takes a recipe out of mailrecv-recipes(7), puts our places into it, and runs a session with it
# shellcheck shell=bash

RECIPES=$TESTS/../man/mailrecv-recipes.7

# The titles of all recipes.
recipe_titles() { sed -n '/^\.Sh RECIPES/,/^\.Sh SEE/s/^\.Ss //p' "$RECIPES"; }

# Text of a literal block as its reader sees it.
unescape() { sed -e 's/\\(aq/'\''/g; s/\\(dq/"/g; s/\\(ha/^/g; s/\\(ti/~/g; s/\\&//g; s/\\e/\\/g'; }

# Writes the blocks of recipe $1, each to the file whose name stands last before it, without directories;
# its `# ` lines to `commands`. Then changes places in all files here: our directory and, by further arguments
# of sed, others.
recipe() { # TITLE [SED-ARGUMENT...]
    local title=$1 file
    shift
    awk -v title=".Ss $title" '
        /^\.S[hs] / { on = $0 == title }
        !on { next }
        /^\.Pa / { file = $2; sub(/.*\//, "", file) }
        /^\.Dl # / { print substr($0, 7) >"commands" }
        /^\.Bd -literal/ { inside = 1; next }
        /^\.Ed/ { inside = 0 }
        inside { print >file }' "$RECIPES"
    [ -s mailrecv.conf ]
    sed -n 's/^\.Dl deliver /deliver /p' "$RECIPES" >>mailrecv.conf
    [ "$(grep -c postmaster mailrecv.conf)" -eq 1 ]
    mkdir -p lib
    for file in *; do
        [ -f "$file" ] || continue
        unescape <"$file" | sed -E -e "s,/var/lib/mailrecv,$PWD/lib,g; s,/etc/mailrecv/|/usr/local/bin/,$PWD/,g" "$@" >changed
        cat changed >"$file"
        ! head -n1 "$file" | grep -q '^#!' || chmod 755 "$file"
    done
    rm changed
    grep -q '^domain ' mailrecv.conf || sed -i '1i domain mail.example.com' mailrecv.conf
    chmod 644 mailrecv.conf
    [ ! -s commands ] || . ./commands
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
