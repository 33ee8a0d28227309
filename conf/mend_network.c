/* mend_network.c - networks and ranges as other programs have them, as an expression that matches just them */
#include "conf/mend.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "patterns/scope.h"

struct network {
    int family;
    size_t size; /* bytes of an address */
    unsigned char first[16], last[16];
};

/*
 * The text without anchors, without backslashes before dots, and without brackets around all of it. False: it is too
 * long, or a dot in it stands for any character.
 */
static bool plain_text(struct slice text, char out[64])
{
    bool bracketed = text.len > 2 && text.text[0] == '[' && text.text[text.len - 1] == ']', escaped = false, bare = false;
    size_t used = 0;

    for (size_t i = bracketed; i + bracketed < text.len; i++) {
        char c = text.text[i];

        if (c == '\0' || used == 63)
            return false;
        if ((c == '^' && i == 0) || (c == '$' && i + 1 == text.len))
            continue;
        if (c == '\\' && i + 1 < text.len && strchr("./", text.text[i + 1]) != NULL) {
            escaped = escaped || text.text[i + 1] == '.';
            c = text.text[++i];
        } else {
            bare = bare || c == '.';
        }
        out[used++] = c;
    }
    out[used] = '\0';
    return used > 0 && !(escaped && bare);
}

static bool set_address(struct network *n, const char *text)
{
    n->family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    n->size = n->family == AF_INET ? 4 : 16;
    if (inet_pton(n->family, text, n->first) != 1)
        return false;
    memcpy(n->last, n->first, n->size);
    return true;
}

/* Leaves the first `bits` bits as they are, and lets the others be anything. */
static void set_bits(struct network *n, unsigned bits)
{
    for (size_t i = 0; i < n->size; i++, bits -= bits < 8 ? bits : 8) {
        unsigned char host = (unsigned char)(bits >= 8 ? 0 : 0xff >> bits);

        n->first[i] &= (unsigned char)~host;
        n->last[i] |= host;
    }
}

/* The number of bits of 24 or 255.255.255.0; -1: it is none. */
static int bits_of(const struct network *n, const char *text)
{
    struct in_addr mask;
    char *end;
    unsigned long bits = strtoul(text, &end, 10);
    uint32_t ones;

    if (isdigit((unsigned char)text[0]) && *end == '\0' && bits <= n->size * 8)
        return (int)bits;
    if (n->family != AF_INET || inet_pton(AF_INET, text, &mask) != 1)
        return -1;
    ones = ntohl(mask.s_addr);
    return (~ones & (~ones + 1)) == 0 ? __builtin_popcount(ones) : -1;
}

/* 192.168.1.* and 192.168.*.*, 2001:db8:* and 2001:db8::*; `end` is the first star. */
static bool set_stars(struct network *n, char text[64], char *end)
{
    char separator = strchr(text, ':') != NULL ? ':' : '.';
    unsigned parts = 1;

    if (end[strspn(end, "*.:")] != '\0')
        return false;
    while (end > text && end[-1] == separator)
        *--end = '\0';
    *end = '\0';
    for (const char *c = text; *c != '\0'; c++)
        parts += *c == separator;
    if (strstr(text, "::") != NULL || parts > (separator == ':' ? 7 : 3) || strlen(text) + 8 >= 64)
        return false;
    for (unsigned i = parts; separator == '.' && i < 4; i++)
        memcpy(text + strlen(text), ".0", 3);
    if (separator == ':')
        memcpy(text + strlen(text), "::", 3);
    if (!set_address(n, text))
        return false;
    set_bits(n, parts * (separator == ':' ? 16 : 8));
    return true;
}

/* 192.0.2.1-20 and 192.0.2.1-192.0.2.20 */
static bool set_range(struct network *n, char *text, char *hyphen)
{
    char last[64];
    const char *dot;
    struct network end;

    *hyphen = '\0';
    dot = strrchr(text, '.');
    if (dot == NULL || !set_address(n, text))
        return false;
    if (strchr(hyphen + 1, '.') != NULL)
        (void)snprintf(last, sizeof last, "%s", hyphen + 1);
    else
        (void)snprintf(last, sizeof last, "%.*s%s", (int)(dot + 1 - text), text, hyphen + 1);
    if (!set_address(&end, last) || end.family != n->family)
        return false;
    memcpy(n->last, end.first, n->size);
    return memcmp(n->first, n->last, n->size) <= 0;
}

