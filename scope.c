/* scope.c - what a regular expression for hosts can match: addresses, names, or both */
/*
 * The expression becomes an automaton whose steps are kinds of characters. Repetitions are taken as any number, and
 * what is not understood as any text: it accepts what the expression matches, and more. Then all of it that can be
 * reached is visited, together with what is known of the text so far.
 */
#include "scope.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>

#include "late.h"
#include "text.h"

/* Kinds of characters. HEX are the letters up to f. Hyphen, underscore and bytes beyond ASCII are in names only. */
enum kind { DIGIT = 1, HEX = 2, LETTER = 4, DOT = 8, COLON = 16, NAMELY = 32, NEITHER = 64, ALL = 127 };

enum {
    NODES = 2048, /* for an expression of about as many characters */
    ARMS = 64,    /* alternatives that can be told apart */
    NESTING = 250 /* groups in groups, as many as PCRE2 takes */
};

enum step {
    STEP_EMPTY,
    STEP_SET,     /* a character of some kinds */
    STEP_BEGIN,
    STEP_END,
    STEP_NUMERIC, /* insists on a digit or a colon */
    STEP_NAME,    /* no address has what is wanted here */
    STEP_ARM,     /* an alternative begins */
    STEP_ACCEPT
};

struct node {
    enum step step;
    unsigned char set;    /* of enum kind */
    bool wild, numeric;   /* the set: one of many, as of a dot; insists on a digit or a colon */
    uint16_t arm;
    uint16_t next, other; /* 0: none */
};

/* What is known of the text on a way through the automaton, as a set of bits: */
enum known {
    /* if it is a part of an address, it ends in a group */
    IN_DIGITS = 1, /* of digits */
    IN_HEX = 2,    /* with letters */
    IN_DOTTED = 4, /* with dots */
    IN_ANY = 7,
    HAS_COLON = 8,
    HAS_NUMBER = 16,  /* something insisted on a digit or a colon */
    HAS_BEGIN = 32,
    HAS_END = 64,
    IS_NO_NAME = 128,
    HAS_LETTER = 256, /* something insisted on one of the letters that addresses have */
    STATES = 512
};

/* What has been found at the end of all ways. */
enum found { FOUND_ADDRESS = 1, FOUND_NAME = 2, FOUND_NEUTRAL = 4, FOUND_HEXADECIMAL = 8 };

/* An alternative of a group, or of the whole. */
struct arm {
    size_t begin, end; /* in the text, without the | */
    unsigned group, count; /* 0: the whole; how many alternatives the group has */
    bool disabled;
};

struct piece {
    uint16_t first, last;
};

/* A set of characters on its way to one of kinds. */
struct characters {
    bool in[256];
    bool wild, numeric;
};

static LATE struct automaton {
    struct node nodes[NODES];
    uint64_t reached[NODES][STATES / 64], ahead[NODES][STATES / 64];
    uint16_t queue[NODES];
    bool queued[NODES];
    struct arm arms[ARMS];
} automaton;

static struct node *const nodes = automaton.nodes;

struct parser {
    struct slice text;
    size_t at;
    size_t node_count, arm_count;
    unsigned groups, nesting, looking; /* how many groups there are, are open, and are look-arounds */
    uint16_t accept;
    bool extended; /* (?x): blanks and comments */
    bool literal;  /* between \Q and \E */
    bool vague;    /* alternatives cannot be taken out: there are references, or options that change on the way */
    bool lost;     /* too long, or not understood at all */
    bool picky;    /* there is more than any characters, any number of them */
};

/* ---- building ---------------------------------------------------------------------------- */

static uint16_t add_node(struct parser *p, enum step step)
{
    p->lost = p->lost || p->node_count == NODES;
    if (p->lost)
        return 1; /* nobody will look */
    nodes[p->node_count] = (struct node){ .step = step };
    return (uint16_t)p->node_count++;
}

static struct piece piece_of(struct parser *p, enum step step)
{
    uint16_t node = add_node(p, step);

    return (struct piece){ node, node };
}

static struct piece add_set(struct parser *p, unsigned set, bool wild, bool numeric)
{
    struct piece piece = piece_of(p, STEP_SET);

