/* content.c - unit tests of content.h: what another server gets of a message, and what is said of it before */
#include "nexthop/content.h"

#include <stdio.h>

#include "unit.h"

static const struct {
    const char *stored, *stuffed, *plain;
    const char *facts; /* 8: bytes outside ASCII, h: in the header; 0: NUL, r: a lone CR */
} messages[] = {
    { "", "", "", "" },
    { "a: b\n\nc\n", "a: b\r\n\r\nc\r\n", "a: b\r\n\r\nc\r\n", "" },
    { "a\n\n.\n..\n.x\nx.\n", "a\r\n\r\n..\r\n...\r\n..x\r\nx.\r\n", "a\r\n\r\n.\r\n..\r\n.x\r\nx.\r\n", "" },
    { ".", "..", ".", "" },
    { "a\n\nb", "a\r\n\r\nb", "a\r\n\r\nb", "" },
    { "\n\n\n", "\r\n\r\n\r\n", "\r\n\r\n\r\n", "" },
    { "a\r\n.\n", "a\r\r\n..\r\n", "a\r\r\n.\r\n", "r" },
    { "a\n\nb\rc\n", "a\r\n\r\nb\rc\r\n", "a\r\n\r\nb\rc\r\n", "r" },
    { "\xc3\xa4\n\n\n", "\xc3\xa4\r\n\r\n\r\n", "\xc3\xa4\r\n\r\n\r\n", "8h" },
    { "a\n\n\xc3\xa4\n", "a\r\n\r\n\xc3\xa4\r\n", "a\r\n\r\n\xc3\xa4\r\n", "8" },
};

static void look(struct content *content, struct slice message, size_t piece)
{
    *content = (struct content){ .size = 0 };
    for (; message.len > 0; message.text += piece, message.len -= piece) {
        piece = piece < message.len ? piece : message.len;
        content_look(content, (struct slice){ message.text, piece });
    }
}

/* All of it, in pieces, into as little room. */
static struct slice write_all_of(struct slice message, bool dots, size_t piece, size_t room)
{
    static char out[256];
    struct content_writer writer = { .dots = dots };
    size_t len = 0;

    for (; message.len > 0; message.text += piece, message.len -= piece) {
        struct slice rest = { message.text, piece = piece < message.len ? piece : message.len };

        while (rest.len > 0)
            len += content_write(&writer, &rest, out + len, room);
    }
    return (struct slice){ out, len };
}

static void test_message_of(size_t i, size_t piece)
{
    struct slice stored = slice_of(messages[i].stored);
    struct content content;
    char facts[8];

    look(&content, stored, piece);
    (void)snprintf(facts, sizeof facts, "%s%s%s%s", content.eight_bit ? "8" : "", content.eight_bit_header ? "h" : "",
                   content.nul ? "0" : "", content.lone_cr ? "r" : "");
    ok_text(slice_of(facts), slice_of(messages[i].facts), "what there is in '%s', seen %zu bytes at once", show(stored), piece);
    ok_number(content.size, strlen(messages[i].plain), "the size of '%s'", show(stored));
    for (size_t room = CONTENT_LEAST; room < 64; room += 13) {
        ok_text(write_all_of(stored, true, piece, room), slice_of(messages[i].stuffed), "'%s' for DATA, room for %zu", show(stored), room);
        ok_text(write_all_of(stored, false, piece, room), slice_of(messages[i].plain), "'%s' for BDAT, room for %zu", show(stored), room);
    }
}

void test_content(void)
{
    struct content content;

    for (size_t i = 0; i < COUNT(messages); i++)
        for (size_t piece = 1; piece < 32; piece += 5)
            test_message_of(i, piece);
    look(&content, BYTES("a\n\n\0\n"), 2);
    ok(content.nul && !content.lone_cr, "a NUL is seen");
    look(&content, BYTES("a\n\nb"), 2);
    ok(content.in_line, "a last line without its end, too");
    look(&content, BYTES("a\n\nb\n"), 2);
    ok(!content.in_line, "and one with it");
}
