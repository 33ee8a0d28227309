/* delivery.c - the message of a transaction: its file, and its delivery to the recipients that were accepted */
#include "monitor/state.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "delivery/deliver.h"
#include "delivery/handover.h"
#include "delivery/ledger.h"
#include "dns/dns.h"
#include "handlers/milter.h"
#include "handlers/milter_message.h"

void state_prepare(struct session_state *s)
{
    if (s->count > 0) {
        dns_new_deadline();
        (void)client_shown_name(s->client); /* kept */
    }
}

/* Of RFC 3848 and RFC 6531 4.3. */
static const char *protocol(const struct session_state *s)
{
    static const char *const names[2][2][2][2] = {
        { { { "ESMTP", "ESMTPA" }, { "ESMTPS", "ESMTPSA" } },
          { { "UTF8SMTP", "UTF8SMTPA" }, { "UTF8SMTPS", "UTF8SMTPSA" } } },
        { { { "LMTP", "LMTPA" }, { "LMTPS", "LMTPSA" } },
          { { "UTF8LMTP", "UTF8LMTPA" }, { "UTF8LMTPS", "UTF8LMTPSA" } } },
    };

    if (!s->extended && !s->lmtp)
        return "SMTP";
    return names[s->lmtp][s->mail.smtputf8][s->client->tls.protocol[0] != '\0'][s->client->user[0] != '\0'];
}

/* The id is time, process and number of the message in it: no other message on this host has the same. */
void state_stamp(struct session_state *s)
{
    struct timespec now;

    if (s->stamped)
        return;
    s->stamped = true;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    (void)snprintf(s->id, sizeof s->id, "%08jx%05lx.%lx.%x", (uintmax_t)now.tv_sec, (unsigned long)now.tv_nsec / 1000,
                   (unsigned long)getpid(), ++s->messages);
    s->received = now.tv_sec;
}

/* Without the copies that others get. */
static size_t count_recipients(const struct session_state *s)
{
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++)
        count += s->recipients[i].rule->kind != RULE_ALSO;
    return count;
}

static struct transaction transaction_of(struct session_state *s, const struct spool *spool)
{
    return (struct transaction){
        .settings = &s->conf->delivery,
        .session = &s->conf->session,
        .rules = &s->conf->rules,
        .client = s->client,
        .sender = &s->mail.sender,
        .canonical_sender = &s->sender,
        .opened = &s->opened,
        .said_sender = &s->mail.sender,
        .spool = spool,
        .came = spool,
        .once = s->count == 1 && !delivery_keeps_dead_letters(&s->conf->delivery),
        .recipients = count_recipients(s),
        .outcomes = s->outcomes,
        .entries = s->entries,
        .parameters = s->parameters,
        .fields = s->fields,
        .helo = s->helo,
        .protocol = protocol(s),
        .id = s->id,
        .received = s->received,
        .connected_at = s->connected_at,
        .deadline = s->deadline,
        .terminated = s->terminated,
    };
}

void state_rest(struct session_state *s)
{
    handover_forget(&s->opened);
}

struct reply state_inquire(struct session_state *s, struct recipient *recipient)
{
    static const struct reply no_objection = { .code = 0 };
    const struct hop *hop = recipient->rule->target.hop;
    struct transaction transaction;

    recipient->asked = 0;
    if (hop == NULL || !hop->ask)
        return no_objection;
    transaction = transaction_of(s, NULL);
    return handover_ask(&transaction, &s->mail, recipient);
}

/* What goes to one command only may become its copy. Returns false with errno set. */
static bool begin_copy(struct session_state *s, int fd)
{
    struct transaction transaction;
    ssize_t len;

    if (!s->in_transaction || s->count != 1 || handlers_are_asked(&s->conf->handlers))
        return true; /* what handlers do to it is not for the session */
    dns_new_deadline();
    state_stamp(s);
    transaction = transaction_of(s, NULL);
    len = deliver_begin(&transaction, s->recipients, fd);
    s->stamped = len > 0;
    s->start = len > 0 ? (uint64_t)len : 0;
    return len >= 0;
}

