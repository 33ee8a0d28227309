/* shell.c - the commands of a shell's text, as far as they are plain to see; pure */
#include "admin/shell.h"

#include <string.h>

enum {
    LEVELS = 6, /* of substitutions and subshells within each other */
    LISTED = 8  /* commands of one list that are joined by &&, || and | */
};

/* A list that is being read, with the place where its substitution or subshell ends. */
struct level {
    char closer;       /* ')', '`', or 0 for the text itself */
    bool substituted;
    char quote;        /* that we are in: ' or ", or 0 */
    size_t word;       /* where the word begins that we are in */
    bool in_word, redirected; /* the word to come is that of a redirection; */
    bool into;         /* of the output */
    bool condition;    /* behind if, while, until or ! */
    size_t cases;      /* that are open; */
    bool pattern;      /* in a pattern of the last one */
    size_t count;      /* of commands; the last one is being read */
    struct shell_command commands[LISTED];
};

struct reader {
    struct slice text;
    size_t at, depth;
    size_t tail; /* where nothing follows but what ends groups and compound commands */
    size_t next; /* where something stands again, behind the last list */
    struct slice document; /* the line that ends a here-document, which begins with the next line */
    bool errexit, trapped; /* failures end it; how it ends a trap says */
    void (*found)(void *context, const struct shell_command *command);
    void *context;
    struct level levels[LEVELS];
};

static const char blanks[] = " \t", line_ends[] = "\n;&|()<>";

static bool is_one_of(struct slice word, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_equal(word, slice_of(words[i])))
            return true;
    return false;
}

static struct slice rest_of(const struct reader *r)
{
    return (struct slice){ r->text.text + r->at, r->text.len - r->at };
}

static bool begins(const struct reader *r, const char *text)
{
    struct slice rest = rest_of(r);
    size_t len = strlen(text);

    return rest.len >= len && memcmp(rest.text, text, len) == 0;
}

/* What stands up to the end of the next line that has something in it. */
static struct slice next_line(struct reader *r)
{
    static const char nothing[] = { ' ', '\t', '\n', ';' };
    const char *lf;
    size_t len;

    if (r->next < r->at)
        r->next = r->at;
    while (r->next < r->text.len && memchr(nothing, r->text.text[r->next], sizeof nothing) != NULL)
        r->next++;
    len = r->text.len - r->next;
    lf = memchr(r->text.text + r->next, '\n', len);
    return (struct slice){ r->text.text + r->next, lf != NULL ? (size_t)(lf - r->text.text) - r->next : len };
}

/* Where nothing follows but what ends groups and compound commands. */
static size_t find_tail(struct slice text)
{
    static const char *const ends[] = { "fi", "done", "esac", "}", ")", ";", "`", "\n", " ", "\t" };
    size_t i = 0;

    while (i < sizeof ends / sizeof ends[0]) {
        size_t len = strlen(ends[i]);

        if (text.len >= len && memcmp(text.text + text.len - len, ends[i], len) == 0) {
            text.len -= len;
            i = 0;
        } else {
            i++;
        }
    }
    return text.len;
}

static struct shell_command *current(struct level *level)
{
    return &level->commands[level->count];
}

/* Words with which a command does not begin. */
static bool is_reserved(struct level *level, struct slice word)
{
    static const char *const conditions[] = { "if", "elif", "while", "until", "!" };
    static const char *const others[] = { "then", "else", "do", "{", "}", "time", "fi", "done", "esac" };

    level->cases -= level->cases > 0 && slice_equal(word, slice_of("esac"));
    if (is_one_of(word, conditions, sizeof conditions / sizeof conditions[0]))
        return level->condition = true;
    return is_one_of(word, others, sizeof others / sizeof others[0]);
}

static bool is_assignment(struct slice word)
{
    size_t i = 0;

    while (i < word.len && (word.text[i] == '_' || (word.text[i] >= '0' && word.text[i] <= '9') ||
                            (lower_ascii(word.text[i]) >= 'a' && lower_ascii(word.text[i]) <= 'z')))
        i++;
    return i > 0 && i < word.len && word.text[i] == '=';
}

static bool is_named(const struct shell_command *command, const char *name)
{
    return command->count > 0 && slice_equal(command->words[0], slice_of(name));
}

static struct slice without_quotes(struct slice word)
{
    if (word.len < 2 || (word.text[0] != '\'' && word.text[0] != '"') ||
        memchr(word.text + 1, word.text[0], word.len - 1) != word.text + word.len - 1)
        return word;
    return (struct slice){ word.text + 1, word.len - 2 };
}

