/* lint_reach.c - lines that are never reached, groups that nobody is asked for, postmasters who get no mail */
#include "admin/lint.h"

#include <string.h>

#include "patterns/regex_lint.h"
#include "rules/rewrite.h"

/* Adds a warning to a configuration: line, column, format. */
#define warn(conf, ...) conf_complain(conf, SEVERITY_WARNING, __VA_ARGS__)

/* ---- order ------------------------------------------------------------------------------- */

static bool has_auth(const struct conf *conf)
{
    return (conf->client.auth != AUTH_OFF && (conf->client.tls != TLS_OFF || conf->client.auth_insecure)) ||
           !patterns_none(&conf->rules.groups.speakers[TOLD_XCLIENT]); /* which has LOGIN= */
}

/* Is there such a condition in the line? */
static bool wants(const struct rule *rule, const struct condition *wanted)
{
    const struct condition *c = rule->conditions;

    while (c != NULL && !condition_same(c, wanted))
        c = c->next;
    return c != NULL;
}

/* Why no client can meet a condition of a rule; NULL: one may. */
static const char *impossible_condition(const struct conf *conf, const struct rule *rule, const struct condition *c)
{
    const struct condition opposite = { .kind = CONDITION_NOT_GROUP, .group = c->group };

    if (c->kind == CONDITION_TLS && conf->client.tls == TLS_OFF)
        return "it wants TLS, and tls is off";
    if (c->kind == CONDITION_AUTH && !has_auth(conf))
        return "it wants a password, and AUTH is never offered";
    if (c->kind == CONDITION_GROUP && wants(rule, &opposite))
        return "it wants a client to be in a group, and not to be in it";
    return NULL;
}

static const char *impossible(const struct conf *conf, const struct rule *rule)
{
    const char *why = NULL;

    for (const struct condition *c = rule->conditions; c != NULL && why == NULL; c = c->next)
        why = impossible_condition(conf, rule, c);
    return why;
}

/* Does every client that meets the conditions of `rule` meet this one, which is of another rule? */
static bool is_met(const struct conf *conf, const struct rule *rule, const struct condition *condition)
{
    if (condition->kind == CONDITION_TLS && (conf->client.tls == TLS_REQUIRED || conf->client.tls == TLS_IMPLICIT))
        return true;
    if (condition->kind == CONDITION_AUTH && condition->text.len == 0 && conf->client.auth == AUTH_REQUIRED)
        return patterns_none(&conf->rules.groups.speakers[TOLD_XFORWARD]); /* it was the peer that has said who it is */
    for (const struct condition *c = rule->conditions; c != NULL; c = c->next)
        if (condition_same(c, condition) || (c->kind == CONDITION_AUTH && condition->kind == CONDITION_AUTH &&
                                             condition->text.len == 0))
            return true;
    return false;
}

/* Does every client that meets the conditions of `later` meet those of `earlier`? */
static bool asks_no_more(const struct conf *conf, const struct rule *earlier, const struct rule *later)
{
    for (const struct condition *c = earlier->conditions; c != NULL; c = c->next)
        if (!is_met(conf, later, c))
            return false;
    return true;
}

/* The domain in what a rule names; empty for a pattern or a table. */
static struct slice domain_in(const struct rule *rule, struct slice rcpt)
{
    const char *at = rule->rcpt.kind == MAILBOXES_ADDRESS ? memrchr(rcpt.text, '@', rcpt.len) : NULL;

    if (rule->rcpt.kind == MAILBOXES_PATTERN || rule->rcpt.kind == MAILBOXES_TABLE)
        return (struct slice){ "", 0 };
    return at == NULL ? rcpt : (struct slice){ at + 1, rcpt.len - (size_t)(at + 1 - rcpt.text) };
}

/* In the form that is compared. */
static struct slice domain_of(const struct rule *rule)
{
    return domain_in(rule, rule->rcpt.canonical);
}

/* Does `earlier` name all recipients that `later` names, which for MAILBOXES_ADDRESS is `address`? No where that is
 * hard to say. */
static bool names_all(const struct conf *conf, const struct rule *earlier, const struct rule *later,
                      const struct address *address)
{
    if (earlier->rcpt.kind == MAILBOXES_PATTERN && regex_lint_is_any(earlier->rcpt.pattern->text))
        return true;
    if (earlier->rcpt.kind == MAILBOXES_TABLE)
        return later->rcpt.table == earlier->rcpt.table; /* nobody asks it here */
    if (earlier->rcpt.kind == MAILBOXES_DOMAIN)
        return slice_equal_nocase(earlier->rcpt.canonical, domain_of(later));
    if (earlier->rcpt.kind == MAILBOXES_ADDRESS && conf->rules.delimiters.len == 0) /* most pairs of a long file */
        return later->rcpt.kind == MAILBOXES_ADDRESS && slice_equal_nocase(earlier->rcpt.canonical, later->rcpt.canonical);
    if (later->rcpt.kind == MAILBOXES_ADDRESS)
        return rules_names(&conf->rules, earlier, address) == MATCH_YES;
    return earlier->rcpt.kind == MAILBOXES_PATTERN && later->rcpt.kind == MAILBOXES_PATTERN &&
           slice_equal(earlier->rcpt.pattern->text, later->rcpt.pattern->text);
}

