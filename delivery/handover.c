/* handover.c - a message to the next server, and its answers: lmtp and smtp */
#include "delivery/handover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"

/* A connection, on which there may be a transaction in which recipients were accepted already. */
struct opened {
    struct opened *next;
    const struct target *target;
    unsigned number;
    bool begun, done;          /* MAIL was said; the message was */
    size_t accepted;           /* how many recipients RCPT was said of, and who were accepted */
    char name[DOMAIN_MAX + 1];
    struct hop_line line;
};

struct handover {
    const struct transaction *transaction;
    const struct target *target;
    struct opened *opened;
    struct copy copy;
    struct letter letter;
    size_t count, asked;                  /* recipients; of them the first ones have been accepted there before */
    struct letter_recipient recipients[];
};

bool handover_is_together(const struct target *a, const struct target *b)
{
    return a->hop != NULL && b->hop != NULL && a->temporary == b->temporary && hop_equal(a->hop, b->hop);
}

static uint64_t until(const struct transaction *t)
{
    return clock_earlier(clock_ms() + t->settings->handover_secs.value * 1000, t->deadline);
}

/* ---- connections --------------------------------------------------------------------------- */

static void close_opened(struct opened *opened)
{
    hop_close(&opened->line);
    free(opened);
}

static void close_some(struct opened **at, bool all)
{
    while (*at != NULL) {
        struct opened *opened = *at;

        if (!all && !opened->done) {
            at = &opened->next;
            continue;
        }
        *at = opened->next;
        close_opened(opened);
    }
}

void handover_forget(struct opened **opened)
{
    close_some(opened, true);
}

/* Where there is none, line.dialogue.trouble says why; NULL: no memory. */
static struct opened *open_to(const struct transaction *t, const struct target *target)
{
    static unsigned number;
    struct opened *opened = calloc(1, sizeof *opened);

    if (opened == NULL)
        return NULL;
    close_some(t->opened, false); /* there are servers that serve one after the other */
    opened->target = target;
    opened->number = ++number;
    (void)snprintf(opened->name, sizeof opened->name, "%.*s", (int)t->rules->domain.len, t->rules->domain.text);
    (void)hop_open(&opened->line, target->hop, opened->name, until(t), t->terminated);
    return opened;
}

/* Takes the connection to that server out of those that are open. NULL: there is none, or it was ended meanwhile. */
static struct opened *take_opened(const struct transaction *t, const struct target *target)
{
    struct opened **at = t->opened, *opened;

    while (*at != NULL && ((*at)->done || !handover_is_together((*at)->target, target)))
        at = &(*at)->next;
    opened = *at;
    if (opened == NULL)
        return NULL;
    *at = opened->next;
    if (hop_is_open(&opened->line)) {
        opened->line.dialogue.exchange.deadline = until(t);
        return opened;
    }
    close_opened(opened);
    return NULL;
}

static void keep_opened(const struct transaction *t, struct opened *opened)
{
    opened->next = *t->opened;
    *t->opened = opened;
}

/* ---- the message --------------------------------------------------------------------------- */

static struct slice piece_of(void *context, uint64_t offset, char *buffer, size_t size)
{
    return copy_piece(context, offset, buffer, size);
}

/* Did the client say that there is something outside ASCII, which old servers know nothing of (RFC 6531 3.4)? */
static bool said_utf8(const struct transaction *transaction)
{
    return strstr(transaction->protocol, "UTF8") != NULL;
}

static bool all_ascii(const struct handover *h)
{
    bool all = slice_is_ascii(address_slice(h->letter.sender));

    for (size_t i = 0; i < h->count; i++)
        all = all && slice_is_ascii(address_slice(h->recipients[i].address));
    return all;
}

/* Whoever else was accepted there is none of the message's recipients any more, and must not have it. */
static void leave_if_others(struct handover *h)
{
    if (h->opened == NULL || h->asked == h->opened->accepted)
        return;
    close_opened(h->opened);
    h->opened = NULL;
    h->count = h->asked = 0;
}

/* Those who were accepted before come first. */
static void add_recipients(struct handover *h, const struct recipient *first, bool asked)
{
    for (const struct recipient *r = first; r != NULL; r = r->together)
        if ((h->opened != NULL && r->asked == h->opened->number) == asked)
            h->recipients[h->count++] = (struct letter_recipient){ .address = &r->address,
                                                                   .verdict.code = asked ? 250 : 0 };
    if (asked)
        h->asked = h->count;
}

static struct handover *begin(const struct transaction *transaction, const struct recipient *first,
                              const struct target *target)
{
    size_t count = 0;
    struct handover *h;

    for (const struct recipient *r = first; r != NULL; r = r->together)
        count++;
    h = calloc(1, sizeof *h + count * sizeof h->recipients[0]);
    if (h == NULL)
        return NULL;
    h->transaction = transaction;
    h->target = target;
    h->opened = take_opened(transaction, target);
    copy_begin(&h->copy, transaction, NULL, false);
    h->letter = (struct letter){ .sender = transaction->canonical_sender, .piece = piece_of, .context = &h->copy };
    add_recipients(h, first, true);
    leave_if_others(h);
    add_recipients(h, first, false);
    return h;
}

static void trouble_for(struct handover *h, size_t count)
{
    for (size_t i = 0; i < count; i++)
        h->recipients[i].verdict = h->opened->line.dialogue.trouble;
}

