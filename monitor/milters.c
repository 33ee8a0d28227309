/* milters.c - the stages at which milters are asked, and the message that they are shown and change */
#include "monitor/state.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cold.h"
#include "base/log.h"
#include "dns/dns.h"
#include "handlers/milter.h"
#include "handlers/milter_content.h"
#include "handlers/milter_message.h"

static const struct reply no_objection = { .code = 0 };

/* ---- what they are told ------------------------------------------------------------------------ */

/* What takes the mail of a recipient, in the words of Sendmail and Postfix. */
static struct slice mailer_of(const struct recipient *recipient)
{
    const enum target_kind kind = recipient != NULL ? recipient->rule->target.kind : TARGET_APPEND;

    if (recipient == NULL)
        return (struct slice){ "", 0 };
    return kind == TARGET_LMTP ? (struct slice)SLICE("lmtp") : kind == TARGET_SMTP ? (struct slice)SLICE("smtp") : (struct slice)SLICE("local");
}

static struct milter_facts facts_of(struct session_state *s, const struct recipient *recipient)
{
    return (struct milter_facts){
        .client = s->client,
        .helo_number = s->helos,
        .helo = s->helo,
        .domain = s->conf->rules.domain,
        .sender = &s->mail.sender,
        .parameters = slice_of(s->parameters),
        .recipient = recipient,
        .next_mailer = mailer_of(recipient),
        .id = s->id,
        .received = s->received,
    };
}

/* What they are asked with. */
static struct milter_context context_of(const struct session_state *s, const struct asking *asking,
                                        const struct milter_facts *facts)
{
    return (struct milter_context){ .settings = &s->conf->handlers, .rules = &s->conf->rules, .asking = asking,
                                    .deadline = s->deadline, .facts = facts };
}

/* ---- the envelope ------------------------------------------------------------------------------ */

static struct reply ask(struct session_state *s, enum milter_command command, struct milter_facts facts)
{
    const struct asking asking = state_asking(s);
    const struct milter_context context = context_of(s, &asking, &facts);

    if (s->conf->handlers.first_milter == NULL)
        return no_objection;
    dns_new_deadline();
    return milter_ask(&context, command);
}

struct reply state_milter_mail(struct session_state *s)
{
    struct reply reply;

    if (s->conf->handlers.first_milter == NULL)
        return no_objection;
    dns_new_deadline();
    (void)client_name(s->client); /* kept; without it nobody could say whether it is confirmed */
    state_stamp(s);
    reply = ask(s, MILTER_MAIL, facts_of(s, NULL));
    if (reply.code != 0)
        milter_abort(&s->conf->handlers);
    return reply;
}

struct reply state_milter_rcpt(struct session_state *s, const struct recipient *recipient)
{
    return ask(s, MILTER_RCPT, facts_of(s, recipient));
}

struct reply state_milter_data(struct session_state *s)
{
    return ask(s, MILTER_DATA_COMMAND, facts_of(s, NULL));
}

struct reply state_unknown(struct session_state *s, struct slice verb)
{
    struct milter_facts facts;

    state_note(s, CAME_UNKNOWN);
    s->refusal_counted = true;
    if (!s->in_transaction || s->data_accepted) /* between chunks of a message libmilter gives no answer */
        return no_objection;
    facts = facts_of(s, NULL);
    facts.verb = verb;
    return ask(s, MILTER_UNKNOWN, facts);
}

/* ---- the message ------------------------------------------------------------------------------- */

/* Does one of them want to hear of the message, or stands in its way? */
static bool is_wanted(const struct session_state *s)
{
    const struct milter *m = s->conf->handlers.first_milter;

    while (m != NULL && !milter_content_is_wanted(m))
        m = m->next;
    return m != NULL && !s->conf->handlers.unasked;
}

/* What there is of its Message-ID:, for the macro. */
static struct slice find_message_id(void)
{
    static char kept[1000] RARE_BSS;
    struct text text = { kept, sizeof kept, 0 };
    struct slice name, value = { "", 0 };

    for (size_t i = 0; milter_message_field(i, &name, &value); i++) {
        if (!slice_equal_nocase(name, (struct slice)SLICE("Message-ID")))
            continue;
        for (size_t c = 0; c < value.len; c++)
            if (value.text[c] > ' ')
                text_put(&text, (struct slice){ value.text + c, 1 });
        break;
    }
    return text_slice(&text);
}

/* Makes the changes that a milter wants which has accepted. */
static struct reply change(struct session_state *s, const struct milter_context *context, struct milter *milter,
                           const struct milter_wishes *wishes)
{
    static const struct reply failed = REPLY(451, "3.0", "The message cannot be changed now, try again later");

    if (wishes->count == 0)
        return no_objection;
    if (!milter_message_apply(wishes->changes, wishes->count)) {
        if (errno == EMSGSIZE)
            return milter_content_refuse(context, milter);
        log_line(LOG_ERR, "cannot change the message: %m");
        return failed;
    }
    milter_content_log(context, milter, wishes);
    return state_change_envelope(s, milter->name, milter->clients.line, wishes->changes, wishes->count);
}

static struct reply show_to(struct session_state *s, const struct milter_context *context, struct milter *milter)
{
    struct milter_wishes wishes;
    struct reply reply = milter_content_show(context, milter, &wishes);

    if (reply.code == 0)
        reply = change(s, context, milter, &wishes);
    milter_message_undo(); /* of a new body that did not become the body */
    if (reply.code == 0 && milter->connection.keeps_back)
        reply = state_hold(s);
    return reply;
}

/*
 * The bytes that milters see are those that are delivered: a session could not write to the file any more. Where it
 * never had it, or where that cannot be told, so it is.
 */
static bool is_settled(const struct spool *spool)
{
    return spool->fd < 0 || (fcntl(spool->fd, F_GETFL) & O_ACCMODE) != O_RDONLY || spool_is_final(spool->fd) ||
           errno != EAGAIN;
}

static struct reply begin(struct session_state *s, const struct spool *spool)
{
    static const struct reply too_large = REPLY(552, "3.4", "The header of the message is too large");
    static const struct reply failed = REPLY(451, "3.0", "The message cannot be read now, try again later");

    if (!is_settled(spool))
        return state_contradict(s);
    if (milter_message_begin(spool, s->fields, s->conf->delivery.spool_directory,
                             2 * s->conf->session.smtp_data_size.value))
        return no_objection;
    if (errno != EMSGSIZE)
        log_line(LOG_ERR, "cannot read the message: %m");
    return errno == EMSGSIZE ? too_large : failed;
}

struct reply state_milter_message(struct session_state *s, const struct spool **spool)
{
    const struct asking asking = state_asking(s);
    struct milter_facts facts = facts_of(s, NULL);
    const struct milter_context context = context_of(s, &asking, &facts);
    struct reply reply;

    if (milter_discards() != NULL)
        state_discard(s, milter_discards()->clients.line);
    if (s->discarded || !is_wanted(s))
        return no_objection;
    reply = begin(s, *spool);
    if (reply.code == 0)
        facts.message_id = find_message_id();
    for (struct milter *m = s->conf->handlers.first_milter; m != NULL && reply.code == 0 &&
         milter_discards() == NULL; m = m->next)
        reply = show_to(s, &context, m);
    if (reply.code == 0 && milter_discards() != NULL)
        state_discard(s, milter_discards()->clients.line);
    if (reply.code == 0 && milter_message_changed()) {
        s->fields = milter_message_fields();
        *spool = milter_message_spool();
    }
    return reply;
}
