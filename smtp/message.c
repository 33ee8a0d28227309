/* message.c - the message behind DATA or BDAT: received, delivered, answered, in LMTP and by PRDR once for each recipient */
#include "smtp/session.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "session/chunk.h"

static const struct reply no_space = REPLY(452, "3.1", "Not enough space, try again later");
static const struct reply spool_failed = REPLY(451, "3.0", "The message cannot be stored, try again later");
static const struct reply bad_chunk = { .code = 501, .status = SLICE("5.4"), .closes = true,
                                        .text = SLICE("Expected BDAT SIZE or BDAT SIZE LAST") };

/* PRDR: what begins the replies, and what ends them. A 5xx, and to some a 4xx, would undo those that said 250. */
static const struct reply each_follows = { .code = 353, .counts = COUNTS_DONE,
                                           .text = SLICE("A reply for each recipient follows, and one more") };
static const struct reply each_was_answered = REPLY(250, "0.0", "Each recipient has its reply");
static const struct reply none_now = REPLY(451, "3.0", "The message is delivered to nobody now");
static const struct reply none_ever = REPLY(554, "7.0", "The message is delivered to nobody");

static int open_spool(void *context, uint64_t *start)
{
    const struct session *s = context;

    return monitor_spool(s->monitor, start);
}

void smtp_lose_message(struct session *s)
{
    const struct message *message = &s->message;
    struct text text = { s->text, sizeof s->text, 0 };

    text_put(&text, (struct slice)SLICE("reason="));
    text_put(&text, slice_of(s->end_reason));
    text_put(&text, (struct slice)SLICE(" bytes="));
    text_number(&text, message->received, 1);
    if (message->bare_dot)
        text_put(&text, (struct slice)SLICE(" dot=between-bare-newlines"));
    monitor_log(s->monitor, MONITOR_LOST, text_slice(&text));
}

static void begin_message(struct session *s)
{
    message_begin(&s->message, &s->spool, s->conf->session.smtp_data_size.value, s->io->ending == LINE_LF, open_spool, s);
    s->message.strict = s->conf->session.bare_newline.value != 0;
}

static void show(struct session *s, struct slice bytes)
{
    if (monitor_wants(s->monitor, 'l'))
        monitor_log(s->monitor, MONITOR_MESSAGE, bytes);
}

/* The client goes on far beyond the limit, and is dropped. */
static struct reply drop(struct session *s)
{
    smtp_end_transaction(s);
    s->end_reason = "flood";
    return smtp_exceed(&s->conf->session.smtp_data_size);
}

/* Reads up to the end of the message. Code 0, or why the session must end. */
static struct reply read_message(struct session *s)
{
    enum message_status status = MESSAGE_MORE;
    struct slice bytes;
    size_t used;

    begin_message(s);
    while (status == MESSAGE_MORE) {
        enum line_status input = line_bytes(s->io, &bytes);

        if (input != LINE_OK)
            return smtp_refuse_input(s, input);
        status = message_feed(&s->message, bytes, &used);
        show(s, (struct slice){ bytes.text, used });
        line_consume(s->io, used);
    }
    return status == MESSAGE_OVER ? drop(s) : (struct reply){ .code = 0 };
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
    reply.counts = COUNTS_DONE;
    if (s->answers_due > 0)
        return reply;
    s->messages += s->best_answer == 250;
    /* its reply stands; beyond a limit the next command has the limit's */
    (void)counts_note(&s->counts, &s->conf->session, s->best_answer == 250  ? CAME_DELIVERY
                                                     : s->best_answer < 500 ? CAME_DEFERRAL
                                                                            : CAME_RESET, 0);
    smtp_end_transaction(s);
    return reply;
}

/* Why what has come of the message is refused for all; code 0: nothing is wrong with it. */
static struct reply check_message(struct session *s)
{
    const struct message *message = &s->message;

    if (message->too_large)
        return s->conf->session.smtp_data_size.reply;
    if (message->hops > s->conf->session.hops.value)
        return s->conf->session.hops.reply;
    if (message->bare_newline && s->conf->session.bare_newline.value != 0)
        return s->conf->session.bare_newline.reply;
    return message->error != 0 ? refuse_spool(s, message->error) : (struct reply){ .code = 0 };
}

/* Has a message delivered, unless it is refused; the first of so many replies. */
static struct reply conclude(struct session *s, struct reply refusal, unsigned answers)
{
    s->answers_due = answers;
    s->answered_each = false;
    s->best_answer = UINT_MAX;
    s->answer = refusal;
    return take_answer(s, refusal.code != 0 ? refusal : monitor_deliver(s->monitor, &s->spool));
}

/* The same at the end of the message. By PRDR one refusal is enough for all, and 353 comes before anything is delivered. */
static struct reply conclude_whole(struct session *s)
{
    struct reply refusal;

