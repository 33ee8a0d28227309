/* condition.c - what a line wants besides its recipient: groups, TLS, a user, a sender, a port, HELO */
#include "rules/condition.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "rules/recipient.h"

static enum match match_of(bool holds)
{
    return holds ? MATCH_YES : MATCH_NO;
}

static const enum match opposite[] = { [MATCH_NO] = MATCH_YES, [MATCH_YES] = MATCH_NO, [MATCH_UNSURE] = MATCH_UNSURE };

/* ---- each of them: does it hold, and what is there to be said of it ------------------------ */

static enum match holds_tls(const struct rules *rules, const struct condition *c, const struct asking *asking)
{
    (void)rules;
    (void)c;
    return match_of(asking->client->tls.protocol[0] != '\0');
}

static void tell_tls(const struct condition *c, const struct asking *asking, enum match result, char *out, size_t size)
{
    (void)c;
    (void)asking;
    (void)snprintf(out, size, "tls: the connection is %sencrypted", result == MATCH_YES ? "" : "not ");
}

static enum match holds_auth(const struct rules *rules, const struct condition *c, const struct asking *asking)
{
    const char *user = asking->client->user;

    (void)rules;
    return match_of(user[0] != '\0' && (c->text.len == 0 || slice_equal(c->text, slice_of(user))));
}

static void tell_auth(const struct condition *c, const struct asking *asking, enum match result, char *out, size_t size)
{
    const bool somebody = asking->client->user[0] != '\0';
    char wanted[LOG_TEXT], shown[LOG_TEXT];

    (void)result;
    (void)snprintf(out, size, "auth%s%s: %s%s%s has authenticated", c->text.len > 0 ? " " : "",
                   log_encode(wanted, sizeof wanted, c->text), somebody ? "user \"" : "",
                   somebody ? log_encode(shown, sizeof shown, slice_of(asking->client->user)) : "nobody",
                   somebody ? "\"" : "");
}

static enum match holds_port(const struct rules *rules, const struct condition *c, const struct asking *asking)
{
    (void)rules;
    return match_of(asking->client->server_port == c->port);
}

static void tell_port(const struct condition *c, const struct asking *asking, enum match result, char *out, size_t size)
{
    (void)result;
    if (asking->client->server_port == 0)
        (void)snprintf(out, size, "port %u: the client has come to none", c->port);
    else
        (void)snprintf(out, size, "port %u: the client has come to %u", c->port, asking->client->server_port);
}

/* An expression is tried on what the others are compared with, and on what the client wrote. */
static enum match match_sender(const struct rules *rules, struct pattern *pattern, const struct asking *asking)
{
    struct recipient_forms forms;
    struct recipient sender = { .other = &forms };

    if (asking->sender->len == 0)
        return MATCH_NO;
    if (recipient_know(rules, asking->sender, WORDS_OF_STRANGERS, &sender) != CANONICAL_OK)
        return MATCH_UNSURE; /* it was known at MAIL */
    return recipient_try(rules, pattern, &sender, NULL);
}

static enum match holds_from(const struct rules *rules, const struct condition *c, const struct asking *asking)
{
    switch (c->from->kind) {
    case MAILBOXES_ADDRESS:
        return match_of(slice_equal_nocase(c->from->canonical, address_slice(asking->canonical)));
    case MAILBOXES_DOMAIN:
        return match_of(slice_equal_nocase(c->from->canonical, address_domain(asking->canonical)));
    case MAILBOXES_PATTERN:
        return match_sender(rules, c->from->pattern, asking);
    case MAILBOXES_TABLE:
    case MAILBOXES_NULL:
        break;
    }
    return match_of(asking->sender->len == 0);
}

static void tell_from(const struct condition *c, const struct asking *asking, enum match result, char *out, size_t size)
{
    char wanted[LOG_TEXT], shown[LOG_TEXT];

    if (c->from->kind == MAILBOXES_PATTERN && asking->sender->len > 0)
        return; /* it has been shown */
    (void)snprintf(out, size, "from \"%s%s\" %s \"<%s>\"", c->from->kind == MAILBOXES_DOMAIN ? "@" : "",
                   log_encode(wanted, sizeof wanted, c->from->text),
                   result == MATCH_YES ? "matches" : "does not match",
                   log_encode(shown, sizeof shown, address_slice(asking->canonical)));
}

