/* mailbox.h - a copy into a file: mbox and maildir */
#ifndef MAILBOX_H
#define MAILBOX_H

#include "delivery/copy.h"

/* The last line, before an empty one, of what ended without an empty line when a message was appended. */
#define MAILBOX_NO_END " \t \n"

/* The same behind the empty line of a DOS file: what others have written has its end before it, and ours has none. */
#define MAILBOX_DOS_END "\n" MAILBOX_NO_END

/*
 * Appends a copy to an mbox file (RFC 4155, quoted as mboxrd): locked with flock(2) and
 * fcntl(2), which are waited for no longer than limit.lock_secs, fsynced before this returns, cut
 * back to its former length on any failure. It begins behind an empty line, whatever the file ended in; where
 * that had to be written, MAILBOX_NO_END stands before it, or MAILBOX_DOS_END.
 * New files get mode 0600. Symbolic links and all but regular files are refused; /dev/null takes everything and
 * keeps nothing.
 */
void mailbox_append(const struct transaction *transaction, const struct recipient *recipient,
                    const struct target *target, struct outcome *outcome);

/*
 * Locks a file that is open for writing with flock(2) and fcntl(2), until the deadline (clock.h) at most. False
 * with errno set; EINTR means that the time was up. Closing the file unlocks it, and so does closing it
 * where it was opened another time.
 */
bool mailbox_lock(int fd, uint64_t until);

/* Is this open file still what the path names? */
bool mailbox_is_at(int fd, const char *path);

/*
 * Puts a copy into a maildir as a new file: written to tmp, fsynced, renamed to new, the
 * directory fsynced. Missing directories are made with mode 0700 if their parent exists.
 */
void mailbox_maildir(const struct transaction *transaction, const struct recipient *recipient,
                     const struct target *target, struct outcome *outcome);

#endif
