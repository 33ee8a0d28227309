/* rules.c - the decisions: who may connect, which recipient is accepted, where its mail goes */
/*
 * rules_connect and rules_rcpt are the whole policy; what stands above them answers one question
 * each: does a pattern match a text, does a host match a list, does an address match a rule.
 * Every question has three answers, because a pattern may be broken or too expensive and DNS may
 * be down: then the client is told to try again, never yes and never no.
 */
#include "rules.h"

#include <stdio.h>

#include "dns/canonical.h"
#include "rules/index.h"

static const struct reply no_objection = { .code = 0 };
static const struct reply host_refused = REPLY(554, "7.1", "Connections from your host are not accepted");
static const struct reply host_unsure = REPLY(451, "4.3", "Your host cannot be checked now, try again later");
const struct reply rules_unsure = REPLY(451, "3.0", "This address cannot be checked now, try again later");
static const struct reply rcpt_forbidden = REPLY(553, "1.3", "The domain of the recipient is none that can exist");
static const struct reply rcpt_unknown = REPLY(550, "1.1", "No one here by that name");

const char *const rule_words[RULES] = { [RULE_DELIVER] = "deliver", [RULE_REFUSE] = "refuse", [RULE_ALSO] = "also" };

const struct slice rules_placeholders[ARGUMENT_WORD] = {
    [ARGUMENT_SENDER] = SLICE("%{sender}"),       [ARGUMENT_RECIPIENT] = SLICE("%{recipient}"),
    [ARGUMENT_LOCAL] = SLICE("%{local}"),         [ARGUMENT_DOMAIN] = SLICE("%{domain}"),
    [ARGUMENT_EXTENSION] = SLICE("%{extension}"), [ARGUMENT_CLIENT_ADDRESS] = SLICE("%{client_address}"),
    [ARGUMENT_VALUE] = SLICE("%{value}"),
};

static struct reply check_fcrdns(const struct rules *rules, struct client *client)
{
    switch (client_name(client)) {
    case CLIENT_NAME_CONFIRMED:
        return no_objection;
    case CLIENT_NAME_UNSURE:
        (void)groups_blame_dns();
        return reply_as_temporary(rules->groups.fcrdns);
    case CLIENT_NAME_NONE:
    case CLIENT_NAME_FAIL:
    case CLIENT_NAME_UNASKED:
        break;
    }
    return rules->groups.fcrdns;
}

/*
 * Sends the questions that the decisions about a client need, so that all are under way at once; none if its
 * address exempts it. `by_name` says whether allow and deny need its name.
 */
static void send_questions(const struct rules *rules, const struct client *client, bool by_name)
{
    bool name = by_name || rules->groups.need_fcrdns;

    for (const struct bypass *b = rules->groups.bypasses; b != NULL; b = b->next) {
        if (groups_member_by_address(&rules->groups, b->group, client) == MATCH_YES)
            return;
        name = name || b->group->fcrdns != 0 || groups_want_name(&rules->groups, &b->group->patterns);
    }
    dnsbl_send(rules->groups.lists, client);
    if (name)
        client_send(client);
}

/* What came of limit.fcrdns_check and of each list. */
static void show_checks(const struct rules *rules, const struct reply *reply)
{
    static const char *const verdicts[] = { [LIST_UNASKED] = "is not asked", [LIST_NO] = "does not list the client",
                                            [LIST_YES] = "lists the client", [LIST_UNSURE] = "says nothing" };
    bool asked = false;

    for (const struct host_list *l = rules->groups.lists; l != NULL; l = l->next)
        asked = asked || l->verdict != LIST_UNASKED;
    if (rules->groups.need_fcrdns)
        log_debug('r', "%s: limit.fcrdns_check %s", source_path(rules->groups.sources, 0),
                  reply->code == 0 || asked ? "has no objection" : "objects");
    for (const struct host_list *l = rules->groups.lists; l != NULL; l = l->next)
        log_debug('r', "%s:%u: %s %.*s %s", SOURCE_AT(rules->groups.sources, l->line), l->allows ? "dnswl" : "dnsbl",
                  (int)l->name.len, l->name.text, verdicts[l->verdict]);
}

/* What there is against a client that may connect. */
static struct reply check_host(struct rules *rules, struct client *client)
{
    struct reply reply = no_objection;
    enum match bypass;

    if (!rules->groups.need_fcrdns && rules->groups.lists == NULL)
        return no_objection;
    bypass = groups_bypass(&rules->groups, client);
    if (bypass != MATCH_YES && rules->groups.need_fcrdns)
        reply = check_fcrdns(rules, client);
    if (bypass != MATCH_YES && reply.code == 0)
        reply = dnsbl_check(rules->groups.lists, client);
    if (bypass == MATCH_UNSURE)
        reply = reply_as_temporary(reply);
    if (log_wants('r') && bypass != MATCH_YES)
        show_checks(rules, &reply);
    return reply;
}