    nodes[piece.first].set = (unsigned char)set;
    nodes[piece.first].wild = wild;
    nodes[piece.first].numeric = numeric || ((set & (HEX | LETTER)) == 0 && (set & (DIGIT | COLON)) != 0);
    p->picky = p->picky || set != ALL;
    return piece;
}

static void join(struct piece *before, struct piece after)
{
    nodes[before->last].next = after.first;
    before->last = after.last;
}

/* The piece, perhaps not at all, perhaps several times. */
static struct piece repeat(struct parser *p, struct piece piece, bool optional, bool many)
{
    struct piece whole = { add_node(p, STEP_EMPTY), add_node(p, STEP_EMPTY) };

    nodes[whole.first].next = piece.first;
    nodes[whole.first].other = optional ? whole.last : 0;
    nodes[piece.last].next = whole.last;
    nodes[piece.last].other = many ? piece.first : 0;
    return whole;
}

/* Any text, and a number in it. */
static struct piece add_anything(struct parser *p)
{
    struct piece piece = piece_of(p, STEP_NUMERIC);

    p->vague = true;
    join(&piece, repeat(p, add_set(p, ALL, false, true), true, true));
    return piece;
}

/* ---- visiting ---------------------------------------------------------------------------- */

static unsigned kind_of(unsigned char c)
{
    if (c >= 0x80 || c == '-' || c == '_')
        return NAMELY;
    if (isdigit(c))
        return DIGIT;
    if (isalpha(c))
        return isxdigit(c) ? HEX : LETTER;
    return c == '.' ? DOT : c == ':' ? COLON : NEITHER;
}

/* What is known behind a character that may be of these kinds. */
static unsigned behind(unsigned known, unsigned set)
{
    unsigned in = known & IN_ANY, then = 0;

    if ((set & DIGIT) != 0)
        then |= in;
    if ((set & HEX) != 0 && (in & (IN_DIGITS | IN_HEX)) != 0)
        then |= IN_HEX;
    if ((set & DOT) != 0 && (in & (IN_DIGITS | IN_DOTTED)) != 0)
        then |= IN_DOTTED;
    if ((set & COLON) != 0 && in != 0)
        then |= IN_DIGITS;
    known = (known & ~(unsigned)IN_ANY) | then;
    if ((set & COLON) != 0)
        known |= HAS_COLON;
    if ((set & (DIGIT | HEX | LETTER | DOT | NAMELY)) == 0)
        known |= IS_NO_NAME;
    return known;
}

/* Passes on to a node what is known before it. */
static void reach(uint16_t node, unsigned known, size_t *waiting)
{
    uint64_t bit = UINT64_C(1) << known % 64;

    if (node == 0 || (automaton.reached[node][known / 64] & bit) != 0 || ((known & IN_ANY) == 0 && (known & IS_NO_NAME) != 0))
        return;
    automaton.reached[node][known / 64] |= bit;
    automaton.ahead[node][known / 64] |= bit;
    if (!automaton.queued[node])
        automaton.queue[(*waiting)++] = node;
    automaton.queued[node] = true;
}

static unsigned judge(unsigned known)
{
    unsigned found = 0;

    if ((known & HAS_BEGIN) != 0 && (known & HAS_END) != 0 && (known & HAS_COLON) == 0)
        known &= ~(unsigned)IN_HEX; /* all of the text, with letters and without a colon: no address */
    if ((known & IN_ANY) == 0 || (known & HAS_NUMBER) == 0)
        found |= (known & IS_NO_NAME) == 0 ? FOUND_NAME : 0;
    if ((known & IN_ANY) != 0)
        found |= (known & HAS_NUMBER) != 0 ? FOUND_ADDRESS : FOUND_NEUTRAL;
    if ((found & FOUND_NEUTRAL) != 0 && (known & HAS_LETTER) != 0)
        found |= FOUND_HEXADECIMAL;
    return found;
}

static void pass_set(const struct node *n, unsigned known, size_t *waiting)
{
    known |= n->numeric ? HAS_NUMBER : 0;
    known |= (n->set & HEX) != 0 && (n->set & LETTER) == 0 ? HAS_LETTER : 0;
    for (unsigned kind = 1; kind < ALL; kind <<= 1) { /* one of many: all at once */
        unsigned set = n->wild ? n->set : n->set & kind;

        if (set != 0) {
            reach(n->next, behind(known, set), waiting);
            reach(n->other, behind(known, set), waiting);
        }
        if (n->wild)
            break;
    }
}

