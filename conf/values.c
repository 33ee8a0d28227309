/* values.c - words to values: numbers, switches, choices, texts, domains, replies, limits, patterns, DNS servers */
#include "conf/parser.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "base/log.h"
#include "dns/canonical.h"

static bool parse_range(struct parser *p, struct word word, uint64_t min, uint64_t max, uint64_t *number)
{
    uint64_t n = 0;
    size_t digits = 0;

    for (; digits < word.text.len && isdigit((unsigned char)word.text.text[digits]); digits++)
        if (n <= max)
            n = n * 10 + (uint64_t)(word.text.text[digits] - '0');
    if (digits == 0 || digits < word.text.len)
        fail(p, word.column, "'%.*s' is not a number, expected %ju to %ju", (int)word.text.len, word.text.text,
             (uintmax_t)min, (uintmax_t)max);
    else if (n < min || n > max)
        fail(p, word.column, "'%.*s' is out of range, expected %ju to %ju", (int)word.text.len, word.text.text,
             (uintmax_t)min, (uintmax_t)max);
    *number = n;
    return !p->failed;
}

bool value_number(struct parser *p, struct word word, uint64_t max, uint64_t *number)
{
    return parse_range(p, word, 1, max, number);
}

/* The number of bytes that look like the part "1.1 " of "5.1.1 text", 0 if they do not. */
static size_t status_length(struct slice text)
{
    size_t i = 0, parts = 0, digits;

    do {
        for (digits = 0; i < text.len && isdigit((unsigned char)text.text[i]) && digits < 3; digits++)
            i++;
        parts++;
    } while (digits > 0 && parts < 2 && i < text.len && text.text[i++] == '.');
    return parts == 2 && digits > 0 && (i == text.len || text.text[i] == ' ') ? i : 0;
}

/* If the text of a reply brings an enhanced code of its own, that is the one. */
static void split_status(struct parser *p, unsigned column, struct reply *reply)
{
    struct slice rest = reply->text;
    size_t len;

    if (rest.len < 5 || strchr("245", rest.text[0]) == NULL || rest.text[1] != '.')
        return;
    rest.text += 2;
    rest.len -= 2;
    len = status_length(rest);
    if (len == 0)
        return;
    if ((unsigned)(reply->text.text[0] - '0') != reply->code / 100) {
        fail(p, column, "the enhanced code '%.*s' contradicts the code %u, expected %u.%.*s", (int)len + 2,
             reply->text.text, reply->code, reply->code / 100, (int)len, rest.text);
        return;
    }
    reply->status = (struct slice){ rest.text, len };
    reply->text = (struct slice){ rest.text + len, rest.len - len };
    while (reply->text.len > 0 && reply->text.text[0] == ' ') {
        reply->text.text++;
        reply->text.len--;
    }
}

void value_reply(struct parser *p, struct word code, struct slice status, struct reply *reply)
{
    const char *c = code.text.text;
    unsigned column;

    if (code.text.len != 3 || (c[0] != '4' && c[0] != '5') || !isdigit((unsigned char)c[1]) ||
        !isdigit((unsigned char)c[2])) {
        fail(p, code.column, "'%.*s' is not a reply code, expected 400 to 599", (int)code.text.len, c);
        return;
    }
    *reply = (struct reply){ .code = (unsigned)((c[0] - '0') * 100 + (c[1] - '0') * 10 + (c[2] - '0')),
                             .status = status };
    reply->closes = reply->code == 421; /* RFC 5321 4.2.3 */
    word_skip_blanks(p);
    column = parser_column(p);
    reply->text = word_rest(p);
    split_status(p, column, reply);
    if (!p->failed && reply->text.len == 0)
        fail(p, column, "the text of the reply is missing, expected CODE TEXT");
    if (reply->text.len > CONF_TEXT)
        fail(p, column, "the text of the reply is too long, expected at most %d bytes", CONF_TEXT);
}

