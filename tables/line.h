/* line.h - a line of a text table: its key and what stands behind it; pure */
#ifndef TABLES_LINE_H
#define TABLES_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum table_line { TABLE_LINE_NONE /* blank, or a comment */, TABLE_LINE_ENTRY, TABLE_LINE_BAD };

/* A key, as it stands there, and its value, which may be empty. Both are parts of the line. */
struct table_entry {
    struct slice key;
    bool quoted; /* it stood between quotes: a backslash makes the next byte one of the key */
    struct slice value;
};

/*
 * Reads KEY VALUE, or "KEY" VALUE where a key has blanks or begins with # or a quote. The line has no LF; blanks at its ends and a
 * CR do not count. TABLE_LINE_BAD: the quotes are not closed, or something stands at once behind them.
 */
enum table_line table_line_read(struct slice line, struct table_entry *entry);

/* Is it this key? Without regard to the case of ASCII letters. */
bool table_line_is(const struct table_entry *entry, struct slice key);

/* A hash that is the same for keys that are the same. */
uint32_t table_line_hash(const struct table_entry *entry);
uint32_t table_key_hash(struct slice key);

/* A longer one: of a million keys, as administrators have them, no two that are not the same have the same. */
uint64_t table_line_long_hash(const struct table_entry *entry);

#endif
