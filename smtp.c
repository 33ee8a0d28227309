/* smtp.c - the dialogue (RFC 5321): commands, their order, replies */
/*
 * `commands` is the table of contents: which command is legal when, what argument it takes and
 * who handles it. A handler returns its one reply; only the loop at the end counts, logs and
 * sends. Nothing is decided here about hosts and recipients: that is what the monitor is asked.
 */
#include "smtp.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "session/counts.h"
#include "session/envelope.h"

/* The states of a session, as bits of the masks in the table. */
enum state {
    START = 1,    /* greeted */
    READY = 2,    /* HELO or EHLO was said */
    SENDER = 4,   /* MAIL was accepted, no recipient yet */
    RECIPIENT = 8, /* one was */
    MESSAGE = 16, /* 354 was sent: what comes is the message */
    REFUSED = 32, /* the greeting was a refusal: RFC 5321 3.1 has us wait for QUIT */
    EXCHANGE = 64, /* 334 was sent: what comes is a response of AUTH */
    END = 128
};

enum {
    ANY = START | READY | SENDER | RECIPIENT,
    REFUSED_WAIT_MS = 10000, /* how long a refused client may take for its QUIT */
    DRAIN_MS = 1000          /* how long a client may go on sending when we have closed */
};

enum takes { ARG_NONE, ARG_NEEDED, ARG_OPTIONAL };

/* What a command may hold besides printable ASCII. */
enum alphabet {
    ASCII,    /* nothing */
    UTF8,     /* UTF-8, in an address: whether SMTPUTF8 was said is another question */
    EIGHT_BIT /* whatever computers are called, in whatever encoding */
};

enum { COMMAND_COUNT = 32 };

struct session {
    struct line_io *io;
    struct monitor *monitor;
    const struct conf *conf;
    enum state state;
    enum state before;     /* when the line came that is being answered */
    bool begun;            /* and MAIL had been said then, refused or not */
    const char *end_reason;
    bool cut;              /* the client has gone in the middle of a command */
    uint64_t begin;

    bool greeted;          /* HELO or EHLO was said */
    bool extended;         /* it was EHLO */
    bool secure;           /* TLS has begun */
    bool authenticated;
    bool secrets;          /* AUTH was the last command: what comes may be a password, understood or not */
    int plain;             /* where the client is to be spoken to once it has heard 220, -1: nowhere else */
    struct sasl sasl;
    bool smtputf8;         /* of this transaction */
    bool refused_greeting; /* for good */
    bool mail_refused;     /* so that what was sent behind it has nothing to stand on */
    bool rcpt_refused;     /* in this transaction */

    struct counts counts;  /* what the limits count */
    uint64_t unknown;      /* for the log */
    uint64_t refused;      /* what tarpit counts */
    unsigned messages;
    unsigned total[COMMAND_COUNT], accepted[COMMAND_COUNT]; /* per row of the table */
    struct spool spool;
    char text[1024];       /* of a reply that is made up */
};

struct command {
    struct slice verb;
    unsigned states;            /* in which it is legal */
    enum takes argument;
    enum came_to came_to;       /* where it is accepted; came_to has the exceptions */
    enum alphabet alphabet;
    const char *stage;          /* for the log */
    struct reply (*handler)(struct session *s, struct slice argument);
    struct slice out_of_order;  /* text of the 503; empty: legal in ANY */
};

static struct reply cmd_helo(struct session *s, struct slice argument);
static struct reply cmd_ehlo(struct session *s, struct slice argument);
static struct reply cmd_mail(struct session *s, struct slice argument);
static struct reply cmd_rcpt(struct session *s, struct slice argument);
static struct reply cmd_data(struct session *s, struct slice argument);
static struct reply cmd_starttls(struct session *s, struct slice argument);
static struct reply cmd_auth(struct session *s, struct slice argument);
static struct reply cmd_rset(struct session *s, struct slice argument);
static struct reply cmd_noop(struct session *s, struct slice argument);
static struct reply cmd_vrfy(struct session *s, struct slice argument);
static struct reply cmd_help(struct session *s, struct slice argument);
static struct reply cmd_quit(struct session *s, struct slice argument);
static struct reply cmd_not_implemented(struct session *s, struct slice argument);
static struct reply cmd_http(struct session *s, struct slice argument);
static struct reply cmd_proxy(struct session *s, struct slice argument);

#define IN_ORDER { NULL, 0 }
#define NOT_IMPLEMENTED(verb) \
    { SLICE(verb), ANY, ARG_OPTIONAL, CAME_ON, ASCII, "command", cmd_not_implemented, IN_ORDER }
