/* slice.c - unit tests of slice.h */
#include "unit.h"

static const struct {
    struct slice a, b;
    bool equal, equal_nocase;
} rows[] = {
    { SLICE(""), SLICE(""), true, true },
    { { NULL, 0 }, SLICE(""), true, true },
    { SLICE("a"), SLICE("a"), true, true },
    { SLICE("a"), SLICE("A"), false, true },
    { SLICE("a"), SLICE("b"), false, false },
    { SLICE("a"), SLICE("ab"), false, false },
    { SLICE("ab"), SLICE("a"), false, false },
    { SLICE("Postmaster@Example.COM"), SLICE("postmaster@example.com"), false, true },
    { SLICE("\xc3\xa4"), SLICE("\xc3\x84"), false, false }, /* only ASCII has case */
    { SLICE("@"), SLICE("`"), false, false },               /* 0x40 and 0x60 are no letters */
    { SLICE("["), SLICE("{"), false, false },
};

void test_slice(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        ok(slice_equal(rows[i].a, rows[i].b) == rows[i].equal, "slice_equal \"%s\", \"%s\"", show(rows[i].a),
           show(rows[i].b));
        ok(slice_equal_nocase(rows[i].a, rows[i].b) == rows[i].equal_nocase, "slice_equal_nocase \"%s\", \"%s\"",
           show(rows[i].a), show(rows[i].b));
    }
    ok_text(slice_of("text"), BYTES("text"), "slice_of");
}
