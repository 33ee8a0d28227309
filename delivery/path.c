/* path.c - the path of a target, with what a table has for the recipient in it */
#include "delivery/path.h"

#include <limits.h>

#include "base/text.h"

bool path_is_chosen(const struct target *target)
{
    const struct slice word = rules_placeholders[ARGUMENT_VALUE];

    return target->takes_value && target->text.len > 0 && (target->kind == TARGET_APPEND || target->kind == TARGET_MAILDIR) &&
           memmem(target->text.text, target->text.len, word.text, word.len) != NULL;
}

/* How many components are "..". */
static size_t count_dots(struct slice path)
{
    size_t count = 0;

    for (size_t begin = 0, end; begin <= path.len; begin = end + 1) {
        const char *slash = memchr(path.text + begin, '/', path.len - begin);

        end = slash != NULL ? (size_t)(slash - path.text) : path.len;
        count += slice_equal((struct slice){ path.text + begin, end - begin }, (struct slice)SLICE(".."));
    }
    return count;
}

const char *path_wrong(struct slice value)
{
    if (value.len == 0)
        return "the table has no value for the path";
    if (value.text[0] == '/')
        return "the value for the path begins with /";
    if (memchr(value.text, '\0', value.len) != NULL)
        return "the value for the path has a NUL";
    return count_dots(value) > 0 ? "the value for the path has .. in it" : NULL;
}

/* Puts the text, with the value for each %{value}. */
static void expand(struct text *path, struct slice text, struct slice value)
{
    const struct slice word = rules_placeholders[ARGUMENT_VALUE];
    const char *at;

    while (text.len > 0 && (at = memmem(text.text, text.len, word.text, word.len)) != NULL) {
        const size_t before = (size_t)(at - text.text);

        text_put(path, (struct slice){ text.text, before });
        text_put(path, value);
        text = (struct slice){ at + word.len, text.len - before - word.len };
    }
    text_put(path, text);
}

const char *path_of(const struct target *target, const struct recipient *recipient, char path[])
{
    const bool chosen = path_is_chosen(target);
    const char *wrong = chosen ? path_wrong(recipient->value) : NULL;
    struct text text = { path, PATH_MAX, 0 };

    if (chosen && wrong == NULL)
        expand(&text, target->text, recipient->value);
    else
        text_put(&text, target->text);
    if (text.len == PATH_MAX && wrong == NULL)
        wrong = "the path is too long";
    if (chosen && wrong == NULL && count_dots(text_slice(&text)) > count_dots(target->text))
        wrong = "with the value the path has .. in it"; /* a dot stands beside the word */
    path[text.len < PATH_MAX ? text.len : PATH_MAX - 1] = '\0';
    return wrong;
}
