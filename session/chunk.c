/* chunk.c - what BDAT says of the octets behind it (RFC 3030 2); pure */
#include "session/chunk.h"

bool chunk_parse(struct slice argument, struct chunk *chunk)
{
    size_t at = 0, digits;

    *chunk = (struct chunk){ .size = 0 };
    for (; at < argument.len && argument.text[at] >= '0' && argument.text[at] <= '9'; at++) {
        uint64_t digit = (uint64_t)argument.text[at] - '0';

        if (chunk->size > (UINT64_MAX - digit) / 10)
            return false;
        chunk->size = chunk->size * 10 + digit;
    }
    digits = at;
    while (at < argument.len && (argument.text[at] == ' ' || argument.text[at] == '\t'))
        at++;
    chunk->last = at > digits && slice_equal_nocase((struct slice){ argument.text + at, argument.len - at },
                                                    slice_of("LAST"));
    return digits > 0 && (chunk->last || digits == argument.len);
}
