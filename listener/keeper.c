/* keeper.c - the helper for TLS that waits while the listener lives: starting it, and its end */
#include "listener/keeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "client/keeper.h"

enum { BY_SIGNAL = 128 }; /* its exit status has the number of the signal, where one of its processes has crashed */

static pid_t keeper; /* 0: there is none */

void keeper_start(void (*become)(void *context, int requests), void *context)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        log_line(LOG_ERR, "listener: each session starts its own mailrecv-tls: %m");
        return;
    }
    keeper = _Fork();
    if (keeper == 0) {
        become(context, ends[1]);
        _exit(EXIT_FAILURE);
    }
    if (keeper < 0)
        log_line(LOG_ERR, "listener: each session starts its own mailrecv-tls: %m");
    (void)close(ends[1]); /* when the keeper ends, whoever asks shall see it */
    keeper_use(ends[0]);
}

void keeper_stop(void)
{
    if (keeper > 0)
        (void)kill(keeper, SIGHUP); /* not waited for yet: it is still that process */
}

bool keeper_crashed(pid_t pid, int status)
{
    int signal = WIFEXITED(status) ? WEXITSTATUS(status) - BY_SIGNAL : 0;

    if (pid != keeper)
        return false;
    keeper = 0;
    keeper_use(-1);
    if (signal > 0)
        log_line(LOG_ERR, "listener: a process of mailrecv-tls was ended by signal %d", signal);
    return signal > 0 || WIFSIGNALED(status);
}
