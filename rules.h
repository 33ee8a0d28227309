/* rules.h - the decisions: who may connect, which recipient is accepted, where its mail goes */
#ifndef RULES_H
#define RULES_H

#include "base/log.h"
#include "rules/condition.h"
#include "rules/recipient.h"
#include "rules/rule.h"

/*
 * The functions that decide by the rules of the file (rules/rule.h). The only I/O behind them is the question for the
 * client's name, which client_name asks when no address has decided.
 */

/* Frees what patterns have compiled. */
void rules_free(struct rules *rules);

/*
 * The decisions log what they try, and how it turned out, under the debug flag r: each line as
 * `FILE:LINE: DIRECTIVE ...`. Nothing else explains a decision, so that no explanation can differ from it.
 */

/* May this client speak to us at all? Code 0, or the reply that takes the greeting's place. */
struct reply rules_connect(struct rules *rules, struct client *client);

/* The same of a client that has not connected: a peer forwards its mail. `allow` is for the peer, and has been asked. */
struct reply rules_forward(struct rules *rules, struct client *client);

/*
 * THE decision: is mail for this recipient accepted from this client, and where does it go? However the address is
 * written (envelope.h), it is the same for all that is one canonical address.
 * Code 0 and `recipient` filled in, or the refusal, whose note lives until the next call.
 */
struct reply rules_rcpt(struct rules *rules, const struct asking *asking, const struct address *given,
                        struct recipient *recipient);

/*
 * Who gets a copy, too? The next also line behind `*last` (NULL: the first one) that is for a recipient that was
 * accepted; `*last` becomes that line, and `copy` the recipient with it. MATCH_NO: no more. MATCH_UNSURE: it cannot be
 * found out now.
 */
enum match rules_also(const struct rules *rules, const struct asking *asking, const struct recipient *accepted,
                      const struct rule **last, struct recipient *copy);

/* Does the rule name this recipient, whoever may send to it? The part of that decision that -t needs alone, of an
 * address that the configuration names. */
enum match rules_names(const struct rules *rules, const struct rule *rule, const struct address *given);

/* Which line that was, for the log: its number, or "FILE:NUMBER" in quotes where that is not the main file. */
enum { RULES_PLACE = LOG_TEXT + 16 };
const char *rules_place(const struct rules *rules, unsigned line, char out[RULES_PLACE]);

#endif