#define HTTP(verb) { SLICE(verb), ANY, ARG_OPTIONAL, CAME_ON, ASCII, "input", cmd_http, IN_ORDER }

static const struct command commands[] = {
    { SLICE("HELO"), ANY, ARG_NEEDED, CAME_IDLE, EIGHT_BIT, "helo", cmd_helo, IN_ORDER },
    { SLICE("EHLO"), ANY, ARG_NEEDED, CAME_IDLE, EIGHT_BIT, "helo", cmd_ehlo, IN_ORDER },
    { SLICE("MAIL"), START | READY, ARG_NEEDED, CAME_MAIL, UTF8, "mail", cmd_mail,
      SLICE("The sender is given already") },
    { SLICE("RCPT"), SENDER | RECIPIENT, ARG_NEEDED, CAME_RECIPIENT, UTF8, "rcpt", cmd_rcpt,
      SLICE("Give the sender first: MAIL") },
    { SLICE("DATA"), SENDER | RECIPIENT, ARG_NONE, CAME_ON, ASCII, "data", cmd_data,
      SLICE("Give sender and recipients first: MAIL, RCPT") },
    { SLICE("STARTTLS"), START | READY, ARG_NONE, CAME_ON, ASCII, "starttls", cmd_starttls,
      SLICE("Not within a transaction") },
    { SLICE("AUTH"), READY, ARG_NEEDED, CAME_ON, ASCII, "auth", cmd_auth,
      SLICE("Say EHLO first, and not within a transaction") },
    { SLICE("RSET"), ANY, ARG_NONE, CAME_IDLE, ASCII, "command", cmd_rset, IN_ORDER },
    { SLICE("NOOP"), ANY, ARG_OPTIONAL, CAME_IDLE, ASCII, "command", cmd_noop, IN_ORDER },
    { SLICE("VRFY"), ANY, ARG_NEEDED, CAME_IDLE, ASCII, "command", cmd_vrfy, IN_ORDER },
    { SLICE("HELP"), ANY, ARG_OPTIONAL, CAME_IDLE, ASCII, "command", cmd_help, IN_ORDER },
    { SLICE("QUIT"), ANY | REFUSED, ARG_NONE, CAME_ON, ASCII, "command", cmd_quit, IN_ORDER },
    NOT_IMPLEMENTED("EXPN"),
    NOT_IMPLEMENTED("SEND"),
    NOT_IMPLEMENTED("SOML"),
    NOT_IMPLEMENTED("SAML"),
    NOT_IMPLEMENTED("TURN"),
    HTTP("GET"),
    HTTP("HEAD"),
    HTTP("POST"),
    HTTP("PUT"),
    HTTP("DELETE"),
    HTTP("CONNECT"),
    HTTP("OPTIONS"),
    HTTP("TRACE"),
    HTTP("PATCH"),
    { SLICE("PROXY"), ANY, ARG_OPTIONAL, CAME_ON, ASCII, "input", cmd_proxy, IN_ORDER },
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };
_Static_assert((int)COMMANDS <= (int)COMMAND_COUNT, "a session counts each command");

/* ---- fixed replies ----------------------------------------------------------------------- */

static const struct reply mail_ok = REPLY(250, "1.0", "Sender ok");
static const struct reply rcpt_ok = REPLY(250, "1.5", "Recipient ok");
static const struct reply data_go = REPLY(354, "", "Send the message, end it with a dot on a line of its own");
static const struct reply rset_ok = REPLY(250, "0.0", "Reset");
static const struct reply noop_ok = REPLY(250, "0.0", "Ok");
static const struct reply vrfy_ok = REPLY(252, "5.0", "Cannot verify it, but will take a message and try");
static const struct reply quit_ok = REPLY(221, "0.0", "Goodbye");
static const struct reply not_implemented = REPLY(502, "5.1", "Command is not implemented");
static const struct reply unknown_command = { .code = 500, .status = SLICE("5.1"), .counts = COUNTS_UNKNOWN,
                                              .text = SLICE("Command is not known") };
static const struct reply bad_sequence = REPLY(503, "5.1", "");
static const struct reply refused_wait = REPLY(503, "5.1", "Your host is not accepted, say QUIT");
static const struct reply no_recipients = REPLY(503, "5.1", "Give a recipient that is accepted first");
static const struct reply no_valid_recipients = REPLY(554, "5.1", "No valid recipients");
static const struct reply need_argument = REPLY(501, "5.4", "The argument is missing");
static const struct reply no_argument = REPLY(501, "5.4", "No argument is allowed");
static const struct reply bad_helo = REPLY(501, "5.4", "Give your host name, without control characters");
static const struct reply bad_sender = REPLY(501, "1.7", "Syntax error in the address of the sender");
static const struct reply bad_recipient = REPLY(501, "1.3", "Syntax error in the address of the recipient");
static const struct reply sender_without_domain = REPLY(501, "1.7",
    "The domain is missing in the address of the sender, say user@example.com");