/* Goes on from a node with what is known. */
static unsigned pass(const struct node *n, unsigned known, size_t *waiting)
{
    switch (n->step) {
    case STEP_ACCEPT: return judge(known);
    case STEP_SET: pass_set(n, known, waiting); return 0;
    case STEP_BEGIN: known |= HAS_BEGIN; break;
    case STEP_END: known |= HAS_END; break;
    case STEP_NUMERIC: known |= HAS_NUMBER; break;
    case STEP_NAME: known &= ~(unsigned)IN_ANY; break;
    case STEP_ARM:
        if (n->arm < ARMS && automaton.arms[n->arm].disabled)
            return 0;
        break;
    case STEP_EMPTY: break;
    }
    reach(n->next, known, waiting);
    reach(n->other, known, waiting);
    return 0;
}

/* Visits all that can be reached from a node. Returns a set of enum found. */
static unsigned visit(const struct parser *p, uint16_t first)
{
    unsigned found = 0;
    size_t waiting = 0;

    memset(automaton.reached, 0, p->node_count * sizeof automaton.reached[0]);
    reach(first, IN_DIGITS, &waiting); /* any address can go on from there */
    while (waiting > 0) {
        uint16_t node = automaton.queue[--waiting];

        automaton.queued[node] = false;
        for (unsigned known = 0; known < STATES; known++) {
            uint64_t *ahead = &automaton.ahead[node][known / 64], bit = UINT64_C(1) << known % 64;

            if (*ahead == 0) {
                known |= 63;
                continue;
            }
            if ((*ahead & bit) != 0) {
                *ahead &= ~bit;
                found |= pass(&nodes[node], known, &waiting);
            }
        }
    }
    return found;
}

/* ---- characters -------------------------------------------------------------------------- */

static char peek(const struct parser *p, size_t offset)
{
    return p->at + offset < p->text.len ? p->text.text[p->at + offset] : '\0';
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
        kinds |= set->in[c] ? kind_of((unsigned char)c) : 0;
    return add_set(p, kinds, set->wild, set->numeric);
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

/* NOLINTBEGIN(misc-no-recursion): groups nest no deeper than NESTING */

static struct piece take_alternatives(struct parser *p);

/* The alternative at hand begins: from now on it can be told apart from the others. */
static struct arm *begin_arm(struct parser *p, unsigned group, struct piece *piece)
{
    struct arm *arm = p->arm_count < ARMS && p->looking == 0 ? &automaton.arms[p->arm_count] : NULL;

    *piece = piece_of(p, STEP_ARM);
    nodes[piece->first].arm = arm != NULL ? (uint16_t)p->arm_count : ARMS;
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

    if (++p->nesting > NESTING)
        p->lost = true;
    piece = p->lost ? piece_of(p, STEP_EMPTY) : take_alternatives(p);
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
    join(&inner, piece_of(p, STEP_ACCEPT));
    found = p->lost ? 0 : visit(p, inner.first);
    if ((found & (FOUND_ADDRESS | FOUND_NEUTRAL)) == 0)
        return piece_of(p, negated ? STEP_EMPTY : STEP_NAME);
    return piece_of(p, negated || (found & FOUND_ADDRESS) != 0 ? STEP_NUMERIC : STEP_EMPTY);
}

/* (*VERB) may end the match; (*pla:...) and its like hold a group. */
static struct piece take_verb(struct parser *p)
{
    bool word = islower((unsigned char)peek(p, 0)) != 0;
    struct piece piece = piece_of(p, STEP_NUMERIC);

    p->vague = true;
    if (!word) {
        nodes[piece.first].other = p->accept;
        nodes[piece.first].step = STEP_EMPTY;
        skip_past(p, ')');
        join(&piece, piece_of(p, STEP_EMPTY));
        return piece;
    }
    skip_past(p, ':');
    join(&piece, repeat(p, take_group(p), true, false));
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
    return repeat(p, take_group(p), true, false);
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
        return piece_of(p, STEP_EMPTY);
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
    return add_anything(p);
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
        return piece_of(p, STEP_EMPTY);
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
    case 'A': p->at++; return piece_of(p, STEP_BEGIN);
    case 'z': case 'Z': p->at++; return piece_of(p, STEP_END);
    case 'b': case 'B': case 'G': case 'K': case 'E': p->at++; return piece_of(p, STEP_EMPTY);
    case 'Q': p->at++; p->literal = true; return piece_of(p, STEP_EMPTY);
    case 'R': p->at++; return add_set(p, NEITHER, false, false);
    case 'C': p->at++; return add_set(p, ALL, true, false);
    case 'X': p->at++; return repeat(p, add_set(p, ALL, true, false), false, true);
    case 'g': case 'k':
        p->at++;
        if (strchr("{<'", peek(p, 0)) != NULL)
            skip_past(p, peek(p, 0) == '{' ? '}' : peek(p, 0) == '<' ? '>' : '\'');
        else
            (void)(take(p, "-") || take(p, "+"));
        break;
    case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9': break;
    default:
        if (c == 'N' && peek(p, 1) == '{' && peek(p, 2) == 'U') {
            skip_past(p, '}');
            return add_anything(p);
        }
        (void)take_characters(p, &set, &single);
        return add_characters(p, &set);
    }
    while (isdigit((unsigned char)peek(p, 0)))
        p->at++;
    return add_anything(p);
}

