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
#include "base/passing.h"
#include "base/process.h"
#include "base/stack.h"
#include "client/checks.h"
#include "dns/dns.h"
#include "dns/resolver.h"
#include "handlers/policy.h"

enum {
    PINNED_MS = 20 /* how long both processes stay on one CPU */
};

static struct monitor the_monitor;
struct packet wall_sent, wall_received;

const char *const wall_stages[STAGES] = { "connect", "helo", "mail", "rcpt", "data", "command", "limit", "flood",
                                          "input", "starttls", "auth", "identity" };

static bool asks_about_helo(const struct conf *conf)
{
    return checks_wants_helo(&conf->client) || policy_wants(&conf->handlers, POLICY_HELO);
}

/* Can the answer to MAIL be no? */
static bool is_asked(const struct conf *conf)
{
    return conf->rules.first_rewrite[REWRITE_SENDER] != NULL || conf->client.tls == TLS_REQUIRED ||
           conf->client.auth == AUTH_REQUIRED || conf->client.auth_sender_check || asks_about_helo(conf) ||
           checks_wants_mail(&conf->client) || policy_wants(&conf->handlers, POLICY_MAIL) ||
           conf->handlers.first_milter != NULL;
}

/* Can a decision about a recipient need the DNS, another server, a handler or a table? */
static bool may_take_long(const struct conf *conf)
{
    return policy_wants(&conf->handlers, POLICY_RCPT) || conf->handlers.first_milter != NULL ||
           conf->client.rcpt_dns_check.value != 0 || conf->rules.asks || conf->tables.first != NULL ||
           conf->rules.groups.first_group != NULL || conf->rules.groups.lists != NULL;
}

struct monitor *monitor_prepare(struct conf *conf)
{
    struct monitor *m = &the_monitor;
    void *memory = mmap(NULL, SPOOL_MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    m->state.conf = conf;
    m->channel = DIRECT;
    m->ahead = -1;
    m->spool = m->client = m->plain[SESSION] = m->plain[HELPER] = -1;
    m->memory = memory;
    resolver_hide(memory, SPOOL_MEMORY);
    m->remembers = conf->delivery.ledger.len > 0;
    m->asks_helo = asks_about_helo(conf);
    m->asks_data = state_wants_data(conf);
    m->asks_unknown = conf->handlers.first_milter != NULL;
    m->asks_mail = is_asked(conf);
    m->asks_rcpt = may_take_long(conf);
    if (memory == MAP_FAILED) {
        log_line(LOG_ERR, "no memory for messages: %m");
        m->memory = NULL;
        return NULL;
    }
    return m;
}

struct monitor *monitor_begin(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated)
{
    struct monitor *m = the_monitor.memory != NULL ? &the_monitor : monitor_prepare(conf);

    return m != NULL && state_begin(&m->state, conf, client, terminated) ? m : NULL;
}

void monitor_end(struct monitor *monitor)
{
    state_end(&monitor->state);
    (void)munmap(monitor->memory, SPOOL_MEMORY); /* ours: cannot fail */
    monitor->memory = NULL;
}

/* May TLS begin yet? */
static bool may_begin_tls(const struct monitor *m)
{
    return m->state.conf->client.tls != TLS_OFF && m->state.tls.helper == 0;
}

/* May it begin in the midst of a session? Else it has begun, or is to begin, before there is one. */
static bool may_say_starttls(const struct monitor *m)
{
    return may_begin_tls(m) && m->state.conf->client.tls != TLS_IMPLICIT;
}

/* The client's socket, for mailrecv-tls: 0 and 1 go. False with errno set. */
static bool keep_client(struct monitor *m)
{
    if (may_begin_tls(m) && m->client < 0)
        m->client = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return m->client >= 0 || !may_begin_tls(m);
}

/* What the session and mailrecv-tls will have between them. False with errno set. */
static bool make_plain(struct monitor *m)
{
    return m->plain[SESSION] >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->plain) == 0;
}

