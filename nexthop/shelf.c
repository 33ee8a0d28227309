/* shelf.c - programs that wait, when they have answered one session of a listener, for the question of another */
#include "nexthop/shelf.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/passing.h"
#include "base/process.h"

enum { FDS = 4 };

bool shelf_make(struct shelf *shelf, uint64_t ms)
{
    const int least = 1; /* the kernel makes that what it must be: room for a handful of packets */
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        log_line(LOG_ERR, "listener: each session starts the programs of its tables: %m");
        return false;
    }
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least); /* cannot fail for a socket */
    *shelf = (struct shelf){ .in = ends[0], .out = ends[1], .ms = ms };
    return true;
}

bool shelf_put(const struct shelf *shelf, const struct shelved *program)
{
    const int fds[FDS] = { program->in, program->out, program->messages, program->process };

    return clock_ms() - program->started < shelf->ms &&
           passing_send_all(shelf->in, &program->started, sizeof program->started, fds, FDS, MSG_DONTWAIT) ==
               (ssize_t)sizeof program->started;
}

bool shelf_take(const struct shelf *shelf, struct shelved *program)
{
    int fds[FDS];
    ssize_t len = passing_receive_all(shelf->out, &program->started, sizeof program->started, fds, FDS, MSG_DONTWAIT);

    if (len != (ssize_t)sizeof program->started || fds[FDS - 1] < 0) {
        for (size_t i = 0; i < FDS; i++) /* there was no room for all of them: it ends */
            if (fds[i] >= 0)
                (void)close(fds[i]);
        return false;
    }
    program->in = fds[0];
    program->out = fds[1];
    program->messages = fds[2];
    program->process = fds[3];
    return true;
}

void shelf_clear(const struct shelf *shelf, bool close_it)
{
    struct shelved program;

    if (close_it)
        (void)shutdown(shelf->in, SHUT_RDWR); /* a pair: cannot fail */
    while (shelf_take(shelf, &program)) {
        (void)close(program.in); /* nobody wants to know */
        (void)close(program.out);
        (void)close(program.messages);
        (void)pidfd_send_signal(program.process, SIGTERM, NULL, 0); /* if it has not ended */
        (void)close(program.process);
    }
}

void shelf_end(int process, uint64_t deadline)
{
    struct pollfd ended = { .fd = process, .events = POLLIN };
    sigset_t waiting = clock_mask();

    if (clock_poll(&ended, 1, deadline, &waiting) != 1) {
        const uint64_t grace = clock_ms() + PROCESS_GRACE_MS;

        (void)pidfd_send_signal(process, SIGTERM, NULL, 0);
        while (clock_left(grace) > 0 && clock_poll(&ended, 1, grace, NULL) < 0 && errno == EINTR)
            continue;
        (void)pidfd_send_signal(process, SIGKILL, NULL, 0);
    }
    (void)waitid(P_PIDFD, (id_t)process, NULL, WEXITED | WNOHANG); /* if we have started it */
    (void)close(process);
}