/* The reply of a limit as its row in the table has it. */
static void set_default_reply(struct conf *conf, const struct keyword *k, struct limit *limit)
{
    struct parser p = { .conf = conf, .line = slice_of(k->default_text) };
    struct word value, code;

    if (word_next(&p, &value) && word_next(&p, &code) &&
        (code.text.len == 3 || word_next(&p, &code))) /* behind on or off there may be seconds */
        value_reply(&p, code, slice_of(k->status), &limit->reply);
}

/* [CODE TEXT] behind the value of a limit. */
static void parse_limit_reply(struct parser *p, const struct keyword *k, struct limit *limit)
{
    struct word code;

    limit->line = p->number;
    if (p->failed)
        return;
    if (word_next(p, &code)) {
        value_reply(p, code, slice_of(k->status), &limit->reply);
        return;
    }
    set_default_reply(p->conf, k, limit);
    p->conf->default_reply = limit;
    p->conf->default_replies++;
}

/* No host has a quote in its address or name. Addresses of recipients may, but hardly one alone at the end. */
static void check_quotes(struct parser *p, const struct word *word, bool for_recipients)
{
    struct glyph glyph;
    size_t offset = 0;

    if (p->misread || word->quoted ||
        !(for_recipients ? word_ends_in_quote(word, &offset, &glyph) : glyph_find(word->text, GLYPH_QUOTE, &offset, &glyph)))
        return;
    fail(p, conf_column(p->conf, p->number, word->column, offset), "a %s (U+%04X) in the expression, expected none%s",
         glyph.name, (unsigned)glyph.code, for_recipients ? " that stands alone" : ": no host has one in its name");
    word_advise(p, word_without_quotes(p, word->text));
}

void value_set_pattern(struct parser *p, struct word word, const char *directive, bool for_recipients,
                       struct pattern *pattern)
{
    if (word.text.len == 0)
        fail(p, word.column, "the regular expression is empty, expected . for any text");
    check_quotes(p, &word, for_recipients);
    *pattern = (struct pattern){ .text = word.text, .line = p->number, .column = word.column,
                                 .directive = directive, .utf = for_recipients || !slice_is_ascii(word.text) };
    p->conf->rules.wants_unicode = p->conf->rules.wants_unicode || (for_recipients && !slice_is_ascii(word.text));
}

bool value_pattern(struct parser *p, const char *directive, bool for_recipients, struct pattern *pattern)
{
    struct word word;

    if (!word_need(p, &word, "a regular expression"))
        return false;
    value_set_pattern(p, word, directive, for_recipients, pattern);
    return true;
}

/* ---- kinds of directives ----------------------------------------------------------------- */

void parse_word(struct parser *p, const struct keyword *k, void *value)
{
    struct word word;

    (void)k;
    if (!word_need_value(p, &word, "a value"))
        return;
    *(struct slice *)value = word.text;
    word_need_end(p);
}

void parse_words(struct parser *p, const struct keyword *k, void *value)
{
    struct slice *words = value;
    size_t i = 0;

    while (i < KEYWORD_LINES && words[i].len > 0)
        i++;
    if (i == KEYWORD_LINES)
        fail(p, conf_column_of(p->conf, p->number, (struct slice){ NULL, 0 }),
             "'%s' stands on more than %d lines, expected fewer", k->name, KEYWORD_LINES);
    else
        parse_word(p, k, &words[i]);
}

struct slice value_keep(struct parser *p, struct slice written, struct slice canonical)
{
    char *copy;

    if (slice_equal(written, canonical))
        return written;
    copy = memory_take(p->conf, canonical.len);
    memcpy(copy, canonical.text, canonical.len);
    return (struct slice){ copy, canonical.len };
}

struct slice value_domain(struct parser *p, struct slice text, unsigned column, bool literal, const char *like)
{
    char canonical[DOMAIN_MAX + 1];

    if (canonical_domain(text, WORDS_OURS, canonical) == CANONICAL_OK && (literal || canonical[0] != '['))
        return value_keep(p, text, slice_of(canonical));
    if (envelope_domain(text))
        fail(p, column, "'%.*s' is not a domain name: %s", (int)text.len, text.text, canonical_trouble());
    else
        fail(p, column, "'%.*s' is not a domain name, expected one like %s", (int)text.len, text.text, like);
    return text;
}

