/* changes.c - what becomes of a message by what handlers have said: its recipients, and whether it is held or discarded */
/*
 * Each recipient that the client has named stays in the list, for its reply is still to come. One that is to have nothing
 * gets a rule that delivers nowhere. Who is added is a copy behind all others, with whose replies it counts.
 */
#include "monitor/state.h"

#include <stdlib.h>

#include "handlers/policy.h"

static struct rule nowhere, held; /* of this message: what is not delivered, and what goes to the quarantine */

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

/* Those stay who were named, without copies by also lines. */
static void drop_copies(struct session_state *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->recipients[i].rule->kind == RULE_ALSO)
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
static void add_copy(struct session_state *s, const struct recipient *copy)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->recipients[i].rule->line == copy->rule->line &&
            slice_equal_nocase(address_slice(&s->recipients[i].address), address_slice(&copy->address)))
            return;
    s->recipients[s->count++] = *copy;
}

/* ---- the message ----------------------------------------------------------------------------- */

/* There is one delivery for all who have this rule. */
static void set_rule(struct rule *rule, enum target_kind kind, struct slice path, unsigned line)
{
    *rule = (struct rule){ .kind = RULE_DELIVER, .line = line, .target = { .kind = kind, .text = path, .once = true } };
}

void state_discard(struct session_state *s, unsigned line)
{
    set_rule(&nowhere, TARGET_APPEND, (struct slice)SLICE("/dev/null"), line);
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

    if (!s->held || s->discarded)
        return true;
    set_rule(&held, q->maildir ? TARGET_MAILDIR : TARGET_APPEND, q->path, q->line);
    drop_copies(s);
    for (size_t i = 0; i < s->count; i++)
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
