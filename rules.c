/* rules.c - the decisions: who may connect, which recipient is accepted, where its mail goes */
/*
 * rules_connect and rules_rcpt are the whole policy; what stands above them answers one question
 * each: does a pattern match a text, does a host match a list, does an address match a rule.
 * Every question has three answers, because a pattern may be broken or too expensive and DNS may
 * be down: then the client is told to try again, never yes and never no.
 */
#include "rules.h"

#include <stdio.h>

#include "base/log.h"
#include "dns/canonical.h"

static const struct reply no_objection = { .code = 0 };
static const struct reply host_refused = REPLY(554, "7.1", "Connections from your host are not accepted");
static const struct reply host_unsure = REPLY(451, "4.3", "Your host cannot be checked now, try again later");
static const struct reply rcpt_unsure = REPLY(451, "3.0", "This address cannot be checked now, try again later");
static const struct reply rcpt_forbidden = REPLY(553, "1.3", "The domain of the recipient is none that can exist");
static const struct reply rcpt_other_host = REPLY(550, "7.1", "Not accepted from your host");
static const struct reply rcpt_unknown = REPLY(550, "1.1", "No one here by that name");

const struct slice rules_placeholders[ARGUMENT_WORD] = {
    [ARGUMENT_SENDER] = SLICE("%{sender}"),       [ARGUMENT_RECIPIENT] = SLICE("%{recipient}"),
    [ARGUMENT_LOCAL] = SLICE("%{local}"),         [ARGUMENT_DOMAIN] = SLICE("%{domain}"),
    [ARGUMENT_EXTENSION] = SLICE("%{extension}"), [ARGUMENT_CLIENT_ADDRESS] = SLICE("%{client_address}"),
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

struct reply rules_connect(struct rules *rules, struct client *client)
{
    enum match denied, allowed;

    groups_forget_trouble();
    denied = groups_match_address(&rules->groups, &rules->groups.deny, client);
    if (denied == MATCH_YES)
        return host_refused;
    allowed = rules->groups.allow.first == NULL ? MATCH_YES : groups_match_address(&rules->groups, &rules->groups.allow, client);
    if (allowed == MATCH_NO && !groups_want_name(&rules->groups, &rules->groups.allow))
        return host_refused;
    if (rules->groups.lists != NULL)
        send_questions(rules, client, allowed == MATCH_NO || groups_want_name(&rules->groups, &rules->groups.deny));
    if (denied == MATCH_NO)
        denied = groups_match_name(&rules->groups, &rules->groups.deny, client);
    if (denied == MATCH_YES)
        return host_refused;
    if (allowed == MATCH_NO)
        allowed = groups_match_name(&rules->groups, &rules->groups.allow, client);
    if (allowed == MATCH_NO)
        return host_refused;
    if (denied == MATCH_UNSURE || allowed == MATCH_UNSURE)
        return host_unsure;
    return check_host(rules, client);
}

/* The index of the delimiter that begins the extension of the local part, 0 when there is none. */
static uint16_t find_extension(const struct rules *rules, const struct address *address)
{
    for (uint16_t i = 1; i < address->local_len && address->text[0] != '"'; i++)
        if (rules->delimiters.len > 0 && memchr(rules->delimiters.text, address->text[i], rules->delimiters.len) != NULL)
            return i;
    return 0;
}

/* Is the address, without its extension, the one that the rule names? */
static bool equal_without_extension(const struct recipient *recipient, uint16_t extension, struct slice rcpt)
{
    const struct address *a = &recipient->address;
    struct slice user = { a->text, extension };
    struct slice rest = { a->text + a->local_len, (size_t)a->len - a->local_len };

    return rcpt.len == user.len + rest.len &&
           slice_equal_nocase((struct slice){ rcpt.text, user.len }, user) &&
           slice_equal_nocase((struct slice){ rcpt.text + user.len, rest.len }, rest);
}

/* Does the rule name the address, with its extension or without? */
static enum match match_address(const struct rules *rules, const struct rule *rule, struct recipient *recipient)
{
    uint16_t extension = find_extension(rules, &recipient->address);

    if (slice_equal_nocase(rule->canonical, address_slice(&recipient->address)))
        return MATCH_YES;
    if (extension == 0 || !equal_without_extension(recipient, extension, rule->canonical))
        return MATCH_NO;
    recipient->extension = extension;
    return MATCH_YES;
}

struct slice recipient_form(const struct recipient *recipient, enum recipient_form form)
{
    switch (form) {
    case FORM_UNICODE:
        return slice_of(recipient->has_unicode ? recipient->other->unicode : "");
    case FORM_GIVEN:
        return slice_of(recipient->has_given ? recipient->other->given : "");
    case FORM_CANONICAL:
    case FORMS:
        break;
    }
    return (struct slice){ recipient->address.text, recipient->bare_len };
}

/* With U-labels, for expressions that are written so. */
static void write_unicode(struct recipient *recipient, enum canonical_words whose)
{
    const struct address *a = &recipient->address;
    char domain[DOMAIN_MAX + 1];

    recipient->has_unicode =
        canonical_unicode(address_domain(a), whose, domain) && a->local_len + 1U + strlen(domain) <= ADDRESS_MAX;
    if (recipient->has_unicode)
        (void)snprintf(recipient->other->unicode, sizeof recipient->other->unicode, "%.*s@%s", (int)a->local_len, a->text,
                       domain);
}

/*
 * Does an expression match the address in any of its forms? That with U-labels is for those that hold some. What the client wrote comes last, for expressions that are
 * about that: about quotes, say.
 */
static enum match match_forms(const struct rules *rules, struct pattern *pattern, struct recipient *recipient,
                              struct captures *captures)
{
    enum match result = MATCH_NO;

    for (enum recipient_form form = FORM_CANONICAL; form < FORMS && result == MATCH_NO; form++) {
        struct slice text = recipient_form(recipient, form);

        recipient->form = form;
        if (text.len > 0 && (form != FORM_UNICODE || !slice_is_ascii(pattern->text)))
            result = groups_try(&rules->groups, pattern, text, captures);
    }
    return result;
}

/* Does the rule name this recipient? */
static enum match match_rcpt(const struct rules *rules, struct rule *rule, struct recipient *recipient)
{
    recipient->extension = 0;
    recipient->captures.count = 0;
    switch (rule->kind) {
    case RCPT_ADDRESS:
        return match_address(rules, rule, recipient);
    case RCPT_DOMAIN:
        return slice_equal_nocase(rule->canonical, address_domain(&recipient->address)) ? MATCH_YES : MATCH_NO;
    case RCPT_PATTERN:
        break;
    }
    return match_forms(rules, rule->pattern, recipient, &recipient->captures);
}

/* <postmaster> is postmaster@DOMAIN (RFC 5321 4.5.1) */
static void complete_address(const struct rules *rules, struct address *a)
{
    if (a->local_len < a->len || a->len + 1 + rules->domain.len > ADDRESS_MAX)
        return;
    a->text[a->len] = '@';
    memcpy(a->text + a->len + 1, rules->domain.text, rules->domain.len);
    a->len = (uint16_t)(a->len + 1 + rules->domain.len);
    a->text[a->len] = '\0';
}

/* Finds out the forms of an address. */
static enum canonical_status know_address(const struct rules *rules, const struct address *given,
                                          enum canonical_words whose, struct recipient *recipient)
{
    enum canonical_status status = canonical_address(given, whose, &recipient->address);

    recipient->bare_len = recipient->address.len;
    recipient->has_given = recipient->has_unicode = false;
    if (status != CANONICAL_OK)
        return status;
    recipient->has_given = !slice_equal(address_slice(given), address_slice(&recipient->address));
    if (recipient->has_given)
        memcpy(recipient->other->given, given->text, given->len + 1U);
    if (rules->wants_unicode)
        write_unicode(recipient, whose);
    complete_address(rules, &recipient->address);
    return status;
}

enum match rules_names(const struct rules *rules, struct rule *rule, const struct address *given)
{
    struct recipient_forms forms;
    struct recipient recipient = { .other = &forms };

    return know_address(rules, given, WORDS_OURS, &recipient) == CANONICAL_OK ? match_rcpt(rules, rule, &recipient)
                                                                              : MATCH_NO;
}

/* The reply for an address that no deliver line names: the first error line, dead letters, 550. */
static struct reply decide_unnamed(struct rules *rules, struct recipient *recipient)
{
    for (struct refusal *r = rules->first_refusal; r != NULL; r = r->next) {
        enum match result = match_forms(rules, &r->pattern, recipient, NULL);

        if (result != MATCH_NO)
            return result == MATCH_YES ? r->reply : rcpt_unsure;
    }
    recipient->captures.count = 0;
    recipient->extension = 0;
    recipient->rule = rules->dead_letter;
    log_debug('r', "%s: no line names this address, and %s", source_path(rules->groups.sources, 0),
              rules->dead_letter != NULL ? "the dead-letter file takes it" : "there is no deadletter_file");
    return recipient->rule != NULL ? no_objection : rcpt_unknown;
}

/* What would have been accepted, for the log: groups=NAME,NAME needs=tls,auth */
struct denial {
    bool denied, needs_tls, needs_auth;
    char note[256];
};

static void note_group(struct denial *d, struct slice name)
{
    char shown[LOG_TEXT];
    size_t len = strlen(d->note);

    (void)snprintf(d->note + len, sizeof d->note - len, "%s%s", len == 0 ? "groups=" : ",",
                   log_encode(shown, sizeof shown, name));
}

static struct reply deny(struct denial *d)
{
    static const char *const needs[2][2] = { { "", "needs=auth" }, { "needs=tls", "needs=tls,auth" } };
    const char *words = needs[d->needs_tls][d->needs_auth];
    struct reply reply = rcpt_other_host;
    size_t len = strlen(d->note);

    (void)snprintf(d->note + len, sizeof d->note - len, "%s%s", len > 0 && words[0] != '\0' ? " " : "", words);
    reply.note = slice_of(d->note);
    return reply;
}

/* What a rule says of a recipient by itself; a pattern has said it already. */
static void show_rcpt(const struct rules *rules, const struct rule *rule, const struct recipient *recipient, bool named)
{
    char shown[LOG_TEXT], address[LOG_TEXT];

    if (rule->kind == RCPT_PATTERN)
        return;
    log_debug('r', "%s:%u: deliver rcpt_to \"%s%s\" %s \"%s\"%s",
              SOURCE_AT(rules->groups.sources, rule->line),
              rule->kind == RCPT_DOMAIN ? "@" : "", log_encode(shown, sizeof shown, rule->rcpt),
              named ? "names" : "does not name",
              log_encode(address, sizeof address, address_slice(&recipient->address)),
              recipient->extension > 0 ? " without its extension" : "");
}

/* Which conditions of a rule that names the recipient are met; the group is not asked for when others are not. */
static void show_conditions(const struct rules *rules, const struct rule *rule, const struct client *client,
                            bool lacks_tls, bool lacks_auth, enum match result)
{
    char shown[LOG_TEXT];

    if (rule->needs_tls)
        log_debug('r', "%s:%u: deliver tls: the connection is %sencrypted",
                  SOURCE_AT(rules->groups.sources, rule->line), lacks_tls ? "not " : "");
    if (rule->needs_auth)
        log_debug('r', "%s:%u: deliver auth: %s%s%s has authenticated",
                  SOURCE_AT(rules->groups.sources, rule->line), lacks_auth ? "" : "user \"",
                  lacks_auth ? "nobody" : log_encode(shown, sizeof shown, slice_of(client->user)),
                  lacks_auth ? "" : "\"");
    if (rule->group != NULL && !lacks_tls && !lacks_auth)
        log_debug('r', "%s:%u: deliver allowgroup %s: the client %s",
                  SOURCE_AT(rules->groups.sources, rule->line), log_encode(shown, sizeof shown, rule->group->name),
                  groups_membership[result]);
    if (result == MATCH_YES)
        log_debug('r', "%s:%u: this line decides", SOURCE_AT(rules->groups.sources, rule->line));
}

/* Does the client meet the conditions of a rule that names the recipient? */
static enum match meets(const struct rules *rules, const struct rule *rule, struct client *client, struct denial *denial)
{
    bool lacks_tls = rule->needs_tls && client->tls.protocol[0] == '\0';
    bool lacks_auth = rule->needs_auth && client->user[0] == '\0';
    enum match result = lacks_tls || lacks_auth ? MATCH_NO : groups_member(&rules->groups, rule->group, client);

    if (log_wants('r'))
        show_conditions(rules, rule, client, lacks_tls, lacks_auth, result);
    denial->denied = denial->denied || result == MATCH_NO;
    denial->needs_tls = denial->needs_tls || lacks_tls;
    denial->needs_auth = denial->needs_auth || lacks_auth;
    if (result == MATCH_NO && !lacks_tls && !lacks_auth)
        note_group(denial, rule->group->name);
    return result;
}

struct reply rules_rcpt(struct rules *rules, struct client *client, const struct address *given,
                        struct recipient *recipient)
{
    static struct denial denial;
    enum canonical_status status;
    bool shown = log_wants('r');

    denial = (struct denial){ .denied = false };
    groups_forget_trouble();
    status = know_address(rules, given, WORDS_OF_STRANGERS, recipient);
    if (status != CANONICAL_OK)
        return status == CANONICAL_FORBIDDEN ? rcpt_forbidden : rcpt_unsure;
    for (struct rule *rule = rules->first_rule; rule != NULL; rule = rule->next) {
        enum match result = match_rcpt(rules, rule, recipient);

        if (shown)
            show_rcpt(rules, rule, recipient, result == MATCH_YES);
        if (result == MATCH_YES)
            result = meets(rules, rule, client, &denial);
        if (result == MATCH_UNSURE)
            return rcpt_unsure;
        if (result == MATCH_YES) {
            recipient->rule = rule;
            return no_objection;
        }
    }
    return denial.denied ? deny(&denial) : decide_unnamed(rules, recipient);
}

static void free_patterns(struct patterns *list, void *context)
{
    (void)context;
    for (struct pattern *p = list->first; p != NULL; p = p->next)
        pattern_free(p);
}

void rules_free(struct rules *rules)
{
    groups_each(&rules->groups, free_patterns, NULL);
    for (struct rule *r = rules->first_rule; r != NULL; r = r->next)
        if (r->pattern != NULL)
            pattern_free(r->pattern);
    for (struct refusal *r = rules->first_refusal; r != NULL; r = r->next)
        pattern_free(&r->pattern);
}