void parse_domain(struct parser *p, const struct keyword *k, void *value)
{
    struct word word;

    (void)k;
    if (!word_need(p, &word, "a domain name"))
        return;
    *(struct slice *)value = value_domain(p, word.text, word.column, false, "mail.example.com");
    word_need_end(p);
}

void parse_flags(struct parser *p, const struct keyword *k, void *value)
{
    struct word word;

    (void)k;
    if (!word_need(p, &word, "debug flags, any of " LOG_FLAGS " or -"))
        return;
    for (size_t i = 0; i < word.text.len; i++)
        if (word.text.text[i] == '\0' || strchr(LOG_FLAGS "-", word.text.text[i]) == NULL) {
            fail(p, word.column + (unsigned)i, "'%c' is no debug flag, expected any of " LOG_FLAGS " or -",
                 word.text.text[i]);
            return;
        }
    *(struct slice *)value = word.text;
    word_need_end(p);
}

void parse_text(struct parser *p, const struct keyword *k, void *value)
{
    struct slice *text = value;
    unsigned column;

    (void)k;
    word_skip_blanks(p);
    column = parser_column(p);
    *text = word_need_rest(p, "a text");
    if (text->len > CONF_TEXT)
        fail(p, column, "the text is too long, expected at most %d bytes", CONF_TEXT);
}

struct slice value_choice(const struct keyword *k, size_t index)
{
    const char *word = k->words[0] != '\0' ? k->words : "off on";

    for (; index > 0 && *word != '\0'; index--)
        word = strchrnul(word, ' ') + (*strchrnul(word, ' ') == ' ');
    return (struct slice){ word, (size_t)(strchrnul(word, ' ') - word) };
}

/* "'off', 'try' or 'on'" */
static void list_choices(const struct keyword *k, char *out, size_t size)
{
    struct slice word, next = value_choice(k, 0);
    size_t used = 0;

    for (size_t i = 0; next.len > 0 && used < size; i++) {
        word = next;
        next = value_choice(k, i + 1);
        used += (size_t)snprintf(out + used, size - used, "%s'%.*s'", i == 0 ? "" : next.len > 0 ? ", " : " or ",
                                 (int)word.len, word.text);
    }
}

/* One of the words of the directive; `chosen` is its index. */
static bool take_choice(struct parser *p, const struct keyword *k, size_t *chosen)
{
    char expected[64] = "";
    struct word word;
    bool found = word_next(p, &word);

    for (*chosen = 0; found && value_choice(k, *chosen).len > 0; ++*chosen)
        if (slice_equal(word.text, value_choice(k, *chosen)))
            return true;
    list_choices(k, expected, sizeof expected);
    if (found)
        fail(p, word.column, "unexpected '%.*s', expected %s", (int)word.text.len, word.text.text, expected);
    else
        fail(p, word.column, "the line ends too early, expected %s", expected);
    return false;
}

void parse_switch(struct parser *p, const struct keyword *k, void *value)
{
    size_t chosen;

    if (!take_choice(p, k, &chosen))
        return;
    *(bool *)value = chosen != 0;
    word_need_end(p);
}

/* One of several words; kept as its index. */
void parse_choice(struct parser *p, const struct keyword *k, void *value)
{
    size_t chosen;

    if (!take_choice(p, k, &chosen))
        return;
    *(unsigned *)value = (unsigned)chosen;
    word_need_end(p);
}

void parse_limit(struct parser *p, const struct keyword *k, void *value)
{
    struct limit *limit = value;
    struct word word;

    if (!word_need(p, &word, "a number"))
        return;
    if (k->words[0] != '\0' && word_is(word, k->words)) /* none */
        limit->value = 0;
    else
        (void)value_number(p, word, k->max, &limit->value);
    parse_limit_reply(p, k, limit);
}

