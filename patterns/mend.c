/* mend.c - what was meant by an expression: tried, before it is said, on what it must and must not match */
#include "patterns/mend.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "client/client.h"
#include "patterns/pattern.h"

enum { SAMPLES = 8 }; /* texts that are made of one expression, with other alternatives each time */

/* ---- trying ------------------------------------------------------------------------------ */

/* Does the expression compile, and match this text? */
static bool matches(struct slice expression, struct slice text, bool utf)
{
    struct pattern pattern = { .text = expression, .utf = utf };
    char why[256];
    bool result = pattern_match(&pattern, text, NULL, why, sizeof why) == MATCH_YES;

    pattern_free(&pattern);
    return result;
}

/* Does the expression match the client with this address, in one of the forms that rules try? */
static bool matches_address(struct slice expression, const char *address)
{
    struct client client;

    return client_pretend(&client, address) == CLIENT_OK &&
           (matches(expression, slice_of(client.address), false) ||
            (client.address_full[0] != '\0' && matches(expression, slice_of(client.address_full), false)));
}

static bool finish(const struct text *text, char out[MEND_MAX])
{
    out[text->len < MEND_MAX ? text->len : MEND_MAX - 1] = '\0';
    return text->len < MEND_MAX - 1; /* not cut */
}

/* ---- networks ---------------------------------------------------------------------------- */

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

/* 192.168.1.* and 192.168.*.*, 2001:db8:* and 2001:db8::* */
static bool set_stars(struct network *n, char text[64])
{
    char separator = strchr(text, ':') != NULL ? ':' : '.', *end = strchr(text, '*');
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
static bool set_range(struct network *n, char *text)
{
    char *hyphen = strchr(text, '-'), last[64];
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
    char text[64], *slash;
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
    if (strchr(text, '*') != NULL)
        return set_stars(n, text);
    if (strchr(text, '-') != NULL)
        return set_range(n, text);
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
static void put_numbers(struct text *out, unsigned low, unsigned high)
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
    put_numbers(out, low, high);
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

    return inet_ntop(n->family, bytes, text, sizeof text) != NULL && matches_address(expression, text) == is_inside(n, bytes);
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
    return good && !matches_address(expression, n->family == AF_INET ? "2001:db8::7" : "203.0.113.7") &&
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
    found = finish(&words, out) && found;
    if (slice_equal(slice_of(out), text))
        return MEND_NOTHING;
    return found && try_network(slice_of(out), &n) ? MEND_FOUND : MEND_VAGUE;
}

/* ---- patterns of the shell --------------------------------------------------------------- */

static bool is_glob(struct slice text)
{
    bool star = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.text[i];

        if (c <= ' ' || strchr("^$\\[](){}+|", c) != NULL)
            return false;
        star = star || (c == '*' && (i == 0 || text.text[i - 1] != '.'));
    }
    return star;
}

/* The text with something in the place of its stars; dots become `dot`. */
/* NOLINTNEXTLINE(readability-non-const-parameter): text_put writes there */
static struct slice fill_glob(struct slice glob, const char *star, char dot, char out[MEND_MAX])
{
    struct text text = { out, MEND_MAX, 0 };

    for (size_t i = 0; i < glob.len; i++) {
        const char c = (char)(glob.text[i] == '.' ? dot : glob.text[i]);

        text_put(&text, c == '*' ? slice_of(star) : (struct slice){ c == '?' ? "q" : &c, 1 });
    }
    return text_slice(&text);
}

static bool try_glob(struct slice expression, struct slice glob, bool utf)
{
    static const char *const stars[] = { "a", "17", "a-b" };
    char filled[MEND_MAX], longer[MEND_MAX + 2];
    bool ends[2] = { glob.text[0] != '*', glob.text[glob.len - 1] != '*' }, good = true;

    for (size_t i = 0; i < sizeof stars / sizeof stars[0] && good; i++) {
        struct slice text = fill_glob(glob, stars[i], '.', filled);

        good = text.len < MEND_MAX && matches(expression, text, utf);
        (void)snprintf(longer, sizeof longer, "z%.*s", (int)text.len, text.text);
        good = good && (!ends[0] || !matches(expression, slice_of(longer), utf));
        (void)snprintf(longer, sizeof longer, "%.*sz", (int)text.len, text.text);
        good = good && (!ends[1] || !matches(expression, slice_of(longer), utf));
    }
    return good && (memchr(glob.text, '.', glob.len) == NULL ||
                    !matches(expression, fill_glob(glob, "a", 'z', filled), utf));
}

