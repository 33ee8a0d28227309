/* query.c - where in a query of SQL the key goes, and how the database wants that written; pure */
#include "programs/lookup/query.h"

/* Goes over a query: what stands between quotes is no place for the key. Two quotes within a text end it, and begin another. */
struct walk {
    struct slice rest;
    char quote; /* between these; 0: between none */
    bool backslashes;
};

/* Takes the next bytes that belong together; says whether they are this mark, outside quotes. */
static bool next(struct walk *walk, struct slice mark, struct slice *taken)
{
    const char c = walk->rest.text[0];
    bool is_mark = walk->quote == '\0' && walk->rest.len >= mark.len && memcmp(walk->rest.text, mark.text, mark.len) == 0;
    size_t len = is_mark ? mark.len : 1;

    if (is_mark && walk->rest.len > len && walk->rest.text[len] >= '0' && walk->rest.text[len] <= '9')
        is_mark = false; /* $10 and ?1 are something else */
    if (c == walk->quote)
        walk->quote = '\0';
    else if (walk->quote == '\0' && (c == '\'' || c == '"' || c == '`'))
        walk->quote = c;
    else if (walk->quote != '\0' && walk->backslashes && c == '\\' && walk->rest.len > 1)
        len = 2;
    *taken = (struct slice){ walk->rest.text, len };
    walk->rest = (struct slice){ walk->rest.text + len, walk->rest.len - len };
    return is_mark;
}

/* Puts the query with `word` in place of each mark, and returns how many those are. */
static size_t replace(struct slice query, struct slice mark, struct slice word, bool backslashes, struct text *out)
{
    struct walk walk = { query, '\0', backslashes };
    struct slice taken;
    size_t count = 0;

    out->len = 0;
    while (walk.rest.len > 0) {
        bool is_mark = next(&walk, mark, &taken);

        count += is_mark;
        text_put(out, is_mark ? word : taken);
    }
    return count;
}

size_t query_write(struct slice query, enum query_style style, bool backslashes, char out[QUERY_MAX])
{
    static const struct slice marks[] = { [QUERY_QUESTION_MARKS] = SLICE("?"), [QUERY_NUMBERED] = SLICE("$1") };
    struct text text = { out, QUERY_MAX, 0 };
    size_t count = replace(query, marks[QUERY_NUMBERED], marks[style], backslashes, &text);

    if (count == 0)
        count = replace(query, marks[QUERY_QUESTION_MARKS], marks[style], backslashes, &text);
    if (text.len == QUERY_MAX || count > QUERY_KEYS)
        return 0;
    out[text.len] = '\0';
    return count;
}
