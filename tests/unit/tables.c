/* tables.c - unit tests of tables/: lines of text files, answers of socketmap servers */
#include "unit.h"

#include "tables/line.h"
#include "tables/socketmap.h"

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

static const struct {
    struct slice bytes;
    enum netstring progress;
    size_t behind; /* bytes that are none of it */
    enum table_answer kind;
    const char *value, *text;
} answers[] = {
    { SLICE("4:OK x,"), NETSTRING_DONE, 0, TABLE_FOUND, "x", "OK x" },
    { SLICE("2:OK,"), NETSTRING_DONE, 0, TABLE_FOUND, "", "OK" },
    { SLICE("3:OK ,"), NETSTRING_DONE, 0, TABLE_FOUND, "", "OK " },
    { SLICE("7:OK a  b,"), NETSTRING_DONE, 0, TABLE_FOUND, "a  b", "OK a  b" },
    { SLICE("\r\n4:OK x,4:"), NETSTRING_DONE, 2, TABLE_FOUND, "x", "OK x" },
    { SLICE("9:NOTFOUND ,"), NETSTRING_DONE, 0, TABLE_UNKNOWN, "", "NOTFOUND " },
    { SLICE("8:NOTFOUND,"), NETSTRING_DONE, 0, TABLE_UNKNOWN, "", "NOTFOUND" },
    { SLICE("9:TEMP down,"), NETSTRING_DONE, 0, TABLE_FAILED, "down", "TEMP down" },
    { SLICE("8:TIMEOUT ,"), NETSTRING_DONE, 0, TABLE_FAILED, "", "TIMEOUT " },
    { SLICE("9:PERM fool,"), NETSTRING_DONE, 0, TABLE_FAILED, "fool", "PERM fool" },
    { SLICE("4:OKAY,"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("2:ok,"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("0:,"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("3: OK,"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("3:OK x,"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("03:OK ,"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("16500:OK"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("OK x\n"), NETSTRING_BAD, 0, 0, "", "" },
    { SLICE("4:OK x"), NETSTRING_MORE, 0, 0, "", "" },
    { SLICE("4"), NETSTRING_MORE, 0, 0, "", "" },
    { SLICE("\n"), NETSTRING_MORE, 0, 0, "", "" },
    { SLICE(""), NETSTRING_MORE, 0, 0, "", "" },
};

static void test_answers(void)
{
    static struct socketmap_answer answer;

    for (size_t i = 0; i < COUNT(answers); i++)
        for (size_t piece = 1; piece <= 2; piece++) {
            struct slice rest = answers[i].bytes;
            enum netstring progress = NETSTRING_MORE;
            size_t used;

            socketmap_begin(&answer);
            for (; rest.len > 0 && progress == NETSTRING_MORE; rest = (struct slice){ rest.text + used, rest.len - used })
                progress = socketmap_feed(&answer, (struct slice){ rest.text, piece == 1 ? 1 : rest.len }, &used);
            ok_number(progress, answers[i].progress, "what comes of '%s'", show(answers[i].bytes));
            if (progress != NETSTRING_DONE || answers[i].progress != NETSTRING_DONE)
                continue;
            ok_number(rest.len, answers[i].behind, "what is behind '%s'", show(answers[i].bytes));
            ok_number(answer.kind, answers[i].kind, "what '%s' means", show(answers[i].bytes));
            ok_text(answer.value, slice_of(answers[i].value), "its value");
            ok_text(answer.text, slice_of(answers[i].text), "its text");
        }
}

void test_tables(void)
{
    struct table_entry entry;

    test_answers();
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
