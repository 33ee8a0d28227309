/* query.h - where in a query of SQL the key goes, and how the database wants that written; pure */
#ifndef QUERY_H
#define QUERY_H

#include <stdbool.h>

#include "base/text.h"

enum {
    QUERY_KEYS = 16,   /* places for the key in one query */
    QUERY_MAX = 16384  /* bytes of a query */
};

/* What stands for the key in a statement: `?` each time, or `$1`. */
enum query_style { QUERY_QUESTION_MARKS, QUERY_NUMBERED };

/*
 * Puts the query as a database of this style wants it, with a NUL behind it, and returns the number of places for the
 * key. In the query they are `$1`, or where there is none, `?`; neither counts between quotes, where with `backslashes`
 * a backslash takes the next character with it. 0: there is no place, or the query is too long.
 */
size_t query_write(struct slice query, enum query_style style, bool backslashes, char out[QUERY_MAX]);

#endif
