#!/bin/bash
# linux-empties-a-file-before-its-time-changes.sh - a file that has just been emptied may look as if it had been so for long
#
# Who reads a file that others write in place often looks at its times before and after: if they are old and the same, nobody
# has written meanwhile, and what was read is whole. Of writes that is true, for write(2) sets the times before it copies
# a byte. When a file is emptied (`> FILE`, cp, open(2) with O_TRUNC) it is the other way round with ext4: first the size is 0
# for all who look, then the blocks are freed, in a transaction for which the journal may have to be waited for, and the
# times are set last. Meanwhile stat(2) says for longer than a reading takes that the file has been empty since its last change.
#
# Seen with Linux 6.18 and ext4 on a machine with two processors: of 200 times that a file of 4 MB was emptied, another process
# that did nothing but stat(2) saw that in nine of ten, for some tenths of a millisecond up to many milliseconds. But for the last
# microseconds of that the file still had blocks (st_blocks): a file without bytes that has blocks is to be looked at again a moment
# later, before anybody believes that it is empty.
#
# usage: linux-empties-a-file-before-its-time-changes.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried
set -u
packages=(tcc=0.9.27+git20200814.62c30a4a-1 libc6-dev=2.36-9+deb12u14 linux-libc-dev=6.1.192-3)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
[ "$(uname -m)" = x86_64 ] || { echo "only tried on x86_64"; exit 2; }
[ "$(stat -f -c %T .)" = ext2/ext3 ] || { echo "only tried on ext4, this is $(stat -f -c %T .)"; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done

# Prints how often the file was empty with its old time, and for how many microseconds in all; and for how many without blocks.
cat >empty.c <<'END'
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIMES = 200, SIZE = 4 << 20 };

struct seen {
    long long first, bare, last; /* microseconds; from `bare` on without blocks; 0: it was not seen */
};

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static int is_old(const struct stat *before)
{
    struct stat status;

    if (stat("file", &status) != 0 || status.st_size != 0 || status.st_ctim.tv_sec != before->st_ctim.tv_sec ||
        status.st_ctim.tv_nsec != before->st_ctim.tv_nsec || status.st_mtim.tv_nsec != before->st_mtim.tv_nsec)
        return 0;
    return status.st_blocks == 0 ? 2 : 1;
}

static void look(const struct stat *before, volatile struct seen *seen)
{
    for (;;) {
        int old = is_old(before);

        if (old != 0) {
            seen->last = now();
            seen->first = seen->first == 0 ? seen->last : seen->first;
            seen->bare = seen->bare == 0 && old == 2 ? seen->last : seen->bare;
        }
    }
}

/* Fills the file, waits for a while, and empties it. */
static int empty_once(volatile struct seen *seen)
{
    static char bytes[SIZE];
    int fd = open("file", O_WRONLY | O_CREAT, 0600);
    struct stat before;
    pid_t child;

    bytes[0] = 'x';
    if (fd < 0 || write(fd, bytes, SIZE) != SIZE || fsync(fd) != 0 || fstat(fd, &before) != 0 || close(fd) != 0)
        return 0;
    child = fork();
    if (child == 0)
        look(&before, seen);
    usleep(20000);
    fd = open("file", O_WRONLY | O_TRUNC);
    usleep(2000);
    kill(child, SIGKILL);
    return child > 0 && waitpid(child, NULL, 0) == child && fd >= 0 && close(fd) == 0;
}

int main(void)
{
    volatile struct seen *seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    long long took = 0, bare = 0;
    int times = 0;

    for (int i = 0; i < TIMES; i++) {
        seen->first = seen->bare = seen->last = 0;
        if (!empty_once(seen))
            return 2;
        times += seen->first != 0;
        took += seen->last - seen->first;
        bare += seen->bare != 0 ? seen->last - seen->bare : 0;
    }
    printf("%d %lld %lld\n", times, took, bare);
    return 0;
}
END
include=root/usr/include
root/usr/bin/tcc -B root/usr/lib/x86_64-linux-gnu/tcc -I "$include" -I "$include/x86_64-linux-gnu" -c empty.c -o empty.o || exit 2
read -r times took bare < <(root/usr/bin/tcc -B root/usr/lib/x86_64-linux-gnu/tcc -run empty.o) || exit 2
printf 'Linux %s: empty with its old time in %s of 200, for %s us in all; without blocks for %s us\n' \
    "$(uname -r)" "$times" "$took" "$bare"
[ "$times" -gt 20 ] || { echo "changed: the time of a file is new when it is empty"; exit 1; }
[ $((10 * bare)) -lt "$took" ] || { echo "changed: blocks go before the time changes"; exit 1; }
