#!/bin/bash
# glibc-asks-the-cpu-at-each-start.sh - what the C library 2.36 does before main, and why a guest pays for it
#
# A program that does nothing, linked to nothing but the C library, started by its dynamic loader on a CPU of Intel, and
# watched instruction by instruction. Seen:
# - The loader executes CPUID some five dozen times, at each start of each program, to learn what the CPU can do and how
#   large its caches are. Twelve of them are one question (leaf 2), word for word, for twelve numbers that come of it;
#   leaf 4 is asked again and again, too. No answer is kept.
# - A program that is linked statically does the same, and the tunables that say how large the caches are
#   (GLIBC_TUNABLES, x86_data_cache_size and x86_shared_cache_size) do not prevent it.
# - In a virtual machine CPUID is no instruction like others: each is an exit to the hypervisor. Where that takes 7.6
#   microseconds (seen on a nested one), it is half a millisecond of the 0.75 that such a program takes from exec to its
#   end; on bare metal it is nothing.
# So in a guest whatever starts programs pays for that; fork without exec, or a program that lives on, does not. And a
# profile from a guest shows the loader (intel_check_word, handle_intel) where one from a host has nothing to show.
#
# usage: glibc-asks-the-cpu-at-each-start.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be
# tried (it needs an x86-64 CPU of Intel, a C compiler, and ptrace(2))
set -u
packages=(libc6=2.36-9+deb12u14)
[ "$(uname -m)" = x86_64 ] || { echo 'no x86-64'; exit 2; }
grep -q GenuineIntel /proc/cpuinfo || { echo 'no CPU of Intel'; exit 2; }
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done

cat >watch.c <<'END'
#include <errno.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* The shortest of many. */
static double time_of_one(void)
{
    double best = 1e9;

    for (int i = 0; i < 1000; i++) {
        unsigned a = 2, b, c = 0, d;
        double begin = now(), took;

        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        took = now() - begin;
        best = took < best ? took : best;
    }
    return best;
}

int main(int argc, char **argv)
{
    long all = 0, second = 0, fourth = 0;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (argc > 1 && ptrace(PTRACE_TRACEME, 0, 0, 0) == 0)
            execv(argv[1], argv + 1);
        _exit(127);
    }
    for (waitpid(pid, &status, 0); WIFSTOPPED(status); waitpid(pid, &status, 0)) {
        struct user_regs_struct at;
        long word;

        ptrace(PTRACE_GETREGS, pid, 0, &at);
        errno = 0;
        word = ptrace(PTRACE_PEEKTEXT, pid, at.rip, 0);
        if (errno == 0 && (word & 0xffff) == 0xa20f) {
            all++;
            second += (at.rax & 0xffffffff) == 2;
            fourth += (at.rax & 0xffffffff) == 4;
        }
        ptrace(PTRACE_SINGLESTEP, pid, 0, 0);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return 2;
    fprintf(stderr, "CPUID: %ld times, leaf 4: %ld; one takes %.1f microseconds here\n", all, fourth, time_of_one());
    printf("leaf 2: %ld times; leaf 4: %s; all: %s\n", second, fourth >= 12 ? "a dozen times or more" : "less",
           all >= 40 ? "forty times or more" : "less");
    return 0;
}
END
echo 'int main(void) { return 0; }' >nothing.c
{ cc -O2 -o watch watch.c && cc -O2 -o nothing nothing.c && cc -O2 -static -o alone nothing.c; } >cc.log 2>&1 ||
    { cat cc.log; exit 2; }
libraries=$PWD/root/lib/x86_64-linux-gnu
{
    ./watch "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$PWD/nothing" &&
        GLIBC_TUNABLES=glibc.cpu.x86_data_cache_size=32768:glibc.cpu.x86_shared_cache_size=1048576 \
            ./watch "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "$PWD/nothing" && ./watch "$PWD/alone"
} >seen || { echo 'cannot be watched'; exit 2; }
cat seen
diff - seen <<'END' || { echo 'the C library has changed its mind'; exit 1; }
leaf 2: 12 times; leaf 4: a dozen times or more; all: forty times or more
leaf 2: 12 times; leaf 4: a dozen times or more; all: forty times or more
leaf 2: 12 times; leaf 4: a dozen times or more; all: forty times or more
END
