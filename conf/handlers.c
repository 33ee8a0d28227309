/* handlers.c - lines about handlers: policy services, milters, and where mail is held */
#include "conf/parser.h"

#include "handlers/policy_request.h"

/* A stage, as a bit; 0: it is none, which is an error. */
static unsigned stage_bit(struct parser *p, struct slice name, unsigned column)
{
    for (unsigned i = 0; i < POLICY_STAGES; i++)
        if (slice_equal(name, slice_of(policy_stages[i])))
            return 1U << i;
    fail(p, column, "'%.*s' is no stage, expected connect, helo, mail, rcpt, data or end, with commas between them",
         (int)name.len, name.text);
    return 0;
}

/* rcpt,data */
static unsigned parse_stages(struct parser *p, struct word word)
{
    unsigned stages = 0;
    size_t at = 0;

    while (!p->failed && at <= word.text.len) {
        const char *begin = word.text.text + at, *comma = memchr(begin, ',', word.text.len - at);
        const size_t len = comma != NULL ? (size_t)(comma - begin) : word.text.len - at;

        stages |= stage_bit(p, (struct slice){ begin, len }, conf_column(p->conf, p->number, word.column, at));
        at += len + 1;
    }
    return stages;
}

bool place_parse(struct parser *p, struct word word, const char *others, struct where *where)
{
    const char *wrong = where_parse(word.text, where);

    if (wrong != NULL)
        fail(p, word.column, "'%.*s' is no place of a service: %s; expected unix:PATH, HOST:PORT%s [ADDRESS]:PORT%s", (int)word.text.len,
             word.text.text, wrong, others[0] != '\0' ? "," : " or", others);
    return wrong == NULL;
}

static void parse_service(struct parser *p, struct server *server)
{
    struct word word;

    server->kind = "policy";
    if (!word_need(p, &word, "the place of a service, or exec and a program"))
        return;
    if (word_is(word, "exec")) {
        parse_program(p, NULL, &server->program);
        server->name = server->program.path;
        return;
    }
    server->name = word.text;
    if (place_parse(p, word, " or exec PROGRAM", &server->where))
        word_need_end(p);
}

/* policy STAGES WHERE, policy STAGES exec PROGRAM ARG... */
void parse_policy(struct parser *p, const struct keyword *k, void *value)
{
    struct policy *policy = memory_take(p->conf, sizeof *policy);
    struct word word;

    (void)k;
    (void)value;
    if (!word_need(p, &word, "stages: connect, helo, mail, rcpt, data, end, with commas between them"))
        return;
    policy->line = p->number;
    policy->stages = parse_stages(p, word);
    if (!p->failed)
        parse_service(p, &policy->server);
    if (p->failed)
        return;
    *p->conf->handlers.last_policy = policy;
    p->conf->handlers.last_policy = &policy->next;
}

/* milter WHERE [for allowgroup NAME] [not allowgroup NAME] ... */
void parse_milter(struct parser *p, const struct keyword *k, void *value)
{
    struct milter *milter = memory_take(p->conf, sizeof *milter);
    struct word word;

    (void)k;
    (void)value;
    if (!word_need(p, &word, "the place of a milter"))
        return;
    milter->clients.line = p->number;
    milter->name = word.text;
    (void)place_parse(p, word, "", &milter->where);
    if (!p->failed)
        conditions_parse_groups(p, &milter->clients);
    if (p->failed)
        return;
    *p->conf->handlers.last_milter = milter;
    p->conf->handlers.last_milter = &milter->next;
}

static bool is_macro_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.text[i] <= ' ' || name.text[i] > '~' || name.text[i] == '{' || name.text[i] == '}')
            return false;
    return name.len > 0;
}

/* NAME=VALUE; braces around the name may be there. */
static void take_macro(struct parser *p, struct word word)
{
    const char *equals = memchr(word.text.text, '=', word.text.len);
    struct handler_settings *handlers = &p->conf->handlers;
    struct milter_macro *macro = memory_take(p->conf, sizeof *macro);
    struct slice name = { word.text.text, equals != NULL ? (size_t)(equals - word.text.text) : 0 };

    if (name.len >= 2 && name.text[0] == '{' && name.text[name.len - 1] == '}')
        name = (struct slice){ name.text + 1, name.len - 2 };
    if (!is_macro_name(name)) {
        fail(p, word.column, "'%.*s' is no macro, expected NAME=VALUE", (int)word.text.len, word.text.text);
        return;
    }
    macro->name = name;
    macro->value = (struct slice){ equals + 1, word.text.len - (size_t)(equals + 1 - word.text.text) };
    *handlers->last_macro = macro;
    handlers->last_macro = &macro->next;
    handlers->macro_bytes += macro->name.len + macro->value.len + 4; /* in braces, each ends with NUL */
    if (handlers->macro_bytes > MILTER_OWN_MACROS)
        fail(p, word.column, "all macros together have more than %d bytes", MILTER_OWN_MACROS);
}

/* milter.macros NAME=VALUE ... */
void parse_macros(struct parser *p, const struct keyword *k, void *value)
{
    struct word word;

    (void)k;
    (void)value;
    if (!word_need(p, &word, "NAME=VALUE"))
        return;
    do
        take_macro(p, word);
    while (!p->failed && word_next(p, &word));
}

/* quarantine append PATH, quarantine maildir DIRECTORY */
void parse_quarantine(struct parser *p, const struct keyword *k, void *value)
{
    struct quarantine *quarantine = value;
    struct word word;

    if (!word_need(p, &word, "append or maildir"))
        return;
    quarantine->maildir = word_is(word, "maildir");
    quarantine->line = p->number;
    if (!quarantine->maildir && !word_is(word, "append"))
        fail(p, word.column, "unexpected '%.*s', expected append or maildir", (int)word.text.len, word.text.text);
    else
        parse_word(p, k, &quarantine->path);
}
