/* split.c - the wall: one process becomes the monitor, which decides and delivers, and the session, which talks */
#include "monitor/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "client/checks.h"
#include "dns/dns.h"
#include "dns/resolver.h"

enum {
    PAGE = 4096,
    STACK_CLEARED = 256 * PAGE,
    PINNED_MS = 20 /* how long both processes stay on one CPU */
};

static struct monitor the_monitor;
struct packet wall_sent, wall_received;

const char *const wall_stages[STAGES] = { "connect", "helo", "mail", "rcpt", "data", "command", "limit", "flood",
                                          "input", "starttls", "auth", "identity" };

/* Can the answer to MAIL be no? */
static bool is_asked(const struct conf *conf)
{
    return conf->client.tls == TLS_REQUIRED || conf->client.auth == AUTH_REQUIRED || conf->client.auth_sender_check ||
           checks_wants_helo(&conf->client) || checks_wants_mail(&conf->client);
}

/* Can a decision about a recipient need the DNS? */
static bool may_ask_dns(const struct conf *conf)
{
    return conf->client.rcpt_dns_check.value != 0 || conf->rules.groups.first_group != NULL ||
           conf->rules.groups.lists != NULL;
}

struct monitor *monitor_begin(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated)
{
    struct monitor *m = &the_monitor;
    void *memory = mmap(NULL, SPOOL_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    m->channel = DIRECT;
    m->spool = m->client = m->plain[SESSION] = m->plain[HELPER] = -1;
    m->memory = memory;
    resolver_hide(memory, SPOOL_MEMORY);
    m->asks_helo = checks_wants_helo(&conf->client);
    m->asks_mail = is_asked(conf);
    m->asks_rcpt = may_ask_dns(conf);
    if (memory == MAP_FAILED) {
        log_line(LOG_ERR, "no memory for messages: %m");
        return NULL;
    }
    return state_begin(&m->state, conf, client, terminated) ? m : NULL;
}

void monitor_end(struct monitor *monitor)
{
    state_end(&monitor->state);
    (void)munmap(monitor->memory, SPOOL_MEMORY); /* ours: cannot fail */
}

/* What STARTTLS needs later must be there before the split. */
bool wall_prepare_tls(struct monitor *m)
{
    unsigned tls = m->state.conf->client.tls;

    if (tls == TLS_OFF || m->state.tls.helper != 0 || m->plain[SESSION] >= 0)
        return true;
    if (m->client < 0)
        m->client = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return m->client >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->plain) == 0;
}

/* The monitor must not keep the connection open when the session ends; xinetd gives it thrice. */
static bool detach_from_client(void)
{
    struct stat client, other;
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    bool done = nothing >= 0 && fstat(STDIN_FILENO, &client) == 0 && fstat(STDERR_FILENO, &other) == 0;

    if (done && S_ISSOCK(client.st_mode) && client.st_dev == other.st_dev && client.st_ino == other.st_ino)
        done = dup2(nothing, STDERR_FILENO) == STDERR_FILENO;
    done = done && dup2(nothing, STDIN_FILENO) == STDIN_FILENO && dup2(nothing, STDOUT_FILENO) == STDOUT_FILENO;
    if (nothing >= 0)
        (void)close(nothing);
    return done;
}

/* In the session: the client is 0 and 1, the channel 2, for TLS the plain bytes 3, and there is nothing else. */
static bool keep_session_fds(struct monitor *m, int channel, pid_t parent)
{
    bool tls = m->plain[SESSION] >= 0;

    m->channel = STDERR_FILENO;
    wall_sent.used = 0; /* written before it is read: one page fault, not two */
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(channel, m->channel) == m->channel &&
           (!tls || dup2(m->plain[SESSION], PLAIN) == PLAIN) && close_range(tls ? PLAIN + 1 : PLAIN, ~0U, 0) == 0;
}

/* Overwrites what functions that have returned have left just below the frame of the caller. */
static void __attribute__((noinline)) clear_below(void)
{
    char bytes[3 * PAGE];

    explicit_bzero(bytes, sizeof bytes);
}

/*
 * What the session need not know is not in its memory. The configuration, and what was made of it, is where no forked
 * process has it. What was left on the stack, of lines of the log, paths and records of other clients, goes here:
 * whole pages are given back instead of overwritten, for they need not be copied then.
 */
static void clear_stack(void)
{
    char *frame = __builtin_frame_address(0), *end = frame - (uintptr_t)frame % PAGE - PAGE;

    clear_below();
    (void)madvise(end - STACK_CLEARED, STACK_CLEARED, MADV_DONTNEED); /* ENOMEM: it was not as deep */
}

/* In the session: and what is left in variables. */
static void forget(void)
{
    groups_forget_trouble();
    dns_forget();
    log_drop();
}

/* A program that is started before the split undoes it. */
void wall_pin(struct monitor *m)
{
    if (m->pinned == 0 && process_pin())
        m->pinned = UINT64_MAX;
}

enum monitor_split monitor_split(struct monitor *monitor)
{
    int ends[2] = { -1, -1 };
    pid_t parent = getpid();

    state_announce(&monitor->state);
    wall_pin(monitor);
    if (monitor->pinned != 0)
        monitor->pinned = clock_ms() + PINNED_MS;
    monitor->latest = monitor->state.deadline + OVERSTAY_MS;
    conf_reveal(monitor->state.conf);
    clear_stack();
    if (!wall_prepare_tls(monitor) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ||
        (monitor->session = _Fork()) < 0) {
        log_line(LOG_ERR, "cannot split the process: %m");
        if (ends[0] >= 0) {
            (void)close(ends[0]);
            (void)close(ends[1]);
        }
        return SPLIT_FAILED;
    }
    if (monitor->session == 0) {
        if (!keep_session_fds(monitor, ends[1], parent))
            _exit(EX_OSERR); /* the monitor sees the end of the channel */
        forget();
        return SPLIT_SESSION;
    }
    (void)close(ends[1]);
    wall_close(&monitor->plain[SESSION]);
    monitor->channel = ends[0];
    if (!detach_from_client()) {
        log_line(LOG_ERR, "cannot let go of the client: %m");
        (void)kill(monitor->session, SIGKILL);
    }
    wall_serve(monitor);
    return SPLIT_ENDED;
}

bool monitor_crashed(const struct monitor *monitor)
{
    return monitor->crashed;
}

char *monitor_memory(struct monitor *monitor)
{
    return monitor->memory;
}