static const struct reply recipient_without_domain = REPLY(501, "1.3",
    "The domain is missing in the address of the recipient, say user@example.com");
static const struct reply no_from = REPLY(501, "5.4", "Expected MAIL FROM:<address>");
static const struct reply no_to = REPLY(501, "5.4", "Expected RCPT TO:<address>");
static const struct reply bad_value = REPLY(501, "5.4", "Bad or repeated parameter");
static const struct reply unknown_parameter = REPLY(555, "5.4", "Parameter is not known");
static const struct reply need_smtputf8 = REPLY(553, "6.7", "An address outside ASCII needs SMTPUTF8");
static const struct reply line_too_long = REPLY(500, "5.2", "Line is too long");
static const struct reply bare_newline = REPLY(500, "5.2", "Lines must end in CRLF");
static const struct reply not_http = { .code = 500, .status = SLICE("5.1"), .closes = true,
                                       .text = SLICE("This is an SMTP server, not HTTP") };
static const struct reply not_tls = { .code = 500, .status = SLICE("5.1"), .closes = true,
                                      .text = SLICE("This is an SMTP server without TLS on this port") };
static const struct reply not_proxied = { .code = 500, .status = SLICE("5.1"), .closes = true,
                                          .text = SLICE("No PROXY header is taken from your host") };
static const struct reply tls_go = REPLY(220, "0.0", "Go ahead with TLS");
static const struct reply tls_twice = REPLY(503, "5.1", "TLS has begun already");
static const struct reply tls_injected = { .code = 554, .status = SLICE("5.1"), .closes = true,
                                           .text = SLICE("Nothing may follow STARTTLS") };
static const struct reply auth_ok = REPLY(235, "7.0", "Authenticated");
static const struct reply auth_twice = REPLY(503, "5.1", "You have authenticated already");
static const struct reply auth_in_clear = REPLY(538, "7.11", "Passwords are taken over TLS only, say STARTTLS first");
static const struct reply auth_unknown = REPLY(504, "5.4", "Mechanism is not known, PLAIN and LOGIN are");
static const struct reply auth_cancelled = REPLY(501, "7.0", "Authentication is cancelled");
static const struct reply auth_base64 = REPLY(501, "5.2", "That is not base64");
static const struct reply auth_syntax = REPLY(501, "5.2", "That is not what the mechanism wants");
static const struct reply auth_too_long = REPLY(500, "5.6", "The response is too long");
static const struct reply shutting_down = { .code = 421, .status = SLICE("3.2"), .closes = true,
                                            .text = SLICE("The service is being stopped, try again later") };
static const struct reply no_space = REPLY(452, "3.1", "Not enough space, try again later");
static const struct reply spool_failed = REPLY(451, "3.0", "The message cannot be stored, try again later");

/* Printable ASCII with blanks and tabs, and what the alphabet has besides. */
static bool is_printable(struct slice line, enum alphabet alphabet)
{
    while (line.len > 0) {
        char c = line.text[0];
        size_t len = (c >= ' ' && c <= '~') || c == '\t'       ? 1
                     : (unsigned char)c < 0x80 || alphabet == ASCII ? 0
                     : alphabet == UTF8                             ? envelope_utf8(line)
                                                                    : 1;

        if (len == 0)
            return false;
        line.text += len;
        line.len -= len;
    }
    return true;
}

/* ---- handlers ---------------------------------------------------------------------------- */

static void end_transaction(struct session *s)
{
    s->state = s->greeted ? READY : START;
    s->smtputf8 = s->mail_refused = s->rcpt_refused = false;
}

/* What HELO and EHLO have in common; a session may say them again, which is a reset. */
static struct reply greet(struct session *s, bool extended, struct slice name)
{
    struct reply reply;

    if (!envelope_helo(name))
        return bad_helo;
    reply = monitor_helo(s->monitor, extended, name);
    if (reply.code != 0)
        return reply;
    s->greeted = true;
    s->extended = extended;
    end_transaction(s);
    return (struct reply){ .code = 250, .text = s->conf->rules.domain };
}

static struct reply cmd_helo(struct session *s, struct slice argument)
{
    return greet(s, false, argument);
}

/* Only a socket can be handed to mailrecv-tls. */
static bool offers_tls(const struct session *s)
{
    return s->conf->client.tls != TLS_OFF && !s->secure && s->io->socket;
}

