/* said.c - the reply that a delivery command asks for: what its last line of output begins with; pure */
#include "delivery/said.h"

#include "session/enhanced.h"

static bool take_code(struct slice *text, unsigned *code)
{
    struct slice rest = *text;

    if (digits_take(&rest, 3, code) != 3 || !code_ends(&rest) || (*code != 250 && (*code < 400 || *code > 599)))
        return false;
    *text = rest;
    return true;
}

struct said said_read(struct slice line)
{
    static const unsigned usual[] = { [2] = 250, [4] = 451, [5] = 554 };
    static const struct said nothing;
    struct said said = { .text = line };
    unsigned class;
    bool has_code = take_code(&said.text, &said.code);
    bool has_status = enhanced_take(&said.text, &class, &said.status);

    if (!has_status)
        said.status = (struct slice){ "", 0 };
    else if (!has_code)
        said.code = usual[class];
    if (has_code ? has_status && said.code / 100 != class : !has_status)
        return nothing;
    return said;
}
