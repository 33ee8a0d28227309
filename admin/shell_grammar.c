/* shell_grammar.c - the structure of a shell's text: lists, commands and their words; pure */
/*
 * One pass, with a stack of what is open: a quote, an expansion or a compound command is a frame, in which the words of
 * its own grammar are known. What does not fit ends the reading: a text is understood as a whole, or not at all.
 */
#include "admin/shell_tree.h"

#include <stdlib.h>
#include <string.h>

#include "admin/shell_words.h"

/* ---- operators --------------------------------------------------------------------------- */

static void begin_document(struct reader *r)
{
    size_t begin;

    r->at += reader_begins(r, "-");
    reader_skip_blanks(r);
    begin = r->at;
    while (r->at < r->text.len && r->text.text[r->at] != '\0' && strchr(" \t\n;&|<>()", r->text.text[r->at]) == NULL)
        r->at++;
    if (r->document_count == DOCUMENTS || r->at == begin)
        r->lost = true;
    else
        r->documents[r->document_count++] = (struct slice){ r->text.text + begin, r->at - begin };
}

static void substitute(struct reader *r, enum shell_role role, enum state state);

/* At < or >, maybe with & before it. A number before it belongs to it. */
static void take_redirection(struct reader *r)
{
    struct frame *f = reader_top(r);
    struct slice word = { r->text.text + f->word, r->at - f->word };
    bool numbered = f->in_word && words_number(word);
    const char *operator= r->text.text + r->at;

    if (reader_begins(r, "<(") || reader_begins(r, ">(")) {
        words_begin(r);
        r->at += 2;
        substitute(r, ROLE_ASIDE, IN_PAREN);
        return;
    }
    f->in_word = f->in_word && !numbered;
    words_end(r);
    r->lost = r->lost || reader_top(r) != f || f->redirected;
    (void)reader_command(r);
    if (reader_begins(r, "<<") && !reader_begins(r, "<<<")) {
        r->at += 2;
        begin_document(r);
        return;
    }
    while (r->at < r->text.len && r->text.text[r->at] != '\0' && strchr("<>&|", r->text.text[r->at]) != NULL)
        r->at++;
    f->redirected = true;
    f->into = memchr(operator, '>', (size_t)(r->text.text + r->at - operator)) != NULL &&
              (!numbered || slice_equal(word, slice_of("1")));
    f->duplicates = r->text.text[r->at - 1] == '&';
}

/* Is the only word of a command, or the first that is being read, before a parenthesis? */
static bool may_be_function(struct reader *r)
{
    const struct frame *f = reader_top(r);
    const struct shell_node *command = &r->tree->nodes[f->command];

    return f->command == 0 ? f->in_word : !f->in_word && !f->closed && command->word == command->last_word;
}

/* A parenthesis, where a command or a word of it may be. */
static void take_parenthesis(struct reader *r)
{
    struct frame *f = reader_top(r);
    struct slice word = { r->text.text + f->word, r->at - f->word }, name, value;

    if (f->in_word && shell_is_assignment(word, &name, &value) && value.len == 0) {
        r->at++;
        (void)reader_push(r, (struct frame){ .state = IN_ARRAY });
    } else if (may_be_function(r)) {
        if (f->in_word)
            reader_add_word(r, reader_command(r), word, false);
        f->in_word = f->naming = false;
        r->lost = r->lost || !reader_skip_parentheses(r) || f->state == IN_FUNCTION;
        reader_begin_function(r, f->command);
    } else if (f->in_word || (f->command != 0 && f->state != IN_FOR)) {
        r->lost = true;
    } else if (reader_begins(r, "((")) {
        if (f->state != IN_FOR)
            (void)reader_command(r);
        words_begin(r);
        r->at += 2;
        (void)reader_push(r, (struct frame){ .state = IN_ARITHMETIC });
    } else {
        r->at++;
        reader_open(r, SHELL_SUBSHELL, ROLE_BODY, IN_PAREN);
    }
}

/* Is it between for and do, case and in, or in the patterns of a clause? */
static bool is_header(const struct frame *f)
{
    return f->state == IN_FOR || f->state == IN_CASE || f->state == IN_PATTERN;
}

