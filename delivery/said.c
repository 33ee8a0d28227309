/* said.c - the reply that a delivery command asks for: what its last line of output begins with; pure */
#include "delivery/said.h"

/* Takes up to `most` digits; returns how many there were. */
static size_t take_digits(struct slice *text, size_t most, unsigned *number)
{
    size_t n = 0;

    for (*number = 0; n < most && n < text->len && text->text[n] >= '0' && text->text[n] <= '9'; n++)
        *number = *number * 10 + (unsigned)(text->text[n] - '0');
    text->text += n;
    text->len -= n;
    return n;
}

static bool take_dot(struct slice *text)
{
    if (text->len == 0 || text->text[0] != '.')
        return false;
    text->text++;
    text->len--;
    return true;
}

/* A code ends at a blank, which goes with it, or with the line. */
static bool take_end(struct slice *text)
{
    if (text->len > 0 && text->text[0] != ' ')
        return false;
    while (text->len > 0 && text->text[0] == ' ') {
        text->text++;
        text->len--;
    }
    return true;
}

static bool take_code(struct slice *text, unsigned *code)
{
    struct slice rest = *text;

    if (take_digits(&rest, 3, code) != 3 || !take_end(&rest) || (*code != 250 && (*code < 400 || *code > 599)))
        return false;
    *text = rest;
    return true;
}

/* The class, and the slice behind it; RFC 3463 allows three digits for subject and detail each. */
static bool take_status(struct slice *text, unsigned *class, struct slice *status)
{
    struct slice rest = *text;
    unsigned number;

    if (take_digits(&rest, 1, class) != 1 || (*class != 2 && *class != 4 && *class != 5) || !take_dot(&rest))
        return false;
    status->text = rest.text;
    if (take_digits(&rest, 3, &number) == 0 || !take_dot(&rest) || take_digits(&rest, 3, &number) == 0)
        return false;
    status->len = (size_t)(rest.text - status->text);
    if (!take_end(&rest))
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
    bool has_status = take_status(&said.text, &class, &said.status);

    if (!has_status)
        said.status = (struct slice){ "", 0 };
    else if (!has_code)
        said.code = usual[class];
    if (has_code ? has_status && said.code / 100 != class : !has_status)
        return nothing;
    return said;
}
