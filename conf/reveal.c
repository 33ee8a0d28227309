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

void conf_reveal(struct conf *conf)
{
    static char bytes[(KEYWORDS_MOST + 1) * 2 * CONF_TEXT] BEHIND; /* for all texts and enhanced codes: most is never touched */
    struct text text = { bytes, sizeof bytes, 0 };

    move_out(conf, &text, &conf->rules.domain);
    move_out(conf, &text, &conf->session.greeting);
    for (size_t i = 0; i < keywords_count(); i++)
        if (is_limit(keywords_row(i))) {
            struct limit *limit = keywords_value(conf, i);

            move_out(conf, &text, &limit->reply.text);
            move_out(conf, &text, &limit->reply.status);
        }
}
