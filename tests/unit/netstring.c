/* netstring.c - unit tests of netstring.h: where one ends, and what is none */
#include "base/netstring.h"

#include "unit.h"

enum { MAX = 15 };

static const struct {
    const char *bytes;
    enum netstring state;
    const char *content;
    size_t used;
} inputs[] = {
    { "5:hello,", NETSTRING_DONE, "hello", 8 },
    { "5:hello,5:world,", NETSTRING_DONE, "hello", 8 },
    { "0:,", NETSTRING_DONE, "", 3 },
    { "3:a,b,", NETSTRING_DONE, "a,b", 6 },
    { "15:123456789012345,", NETSTRING_DONE, "123456789012345", 19 },
    { "", NETSTRING_MORE, "", 0 },
    { "1", NETSTRING_MORE, "", 0 },
    { "15", NETSTRING_MORE, "", 0 },
    { "5:", NETSTRING_MORE, "", 0 },
    { "5:hello", NETSTRING_MORE, "", 0 },
    { "0:", NETSTRING_MORE, "", 0 },
    /* longer than allowed: said by the length alone */
    { "16", NETSTRING_BAD, "", 0 },
    { "20", NETSTRING_BAD, "", 0 },
    { "99999999999999999999999:", NETSTRING_BAD, "", 0 },
    /* none */
    { ":", NETSTRING_BAD, "", 0 },
    { ",", NETSTRING_BAD, "", 0 },
    { "x", NETSTRING_BAD, "", 0 },
    { "-1:", NETSTRING_BAD, "", 0 },
    { " 5:hello,", NETSTRING_BAD, "", 0 },
    { "5 :hello,", NETSTRING_BAD, "", 0 },
    { "05:hello,", NETSTRING_BAD, "", 0 },
    { "00:,", NETSTRING_BAD, "", 0 },
    { "5:hello\n", NETSTRING_BAD, "", 0 },
    { "4:hello,", NETSTRING_BAD, "", 0 },
};

void test_netstring(void)
{
    char bytes[sizeof "5:hello," - 1];
    struct text out = { bytes, sizeof bytes, 0 };

    for (size_t i = 0; i < COUNT(inputs); i++) {
        struct slice content = SLICE("");
        size_t used = 0;

        ok_number(netstring_read(slice_of(inputs[i].bytes), MAX, &content, &used), inputs[i].state, "'%s'", inputs[i].bytes);
        ok_text(content, slice_of(inputs[i].content), "what '%s' holds", inputs[i].bytes);
        ok_number(used, inputs[i].used, "where '%s' ends", inputs[i].bytes);
    }
    netstring_write(&out, slice_of("hello"));
    ok_text(text_slice(&out), slice_of("5:hello,"), "one that is written");
}
