/* envelope.c - syntax of addresses and of the HELO, MAIL and RCPT arguments; pure */
/*
 * A cursor runs over the argument; each `skip_` function moves it over one rule of the grammar
 * of RFC 5321 4.1.2 and says whether that was there. The text is copied once, at the end.
 */
#include "session/envelope.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/utf8.h"

struct cursor {
    const unsigned char *at, *end;
    bool utf8; /* a character outside ASCII was passed */
};

static struct cursor cursor_on(struct slice text)
{
    const unsigned char *begin = (const unsigned char *)text.text;

    return (struct cursor){ begin, begin + text.len, false };
}

static bool peek(const struct cursor *c, unsigned char byte)
{
    return c->at < c->end && *c->at == byte;
}

static bool skip(struct cursor *c, unsigned char byte)
{
    bool there = peek(c, byte);

    c->at += there;
    return there;
}

static void skip_blanks(struct cursor *c)
{
    while (skip(c, ' ') || skip(c, '\t'))
        continue;
}

/* UTF8-non-ascii of RFC 6531 3.3: allowed wherever a letter is */
static bool skip_utf8(struct cursor *c)
{
    size_t len;

    if (c->at >= c->end || *c->at < 0x80)
        return false;
    len = utf8_length((struct slice){ (const char *)c->at, (size_t)(c->end - c->at) });
    c->at += len;
    c->utf8 = c->utf8 || len > 0;
    return len > 0;
}

static bool is_alnum(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
}

static bool is_upper_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static bool is_atext(unsigned char byte)
{
    return is_alnum(byte) || (byte != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", byte) != NULL && byte < 0x80);
}

static bool skip_atext(struct cursor *c)
{
    bool there = c->at < c->end && is_atext(*c->at);

    c->at += there;
    return there;
}

/* Dot-string, and what some telephone companies have given to people: dots at its ends, and several in a row */
static bool skip_dot_string(struct cursor *c)
{
    bool any = false;

    for (;;) {
        if (skip_atext(c) || skip_utf8(c))
            any = true;
        else if (!skip(c, '.'))
            return any;
    }
}

static bool skip_quoted_string(struct cursor *c)
{
    if (!skip(c, '"'))
        return false;
    while (c->at < c->end && !peek(c, '"')) {
        if (skip_utf8(c))
            continue;
        (void)skip(c, '\\'); /* a quoted-pair; what follows is checked as any other character */
        if (c->at >= c->end || *c->at < ' ' || *c->at > '~')
            return false;
        c->at++;
    }
    return skip(c, '"');
}

/* May an ASCII character be in a label? The DNS knows names of hosts with underscores. */
static bool is_of_label(const struct cursor *c)
{
    return c->at < c->end && (is_alnum(*c->at) || *c->at == '-' || *c->at == '_');
}

/* How long a label outside ASCII is is counted when it is one for the DNS (canonical.c). */
static bool skip_label(struct cursor *c)
{
    const unsigned char *begin = c->at;
    bool ascii = true;

    for (;;) {
        if (is_of_label(c))
            c->at++;
        else if (skip_utf8(c))
            ascii = false;
        else
            break;
    }
    return c->at > begin && (c->at - begin <= 63 || !ascii) && *begin != '-' && c->at[-1] != '-';
}

/* A domain, maybe with the dot of the root at its end. */
static bool skip_domain(struct cursor *c)
{
    const unsigned char *begin = c->at;

    do {
        if (!skip_label(c))
            return false;
    } while (skip(c, '.') && (is_of_label(c) || (c->at < c->end && *c->at >= 0x80)));
    return c->at - begin - (c->at[-1] == '.') <= DOMAIN_MAX;
}

/* Standardized-tag: letters, digits and hyphens, not ending in a hyphen */
static bool is_tag(struct slice tag)
{
    for (size_t i = 0; i < tag.len; i++)
        if (!is_alnum((unsigned char)tag.text[i]) && tag.text[i] != '-')
            return false;
    return tag.len > 0 && tag.text[tag.len - 1] != '-';
}

/* The text between "[" and "]" is an IPv4 address, IPv6:address, or Tag:dcontent. */
static bool is_literal_content(struct slice content)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    static const struct slice tag6 = SLICE("IPv6:");
    bool six = content.len > tag6.len &&
               slice_equal_nocase((struct slice){ content.text, tag6.len }, tag6);
    const char *colon = memchr(content.text, ':', content.len);

    if (six || colon == NULL) {
        size_t from = six ? tag6.len : 0;

        if (content.len - from >= sizeof text)
            return false;
        memcpy(text, content.text + from, content.len - from);
        text[content.len - from] = '\0';
        return inet_pton(six ? AF_INET6 : AF_INET, text, address) == 1;
    }
    return is_tag((struct slice){ content.text, (size_t)(colon - content.text) }) &&
           colon + 1 < content.text + content.len;
}