bool wall_prepare_tls(struct monitor *m)
{
    return keep_client(m) && (!may_begin_tls(m) || make_plain(m));
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

/* In the session: and what is left in variables. */
static void forget(void)
{
    groups_forget_trouble();
    dns_forget();
    policy_forget();
    log_drop();
}

/* A program that is started before the split undoes it. */
void wall_pin(struct monitor *m)
{
    if (m->pinned == 0 && process_pin())
        m->pinned = UINT64_MAX;
}

/* One process becomes two. In the session it has forgotten what that need not know. */
static enum monitor_split cut(struct monitor *m)
{
    int ends[2] = { -1, -1 };
    pid_t parent = getpid();

    conf_reveal(m->state.conf);
    stack_forget();
    if ((may_say_starttls(m) && !make_plain(m)) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ||
        (m->session = _Fork()) < 0) {
        log_line(LOG_ERR, "cannot split the process: %m");
        if (ends[0] >= 0) {
            (void)close(ends[0]);
            (void)close(ends[1]);
        }
        return SPLIT_FAILED;
    }
    if (m->session == 0) {
        if (!keep_session_fds(m, ends[1], parent))
            _exit(EX_OSERR); /* the monitor sees the end of the channel */
        forget();
        return SPLIT_SESSION;
    }
    (void)close(ends[1]);
    wall_close(&m->plain[SESSION]);
    m->channel = ends[0];
    return SPLIT_ENDED;
}

/* In the monitor: until the session has ended. */
static void serve_session(struct monitor *m)
{
    if (!detach_from_client()) {
        log_line(LOG_ERR, "cannot let go of the client: %m");
        (void)kill(m->session, SIGKILL);
    }
    wall_serve(m);
}

enum monitor_split monitor_split(struct monitor *monitor)
{
    enum monitor_split split;

    state_announce(&monitor->state);
    wall_pin(monitor);
    if (monitor->pinned != 0)
        monitor->pinned = clock_ms() + PINNED_MS;
    monitor->latest = monitor->state.deadline + OVERSTAY_MS;
    split = keep_client(monitor) ? cut(monitor) : SPLIT_FAILED;
    if (split == SPLIT_ENDED)
        serve_session(monitor);
    return split;
}

/* ---- a wall that is there before its client ---------------------------------------------- */

enum monitor_split monitor_split_ahead(struct monitor *monitor)
{
    enum monitor_split split = cut(monitor);

    if (split != SPLIT_ENDED)
        return split;
    monitor->ahead = monitor->channel; /* until the client is greeted, there are no two sides */
    monitor->channel = DIRECT;
    state_make_room(&monitor->state, monitor->state.conf);
    return SPLIT_AHEAD;
}

/* In the monitor, which has greeted the client: the session is to go on. */
bool monitor_introduce(struct monitor *monitor, const struct introduction *introduction)
{
    state_announce(&monitor->state);
    monitor->latest = monitor->state.deadline + OVERSTAY_MS;
    if (!keep_client(monitor) ||
        passing_send(monitor->ahead, introduction, sizeof *introduction, STDIN_FILENO, 0) != (ssize_t)sizeof *introduction)
        return false;
    monitor->channel = monitor->ahead;
    wall_pin(monitor);
    if (process_accompany(monitor->session))
        monitor->pinned = clock_ms() + PINNED_MS;
    serve_session(monitor);
    return true;
}

/* In the session, which has waited: who is there? */
int monitor_await(struct monitor *monitor, struct introduction *introduction)
{
    int fd;
    ssize_t len;

    do
        len = passing_receive(monitor->channel, introduction, sizeof *introduction, &fd, 0);
    while (len < 0 && errno == EINTR);
    if (len != (ssize_t)sizeof *introduction)
        wall_close(&fd);
    return fd;
}

bool monitor_crashed(const struct monitor *monitor)
{
    return monitor->crashed;
}

char *monitor_memory(struct monitor *monitor)
{
    return monitor->memory;
}
