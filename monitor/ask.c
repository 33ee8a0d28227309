/* ask.c - the session's side of the wall: the functions that the dialogue calls */
/*
 * Each either calls state.c, where both sides are one process, or puts its arguments into a packet. What needs no answer
 * travels with what does: waking the other process is the greatest cost of the wall.
 */
#include "monitor/wall.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/passing.h"
#include "base/text.h"

enum { MOMENT_MS = 10 }; /* how long what the client was told already waits for the answer to a question */

static const struct reply no_objection = { .code = 0 };

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

/* Has the client shown that it has heard what became of its message? That comes before all else there is to say. */
static bool has_heeded(const struct monitor *m)
{
    bool heeded = m->io != NULL && m->io->heeded;

    if (heeded)
        line_forget(m->io);
    return heeded;
}

/* Is there no channel, so that the question is a call? One that may take long cannot be left to run meanwhile. */
static bool is_direct(struct monitor *m, bool takes_long)
{
    if (m->channel == DIRECT && has_heeded(m))
        state_heeded(&m->state);
    if (m->channel == DIRECT && takes_long)
        let_out(m);
    return m->channel == DIRECT;
}

/* Without its monitor a session can do nothing: it ends, and so does the connection. */
static void send_waiting(const struct monitor *m)
{
    ssize_t n = wall_sent.used > 0 ? send(m->channel, wall_sent.bytes, wall_sent.used, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;

    if (n < 0 && errno == EAGAIN) { /* the monitor is busy */
        let_out(m);
        n = send(m->channel, wall_sent.bytes, wall_sent.used, MSG_NOSIGNAL);
    }
    if (n != (ssize_t)wall_sent.used)
        _exit(EX_OSERR);
    wall_sent.used = 0;
}

/* Leaves with the next packet. Returns how much of the text had room. */
static size_t put(const struct monitor *m, const struct question *q)
{
    if (!packet_has_room(&wall_sent, q))
        send_waiting(m);
    return packet_put(&wall_sent, q);
}

static size_t tell(const struct monitor *m, const struct question *q)
{
    if (has_heeded(m))
        (void)put(m, &(struct question){ .kind = TELL_HEEDED });
    return put(m, q);
}

/* Puts the question and waits for the answer, which may bring a descriptor. */
static struct question ask_for(const struct monitor *m, const struct question *q, int *fd)
{
    struct question answer;
    size_t offset = 0;
    int brought;
    ssize_t n;

    (void)tell(m, q);
    send_waiting(m);
    wait_a_moment(m);
    do
        n = passing_receive(m->channel, wall_received.bytes, sizeof wall_received.bytes, &brought, 0);
    while (n < 0 && errno == EINTR);
    wall_received.used = n > 0 ? (size_t)n : 0;
    if (!packet_take(&wall_received, &offset, &answer))
        _exit(EX_OSERR);
    if (fd != NULL)
        *fd = brought;
    return answer;
}

static struct reply ask(const struct monitor *m, const struct question *q)
{
    return ask_for(m, q, NULL).reply;
}

bool monitor_admits(struct monitor *monitor)
{
    return state_admit(&monitor->state);
}

/* The greeting may wait for the DNS, by turns with a process that reads it. The client of a spare waits for nothing else. */
struct reply monitor_connect(struct monitor *monitor)
{
    if (monitor->state.conf->base.sandbox != SANDBOX_OFF && monitor->ahead < 0)
        wall_pin(monitor);
    return state_connect(&monitor->state);
}

void monitor_announce(struct monitor *monitor)
{
    state_announce(&monitor->state);
    state_prepare(&monitor->state);
}

struct reply monitor_helo(struct monitor *monitor, bool extended, struct slice name)
{
    if (is_direct(monitor, monitor->asks_helo))
        return state_helo(&monitor->state, extended, name);
    if (monitor->asks_helo)
        return ask(monitor, &(struct question){ .kind = ASK_HELO, .number = extended, .text = name });
    (void)tell(monitor, &(struct question){ .kind = TELL_HELO, .number = extended, .text = name });
    return no_objection;
}

struct reply monitor_mail(struct monitor *monitor, struct slice argument)
{
    bool asks = monitor->asks_mail || !slice_is_ascii(argument); /* a domain outside ASCII may be none that can exist */

    if (is_direct(monitor, asks))
        return state_mail(&monitor->state, argument);
    if (asks)
        return ask(monitor, &(struct question){ .kind = ASK_MAIL, .text = argument });
    (void)tell(monitor, &(struct question){ .kind = TELL_MAIL, .text = argument });
    return no_objection;
}

unsigned monitor_speaks(const struct monitor *monitor)
{
    return monitor->state.speaks;
}

struct reply monitor_xclient(struct monitor *monitor, struct slice argument, unsigned *speaks)
{
    struct question answer;

    if (is_direct(monitor, true)) {
        answer.reply = state_xclient(&monitor->state, argument);
        *speaks = monitor->state.speaks;
        return answer.reply;
    }
    answer = ask_for(monitor, &(struct question){ .kind = ASK_XCLIENT, .text = argument }, NULL);
    *speaks = answer.number;
    return answer.reply;
}

void monitor_xforward(struct monitor *monitor, struct slice argument)
{
    monitor->asks_mail = true; /* whose mail it is may be a reason to refuse it */
    if (is_direct(monitor, false))
        state_xforward(&monitor->state, argument);
    else
        (void)tell(monitor, &(struct question){ .kind = TELL_XFORWARD, .text = argument });
}

void monitor_mistold(struct monitor *monitor)
{
    monitor->asks_mail = true;
    if (is_direct(monitor, false))
        state_mistold(&monitor->state);
    else
        (void)tell(monitor, &(struct question){ .kind = TELL_MISTOLD });
}

struct reply monitor_tls(struct monitor *monitor, int *plain)
{
    struct reply reply;

    *plain = PLAIN;
    if (!is_direct(monitor, true))
        return ask(monitor, &(struct question){ .kind = ASK_TLS });
    if (!wall_prepare_tls(monitor)) {
        log_line(LOG_ERR, "TLS failed reason=\"%s\"", strerror(errno));
        return (struct reply)REPLY(454, "7.0", "TLS is not available now");
    }
    reply = wall_begin_tls(monitor);
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
        return state_auth(&monitor->state, identity, user, password);
    text_put(&text, identity);
    text_put(&text, (struct slice){ "", 1 });
    text_put(&text, user);
    text_put(&text, (struct slice){ "", 1 });
    text_put(&text, password);
    reply = ask(monitor, &(struct question){ .kind = ASK_AUTH, .text = text_slice(&text) });
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(wall_sent.bytes, sizeof wall_sent.bytes);
    return reply;
}

struct reply monitor_rcpt(struct monitor *monitor, struct slice argument)
{
    if (is_direct(monitor, monitor->asks_rcpt))
        return state_rcpt(&monitor->state, argument);
    return ask(monitor, &(struct question){ .kind = ASK_RCPT, .text = argument });
}

struct reply monitor_data(struct monitor *monitor)
{
    if (!monitor->asks_data)
        return no_objection;
    return is_direct(monitor, true) ? state_data(&monitor->state) : ask(monitor, &(struct question){ .kind = ASK_DATA });
}

struct reply monitor_unknown(struct monitor *monitor, struct slice verb)
{
    if (!monitor->asks_unknown)
        return no_objection;
    return is_direct(monitor, true) ? state_unknown(&monitor->state, verb)
                                    : ask(monitor, &(struct question){ .kind = ASK_UNKNOWN, .text = verb });
}

void monitor_reset(struct monitor *monitor)
{
    if (is_direct(monitor, false))
        state_reset(&monitor->state);
    else
        (void)tell(monitor, &(struct question){ .kind = TELL_RESET });
}

int monitor_spool(struct monitor *monitor, uint64_t *start)
{
    struct question answer;
    int fd = -1;

    if (is_direct(monitor, false))
        return state_spool(&monitor->state, start);
    answer = ask_for(monitor, &(struct question){ .kind = ASK_SPOOL }, &fd);
    *start = answer.size;
    if (fd < 0)
        errno = answer.reply.code != 0 ? (int)answer.reply.code : EMFILE;
    return fd;
}

struct reply monitor_deliver(struct monitor *monitor, struct spool *spool)
{
    const struct question q = { .kind = ASK_DELIVER, .number = spool->fd >= 0, .size = spool->size };

    struct reply reply;

    if (is_direct(monitor, true)) {
        reply = state_deliver(&monitor->state, spool);
    } else {
        spool_clear(spool); /* what the monitor reads, nobody writes to any more */
        reply = ask(monitor, &q);
    }
    if (monitor->remembers && monitor->io != NULL)
        line_watch(monitor->io);
    return reply;
}

struct reply monitor_answer(struct monitor *monitor)
{
    if (is_direct(monitor, true))
        return state_answer(&monitor->state);
    return ask(monitor, &(struct question){ .kind = ASK_ANSWER });
}

void monitor_log_refusal(struct monitor *monitor, const char *stage, const struct reply *reply, struct slice line)
{
    struct question q = { .kind = TELL_REFUSAL, .reply = *reply, .text = line };

    if (is_direct(monitor, false)) {
        state_refusal(&monitor->state, stage, reply, line);
        return;
    }
    while (q.stage < STAGES - 1 && strcmp(wall_stages[q.stage], stage) != 0)
        q.stage++;
    (void)tell(monitor, &q);
    send_waiting(monitor);
}

void monitor_log(struct monitor *monitor, enum monitor_event event, struct slice text)
{
    if (is_direct(monitor, false)) {
        wall_log_event(monitor, event, text);
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
