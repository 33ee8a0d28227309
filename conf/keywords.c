/* keywords.c - all directives: the tables of the rooms put together, how each kind is read and written, spelling */
#include "conf/parser.h"

#include "base/keywords.h"
#include "client/keywords.h"
#include "delivery/keywords.h"
#include "dns/keywords.h"
#include "handlers/keywords.h"
#include "listener/keywords.h"
#include "nexthop/keywords.h"
#include "session/keywords.h"
#include "stores/keywords.h"
#include "tables/keywords.h"

#define AT(member) .offset = offsetof(struct conf, member)

/* What is written in a way of its own, and what the rules need (rules/rule.h). */
static const struct keyword conf_keywords[] = {
    { .name = "domain", .order = 10, .kind = KEYWORD_DOMAIN, AT(rules.domain) },
    { .name = "recipient_delimiter", .order = 120, .kind = KEYWORD_WORD, AT(rules.delimiters) },
    { .name = "quarantine", .order = 118, .kind = CONF_QUARANTINE, AT(handlers.quarantine) },
    { .name = "auth.users", .order = 220, .kind = CONF_LISTING, AT(client.auth_users) },
    { .name = "auth.senders", .order = 250, .kind = CONF_LISTING, AT(client.auth_senders) },
    { .name = "auth.command", .order = 230, .kind = CONF_PROGRAM, AT(client.auth_command) },
    { .name = "dns.server", .kind = CONF_SERVER, AT(dns) },
    { .name = "lockout.exempt", .kind = CONF_CLIENTS, AT(rules.groups.exempt) },
    { .name = "allow", .kind = CONF_HOSTS, AT(rules.groups.allow) },
    { .name = "deny", .kind = CONF_HOSTS, AT(rules.groups.deny) },
    { .name = "proxy_protocol", .kind = CONF_CLIENTS, AT(rules.groups.proxies) },
    { .name = "xclient", .kind = CONF_SPEAKERS, AT(rules.groups.speakers[TOLD_XCLIENT]) },
    { .name = "xforward", .kind = CONF_SPEAKERS, AT(rules.groups.speakers[TOLD_XFORWARD]) },
    { .name = "quiet", .kind = CONF_CLIENTS, AT(rules.groups.quiet) },
    { .name = "allowgroup", .kind = CONF_GROUP },
    { .name = "dnsbl", .kind = CONF_DNSBL, .status = "7.1" },
    { .name = "dnswl", .kind = CONF_DNSWL },
    { .name = "bypass", .kind = CONF_BYPASS },
    { .name = "policy", .kind = CONF_POLICY },
    { .name = "table", .kind = CONF_TABLE },
    { .name = "milter", .kind = CONF_MILTER },
    { .name = "milter.macros", .kind = CONF_MACROS },
    { .name = "deliver", .kind = CONF_DELIVER },
    { .name = "include", .kind = CONF_INCLUDE },
    { .name = "refuse", .kind = CONF_REFUSE, .status = "7.1" },
    { .name = "also", .kind = CONF_ALSO },
    { .name = "rewrite", .kind = CONF_REWRITE },
    { .name = "status", .kind = CONF_STATUS },
    { .name = "error", .kind = CONF_ERROR, .status = "7.1" },
};

#define TABLE(rows, settings) { (rows), sizeof(rows) / sizeof (rows)[0], (settings) }

/* The tables, and where in struct conf the settings are that they are about. */
static const struct {
    const struct keyword *rows;
    size_t count, settings;
} tables[] = {
    TABLE(base_keywords, offsetof(struct conf, base)),
    TABLE(session_keywords, offsetof(struct conf, session)),
    TABLE(dns_keywords, offsetof(struct conf, dns)),
    TABLE(nexthop_keywords, offsetof(struct conf, nexthop)),
    TABLE(store_keywords, offsetof(struct conf, stores)),
    TABLE(table_keywords, offsetof(struct conf, tables)),
    TABLE(client_keywords, offsetof(struct conf, client)),
    TABLE(delivery_keywords, offsetof(struct conf, delivery)),
    TABLE(handler_keywords, offsetof(struct conf, handlers)),
    TABLE(listener_keywords, offsetof(struct conf, listener)),
    TABLE(conf_keywords, 0),
};

enum { TABLES = sizeof tables / sizeof tables[0] };

