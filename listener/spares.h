/* spares.h - processes that wait for the next connection, as far advanced as can be without one */
#ifndef SPARES_H
#define SPARES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { SPARES_MOST = 64 };

/* A process for the next connection: it is waited for like a session when it has one. Returns its id; in that process 0, with
 * the socket for spares_await. -1 with errno set: there is none. */
pid_t spares_fork(int *socket);

size_t spares_count(void);

/* Gives the connection of `peer` to one that waits. Returns its id, no longer that of a spare; 0: there is none. */
pid_t spares_give(int connection, const struct sockaddr_storage *peer);

/* The process has ended. False: it was no spare. */
bool spares_remove(pid_t pid);

/* In the listener that ends, and in what it forks: they end, or it has nothing to do with them. */
void spares_close(void);

/* In a spare: the connection, and where its client is; -1: there will be none, for the listener has ended. */
int spares_await(int socket, struct sockaddr_storage *peer);

#endif
