/* smtp.c - the dialogue (RFC 5321, RFC 2033): commands, their order, replies */
/*
 * `smtp_commands` is the table of contents: which command is legal when, what argument it takes and
 * who handles it. A handler returns its one reply; only the loop (smtp/loop.c) counts, logs
 * and sends. Nothing is decided here about hosts and recipients: that is what the monitor is asked.
 */
#include "smtp.h"

#include <string.h>

#include "base/text.h"
#include "smtp/session.h"

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
    { SLICE(verb), ANY, ARG_OPTIONAL, KIND_OTHER, CAME_ON, ASCII, "command", cmd_not_implemented, IN_ORDER }
#define HTTP(verb) { SLICE(verb), ANY, ARG_OPTIONAL, KIND_OTHER, CAME_ON, ASCII, "input", cmd_http, IN_ORDER }

const struct command smtp_commands[] = {
    { SLICE("HELO"), ANY, ARG_NEEDED, KIND_HELO, CAME_IDLE, EIGHT_BIT, "helo", cmd_helo, IN_ORDER },
    { SLICE("EHLO"), ANY, ARG_NEEDED, KIND_HELO, CAME_IDLE, EIGHT_BIT, "helo", cmd_ehlo, IN_ORDER },
    { SLICE("LHLO"), ANY, ARG_NEEDED, KIND_LHLO, CAME_IDLE, EIGHT_BIT, "helo", cmd_ehlo, IN_ORDER },
    { SLICE("MAIL"), START | READY, ARG_NEEDED, KIND_MAIL, CAME_MAIL, UTF8, "mail", cmd_mail,
      SLICE("The sender is given already") },
    { SLICE("RCPT"), SENDER | RECIPIENT, ARG_NEEDED, KIND_RCPT, CAME_RECIPIENT, UTF8, "rcpt", cmd_rcpt,
      SLICE("Give the sender first: MAIL") },
    { SLICE("DATA"), SENDER | RECIPIENT, ARG_NONE, KIND_DATA, CAME_ON, ASCII, "data", cmd_data,
      SLICE("Give sender and recipients first: MAIL, RCPT") },
    { SLICE("BDAT"), RECIPIENT | CHUNKS, ARG_NEEDED, KIND_BDAT, CAME_ON, ASCII, "data", smtp_receive_chunk,
      SLICE("Give sender and recipients first: MAIL, RCPT") },
    { SLICE("STARTTLS"), START | READY, ARG_NONE, KIND_OTHER, CAME_ON, ASCII, "starttls", cmd_starttls,
      SLICE("Not within a transaction") },
    { SLICE("AUTH"), READY, ARG_NEEDED, KIND_AUTH, CAME_ON, ASCII, "auth", cmd_auth,
      SLICE("Not before EHLO or LHLO, and not within a transaction") },
    { SLICE("XCLIENT"), START | READY, ARG_NEEDED, KIND_SPEAKER, CAME_ON, ASCII, "command", cmd_xclient,
      SLICE("Not within a transaction") },
    { SLICE("XFORWARD"), START | READY, ARG_NEEDED, KIND_SPEAKER, CAME_ON, ASCII, "command", cmd_xforward,
      SLICE("Not within a transaction") },
    { SLICE("RSET"), ANY, ARG_NONE, KIND_RSET, CAME_IDLE, ASCII, "command", cmd_rset, IN_ORDER },
    { SLICE("NOOP"), ANY, ARG_OPTIONAL, KIND_OTHER, CAME_IDLE, ASCII, "command", cmd_noop, IN_ORDER },
    { SLICE("VRFY"), ANY, ARG_NEEDED, KIND_OTHER, CAME_IDLE, ASCII, "command", cmd_vrfy, IN_ORDER },
    { SLICE("HELP"), ANY, ARG_OPTIONAL, KIND_OTHER, CAME_IDLE, ASCII, "command", cmd_help, IN_ORDER },
    { SLICE("QUIT"), ANY | REFUSED, ARG_NONE, KIND_OTHER, CAME_ON, ASCII, "command", cmd_quit, IN_ORDER },
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
    { SLICE("PROXY"), ANY, ARG_OPTIONAL, KIND_OTHER, CAME_ON, ASCII, "input", cmd_proxy, IN_ORDER },
    { .verb = { NULL, 0 } }
};

_Static_assert(sizeof smtp_commands / sizeof smtp_commands[0] <= SMTP_COMMANDS + 1, "a session counts each command");

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
static const struct reply no_recipients = REPLY(503, "5.1", "Give a recipient that is accepted first");
static const struct reply no_valid_recipients = REPLY(554, "5.1", "No valid recipients");
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
static const struct reply not_http = { .code = 500, .status = SLICE("5.1"), .closes = true,
                                       .text = SLICE("This is an SMTP server, not HTTP") };
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

/* ---- handlers ---------------------------------------------------------------------------- */

