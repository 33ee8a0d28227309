/* load.c - the file to struct conf: line by line, defaults, what one directive needs of others */
#include "conf/parser.h"

#include <limits.h>
#include <unistd.h>

#include "delivery/statuses.h"
#include "stores/redis_place.h"

static bool check_bytes(struct parser *p)
{
    const char *nul = memchr(p->line.text, '\0', p->line.len);

    if (nul != NULL)
        fail(p, (unsigned)(nul - p->line.text) + 1, "a NUL byte, expected text");
    return nul == NULL;
}

static void parse_line(struct parser *p, unsigned seen[])
{
    const struct keyword *k;
    struct word word;
    bool begins;
    size_t i;

    p->at = 0;
    p->failed = p->misread = false;
    begins = word_take(p, &word);
    if (!begins && p->at < p->line.len && p->line.text[p->line.len - 1] == '\\')
        lines_doubt_comment(p);
    if (p->lines->open)
        lines_fail_open(p);
    if (p->misread || (p->has_nul && !check_bytes(p)) || !begins || !word_check(p, &word))
        return;
    i = keywords_find(word.text);
    if (i == keywords_count()) {
        keywords_fail_unknown(p, word);
        return;
    }
    k = keywords_row(i);
    if (k->order > 0 && seen[i] > 0 && k->kind != KEYWORD_WORDS)
        conf_complain(p->conf, SEVERITY_WARNING, p->number, word.column,
                      "'%s' stands twice (first on %s), the last one wins", k->name,
                      conf_line_text(p->conf, seen[i], p->number));
    seen[i] = p->number;
    keywords_parse(p, k, keywords_value(p->conf, i));
}

static void set_default(const struct keyword *k, void *value, void *context)
{
    struct parser *p = context;

    p->line = slice_of(k->default_text); /* without backslashes */
    p->at = 0;
    if (p->line.len > 0)
        keywords_parse(p, k, value);
}

static void set_defaults(struct parser *p)
{
    keywords_each(p->conf, set_default, p);
    p->conf->rules.last_rule = &p->conf->rules.first_rule;
    p->conf->rules.last_refusal = &p->conf->rules.first_refusal;
    for (enum rewritten i = 0; i < REWRITTEN; i++)
        p->conf->rules.last_rewrite[i] = &p->conf->rules.first_rewrite[i];
    p->conf->rules.groups.last_group = &p->conf->rules.groups.first_group;
    p->conf->handlers.last_policy = &p->conf->handlers.first_policy;
    p->conf->tables.last = &p->conf->tables.first;
    p->conf->tables.sources = p->conf->sources;
    p->conf->handlers.last_milter = &p->conf->handlers.first_milter;
    p->conf->handlers.last_macro = &p->conf->handlers.first_macro;
    p->conf->rules.groups.last_list = &p->conf->rules.groups.lists;
    p->conf->rules.groups.sources = p->conf->sources;
}

static void set_host_name(struct conf *conf)
{
    char name[DOMAIN_MAX + 1] = "";
    char *copy;

    if (gethostname(name, sizeof name - 1) != 0 || !envelope_domain(slice_of(name)))
        (void)snprintf(name, sizeof name, "localhost");
    copy = memory_take(conf, strlen(name) + 1);
    memcpy(copy, name, strlen(name) + 1);
    conf->rules.domain = slice_of(copy);
}

static void set_greeting(struct conf *conf)
{
    const struct slice tail = slice_of(session_lmtp(&conf->session) ? " LMTP mailrecv" : " ESMTP mailrecv");
    size_t len = conf->rules.domain.len;
    char *text = memory_take(conf, len + tail.len);

    memcpy(text, conf->rules.domain.text, len);
    memcpy(text + len, tail.text, tail.len);
    conf->session.greeting = (struct slice){ text, len + tail.len };
}

static void complain_missing(struct conf *conf, const char *keyword, const char *missing)
{
    conf_complain(conf, SEVERITY_ERROR, conf_line_of(conf, keyword), 1, "'%s' is on, expected %s as well", keyword,
                  missing);
}

