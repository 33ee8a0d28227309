/* policy_service.c - a question to a policy service, and its answer */
#include "handlers/policy_service.h"

static void begin(void *context)
{
    policy_answer_begin(context);
}

static enum server_progress take(void *context, struct slice bytes, size_t *used)
{
    static const enum server_progress progress[] = { [POLICY_MORE] = SERVER_MORE, [POLICY_DONE] = SERVER_DONE,
                                                      [POLICY_NONSENSE] = SERVER_NONSENSE };

    return progress[policy_answer_feed(context, bytes, used)];
}

bool policy_service_ask(struct policy *policy, struct slice request, uint64_t deadline, struct policy_answer *answer,
                        char reason[SERVER_REASON])
{
    const struct server_question question = { .request = request, .begin = begin, .take = take, .context = answer,
                                               .deadline = deadline };

    return server_ask(&policy->server, &question, reason);
}