static bool offers_auth(const struct session *s)
{
    return s->conf->client.auth != AUTH_OFF && !s->authenticated && (s->secure || s->conf->client.auth_insecure);
}

static struct reply cmd_ehlo(struct session *s, struct slice argument)
{
    struct reply reply = greet(s, true, argument);
    struct text text = { s->text, sizeof s->text, 0 };

    if (reply_refuses(&reply))
        return reply;
    text_put(&text, s->conf->rules.domain);
    text_put(&text, (struct slice)SLICE("\nPIPELINING\nSIZE "));
    text_number(&text, s->conf->session.smtp_data_size.value, 1);
    text_put(&text, (struct slice)SLICE("\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nLIMITS RCPTMAX="));
    text_number(&text, s->conf->session.smtp_rcpt_to.value, 1);
    if (offers_tls(s))
        text_put(&text, (struct slice)SLICE("\nSTARTTLS"));
    if (offers_auth(s))
        text_put(&text, (struct slice)SLICE("\nAUTH PLAIN LOGIN"));
    text_put(&text, (struct slice)SLICE("\nHELP"));
    reply.text = text_slice(&text);
    return reply;
}

/* The reply for an argument of MAIL or RCPT that is not as RFC 5321 wants it. */
static struct reply refuse_syntax(const struct session *s, enum envelope_status status, struct slice argument,
                                  bool is_sender)
{
    if (status == ENVELOPE_NOT_UTF8)
        return need_smtputf8;
    if (s->conf->session.smtp_ascii.value != 0 && !is_printable(argument, ASCII))
        return s->conf->session.smtp_ascii.reply; /* UTF-8 may be in the address of a good command only */
    switch (status) {
    case ENVELOPE_NO_PATH:
        return is_sender ? no_from : no_to;
    case ENVELOPE_BAD_VALUE:
        return bad_value;
    case ENVELOPE_UNKNOWN:
        return unknown_parameter;
    case ENVELOPE_NO_DOMAIN:
        return is_sender ? sender_without_domain : recipient_without_domain;
    case ENVELOPE_NOT_UTF8:
    case ENVELOPE_BAD_ADDRESS:
    case ENVELOPE_OK:
        break;
    }
    return is_sender ? bad_sender : bad_recipient;
}

static struct reply cmd_mail(struct session *s, struct slice argument)
{
    struct mail_argument mail;
    enum envelope_status status;
    struct reply reply;

    if (s->conf->session.helo_required.value != 0 && !s->greeted)
        return s->conf->session.helo_required.reply;
    status = envelope_mail(argument, &mail);
    if (status != ENVELOPE_OK)
        return refuse_syntax(s, status, argument, true);
    if (mail.auth && s->conf->client.auth == AUTH_OFF)
        return unknown_parameter;
    reply = mail.size > s->conf->session.smtp_data_size.value ? s->conf->session.smtp_data_size.reply
                                                      : monitor_mail(s->monitor, argument);
    reply.counts = COUNTS_IDLE; /* a sender or a message that is not wanted is no guess */
    if (reply.code != 0)
        return reply;
    s->state = SENDER;
    s->mail_refused = false;
    s->smtputf8 = mail.smtputf8;
    return mail_ok;
}

/* Whether mail for a recipient is accepted: across the wall, in rules_rcpt. */
static struct reply cmd_rcpt(struct session *s, struct slice argument)
{
    struct address recipient;
    enum envelope_status status = envelope_rcpt(argument, s->smtputf8, &recipient);
    struct reply reply = status == ENVELOPE_OK ? monitor_rcpt(s->monitor, argument)
                                               : refuse_syntax(s, status, argument, false);

    if (reply.code != 0)
        return reply;
    s->state = RECIPIENT;
    return rcpt_ok;
}

/* RFC 2920 4: a client that sent its group at once wants a 554 when all recipients were refused. */
static struct reply cmd_data(struct session *s, struct slice argument)
{
    struct reply reply = s->rcpt_refused && s->io->pipelined ? no_valid_recipients : no_recipients;

    (void)argument;
    reply.counts = s->rcpt_refused ? COUNTS_NOT : COUNTS_FAILED;
    if (s->state != RECIPIENT)
        return reply;
    s->state = MESSAGE;
    return data_go;
}

/* RFC 3207; what follows its 220 is in one_line, because that is sent the old way still. */
static struct reply cmd_starttls(struct session *s, struct slice argument)
{
    struct reply reply;