    message_finish(&s->message);
    refusal = check_message(s);
    if (!s->prdr || refusal.code != 0)
        return conclude(s, refusal, session_lmtp(&s->conf->session) ? s->recipients : 1);
    s->answers_due = s->recipients + 1;
    s->best_answer = UINT_MAX;
    s->answer = refusal;
    return each_follows;
}

static struct reply next_answer(struct session *s)
{
    if (s->answer.code != 0)
        return s->answer;
    if (s->answers_due > s->recipients)
        return monitor_deliver(s->monitor, &s->spool);
    if (s->prdr && s->answers_due == 1)
        return s->best_answer == 250 ? each_was_answered : s->best_answer < 500 ? none_now : none_ever;
    return monitor_answer(s->monitor);
}

struct reply smtp_receive_message(struct session *s)
{
    struct reply reply = read_message(s);

    return reply.closes ? reply : conclude_whole(s);
}

bool smtp_next_answer(struct session *s, struct reply *reply)
{
    const bool delivers = !s->prdr || s->answers_due > 1;
    enum line_status status;

    if (s->answers_due == 0)
        return false;
    s->answered_each = true;
    status = delivers ? line_flush(s->io) : LINE_OK; /* the last two of PRDR leave together: without the last the others are void */
    *reply = take_answer(s, status == LINE_OK ? next_answer(s) : smtp_refuse_input(s, status));
    return true;
}

/* ---- BDAT -------------------------------------------------------------------------------- */

struct reply smtp_refuse_chunk(struct session *s)
{
    s->end_reason = "bdat";
    return bad_chunk;
}

/* Octets to the message. Code 0, or why the session must end. */
static struct reply read_octets(struct session *s, uint64_t size)
{
    while (size > 0) {
        size_t room, len;
        char *octets = message_room(&s->message, &room);
        enum line_status input = line_take(s->io, octets, size < room ? (size_t)size : room, &len);

        if (input != LINE_OK)
            return smtp_refuse_input(s, input);
        show(s, (struct slice){ octets, len });
        message_take(&s->message, len);
        size -= len;
    }
    return (struct reply){ .code = 0 };
}

/* The same for octets that nobody wants. */
static struct reply skip_octets(struct session *s, uint64_t size)
{
    uint64_t most = s->conf->session.smtp_data_size.value * MESSAGE_FLOOD;
    struct slice bytes;

    for (uint64_t skipped = 0; skipped < size; skipped += bytes.len) {
        enum line_status input = line_bytes(s->io, &bytes);

        if (input != LINE_OK)
            return smtp_refuse_input(s, input);
        if (skipped > most)
            return drop(s);
        if (bytes.len > size - skipped)
            bytes.len = (size_t)(size - skipped);
        s->message.received += bytes.len;
        line_consume(s->io, bytes.len);
    }
    return (struct reply){ .code = 0 };
}

/* RFC 3030 2: what was sent behind a chunk that was refused, in one group with it, is refused for that alone. */
static void fail_transaction(struct session *s)
{
    smtp_end_transaction(s);
    s->mail_refused = true;
}

struct reply smtp_skip_chunk(struct session *s, struct slice argument, struct reply refusal)
{
    struct chunk chunk;
    struct reply reply;

    if (!chunk_parse(argument, &chunk))
        return smtp_refuse_chunk(s);
    reply = skip_octets(s, chunk.size);
    if (reply.closes)
        return reply;
    if ((s->state & TRANSACTION) != 0)
        fail_transaction(s);
    return refusal;
}

/* Of a chunk that has octets the limit of the message bounds how many may come. */
static struct reply acknowledge(struct session *s, uint64_t size)
{
    struct text text = { s->text, sizeof s->text, 0 };

    text_number(&text, size, 1);
    text_put(&text, (struct slice)SLICE(" octets received"));
    return (struct reply){ .code = 250, .status = SLICE("0.0"), .text = text_slice(&text),
                           .counts = size > 0 ? COUNTS_DONE : COUNTS_FAILED };
}

struct reply smtp_receive_chunk(struct session *s, struct slice argument)
{
    struct message *message = &s->message;
    struct chunk chunk;
    struct reply reply = { .code = 0 };

    if (!chunk_parse(argument, &chunk))
        return smtp_refuse_chunk(s);
    if (s->state != CHUNKS)
        reply = monitor_data(s->monitor);
    reply.counts = COUNTS_IDLE; /* as of DATA */
    if (reply.code != 0)
        return smtp_skip_chunk(s, argument, reply);
    if (s->state != CHUNKS)
        begin_message(s);
    s->state = CHUNKS;
    message->too_large = chunk.size > message->limit - message->received;
    reply = message->too_large ? skip_octets(s, chunk.size) : read_octets(s, chunk.size);
    if (reply.closes)
        return reply;
    if (chunk.last) {
        message_close(message);
        return conclude_whole(s);
    }
    reply = check_message(s);
    if (reply.code == 0)
        return acknowledge(s, chunk.size);
    reply = conclude(s, reply, 1);
    fail_transaction(s);
    return reply;
}
