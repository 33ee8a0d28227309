/* inherited.h - what a program finds when it is started, and must not depend on */
#ifndef INHERITED_H
#define INHERITED_H

#include <signal.h>
#include <stdbool.h>

/*
 * For the beginning of main, before anything depends on it: sets what survives execve(2) to what our programs
 * need, whatever the process that started us has left. The list of what that is, and of what stays as it is,
 * stands in inherited.c. From here on all signals have their default actions, those of `blocked` and no others are
 * blocked, and no others are pending. False with errno set if something could not be set; the rest is.
 */
bool inherited_reset(const sigset_t *blocked);

/* Was this signal ignored before inherited_reset? As SIGHUP is by nohup(1). */
bool inherited_was_ignored(int signal);

/*
 * Standard error may be the connection, too: xinetd and Postfix's spawn give a socket thrice, Exim one pipe as 1 and 2.
 * What is written there the client would read; from here on it leads nowhere. False: that cannot be done.
 */
bool inherited_spare_client(void);

/* Closes all descriptors above 2. What stays open in us could keep open a connection or a lock of somebody else. */
void inherited_close(void);

#endif