static const struct {
    kind_parse *parse;
    kind_print *print;
} kinds[CONF_KINDS] = {
    [KEYWORD_SWITCH] = { parse_switch, print_switch },
    [KEYWORD_CHOICE] = { parse_choice, print_choice },
    [KEYWORD_COUNT] = { parse_count, print_count },
    [KEYWORD_DELAY] = { parse_delay, print_count },
    [KEYWORD_WORD] = { parse_word, print_word },
    [KEYWORD_WORDS] = { parse_words, print_words },
    [KEYWORD_TEXT] = { parse_text, print_text },
    [KEYWORD_DOMAIN] = { parse_domain, print_word },
    [KEYWORD_FLAGS] = { parse_flags, print_word },
    [KEYWORD_LIMIT] = { parse_limit, print_limit },
    [KEYWORD_CHECK] = { parse_check, print_check },
    [KEYWORD_PAUSE] = { parse_pause, print_pause },
    [CONF_PROGRAM] = { parse_program, print_program },
    [CONF_QUARANTINE] = { parse_quarantine, print_quarantine },
    [CONF_LISTING] = { parse_listing, print_word },
    [CONF_POLICY] = { parse_policy, NULL },
    [CONF_TABLE] = { parse_table, NULL },
    [CONF_MILTER] = { parse_milter, NULL },
    [CONF_MACROS] = { parse_macros, NULL },
    [CONF_SERVER] = { parse_server, NULL },
    [CONF_HOSTS] = { parse_hosts, NULL },
    [CONF_CLIENTS] = { parse_clients, NULL },
    [CONF_SPEAKERS] = { parse_speakers, NULL },
    [CONF_GROUP] = { parse_group, NULL },
    [CONF_DNSBL] = { parse_dnsbl, NULL },
    [CONF_DNSWL] = { parse_dnswl, NULL },
    [CONF_BYPASS] = { parse_bypass, NULL },
    [CONF_DELIVER] = { parse_deliver, NULL },
    [CONF_REFUSE] = { parse_refuse, NULL },
    [CONF_ALSO] = { parse_also, NULL },
    [CONF_REWRITE] = { parse_rewrite, NULL },
    [CONF_ERROR] = { parse_error, NULL },
    [CONF_STATUS] = { parse_status, NULL },
    [CONF_INCLUDE] = { parse_include, NULL },
};

size_t keywords_count(void)
{
    size_t count = 0;

    for (size_t t = 0; t < TABLES; t++)
        count += tables[t].count;
    return count;
}

/* Which table an index is in; it becomes the index there. */
static size_t table_of(size_t *index)
{
    size_t t = 0;

    for (; *index >= tables[t].count; t++)
        *index -= tables[t].count;
    return t;
}

const struct keyword *keywords_row(size_t index)
{
    size_t t = table_of(&index);

    return &tables[t].rows[index];
}

void *keywords_value(struct conf *conf, size_t index)
{
    size_t t = table_of(&index);

    return (char *)conf + tables[t].settings + tables[t].rows[index].offset;
}

static bool is_called(const struct keyword *k, struct slice name)
{
    return name.len < sizeof k->name && k->name[name.len] == '\0' && memcmp(k->name, name.text, name.len) == 0;
}

/* From the end: those of which a file has many stand there. */
size_t keywords_find(struct slice name)
{
    size_t begin = keywords_count();

    for (size_t t = TABLES; t-- > 0;) {
        begin -= tables[t].count;
        for (size_t i = tables[t].count; i-- > 0;)
            if (is_called(&tables[t].rows[i], name))
                return begin + i;
    }
    return keywords_count();
}

void keywords_each(struct conf *conf, keyword_visit *visit, void *context)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const struct keyword *k = tables[t].rows; k < tables[t].rows + tables[t].count; k++)
            visit(k, (char *)conf + tables[t].settings + k->offset, context);
}

void keywords_parse(struct parser *p, const struct keyword *k, void *value)
{
    kinds[k->kind].parse(p, k, value);
}

void keywords_print(struct conf *conf, size_t index, FILE *out)
{
    const struct keyword *k = keywords_row(index);

    kinds[k->kind].print(k, keywords_value(conf, index), out);
}

/* Levenshtein's distance, as far as it matters: names up to 31 bytes. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[32];

    if (a.len > 31 || b.len > 31)
        return 31;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t change = diagonal + (a.text[i - 1] != b.text[j - 1]);
            size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            diagonal = row[j];
            row[j] = change < shorter ? change : shorter;
        }
    }
    return row[b.len];
}

void keywords_fail_unknown(struct parser *p, struct word word)
{
    const struct keyword *best = NULL;
    size_t distance = 3;

    if (word_is(word, "listen") || word_is(word, "port")) { /* of other servers */
        fail(p, word.column, "unknown keyword '%.*s': the port is said by -L, or by the super-server", (int)word.text.len,
             word.text.text);
        return;
    }
    for (size_t i = 0; i < keywords_count(); i++) {
        const struct keyword *k = keywords_row(i);
        size_t d = edit_distance(word.text, slice_of(k->name));

        if (d < distance) {
            distance = d;
            best = k;
        }
    }
    if (best != NULL)
        fail(p, word.column, "unknown keyword '%.*s', expected perhaps '%s'", (int)word.text.len, word.text.text,
             best->name);
    else
        fail(p, word.column, "unknown keyword '%.*s', expected one of mailrecv.conf(5)", (int)word.text.len,
             word.text.text);
}