static bool skip_literal(struct cursor *c)
{
    const unsigned char *begin;

    if (!skip(c, '['))
        return false;
    begin = c->at;
    while (c->at < c->end && *c->at > ' ' && *c->at <= '~' && *c->at != '[' && *c->at != ']' && *c->at != '\\')
        c->at++;
    return is_literal_content((struct slice){ (const char *)begin, (size_t)(c->at - begin) }) && skip(c, ']') &&
           c->at - begin <= DOMAIN_MAX;
}

static bool skip_local_part(struct cursor *c)
{
    return peek(c, '"') ? skip_quoted_string(c) : skip_dot_string(c);
}

size_t envelope_unquote(struct slice local, char *out)
{
    bool quoted = local.len >= 2 && local.text[0] == '"';
    size_t len = 0, end = local.len - quoted;

    for (size_t i = quoted; i < end; i++) {
        i += quoted && local.text[i] == '\\';
        out[len++] = local.text[i];
    }
    return len;
}

static bool is_postmaster(struct slice local)
{
    char text[ADDRESS_MAX];
    size_t len = local.len <= sizeof text ? envelope_unquote(local, text) : 0;

    return slice_equal_nocase((struct slice){ text, len }, slice_of("postmaster"));
}

/* Keeps what was passed since `begin`. */
static bool take_address(const struct cursor *c, const unsigned char *begin, size_t local_len, struct address *address)
{
    size_t len = (size_t)(c->at - begin);

    if (len > ADDRESS_MAX)
        return false;
    memcpy(address->text, begin, len);
    address->text[len] = '\0';
    address->len = (uint16_t)len;
    address->local_len = (uint16_t)local_len;
    address->utf8 = c->utf8;
    address->plain = !c->utf8 && *begin != '"' && c->at[-1] != ']' && c->at[-1] != '.';
    return true;
}

/* Which local parts may stand alone, without @ and domain. */
enum bare { BARE_NONE, BARE_POSTMASTER, BARE_ANY };

/* local@domain, or a lone local part where `bare` allows it; copied to address. */
static enum envelope_status skip_mailbox(struct cursor *c, enum bare bare, struct address *address)
{
    const unsigned char *begin = c->at;
    size_t local_len;

    if (!skip_local_part(c))
        return ENVELOPE_BAD_ADDRESS;
    local_len = (size_t)(c->at - begin);
    if (skip(c, '@')) {
        if (!(peek(c, '[') ? skip_literal(c) : skip_domain(c)))
            return ENVELOPE_BAD_ADDRESS;
    } else if (bare == BARE_NONE ||
               (bare == BARE_POSTMASTER && !is_postmaster((struct slice){ (const char *)begin, local_len }))) {
        return ENVELOPE_NO_DOMAIN;
    }
    return take_address(c, begin, local_len, address) ? ENVELOPE_OK : ENVELOPE_BAD_ADDRESS;
}

