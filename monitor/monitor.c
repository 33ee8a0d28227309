/* monitor.c - the wall: what the dialogue may ask of the side that decides and delivers */
/*
 * The lower half are the functions that the dialogue calls: each either calls accept.c or puts
 * its arguments into a packet. The upper half is the monitor's loop: it takes packets apart,
 * checks them, and calls the same functions of accept.c. `kinds` says which there are. What needs
 * no answer travels with what does: waking the other process is the greatest cost of the wall.
 */
#include "monitor/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "client/checks.h"
#include "dns/dns.h"
#include "dns/resolver.h"
#include "monitor/accept.h"
#include "monitor/packet.h"

enum {
    DIRECT = -1,      /* no channel: both sides are this process */
    PLAIN = STDERR_FILENO + 1, /* the session's end of what mailrecv-tls has decrypted */
    PAGE = 4096,
    STACK_CLEARED = 256 * PAGE,
    PINNED_MS = 20,     /* how long both processes stay on one CPU */
    OVERSTAY_MS = 3000, /* how long after its deadline, or after SIGTERM, a session may take to say so and to end */
    END_MS = 1000,      /* how long after the end of the channel it may take to end, and after SIGKILL */
    MOMENT_MS = 10      /* how long what the client was told already waits for the answer to a question */
};

/* What is told waits for the next question, or for something that has to be logged at once. */
enum kind { TELL_HELO, TELL_MAIL, TELL_RESET, TELL_REFUSAL, TELL_EVENT, ASK_RCPT, ASK_SPOOL, ASK_DELIVER,
            ASK_MAIL, ASK_TLS, ASK_AUTH, ASK_HELO, KINDS };

enum { SESSION, HELPER }; /* whose end of the plain bytes */

struct monitor {
    struct acceptance accept;
    int channel;
    pid_t session;
    uint64_t latest;    /* when the session must have ended, see clock.h */
    bool stopping;      /* it was told of SIGTERM */
    bool allowed;       /* it was given more time, for a delivery took so long */
    uint64_t pinned;    /* until when both processes stay on one CPU, 0: they do not */
    struct line_io *io; /* whose output leaves before a long wait, NULL: none */
    bool asks_helo, asks_mail, asks_rcpt; /* can the answer be no, or (asks_rcpt) may it take long? */
    int spool;          /* the file that the session was given, -1: none */
    char *memory;       /* shared with the session */
    int client;         /* kept for TLS until that begins, -1: not */
    int plain[2];       /* of the session and of mailrecv-tls, if there is to be TLS; -1 */
};

static struct monitor the_monitor;
static struct packet sent, received; /* of this process, whichever it is */
static const struct reply no_objection = { .code = 0 };
static const char *const stages[] = { "connect", "helo", "mail", "rcpt", "data", "command", "limit", "flood",
                                     "input", "starttls", "auth", "identity" };

enum { STAGES = sizeof stages / sizeof stages[0] };

/* ---- the monitor's side ------------------------------------------------------------------ */

static bool hear_helo(struct monitor *m, const struct question *q, struct reply *reply)
{
    *reply = accept_helo(&m->accept, q->number != 0, q->text);
    return true;
}

static void forget_spool(struct monitor *m)
{
    if (m->spool >= 0)
        (void)close(m->spool); /* the file has no name: it is gone now */
    m->spool = -1;
}

/* A file that is there still is that of a message that was refused. */
static bool hear_mail(struct monitor *m, const struct question *q, struct reply *reply)
{
    forget_spool(m);
    *reply = accept_mail(&m->accept, q->text);
    return true;
}

static bool hear_rcpt(struct monitor *m, const struct question *q, struct reply *reply)
{
    *reply = accept_rcpt(&m->accept, q->text);
    return true;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* sockets: nothing is buffered */
    *fd = -1;
}

/* The client's socket goes to mailrecv-tls, whose plain bytes go to the session. A client may try again what failed. */
static struct reply begin_tls(struct monitor *m)
{
    struct reply reply = accept_tls(&m->accept, m->client, m->plain[HELPER]);