    (void)argument;
    if (s->secure)
        return tls_twice;
    if (!offers_tls(s))
        return unknown_command;
    if (line_pending(s->io))
        return tls_injected;
    reply = monitor_tls(s->monitor, &s->plain);
    if (reply.code == 0)
        return tls_go;
    s->plain = -1;
    return reply;
}

/* From here on the client is at the other end of mailrecv-tls, and has said nothing yet (RFC 3207 4.2). */
static void begin_tls(struct session *s)
{
    if (!line_switch(s->io, s->plain)) {
        s->state = END;
        s->end_reason = "broken";
    }
    s->plain = -1;
    s->secure = true;
    s->greeted = s->extended = s->authenticated = false;
    if (s->state != END)
        end_transaction(s);
}

/* What an exchange of AUTH has come to (RFC 4954 4 and 6). */
static struct reply go_on_with_auth(struct session *s, enum sasl_status status)
{
    struct reply reply = auth_ok;

    s->state = READY;
    switch (status) {
    case SASL_CONTINUE:
        s->state = EXCHANGE;
        return (struct reply){ .code = 334, .text = s->sasl.challenge };
    case SASL_DONE:
        break;
    case SASL_CANCELLED:
        return auth_cancelled;
    case SASL_BAD_BASE64:
        return auth_base64;
    case SASL_BAD_SYNTAX:
        return auth_syntax;
    case SASL_UNKNOWN_MECHANISM:
        return auth_unknown;
    case SASL_TOO_LONG:
        return auth_too_long;
    }
    reply = monitor_auth(s->monitor, &s->sasl);
    sasl_wipe(&s->sasl);
    s->authenticated = reply.code == 0;
    return s->authenticated ? auth_ok : reply;
}

static struct reply cmd_auth(struct session *s, struct slice argument)
{
    if (s->conf->client.auth == AUTH_OFF)
        return unknown_command;
    if (s->authenticated)
        return auth_twice;
    if (!offers_auth(s))
        return auth_in_clear;
    return go_on_with_auth(s, sasl_begin(&s->sasl, argument));
}

static struct reply cmd_rset(struct session *s, struct slice argument)
{
    (void)argument;
    monitor_reset(s->monitor);
    end_transaction(s);
    return rset_ok;
}

static struct reply cmd_noop(struct session *s, struct slice argument)
{
    (void)s;
    (void)argument;
    return noop_ok;
}

static struct reply cmd_vrfy(struct session *s, struct slice argument)
{
    (void)s;
    (void)argument;
    return vrfy_ok;
}

static struct reply cmd_help(struct session *s, struct slice argument)
{
    struct reply reply = REPLY(214, "0.0", "");
    struct text text = { s->text, sizeof s->text, 0 };

    (void)argument;
    text_put(&text, (struct slice)SLICE("mailrecv takes mail for scripts. Commands:\n"));
    for (size_t i = 0; i < COMMANDS; i++) {
        if (commands[i].handler == cmd_not_implemented || commands[i].handler == cmd_http ||
            commands[i].handler == cmd_proxy)
            continue;
        text_put(&text, slice_of(i > 0 ? " " : ""));
        text_put(&text, commands[i].verb);
    }
    reply.text = text_slice(&text);
    return reply;
}

static struct reply cmd_quit(struct session *s, struct slice argument)
{
    (void)argument;
    s->state = END;
    s->end_reason = "quit";
    return quit_ok;
}

static struct reply cmd_not_implemented(struct session *s, struct slice argument)
{
    (void)s;
    (void)argument;
    return not_implemented;
}

static struct reply cmd_http(struct session *s, struct slice argument)
{
    (void)argument;
    s->end_reason = "http";
    return not_http;
}

/* Whoever proxy_protocol names has had its header read before there was a session. */
static struct reply cmd_proxy(struct session *s, struct slice argument)
{
    (void)argument;
    s->end_reason = "proxy";
    return not_proxied;
}

/* ---- one line ---------------------------------------------------------------------------- */

static const struct command *find_command(struct slice verb)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (slice_equal_nocase(commands[i].verb, verb))
            return &commands[i];
    return NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (lower_ascii(c) >= 'a' && lower_ascii(c) <= 'z');
}

/* "MAIL FROM:<a@b> " is the verb MAIL and the argument "FROM:<a@b>". */
static void split_line(struct slice line, struct slice *verb, struct slice *argument)
{
    size_t begin = 0, end = line.len;

    while (begin < end && !is_blank(line.text[begin]))
        begin++;
    *verb = (struct slice){ line.text, begin };
    while (begin < end && is_blank(line.text[begin]))
        begin++;
    while (end > begin && is_blank(line.text[end - 1]))
        end--;
    *argument = (struct slice){ line.text + begin, end - begin };
}

