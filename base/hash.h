/* hash.h - FNV-1a: short, and good enough where nobody gains by a collision */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_BEGIN 2166136261U

/* Goes on with a hash, which is HASH_BEGIN at first, over `len` bytes. */
static inline uint32_t hash_on(uint32_t hash, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * 16777619U;
    return hash;
}

#endif
