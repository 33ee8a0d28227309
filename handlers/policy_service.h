/* policy_service.h - one policy service: a connection to it, or a program on pipes, kept for the session */
#ifndef POLICY_SERVICE_H
#define POLICY_SERVICE_H

#include "handlers/policy_answer.h"
#include "handlers/settings.h"

enum { POLICY_REASON = 512 };

/*
 * Puts a question and takes the answer. The way to the service is made when it is first asked, and once more when
 * it was closed. False with a reason, one line, if there is no answer by `deadline` (clock.h), or nonsense, or on SIGTERM; what
 * is said later is not heard. What a program writes to standard error goes to the log.
 */
bool policy_service_ask(struct policy *policy, struct slice request, uint64_t deadline, struct policy_answer *answer,
                        char reason[POLICY_REASON]);

/* Closes the way to it, if there is one. A program has to end then; one that does not is asked to, and killed at last. */
void policy_service_end(struct policy *policy);

#endif
