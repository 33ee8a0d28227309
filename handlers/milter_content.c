/* milter_content.c - the end of a message: one milter is shown its header and its body, and says what it wants changed */
#include "handlers/milter_content.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cold.h"
#include "base/log.h"
#include "handlers/milter_message.h"

/* There is one session in a process. Touched only when a milter wants something changed. */
static struct {
    size_t count, used;
    struct milter_change changes[MILTER_MOST_CHANGES];
    char *texts; /* MILTER_MOST_HEADER bytes, once there is one */
} wishes COLD_BSS;

static char piece[SPOOL_PIECE] COLD_BSS;

static const struct reply no_objection = { .code = 0 };

bool milter_content_is_wanted(const struct milter *milter)
{
    return milter->connection.asked || milter->connection.failed || milter->connection.refuses;
}

/* Does it go on? Else what has been said is all there is to say. */
static bool goes_on(const struct milter_turn *turn, const struct reply *reply)
{
    return reply->code == 0 && turn->milter->connection.asked;
}

/* ---- the header -------------------------------------------------------------------------------- */

/* A field that is too long for a packet is cut, for the milter's eyes only. A NUL would hide what stands behind it. */
static void put_field(const struct milter *milter, struct slice name, struct slice value, struct text *out)
{
    const bool as_is = (milter->connection.options.steps & MILTER_LEADING_SPACE) != 0;
    char *begin;

    if (!as_is && value.len > 0 && value.text[0] == ' ')
        value = (struct slice){ value.text + 1, value.len - 1 };
    milter_field_fit(&name, &value);
    milter_put_string(out, name);
    begin = out->bytes + out->len;
    milter_put_string(out, value);
    for (size_t i = 0; i < value.len; i++)
        if (begin[i] == '\0')
            begin[i] = '?';
}

static struct reply show_header(struct milter_turn turn)
{
    struct slice name, value;
    struct reply reply = no_objection;

    turn.command = MILTER_HEADER;
    for (size_t i = 0; milter_talk_wants(turn.milter, MILTER_HEADER) && milter_message_field(i, &name, &value); i++) {
        put_field(turn.milter, name, value, milter_talk_put(turn.context, turn.milter, MILTER_HEADER));
        milter_talk_seal();
        reply = milter_exchange(&turn, true);
        if (!goes_on(&turn, &reply))
            break;
    }
    return reply;
}

/* EOH, whose macros are told in any case. */
static struct reply show_end_of_header(struct milter_turn turn)
{
    turn.command = MILTER_EOH;
    if (!milter_talk_wants(turn.milter, MILTER_EOH)) {
        milter_talk_put_macros(turn.context, turn.milter, MILTER_EOH);
        return no_objection;
    }
    (void)milter_talk_put(turn.context, turn.milter, MILTER_EOH);
    milter_talk_seal();
    return milter_exchange(&turn, true);
}

/* ---- the body ---------------------------------------------------------------------------------- */

/* How the body is read: each line ends in CRLF for milters. */
struct reading {
    uint64_t offset;
    struct slice rest; /* of the piece that was read */
    bool owes_lf;      /* a CR was put, whose LF had no room */
};

/* Fills a packet. False with errno set where the body cannot be read. */
static bool put_lines(struct reading *r, struct text *out, size_t end)
{
    while (out->len < end) {
        const char *lf;
        size_t len;

        if (r->rest.len == 0) {
            r->rest = milter_message_body(r->offset, piece, sizeof piece);
            r->offset += r->rest.len;
            if (r->rest.len == 0)
                return r->rest.text != NULL;
        }
        if (r->rest.text[0] == '\n') {
            text_put(out, r->owes_lf ? (struct slice)SLICE("\n") : (struct slice)SLICE("\r"));
            r->rest = r->owes_lf ? (struct slice){ r->rest.text + 1, r->rest.len - 1 } : r->rest;
            r->owes_lf = !r->owes_lf;
            continue;
        }
        lf = memchr(r->rest.text, '\n', r->rest.len);
        len = lf != NULL ? (size_t)(lf - r->rest.text) : r->rest.len;
        len = len < end - out->len ? len : end - out->len;
        text_put(out, (struct slice){ r->rest.text, len });
        r->rest = (struct slice){ r->rest.text + len, r->rest.len - len };
    }
    return true;
}

static struct reply show_body(struct milter_turn turn)
{
    static const struct reply unreadable = REPLY(451, "3.0", "The message cannot be read now, try again later");
    struct reading reading = { .offset = 0 };
    struct reply reply = no_objection;

    turn.command = MILTER_BODY;
    while (milter_talk_wants(turn.milter, MILTER_BODY)) {
        struct text *out = milter_talk_put(turn.context, turn.milter, MILTER_BODY);
        const size_t begin = out->len;

        if (!put_lines(&reading, out, begin + MILTER_DATA)) {
            log_line(LOG_ERR, "cannot read the message: %m");
            milter_talk_drop();
            return unreadable;
        }
        if (out->len == begin) { /* no empty packet: libmilter would close the connection */
            out->len = begin - MILTER_HEAD;
            break;
        }
        milter_talk_seal();
        reply = milter_exchange(&turn, true);
        if (!goes_on(&turn, &reply))
            break;
    }
    return reply;
}

