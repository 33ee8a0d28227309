/* expression.c - reads a regular expression as PCRE2 does, as far as it matters for what hosts it can match */
#include "patterns/expression.h"

#include <ctype.h>

#include "patterns/class.h"

/* ---- groups ------------------------------------------------------------------------------ */

/* NOLINTBEGIN(misc-no-recursion): groups nest no deeper than AUTOMATON_NESTING */

static struct piece take_alternatives(struct parser *p);

/* The alternative at hand begins: from now on it can be told apart from the others. */
static struct arm *begin_arm(struct parser *p, unsigned group, struct piece *piece)
{
    struct arm *arm = p->arm_count < AUTOMATON_ARMS && p->looking == 0 ? &automaton.arms[p->arm_count] : NULL;

    *piece = automaton_piece(p, STEP_ARM);
    automaton.nodes[piece->first].arm = arm != NULL ? (uint16_t)p->arm_count : AUTOMATON_ARMS;
    if (arm == NULL) {
        p->vague = p->vague || p->looking == 0;
        return NULL;
    }
    *arm = (struct arm){ .begin = p->at, .group = group };
    p->arm_count++;
    return arm;
}

/* The rest of a group, with its parenthesis. */
static struct piece take_group(struct parser *p)
{
    bool extended = p->extended;
    struct piece piece;

    if (++p->nesting > AUTOMATON_NESTING)
        p->lost = true;
    piece = p->lost ? automaton_piece(p, STEP_EMPTY) : take_alternatives(p);
    p->nesting--;
    p->lost = p->lost || !class_take_words(p, ")");
    p->extended = extended; /* options hold to the end of their group */
    return piece;
}

/* The rest of a look-around. What stands in it is looked at by itself. */
static struct piece take_look(struct parser *p, bool negated)
{
    struct piece inner;
    unsigned found;

    p->looking++;
    inner = take_group(p);
    p->looking--;
    automaton_join(&inner, automaton_piece(p, STEP_ACCEPT));
    found = p->lost ? 0 : automaton_visit(p, inner.first);
    if ((found & (FOUND_ADDRESS | FOUND_NEUTRAL)) == 0)
        return automaton_piece(p, negated ? STEP_EMPTY : STEP_NAME);
    return automaton_piece(p, negated || (found & FOUND_ADDRESS) != 0 ? STEP_NUMERIC : STEP_EMPTY);
}

/* (*VERB) may end the match; (*pla:...) and its like hold a group. */
static struct piece take_verb(struct parser *p)
{
    bool word = islower((unsigned char)class_peek(p, 0)) != 0;
    struct piece piece = automaton_piece(p, STEP_NUMERIC);

    p->vague = true;
    if (!word) {
        automaton.nodes[piece.first].other = p->accept;
        automaton.nodes[piece.first].step = STEP_EMPTY;
        class_skip_past(p, ')');
        automaton_join(&piece, automaton_piece(p, STEP_EMPTY));
        return piece;
    }
    class_skip_past(p, ':');
    automaton_join(&piece, automaton_repeat(p, take_group(p), true, false));
    return piece;
}

/* (?(1)yes|no), behind its second parenthesis */
static struct piece take_conditional(struct parser *p)
{
    p->vague = true;
    if (class_peek(p, 0) == '?' || class_peek(p, 0) == '*')
        p->lost = true;
    else
        class_skip_past(p, ')');
    return automaton_repeat(p, take_group(p), true, false);
}

/* (?i), (?x-s:...) */
static struct piece take_options(struct parser *p)
{
    bool on = true, extended = p->extended;
    struct piece piece;

    for (; p->at < p->text.len && strchr(":)", p->text.text[p->at]) == NULL; p->at++) {
        char c = p->text.text[p->at];

        if (c == '\0' || strchr("imnsxaDSWPTJUr^-", c) == NULL)
            p->lost = true;
        p->vague = p->vague || strchr("ims", c) == NULL;
        on = on && c != '-';
        if (c == 'x' || c == '^')
            extended = c == 'x' && on;
    }
    if (class_take_words(p, ")")) {
        p->extended = extended;
        return automaton_piece(p, STEP_EMPTY);
    }
    (void)class_take_words(p, ":");
    on = p->extended;
    p->extended = extended;
    piece = take_group(p);
    p->extended = on;
    return piece;
}

