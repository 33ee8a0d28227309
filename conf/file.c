/* file.c - a file of the configuration: what may be read, and reading it */
#include "conf/parser.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"

enum { PIPE_MS = 10000 }; /* how long a pipe may take that the configuration is read from */

/* Others than owner and root could otherwise make us run their commands. */
static bool is_safe(const struct stat *status)
{
    return (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* As read(2), but waits for a pipe until the deadline. */
static ssize_t read_some(int fd, char *bytes, size_t size, uint64_t deadline)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    ssize_t n;

    while ((n = read(fd, bytes, size)) < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (clock_left(deadline) == 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        (void)poll(&ready, 1, clock_left(deadline)); /* reading tells what came of it */
    }
    return n;
}

/* Reads all of an open file into memory of the configuration. False: errno says why. */
static bool read_all(struct conf *conf, int fd, size_t expected, struct slice *text)
{
    size_t size = expected + 1, used = 0;
    char *bytes = memory_take(conf, size);
    uint64_t deadline = clock_ms() + PIPE_MS;
    ssize_t n;

    while ((n = read_some(fd, bytes + used, size - used, deadline)) > 0) {
        used += (size_t)n;
        if (used == size) {
            char *more = memory_take(conf, size * 2);

            memcpy(more, bytes, used);
            bytes = more;
            size *= 2;
        }
    }
    *text = (struct slice){ bytes, used };
    return n == 0;
}

/* What may be read: a file, and the pipe of a shell's <(...). A FIFO with a name or a device could have no end. */
static bool is_readable(int fd, const struct stat *status)
{
    struct statfs system;

    if (S_ISFIFO(status->st_mode))
        return fstatfs(fd, &system) == 0 && system.f_type == PIPEFS_MAGIC;
    return S_ISREG(status->st_mode) || S_ISDIR(status->st_mode); /* reading says that it is one */
}

/* Reads an open file that is safe to use. Returns NULL, or why it cannot be used. */
static const char *read_open(struct conf *conf, int fd, struct source *file)
{
    struct stat status;
    int error = errno;
    bool known = fd >= 0 && fstat(fd, &status) == 0;

    error = fd < 0 ? error : errno;
    watch(conf, file->path, known ? &status : NULL);
    if (!known)
        return strerror(error);
    if (!is_readable(fd, &status)) /* before its mode, which is not to be changed then */
        return "it is a FIFO or a device, expected a file";
    if (!is_safe(&status))
        return "others than its owner and root may write it, expected chmod go-w";
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->owner = status.st_uid;
    return read_all(conf, fd, (size_t)status.st_size, &file->text) ? NULL : strerror(errno);
}

struct slice file_unmarked(struct slice bytes)
{
    static const struct slice mark = SLICE("\xef\xbb\xbf");
    bool marked = bytes.len >= mark.len && memcmp(bytes.text, mark.text, mark.len) == 0;

    return marked ? (struct slice){ bytes.text + mark.len, bytes.len - mark.len } : bytes;
}

const char *file_read(struct conf *conf, struct source *file)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const char *why = read_open(conf, fd, file);

    if (fd >= 0)
        (void)close(fd); /* it was only read */
    file->text = file_unmarked(file->text);
    return why;
}
