/* automaton.c - a regular expression for hosts as an automaton, whose steps are kinds of characters */
#include "patterns/automaton.h"

#include <ctype.h>

#include "base/cold.h"

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

COLD_BSS struct automaton automaton;

/* A visit: which states have been reached at each node, and which of them are still to go on from. */
static COLD_BSS struct {
    uint64_t reached[AUTOMATON_NODES][STATES / 64], ahead[AUTOMATON_NODES][STATES / 64];
    uint16_t queue[AUTOMATON_NODES];
    bool queued[AUTOMATON_NODES];
} scratch;

/* ---- building ---------------------------------------------------------------------------- */

uint16_t automaton_node(struct parser *p, enum step step)
{
    p->lost = p->lost || p->node_count == AUTOMATON_NODES;
    if (p->lost)
        return 1; /* nobody will look */
    automaton.nodes[p->node_count] = (struct node){ .step = step };
    return (uint16_t)p->node_count++;
}

struct piece automaton_piece(struct parser *p, enum step step)
{
    uint16_t node = automaton_node(p, step);

    return (struct piece){ node, node };
}

struct piece automaton_set(struct parser *p, unsigned set, bool wild, bool numeric)
{
    struct piece piece = automaton_piece(p, STEP_SET);

    automaton.nodes[piece.first].set = (unsigned char)set;
    automaton.nodes[piece.first].wild = wild;
    automaton.nodes[piece.first].numeric = numeric || ((set & (HEX | LETTER)) == 0 && (set & (DIGIT | COLON)) != 0);
    p->picky = p->picky || set != ALL;
    return piece;
}

void automaton_join(struct piece *before, struct piece after)
{
    automaton.nodes[before->last].next = after.first;
    before->last = after.last;
}

struct piece automaton_repeat(struct parser *p, struct piece piece, bool optional, bool many)
{
    struct piece whole = { automaton_node(p, STEP_EMPTY), automaton_node(p, STEP_EMPTY) };

    automaton.nodes[whole.first].next = piece.first;
    automaton.nodes[whole.first].other = optional ? whole.last : 0;
    automaton.nodes[piece.last].next = whole.last;
    automaton.nodes[piece.last].other = many ? piece.first : 0;
    return whole;
}

struct piece automaton_anything(struct parser *p)
{
    struct piece piece = automaton_piece(p, STEP_NUMERIC);

    p->vague = true;
    automaton_join(&piece, automaton_repeat(p, automaton_set(p, ALL, false, true), true, true));
    return piece;
}

/* ---- visiting ---------------------------------------------------------------------------- */

unsigned automaton_kind(unsigned char c)
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

    if (node == 0 || (scratch.reached[node][known / 64] & bit) != 0 || ((known & IN_ANY) == 0 && (known & IS_NO_NAME) != 0))
        return;
    scratch.reached[node][known / 64] |= bit;
    scratch.ahead[node][known / 64] |= bit;
    if (!scratch.queued[node])
        scratch.queue[(*waiting)++] = node;
    scratch.queued[node] = true;
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
        if (n->arm < AUTOMATON_ARMS && automaton.arms[n->arm].disabled)
            return 0;
        break;
    case STEP_EMPTY: break;
    }
    reach(n->next, known, waiting);
    reach(n->other, known, waiting);
    return 0;
}

unsigned automaton_visit(const struct parser *p, uint16_t first)
{
    unsigned found = 0;
    size_t waiting = 0;

    memset(scratch.reached, 0, p->node_count * sizeof scratch.reached[0]);
    reach(first, IN_DIGITS, &waiting); /* any address can go on from there */
    while (waiting > 0) {
        uint16_t node = scratch.queue[--waiting];

        scratch.queued[node] = false;
        for (unsigned known = 0; known < STATES; known++) {
            uint64_t *ahead = &scratch.ahead[node][known / 64], bit = UINT64_C(1) << known % 64;

            if (*ahead == 0) {
                known |= 63;
                continue;
            }
            if ((*ahead & bit) != 0) {
                *ahead &= ~bit;
                found |= pass(&automaton.nodes[node], known, &waiting);
            }
        }
    }
    return found;
}
