/* credentials.c - the file with name and password that another server wants */
#include "base/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/guarded.h"

const char *credentials_exposed(const struct stat *status, uid_t user)
{
    if (status->st_uid != user && user != CREDENTIALS_ANY_OWNER)
        return "it belongs to another user than the one who serves";
    if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "others may read or write it, expected chmod go-rwx";
    return NULL;
}

/* What the bytes say, with a user or perhaps without one. NULL, or what is wrong with them. */
static const char *take(struct credentials *c, size_t len, bool named)
{
    const char *end = memchr(c->bytes, '\n', len), *colon;
    size_t line = end != NULL ? (size_t)(end - c->bytes) : len;

    if (line > CREDENTIALS_MOST)
        return "its line is longer than 512 bytes";
    if (line + 1 < len)
        return named ? "it has more than one line, expected user:password"
                     : "it has more than one line, expected [user:]password";
    colon = memchr(c->bytes, ':', line);
    if (line == 0 || (colon == NULL ? named : colon == c->bytes || colon + 1 == c->bytes + line))
        return named ? "expected one line, user:password" : "expected one line, [user:]password";
    if (memchr(c->bytes, '\0', line) != NULL || memchr(c->bytes, '\r', line) != NULL)
        return "it holds a NUL or a CR";
    c->user = (struct slice){ c->bytes, colon != NULL ? (size_t)(colon - c->bytes) : 0 };
    c->password = colon != NULL ? (struct slice){ colon + 1, line - c->user.len - 1 }
                                : (struct slice){ c->bytes, line };
    return NULL;
}

/* NULL, or why there are none. */
static const char *read_line(int fd, uid_t user, struct credentials *c, bool named)
{
    struct stat status;
    const char *wrong = fd < 0 && errno == EINVAL           ? "it is no file"
                        : fd < 0 || fstat(fd, &status) != 0 ? strerror(errno)
                                                            : credentials_exposed(&status, user);
    size_t len = 0;
    ssize_t got = 1;

    while (wrong == NULL && got > 0 && len < sizeof c->bytes) {
        got = read(fd, c->bytes + len, sizeof c->bytes - len);
        len += got > 0 ? (size_t)got : 0;
        wrong = got < 0 ? strerror(errno) : NULL;
    }
    return wrong != NULL ? wrong : take(c, len, named);
}

static bool read_file(struct slice path, uid_t user, bool named, struct credentials *credentials, char *reason,
                      size_t size)
{
    int fd = guarded_read(path);
    const char *wrong = read_line(fd, user, credentials, named);

    if (wrong != NULL) {
        credentials_wipe(credentials);
        (void)snprintf(reason, size, "%.*s: %s", (int)path.len, path.text, wrong);
    }
    if (fd >= 0)
        (void)close(fd); /* only read */
    return wrong == NULL;
}

bool credentials_read(struct slice path, uid_t user, struct credentials *credentials, char *reason, size_t size)
{
    return read_file(path, user, true, credentials, reason, size);
}

bool credentials_read_password(struct slice path, uid_t user, struct credentials *credentials, char *reason, size_t size)
{
    return read_file(path, user, false, credentials, reason, size);
}

void credentials_wipe(struct credentials *credentials)
{
    explicit_bzero(credentials, sizeof *credentials);
}
