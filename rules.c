/* rules.c - the decisions: who may connect, which recipient is accepted, where its mail goes */
/*
 * rules_connect and rules_rcpt are the whole policy; what stands above them answers one question
 * each: does a pattern match a text, does a host match a list, does an address match a rule.
 * Every question has three answers, because a pattern may be broken or too expensive and DNS may
 * be down: then the client is told to try again, never yes and never no.
 */
#include "rules.h"

#include <stdio.h>

#include "base/hash.h"
#include "base/log.h"
#include "dns/canonical.h"

static const struct reply no_objection = { .code = 0 };
static const struct reply host_refused = REPLY(554, "7.1", "Connections from your host are not accepted");
static const struct reply host_unsure = REPLY(451, "4.3", "Your host cannot be checked now, try again later");
static const struct reply rcpt_unsure = REPLY(451, "3.0", "This address cannot be checked now, try again later");
static const struct reply rcpt_forbidden = REPLY(553, "1.3", "The domain of the recipient is none that can exist");
static const struct reply rcpt_other_host = REPLY(550, "7.1", "Not accepted from your host");
static const struct reply rcpt_unknown = REPLY(550, "1.1", "No one here by that name");

static const char *const membership[] = { [MATCH_NO] = "is no member", [MATCH_YES] = "is a member",
                                          [MATCH_UNSURE] = "may be a member, or not" };

const struct slice rules_placeholders[ARGUMENT_WORD] = {
    [ARGUMENT_SENDER] = SLICE("%{sender}"),       [ARGUMENT_RECIPIENT] = SLICE("%{recipient}"),
    [ARGUMENT_LOCAL] = SLICE("%{local}"),         [ARGUMENT_DOMAIN] = SLICE("%{domain}"),
    [ARGUMENT_EXTENSION] = SLICE("%{extension}"), [ARGUMENT_CLIENT_ADDRESS] = SLICE("%{client_address}"),
};

struct allowgroup *rules_group(const struct rules *rules, struct slice name)
{
    uint32_t hash = hash_on(HASH_BEGIN, name.text, name.len);
    struct allowgroup *group = rules->bucket_count > 0 ? rules->buckets[hash & (rules->bucket_count - 1)] : NULL;

    while (group != NULL && (group->hash != hash || !slice_equal(group->name, name)))
        group = group->next_in_bucket;
    return group;
}

void rules_add_group(struct rules *rules, struct allowgroup *group)
{
    struct allowgroup **bucket;

    group->hash = hash_on(HASH_BEGIN, group->name.text, group->name.len);
    bucket = &rules->buckets[group->hash & (rules->bucket_count - 1)];
    group->next_in_bucket = *bucket;
    *bucket = group;
    *rules->last_group = group;
    rules->last_group = &group->next;
}

static char trouble[LOG_TEXT + 512];

const char *rules_trouble(void)
{
    return trouble;
}

void rules_forget_trouble(void)
{
    if (trouble[0] != '\0') /* else the page need not be copied */
        explicit_bzero(trouble, sizeof trouble);
}

static enum match blame_pattern(const struct rules *rules, const struct pattern *pattern, const char *why)
{
    char shown[LOG_TEXT];

    (void)snprintf(trouble, sizeof trouble, "%s:%u:%u: the pattern \"%s\" decides nothing: %s", rules->file,
                   pattern->line, pattern->column, log_encode(shown, sizeof shown, pattern->text), why);
    return MATCH_UNSURE;
}

static enum match blame_dns(void)
{
    (void)snprintf(trouble, sizeof trouble, "the name of the client cannot be found out: temporary DNS failure");
    return MATCH_UNSURE;
}

static void show_match(const struct rules *rules, const struct pattern *pattern, struct slice subject, bool matches)
{
    char shown_pattern[LOG_TEXT], shown[LOG_TEXT];

    if (log_wants('r'))
        log_debug('r', "%s:%u: %s \"%s\" %s \"%s\"", rules->file, pattern->line, pattern->directive,
                  log_encode(shown_pattern, sizeof shown_pattern, pattern->text),
                  matches ? "matches" : "does not match", log_encode(shown, sizeof shown, subject));
}

/* A pattern that is left out, on the name of a client. */
static void show_passed_over(const struct rules *rules, struct pattern *pattern)
{
    static const char *const reasons[] = { [SCOPE_NONE] = "can match no host", [SCOPE_ADDRESSES] = "is for addresses",
                                           [SCOPE_BOTH] = "can match addresses, too" };
    char shown[LOG_TEXT];

    if (log_wants('r'))
        log_debug('r', "%s:%u: %s \"%s\" %s, and is not tried on names", rules->file, pattern->line,
                  pattern->directive, log_encode(shown, sizeof shown, pattern->text), reasons[pattern_scope(pattern)]);
}

