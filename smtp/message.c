/* message.c - the message behind DATA: received, delivered, answered */
#include "smtp/session.h"

#include <errno.h>
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

/* The message and its one reply. */
struct reply smtp_receive_message(struct session *s)
{
    struct message message;
    struct reply reply = read_message(s, &message);

    if (reply.closes)
        return reply;
    if (message.too_large)
        reply = s->conf->session.smtp_data_size.reply;
    else if (message.hops > s->conf->session.hops.value)
        reply = s->conf->session.hops.reply;
    else if (message.bare_newline && s->conf->session.bare_newline.value != 0)
        reply = s->conf->session.bare_newline.reply;
    else if (message.error != 0)
        reply = refuse_spool(s, message.error);
    else
        reply = monitor_deliver(s->monitor, &s->spool);
    s->messages += reply.code == 250;
    /* its reply stands; beyond a limit the next command has the limit's */
    (void)counts_note(&s->counts, &s->conf->session,
                      reply.code == 250 ? CAME_DELIVERY : reply.code < 500 ? CAME_DEFERRAL : CAME_RESET, 0);
    if (reply.closes && slice_equal(reply.text, s->conf->session.connection_secs.reply.text))
        s->end_reason = "time"; /* the session's limit has ended the delivery; else it is a 421 of somebody's */
    spool_clear(&s->spool);
    smtp_end_transaction(s);
    return reply;
}
