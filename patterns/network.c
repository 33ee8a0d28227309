/* network.c - ADDRESS/BITS: networks of IPv4 and IPv6, read and written; pure */
#include "patterns/network.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>

enum { READ_MOST = 64 }; /* more bytes than are looked at to read a network */

/* The bits of a half of the address that are behind its first `bits`. */
static inline uint64_t bits_behind(unsigned bits)
{
    return bits < 64 ? UINT64_MAX >> bits : 0;
}

static inline uint64_t high_behind(unsigned bits)
{
    return bits_behind(bits);
}

static inline uint64_t low_behind(unsigned bits)
{
    return bits_behind(bits < 64 ? 0 : bits - 64);
}

struct network network_around(struct network network, unsigned bits)
{
    network.high &= ~high_behind(bits);
    network.low &= ~low_behind(bits);
    network.bits = bits;
    return network;
}

struct network network_of_address(bool six, const unsigned char *bytes)
{
    struct network network = { .bits = network_size(six), .six = six };

    for (size_t i = 0; i < 8; i++) {
        network.high = network.high << 8 | (six || i < 4 ? bytes[i] : 0);
        network.low = network.low << 8 | (six ? bytes[i + 8] : 0);
    }
    return network;
}

/* ---- reading ------------------------------------------------------------------------------ */

/*
 * A configuration may have many networks, and is read for every connection. So these functions look for no end: the
 * text ends in NUL, or is longer than what they look at.
 */

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

/* Reads a number of one to three digits with no zero before it. NULL: there is none, or it is more than `most`. */
static inline const char *read_number(const char *at, unsigned most, unsigned *number)
{
    unsigned n = (unsigned char)(*at++ - '0');

    if (n > 9)
        return NULL;
    if (is_digit(*at)) {
        if (n == 0)
            return NULL;
        n = n * 10 + (unsigned)(*at++ - '0');
        if (is_digit(*at))
            n = n * 10 + (unsigned)(*at++ - '0');
    }
    *number = n;
    return n <= most ? at : NULL;
}

static inline const char *read_ipv4(const char *at, uint64_t *address)
{
    unsigned octet;

    *address = 0;
    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && *at++ != '.')
            return NULL;
        at = read_number(at, 255, &octet);
        if (at == NULL)
            return NULL;
        *address = *address << 8 | octet;
    }
    return at;
}

/* Up to four hexadecimal digits. NULL: there are none. */
static inline const char *read_group(const char *at, unsigned *group)
{
    const char *begin = at;

    for (*group = 0; at - begin < 4; at++) {
        unsigned char digit = (unsigned char)(*at - '0'), letter = (unsigned char)((*at | 0x20) - 'a');

        if (digit > 9 && letter > 5)
            break;
        *group = *group << 4 | (digit <= 9 ? digit : letter + 10U);
    }
    return at > begin ? at : NULL;
}

/* Moves a number to the left by so many groups. */
static void shift_groups(struct network *number, unsigned groups)
{
    unsigned bits = 16 * (groups % 4);

    if (groups >= 4) {
        number->high = number->low;
        number->low = 0;
    }
    if (bits > 0) {
        number->high = number->high << bits | number->low >> (64 - bits);
        number->low <<= bits;
    }
}

/* Shifts the groups up to the end or to "::" into `number` (RFC 4291 2.2); the last two may be written as IPv4. */
static const char *read_groups(const char *at, struct network *number, unsigned *count)
{
    const char *begin = at;
    unsigned group;
    uint64_t four;

    while (*count < 8 && (at = read_group(begin, &group)) != NULL) {
        unsigned groups = 1;

        four = group;
        if (*at == '.') {
            at = *count <= 6 ? read_ipv4(begin, &four) : NULL;
            groups = 2;
        }
        if (at == NULL)
            return NULL;
        shift_groups(number, groups);
        number->low |= four;
        *count += groups;
        if (*at != ':' || at[1] == ':' || groups == 2 || *count == 8)
            return at;
        begin = at + 1;
    }
    return NULL;
}

static const char *read_ipv6(const char *at, struct network *network)
{
    struct network left = { .six = true, .bits = 128 }, right = { .six = true };
    unsigned count = 0, behind = 0;

    if (*at != ':' && (at = read_groups(at, &left, &count)) == NULL)
        return NULL;
    if (at[0] == ':' && at[1] == ':' && count < 8) {
        unsigned group;

        at += 2;
        shift_groups(&left, 8 - count);
        if (read_group(at, &group) != NULL) {
            behind = count + 1; /* :: is one group of zeros at least */
            at = read_groups(at, &right, &behind);
        }
    } else if (count < 8) {
        return NULL;
    }
    left.high |= right.high;
    left.low |= right.low;
    *network = left;
    return at;
}

/* An address of either family. */
static inline const char *read_address(const char *at, struct network *network)
{
    uint64_t address;
    const char *behind = read_ipv4(at, &address);

    if (behind == NULL)
        return read_ipv6(at, network);
    *network = (struct network){ .high = address << 32, .bits = 32 };
    return behind;
}

