/* writer.h - the bytes of a copy on their way into a file: what mbox and maildir have in common */
#ifndef WRITER_H
#define WRITER_H

#include <sys/uio.h>

#include "delivery/copy.h"

enum { WRITER_PARTS = 64 }; /* of one write */

/*
 * Remembers the first failure, and does nothing more then. It collects where the bytes are, not the bytes: what is
 * copied is copied by the kernel.
 */
struct writer {
    int fd;
    int error;      /* errno of the first failure */
    bool sync;      /* there will be an fsync */
    uint64_t at;    /* where in the file the next byte goes */
    size_t unsynced; /* bytes written since the last sync_file_range(2) */
    size_t count;
    struct iovec parts[WRITER_PARTS];
};

/* The bytes must stay where they are until they are flushed. */
void writer_put(struct writer *w, const char *bytes, size_t len);

void writer_flush(struct writer *w);

/* Writes the whole copy: below its head with the header as stored.h has it and, for an mbox, quoted as mboxrd. */
void writer_copy(struct writer *w, const struct copy *copy, bool mbox);

/*
 * openat(2), and mkdirat(2), of what gets just this mode if it is made, whatever the umask. Its group is that of the
 * directory, where that is setgid, and then a new directory is setgid, too: the kernel does that.
 */
int writer_open(int at, const char *path, int flags, mode_t mode);
int writer_make_directory(int at, const char *path, mode_t mode);

/*
 * Makes a new name in a directory last beyond a power cut: with its whole file system, where `below` lies, if we may
 * not read the directory.
 */
bool writer_sync_directory(int at, const char *path, int below);

#endif
