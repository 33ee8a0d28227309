/* scope.h - what a regular expression for hosts can match: addresses, names, or both */
#ifndef SCOPE_H
#define SCOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/*
 * The client chooses its name: who has a reverse zone can be called 192.0.2.1.evil.example, forward-confirmed. So an
 * expression that was written for addresses must not be tried on names. Which it is follows from the texts that it can
 * match, along each way through its alternatives and repetitions:
 *
 * - A way is for addresses if an address can meet it, or a text of the same characters (digits and dots; with colons
 *   hexadecimal digits), and if it insists on a digit or a colon somewhere: as ^192\.0\.2\.[^7], not as ^[^0-9].
 * - Every other way is for names: it insists on a letter that no address has there, or on nothing of the kind.
 *
 * What is not understood (references to groups, recursion) can be anything.
 */
enum scope {
    SCOPE_UNKNOWN,    /* nobody has looked yet */
    SCOPE_NONE,       /* no host: it insists on a character that neither addresses nor names have */
    SCOPE_ADDRESSES,  /* ways for addresses only; or any text, so that no name needs to be asked for */
    SCOPE_NAMES,      /* ways for names only */
    SCOPE_BOTH        /* ways of both kinds */
};

/* Looks at an expression that compiles. Fast: no memory is taken and nothing is compiled. Never SCOPE_UNKNOWN. */
enum scope scope_of(struct slice pattern);

/*
 * Writes a SCOPE_BOTH without its alternatives that are for addresses, to at most `size` bytes at `out`. An alternative
 * that has ways of both kinds goes, too, if `doubtful` and if it is one of the whole expression. False if what is left
 * would not be SCOPE_NAMES, or because of `size`.
 */
bool scope_names_part(struct slice pattern, bool doubtful, char *out, size_t size, struct slice *part);

/* Can the expression match a part of an address by letters alone, as "cafe" can? It is SCOPE_NAMES all the same. */
bool scope_is_hexadecimal(struct slice pattern);

#endif
