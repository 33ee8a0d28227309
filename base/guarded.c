/* guarded.c - opening what the administrator has named, where other users may have put something else */
/*
 * As root the path is walked by hand, from directory to directory, each held open: what was looked at is what is gone
 * on from, whoever renames meanwhile. Directories of others are gone through: all that can be reached there without
 * a link is in their hands anyway.
 */
#include "base/guarded.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

enum {
    ALWAYS = O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
    LINKS_MAX = 40, /* as in the kernel */
    REST = 2 * PATH_MAX
};

/* Where a walk has come to. */
struct walk {
    int at;                              /* the directory */
    unsigned links;
    char name[NAME_MAX + 1], rest[REST]; /* the next component, and what follows it */
};

/* For descriptors of which nothing was read or written. */
static void close_fd(int fd)
{
    int error = errno;

    if (fd >= 0)
        (void)close(fd);
    errno = error;
}

static bool begin_at(struct walk *w, const char *directory)
{
    int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return false;
    close_fd(w->at);
    w->at = fd;
    return true;
}

/* Takes the next component. False with errno set: it is too long. */
static bool next_name(struct walk *w)
{
    char *rest = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(rest, "/");

    if (len >= sizeof w->name) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(w->name, rest, len);
    w->name[len] = '\0';
    rest += len + strspn(rest + len, "/");
    memmove(w->rest, rest, strlen(rest) + 1);
    return true;
}

bool guarded_is_shared(const struct stat *directory)
{
    return directory->st_uid != 0 || (directory->st_mode & S_IWOTH) != 0 ||
           ((directory->st_mode & S_IWGRP) != 0 && directory->st_gid != 0);
}

/* Only root can have put this link there. */
static bool is_of_root(const struct walk *w, const struct stat *link)
{
    struct stat directory;

    return link->st_uid == 0 && fstat(w->at, &directory) == 0 && !guarded_is_shared(&directory);
}

/* The component is a link, open as `fd`: where it leads to takes its place. */
static bool follow(struct walk *w, int fd, const struct stat *link)
{
    char text[REST];
    size_t rest = strlen(w->rest);
    ssize_t len = readlinkat(fd, "", text, PATH_MAX);

    if (len < 0)
        return false;
    if (!is_of_root(w, link) || ++w->links > LINKS_MAX) {
        errno = ELOOP;
        return false;
    }
    if ((size_t)len + 1 + rest >= sizeof text) {
        errno = ENAMETOOLONG;
        return false;
    }
    text[len] = '/';
    memcpy(text + len + 1, w->rest, rest + 1);
    memcpy(w->rest, text, (size_t)len + 1 + rest + 1);
    return text[0] != '/' || begin_at(w, "/");
}

/* Links such as /proc/self/fd/2 lead where no path does; the kernel has made them. */
static bool is_magic(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* Is this perhaps another name of a file that was not meant, or a FIFO of somebody who wants to read along? */
static bool is_doubtful(const struct walk *w, int fd)
{
    struct stat file, directory;

    return fstat(fd, &file) != 0 || fstat(w->at, &directory) != 0 ||
           (guarded_is_shared(&directory) && (!S_ISREG(file.st_mode) || file.st_nlink > 1));
}

/* Opens the last component. */
static int open_last(const struct walk *w, int flags, mode_t mode, bool *made)
{
    int fd = openat(w->at, w->name, flags & ~O_CREAT);

    if (fd < 0 && errno == ENOENT && (flags & O_CREAT) != 0) {
        fd = openat(w->at, w->name, flags | O_EXCL, mode);
        *made = fd >= 0;
        if (fd < 0 && errno == EEXIST) /* made by another session, at this moment */
            fd = openat(w->at, w->name, flags & ~O_CREAT);
    }
    if (fd >= 0 && (flags & O_ACCMODE) != O_RDONLY && is_doubtful(w, fd)) {
        close_fd(fd);
        errno = EPERM;
        return -1;
    }
    return fd;
}

static int walk(struct walk *w, int flags, mode_t mode, bool *made)
{
    while (next_name(w)) {
        bool last = w->rest[0] == '\0', magic, followed;
        int fd = openat(w->at, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        struct stat status;

        if (fd < 0 && !last)
            return -1;
        if (fd < 0 || fstat(fd, &status) != 0 || !S_ISLNK(status.st_mode)) {
            if (last) {
                close_fd(fd);
                return open_last(w, flags | O_NOFOLLOW, mode, made);
            }
            close_fd(w->at);
            w->at = fd;
            continue;
        }
        magic = last && is_magic(fd);
        followed = !magic && follow(w, fd, &status);
        close_fd(fd);
        if (magic)
            return open_last(w, flags, mode, made);
        if (!followed)
            return -1;
    }
    return -1;
}

static int open_as_root(const char *path, int flags, mode_t mode, bool *made)
{
    struct walk w = { .at = -1 };
    int fd = -1;

    if ((size_t)snprintf(w.rest, sizeof w.rest, "%s", path) >= PATH_MAX)
        errno = ENAMETOOLONG;
    else if (begin_at(&w, path[0] == '/' ? "/" : "."))
        fd = walk(&w, flags, mode, made);
    close_fd(w.at);
    return fd;
}

static int open_as_user(const char *path, int flags, mode_t mode, bool *made)
{
    int fd = open(path, flags & ~O_CREAT);

    if (fd >= 0 || errno != ENOENT || (flags & O_CREAT) == 0)
        return fd;
    fd = open(path, flags, mode);
    *made = fd >= 0;
    return fd;
}

int guarded_open(const char *path, int flags, mode_t mode, bool *made)
{
    bool is_new = false;
    int fd = (geteuid() == 0 ? open_as_root : open_as_user)(path, flags | ALWAYS, mode, &is_new);

    if (is_new)
        (void)fchmod(fd, mode); /* or it keeps what the umask has left, which is less */
    if (made != NULL)
        *made = is_new;
    return fd;
}

int guarded_read(struct slice path)
{
    char text[PATH_MAX];
    struct stat status;
    int fd;

    if ((size_t)snprintf(text, sizeof text, "%.*s", (int)path.len, path.text) >= sizeof text) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = guarded_open(text, O_RDONLY, 0, NULL);
    if (fd < 0 || (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)))
        return fd;
    close_fd(fd);
    errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    return -1;
}
