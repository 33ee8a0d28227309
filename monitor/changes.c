/* changes.c - what becomes of a message by what handlers have said: its recipients, and whether it is held or discarded */
/*
 * Each recipient that the client has named stays in the list, for its reply is still to come. One that is to have nothing
 * gets a rule that delivers nowhere. Who is added is a copy behind all others, with whose replies it counts.
 */
#include "monitor/state.h"

#include <stdlib.h>

#include "base/cold.h"
#include "base/log.h"
#include "delivery/handover.h"
#include "dns/canonical.h"
#include "handlers/milter_packet.h"
#include "handlers/named.h"
#include "handlers/policy.h"

static struct rule nowhere, held; /* of this message: what is not delivered, and what goes to the quarantine */

/* What else milters have changed of its envelope. */
static struct {
    struct address sender, canonical;
    struct rule rules[MILTER_RECIPIENTS];
    struct recipient_forms forms[MILTER_RECIPIENTS];
} changed COLD_BSS;

/* ---- the list ------------------------------------------------------------------------------ */

/* Takes those out who have no rule any more, who are copies. */
static void close_gaps(struct session_state *s)
{
    uint32_t *places = s->hashes; /* the client names nobody any more */
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        places[i] = (uint32_t)count;
        if (s->recipients[i].rule != NULL)
            s->recipients[count++] = s->recipients[i];
    }
    for (size_t i = 0; i < s->named; i++)
        s->order[i] = places[s->order[i]];
    s->count = count;
}

/* Has a milter added it? */
static bool is_added(const struct recipient *recipient)
{
    return recipient->rule >= changed.rules && recipient->rule < changed.rules + MILTER_RECIPIENTS;
}

/* Those stay who were named, by the client or by a milter, without copies by also lines. */
static void drop_copies(struct session_state *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->recipients[i].rule->kind == RULE_ALSO && !is_added(&s->recipients[i]))
            s->recipients[i].rule = NULL;
    close_gaps(s);
}

static void redirect(struct session_state *s, const struct recipient *recipient)
{
    s->recipients[0] = *recipient;
    s->count = 1;
    for (size_t i = 0; i < s->named; i++)
        s->order[i] = 0;
}

/* Behind all others: a copy that somebody has already is none. */
static bool add_copy(struct session_state *s, const struct recipient *copy)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->recipients[i].rule->line == copy->rule->line &&
            slice_equal_nocase(address_slice(&s->recipients[i].address), address_slice(&copy->address)))
            return false;
    s->recipients[s->count++] = *copy;
    return true;
}

/* ---- the message ----------------------------------------------------------------------------- */

/* There is one delivery for all who have this rule. */
static void set_rule(struct rule *rule, enum target_kind kind, struct slice path, unsigned line)
{
    *rule = (struct rule){ .kind = RULE_DELIVER, .line = line, .target = { .kind = kind, .text = path, .once = true } };
}

static void set_nowhere(unsigned line)
{
    set_rule(&nowhere, TARGET_APPEND, (struct slice)SLICE("/dev/null"), line);
}

void state_discard(struct session_state *s, unsigned line)
{
    set_nowhere(line);
    drop_copies(s);
    for (size_t i = 0; i < s->count; i++)
        s->recipients[i].rule = &nowhere;
    s->discarded = true;
}

struct reply state_hold(struct session_state *s)
{
    static const struct reply no_place = REPLY(451, "3.5", "The message cannot be kept now, try again later");

    if (s->conf->handlers.quarantine.path.len == 0)
        return no_place;
    s->held = true;
    return (struct reply){ .code = 0 };
}

/* Above the message that is held: for whom it was. False without memory. */
static bool name_recipients(struct session_state *s)
{
    static const struct slice name = SLICE("X-Original-To: ");
    struct text text = { NULL, s->fields.len, 0 };

    for (size_t i = 0; i < s->count; i++)
        text.size += name.len + s->recipients[i].address.len + 1;
    s->held_fields = text.bytes = malloc(text.size + 1);
    if (text.bytes == NULL)
        return false;
    text_put(&text, s->fields);
    for (size_t i = 0; i < s->count; i++) {
        if (s->recipients[i].rule != &held)
            continue;
        text_put(&text, name);
        text_put(&text, address_slice(&s->recipients[i].address));
        text_put(&text, (struct slice)SLICE("\n"));
    }
    s->fields = text_slice(&text);
    return true;
}

bool state_settle_recipients(struct session_state *s)
{
    const struct quarantine *q = &s->conf->handlers.quarantine;
    bool any = false;

    if (!s->held || s->discarded)
        return true;
    set_rule(&held, q->maildir ? TARGET_MAILDIR : TARGET_APPEND, q->path, q->line);
    drop_copies(s);
    for (size_t i = 0; i < s->count; i++)
        any = any || s->recipients[i].rule != &nowhere;
    for (size_t i = 0; i < s->count; i++)
        if (!any || s->recipients[i].rule != &nowhere) /* what is kept back is kept, whoever has got lost */
            s->recipients[i].rule = &held;
    return name_recipients(s);
}

void state_apply_policies(struct session_state *s)
{
    struct policy_message message;

    s->fields = (struct slice){ "", 0 };
    free(s->held_fields);
    s->held_fields = NULL;
    s->held = s->discarded = false;
    s->from = &s->mail.sender;
    s->canonical_from = &s->sender;
    s->added = 0;
    if (s->conf->handlers.first_policy == NULL)
        return;
    message = policy_message();
    s->fields = message.fields;
    s->held = message.holds != NULL;
    if (message.discards != NULL)
        state_discard(s, message.discards->line);
    else if (message.redirect != NULL && !s->held)
        redirect(s, message.redirect);
    for (size_t i = 0; message.redirect == NULL && !s->held && !s->discarded && i < message.copy_count; i++)
        add_copy(s, &message.copies[i]);
}

