/* sandbox.c - what the session process can no longer do (Landlock, seccomp, limits) */
/*
 * A role's list of system calls is the whole of what its process needs; it is the same on every
 * architecture, only the numbers differ, and those come from the system's headers.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
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

enum { MAX_DESCRIPTORS = 6, LANDLOCK_VERSION = 1 /* flag: ask for the version */ };

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
           lower_limit(RLIMIT_NOFILE, MAX_DESCRIPTORS) && lower_limit(RLIMIT_FSIZE, file_size);
}

/* A system call that is allowed, unless one of its arguments has one of these bits. */
struct call {
    uint32_t number, argument, forbidden;
};

static const struct call session_calls[] = {
    { .number = SYS_read },            /* the client */
    { .number = SYS_write },           /* the spool; the client, if it is no socket */
    { .number = SYS_sendto },          /* the client, the channel */
    { .number = SYS_recvmsg },         /* the channel, and the spool's descriptor through it */
    { .number = SYS_ppoll },
    { .number = SYS_clock_gettime },   /* where there is no vDSO */
    { .number = SYS_close },           /* the spool */
    { .number = SYS_shutdown },        /* the client */
    { .number = SYS_dup3 },            /* TLS takes the client's place */
    { .number = SYS_restart_syscall }, /* a wait that was interrupted goes on */
    { .number = SYS_rt_sigreturn },    /* SIGTERM */
    { .number = SYS_exit_group },
};

static const struct call tls_calls[] = {
    { .number = SYS_read },
    { .number = SYS_write },
    { .number = SYS_ppoll },
    { .number = SYS_shutdown },        /* the ends of client and session */
    { .number = SYS_getrandom },
    { .number = SYS_getpid },          /* the random numbers of a copy of this process would differ */
    { .number = SYS_futex },           /* what OpenSSL prepares when it first needs it is prepared under a lock */
    { .number = SYS_clock_gettime },   /* where there is no vDSO */
    { .number = SYS_gettimeofday },    /* the same */
    { .number = SYS_brk },             /* memory, here and below */
    { .number = SYS_mmap, .argument = 2, .forbidden = PROT_EXEC },
    { .number = SYS_mremap },
    { .number = SYS_munmap },
    { .number = SYS_restart_syscall }, /* a wait that was interrupted goes on */
    { .number = SYS_exit_group },
};

static const struct {
    const struct call *calls;
    size_t count;
} roles[] = {
    [SANDBOX_SESSION] = { session_calls, sizeof session_calls / sizeof session_calls[0] },
    [SANDBOX_TLS] = { tls_calls, sizeof tls_calls / sizeof tls_calls[0] },
};

enum { FILTER_HEAD = 4, FILTER_CALL = 5, FILTER_MAX = 128 };

_Static_assert(FILTER_HEAD + FILTER_CALL * sizeof session_calls / sizeof session_calls[0] < FILTER_MAX &&
               FILTER_HEAD + FILTER_CALL * sizeof tls_calls / sizeof tls_calls[0] < FILTER_MAX, "filters fit");

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define ALLOW       BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define KILL        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

/* Where the lower half of an argument is, on a little-endian machine. */
static size_t argument_at(uint32_t index)
{
    return offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);
}

/* Appends what lets this call through; returns the new length. */
static unsigned short add_call(struct sock_filter *filter, unsigned short len, const struct call *call)
{
    const struct sock_filter code[FILTER_CALL] = {
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0, call->forbidden != 0 ? FILTER_CALL - 1 : 1),
        ALLOW, /* unless an argument matters */
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, call->forbidden, 0, 1),
        KILL,
        ALLOW,
    };
    size_t count = call->forbidden != 0 ? FILTER_CALL : 2; /* the kernel translates each of them, at each start */

    for (size_t i = 0; i < count; i++)
        filter[len++] = code[i];
    if (call->forbidden != 0)
        filter[len - FILTER_CALL + 1] = (struct sock_filter)LOAD(argument_at(call->argument));
    return len;
}

static bool enter_seccomp(enum sandbox_role role)
{
    struct sock_filter filter[FILTER_MAX] = {
        LOAD(offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        KILL,
        LOAD(offsetof(struct seccomp_data, nr)),
    };
    struct sock_fprog program = { FILTER_HEAD, filter };

    for (size_t i = 0; i < roles[role].count; i++)
        program.len = add_call(filter, program.len, &roles[role].calls[i]);
    filter[program.len++] = (struct sock_filter)KILL;
    return !has_seccomp() || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* Capabilities that whoever started us as root has left us. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    return syscall(SYS_capset, &header, none) == 0;
}

bool sandbox_enter(enum sandbox_role role, uint64_t file_size)
{
    return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && drop_capabilities() &&
           lower_limits(file_size) && enter_landlock() && enter_seccomp(role);
}
