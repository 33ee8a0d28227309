/* table_keys.c - which keys of a text table stand in several lines (-t) */
#include "admin/table_keys.h"

#include <stdlib.h>

static bool grow(struct table_keys *keys)
{
    const size_t room = keys->room > 0 ? keys->room * 2 : 1024;
    struct table_key *grown = reallocarray(keys->keys, room, sizeof *grown);

    if (grown == NULL)
        return false;
    keys->keys = grown;
    keys->room = room;
    return true;
}

void table_keys_add(struct table_keys *keys, const struct table_entry *entry, uint64_t line)
{
    if (keys->count < keys->room || grow(keys))
        keys->keys[keys->count++] = (struct table_key){ table_line_long_hash(entry), line };
}

/* By hash, then by line. */
static int compare(const void *a, const void *b)
{
    const struct table_key *one = a, *other = b;

    if (one->hash != other->hash)
        return one->hash < other->hash ? -1 : 1;
    return one->line < other->line ? -1 : one->line > other->line;
}

struct table_repeat table_keys_repeat(struct table_keys *keys)
{
    struct table_repeat repeat = { .count = 0 };
    uint64_t first = 0;

    if (keys->count > 0)
        qsort(keys->keys, keys->count, sizeof *keys->keys, compare);
    for (size_t i = 0; i < keys->count; i++) {
        const struct table_key *key = &keys->keys[i];

        if (i == 0 || key->hash != keys->keys[i - 1].hash) {
            first = key->line;
            continue;
        }
        if (repeat.count++ == 0 || key->line < repeat.line) {
            repeat.line = key->line;
            repeat.first = first;
        }
    }
    free(keys->keys);
    *keys = (struct table_keys){ .count = 0 };
    return repeat;
}