/* Tries one pattern on one text. */
static enum match match_text(const struct rules *rules, struct pattern *pattern, struct slice subject,
                             struct captures *captures)
{
    char why[256];
    enum match result = pattern_match(pattern, subject, captures, why, sizeof why);

    if (result == MATCH_UNSURE)
        return blame_pattern(rules, pattern, why);
    show_match(rules, pattern, subject, result == MATCH_YES);
    return result;
}

/* Does any pattern of the list match one form of the client's address? */
static enum match match_any(const struct rules *rules, const struct patterns *list, const char *address)
{
    enum match result = MATCH_NO;

    for (struct pattern *p = list->first; p != NULL && result == MATCH_NO; p = p->next)
        result = match_text(rules, p, slice_of(address), NULL);
    return result;
}

/* What of a pattern of the list is tried on names? False: nothing. */
static bool is_for_names(const struct rules *rules, const struct patterns *list, struct pattern *pattern,
                         char room[PATTERN_PART], struct slice *text)
{
    return pattern_on_names(pattern, list == &rules->deny, room, text);
}

/* Tries the alternatives of a pattern that are for names; the others would let in a name that looks like an address. */
static enum match match_part(const struct rules *rules, const struct pattern *whole, struct slice text,
                             struct slice name)
{
    struct pattern part = { .text = text, .line = whole->line, .column = whole->column,
                            .directive = whole->directive, .utf = whole->utf };
    enum match result = match_text(rules, &part, name, NULL);

    pattern_free(&part);
    return result;
}

/* Tries a pattern, or the part of it that is for names. */
static enum match match_name(const struct rules *rules, struct pattern *pattern, struct slice part, struct slice name)
{
    return part.text == pattern->text.text ? match_text(rules, pattern, name, NULL)
                                           : match_part(rules, pattern, part, name);
}

/* Does any pattern of the list match the client's name? The DNS has A-labels; patterns outside ASCII mean U-labels. */
static enum match match_any_name(const struct rules *rules, const struct patterns *list, const char *name)
{
    enum match result = MATCH_NO;
    char room[PATTERN_PART], unicode[DOMAIN_MAX + 1];
    struct slice text;

    for (struct pattern *p = list->first; p != NULL && result == MATCH_NO; p = p->next) {
        if (!is_for_names(rules, list, p, room, &text)) {
            show_passed_over(rules, p);
            continue;
        }
        result = match_name(rules, p, text, slice_of(name));
        if (result == MATCH_NO && !slice_is_ascii(text) &&
            canonical_unicode(slice_of(name), WORDS_OF_STRANGERS, unicode))
            result = match_name(rules, p, text, slice_of(unicode));
    }
    return result;
}

static bool any_for_names(const struct rules *rules, const struct patterns *list)
{
    char room[PATTERN_PART];
    struct slice text;

    for (struct pattern *p = list->first; p != NULL; p = p->next)
        if (is_for_names(rules, list, p, room, &text))
            return true;
    return false;
}

/* Does the client's address match the list? */
static enum match match_address_of(const struct rules *rules, const struct patterns *list, const struct client *client)
{
    enum match result = match_any(rules, list, client->address);

    if (result == MATCH_NO && client->address_full[0] != '\0')
        result = match_any(rules, list, client->address_full);
    return result;
}

/* Does its name? It is asked for only if there is a pattern that it could match. */
static enum match match_name_of(const struct rules *rules, const struct patterns *list, struct client *client)
{
    if (!any_for_names(rules, list))
        return MATCH_NO;
    switch (client_name(client)) {
    case CLIENT_NAME_CONFIRMED:
        return match_any_name(rules, list, client->name);
    case CLIENT_NAME_UNSURE:
        return blame_dns();
    case CLIENT_NAME_NONE:
    case CLIENT_NAME_FAIL:
    case CLIENT_NAME_UNASKED:
        break;
    }
    return MATCH_NO;
}

enum match rules_match_host(const struct rules *rules, const struct patterns *list, struct client *client)
{
    enum match result;

    trouble[0] = '\0';
    result = match_address_of(rules, list, client);
    return result == MATCH_NO ? match_name_of(rules, list, client) : result;
}

