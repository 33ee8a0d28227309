/* loggable.c - what of a client's line the log may show */
#include "smtp/session.h"

#include "base/text.h"
#include "session/secrets.h"

/* Has the command a syntax of its own, which no password has? */
static bool is_structured(const struct command *c)
{
    return c->kind == KIND_MAIL || c->kind == KIND_RCPT || c->kind == KIND_HELO || c->kind == KIND_LHLO ||
           c->kind == KIND_SPEAKER || c->kind == KIND_BDAT;
}

/*
 * Passwords come behind AUTH, and without it from clients that are confused: before it, in the lines behind it, and
 * as arguments of what only happens to be a command.
 */
static bool may_hold_secret(const struct session *s, const struct command *c, struct slice line, struct slice argument)
{
    if (c == NULL)
        return s->secrets || secrets_in_line(line);
    return c->kind == KIND_AUTH || (argument.len > 0 && !is_structured(c) && (s->secrets || secrets_in_argument(argument)));
}

/* Of a line with a secret: AUTH and a mechanism, if it is one. */
static struct slice without_secret(const struct command *c, struct slice line, struct slice argument)
{
    size_t len = 0;

    if (c == NULL || c->kind != KIND_AUTH)
        return (struct slice)SLICE("(hidden)");
    while (len < argument.len && !smtp_is_blank(argument.text[len]))
        len++;
    if (argument.len > 0 && !sasl_is_mechanism((struct slice){ argument.text, len }))
        return (struct slice)SLICE("AUTH (hidden)");
    return (struct slice){ line.text, (size_t)(argument.text - line.text) + len };
}

/* The line of a BDAT, behind which what was read is overwritten. */
static struct slice keep(struct session *s, struct slice line)
{
    struct text text = { s->line, sizeof s->line, 0 };

    text_put(&text, line);
    return text_slice(&text);
}

struct slice smtp_loggable(struct session *s, const struct command *c, struct slice line, struct slice argument)
{
    s->secrets = may_hold_secret(s, c, line, argument);
    if (s->secrets)
        return without_secret(c, line, argument);
    return c != NULL && c->kind == KIND_BDAT ? keep(s, line) : line;
}
