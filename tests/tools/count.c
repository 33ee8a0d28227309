/* count.c - linked into a build with --coverage, so that the confined session writes its counters, too */
/*
 * gcov writes when a process exits, with calls that a session must not make, and not at all behind
 * _exit. Here _exit writes first, and of the confinement only the two calls that cannot be undone
 * are left out. The linker puts these functions in place (--wrap); the sources are as they are.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/seccomp.h>

void __gcov_dump(void);
void __wrap__exit(int status) __attribute__((noreturn));
void __real__exit(int status) __attribute__((noreturn));
long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

/* All callers have three arguments or fewer. */
long __wrap_syscall(long number, ...)
{
    long a, b, c;
    va_list arguments;

    va_start(arguments, number);
    a = va_arg(arguments, long);
    b = va_arg(arguments, long);
    c = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_landlock_restrict_self || (number == SYS_seccomp && a == SECCOMP_SET_MODE_FILTER))
        return 0;
    return __real_syscall(number, a, b, c);
}
