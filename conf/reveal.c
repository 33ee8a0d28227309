/* reveal.c - what a session may know of the configuration: the texts that clients hear */
#include "conf/parser.h"

#include "base/cold.h"
#include "base/text.h"

/* Is the value a limit, whose reply clients hear? */
static bool is_limit(const struct keyword *k)
{
    return k->kind == KEYWORD_LIMIT || k->kind == KEYWORD_CHECK;
}

/* Moves a text that is in memory of the configuration; the others are constants. */
static void move_out(const struct conf *conf, struct text *text, struct slice *slice)
{
    const char *copy = text->bytes + text->len;

    if (!memory_holds(conf, slice->text))
        return;
    text_put(text, *slice);
    slice->text = copy;
}

/* What is revealed, and where to. */
struct revealed {
    const struct conf *conf;
    struct text text;
};

static void reveal_limit(const struct keyword *k, void *value, void *context)
{
    struct revealed *r = context;
    struct limit *limit = value;

    if (!is_limit(k))
        return;
    move_out(r->conf, &r->text, &limit->reply.text);
    move_out(r->conf, &r->text, &limit->reply.status);
}

void conf_reveal(struct conf *conf)
{
    static char bytes[(KEYWORDS_MOST + 1) * 2 * CONF_TEXT] BEHIND; /* for all texts and enhanced codes: most is never touched */
    struct revealed revealed = { conf, { bytes, sizeof bytes, 0 } };

    move_out(conf, &revealed.text, &conf->rules.domain);
    move_out(conf, &revealed.text, &conf->session.greeting);
    keywords_each(conf, reveal_limit, &revealed);
}