enum mend mend_glob(struct slice text, enum regex_subject subject, char out[MEND_MAX])
{
    struct text words = { out, MEND_MAX - 1, 0 };
    size_t begin = 0, end = text.len;

    if (!is_glob(text))
        return MEND_NOTHING;
    while (begin < end && text.text[begin] == '*')
        begin++;
    while (end > begin && text.text[end - 1] == '*')
        end--;
    text_put(&words, slice_of(begin == 0 ? "^" : ""));
    for (size_t i = begin; i < end; i++) {
        char c = text.text[i];

        text_put(&words, slice_of(c == '.' ? "\\." : c == '*' ? ".*" : c == '?' ? "." : ""));
        if (strchr(".*?", c) == NULL)
            text_put(&words, (struct slice){ &c, 1 });
    }
    text_put(&words, slice_of(end == text.len ? "$" : ""));
    if (!finish(&words, out) || begin == end)
        return MEND_VAGUE;
    return try_glob(slice_of(out), text, subject == REGEX_RECIPIENT) ? MEND_FOUND : MEND_VAGUE;
}

/* ---- slips ------------------------------------------------------------------------------- */

/* Behind the digits at `at`. */
static size_t digits_end(struct slice text, size_t at, unsigned *number)
{
    size_t begin = at;

    for (*number = 0; at < text.len && isdigit((unsigned char)text.text[at]) && at - begin < 3; at++)
        *number = *number * 10 + (unsigned)(text.text[at] - '0');
    return at;
}

/* [0-255]: numbers, of which one has several digits, in a class that holds nothing else */
static bool is_number_class(struct slice inside, unsigned *low, unsigned *high)
{
    size_t hyphen = digits_end(inside, 0, low), end;

    if (hyphen == 0 || hyphen + 1 >= inside.len || inside.text[hyphen] != '-')
        return false;
    end = digits_end(inside, hyphen + 1, high);
    return end == inside.len && end > hyphen + 1 && (hyphen > 1 || end > hyphen + 2) && *low < *high;
}

/* [com|net]: words with bars between them */
static bool is_word_class(struct slice inside)
{
    size_t letters = 0, most = 0, bars = 0;

    for (size_t i = 0; i < inside.len; i++) {
        char c = inside.text[i];

        if (!isalnum((unsigned char)c) && strchr("|.-", c) == NULL)
            return false;
        letters = c == '|' ? 0 : letters + 1;
        most = letters > most ? letters : most;
        bars += c == '|';
    }
    return bars > 0 && most > 1 && inside.text[0] != '|' && inside.text[inside.len - 1] != '|';
}

/* The offset of a range such as A-z, which holds what stands between Z and a. */
static bool find_case_range(struct slice inside, size_t *at)
{
    for (*at = 0; *at + 2 < inside.len; ++*at)
        if (inside.text[*at + 1] == '-' && isupper((unsigned char)inside.text[*at]) &&
            islower((unsigned char)inside.text[*at + 2]))
            return true;
    return false;
}

/* Does the expression match exactly the numbers from `low` to `high`, of those that have up to three digits? */
static bool try_numbers(struct slice group, unsigned low, unsigned high)
{
    char expression[MEND_MAX], number[8];
    bool good = true;

    (void)snprintf(expression, sizeof expression, "^%.*s$", (int)group.len, group.text);
    for (unsigned i = 0; i < 1000 && good; i++) {
        (void)snprintf(number, sizeof number, "%u", i);
        good = matches(slice_of(expression), slice_of(number), false) == (i >= low && i <= high);
    }
    return good;
}

/* Does the group match each of its words, and no single letter of them? */
static bool try_words(struct slice group, struct slice inside)
{
    char expression[MEND_MAX];
    bool good = true;

    (void)snprintf(expression, sizeof expression, "^%.*s$", (int)group.len, group.text);
    for (size_t at = 0; at < inside.len && good;) {
        const char *bar = memchr(inside.text + at, '|', inside.len - at);
        size_t end = bar != NULL ? (size_t)(bar - inside.text) : inside.len;
        struct slice word = { inside.text + at, end - at };

        good = matches(slice_of(expression), word, false) &&
               (word.len == 1 || !matches(slice_of(expression), (struct slice){ word.text, 1 }, false));
        at = end + 1;
    }
    return good;
}

