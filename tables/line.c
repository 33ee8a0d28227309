/* line.c - a line of a text table: its key and what stands behind it; pure */
#include "tables/line.h"

#include "base/hash.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice without_blanks(struct slice text)
{
    for (; text.len > 0 && is_blank(text.text[0]); text.len--)
        text.text++;
    while (text.len > 0 && is_blank(text.text[text.len - 1]))
        text.len--;
    return text;
}

/* The index of the closing quote of a line that begins with one; its length if there is none. */
static size_t find_close(struct slice line)
{
    size_t at = 1;

    while (at < line.len && line.text[at] != '"')
        at += line.text[at] == '\\' ? 2 : 1;
    return at < line.len ? at : line.len;
}

enum table_line table_line_read(struct slice line, struct table_entry *entry)
{
    static const struct slice mark = SLICE("\xEF\xBB\xBF"); /* of byte order, which stands at the beginning of some files */
    size_t behind = 0;

    if (line.len >= mark.len && memcmp(line.text, mark.text, mark.len) == 0)
        line = (struct slice){ line.text + mark.len, line.len - mark.len };
    line = without_blanks(line);
    if (line.len == 0 || line.text[0] == '#')
        return TABLE_LINE_NONE;
    entry->quoted = line.text[0] == '"';
    if (entry->quoted)
        behind = find_close(line) + 1;
    while (!entry->quoted && behind < line.len && !is_blank(line.text[behind]))
        behind++;
    if (behind > line.len || (behind < line.len && !is_blank(line.text[behind])))
        return TABLE_LINE_BAD;
    entry->key = entry->quoted ? (struct slice){ line.text + 1, behind - 2 } : (struct slice){ line.text, behind };
    entry->value = without_blanks((struct slice){ line.text + behind, line.len - behind });
    return TABLE_LINE_ENTRY;
}

/* The next byte of a key, in lower case; false at its end. */
static bool next_byte(struct slice *rest, bool quoted, char *c)
{
    size_t skipped = quoted && rest->len > 1 && rest->text[0] == '\\';

    if (rest->len == 0)
        return false;
    *c = lower_ascii(rest->text[skipped]);
    *rest = (struct slice){ rest->text + skipped + 1, rest->len - skipped - 1 };
    return true;
}

bool table_line_is(const struct table_entry *entry, struct slice key)
{
    struct slice rest = entry->key;
    size_t at = 0;
    char c;

    if (!entry->quoted)
        return slice_equal_nocase(entry->key, key);
    while (next_byte(&rest, true, &c))
        if (at == key.len || lower_ascii(key.text[at++]) != c)
            return false;
    return at == key.len;
}

static uint32_t hash_of(struct slice rest, bool quoted)
{
    uint32_t hash = HASH_BEGIN;
    char c;

    while (next_byte(&rest, quoted, &c))
        hash = hash_on(hash, &c, 1);
    return hash;
}

uint32_t table_line_hash(const struct table_entry *entry)
{
    return hash_of(entry->key, entry->quoted);
}

uint32_t table_key_hash(struct slice key)
{
    return hash_of(key, false);
}

/* FNV-1a with 64 bits. */
uint64_t table_line_long_hash(const struct table_entry *entry)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    struct slice rest = entry->key;
    char c;

    while (next_byte(&rest, entry->quoted, &c))
        hash = (hash ^ (unsigned char)c) * UINT64_C(1099511628211);
    return hash;
}
