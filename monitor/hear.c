/* hear.c - the monitor's side of the wall: takes packets apart, checks them, and does what they want */
/*
 * `kinds` says which questions there are: each is a function here, which believes nothing it is told and calls state.c.
 */
#include "monitor/wall.h"

#include <errno.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/passing.h"
#include "base/process.h"
#include "dns/resolver.h"

enum { END_MS = 1000 }; /* how long after the end of the channel a session may take to end, and after SIGKILL */

static bool hear_helo(struct monitor *m, const struct question *q, struct reply *reply)
{
    *reply = state_helo(&m->state, q->number != 0, q->text);
    return true;
}

static void forget_spool(struct monitor *m)
{
    wall_close(&m->spool); /* the file has no name: it is gone now */
}

/* A file that is there still is that of a message that was refused. */
static bool hear_mail(struct monitor *m, const struct question *q, struct reply *reply)
{
    forget_spool(m);
    *reply = state_mail(&m->state, q->text);
    return true;
}

static bool hear_rcpt(struct monitor *m, const struct question *q, struct reply *reply)
{
    *reply = state_rcpt(&m->state, q->text);
    return true;
}

/* The client's socket goes to mailrecv-tls, whose plain bytes go to the session. A client may try again what failed. */
struct reply wall_begin_tls(struct monitor *m)
{
    struct reply reply = state_tls(&m->state, m->client, m->plain[HELPER]);

    if (reply.code == 0) {
        wall_close(&m->client);
        wall_close(&m->plain[HELPER]);
    }
    return reply;
}

static bool hear_tls(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    if (m->client < 0)
        return false;
    *reply = wall_begin_tls(m);
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
    *reply = state_auth(&m->state, parts[0], parts[1], parts[2]);
    explicit_bzero(wall_received.bytes, wall_received.used);
    return true;
}

static bool hear_xclient(struct monitor *m, const struct question *q, struct reply *reply)
{
    *reply = state_xclient(&m->state, q->text);
    return true;
}

static bool hear_xforward(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)reply;
    state_xforward(&m->state, q->text);
    return true;
}

static bool hear_mistold(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    (void)reply;
    state_mistold(&m->state);
    return true;
}

static bool hear_reset(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    (void)reply;
    forget_spool(m);
    state_reset(&m->state);
    return true;
}

/* Of what the session writes the monitor is a reader, so that a lease can later prove that no writer is left. */
static void reopen_read_only(struct monitor *m)
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
    m->spool = state_spool(&m->state, &start);
    *reply = (struct reply){ .code = m->spool < 0 ? (unsigned)errno : 0 };
    return true;
}

/* Small messages are copied out of the shared memory first: nobody shall change them under us. */
static bool hear_deliver(struct monitor *m, const struct question *q, struct reply *reply)
{
    static char own[SPOOL_MEMORY] COLD_BSS;
    struct spool spool = { .memory = own, .fd = -1, .size = q->size };
    struct stat status;

    if (q->size > m->state.conf->session.smtp_data_size.value)
        return false;
    if (q->number != 0) {
        spool.start = m->state.start;
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
    *reply = state_deliver(&m->state, &spool);
    return true;
}

static bool hear_data(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    *reply = state_data(&m->state);
    return true;
}

static bool hear_unknown(struct monitor *m, const struct question *q, struct reply *reply)
{
    *reply = state_unknown(&m->state, q->text);
    return true;
}

static bool hear_answer(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    *reply = state_answer(&m->state);
    return true;
}

static bool hear_refusal(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)reply;
    if (q->stage >= STAGES || q->reply.code < 400 || q->reply.code > 599)
        return false;
    state_refusal(&m->state, wall_stages[q->stage], &q->reply, q->text);
    return true;
}

static bool hear_event(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)reply;
    if (q->number > MONITOR_MESSAGE || (q->number <= MONITOR_CUT && m->state.ended) ||
        (q->number == MONITOR_LOST && (!m->state.in_transaction || m->state.lost)))
        return false;
    wall_log_event(m, (enum monitor_event)q->number, q->text);
    return true;
}

static bool hear_heeded(struct monitor *m, const struct question *q, struct reply *reply)
{
    (void)q;
    (void)reply;
    state_heeded(&m->state);
    return true;
}

