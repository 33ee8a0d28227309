/* dialogue.c - a message handed to another server: the client's side of SMTP and LMTP (RFC 5321, RFC 2033) */
#include "nexthop/dialogue.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"

enum {
    BATCH = 4096,     /* bytes of commands that leave before an answer to them is heard */
    GOODBYE_MS = 500, /* QUIT is answered by then, or not heard */
    COMMAND = 2 * ADDRESS_MAX,
    LOGIN_RESPONSE = 1024,
    PIECE = 65536
};

static const struct verdict not_ascii = { 550, "6.7", "The next server takes no addresses outside ASCII", false };
static const struct verdict not_text = {
    554, "6.0", "The message has a NUL or a lone CR, which the next server cannot take", false
};

/* ---- one command, one reply ---------------------------------------------------------------- */

static void __attribute__((format(printf, 2, 3))) say(struct dialogue *dialogue, const char *format, ...)
{
    char command[COMMAND], shown[LOG_TEXT];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(command, sizeof command, format, args); /* addresses and names are bounded, and fit */
    va_end(args);
    log_debug('s', "to the next server: \"%s\"", log_encode(shown, sizeof shown, slice_of(command)));
    exchange_say(&dialogue->exchange, (struct slice){ command, len > 0 && len < COMMAND ? (size_t)len : 0 });
    exchange_say(&dialogue->exchange, slice_of("\r\n"));
}

/* Nobody is decided by that: it is our trouble, or the connection's. */
static bool __attribute__((format(printf, 2, 3))) fail(struct dialogue *dialogue, const char *format, ...)
{
    va_list args;

    dialogue->trouble.code = 0;
    dialogue->trouble.late = clock_left(dialogue->exchange.deadline) == 0;
    va_start(args, format);
    (void)vsnprintf(dialogue->trouble.text, sizeof dialogue->trouble.text, format, args); /* cut when too long */
    va_end(args);
    return false;
}

static bool hear(struct dialogue *dialogue, const char *command, struct capabilities *offers)
{
    const struct response *response = &dialogue->exchange.response;
    char why[EXCHANGE_WHY], shown[LOG_TEXT];

    if (!exchange_hear(&dialogue->exchange, offers))
        return fail(dialogue, "no answer to %s: the next server %s", command, exchange_why(&dialogue->exchange, why));
    log_debug('s', "from the next server: \"%u %s\"", response->code,
              log_encode(shown, sizeof shown, slice_of(response->text)));
    return true;
}

static bool object(struct dialogue *dialogue, const char *command)
{
    const struct response *response = &dialogue->exchange.response;
    bool has_status = response->status[0] != '\0';
    char class[] = { (char)('0' + response->code / 100), '.', '\0' };

    return fail(dialogue, "the next server answers %s with %u %s%s%s%s", command, response->code,
                has_status ? class : "", response->status, has_status ? " " : "", response->text);
}

static bool expect(struct dialogue *dialogue, const char *command, unsigned code)
{
    return hear(dialogue, command, NULL) && (dialogue->exchange.response.code == code || object(dialogue, command));
}

/*
 * Is the reply one about this mail, as RFC 5321 4.3.2 has them? None is what ends the connection, wants something else
 * first (RFC 3207, RFC 4954), or has no place here: that concerns us two, and the sender may come again.
 */
static bool decides(unsigned code)
{
    static const unsigned others[] = { 221, 421, 530, 534, 535, 538 };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (code == others[i])
            return false;
    return code / 100 != 3;
}

/* The last reply becomes a verdict, if it decides. Our clients are promised enhanced codes (RFC 2034). */
static bool judge(struct dialogue *dialogue, const char *command, struct verdict *verdict)
{
    const struct response *response = &dialogue->exchange.response;

    if (!decides(response->code)) {
        (void)object(dialogue, command);
        *verdict = dialogue->trouble;
        return false;
    }
    verdict->code = response->code;
    verdict->late = false;
    text_string(verdict->status, sizeof verdict->status, slice_of(response->status[0] != '\0' ? response->status : "0.0"));
    text_string(verdict->text, sizeof verdict->text, slice_of(response->text));
    return true;
}