static unsigned column_of(const struct conf *conf, const struct rule *rule)
{
    return rule->rcpt.kind == MAILBOXES_PATTERN ? rule->rcpt.pattern->column : conf_column_of(conf, rule->line, rule->rcpt.text);
}

static void complain_unreachable(struct conf *conf, const struct rule *rule, const struct rule *by)
{
    static const char *const verbs[RULES][2] = { [RULE_DELIVER] = { "takes", "take" }, [RULE_REFUSE] = { "refuses", "refuse" } };
    const char *where = conf_line_text(conf, by->line, rule->line);

    warn(conf, rule->line, column_of(conf, rule), "this line is never reached: %s %s all the mail that it could %s", where,
         verbs[by->kind][0], verbs[rule->kind][1]);
    conf_advise(conf, "move it above %s, or take it out", where);
}

/* 1.x used the last of several lines for one address. */
static void note_repeated(struct conf *conf, const struct rule *rule, unsigned first)
{
    conf_complain(conf, SEVERITY_NOTE, rule->line, column_of(conf, rule),
                  "%.*s has a rule on %s, too: the first one that accepts the client decides", (int)rule->rcpt.text.len,
                  rule->rcpt.text.text, conf_line_text(conf, first, rule->line));
}

static void lint_rule(struct conf *conf, const struct rule *rule)
{
    const char *why = impossible(conf, rule);
    struct address address = { .len = 0 };
    unsigned repeated = 0;

    if (why != NULL) {
        warn(conf, rule->line, conf_column_of(conf, rule->line, (struct slice){ NULL, 0 }),
             "this line is never reached: %s", why);
        return;
    }
    if (rule->rcpt.kind == MAILBOXES_ADDRESS)
        (void)envelope_mailbox(rule->rcpt.canonical, &address); /* it was parsed before */
    for (const struct rule *r = conf->rules.first_rule; r != rule && rule->kind != RULE_ALSO; r = r->next) {
        if (r->kind == RULE_ALSO)
            continue;
        if (asks_no_more(conf, r, rule) && impossible(conf, r) == NULL && names_all(conf, r, rule, &address)) {
            complain_unreachable(conf, rule, r);
            return;
        }
        if (repeated == 0 && r->kind == rule->kind && r->rcpt.kind == MAILBOXES_ADDRESS && rule->rcpt.kind == MAILBOXES_ADDRESS &&
            slice_equal_nocase(r->rcpt.canonical, rule->rcpt.canonical))
            repeated = r->line;
    }
    if (repeated > 0)
        note_repeated(conf, rule, repeated);
}

static void lint_refusals(struct conf *conf)
{
    for (const struct refusal *r = conf->rules.first_refusal; r != NULL; r = r->next)
        for (const struct refusal *e = conf->rules.first_refusal; e != r; e = e->next)
            if (regex_lint_is_any(e->pattern.text) || slice_equal(e->pattern.text, r->pattern.text)) {
                warn(conf, r->pattern.line, r->pattern.column,
                     "this line is never reached: %s refuses all that it could refuse",
                     conf_line_text(conf, e->pattern.line, r->pattern.line));
                conf_advise(conf, "move it above %s, or take it out",
                            conf_line_text(conf, e->pattern.line, r->pattern.line));
                break;
            }
}

static void lint_deny(struct conf *conf)
{
    for (const struct pattern *p = conf->rules.groups.deny.first; p != NULL; p = p->next)
        if (regex_lint_is_any(p->text))
            warn(conf, p->line, p->column, "nobody can connect: this denies all hosts");
}

/* ---- groups ------------------------------------------------------------------------------ */

static bool wants_group(const struct rule *rule, const struct allowgroup *group)
{
    const struct condition *c = rule->conditions;

    while (c != NULL && ((c->kind != CONDITION_GROUP && c->kind != CONDITION_NOT_GROUP) || c->group != group))
        c = c->next;
    return c != NULL;
}