/* ---- what it wants ----------------------------------------------------------------------------- */

static bool keep_text(struct slice *text)
{
    char *copy = wishes.texts + wishes.used;

    if (text->len > MILTER_MOST_HEADER - wishes.used)
        return false;
    memcpy(copy, text->text, text->len);
    text->text = copy;
    wishes.used += text->len;
    return true;
}

static bool is_of_field(enum milter_change_kind kind)
{
    return kind == MILTER_ADD_FIELD || kind == MILTER_CHANGE_FIELD || kind == MILTER_INSERT_FIELD;
}

static const char no_room[] = ""; /* it is none of the milter's doing */

/* Returns NULL, or why the answer is none. */
static const char *keep(const struct milter_turn *turn, const struct milter_answer *answer)
{
    struct milter_change *change = &wishes.changes[wishes.count];
    const bool replaces = answer->change.kind == MILTER_REPLACE_BODY;

    if (is_of_field(answer->change.kind) && !milter_is_field_name(answer->change.name))
        return "it wants a header field whose name cannot be";
    if (replaces && !milter_message_replace(answer->text))
        return errno == EMSGSIZE ? "its new body is too large" : no_room;
    for (size_t i = 0; i < wishes.count && replaces; i++)
        if (wishes.changes[i].kind == MILTER_REPLACE_BODY)
            return NULL;
    if (wishes.count == MILTER_MOST_CHANGES)
        return "it wants too many changes";
    if (wishes.texts == NULL && (wishes.texts = malloc(MILTER_MOST_HEADER)) == NULL)
        return no_room;
    *change = answer->change;
    change->as_is = (turn->milter->connection.options.steps & MILTER_LEADING_SPACE) != 0;
    if (!keep_text(&change->name) || !keep_text(&change->value))
        return "its changes are too long";
    wishes.count++;
    return NULL;
}

/* What the milter wants cannot be kept: no other message is delivered in its place, whatever milter.failure says. */
static struct reply give_up(struct milter *milter)
{
    static const struct reply failed = REPLY(451, "3.0", "The message cannot be changed now, try again later");

    log_line(LOG_ERR, "cannot keep what a milter wants changed: %m");
    milter->connection.asked = milter->connection.begun = false;
    milter_service_close(milter, false);
    return failed;
}

/* The last command: changes, and what becomes of the message. */
static struct reply end(struct milter_turn turn)
{
    struct milter_answer answer = { .word = MILTER_CHANGE };
    enum milter_hearing hearing;
    char reason[MILTER_REASON];

    turn.command = MILTER_EOB;
    (void)milter_talk_put(turn.context, turn.milter, MILTER_EOB);
    milter_talk_seal();
    hearing = milter_talk_send(turn.context, turn.milter, reason);
    while (hearing == MILTER_HEARD) {
        const char *wrong;

        hearing = milter_talk_hear(turn.context, turn.milter, MILTER_EOB, &answer, reason);
        if (hearing != MILTER_HEARD || answer.word != MILTER_CHANGE)
            break;
        wrong = keep(&turn, &answer);
        if (wrong == no_room)
            return give_up(turn.milter);
        if (wrong != NULL)
            return milter_fail(&turn, MILTER_BROKEN, wrong);
    }
    turn.milter->connection.begun = false;
    if (hearing != MILTER_HEARD)
        return milter_fail(&turn, hearing, reason);
    if (milter_service_has_more(turn.milter)) /* none of it is for the next message, nor of the next milter */
        milter_service_close(turn.milter, true);
    return milter_verdict(&turn, &answer);
}

static struct reply show(const struct milter_turn *turn)
{
    struct reply (*const parts[])(struct milter_turn turn) = { show_header, show_end_of_header, show_body, end };
    struct reply reply = no_objection;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && goes_on(turn, &reply); i++)
        reply = parts[i](*turn);
    return reply;
}

struct reply milter_content_show(const struct milter_context *context, struct milter *milter,
                                 struct milter_wishes *wanted)
{
    const struct milter_turn turn = { context, milter, MILTER_EOB };
    struct reply reply;

    *wanted = (struct milter_wishes){ .changes = wishes.changes };
    if (milter->connection.failed)
        return milter_failed(&turn);
    if (milter->connection.refuses)
        return milter_refuse_again(&turn);
    if (!milter->connection.asked)
        return no_objection;
    wishes.count = wishes.used = 0;
    reply = show(&turn);
    if (reply.code == 0 && !milter->connection.failed && milter_discards() == NULL)
        wanted->count = wishes.count;
    return reply;
}

struct reply milter_content_refuse(const struct milter_context *context, struct milter *milter)
{
    return milter_fail(&(struct milter_turn){ context, milter, MILTER_EOB }, MILTER_BROKEN,
                       "its changes are too large");
}

void milter_content_log(const struct milter_context *context, struct milter *milter, const struct milter_wishes *wanted)
{
    const struct milter_turn turn = { context, milter, MILTER_EOB };

    for (size_t i = 0; i < wanted->count; i++)
        if (is_of_field(wanted->changes[i].kind) || wanted->changes[i].kind == MILTER_REPLACE_BODY)
            milter_log_change(&turn, &wanted->changes[i]);
}
