/* mailfile.h - messages that lie in a file or a maildir: finding them, what is known of them, marking what is done */
#ifndef MAILFILE_H
#define MAILFILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/head.h"
#include "session/message.h"

/*
 * A place is a maildir, an mbox or a file that is one message. In an mbox a message begins with a From_ line, which has
 * an address and a date, behind an empty line, and ends in an empty line; Content-Length is not believed. What was torn
 * is a message of its own that is not whole. A file whose first line is no header field and which has such a From_
 * line anywhere is an mbox that begins with something torn. Copies
 * that mailrecv has written (copy.c) begin with Return-Path:, Delivered-To: and its Received:, which tell the
 * envelope, and carry their mark: the name of the second line. It is changed in place, to another of the same
 * length, so that others may append to the file meanwhile, and the mark goes wherever the file goes:
 *   Delivered-To:    nothing has been done with it since
 *   Redelivering:    somebody has begun to; if that was killed, nobody knows whether it was delivered
 *   Re-delivered:    done
 */
struct mailfile {
    char **files;                /* their paths; one for all but maildirs */
    size_t count, next;          /* of files; the one that is to be opened next */
    size_t found;                /* messages so far */
    uint64_t lock_ms;            /* how long a lock is waited for */
    int fd;                      /* of the open file, -1: none */
    bool maildir, writable, mbox;
    uint64_t at;                 /* where the next message of the open file begins */
    uint64_t size;               /* of it when it was opened: what others append later is not found */
};

/* Opens a place. False with errno set. It must be closed either way. */
bool mailfile_open(struct mailfile *box, const char *path, uint64_t lock_ms);
void mailfile_close(struct mailfile *box);

/*
 * Finds the next message: in an mbox in the order of the file, in a maildir in that of the names. Returns 1, 0 when
 * there are no more, or -1 with errno set, and `path` naming a file that cannot be read: it counts as one message,
 * and the next call goes on with the next file.
 */
int mailfile_next(struct mailfile *box, struct mailfile_message *message);

/*
 * Takes the message that was found last: copies it to a spool and, if `mark` is set and it is ours, marks it as
 * begun, synced to the disk. What a copy has above its Received: line, the mbox quoting and CR before LF at line
 * ends of what is not ours are left out. All under the file's lock, but the lock is given back. NULL, or why
 * that cannot be; then nothing was marked.
 */
const char *mailfile_take(struct mailfile *box, struct mailfile_message *message, bool mark, struct message *spooled);

/* Marks what was taken, synced to the disk; to be called before the next is found. NULL, or why that cannot be. */
const char *mailfile_settle(struct mailfile *box, const struct mailfile_message *message, enum mailfile_mark mark);

#endif
