/* outlet.c - where log lines go: a file, a pipe, a socket, the syslog daemon; none holds anybody up for long */
#include "base/outlet.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <syslog.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    SHORTER = 1024,   /* bytes of a datagram that each daemon takes (RFC 3164 4.1) */
    NO_MEMORY_MS = 10 /* what the kernel has no memory for now is tried again so often */
};

void outlet_take(struct outlet *outlet, int fd)
{
    struct stat status;

    *outlet = (struct outlet){ .fd = fd, .kind = OUTLET_PIPE, .end = '\n' };
    if (fstat(fd, &status) != 0)
        return; /* writing will say why */
    if (S_ISREG(status.st_mode))
        outlet->kind = OUTLET_FILE;
    else if (S_ISSOCK(status.st_mode))
        outlet->kind = OUTLET_SOCKET;
}

static int connect_to(const char *path, int type)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

    memcpy(address.sun_path, path, strlen(path)); /* it is short */
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        error = errno;
        (void)close(fd); /* nothing was sent */
        errno = error;
        return -1;
    }
    return fd;
}

bool outlet_connect_syslog(struct outlet *outlet)
{
    bool datagrams = true;
    int fd = connect_to(_PATH_LOG, SOCK_DGRAM);

    if (fd < 0 && errno == EPROTOTYPE) {
        datagrams = false;
        fd = connect_to(_PATH_LOG, SOCK_STREAM);
    }
    *outlet = (struct outlet){ .fd = fd, .kind = OUTLET_SOCKET, .datagrams = datagrams };
    return fd >= 0;
}

void outlet_close(struct outlet *outlet)
{
    if (outlet->fd >= 0)
        (void)close(outlet->fd); /* nothing was buffered, nothing can be lost */
    outlet->fd = -1;
}

/*
 * A pipe that several processes write to may be full when we have seen room in it. Kernels before 6.4 cannot be told
 * not to wait then; for those log.c opens pipes anew, so that they do not block.
 */
static ssize_t write_pipe(int fd, char *text, size_t len)
{
    const struct iovec part = { text, len };
    struct pollfd room = { .fd = fd, .events = POLLOUT };
    ssize_t n = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);

    if (n >= 0 || errno != EOPNOTSUPP)
        return n;
    if (poll(&room, 1, 0) == 1)
        return write(fd, text, len);
    errno = EAGAIN;
    return -1;
}

static ssize_t write_some(const struct outlet *o, char *text, size_t len)
{
    switch (o->kind) {
    case OUTLET_FILE:
        return write(o->fd, text, len);
    case OUTLET_SOCKET:
        return send(o->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case OUTLET_PIPE:
        break;
    }
    return write_pipe(o->fd, text, len);
}

/* Waits for room. False when the patience is at its end. */
static bool wait_for_room(const struct outlet *o, int error, int *patience)
{
    struct pollfd room = { .fd = o->fd, .events = POLLOUT };
    uint64_t begin = clock_ms(), waited;

    if (*patience <= 0)
        return false;
    if (error == EAGAIN)
        (void)poll(&room, 1, *patience); /* writing tells what came of it */
    else
        (void)poll(NULL, 0, NO_MEMORY_MS);
    waited = clock_ms() - begin;
    *patience = waited < (uint64_t)*patience ? *patience - (int)waited : 0;
    return true;
}

static bool is_passing(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

bool outlet_write(struct outlet *outlet, char *text, size_t len, int *patience)
{
    size_t size = outlet->datagrams ? len : len + 1, done = 0;
    ssize_t n;

    text[len] = outlet->end;
    if (outlet->torn) {
        *--text = outlet->end;
        size++;
    }
    while (done < size) {
        n = write_some(outlet, text + done, size - done);
        if (n >= 0)
            done += (size_t)n;
        else if (errno == EMSGSIZE && size > SHORTER)
            size = SHORTER;
        else if (!is_passing(errno) || !wait_for_room(outlet, errno, patience))
            break;
    }
    outlet->torn = !outlet->datagrams && (done > 0 ? done < size : outlet->torn);
    if (done < size && is_passing(errno))
        errno = EAGAIN;
    return done == size;
}
