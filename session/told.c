/* told.c - what a peer tells of a client on whose behalf it speaks: the attributes of XCLIENT and XFORWARD; pure */
#include "session/told.h"

#include <arpa/inet.h>

enum { PORT_MOST = 65535 };

/* ---- values, in which there are no control characters ----------------------------------------- */

/* IPv4, or IPv6 behind IPV6:, which some leave out. Which link an address of one is on (RFC 4007 11) is left out. */
static bool take_address(struct slice value, struct told_address *address)
{
    static const struct slice tag = SLICE("IPV6:");
    bool tagged = value.len > tag.len && slice_equal_nocase((struct slice){ value.text, tag.len }, tag);
    char text[INET6_ADDRSTRLEN];
    const char *zone;

    if (tagged)
        value = (struct slice){ value.text + tag.len, value.len - tag.len };
    zone = memchr(value.text, '%', value.len);
    if (zone != NULL && memchr(value.text, ':', value.len) != NULL)
        value.len = (size_t)(zone - value.text);
    if (value.len >= sizeof text)
        return false;
    text_string(text, sizeof text, value);
    address->family = tagged || memchr(value.text, ':', value.len) != NULL ? AF_INET6 : AF_INET;
    return inet_pton(address->family, text, address->bytes) == 1;
}

static bool take_number(struct slice value, unsigned *port)
{
    *port = 0;
    for (size_t i = 0; i < value.len && *port <= PORT_MOST; i++) {
        if (value.text[i] < '0' || value.text[i] > '9')
            return false;
        *port = *port * 10 + (unsigned)(value.text[i] - '0');
    }
    return *port <= PORT_MOST;
}

static bool take_text(struct slice value, char *out, size_t size)
{
    text_string(out, size, value);
    return value.len < size;
}

/* What cannot be a name is as good as none: the address says who it is. */
static bool take_name(struct told *told, struct slice value)
{
    if (value.len > 1 && value.text[value.len - 1] == '.')
        value.len--;
    if (!envelope_host(value) || !take_text(value, told->name, sizeof told->name)) {
        told->missing |= 1U << TOLD_NAME;
        told->later = false;
    }
    return true;
}

static bool take_addr(struct told *told, struct slice value)
{
    return take_address(value, &told->addr);
}

static bool take_port(struct told *told, struct slice value)
{
    return take_number(value, &told->port);
}

/* What it is besides SMTP, Postfix passes on as it has heard it: QMQP is another. */
static bool take_proto(struct told *told, struct slice value)
{
    told->extended = !slice_equal_nocase(value, (struct slice)SLICE("SMTP"));
    told->lmtp = slice_equal_nocase(value, (struct slice)SLICE("LMTP"));
    return true;
}

static bool take_helo(struct told *told, struct slice value)
{
    return envelope_helo(value) && take_text(value, told->helo, sizeof told->helo);
}

static bool take_login(struct told *told, struct slice value)
{
    return take_text(value, told->login, sizeof told->login);
}

static bool take_destaddr(struct told *told, struct slice value)
{
    return take_address(value, &told->destaddr);
}

static bool take_destport(struct told *told, struct slice value)
{
    return take_number(value, &told->destport);
}

static bool take_ident(struct told *told, struct slice value)
{
    return take_text(value, told->ident, sizeof told->ident);
}

/* What it means is the same for us: whose mail it is, the other attributes say. */
static bool take_source(struct told *told, struct slice value)
{
    (void)told;
    return slice_equal_nocase(value, (struct slice)SLICE("LOCAL")) || slice_equal_nocase(value, (struct slice)SLICE("REMOTE"));
}

#define CLIENT (1U << TOLD_XCLIENT)
#define FORWARD (1U << TOLD_XFORWARD)

