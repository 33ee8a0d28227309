/* regex_lint.h - regular expressions that match more than they seem to: loose ends, dots that match anything */
#ifndef REGEX_LINT_H
#define REGEX_LINT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* What an expression is tried on. */
enum regex_subject { REGEX_NAME, REGEX_ADDRESS /* of a host */, REGEX_RECIPIENT };

struct suspicion {
    bool any;                   /* it matches every text, as it was meant to: nothing else is said */
    bool open_begin, open_end;  /* the text may go on there, where a name, number or domain should be at its end */
    size_t dots, first_dot;     /* how many dots should be \., and where the first one is */
};

/* Looks at an expression that compiles. A rough look: what is said is likely, what is not said may be wrong, too. */
struct suspicion regex_lint_look(struct slice pattern, enum regex_subject subject);

/* Writes what was meant, as a string that is cut to `size` bytes. */
void regex_lint_mend(struct slice pattern, enum regex_subject subject, char *out, size_t size);

/*
 * Makes a text that the expression probably matches, without its ends, as a string of at most `size` bytes: of the
 * alternatives of each group another one for each `choice`, and `dot` for the dots that should be \. False: it cannot
 * be made.
 */
bool regex_lint_sample(struct slice pattern, enum regex_subject subject, unsigned choice, char dot, char *out,
                    size_t size);

/* Is it one of the expressions by which people say that anything will do? */
bool regex_lint_is_any(struct slice pattern);

#endif