static bool has_certificate(const struct rules *rules, const struct allowgroup *group, const struct client *client)
{
    for (const struct certificate *c = group->certificates; c != NULL; c = c->next) {
        bool same = strcmp(c->fingerprint, client->tls.fingerprint) == 0;

        log_debug('r', "%s:%u: allowgroup cert %s %s the client's certificate", rules->file, c->line, c->fingerprint,
                  same ? "is" : "is not");
        if (same)
            return true;
    }
    return false;
}

static enum match match_fcrdns(const struct rules *rules, const struct allowgroup *group, struct client *client)
{
    enum client_name_state state;
    char shown[LOG_TEXT];
    bool matches;

    if (group->fcrdns == 0)
        return MATCH_NO;
    state = client_name(client);
    matches = (group->fcrdns >> state & 1) != 0;
    if (log_wants('r'))
        log_debug('r', "%s: allowgroup %s fcrdns: the client's name %s", rules->file,
                  log_encode(shown, sizeof shown, group->name), matches ? "is as it wants" : "is not as it wants");
    if (matches)
        return MATCH_YES;
    return state == CLIENT_NAME_UNSURE ? blame_dns() : MATCH_NO;
}

/* What the address alone says of a group. */
static enum match is_member_by_address(const struct rules *rules, struct allowgroup *group, const struct client *client)
{
    if (!group->asked_address)
        group->by_address = match_address_of(rules, &group->patterns, client);
    group->asked_address = true;
    return group->by_address;
}

static enum match is_member(const struct rules *rules, struct allowgroup *group, struct client *client)
{
    if (group == NULL || has_certificate(rules, group, client))
        return MATCH_YES;
    if (!group->asked)
        group->member = is_member_by_address(rules, group, client);
    if (!group->asked && group->member == MATCH_NO)
        group->member = match_fcrdns(rules, group, client);
    if (!group->asked && group->member == MATCH_NO)
        group->member = match_name_of(rules, &group->patterns, client);
    group->asked = true;
    return group->member;
}

enum match rules_bypass(struct rules *rules, struct client *client)
{
    enum match result = MATCH_NO;

    for (const struct bypass *b = rules->bypasses; b != NULL && result != MATCH_YES; b = b->next) {
        enum match member = is_member(rules, b->group, client);
        char shown[LOG_TEXT];

        if (log_wants('r'))
            log_debug('r', "%s:%u: bypass allowgroup %s: the client %s", rules->file, b->line,
                      log_encode(shown, sizeof shown, b->group->name), membership[member]);
        result = member != MATCH_NO ? member : result;
    }
    return result;
}

static struct reply check_fcrdns(const struct rules *rules, struct client *client)
{
    switch (client_name(client)) {
    case CLIENT_NAME_CONFIRMED:
        return no_objection;
    case CLIENT_NAME_UNSURE:
        (void)blame_dns();
        return reply_for_now(rules->fcrdns);
    case CLIENT_NAME_NONE:
    case CLIENT_NAME_FAIL:
    case CLIENT_NAME_UNASKED:
        break;
    }
    return rules->fcrdns;
}

/*
 * Sends the questions that the decisions about a client need, so that all are under way at once; none if its
 * address exempts it. `by_name` says whether allow and deny need its name.
 */
static void send_questions(const struct rules *rules, const struct client *client, bool by_name)
{
    bool name = by_name || rules->need_fcrdns;

    for (const struct bypass *b = rules->bypasses; b != NULL; b = b->next) {
        if (is_member_by_address(rules, b->group, client) == MATCH_YES)
            return;
        name = name || b->group->fcrdns != 0 || any_for_names(rules, &b->group->patterns);
    }
    dnsbl_send(rules->lists, client);
    if (name)
        client_send(client);
}

/* What came of limit.fcrdns_check and of each list. */
static void show_checks(const struct rules *rules, const struct reply *reply)
{
    static const char *const verdicts[] = { [LIST_UNASKED] = "is not asked", [LIST_NO] = "does not list the client",
                                            [LIST_YES] = "lists the client", [LIST_UNSURE] = "says nothing" };
    bool asked = false;

    for (const struct host_list *l = rules->lists; l != NULL; l = l->next)
        asked = asked || l->verdict != LIST_UNASKED;
    if (rules->need_fcrdns)
        log_debug('r', "%s: limit.fcrdns_check %s", rules->file,
                  reply->code == 0 || asked ? "has no objection" : "objects");
    for (const struct host_list *l = rules->lists; l != NULL; l = l->next)
        log_debug('r', "%s:%u: %s %.*s %s", rules->file, l->line, l->allows ? "dnswl" : "dnsbl", (int)l->name.len,
                  l->name.text, verdicts[l->verdict]);
}