/* Between for and do, case and in, and in the patterns of a clause there are few of them. */
static void take_in_header(struct reader *r)
{
    char c = r->text.text[r->at];
    struct frame *f = reader_top(r);

    if (f->state == IN_FOR && reader_begins(r, "((")) {
        take_parenthesis(r);
        return;
    }
    words_end(r);
    if (reader_top(r) != f || !is_header(f))
        return; /* the word has ended it, and what stands here comes again */
    r->at++;
    if (c == '\n')
        reader_skip_documents(r);
    if (f->state == IN_FOR && (c == '\n' || c == ';'))
        f->count = 0;
    else if (f->state == IN_PATTERN && c == ')')
        reader_turn(r, f->count == 1 ? ROLE_ELSE : ROLE_BODY, IN_CLAUSE);
    else if (c != '\n' && (f->state != IN_PATTERN || (c != '|' && (c != '(' || f->count > 0))))
        r->lost = true;
}

/* Behind ;; and its like. */
static void end_clause(struct reader *r)
{
    words_join(r, JOINT_END);
    r->lost = r->lost || reader_top(r)->state != IN_CLAUSE;
    reader_top(r)->state = IN_PATTERN;
    reader_top(r)->count = 0;
    r->at += reader_begins(r, ";;&") ? 3 : 2;
}

static void take_joint(struct reader *r)
{
    static const struct {
        char text[3];
        enum shell_joint joint;
    } joints[] = { { "&&", JOINT_AND }, { "||", JOINT_OR },        { "|&", JOINT_PIPE },
                   { "|", JOINT_PIPE }, { "&", JOINT_BACKGROUND }, { ";", JOINT_END } };
    size_t i = 0;

    while (!reader_begins(r, joints[i].text))
        i++;
    words_join(r, joints[i].joint);
    r->at += strlen(joints[i].text);
}

/* Between [[ and ]] they are characters, and a line end is a blank. */
static void take_in_test(struct reader *r)
{
    struct frame *f = reader_top(r);
    struct slice word = { r->text.text + f->word, r->at - f->word };

    if (reader_begins(r, "\n") || (f->in_word && slice_equal(word, slice_of("]]")))) {
        words_end(r);
        r->at += f->test; /* else it stands behind the test */
    } else {
        words_begin(r);
        r->at++;
    }
}

static void end_line(struct reader *r)
{
    words_end(r);
    if (reader_top(r)->state != IN_FUNCTION || reader_top(r)->closed)
        words_join(r, JOINT_END);
    r->at++;
    reader_skip_documents(r);
}

/* One of \n;&|()<>, outside quotes. */
static void take_operator(struct reader *r)
{
    char c = r->text.text[r->at];

    if (is_header(reader_top(r))) {
        take_in_header(r);
    } else if (reader_top(r)->test) {
        take_in_test(r);
    } else if (c == '<' || c == '>' || reader_begins(r, "&>")) {
        if (c == '&')
            words_end(r);
        take_redirection(r);
    } else if (c == '(') {
        take_parenthesis(r);
    } else if (c == ')') {
        words_join(r, JOINT_END);
        r->lost = r->lost || reader_top(r)->state != IN_PAREN;
        reader_close(r);
        r->at++;
    } else if (reader_begins(r, ";;") || reader_begins(r, ";&")) {
        end_clause(r);
    } else if (c == '\n') {
        end_line(r);
    } else {
        take_joint(r);
    }
}

/* ---- expansions -------------------------------------------------------------------------- */

/* The frame with the command that a word belongs to, whatever the word is in. */
static struct frame *frame_of_word(struct reader *r)
{
    size_t depth = r->depth;

    while (r->frames[depth].state >= IN_EXPANSION)
        depth--;
    return &r->frames[depth];
}

/* Behind $( or a like: commands within a word. */
static void substitute(struct reader *r, enum shell_role role, enum state state)
{
    struct frame *f = frame_of_word(r);
    size_t owner = f->owner;

    if (!is_header(f)) {
        size_t depth = r->depth;

        r->depth = (size_t)(f - r->frames);
        owner = reader_command(r);
        r->depth = depth;
    }
    (void)reader_push(r, (struct frame){ .state = state, .owner = owner,
                                         .list = reader_add_node(r, SHELL_LIST, role, owner) });
}

static void take_backtick(struct reader *r)
{
    bool within = false;

    for (size_t i = 0; i <= r->depth; i++)
        within = within || r->frames[i].state == IN_BACKTICK;
    if (within) {
        words_join(r, JOINT_END);
        r->lost = r->lost || reader_top(r)->state != IN_BACKTICK || reader_top(r)->quoted;
        reader_close(r);
        r->at++;
    } else {
        words_begin(r);
        r->at++;
        substitute(r, ROLE_SUBSTITUTION, IN_BACKTICK);
    }
}