/* IPv4-mapped addresses are of IPv4, as their clients are: ::ffff:192.0.2.0/120. */
static inline bool is_mapped(const struct network *network)
{
    return network->six && network->high == 0 && network->low >> 32 == 0xffff;
}

static struct network unmapped(const struct network *network, unsigned bits)
{
    return (struct network){ .high = network->low << 32, .bits = bits };
}

/* The text, or a copy that ends in NUL of a short one. */
static inline const char *ended(struct slice text, char room[READ_MOST])
{
    if (text.len >= READ_MOST)
        return text.text;
    memset(room, 0, READ_MOST);
    memcpy(room, text.text, text.len);
    return room;
}

/* Reads the slash and the number of bits behind an address. NULL: there is none, or no network of so many. */
static inline const char *read_bits(const char *at, struct network *network)
{
    unsigned bits;

    if (*at != '/' || (at = read_number(at + 1, network_size(network->six), &bits)) == NULL || is_digit(*at))
        return NULL;
    if (is_mapped(network)) {
        if (bits < 96)
            return NULL;
        bits -= 96;
        *network = unmapped(network, 32);
    }
    if ((network->high & high_behind(bits)) != 0 || (network->low & low_behind(bits)) != 0)
        return NULL;
    network->bits = bits;
    return at;
}

static const char *read_network(const char *begin, struct network *network)
{
    const char *at = read_address(begin, network);

    return at != NULL ? read_bits(at, network) : NULL;
}

static size_t read_copy(struct slice text, struct network *network)
{
    char room[READ_MOST];
    const char *begin = ended(text, room), *at = read_network(begin, network);

    return at != NULL ? (size_t)(at - begin) : 0;
}

size_t network_read(struct slice text, struct network *network)
{
    const char *at;

    if (text.len < READ_MOST)
        return read_copy(text, network);
    at = read_network(text.text, network);
    return at != NULL ? (size_t)(at - text.text) : 0;
}

/* ---- what is not right --------------------------------------------------------------------- */

/* Digits and dots, or hexadecimal digits, dots and colons; then a slash, and digits. */
static bool looks_like_network(struct slice word)
{
    const char *slash = memchr(word.text, '/', word.len), *end = word.text + word.len;
    bool six = slash != NULL && memchr(word.text, ':', (size_t)(slash - word.text)) != NULL;

    if (slash == NULL || slash == word.text || slash + 1 == end)
        return false;
    for (const char *c = word.text; c < end; c++)
        if (c != slash && !is_digit(*c) &&
            (c > slash || *c == '\0' || strchr(six ? ".:abcdefABCDEF" : ".", *c) == NULL))
            return false;
    return true;
}

/* 10/8 and 192.168/16: an address of IPv4 that is cut behind an octet. */
static const char *read_short(const char *at, struct network *network)
{
    unsigned octet, octets = 0;

    *network = (struct network){ .bits = 32 };
    do {
        at = read_number(at, 255, &octet);
        if (at == NULL)
            return NULL;
        network->high |= (uint64_t)octet << (56 - 8 * octets++);
    } while (octets < 4 && *at == '.' && *++at != '/');
    return at;
}

enum network_status network_parse(struct slice word, struct network *network)
{
    enum network_status status = NETWORK_HOST_BITS;
    char room[READ_MOST];
    const char *begin = ended(word, room), *at;
    unsigned bits, size;

    *network = (struct network){ .bits = 0 };
    if (word.len > 0 && network_read(word, network) == word.len)
        return NETWORK_GOOD;
    if (!looks_like_network(word))
        return NETWORK_NONE;
    at = read_address(begin, network);
    if (at == NULL || *at != '/') {
        status = NETWORK_SHORT;
        at = read_short(begin, network);
    }
    if (at == NULL || *at != '/')
        return NETWORK_BAD;
    if (read_number(at + 1, 128, &bits) == NULL)
        bits = UINT_MAX;
    if (is_mapped(network)) {
        *network = unmapped(network, 32);
        bits = bits >= 96 && bits <= 128 ? bits - 96 : bits;
    }
    size = network_size(network->six);
    *network = network_around(*network, bits < size ? bits : size);
    return bits > size ? NETWORK_OUT_OF_RANGE : status;
}

/* ---- writing ------------------------------------------------------------------------------ */

void network_write(const struct network *network, char out[NETWORK_TEXT])
{
    unsigned char bytes[16];
    char text[INET6_ADDRSTRLEN] = "";

    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(network->high >> (56 - 8 * i));
        bytes[i + 8] = (unsigned char)(network->low >> (56 - 8 * i));
    }
    (void)inet_ntop(network->six ? AF_INET6 : AF_INET, bytes, text, sizeof text); /* large enough: cannot fail */
    (void)snprintf(out, NETWORK_TEXT, "%s/%u", text, network->bits);
}