/* A-d-l of RFC 5321 4.1.2, "@a.example,@b.example:", which is accepted and ignored (appendix C) */
static bool skip_source_route(struct cursor *c)
{
    if (!peek(c, '@'))
        return true;
    do {
        if (!skip(c, '@') || !skip_domain(c))
            return false;
    } while (skip(c, ','));
    return skip(c, ':');
}

/* Where the path may be: behind "FROM:" or "TO:", an optional blank, with or without "<". */
static enum envelope_status skip_path(struct cursor *c, struct slice keyword, bool is_sender, enum bare bare,
                                      struct address *address)
{
    enum envelope_status status = ENVELOPE_OK;
    bool brackets;

    if ((size_t)(c->end - c->at) < keyword.len ||
        !slice_equal_nocase((struct slice){ (const char *)c->at, keyword.len }, keyword))
        return ENVELOPE_NO_PATH;
    c->at += keyword.len;
    skip_blanks(c);
    brackets = skip(c, '<');
    if (brackets && is_sender && skip(c, '>')) {
        *address = (struct address){ .len = 0 };
    } else {
        status = brackets && !skip_source_route(c) ? ENVELOPE_BAD_ADDRESS : skip_mailbox(c, bare, address);
        if (brackets && !skip(c, '>'))
            status = ENVELOPE_BAD_ADDRESS;
    }
    if (c->at < c->end && !peek(c, ' ') && !peek(c, '\t'))
        return ENVELOPE_BAD_ADDRESS;
    skip_blanks(c);
    /* a word without brackets that others follow may be anything */
    return status == ENVELOPE_NO_DOMAIN && !brackets && c->at < c->end ? ENVELOPE_BAD_ADDRESS : status;
}

/* The next esmtp-param (RFC 5321 4.1.2); the text of the value is NULL when there is no "=". */
static void skip_parameter(struct cursor *c, struct slice *name, struct slice *value)
{
    const unsigned char *begin = c->at;

    while (c->at < c->end && *c->at > ' ' && *c->at != '=')
        c->at++;
    *name = (struct slice){ (const char *)begin, (size_t)(c->at - begin) };
    *value = (struct slice){ NULL, 0 };
    if (skip(c, '=')) {
        begin = c->at;
        while (c->at < c->end && *c->at > ' ')
            c->at++;
        *value = (struct slice){ (const char *)begin, (size_t)(c->at - begin) };
    }
    skip_blanks(c);
}

/* RFC 1870: up to 20 digits. What does not fit into 64 bits is as good as infinite. */
static bool parse_size(struct slice value, struct mail_argument *mail)
{
    uint64_t size = 0;

    if (value.len == 0 || value.len > 20)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)value.text[i] - '0';

        if (digit > 9)
            return false;
        size = size > (UINT64_MAX - digit) / 10 ? UINT64_MAX : size * 10 + digit;
    }
    mail->size = size;
    return true;
}

static bool parse_body(struct slice value, struct mail_argument *mail)
{
    mail->eight_bit = slice_equal_nocase(value, slice_of("8BITMIME"));
    return mail->eight_bit || slice_equal_nocase(value, slice_of("7BIT"));
}

static bool parse_smtputf8(struct slice value, struct mail_argument *mail)
{
    mail->smtputf8 = value.text == NULL;
    return mail->smtputf8;
}

static bool parse_prdr(struct slice value, struct mail_argument *mail)
{
    mail->prdr = value.text == NULL;
    return mail->prdr;
}

/* AUTH=<> or AUTH=xtext (RFC 4954 5): who first submitted the message; nobody here wants to know. */
static bool parse_auth(struct slice value, struct mail_argument *mail)
{
    mail->auth = true;
    if (value.text == NULL || value.len == 0)
        return false;
    for (size_t i = 0; i < value.len && !slice_equal(value, slice_of("<>")); i++) {
        char c = value.text[i];

        if (c < '!' || c > '~' || c == '=')
            return false;
        if (c == '+' && (i + 2 >= value.len || !is_upper_hex(value.text[i + 1]) || !is_upper_hex(value.text[i + 2])))
            return false;
    }
    return true;
}

