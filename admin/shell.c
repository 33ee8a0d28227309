/* shell.c - the commands of a shell's text: their words, and what is set before them; pure */
#include "admin/shell.h"

#include <stdlib.h>
#include <string.h>

#include "admin/shell_sight.h"

/* ---- words ------------------------------------------------------------------------------- */

struct slice reading_bare(struct slice word)
{
    if (word.len < 2 || (word.text[0] != '\'' && word.text[0] != '"') ||
        memchr(word.text + 1, word.text[0], word.len - 1) != word.text + word.len - 1)
        return word;
    return (struct slice){ word.text + 1, word.len - 2 };
}

struct slice reading_word(const struct reading *r, size_t word)
{
    return word != 0 ? r->tree.words[word].text : (struct slice){ "", 0 };
}

size_t reading_name(const struct reading *r, size_t node)
{
    size_t word = r->tree.nodes[node].kind == SHELL_SIMPLE ? r->tree.nodes[node].word : 0;

    while (word != 0 && r->tree.words[word].assignment)
        word = r->tree.words[word].next;
    return word;
}

bool reading_is(const struct reading *r, size_t node, const char *name)
{
    return slice_equal(reading_word(r, reading_name(r, node)), slice_of(name));
}

/* A word that is nothing but $NAME, ${NAME} or ${NAME:-VALUE}. `value` is that, with a NULL text if there is none. */
static bool is_variable(struct slice word, struct slice *name, struct slice *value)
{
    bool braces = word.len > 3 && word.text[1] == '{' && word.text[word.len - 1] == '}';
    struct slice rest;
    size_t i = 0;

    *value = (struct slice){ NULL, 0 };
    if (word.len < 2 || word.text[0] != '$')
        return false;
    rest = braces ? (struct slice){ word.text + 2, word.len - 3 } : (struct slice){ word.text + 1, word.len - 1 };
    while (i < rest.len && shell_is_name_char(rest.text[i]))
        i++;
    *name = (struct slice){ rest.text, i };
    if (braces && i > 0 && rest.len > i + 2 && rest.text[i] == ':' && rest.text[i + 1] == '-')
        *value = (struct slice){ rest.text + i + 2, rest.len - i - 2 };
    return i > 0 && (i == rest.len || value->text != NULL);
}

static const struct variable *find_variable(const struct reading *r, struct slice name)
{
    for (size_t i = 0; i < r->variable_count; i++)
        if (slice_equal(r->variables[i].name, name))
            return &r->variables[i];
    return NULL;
}

static void note_variable(struct reading *r, struct slice name, struct slice value)
{
    for (size_t i = 0; i < r->variable_count; i++)
        if (slice_equal(r->variables[i].name, name)) {
            r->variables[i].several = true;
            return;
        }
    if (r->variable_count == NAMES)
        r->many = true;
    else
        r->variables[r->variable_count++] = (struct variable){ .name = name, .value = reading_bare(value) };
}

/* The value of a word that is a variable, with a NULL text if that is not plain to see. */
static struct slice value_of(const struct reading *r, struct slice word)
{
    struct slice name, value;
    const struct variable *variable;

    if (!is_variable(word, &name, &value))
        return (struct slice){ NULL, 0 };
    variable = find_variable(r, name);
    if (variable != NULL)
        value = variable->several ? (struct slice){ NULL, 0 } : variable->value;
    for (size_t i = 0; i < value.len; i++)
        if (strchr("$`\\'\"*?[(", value.text[i]) != NULL)
            return (struct slice){ NULL, 0 };
    return value;
}

/* ---- what is told ------------------------------------------------------------------------ */

static void add_word(struct shell_command *command, struct slice word, struct slice raw)
{
    if (command->count == SHELL_WORDS) {
        command->open = true;
        return;
    }
    command->words[command->count] = word;
    command->raw[command->count++] = raw;
}

/* May it be more than one word, or none, which are not to be seen here? */
static bool is_open(const struct reading *r, struct slice raw)
{
    static const char *const several[] = { "$@", "$*", "${@", "${*", "[@]}", "[*]}" };
    struct slice name, value;
    bool open = raw.text[0] == '`' || (raw.len > 2 && memcmp(raw.text, "$(", 2) == 0 && raw.text[2] != '(');

    for (size_t i = 0; i < sizeof several / sizeof several[0]; i++)
        open = open || slice_has(raw, several[i]);
    if (is_variable(raw, &name, &value))
        return open || value.text != NULL || find_variable(r, name) != NULL;
    return open || (raw.len > 2 && memcmp(raw.text, "${", 2) == 0);
}

