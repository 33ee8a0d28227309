/* handover.h - a message to the next server, and its answers: lmtp and smtp */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "delivery/copy.h"

/* Do both mean the same next server, in the same way, so that recipients of both are in one transaction? */
bool handover_is_together(const struct target *a, const struct target *b);

/*
 * Hands the message over in one transaction for the recipient and all that are together with it, for
 * limit.handover_secs and the rest of the session at most. Each has an outcome of its own: what the next server has said of it, or deferred
 * where it has said nothing. The connection is left in *transaction->opened.
 */
void handover_deliver(const struct transaction *transaction, const struct recipient *recipient,
                      const struct target *target, struct outcome *outcome);

struct opened;

/*
 * At RCPT already: what does the next server say of this recipient, whose line wants that (ask)? Code 0: it takes mail for
 * it, or is not asked. The transaction with it stays open in *transaction->opened, and the message goes there. The reply's
 * texts live until the next call.
 */
struct reply handover_ask(const struct transaction *transaction, const struct mail_argument *mail,
                          struct recipient *recipient);

/* Ends the transactions that are open: they have had their message, or will have none. It may take a moment. */
void handover_forget(struct opened **opened);

#endif
