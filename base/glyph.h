/* glyph.h - characters that cannot be seen, or that look like others: blanks, controls, quotes of typesetting */
#ifndef GLYPH_H
#define GLYPH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum glyph_kind {
    GLYPH_PLAIN,
    GLYPH_QUOTE, /* ASCII ' and ", and those that word processors and web pages put in their place */
    GLYPH_UNSEEN /* blanks other than space and tab, what has no width, control characters */
};

struct glyph {
    enum glyph_kind kind;
    uint32_t code;    /* Unicode's number */
    size_t len;       /* in bytes, at least 1 */
    const char *name; /* "no-break space"; NULL for GLYPH_PLAIN */
};

/* The character, in UTF-8, at the beginning of a text that is not empty. What is not UTF-8 is a plain byte. */
struct glyph glyph_at(struct slice text);

/* Finds the first character of a kind from *at on. False: there is none. */
bool glyph_find(struct slice text, enum glyph_kind kind, size_t *at, struct glyph *glyph);

#endif
