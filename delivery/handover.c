/* handover.c - a message to the next server, and its answers: lmtp and smtp */
#include "delivery/handover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cold.h"

struct handover {
    const struct transaction *transaction;
    const struct target *target;
    const struct limit *limit;
    struct hop_line line;
    struct copy copy;
    struct letter letter;
    size_t count;
    struct letter_recipient recipients[];
};

static struct slice piece_of(void *context, uint64_t offset, char *buffer, size_t size)
{
    return copy_piece(context, offset, buffer, size);
}

/* Did the client say that there is something outside ASCII, which old servers know nothing of (RFC 6531 3.4)? */
static bool said_utf8(const struct transaction *transaction)
{
    return strstr(transaction->protocol, "UTF8") != NULL;
}

static bool any_utf8(const struct handover *h)
{
    bool any = h->letter.sender->utf8;

    for (size_t i = 0; i < h->count; i++)
        any = any || h->recipients[i].address->utf8;
    return any;
}

static struct handover *begin(const struct transaction *transaction, const struct recipient *first, const struct target *target)
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
    h->limit = &transaction->settings->handover_secs;
    copy_begin(&h->copy, transaction, NULL, false);
    h->letter = (struct letter){ .sender = transaction->sender, .piece = piece_of, .context = &h->copy };
    for (const struct recipient *r = first; r != NULL; r = r->together)
        h->recipients[h->count++].address = &r->address;
    return h;
}

/* All of it; what became of whom are the verdicts. */
static void hand_over(struct handover *h)
{
    const struct transaction *t = h->transaction;
    char name[DOMAIN_MAX + 1];

    (void)snprintf(name, sizeof name, "%.*s", (int)t->rules->domain.len, t->rules->domain.text);
    if (!hop_open(&h->line, h->target->hop, name, clock_earlier(clock_ms() + h->limit->value * 1000, t->deadline), t->terminated)) {
        for (size_t i = 0; i < h->count; i++)
            h->recipients[i].verdict = h->line.dialogue.trouble;
        return;
    }
    if (dialogue_envelope(&h->line.dialogue, &h->letter, true, h->recipients, h->count))
        (void)dialogue_message(&h->line.dialogue, &h->letter, h->recipients, h->count); /* the verdicts say it all */
    hop_close(&h->line);
}

/* The answer becomes ours; what is said of the connection ends that one, and not the client's. */
static void outcome_of(const struct handover *h, const struct verdict *verdict, struct outcome *outcome)
{
    bool accepts = verdict_accepts(verdict), final = verdict->code >= 500 && !h->target->temporary;

    if (verdict->late) {
        outcome_timeout(outcome, h->transaction, h->limit);
        return;
    }
    outcome_set(outcome, accepts ? RESULT_DELIVERED : final ? RESULT_REFUSED : RESULT_DEFERRED, "%.*s", REASON_MAX - 1,
                verdict->text[0] != '\0' || accepts ? verdict->text : "the next server gives no reason");
    outcome->code = verdict->code >= 500 && !final ? 451 : accepts ? 250 : verdict->code;
    memcpy(outcome->status, verdict->status, sizeof outcome->status);
}

void handover_deliver(const struct transaction *transaction, const struct recipient *recipient,
                      const struct target *target, struct outcome *outcome)
{
    struct handover *h = begin(transaction, recipient, target);
    size_t i = 0;

    if (h == NULL || !letter_look(&h->letter)) {
        outcome_errno(outcome, "cannot read the message");
        free(h);
        return;
    }
    h->letter.eight_bit = h->letter.content.eight_bit;
    h->letter.utf8 = any_utf8(h) || (said_utf8(transaction) && h->letter.content.eight_bit_header);
    hand_over(h);
    for (const struct recipient *r = recipient; r != NULL; r = r->together)
        outcome_of(h, &h->recipients[i++].verdict, r->outcome);
    free(h);
}
