/* table.c - fuzz target: answers of socketmap servers, in pieces as at once; lines of text tables */
/* Byte 0: the size of a piece. The others are an answer, and a line. */
#include "fuzz.h"

#include <string.h>

#include "tables/line.h"
#include "tables/socketmap.h"

static enum netstring feed(struct socketmap_answer *answer, struct slice bytes, size_t piece, size_t *total)
{
    enum netstring progress = NETSTRING_MORE;
    size_t used;

    socketmap_begin(answer);
    for (*total = 0; *total < bytes.len && progress == NETSTRING_MORE; *total += used) {
        size_t left = bytes.len - *total;

        progress = socketmap_feed(answer, (struct slice){ bytes.text + *total, left < piece ? left : piece }, &used);
        HOLDS(used <= left && (used > 0 || progress == NETSTRING_BAD));
    }
    return progress;
}

static void check_answer(const struct socketmap_answer *answer)
{
    const char *end = answer->bytes + answer->len;

    HOLDS(answer->text.text >= answer->bytes && answer->text.text + answer->text.len < end && answer->text.len >= 2);
    HOLDS(answer->value.len == 0 || answer->value.text + answer->value.len == answer->text.text + answer->text.len);
}

/* A line is the same whatever blanks are around it; its key is itself. */
static void check_line(struct slice line)
{
    struct table_entry entry;
    char key[4096], spaced[4096 + 2];
    size_t len = 0;

    if (line.len > sizeof key || table_line_read(line, &entry) != TABLE_LINE_ENTRY)
        return;
    for (size_t i = 0; i < entry.key.len; i++) {
        i += entry.quoted && entry.key.text[i] == '\\' && i + 1 < entry.key.len;
        key[len++] = entry.key.text[i];
    }
    HOLDS(table_line_is(&entry, (struct slice){ key, len }));
    HOLDS(table_line_hash(&entry) == table_key_hash((struct slice){ key, len }));
    HOLDS(!table_line_is(&entry, (struct slice){ key, len > 0 ? len - 1 : 1 }) || len == 0);
    if ((unsigned char)line.text[0] == 0xEF)
        return;
    spaced[0] = ' ';
    memcpy(spaced + 1, line.text, line.len);
    spaced[line.len + 1] = '\r';
    HOLDS(table_line_read((struct slice){ spaced, line.len + 2 }, &entry) == TABLE_LINE_ENTRY);
    HOLDS(table_line_is(&entry, (struct slice){ key, len }));
}

void fuzz_table(const uint8_t *data, size_t size)
{
    static struct socketmap_answer whole, pieces;
    struct slice bytes = { (const char *)data + 1, size - 1 };
    enum netstring progress;
    size_t used, taken;

    if (size == 0)
        return;
    progress = feed(&whole, bytes, SIZE_MAX, &used);
    HOLDS(progress == feed(&pieces, bytes, data[0] + 1U, &taken));
    if (progress == NETSTRING_DONE) {
        HOLDS(used == taken && whole.kind == pieces.kind && slice_equal(whole.value, pieces.value));
        check_answer(&whole);
    }
    check_line(bytes);
}