static enum match holds_helo(const struct rules *rules, const struct condition *c, const struct asking *asking)
{
    return groups_try(&rules->groups, c->pattern, slice_of(asking->helo), NULL);
}

static enum match holds_group(const struct rules *rules, const struct condition *c, const struct asking *asking)
{
    return groups_member(&rules->groups, c->group, asking->client);
}

static enum match holds_not_group(const struct rules *rules, const struct condition *c, const struct asking *asking)
{
    return opposite[holds_group(rules, c, asking)];
}

static void tell_group(const struct condition *c, const struct asking *asking, enum match result, char *out, size_t size)
{
    char shown[LOG_TEXT];

    (void)asking;
    (void)snprintf(out, size, "allowgroup %s: the client %s", log_encode(shown, sizeof shown, c->group->name),
                   groups_membership[result]);
}

static void tell_not_group(const struct condition *c, const struct asking *asking, enum match result, char *out, size_t size)
{
    char shown[LOG_TEXT];

    (void)asking;
    (void)snprintf(out, size, "not allowgroup %s: the client %s", log_encode(shown, sizeof shown, c->group->name),
                   groups_membership[opposite[result]]);
}

static const struct {
    const char *need; /* what the log calls it when it is missing; groups have their names there */
    enum match (*holds)(const struct rules *rules, const struct condition *c, const struct asking *asking);
    /* Leaves `out` empty where that has been shown. */
    void (*tell)(const struct condition *c, const struct asking *asking, enum match result, char *out, size_t size);
} kinds[CONDITIONS] = {
    [CONDITION_TLS] = { "tls", holds_tls, tell_tls },
    [CONDITION_AUTH] = { "auth", holds_auth, tell_auth },
    [CONDITION_PORT] = { "port", holds_port, tell_port },
    [CONDITION_FROM] = { "from", holds_from, tell_from },
    [CONDITION_HELO] = { "helo", holds_helo, NULL },
    [CONDITION_GROUP] = { NULL, holds_group, tell_group },
    [CONDITION_NOT_GROUP] = { NULL, holds_not_group, tell_not_group },
};

/* ---- all of a line ------------------------------------------------------------------------- */

static enum match look(const struct rules *rules, const struct rule *rule, const struct condition *c,
                       const struct asking *asking)
{
    enum match result = kinds[c->kind].holds(rules, c, asking);
    char text[3 * LOG_TEXT] = "";

    if (!log_wants('r') || kinds[c->kind].tell == NULL)
        return result;
    kinds[c->kind].tell(c, asking, result, text, sizeof text);
    if (text[0] != '\0')
        log_debug('r', "%s:%u: %s %s", SOURCE_AT(rules->groups.sources, rule->line), rule_words[rule->kind], text);
    return result;
}

static void note_group(struct denial *d, const struct condition *c)
{
    char shown[LOG_TEXT];
    size_t len = strlen(d->note);

    (void)snprintf(d->note + len, sizeof d->note - len, "%s%s%s", len == 0 ? "groups=" : ",",
                   c->kind == CONDITION_NOT_GROUP ? "!" : "", log_encode(shown, sizeof shown, c->group->name));
}

/* What a line wants that was not met: a set of 1 << kind, and, if they are among them, the groups. */
struct lack {
    unsigned missing;
    bool unsure;
    const struct condition *groups[8]; /* more are not named */
    size_t group_count;
};

static void look_at(const struct rules *rules, const struct rule *rule, const struct asking *asking, bool groups,
                    struct lack *lack)
{
    for (const struct condition *c = rule->conditions; c != NULL; c = c->next) {
        enum match result;

        if ((kinds[c->kind].need == NULL) != groups)
            continue;
        result = look(rules, rule, c, asking);
        lack->unsure = lack->unsure || result == MATCH_UNSURE;
        if (result != MATCH_NO)
            continue;
        lack->missing |= 1U << c->kind;
        if (groups && lack->group_count < sizeof lack->groups / sizeof lack->groups[0])
            lack->groups[lack->group_count++] = c;
    }
}

