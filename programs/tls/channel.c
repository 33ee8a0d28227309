/* channel.c - one connection: its descriptors, what the monitor is told of it, and waiting for all of them */
#include "programs/tls/channel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "programs/tls/credentials.h"

enum { MAX_MESSAGE = 1024, MAX_WASTE = 16384 };

bool channel_tell(const char *format, ...)
{
    char message[MAX_MESSAGE];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return len > 0 && write(CHANNEL, message, (size_t)len < sizeof message ? (size_t)len : sizeof message - 1) > 0;
}

void channel_fail(const char *about, const char *why)
{
    char text[TEXT_SIZE];

    copy_printable(text, why, strlen(why));
    (void)channel_tell("failed %s: %s", about, text);
    _exit(EXIT_FAILURE);
}

void channel_wait(struct pollfd *fds, nfds_t count, uint64_t deadline)
{
    struct timespec timeout = { 0, 0 };

    if (deadline != 0) {
        int left = clock_left(deadline);

        timeout = (struct timespec){ left / 1000, left % 1000 * 1000000L };
    }
    fds[0] = (struct pollfd){ .fd = CHANNEL, .events = POLLRDHUP };
    if (ppoll(fds, count, deadline != 0 ? &timeout : NULL, NULL) < 0 && errno != EINTR)
        channel_fail("connection", strerror(errno));
    if (fds[0].revents != 0)
        _exit(EXIT_FAILURE);
}

short channel_wanted(const SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ: return POLLIN;
    case SSL_ERROR_WANT_WRITE: return POLLOUT;
    default: return 0;
    }
}

void channel_end(uint64_t deadline)
{
    char waste[MAX_WASTE];
    struct pollfd fds[2];
    ssize_t got;

    (void)shutdown(PLAIN, SHUT_RDWR); /* both fail if the other side is gone */
    (void)shutdown(PEER, SHUT_WR);
    while (clock_left(deadline) > 0 &&
           ((got = read(PEER, waste, sizeof waste)) > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))) {
        fds[1] = (struct pollfd){ .fd = PEER, .events = POLLIN };
        channel_wait(fds, 2, deadline);
    }
}

void channel_reject(const char *about, const char *why)
{
    (void)channel_tell("failed %s: %s", about, why);
    channel_end(clock_ms() + FINISH_MS);
    _exit(EXIT_FAILURE);
}
