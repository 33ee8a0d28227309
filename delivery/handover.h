/* handover.h - a message to the next server, and its answers: lmtp and smtp */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "delivery/copy.h"

/*
 * Hands the message over in one transaction for the recipient and all that are together with it, for limit.handover_secs
 * and the rest of the session at most. Each has an outcome of its own: what the next server has said of it, or deferred
 * where it has said nothing.
 */
void handover_deliver(const struct transaction *transaction, const struct recipient *recipient,
                      const struct target *target, struct outcome *outcome);

#endif