/* Does the class match the same characters as before, but for what stands between Z and a? */
static bool try_case(struct slice before, struct slice after)
{
    bool good = true;

    for (unsigned c = ' '; c < 0x7f && good; c++) {
        char text = (char)c;
        bool between = strchr("[\\]^_`", text) != NULL;

        good = between || matches(before, (struct slice){ &text, 1 }, false) == matches(after, (struct slice){ &text, 1 }, false);
    }
    return good && !matches(after, slice_of("^"), false);
}

/* Puts what a class was meant to be. True: it has been tried. */
static bool put_class(struct text *out, enum slip slip, struct slice class)
{
    struct slice inside = { class.text + 1, class.len - 2 }, put = { out->bytes + out->len, 0 };
    unsigned low = 0, high = 0;
    size_t at = 0;

    if (slip == SLIP_NUMBER) {
        (void)is_number_class(inside, &low, &high);
        text_put(out, slice_of("(?:"));
        put_numbers(out, low, high);
        text_put(out, slice_of(")"));
    } else if (slip == SLIP_ALTERNATIVES) {
        text_put(out, slice_of("(?:"));
        for (size_t i = 0; i < inside.len; i++) {
            text_put(out, slice_of(inside.text[i] == '.' ? "\\" : ""));
            text_put(out, (struct slice){ inside.text + i, 1 });
        }
        text_put(out, slice_of(")"));
    } else {
        (void)find_case_range(inside, &at);
        text_put(out, (struct slice){ class.text, at + 1 });
        text_put(out, slice_of("a-z"));
        text_put(out, (struct slice){ class.text + at + 4, class.len - at - 4 });
    }
    put.len = (size_t)(out->bytes + out->len - put.text);
    return slip == SLIP_NUMBER ? try_numbers(put, low, high)
           : slip == SLIP_ALTERNATIVES ? try_words(put, inside) : try_case(class, put);
}

static enum slip slip_of(struct slice class)
{
    struct slice inside = { class.text + 1, class.len - 2 };
    unsigned low, high;
    size_t at;

    if (class.len < 4 || inside.text[0] == '^')
        return SLIP_NONE;
    return is_number_class(inside, &low, &high) ? SLIP_NUMBER
           : is_word_class(inside) ? SLIP_ALTERNATIVES : find_case_range(inside, &at) ? SLIP_CASES : SLIP_NONE;
}

/* {1-3} at `at`: its length, 0: it is none */
static size_t slip_braces(struct slice text, size_t at)
{
    unsigned low, high;
    size_t hyphen = digits_end(text, at + 1, &low), end;

    if (at == 0 || text.text[at] != '{' || hyphen == at + 1 || hyphen >= text.len || text.text[hyphen] != '-')
        return 0;
    end = digits_end(text, hyphen + 1, &high);
    return end > hyphen + 1 && end < text.len && text.text[end] == '}' && low <= high ? end + 1 - at : 0;
}

/* The length of a class at `at`, which ends with its bracket. */
static size_t class_length(struct slice text, size_t at)
{
    const char *end = at + 2 < text.len ? memchr(text.text + at + 2, ']', text.len - at - 2) : NULL;

    return end == NULL ? 0 : (size_t)(end - text.text) + 1 - at;
}

/* The whole expression with the slip at `at` mended. */
static enum mend mend_at(struct slice pattern, size_t at, size_t len, enum slip slip, char out[MEND_MAX])
{
    struct text text = { out, MEND_MAX - 1, 0 };
    struct slice part = { pattern.text + at, len };
    bool good = true;

    text_put(&text, (struct slice){ pattern.text, at });
    for (size_t i = 0; i < len && slip == SLIP_BRACES; i++)
        text_put(&text, part.text[i] == '-' ? slice_of(",") : (struct slice){ part.text + i, 1 });
    if (slip != SLIP_BRACES)
        good = put_class(&text, slip, part);
    text_put(&text, (struct slice){ part.text + len, pattern.len - at - len });
    if (finish(&text, out) && good) {
        struct pattern whole = { .text = slice_of(out) };
        char why[128];
        size_t offset;

        good = pattern_compile(&whole, why, sizeof why, &offset);
        pattern_free(&whole);
        return good ? MEND_FOUND : MEND_VAGUE;
    }
    return MEND_VAGUE;
}