/* A reference to a group, or what is not known. */
static struct piece take_reference(struct parser *p)
{
    class_skip_past(p, ')');
    return automaton_anything(p);
}

static struct piece take_named(struct parser *p, char end)
{
    class_skip_past(p, end);
    return take_group(p);
}

/* A group, behind (? */
static struct piece take_special(struct parser *p)
{
    if (class_take_words(p, ":") || class_take_words(p, ">") || class_take_words(p, "|"))
        return take_group(p);
    if (class_take_words(p, "=") || class_take_words(p, "<=") || class_take_words(p, "*") || class_take_words(p, "<*"))
        return take_look(p, false);
    if (class_take_words(p, "!") || class_take_words(p, "<!"))
        return take_look(p, true);
    if (class_take_words(p, "P<") || class_take_words(p, "<"))
        return take_named(p, '>');
    if (class_take_words(p, "'"))
        return take_named(p, '\'');
    if (class_take_words(p, "("))
        return take_conditional(p);
    if (class_take_words(p, "#")) {
        class_skip_past(p, ')');
        return automaton_piece(p, STEP_EMPTY);
    }
    if (strchr("P&R+0123456789", class_peek(p, 0)) != NULL ||
        (class_peek(p, 0) == '-' && isdigit((unsigned char)class_peek(p, 1))))
        return take_reference(p);
    return take_options(p);
}

/* ---- atoms ------------------------------------------------------------------------------- */

static struct piece take_escape(struct parser *p)
{
    struct characters set = { .wild = false };
    unsigned char single;
    char c = class_peek(p, 0);

    p->lost = p->lost || p->at == p->text.len;
    switch (c) {
    case 'A': p->at++; return automaton_piece(p, STEP_BEGIN);
    case 'z': case 'Z': p->at++; return automaton_piece(p, STEP_END);
    case 'b': case 'B': case 'G': case 'K': case 'E': p->at++; return automaton_piece(p, STEP_EMPTY);
    case 'Q': p->at++; p->literal = true; return automaton_piece(p, STEP_EMPTY);
    case 'R': p->at++; return automaton_set(p, NEITHER, false, false);
    case 'C': p->at++; return automaton_set(p, ALL, true, false);
    case 'X': p->at++; return automaton_repeat(p, automaton_set(p, ALL, true, false), false, true);
    case 'g': case 'k':
        p->at++;
        if (strchr("{<'", class_peek(p, 0)) != NULL)
            class_skip_past(p, (char)(class_peek(p, 0) == '{' ? '}' : class_peek(p, 0) == '<' ? '>' : '\''));
        else
            (void)(class_take_words(p, "-") || class_take_words(p, "+"));
        break;
    case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': break;
    default:
        if (c == 'N' && class_peek(p, 1) == '{' && class_peek(p, 2) == 'U') {
            class_skip_past(p, '}');
            return automaton_anything(p);
        }
        (void)class_take_characters(p, &set, &single);
        return class_add_characters(p, &set);
    }
    while (isdigit((unsigned char)class_peek(p, 0)))
        p->at++;
    return automaton_anything(p);
}

static struct piece take_literal(struct parser *p)
{
    struct characters set = { .wild = false };

    if (p->literal && class_take_words(p, "\\E")) {
        p->literal = false;
        return automaton_piece(p, STEP_EMPTY);
    }
    class_include(&set, (unsigned char)p->text.text[p->at++]);
    return class_add_characters(p, &set);
}

static struct piece take_atom(struct parser *p)
{
    if (p->literal)
        return take_literal(p);
    if (class_take_words(p, "(?"))
        return take_special(p);
    if (class_take_words(p, "(*"))
        return take_verb(p);
    if (class_take_words(p, "("))
        return take_group(p);
    if (class_take_words(p, "[[:<:]]") || class_take_words(p, "[[:>:]]"))
        return automaton_piece(p, STEP_EMPTY);
    if (class_take_words(p, "["))
        return class_read(p);
    if (class_take_words(p, "\\"))
        return take_escape(p);
    if (class_take_words(p, "^"))
        return automaton_piece(p, STEP_BEGIN);
    if (class_take_words(p, "$"))
        return automaton_piece(p, STEP_END);
    if (class_take_words(p, "."))
        return automaton_set(p, ALL, true, false);
    return take_literal(p);
}