/* What looks at the name of HELO is got around by saying none. */
static void check_helo_need(struct conf *conf, const struct limit *check)
{
    if (check->value == 0 || conf->session.helo_required.value != 0)
        return;
    conf_complain(conf, SEVERITY_WARNING, check->line, 1, "a client that says no HELO is not checked");
    conf_advise(conf, "write: limit.helo_required on");
}

/* The n-th tls.key belongs to the n-th tls.cert; what a lone one belongs to nobody knows. */
static void check_pairs(struct conf *conf)
{
    for (size_t i = 1; i < KEYWORD_LINES; i++) {
        struct slice cert = conf->client.tls_cert[i], key = conf->client.tls_key[i];
        const char *lone = cert.len > 0 ? "tls.cert" : "tls.key", *other = cert.len > 0 ? "tls.key" : "tls.cert";
        struct conf_place place;

        if ((cert.len > 0) == (key.len > 0))
            continue;
        place = conf_place_of(conf, lone, cert.len > 0 ? cert : key);
        conf_complain(conf, SEVERITY_ERROR, place.line, place.column, "a second %s, expected a second %s as well", lone,
                      other);
    }
}

/* The path of a file that others write, too, or where Redis is. */
static void check_store(struct conf *conf, const char *keyword, struct slice path)
{
    const struct conf_place place = conf_place_of(conf, keyword, path);
    struct redis_place redis;
    const char *wrong = redis_place_is(path) ? redis_place_parse(path, &redis) : NULL;

    if (path.len >= PATH_MAX)
        conf_complain(conf, SEVERITY_ERROR, place.line, 1, "the path is too long, expected at most %d bytes",
                      PATH_MAX - 1);
    if (wrong != NULL) {
        conf_complain(conf, SEVERITY_ERROR, place.line, place.column, "'%.*s' is no place of Redis: %s", (int)path.len, path.text,
                      wrong);
        conf_advise(conf, "write redis:HOST:PORT, or redis:/SOCKET, or rediss:HOST:PORT with TLS; each may have /DB behind it");
    }
}

/* What one directive needs of others. */
static void check_needs(struct conf *conf)
{
    if (conf->client.tls != TLS_OFF && conf->client.tls_cert[0].len == 0)
        complain_missing(conf, "tls", "tls.cert");
    if (conf->client.tls != TLS_OFF && conf->client.tls_key[0].len == 0)
        complain_missing(conf, "tls", "tls.key");
    check_pairs(conf);
    if (conf->client.auth != AUTH_OFF && conf->client.auth_users.len == 0 && conf->client.auth_command.path.len == 0)
        complain_missing(conf, "auth", "auth.users or auth.command");
    check_helo_need(conf, &conf->client.helo_dns_check);
    check_helo_need(conf, &conf->client.helo_syntax_check);
    check_store(conf, "lockout.db", conf->client.lockout_db);
    check_store(conf, "ledger", conf->delivery.ledger);
    if (conf->client.auth_users.len > 0 && conf->client.auth_command.path.len > 0)
        conf_complain(conf, SEVERITY_WARNING, conf_line_of(conf, "auth.command"), 1,
                      "both auth.users and auth.command: auth.command is asked");
}

static void check_defined(struct conf *conf, const struct allowgroup *group, unsigned line, unsigned column)
{
    if (group != NULL && !group->defined)
        conf_complain(conf, SEVERITY_ERROR, line, column,
                      "there is no group '%.*s', expected one that an allowgroup line defines",
                      (int)group->name.len, group->name.text);
}

/* A limit that the file does not set allows as much as one that is above it: who raised that one meant it. */
static void raise_limit(struct limit *limit, const struct limit *other)
{
    if (other->value > limit->value && limit->line == 0)
        limit->value = other->value;
}

