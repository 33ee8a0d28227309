/* guarded.h - opening what the administrator has named, where other users may have put something else */
#ifndef GUARDED_H
#define GUARDED_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/slice.h"

/*
 * As open(2), with O_CLOEXEC, O_NOCTTY and O_NONBLOCK: never waits for the other end of a FIFO. If we are root, a
 * symbolic link, wherever in the path, is followed only if none but root can have put it there (ELOOP), and in a
 * directory that others may write only regular files with one name are opened for writing (EPERM): so nobody can lead us to a file that he
 * could not open himself. With O_CREAT a file that is missing is made with exactly this mode, whatever the umask;
 * `made` (NULL: nobody asks) says whether that was so. Returns a descriptor, or -1 with errno set.
 */
int guarded_open(const char *path, int flags, mode_t mode, bool *made);

/* The same for reading a regular file, by a path without end; EISDIR, EINVAL: it is something else. */
int guarded_read(struct slice path);

/* May others than root, by the mode and the owner of this directory, put something into it? */
bool guarded_is_shared(const struct stat *directory);

#endif
