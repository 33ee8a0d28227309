/* top.c - counts per key in bounded memory: what was seen most stays */
#include "programs/report/top.h"

#include <stdlib.h>

#include "base/hash.h"

static uint32_t hash_of(struct slice key)
{
    uint32_t hash = hash_on(HASH_BEGIN, key.text, key.len);

    return hash ^ hash >> 15;
}

/* The slot of a key: where it is, or where it would be put. */
static uint16_t *find(struct top *table, struct slice key, uint32_t hash)
{
    for (size_t at = hash % TOP_SLOTS;; at = (at + 1) % TOP_SLOTS) {
        uint16_t *slot = &table->slots[at];
        const struct row *row = *slot > 0 ? &table->rows[*slot - 1] : NULL;

        if (row == NULL || (row->hash == hash && slice_equal((struct slice){ row->key, row->len }, key)))
            return slot;
    }
}

static void index_rows(struct top *table)
{
    memset(table->slots, 0, sizeof table->slots);
    for (size_t i = 0; i < table->used; i++) {
        const struct row *row = &table->rows[i];

        *find(table, (struct slice){ row->key, row->len }, row->hash) = (uint16_t)(i + 1);
    }
}

void top_add_row(struct row *to, const struct row *from)
{
    to->count += from->count;
    to->sum += from->sum;
    if (from->max > to->max)
        to->max = from->max;
}

static void forget_half(struct top *table)
{
    top_sort(table);
    while (table->used > TOP_ROWS / 2)
        top_add_row(&table->others, &table->rows[--table->used]);
    index_rows(table);
}

void top_clear(struct top *table)
{
    table->used = 0;
    table->others = (struct row){ .count = 0 };
    index_rows(table);
}

void top_add(struct top *table, struct slice key, uint64_t amount)
{
    const struct row seen = { .count = 1, .sum = amount, .max = amount };
    uint16_t *slot;
    uint32_t hash;

    if (key.len > TOP_KEY)
        key.len = TOP_KEY;
    hash = hash_of(key);
    slot = find(table, key, hash);
    if (*slot == 0) {
        if (table->used == TOP_ROWS) {
            forget_half(table);
            slot = find(table, key, hash);
        }
        table->rows[table->used] = (struct row){ .hash = hash, .len = (uint16_t)key.len };
        memcpy(table->rows[table->used].key, key.text, key.len);
        *slot = (uint16_t)++table->used;
    }
    top_add_row(&table->rows[*slot - 1], &seen);
}

static int compare(const void *left, const void *right, void *context)
{
    const struct row *a = left, *b = right;
    bool by_max = ((const struct top *)context)->by_max;
    uint64_t of_a = by_max ? a->max : a->count, of_b = by_max ? b->max : b->count;
    int order;

    if (of_a != of_b)
        return of_a > of_b ? -1 : 1;
    order = memcmp(a->key, b->key, a->len < b->len ? a->len : b->len);
    return order != 0 ? order : (int)a->len - (int)b->len;
}

void top_sort(struct top *table)
{
    qsort_r(table->rows, table->used, sizeof table->rows[0], compare, table);
    index_rows(table);
}
