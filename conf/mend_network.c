/* mend_network.c - networks, ranges and addresses as other programs have them, as networks */
#include "conf/mend.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/text.h"
#include "patterns/network.h"

enum { TEXT = 64 }; /* bytes of a text that can be one, with its NUL */

/* An expression without what belongs to expressions only. */
struct plain {
    char text[TEXT];
    bool begins, ends; /* there was ^ or $ */
    bool escaped;      /* its dots had backslashes */
};

/*
 * Takes anchors away, backslashes before dots and slashes, and brackets around all of it. False: it is too long, or a
 * dot in it stands for any character where others do not.
 */
static bool make_plain(struct slice text, struct plain *plain)
{
    bool bracketed = text.len > 2 && text.text[0] == '[' && text.text[text.len - 1] == ']';
    bool bare = false;
    size_t used = 0;

    *plain = (struct plain){ .begins = false };
    for (size_t i = bracketed; i + bracketed < text.len; i++) {
        char c = text.text[i];

        if (c == '\0' || used == TEXT - 1)
            return false;
        plain->begins = plain->begins || (c == '^' && i == 0);
        plain->ends = plain->ends || (c == '$' && i + 1 == text.len);
        if ((c == '^' && i == 0) || (c == '$' && i + 1 == text.len))
            continue;
        if (c == '\\' && i + 1 < text.len && strchr("./", text.text[i + 1]) != NULL) {
            plain->escaped = plain->escaped || text.text[i + 1] == '.';
            c = text.text[++i];
        } else {
            bare = bare || c == '.';
        }
        plain->text[used++] = c;
    }
    return used > 0 && !(plain->escaped && bare);
}

/* Puts the network that ADDRESS/BITS is, or with `host_bits` the one that it is in. False: there is none. */
static bool put_network(struct text *out, const char *text, bool host_bits)
{
    char written[NETWORK_TEXT];
    struct network network;
    enum network_status status = network_parse(slice_of(text), &network);

    if (status != NETWORK_GOOD && !(host_bits && (status == NETWORK_HOST_BITS || status == NETWORK_SHORT)))
        return false;
    network_write(&network, written);
    text_put(out, slice_of(out->len > 0 ? " " : ""));
    text_put(out, slice_of(written));
    return true;
}

/* 192.0.2.0/24 and 192.0.2.0/255.255.255.0 */
static bool put_masked(struct text *out, const char *text, const char *slash)
{
    char network[TEXT + 4];
    struct in_addr mask;
    uint32_t hosts;

    if (inet_pton(AF_INET, slash + 1, &mask) != 1)
        return put_network(out, text, true);
    hosts = ~ntohl(mask.s_addr);
    (void)snprintf(network, sizeof network, "%.*s/%d", (int)(slash - text), text, 32 - __builtin_popcount(hosts));
    return (hosts & (hosts + 1)) == 0 && strchr(text, ':') == NULL && put_network(out, network, true);
}

/* 192.168.1. and 192.168.1.*, 192.168.*.*, 2001:db8:*: the network of the numbers before `end` */
static bool put_beginning(struct text *out, const char *text, size_t end)
{
    static const char *const rests[] = { "", ".0.0.0", ".0.0", ".0" };
    bool six = memchr(text, ':', end) != NULL;
    char network[TEXT + 16];
    size_t parts = 1;

    while (end > 0 && strchr(".:", text[end - 1]) != NULL)
        end--;
    for (size_t i = 0; i < end; i++)
        parts += text[i] == (six ? ':' : '.');
    if (end == 0 || parts > (six ? 7 : 3) || memmem(text, end, "::", 2) != NULL)
        return false;
    (void)snprintf(network, sizeof network, "%.*s%s/%zu", (int)end, text, six ? "::" : rests[parts],
                   parts * (six ? 16 : 8));
    return put_network(out, network, false);
}

/* 192.0.2.1-20 and 192.0.2.1-192.0.2.20: the largest networks that fit in, one behind the other */
static bool put_range(struct text *out, char *text, char *hyphen)
{
    char last_text[2 * TEXT], network[NETWORK_TEXT], *dot;
    struct in_addr first, last;
    uint64_t at, end, size;

    *hyphen = '\0';
    dot = strrchr(text, '.');
    (void)snprintf(last_text, sizeof last_text, "%.*s%s",
                   dot == NULL || strchr(hyphen + 1, '.') != NULL ? 0 : (int)(dot + 1 - text), text, hyphen + 1);
    if (inet_pton(AF_INET, text, &first) != 1 || inet_pton(AF_INET, last_text, &last) != 1)
        return false;
    end = ntohl(last.s_addr);
    for (at = ntohl(first.s_addr); at <= end; at += size) {
        unsigned bits = 32;

        for (size = 1; at % (2 * size) == 0 && at + 2 * size - 1 <= end && bits > 0; size *= 2)
            bits--;
        first.s_addr = htonl((uint32_t)at);
        (void)snprintf(network, sizeof network, "%s/%u", inet_ntoa(first), bits);
        (void)put_network(out, network, false); /* it is one */
    }
    return out->len > 0;
}

/* A whole address. */
static bool put_address(struct text *out, const char *text)
{
    char network[TEXT + 4];

    (void)snprintf(network, sizeof network, "%s/%u", text, network_size(strchr(text, ':') != NULL));
    return put_network(out, network, false);
}

/* Puts what a text means that is no network yet. */
static bool put_meant(struct text *out, struct plain *plain)
{
    char *text = plain->text, *slash = strchr(text, '/'), *star = strchr(text, '*'), *hyphen = strchr(text, '-');
    size_t len = strlen(text);

    if (slash != NULL)
        return put_masked(out, text, slash);
    if (star != NULL)
        return star[strspn(star, "*.:")] == '\0' && put_beginning(out, text, (size_t)(star - text));
    if (hyphen != NULL)
        return put_range(out, text, hyphen);
    if (len > 2 && strcmp(text + len - 2, "::") == 0) /* an address, or the beginning of others? */
        return false;
    if (strchr(".:", text[len - 1]) != NULL)
        return !plain->ends && put_beginning(out, text, len);
    return put_address(out, text);
}

/* Is it right as it is: an expression that matches just that? */
static bool is_right(const struct plain *plain, struct slice meant)
{
    char last = plain->text[strlen(plain->text) - 1];
    bool six = strchr(plain->text, ':') != NULL;

    if (!plain->begins || strpbrk(plain->text, "/*-") != NULL)
        return false;
    if (last == '.' || last == ':')
        return six || plain->escaped;
    return plain->ends && (six ? strncmp(plain->text, meant.text, strlen(plain->text)) == 0 : plain->escaped);
}

enum mend mend_network(struct slice text, char out[MEND_MAX])
{
    struct text words = { out, MEND_MAX - 1, 0 };
    struct plain plain;

    if (!make_plain(text, &plain) || !put_meant(&words, &plain))
        return MEND_NOTHING;
    if (!mend_finish(&words, out))
        return MEND_VAGUE;
    return is_right(&plain, slice_of(out)) ? MEND_NOTHING : MEND_FOUND;
}
