/* places.c - where in the file something stands: lines, columns, the place of a value */
#include "conf/parser.h"

bool line_next(struct slice *text, struct slice *line)
{
    const char *lf;

    if (text->len == 0)
        return false;
    lf = memchr(text->text, '\n', text->len);
    line->text = text->text;
    line->len = lf != NULL ? (size_t)(lf - text->text) : text->len;
    text->text += line->len + (lf != NULL);
    text->len -= line->len + (lf != NULL);
    while (line->len > 0 && line->text[line->len - 1] == '\r')
        line->len--;
    return true;
}

struct slice conf_line(const struct conf *conf, unsigned number)
{
    struct slice text = conf->text, line = { "", 0 };

    for (; number > 0; number--)
        if (!line_next(&text, &line))
            return (struct slice){ "", 0 };
    return line;
}

/* The column of the first word. */
static unsigned first_column(struct slice line)
{
    unsigned column = 1;

    while (column < line.len && is_blank(line.text[column - 1]))
        column++;
    return column;
}

unsigned conf_column_of(const struct conf *conf, unsigned number, struct slice text)
{
    struct slice line = conf_line(conf, number);
    uintptr_t begin = (uintptr_t)line.text, at = (uintptr_t)text.text;

    return at >= begin && at < begin + line.len ? (unsigned)(at - begin) + 1 : first_column(line);
}

struct conf_place conf_place_of(const struct conf *conf, const char *keyword, struct slice value)
{
    struct conf_place place = { .line = conf_line_of(conf, keyword) };

    if (place.line > 0)
        place.column = conf_column_of(conf, place.line, value);
    return place;
}

unsigned conf_line_of(const struct conf *conf, const char *keyword)
{
    struct slice text = conf->text;
    struct parser p = { .line = { "", 0 } };
    unsigned number = 0, found = 0;
    struct word word;

    while (line_next(&text, &p.line)) {
        number++;
        p.at = 0;
        if (word_next(&p, &word) && word_is(word, keyword))
            found = number;
    }
    return found;
}

unsigned conf_column(const struct conf *conf, unsigned number, unsigned column, size_t offset)
{
    struct slice line = conf_line(conf, number);
    size_t at = column - 1;
    bool quoted = at < line.len && word_end_of_quoted(line, at) > 0;

    for (at += quoted; offset > 0 && at < line.len; offset--)
        at += line.text[at] == '\\' && at + 1 < line.len &&
                      (line.text[at + 1] == '#' || (quoted && strchr("\"\\", line.text[at + 1]) != NULL))
                  ? 2 : 1;
    return (unsigned)at + 1;
}
