/* table_keys.h - which keys of a text table stand in several lines (-t) */
#ifndef TABLE_KEYS_H
#define TABLE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tables/line.h"

/* The keys of a table, with 16 bytes for each. Zeroed, there are none. */
struct table_keys {
    size_t count, room;
    struct table_key {
        uint64_t hash, line;
    } *keys;
};

/* What stands twice. */
struct table_repeat {
    uint64_t count;       /* lines whose key an earlier one has */
    uint64_t line, first; /* the first of them, and the one that has its key */
};

/* Adds the key of a line, if there is memory. */
void table_keys_add(struct table_keys *keys, const struct table_entry *entry, uint64_t line);

/* Looks for repeats, in a time that grows hardly faster than the table, and forgets the keys. */
struct table_repeat table_keys_repeat(struct table_keys *keys);

#endif
