/* deliver.h - the accepted recipients of one message: in which order, and what the sender hears */
#ifndef DELIVER_H
#define DELIVER_H

#include "delivery/copy.h"
#include "session/reply.h"

/*
 * Each recipient of the list, and each copy by an also line, has an outcome of its own, which lasts until the next
 * message. A delivery is made for a unit: for one recipient, or for all that a line with `once` (rules/rule.h) has
 * accepted, or that the same next server takes, which are `together`. It is made once, when the first of them is due; its outcome is that of all, or it gives
 * some of them another one. Each recipient has one line in the log.
 *
 * A delivery that failed temporarily and whose copy could be put into a real dead-letter file counts as delivered; one
 * that was refused does so only if its reply is for other recipients, too.
 * With settings->rehearse set, nothing is delivered: each delivery is shown to that function, logged as
 * rehearsed, and counts as a success.
 * The detail of a reply lives until the next call.
 */

/*
 * Delivers a message to all its recipients, which have one reply: commands and next servers first, then files, each in the order in which
 * they were named. The reply is the promise of README:
 *   250  every copy is delivered, or lies in the dead-letter file
 *   4xx  a delivery failed temporarily; what comes after it in the order was not tried
 *   554  all were tried and one was refused for good: its detail names recipient and reason
 */
struct reply deliver_all(const struct transaction *transaction, struct recipient *recipients, size_t count);

/*
 * The same where each recipient has its own reply (LMTP, PRDR): after deliver_prepare, once for a message, deliver_one
 * gives that of the recipient with this index, which is not a copy. It is the one that the recipient would have if the
 * message were for it and its copies by also lines alone, but for two things: once the service is being stopped, or the session's
 * time is over, no further delivery is begun, and 421 is 451 unless the time is over. May be called in any order, and
 * again: what has been delivered, or has failed, stays as it is.
 */
void deliver_prepare(const struct transaction *transaction, struct recipient *recipients, size_t count);
struct reply deliver_one(const struct transaction *transaction, struct recipient *recipients, size_t count, size_t index);

/*
 * The file of a message that is to come and has this one recipient: if a command is to get it, the head of its copy is
 * written there, so that behind it the message need not be copied again. Returns the bytes of that, 0 without a
 * command, -1 with errno set.
 */
ssize_t deliver_begin(const struct transaction *transaction, const struct recipient *recipient, int fd);

/* Was a delivery of the last call refused by a command whose status is a violation of the client (a status line)? */
bool deliver_violation(void);

/* Why the delivery that failed last has failed, for people. Lives until the next one fails. */
const char *deliver_failure(void);

#endif