enum slip mend_slip(struct slice pattern, size_t *at, enum mend *mend, char out[MEND_MAX])
{
    while (*at < pattern.len) {
        char c = pattern.text[*at];
        size_t len = c == '[' ? class_length(pattern, *at) : c == '{' ? slip_braces(pattern, *at) : c == '\\' ? 2 : 1;
        enum slip slip = len < 2 ? SLIP_NONE : c == '[' ? slip_of((struct slice){ pattern.text + *at, len })
                                             : c == '{' ? SLIP_BRACES : SLIP_NONE;

        if (slip != SLIP_NONE) {
            *mend = mend_at(pattern, *at, len, slip, out);
            return slip;
        }
        *at += len > 0 ? len : 1;
    }
    return SLIP_NONE;
}

/* ---- loose ends -------------------------------------------------------------------------- */

/* Puts two texts and, in between, a sample together; what is too long is cut, and then matches nothing. */
static struct slice around(const char *before, struct slice text, const char *behind, char out[MEND_MAX])
{
    (void)snprintf(out, MEND_MAX, "%s%.*s%s", before, (int)text.len, text.text, behind);
    return slice_of(out);
}

/* A sample as a whole address, name or recipient. */
static bool complete(struct slice sample, enum regex_subject subject, char out[MEND_MAX])
{
    static const char *const tails[] = { "", "7", ".7", "0.7", ".0.7", "0.0.7", ".0.0.7", ":7", "::7", "0:0:0:0:0:0:7" };
    unsigned char bytes[16];
    bool begins = sample.len > 0 && strchr(".@", sample.text[0]) != NULL;
    char last = (char)(sample.len > 0 ? sample.text[sample.len - 1] : '.');

    if (subject != REGEX_ADDRESS) {
        bool at = subject == REGEX_NAME || memchr(sample.text, '@', sample.len) != NULL;

        (void)around(begins ? "a" : "", sample, at ? (last == '.' || last == '@' ? "b.example" : "") : "@b.example", out);
        return true;
    }
    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
        if (inet_pton(memchr(sample.text, ':', sample.len) != NULL ? AF_INET6 : AF_INET, around("", sample, tails[i], out).text,
                      bytes) == 1)
            return true;
    return false;
}

static bool tried(struct slice expression, enum regex_subject subject, const char *text)
{
    return subject == REGEX_ADDRESS ? matches_address(expression, text)
                                      : matches(expression, slice_of(text), subject == REGEX_RECIPIENT);
}

/* What the expression must match no longer: a longer text at this end. Or it never did. */
static bool keeps_out(struct slice pattern, struct slice mended, enum regex_subject subject, struct slice longer)
{
    char text[MEND_MAX];

    return !complete(longer, subject, text) || !tried(pattern, subject, text) || !tried(mended, subject, text);
}

/* Tries both expressions on a text that is made of the first one. */
static bool try_sample(struct slice pattern, struct slice mended, enum regex_subject subject,
                       const struct suspicion *found, unsigned choice)
{
    char sample[MEND_MAX], loose[MEND_MAX], whole[MEND_MAX], longer[MEND_MAX];
    struct slice text;

    if (!regex_lint_sample(pattern, subject, choice, '.', sample, sizeof sample) ||
        !regex_lint_sample(pattern, subject, choice, subject == REGEX_ADDRESS ? '0' : 'x', loose, sizeof loose))
        return false;
    text = slice_of(sample);
    if (!complete(text, subject, whole) || !tried(pattern, subject, whole) || !tried(mended, subject, whole))
        return false;
    if (found->open_begin &&
        !keeps_out(pattern, mended, subject, around(subject == REGEX_ADDRESS ? "1" : "x", text, "", longer)))
        return false;
    if (found->open_end && !keeps_out(pattern, mended, subject,
                                      around("", text, subject == REGEX_ADDRESS ? "0" : ".evil.example", longer)))
        return false;
    return found->dots == 0 || keeps_out(pattern, mended, subject, slice_of(loose));
}

enum mend mend_loose(struct slice pattern, enum regex_subject subject, char out[MEND_MAX])
{
    struct suspicion found = regex_lint_look(pattern, subject);

    if (found.any || (found.dots == 0 && !found.open_begin && !found.open_end))
        return MEND_NOTHING;
    regex_lint_mend(pattern, subject, out, MEND_MAX);
    if (strlen(out) == MEND_MAX - 1)
        return MEND_VAGUE;
    for (unsigned choice = 0; choice < SAMPLES; choice++)
        if (!try_sample(pattern, slice_of(out), subject, &found, choice))
            return MEND_VAGUE;
    return MEND_FOUND;
}
