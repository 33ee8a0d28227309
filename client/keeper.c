/* keeper.c - the monitor's side of a mailrecv-tls that waits, with certificate and key loaded, for the sessions of a listener */
#include "client/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/passing.h"
#include "base/process.h"

enum { ANSWER_MS = 5000, ANSWER_SIZE = 64 };

static int keeper = -1;

void keeper_use(int requests)
{
    if (keeper >= 0)
        (void)close(keeper); /* what was written there is gone or read */
    keeper = requests;
}

static bool set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* The descriptors are made ready for a process that is confined already. */
static bool send_request(int client, int plain, int end)
{
    const int on = 1, fds[] = { client, plain, end };
    const char byte = 0;

    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails for a UNIX socket */
    return set_nonblocking(client) && set_nonblocking(plain) &&
           passing_send_all(keeper, &byte, sizeof byte, fds, sizeof fds / sizeof fds[0], MSG_DONTWAIT) == sizeof byte;
}

/* "ready PID" */
static bool hear_ready(int channel, pid_t *helper)
{
    static const char word[] = "ready ";
    char answer[ANSWER_SIZE];
    ssize_t len = recv(channel, answer, sizeof answer - 1, MSG_DONTWAIT);

    answer[len > 0 ? len : 0] = '\0';
    if (strncmp(answer, word, sizeof word - 1) != 0)
        return false;
    *helper = (pid_t)strtol(answer + sizeof word - 1, NULL, 10);
    return *helper > 0;
}

enum keeper_answer keeper_ask(int client, int plain, int end, int channel, uint64_t deadline, pid_t *helper)
{
    struct pollfd answer = { .fd = channel, .events = POLLIN };
    sigset_t waiting = clock_mask();
    bool sent = keeper >= 0 && send_request(client, plain, end);

    keeper_use(-1);
    (void)close(end); /* the end of the process that we wait for shall show */
    if (!sent)
        return KEEPER_NONE;
    if (clock_poll(&answer, 1, clock_earlier(deadline, clock_ms() + ANSWER_MS), &waiting) == 1)
        return hear_ready(channel, helper) ? KEEPER_READY : KEEPER_NONE;
    (void)shutdown(channel, SHUT_RD); /* whoever says now that it is ready learns that it must not serve */
    return hear_ready(channel, helper) ? KEEPER_LATE : KEEPER_NONE;
}

/* Nobody else has the other end of the channel: when the process ends, that does. */
static bool has_ended(int channel, uint64_t deadline)
{
    struct pollfd other = { .fd = channel };
    sigset_t waiting = clock_mask();

    return clock_poll(&other, 1, deadline, &waiting) == 1;
}

bool keeper_wait(pid_t helper, int channel, uint64_t deadline)
{
    int process;

    if (has_ended(channel, deadline))
        return true;
    if (has_ended(channel, clock_ms() + PROCESS_GRACE_MS))
        return false;
    process = pidfd_open(helper, 0);
    if (process >= 0 && !has_ended(channel, 0)) /* else the number may be that of another process by now */
        (void)pidfd_send_signal(process, SIGKILL, NULL, 0);
    if (process >= 0)
        (void)close(process);
    return false;
}
