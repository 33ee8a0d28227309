/* milter_verdict.c - what becomes of an answer of a milter, and of one that cannot be had */
#include "handlers/milter_verdict.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"

/* There is one session in a process. */
static const struct milter *discards;
static char note[LOG_TEXT] RARE_BSS;

static const struct reply no_objection = { .code = 0 };

const struct milter *milter_discards(void)
{
    return discards;
}

void milter_verdict_forget(void)
{
    discards = NULL;
}

/* ---- what is said of it ---------------------------------------------------------------------- */

void milter_show(const struct milter_turn *turn, const char *what)
{
    log_debug('r', "%s:%u: milter %.*s at %s%s", SOURCE_AT(turn->context->rules->groups.sources,
                                                           turn->milter->clients.line),
              (int)turn->milter->name.len, turn->milter->name.text, milter_commands[turn->command].stage, what);
}

static void show_answer(const struct milter_turn *turn, const struct milter_answer *answer)
{
    char what[LOG_TEXT + 32], shown[LOG_TEXT];

    if (!log_wants('r'))
        return;
    (void)snprintf(what, sizeof what, " answers: %s%s%s", milter_words[answer->word], answer->text.len > 0 ? " " : "",
                   log_encode(shown, sizeof shown, answer->text));
    milter_show(turn, what);
}

static struct slice address_of(const struct address *address)
{
    return address != NULL ? address_slice(address) : (struct slice){ "", 0 };
}

static void log_action(const struct milter_turn *turn, const char *action, const char *ignored, struct slice words)
{
    const struct milter_facts *facts = turn->context->facts;
    char name[LOG_TEXT], from[LOG_TEXT], to[LOG_TEXT], text[LOG_TEXT];

    log_line(ignored != NULL ? LOG_WARNING : LOG_INFO, "milter action=%s stage=%s milter=\"%s\"%s%s%s from=\"%s\" to=\"%s\" text=\"%s\"", action,
             milter_commands[turn->command].stage, log_encode(name, sizeof name, turn->milter->name),
             ignored != NULL ? " ignored=\"" : "", ignored != NULL ? ignored : "", ignored != NULL ? "\"" : "",
             log_encode(from, sizeof from, address_of(facts->sender)),
             log_encode(to, sizeof to, address_of(facts->recipient != NULL ? &facts->recipient->address : NULL)),
             log_encode(text, sizeof text, words));
}

/* NAME: VALUE of a field, with its number behind the name where there is one. */
void milter_log_change(const struct milter_turn *turn, const struct milter_change *change)
{
    char bytes[LOG_TEXT];
    struct text text = { bytes, sizeof bytes, 0 };

    text_put(&text, change->name);
    if (change->kind == MILTER_CHANGE_FIELD || change->kind == MILTER_INSERT_FIELD) {
        text_put(&text, (struct slice)SLICE("/"));
        text_number(&text, change->index, 1);
    }
    if (change->kind != MILTER_REPLACE_BODY)
        text_put(&text, change->as_is ? (struct slice)SLICE(":") : (struct slice)SLICE(": "));
    text_put(&text, change->value);
    log_action(turn, milter_changes[change->kind], NULL, text_slice(&text));
}

/* Facts of a refusal are words, without quotes: they cross the wall, and are encoded there once more. */
static struct slice note_of(const struct milter_turn *turn)
{
    struct text text = { note, sizeof note, 0 };
    char name[LOG_TEXT / 2];

    text_put(&text, (struct slice)SLICE("milter="));
    text_put(&text, slice_of(milter_commands[turn->command].stage));
    text_put(&text, (struct slice)SLICE(" service="));
    for (const char *c = log_encode(name, sizeof name, turn->milter->name); *c != '\0'; c++)
        text_put(&text, *c == ' ' ? (struct slice)SLICE("<0x20>") : (struct slice){ c, 1 });
    return text_slice(&text);
}

/* ---- refusals ---------------------------------------------------------------------------------- */

/* Lines of a reply that has more than one are in its text, for only there a line may end. */
static struct reply reply_of(const struct milter_turn *turn)
{
    const struct milter_connection *c = &turn->milter->connection;
    const struct slice text = { c->refusal.text, c->refusal.len };
    const bool lines = memchr(c->refusal.text, '\n', c->refusal.len) != NULL;

    return (struct reply){ .code = c->refusal.code, .status = slice_of(c->refusal.status),
                           .text = lines ? text : (struct slice){ "", 0 },
                           .detail = lines ? (struct slice){ "", 0 } : text, .note = note_of(turn), .closes = c->refusal.code == 421 };
}

struct reply milter_refuse_again(const struct milter_turn *turn)
{
    return reply_of(turn);
}

static void set_refusal(struct milter_reply *refusal, unsigned code, const char *status, const char *words)
{
    struct text text = { refusal->text, sizeof refusal->text, 0 };

    refusal->code = code;
    text_string(refusal->status, sizeof refusal->status, slice_of(status));
    text_put(&text, slice_of(words));
    refusal->len = text.len;
}

/*
 * Of a recipient nothing is kept, nor of what is no command; before MAIL the client is meant, and whatever message it
 * has.
 */
static struct reply refuse(const struct milter_turn *turn, const struct milter_answer *answer)
{
    struct milter_connection *c = &turn->milter->connection;

