/* hash.h - FNV-1a: short, and good enough where nobody gains by a collision */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define HASH_BEGIN 2166136261U

/* Goes on with a hash, which is HASH_BEGIN at first, over `len` bytes. */
static inline uint32_t hash_on(uint32_t hash, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * 16777619U;
    return hash;
}

/* The same without regard to case, as slice_equal_nocase compares. */
static inline uint32_t hash_nocase(uint32_t hash, struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char lower = lower_ascii(text.text[i]);

        hash = hash_on(hash, &lower, 1);
    }
    return hash;
}

#endif