    if (reply.code == 0) {
        close_fd(&m->client);
        close_fd(&m->plain[HELPER]);
    }
    return reply;
}

static bool hear_tls(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    if (m->client < 0)
        return false;
    *reply = begin_tls(m);
    return true;
}

/* [identity] NUL user NUL password, which are wiped here. */
static bool hear_auth(struct monitor *m, const struct question *q, struct reply *reply)
{
    struct slice parts[3], rest = q->text;

    for (size_t i = 0; i < 2; i++) {
        const char *nul = memchr(rest.text, '\0', rest.len);

        if (nul == NULL)
            return false;
        parts[i] = (struct slice){ rest.text, (size_t)(nul - rest.text) };
        rest.text = nul + 1;
        rest.len -= parts[i].len + 1;
    }
    parts[2] = rest;
    if (memchr(rest.text, '\0', rest.len) != NULL)
        return false;
    *reply = accept_auth(&m->accept, parts[0], parts[1], parts[2]);
    explicit_bzero(received.bytes, received.used);
    return true;
}

static bool hear_reset(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    (void)reply;
    accept_reset(&m->accept);
    return true;
}

/* Of what the session writes the monitor is a reader: so it can be told when nobody writes any more. */
static void keep_reading(struct monitor *m)
{
    int fd = m->spool < 0 ? -1 : spool_reader(m->spool);

    if (fd < 0)
        return;
    forget_spool(m);
    m->spool = fd;
}

/* The file itself goes with the answer, in which `size` is where the message begins; the error number is its code. */
static bool hear_spool(struct monitor *m, const struct question *q, struct reply *reply)
{
    uint64_t start;

    (void)q;
    forget_spool(m);
    m->spool = accept_spool(&m->accept, &start);
    *reply = (struct reply){ .code = m->spool < 0 ? (unsigned)errno : 0 };
    return true;
}

/* Small messages are copied out of the shared memory first: nobody shall change them under us. */
static bool hear_deliver(struct monitor *m, const struct question *q, struct reply *reply)
{
    static char own[SPOOL_MEMORY] COLD_BSS;
    struct spool spool = { .memory = own, .fd = -1, .size = q->size };
    struct stat status;

    if (q->size > m->accept.conf->session.smtp_data_size.value)
        return false;
    if (q->number != 0) {
        spool.start = m->accept.start;
        if (m->spool < 0 || fstat(m->spool, &status) != 0 || (uint64_t)status.st_size != spool.start + spool.size)
            return false;
        spool.fd = m->spool;
    } else if (spool.size > SPOOL_MEMORY) {
        return false;
    } else {
        resolver_hide(own, sizeof own);
        memcpy(own, m->memory, (size_t)spool.size);
        spool.used = (size_t)spool.size;
    }
    *reply = accept_deliver(&m->accept, &spool);
    return true;
}

static bool hear_refusal(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)reply;
    if (q->stage >= STAGES || q->reply.code < 400 || q->reply.code > 599)
        return false;
    accept_refusal(&m->accept, stages[q->stage], &q->reply, q->text);
    return true;
}

static void log_event(struct monitor *m, enum monitor_event event, struct slice text);
static void log_end(struct monitor *m, int severity, const char *text, bool cut);
static void log_death(struct monitor *m, const char *how, int number);

static bool hear_event(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)reply;
    if (q->number > MONITOR_MESSAGE || (q->number <= MONITOR_CUT && m->accept.ended) ||
        (q->number == MONITOR_LOST && (!m->accept.in_transaction || m->accept.lost)))
        return false;
    log_event(m, (enum monitor_event)q->number, q->text);
    return true;
}

