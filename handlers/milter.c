/* milter.c - milters: asked in the order of their lines, at each stage, from MAIL on */
#include "handlers/milter.h"

#include "rules/condition.h"
#include "rules.h"

static const struct reply no_objection = { .code = 0 };

/* ---- what the commands say --------------------------------------------------------------------- */

/* Who has no address is on this host. */
static void put_client(const struct milter_facts *facts, struct text *out)
{
    const struct client *client = facts->client;
    const bool local = client->family == AF_UNSPEC, named = client->state == CLIENT_NAME_CONFIRMED;

    if (local || named) {
        milter_put_string(out, slice_of(local ? "localhost" : client->name));
    } else {
        text_put(out, (struct slice)SLICE("["));
        text_put(out, slice_of(client->address));
        milter_put_string(out, (struct slice)SLICE("]"));
    }
    text_put(out, client->family == AF_INET6 ? (struct slice)SLICE("6") : (struct slice)SLICE("4"));
    text_put(out, (struct slice){ (const char[]){ (char)(client->port >> 8), (char)client->port }, 2 });
    milter_put_string(out, slice_of(local ? "127.0.0.1" : client->address));
}

static void put_helo(const struct milter_facts *facts, struct text *out)
{
    milter_put_string(out, slice_of(facts->helo));
}

static void put_address(const struct address *address, struct text *out)
{
    text_put(out, (struct slice)SLICE("<"));
    text_put(out, address_slice(address));
    milter_put_string(out, (struct slice)SLICE(">"));
}

/* The address, and each parameter of the command. */
static void put_sender(const struct milter_facts *facts, struct text *out)
{
    struct slice rest = facts->parameters;

    put_address(facts->sender, out);
    while (rest.len > 0) {
        const char *blank = memchr(rest.text, ' ', rest.len);
        const size_t len = blank != NULL ? (size_t)(blank - rest.text) : rest.len;

        if (len > 0)
            milter_put_string(out, (struct slice){ rest.text, len });
        rest = (struct slice){ rest.text + len + (blank != NULL), rest.len - len - (blank != NULL) };
    }
}

static void put_recipient(const struct milter_facts *facts, struct text *out)
{
    put_address(&facts->recipient->address, out);
}

static void put_verb(const struct milter_facts *facts, struct text *out)
{
    char *begin = out->bytes + out->len;

    milter_put_string(out, facts->verb);
    for (size_t i = 0; i < facts->verb.len; i++)
        if (begin[i] == '\0')
            begin[i] = '?';
}

static void put_nothing(const struct milter_facts *facts, struct text *out)
{
    (void)facts;
    (void)out;
}

static void (*const put_data[])(const struct milter_facts *facts, struct text *out) = {
    [MILTER_CONNECT] = put_client, [MILTER_HELO] = put_helo, [MILTER_MAIL] = put_sender, [MILTER_RCPT] = put_recipient,
    [MILTER_DATA_COMMAND] = put_nothing, [MILTER_UNKNOWN] = put_verb
};

/* Macros of commands that it does not want are for later: it may ask for them then. */
static struct reply say(const struct milter_turn *turn)
{
    const struct milter_context *context = turn->context;
    char reason[MILTER_REASON];
    enum milter_hearing hearing;

    if (milter_talk_wants(turn->milter, turn->command)) {
        put_data[turn->command](context->facts, milter_talk_put(context, turn->milter, turn->command));
        milter_talk_seal();
        return milter_exchange(turn, false);
    }
    milter_talk_put_macros(context, turn->milter, turn->command);
    hearing = milter_talk_send(context, turn->milter, reason);
    return hearing == MILTER_HEARD ? no_objection : milter_fail(turn, hearing, reason);
}

/* ---- one milter --------------------------------------------------------------------------------- */

static bool is_over(const struct milter_connection *c)
{
    return c->off || c->refuses || c->failed;
}

static struct reply greet(struct milter_turn turn)
{
    struct milter_connection *c = &turn.milter->connection;
    char reason[MILTER_REASON];
    enum milter_hearing hearing;

    turn.command = MILTER_CONNECT;
    milter_show(&turn, " is asked");
    hearing = milter_talk_begin(turn.context, turn.milter, reason);
    if (hearing != MILTER_HEARD)
        return milter_fail(&turn, hearing, reason);
    c->helo = turn.context->facts->helo_number - 1;
    return say(&turn);
}

static struct reply tell_helo(struct milter_turn turn)
{
    struct milter_connection *c = &turn.milter->connection;

    turn.command = MILTER_HELO;
    c->helo = turn.context->facts->helo_number;
    return turn.context->facts->helo[0] != '\0' ? say(&turn) : no_objection;
}

/* All up to MAIL that it has not been told on this connection. */
static struct reply say_mail(const struct milter_turn *turn)
{
    struct milter_connection *c = &turn->milter->connection;
    struct reply reply = c->open ? no_objection : greet(*turn);

