/* passing.h - a packet that may bring a descriptor, over a UNIX socket */
#ifndef PASSING_H
#define PASSING_H

#include <stddef.h>
#include <sys/types.h>

/*
 * As send(2), without SIGPIPE, of at least one byte; with a descriptor if `fd` is one, of which the other side gets a copy.
 */
ssize_t passing_send(int socket, const void *bytes, size_t len, int fd, int flags);

/* As recv(2); *fd is the descriptor that has come, which exec closes, or -1. Not repeated after a signal. */
ssize_t passing_receive(int socket, void *bytes, size_t size, int *fd, int flags);

#endif
