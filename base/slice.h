/* slice.h - a run of bytes that somebody else owns: text and length, no terminator */
#ifndef SLICE_H
#define SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * The configuration is parsed into slices of the file's text and commands into slices of the
 * input buffer, so that nothing is copied before it is needed. A slice lives as long as the
 * bytes it points to; each function that returns one says how long that is.
 */
struct slice {
    const char *text;
    size_t len;
};

/* A slice of a string literal, for initialisers. */
#define SLICE(literal) { (literal), sizeof(literal) - 1 }

static inline struct slice slice_of(const char *string)
{
    return (struct slice){ string, strlen(string) };
}

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.text, b.text, a.len) == 0);
}

static inline bool slice_is_ascii(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.text[i] >= 0x80)
            return false;
    return true;
}

static inline char lower_ascii(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* The number that a hexadecimal digit stands for, in either case; -1: it is none. */
static inline int hex_digit(char c)
{
    const char lower = lower_ascii(c);

    if (c >= '0' && c <= '9')
        return c - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The byte that the two hexadecimal digits stand for with which a text begins; -1: it does not begin so. */
static inline int slice_hex_byte(struct slice text)
{
    const int high = text.len < 2 ? -1 : hex_digit(text.text[0]), low = high < 0 ? -1 : hex_digit(text.text[1]);

    return low < 0 ? -1 : high << 4 | low;
}

/* Without regard to the case of ASCII letters; other bytes must be the same. */
static inline bool slice_equal_nocase(struct slice a, struct slice b)
{
    size_t i = 0;

    if (a.len != b.len)
        return false;
    while (i < a.len && lower_ascii(a.text[i]) == lower_ascii(b.text[i]))
        i++;
    return i == a.len;
}

/* Does `part`, a string, stand somewhere in the text? The text may be empty with a NULL pointer. */
static inline bool slice_has(struct slice text, const char *part)
{
    return text.len > 0 && memmem(text.text, text.len, part, strlen(part)) != NULL;
}

#endif
