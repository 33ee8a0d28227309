/* stored.h - the header of a message as mailboxes hold it, and back: readers find its end, no notes of the sender */
#ifndef STORED_H
#define STORED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/*
 * Readers keep notes of their own in the header of a stored message, and believe those that a sender has put there.
 *
 * X-Original-       stands before the name of such a field, and of one that has been renamed so already; in a maildir
 *                   before fewer names
 * X-Mailbox-Line:   stands before a first line that begins with any number of > and "From "
 * >                 stands before any number of > and "From " if a later line is a field that begins so
 * X-Header-End:     and an empty line stand before the first line that is no field (RFC 5322 2.2), and at the end of a
 *                   message that has nothing but fields
 *
 * Fields with the last two names are renamed as notes are, so each change can be told from what was sent, and undone.
 */
enum {
    STORED_NAME = 1000, /* bytes of a name: no line may be longer (RFC 5322 2.1.1) */
    STORED_LEAST = 1024 /* bytes that must be seen of a line to say what becomes of it */
};

/*
 * A line of the header begins here: what is to be written before it? `rest` has all of it, or STORED_LEAST bytes,
 * and none at the end of the message. `first`: it is the first line of the message. False: the header ends before this
 * line.
 */
bool stored_keep(struct slice rest, bool first, bool mbox, const char **before);

/* The way back: how many bytes of this line, and the next, were written before it? False as above. */
bool stored_undo(struct slice rest, bool first, bool mbox, size_t *len);

#endif