int state_spool(struct session_state *s, uint64_t *start)
{
    struct slice directory = s->conf->delivery.spool_directory;
    int fd;

    s->start = 0;
    state_note(s, CAME_ON);
    errno = EBUSY;
    if (s->count == 0 || s->spooled)
        return -1; /* there is one for each message, so that what a session can fill is bounded */
    s->spooled = true;
    fd = spool_file(directory);
    if (fd >= 0 && !begin_copy(s, fd)) {
        int error = errno;

        (void)close(fd); /* nobody has seen it */
        errno = error;
        fd = -1;
    }
    if (fd < 0)
        log_line(LOG_ERR, "cannot make a file in spool_directory %.*s: %m", (int)directory.len, directory.text);
    else
        log_debug('f', "opened a spool file in %.*s", (int)directory.len, directory.text);
    *start = s->start;
    return fd;
}

/* What the replies to a message come to, once all have been given. */
static void end_delivery(struct session_state *s)
{
    s->count = s->named = 0; /* nothing is delivered twice */
    milter_abort(&s->conf->handlers);
    milter_message_end();
    s->message_came = true;
    if (s->best_answer < 500)
        state_note(s, s->best_answer == 250 ? CAME_DELIVERY : CAME_DEFERRAL);
    if (s->best_answer == 250 && !s->objected)
        lockout_forgive(&s->lockout);
}

/* What becomes of the recipient whose reply is due, or of all. A command may object to the client, once. */
static struct reply deliver_next(struct session_state *s)
{
    const size_t index = s->order[s->named - s->answers_due];
    struct reply reply = s->answers_each ? deliver_one(&s->transaction, s->recipients, s->count, index)
                                         : deliver_all(&s->transaction, s->recipients, s->count);

    if (deliver_violation()) {
        s->objected = s->command_objects = true;
        lockout_violation(&s->lockout, "command");
    }
    return reply;
}

/* The next one of those that are due. Behind a reply that closes the session there is none. */
static struct reply next_answer(struct session_state *s)
{
    struct reply reply = s->end_refusal.code != 0 ? s->end_refusal : deliver_next(s);

    s->answers_due = s->answers_each && !reply.closes ? s->answers_due - 1 : 0;
    s->best_answer = reply.code < s->best_answer ? reply.code : s->best_answer;
    if (s->answers_due == 0)
        end_delivery(s);
    return reply;
}

void state_heeded(struct session_state *s)
{
    ledger_settle(&s->conf->delivery);
}

struct reply state_deliver(struct session_state *s, const struct spool *spool)
{
    static const struct reply no_memory = REPLY(451, "3.0", "The message cannot be delivered now, try again later");
    const struct spool *delivered = &s->spool;
    const bool unasked = state_wants_data(s->conf) && !s->conf->handlers.unasked && !s->data_accepted;

    if (!s->in_transaction || s->count == 0 || unasked)
        return state_contradict(s);
    dns_new_deadline();
    state_stamp(s);
    s->spool = *spool;
    s->end_refusal = state_ask_end(s, &s->spool);
    state_apply_policies(s);
    if (s->end_refusal.code == 0)
        s->end_refusal = state_milter_message(s, &delivered);
    if (!state_settle_recipients(s))
        s->end_refusal = no_memory;
    s->transaction = transaction_of(s, &s->spool);
    s->transaction.sender = s->from;
    s->transaction.canonical_sender = s->canonical_from;
    s->transaction.spool = delivered;
    (void)clock_gettime(CLOCK_REALTIME, &s->transaction.received_at); /* cannot fail with these arguments */
    dns_rest(); /* the name of the client is known by now */
    s->objected = false;
    s->best_answer = UINT_MAX;
    s->answers_due = s->named;
    if (s->answers_each)
        deliver_prepare(&s->transaction, s->recipients, s->count);
    return next_answer(s);
}

struct reply state_answer(struct session_state *s)
{
    return s->answers_due > 0 ? next_answer(s) : state_contradict(s);
}