static const struct {
    bool (*hear)(struct monitor *m, const struct question *q, struct reply *reply); /* false: a violation */
    bool answered;
} kinds[KINDS] = {
    [TELL_HELO] = { hear_helo, false },       [TELL_MAIL] = { hear_mail, false },
    [TELL_RESET] = { hear_reset, false },     [TELL_REFUSAL] = { hear_refusal, false },
    [TELL_EVENT] = { hear_event, false },     [ASK_RCPT] = { hear_rcpt, true },
    [ASK_SPOOL] = { hear_spool, true },       [ASK_DELIVER] = { hear_deliver, true },
    [ASK_MAIL] = { hear_mail, true },         [ASK_TLS] = { hear_tls, true },
    [ASK_AUTH] = { hear_auth, true },         [ASK_HELO] = { hear_helo, true },
};

/* Sends an answer, with a descriptor if `fd` is one. A session that cannot have it shall not wait for it. */
static void send_answer(const struct monitor *m, const struct reply *reply, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct iovec part = { .iov_base = sent.bytes };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    sent.used = 0;
    (void)packet_put(&sent, &(struct question){ .reply = *reply, .size = m->accept.start });
    part.iov_len = sent.used;
    if (fd >= 0) {
        struct cmsghdr *c;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    if (sendmsg(m->channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)part.iov_len)
        return;
    if (errno != EPIPE) /* it has not just ended */
        log_line(LOG_ERR, "cannot answer the session: %m");
    (void)shutdown(m->channel, SHUT_RDWR); /* fails if it is shut already */
}

/*
 * A delivery may end later than the session should have: it still has the time to tell the client, who would send the
 * message again. Once, or it could be had again and again.
 */
static void allow_for_delivery(struct monitor *m)
{
    const uint64_t enough = clock_ms() + OVERSTAY_MS;

    if (m->allowed || enough <= m->latest)
        return;
    m->allowed = true;
    m->latest = enough;
}

const char *monitor_hear(struct monitor *m, const struct packet *packet)
{
    size_t offset = 0;

    do {
        struct reply reply = no_objection;
        struct question q;

        if (!packet_take(packet, &offset, &q) || q.kind >= KINDS)
            return "malformed packet";
        if (!kinds[q.kind].hear(m, &q, &reply))
            return "impossible question";
        if (m->accept.contradiction)
            return "contradiction";
        if (m->accept.excess)
            return "command beyond all limits";
        if (q.kind == ASK_DELIVER)
            allow_for_delivery(m);
        if (kinds[q.kind].answered)
            send_answer(m, &reply, q.kind == ASK_SPOOL ? m->spool : -1);
        if (q.kind == ASK_SPOOL && m->accept.start > 0)
            keep_reading(m);
        if (q.kind == ASK_DELIVER)
            forget_spool(m); /* to free a large file takes a while, for which nobody has to wait */
    } while (offset < packet->used);
    return NULL;
}

/* What takes longer than a moment is spread over the CPUs by the system. */
static void unpin(struct monitor *m)
{
    if (m->pinned == 0 || clock_left(m->pinned) > 0)
        return;
    m->pinned = 0;
    process_unpin(m->session);
    process_unpin(0);
}

/* SIGTERM is for the session, too: it says 421 and ends, soon. */
static void pass_on_term(struct monitor *m)
{
    if (!*m->accept.terminated || m->stopping)
        return;
    m->stopping = true;
    m->latest = clock_earlier(m->latest, clock_ms() + OVERSTAY_MS);
    (void)kill(m->session, SIGTERM); /* not waited for yet: it is still this process */
}

/* Waits for the next packet. False: the session has ended, or has to be, also when it always has more to say. */
static bool wait_packet(struct monitor *m)
{
    struct pollfd ready = { .fd = m->channel, .events = POLLIN };
    sigset_t waiting = clock_mask();

    while (clock_left(m->latest) > 0) {
        ssize_t len;
        int n;

        pass_on_term(m);
        n = clock_poll(&ready, 1, m->pinned != 0 ? clock_earlier(m->pinned, m->latest) : m->latest, &waiting);
        unpin(m);
        if (n < 0 && errno != EINTR)
            return false;
        if (n <= 0)
            continue;
        len = recv(m->channel, received.bytes, sizeof received.bytes, MSG_DONTWAIT);
        received.used = len > 0 ? (size_t)len : 0;
        return len > 0;
    }
    return false;
}

/* Waits until the session is no more. `process` is a descriptor of it. */
static bool has_ended(int process, uint64_t until)
{
    struct pollfd ended = { .fd = process, .events = POLLIN };
    int n;

    do
        n = clock_poll(&ended, 1, until, NULL);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/*
 * The session can say nothing any more. An honest one is ending; one that stays, whatever it waits for or holds, is
 * killed. Nothing of it is left then, for it can start no process.
 */
static void end_session(struct monitor *m, bool at_once)
{
    int process = pidfd_open(m->session, 0), status = 0;

    if (at_once || !has_ended(process, clock_ms() + END_MS)) {
        if (!at_once)
            log_line(LOG_ERR, "violation: the session stays without a channel and is ended");
        (void)kill(m->session, SIGKILL); /* not waited for yet: it is still this process */
        (void)has_ended(process, clock_ms() + END_MS);
    }
    if (process >= 0)
        (void)close(process);
    if (waitpid(m->session, &status, WNOHANG) != m->session)
        log_end(m, LOG_ERR, "reason=unknown", false); /* it hangs in a system call, and is killed as soon as that ends */
    else if (WIFSIGNALED(status))
        log_death(m, "killed signal", WTERMSIG(status));
    else if (WEXITSTATUS(status) != EX_OK)
        log_death(m, "failed status", WEXITSTATUS(status));
}

static void serve(struct monitor *m)
{
    const char *violation = NULL;

    do
        accept_prepare(&m->accept);
    while (wait_packet(m) && (violation = monitor_hear(m, &received)) == NULL);
    if (violation != NULL)
        log_line(LOG_ERR, "violation: the session sent a %s and is ended", violation);
    else if (clock_left(m->latest) == 0)
        log_line(LOG_ERR, "violation: the session stays beyond its time and is ended");
    forget_spool(m);
    (void)close(m->channel);
    close_fd(&m->client);
    close_fd(&m->plain[HELPER]);
    end_session(m, violation != NULL || clock_left(m->latest) == 0);
    accept_end(&m->accept);
}

/* ---- the split --------------------------------------------------------------------------- */

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
    return accept_begin(&m->accept, conf, client, terminated) ? m : NULL;
}

void monitor_end(struct monitor *monitor)
{
    accept_end(&monitor->accept);
    (void)munmap(monitor->memory, SPOOL_MEMORY); /* ours: cannot fail */
}

/* What STARTTLS needs later must be there before the split. */
static bool prepare_tls(struct monitor *m)
{
    unsigned tls = m->accept.conf->client.tls;

    if (tls == TLS_OFF || m->accept.tls.helper != 0 || m->plain[SESSION] >= 0)
        return true;
    if (m->client < 0)
        m->client = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return m->client >= 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->plain) == 0;
}