    if (reply.code == 0 && !is_over(c) && c->helo != turn->context->facts->helo_number)
        reply = tell_helo(*turn);
    if (reply.code != 0 || is_over(c) || !c->open)
        return reply;
    c->begun = c->asked = true;
    return say(turn);
}

/*
 * A connection of the last message may be closed by now, or may be so while this one begins: then there is a new one.
 */
static struct reply begin_message(const struct milter_turn *turn)
{
    struct milter_connection *c = &turn->milter->connection;
    struct reply reply;

    if (c->open && !milter_service_is_quiet(turn->milter))
        milter_service_close(turn->milter, false);
    c->reused = c->open;
    reply = say_mail(turn);
    if (!c->reused || c->open || is_over(c)) {
        c->reused = false;
        return reply;
    }
    c->reused = false;
    return say_mail(turn);
}

/* What it has said of the last message is forgotten; of the client, not. */
static void forget_message(struct milter_connection *c)
{
    c->begun = c->asked = c->failed = c->stopped = c->keeps_back = false;
    c->refuses = c->refuses_client;
    c->skipped = 0;
}

/* A HELO that was refused, and one that has come since, are two. */
static void forgive_helo(const struct milter_turn *turn)
{
    struct milter_connection *c = &turn->milter->connection;

    if (c->refuses_client && c->helo != turn->context->facts->helo_number && c->refused_helo)
        c->refuses_client = c->refused_helo = false;
}

static struct reply begin(const struct milter_turn *turn)
{
    struct milter_connection *c = &turn->milter->connection;

    forgive_helo(turn);
    forget_message(c);
    if (c->refuses)
        return milter_refuse_again(turn);
    if (c->off)
        return no_objection;
    if (c->late) {
        c->failed = true;
        c->keeps_back = turn->context->settings->milter_failure == MILTER_FAILS_ASIDE;
        return milter_failed(turn);
    }
    return begin_message(turn);
}

/* Behind what is no command libmilter takes no header, unless DATA comes between them. */
static bool fits(const struct milter_turn *turn)
{
    return turn->command != MILTER_UNKNOWN || milter_talk_wants(turn->milter, MILTER_DATA_COMMAND);
}

/* RCPT, DATA, or what is no command. */
static struct reply go_on(const struct milter_turn *turn)
{
    return turn->milter->connection.asked && fits(turn) ? say(turn) : no_objection;
}

/*
 * What one of them has said of the message, or what its failure comes to, stands. No other need hear more of it, and
 * those that were told of DATA would never answer what comes behind that.
 */
static struct reply find_refusal(const struct milter_context *context, enum milter_command command)
{
    struct reply reply = no_objection;

    for (struct milter *m = context->settings->first_milter; m != NULL && reply.code == 0; m = m->next) {
        const struct milter_turn turn = { context, m, command };

        if (m->connection.failed)
            reply = milter_failed(&turn);
        else if (m->connection.refuses)
            reply = milter_refuse_again(&turn);
    }
    return reply;
}

/* Is this a client of the line? */
static enum match is_for(const struct milter_turn *turn)
{
    return condition_all(turn->context->rules, &turn->milter->clients, turn->context->asking, NULL);
}

static struct reply ask(const struct milter_turn *turn)
{
    if (turn->context->settings->unasked) {
        milter_show(turn, " is not asked");
        return no_objection;
    }
    if (turn->command != MILTER_MAIL)
        return go_on(turn);
    switch (is_for(turn)) {
    case MATCH_YES:
        return begin(turn);
    case MATCH_UNSURE:
        return rules_unsure;
    default:
        forget_message(&turn->milter->connection);
        turn->milter->connection.refuses = false;
        return no_objection;
    }
}

struct reply milter_ask(const struct milter_context *context, enum milter_command command)
{
    struct reply reply = no_objection;

    if (command == MILTER_MAIL)
        milter_verdict_forget();
    else
        reply = find_refusal(context, command);
    for (struct milter *m = context->settings->first_milter; m != NULL && reply.code == 0 &&
         milter_discards() == NULL; m = m->next)
        reply = ask(&(struct milter_turn){ context, m, command });
    return reply;
}

void milter_abort(const struct handler_settings *settings)
{
    for (struct milter *m = settings->first_milter; m != NULL; m = m->next) {
        if (m->connection.open && m->connection.begun)
            milter_talk_tell(m, MILTER_ABORT);
        forget_message(&m->connection);
    }
    milter_verdict_forget();
}

void milter_end(const struct handler_settings *settings)
{
    milter_abort(settings);
    for (struct milter *m = settings->first_milter; m != NULL; m = m->next) {
        milter_service_close(m, true);
        m->connection.off = m->connection.late = m->connection.refuses = m->connection.refuses_client = false;
    }
}
