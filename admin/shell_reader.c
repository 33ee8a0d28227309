/* shell_reader.c - what the grammar of shells is read with: the stack of what is open, and the nodes that are made */
#include "admin/shell_reader.h"

#include <stdlib.h>
#include <string.h>

/* ---- nodes and words --------------------------------------------------------------------- */

struct frame *reader_top(struct reader *r)
{
    return &r->frames[r->depth];
}

/* Room for one more in an array. */
static bool make_room(void **array, size_t *room, size_t count, size_t size)
{
    size_t wanted = *room == 0 ? 64 : 2 * *room;
    void *larger;

    if (count < *room)
        return true;
    larger = reallocarray(*array, wanted, size);
    if (larger == NULL)
        return false;
    *array = larger;
    *room = wanted;
    return true;
}

size_t reader_add_node(struct reader *r, enum shell_kind kind, enum shell_role role, size_t parent)
{
    struct shell_tree *tree = r->tree;
    size_t node = tree->node_count;
    void *nodes = tree->nodes;

    if (!make_room(&nodes, &tree->node_room, node, sizeof *tree->nodes)) {
        r->lost = true;
        return 0;
    }
    tree->nodes = nodes;
    tree->nodes[node] = (struct shell_node){ .kind = kind, .role = role, .parent = parent };
    tree->node_count++;
    if (node == 0)
        return 0;
    if (tree->nodes[parent].last != 0)
        tree->nodes[tree->nodes[parent].last].next = node;
    else
        tree->nodes[parent].first = node;
    tree->nodes[parent].last = node;
    return node;
}

void reader_add_word(struct reader *r, size_t node, struct slice text, bool assignment)
{
    struct shell_tree *tree = r->tree;
    struct shell_node *owner = &tree->nodes[node];
    void *words = tree->words;

    if (!make_room(&words, &tree->word_room, tree->word_count, sizeof *tree->words)) {
        r->lost = true;
        return;
    }
    tree->words = words;
    tree->words[tree->word_count] = (struct shell_word){ .text = text, .assignment = assignment };
    if (owner->last_word != 0)
        tree->words[owner->last_word].next = tree->word_count;
    else
        owner->word = tree->word_count;
    owner->last_word = tree->word_count++;
    owner->named = owner->named || !assignment;
}

struct frame *reader_push(struct reader *r, struct frame frame)
{
    if (r->depth + 1 == DEPTH)
        r->lost = true;
    else
        r->frames[++r->depth] = frame;
    return reader_top(r);
}

size_t reader_command(struct reader *r)
{
    struct frame *f = reader_top(r);

    if (f->command == 0) {
        f->command = reader_add_node(r, SHELL_SIMPLE, ROLE_BODY, f->list);
        r->tree->nodes[f->command].negated = f->negated;
        f->negated = false;
    }
    return f->command;
}

void reader_open(struct reader *r, enum shell_kind kind, enum shell_role role, enum state state)
{
    size_t node = reader_command(r);
    size_t list = state == IN_FOR || state == IN_CASE ? 0 : reader_add_node(r, SHELL_LIST, role, node);

    r->tree->nodes[node].kind = kind;
    reader_top(r)->closed = true; /* when we are back here */
    (void)reader_push(r, (struct frame){ .state = state, .owner = node, .list = list });
}

void reader_turn(struct reader *r, enum shell_role role, enum state state)
{
    struct frame *f = reader_top(r);

    f->list = reader_add_node(r, SHELL_LIST, role, f->owner);
    f->state = state;
    f->command = 0;
    f->closed = f->negated = false;
}

void reader_close(struct reader *r)
{
    if (r->depth > 0)
        r->depth--;
    else
        r->lost = true;
}

void reader_close_function(struct reader *r)
{
    if (reader_top(r)->state == IN_FUNCTION && reader_top(r)->closed)
        reader_close(r);
}

void reader_begin_function(struct reader *r, size_t node)
{
    size_t list = reader_add_node(r, SHELL_LIST, ROLE_BODY, node);

    r->tree->nodes[node].kind = SHELL_FUNCTION;
    reader_top(r)->closed = true;
    (void)reader_push(r, (struct frame){ .state = IN_FUNCTION, .owner = node, .list = list });
}

/* ---- the text ---------------------------------------------------------------------------- */

static struct slice reader_rest(const struct reader *r)
{
    return (struct slice){ r->text.text + r->at, r->text.len - r->at };
}

bool reader_begins(const struct reader *r, const char *text)
{
    struct slice rest = reader_rest(r);
    size_t len = strlen(text);

    return rest.len >= len && memcmp(rest.text, text, len) == 0;
}

void reader_skip_blanks(struct reader *r)
{
    while (reader_begins(r, " ") || reader_begins(r, "\t"))
        r->at++;
}

bool reader_skip_parentheses(struct reader *r)
{
    size_t at = r->at;

    reader_skip_blanks(r);
    if (reader_begins(r, "(")) {
        r->at++;
        reader_skip_blanks(r);
        if (reader_begins(r, ")")) {
            r->at++;
            return true;
        }
    }
    r->at = at;
    return false;
}

void reader_skip_to(struct reader *r, char end, bool escapes)
{
    while (r->at < r->text.len && r->text.text[r->at] != end)
        r->at += escapes && r->text.text[r->at] == '\\' ? 2 : 1;
    r->lost = r->lost || r->at >= r->text.len;
    r->at++;
}

void reader_skip_comment(struct reader *r)
{
    const char *lf = memchr(reader_rest(r).text, '\n', reader_rest(r).len);

    r->at = lf != NULL ? (size_t)(lf - r->text.text) : r->text.len;
}

/* Is this line the word that ends a here-document, apart from the quotes in that? */
static bool ends_document(struct slice line, struct slice word)
{
    size_t i = 0;

    for (size_t w = 0; w < word.len; w++) {
        if (strchr("'\"\\", word.text[w]) != NULL)
            continue;
        if (i == line.len || line.text[i++] != word.text[w])
            return false;
    }
    return i == line.len;
}

void reader_skip_documents(struct reader *r)
{
    for (size_t i = 0; i < r->document_count;) {
        struct slice line = reader_rest(r);
        const char *lf = memchr(line.text, '\n', line.len);

        if (line.len == 0)
            break;
        line.len = lf != NULL ? (size_t)(lf - line.text) : line.len;
        r->at += line.len + (lf != NULL);
        while (line.len > 0 && *line.text == '\t')
            line = (struct slice){ line.text + 1, line.len - 1 };
        i += ends_document(line, r->documents[i]);
    }
    r->document_count = 0;
}
