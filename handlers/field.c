/* field.c - a header field that somebody else wants to have added: whether it is one, and folding it; pure */
#include "handlers/field.h"

enum { LINE_WANTED = 78, LINE_MOST = 998 }; /* bytes without the end */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The length of its name with the colon, 0: it is no field. */
static size_t name_length(struct slice field)
{
    size_t len = 0;

    while (len < field.len && field.text[len] > ' ' && field.text[len] <= '~' && field.text[len] != ':')
        len++;
    return len > 0 && len < field.len && field.text[len] == ':' ? len + 1 : 0;
}

static bool has_controls(struct slice field)
{
    for (size_t i = 0; i < field.len; i++)
        if (((unsigned char)field.text[i] < ' ' && field.text[i] != '\t') || field.text[i] == 0x7f)
            return true;
    return false;
}

/* The length of the next word with the blanks before it; blanks at the end are none. */
static size_t word_length(struct slice rest)
{
    size_t blanks = 0, len;

    while (blanks < rest.len && is_blank(rest.text[blanks]))
        blanks++;
    for (len = blanks; len < rest.len && !is_blank(rest.text[len]); len++)
        ;
    return len > blanks ? len : 0;
}

bool field_fold(struct slice field, struct text *out)
{
    const size_t before = out->len, name = name_length(field);
    struct slice rest = { field.text + name, field.len - name };
    size_t line = name, len;
    bool fits = name > 0 && !has_controls(field);

    text_put(out, (struct slice){ field.text, name });
    for (bool first = true; fits && (len = word_length(rest)) > 0; first = false) {
        bool folds = !first && line + len > LINE_WANTED && is_blank(rest.text[0]);

        line = folds ? len : line + len;
        fits = line <= LINE_MOST && len + folds <= out->size - out->len;
        text_put(out, slice_of(folds ? "\n" : ""));
        text_put(out, (struct slice){ rest.text, len });
        rest = (struct slice){ rest.text + len, rest.len - len };
    }
    fits = fits && out->len < out->size;
    text_put(out, (struct slice)SLICE("\n"));
    if (!fits)
        out->len = before;
    return fits;
}
