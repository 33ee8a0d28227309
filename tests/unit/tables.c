/* tables.c - unit tests of tables/: lines of text files */
#include "unit.h"

#include "tables/line.h"

static const struct {
    const char *line;
    enum table_line kind;
    const char *key, *value;
} lines[] = {
    { "", TABLE_LINE_NONE, "", "" },
    { " \t\r", TABLE_LINE_NONE, "", "" },
    { "# joe@example.com box", TABLE_LINE_NONE, "", "" },
    { "  # joe@example.com", TABLE_LINE_NONE, "", "" },
    { "joe@example.com", TABLE_LINE_ENTRY, "joe@example.com", "" },
    { "Joe@example.com box", TABLE_LINE_ENTRY, "joe@EXAMPLE.com", "box" },
    { " joe@example.com\t a  b # c \r", TABLE_LINE_ENTRY, "joe@example.com", "a  b # c" },
    { "\xEF\xBB\xBFjoe@example.com box", TABLE_LINE_ENTRY, "joe@example.com", "box" },
    { "@example.com x", TABLE_LINE_ENTRY, "@example.com", "x" },
    { "o'neil@example.com \"x\"", TABLE_LINE_ENTRY, "o'neil@example.com", "\"x\"" },
    { "j\xc3\xb6@example.com x", TABLE_LINE_ENTRY, "j\xc3\xb6@example.com", "x" },
    { "\"john smith@example.com\" js", TABLE_LINE_ENTRY, "John Smith@example.com", "js" },
    { "\"#1@example.com\"", TABLE_LINE_ENTRY, "#1@example.com", "" },
    { "\"a\\\"b\\\\@example.com\"\tx", TABLE_LINE_ENTRY, "a\"b\\@example.com", "x" },
    { "a\\b@example.com x", TABLE_LINE_ENTRY, "a\\b@example.com", "x" },
    { "\"\" x", TABLE_LINE_ENTRY, "", "x" },
    { "\"joe@example.com box", TABLE_LINE_BAD, "", "" },
    { "\"joe\"@example.com box", TABLE_LINE_BAD, "", "" },
    { "\"joe\\\"", TABLE_LINE_BAD, "", "" },
    { "\"joe\\", TABLE_LINE_BAD, "", "" },
    { "\"", TABLE_LINE_BAD, "", "" },
};

void test_tables(void)
{
    struct table_entry entry;

    for (size_t i = 0; i < COUNT(lines); i++) {
        const struct slice key = slice_of(lines[i].key);

        ok_number(table_line_read(slice_of(lines[i].line), &entry), lines[i].kind, "the kind of '%s'", show(slice_of(lines[i].line)));
        if (lines[i].kind != TABLE_LINE_ENTRY)
            continue;
        ok(table_line_is(&entry, key), "the key is '%s'", show(key));
        ok_number(table_line_hash(&entry), table_key_hash(key), "its hash is that of '%s'", show(key));
        ok(!table_line_is(&entry, BYTES("joe@example.co")) && !table_line_is(&entry, BYTES("joe@example.comm")), "it is no other");
        ok_text(entry.value, slice_of(lines[i].value), "the value of '%s'", show(key));
    }
}
