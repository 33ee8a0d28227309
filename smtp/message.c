/* message.c - the message behind DATA: received, delivered, answered, in LMTP once for each recipient */
#include "smtp/session.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"

static const struct reply no_space = REPLY(452, "3.1", "Not enough space, try again later");
static const struct reply spool_failed = REPLY(451, "3.0", "The message cannot be stored, try again later");

static int open_spool(void *context, uint64_t *start)
{
    const struct session *s = context;

    return monitor_spool(s->monitor, start);
}

/* A message that has no end: why, how much of it came, and whether its client believes that there was one. */
static void log_lost(struct session *s, const struct message *message)
{
    struct text text = { s->text, sizeof s->text, 0 };

    text_put(&text, (struct slice)SLICE("reason="));
    text_put(&text, slice_of(s->end_reason));
    text_put(&text, (struct slice)SLICE(" bytes="));
    text_number(&text, message->received, 1);
    if (message->bare_dot)
        text_put(&text, (struct slice)SLICE(" dot=between-bare-newlines"));
    monitor_log(s->monitor, MONITOR_LOST, text_slice(&text));
}

/* Reads up to the end of the message. Code 0, or why the session must end. */
static struct reply read_message(struct session *s, struct message *message)
{
    enum message_status status = MESSAGE_MORE;
    struct slice bytes;
    size_t used;

    message_begin(message, &s->spool, s->conf->session.smtp_data_size.value, s->io->ending == LINE_LF, open_spool, s);
    while (status == MESSAGE_MORE) {
        enum line_status input = line_bytes(s->io, &bytes);

        if (input != LINE_OK) {
            struct reply reply = smtp_refuse_input(s, input);

            log_lost(s, message);
            return reply;
        }
        status = message_feed(message, bytes, &used);
        if (monitor_wants(s->monitor, 'l'))
            monitor_log(s->monitor, MONITOR_MESSAGE, (struct slice){ bytes.text, used });
        line_consume(s->io, used);
    }
    message_finish(message);
    if (status == MESSAGE_OVER) {
        s->end_reason = "flood";
        return smtp_exceed(&s->conf->session.smtp_data_size);
    }
    return (struct reply){ .code = 0 };
}

static struct reply refuse_spool(struct session *s, int error)
{
    struct reply reply = error == ENOSPC || error == EDQUOT || error == EFBIG ? no_space : spool_failed;
    const char *name = strerrorname_np(error);
    struct text text = { s->text, sizeof s->text, 0 };

    text_put(&text, (struct slice)SLICE("error="));
    text_put(&text, slice_of(name != NULL ? name : "?"));
    reply.note = text_slice(&text);
    return reply;
}

/* One of the replies to the message. Behind the last, or one that closes, the transaction is over. */
static struct reply take_answer(struct session *s, struct reply reply)
{
    s->answers_due = reply.closes ? 0 : s->answers_due - 1;
    s->best_answer = reply.code != 0 && reply.code < s->best_answer ? reply.code : s->best_answer;
    if (reply.closes && slice_equal(reply.text, s->conf->session.connection_secs.reply.text))
        s->end_reason = "time"; /* the session's limit has ended the delivery; else it is a 421 of somebody's */
    if (s->answers_due > 0)
        return reply;
    s->messages += s->best_answer == 250;
    /* its reply stands; beyond a limit the next command has the limit's */
    (void)counts_note(&s->counts, &s->conf->session, s->best_answer == 250  ? CAME_DELIVERY
                                                     : s->best_answer < 500 ? CAME_DEFERRAL
                                                                            : CAME_RESET, 0);
    spool_clear(&s->spool);
    smtp_end_transaction(s);
    return reply;
}

/* Why a message that has come to its end is refused for all; code 0: it is to be delivered. */
static struct reply check_message(struct session *s, const struct message *message)
{
    if (message->too_large)
        return s->conf->session.smtp_data_size.reply;
    if (message->hops > s->conf->session.hops.value)
        return s->conf->session.hops.reply;
    if (message->bare_newline && s->conf->session.bare_newline.value != 0)
        return s->conf->session.bare_newline.reply;
    return message->error != 0 ? refuse_spool(s, message->error) : (struct reply){ .code = 0 };
}

struct reply smtp_receive_message(struct session *s)
{
    struct message message;
    struct reply reply = read_message(s, &message);

    if (reply.closes)
        return reply;
    s->answers_due = session_lmtp(&s->conf->session) ? s->recipients : 1;
    s->best_answer = UINT_MAX;
    s->answer = check_message(s, &message);
    return take_answer(s, s->answer.code != 0 ? s->answer : monitor_deliver(s->monitor, &s->spool));
}

bool smtp_next_answer(struct session *s, struct reply *reply)
{
    enum line_status status;

    if (s->answers_due == 0)
        return false;
    status = line_flush(s->io);
    if (status != LINE_OK)
        *reply = smtp_refuse_input(s, status);
    else
        *reply = s->answer.code != 0 ? s->answer : monitor_answer(s->monitor);
    *reply = take_answer(s, *reply);
    return true;
}
