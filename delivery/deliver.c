/* deliver.c - the accepted recipients of one message: in which order, and what the sender hears */
#include "delivery/deliver.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "delivery/command.h"
#include "delivery/maildir.h"
#include "delivery/mbox.h"

static const struct reply deferred = REPLY(451, "3.0", "The message cannot be delivered now, try again later");
static const struct reply refused = REPLY(554, "7.0", "Delivery refused:");

static const struct way {
    const char *name;
    bool runs_command;
    void (*deliver)(const struct transaction *transaction, const struct recipient *recipient,
                    const struct target *target, struct outcome *outcome);
} ways[] = {
    [TARGET_APPEND] = { "append", false, mbox_append },
    [TARGET_MAILDIR] = { "maildir", false, maildir_deliver },
    [TARGET_PIPE] = { "pipe", true, command_run },
    [TARGET_EXEC] = { "exec", true, command_run },
};

enum { REHEARSED = RESULT_REFUSED + 1, RUN_BYTES = 32768 };

static const char *const names[] = { [RESULT_DELIVERED] = "delivered", [RESULT_DEFERRED] = "deferred",
                                     [RESULT_REFUSED] = "refused", [REHEARSED] = "rehearsed" };

/* What decided: the number of a line, with its file if that is not the main one. */
static void put_rule(const struct transaction *t, const struct rule *rule, char out[LOG_TEXT + 16])
{
    const struct source *sources = t->rules->groups.sources;
    const char *path = source_path(sources, rule->line);
    char shown[LOG_TEXT];

    if (rule->line == 0)
        (void)snprintf(out, LOG_TEXT + 16, "dead-letter");
    else if (path == sources->path)
        (void)snprintf(out, LOG_TEXT + 16, "%u", source_line(sources, rule->line));
    else
        (void)snprintf(out, LOG_TEXT + 16, "\"%s:%u\"", log_encode(shown, sizeof shown, slice_of(path)),
                       source_line(sources, rule->line));
}

/* The line per delivery, which is always logged. */
static void log_delivery(const struct transaction *t, const struct recipient *r, const struct target *target,
                         unsigned result, const char *reason, uint64_t milliseconds)
{
    char host[LOG_TEXT], path[LOG_TEXT], from[LOG_TEXT], to[LOG_TEXT], why[LOG_TEXT], rule[LOG_TEXT + 16];
    const char *name = client_known_name(t->client);

    put_rule(t, r->rule, rule);
    log_line(result == RESULT_DELIVERED || result == REHEARSED ? LOG_INFO : LOG_WARNING,
             "delivery result=%s id=%s rule=%s target=%s bytes=%ju secs=%ju.%03u%s%s path=\"%s\" from=\"%s\" to=\"%s\""
             "%s%s%s", names[result], t->id, rule, ways[target->kind].name, (uintmax_t)t->spool->size,
             (uintmax_t)(milliseconds / 1000), (unsigned)(milliseconds % 1000), name[0] != '\0' ? " host=" : "", log_encode(host, sizeof host, slice_of(name)),
             log_encode(path, sizeof path, target->text), log_encode(from, sizeof from, address_slice(t->sender)),
             log_encode(to, sizeof to, address_slice(&r->address)), reason[0] != '\0' ? " reason=\"" : "",
             log_encode(why, sizeof why, slice_of(reason)), reason[0] != '\0' ? "\"" : "");
}

static void log_deliveries(const struct transaction *t, const struct recipient *r, const struct target *target,
                           unsigned result, const char *reason, uint64_t milliseconds)
{
    for (; r != NULL; r = target->once ? r->together : NULL)
        log_delivery(t, r, target, result, reason, milliseconds);
}

static void deliver_one(const struct transaction *t, const struct recipient *r, const struct target *target,
                        struct outcome *outcome)
{
    uint64_t begin = clock_ms();

