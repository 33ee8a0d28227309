/* pieces.h - taking a line of a log apart, from its beginning */
#ifndef PIECES_H
#define PIECES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool begins(struct slice text, struct slice with)
{
    return text.len >= with.len && memcmp(text.text, with.text, with.len) == 0;
}

static inline void skip(struct slice *text, size_t count)
{
    text->text += count;
    text->len -= count;
}

static inline bool take(struct slice *text, struct slice expected)
{
    if (!begins(*text, expected))
        return false;
    skip(text, expected.len);
    return true;
}

/* Up to the first `end`, which is taken as well; all of it when there is none. */
static inline struct slice take_until(struct slice *text, char end)
{
    const char *at = memchr(text->text, end, text->len);
    struct slice taken = { text->text, at != NULL ? (size_t)(at - text->text) : text->len };

    skip(text, taken.len + (at != NULL));
    return taken;
}

/* A decimal number, 0 when there is none; too many digits make some number. */
static inline uint64_t number(struct slice text)
{
    uint64_t value = 0;

    for (size_t i = 0; i < text.len && is_digit(text.text[i]); i++)
        value = value * 10 + (uint64_t)(text.text[i] - '0');
    return value;
}

#endif