static struct piece take_literal(struct parser *p)
{
    struct characters set = { .wild = false };

    if (p->literal && take(p, "\\E")) {
        p->literal = false;
        return piece_of(p, STEP_EMPTY);
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
        return piece_of(p, STEP_EMPTY);
    if (take(p, "["))
        return take_class(p);
    if (take(p, "\\"))
        return take_escape(p);
    if (take(p, "^"))
        return piece_of(p, STEP_BEGIN);
    if (take(p, "$"))
        return piece_of(p, STEP_END);
    if (take(p, "."))
        return add_set(p, ALL, true, false);
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
            piece = repeat(p, piece, peek(p, 0) == '0' || peek(p, 0) == ',', true);
            p->picky = true; /* a number of them */
            p->at = end;
        } else if (take(p, "*")) {
            piece = repeat(p, piece, true, true);
        } else if (take(p, "+")) {
            piece = repeat(p, piece, false, true);
        } else if (take(p, "?")) {
            piece = repeat(p, piece, true, false);
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
        join(&piece, take_quantified(p));
    }
    return piece;
}

static struct piece take_alternatives(struct parser *p)
{
    struct piece whole = piece_of(p, STEP_EMPTY), arm;
    uint16_t fork = whole.first, end = add_node(p, STEP_EMPTY);
    size_t first = p->arm_count;
    unsigned group = p->groups++, count = 0;

    do {
        struct arm *named = begin_arm(p, group, &arm);

        nodes[fork].next = arm.first;
        arm = take_sequence(p, arm);
        nodes[arm.last].next = end;
        if (named != NULL)
            named->end = p->at;
        nodes[fork].other = add_node(p, STEP_EMPTY);
        fork = nodes[fork].other;
        count++;
    } while (!p->lost && take(p, "|"));
    nodes[fork].step = STEP_SET; /* of no kind: nothing goes on there */
    for (size_t i = first; i < p->arm_count; i++)
        if (automaton.arms[i].group == group)
            automaton.arms[i].count = count;
    whole.last = end;
    return whole;
}

/* NOLINTEND(misc-no-recursion) */

/* ---- the whole --------------------------------------------------------------------------- */

/* Builds the automaton of an expression; it begins with the node that is returned. */
static uint16_t build(struct parser *p, struct slice pattern)
{
    struct piece whole;

    *p = (struct parser){ .text = pattern, .node_count = 1 };
    p->accept = add_node(p, STEP_ACCEPT);
    whole = take_alternatives(p);
    p->lost = p->lost || p->at < pattern.len;
    nodes[whole.last].next = p->accept;
    return whole.first;
}

enum scope scope_of(struct slice pattern)
{
    struct parser p;
    uint16_t first = build(&p, pattern);
    unsigned found = p.lost ? FOUND_ADDRESS | FOUND_NAME : p.picky ? visit(&p, first) : FOUND_ADDRESS;

