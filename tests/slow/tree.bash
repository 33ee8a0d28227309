# tree.bash - a fresh Debian in a directory, and how to run something in it; for root only
#
# The first use makes it from the packages of the host's release (mmdebstrap), with those that the tests
# install later already in apt's cache; it is kept as $BUILD/tree.tar, so that only making it needs a network.
# shellcheck shell=bash

BUILD=$(realpath -m "${BUILD:-$TESTS/../build}")

# What the tests install, or README does: fetched once, with what they depend on.
mapfile -t fetched < <(sed -n 's/^build *\([^ ]*\) .*/\1/p' "$TESTS/deps")
fetched+=(xinetd logrotate fail2ban iptables python3-systemd netcat-openbsd)
# Programs of recipes, which slow/units.bats runs.
recipe_packages=(age curl git jq maildrop nmh notmuch procmail public-inbox python3 ripmime sqlite3)
fetched+=("${recipe_packages[@]}")

# Makes $BUILD/tree.tar unless it is there and has all of that; one at a time.
make_tree() {
    local list=$BUILD/tree.packages lock
    exec {lock}>"$BUILD/tree.lock"
    flock "$lock"
    [ ! -e "$BUILD/tree.tar" ] || ! echo "${fetched[*]}" | cmp -s - "$list" || { exec {lock}>&-; return 0; }
    rm -f "$BUILD/tree.tar"
    # shellcheck disable=SC2016 # the hooks are for another shell
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt='Acquire::Languages "none"' --skip=cleanup/apt \
        --include=systemd,git,make,gcc,libc6-dev \
        --customize-hook='chroot "$1" apt-get clean' \
        --customize-hook="chroot \"\$1\" apt-get -qq install --download-only ${fetched[*]}" \
        --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$BUILD/new-tree.tar" &&
        mv "$BUILD/new-tree.tar" "$BUILD/tree.tar" && echo "${fetched[*]}" >"$list" && exec {lock}>&-
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

# boot_tree DIRECTORY SCRIPT: boots the systemd that is there and runs the script as a service of it, with its
# output in DIRECTORY/root/out. The status is that of the script, or 1. Network and addresses as above; the
# control groups of the host are not touched beyond one that is made for this and removed again.
boot_tree() {
    local group status=0
    cat >"$1/etc/systemd/system/tried.service" <<END
[Unit]
After=sockets.target
SuccessAction=exit-force
SuccessActionExitStatus=0
FailureAction=exit-force
FailureActionExitStatus=1
[Service]
Type=oneshot
ExecStart=$2
StandardOutput=truncate:/root/out
StandardError=inherit
END
    group=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/mailrecv-test.$$
    mkdir "$group"
    # shellcheck disable=SC2016 # for the shell inside
    timeout -k 5 "${BOOT_SECS:-120}" bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' bash "$group" \
        unshare --mount --pid --fork --kill-child --net --ipc --uts --cgroup -- bash -c '
        cd "$1" && mount --bind . . && cd "$1" || exit 125
        ip link set lo up && ip route add local 192.0.2.0/24 dev lo && ip route add local 203.0.113.0/24 dev lo &&
            mount -t proc proc proc && mount -t sysfs -o ro sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
            mount -t tmpfs -o mode=755 tmpfs run && mount -t tmpfs -o mode=755 tmpfs dev && mkdir dev/pts dev/shm &&
            mount -t tmpfs tmpfs dev/shm && mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts || exit 125
        for device in null zero full random urandom tty; do
            touch dev/$device && mount --bind /dev/$device dev/$device || exit 125
        done
        ln -s pts/ptmx dev/ptmx
        ln -s /proc/self/fd dev/fd
        # shared, as a container manager leaves it: what is mounted for a service (its credentials) is seen there
        pivot_root . mnt && umount -l /mnt && mount --make-rshared / || exit 125
        exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=tried.service' \
        bash "$(realpath "$1")" </dev/null >/dev/null 2>&1 || status=$?
    find "$group" -depth -type d -exec rmdir '{}' +
    return "$status"
}
