/* network.h - ADDRESS/BITS: networks of IPv4 and IPv6, read and written; pure */
#ifndef NETWORK_H
#define NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { NETWORK_TEXT = 52 }; /* bytes of a network as text, with its NUL */

/* The addresses whose first `bits` bits are these. Of IPv4-mapped IPv6 addresses it is one of IPv4. */
struct network {
    uint64_t high, low; /* from the first bit of the address on; IPv4 has 32 of them */
    unsigned bits;
    bool six;           /* IPv6 */
};

enum network_status {
    NETWORK_GOOD,
    NETWORK_NONE,       /* it does not look like a network */
    NETWORK_BAD,        /* it does, but what stands before the slash is not an address */
    NETWORK_HOST_BITS,  /* behind the first BITS bits of the address some are set */
    NETWORK_OUT_OF_RANGE, /* so many bits no address has */
    NETWORK_SHORT       /* 10/8: an address of IPv4 that is cut behind a number */
};

/* Reads the network that a text begins with, and returns how many bytes that are; 0: there is no good one. */
size_t network_read(struct slice text, struct network *network);

/*
 * Reads a word that is a network or looks like one, which no expression for hosts does: no host has a slash in its
 * address or name. Where that is not right but for _NONE and _BAD, `network` is the one to write instead.
 */
enum network_status network_parse(struct slice word, struct network *network);

/* An address in network order as a network of its own. */
struct network network_of_address(bool six, const unsigned char *bytes);

/* The network of the first `bits` bits. */
struct network network_around(struct network network, unsigned bits);

/* How many bits an address of this family has. */
static inline unsigned network_size(bool six)
{
    return six ? 128 : 32;
}

static inline bool network_equal(const struct network *a, const struct network *b)
{
    return a->high == b->high && a->low == b->low && a->bits == b->bits && a->six == b->six;
}

/* Writes it as a string, in the form that is usual (RFC 5952). */
void network_write(const struct network *network, char out[NETWORK_TEXT]);

#endif