static bool parse_network(struct network *n, struct slice pattern)
{
    char text[64], *slash, *star, *hyphen;
    int bits;

    if (!plain_text(pattern, text))
        return false;
    slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (!set_address(n, text) || (bits = bits_of(n, slash + 1)) < 0)
            return false;
        set_bits(n, (unsigned)bits);
        return true;
    }
    star = strchr(text, '*');
    if (star != NULL)
        return set_stars(n, text, star);
    hyphen = strchr(text, '-');
    if (hyphen != NULL)
        return set_range(n, text, hyphen);
    return strchr(text, ':') != NULL && set_address(n, text);
}

/* Digits or hexadecimal digits from `low` to `high`, as one character. */
static void put_digits(struct text *out, unsigned low, unsigned high)
{
    static const char digits[] = "0123456789abcdef";

    if (low == high) {
        text_put(out, (struct slice){ digits + low, 1 });
    } else if (low == 0 && high == 9) {
        text_put(out, slice_of("\\d"));
    } else if (high <= 9 && high > low + 1) {
        char class[] = { '[', digits[low], '-', digits[high], ']' };

        text_put(out, (struct slice){ class, sizeof class });
    } else {
        text_put(out, slice_of("["));
        text_put(out, (struct slice){ digits + low, high - low + 1 });
        text_put(out, slice_of("]"));
    }
}

/* Numbers from `low` to `high`, at most 999: \d|[1-9]\d|1[01]\d|12[0-7] */
void mend_put_numbers(struct text *out, unsigned low, unsigned high)
{
    for (unsigned at = low; at <= high;) {
        unsigned ten = at / 10, tens = ten, end = at % 10 == 0 ? at + 9 : (ten + 1) * 10 - 1;

        end = end > high ? high : end;
        if (ten > 0 && at % 10 == 0 && end % 10 == 9) /* more whole tens of the same hundred */
            while (tens + 1 <= (high - 9) / 10 && (tens + 1) / 10 == ten / 10)
                tens++;
        if (at > low)
            text_put(out, slice_of("|"));
        if (ten >= 10)
            text_number(out, ten / 10, 1);
        if (ten > 0)
            put_digits(out, ten % 10, tens % 10);
        put_digits(out, at % 10, end % 10);
        at = tens > ten ? tens * 10 + 10 : end + 1;
    }
}

static void put_range(struct text *out, unsigned low, unsigned high)
{
    bool single = low == high || high <= 9;

    text_put(out, slice_of(single ? "" : "("));
    mend_put_numbers(out, low, high);
    text_put(out, slice_of(single ? "" : ")"));
}

/* From byte `at` on, may the rest be anything? */
static bool is_free(const struct network *n, size_t at)
{
    for (; at < n->size; at++)
        if (n->first[at] != 0 || n->last[at] != 0xff)
            return false;
    return true;
}

static bool put_ipv4(struct text *out, const struct network *n)
{
    size_t same = 0;

    text_put(out, slice_of("^"));
    for (; same < 4 && n->first[same] == n->last[same]; same++) {
        text_number(out, n->first[same], 1);
        text_put(out, slice_of(same < 3 ? "\\." : "$"));
    }
    if (same == 0 && is_free(n, 0)) /* all of IPv4 */
        text_put(out, slice_of("\\d+\\."));
    if (same == 4 || is_free(n, same))
        return true;
    put_range(out, n->first[same], n->last[same]);
    text_put(out, slice_of(same < 3 ? "\\." : "$"));
    return is_free(n, same + 1);
}

static unsigned nibble(const unsigned char *bytes, size_t i)
{
    return i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 0x0fU;
}

