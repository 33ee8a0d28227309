/* utf8.h - characters of UTF-8 (RFC 3629); pure */
#ifndef UTF8_H
#define UTF8_H

#include "base/slice.h"

/* The length in bytes, 1 to 4, of the well-formed character that text begins with, else 0. */
size_t utf8_length(struct slice text);

#endif
