/* renewal.c - the listener executes itself anew, and goes on: sockets, and who is being served, stay */
#include "listener/renewal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "listener/guests.h"

/* What was written down for us has this descriptor, named so: PID:FD. No other process of ours gets an environment. */
#define VARIABLE "MAILRECV_LISTENER"

static int inherited = -1;

/* Writes down what the next program is to know: the sockets, then the guests. Returns a descriptor, or -1. */
static int write_down(const struct sockets *sockets)
{
    int fd = memfd_create("listener", MFD_CLOEXEC);

    if (fd >= 0 && write(fd, sockets, sizeof *sockets) == (ssize_t)sizeof *sockets && guests_save(fd) &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd); /* it is memory */
    return -1;
}

void renewal_execute(struct sockets *sockets, char *const *arguments)
{
    int fd = write_down(sockets);
    char value[64];

    (void)snprintf(value, sizeof value, "%ld:%d", (long)getpid(), fd);
    if (fd >= 0 && setenv(VARIABLE, value, 1) == 0 && fcntl(fd, F_SETFD, 0) == 0) {
        sockets_keep(sockets, true);
        (void)execv("/proc/self/exe", arguments); /* it returns if it fails */
        sockets_keep(sockets, false);
    }
    log_line(LOG_ERR, "listener: cannot execute itself anew, and goes on as it is: %m");
    (void)unsetenv(VARIABLE); /* a valid name: cannot fail */
    if (fd >= 0)
        (void)close(fd);
}

/* The descriptor that VARIABLE names for this process, or -1. */
static int named(void)
{
    const char *text = getenv(VARIABLE);
    char *end;
    bool is_ours = text != NULL && strtol(text, &end, 10) == (long)getpid() && *end == ':';

    return is_ours ? (int)strtol(end + 1, NULL, 10) : -1;
}

void renewal_block(sigset_t *signals)
{
    if (named() < 0)
        return;
    (void)sigaddset(signals, SIGHUP); /* valid: cannot fail */
    (void)sigaddset(signals, SIGUSR1);
}

bool renewal_sockets(struct sockets *sockets)
{
    inherited = named();
    if (inherited < 0)
        return false;
    (void)unsetenv(VARIABLE); /* a valid name: cannot fail */
    (void)prctl(PR_SET_NAME, program_invocation_short_name); /* else ps(1) shows "exe", from /proc/self/exe */
    if (fcntl(inherited, F_SETFD, FD_CLOEXEC) != 0 || read(inherited, sockets, sizeof *sockets) != (ssize_t)sizeof *sockets ||
        sockets->count > SOCKETS_MOST)
        return false;
    sockets_keep(sockets, false);
    return true;
}

void renewal_resume(void)
{
    if (inherited < 0)
        return;
    if (!guests_restore(inherited))
        log_line(LOG_ERR, "listener: who is being served is forgotten");
    (void)close(inherited); /* it is memory */
    inherited = -1;
}