/* In full, as rules try it, too: what is compressed has too many forms. */
static bool put_ipv6(struct text *out, const struct network *n)
{
    size_t same = 0;

    if (is_free(n, 0)) { /* all of IPv6 */
        text_put(out, slice_of(":"));
        return true;
    }
    text_put(out, slice_of("^"));
    for (; same < 32 && nibble(n->first, same) == nibble(n->last, same); same++) {
        put_digits(out, nibble(n->first, same), nibble(n->first, same));
        if (same % 4 == 3)
            text_put(out, slice_of(same < 31 ? ":" : "$"));
    }
    if (same % 4 == 0 && (same == 32 || (nibble(n->first, same) == 0 && nibble(n->last, same) == 15)))
        return true;
    for (size_t i = same; i <= (same | 3); i++) { /* a whole group, for in others forms of an address it is shorter */
        unsigned low = nibble(n->first, i), high = nibble(n->last, i);

        if (low == 0 && high == 15)
            text_put(out, slice_of("[\\da-f]"));
        else
            put_digits(out, low, high);
    }
    text_put(out, slice_of(same < 28 ? ":" : "$"));
    return true;
}

/* A whole address in the form that it has in the log. */
static void put_address(struct text *out, const char *address)
{
    text_put(out, slice_of("^"));
    for (; *address != '\0'; address++) {
        text_put(out, slice_of(*address == '.' ? "\\" : ""));
        text_put(out, (struct slice){ address, 1 });
    }
    text_put(out, slice_of("$"));
}

/* Adds or subtracts one. False: there is no such address. */
static bool step_address(unsigned char *bytes, size_t size, bool up)
{
    for (size_t i = size; i-- > 0;) {
        unsigned char before = bytes[i];

        bytes[i] = (unsigned char)(up ? before + 1 : before - 1);
        if (before != (up ? 0xff : 0))
            return true;
    }
    return false;
}

static bool is_inside(const struct network *n, const unsigned char *bytes)
{
    return memcmp(bytes, n->first, n->size) >= 0 && memcmp(bytes, n->last, n->size) <= 0;
}

/* Does the expression say of this address what the network says? */
static bool agrees(struct slice expression, const struct network *n, const unsigned char *bytes)
{
    char text[INET6_ADDRSTRLEN];

    return inet_ntop(n->family, bytes, text, sizeof text) != NULL &&
           mend_matches_address(expression, text) == is_inside(n, bytes);
}

/* Tries the edges, the addresses beside them, some in the middle, and hosts of the other family. */
static bool try_network(struct slice expression, const struct network *n)
{
    unsigned char a[16], b[16], middle[16], none[16] = { 0 }, all[16];
    bool good;

    memcpy(a, n->first, n->size);
    memcpy(b, n->last, n->size);
    memset(all, 0xff, sizeof all);
    for (size_t i = 0; i < n->size; i++)
        middle[i] = (unsigned char)((n->first[i] + n->last[i]) / 2);
    good = agrees(expression, n, a) && agrees(expression, n, b) && agrees(expression, n, middle) &&
           agrees(expression, n, none) && agrees(expression, n, all);
    good = good && (!step_address(a, n->size, false) || agrees(expression, n, a));
    good = good && (!step_address(b, n->size, true) || agrees(expression, n, b));
    for (size_t i = 0; i < n->size && good; i++) { /* another byte in each place */
        memcpy(a, middle, n->size);
        a[i] ^= 0x55;
        good = agrees(expression, n, a);
    }
    return good && !mend_matches_address(expression, n->family == AF_INET ? "2001:db8::7" : "203.0.113.7") &&
           scope_of(expression) == SCOPE_ADDRESSES;
}

enum mend mend_network(struct slice text, char out[MEND_MAX])
{
    struct text words = { out, MEND_MAX - 1, 0 };
    char address[INET6_ADDRSTRLEN];
    struct network n;
    bool whole, found;

    if (!parse_network(&n, text))
        return MEND_NOTHING;
    whole = memcmp(n.first, n.last, n.size) == 0;
    if (whole && inet_ntop(n.family, n.first, address, sizeof address) != NULL) {
        put_address(&words, address);
        found = true;
    } else {
        found = n.family == AF_INET ? put_ipv4(&words, &n) : put_ipv6(&words, &n);
    }
    found = mend_finish(&words, out) && found;
    if (slice_equal(slice_of(out), text))
        return MEND_NOTHING;
    return found && try_network(slice_of(out), &n) ? MEND_FOUND : MEND_VAGUE;
}
