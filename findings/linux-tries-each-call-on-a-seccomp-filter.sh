#!/bin/bash
# linux-tries-each-call-on-a-seccomp-filter.sh - what a filter of system calls costs a process that does not live long
#
# From 5.11 on, Linux keeps a bitmap of the calls that a filter of seccomp(2) always allows, so that they pass without it.
# To fill it, the kernel interprets the filter when it is attached, once for each number that there is (and for each
# architecture), until it meets what depends on more than the number. That is paid by each process that attaches one, with
# a time that grows with the length of the filter. Seen with Linux 6.18 on x86-64, with a filter that compares the number with
# N others and allows the rest, the least of 100 processes each:
#
#   N                                           10       40       100
#   to attach it                             35 us   112 us    320 us
#   the same with one `add #0` at its head   17 us    20 us     25 us
#   a getppid() behind it, without and with  105 ns for all; 126, 129, 138 ns
#
# The interpreter of the attachment knows no arithmetic but AND: at an instruction that adds nothing it gives up on a number at
# once, the bitmap stays empty, and the filter does the same as before. So a process that makes fewer than some thousand calls
# is done sooner with the useless instruction than without it; one that lives long is better off without. Measuring what
# confinement costs by the time of calls alone, as is commonly done, does not show this.
#
# usage: linux-tries-each-call-on-a-seccomp-filter.sh; exits 0 while that is so, 1 if something has changed, 2 if it cannot be tried
set -u
packages=(tcc=0.9.27+git20200814.62c30a4a-1 libc6-dev=2.36-9+deb12u14 linux-libc-dev=6.1.192-3)
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT && cd "$dir" || exit 2
[ "$(uname -m)" = x86_64 ] || { echo "only tried on x86_64"; exit 2; }
apt-get -q download "${packages[@]}" >apt.log 2>&1 || { cat apt.log; exit 2; }
for package in ./*.deb; do dpkg-deb -x "$package" root || exit 2; done

# Prints the least nanoseconds to attach a filter, and of a call behind it, of 100 processes.
cat >attach.c <<'END'
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 100, CALLS = 1000, MOST = 250 };

static long long now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct sock_fprog make_filter(int comparisons, int arithmetic)
{
    static struct sock_filter code[MOST + 3];
    struct sock_fprog program = { 0, code };

    code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    if (arithmetic)
        code[program.len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 0);
    for (int i = 0; i < comparisons; i++)
        code[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 100000 + i, 0, 0);
    code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    return program;
}

static int measure(const struct sock_fprog *program, long long took[2])
{
    long long begin, attached;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return 0;
    begin = now();
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) != 0)
        return 0;
    attached = now();
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    took[1] = (now() - attached) / CALLS;
    took[0] = attached - begin;
    return 1;
}

int main(int argc, char **argv)
{
    long long *took = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), least[2] = { 0, 0 };
    struct sock_fprog program;
    int status;

    if (argc != 3 || atoi(argv[1]) > MOST || took == MAP_FAILED)
        return 2;
    program = make_filter(atoi(argv[1]), atoi(argv[2]));
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork();

        if (child == 0)
            _exit(measure(&program, took) ? 0 : 1);
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
            return 2;
        for (int j = 0; j < 2; j++)
            if (i == 0 || took[j] < least[j])
                least[j] = took[j];
    }
    printf("%lld %lld\n", least[0], least[1]);
    return 0;
}
END
include=root/usr/include
root/usr/bin/tcc -B root/usr/lib/x86_64-linux-gnu/tcc -I "$include" -I "$include/x86_64-linux-gnu" -c attach.c -o attach.o || exit 2
measure() { # COMPARISONS ARITHMETIC
    root/usr/bin/tcc -B root/usr/lib/x86_64-linux-gnu/tcc -run attach.o "$@"
}

status=0
printf '%-12s %14s %14s %14s %14s\n' comparisons 'attach, ns' 'with add' 'call, ns' 'with add'
for comparisons in 10 40 100; do
    read -r plain call < <(measure "$comparisons" 0) && read -r with call_with < <(measure "$comparisons" 1) || exit 2
    printf '%-12s %14s %14s %14s %14s\n' "$comparisons" "$plain" "$with" "$call" "$call_with"
    [ "$comparisons" -lt 40 ] || [ "$plain" -gt $((2 * with)) ] || status=1
done
[ "$status" -eq 0 ] || echo "changed: the useless instruction does not halve the time of an attachment here"
exit "$status"
