/* keeper.h - the helper for TLS that waits while the listener lives: starting it, and its end */
#ifndef LISTENER_KEEPER_H
#define LISTENER_KEEPER_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Starts it: `become`, in a process of its own, with a socket for what is asked, returns only if it fails. Sessions that are
 * forked from here on ask at the other end.
 */
void keeper_start(void (*become)(void *context, int requests), void *context);

/* Ends it. What it has forked goes on; who asks it now does without it. */
void keeper_stop(void);

/*
 * A child has ended. True: it was the helper, which has crashed, or one of those that it has forked: there may be another when
 * the listener has executed itself anew.
 */
bool keeper_crashed(pid_t pid, int status);

#endif