/* The monitor must not keep the connection open when the session ends; xinetd gives it thrice. */
static bool let_go_of_client(void)
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
static bool keep_only(struct monitor *m, int channel, pid_t parent)
{
    bool tls = m->plain[SESSION] >= 0;

    m->channel = STDERR_FILENO;
    sent.used = 0; /* written before it is read: one page fault, not two */
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
}

/* A program that is started before the split undoes it. */
static void pin(struct monitor *m)
{
    if (m->pinned == 0 && process_pin())
        m->pinned = UINT64_MAX;
}

enum monitor_split monitor_split(struct monitor *monitor)
{
    int ends[2] = { -1, -1 };
    pid_t parent = getpid();

    accept_announce(&monitor->accept);
    pin(monitor);
    if (monitor->pinned != 0)
        monitor->pinned = clock_ms() + PINNED_MS;
    monitor->latest = monitor->accept.deadline + OVERSTAY_MS;
    conf_reveal(monitor->accept.conf);
    clear_stack();
    if (!prepare_tls(monitor) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0 ||
        (monitor->session = _Fork()) < 0) {
        log_line(LOG_ERR, "cannot split the process: %m");
        if (ends[0] >= 0) {
            (void)close(ends[0]);
            (void)close(ends[1]);
        }
        return SPLIT_FAILED;
    }
    if (monitor->session == 0) {
        if (!keep_only(monitor, ends[1], parent))
            _exit(EX_OSERR); /* the monitor sees the end of the channel */
        forget();
        return SPLIT_SESSION;
    }
    (void)close(ends[1]);
    close_fd(&monitor->plain[SESSION]);
    monitor->channel = ends[0];
    if (!let_go_of_client()) {
        log_line(LOG_ERR, "cannot let go of the client: %m");
        (void)kill(monitor->session, SIGKILL);
    }
    serve(monitor);
    return SPLIT_ENDED;
}

