/* field.h - a header field that somebody else wants to have added: whether it is one, and folding it; pure */
#ifndef FIELD_H
#define FIELD_H

#include <stdbool.h>

#include "base/text.h"

/*
 * Writes "Name: value" as lines that end in LF, folded at blanks so that they have 78 bytes or less where that is
 * possible (RFC 5322 2.1.1, 2.2.3). False, and nothing is written, if it is no field, holds a control character, cannot be
 * folded to lines of 998 bytes, or has no room.
 */
bool field_fold(struct slice field, struct text *out);

#endif