static void end_word(struct reader *r, struct level *level)
{
    struct slice word = { r->text.text + level->word, r->at - level->word };
    struct shell_command *command = current(level);

    if (!level->in_word)
        return;
    level->in_word = false;
    if (level->pattern) {
        level->pattern = !slice_equal(word, slice_of("esac"));
        level->cases -= !level->pattern;
    } else if (is_named(command, "case") && slice_equal(word, slice_of("in"))) {
        level->pattern = true;
        level->cases++;
        *command = (struct shell_command){ .substituted = level->substituted };
    } else if (level->redirected) {
        command->to_file = command->to_file || (level->into && !slice_equal(word, slice_of("/dev/null")));
        level->redirected = false;
    } else if (command->count > 0 || (!is_assignment(word) && !is_reserved(level, word))) {
        if (command->count < SHELL_WORDS)
            command->words[command->count++] = without_quotes(word);
    }
}

static void begin_word(struct reader *r, struct level *level)
{
    if (!level->in_word)
        level->word = r->at;
    level->in_word = true;
}

static void begin_command(struct level *level)
{
    if (current(level)->count > 0 && level->count + 1 < LISTED)
        level->count++;
    *current(level) = (struct shell_command){ .substituted = level->substituted };
}

/* The list has ended: what is known of its commands now is told. */
static void end_list(struct reader *r, struct level *level)
{
    bool guarded = level->condition || slice_has(next_line(r), "$?");
    const char *lf = memchr(rest_of(r).text, '\n', rest_of(r).len);
    struct slice line = { rest_of(r).text, lf != NULL ? (size_t)(lf - rest_of(r).text) : rest_of(r).len };

    if (level->closer != '\0')
        guarded = guarded || slice_has(line, "||");
    for (size_t i = 0; i <= level->count; i++) {
        struct shell_command *command = &level->commands[i];

        command->guarded = command->guarded || guarded;
        command->judged = level->condition || (command->piped && i < level->count &&
                                               is_named(&level->commands[i + 1], "grep"));
        command->decides = !command->guarded && !command->piped && !r->trapped &&
                           (r->at >= r->tail || level->closer != '\0' || (r->errexit && i == level->count));
        if (command->count > 0)
            r->found(r->context, command);
    }
    level->count = 0;
    level->condition = false;
    *current(level) = (struct shell_command){ .substituted = level->substituted };
}

static void push(struct reader *r, char closer, bool substituted)
{
    struct level *level;

    if (r->depth + 1 == LEVELS) {
        r->at = r->text.len; /* nobody writes so */
        return;
    }
    r->levels[r->depth].redirected = false; /* if it was, then to what is read now */
    level = &r->levels[++r->depth];
    memset(level, 0, sizeof *level);
    level->closer = closer;
    level->substituted = current(level)->substituted = substituted || r->levels[r->depth - 1].substituted;
}

/* Passes over a here-document, behind the end of a line. */
static void skip_document(struct reader *r)
{
    while (r->document.len > 0 && r->at < r->text.len) {
        struct slice line = rest_of(r);
        const char *lf = memchr(line.text, '\n', line.len);

        line.len = lf != NULL ? (size_t)(lf - line.text) : line.len;
        r->at += line.len + (lf != NULL);
        while (line.len > 0 && *line.text == '\t')
            line = (struct slice){ line.text + 1, line.len - 1 };
        if (slice_equal(line, r->document))
            break;
    }
    r->document.len = 0;
}

/* Behind <<: the word that ends the document. */
static void begin_document(struct reader *r)
{
    size_t begin;

    r->at += r->at < r->text.len && r->text.text[r->at] == '-';
    while (r->at < r->text.len && strchr(blanks, r->text.text[r->at]) != NULL)
        r->at++;
    begin = r->at;
    while (r->at < r->text.len && strchr(" \t\n;&|<>", r->text.text[r->at]) == NULL)
        r->at++;
    begin += begin < r->at && r->text.text[begin] == '\\';
    r->document = without_quotes((struct slice){ r->text.text + begin, r->at - begin });
}

/* A digit before it belongs to it. */
static void redirect(struct reader *r, struct level *level)
{
    bool out = r->text.text[r->at] == '>';
    bool numbered = level->in_word && r->at == level->word + 1 && r->text.text[level->word] >= '0' &&
                    r->text.text[level->word] <= '9';
    bool to_output = !numbered || r->text.text[level->word] == '1';

    if (numbered)
        level->in_word = false;
    end_word(r, level);
    if (begins(r, "<<") && !begins(r, "<<<")) {
        r->at += 2;
        begin_document(r);
        return;
    }
    while (r->at < r->text.len && strchr("<>&|", r->text.text[r->at]) != NULL)
        to_output = r->text.text[r->at++] != '&' && to_output;
    level->redirected = true;
    level->into = out && to_output;
}

