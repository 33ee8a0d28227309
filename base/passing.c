/* passing.c - a packet that may bring a descriptor, over a UNIX socket */
#include "base/passing.h"

#include <string.h>
#include <sys/socket.h>

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

ssize_t passing_send(int socket, const void *bytes, size_t len, int fd, int flags)
{
    union control control = { .bytes = { 0 } };
    const union {
        const void *constant;
        void *any;
    } sent = { .constant = bytes }; /* it is only read */
    struct iovec part = { .iov_base = sent.any, .iov_len = len };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

    if (fd >= 0) {
        struct cmsghdr *c;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t passing_receive(int socket, void *bytes, size_t size, int *fd, int flags)
{
    union control control = { .bytes = { 0 } };
    struct iovec part = { .iov_base = bytes, .iov_len = size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };
    ssize_t len = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *c = len >= 0 ? CMSG_FIRSTHDR(&message) : NULL;

    *fd = -1;
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return len;
}
