/* deliver.c - the accepted recipients of one message: in which order, and what the sender hears */
#include "delivery/deliver.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "delivery/command.h"
#include "delivery/handover.h"
#include "delivery/ledger.h"
#include "delivery/maildir.h"
#include "delivery/mbox.h"
#include "delivery/path.h"

static const struct reply deferred = REPLY(451, "3.0", "The message cannot be delivered now, try again later");
static const struct reply refused = REPLY(554, "7.0", "Delivery refused:");

/* `deliver` sets the outcome of the recipient; it may set, too, those of the recipients that are together with it. */
static const struct way {
    const char *name;
    bool comes_first; /* it fails more often than a file */
    bool runs_command;
    void (*deliver)(const struct transaction *transaction, const struct recipient *recipient,
                    const struct target *target, struct outcome *outcome);
} ways[] = {
    [TARGET_APPEND] = { "append", false, false, mbox_append },
    [TARGET_MAILDIR] = { "maildir", false, false, maildir_deliver },
    [TARGET_PIPE] = { "pipe", true, true, command_run },
    [TARGET_EXEC] = { "exec", true, true, command_run },
    [TARGET_LMTP] = { "lmtp", true, false, handover_deliver },
    [TARGET_SMTP] = { "smtp", true, false, handover_deliver },
};

enum { REHEARSED = RESULT_REFUSED + 1, ALREADY, RUN_BYTES = 32768 };

static const char *const names[] = { [RESULT_DELIVERED] = "delivered", [RESULT_DEFERRED] = "deferred",
                                     [RESULT_REFUSED] = "refused", [REHEARSED] = "rehearsed",
                                     [ALREADY] = "already" };

/* What decided: a line, or that there was none. */
static const char *rule_shown(const struct transaction *t, const struct rule *rule, char out[RULES_PLACE])
{
    return rule->line == 0 ? "dead-letter" : rules_place(t->rules, rule->line, out);
}

/* Where a delivery has gone to. */
static struct slice shown_path(const struct target *target, const struct recipient *r, char place[PATH_MAX])
{
    if (!path_is_chosen(target))
        return target->text;
    (void)path_of(target, r, place);
    return slice_of(place);
}

/* The line per delivery, which is always logged. */
static void log_delivery(const struct transaction *t, const struct recipient *r, const struct target *target,
                         unsigned result, const char *reason, uint64_t milliseconds)
{
    char host[LOG_TEXT], place[PATH_MAX], path[LOG_TEXT], from[LOG_TEXT], to[LOG_TEXT], why[LOG_TEXT], rule[RULES_PLACE];
    const char *name = client_known_name(t->client);

    log_line(result == RESULT_DEFERRED || result == RESULT_REFUSED ? LOG_WARNING : LOG_INFO,
             "delivery result=%s id=%s rule=%s target=%s bytes=%ju secs=%ju.%03u%s%s path=\"%s\" from=\"%s\" to=\"%s\""
             "%s%s%s", names[result], t->id, rule_shown(t, r->rule, rule), ways[target->kind].name, (uintmax_t)t->spool->size,
             (uintmax_t)(milliseconds / 1000), (unsigned)(milliseconds % 1000), name[0] != '\0' ? " host=" : "", log_encode(host, sizeof host, slice_of(name)),
             log_encode(path, sizeof path, shown_path(target, r, place)), log_encode(from, sizeof from, address_slice(t->said_sender)),
             log_encode(to, sizeof to, address_slice(&r->address)), reason[0] != '\0' ? " reason=\"" : "",
             log_encode(why, sizeof why, slice_of(reason)), reason[0] != '\0' ? "\"" : "");
}

static char failure[REASON_MAX] RARE_BSS; /* touched only when there is one */
static bool violation;

static void note_failure(const struct outcome *outcome)
{
    if (outcome->result != RESULT_DELIVERED)
        (void)snprintf(failure, sizeof failure, "%s", outcome->reason);
    violation = violation || (outcome->result == RESULT_REFUSED && outcome->violation);
}

bool deliver_violation(void)
{
    return violation;
}

const char *deliver_failure(void)
{
    return failure;
}

/* Failed deliveries whose copies reach the dead-letter file, one for each recipient, are in safe hands. */
static void save_dead_letters(const struct transaction *t, struct recipient *first, size_t count)
{
    const struct target *target;

    if (first->rule == t->rules->dead_letter || !delivery_keeps_dead_letters(t->settings) || clock_left(t->deadline) == 0)
        return;
    target = &t->rules->dead_letter->target;
    for (struct recipient *r = first; r != NULL; r = r->together) {
        uint64_t begin = clock_ms();
        struct outcome saved;

        if (r->outcome->result == RESULT_DELIVERED)
            continue;
        if (r->outcome->result == RESULT_REFUSED && count == 1)
            continue; /* the sender hears it instead */
        ways[target->kind].deliver(t, r, target, &saved);
        log_delivery(t, r, target, saved.result, saved.reason, clock_ms() - begin);
        if (saved.result != RESULT_DELIVERED)
            return;
        *r->outcome = saved;
    }
}

