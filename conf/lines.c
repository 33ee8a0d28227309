/* lines.c - all lines of the configuration: those of its files in their order, and those that go on in the next one */
#include "conf/parser.h"

/*
 * A line that ends in a backslash goes on in the next one. What is parsed is a copy of all of it with blanks for the
 * backslash and the carriage return behind it, and the line feed, which counts as a blank: so a column of the copy
 * is one of the file, counted from where the line begins. A text that goes over such an end is unfolded, which puts one
 * blank for all of them.
 */

struct lines lines_of(const struct conf *conf)
{
    return (struct lines){ .source = conf->sources, .rest = conf->sources->text, .next = 1, .folded = conf->folded };
}

/* The next stretch of lines, with the number of its first one. */
static bool next_source(struct lines *lines)
{
    struct source *next = lines->source->next;

    if (next == NULL)
        return false;
    next->first = lines->next;
    lines->source = next;
    lines->rest = next->text;
    return true;
}

/* Does it end in a backslash that no other takes its meaning from? */
static bool ends_in_backslash(struct slice line)
{
    size_t backslashes = 0;

    while (backslashes < line.len && line.text[line.len - 1 - backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 1;
}

/* Does the line go on? Comments do not. */
static bool goes_on(struct slice line)
{
    struct parser p = { .line = line };
    struct word word;

    if (!ends_in_backslash(line))
        return false;
    while (word_take(&p, &word)) {}
    return p.at == line.len;
}

/* Can the next line be what the one above goes on with? Something must be there, and not begin as a directive does. */
static bool is_rest(struct slice text)
{
    struct parser p = { .line = { "", 0 } };
    struct word word;

    return source_next(&text, &p.line) && word_take(&p, &word) &&
           (word.column > 1 || keywords_find(word.text) == keywords_count());
}

/* Adds to a line what it goes on with. */
static void take_rest(struct lines *lines, struct slice *line)
{
    struct slice part = *line;

    while (goes_on(part)) {
        lines->open = !is_rest(lines->rest);
        if (lines->open)
            return;
        (void)source_next(&lines->rest, &part); /* it is there */
        line->len = (size_t)(part.text + part.len - line->text);
        lines->next++;
        lines->goes_on = true;
    }
}

bool lines_next(struct lines *lines, struct slice *line)
{
    while (!source_next(&lines->rest, line))
        if (!next_source(lines))
            return false;
    lines->number = lines->next++;
    lines->goes_on = lines->open = false;
    if (line->len > 0 && line->text[line->len - 1] == '\\')
        take_rest(lines, line);
    if (!lines->goes_on || lines->folded == NULL)
        return true;
    *line = lines->folded->text; /* they come in the same order */
    lines->folded = lines->folded->next;
    return true;
}

struct slice lines_fold(struct conf *conf, struct slice line)
{
    struct folded *folded = memory_take(conf, sizeof *folded);
    char *copy = memory_take(conf, line.len);

    memcpy(copy, line.text, line.len);
    for (size_t i = 0; i < line.len; i++)
        if (copy[i] == '\n') {
            size_t end = i;

            while (copy[end - 1] == '\r')
                copy[--end] = ' ';
            copy[end - 1] = ' ';
        }
    folded->text = (struct slice){ copy, line.len };
    *(conf->folded == NULL ? &conf->folded : &conf->last_folded->next) = folded;
    conf->last_folded = folded;
    return folded->text;
}

struct slice lines_unfold(struct conf *conf, struct slice text)
{
    const char *lf = text.len > 0 ? memchr(text.text, '\n', text.len) : NULL;
    char *copy;
    size_t used = 0;

    if (lf == NULL)
        return text;
    copy = memory_take(conf, text.len);
    for (size_t i = 0; i < text.len; i++) {
        if (text.text[i] != '\n') {
            copy[used++] = text.text[i];
            continue;
        }
        while (used > 0 && is_blank(copy[used - 1]))
            used--;
        copy[used++] = ' ';
        while (i + 1 < text.len && is_blank(text.text[i + 1]))
            i++;
    }
    return (struct slice){ copy, used };
}

size_t lines_folded_at(struct slice text, size_t at)
{
    size_t end = at;

    while (end < text.len && is_blank(text.text[end]))
        end++;
    return end > at && memchr(text.text + at, '\n', end - at) != NULL ? end - at : 0;
}

/* ---- what is wrong with lines that go on -------------------------------------------------- */

/* The first word of what a line goes on with, from `at` on; false if there is none. */
static bool first_word(const struct parser *p, size_t at, struct word *word)
{
    const char *lf = memchr(p->line.text + at, '\n', p->line.len - at);
    struct parser part = { .line = { p->line.text, lf != NULL ? (size_t)(lf - p->line.text) : p->line.len }, .at = at };

    return word_take(&part, word);
}

void lines_fail_open(struct parser *p)
{
    fail(p, (unsigned)p->line.len,
         "a backslash at the end of the line, expected another line, with which this one goes on");
    conf_advise(p->conf, "begin that with a blank, or take the backslash out");
    p->misread = true;
}

void lines_check_text(struct parser *p, struct slice text)
{
    size_t begin = (size_t)(text.text - p->line.text), end = begin + text.len;
    struct word word;

    for (size_t i = begin; i < end; i++)
        if (p->line.text[i] == '\n' && first_word(p, i + 1, &word) && keywords_find(word.text) < keywords_count())
            conf_complain(p->conf, SEVERITY_WARNING, p->number, word.column,
                          "this is part of the text above, which ends in a backslash, and no directive '%.*s'",
                          (int)word.text.len, word.text.text);
    if (memchr(p->line.text + p->at, '\n', p->line.len - p->at) != NULL)
        fail(p, parser_column(p), "a comment within a line that goes on, expected one behind all of it");
    else if (ends_in_backslash(text))
        conf_complain(p->conf, SEVERITY_WARNING, p->number, (unsigned)end,
                      "the line does not go on in the next one: there is something behind the backslash");
}

/* A comment that ends in a backslash does not go on; does the line below look as if it did? */
void lines_doubt_comment(struct parser *p)
{
    struct slice rest = p->lines->rest, line;
    struct parser next = { .line = { "", 0 } };
    struct word word;

    if (!ends_in_backslash(p->line) || !source_next(&rest, &line))
        return;
    next.line = line;
    if (!word_take(&next, &word) || (word.column == 1 && keywords_find(word.text) < keywords_count()))
        return;
    conf_complain(p->conf, SEVERITY_WARNING, p->number, (unsigned)p->line.len,
                  "a comment does not go on in the next line, which is no part of it");
}
