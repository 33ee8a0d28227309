/* policy_service.h - a question to a policy service, and its answer */
#ifndef POLICY_SERVICE_H
#define POLICY_SERVICE_H

#include "handlers/policy_answer.h"
#include "handlers/settings.h"

/* As server_ask (nexthop/server.h). */
bool policy_service_ask(struct policy *policy, struct slice request, uint64_t deadline, struct policy_answer *answer,
                        char reason[SERVER_REASON]);

#endif