/* A number that is all of the value. */
void parse_count(struct parser *p, const struct keyword *k, void *value)
{
    struct word word;

    if (word_need(p, &word, "a number") && value_number(p, word, k->max, value))
        word_need_end(p);
}

/* Seconds, of which there may be none. */
void parse_delay(struct parser *p, const struct keyword *k, void *value)
{
    struct word word;

    if (word_need(p, &word, "a number of seconds") && parse_range(p, word, 0, k->max, value))
        word_need_end(p);
}

/* A limit whose value is a word. */
void parse_check(struct parser *p, const struct keyword *k, void *value)
{
    struct limit *limit = value;
    size_t chosen;

    if (!take_choice(p, k, &chosen))
        return;
    limit->value = chosen;
    parse_limit_reply(p, k, limit);
}

/* on or off, seconds */
void parse_pause(struct parser *p, const struct keyword *k, void *value)
{
    struct pause *pause = value;
    struct word word;
    size_t chosen;

    if (!take_choice(p, k, &chosen) || !word_need(p, &word, "a number of seconds") ||
        !value_number(p, word, k->max, &pause->secs))
        return;
    pause->limit.value = chosen;
    parse_limit_reply(p, k, &pause->limit);
}

/* Splits ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; an IPv6 address without brackets has no port. */
static bool split_server(struct slice text, char address[INET6_ADDRSTRLEN], struct slice *port)
{
    const char *colon = memchr(text.text, ':', text.len), *bracket = memchr(text.text, ']', text.len);
    unsigned char bytes[sizeof(struct in6_addr)];
    struct slice host = text;

    if (text.text[0] == '[' && bracket != NULL)
        host = (struct slice){ text.text + 1, (size_t)(bracket - text.text) - 1 };
    else if (colon != NULL && memrchr(text.text, ':', text.len) == colon)
        host.len = (size_t)(colon - text.text);
    *port = (struct slice){ host.text + host.len, text.len - (size_t)(host.text + host.len - text.text) };
    if (host.text != text.text) { /* behind the bracket */
        port->text++;
        port->len--;
    }
    if (host.len >= INET6_ADDRSTRLEN || (port->len > 0 && port->text[0] != ':'))
        return false;
    memcpy(address, host.text, host.len);
    address[host.len] = '\0';
    return inet_pton(memchr(host.text, ':', host.len) != NULL ? AF_INET6 : AF_INET, address, bytes) == 1;
}

/* dns.server ADDRESS[:PORT], kept as the resolver wants it */
void parse_server(struct parser *p, const struct keyword *k, void *value)
{
    enum { SIZE = INET6_ADDRSTRLEN + sizeof "[]:65535" };
    struct dns_settings *dns = value;
    char address[INET6_ADDRSTRLEN], *text;
    struct word word, port;
    uint64_t number = 53;
    bool six;

    (void)k;
    if (!word_need_name(p, &word, "the address of a DNS server"))
        return;
    if (!split_server(word.text, address, &port.text)) {
        fail(p, word.column, "'%.*s' is not the address of a server, expected one like 192.0.2.53, 192.0.2.53:5353 "
             "or [2001:db8::53]:5353", (int)word.text.len, word.text.text);
        return;
    }
    if (port.text.len > 0) {
        port.column = word.column + (unsigned)(port.text.text - word.text.text) + 1;
        port.text = (struct slice){ port.text.text + 1, port.text.len - 1 };
        if (!value_number(p, port, UINT16_MAX, &number))
            return;
    }
    if (dns->server_count == DNS_SERVERS) {
        fail(p, word.column, "one DNS server too many, expected at most %d", DNS_SERVERS);
        return;
    }
    six = strchr(address, ':') != NULL;
    text = memory_take(p->conf, SIZE);
    (void)snprintf(text, SIZE, "%s%s%s:%u", six ? "[" : "", address, six ? "]" : "", (unsigned)number); /* it fits */
    dns->servers[dns->server_count++] = slice_of(text);
    word_need_end(p);
}