/* Blanks and comments, where (?x) makes them such. */
static void skip_extended(struct parser *p)
{
    while (p->extended && !p->literal && p->at < p->text.len &&
           (isspace((unsigned char)p->text.text[p->at]) || p->text.text[p->at] == '#')) {
        const char *rest = p->text.text + p->at, *lf = memchr(rest, '\n', p->text.len - p->at);

        p->at = *rest != '#' ? p->at + 1 : lf != NULL ? (size_t)(lf - p->text.text) + 1 : p->text.len;
    }
}

/* Behind {2,} at hand; 0 if there is nothing of the kind. What may be one in some version of PCRE2 counts as one. */
static size_t braces_end(const struct parser *p)
{
    size_t at = p->at + 1;
    bool digits = false;

    if (class_peek(p, 0) != '{')
        return 0;
    for (; at < p->text.len && strchr("0123456789, ", p->text.text[at]) != NULL && p->text.text[at] != '\0'; at++)
        digits = digits || isdigit((unsigned char)p->text.text[at]);
    return digits && at < p->text.len && p->text.text[at] == '}' ? at + 1 : 0;
}

static struct piece take_quantified(struct parser *p)
{
    struct piece piece = take_atom(p);
    size_t end;

    for (skip_extended(p); !p->literal && !p->lost; skip_extended(p)) {
        end = braces_end(p);
        if (end > 0) {
            p->at++;
            while (class_peek(p, 0) == ' ')
                p->at++;
            piece = automaton_repeat(p, piece, class_peek(p, 0) == '0' || class_peek(p, 0) == ',', true);
            p->picky = true; /* a number of them */
            p->at = end;
        } else if (class_take_words(p, "*")) {
            piece = automaton_repeat(p, piece, true, true);
        } else if (class_take_words(p, "+")) {
            piece = automaton_repeat(p, piece, false, true);
        } else if (class_take_words(p, "?")) {
            piece = automaton_repeat(p, piece, true, false);
        } else {
            break;
        }
    }
    return piece;
}

static struct piece take_sequence(struct parser *p, struct piece piece)
{
    for (skip_extended(p); p->at < p->text.len && !p->lost; skip_extended(p)) {
        if (!p->literal && strchr("|)", p->text.text[p->at]) != NULL && p->text.text[p->at] != '\0')
            break;
        automaton_join(&piece, take_quantified(p));
    }
    return piece;
}

static struct piece take_alternatives(struct parser *p)
{
    struct piece whole = automaton_piece(p, STEP_EMPTY), arm;
    uint16_t fork = whole.first, end = automaton_node(p, STEP_EMPTY);
    size_t first = p->arm_count;
    unsigned group = p->groups++, count = 0;

    do {
        struct arm *named = begin_arm(p, group, &arm);

        automaton.nodes[fork].next = arm.first;
        arm = take_sequence(p, arm);
        automaton.nodes[arm.last].next = end;
        if (named != NULL)
            named->end = p->at;
        automaton.nodes[fork].other = automaton_node(p, STEP_EMPTY);
        fork = automaton.nodes[fork].other;
        count++;
    } while (!p->lost && class_take_words(p, "|"));
    automaton.nodes[fork].step = STEP_SET; /* of no kind: nothing goes on there */
    for (size_t i = first; i < p->arm_count; i++)
        if (automaton.arms[i].group == group)
            automaton.arms[i].count = count;
    whole.last = end;
    return whole;
}

/* NOLINTEND(misc-no-recursion) */

uint16_t expression_build(struct parser *p, struct slice pattern)
{
    struct piece whole;

    *p = (struct parser){ .text = pattern, .node_count = 1 };
    p->accept = automaton_node(p, STEP_ACCEPT);
    whole = take_alternatives(p);
    p->lost = p->lost || p->at < pattern.len;
    automaton.nodes[whole.last].next = p->accept;
    return whole.first;
}