/* `allow`: who may, besides those that the list for denying keeps out; an empty list is everybody. */
static struct reply decide_client(struct rules *rules, const struct patterns *allow, struct client *client)
{
    enum match denied, allowed;

    groups_forget_trouble();
    denied = groups_ask_address(&rules->groups, &rules->groups.deny, client);
    if (denied == MATCH_YES)
        return host_refused;
    allowed = patterns_none(allow) ? MATCH_YES
                                                  : groups_ask_address(&rules->groups, allow, client);
    if (allowed == MATCH_NO && !groups_want_name(&rules->groups, allow))
        return host_refused;
    if (rules->groups.lists != NULL)
        send_questions(rules, client, allowed == MATCH_NO || groups_want_name(&rules->groups, &rules->groups.deny));
    if (denied == MATCH_NO)
        denied = groups_match_name(&rules->groups, &rules->groups.deny, client);
    if (denied == MATCH_YES)
        return host_refused;
    if (allowed == MATCH_NO)
        allowed = groups_match_name(&rules->groups, allow, client);
    if (allowed == MATCH_NO)
        return host_refused;
    if (denied == MATCH_UNSURE || allowed == MATCH_UNSURE)
        return host_unsure;
    return check_host(rules, client);
}

struct reply rules_connect(struct rules *rules, struct client *client)
{
    return decide_client(rules, &rules->groups.allow, client);
}

struct reply rules_forward(struct rules *rules, struct client *client)
{
    static const struct patterns everybody;

    return decide_client(rules, &everybody, client);
}

enum match rules_names(const struct rules *rules, const struct rule *rule, const struct address *given)
{
    struct recipient_forms forms;
    struct recipient recipient = { .other = &forms };

    return recipient_know(rules, given, WORDS_OURS, &recipient) == CANONICAL_OK
           ? recipient_match(rules, &rule->rcpt, &recipient) : MATCH_NO;
}

/* The reply for an address that no deliver line names: the first error line, dead letters, 550. */
static struct reply decide_unnamed(struct rules *rules, struct recipient *recipient)
{
    for (struct refusal *r = rules->first_refusal; r != NULL; r = r->next) {
        enum match result = r->table != NULL ? recipient_ask(rules, r->table, recipient)
                                             : recipient_try(rules, &r->pattern, recipient, NULL);

        if (result != MATCH_NO)
            return result == MATCH_YES ? r->reply : rules_unsure;
    }
    recipient->captures.count = 0;
    recipient->extension = 0;
    recipient->value.len = 0;
    recipient->rule = rules->dead_letter;
    log_debug('r', "%s: no line names this address, and %s", source_path(rules->groups.sources, 0),
              rules->dead_letter != NULL ? "the dead-letter file takes it" : "there is no deadletter_file");
    return recipient->rule != NULL ? no_objection : rcpt_unknown;
}

/* What a line says of a recipient by itself; a pattern or a table has said it already. */
static void show_rcpt(const struct rules *rules, const struct rule *rule, const struct recipient *recipient, bool named)
{
    char shown[LOG_TEXT], address[LOG_TEXT];

    if (rule->rcpt.kind == MAILBOXES_PATTERN || rule->rcpt.kind == MAILBOXES_TABLE)
        return;
    log_debug('r', "%s:%u: %s rcpt_to \"%s%s\" %s \"%s\"%s", SOURCE_AT(rules->groups.sources, rule->line),
              rule_words[rule->kind],
              rule->rcpt.kind == MAILBOXES_DOMAIN ? "@" : "", log_encode(shown, sizeof shown, rule->rcpt.text),
              named ? "names" : "does not name",
              log_encode(address, sizeof address, address_slice(&recipient->address)),
              recipient->extension > 0 ? " without its extension" : "");
}

/* Is the line for this recipient of this sender? */
static enum match match_rule(const struct rules *rules, const struct rule *rule, const struct asking *asking,
                             struct recipient *recipient, struct denial *denial)
{
    bool shown = log_wants('r');
    enum match result = recipient_match(rules, &rule->rcpt, recipient);

    if (shown)
        show_rcpt(rules, rule, recipient, result == MATCH_YES);
    if (result == MATCH_YES && rule->conditions != NULL)
        result = condition_all(rules, rule, asking, denial);
    if (result == MATCH_YES && shown)
        log_debug('r', "%s:%u: %s", SOURCE_AT(rules->groups.sources, rule->line),
                  rule->kind == RULE_ALSO ? "this line takes a copy" : "this line decides");
    return result;
}

