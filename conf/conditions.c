/* conditions.c - what stands before rcpt_to: groups, TLS, users, senders, ports, HELO; and which addresses are meant */
#include "conf/parser.h"

#include "conf/mend.h"
#include "dns/canonical.h"

/* ---- addresses ----------------------------------------------------------------------------- */

/* Behind an error: what *@example.com and joe@* were meant to be. */
static void advise_glob(struct parser *p, struct slice word)
{
    char glob[MEND_MAX], mended[MEND_MAX];

    (void)snprintf(glob, sizeof glob, "%s%.*s", word.len > 0 && word.text[0] == '@' ? "*" : "", (int)word.len, word.text);
    if (!p->misread && memchr(word.text, '*', word.len) != NULL &&
        mend_glob(slice_of(glob), REGEX_RECIPIENT, mended) == MEND_FOUND)
        conf_advise(p->conf, "write: /%s/", mended);
}

/* The canonical form of a word that is an address. */
static struct slice take_address(struct parser *p, const struct word *word, const struct address *address)
{
    struct address canonical;

    if (address->plain)
        return word->text;
    if (canonical_address(address, WORDS_OURS, &canonical) == CANONICAL_OK)
        return value_keep(p, word->text, address_slice(&canonical));
    fail(p, word->column + address->local_len + 1U, "'%s' is not a domain name: %s", address_domain(address).text,
         canonical_trouble());
    return word->text;
}

/*
 * A quote in a local part that has no quotes of its own (RFC 5321 4.1.2) is a character of it. An apostrophe within is
 * met, as in o'neil; one at an end, or a quote of a word processor, is hardly meant.
 */
static void doubt_quotes(struct parser *p, const struct word *word, const struct address *address)
{
    const struct slice local = { word->text.text, address->local_len };
    struct slice without;
    struct glyph glyph;
    size_t at = 0;

    if (word->quoted || local.text[0] == '"')
        return;
    while (glyph_find(local, GLYPH_QUOTE, &at, &glyph) && glyph.code == '\'' && at > 0 && at + 1 < local.len)
        at++;
    if (at >= local.len)
        return;
    conf_complain(p->conf, SEVERITY_WARNING, p->number, conf_column(p->conf, p->number, word->column, at),
                  "a %s (U+%04X) is a character of this address, expected none, or \" around all of it if that is meant",
                  glyph.name, (unsigned)glyph.code);
    without = word_without_quotes(p, word->text);
    if ((at == 0 || at + glyph.len == local.len) && without.text[0] != '@')
        word_advise(p, without); /* what one within stands for is not known */
}

/* An expression between slashes. */
static struct pattern *take_pattern(struct parser *p, struct word word, const char *directive)
{
    struct pattern *pattern = memory_take(p->conf, sizeof *pattern);

    *pattern = (struct pattern){ .text = { word.text.text + 1, word.text.len - 2 }, .line = p->number,
                                 .column = word.column, .directive = directive, .utf = true };
    p->conf->rules.wants_unicode = p->conf->rules.wants_unicode || !slice_is_ascii(pattern->text);
    if (pattern->text.len == 0)
        fail(p, word.column, "the regular expression is empty, expected /./ for any address");
    return pattern;
}

static bool is_expression(struct slice text)
{
    return text.len >= 2 && text.text[0] == '/' && text.text[text.len - 1] == '/';
}

struct pattern *expression_parse(struct parser *p, const char *directive)
{
    struct word word;

    if (!word_need(p, &word, "/REGEX/"))
        return NULL;
    if (is_expression(word.text))
        return take_pattern(p, word, directive);
    fail(p, word.column, "'%.*s' is no expression, expected /REGEX/", (int)word.text.len, word.text.text);
    return NULL;
}

void mailboxes_parse(struct parser *p, const char *directive, bool senders, struct mailboxes *mailboxes)
{
    const char *expected = senders ? "@DOMAIN, <> or /REGEX/" : "@DOMAIN, /REGEX/ or table:NAME";
    struct address address;
    struct word word;

    if (!word_take(p, &word)) {
        fail(p, word.column, "the line ends too early, expected an address, %s", expected);
        return;
    }
    if (word.odd && envelope_mailbox(word.text, &address))
        word_doubt(p, &word);
    else if (!word_check(p, &word))
        return;
    mailboxes->text = mailboxes->canonical = word.text;
    if (is_expression(word.text)) {
        mailboxes->kind = MAILBOXES_PATTERN;
        mailboxes->pattern = take_pattern(p, word, directive);
    } else if (word.text.len >= 1 && word.text.text[0] == '@') {
        mailboxes->kind = MAILBOXES_DOMAIN;
        mailboxes->text = (struct slice){ word.text.text + 1, word.text.len - 1 };
        mailboxes->canonical = value_domain(p, mailboxes->text, word.column + 1, true, "example.com");
        if (p->failed)
            advise_glob(p, word.text);
    } else if (senders && word_is(word, "<>")) {
        mailboxes->kind = MAILBOXES_NULL;
    } else if (!senders && !p->failed && (mailboxes->table = table_of_word(p, word)) != NULL) {
        mailboxes->kind = MAILBOXES_TABLE;
    } else if (envelope_mailbox(word.text, &address)) {
        doubt_quotes(p, &word, &address);
        mailboxes->canonical = take_address(p, &word, &address);
    } else if (!p->failed) {
        fail(p, word.column, "'%.*s' is not an address, expected user@example.com, %s", (int)word.text.len, word.text.text,
             expected);
        advise_glob(p, word.text);
    }
}

/* ---- conditions ---------------------------------------------------------------------------- */

static const struct condition *condition_of(const struct rule *rule, enum condition_kind kind)
{
    const struct condition *c = rule->conditions;

    while (c != NULL && c->kind != kind)
        c = c->next;
    return c;
}

