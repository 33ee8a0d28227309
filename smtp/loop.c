/* loop.c - a session from its greeting to its end: lines are read, checked, counted, answered, logged */
#include "smtp/session.h"

#include <string.h>

#include "base/utf8.h"
#include "base/clock.h"
#include "base/text.h"
#include "smtp.h"

enum {
    DRAIN_MS = 1000 /* how long a client may go on sending when we have closed */
};

static const struct reply unknown_command = { .code = 500, .status = SLICE("5.1"), .counts = COUNTS_UNKNOWN,
                                              .text = SLICE("Command is not known") };
static const struct reply unknown_in_lmtp = { .code = 500, .status = SLICE("5.1"), .counts = COUNTS_UNKNOWN,
                                              .text = SLICE("Command is not known in LMTP, which begins with LHLO") };
static const struct reply bad_sequence = REPLY(503, "5.1", "");
static const struct slice message_begun = SLICE("The message has begun, go on with BDAT or say RSET");
static const struct reply refused_wait = REPLY(503, "5.1", "Your host is not accepted, say QUIT");
static const struct reply need_argument = REPLY(501, "5.4", "The argument is missing");
static const struct reply no_argument = REPLY(501, "5.4", "No argument is allowed");
static const struct reply line_too_long = REPLY(500, "5.2", "Line is too long");
static const struct reply bare_newline = REPLY(500, "5.2", "Lines must end in CRLF");
static const struct reply not_tls = { .code = 500, .status = SLICE("5.1"), .closes = true,
                                      .text = SLICE("This is an SMTP server without TLS on this port") };
static const struct reply not_proxied = { .code = 500, .status = SLICE("5.1"), .closes = true,
                                          .text = SLICE("No PROXY header is taken from your host") };

/* Printable ASCII with blanks and tabs, and what the alphabet has besides. */
bool smtp_is_printable(struct slice line, enum alphabet alphabet)
{
    while (line.len > 0) {
        char c = line.text[0];
        size_t len = (c >= ' ' && c <= '~') || c == '\t'       ? 1
                     : (unsigned char)c < 0x80 || alphabet == ASCII ? 0
                     : alphabet == UTF8                             ? utf8_length(line)
                                                                    : 1;

        if (len == 0)
            return false;
        line.text += len;
        line.len -= len;
    }
    return true;
}

/* ---- one line ------------------------------------------------------------------------- */

static const struct command *find_command(const struct session *s, struct slice verb)
{
    const struct command *c = smtp_commands;

    while (c->verb.len > 0 && !(slice_equal_nocase(c->verb, verb) && smtp_speaks(s, c)))
        c++;
    return c->verb.len > 0 ? c : NULL;
}

/* "MAIL FROM:<a@b> " is the verb MAIL and the argument "FROM:<a@b>". */
static void split_line(struct slice line, struct slice *verb, struct slice *argument)
{
    size_t begin = 0, end = line.len;

    while (begin < end && !smtp_is_blank(line.text[begin]))
        begin++;
    *verb = (struct slice){ line.text, begin };
    while (begin < end && smtp_is_blank(line.text[begin]))
        begin++;
    while (end > begin && smtp_is_blank(line.text[end - 1]))
        end--;
    *argument = (struct slice){ line.text + begin, end - begin };
}

/* RFC 2920: has the client sent the command together with one that was refused, and stands it on that? */
static bool is_behind_refusal(const struct session *s, const struct command *c)
{
    return (s->mail_refused && (c->kind == KIND_RCPT || c->kind == KIND_DATA || c->kind == KIND_BDAT)) ||
           (s->rcpt_refused && c->kind == KIND_BDAT);
}

/* Refuses a line before its handler sees it: alphabet, order, argument. */
static struct reply check_line(const struct session *s, const struct command *c, struct slice line,
                               struct slice argument)
{
    struct reply reply = { .code = 0 };

    if (s->conf->session.smtp_ascii.value != 0 && !smtp_is_printable(line, c != NULL ? c->alphabet : ASCII))
        return s->conf->session.smtp_ascii.reply;
    if (s->state == REFUSED && (c == NULL || (c->states & REFUSED) == 0))
        return refused_wait;
    if (c == NULL)
        return session_lmtp(&s->conf->session) ? unknown_in_lmtp : unknown_command;
    if ((c->states & s->state) == 0) {
        reply = bad_sequence;
        reply.text = s->state == CHUNKS ? message_begun : c->out_of_order;
        if (is_behind_refusal(s, c))
            reply.counts = COUNTS_NOT;
        return reply;
    }
    if (c->argument == ARG_NEEDED && argument.len == 0)
        return need_argument;
    if (c->argument == ARG_NONE && argument.len > 0)
        return no_argument;
    return reply;
}

struct reply smtp_exceed(const struct limit *limit)
{
    struct reply reply = limit->reply;

