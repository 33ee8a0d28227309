/* deliver.h - the accepted recipients of one message: in which order, and what the sender hears */
#ifndef DELIVER_H
#define DELIVER_H

#include "delivery/copy.h"
#include "session/reply.h"

/*
 * Delivers a message to its recipients: commands first, then files, each in the order in which
 * they were named; with `once` (rules/rule.h) one delivery is for all recipients that its line accepted. Each recipient
 * has one line in the log. The reply is the promise of README:
 *   250  every copy is delivered, or lies in the dead-letter file
 *   4xx  a delivery failed temporarily; what comes after it in the order was not tried
 *   554  all were tried and one was refused for good: its detail names recipient and reason
 * A delivery that failed temporarily and whose copy could be put into a real dead-letter file
 * counts as delivered; one that was refused does so only if there are other recipients.
 * With settings->rehearse set, nothing is delivered: each delivery is shown to that function, logged as
 * rehearsed, and counts as a success.
 * The detail of the reply lives until the next call.
 */
struct reply deliver_all(const struct transaction *transaction, struct recipient *recipients, size_t count);

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
