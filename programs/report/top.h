/* top.h - counts per key in bounded memory: what was seen most stays */
#ifndef TOP_H
#define TOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * A key may come from strangers, who can make up any number of them. So a table has room for
 * TOP_ROWS keys; when a further one comes, the lesser half goes into `others`. Sums over all rows
 * and `others` stay exact; a key that went and came back is counted anew, so its own numbers
 * are then the least that they can be.
 */
enum { TOP_ROWS = 4096, TOP_KEY = 496, TOP_SLOTS = 2 * TOP_ROWS };

struct row {
    uint64_t count, sum, max; /* how often, and the sum and the largest of the amounts */
    uint32_t hash;
    uint16_t len;
    char key[TOP_KEY];
};

/* All zero is an empty table. */
struct top {
    struct row rows[TOP_ROWS];
    uint16_t slots[TOP_SLOTS]; /* by hash: index of a row plus 1; 0 is free */
    size_t used;
    struct row others;
    bool by_max; /* what makes a row the greater one: `max`, not `count` */
};

/* Makes it empty; `by_max` stays. */
void top_clear(struct top *table);

/* Counts `amount` for a key, of which at most TOP_KEY bytes are kept. */
void top_add(struct top *table, struct slice key, uint64_t amount);

/* Adds the numbers of one row to another. */
void top_add_row(struct row *to, const struct row *from);

/* Puts the rows in order, the greatest first, equal ones by key. */
void top_sort(struct top *table);

#endif