/* What a client can still do, which RFC 3207 4 and RFC 4954 6 have a code for; NULL where something else is missing. */
static const struct reply *wanted_of(unsigned missing, bool authenticated)
{
    /* who forgets it has guessed nothing */
#define WANTED(words) { .code = 530, .status = SLICE("7.0"), .text = SLICE(words), .counts = COUNTS_NOT }
    static const struct reply need_tls = WANTED("Say STARTTLS first");
    static const struct reply need_auth = WANTED("Authentication is required");
    static const struct reply need_both = WANTED("Say STARTTLS first, and authenticate");

    switch (missing) {
    case 1U << CONDITION_TLS:
        return &need_tls;
    case 1U << CONDITION_AUTH:
        return authenticated ? NULL : &need_auth;
    case 1U << CONDITION_TLS | 1U << CONDITION_AUTH:
        return authenticated ? NULL : &need_both;
    default:
        return NULL;
    }
}

static void note(struct denial *d, const struct lack *lack, const struct asking *asking)
{
    const struct reply *wanted = wanted_of(lack->missing, asking->client->user[0] != '\0');

    d->denied = true;
    d->unsure = d->unsure || (lack->unsure && wanted != NULL);
    if (d->wanted == NULL && !lack->unsure)
        d->wanted = wanted;
    d->needs |= lack->missing;
    for (size_t i = 0; i < lack->group_count; i++)
        note_group(d, lack->groups[i]);
}

enum match condition_all(const struct rules *rules, const struct rule *rule, const struct asking *asking,
                         struct denial *denial)
{
    struct lack lack = { .missing = 0 };

    look_at(rules, rule, asking, false, &lack);
    if (lack.missing == 0 || wanted_of(lack.missing, asking->client->user[0] != '\0') != NULL)
        look_at(rules, rule, asking, true, &lack);
    if (lack.missing == 0)
        return lack.unsure ? MATCH_UNSURE : MATCH_YES;
    if (denial != NULL)
        note(denial, &lack, asking);
    return MATCH_NO;
}

struct reply condition_refusal(struct denial *denial)
{
    static const struct reply other = REPLY(550, "7.1", "Not accepted from your host");
    struct reply reply = denial->wanted != NULL ? *denial->wanted : denial->unsure ? rules_unsure : other;
    bool first = true;

    for (size_t i = 0; i < CONDITIONS; i++) {
        size_t len = strlen(denial->note);

        if ((denial->needs & 1U << i) == 0 || kinds[i].need == NULL)
            continue;
        (void)snprintf(denial->note + len, sizeof denial->note - len, "%s%s", !first ? "," : len > 0 ? " needs=" : "needs=",
                       kinds[i].need);
        first = false;
    }
    reply.note = slice_of(denial->note);
    return reply;
}

/* ---- for those who compare lines ------------------------------------------------------------ */

static bool same_mailboxes(const struct mailboxes *a, const struct mailboxes *b)
{
    if (a->kind != b->kind || a->kind == MAILBOXES_NULL)
        return a->kind == b->kind;
    return a->kind == MAILBOXES_PATTERN ? slice_equal(a->pattern->text, b->pattern->text)
                                        : slice_equal_nocase(a->canonical, b->canonical);
}

bool condition_same(const struct condition *a, const struct condition *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case CONDITION_AUTH:
        return slice_equal(a->text, b->text);
    case CONDITION_PORT:
        return a->port == b->port;
    case CONDITION_FROM:
        return same_mailboxes(a->from, b->from);
    case CONDITION_HELO:
        return slice_equal(a->pattern->text, b->pattern->text);
    case CONDITION_GROUP:
    case CONDITION_NOT_GROUP:
        return a->group == b->group;
    case CONDITION_TLS:
    case CONDITIONS:
        break;
    }
    return true;
}
