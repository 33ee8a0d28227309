/* handlers.c - the stages at which handlers are asked */
#include "monitor/state.h"

#include <stdio.h>
#include <unistd.h>

#include "base/cold.h"
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
    const struct asking asking = state_asking(s);
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

bool state_wants_data(const struct conf *conf)
{
    return policy_wants(&conf->handlers, POLICY_DATA) || conf->handlers.first_milter != NULL;
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
    if (reply.code == 0)
        reply = state_milter_data(s);
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