/* Adds a condition behind the others. */
static struct condition *add_condition(struct parser *p, struct rule *rule, enum condition_kind kind, unsigned column)
{
    struct condition *condition = memory_take(p->conf, sizeof *condition), **end = &rule->conditions;

    while (*end != NULL)
        end = &(*end)->next;
    *end = condition;
    condition->kind = kind;
    condition->column = column;
    return condition;
}

static void take_group(struct parser *p, struct rule *rule, enum condition_kind kind)
{
    struct word word;

    if (word_need_name(p, &word, "the name of a group"))
        add_condition(p, rule, kind, word.column)->group = client_group(p->conf, word.text);
}

static void parse_group_condition(struct parser *p, struct word word, struct rule *rule)
{
    (void)word;
    take_group(p, rule, CONDITION_GROUP);
}

static void parse_not_condition(struct parser *p, struct word word, struct rule *rule)
{
    (void)word;
    if (word_need_exactly(p, "allowgroup"))
        take_group(p, rule, CONDITION_NOT_GROUP);
}

static void parse_tls_condition(struct parser *p, struct word word, struct rule *rule)
{
    if (condition_of(rule, CONDITION_TLS) == NULL)
        (void)add_condition(p, rule, CONDITION_TLS, word.column);
}

static bool is_user(struct word word);

/* auth, auth NAME: a word that may stand behind auth is no name, unless it is in quotes. */
static void parse_auth_condition(struct parser *p, struct word word, struct rule *rule)
{
    struct condition *condition;
    struct word user;

    if (condition_of(rule, CONDITION_AUTH) != NULL) {
        fail(p, word.column, "a second 'auth', expected one for each line");
        return;
    }
    condition = add_condition(p, rule, CONDITION_AUTH, word.column);
    if (!word_next_if(p, &user, is_user))
        return;
    condition->text = user.text;
    condition->column = user.column;
    if (user.text.len == 0)
        fail(p, user.column, "an empty word, expected the name of a user");
}

static void parse_from_condition(struct parser *p, struct word word, struct rule *rule)
{
    struct condition *condition = add_condition(p, rule, CONDITION_FROM, word.column);

    condition->from = memory_take(p->conf, sizeof *condition->from);
    word_skip_blanks(p);
    condition->column = parser_column(p);
    mailboxes_parse(p, "from", true, condition->from);
}

static void parse_helo_condition(struct parser *p, struct word word, struct rule *rule)
{
    struct pattern *pattern = expression_parse(p, "helo");

    (void)word;
    if (pattern != NULL)
        add_condition(p, rule, CONDITION_HELO, pattern->column)->pattern = pattern;
}

static void parse_port_condition(struct parser *p, struct word word, struct rule *rule)
{
    uint64_t port = 0;

    if (condition_of(rule, CONDITION_PORT) != NULL)
        fail(p, word.column, "a second 'port', expected one for each line");
    if (!p->failed && word_need(p, &word, "the number of a port") && value_number(p, word, UINT16_MAX, &port))
        add_condition(p, rule, CONDITION_PORT, word.column)->port = (unsigned)port;
}

static void parse_once_option(struct parser *p, struct word word, struct rule *rule)
{
    if (rule->kind == RULE_REFUSE)
        fail(p, word.column, "'once' is about deliveries, which 'refuse' has none of");
    rule->target.once = true;
}

void conditions_parse_groups(struct parser *p, struct rule *rule)
{
    static const char expected[] = "'for allowgroup' or 'not allowgroup'";
    struct word word;

    while (!p->failed && word_next(p, &word)) {
        const bool not = word_is(word, "not");

        if (!not && !word_is(word, "for"))
            fail(p, word.column, "unexpected '%.*s', expected %s", (int)word.text.len, word.text.text, expected);
        else if (word_need_exactly(p, "allowgroup"))
            take_group(p, rule, not ? CONDITION_NOT_GROUP : CONDITION_GROUP);
    }
}

static const struct {
    struct slice word;
    void (*parse)(struct parser *p, struct word word, struct rule *rule);
} conditions[] = {
    { SLICE("allowgroup"), parse_group_condition },
    { SLICE("auth"), parse_auth_condition },
    { SLICE("tls"), parse_tls_condition },
    { SLICE("not"), parse_not_condition },
    { SLICE("from"), parse_from_condition },
    { SLICE("helo"), parse_helo_condition },
    { SLICE("port"), parse_port_condition },
    { SLICE("once"), parse_once_option },
};

enum { CONDITION_WORDS = sizeof conditions / sizeof conditions[0] };

static size_t condition_index(struct word word)
{
    size_t i = 0;

    while (i < CONDITION_WORDS && !slice_equal(word.text, conditions[i].word))
        i++;
    return i;
}

static bool is_user(struct word word)
{
    return word.quoted || (condition_index(word) == CONDITION_WORDS && !word_is(word, "rcpt_to") && !target_is_option(word));
}

void conditions_parse(struct parser *p, struct rule *rule)
{
    static const char expected[] = "a condition ('allowgroup', 'not allowgroup', 'auth', 'tls', 'from', 'helo', 'port') or "
                                   "'rcpt_to'";
    struct word word;

    while (!p->failed && word_need(p, &word, expected)) {
        size_t i = condition_index(word);

        if (word_is(word, "rcpt_to"))
            return;
        if (i < CONDITION_WORDS)
            conditions[i].parse(p, word, rule);
        else if (rule->kind == RULE_REFUSE || !target_option(p, word, &rule->target))
            fail(p, word.column, "unexpected '%.*s', expected %s", (int)word.text.len, word.text.text, expected);
    }
}
