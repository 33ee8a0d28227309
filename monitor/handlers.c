/* handlers.c - the stages at which handlers are asked, and what becomes of a message by what they have said */
#include "monitor/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cold.h"
#include "delivery/copy.h"
#include "dns/dns.h"
#include "handlers/policy.h"

static const struct reply no_objection = { .code = 0 };

/* As Postfix has it: what else there is to say of the connection has attributes of its own. */
static const char *protocol(const struct session_state *s)
{
    return s->extended ? s->lmtp ? "LMTP" : "ESMTP" : "SMTP";
}

/* What is known whatever is asked; `more` has what is of the stage. */
static struct reply ask(struct session_state *s, struct policy_facts more)
{
    const struct asking asking = { .client = s->client, .sender = &s->mail.sender, .canonical = &s->sender, .helo = s->helo };
    const bool has_sender = more.stage >= POLICY_MAIL;
    const struct policy_context context = { .settings = &s->conf->handlers, .rules = &s->conf->rules,
                                            .asking = has_sender ? &asking : NULL, .deadline = s->deadline };

    if (!policy_wants(&s->conf->handlers, more.stage))
        return no_objection;
    dns_new_deadline();
    (void)client_shown_name(s->client); /* kept */
    more.client = s->client;
    more.protocol = protocol(s);
    more.sender = has_sender ? &s->mail.sender : NULL;
    more.instance = has_sender ? s->instance : "";
    more.size = more.size > 0 || !has_sender ? more.size : s->mail.size;
    if (more.stage != POLICY_HELO)
        more.helo = slice_of(s->helo);
    return policy_ask(&context, &more);
}

struct reply state_ask_connect(struct session_state *s)
{
    if (policy_wants(&s->conf->handlers, POLICY_CONNECT))
        state_announce(s); /* before what there is to log about that */
    return ask(s, (struct policy_facts){ .stage = POLICY_CONNECT, .id = "" });
}

struct reply state_ask_helo(struct session_state *s, bool extended, struct slice name)
{
    return ask(s, (struct policy_facts){ .stage = POLICY_HELO, .extended = extended, .helo = name, .id = "" });
}

/* Process, time and number: no other message has the same instance. */
struct reply state_ask_mail(struct session_state *s)
{
    if (s->conf->handlers.first_policy == NULL)
        return no_objection;
    policy_forget_message();
    (void)snprintf(s->instance, sizeof s->instance, "%lx.%jx%05lx.%x", (unsigned long)getpid(),
                   (uintmax_t)s->connected_at.tv_sec, (unsigned long)s->connected_at.tv_nsec / 1000, ++s->instances);
    return ask(s, (struct policy_facts){ .stage = POLICY_MAIL, .id = "" });
}

struct reply state_ask_rcpt(struct session_state *s, const struct address *recipient)
{
    return ask(s, (struct policy_facts){ .stage = POLICY_RCPT, .recipient = recipient, .id = "" });
}

/* With the recipient, if there is one only. */
static struct reply ask_of_all(struct session_state *s, enum policy_stage stage, uint64_t size)
{
    return ask(s, (struct policy_facts){ .stage = stage, .recipient = s->named == 1 ? &s->recipients[0].address : NULL,
                                         .recipients = s->named, .id = s->id, .size = size });
}

/* DATA is accepted once, however often it was refused before. */
struct reply state_data(struct session_state *s)
{
    struct reply reply;

    if (!s->in_transaction || s->count == 0 || s->data_accepted)
        return state_contradict(s);
    if (policy_wants(&s->conf->handlers, POLICY_DATA))
        state_stamp(s);
    reply = ask_of_all(s, POLICY_DATA, 0);
    s->data_accepted = reply.code == 0;
    s->refusal_counted = reply.code != 0;
    if (reply.code != 0)
        state_note(s, CAME_LATER);
    return reply;
}

/* Bytes as they came: each line ended in CRLF. Where it cannot be read, the delivery will say so. */
static uint64_t size_with_crlf(const struct spool *spool)
{
    static char buffer[SPOOL_PIECE] COLD_BSS;
    uint64_t size = spool->size;
    struct slice piece = { buffer, 0 };

    for (uint64_t offset = 0; offset < spool->size && piece.text != NULL; offset += piece.len) {
        piece = spool_piece(spool, offset, buffer, sizeof buffer);
        for (size_t i = 0; piece.text != NULL && i < piece.len; i++)
            size += piece.text[i] == '\n';
    }
    return size;
}

struct reply state_ask_end(struct session_state *s, const struct spool *spool)
{
    return policy_wants(&s->conf->handlers, POLICY_END) ? ask_of_all(s, POLICY_END, size_with_crlf(spool)) : no_objection;
}

/* ---- what they have said about the message --------------------------------------------------- */

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

/* Those who were named, without copies by also lines. */
static void drop_copies(struct session_state *s)
{
    uint32_t *places = s->hashes; /* nobody is added any more */
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        places[i] = (uint32_t)count;
        if (s->recipients[i].rule->kind != RULE_ALSO)
            s->recipients[count++] = s->recipients[i];
    }
    for (size_t i = 0; i < s->named; i++)
        s->order[i] = places[s->order[i]];
    s->count = count;
}

/* One delivery for all, there instead of where each of them would have gone. */
static void put_aside(struct session_state *s, const struct target *target, unsigned line)
{
    static struct rule aside;

    aside = (struct rule){ .kind = RULE_DELIVER, .line = line, .target = *target };
    aside.target.once = true;
    drop_copies(s);
    for (size_t i = 0; i < s->count; i++)
        s->recipients[i].rule = &aside;
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

bool state_apply_handlers(struct session_state *s)
{
    const struct quarantine *q = &s->conf->handlers.quarantine;
    struct policy_message message;

    s->fields = (struct slice){ "", 0 };
    free(s->held_fields);
    s->held_fields = NULL;
    if (s->conf->handlers.first_policy == NULL)
        return true;
    message = policy_message();
    s->fields = message.fields;
    if (message.discards != NULL) {
        put_aside(s, &(struct target){ .kind = TARGET_APPEND, .text = SLICE("/dev/null") }, message.discards->line);
        return true;
    }
    if (message.holds != NULL) {
        put_aside(s, &(struct target){ .kind = q->maildir ? TARGET_MAILDIR : TARGET_APPEND, .text = q->path }, q->line);
        return name_recipients(s);
    }
    if (message.redirect != NULL)
        redirect(s, message.redirect);
    for (size_t i = 0; message.redirect == NULL && i < message.copy_count; i++)
        add_copy(s, &message.copies[i]);
    return true;
}