    switch (answer->word) {
    case MILTER_REJECT:
        set_refusal(&c->refusal, 550, "7.1", "Command rejected");
        break;
    case MILTER_TEMPFAIL:
        set_refusal(&c->refusal, 451, "7.1", "Service unavailable - try again later");
        break;
    case MILTER_CONN_FAIL:
    case MILTER_SHUTDOWN:
        set_refusal(&c->refusal, 421, "7.0", "Service unavailable, closing the connection");
        break;
    default:
        if (!milter_reply_read(answer->text, &c->refusal))
            return milter_fail(turn, MILTER_BROKEN, "its reply is no refusal");
    }
    if (turn->command == MILTER_RCPT || turn->command == MILTER_UNKNOWN)
        return reply_of(turn);
    c->asked = false;
    c->refuses = true;
    if (turn->command <= MILTER_HELO) {
        c->refuses_client = true;
        c->refused_helo = turn->command == MILTER_HELO;
        milter_service_close(turn->milter, true);
    }
    return reply_of(turn);
}

/* ---- answers ----------------------------------------------------------------------------------- */

static struct reply pass(const struct milter_turn *turn)
{
    struct milter_connection *c = &turn->milter->connection;

    c->asked = false;
    if (turn->command <= MILTER_HELO) {
        c->off = true;
        milter_service_close(turn->milter, true);
    }
    return no_objection;
}

static struct reply discard(const struct milter_turn *turn)
{
    if (turn->command <= MILTER_HELO) {
        log_action(turn, milter_words[MILTER_DISCARD], "there is no message yet", (struct slice){ "", 0 });
        return no_objection;
    }
    turn->milter->connection.asked = false;
    discards = turn->milter;
    log_action(turn, milter_words[MILTER_DISCARD], NULL, (struct slice){ "", 0 });
    return no_objection;
}

static struct reply skip(const struct milter_turn *turn)
{
    if (turn->command == MILTER_RCPT || turn->command == MILTER_HEADER || turn->command == MILTER_BODY)
        turn->milter->connection.skipped |= 1U << turn->command;
    return no_objection;
}

struct reply milter_verdict(const struct milter_turn *turn, const struct milter_answer *answer)
{
    show_answer(turn, answer);
    switch (answer->word) {
    case MILTER_CONTINUE:
        return no_objection;
    case MILTER_SKIP:
        return skip(turn);
    case MILTER_ACCEPT:
        return pass(turn);
    case MILTER_DISCARD:
        return discard(turn);
    default:
        return refuse(turn, answer);
    }
}

/* ---- failures ---------------------------------------------------------------------------------- */

/* Where the service is being stopped, or the time of the session is over, the client is to come again. */
struct reply milter_failed(const struct milter_turn *turn)
{
    static const struct reply rejected = REPLY(550, "7.1", "Refused, for a filter cannot be asked");
    const struct handler_settings *settings = turn->context->settings;
    const bool stopped = turn->milter->connection.stopped;
    struct reply reply = settings->milter_secs.reply;

    if (!stopped && (settings->milter_failure == MILTER_FAILS_OPEN ||
                     (settings->milter_failure == MILTER_FAILS_ASIDE && settings->quarantine.path.len > 0)))
        return no_objection;
    if (!stopped && settings->milter_failure == MILTER_FAILS_CLOSED)
        reply = rejected;
    reply.note = note_of(turn);
    return reply;
}

struct reply milter_fail(const struct milter_turn *turn, enum milter_hearing hearing, const char *reason)
{
    const struct milter_context *context = turn->context;
    struct milter_connection *c = &turn->milter->connection;
    char name[LOG_TEXT], why[LOG_TEXT];

    if (c->reused && hearing == MILTER_CLOSED) { /* there will be another connection */
        milter_service_close(turn->milter, false);
        return no_objection;
    }
    log_line(LOG_ERR, "milter failed stage=%s milter=\"%s\" reason=\"%s\"", milter_commands[turn->command].stage,
             log_encode(name, sizeof name, turn->milter->name), log_encode(why, sizeof why, slice_of(reason)));
    milter_show(turn, " has no answer");
    milter_service_close(turn->milter, false);
    c->asked = c->begun = false;
    c->failed = true;
    c->late = c->late || hearing == MILTER_LATE;
    c->keeps_back = context->settings->milter_failure == MILTER_FAILS_ASIDE;
    c->stopped = hearing == MILTER_STOPPED || clock_left(context->deadline) == 0;
    return milter_failed(turn);
}

struct reply milter_exchange(const struct milter_turn *turn, bool gathers)
{
    const bool answered = milter_talk_is_answered(turn->milter, turn->command);
    enum milter_hearing hearing = MILTER_HEARD;
    char reason[MILTER_REASON];
    struct milter_answer answer = { .word = MILTER_CONTINUE };

    if (!answered && gathers && milter_talk_has_room())
        return no_objection;
    hearing = milter_talk_send(turn->context, turn->milter, reason);
    if (hearing == MILTER_HEARD && answered)
        hearing = milter_talk_hear(turn->context, turn->milter, turn->command, &answer, reason);
    return hearing == MILTER_HEARD ? milter_verdict(turn, &answer) : milter_fail(turn, hearing, reason);
}