/* What there is against a client that may connect. */
static struct reply check_host(struct rules *rules, struct client *client)
{
    struct reply reply = no_objection;
    enum match bypass;

    if (!rules->need_fcrdns && rules->lists == NULL)
        return no_objection;
    bypass = rules_bypass(rules, client);
    if (bypass != MATCH_YES && rules->need_fcrdns)
        reply = check_fcrdns(rules, client);
    if (bypass != MATCH_YES && reply.code == 0)
        reply = dnsbl_check(rules->lists, client);
    if (bypass == MATCH_UNSURE)
        reply = reply_for_now(reply);
    if (log_wants('r') && bypass != MATCH_YES)
        show_checks(rules, &reply);
    return reply;
}

struct reply rules_connect(struct rules *rules, struct client *client)
{
    enum match denied, allowed;

    trouble[0] = '\0';
    denied = match_address_of(rules, &rules->deny, client);
    if (denied == MATCH_YES)
        return host_refused;
    allowed = rules->allow.first == NULL ? MATCH_YES : match_address_of(rules, &rules->allow, client);
    if (allowed == MATCH_NO && !any_for_names(rules, &rules->allow))
        return host_refused;
    if (rules->lists != NULL)
        send_questions(rules, client, allowed == MATCH_NO || any_for_names(rules, &rules->deny));
    if (denied == MATCH_NO)
        denied = match_name_of(rules, &rules->deny, client);
    if (denied == MATCH_YES)
        return host_refused;
    if (allowed == MATCH_NO)
        allowed = match_name_of(rules, &rules->allow, client);
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
            result = match_text(rules, pattern, text, captures);
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
    log_debug('r', "%s: no line names this address, and %s", rules->file,
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
    log_debug('r', "%s:%u: deliver rcpt_to \"%s%s\" %s \"%s\"%s", rules->file, rule->line,
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
        log_debug('r', "%s:%u: deliver tls: the connection is %sencrypted", rules->file, rule->line,
                  lacks_tls ? "not " : "");
    if (rule->needs_auth)
        log_debug('r', "%s:%u: deliver auth: %s%s%s has authenticated", rules->file, rule->line,
                  lacks_auth ? "" : "user \"",
                  lacks_auth ? "nobody" : log_encode(shown, sizeof shown, slice_of(client->user)),
                  lacks_auth ? "" : "\"");
    if (rule->group != NULL && !lacks_tls && !lacks_auth)
        log_debug('r', "%s:%u: deliver allowgroup %s: the client %s", rules->file, rule->line,
                  log_encode(shown, sizeof shown, rule->group->name), membership[result]);
    if (result == MATCH_YES)
        log_debug('r', "%s:%u: this line decides", rules->file, rule->line);
}

/* Does the client meet the conditions of a rule that names the recipient? */
static enum match meets(const struct rules *rules, const struct rule *rule, struct client *client, struct denial *denial)
{
    bool lacks_tls = rule->needs_tls && client->tls.protocol[0] == '\0';
    bool lacks_auth = rule->needs_auth && client->user[0] == '\0';
    enum match result = lacks_tls || lacks_auth ? MATCH_NO : is_member(rules, rule->group, client);

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
    trouble[0] = '\0';
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

void rules_forget(struct rules *rules)
{
    for (struct allowgroup *g = rules->first_group; g != NULL; g = g->next)
        g->asked_address = g->asked = false;
}

void rules_each_hosts(struct rules *rules, void (*visit)(struct patterns *list, void *context), void *context)
{
    struct patterns *const alone[] = { &rules->allow, &rules->deny, &rules->exempt, &rules->proxies };

    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++)
        visit(alone[i], context);
    for (struct allowgroup *g = rules->first_group; g != NULL; g = g->next)
        visit(&g->patterns, context);
}

static void free_patterns(struct patterns *list, void *context)
{
    (void)context;
    for (struct pattern *p = list->first; p != NULL; p = p->next)
        pattern_free(p);
}

void rules_free(struct rules *rules)
{
    rules_each_hosts(rules, free_patterns, NULL);
    for (struct rule *r = rules->first_rule; r != NULL; r = r->next)
        if (r->pattern != NULL)
            pattern_free(r->pattern);
    for (struct refusal *r = rules->first_refusal; r != NULL; r = r->next)
        pattern_free(&r->pattern);
}