/* All of it; what became of whom are the verdicts. False with errno set: not even that is known. */
static bool hand_over(struct handover *h)
{
    struct dialogue *dialogue;

    if (h->opened == NULL && (h->opened = open_to(h->transaction, h->target)) == NULL)
        return false;
    dialogue = &h->opened->line.dialogue;
    if (h->opened->line.fd < 0)
        trouble_for(h, h->count);
    else if (h->asked < h->count && !dialogue_envelope(dialogue, &h->letter, !h->opened->begun, h->recipients + h->asked,
                                                       h->count - h->asked))
        trouble_for(h, h->asked);
    else
        (void)dialogue_message(dialogue, &h->letter, h->recipients, h->count); /* the verdicts say it all */
    return true;
}

/* The answer becomes ours; what is said of the connection ends that one, and not the client's. */
static void outcome_of(const struct handover *h, const struct verdict *verdict, struct outcome *outcome)
{
    bool accepts = verdict_accepts(verdict), final = verdict->code >= 500 && !h->target->temporary;

    if (verdict->late) {
        outcome_timeout(outcome, h->transaction, &h->transaction->settings->handover_secs);
        return;
    }
    outcome_set(outcome, accepts ? RESULT_DELIVERED : final ? RESULT_REFUSED : RESULT_DEFERRED, "%.*s", REASON_MAX - 1,
                verdict->text[0] != '\0' || accepts ? verdict->text : "the next server gives no reason");
    outcome->code = verdict->code >= 500 && !final ? 451 : accepts ? 250 : verdict->code;
    memcpy(outcome->status, verdict->status, sizeof outcome->status);
}

static const struct verdict *verdict_of(const struct handover *h, const struct recipient *r)
{
    size_t i = 0;

    while (h->recipients[i].address != &r->address)
        i++;
    return &h->recipients[i].verdict;
}

void handover_deliver(const struct transaction *transaction, const struct recipient *recipient,
                      const struct target *target, struct outcome *outcome)
{
    struct handover *h = begin(transaction, recipient, target);
    bool done = false;

    if (h == NULL || !letter_look(&h->letter)) {
        outcome_errno(outcome, "cannot read the message");
    } else {
        h->letter.eight_bit = h->letter.content.eight_bit;
        h->letter.utf8 = !all_ascii(h) || (said_utf8(transaction) && h->letter.content.eight_bit_header);
        done = hand_over(h);
        if (!done)
            outcome_errno(outcome, "cannot connect");
    }
    for (const struct recipient *r = recipient; r != NULL && done; r = r->together)
        outcome_of(h, verdict_of(h, r), r->outcome);
    if (h != NULL && h->opened != NULL) {
        h->opened->done = true;
        keep_opened(transaction, h->opened);
    }
    free(h);
}

/* ---- asking -------------------------------------------------------------------------------- */

static struct reply reply_of(const struct transaction *t, const struct recipient *r, const struct verdict *verdict)
{
    static const struct reply unsure = REPLY(451, "4.1", "The next server cannot be asked now, try again later");
    static struct verdict kept RARE_BSS;
    const struct target *target = &r->rule->target;
    char path[LOG_TEXT], to[LOG_TEXT], why[LOG_TEXT];

    if (verdict->code == 0) {
        log_line(LOG_WARNING, "not asked path=\"%s\" to=\"%s\" reason=\"%s\"",
                 log_encode(path, sizeof path, target->text), log_encode(to, sizeof to, address_slice(&r->address)),
                 log_encode(why, sizeof why, slice_of(verdict->text)));
        return verdict->late ? reply_as_temporary(t->settings->handover_secs.reply) : unsure;
    }
    kept = *verdict;
    return (struct reply){ .code = kept.code >= 500 && target->temporary ? 451 : kept.code,
                           .status = slice_of(kept.status), .text = slice_of(""), .detail = slice_of(kept.text) };
}

struct reply handover_ask(const struct transaction *transaction, const struct mail_argument *mail,
                          struct recipient *recipient)
{
    static const struct reply no_objection = { .code = 0 };
    const struct target *target = &recipient->rule->target;
    const struct letter letter = { .sender = transaction->canonical_sender, .eight_bit = mail->eight_bit,
                                   .utf8 = mail->smtputf8, .content.size = mail->size };
    struct letter_recipient asked = { .address = &recipient->address };
    struct opened *opened;
    bool open;

    if (transaction->settings->rehearse != NULL)
        return no_objection;
    opened = take_opened(transaction, target);
    if (opened == NULL && (opened = open_to(transaction, target)) == NULL)
        return reply_of(transaction, recipient, &(struct verdict){ .text = "no memory" });
    asked.verdict = opened->line.dialogue.trouble;
    open = opened->line.fd >= 0 && dialogue_envelope(&opened->line.dialogue, &letter, !opened->begun, &asked, 1);
    recipient->asked = open && verdict_accepts(&asked.verdict) ? opened->number : 0;
    if (open) {
        opened->begun = true;
        opened->accepted += recipient->asked != 0;
        keep_opened(transaction, opened);
    } else {
        close_opened(opened);
    }
    return recipient->asked != 0 ? no_objection : reply_of(transaction, recipient, &asked.verdict);
}
