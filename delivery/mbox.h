/* mbox.h - a copy at the end of an mbox file */
#ifndef MBOX_H
#define MBOX_H

#include "delivery/copy.h"

/* The last line, before an empty one, of what ended without an empty line when a message was appended. */
#define MBOX_NO_END " \t \n"

/* The same behind the empty line of a DOS file: what others have written has its end before it, and ours has none. */
#define MBOX_DOS_END "\n" MBOX_NO_END

/*
 * A message may have that for its own last line. How many line ends stand there, the line's own among them, or 0 if no
 * such line is before them? Behind a message of ours are three or more: one empty line more, and it was not torn.
 */
uint64_t mbox_marked(int fd, uint64_t end);

/*
 * Appends a copy to an mbox file (RFC 4155, quoted as mboxrd): locked with flock(2) and
 * fcntl(2), which are waited for no longer than limit.lock_secs, fsynced before this returns, cut
 * back to its former length on any failure. It begins behind an empty line, whatever the file ended in; where
 * that had to be written, MBOX_NO_END stands before it, or MBOX_DOS_END.
 * New files get the mode of mailbox.mode. Symbolic links and all but regular files are refused; /dev/null takes everything and
 * keeps nothing.
 */
void mbox_append(const struct transaction *transaction, const struct recipient *recipient,
                    const struct target *target, struct outcome *outcome);

/*
 * Locks a file that is open for writing with flock(2) and fcntl(2), until the deadline (clock.h) at most. False
 * with errno set; EINTR means that the time was up. Closing the file unlocks it, and so does closing it
 * where it was opened another time.
 */
bool mbox_lock(int fd, uint64_t until);

/* Is this open file still what the path names? */
bool mbox_is_at(int fd, const char *path);

#endif