/* A value in quotes is one word; without them it is as many as blanks make of it. */
static void add_value(struct shell_command *command, struct slice value, struct slice raw)
{
    size_t len;

    if (raw.text[0] == '"') {
        add_word(command, value, raw);
        return;
    }
    for (; value.len > 0; value = (struct slice){ value.text + len, value.len - len }) {
        const char *blank;

        len = 1;
        if (strchr(" \t\n", value.text[0]) != NULL)
            continue;
        blank = memchr(value.text, ' ', value.len);
        len = blank != NULL ? (size_t)(blank - value.text) : value.len;
        add_word(command, (struct slice){ value.text, len }, raw);
    }
}

static void fill_words(const struct reading *r, size_t node, struct shell_command *command)
{
    for (size_t w = reading_name(r, node); w != 0; w = r->tree.words[w].next) {
        struct slice raw = r->tree.words[w].text, word = reading_bare(raw), value = value_of(r, word);

        if (value.text != NULL && raw.text[0] != '\'') {
            add_value(command, value, raw);
        } else {
            add_word(command, word, raw);
            command->open = command->open || is_open(r, raw);
        }
    }
}

static void tell(const struct reading *r, size_t node, shell_found *found, void *context)
{
    const struct shell_node *n = &r->tree.nodes[node];
    const struct sight *s = &r->sights[node];
    struct shell_command command = { .to_file = (n->to_file || s->to_file) && !n->elsewhere, .piped = s->piped,
                                     .substituted = s->substituted, .judged = s->judged, .decides = s->decides,
                                     .background = s->background, .function = s->function != 0 };

    if (s->feeder != 0)
        command.fed_by = reading_name(r, s->feeder) != 0 ? reading_word(r, reading_name(r, s->feeder)) : slice_of("{");

    fill_words(r, node, &command);
    if (command.count > 0)
        found(context, &command);
}

/* ---- before all: functions, variables, options ------------------------------------------- */

static size_t function_called(const struct reading *r, struct slice name)
{
    for (size_t i = 0; i < r->function_count; i++)
        if (slice_equal(reading_word(r, r->tree.nodes[r->functions[i]].word), name))
            return r->functions[i];
    return 0;
}

static void note_names(struct reading *r, size_t node)
{
    static const char *const declare[] = { "export", "local", "readonly", "declare", "typeset" };
    const struct shell_node *n = &r->tree.nodes[node];
    bool declares = !n->named, reads = reading_is(r, node, "read");
    struct slice name, value;

    if (n->kind == SHELL_FUNCTION && r->function_count == NAMES)
        r->many = true;
    else if (n->kind == SHELL_FUNCTION)
        r->functions[r->function_count++] = node;
    if (n->kind == SHELL_LOOP && n->word != 0) {
        note_variable(r, reading_word(r, n->word), slice_of("$"));
        return;
    }
    for (size_t i = 0; i < sizeof declare / sizeof declare[0]; i++)
        declares = declares || reading_is(r, node, declare[i]);
    for (size_t w = n->kind == SHELL_SIMPLE ? n->word : 0; w != 0 && (declares || reads); w = r->tree.words[w].next)
        if (shell_is_assignment(reading_word(r, w), &name, &value))
            note_variable(r, name, value);
        else if (reads)
            note_variable(r, reading_word(r, w), slice_of("$"));
}

/* set -e, set +o pipefail ... */
static void note_options(const struct reading *r, size_t node, struct sight *state)
{
    if (!reading_is(r, node, "set"))
        return;
    for (size_t w = r->tree.words[reading_name(r, node)].next; w != 0; w = r->tree.words[w].next) {
        struct slice word = reading_word(r, w), next = reading_word(r, r->tree.words[w].next);
        bool on = word.len > 1 && word.text[0] == '-', option = on || (word.len > 1 && word.text[0] == '+');

        if (!option || slice_equal(word, slice_of("--")))
            return;
        if (slice_has(word, "e") || (slice_has(word, "o") && slice_equal(next, slice_of("errexit"))))
            state->errexit = on;
        if (slice_has(word, "o") && slice_equal(next, slice_of("pipefail")))
            state->pipefail = on;
        if (slice_has(word, "o") && r->tree.words[w].next != 0)
            w = r->tree.words[w].next;
    }
}