static bool is_used(const struct conf *conf, const struct allowgroup *group)
{
    for (const struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        if (wants_group(r, group))
            return true;
    for (const struct milter *m = conf->handlers.first_milter; m != NULL; m = m->next)
        if (wants_group(&m->clients, group))
            return true;
    for (const struct bypass *b = conf->rules.groups.bypasses; b != NULL; b = b->next)
        if (b->group == group)
            return true;
    return false;
}

static void lint_group(struct conf *conf, const struct allowgroup *group)
{
    const struct certificate *c = group->certificates;

    if (c != NULL && (conf->client.tls == TLS_OFF || conf->client.tls_client_ca.len == 0)) {
        warn(conf, c->line, conf_column_of(conf, c->line, group->name),
             "no client is ever a member by this: none is asked for a certificate");
        conf_advise(conf, "write: %stls.client_ca PATH",
                    conf->client.tls == TLS_OFF ? "tls optional, tls.cert PATH, tls.key PATH and " : "");
    }
    if (is_used(conf, group))
        return;
    warn(conf, group->line, conf_column_of(conf, group->line, group->name), "no line is for this group");
    conf_advise(conf, "write: deliver allowgroup %.*s rcpt_to ..., or take the group out", (int)group->name.len,
                group->name.text);
}

/* ---- postmaster -------------------------------------------------------------------------- */

/* Is it a line that takes mail, with a table that only the user who serves may ask? */
static bool is_service_line(const struct rule *rule)
{
    return rule->kind == RULE_DELIVER && rule->rcpt.table != NULL && rule->rcpt.table->kind != TABLE_FILE;
}

const struct rule *lint_service_line(const struct conf *conf)
{
    const struct rule *rule = conf->rules.first_rule;

    while (rule != NULL && !is_service_line(rule))
        rule = rule->next;
    return rule;
}

/* Perhaps: a table may not answer. */
static bool reaches_somebody(struct conf *conf, const char *text, bool services)
{
    struct address address = { .len = 0 };
    const struct rewrite *by;

    if (strchr(text, '@') == NULL) { /* the bare one: given without a domain */
        (void)memcpy(address.text, text, strlen(text) + 1);
        address.len = address.local_len = (uint16_t)strlen(text);
    } else if (!envelope_mailbox(slice_of(text), &address)) {
        return true; /* too long to be asked for */
    }
    (void)rewrite_address(&conf->rules, REWRITE_RECIPIENT, &address, &by);
    for (const struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        if (r->kind == RULE_DELIVER && (services || !is_service_line(r)) &&
            rules_names(&conf->rules, r, &address) != MATCH_NO)
            return true;
    return false;
}

static bool is_first_of_domain(const struct conf *conf, const struct rule *rule)
{
    for (const struct rule *r = conf->rules.first_rule; r != rule; r = r->next)
        if (r->kind == RULE_DELIVER && slice_equal_nocase(domain_of(r), domain_of(rule)))
            return false;
    return domain_of(rule).len > 0;
}

/* Where strangers cannot send anything, nobody will write to a postmaster; where all mail is taken, it takes that, too. */
static bool needs_postmaster(const struct conf *conf)
{
    return conf->rules.first_rule != NULL && conf->delivery.deadletter_file.len == 0 && conf->client.auth != AUTH_REQUIRED;
}

/* RFC 5321 4.5.1: whoever takes mail for a domain takes that for its postmaster, and that for a bare <postmaster>. */
struct lint_postmasters lint_find_postmasters(struct conf *conf, bool services)
{
    struct lint_postmasters missing = { .first = NULL };
    char address[ADDRESS_MAX + 16];

    if (!needs_postmaster(conf))
        return missing;
    for (const struct rule *r = conf->rules.first_rule; r != NULL; r = r->next) {
        if (r->kind != RULE_DELIVER || !is_first_of_domain(conf, r))
            continue;
        (void)snprintf(address, sizeof address, "postmaster@%.*s", (int)domain_of(r).len, domain_of(r).text);
        if (reaches_somebody(conf, address, services))
            continue;
        missing.others += missing.first != NULL;
        missing.first = missing.first == NULL ? r : missing.first;
    }
    missing.bare = missing.first == NULL && !reaches_somebody(conf, "postmaster", services);
    return missing;
}

bool lint_lacks_postmaster(const struct lint_postmasters *missing)
{
    return missing->first != NULL || missing->bare;
}

void lint_tell_postmasters(struct conf *conf, const struct lint_postmasters *missing)
{
    const struct rule *first = missing->first;
    const struct conf_place place = conf_place_of(conf, "domain", conf->rules.domain);

    if (first != NULL)
        warn(conf, first->line, conf_column_of(conf, first->line, domain_in(first, first->rcpt.text)),
             "nobody gets mail for postmaster@%.*s%s, which every domain must take (RFC 5321 4.5.1)",
             (int)domain_of(first).len, domain_of(first).text, missing->others > 0 ? " and other postmasters" : "");
    else if (missing->bare)
        warn(conf, place.line, place.column, "nobody gets mail for <postmaster>, which is "
             "postmaster@%.*s and every server must take (RFC 5321 4.5.1)", (int)conf->rules.domain.len,
             conf->rules.domain.text);
    else
        return;
    conf_advise(conf, LINT_POSTMASTER_LINE);
}

void lint_reach(struct conf *conf)
{
    struct lint_postmasters missing;

    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        lint_rule(conf, rule);
    lint_refusals(conf);
    lint_deny(conf);
    for (const struct allowgroup *g = conf->rules.groups.first_group; g != NULL; g = g->next)
        lint_group(conf, g);
    missing = lint_find_postmasters(conf, false);
    if (lint_service_line(conf) == NULL)
        lint_tell_postmasters(conf, &missing);
}
