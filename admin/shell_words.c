/* shell_words.c - the words of a shell's text: where they begin and end, and what the grammar makes of them */
#include "admin/shell_words.h"

#include <string.h>

bool shell_is_assignment(struct slice word, struct slice *name, struct slice *value)
{
    size_t i = 0;

    while (i < word.len && shell_is_name_char(word.text[i]) && (i > 0 || word.text[i] < '0' || word.text[i] > '9'))
        i++;
    *name = (struct slice){ word.text, i };
    i += i + 1 < word.len && word.text[i] == '+' && word.text[i + 1] == '=';
    if (name->len == 0 || i >= word.len || word.text[i] != '=')
        return false;
    *value = (struct slice){ word.text + i + 1, word.len - i - 1 };
    return true;
}

/* The words with which the grammar goes on, where a command may begin. */
static const struct reserved {
    char word[9];
    enum { OPENS, TURNS, ENDS } action;
    unsigned in; /* the states in which it may stand, unless it opens one */
    enum state state;
    enum shell_kind kind;
    enum shell_role role;
} reserved[] = {
    { "if", OPENS, 0, IN_IF, SHELL_IF, ROLE_CONDITION },
    { "then", TURNS, 1U << IN_IF, IN_THEN, SHELL_IF, ROLE_BODY },
    { "elif", TURNS, 1U << IN_THEN, IN_IF, SHELL_IF, ROLE_CONDITION },
    { "else", TURNS, 1U << IN_THEN, IN_ELSE, SHELL_IF, ROLE_ELSE },
    { "fi", ENDS, 1U << IN_THEN | 1U << IN_ELSE, IN_TEXT, SHELL_IF, ROLE_BODY },
    { "while", OPENS, 0, IN_WHILE, SHELL_LOOP, ROLE_CONDITION },
    { "until", OPENS, 0, IN_WHILE, SHELL_LOOP, ROLE_CONDITION },
    { "for", OPENS, 0, IN_FOR, SHELL_LOOP, ROLE_BODY },
    { "select", OPENS, 0, IN_FOR, SHELL_LOOP, ROLE_BODY },
    { "do", TURNS, 1U << IN_WHILE, IN_DO, SHELL_LOOP, ROLE_BODY },
    { "done", ENDS, 1U << IN_DO, IN_TEXT, SHELL_LOOP, ROLE_BODY },
    { "case", OPENS, 0, IN_CASE, SHELL_CASE, ROLE_BODY },
    { "esac", ENDS, 1U << IN_CLAUSE, IN_TEXT, SHELL_CASE, ROLE_BODY },
    { "{", OPENS, 0, IN_BRACE, SHELL_GROUP, ROLE_BODY },
    { "}", ENDS, 1U << IN_BRACE, IN_TEXT, SHELL_GROUP, ROLE_BODY },
};

/* False: it is a word like others. */
static bool take_reserved(struct reader *r, struct slice word)
{
    struct frame *f = reader_top(r);

    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        const struct reserved *row = &reserved[i];

        if (!slice_equal(word, slice_of(row->word)))
            continue;
        if (row->action == OPENS) {
            r->lost = r->lost || f->closed;
            reader_open(r, row->kind, row->role, row->state);
            return true;
        }
        reader_close_function(r);
        r->lost = r->lost || (row->in >> reader_top(r)->state & 1) == 0;
        if (row->action == TURNS)
            reader_turn(r, row->role, row->state);
        else
            reader_close(r);
        return true;
    }
    if (slice_equal(word, slice_of("!")))
        f->negated = !f->negated;
    else if (slice_equal(word, slice_of("function")))
        f->naming = true;
    else if (slice_equal(word, slice_of("coproc")))
        r->lost = true;
    else
        return slice_equal(word, slice_of("time"));
    return true;
}

static void take_word(struct reader *r, struct slice word)
{
    struct frame *f = reader_top(r);
    struct slice name, value;
    size_t command;

    if (f->naming) {
        f->naming = false;
        reader_add_word(r, reader_command(r), word, false);
        (void)reader_skip_parentheses(r); /* they may be missing */
        reader_begin_function(r, f->command);
        return;
    }
    if ((f->command == 0 || f->closed) && take_reserved(r, word))
        return;
    r->lost = r->lost || f->closed || f->state == IN_FUNCTION;
    f->test = f->test ? !slice_equal(word, slice_of("]]")) : f->command == 0 && slice_equal(word, slice_of("[["));
    command = reader_command(r);
    reader_add_word(r, command, word, !r->tree->nodes[command].named && shell_is_assignment(word, &name, &value));
}

bool words_number(struct slice word)
{
    size_t i = 0;

    while (i < word.len && word.text[i] >= '0' && word.text[i] <= '9')
        i++;
    return word.len > 0 && i == word.len;
}

/* The file of a redirection. */
static void take_target(struct reader *r, struct slice word)
{
    struct frame *f = reader_top(r);
    size_t command = reader_command(r);
    struct shell_node *node = &r->tree->nodes[command];
    bool descriptor = f->duplicates && (words_number(word) || slice_equal(word, slice_of("-")));
    bool file = !descriptor && !slice_has(word, "/dev/null") && !slice_has(word, "/dev/std") &&
                !slice_has(word, "/dev/fd/");

    f->redirected = false;
    node->to_file = node->to_file || (f->into && file);
    node->elsewhere = node->elsewhere || (f->into && !file);
}

void words_end(struct reader *r)
{
    struct frame *f = reader_top(r);
    struct slice word = { r->text.text + f->word, r->at - f->word };

    if (!f->in_word)
        return;
    f->in_word = false;
    if (f->redirected) {
        take_target(r, word);
    } else if (f->state == IN_FOR && f->count != 2 && slice_equal(word, slice_of("do"))) {
        reader_turn(r, ROLE_BODY, IN_DO); /* behind a line end, where it is set to 0, or behind the name alone */
    } else if (f->state == IN_FOR) {
        reader_add_word(r, f->owner, word, false);
        f->count = r->tree->nodes[f->owner].word == r->tree->nodes[f->owner].last_word ? 1 : 2;
    } else if (f->state == IN_CASE && f->count > 0) {
        r->lost = r->lost || !slice_equal(word, slice_of("in"));
        f->state = IN_PATTERN;
        f->count = 0;
    } else if (f->state == IN_CASE) {
        f->count++;
    } else if (f->state == IN_PATTERN && f->count == 0 && slice_equal(word, slice_of("esac"))) {
        reader_close(r);
    } else if (f->state == IN_PATTERN) {
        f->count += slice_equal(word, slice_of("*")) ? 1 : 2; /* 1: all */
    } else if (f->state < IN_EXPANSION) {
        take_word(r, word);
    }
}

void words_begin(struct reader *r)
{
    struct frame *f = reader_top(r);

    if (!f->in_word)
        f->word = r->at;
    f->in_word = true;
}

void words_join(struct reader *r, enum shell_joint joint)
{
    struct frame *f;

    words_end(r);
    reader_close_function(r);
    f = reader_top(r);
    r->lost = r->lost || f->redirected || (joint != JOINT_END && f->command == 0);
    if (f->command != 0)
        r->tree->nodes[f->command].joint = joint;
    f->command = 0;
    f->closed = f->test = false;
}
