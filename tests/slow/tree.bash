# tree.bash - a fresh Debian in a directory, and how to run something in it; for root only
#
# The first use makes it from the packages of the host's release (mmdebstrap), with those that the tests
# install later already in apt's cache; it is kept as $BUILD/tree.tar, so that only making it needs a network.
# shellcheck shell=bash

BUILD=$(realpath -m "${BUILD:-$TESTS/../build}")

# What the tests install, or README does: fetched once, with what they depend on.
fetched=(libc-ares-dev libcrypt-dev libpcre2-dev libssl-dev xinetd logrotate fail2ban iptables python3-systemd netcat-openbsd)

# Makes $BUILD/tree.tar unless it is there and has all of that.
make_tree() {
    local list=$BUILD/tree.packages
    [ ! -e "$BUILD/tree.tar" ] || ! echo "${fetched[*]}" | cmp -s - "$list" || return 0
    rm -f "$BUILD/tree.tar"
    # shellcheck disable=SC2016 # the hooks are for another shell
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt='Acquire::Languages "none"' --skip=cleanup/apt \
        --include=systemd,git,make,gcc,libc6-dev \
        --customize-hook='chroot "$1" apt-get clean' \
        --customize-hook="chroot \"\$1\" apt-get -qq install --download-only ${fetched[*]}" \
        --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$BUILD/new-tree.tar" &&
        mv "$BUILD/new-tree.tar" "$BUILD/tree.tar" && echo "${fetched[*]}" >"$list"
}

# fresh_tree DIRECTORY: unpacks it there.
fresh_tree() {
    [ "$(id -u)" -eq 0 ] || { echo "this test needs root: it makes a system in a directory, and runs programs in it"; return 1; }
    mkdir -p "$1" "$BUILD" && make_tree && tar -C "$1" -xf "$BUILD/tree.tar"
}

# in_tree DIRECTORY COMMAND...: runs it there with the processes, mounts and network of its own: the only
# interface is lo, every port is free, and what it has started ends with it. Addresses for documentation are
# addresses of lo, too, so that clients can have them (from=192.0.2.1).
in_tree() {
    # shellcheck disable=SC2016 # for the shell inside
    unshare --mount --pid --fork --kill-child --net --ipc --uts -- bash -c '
        tree=$(realpath "$1")
        shift
        ip link set lo up && ip route add local 192.0.2.0/24 dev lo && ip route add local 203.0.113.0/24 dev lo &&
            mount -t proc proc "$tree/proc" && mount --bind /dev "$tree/dev" && mount -t tmpfs tmpfs "$tree/run" &&
            mkdir "$tree/run/lock" || exit 125
        cd / && exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
            DEBIAN_FRONTEND=noninteractive chroot "$tree" "$@"' bash "$@"
}
