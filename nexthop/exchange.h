/* exchange.h - what is said to another server and heard from it, over a stream socket, with a deadline */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <signal.h>

#include "nexthop/response.h"

enum { EXCHANGE_IN = 8192, EXCHANGE_OUT = 65536, EXCHANGE_WHY = 128 };

/* Why there is nothing more to be heard. */
enum exchange_end {
    EXCHANGE_GOES_ON,
    EXCHANGE_CLOSED,
    EXCHANGE_BROKEN,
    EXCHANGE_TIMED_OUT,
    EXCHANGE_STOPPED,
    EXCHANGE_GARBAGE
};

/* One connection. What is said is collected; it leaves before an answer is waited for, or when there is no more room. */
struct exchange {
    int fd;
    uint64_t deadline; /* of all of it (clock.h) */
    const volatile sig_atomic_t *terminated; /* set by SIGTERM, which is let in while waiting; NULL: nobody sets it */
    uint64_t grace_ms; /* how long an answer is still waited for after that; */
    uint64_t stop_at;  /* until then, once it has arrived; 0: it has not */
    enum exchange_end end;
    int error;         /* errno of EXCHANGE_BROKEN */
    bool mute;         /* the other side takes nothing more; what it has said before can be heard */
    size_t in_start, in_end, out_len;
    struct response response; /* the last reply */
    void (*heard)(const struct response *response); /* is told of each line when it is complete; NULL: nobody is */
    char in[EXCHANGE_IN], out[EXCHANGE_OUT];
};

/* Takes over a connected stream socket. */
void exchange_begin(struct exchange *exchange, int fd, uint64_t deadline, const volatile sig_atomic_t *terminated);

/* Says something. Never fails: what was not taken is seen when the answer does not come. */
void exchange_say(struct exchange *exchange, struct slice words);

/* Room for `least` bytes (at most EXCHANGE_OUT) or more that are to be said next; exchange_said tells how many there were. */
char *exchange_room(struct exchange *exchange, size_t least, size_t *size);

static inline void exchange_said(struct exchange *exchange, size_t len)
{
    exchange->out_len += len;
}

/* Sends what was said. */
void exchange_flush(struct exchange *exchange);

/*
 * Hears the next reply, into exchange->response; of EHLO and LHLO also what is offered (`offers`, may be NULL). False:
 * there is none, and exchange->end says why.
 */
bool exchange_hear(struct exchange *exchange, struct capabilities *offers);

/* What exchange->end says, for people: "has closed the connection". Lives as long as `why`. */
const char *exchange_why(const struct exchange *exchange, char why[EXCHANGE_WHY]);

/* Is the connection there, and is nothing to be heard that was not asked for? */
bool exchange_is_quiet(struct exchange *exchange);

/*
 * Sends the end of what is answered as a whole, unless something is to be heard by then. False: not all of it had left
 * before something was heard, so that no yes can be the answer to it.
 */
bool exchange_conclude(struct exchange *exchange);

#endif
