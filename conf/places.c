/* places.c - where something stands: columns, the place of a value, the line of a directive */
#include "conf/parser.h"

/* The line with this number, and what it goes on with; empty if there is none. */
static struct slice line_of(const struct conf *conf, unsigned number)
{
    struct lines lines = lines_of(conf);
    struct slice line;

    while (lines_next(&lines, &line) && lines.number <= number)
        if (lines.number == number)
            return line;
    return (struct slice){ "", 0 };
}

/* The column of the first word. */
static unsigned first_column(struct slice line)
{
    unsigned column = 1;

    while (column < line.len && is_blank(line.text[column - 1]))
        column++;
    return column;
}

/* Was the text read from this line, and not copied? */
static bool is_within(struct slice line, struct slice text)
{
    uintptr_t begin = (uintptr_t)line.text, at = (uintptr_t)text.text;

    return at >= begin && at < begin + line.len;
}

static unsigned column_in(struct slice line, struct slice text)
{
    return is_within(line, text) ? (unsigned)(text.text - line.text) + 1 : first_column(line);
}

unsigned conf_column_of(const struct conf *conf, unsigned number, struct slice text)
{
    return column_in(line_of(conf, number), text);
}

struct conf_place conf_place_of(const struct conf *conf, const char *keyword, struct slice value)
{
    struct lines lines = lines_of(conf);
    struct conf_place place = { 0, 0 };
    struct parser p = { .line = { "", 0 } };
    struct word word;

    while (lines_next(&lines, &p.line)) {
        p.at = 0;
        if (!word_next(&p, &word) || !word_is(word, keyword))
            continue;
        place = (struct conf_place){ lines.number, column_in(p.line, value) };
        if (is_within(p.line, value))
            break;
    }
    return place;
}

unsigned conf_line_of(const struct conf *conf, const char *keyword)
{
    struct lines lines = lines_of(conf);
    struct parser p = { .line = { "", 0 } };
    unsigned found = 0;
    struct word word;

    while (lines_next(&lines, &p.line)) {
        p.at = 0;
        if (word_next(&p, &word) && word_is(word, keyword))
            found = lines.number;
    }
    return found;
}

unsigned conf_column(const struct conf *conf, unsigned number, unsigned column, size_t offset)
{
    struct slice line = line_of(conf, number);
    size_t at = column - 1;
    bool quoted = at < line.len && word_end_of_quoted(line, at) > 0;

    for (at += quoted; offset > 0 && at < line.len; offset--)
        at += lines_folded_at(line, at) > 0 ? lines_folded_at(line, at) : line.text[at] == '\\' && at + 1 < line.len &&
                      (line.text[at + 1] == '#' || (quoted && strchr("\"\\", line.text[at + 1]) != NULL))
                  ? 2 : 1;
    return (unsigned)at + 1;
}
