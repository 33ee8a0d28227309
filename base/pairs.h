/* pairs.h - lines key=value of a helper, each to its place */
#ifndef PAIRS_H
#define PAIRS_H

#include <stddef.h>

/* Where a value goes: `size` bytes, the NUL included; what is longer is cut. */
struct pair {
    const char *key;
    char *value;
    size_t size;
};

/* Takes a message apart. Bytes that are not printable ASCII become `?`; lines that nobody asks for are left out. */
void pairs_take(char *message, const struct pair *pairs, size_t count);

#endif
