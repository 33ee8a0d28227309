/* expression.c - reads a regular expression as PCRE2 does, as far as it matters for what hosts it can match */
#include "patterns/expression.h"

#include <ctype.h>
#include <stdlib.h>

/* A set of characters on its way to one of kinds. */
struct characters {
    bool in[256];
    bool wild, numeric;
};

/* ---- characters -------------------------------------------------------------------------- */

static char peek(const struct parser *p, size_t offset)
{
    return (char)(p->at + offset < p->text.len ? p->text.text[p->at + offset] : '\0');
}

static bool take(struct parser *p, const char *words)
{
    size_t len = strlen(words);

    if (p->text.len - p->at < len || memcmp(p->text.text + p->at, words, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* Past the next `end`. */
static void skip_past(struct parser *p, char end)
{
    const char *found = memchr(p->text.text + p->at, end, p->text.len - p->at);

    p->lost = p->lost || found == NULL;
    p->at = found != NULL ? (size_t)(found - p->text.text) + 1 : p->text.len;
}

static void include(struct characters *set, unsigned char c)
{
    set->in[c] = true;
    set->in[tolower(c)] = set->in[toupper(c)] = true;
}

/* The members of a class that is named by a letter: \d, \W. */
static bool is_in_class(char class, unsigned char c)
{
    switch (tolower((unsigned char)class)) {
    case 'd': return isdigit(c) != 0;
    case 'w': return isalnum(c) != 0 || c == '_';
    case 's': return isspace(c) != 0;
    case 'h': return c == ' ' || c == '\t' || c == 0xa0;
    case 'v': return (c >= '\n' && c <= '\r') || c == 0x85;
    default: return c == '\n';
    }
}

static void include_class(struct characters *set, char class)
{
    set->wild = set->wild || class != 'd';
    for (unsigned c = 0; c < 256; c++)
        if (is_in_class(class, (unsigned char)c) != (isupper((unsigned char)class) != 0))
            set->in[c] = true;
}

/* \p{L} and \pN; of other properties nothing is known. */
static void include_property(struct parser *p, struct characters *set, bool without)
{
    bool braced = take(p, "{"), negated = braced && take(p, "^");
    char name = peek(p, 0);

    if (braced)
        skip_past(p, '}');
    else
        p->at++;
    for (unsigned c = 0; c < 256; c++)
        if (strchr("LN", name) == NULL || name == '\0' ||
            (name == 'L' ? isalpha((int)c) != 0 : isdigit((int)c) != 0) != (without != negated))
            set->in[c] = true;
    set->wild = true;
    set->numeric = set->numeric || name != 'L';
}

/* Digits of a number in a base, at most `most`. */
static unsigned char take_number(struct parser *p, int base, size_t most)
{
    char digits[8] = "";
    size_t used = 0;

    while (used < most && used < sizeof digits - 1 && isxdigit((unsigned char)peek(p, 0)) &&
           (base == 16 || strchr("01234567", peek(p, 0)) != NULL))
        digits[used++] = p->text.text[p->at++];
    return (unsigned char)strtoul(digits, NULL, base);
}

/* What stands behind a backslash for a single character: \x2e, \t, \. */
static unsigned char take_character(struct parser *p, char c)
{
    static const char controls[] = "aefnrt", meanings[] = "\a\033\f\n\r\t";
    const char *control = memchr(controls, c, sizeof controls - 1);

    if (control != NULL)
        return (unsigned char)meanings[control - controls];
    if (c == 'c')
        return p->at < p->text.len ? (unsigned char)(toupper((unsigned char)p->text.text[p->at++]) ^ 0x40) : 0;
    if (c == '0')
        return take_number(p, 8, 2);
    if ((c == 'x' || c == 'o') && take(p, "{")) {
        unsigned char number = take_number(p, c == 'x' ? 16 : 8, 7);

        skip_past(p, '}');
        return number;
    }
    return c == 'x' ? take_number(p, 16, 2) : (unsigned char)c;
}

/* An escape that stands for characters, behind its backslash; `single` is its only one, where it is one. */
static bool take_characters(struct parser *p, struct characters *set, unsigned char *single)
{
    char c = peek(p, 0);

    p->at++;
    if (c != '\0' && strchr("dDwWsShHvVN", c) != NULL) {
        include_class(set, c);
        return false;
    }
    if (c == 'p' || c == 'P') {
        include_property(p, set, c == 'P');
        return false;
    }
    *single = take_character(p, c);
    include(set, *single);
    return true;
}

/* [:alpha:] at `at` */
static bool take_posix(struct parser *p, struct characters *set)
{
    static const struct {
        char name[10];
        int (*is)(int c);
    } classes[] = { { "alpha", isalpha }, { "lower", isalpha }, { "upper", isalpha }, { "alnum", isalnum },
                    { "ascii", isascii }, { "blank", isblank }, { "cntrl", iscntrl }, { "digit", isdigit },
                    { "graph", isgraph }, { "print", isprint }, { "punct", ispunct }, { "space", isspace },
                    { "xdigit", isxdigit } };
    size_t before = p->at;
    bool negated;

    if (!take(p, "[:"))
        return false;
    negated = take(p, "^");
    for (size_t i = 0; i <= sizeof classes / sizeof classes[0]; i++) {
        bool word = i == sizeof classes / sizeof classes[0];

        if (!take(p, word ? "word" : classes[i].name))
            continue;
        for (int c = 0; c < 256; c++)
            if ((word ? isalnum(c) != 0 || c == '_' : classes[i].is(c) != 0) != negated)
                set->in[c] = true;
        set->wild = set->wild || negated;
        if (take(p, ":]"))
            return true;
    }
    p->at = before;
    return false;
}

/* One member of a class, or a range of them. */
static void take_member(struct parser *p, struct characters *set)
{
    unsigned char low, high;
    struct characters ignored = { .wild = false };

    if (take_posix(p, set))
        return;
    if (p->text.text[p->at] != '\\') {
        low = (unsigned char)p->text.text[p->at++];
        include(set, low);
    } else {
        p->at++;
        if (peek(p, 0) == 'b' && ++p->at > 0)
            return; /* a backspace */
        if (peek(p, 0) == 'Q' || peek(p, 0) == 'E') {
            p->lost = true; /* nobody does */
            return;
        }
        if (isdigit((unsigned char)peek(p, 0)))
            include(set, low = take_number(p, 8, 3));
        else if (!take_characters(p, set, &low))
            return;
    }
    if (peek(p, 0) != '-' || peek(p, 1) == ']' || p->at + 1 >= p->text.len)
        return;
    p->at++;
    if (p->text.text[p->at] != '\\') {
        high = (unsigned char)p->text.text[p->at++];
    } else {
        p->at++;
        if (!take_characters(p, &ignored, &high)) {
            p->lost = true; /* [a-\d] */
            return;
        }
    }
    for (unsigned c = low; c <= high; c++)
        include(set, (unsigned char)c);
}

static struct piece add_characters(struct parser *p, const struct characters *set)
{
    unsigned kinds = 0;

    for (unsigned c = 0; c < 256; c++)
        kinds |= set->in[c] ? automaton_kind((unsigned char)c) : 0;
    return automaton_set(p, kinds, set->wild, set->numeric);
}

/* A class, behind its bracket. [^7] tells digits apart, and so is about numbers; [^0-9] does not. */
static struct piece take_class(struct parser *p)
{
    struct characters set = { .wild = false };
    bool negated = take(p, "^"), first = true;
    unsigned digits = 0;

    for (; p->at < p->text.len && (first || p->text.text[p->at] != ']') && !p->lost; first = false)
        take_member(p, &set);
    skip_past(p, ']');
    for (unsigned c = '0'; c <= '9'; c++)
        digits += set.in[c];
    if (negated) {
        for (unsigned c = 0; c < 256; c++)
            set.in[c] = !set.in[c];
        set.wild = true;
        set.numeric = set.numeric || (digits > 0 && digits < 10);
    }
    return add_characters(p, &set);
}

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
    p->lost = p->lost || !take(p, ")");
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
    bool word = islower((unsigned char)peek(p, 0)) != 0;
    struct piece piece = automaton_piece(p, STEP_NUMERIC);

    p->vague = true;
    if (!word) {
        automaton.nodes[piece.first].other = p->accept;
        automaton.nodes[piece.first].step = STEP_EMPTY;
        skip_past(p, ')');
        automaton_join(&piece, automaton_piece(p, STEP_EMPTY));
        return piece;
    }
    skip_past(p, ':');
    automaton_join(&piece, automaton_repeat(p, take_group(p), true, false));
    return piece;
}

/* (?(1)yes|no), behind its second parenthesis */
static struct piece take_conditional(struct parser *p)
{
    p->vague = true;
    if (peek(p, 0) == '?' || peek(p, 0) == '*')
        p->lost = true;
    else
        skip_past(p, ')');
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
    if (take(p, ")")) {
        p->extended = extended;
        return automaton_piece(p, STEP_EMPTY);
    }
    (void)take(p, ":");
    on = p->extended;
    p->extended = extended;
    piece = take_group(p);
    p->extended = on;
    return piece;
}

/* A reference to a group, or what is not known. */
static struct piece take_reference(struct parser *p)
{
    skip_past(p, ')');
    return automaton_anything(p);
}

static struct piece take_named(struct parser *p, char end)
{
    skip_past(p, end);
    return take_group(p);
}

/* A group, behind (? */
static struct piece take_special(struct parser *p)
{
    if (take(p, ":") || take(p, ">") || take(p, "|"))
        return take_group(p);
    if (take(p, "=") || take(p, "<=") || take(p, "*") || take(p, "<*"))
        return take_look(p, false);
    if (take(p, "!") || take(p, "<!"))
        return take_look(p, true);
    if (take(p, "P<") || take(p, "<"))
        return take_named(p, '>');
    if (take(p, "'"))
        return take_named(p, '\'');
    if (take(p, "("))
        return take_conditional(p);
    if (take(p, "#")) {
        skip_past(p, ')');
        return automaton_piece(p, STEP_EMPTY);
    }
    if (strchr("P&R+0123456789", peek(p, 0)) != NULL || (peek(p, 0) == '-' && isdigit((unsigned char)peek(p, 1))))
        return take_reference(p);
    return take_options(p);
}

/* ---- atoms ------------------------------------------------------------------------------- */

static struct piece take_escape(struct parser *p)
{
    struct characters set = { .wild = false };
    unsigned char single;
    char c = peek(p, 0);

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
        if (strchr("{<'", peek(p, 0)) != NULL)
            skip_past(p, (char)(peek(p, 0) == '{' ? '}' : peek(p, 0) == '<' ? '>' : '\''));
        else
            (void)(take(p, "-") || take(p, "+"));
        break;
    case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': break;
    default:
        if (c == 'N' && peek(p, 1) == '{' && peek(p, 2) == 'U') {
            skip_past(p, '}');
            return automaton_anything(p);
        }
        (void)take_characters(p, &set, &single);
        return add_characters(p, &set);
    }
    while (isdigit((unsigned char)peek(p, 0)))
        p->at++;
    return automaton_anything(p);
}

static struct piece take_literal(struct parser *p)
{
    struct characters set = { .wild = false };

    if (p->literal && take(p, "\\E")) {
        p->literal = false;
        return automaton_piece(p, STEP_EMPTY);
    }
    include(&set, (unsigned char)p->text.text[p->at++]);
    return add_characters(p, &set);
}

static struct piece take_atom(struct parser *p)
{
    if (p->literal)
        return take_literal(p);
    if (take(p, "(?"))
        return take_special(p);
    if (take(p, "(*"))
        return take_verb(p);
    if (take(p, "("))
        return take_group(p);
    if (take(p, "[[:<:]]") || take(p, "[[:>:]]"))
        return automaton_piece(p, STEP_EMPTY);
    if (take(p, "["))
        return take_class(p);
    if (take(p, "\\"))
        return take_escape(p);
    if (take(p, "^"))
        return automaton_piece(p, STEP_BEGIN);
    if (take(p, "$"))
        return automaton_piece(p, STEP_END);
    if (take(p, "."))
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

    if (peek(p, 0) != '{')
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
            while (peek(p, 0) == ' ')
                p->at++;
            piece = automaton_repeat(p, piece, peek(p, 0) == '0' || peek(p, 0) == ',', true);
            p->picky = true; /* a number of them */
            p->at = end;
        } else if (take(p, "*")) {
            piece = automaton_repeat(p, piece, true, true);
        } else if (take(p, "+")) {
            piece = automaton_repeat(p, piece, false, true);
        } else if (take(p, "?")) {
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
    } while (!p->lost && take(p, "|"));
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
