/* milter_service.c - the connection to a milter: opened, written to, heard, closed */
#include "handlers/milter_service.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "nexthop/connect.h"

enum { UNASKED_MOST = 1000 };

/*
 * What was read, and has not been looked at yet: of one milter at a time, since no other is asked before it has
 * answered.
 */
static struct {
    const struct milter *of;
    size_t at, len;
    char bytes[65536];
    struct milter_reader reader;
} heard COLD_BSS;

static void forget(const struct milter *milter)
{
    if (heard.of != milter)
        return;
    heard.of = NULL;
    heard.at = heard.len = heard.reader.have = 0;
}

static enum milter_hearing unreached(const char *reason)
{
    return strstr(reason, "no answer in time") != NULL ? MILTER_LATE : MILTER_CLOSED;
}

enum milter_hearing milter_service_open(struct milter *milter, uint64_t deadline, char reason[MILTER_REASON])
{
    struct milter_connection *c = &milter->connection;

    c->fd = nexthop_connect(&milter->where, deadline, reason, MILTER_REASON);
    c->open = c->fd >= 0;
    forget(milter);
    return c->open ? MILTER_HEARD : unreached(reason);
}

/* Waits until the milter can be read from or written to. */
static enum milter_hearing wait_for(const struct milter *milter, short events, uint64_t deadline,
                                    char reason[MILTER_REASON])
{
    struct pollfd ready = { .fd = milter->connection.fd, .events = events };
    sigset_t waiting = clock_mask();
    int n = clock_poll(&ready, 1, deadline, &waiting);

    if (n > 0)
        return MILTER_HEARD;
    (void)snprintf(reason, MILTER_REASON, "%s", n == 0 ? "it has not answered in time" : "the service is being stopped");
    return n == 0 ? MILTER_LATE : MILTER_STOPPED;
}

static enum milter_hearing failed(const char *what, char reason[MILTER_REASON])
{
    (void)snprintf(reason, MILTER_REASON, "%s: %s", what, strerror(errno));
    return errno == EPIPE || errno == ECONNRESET ? MILTER_CLOSED : MILTER_BROKEN;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR;
}

enum milter_hearing milter_service_send(struct milter *milter, struct slice bytes, uint64_t deadline,
                                        char reason[MILTER_REASON])
{
    enum milter_hearing hearing = MILTER_HEARD;

    while (bytes.len > 0 && hearing == MILTER_HEARD) {
        ssize_t n = send(milter->connection.fd, bytes.text, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && !is_passing(errno))
            return failed("cannot ask", reason);
        if (n < 0)
            hearing = wait_for(milter, POLLOUT, deadline, reason);
        if (n > 0)
            bytes = (struct slice){ bytes.text + n, bytes.len - (size_t)n };
    }
    return hearing;
}

/* Reads what there is, or waits for it. */
static enum milter_hearing fill(const struct milter *milter, uint64_t deadline, char reason[MILTER_REASON])
{
    ssize_t n = recv(milter->connection.fd, heard.bytes, sizeof heard.bytes, 0);

    if (n < 0 && is_passing(errno))
        return wait_for(milter, POLLIN, deadline, reason);
    if (n < 0)
        return failed("cannot read the answer", reason);
    if (n == 0) {
        (void)snprintf(reason, MILTER_REASON, "it has closed the connection");
        return MILTER_CLOSED;
    }
    heard.at = 0;
    heard.len = (size_t)n;
    return MILTER_HEARD;
}

enum milter_hearing milter_service_hear(struct milter *milter, uint64_t deadline, struct milter_answer *answer,
                                        char reason[MILTER_REASON])
{
    enum milter_hearing hearing = MILTER_HEARD;

    heard.of = milter;
    while (hearing == MILTER_HEARD) {
        const struct slice rest = { heard.bytes + heard.at, heard.len - heard.at };
        size_t used = 0;
        enum milter_progress progress = rest.len > 0 ? milter_answer_feed(&heard.reader, rest, &used,
                                                                          answer) : MILTER_MORE;

        heard.at += used;
        if (progress == MILTER_DONE)
            return MILTER_HEARD;
        if (progress == MILTER_NONSENSE) {
            (void)snprintf(reason, MILTER_REASON, "its answer is none of a milter");
            return MILTER_BROKEN;
        }
        if (clock_left(deadline) == 0) /* whoever sends a byte now and then has not answered either */
            (void)snprintf(reason, MILTER_REASON, "it has not answered in time");
        hearing = clock_left(deadline) == 0 ? MILTER_LATE : fill(milter, deadline, reason);
    }
    return hearing;
}

/* Packets that only say that it goes on may come at any time; but not without end. */
bool milter_service_has_spoken(const struct milter *milter)
{
    static const char goes_on[MILTER_HEAD] = { 0, 0, 0, 1, 'p' };
    char head[MILTER_HEAD];
    ssize_t n = 1;

    for (unsigned left = UNASKED_MOST; left > 0 && n > 0; left--) {
        n = recv(milter->connection.fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0 && (n < MILTER_HEAD || memcmp(head, goes_on, sizeof head) != 0))
            break;
        if (n > 0)
            (void)recv(milter->connection.fd, head, sizeof head, MSG_DONTWAIT); /* they are there */
    }
    return n > 0;
}

bool milter_service_has_more(const struct milter *milter)
{
    return heard.of == milter && heard.at < heard.len;
}

bool milter_service_is_quiet(const struct milter *milter)
{
    char byte;

    if (heard.of == milter && (heard.at < heard.len || milter_reader_waits(&heard.reader)))
        return false;
    return recv(milter->connection.fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) < 0 && is_passing(errno);
}

void milter_service_close(struct milter *milter, bool quit)
{
    struct milter_connection *c = &milter->connection;
    char bytes[MILTER_HEAD];
    struct text out = { bytes, sizeof bytes, 0 };

    if (!c->open)
        return;
    milter_packet_end(&out, milter_packet_begin(&out, milter_commands[MILTER_QUIT].letter));
    if (quit)
        (void)send(c->fd, bytes, out.len, MSG_NOSIGNAL | MSG_DONTWAIT); /* who does not read it sees the end of the connection */
    (void)close(c->fd);
    c->open = false;
    forget(milter);
}
