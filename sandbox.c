/* sandbox.c - what the session process can no longer do (Landlock, seccomp, limits) */
/*
 * The list of system calls is the whole of what a session needs; it is the same on every
 * architecture, only the numbers differ, and those come from the system's headers.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name the AUDIT_ARCH of this architecture here"
#endif

enum { SESSION_DESCRIPTORS = 6, LANDLOCK_VERSION = 1 /* flag: ask for the version */ };

/* struct landlock_ruleset_attr of newer kernels than the headers may be for */
struct ruleset {
    uint64_t files, network, scopes;
};

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);
}

static bool has_seccomp(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;

    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

const char *sandbox_missing(void)
{
    static const char *const names[] = { "", "Landlock", "seccomp", "Landlock seccomp" };

    return names[(landlock_version() < 1 ? 1 : 0) + (has_seccomp() ? 0 : 2)];
}

/* Handles every right that this kernel knows, and grants none. */
static bool enter_landlock(void)
{
    static const uint64_t file_rights[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
    long version = landlock_version();
    struct ruleset ruleset = { .files = file_rights[version > 5 ? 5 : version > 0 ? version : 0] };
    size_t size = sizeof ruleset.files;
    bool done;
    int fd;

    if (version < 1)
        return true;
    if (version >= 4) { /* bind and connect */
        ruleset.network = 3;
        size += sizeof ruleset.network;
    }
    if (version >= 6) { /* abstract sockets and signals to others */
        ruleset.scopes = 3;
        size += sizeof ruleset.scopes;
    }
    fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    done = fd >= 0 && syscall(SYS_landlock_restrict_self, fd, 0) == 0;
    if (fd >= 0)
        (void)close(fd);
    return done;
}

/* Lowers a limit; who has started us may have set a lower one. */
static bool lower_limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit limit;

    if (getrlimit(resource, &limit) != 0)
        return false;
    if (limit.rlim_max > most) /* RLIM_INFINITY is the largest number */
        limit.rlim_max = most;
    if (limit.rlim_cur > limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit) == 0;
}

static bool lower_limits(uint64_t file_size)
{
    return lower_limit(RLIMIT_NPROC, 0) && lower_limit(RLIMIT_CORE, 0) &&
           lower_limit(RLIMIT_NOFILE, SESSION_DESCRIPTORS) && lower_limit(RLIMIT_FSIZE, file_size);
}

#define ALLOW(call) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), \
                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static bool enter_seccomp(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(read),            /* the client */
        ALLOW(write),           /* the spool; the client, if it is no socket */
        ALLOW(sendto),          /* the client, the channel */
        ALLOW(recvmsg),         /* the channel, and the spool's descriptor through it */
        ALLOW(ppoll),
        ALLOW(clock_gettime),   /* where there is no vDSO */
        ALLOW(close),           /* the spool */
        ALLOW(shutdown),        /* the client */
        ALLOW(restart_syscall), /* a wait that was interrupted goes on */
        ALLOW(rt_sigreturn),    /* SIGTERM */
        ALLOW(exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    const struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };

    return !has_seccomp() || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

bool sandbox_enter(uint64_t file_size)
{
    return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && lower_limits(file_size) &&
           enter_landlock() && enter_seccomp();
}
