/* enhanced.c - enhanced status codes at the beginning of a text (RFC 3463 2); pure */
#include "session/enhanced.h"

size_t digits_take(struct slice *text, size_t most, unsigned *number)
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

bool code_ends(struct slice *text)
{
    if (text->len > 0 && text->text[0] != ' ')
        return false;
    while (text->len > 0 && text->text[0] == ' ') {
        text->text++;
        text->len--;
    }
    return true;
}

bool enhanced_take(struct slice *text, unsigned *class, struct slice *status)
{
    struct slice rest = *text;
    unsigned number;

    if (digits_take(&rest, 1, class) != 1 || (*class != 2 && *class != 4 && *class != 5) || !take_dot(&rest))
        return false;
    status->text = rest.text;
    if (digits_take(&rest, 3, &number) == 0 || !take_dot(&rest) || digits_take(&rest, 3, &number) == 0)
        return false;
    status->len = (size_t)(rest.text - status->text);
    if (!code_ends(&rest))
        return false;
    *text = rest;
    return true;
}