/* Refuses a line before its handler sees it: alphabet, order, argument. */
static struct reply check_line(const struct session *s, const struct command *c, struct slice line,
                               struct slice argument)
{
    struct reply reply = { .code = 0 };

    if (s->conf->session.smtp_ascii.value != 0 && !is_printable(line, c != NULL ? c->alphabet : ASCII))
        return s->conf->session.smtp_ascii.reply;
    if (s->state == REFUSED && (c == NULL || (c->states & REFUSED) == 0)) {
        reply = refused_wait;
        reply.counts = s->refused_greeting ? COUNTS_FAILED : COUNTS_IDLE;
        return reply;
    }
    if (c == NULL)
        return unknown_command;
    if ((c->states & s->state) == 0) {
        reply = bad_sequence;
        reply.text = c->out_of_order;
        if (s->mail_refused && (c->handler == cmd_rcpt || c->handler == cmd_data))
            reply.counts = COUNTS_NOT; /* RFC 2920: the client has sent it together with its MAIL */
        return reply;
    }
    if (c->argument == ARG_NEEDED && argument.len == 0)
        return need_argument;
    if (c->argument == ARG_NONE && argument.len > 0)
        return no_argument;
    return reply;
}

static struct reply exceed(const struct limit *limit)
{
    struct reply reply = limit->reply;

    reply.closes = true;
    return reply;
}

/* What a line that was refused came to: a command of the table or NULL. */
static enum came_to refused_to(const struct session *s, const struct command *c, const struct reply *reply)
{
    bool is_envelope = c != NULL && (c->handler == cmd_mail || c->handler == cmd_rcpt || c->handler == cmd_data);

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
        break;
    }
    return is_envelope && c->handler == cmd_rcpt && (s->before & (SENDER | RECIPIENT)) != 0 ? CAME_REFUSED : CAME_FAILED;
}

static enum came_to came_to(const struct session *s, const struct command *c, const struct reply *reply)
{
    if (reply_refuses(reply))
        return refused_to(s, c, reply);
    if (c == NULL || (c->came_to == CAME_IDLE && s->before == START && s->state == READY))
        return CAME_ON; /* what AUTH asked for; the first HELO */
    return c->handler == cmd_rset && s->begun ? CAME_RESET : c->came_to;
}

/*
 * Counts what a line was, a command of the table or NULL, and what came of it. Beyond a limit,
 * the limit's reply takes the place of the command's own. Returns the stage for the log.
 */
static const char *count_line(struct session *s, const struct command *c, const char *stage, struct reply *reply)
{
    enum came_to what = came_to(s, c, reply);
    struct excess excess = counts_note(&s->counts, &s->conf->session, what, 0);

    if (reply->code == 535 && reply->counts == COUNTS_IDLE)
        stage = "identity"; /* the password was right, and for somebody else */
    if (c != NULL) {
        s->total[c - commands]++;
        s->accepted[c - commands] += !reply_refuses(reply);
    }
    s->unknown += what == CAME_UNKNOWN;
    if (excess.limit == NULL || s->state == END || reply->closes)
        return stage;
    *reply = exceed(excess.limit);
    return excess.stage;
}

/* ---- input that is no line --------------------------------------------------------------- */

/* Has the client gone in the middle of a command, or of what AUTH asked for? */
static bool is_cut(const struct session *s, enum line_status status)
{
    return (status == LINE_EOF || status == LINE_BROKEN) &&
           (s->state == EXCHANGE || (s->state != MESSAGE && s->io->start < s->io->end));
}

/* What to say and do when the input ends or is no SMTP. */
static struct reply refuse_input(struct session *s, enum line_status status)
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
        return exceed(&s->conf->session.bare_newline);
    case LINE_NOT_SMTP:
        return not_tls;
    case LINE_PROXY:
        return not_proxied;
    case LINE_IDLE:
        return exceed(&s->conf->session.command_secs);
    case LINE_DEADLINE:
        return exceed(&s->conf->session.connection_secs);
    case LINE_TERMINATED:
        return shutting_down;
    case LINE_EOF:
    case LINE_BROKEN:
    case LINE_OK:
    case LINE_TOO_LONG:
    case LINE_BARE_LF:
        break;
    }
    return none;
}

/* ---- the message ------------------------------------------------------------------------- */

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
            struct reply reply = refuse_input(s, input);

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
        return exceed(&s->conf->session.smtp_data_size);
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
static struct reply receive_message(struct session *s)
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
    if (reply.closes)
        s->end_reason = "time"; /* the session's limit has ended the delivery */
    spool_clear(&s->spool);
    end_transaction(s);
    return reply;
}