    reply.closes = true;
    return reply;
}

/* What a line that was refused came to: a command of the table or NULL. */
static enum came_to refused_to(const struct session *s, const struct command *c, const struct reply *reply)
{
    bool is_envelope = c != NULL && (c->kind == KIND_MAIL || c->kind == KIND_RCPT || c->kind == KIND_DATA ||
                                     c->kind == KIND_BDAT);

    if (reply->code < 500)
        return is_envelope ? CAME_LATER : CAME_IDLE;
    switch (reply->counts) {
    case COUNTS_UNKNOWN:
        return CAME_UNKNOWN;
    case COUNTS_AUTH:
        return CAME_GUESSED;
    case COUNTS_IDLE:
        return CAME_IDLE;
    case COUNTS_NOT:
        return CAME_LATER;
    case COUNTS_FAILED:
    case COUNTS_DONE:
        break;
    }
    return is_envelope && c->kind == KIND_RCPT && (s->before & (SENDER | RECIPIENT)) != 0 ? CAME_REFUSED : CAME_FAILED;
}

static enum came_to came_to(const struct session *s, const struct command *c, const struct reply *reply)
{
    if (reply_refuses(reply))
        return refused_to(s, c, reply);
    if (c == NULL || (c->came_to == CAME_IDLE && s->before == START && s->state == READY))
        return CAME_ON; /* what AUTH asked for; the first HELO */
    return c->kind == KIND_RSET && s->begun ? CAME_RESET : c->came_to;
}

/*
 * Counts what a line was, a command of the table or NULL, and what came of it. Beyond a limit,
 * the limit's reply takes the place of the command's own. Returns the stage for the log.
 */
static const char *count_line(struct session *s, const struct command *c, const char *stage, struct reply *reply)
{
    enum came_to what = came_to(s, c, reply);
    struct excess excess = { .limit = NULL };

    if (reply->counts != COUNTS_DONE)
        excess = counts_note(&s->counts, &s->conf->session, what, 0);
    if (c != NULL && c->kind == KIND_SPEAKER && (s->state & (REFUSED | END)) != 0)
        stage = "connect"; /* it is the greeting of another client that is refused */
    if (reply->code == 535 && reply->counts == COUNTS_IDLE)
        stage = "identity"; /* the password was right, and for somebody else */
    if (c != NULL) {
        s->total[c - smtp_commands]++;
        s->accepted[c - smtp_commands] += reply->code != 0 && !reply_refuses(reply);
    }
    s->unknown += what == CAME_UNKNOWN;
    if (excess.limit == NULL || s->state == END || reply->closes)
        return stage;
    *reply = smtp_exceed(excess.limit);
    return excess.stage;
}

/* ---- input that is no line ------------------------------------------------------------ */

/* Has the client gone in the middle of a command, or of what AUTH asked for? */
static bool is_cut(const struct session *s, enum line_status status)
{
    return (status == LINE_EOF || status == LINE_BROKEN) &&
           (s->state == EXCHANGE || (s->state != MESSAGE && s->io->start < s->io->end));
}

/* What to say and do when the input ends or is no SMTP. */
struct reply smtp_refuse_input(struct session *s, enum line_status status)
{
    static const char *const reasons[] = {
        [LINE_FIRST_BARE] = "bare-newline", [LINE_NOT_SMTP] = "tls", [LINE_PROXY] = "proxy",
        [LINE_EOF] = "eof", [LINE_IDLE] = "idle",
        [LINE_DEADLINE] = "time", [LINE_TERMINATED] = "terminated", [LINE_BROKEN] = "broken",
    };
    struct reply none = { .code = 0, .closes = true };

    s->end_reason = reasons[status];
    s->cut = is_cut(s, status);
    if (s->cut)
        s->end_reason = "cut";
    switch (status) {
    case LINE_FIRST_BARE:
        return smtp_exceed(&s->conf->session.bare_newline);
    case LINE_NOT_SMTP:
        return not_tls;
    case LINE_PROXY:
        return not_proxied;
    case LINE_IDLE:
        return smtp_exceed(&s->conf->session.command_secs);
    case LINE_DEADLINE:
        return smtp_exceed(&s->conf->session.connection_secs);
    case LINE_TERMINATED:
        return reply_stopping;
    case LINE_EOF:
    case LINE_BROKEN:
    case LINE_OK:
    case LINE_TOO_LONG:
    case LINE_BARE_LF:
        break;
    }
    return none;
}

/* ---- the reply ------------------------------------------------------------------------ */

