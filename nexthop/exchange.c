/* exchange.c - what is said to another server and heard from it, over a stream socket, with a deadline */
#include "nexthop/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"

void exchange_begin(struct exchange *exchange, int fd, uint64_t deadline, const volatile sig_atomic_t *terminated)
{
    exchange->fd = fd;
    exchange->deadline = deadline;
    exchange->terminated = terminated;
    exchange->heard = NULL;
    exchange->grace_ms = exchange->stop_at = 0;
    exchange->end = EXCHANGE_GOES_ON;
    exchange->mute = false;
    exchange->in_start = exchange->in_end = exchange->out_len = 0;
    response_begin(&exchange->response);
}

static void end(struct exchange *exchange, enum exchange_end why)
{
    if (exchange->end == EXCHANGE_GOES_ON)
        exchange->end = why;
    exchange->error = errno;
    exchange->mute = true;
}

static bool is_stopped(struct exchange *exchange)
{
    if (exchange->terminated == NULL || !*exchange->terminated)
        return false;
    if (exchange->stop_at == 0)
        exchange->stop_at = clock_ms() + exchange->grace_ms;
    if (clock_left(exchange->stop_at) > 0)
        return false;
    end(exchange, EXCHANGE_STOPPED);
    return true;
}

/* Waits until the connection is ready. False: there is nothing more to wait for. */
static bool wait_for(struct exchange *exchange, short events, short *ready)
{
    struct pollfd polled = { .fd = exchange->fd, .events = events };
    sigset_t mask = clock_mask();
    int n;

    do {
        if (is_stopped(exchange))
            return false;
        n = clock_poll(&polled, 1, exchange->stop_at == 0 ? exchange->deadline
                                                          : clock_earlier(exchange->deadline, exchange->stop_at), &mask);
    } while (n < 0 && errno == EINTR);
    if (n == 0 && is_stopped(exchange))
        return false;
    if (n <= 0)
        end(exchange, n == 0 ? EXCHANGE_TIMED_OUT : EXCHANGE_BROKEN);
    *ready = polled.revents;
    return n > 0;
}

/* Reads what is there. */
static void receive(struct exchange *exchange)
{
    const size_t room = sizeof exchange->in - exchange->in_end;
    ssize_t n = recv(exchange->fd, exchange->in + exchange->in_end, room, MSG_DONTWAIT);

    if (n > 0)
        exchange->in_end += (size_t)n;
    else if (n == 0)
        end(exchange, EXCHANGE_CLOSED);
    else if (errno != EAGAIN && errno != EINTR)
        end(exchange, errno == ECONNRESET ? EXCHANGE_CLOSED : EXCHANGE_BROKEN);
}

/* Sends a part. Who takes nothing more may have said why. */
static size_t transmit(struct exchange *exchange, const char *bytes, size_t len)
{
    ssize_t n = send(exchange->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        exchange->mute = true;
    return n > 0 ? (size_t)n : 0;
}

/* The other side may answer meanwhile, and not read on before it is heard. */
void exchange_flush(struct exchange *exchange)
{
    size_t sent = 0;
    short ready;

    while (!exchange->mute && sent < exchange->out_len) {
        short also = exchange->in_end < sizeof exchange->in ? POLLIN : 0;

        sent += transmit(exchange, exchange->out + sent, exchange->out_len - sent);
        if (sent < exchange->out_len && !exchange->mute && wait_for(exchange, (short)(POLLOUT | also), &ready) &&
            (ready & POLLIN) != 0)
            receive(exchange);
    }
    exchange->out_len = 0;
}

char *exchange_room(struct exchange *exchange, size_t least, size_t *size)
{
    if (sizeof exchange->out - exchange->out_len < least)
        exchange_flush(exchange);
    *size = sizeof exchange->out - exchange->out_len;
    return exchange->out + exchange->out_len;
}

void exchange_say(struct exchange *exchange, struct slice words)
{
    size_t size;
    char *room = exchange_room(exchange, words.len, &size);

    memcpy(room, words.text, words.len);
    exchange_said(exchange, words.len);
}

/* Takes of the reply what has been read. */
static enum response_progress take(struct exchange *exchange, struct capabilities *offers)
{
    enum response_progress progress = RESPONSE_MORE;
    size_t used;

    while (exchange->in_start < exchange->in_end && (progress == RESPONSE_MORE || progress == RESPONSE_NEXT)) {
        progress = response_feed(&exchange->response, (struct slice){ exchange->in + exchange->in_start,
                                 exchange->in_end - exchange->in_start }, &used);
        exchange->in_start += used;
        if (progress != RESPONSE_NEXT && progress != RESPONSE_LAST)
            continue;
        if (exchange->heard != NULL)
            exchange->heard(&exchange->response);
        if (offers != NULL && exchange->response.lines > 1)
            capabilities_take(offers, response_line(&exchange->response));
    }
    return progress;
}

bool exchange_hear(struct exchange *exchange, struct capabilities *offers)
{
    enum response_progress progress;
    short ready;

    exchange_flush(exchange);
    response_begin(&exchange->response);
    while ((progress = take(exchange, offers)) == RESPONSE_MORE || progress == RESPONSE_NEXT) {
        exchange->in_start = exchange->in_end = 0; /* all is taken */
        if (exchange->end != EXCHANGE_GOES_ON || !wait_for(exchange, POLLIN, &ready))
            return false;
        receive(exchange);
    }
    if (progress == RESPONSE_GARBAGE)
        end(exchange, EXCHANGE_GARBAGE);
    return progress == RESPONSE_LAST;
}

const char *exchange_why(const struct exchange *exchange, char why[EXCHANGE_WHY])
{
    static const char *const reasons[] = {
        [EXCHANGE_GOES_ON] = "has said more than it was asked for", [EXCHANGE_CLOSED] = "has closed the connection",
        [EXCHANGE_TIMED_OUT] = "has not answered in time",
        [EXCHANGE_STOPPED] = "was not waited for: the service is being stopped",
        [EXCHANGE_GARBAGE] = "has said what is no reply",
    };

    if (exchange->end != EXCHANGE_BROKEN)
        return reasons[exchange->end];
    (void)snprintf(why, EXCHANGE_WHY, "cannot be heard: %s", strerror(exchange->error));
    return why;
}

static bool has_heard(const struct exchange *exchange)
{
    return exchange->in_start < exchange->in_end;
}

bool exchange_is_quiet(struct exchange *exchange)
{
    if (exchange->end == EXCHANGE_GOES_ON && !has_heard(exchange)) {
        exchange->in_start = exchange->in_end = 0; /* all is taken */
        receive(exchange);
    }
    return exchange->end == EXCHANGE_GOES_ON && !has_heard(exchange);
}

bool exchange_conclude(struct exchange *exchange)
{
    if (!exchange_is_quiet(exchange))
        exchange->mute = true; /* who has answered already is not given the rest */
    exchange_flush(exchange);
    return !exchange->mute && !has_heard(exchange);
}