void smtp_end_transaction(struct session *s)
{
    s->state = s->greeted ? READY : START;
    s->smtputf8 = s->prdr = s->mail_refused = s->rcpt_refused = false;
    s->recipients = 0;
    if (s->forwarded)
        counts_forget_guesses(&s->counts); /* they were of another client */
    s->forwarded = false;
    spool_clear(&s->spool);
}

/* What HELO and EHLO have in common; a session may say them again, which is a reset. */
static struct reply greet(struct session *s, bool extended, struct slice name)
{
    struct reply reply;

    if (!envelope_helo(name))
        return bad_helo;
    if (s->forwarded) { /* it is not for the client of that transaction */
        monitor_reset(s->monitor);
        smtp_end_transaction(s);
    }
    reply = monitor_helo(s->monitor, extended, name);
    if (reply.code != 0)
        return reply;
    s->greeted = true;
    s->extended = extended;
    smtp_end_transaction(s);
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
    text_put(&text, (struct slice)SLICE("\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nCHUNKING\nLIMITS RCPTMAX="));
    text_number(&text, s->conf->session.smtp_rcpt_to.value, 1);
    text_put(&text, slice_of(session_lmtp(&s->conf->session) ? "" : "\nPRDR")); /* there Exim gives each reply to the wrong one */
    if (offers_tls(s))
        text_put(&text, (struct slice)SLICE("\nSTARTTLS"));
    if (offers_auth(s))
        text_put(&text, (struct slice)SLICE("\nAUTH PLAIN LOGIN"));
    if ((s->speaks & 1U << TOLD_XCLIENT) != 0) {
        text_put(&text, (struct slice)SLICE("\nXCLIENT"));
        told_put_offer(&text, TOLD_XCLIENT);
    }
    if ((s->speaks & 1U << TOLD_XFORWARD) != 0) {
        text_put(&text, (struct slice)SLICE("\nXFORWARD"));
        told_put_offer(&text, TOLD_XFORWARD);
    }
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
    if (s->conf->session.smtp_ascii.value != 0 && !smtp_is_printable(argument, ASCII))
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
    status = envelope_mail(argument, session_lmtp(&s->conf->session), &mail);
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
    s->prdr = mail.prdr;
    return mail_ok;
}

/* Whether mail for a recipient is accepted: across the wall, in rules_rcpt. */
static struct reply cmd_rcpt(struct session *s, struct slice argument)
{
    struct address recipient;
    enum envelope_status status = envelope_rcpt(argument, session_lmtp(&s->conf->session), s->smtputf8, &recipient);
    struct reply reply = status == ENVELOPE_OK ? monitor_rcpt(s->monitor, argument)
                                               : refuse_syntax(s, status, argument, false);

    if (reply.code != 0)
        return reply;
    s->state = RECIPIENT;
    s->recipients++;
    return rcpt_ok;
}

/* A client that sent its group at once wants a 554 when all recipients were refused (RFC 2920 4), in LMTP 503 (RFC 2033 4.2). */
static struct reply cmd_data(struct session *s, struct slice argument)
{
    const bool group = s->io->pipelined && !session_lmtp(&s->conf->session);
    struct reply reply = s->rcpt_refused && group ? no_valid_recipients : no_recipients;

    (void)argument;
    reply.counts = s->rcpt_refused ? COUNTS_NOT : COUNTS_FAILED;
    if (s->state != RECIPIENT)
        return reply;
    reply = monitor_data(s->monitor);
    reply.counts = COUNTS_IDLE; /* a message that is not wanted is no guess */
    if (reply.code != 0)
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
void smtp_begin_tls(struct session *s)
{
    if (!line_switch(s->io, s->plain)) {
        s->state = END;
        s->end_reason = "broken";
    }
    s->plain = -1;
    s->secure = true;
    s->greeted = s->extended = s->authenticated = false;
    if (s->state != END)
        smtp_end_transaction(s);
}

/* What an exchange of AUTH has come to (RFC 4954 4 and 6). */
struct reply smtp_go_on_with_auth(struct session *s, enum sasl_status status)
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
    return smtp_go_on_with_auth(s, sasl_begin(&s->sasl, argument));
}

static struct reply cmd_rset(struct session *s, struct slice argument)
{
    (void)argument;
    monitor_reset(s->monitor);
    smtp_end_transaction(s);
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
    bool any = false;

    (void)argument;
    text_put(&text, (struct slice)SLICE("mailrecv takes mail for scripts. Commands:\n"));
    for (size_t i = 0; smtp_commands[i].verb.len > 0; i++) {
        if (smtp_commands[i].handler == cmd_not_implemented || smtp_commands[i].handler == cmd_http ||
            smtp_commands[i].handler == cmd_proxy || smtp_commands[i].kind == KIND_SPEAKER ||
            !smtp_speaks(s, &smtp_commands[i]))
            continue;
        text_put(&text, slice_of(any ? " " : ""));
        any = true;
        text_put(&text, smtp_commands[i].verb);
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