static const struct parameter {
    struct slice name;
    bool (*parse)(struct slice value, struct mail_argument *mail);
} mail_parameters[] = {
    { SLICE("SIZE"), parse_size },
    { SLICE("BODY"), parse_body },
    { SLICE("AUTH"), parse_auth },
    { SLICE("SMTPUTF8"), parse_smtputf8 },
    { SLICE("PRDR"), parse_prdr },
};

static enum envelope_status parse_parameters(struct cursor *c, struct mail_argument *mail)
{
    enum { KNOWN = sizeof mail_parameters / sizeof mail_parameters[0] };
    bool seen[KNOWN] = { false };

    while (c->at < c->end) {
        struct slice name, value;
        size_t i = 0;

        skip_parameter(c, &name, &value);
        while (i < KNOWN && !slice_equal_nocase(name, mail_parameters[i].name))
            i++;
        if (i == KNOWN)
            return ENVELOPE_UNKNOWN;
        if (seen[i] || !mail_parameters[i].parse(value, mail))
            return ENVELOPE_BAD_VALUE;
        seen[i] = true;
    }
    return ENVELOPE_OK;
}

enum envelope_status envelope_mail(struct slice argument, bool lmtp, struct mail_argument *mail)
{
    struct cursor c = cursor_on(argument);
    enum envelope_status status;

    mail->size = 0;
    mail->eight_bit = mail->smtputf8 = mail->auth = mail->prdr = false;
    status = skip_path(&c, slice_of("FROM:"), true, lmtp ? BARE_ANY : BARE_NONE, &mail->sender);
    mail->parameters = (uint16_t)((const char *)c.at - argument.text);
    if (status == ENVELOPE_OK)
        status = parse_parameters(&c, mail);
    if (status == ENVELOPE_OK && mail->prdr && lmtp)
        return ENVELOPE_UNKNOWN;
    if (status == ENVELOPE_OK && mail->sender.utf8 && !mail->smtputf8 && !lmtp)
        return ENVELOPE_NOT_UTF8;
    return status;
}

enum envelope_status envelope_rcpt(struct slice argument, bool lmtp, bool smtputf8, struct address *recipient)
{
    struct cursor c = cursor_on(argument);
    enum envelope_status status = skip_path(&c, slice_of("TO:"), false, lmtp ? BARE_ANY : BARE_POSTMASTER, recipient);

    if (status == ENVELOPE_OK && c.at < c.end)
        return ENVELOPE_UNKNOWN;
    if (status == ENVELOPE_OK && recipient->utf8 && !smtputf8 && !lmtp)
        return ENVELOPE_NOT_UTF8;
    return status;
}

bool envelope_mailbox(struct slice text, struct address *address)
{
    struct cursor c = cursor_on(text);

    return skip_mailbox(&c, BARE_NONE, address) == ENVELOPE_OK && c.at == c.end;
}

bool envelope_domain(struct slice text)
{
    struct cursor c = cursor_on(text);

    return skip_domain(&c) && c.at == c.end && c.at[-1] != '.';
}

bool envelope_host(struct slice text)
{
    size_t digits = 0;

    while (digits < text.len && text.text[text.len - 1 - digits] >= '0' && text.text[text.len - 1 - digits] <= '9')
        digits++;
    return slice_is_ascii(text) && envelope_domain(text) && digits < text.len &&
           (digits == 0 || text.text[text.len - 1 - digits] != '.');
}

bool envelope_literal(struct slice text)
{
    struct cursor c = cursor_on(text);

    return skip_literal(&c) && c.at == c.end;
}

bool envelope_helo(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.text[i] < ' ' || text.text[i] == 0x7f)
            return false;
    return text.len > 0 && text.len <= HELO_MAX;
}