static const struct {
    struct slice name;
    unsigned commands; /* a set of 1 << enum told_command */
    bool (*take)(struct told *told, struct slice value);
} attributes[TOLD_ATTRIBUTES] = {
    [TOLD_NAME] = { SLICE("NAME"), CLIENT | FORWARD, take_name },
    [TOLD_ADDR] = { SLICE("ADDR"), CLIENT | FORWARD, take_addr },
    [TOLD_PORT] = { SLICE("PORT"), CLIENT | FORWARD, take_port },
    [TOLD_PROTO] = { SLICE("PROTO"), CLIENT | FORWARD, take_proto },
    [TOLD_HELO] = { SLICE("HELO"), CLIENT | FORWARD, take_helo },
    [TOLD_LOGIN] = { SLICE("LOGIN"), CLIENT, take_login },
    [TOLD_DESTADDR] = { SLICE("DESTADDR"), CLIENT, take_destaddr },
    [TOLD_DESTPORT] = { SLICE("DESTPORT"), CLIENT, take_destport },
    [TOLD_IDENT] = { SLICE("IDENT"), FORWARD, take_ident },
    [TOLD_SOURCE] = { SLICE("SOURCE"), FORWARD, take_source },
};

void told_put_offer(struct text *text, enum told_command command)
{
    for (size_t i = 0; i < TOLD_ATTRIBUTES; i++)
        if ((attributes[i].commands & 1U << command) != 0) {
            text_put(text, (struct slice)SLICE(" "));
            text_put(text, attributes[i].name);
        }
}

/* ---- the argument ------------------------------------------------------------------------------ */

/* Decodes xtext into `out`, which has room for as many bytes; *len becomes theirs. */
static bool decode(struct slice value, char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < value.len; i++) {
        char c = value.text[i];

        if (c == '+') {
            const int byte = slice_hex_byte((struct slice){ value.text + i + 1, value.len - i - 1 });

            if (byte < 0)
                return false;
            c = (char)byte;
            i += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7f)
            return false;
        out[(*len)++] = c;
    }
    return *len > 0;
}

static bool take_value(struct told *told, enum told_attribute what, struct slice value)
{
    bool later = slice_equal_nocase(value, (struct slice)SLICE("[TEMPUNAVAIL]"));
    char text[HELO_MAX];
    size_t len;

    told->given |= 1U << what;
    told->missing &= ~(1U << what);
    if (later || slice_equal_nocase(value, (struct slice)SLICE("[UNAVAILABLE]"))) {
        told->missing |= 1U << what;
        if (what == TOLD_NAME)
            told->later = later;
        return true;
    }
    return value.len <= sizeof text && decode(value, text, &len) && attributes[what].take(told, (struct slice){ text, len });
}

static enum told_attribute find(struct slice name, enum told_command command)
{
    for (enum told_attribute i = 0; i < TOLD_ATTRIBUTES; i++)
        if ((attributes[i].commands & 1U << command) != 0 && slice_equal_nocase(attributes[i].name, name))
            return i;
    return TOLD_ATTRIBUTES;
}

/* Cuts the next word off; empty: there is none. */
static struct slice next_word(struct slice *rest)
{
    size_t begin = 0, end;

    while (begin < rest->len && (rest->text[begin] == ' ' || rest->text[begin] == '\t'))
        begin++;
    for (end = begin; end < rest->len && rest->text[end] != ' ' && rest->text[end] != '\t'; end++)
        continue;
    *rest = (struct slice){ rest->text + end, rest->len - end };
    return (struct slice){ rest->text - (end - begin), end - begin };
}

enum told_status told_parse(struct slice argument, enum told_command command, struct told *told)
{
    unsigned seen = 0;
    struct slice word;

    while ((word = next_word(&argument)).len > 0) {
        const char *equals = memchr(word.text, '=', word.len);
        size_t len = equals != NULL ? (size_t)(equals - word.text) : word.len;
        enum told_attribute what = find((struct slice){ word.text, len }, command);

        if (what == TOLD_ATTRIBUTES)
            return TOLD_UNKNOWN;
        if (equals == NULL || (seen & 1U << what) != 0 ||
            !take_value(told, what, (struct slice){ equals + 1, word.len - len - 1 }))
            return TOLD_BAD;
        seen |= 1U << what;
    }
    return seen != 0 ? TOLD_OK : TOLD_BAD;
}