/* ---- what milters have said about the envelope -------------------------------------------------- */

/* One change that a milter wants. */
struct wish {
    struct session_state *s;
    struct slice milter;
    unsigned line;
    const struct milter_change *change;
};

static const struct reply no_objection = { .code = 0 };

/* `ignored` says why it is not done. */
static void log_change(const struct wish *wish, const char *ignored)
{
    const struct milter_change *c = wish->change;
    const bool recipient = c->kind == MILTER_ADD_RECIPIENT || c->kind == MILTER_DELETE_RECIPIENT;
    const struct slice none = { "", 0 };
    char milter[LOG_TEXT], from[LOG_TEXT], to[LOG_TEXT], text[LOG_TEXT];

    log_line(ignored != NULL ? LOG_WARNING : LOG_INFO, "milter action=%s stage=%s milter=\"%s\"%s%s%s from=\"%s\" to=\"%s\" text=\"%s\"",
             milter_changes[c->kind], milter_commands[MILTER_EOB].stage, log_encode(milter, sizeof milter, wish->milter),
             ignored != NULL ? " ignored=\"" : "", ignored != NULL ? ignored : "", ignored != NULL ? "\"" : "",
             log_encode(from, sizeof from, address_slice(&wish->s->mail.sender)),
             log_encode(to, sizeof to, recipient ? named_address(c->name) : none),
             log_encode(text, sizeof text, recipient ? c->value : c->name));
}

/* As a copy: nobody's reply is its own. */
static struct reply add_recipient(const struct wish *wish)
{
    struct session_state *s = wish->s;
    const struct asking asking = state_asking(s);
    struct recipient recipient = { .other = &changed.forms[s->added] };
    const char *ignored = "the message has too many recipients";
    struct reply reply = no_objection;

    if (s->added < MILTER_RECIPIENTS)
        reply = named_recipient(&s->conf->rules, &asking, wish->change->name, &recipient, &ignored);
    state_log_trouble();
    if (reply.code == 0 && ignored == NULL) {
        changed.rules[s->added] = *recipient.rule;
        changed.rules[s->added].kind = RULE_ALSO;
        recipient.rule = &changed.rules[s->added];
        ignored = add_copy(s, &recipient) ? NULL : "it is a recipient already";
        s->added += ignored == NULL;
    }
    if (reply.code == 0)
        log_change(wish, ignored);
    return reply;
}

/* The local parts must be the same, the domains but for their case. */
static bool is_same_address(struct slice a, struct slice b)
{
    const char *at = memrchr(a.text, '@', a.len);
    const size_t local = at != NULL ? (size_t)(at - a.text) : a.len;

    return a.len == b.len && memcmp(a.text, b.text, local) == 0 && slice_equal_nocase(a, b);
}

/* In any of the forms in which the milter may know it. */
static bool is_called(const struct recipient *recipient, struct slice address)
{
    return address.len > 0 && (is_same_address(address_slice(&recipient->address), address) ||
                               is_same_address(recipient_form(recipient, FORM_CANONICAL), address) ||
                               is_same_address(recipient_form(recipient, FORM_GIVEN), address));
}

/* With its copies. Who was named by the client still has its reply. */
static struct reply delete_recipient(const struct wish *wish)
{
    const struct slice address = named_address(wish->change->name);
    struct session_state *s = wish->s;
    bool found = false;

    for (size_t i = 0; i < s->count; i++) {
        struct recipient *r = &s->recipients[i];

        if (r->rule == &nowhere || !is_called(r, address))
            continue;
        found = true;
        r->rule = r->rule->kind == RULE_ALSO ? NULL : &nowhere;
    }
    set_nowhere(wish->line);
    close_gaps(s);
    log_change(wish, found ? NULL : "it is no recipient");
    return no_objection;
}

/* Next servers that were asked about recipients have heard of the other one. */
static struct reply change_sender(const struct wish *wish)
{
    const struct slice text = named_address(wish->change->name);
    struct session_state *s = wish->s;
    struct address address = { .len = 0 }, canonical;
    enum canonical_status status = CANONICAL_FORBIDDEN;

    if (text.len == 0 || envelope_mailbox(text, &address))
        status = canonical_address(&address, WORDS_OF_STRANGERS, &canonical);
    if (status == CANONICAL_UNKNOWN)
        return rules_unsure;
    if (status == CANONICAL_OK) {
        changed.sender = address;
        changed.canonical = canonical;
        s->from = &changed.sender;
        s->canonical_from = &changed.canonical;
        handover_forget(&s->opened);
    }
    log_change(wish, status == CANONICAL_OK ? NULL : "it is no address");
    return no_objection;
}

static struct reply hold(const struct wish *wish)
{
    struct reply reply = state_hold(wish->s);

    log_change(wish, reply.code == 0 ? NULL : "there is no quarantine: the client is told to try again");
    return reply;
}

struct reply state_change_envelope(struct session_state *s, struct slice milter, unsigned line,
                                   const struct milter_change *changes, size_t count)
{
    static struct reply (*const acts[MILTER_CHANGES])(const struct wish *wish) = {
        [MILTER_ADD_RECIPIENT] = add_recipient, [MILTER_DELETE_RECIPIENT] = delete_recipient,
        [MILTER_CHANGE_SENDER] = change_sender, [MILTER_QUARANTINE] = hold,
    };
    struct reply reply = no_objection;

    for (size_t i = 0; i < count && reply.code == 0; i++)
        if (acts[changes[i].kind] != NULL)
            reply = acts[changes[i].kind](&(struct wish){ s, milter, line, &changes[i] });
    return reply;
}
