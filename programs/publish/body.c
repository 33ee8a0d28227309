/* body.c - the message on standard input, as a file of a known size */
/* Brokers want to hear the size first. mailrecv gives commands a file, so that nothing has to be copied then. */
#include "programs/publish/body.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char chunk[1 << 16];

static bool fail(const char *what)
{
    verdict_note("%s: %s", what, strerror(errno));
    return false;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno != EINTR)
            return fail("the message cannot be spooled");
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Up to the end, or one byte more than is wanted. */
static bool spool(struct body *body)
{
    ssize_t n = 1;

    while (n != 0 && body->size <= BODY_MOST) {
        n = read(STDIN_FILENO, chunk, sizeof chunk);
        if (n < 0 && errno != EINTR)
            return fail("standard input");
        if (n > 0 && !write_all(body->fd, chunk, (size_t)n))
            return false;
        body->size += n > 0 ? (uint64_t)n : 0;
    }
    return true;
}

enum verdict body_take(struct body *body)
{
    struct stat status;
    FILE *file = NULL;

    *body = (struct body){ .fd = STDIN_FILENO, .begin = lseek(STDIN_FILENO, 0, SEEK_CUR) };
    if (fstat(STDIN_FILENO, &status) != 0) {
        (void)fail("standard input");
        return UNREADABLE;
    }
    if (body->begin >= 0 && S_ISREG(status.st_mode)) {
        body->size = status.st_size > body->begin ? (uint64_t)(status.st_size - body->begin) : 0;
    } else {
        file = tmpfile();
        if (file == NULL) {
            (void)fail("no temporary file");
            return UNREADABLE;
        }
        body->fd = fileno(file); /* open as long as we live */
        body->begin = 0;
        if (!spool(body))
            return UNREADABLE;
    }
    return body->size > BODY_MOST ? TOO_LARGE : CONFIRMED;
}

bool body_read(const struct body *body, uint64_t offset, char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = pread(body->fd, bytes, len, body->begin + (off_t)offset);

        if (n == 0) {
            verdict_note("standard input: the message has become shorter");
            return false;
        }
        if (n < 0 && errno != EINTR)
            return fail("standard input");
        bytes += n > 0 ? n : 0;
        offset += n > 0 ? (uint64_t)n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}