/*
 * Those of a unit whose deliveries are to be made: not what the ledger knows to have been made, nor what another session is
 * making. NULL: none is left. The others have their outcome.
 */
static struct recipient *claim(const struct transaction *t, struct recipient *first, const struct target *target)
{
    uint64_t until = clock_earlier(clock_ms() + t->settings->lock_secs.value * 1000, t->deadline);
    struct recipient *left = NULL, **end = &left, *next;

    for (struct recipient *r = first; r != NULL; r = next) {
        next = r->together;
        r->together = NULL;
        switch (ledger_claim(t, r, ways[target->kind].runs_command, until)) {
        case LEDGER_FREE:
            *end = r;
            end = &r->together;
            break;
        case LEDGER_ALREADY:
            outcome_set(r->outcome, RESULT_DELIVERED, "%s", "");
            log_delivery(t, r, target, ALREADY, "", 0);
            break;
        case LEDGER_BUSY:
            outcome_set(r->outcome, RESULT_DEFERRED, "another session is delivering it");
            log_delivery(t, r, target, RESULT_DEFERRED, r->outcome->reason, 0);
            note_failure(r->outcome);
            break;
        }
    }
    return left;
}

static void note(const struct transaction *t, const struct recipient *first)
{
    for (const struct recipient *r = first; r != NULL; r = r->together)
        ledger_note(t, r);
}

/*
 * Delivers to a recipient and to all that are together with it, each of which has its outcome then: that of the first
 * one, unless the delivery gave it its own.
 */
static void deliver_unit(const struct transaction *t, struct recipient *first, size_t count)
{
    const struct target *target = &first->rule->target;
    const bool rehearsal = t->settings->rehearse != NULL;
    uint64_t milliseconds = 0, begin = clock_ms();

    if (rehearsal) {
        t->settings->rehearse(t, first, target);
        outcome_set(first->outcome, RESULT_DELIVERED, "%s", "");
    } else {
        ways[target->kind].deliver(t, first, target, first->outcome);
        milliseconds = clock_ms() - begin;
    }
    for (struct recipient *r = first; r != NULL; r = r->together)
        if (r->outcome->result == RESULT_NONE)
            *r->outcome = *first->outcome;
    note(t, first); /* at once: who kills us before has it delivered twice */
    for (struct recipient *r = first; r != NULL; r = r->together) {
        log_delivery(t, r, target, rehearsal ? REHEARSED : r->outcome->result, r->outcome->reason, milliseconds);
        note_failure(r->outcome);
    }
    save_dead_letters(t, first, count);
    note(t, first);
}

/* The same for what of it is still to be done. */
static void deliver_rest(const struct transaction *t, struct recipient *first, size_t count)
{
    struct recipient *left = claim(t, first, &first->rule->target);

    if (left != NULL)
        deliver_unit(t, left, count);
    ledger_release(t->settings);
}

/* What a command has asked for, in its words. With other recipients around, it says of whom that is true. */
static struct reply reply_said(const struct recipient *r, size_t count, const struct outcome *outcome)
{
    static char status[OUTCOME_STATUS], detail[ADDRESS_MAX + REASON_MAX + 8] RARE_BSS;

    (void)snprintf(status, sizeof status, "%s", outcome->status);
    (void)snprintf(detail, sizeof detail, "%s%s%s%s", count > 1 ? "<" : "", count > 1 ? r->address.text : "",
                   count > 1 ? "> " : "", outcome->reason);
    return (struct reply){ .code = outcome->code, .status = slice_of(status), .text = slice_of(""),
                           .detail = slice_of(detail), .closes = outcome->code == 421 };
}

static struct reply reply_deferred(const struct transaction *t, const struct recipient *r, size_t count,
                                   const struct outcome *outcome)
{
    struct reply reply;

    if (outcome->code != 0)
        return reply_said(r, count, outcome);
    /* the time limit of the session has a reply that is meant for commands, and may be final */
    reply = reply_as_temporary(outcome->limit != NULL ? outcome->limit->reply : deferred);

    reply.closes = outcome->limit == &t->session->connection_secs;
    return reply;
}

static struct reply reply_refused(const struct recipient *r, size_t count, const struct outcome *outcome)
{
    static char detail[ADDRESS_MAX + REASON_MAX + 8] RARE_BSS;
    struct reply reply = outcome->limit != NULL ? outcome->limit->reply : refused;

    if (outcome->code != 0)
        return reply_said(r, count, outcome);
    (void)snprintf(detail, sizeof detail, "<%s> %s", r->address.text, outcome->reason);
    reply.detail = slice_of(detail);
    return reply;
}

static struct reply reply_delivered(const struct transaction *t)
{
    static const struct reply delivered = REPLY(250, "0.0", "Ok, delivered as");
    static const struct reply rehearsed = REPLY(250, "0.0", "Ok, but nothing is delivered in a rehearsal of");
    struct reply reply = t->settings->rehearse != NULL ? rehearsed : delivered;