/* The lines that may name a recipient: all of them, or what the index has, unless somebody wants to see how each turns out. */
struct lines {
    const struct rule *next;
    struct index_walk walk;
    bool indexed;
};

static struct lines begin_lines(const struct rules *rules, const struct recipient *recipient)
{
    struct lines lines = { .next = rules->first_rule, .indexed = rules->index != NULL && !log_wants('r') };

    if (lines.indexed)
        lines.walk = index_begin(rules->index, recipient, recipient_extension(rules, &recipient->address));
    return lines;
}

static const struct rule *next_line(struct lines *lines)
{
    const struct rule *rule = lines->indexed ? index_next(&lines->walk) : lines->next;

    if (!lines->indexed && rule != NULL)
        lines->next = rule->next;
    return rule;
}

struct reply rules_rcpt(struct rules *rules, const struct asking *asking, const struct address *given,
                        struct recipient *recipient)
{
    static struct denial denial;
    enum canonical_status status;
    struct lines lines;

    denial = (struct denial){ .denied = false };
    groups_forget_trouble();
    status = recipient_know(rules, given, WORDS_OF_STRANGERS, recipient);
    if (status != CANONICAL_OK)
        return status == CANONICAL_FORBIDDEN ? rcpt_forbidden : rules_unsure;
    lines = begin_lines(rules, recipient);
    for (const struct rule *rule; (rule = next_line(&lines)) != NULL;) {
        enum match result = rule->kind == RULE_ALSO ? MATCH_NO
                                                    : match_rule(rules, rule, asking, recipient,
                                                                 rule->kind == RULE_DELIVER ? &denial : NULL);

        if (result == MATCH_UNSURE)
            return rules_unsure;
        if (result == MATCH_YES) {
            recipient->rule = rule;
            return rule->kind == RULE_REFUSE ? *rule->reply : no_objection;
        }
    }
    return denial.denied ? condition_refusal(&denial) : decide_unnamed(rules, recipient);
}

enum match rules_also(const struct rules *rules, const struct asking *asking, const struct recipient *accepted,
                      const struct rule **last, struct recipient *copy)
{
    const struct rule *first = *last == NULL ? rules->first_rule : (*last)->next;

    if (rules->also_count == 0 || accepted->rule == rules->dead_letter)
        return MATCH_NO;
    for (const struct rule *rule = first; rule != NULL; rule = rule->next) {
        enum match result;

        if (rule->kind != RULE_ALSO)
            continue;
        *copy = *accepted; /* there is room for one for each such line */
        result = match_rule(rules, rule, asking, copy, NULL);
        copy->rule = *last = rule;
        if (result != MATCH_NO)
            return result;
    }
    return MATCH_NO;
}

const char *rules_place(const struct rules *rules, unsigned line, char out[RULES_PLACE])
{
    const struct source *sources = rules->groups.sources;
    const char *path = source_path(sources, line);
    char shown[LOG_TEXT];

    if (path == sources->path)
        (void)snprintf(out, RULES_PLACE, "%u", source_line(sources, line));
    else
        (void)snprintf(out, RULES_PLACE, "\"%s:%u\"", log_encode(shown, sizeof shown, slice_of(path)),
                       source_line(sources, line));
    return out;
}

static void free_patterns(struct patterns *list, void *context)
{
    (void)context;
    for (struct pattern *p = list->first; p != NULL; p = p->next)
        pattern_free(p);
}

static void free_mailboxes(struct mailboxes *mailboxes)
{
    if (mailboxes->pattern != NULL)
        pattern_free(mailboxes->pattern);
}

static void free_rule(struct rule *rule)
{
    free_mailboxes(&rule->rcpt);
    for (struct condition *c = rule->conditions; c != NULL; c = c->next)
        if (c->kind == CONDITION_FROM)
            free_mailboxes(c->from);
        else if (c->kind == CONDITION_HELO)
            pattern_free(c->pattern);
}

void rules_free(struct rules *rules)
{
    groups_each(&rules->groups, free_patterns, NULL);
    for (struct rule *r = rules->first_rule; r != NULL; r = r->next)
        free_rule(r);
    for (struct refusal *r = rules->first_refusal; r != NULL; r = r->next)
        pattern_free(&r->pattern);
    for (enum rewritten i = 0; i < REWRITTEN; i++)
        for (struct rewrite *r = rules->first_rewrite[i]; r != NULL; r = r->next)
            pattern_free(&r->pattern);
}
