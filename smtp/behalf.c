/* behalf.c - XCLIENT and XFORWARD: a peer says for which client it speaks */
/*
 * As Postfix documents them (XCLIENT_README, XFORWARD_README), and answers them. Some peers, as the mail proxy of nginx, say
 * XCLIENT whether it is offered or not.
 */
#include "smtp/session.h"

static const struct reply forbidden = { .code = 550, .status = SLICE("7.0"), .counts = COUNTS_IDLE,
                                        .text = SLICE("Your host may not speak for others") };
static const struct reply bad_value = REPLY(501, "5.4", "An attribute has no value, a bad one, or stands twice");
static const struct reply unknown = REPLY(501, "5.4", "Attribute is not known");
static const struct reply noted = REPLY(250, "0.0", "Ok");

struct reply smtp_mistold(struct session *s, struct reply refusal)
{
    if (s->speaks == 0)
        return refusal;
    monitor_mistold(s->monitor);
    refusal.counts = COUNTS_IDLE;
    return refusal;
}

/* Code 0, or what is wrong with the command; it is not looked at from others. */
static struct reply look_at(struct session *s, enum told_command command, struct slice argument, struct told *told)
{
    static const struct reply right = { .code = 0 };

    if ((s->speaks & 1U << command) == 0)
        return forbidden;
    switch (told_parse(argument, command, told)) {
    case TOLD_BAD:
        return smtp_mistold(s, bad_value);
    case TOLD_UNKNOWN:
        return smtp_mistold(s, unknown);
    case TOLD_OK:
        break;
    }
    return right;
}

/* The session begins again, with the greeting. */
struct reply cmd_xclient(struct session *s, struct slice argument)
{
    struct told told = { .given = 0 };
    struct reply reply = look_at(s, TOLD_XCLIENT, argument, &told);

    if (reply.code != 0)
        return reply;
    reply = monitor_xclient(s->monitor, argument, &s->speaks);
    s->greeted = told_has(&told, TOLD_HELO);
    s->authenticated = told_has(&told, TOLD_LOGIN);
    counts_forget_guesses(&s->counts);
    smtp_end_transaction(s);
    return smtp_open(s, reply);
}

struct reply cmd_xforward(struct session *s, struct slice argument)
{
    struct told told = { .given = 0 };
    struct reply reply = look_at(s, TOLD_XFORWARD, argument, &told);

    if (reply.code != 0)
        return reply;
    monitor_xforward(s->monitor, argument);
    if (!s->forwarded)
        counts_forget_guesses(&s->counts);
    s->forwarded = true;
    return noted;
}