/* Nobody says anything more of the recipients from `i` on, whom nobody has refused so far. */
static bool settle(const struct dialogue *dialogue, struct letter_recipient *recipients, size_t i, size_t count)
{
    for (; i < count; i++)
        if (verdict_accepts(&recipients[i].verdict) || recipients[i].verdict.text[0] == '\0')
            recipients[i].verdict = dialogue->trouble;
    return false;
}

/* ---- up to the transaction ----------------------------------------------------------------- */

bool dialogue_greet(struct dialogue *dialogue)
{
    return expect(dialogue, "the connection", 220);
}

bool dialogue_introduce(struct dialogue *dialogue)
{
    const char *command = dialogue->lmtp ? "LHLO" : "EHLO";

    dialogue->offers = (struct capabilities){ .size = false };
    say(dialogue, "%s %s", command, dialogue->name);
    if (!hear(dialogue, command, &dialogue->offers))
        return false;
    if (dialogue->lmtp || dialogue->exchange.response.code / 100 != 5)
        return dialogue->exchange.response.code == 250 || object(dialogue, command);
    dialogue->offers = (struct capabilities){ .size = false };
    say(dialogue, "HELO %s", dialogue->name);
    return expect(dialogue, "HELO", 250);
}

bool dialogue_starttls(struct dialogue *dialogue)
{
    say(dialogue, "STARTTLS");
    if (!expect(dialogue, "STARTTLS", 220))
        return false;
    return exchange_is_quiet(&dialogue->exchange) ||
           fail(dialogue, "the next server has said more behind its answer to STARTTLS");
}

static void put_base64(struct text *out, struct slice bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    enum { PADDING = 64 };

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        const unsigned char *b = (const unsigned char *)bytes.text + i;
        unsigned bits = (unsigned)b[0] << 16 | (n > 1 ? (unsigned)b[1] << 8 : 0) | (n > 2 ? b[2] : 0);
        const char four[] = { alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[n > 1 ? bits >> 6 & 63 : PADDING],
                              alphabet[n > 2 ? bits & 63 : PADDING] };

        text_put(out, (struct slice){ four, sizeof four });
    }
}

/* A line that is not logged. */
static void say_secret(struct dialogue *dialogue, const char *before, struct slice secret)
{
    char line[LOGIN_RESPONSE];
    struct text text = { line, sizeof line, 0 };

    text_put(&text, slice_of(before));
    put_base64(&text, secret);
    text_put(&text, slice_of("\r\n"));
    log_debug('s', "to the next server: \"%s(hidden)\"", before);
    exchange_say(&dialogue->exchange, text_slice(&text));
    exchange_flush(&dialogue->exchange);
    explicit_bzero(line, sizeof line);
    explicit_bzero(dialogue->exchange.out, sizeof line);
}

/* RFC 4616: nobody, NUL, the user, NUL, the password */
static bool login_plain(struct dialogue *dialogue, struct slice user, struct slice password)
{
    char response[LOGIN_RESPONSE / 2];
    struct text text = { response, sizeof response, 0 };

    text_put(&text, (struct slice){ "", 1 });
    text_put(&text, user);
    text_put(&text, (struct slice){ "", 1 });
    text_put(&text, password);
    say_secret(dialogue, "AUTH PLAIN ", text_slice(&text));
    explicit_bzero(response, sizeof response);
    return expect(dialogue, "AUTH", 235);
}

static bool login_login(struct dialogue *dialogue, struct slice user, struct slice password)
{
    say(dialogue, "AUTH LOGIN");
    if (!expect(dialogue, "AUTH", 334))
        return false;
    say_secret(dialogue, "", user);
    if (!expect(dialogue, "AUTH", 334))
        return false;
    say_secret(dialogue, "", password);
    return expect(dialogue, "AUTH", 235);
}

bool dialogue_login(struct dialogue *dialogue, struct slice user, struct slice password)
{
    if (user.len + password.len > LOGIN_RESPONSE / 2 - 2)
        return fail(dialogue, "user and password are too long to log in");
    if (dialogue->offers.auth_plain)
        return login_plain(dialogue, user, password);
    return dialogue->offers.auth_login ? login_login(dialogue, user, password)
                                       : fail(dialogue, "the next server offers neither AUTH PLAIN nor LOGIN");
}

