/* passing.c - a packet that may bring descriptors, over a UNIX socket */
#include "base/passing.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST = 4 };

union control {
    char bytes[CMSG_SPACE(MOST * sizeof(int))];
    struct cmsghdr align;
};

ssize_t passing_send_all(int socket, const void *bytes, size_t len, const int *fds, size_t count, int flags)
{
    union control control = { .bytes = { 0 } };
    const union {
        const void *constant;
        void *any;
    } sent = { .constant = bytes }; /* it is only read */
    struct iovec part = { .iov_base = sent.any, .iov_len = len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (count > MOST) {
        errno = ETOOMANYREFS;
        return -1;
    }
    if (count > 0) {
        struct cmsghdr *c;

        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof *fds);
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof *fds);
        memcpy(CMSG_DATA(c), fds, count * sizeof *fds);
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t passing_receive_all(int socket, void *bytes, size_t size, int *fds, size_t count, int flags)
{
    union control control = { .bytes = { 0 } };
    struct iovec part = { .iov_base = bytes, .iov_len = size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = CMSG_LEN(count * sizeof *fds) }; /* no room for more */
    ssize_t len = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = len >= 0 ? CMSG_FIRSTHDR(&message) : NULL;

    for (size_t i = 0; i < count; i++)
        fds[i] = -1;
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
    return len;
}