static void say(struct session *s, const struct reply *reply)
{
    char shown[512];
    struct text text = { shown, sizeof shown, 0 };

    if (monitor_wants(s->monitor, 's')) {
        text_number(&text, reply->code, 3);
        text_put(&text, (struct slice)SLICE(" "));
        text_put(&text, reply->text);
        text_put(&text, slice_of(reply->detail.len > 0 ? " " : ""));
        text_put(&text, reply->detail);
        monitor_log(s->monitor, MONITOR_REPLY, text_slice(&text));
    }
    reply_send(s->io, reply);
}

/* The more was refused for good, the longer a client waits for the next such refusal. Nothing is held meanwhile. */
static void delay_refusal(struct session *s, const struct reply *reply, const char *stage)
{
    if (reply->code < 500 && strcmp(stage, "limit") != 0)
        return;
    s->refused++;
    if (s->conf->session.tarpit > 0)
        line_pause(s->io, s->refused * s->conf->session.tarpit * 1000, (char)('0' + reply->code / 100));
}

/* The one place where the reply to a command is logged and sent. */
static void answer(struct session *s, const struct reply *reply, const char *stage, struct slice line)
{
    if (reply->closes) {
        if (s->end_reason == NULL)
            s->end_reason = slice_equal(reply->text, reply_stopping.text) ? "terminated" : stage;
        if (s->state == MESSAGE || s->state == CHUNKS)
            smtp_lose_message(s);
        s->state = END;
    }
    if (reply->code == 0)
        return;
    if (reply_refuses(reply)) {
        monitor_log_refusal(s->monitor, stage, reply, line);
        delay_refusal(s, reply, stage);
    }
    say(s, reply);
}

/* The same for all replies that there are to a message: in LMTP one for each recipient. */
static void answer_all(struct session *s, struct reply *reply, const char *stage, struct slice line)
{
    do
        answer(s, reply, stage, line);
    while (smtp_next_answer(s, reply));
}

/* What was sent behind such a command, in one group with it, is refused for that alone. */
static void note_refusal(struct session *s, const struct command *c)
{
    s->mail_refused = s->mail_refused || (c->kind == KIND_MAIL && !s->begun);
    s->rcpt_refused = s->rcpt_refused || (c->kind == KIND_RCPT && s->begun);
}

/* ---- the loop ------------------------------------------------------------------------- */

/* A milter may have a reply of its own to what is no command. */
static struct reply refuse_unknown(const struct session *s, struct slice verb, struct reply usual)
{
    struct reply reply = monitor_unknown(s->monitor, verb);

    reply.counts = COUNTS_UNKNOWN;
    return reply.code != 0 ? reply : usual;
}

static void one_line(struct session *s, struct slice line)
{
    const struct command *c;
    struct slice verb, argument, shown;
    struct reply reply;
    const char *stage;

    split_line(line, &verb, &argument);
    c = find_command(s, verb);
    shown = smtp_loggable(s, c, line, argument);
    if (monitor_wants(s->monitor, 's'))
        monitor_log(s->monitor, MONITOR_LINE, shown);
    s->before = s->state;
    s->begun = s->mail_refused || (s->state & TRANSACTION) != 0;
    reply = check_line(s, c, line, argument);
    if (c == NULL)
        reply = reply.counts == COUNTS_UNKNOWN ? refuse_unknown(s, verb, reply) : reply;
    else if (reply.code == 0)
        reply = c->handler(s, argument);
    else if (c->kind == KIND_BDAT)
        reply = smtp_skip_chunk(s, argument, reply);
    else if (c->kind == KIND_SPEAKER)
        reply = smtp_mistold(s, reply);
    if (c != NULL && reply_refuses(&reply))
        note_refusal(s, c);
    stage = count_line(s, c, c != NULL ? c->stage : "command", &reply);
    answer_all(s, &reply, stage, shown);
    if (s->secrets)
        line_wipe(s->io, line);
    if (c != NULL && c->kind == KIND_BDAT && (s->before & TRANSACTION) != 0 && (s->state & TRANSACTION) == 0)
        monitor_reset(s->monitor); /* not before: the log names the sender */
    if (s->plain >= 0)
        smtp_begin_tls(s);
}

/* A response of AUTH. */
static void one_response(struct session *s, struct slice line)
{
    struct reply reply = smtp_go_on_with_auth(s, sasl_feed(&s->sasl, line));
    const char *stage;

    line_wipe(s->io, line);
    stage = count_line(s, NULL, "auth", &reply);
    answer(s, &reply, stage, slice_of("(hidden)"));
}

/* Would octets follow a line that cannot be read? */
static bool begins_chunk(struct slice line)
{
    static const struct slice verb = SLICE("BDAT");

    return line.len >= verb.len && slice_equal_nocase((struct slice){ line.text, verb.len }, verb);
}

/* A line that cannot be a command; the session goes on, if the reply does not close it. */
static void bad_line(struct session *s, struct reply refusal)
{
    struct reply reply = smtp_mistold(s, refusal);
    const char *stage = count_line(s, NULL, "command", &reply);

    if (s->state == EXCHANGE)
        s->state = READY;
    sasl_wipe(&s->sasl);
    answer(s, &reply, stage, slice_of(""));
}