/* ---- MAIL and RCPT ------------------------------------------------------------------------- */

static void say_mail(struct dialogue *dialogue, const struct letter *letter)
{
    char size[32] = "";

    if (dialogue->offers.size && letter->content.size > 0)
        (void)snprintf(size, sizeof size, " SIZE=%ju", (uintmax_t)letter->content.size);
    say(dialogue, "MAIL FROM:<%s>%s%s%s", letter->sender->text, size,
        letter->eight_bit && dialogue->offers.eight_bit ? " BODY=8BITMIME" : "",
        letter->utf8 && dialogue->offers.utf8 ? " SMTPUTF8" : "");
}

/* What is refused is refused for all. */
static bool hear_mail(struct dialogue *dialogue)
{
    struct verdict verdict;

    if (!hear(dialogue, "MAIL", NULL) || !judge(dialogue, "MAIL", &verdict))
        return false;
    if (!verdict_accepts(&verdict))
        dialogue->trouble = verdict;
    return verdict_accepts(&verdict);
}

static bool can_say(const struct dialogue *dialogue, const struct address *address)
{
    return dialogue->offers.utf8 || slice_is_ascii(address_slice(address));
}

/* Says RCPT for as many as go out together; returns the one that is next. */
static size_t say_recipients(struct dialogue *dialogue, struct letter_recipient *recipients, size_t i, size_t count)
{
    size_t first = i;

    while (i < count && (i == first || (dialogue->offers.pipelining && dialogue->exchange.out_len < BATCH))) {
        struct letter_recipient *r = &recipients[i++];

        if (!can_say(dialogue, r->address))
            r->verdict = not_ascii;
        else
            say(dialogue, "RCPT TO:<%s>", r->address->text);
    }
    return i;
}

/* The answers to those RCPT. False: there is one missing. */
static bool hear_recipients(struct dialogue *dialogue, struct letter_recipient *recipients, size_t i, size_t end)
{
    for (; i < end; i++) {
        if (recipients[i].verdict.code != 0)
            continue; /* it was not said */
        if (!hear(dialogue, "RCPT", NULL))
            return false;
        (void)judge(dialogue, "RCPT", &recipients[i].verdict);
    }
    return true;
}

bool dialogue_envelope(struct dialogue *dialogue, const struct letter *letter, bool mail,
                       struct letter_recipient *recipients, size_t count)
{
    bool together = mail && dialogue->offers.pipelining;

    for (size_t i = 0; i < count; i++)
        recipients[i].verdict = (struct verdict){ .code = 0 };
    if (!can_say(dialogue, letter->sender)) {
        dialogue->trouble = not_ascii;
        return settle(dialogue, recipients, 0, count);
    }
    if (mail)
        say_mail(dialogue, letter);
    if (mail && !together && !hear_mail(dialogue))
        return settle(dialogue, recipients, 0, count);
    for (size_t i = 0, end; i < count; i = end) {
        end = say_recipients(dialogue, recipients, i, count);
        if ((together && i == 0 && !hear_mail(dialogue)) || !hear_recipients(dialogue, recipients, i, end))
            return settle(dialogue, recipients, 0, count);
    }
    return true;
}

/* ---- the message --------------------------------------------------------------------------- */

static char buffer[PIECE] COLD_BSS; /* for the next piece of a message */

bool letter_look(struct letter *letter)
{
    struct slice piece;
    uint64_t offset = 0;

    letter->content = (struct content){ .size = 0 };
    for (; (piece = letter->piece(letter->context, offset, buffer, sizeof buffer)).len > 0; offset += piece.len)
        content_look(&letter->content, piece);
    return piece.text != NULL;
}

