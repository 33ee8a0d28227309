/* sandbox.c - what the session process can no longer do (Landlock, seccomp, limits) */
/*
 * A role's list of system calls is the whole of what its process needs; it is the same on every
 * architecture, only the numbers differ, and those come from the system's headers.
 */
#include "base/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <stddef.h>
#include <sys/ioctl.h>
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

enum {
    LANDLOCK_VERSION = 1, /* flag: ask for the version */
    BELOW_PATH = 1,       /* a rule about what is below a directory */
    READ_FILE = 1 << 2    /* a right */
};

/* struct landlock_ruleset_attr of newer kernels than the headers may be for */
struct ruleset {
    uint64_t files, network, scopes;
};

/* struct landlock_path_beneath_attr */
struct below {
    uint64_t rights;
    int32_t directory;
} __attribute__((packed));

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

/* Handles every right that this kernel knows, and grants one: to read files below the directory, if it is open. */
static bool enter_landlock(int directory)
{
    static const uint64_t file_rights[] = { 0, 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
    long version = landlock_version();
    struct ruleset ruleset = { .files = file_rights[version > 5 ? 5 : version > 0 ? version : 0] };
    const struct below reading = { .rights = READ_FILE, .directory = directory };
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
    done = fd >= 0 && (directory < 0 || syscall(SYS_landlock_add_rule, fd, BELOW_PATH, &reading, 0) == 0) &&
           syscall(SYS_landlock_restrict_self, fd, 0) == 0;
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

static bool lower_limits(rlim_t descriptors, uint64_t file_size)
{
    return lower_limit(RLIMIT_NPROC, 0) && lower_limit(RLIMIT_CORE, 0) &&
           lower_limit(RLIMIT_NOFILE, descriptors) && lower_limit(RLIMIT_FSIZE, file_size);
}

/* A system call that is allowed, unless one of its arguments has one of these bits. */
struct call {
    uint32_t number, argument;
    uint64_t forbidden;
};

static const struct call session_calls[] = {
    { .number = SYS_read },            /* the client */
    { .number = SYS_write },           /* the spool; the client, if it is no socket */
    { .number = SYS_sendto },          /* the client, the channel */
    { .number = SYS_recvmsg },         /* the channel, and the spool's descriptor through it */
    { .number = SYS_ppoll },
    { .number = SYS_ioctl, .argument = 1, .forbidden = ~(uint64_t)SIOCOUTQ }, /* the client has all? */
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
    { .number = SYS_recvmsg },         /* a connection that comes when it is confined already */
    { .number = SYS_close },           /* where that has come from */
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

/* No connect, and no address to send to: a socket for datagrams that is connected could send to others, too. */
static const struct call resolver_calls[] = {
    { .number = SYS_ppoll },
    { .number = SYS_recvmsg },         /* the channel, and sockets through it */
    { .number = SYS_recvfrom },        /* the servers */
    { .number = SYS_sendto, .argument = 4, .forbidden = UINT64_MAX },
    { .number = SYS_close },
    { .number = SYS_getrandom },
    { .number = SYS_futex },           /* what c-ares may lock, depending on its version */
    { .number = SYS_clock_gettime },   /* where there is no vDSO */
    { .number = SYS_gettimeofday },    /* the same */
    { .number = SYS_brk },             /* memory, here and below */
    { .number = SYS_mmap, .argument = 2, .forbidden = PROT_EXEC },
    { .number = SYS_mremap },
    { .number = SYS_munmap },
    { .number = SYS_restart_syscall }, /* a wait that was interrupted goes on */
    { .number = SYS_exit_group },
};

static const struct call answer_calls[] = {
    { .number = SYS_write },
    { .number = SYS_brk },
    { .number = SYS_mmap, .argument = 2, .forbidden = PROT_EXEC },
    { .number = SYS_mremap },
    { .number = SYS_munmap },
    { .number = SYS_rt_sigreturn },    /* SIGTERM, which nobody has to heed */
    { .number = SYS_exit_group },
};

#ifdef SYS_poll
#define CALL_POLL   SYS_poll
#define CALL_ACCESS SYS_access
#else
#define CALL_POLL   SYS_ppoll /* what poll(2) and access(2) are there */
#define CALL_ACCESS SYS_faccessat
#endif

/* What both kinds of tables need: requests come on standard input, answers are in time. */
#define TABLE_CALLS \
    { .number = SYS_read }, { .number = SYS_write }, { .number = CALL_POLL }, { .number = SYS_ppoll }, \
    { .number = SYS_close }, { .number = SYS_setitimer }, { .number = SYS_fcntl }, { .number = SYS_newfstatat }, \
    { .number = SYS_futex }, { .number = SYS_getpid }, \
    { .number = SYS_clock_gettime },   /* where there is no vDSO */ \
    { .number = SYS_gettimeofday },    /* the same */ \
    { .number = SYS_brk },             /* memory, here and below */ \
    { .number = SYS_mmap, .argument = 2, .forbidden = PROT_EXEC }, \
    { .number = SYS_mremap }, { .number = SYS_munmap }, { .number = SYS_restart_syscall }, { .number = SYS_exit_group }

static const struct call file_table_calls[] = {
    TABLE_CALLS,
    { .number = SYS_pread64 },         /* the file; */
    { .number = SYS_openat, .argument = 2, .forbidden = O_ACCMODE | O_CREAT | O_TRUNC }, /* a journal beside it */
    { .number = SYS_faccessat },       /* is there one? */
    { .number = CALL_ACCESS },         /* the same */
    { .number = SYS_fstat },
    { .number = SYS_lseek },
    { .number = SYS_geteuid },         /* SQLite as root */
    { .number = SYS_fchown },          /* gives a journal the owner of its file, which it has; it could give it to nobody else */
    { .number = SYS_clock_nanosleep }, /* somebody else has a lock */
};

static const struct call server_table_calls[] = {
    TABLE_CALLS,
    { .number = SYS_sendto, .argument = 4, .forbidden = UINT64_MAX },
    { .number = SYS_recvfrom },
    { .number = SYS_shutdown },
    { .number = SYS_getrandom },       /* TLS */
    { .number = SYS_rt_sigprocmask },  /* no SIGPIPE while it is sent by TLS */
    { .number = SYS_rt_sigpending },   /* the same */
};

static const struct {
    const struct call *calls;
    size_t count;
    rlim_t descriptors;
} roles[] = {
    [SANDBOX_SESSION] = { session_calls, sizeof session_calls / sizeof session_calls[0], 6 },
    [SANDBOX_TLS] = { tls_calls, sizeof tls_calls / sizeof tls_calls[0], 6 },
    [SANDBOX_RESOLVER] = { resolver_calls, sizeof resolver_calls / sizeof resolver_calls[0], 18 },
    [SANDBOX_ANSWER] = { answer_calls, sizeof answer_calls / sizeof answer_calls[0], 6 },
    [SANDBOX_FILE_TABLE] = { file_table_calls, sizeof file_table_calls / sizeof file_table_calls[0], 12 },
    [SANDBOX_SERVER_TABLE] = { server_table_calls, sizeof server_table_calls / sizeof server_table_calls[0], 6 },
};

enum { FILTER_HEAD = 4, FILTER_CALL = 5, FILTER_TAIL = 2, FILTER_MAX = 160 };

#define FITS(calls) (FILTER_HEAD + FILTER_CALL * sizeof(calls) / sizeof(calls)[0] + FILTER_TAIL < FILTER_MAX)
_Static_assert(FITS(session_calls) && FITS(tls_calls) && FITS(resolver_calls) && FITS(answer_calls) &&
               FITS(file_table_calls) && FITS(server_table_calls) &&
               FILTER_MAX <= UINT8_MAX,
               "filters fit, and jumps reach their ends");

/* It is short, for the kernel translates it at each start. */
struct filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short len, kill, allow; /* and where its two ends are */
};

/* The distance from the instruction that is added next. */
static uint8_t to(const struct filter *f, unsigned short end)
{
    return (uint8_t)(end - f->len - 1);
}

static void add(struct filter *f, struct sock_filter code)
{
    f->code[f->len++] = code;
}

#define LOAD(field)              BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define TEST(how, value, yes, no) BPF_JUMP(BPF_JMP | (how) | BPF_K, (value), (yes), (no))
#define RETURN(action)           BPF_STMT(BPF_RET | BPF_K, (action))
/*
 * Adds nothing. From 5.11 on Linux tries each call there is on a filter, to know those that are always allowed, unless it
 * comes to an instruction that it does not follow then. That takes longer than all the calls of a session gain by it.
 */
#define UNFORESEEN               BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 0)

/* Where the lower half of an argument is, on a little-endian machine. */
static size_t argument_at(uint32_t index)
{
    return offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);
}

/* The number of the system call is loaded. */
static void add_call(struct filter *f, const struct call *call)
{
    if (call->forbidden == 0) {
        add(f, (struct sock_filter)TEST(BPF_JEQ, call->number, to(f, f->allow), 0));
        return;
    }
    add(f, (struct sock_filter)TEST(BPF_JEQ, call->number, 0, 4));
    add(f, (struct sock_filter)LOAD(argument_at(call->argument)));
    add(f, (struct sock_filter)TEST(BPF_JSET, (uint32_t)call->forbidden, to(f, f->kill), 0));
    add(f, (struct sock_filter)LOAD(argument_at(call->argument) + sizeof(uint32_t)));
    add(f, (struct sock_filter)TEST(BPF_JSET, (uint32_t)(call->forbidden >> 32), to(f, f->kill), to(f, f->allow)));
}

static struct filter make_filter(const struct call *calls, size_t count)
{
    struct filter f = { .kill = FILTER_HEAD };

    for (size_t i = 0; i < count; i++)
        f.kill = (unsigned short)(f.kill + (calls[i].forbidden == 0 ? 1 : FILTER_CALL));
    f.allow = (unsigned short)(f.kill + 1);
    add(&f, (struct sock_filter)LOAD(offsetof(struct seccomp_data, arch)));
    add(&f, (struct sock_filter)TEST(BPF_JEQ, ARCHITECTURE, 0, to(&f, f.kill)));
    add(&f, (struct sock_filter)LOAD(offsetof(struct seccomp_data, nr)));
    add(&f, (struct sock_filter)UNFORESEEN);
    for (size_t i = 0; i < count; i++)
        add_call(&f, &calls[i]);
    add(&f, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
    add(&f, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
    return f;
}

static bool enter_seccomp(enum sandbox_role role)
{
    struct filter filter = make_filter(roles[role].calls, roles[role].count);
    struct sock_fprog program = { filter.len, filter.code };

    return !has_seccomp() || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* Capabilities that whoever started us as root has left us. */
static bool drop_capabilities(void)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    return syscall(SYS_capset, &header, none) == 0;
}

bool sandbox_enter_reading(enum sandbox_role role, uint64_t file_size, int directory)
{
    return prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && drop_capabilities() &&
           lower_limits(roles[role].descriptors, file_size) && enter_landlock(directory) && enter_seccomp(role);
}

bool sandbox_enter(enum sandbox_role role, uint64_t file_size)
{
    return sandbox_enter_reading(role, file_size, -1);
}
