/* clock.h - the clock that limits are measured with, and waiting by it: it never jumps */
#ifndef CLOCK_H
#define CLOCK_H

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

/* Milliseconds since an arbitrary moment, never going back. A deadline is such a number. */
static inline uint64_t clock_ms(void)
{
    struct timespec now;

    /* cannot fail: the clock exists on every Linux and the pointer is ours */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Milliseconds left until a deadline, as poll(2) wants them: 0 when it has passed. */
static inline int clock_left(uint64_t deadline)
{
    uint64_t now = clock_ms();

    if (now >= deadline)
        return 0;
    return deadline - now > INT32_MAX ? INT32_MAX : (int)(deadline - now);
}

/* The signal mask of a wait: what is blocked now, but for SIGTERM and SIGINT, which are let in. */
static inline sigset_t clock_mask(void)
{
    sigset_t mask;

    (void)sigprocmask(SIG_SETMASK, NULL, &mask); /* a query, which cannot fail */
    (void)sigdelset(&mask, SIGTERM);
    (void)sigdelset(&mask, SIGINT);
    return mask;
}

/* ppoll(2) until a deadline, under a mask. */
static inline int clock_poll(struct pollfd *fds, nfds_t count, uint64_t deadline, const sigset_t *mask)
{
    int left = clock_left(deadline);
    struct timespec timeout = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000L };

    return ppoll(fds, count, &timeout, mask);
}

static inline uint64_t clock_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
