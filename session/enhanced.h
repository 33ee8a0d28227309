/* enhanced.h - enhanced status codes at the beginning of a text (RFC 3463 2); pure */
#ifndef ENHANCED_H
#define ENHANCED_H

#include <stdbool.h>

#include "base/slice.h"

/* Takes up to `most` digits; returns how many there were. */
size_t digits_take(struct slice *text, size_t most, unsigned *number);

/*
 * Takes CLASS.SUBJECT.DETAIL with the blanks behind it; class 2, 4 or 5, and three digits at most of the other two.
 * `status` is what stands behind the class, "1.1" of 5.1.1. False: there is none, and the text stays as it is.
 */
bool enhanced_take(struct slice *text, unsigned *class, struct slice *status);

/* A code ends at a blank, which goes with all that follow it, or with the text. False: it goes on otherwise. */
bool code_ends(struct slice *text);

#endif