    if (t->settings->rehearse != NULL) {
        t->settings->rehearse(t, r, target);
        outcome_set(outcome, RESULT_DELIVERED, "%s", "");
        log_deliveries(t, r, target, REHEARSED, "", 0);
        return;
    }
    ways[target->kind].deliver(t, r, target, outcome);
    log_deliveries(t, r, target, outcome->result, outcome->reason, clock_ms() - begin);
}

/* A failed delivery whose copies reach the dead-letter file, one for each recipient, is in safe hands. */
static void save_dead_letter(const struct transaction *t, const struct recipient *r, size_t count,
                             struct outcome *outcome)
{
    struct outcome saved;

    if (outcome->result == RESULT_DELIVERED || r->rule == t->rules->dead_letter ||
        !delivery_keeps_dead_letters(t->settings) || clock_left(t->deadline) == 0)
        return;
    if (outcome->result == RESULT_REFUSED && count == 1)
        return; /* the sender hears it instead */
    do
        deliver_one(t, r, &t->rules->dead_letter->target, &saved);
    while (saved.result == RESULT_DELIVERED && (r = r->together) != NULL);
    if (saved.result == RESULT_DELIVERED)
        *outcome = saved;
}

/* What a command has asked for, in its words. With other recipients around, it says of whom that is true. */
static struct reply reply_said(const struct recipient *r, size_t count, const struct outcome *outcome)
{
    static char status[OUTCOME_STATUS], detail[ADDRESS_MAX + REASON_MAX + 8];

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
    static char detail[ADDRESS_MAX + REASON_MAX + 8];
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

static char failure[REASON_MAX]; /* touched only when there is one */
static bool violation;

bool deliver_violation(void)
{
    return violation;
}

const char *deliver_failure(void)
{
    return failure;
}

ssize_t deliver_begin(const struct transaction *transaction, const struct recipient *recipient, int fd)
{
    struct copy copy;

    if (!ways[recipient->rule->target.kind].runs_command)
        return 0;
    copy_begin(&copy, transaction, recipient, transaction->settings->pipe_from_line);
    return copy_head_to(&copy, fd);
}

/* Puts together those that one delivery is for; what their addresses take of the environment is bounded. */
static void join(struct recipient *recipients, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct recipient *r = &recipients[i], *before = r;

        r->together = NULL;
        r->joined = false;
        r->run_bytes = r->address.len + 1U;
        if (!r->rule->target.once)
            continue;
        while (before > recipients && (--before)->rule != r->rule)
            ;
        if (before == r || before->rule != r->rule || before->run_bytes + r->run_bytes > RUN_BYTES)
            continue;
        r->joined = true;
        r->run_bytes += before->run_bytes;
        before->together = r;
    }
}

struct reply deliver_all(const struct transaction *transaction, struct recipient *recipients, size_t count)
{
    struct reply refusal = { .code = 0 };
    struct outcome outcome;

    violation = false;
    join(recipients, count);
    for (int commands = 1; commands >= 0; commands--) {
        for (size_t i = 0; i < count; i++) {
            const struct target *target = &recipients[i].rule->target;

            if (ways[target->kind].runs_command != (commands == 1) || recipients[i].joined)
                continue;
            deliver_one(transaction, &recipients[i], target, &outcome);
            if (outcome.result != RESULT_DELIVERED)
                (void)snprintf(failure, sizeof failure, "%s", outcome.reason);
            violation = violation || (outcome.result == RESULT_REFUSED && outcome.violation);
            save_dead_letter(transaction, &recipients[i], count, &outcome);
            if (outcome.result == RESULT_DEFERRED)
                return reply_deferred(transaction, &recipients[i], count, &outcome);
            if (outcome.result == RESULT_REFUSED && refusal.code == 0)
                refusal = reply_refused(&recipients[i], count, &outcome);
        }
    }
    if (refusal.code != 0)
        return refusal;
    if (count == 1 && outcome.code != 0 && outcome.reason[0] != '\0')
        return reply_said(recipients, count, &outcome);
    return reply_delivered(transaction);
}
