/* counts.h - what a session's commands came to, and when that is too much; pure */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdint.h>

#include "session/settings.h"

/* What a command, a line or a message came to, and what it forgives. */
enum came_to {
    CAME_ON,        /* it was accepted, and a message is nearer */
    CAME_MAIL,      /* a transaction was begun */
    CAME_RECIPIENT, /* a recipient was accepted: makes up for one that is refused, as long as the transaction lasts */
    CAME_DELIVERY,  /* a message was delivered: forgives everything but passwords */
    CAME_DEFERRAL,  /* a message came and could not be delivered now: forgives recipients */
    CAME_RESET,     /* a transaction has ended without a delivery: forgives what was idle */
    CAME_IDLE,      /* it leads to no message: accepted, or refused without having been a guess */
    CAME_LATER,     /* refused temporarily, or only because something before it was: nobody's fault */
    CAME_UNKNOWN,   /* no command at all */
    CAME_FAILED,    /* refused for good */
    CAME_REFUSED,   /* a recipient who was refused for good */
    CAME_GUESSED    /* a wrong password */
};

/* What is counted. */
enum counted {
    COUNTED_UNKNOWN,
    COUNTED_FAILED,
    COUNTED_REFUSED,
    COUNTED_GUESSED,
    COUNTED_IDLE,
    COUNTED_UNDELIVERED, /* all that no other limit counts */
    COUNTED
};

struct counts {
    uint64_t of[COUNTED];
    uint64_t accepted; /* recipients of the transaction */
};

/* A limit that was exceeded. */
struct excess {
    const struct limit *limit; /* with the reply to give; NULL: none was */
    const char *stage;         /* for the log: "limit" if refusals for good have exceeded it, which is a violation, else "flood" */
};

/*
 * Notes what something came to, and says which limit of the configuration that exceeds. The two sides of the wall count
 * each for itself: the session with `slack` 0, so that the reply beyond the limit is the limit's own. The monitor, which
 * hears less and in other portions, counts with `slack` 1, so that no session that keeps the limits ever exceeds
 * them here: it has twice as much, and eight more.
 */
struct excess counts_note(struct counts *counts, const struct session_settings *settings, enum came_to came_to,
                          unsigned slack);

/* Another client comes: what one that guesses is blamed for is forgotten. What is idle, or in vain, is the connection's. */
void counts_forget_guesses(struct counts *counts);

/* Were more recipients refused than accepted, since the last delivery? */
bool counts_guesses(const struct counts *counts);

#endif
