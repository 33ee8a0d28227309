/* passing.h - a packet that may bring descriptors, over a UNIX socket */
#ifndef PASSING_H
#define PASSING_H

#include <stddef.h>
#include <sys/types.h>

/* As send(2), without SIGPIPE, of at least one byte; with descriptors, at most four, of which the other side gets copies. */
ssize_t passing_send_all(int socket, const void *bytes, size_t len, const int *fds, size_t count, int flags);

/* The same with one, if `fd` is one. */
static inline ssize_t passing_send(int socket, const void *bytes, size_t len, int fd, int flags)
{
    return passing_send_all(socket, bytes, len, &fd, fd >= 0, flags);
}

/* As recv(2); `fds` are the descriptors that have come, which exec closes, or -1: at most four. Not repeated after a signal. */
ssize_t passing_receive_all(int socket, void *bytes, size_t size, int *fds, size_t count, int flags);

/* The same with one. */
static inline ssize_t passing_receive(int socket, void *bytes, size_t size, int *fd, int flags)
{
    return passing_receive_all(socket, bytes, size, fd, 1, flags);
}

#endif
