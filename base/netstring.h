/* netstring.h - netstrings: bytes with their length in front, as 5:hello, */
#ifndef NETSTRING_H
#define NETSTRING_H

#include "base/slice.h"
#include "base/text.h"

enum netstring {
    NETSTRING_MORE, /* what there is can be the beginning of one */
    NETSTRING_DONE,
    NETSTRING_BAD   /* no netstring, or one that is longer than allowed */
};

/*
 * Do these bytes begin with a netstring that holds at most `max` bytes? When DONE, `content` is what it holds, within
 * `bytes`, and `used` is the number of bytes of the whole netstring. A length has no zeros in front.
 */
enum netstring netstring_read(struct slice bytes, size_t max, struct slice *content, size_t *used);

/* Puts a netstring, which is NETSTRING_MARKS bytes longer than what it holds at most. */
enum { NETSTRING_MARKS = 22 };
void netstring_write(struct text *out, struct slice content);

#endif
