/* shell.c - fuzz target: a shell's text, whose commands lie in it, and are the same ones in a group or a function */
#include "admin/shell.h"

#include <string.h>

#include "admin/shell_tree.h"
#include "fuzz.h"

struct seen {
    struct slice text;
    size_t count, words;
};

static void check_command(void *context, const struct shell_command *command)
{
    struct seen *seen = context;
    const char *end = seen->text.text + seen->text.len;

    HOLDS(command->count > 0 && command->count <= SHELL_WORDS);
    for (size_t i = 0; i < command->count; i++) {
        const struct slice word = command->words[i], raw = command->raw[i];

        HOLDS(raw.len > 0 && raw.text >= seen->text.text && raw.text + raw.len <= end);
        HOLDS(word.len == 0 || (word.text >= seen->text.text && word.text + word.len <= end));
    }
    HOLDS(!command->background || !command->decides);
    seen->count++;
    seen->words += command->count;
}

static bool is_understood(struct slice text)
{
    struct shell_tree tree;
    bool understood = shell_read(&tree, text);

    for (size_t i = 1; understood && i < tree.node_count; i++)
        HOLDS(tree.nodes[i].parent < i && tree.nodes[i].next < tree.node_count &&
              (tree.nodes[i].next == 0 || tree.nodes[i].next > i));
    for (size_t i = 1; understood && i < tree.word_count; i++)
        HOLDS(tree.words[i].next == 0 || tree.words[i].next > i);
    shell_free(&tree);
    return understood;
}

static struct seen look(struct slice text, enum shell_end *end)
{
    struct seen seen = { .text = text };

    *end = shell_each(text, check_command, &seen);
    HOLDS(is_understood(text) || (seen.count == 0 && *end == SHELL_UNKNOWN));
    return seen;
}

/* A here-document may go on to the end of the text, and a text may define what we call. */
static void check_within(struct slice text, const struct seen *alone, enum shell_end end, const char *before,
                         const char *behind, size_t more)
{
    static char whole[1 << 20];
    const struct slice parts[] = { slice_of(before), text, slice_of(behind) };
    struct slice within = { whole, 0 };
    enum shell_end other;
    struct seen seen;

    if (text.len > sizeof whole / 2 || slice_has(text, "<<") || slice_has(text, "zz") || slice_has(text, "#!"))
        return;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; within.len += parts[i++].len)
        memcpy(whole + within.len, parts[i].text, parts[i].len);
    if (!is_understood(within))
        return; /* it is too deep then */
    seen = look(within, &other);
    HOLDS(seen.count == alone->count + more && seen.words >= alone->words + more);
    HOLDS(other == end || more > 0);
}

void fuzz_shell(const uint8_t *data, size_t size)
{
    struct slice text = { (const char *)data, size };
    enum shell_end end;
    struct seen alone = look(text, &end);

    if (!is_understood(text))
        return;
    check_within(text, &alone, end, "{ ", "\n}", 0);
    check_within(text, &alone, end, "( ", "\n)", 0);
    check_within(text, &alone, end, "zz() { ", "\n}; zz", 1);
}