static bool ends_in_exit_0(struct slice text)
{
    static const char exit_0[] = "exit 0";
    const size_t len = sizeof exit_0 - 1;

    return text.len >= len && memcmp(text.text + text.len - len, exit_0, len) == 0 &&
           !slice_has((struct slice){ text.text, text.len - len }, "exit");
}

/* Does a text that is not read call a function? A name that is only a part of a word counts, too. */
static bool may_call(const struct reading *r, struct slice text)
{
    for (size_t i = 0; i < r->function_count; i++) {
        struct slice name = reading_word(r, r->tree.nodes[r->functions[i]].word);

        if (memmem(text.text, text.len, name.text, name.len) != NULL)
            return true;
    }
    return false;
}

/* trap ACTION EXIT: what the text ends with may be what the action says, and with ERR that may end it. */
static void note_trap(struct reading *r, size_t node)
{
    size_t name = reading_name(r, node), action = name != 0 ? r->tree.words[name].next : 0;
    struct slice text = reading_bare(reading_word(r, action));
    bool at_end = false, at_error = false;

    if (!reading_is(r, node, "trap"))
        return;
    for (size_t w = action; w != 0; w = r->tree.words[w].next) {
        struct slice when = reading_word(r, w);

        at_end = at_end || slice_equal(when, slice_of("EXIT")) || slice_equal(when, slice_of("0"));
        at_error = at_error || slice_equal(when, slice_of("ERR"));
    }
    if (at_end)
        r->always_0 = ends_in_exit_0(text);
    if (at_end || at_error)
        r->trapped = r->trapped || slice_has(text, "exit") || may_call(r, text);
}

/* Does the first line, #!, give the shell an option -e, maybe among others? */
static bool begins_with_errexit(struct slice text)
{
    const char *lf = memchr(text.text, '\n', text.len);
    struct slice first = { text.text, lf != NULL ? (size_t)(lf - text.text) : text.len };
    size_t i = 0;

    if (first.len < 2 || memcmp(first.text, "#!", 2) != 0)
        return false;
    while (i + 1 < first.len && memcmp(first.text + i, " -", 2) != 0)
        i++;
    for (i += 2; i < first.len && lower_ascii(first.text[i]) >= 'a' && lower_ascii(first.text[i]) <= 'z'; i++)
        if (first.text[i] == 'e')
            return true;
    return false;
}

static void note_all(struct reading *r, struct slice text)
{
    struct sight state = { .errexit = begins_with_errexit(text), .pipefail = slice_has(text, "PIPESTATUS") };

    r->errexit = state.errexit;
    for (size_t i = 0; i < r->tree.node_count; i++)
        note_names(r, i);
    for (size_t i = 1; i < r->tree.node_count; i++) {
        const struct shell_node *n = &r->tree.nodes[i];
        size_t name = reading_name(r, i);

        r->sights[i] = state;
        r->sights[i].function = function_called(r, reading_word(r, name));
        note_options(r, i, &state);
        note_trap(r, i);
        r->errexit = r->errexit || state.errexit;
        if (reading_is(r, i, "exec") && r->tree.words[name].next == 0 && (n->to_file || n->elsewhere))
            state.to_file = n->to_file;
        r->unclear = r->unclear || reading_is(r, i, "eval") || reading_is(r, i, ".") || reading_is(r, i, "source");
    }
}

/* ---- all of it --------------------------------------------------------------------------- */

static enum shell_end look(struct reading *r, struct slice text, shell_found *found, void *context)
{
    enum shell_end end;

    note_all(r, text);
    if (r->many)
        return SHELL_UNKNOWN;
    status_look_around(r);
    end = status_is_always_0(r) ? SHELL_ALWAYS_0 : SHELL_UNKNOWN;
    for (size_t i = 0; i < r->tree.node_count; i++) {
        r->sights[i].decides = r->sights[i].decides && !r->trapped;
        if (r->tree.nodes[i].kind == SHELL_SIMPLE && r->sights[i].called)
            tell(r, i, found, context);
    }
    return end;
}

enum shell_end shell_each(struct slice text, shell_found *found, void *context)
{
    struct reading r = { .errexit = false };
    enum shell_end end = SHELL_UNKNOWN;

    if (shell_read(&r.tree, text)) {
        struct sight *sights = calloc(r.tree.node_count, sizeof *sights);

        r.sights = sights;
        if (sights != NULL)
            end = look(&r, text, found, context);
        free(sights);
    }
    shell_free(&r.tree);
    return end;
}