/* A message, and its reply, in LMTP its replies. */
static void one_message(struct session *s)
{
    struct reply reply = smtp_receive_message(s);

    answer_all(s, &reply, "data", slice_of(""));
    monitor_reset(s->monitor); /* not before: the log names the sender */
}

static void one_step(struct session *s)
{
    struct slice line;
    struct reply reply;
    enum line_status status;

    if (s->state == MESSAGE) {
        one_message(s);
        return;
    }
    status = line_read(s->io, &line);
    if (status == LINE_OK && s->state == EXCHANGE) {
        one_response(s, line);
    } else if (status == LINE_OK) {
        one_line(s, line);
    } else if (status == LINE_TOO_LONG || status == LINE_BARE_LF) {
        bad_line(s, begins_chunk(line) ? smtp_refuse_chunk(s) : status == LINE_TOO_LONG ? line_too_long : bare_newline);
    } else {
        reply = smtp_refuse_input(s, status);
        answer(s, &reply, "input", slice_of(""));
    }
}

/* ---- begin and end -------------------------------------------------------------------- */

static void put_count(struct text *text, const char *name, uint64_t count)
{
    text_put(text, (struct slice)SLICE(" "));
    for (; *name != '\0'; name++) {
        const char lower = lower_ascii(*name);

        text_put(text, (struct slice){ &lower, 1 });
    }
    text_put(text, (struct slice)SLICE("="));
    text_number(text, count, 1);
}

/* The last line of a session: why it ended, how long it took, and accepted/given per command. */
static void log_end(struct session *s)
{
    struct text text = { s->text, sizeof s->text, 0 };
    uint64_t ms = clock_ms() - s->begin;

    text_put(&text, (struct slice)SLICE("reason="));
    text_put(&text, slice_of(s->end_reason));
    put_count(&text, "secs", ms / 1000);
    text_put(&text, (struct slice)SLICE("."));
    text_number(&text, ms % 1000, 3);
    put_count(&text, "messages", s->messages);
    for (size_t i = 0; smtp_commands[i].verb.len > 0; i++) {
        if (s->total[i] == 0)
            continue;
        put_count(&text, smtp_commands[i].verb.text, s->accepted[i]);
        if (s->accepted[i] < s->total[i]) {
            text_put(&text, (struct slice)SLICE("/"));
            text_number(&text, s->total[i], 1);
        }
    }
    if (s->unknown > 0)
        put_count(&text, "unknown", s->unknown);
    monitor_log(s->monitor, s->cut ? MONITOR_CUT : MONITOR_END, text_slice(&text));
}

struct reply smtp_open(struct session *s, struct reply reply)
{
    if (reply.code == 0) {
        reply = (struct reply){ .code = 220, .text = s->conf->session.greeting };
        smtp_enter_state(s, s->greeted ? READY : START);
    } else {
        smtp_enter_state(s, reply.code < 500 ? END : REFUSED);
    }
    reply.status.len = 0; /* RFC 2034 4: the greeting has no enhanced code */
    return reply;
}

static void open_session(struct session *s)
{
    struct reply reply = smtp_open(s, monitor_connect(s->monitor));

    s->speaks = monitor_speaks(s->monitor);
    if (reply_refuses(&reply)) {
        monitor_log_refusal(s->monitor, "connect", &reply, slice_of(""));
        delay_refusal(s, &reply, "connect");
    }
    say(s, &reply);
}

struct session *smtp_greet(struct line_io *io, struct monitor *monitor, const struct conf *conf)
{
    struct session *session = smtp_make_session(io, monitor, conf, clock_ms());

    open_session(session);
    (void)line_flush(io); /* a failure is remembered in io */
    return session;
}

/*
 * Does the end of the connection show that the client knows what became of its message? OpenSMTPD gives up an LMTP
 * session in which it finds two replies at once: it has read both, has heeded one, and ends like any client, but for QUIT.
 */
static bool end_may_tell(const struct session *s)
{
    return s->io->watched && (!s->answered_each || strcmp(s->end_reason, "quit") == 0);
}

void smtp_session(struct session *session)
{
    struct session *s = session;

    while (s->state != END)
        one_step(s);
    spool_clear(&s->spool);
    (void)line_flush(s->io); /* the client does not wait for the log */
    if (end_may_tell(s))
        line_await_end(s->io, DRAIN_MS, s->secure);
    log_end(s);
    line_close(s->io, strcmp(s->end_reason, "quit") == 0 ? 0 : DRAIN_MS);
}

void smtp_say(struct line_io *io, const struct reply *reply)
{
    reply_send(io, reply);
    line_close(io, DRAIN_MS);
}
