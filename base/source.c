/* source.c - the files that a configuration was read from: where a line of the whole stands */
#include "base/source.h"

static const struct source *find(const struct source *sources, unsigned line)
{
    while (sources->next != NULL && sources->next->first <= line)
        sources = sources->next;
    return sources;
}

const char *source_path(const struct source *sources, unsigned line)
{
    return find(sources, line)->path;
}

unsigned source_line(const struct source *sources, unsigned line)
{
    const struct source *s = find(sources, line);

    return line - s->first + s->local;
}

bool source_next(struct slice *text, struct slice *line)
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

struct place source_place(const struct source *sources, unsigned line, unsigned column)
{
    const struct source *s = find(sources, line);
    struct place place = { .path = s->path, .line = line - s->first + s->local, .column = column, .text = { "", 0 } };
    struct slice rest = s->text;

    for (unsigned number = s->first; number <= line; number++)
        if (!source_next(&rest, &place.text))
            place.text.len = 0;
    while (rest.len > 0 && place.column > (size_t)(rest.text - place.text.text)) { /* in what the line goes on with */
        place.column -= (unsigned)(rest.text - place.text.text);
        place.line++;
        (void)source_next(&rest, &place.text);
    }
    return place;
}