static const struct {
    bool (*hear)(struct monitor *m, const struct question *q, struct reply *reply); /* false: a violation */
    bool answered;
    bool between; /* it may come between two replies to a message */
    bool asks;    /* others, who may not answer soon */
} kinds[KINDS] = {
    [TELL_HELO] = { hear_helo, false, false, false },
    [TELL_MAIL] = { hear_mail, false, false, false },
    [TELL_RESET] = { hear_reset, false, true, false },
    [TELL_REFUSAL] = { hear_refusal, false, true, false },
    [TELL_EVENT] = { hear_event, false, true, false },
    [ASK_RCPT] = { hear_rcpt, true, false, true },
    [ASK_SPOOL] = { hear_spool, true, false, false },
    [ASK_DELIVER] = { hear_deliver, true, false, false },
    [ASK_MAIL] = { hear_mail, true, false, true },
    [ASK_TLS] = { hear_tls, true, false, false },
    [ASK_AUTH] = { hear_auth, true, false, false },
    [ASK_HELO] = { hear_helo, true, false, true },
    [ASK_ANSWER] = { hear_answer, true, true, false },
    [ASK_XCLIENT] = { hear_xclient, true, false, false },
    [TELL_XFORWARD] = { hear_xforward, false, false, false },
    [ASK_DATA] = { hear_data, true, false, true },
    [TELL_HEEDED] = { hear_heeded, false, true, false },
    [TELL_MISTOLD] = { hear_mistold, false, false, false },
    [ASK_UNKNOWN] = { hear_unknown, true, false, true },
};

/* Sends an answer, with a descriptor if `fd` is one. A session that cannot have it shall not wait for it. */
static void send_answer(const struct monitor *m, const struct reply *reply, int fd)
{
    wall_sent.used = 0;
    (void)packet_put(&wall_sent, &(struct question){ .number = m->state.speaks, .reply = *reply, .size = m->state.start });
    if (passing_send(m->channel, wall_sent.bytes, wall_sent.used, fd, MSG_DONTWAIT) == (ssize_t)wall_sent.used)
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
        struct reply reply = { .code = 0 };
        struct question q;
        bool delivered;

        if (!packet_take(packet, &offset, &q) || q.kind >= KINDS)
            return "malformed packet";
        if (m->state.answers_due > 0 && !kinds[q.kind].between)
            return "impossible question";
        if (kinds[q.kind].asks && *m->state.terminated)
            reply = reply_stopping; /* what a client has sent ahead is not asked about any more */
        else if (!kinds[q.kind].hear(m, &q, &reply))
            return "impossible question";
        if (m->state.contradiction)
            return "contradiction";
        if (m->state.excess)
            return "command beyond all limits";
        delivered = q.kind == ASK_DELIVER || q.kind == ASK_ANSWER;
        if (delivered)
            allow_for_delivery(m);
        if (kinds[q.kind].answered)
            send_answer(m, &reply, q.kind == ASK_SPOOL ? m->spool : -1);
        if (q.kind == ASK_SPOOL && (m->state.start > 0 || m->state.conf->handlers.first_milter != NULL))
            reopen_read_only(m);
        if (delivered && m->state.answers_due == 0) {
            forget_spool(m); /* to free a large file takes a while, for which nobody has to wait */
            state_rest(&m->state);
        }
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
    if (!*m->state.terminated || m->stopping)
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
        len = recv(m->channel, wall_received.bytes, sizeof wall_received.bytes, MSG_DONTWAIT);
        wall_received.used = len > 0 ? (size_t)len : 0;
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

/* Waits until the session has ended, or kills it. */
static void insist(const struct monitor *m, bool at_once)
{
    const int process = pidfd_open(m->session, 0);

    if (at_once || !has_ended(process, clock_ms() + END_MS)) {
        if (!at_once)
            log_line(LOG_ERR, "violation: the session stays without a channel and is ended");
        (void)kill(m->session, SIGKILL); /* not waited for yet: it is still this process */
        (void)has_ended(process, clock_ms() + END_MS);
    }
    if (process >= 0)
        (void)close(process);
}

/*
 * The session can say nothing any more. An honest one is ending; one that stays, whatever it waits for or holds, is
 * killed. Nothing of it is left then, for it can start no process.
 */
static void end_session(struct monitor *m, bool at_once)
{
    int status = 0;
    pid_t ended = at_once ? 0 : waitpid(m->session, &status, WNOHANG); /* mostly it has */

    if (ended == 0) {
        insist(m, at_once);
        ended = waitpid(m->session, &status, WNOHANG);
    }
    if (ended != m->session)
        wall_log_end(m, LOG_ERR, "reason=unknown", false); /* it hangs in a system call, and is killed as soon as that ends */
    else if ((m->crashed = WIFSIGNALED(status)))
        wall_log_death(m, "killed signal", WTERMSIG(status));
    else if (WEXITSTATUS(status) != EX_OK)
        wall_log_death(m, "failed status", WEXITSTATUS(status));
}

void wall_serve(struct monitor *m)
{
    const char *violation = NULL;

    do
        state_prepare(&m->state);
    while (wait_packet(m) && (violation = monitor_hear(m, &wall_received)) == NULL);
    if (violation != NULL)
        log_line(LOG_ERR, "violation: the session sent a %s and is ended", violation);
    else if (clock_left(m->latest) == 0)
        log_line(LOG_ERR, "violation: the session stays beyond its time and is ended");
    forget_spool(m);
    (void)close(m->channel);
    wall_close(&m->client);
    wall_close(&m->plain[HELPER]);
    end_session(m, violation != NULL || clock_left(m->latest) == 0);
    state_end(&m->state);
}
