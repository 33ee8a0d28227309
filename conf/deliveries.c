/* deliveries.c - lines about recipients: deliver, refuse, also, error */
#include "conf/parser.h"

/* Is there a group, which has to be defined? */
static bool names_group(const struct rule *rule)
{
    const struct condition *c = rule->conditions;

    while (c != NULL && c->kind != CONDITION_GROUP && c->kind != CONDITION_NOT_GROUP)
        c = c->next;
    return c != NULL;
}

/* Conditions and recipient, up to what becomes of the mail. */
static struct rule *begin_rule(struct parser *p, enum rule_kind kind)
{
    static const char *const directives[RULES] = { [RULE_DELIVER] = "deliver rcpt_to", [RULE_REFUSE] = "refuse rcpt_to",
                                                   [RULE_ALSO] = "also rcpt_to" };
    struct rule *rule = memory_take(p->conf, sizeof *rule);

    rule->kind = kind;
    rule->line = p->number;
    conditions_parse(p, rule);
    if (!p->failed)
        mailboxes_parse(p, directives[kind], false, &rule->rcpt);
    rule->target.takes_value = rule->rcpt.kind == MAILBOXES_TABLE;
    return rule;
}

static void add_rule(struct parser *p, struct rule *rule)
{
    if (p->failed && !names_group(rule))
        return;
    /* a line with a mistake stays in the list, so that its group is looked up all the same */
    *p->conf->rules.last_rule = rule;
    p->conf->rules.last_rule = &rule->next;
}

/* deliver [CONDITION...] [once] rcpt_to RECIPIENT TARGET */
void parse_deliver(struct parser *p, const struct keyword *k, void *value)
{
    struct rule *rule = begin_rule(p, RULE_DELIVER);

    (void)k;
    (void)value;
    target_parse(p, &rule->target);
    add_rule(p, rule);
}

/* also [CONDITION...] [once] rcpt_to RECIPIENT TARGET */
void parse_also(struct parser *p, const struct keyword *k, void *value)
{
    struct rule *rule = begin_rule(p, RULE_ALSO);

    (void)k;
    (void)value;
    target_parse(p, &rule->target);
    add_rule(p, rule);
    p->conf->rules.also_count++;
}

/* refuse [CONDITION...] rcpt_to RECIPIENT CODE TEXT */
void parse_refuse(struct parser *p, const struct keyword *k, void *value)
{
    struct rule *rule = begin_rule(p, RULE_REFUSE);
    struct reply *reply = memory_take(p->conf, sizeof *reply);
    struct word word;

    (void)value;
    if (!p->failed && word_need(p, &word, "a reply code"))
        value_reply(p, word, slice_of(k->status), reply);
    rule->reply = reply;
    add_rule(p, rule);
}

/* REGEX, table:NAME */
static bool parse_refused(struct parser *p, struct refusal *refusal)
{
    struct word word;

    if (!word_need(p, &word, "a regular expression or table:NAME"))
        return false;
    refusal->table = table_of_word(p, word);
    if (refusal->table != NULL)
        refusal->pattern = (struct pattern){ .text = word.text, .line = p->number, .column = word.column }; /* for messages */
    else if (!p->failed)
        value_set_pattern(p, word, "error rcpt_to", true, &refusal->pattern);
    return !p->failed;
}

/* error rcpt_to REGEX CODE TEXT, error rcpt_to table:NAME CODE TEXT */
void parse_error(struct parser *p, const struct keyword *k, void *value)
{
    struct refusal *refusal = memory_take(p->conf, sizeof *refusal);
    struct word word;

    (void)value;
    if (!word_need_exactly(p, "rcpt_to") || !parse_refused(p, refusal) || !word_need(p, &word, "a reply code"))
        return;
    value_reply(p, word, slice_of(k->status), &refusal->reply);
    *p->conf->rules.last_refusal = refusal;
    p->conf->rules.last_refusal = &refusal->next;
}