    if ((found & FOUND_ADDRESS) != 0)
        return (found & FOUND_NAME) != 0 ? SCOPE_BOTH : SCOPE_ADDRESSES;
    return (found & FOUND_NAME) != 0 ? SCOPE_NAMES : SCOPE_NONE;
}

bool scope_is_hexadecimal(struct slice pattern)
{
    struct parser p;
    uint16_t first = build(&p, pattern);

    return !p.lost && (visit(&p, first) & FOUND_HEXADECIMAL) != 0;
}

static bool is_around(const struct arm *outer, const struct arm *inner)
{
    return outer->begin <= inner->begin && inner->end <= outer->end;
}

/* Disables all that is an alternative to this arm or to one around it. */
static void leave_alone(struct parser *p, size_t alone)
{
    struct arm *arms = automaton.arms;

    for (size_t i = 0; i < p->arm_count; i++)
        for (size_t j = 0; is_around(&arms[i], &arms[alone]) && j < p->arm_count; j++)
            arms[j].disabled = arms[j].disabled || (j != i && arms[j].group == arms[i].group);
}

/* What can be found on the ways through an arm that is not disabled. */
static unsigned visit_alone(struct parser *p, uint16_t first, size_t alone)
{
    bool disabled[ARMS];
    unsigned found;

    for (size_t i = 0; i < p->arm_count; i++)
        disabled[i] = automaton.arms[i].disabled;
    leave_alone(p, alone);
    found = visit(p, first);
    for (size_t i = 0; i < p->arm_count; i++)
        automaton.arms[i].disabled = disabled[i];
    return found;
}

/* Disables the alternatives that are for addresses only; `mixed`: the outermost ones with ways of both kinds, too. */
static void disable_arms(struct parser *p, uint16_t first, bool mixed)
{
    bool disable[ARMS] = { false };

    for (size_t i = 0; i < p->arm_count; i++) {
        const struct arm *arm = &automaton.arms[i];
        unsigned found = arm->count > 1 && !arm->disabled && (!mixed || arm->group == 0) ? visit_alone(p, first, i) : 0;

        disable[i] = (found & FOUND_ADDRESS) != 0 && (mixed || (found & FOUND_NAME) == 0);
    }
    for (size_t i = 0; i < p->arm_count; i++)
        automaton.arms[i].disabled = automaton.arms[i].disabled || disable[i];
}

/* The disabled alternative that begins at this offset, the outermost one. */
static const struct arm *disabled_at(const struct parser *p, size_t at)
{
    for (size_t i = 0; i < p->arm_count; i++) /* outer ones stand before inner ones */
        if (automaton.arms[i].disabled && automaton.arms[i].begin == at)
            return &automaton.arms[i];
    return NULL;
}

/* Copies the expression without its disabled alternatives. False: there is not enough room. */
static bool copy_enabled(const struct parser *p, struct text *out)
{
    for (size_t at = 0; at < p->text.len;) {
        const struct arm *arm = disabled_at(p, at);

        if (arm == NULL) {
            text_put(out, (struct slice){ p->text.text + at++, 1 });
            continue;
        }
        at = arm->end;
        if (at < p->text.len && p->text.text[at] == '|')
            at++;
        else if (out->len > 0 && out->bytes[out->len - 1] == '|') /* the last of its group */
            out->len--;
        else
            return false; /* the only one that was left */
    }
    return out->len > 0 && out->len < out->size;
}

bool scope_names_part(struct slice pattern, bool doubtful, char *out, size_t size, struct slice *part)
{
    struct text text = { out, size, 0 };
    struct parser p;
    uint16_t first = build(&p, pattern);

    if (p.lost || p.vague)
        return false;
    disable_arms(&p, first, false);
    if (doubtful && (visit(&p, first) & FOUND_ADDRESS) != 0)
        disable_arms(&p, first, true);
    if ((visit(&p, first) & (FOUND_NAME | FOUND_ADDRESS)) != FOUND_NAME)
        return false;
    *part = (struct slice){ out, 0 };
    if (!copy_enabled(&p, &text) || scope_of((struct slice){ out, text.len }) != SCOPE_NAMES)
        return false;
    part->len = text.len;
    return true;
}
