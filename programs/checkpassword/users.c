/* users.c - the users file: reading it safely, line by line */
#include "programs/checkpassword/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { USERS_MAX = 64 << 20 }; /* bytes of a users file; more is a mistake */

/* Says why the file cannot be used. */
static bool __attribute__((format(printf, 2, 3))) refuse(struct users *users, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(users->problem, sizeof users->problem, format, args);
    va_end(args);
    return false;
}

/* Others must not read the hashes, and only the owner may write them. */
static bool may_be_used(struct users *users, const struct stat *status)
{
    static const struct {
        mode_t bit;
        const char *who;
    } forbidden[] = { { S_IROTH, "others read" }, { S_IWOTH, "others write" }, { S_IWGRP, "the group write" } };

    if (!S_ISREG(status->st_mode))
        return refuse(users, "not a regular file");
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if ((status->st_mode & forbidden[i].bit) != 0)
            return refuse(users, "mode %03o lets %s it, expected chmod o-rw,g-w",
                          (unsigned)status->st_mode & 0777, forbidden[i].who);
    return status->st_size <= USERS_MAX || refuse(users, "larger than %d MB", USERS_MAX >> 20);
}

/* Reads all, always from the beginning: the descriptor may be somebody's who reads it again. */
static bool read_users(struct users *users, int fd)
{
    struct stat status;
    ssize_t got;

    if (fstat(fd, &status) != 0)
        return refuse(users, "%s", strerror(errno));
    if (!may_be_used(users, &status))
        return false;
    users->text = calloc((size_t)status.st_size + 1, 1);
    if (users->text == NULL)
        return refuse(users, "out of memory");
    while (users->len < (size_t)status.st_size) {
        got = pread(fd, users->text + users->len, (size_t)status.st_size - users->len, (off_t)users->len);
        if (got == 0)
            return refuse(users, "it has become shorter while it was read"); /* who was in the rest? */
        if (got < 0 && errno != EINTR)
            return refuse(users, "%s", strerror(errno));
        users->len += got > 0 ? (size_t)got : 0;
    }
    return true;
}

bool users_load(struct users *users, const char *file, int fd)
{
    bool loaded;

    *users = (struct users){ .text = NULL };
    if (fd >= 0) {
        (void)snprintf(users->label, sizeof users->label, "descriptor %d", fd);
    } else {
        (void)snprintf(users->label, sizeof users->label, "%s", file);
        fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* do not wait for a FIFO */
    }
    if (fd < 0)
        return refuse(users, "%s", strerror(errno));
    loaded = read_users(users, fd);
    (void)close(fd); /* only read from */
    return loaded;
}

void users_wipe(struct users *users)
{
    if (users->text != NULL)
        explicit_bzero(users->text, users->len);
    free(users->text);
    users->text = NULL;
}

struct slice users_cut(struct slice *rest, char at)
{
    const char *end = memchr(rest->text, at, rest->len);
    struct slice part = { rest->text, end != NULL ? (size_t)(end - rest->text) : rest->len };
    size_t used = part.len + (end != NULL);

    rest->text += used;
    rest->len -= used;
    return part;
}

bool users_next(struct slice *rest, size_t *number, struct user *user)
{
    static const struct slice scheme = SLICE("{CRYPT}");
    struct slice line = { NULL, 0 };

    do {
        if (rest->len == 0)
            return false;
        line = users_cut(rest, '\n');
        ++*number;
        while (line.len > 0 && strchr(" \t\r", line.text[line.len - 1]) != NULL && line.text[line.len - 1] != '\0')
            line.len--;
    } while (line.len == 0 || line.text[0] == '#');
    user->problem = memchr(line.text, ':', line.len) == NULL ? "no colon, expected NAME:HASH" : NULL;
    user->name = users_cut(&line, ':');
    user->hash = users_cut(&line, ':');
    if (user->problem == NULL && user->name.len == 0)
        user->problem = "no name, expected NAME:HASH";
    if (user->hash.len >= scheme.len &&
        slice_equal_nocase((struct slice){ user->hash.text, scheme.len }, scheme)) {
        user->hash.text += scheme.len;
        user->hash.len -= scheme.len;
    }
    return true;
}
