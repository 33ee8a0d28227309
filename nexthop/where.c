/* where.c - where another server is, as the configuration and the command line say it; pure */
#include "nexthop/where.h"

#include <arpa/inet.h>

enum { PORT_MOST = 65535 };

static bool take_prefix(struct slice *text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (text->len < len || memcmp(text->text, prefix, len) != 0)
        return false;
    text->text += len;
    text->len -= len;
    return true;
}

static const char *parse_path(struct slice path, struct where *where)
{
    *where = (struct where){ .kind = WHERE_UNIX, .text = path };
    if (path.len == 0 || path.text[0] != '/')
        return "the path of a socket begins with /";
    if (memchr(path.text, '\0', path.len) != NULL)
        return "the path of a socket has no NUL in it";
    return path.len > WHERE_PATH ? "the path of a socket has 107 bytes at most" : NULL;
}

static const char *parse_port(struct slice text, struct where *where)
{
    unsigned long number = 0;

    for (size_t i = 0; i < text.len && number <= PORT_MOST; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return "a port is a number";
        number = number * 10 + (unsigned long)(text.text[i] - '0');
    }
    where->port = (uint16_t)number;
    return number == 0 || number > PORT_MOST ? "a port is a number from 1 to 65535" : NULL;
}

static bool is_address(struct slice text, int family)
{
    char copy[INET6_ADDRSTRLEN], address[sizeof(struct in6_addr)];

    if (text.len >= sizeof copy || memchr(text.text, '\0', text.len) != NULL)
        return false;
    memcpy(copy, text.text, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, address) == 1;
}

/* What a name in the DNS or in hosts(5) is made of; one of digits and dots alone would be an address with a mistake. */
static bool is_name(struct slice text)
{
    bool letter = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = lower_ascii(text.text[i]);

        letter = letter || (c >= 'a' && c <= 'z');
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return letter && text.len <= WHERE_HOST;
}

static const char *parse_host(struct slice host, struct where *where)
{
    where->text = host;
    if (host.len >= 2 && host.text[0] == '[' && host.text[host.len - 1] == ']') {
        where->text = (struct slice){ host.text + 1, host.len - 2 };
        where->kind = WHERE_IPV6;
        return is_address(where->text, AF_INET6) ? NULL : "what is in the brackets is no IPv6 address";
    }
    where->kind = is_address(host, AF_INET) ? WHERE_IPV4 : WHERE_NAME;
    if (memchr(host.text, ':', host.len) != NULL)
        return "an IPv6 address stands in brackets, [ADDRESS]:PORT";
    return where->kind == WHERE_IPV4 || is_name(host) ? NULL : "a host is a name or an address";
}

/* HOST:PORT, or behind inet: also PORT@HOST */
static const char *parse_internet(struct slice text, bool prefixed, struct where *where)
{
    const char *at = prefixed && text.len > 0 ? memchr(text.text, '@', text.len) : NULL;
    const char *colon = text.len > 0 ? memrchr(text.text, ':', text.len) : NULL, *cut = at != NULL ? at : colon, *wrong;
    struct slice before, behind;

    if (cut == NULL)
        return "there is no port";
    before = (struct slice){ text.text, (size_t)(cut - text.text) };
    behind = (struct slice){ cut + 1, text.len - before.len - 1 };
    wrong = parse_port(at != NULL ? before : behind, where);
    return wrong != NULL ? wrong : parse_host(at != NULL ? behind : before, where);
}

const char *where_parse(struct slice text, struct where *where)
{
    if (take_prefix(&text, "unix:") || take_prefix(&text, "local:") || (text.len > 0 && text.text[0] == '/'))
        return parse_path(text, where);
    if (take_prefix(&text, "inet:") || take_prefix(&text, "inet6:"))
        return parse_internet(text, true, where);
    return parse_internet(text, false, where);
}

bool where_equal(const struct where *a, const struct where *b)
{
    return a->kind == b->kind && a->port == b->port &&
           (a->kind == WHERE_UNIX ? slice_equal(a->text, b->text) : slice_equal_nocase(a->text, b->text));
}

bool where_is_local(const struct where *where)
{
    struct slice loopback = SLICE("127.");

    switch (where->kind) {
    case WHERE_UNIX:
        return true;
    case WHERE_IPV4:
        return slice_equal((struct slice){ where->text.text, loopback.len }, loopback);
    case WHERE_IPV6:
        return slice_equal(where->text, slice_of("::1"));
    default:
        return slice_equal_nocase(where->text, slice_of("localhost"));
    }
}
