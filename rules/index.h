/* index.h - the lines that may name a recipient, without a look at all of them: for a listener, whose file may be long */
#ifndef INDEX_H
#define INDEX_H

#include "rules/recipient.h"
#include "rules/rule.h"

/*
 * One session does not pay for it: it looks at the lines once or twice, and has them read once. It changes no decision: lines
 * that come out of it are looked at in the order of the file, as all of them were, and those that do not cannot name the
 * recipient.
 */
struct index;

/* Bytes that it takes for these rules. */
size_t index_size(const struct rules *rules);

/* Makes it in zeroed memory of that size, which must outlive the rules, aligned for pointers. */
struct index *index_make(const struct rules *rules, void *memory);

enum { INDEX_CURSORS = 4 };

/* Goes through the deliver and refuse lines that may name a recipient. */
struct index_walk {
    const struct index *index;
    uint32_t at[INDEX_CURSORS]; /* entries of its address, of that without extension, of its domain; and others */
};

/* `extension` is the index of the delimiter of recipient.h, 0: none. */
struct index_walk index_begin(const struct index *index, const struct recipient *recipient, uint16_t extension);

/* The next one; NULL: there is none. */
const struct rule *index_next(struct index_walk *walk);

#endif
