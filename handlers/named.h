/* named.h - addresses that a handler names: as the client's are taken, and decided about */
#ifndef NAMED_H
#define NAMED_H

#include "rules.h"
#include "session/reply.h"

/* An address with or without brackets, without them. */
struct slice named_address(struct slice text);

/*
 * What the rules say of a recipient that a handler names. Code 0, or a reply where that is not known now. `ignored` says why
 * it is nobody, as part of a log line; NULL: `recipient`, whose `other` must be set, is filled in.
 */
struct reply named_recipient(struct rules *rules, const struct asking *asking, struct slice text, struct recipient *recipient,
                             const char **ignored);

#endif
