/* rewrite.h - the lines that give an address another form before anything else is decided about it */
#ifndef REWRITE_H
#define REWRITE_H

#include "rules/rule.h"
#include "session/envelope.h"

/*
 * The first line for such addresses whose expression matches, tried on all forms of the address (recipient.h), makes
 * another one of it. That is done once: the new address is not tried again.
 * MATCH_YES: `*address` is the new one, and `*by` the line. MATCH_NO: neither has changed. MATCH_UNSURE: it cannot be
 * found out now, or what came out is no address; groups_trouble says why.
 */
enum match rewrite_address(const struct rules *rules, enum rewritten whose, struct address *address,
                           const struct rewrite **by);

/*
 * Is there something in the new address that the expression, which compiles, does not catch? Then `missing` is that
 * part. For -t.
 */
bool rewrite_misses(struct rewrite *rewrite, struct slice *missing);

#endif
