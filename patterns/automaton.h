/* automaton.h - a regular expression for hosts as an automaton, whose steps are kinds of characters */
#ifndef AUTOMATON_H
#define AUTOMATON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/*
 * Repetitions are taken as any number, and what is not understood as any text: the automaton accepts what the
 * expression matches, and more. Then all of it that can be reached is visited, together with what is known of the text
 * so far. There is one automaton at a time, in memory of its own; expression.h builds it, scope.h asks.
 */

/* Kinds of characters. HEX are the letters up to f. Hyphen, underscore and bytes beyond ASCII are in names only. */
enum kind { DIGIT = 1, HEX = 2, LETTER = 4, DOT = 8, COLON = 16, NAMELY = 32, NEITHER = 64, ALL = 127 };

enum {
    AUTOMATON_NODES = 2048, /* for an expression of about as many characters */
    AUTOMATON_ARMS = 64,    /* alternatives that can be told apart */
    AUTOMATON_NESTING = 250 /* groups in groups, as many as PCRE2 takes */
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

/* The automaton that is being built or visited. Node 0 is none; its size is in struct parser. */
struct automaton {
    struct node nodes[AUTOMATON_NODES];
    struct arm arms[AUTOMATON_ARMS];
};
extern struct automaton automaton;

/* Adds a node. When there is no room left the parser is lost, and the result of no use. */
uint16_t automaton_node(struct parser *p, enum step step);

/* Adds a node that is a piece of its own. */
struct piece automaton_piece(struct parser *p, enum step step);

/* Adds a character of these kinds (enum kind); `wild` and `numeric` as in struct node. */
struct piece automaton_set(struct parser *p, unsigned set, bool wild, bool numeric);

/* Lets a piece go on with another one. */
void automaton_join(struct piece *before, struct piece after);

/* The piece, perhaps not at all, perhaps several times. */
struct piece automaton_repeat(struct parser *p, struct piece piece, bool optional, bool many);

/* Any text, and a number in it. */
struct piece automaton_anything(struct parser *p);

/* The enum kind of a character. */
unsigned automaton_kind(unsigned char c);

/* Visits all that can be reached from a node, but no disabled alternative. Returns a set of enum found. */
unsigned automaton_visit(const struct parser *p, uint16_t first);

#endif