    reply.detail = slice_of(t->id);
    return reply;
}

ssize_t deliver_begin(const struct transaction *transaction, const struct recipient *recipient, int fd)
{
    struct copy copy;

    if (!ways[recipient->rule->target.kind].runs_command)
        return 0;
    copy_begin(&copy, transaction, recipient, transaction->settings->pipe_from_line);
    return copy_head_to(&copy, fd);
}

/* Is one delivery for both? */
static bool is_together(const struct recipient *before, const struct recipient *r)
{
    const struct target *a = &before->rule->target, *b = &r->rule->target;

    if (b->hop != NULL)
        return handover_is_together(a, b);
    return b->once && before->rule == r->rule;
}

static bool has_environment(const struct recipient *r)
{
    return ways[r->rule->target.kind].runs_command;
}

/* Puts a recipient together with the last one that its delivery is for, too. What they take of an environment is bounded. */
static void join(struct recipient *recipients, struct recipient *r)
{
    struct recipient *before = r;

    r->together = NULL;
    r->run_bytes = r->address.len + 1U;
    if (!r->rule->target.once && r->rule->target.hop == NULL)
        return;
    while (before > recipients && !is_together(--before, r))
        ;
    if (before == r || !is_together(before, r) || (has_environment(r) && before->run_bytes + r->run_bytes > RUN_BYTES))
        return;
    r->run_bytes += before->run_bytes;
    before->together = r;
}

void deliver_prepare(const struct transaction *transaction, struct recipient *recipients, size_t count)
{
    ledger_begin();
    for (size_t i = 0; i < count; i++) {
        recipients[i].outcome = &transaction->outcomes[i];
        recipients[i].outcome->result = RESULT_NONE;
        recipients[i].entry = &transaction->entries[i];
        join(recipients, &recipients[i]);
    }
}

/* The first of those together from `r` on, up to the end of the list, whose delivery failed temporarily; NULL: none. */
static const struct recipient *find_deferred(const struct recipient *r, const struct recipient *end)
{
    while (r != NULL && r < end && r->outcome->result != RESULT_DEFERRED)
        r = r->together;
    return r < end ? r : NULL;
}

/* Delivers to those of the list that have no outcome yet, and says what became of them all. */
static struct reply deliver_list(const struct transaction *t, struct recipient *recipients, size_t count)
{
    const struct outcome *outcome = recipients->outcome;
    struct reply refusal = { .code = 0 };

    violation = false;
    for (int first = 1; first >= 0; first--) {
        for (size_t i = 0; i < count; i++) {
            struct recipient *r = &recipients[i];
            const struct recipient *failed;

            if (ways[r->rule->target.kind].comes_first != (first == 1))
                continue;
            outcome = r->outcome;
            if (outcome->result == RESULT_NONE)
                deliver_rest(t, r, count);
            failed = find_deferred(r, recipients + count);
            if (failed != NULL)
                return reply_deferred(t, failed, count, failed->outcome);
            if (outcome->result == RESULT_REFUSED && refusal.code == 0)
                refusal = reply_refused(r, count, outcome);
        }
    }
    if (refusal.code != 0)
        return refusal;
    for (size_t i = 0; i < count; i++)
        ledger_owe(&recipients[i]);
    if (count == 1 && outcome->code != 0 && outcome->reason[0] != '\0')
        return reply_said(recipients, count, outcome);
    return reply_delivered(t);
}

struct reply deliver_all(const struct transaction *transaction, struct recipient *recipients, size_t count)
{
    deliver_prepare(transaction, recipients, count);
    return deliver_list(transaction, recipients, count);
}

/* Why no further delivery is begun; code 0: one is. */
static struct reply reply_late(const struct transaction *t)
{
    static const struct reply stopped = REPLY(451, "3.2", "The service is being stopped, try again later");
    struct reply reply = { .code = 0 };

    if (t->terminated != NULL && *t->terminated)
        return stopped;
    if (clock_left(t->deadline) == 0) {
        reply = reply_as_temporary(t->session->connection_secs.reply);
        reply.closes = true;
    }
    return reply;
}

struct reply deliver_one(const struct transaction *transaction, struct recipient *recipients, size_t count, size_t index)
{
    struct reply reply = { .code = 0 };
    size_t behind = index + 1;

    violation = false;
    while (behind < count && recipients[behind].rule->kind == RULE_ALSO)
        behind++;
    if (recipients[index].outcome->result == RESULT_NONE)
        reply = reply_late(transaction);
    if (reply.code == 0)
        reply = deliver_list(transaction, &recipients[index], behind - index);
    if (reply.code == 421 && clock_left(transaction->deadline) > 0) { /* it closes, and the others are to have answers, too */
        reply.code = 451;
        reply.closes = false;
    }
    return reply;
}
