/* statuses.h - what the exit statuses of a delivery command mean */
#ifndef STATUSES_H
#define STATUSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* What the exit status of a command says of the message. */
enum meaning {
    MEANING_RETRY,     /* it failed temporarily */
    MEANING_DELIVERED,
    MEANING_REFUSED,   /* it failed for good */
    MEANING_VIOLATION, /* the same, and it counts against the client */
    MEANINGS
};

extern const char *const statuses_meanings[MEANINGS]; /* as they are written in a status line */

enum { STATUSES_MOST = 256 };

/* A line `status NAME CODE=MEANING...`. What it does not name means what it means in sysexits. */
struct statuses {
    struct statuses *next;
    struct slice name;
    unsigned line, column;                 /* where it is defined; not yet: where it is named first */
    bool defined;
    unsigned char meanings[STATUSES_MOST]; /* enum meaning */
};

/*
 * What the status means to a command; `statuses` is NULL for sysexits, the default: 0 is delivered, 65, 67, 77 (EX_DATAERR,
 * EX_NOUSER, EX_NOPERM) and 100 (of qmail's commands) refuse, everything else is to be tried again.
 */
enum meaning statuses_meaning(const struct statuses *statuses, unsigned status);

/*
 * The meanings that are built in: sysexits, qmail (qmail-command(8)) and postfix (as pipe(8) of Postfix 3.7 takes them).
 * Writes those of `name` into `meanings`; false if there is none of that name.
 */
bool statuses_built_in(struct slice name, unsigned char meanings[STATUSES_MOST]);

#endif
