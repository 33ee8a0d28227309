/* expression.h - reads a regular expression as PCRE2 does, as far as it matters for what hosts it can match */
#ifndef EXPRESSION_H
#define EXPRESSION_H

#include "patterns/automaton.h"

/*
 * Builds the automaton of an expression that compiles; it begins with the node that is returned. Where p->lost is set
 * the expression was too long or not understood, and there is no automaton.
 */
uint16_t expression_build(struct parser *p, struct slice pattern);

#endif