/* ---- the loop ---------------------------------------------------------------------------- */

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
        s->state = END;
        if (s->end_reason == NULL)
            s->end_reason = stage;
    }
    if (reply->code == 0)
        return;
    if (reply_refuses(reply)) {
        monitor_log_refusal(s->monitor, stage, reply, line);
        delay_refusal(s, reply, stage);
    }
    say(s, reply);
}

/* The next word of a line, however it is set off: blanks and whatever else is no letter or digit stand before it. */
static struct slice next_word(struct slice *line)
{
    size_t begin = 0, end;

    while (begin < line->len && !is_alphanumeric(line->text[begin]))
        begin++;
    for (end = begin; end < line->len && !is_blank(line->text[end]);)
        end++;
    *line = (struct slice){ line->text + end, line->len - end };
    return (struct slice){ line->text - (end - begin), end - begin };
}

/* AUTH, and what begins so, as "AUTH=" or "Authorization:". */
static bool is_auth(struct slice word)
{
    static const struct slice verb = SLICE("AUTH");

    return word.len >= verb.len && slice_equal_nocase((struct slice){ word.text, verb.len }, verb);
}

/* AUTH with letters that are missing, doubled or in another order. */
static bool resembles_auth(struct slice word)
{
    size_t letters = 0;

    while (letters < word.len && strchr("auth", lower_ascii(word.text[letters])) != NULL)
        letters++;
    return word.len > 2 && letters == word.len;
}

/* What other servers are told passwords by. */
static bool is_login(struct slice word)
{
    static const struct slice words[] = { SLICE("USER"), SLICE("PASS"), SLICE("PASSWORD"), SLICE("LOGIN") };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal_nocase(word, words[i]))
            return true;
    return false;
}

/* Is this, which is no command, about a password? A tag of IMAP may stand before the word that says so. */
static bool is_about_secrets(struct slice line)
{
    struct slice word = next_word(&line);
    bool found = resembles_auth(word) || is_login(word) || is_login(next_word(&(struct slice){ line.text, line.len }));

    for (; !found && word.len > 0; word = next_word(&line))
        found = is_auth(word) || sasl_is_mechanism(word);
    return found;
}

static bool has_auth(struct slice argument)
{
    bool found = false;

    while (!found && argument.len > 0)
        found = is_auth(next_word(&argument));
    return found;
}

/* Has the command a syntax of its own, which no password has? */
static bool is_structured(const struct command *c)
{
    return c->handler == cmd_mail || c->handler == cmd_rcpt || c->handler == cmd_helo || c->handler == cmd_ehlo;
}

/*
 * Passwords come behind AUTH, and without it from clients that are confused: before it, in the lines behind it, and
 * as arguments of what only happens to be a command.
 */
static bool may_hold_secret(const struct session *s, const struct command *c, struct slice line, struct slice argument)
{
    if (c == NULL)
        return s->secrets || is_about_secrets(line);
    return c->handler == cmd_auth || (argument.len > 0 && !is_structured(c) && (s->secrets || has_auth(argument)));
}

/* What of a line with a secret the log may show: AUTH and a mechanism, if it is one. */
static struct slice loggable(const struct command *c, struct slice line, struct slice argument)
{
    size_t len = 0;

    if (c == NULL || c->handler != cmd_auth)
        return (struct slice)SLICE("(hidden)");
    while (len < argument.len && !is_blank(argument.text[len]))
        len++;
    if (argument.len > 0 && !sasl_is_mechanism((struct slice){ argument.text, len }))
        return (struct slice)SLICE("AUTH (hidden)");
    return (struct slice){ line.text, (size_t)(argument.text - line.text) + len };
}

/* What was sent behind such a command, in one group with it, is refused for that alone. */
static void note_refusal(struct session *s, const struct command *c)
{
    s->mail_refused = s->mail_refused || (c->handler == cmd_mail && !s->begun);
    s->rcpt_refused = s->rcpt_refused || (c->handler == cmd_rcpt && s->begun);
}

