/* guests.h - who is being served: the processes of sessions with their clients, and how many there may be */
#ifndef GUESTS_H
#define GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/client.h"
#include "listener/settings.h"

/*
 * No process that is forked has any of this: a session must not know of the clients of others. Counts are those of a
 * client as lockout.db has it: an IPv4 address, or an IPv6 network of 64 bits.
 */

/* Makes room; limits of `settings` are read at each question. False without memory. */
bool guests_begin(const struct listener_settings *settings);

/* Which limit does another session of this client exceed? NULL: none. `exempt`: that of all sessions alone is asked. */
const struct limit *guests_excess(const struct client *client, bool exempt, uint64_t now_ms);

/* This process serves that client. It is counted until guests_remove; `now_ms` is that of clock.h. */
void guests_add(pid_t pid, const struct client *client, uint64_t now_ms);

/* The process has ended. False: it served nobody. */
bool guests_remove(pid_t pid);

size_t guests_count(void);

/* Sends a signal to all of them. */
void guests_signal(int signal);

/* Writes all of it to a file, and reads it, for a listener that executes itself. False with errno set. */
bool guests_save(int fd);
bool guests_restore(int fd);

#endif
