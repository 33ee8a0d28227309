/* maildir.h - a copy as a new file of a maildir */
#ifndef MAILDIR_H
#define MAILDIR_H

#include "delivery/copy.h"

/*
 * Puts a copy into a maildir as a new file: written to tmp, fsynced, renamed to new, the
 * directory fsynced. Missing directories are made with the mode that goes with mailbox.mode if their parent exists.
 */
void maildir_deliver(const struct transaction *transaction, const struct recipient *recipient,
                     const struct target *target, struct outcome *outcome);

#endif