static void one_line(struct session *s, struct slice line)
{
    const struct command *c;
    struct slice verb, argument, shown;
    struct reply reply;
    const char *stage;

    split_line(line, &verb, &argument);
    c = find_command(verb);
    s->secrets = may_hold_secret(s, c, line, argument);
    shown = s->secrets ? loggable(c, line, argument) : line;
    if (monitor_wants(s->monitor, 's'))
        monitor_log(s->monitor, MONITOR_LINE, shown);
    s->before = s->state;
    s->begun = s->mail_refused || (s->state & (SENDER | RECIPIENT)) != 0;
    reply = check_line(s, c, line, argument);
    if (reply.code == 0)
        reply = c->handler(s, argument);
    if (c != NULL && reply_refuses(&reply))
        note_refusal(s, c);
    stage = count_line(s, c, c != NULL ? c->stage : "command", &reply);
    answer(s, &reply, stage, shown);
    if (s->secrets)
        line_wipe(s->io, line);
    if (s->plain >= 0)
        begin_tls(s);
}

/* A response of AUTH. */
static void one_response(struct session *s, struct slice line)
{
    struct reply reply = go_on_with_auth(s, sasl_feed(&s->sasl, line));
    const char *stage;

    line_wipe(s->io, line);
    stage = count_line(s, NULL, "auth", &reply);
    answer(s, &reply, stage, slice_of("(hidden)"));
}

/* A line that cannot be a command, but does not end the session. */
static void bad_line(struct session *s, struct reply reply)
{
    const char *stage = count_line(s, NULL, "command", &reply);

    if (s->state == EXCHANGE)
        s->state = READY;
    sasl_wipe(&s->sasl);
    answer(s, &reply, stage, slice_of(""));
}

static void one_step(struct session *s)
{
    struct slice line;
    struct reply reply;
    enum line_status status;

    if (s->state == MESSAGE) {
        reply = receive_message(s);
        answer(s, &reply, "data", slice_of(""));
        monitor_reset(s->monitor); /* not before: the log names the sender */
        return;
    }
    status = line_read(s->io, &line);
    if (status == LINE_OK && s->state == EXCHANGE) {
        one_response(s, line);
    } else if (status == LINE_OK) {
        one_line(s, line);
    } else if (status == LINE_TOO_LONG || status == LINE_BARE_LF) {
        bad_line(s, status == LINE_TOO_LONG ? line_too_long : bare_newline);
    } else {
        reply = refuse_input(s, status);
        answer(s, &reply, "input", slice_of(""));
    }
}

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
    for (size_t i = 0; i < COMMANDS; i++) {
        if (s->total[i] == 0)
            continue;
        put_count(&text, commands[i].verb.text, s->accepted[i]);
        if (s->accepted[i] < s->total[i]) {
            text_put(&text, (struct slice)SLICE("/"));
            text_number(&text, s->total[i], 1);
        }
    }
    if (s->unknown > 0)
        put_count(&text, "unknown", s->unknown);
    monitor_log(s->monitor, s->cut ? MONITOR_CUT : MONITOR_END, text_slice(&text));
}

static void open_session(struct session *s)
{
    struct reply reply = monitor_connect(s->monitor);

    if (reply.code == 0) {
        reply = (struct reply){ .code = 220, .text = s->conf->session.greeting };
        s->state = START;
    } else {
        s->state = REFUSED;
        s->refused_greeting = reply.code >= 500;
        s->io->idle_ms = REFUSED_WAIT_MS < s->io->idle_ms ? REFUSED_WAIT_MS : s->io->idle_ms;
    }
    /* RFC 2034 4: the greeting has no enhanced code */
    if (reply_refuses(&reply)) {
        monitor_log_refusal(s->monitor, "connect", &reply, slice_of(""));
        delay_refusal(s, &reply, "connect");
    }
    reply.status.len = 0;
    say(s, &reply);
}

struct session *smtp_greet(struct line_io *io, struct monitor *monitor, const struct conf *conf)
{
    static struct session session;

    session = (struct session){ .io = io, .monitor = monitor, .conf = conf, .begin = clock_ms(),
                                .spool = { .memory = monitor_memory(monitor), .fd = -1 }, .plain = -1,
                                .secure = conf->client.tls == TLS_IMPLICIT };
    io->deadline = session.begin + conf->session.connection_secs.value * 1000;
    io->idle_ms = conf->session.command_secs.value * 1000;
    io->lf_sessions = conf->session.bare_newline.value == 0;
    monitor_lets_out(monitor, io);
    open_session(&session);
    (void)line_flush(io); /* a failure is remembered in io */
    return &session;
}

void smtp_session(struct session *session)
{
    struct session *s = session;

    while (s->state != END)
        one_step(s);
    spool_clear(&s->spool);
    (void)line_flush(s->io); /* the client does not wait for the log */
    log_end(s);
    line_close(s->io, strcmp(s->end_reason, "quit") == 0 ? 0 : DRAIN_MS);
}

void smtp_say(struct line_io *io, const struct reply *reply)
{
    reply_send(io, reply);
    line_close(io, DRAIN_MS);
}