/* In a pattern of case, and between [[ and ]], there are no commands. False: it is neither. */
static bool take_no_command(struct reader *r, struct level *level)
{
    const struct shell_command *command = current(level);
    char c = r->text.text[r->at];

    if (level->pattern || is_named(command, "case") || is_named(command, "[["))
        end_word(r, level);
    if (!level->pattern && (c == '\n' || !is_named(command, "[[") ||
                            slice_equal(command->words[command->count - 1], slice_of("]]"))))
        return false;
    level->pattern = level->pattern && c != ')';
    r->at++;
    if (c == '\n')
        skip_document(r);
    return true;
}

/* One of line_ends, outside quotes. */
static void take_operator(struct reader *r, struct level *level)
{
    char c = r->text.text[r->at];

    if (take_no_command(r, level))
        return;
    if (c == '<' || c == '>' || begins(r, "&>")) {
        r->at += c == '&';
        redirect(r, level);
        return;
    }
    if (c == '(' && level->in_word && begins(r, "()")) {
        level->in_word = false; /* a function */
        r->at += 2;
        *current(level) = (struct shell_command){ .substituted = level->substituted };
        return;
    }
    end_word(r, level);
    if (c == '(') {
        r->at++;
        push(r, ')', false);
    } else if (begins(r, "||")) {
        for (size_t i = 0; i <= level->count; i++)
            level->commands[i].guarded = true;
        r->at += 2;
        begin_command(level);
    } else if (c == '|' || begins(r, "&&")) {
        current(level)->piped = c == '|';
        r->at += c == '|' ? 1 : 2;
        begin_command(level);
    } else {
        level->pattern = (begins(r, ";;") || begins(r, ";&")) && level->cases > 0;
        r->at += level->pattern ? 2 : 1;
        end_list(r, level);
        if (c == ')' && level->closer == ')')
            r->depth--;
        if (c == '\n')
            skip_document(r);
    }
}

/* Expansions and substitutions, within double quotes, too. False: there is none here. */
static bool take_dollar(struct reader *r, struct level *level)
{
    const char *end = NULL;

    if (begins(r, "$((") || begins(r, "${")) {
        begin_word(r, level);
        end = begins(r, "${") ? memchr(rest_of(r).text, '}', rest_of(r).len)
                              : memmem(rest_of(r).text, rest_of(r).len, "))", 2);
        r->at = end != NULL ? (size_t)(end - r->text.text) + 1 + (*end == ')') : r->text.len;
    } else if (begins(r, "$(")) {
        begin_word(r, level);
        r->at += 2;
        push(r, ')', true);
    } else if (begins(r, "`")) {
        begin_word(r, level);
        if (level->closer == '`') {
            end_word(r, level);
            r->at++;
            end_list(r, level);
            r->depth--;
        } else {
            r->at++;
            push(r, '`', true);
        }
    } else {
        return false;
    }
    return true;
}

static void take(struct reader *r)
{
    struct level *level = &r->levels[r->depth];
    char c = r->text.text[r->at];

    if (c == '\\' && level->quote != '\'') {
        if (level->quote == '\0' && begins(r, "\\\n"))
            end_word(r, level);
        else
            begin_word(r, level);
        r->at += 2;
    } else if (level->quote == '\'' || (level->quote != '\0' && c == level->quote)) {
        if (c == level->quote)
            level->quote = '\0';
        r->at++;
    } else if (take_dollar(r, level)) {
        return;
    } else if (level->quote != '\0') {
        r->at++;
    } else if (c == '#' && !level->in_word) {
        while (r->at < r->text.len && r->text.text[r->at] != '\n')
            r->at++;
    } else if (c == '\0' || strchr(blanks, c) != NULL) {
        end_word(r, level);
        r->at++;
    } else if (strchr(line_ends, c) != NULL) {
        take_operator(r, level);
    } else {
        begin_word(r, level);
        if (c == '\'' || c == '"')
            level->quote = c;
        r->at++;
    }
}

/* Does a trap for its end say 75? */
static bool has_trap(struct slice text)
{
    const char *trap = text.len > 0 ? memmem(text.text, text.len, "trap ", 5) : NULL, *lf;
    struct slice line;

    if (trap == NULL)
        return false;
    line = (struct slice){ trap, text.len - (size_t)(trap - text.text) };
    lf = memchr(trap, '\n', line.len);
    line.len = lf != NULL ? (size_t)(lf - trap) : line.len;
    return slice_has(line, "exit 75") && slice_has(line, "EXIT");
}

void shell_each(struct slice text, void (*found)(void *context, const struct shell_command *command), void *context)
{
    struct reader r = { .text = text, .tail = find_tail(text), .trapped = has_trap(text), .found = found, .context = context,
                        .errexit = slice_has(text, "set -e") || slice_has(text, "sh -e") };

    while (r.at < r.text.len)
        take(&r);
    r.at = r.text.len;
    end_word(&r, &r.levels[r.depth]);
    for (;; r.depth--) {
        end_list(&r, &r.levels[r.depth]);
        if (r.depth == 0)
            break;
    }
}