char *monitor_memory(struct monitor *monitor)
{
    return monitor->memory;
}

/* ---- the session's side ------------------------------------------------------------------ */

void monitor_lets_out(struct monitor *monitor, struct line_io *io)
{
    monitor->io = io;
}

/* What comes may take long: the client is to hear meanwhile what it has been told, a 250 above all. */
static void let_out(const struct monitor *m)
{
    if (m->io != NULL)
        (void)line_flush(m->io); /* a failure is remembered in io */
}

/* Most answers come at once, and leave in one packet with what was said before them (RFC 2920). */
static void wait_a_moment(const struct monitor *m)
{
    struct pollfd ready = { .fd = m->channel, .events = POLLIN };

    if (m->io != NULL && m->io->out_len > 0 && clock_poll(&ready, 1, clock_ms() + MOMENT_MS, NULL) == 0)
        let_out(m);
}

/* Is there no channel, so that the question is a call? One that may take long cannot be left to run meanwhile. */
static bool is_direct(const struct monitor *m, bool takes_long)
{
    if (m->channel == DIRECT && takes_long)
        let_out(m);
    return m->channel == DIRECT;
}

/* Without its monitor a session can do nothing: it ends, and so does the connection. */
static void send_waiting(const struct monitor *m)
{
    ssize_t n = sent.used > 0 ? send(m->channel, sent.bytes, sent.used, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

    if (n < 0 && errno == EAGAIN) { /* the monitor is busy */
        let_out(m);
        n = send(m->channel, sent.bytes, sent.used, MSG_NOSIGNAL);
    }
    if (n != (ssize_t)sent.used)
        _exit(EX_OSERR);
    sent.used = 0;
}

/* Leaves with the next packet. Returns how much of the text had room. */
static size_t tell(const struct monitor *m, const struct question *q)
{
    if (!packet_has_room(&sent, q))
        send_waiting(m);
    return packet_put(&sent, q);
}

/* Puts the question and waits for the answer, which may bring a descriptor. */
static struct question ask_for(const struct monitor *m, const struct question *q, int *fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    struct iovec part = { received.bytes, sizeof received.bytes };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    const struct cmsghdr *c;
    struct question answer;
    size_t offset = 0;
    ssize_t n;

    (void)tell(m, q);
    send_waiting(m);
    wait_a_moment(m);
    do
        n = recvmsg(m->channel, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    received.used = n > 0 ? (size_t)n : 0;
    if (!packet_take(&received, &offset, &answer))
        _exit(EX_OSERR);
    c = CMSG_FIRSTHDR(&message);
    if (c != NULL && c->cmsg_type == SCM_RIGHTS && fd != NULL)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return answer;
}

static struct reply ask(const struct monitor *m, const struct question *q)
{
    return ask_for(m, q, NULL).reply;
}

bool monitor_admits(struct monitor *monitor)
{
    return accept_admit(&monitor->accept);
}

struct reply monitor_connect(struct monitor *monitor)
{
    if (monitor->accept.conf->base.sandbox != SANDBOX_OFF)
        pin(monitor); /* the greeting may wait for the DNS, by turns with a process that reads it */
    return accept_connect(&monitor->accept);
}

void monitor_announce(struct monitor *monitor)
{
    accept_announce(&monitor->accept);
    accept_prepare(&monitor->accept);
}

struct reply monitor_helo(struct monitor *monitor, bool extended, struct slice name)
{
    if (is_direct(monitor, monitor->asks_helo))
        return accept_helo(&monitor->accept, extended, name);
    if (monitor->asks_helo)
        return ask(monitor, &(struct question){ .kind = ASK_HELO, .number = extended, .text = name });
    (void)tell(monitor, &(struct question){ .kind = TELL_HELO, .number = extended, .text = name });
    return no_objection;
}

struct reply monitor_mail(struct monitor *monitor, struct slice argument)
{
    bool asks = monitor->asks_mail || !slice_is_ascii(argument); /* a domain outside ASCII may be none that can exist */

    if (is_direct(monitor, asks))
        return accept_mail(&monitor->accept, argument);
    if (asks)
        return ask(monitor, &(struct question){ .kind = ASK_MAIL, .text = argument });
    (void)tell(monitor, &(struct question){ .kind = TELL_MAIL, .text = argument });
    return no_objection;
}

struct reply monitor_tls(struct monitor *monitor, int *plain)
{
    struct reply reply;

    *plain = PLAIN;
    if (!is_direct(monitor, true))
        return ask(monitor, &(struct question){ .kind = ASK_TLS });
    if (!prepare_tls(monitor)) {
        log_line(LOG_ERR, "TLS failed reason=\"%s\"", strerror(errno));
        return (struct reply)REPLY(454, "7.0", "TLS is not available now");
    }
    reply = begin_tls(monitor);
    *plain = monitor->plain[SESSION];
    if (reply.code == 0)
        monitor->plain[SESSION] = -1; /* the caller's now */
    return reply;
}

struct reply monitor_auth(struct monitor *monitor, const struct sasl *sasl)
{
    const struct slice identity = { sasl->identity.text, sasl->identity.len },
                       user = { sasl->user.text, sasl->user.len },
                       password = { sasl->password.text, sasl->password.len };
    char bytes[sizeof *sasl];
    struct text text = { bytes, sizeof bytes, 0 };
    struct reply reply;

    if (is_direct(monitor, true))
        return accept_auth(&monitor->accept, identity, user, password);
    text_put(&text, identity);
    text_put(&text, (struct slice){ "", 1 });
    text_put(&text, user);
    text_put(&text, (struct slice){ "", 1 });
    text_put(&text, password);
    reply = ask(monitor, &(struct question){ .kind = ASK_AUTH, .text = text_slice(&text) });
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(sent.bytes, sizeof sent.bytes);
    return reply;
}

struct reply monitor_rcpt(struct monitor *monitor, struct slice argument)
{
    if (is_direct(monitor, monitor->asks_rcpt))
        return accept_rcpt(&monitor->accept, argument);
    return ask(monitor, &(struct question){ .kind = ASK_RCPT, .text = argument });
}

void monitor_reset(struct monitor *monitor)
{
    if (is_direct(monitor, false))
        accept_reset(&monitor->accept);
    else
        (void)tell(monitor, &(struct question){ .kind = TELL_RESET });
}

int monitor_spool(struct monitor *monitor, uint64_t *start)
{
    struct question answer;
    int fd = -1;

    if (is_direct(monitor, false))
        return accept_spool(&monitor->accept, start);
    answer = ask_for(monitor, &(struct question){ .kind = ASK_SPOOL }, &fd);
    *start = answer.size;
    if (fd < 0)
        errno = answer.reply.code != 0 ? (int)answer.reply.code : EMFILE;
    return fd;
}

struct reply monitor_deliver(struct monitor *monitor, struct spool *spool)
{
    const struct question q = { .kind = ASK_DELIVER, .number = spool->fd >= 0, .size = spool->size };

    if (is_direct(monitor, true))
        return accept_deliver(&monitor->accept, spool);
    spool_clear(spool); /* what the monitor reads, nobody writes to any more */
    return ask(monitor, &q);
}

void monitor_log_refusal(struct monitor *monitor, const char *stage, const struct reply *reply, struct slice line)
{
    struct question q = { .kind = TELL_REFUSAL, .reply = *reply, .text = line };

    if (is_direct(monitor, false)) {
        accept_refusal(&monitor->accept, stage, reply, line);
        return;
    }
    while (q.stage < STAGES - 1 && strcmp(stages[q.stage], stage) != 0)
        q.stage++;
    (void)tell(monitor, &q);
    send_waiting(monitor);
}

void monitor_log(struct monitor *monitor, enum monitor_event event, struct slice text)
{
    if (is_direct(monitor, false)) {
        log_event(monitor, event, text);
        return;
    }
    do { /* a piece of a message may need several packets */
        size_t told = tell(monitor, &(struct question){ .kind = TELL_EVENT, .number = event, .text = text });

        send_waiting(monitor);
        text.text += told;
        text.len -= told;
    } while (text.len > 0);
}

bool monitor_wants(const struct monitor *monitor, char flag)
{
    (void)monitor; /* both processes have the flags */
    return log_wants(flag);
}

/* ---- log lines --------------------------------------------------------------------------- */

static void log_message_lines(struct slice text)
{
    char shown[LOG_TEXT];

    while (text.len > 0) {
        const char *lf = memchr(text.text, '\n', text.len);
        size_t len = lf != NULL ? (size_t)(lf - text.text) : text.len;

        log_debug('l', "message: \"%s\"", log_encode(shown, sizeof shown, (struct slice){ text.text, len }));
        len += lf != NULL;
        text.text += len;
        text.len -= len;
    }
}

/* Together with what only the whole session tells against its client, and with the name that it has given last. */
static void log_end(struct monitor *m, int severity, const char *text, bool cut)
{
    char helo[LOG_TEXT];
    bool said = m->accept.helo[0] != '\0';

    log_be_patient();
    log_line(severity, "end %s%s%s%s%s", text, accept_verdict(&m->accept, cut), said ? " helo-name=\"" : "",
             log_encode(helo, sizeof helo, slice_of(m->accept.helo)), said ? "\"" : "");
}

/* The session has not ended by itself. */
static void log_death(struct monitor *m, const char *how, int number)
{
    char text[64];

    (void)snprintf(text, sizeof text, "reason=%s=%d", how, number);
    log_end(m, LOG_ERR, text, false);
}

/* Whose message was lost, and for whom it was; many recipients are cut. */
static void log_lost(struct acceptance *a, const char *facts)
{
    char from[LOG_TEXT], to[LOG_TEXT], list[LOG_TEXT];
    struct text text = { list, sizeof list, 0 };

    a->lost = true;
    for (size_t i = 0; i < a->count; i++) {
        text_put(&text, slice_of(i > 0 ? ", " : ""));
        text_put(&text, address_slice(&a->recipients[i].address));
    }
    log_line(LOG_NOTICE, "message lost %s recipients=%zu from=\"%s\" to=\"%s\"", facts, a->count,
             log_encode(from, sizeof from, address_slice(&a->mail.sender)),
             log_encode(to, sizeof to, text_slice(&text)));
}

static void log_event(struct monitor *m, enum monitor_event event, struct slice text)
{
    char shown[LOG_TEXT];

    switch (event) {
    case MONITOR_END:
    case MONITOR_CUT:
        log_end(m, LOG_INFO, log_encode(shown, sizeof shown, text), event == MONITOR_CUT);
        break;
    case MONITOR_LOST:
        log_lost(&m->accept, log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_LINE:
        log_debug('s', "client: \"%s\"", log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_REPLY:
        log_debug('s', "server: \"%s\"", log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_MESSAGE:
        log_message_lines(text);
        break;
    }
}
