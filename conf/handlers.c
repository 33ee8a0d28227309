/* handlers.c - lines about handlers: policy services, and where mail is held */
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

static void parse_service(struct parser *p, struct policy *policy)
{
    struct word word;
    const char *wrong;

    if (!word_need(p, &word, "the place of a service, or exec and a program"))
        return;
    if (word_is(word, "exec")) {
        parse_program(p, NULL, &policy->program);
        policy->name = policy->program.path;
        return;
    }
    policy->name = word.text;
    wrong = where_parse(word.text, &policy->where);
    if (wrong != NULL)
        fail(p, word.column, "'%.*s' is no place of a service: %s; expected unix:PATH, HOST:PORT, [ADDRESS]:PORT or exec PROGRAM",
             (int)word.text.len, word.text.text, wrong);
    else
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
        parse_service(p, policy);
    if (p->failed)
        return;
    *p->conf->handlers.last_policy = policy;
    p->conf->handlers.last_policy = &policy->next;
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
