/* text.h - short texts put together in a buffer, without stdio */
#ifndef TEXT_H
#define TEXT_H

#include <stdint.h>

#include "base/slice.h"

/*
 * A buffer that is being filled; what has no room is left out. The session process uses this
 * instead of snprintf, which would cost it a sixth of its pages, and so does what comes before the greeting.
 */
struct text {
    char *bytes;
    size_t size, len;
};

static inline void text_put(struct text *text, struct slice words)
{
    size_t room = text->size - text->len, len = words.len < room ? words.len : room;

    if (len > 0)
        memcpy(text->bytes + text->len, words.text, len);
    text->len += len;
}

/* The same with '?' for control characters: no value ends a line, or a string. */
static inline void text_put_value(struct text *text, struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.text[i];

        text_put(text, (unsigned char)c < ' ' || c == 0x7f ? (struct slice)SLICE("?") : (struct slice){ &c, 1 });
    }
}

/* Puts a number in decimal, with zeros before it up to `digits` (at most 20). */
static inline void text_number(struct text *text, uint64_t number, size_t digits)
{
    char decimal[20];
    size_t begin = sizeof decimal;

    while (number > 0 || begin + digits > sizeof decimal || begin == sizeof decimal) {
        decimal[--begin] = (char)('0' + number % 10);
        number /= 10;
    }
    text_put(text, (struct slice){ decimal + begin, sizeof decimal - begin });
}

/* Copies a text to where a string is wanted; what has no room in `size` bytes (at least 1, for NUL) is cut. */
static inline void text_string(char *out, size_t size, struct slice words)
{
    struct text text = { out, size - 1, 0 };

    text_put(&text, words);
    out[text.len] = '\0';
}

static inline struct slice text_slice(const struct text *text)
{
    return (struct slice){ text->bytes, text->len };
}

#endif
