/* renewal.h - the listener executes itself anew, and goes on: sockets, and who is being served, stay */
#ifndef RENEWAL_H
#define RENEWAL_H

#include <signal.h>
#include <stdbool.h>

#include "listener/sockets.h"

/*
 * Sessions of one listener have its layout of memory and its canary in common, which a fresh process has not; and what the
 * configuration was is gone with the old one.
 */

/* Executes the program again, with the same arguments. Returns only if that fails, and logs why. */
void renewal_execute(struct sockets *sockets, char *const *arguments);

/* If this program has executed itself: adds what ends a listener, for none may be lost or end it on the way. */
void renewal_block(sigset_t *signals);

/* Has this program executed itself? Then `sockets` are those that it had, and guests (guests.h) are restored by renewal_resume. */
bool renewal_sockets(struct sockets *sockets);
void renewal_resume(void);

#endif