/* Who asks for a status may do so in anything that is open here. */
static void mark_asking(struct reader *r)
{
    struct frame *f = frame_of_word(r);

    if (!is_header(f) && r->depth == (size_t)(f - r->frames))
        (void)reader_command(r);
    for (size_t i = 0; i <= r->depth; i++)
        if (r->frames[i].command != 0)
            r->tree->nodes[r->frames[i].command].asks = true;
}

/* At a dollar sign or a backtick, also in double quotes. */
static void take_dollar(struct reader *r)
{
    bool quoted = reader_top(r)->quoted || reader_top(r)->literal;

    if (reader_begins(r, "`")) {
        take_backtick(r);
        return;
    }
    words_begin(r);
    if (reader_begins(r, "$((")) {
        r->at += 3;
        (void)reader_push(r, (struct frame){ .state = IN_ARITHMETIC });
    } else if (reader_begins(r, "$(")) {
        r->at += 2;
        substitute(r, ROLE_SUBSTITUTION, IN_PAREN);
    } else if (reader_begins(r, "${")) {
        if (reader_begins(r, "${?"))
            mark_asking(r);
        r->at += reader_begins(r, "${#") ? 3 : 2;
        (void)reader_push(r, (struct frame){ .state = IN_EXPANSION, .literal = quoted });
    } else if (reader_begins(r, "$'") && !quoted) {
        r->at += 2;
        reader_skip_to(r, '\'', true);
    } else {
        if (reader_begins(r, "$?"))
            mark_asking(r);
        r->at++;
    }
}

/* In an expansion, an arithmetic expression or an array. */
static void take_inner(struct reader *r)
{
    struct frame *f = reader_top(r);
    char c = r->text.text[r->at++];

    if (f->state == IN_ARRAY && c == '#' && !f->in_word) {
        reader_skip_comment(r);
    } else if (f->state == IN_ARRAY) {
        f->in_word = strchr(" \t\n", c) == NULL;
        r->lost = r->lost || c == '(';
        if (c == ')')
            reader_close(r);
    } else if (f->state == IN_EXPANSION && c == '}') {
        reader_close(r);
    } else if (f->state == IN_ARITHMETIC && c == '(') {
        f->count++;
    } else if (f->state == IN_ARITHMETIC && c == ')' && f->count > 0) {
        f->count--;
    } else if (f->state == IN_ARITHMETIC && c == ')') {
        r->lost = r->lost || !reader_begins(r, ")"); /* it was a subshell in a substitution */
        r->at++;
        reader_close(r);
    }
}

static void take(struct reader *r)
{
    struct frame *f = reader_top(r);
    char c = r->text.text[r->at];

    if (reader_begins(r, "\\\n")) {
        r->at += 2;
    } else if (c == '\\') {
        words_begin(r);
        r->at += 2;
    } else if (c == '$' || c == '`') {
        take_dollar(r);
    } else if (c == '"') {
        words_begin(r);
        f->quoted = !f->quoted;
        r->at++;
    } else if (f->quoted) {
        r->at++;
    } else if (c == '\'' && !f->literal) {
        words_begin(r);
        r->at++;
        reader_skip_to(r, '\'', false);
    } else if (f->state >= IN_EXPANSION) {
        take_inner(r);
    } else if (c == '#' && !f->in_word) {
        reader_skip_comment(r);
    } else if (c == '\0' || c == ' ' || c == '\t') {
        words_end(r);
        r->at++;
    } else if (strchr("\n;&|<>()", c) != NULL) {
        take_operator(r);
    } else {
        words_begin(r);
        r->at++;
    }
}

bool shell_read(struct shell_tree *tree, struct slice text)
{
    struct reader r = { .tree = tree, .text = text };

    *tree = (struct shell_tree){ .word_count = 1 };
    (void)reader_add_node(&r, SHELL_LIST, ROLE_BODY, 0);
    while (!r.lost && r.at < r.text.len)
        take(&r);
    if (r.lost || r.at > r.text.len || reader_top(&r)->quoted)
        return false;
    words_join(&r, JOINT_END);
    return !r.lost && r.depth == 0;
}

void shell_free(struct shell_tree *tree)
{
    free(tree->nodes);
    free(tree->words);
}