/* HELO and EHLO are unknown there. */
static void set_lmtp_texts(struct conf *conf)
{
    struct slice *text = &conf->session.helo_required.reply.text;

    if (slice_equal(*text, slice_of("Say HELO or EHLO first")))
        *text = slice_of("Say LHLO first");
}

/* What could not be known while the lines were read. */
static void resolve_settings(struct conf *conf)
{
    if (session_lmtp(&conf->session))
        set_lmtp_texts(conf);
    raise_limit(&conf->session.smtp_refused_rcpts, &conf->session.smtp_failcmds);
    raise_limit(&conf->session.smtp_undelivered, &conf->session.smtp_failcmds);
    raise_limit(&conf->session.smtp_undelivered, &conf->session.smtp_commands);
    check_needs(conf);
    if (conf->rules.domain.len == 0)
        set_host_name(conf);
    if (conf->session.greeting.len == 0)
        set_greeting(conf);
    if (conf->delivery.deadletter_file.len > 0) {
        conf->dead_letter.target = (struct target){ .kind = TARGET_APPEND, .text = conf->delivery.deadletter_file };
        conf->rules.dead_letter = &conf->dead_letter;
    }
    conf->rules.groups.need_fcrdns = conf->client.fcrdns_check.value != 0;
    conf->rules.groups.fcrdns = conf->client.fcrdns_check.reply;
    conf->session.smtp_rcpt_to.reply.counts = COUNTS_NOT;
}

static void resolve_groups(struct conf *conf)
{
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        for (const struct condition *c = rule->conditions; c != NULL; c = c->next)
            if (c->kind == CONDITION_GROUP || c->kind == CONDITION_NOT_GROUP)
                check_defined(conf, c->group, rule->line, c->column);
    for (const struct bypass *b = conf->rules.groups.bypasses; b != NULL; b = b->next)
        check_defined(conf, b->group, b->line, b->group_column);
}

static void resolve_statuses(struct conf *conf)
{
    for (const struct statuses *s = conf->delivery.statuses; s != NULL; s = s->next)
        if (!s->defined)
            conf_complain(conf, SEVERITY_ERROR, s->line, s->column,
                          "there is no status line '%.*s', expected one, or sysexits, qmail or postfix",
                          (int)s->name.len, s->name.text);
}

/* Of another file, or another stretch of lines of one: are there NUL bytes in it? */
static void look_into(struct parser *p, const struct source *source)
{
    p->has_nul = source->text.len > 0 && memchr(source->text.text, '\0', source->text.len) != NULL;
}

static void parse_lines(struct conf *conf)
{
    struct lines lines = lines_of(conf);
    struct parser p = { .conf = conf, .lines = &lines };
    unsigned *seen = memory_take(conf, keywords_count() * sizeof *seen); /* where each stands */
    const struct source *source = NULL;

    while (lines_next(&lines, &p.line)) {
        if (lines.source != source)
            look_into(&p, source = lines.source);
        p.number = lines.number;
        if (lines.goes_on)
            p.line = lines_fold(conf, p.line);
        parse_line(&p, seen);
        client_networks(&p);
    }
    resolve_settings(conf);
    resolve_groups(conf);
    resolve_statuses(conf);
    tables_resolve(conf);
}

static void begin(struct conf *conf, const char *path)
{
    struct parser p = { .conf = conf };

    *conf = (struct conf){ .path = path };
    conf->sources = memory_take(conf, sizeof *conf->sources);
    *conf->sources = (struct source){ .path = path, .text = { "", 0 }, .first = 1, .local = 1 };
    set_defaults(&p);
}

void conf_parse(struct conf *conf, const char *path, struct slice text)
{
    begin(conf, path);
    conf->sources->text = file_unmarked(text);
    parse_lines(conf);
}

void conf_load(struct conf *conf, const char *path)
{
    const char *why;

    begin(conf, path);
    why = file_read(conf, conf->sources);
    if (why != NULL)
        conf_complain(conf, SEVERITY_ERROR, 0, 0, "cannot be used: %s", why);
    else
        parse_lines(conf);
}