/* False: it cannot be read to its end, and its end must not be said. */
static bool say_content(struct dialogue *dialogue, const struct letter *letter, bool dots)
{
    struct content_writer writer = { .dots = dots };
    struct slice piece;
    uint64_t offset = 0;
    size_t size;

    while ((piece = letter->piece(letter->context, offset, buffer, sizeof buffer)).len > 0) {
        offset += piece.len;
        while (piece.len > 0 && !dialogue->exchange.mute) {
            char *room = exchange_room(&dialogue->exchange, CONTENT_LEAST, &size);

            exchange_said(&dialogue->exchange, content_write(&writer, &piece, room, size));
        }
    }
    if (piece.text == NULL)
        return false;
    if (dots)
        exchange_say(&dialogue->exchange, slice_of(writer.in_line ? "\r\n.\r\n" : ".\r\n"));
    return true;
}

/* Who says more than he was asked for would be taken to answer the message. */
static bool can_be_said(struct dialogue *dialogue, const char *what)
{
    char why[EXCHANGE_WHY];

    return exchange_is_quiet(&dialogue->exchange) ||
           fail(dialogue, "%s cannot be said: the next server %s", what, exchange_why(&dialogue->exchange, why));
}

static bool say_data(struct dialogue *dialogue)
{
    say(dialogue, "DATA");
    if (!hear(dialogue, "DATA", NULL))
        return false;
    if (dialogue->exchange.response.code != 354) {
        if (dialogue->exchange.response.code < 400 || !judge(dialogue, "DATA", &dialogue->trouble))
            (void)object(dialogue, "DATA");
        return false;
    }
    dialogue->exchange.mute = !can_be_said(dialogue, "the message"); /* nor is any command */
    return !dialogue->exchange.mute;
}

/* Up to the end of the message, which is still to leave. */
static bool say_message(struct dialogue *dialogue, const struct letter *letter)
{
    bool chunk = dialogue->offers.chunking;

    if (!chunk && (letter->content.nul || letter->content.lone_cr)) {
        dialogue->trouble = not_text;
        return false;
    }
    if (!can_be_said(dialogue, chunk ? "BDAT" : "DATA"))
        return false;
    if (chunk)
        say(dialogue, "BDAT %ju LAST", (uintmax_t)letter->content.size);
    else if (!say_data(dialogue))
        return false;
    if (say_content(dialogue, letter, !chunk))
        return true;
    dialogue->exchange.mute = true; /* what has been said is no message */
    return fail(dialogue, "the message cannot be read: %s", strerror(errno));
}

static bool any_accepted(const struct letter_recipient *recipients, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (verdict_accepts(&recipients[i].verdict))
            return true;
    return false;
}

/* A no may come at any time; a yes is one only to a message that has left as a whole. */
static bool can_answer(struct dialogue *dialogue, bool whole)
{
    const unsigned code = dialogue->exchange.response.code;

    return whole || code >= 400 || fail(dialogue, "the next server answers the message with %u before it has all of it", code);
}

bool dialogue_message(struct dialogue *dialogue, const struct letter *letter, struct letter_recipient *recipients,
                      size_t count)
{
    const struct verdict *last = NULL;
    bool whole;

    if (!any_accepted(recipients, count))
        return true;
    if (!say_message(dialogue, letter))
        return settle(dialogue, recipients, 0, count);
    dialogue->exchange.grace_ms = PROCESS_GRACE_MS; /* who has it may say so: else it comes twice */
    whole = exchange_conclude(&dialogue->exchange);
    for (size_t i = 0; i < count; i++) {
        if (!verdict_accepts(&recipients[i].verdict))
            continue;
        if (last != NULL && !dialogue->lmtp) {
            recipients[i].verdict = *last;
            continue;
        }
        if (!hear(dialogue, "the message", NULL) || !can_answer(dialogue, whole))
            return settle(dialogue, recipients, i, count);
        (void)judge(dialogue, "the message", &recipients[i].verdict);
        last = &recipients[i].verdict;
    }
    return true;
}

void dialogue_quit(struct dialogue *dialogue)
{
    if (dialogue->exchange.end != EXCHANGE_GOES_ON || dialogue->exchange.mute)
        return;
    dialogue->exchange.deadline = clock_earlier(dialogue->exchange.deadline, clock_ms() + GOODBYE_MS);
    say(dialogue, "QUIT");
    (void)hear(dialogue, "QUIT", NULL); /* all is decided */
}
