/* policy.h - policy services: asked at each stage, in the order of their lines; what they say about a message is kept */
#ifndef POLICY_H
#define POLICY_H

#include "handlers/policy_request.h"
#include "handlers/settings.h"
#include "rules.h"
#include "session/reply.h"

enum {
    POLICY_COPIES = 16,   /* for addresses that BCC names, of a message */
    POLICY_FIELDS = 16384 /* bytes of header fields that are added to it */
};

/* What is asked with. */
struct policy_context {
    struct handler_settings *settings;
    struct rules *rules;
    const struct asking *asking; /* decides about addresses that a service names; NULL where there is no sender yet */
    uint64_t deadline;           /* of the session, see clock.h */
};

/*
 * Asks the services of a stage. Code 0, or a refusal: of a service, or that of limit.policy_secs where one does not answer.
 * Its texts live until this stage comes again. OK ends nothing: the next service is asked, too.
 * DEFER_IF_PERMIT holds from its stage on up to RCPT, where it defers recipients that nobody refuses; behind that, at its own
 * stage. DEFER_IF_REJECT makes a later refusal of a service temporary, at the same stages.
 */
struct reply policy_ask(const struct policy_context *context, const struct policy_facts *facts);

/* Is a service asked at one of these stages (1 << enum policy_stage)? RCPT is one where any of those before is. */
bool policy_wants(const struct handler_settings *settings, enum policy_stage stage);

/* What services have said about the message; until policy_forget_message. */
struct policy_message {
    const struct policy *holds, *discards; /* whose answer it was; NULL: none has said so */
    struct slice fields;                   /* to stand above the message, each with its LF, each once */
    const struct recipient *redirect;      /* who gets it instead of all others; NULL: nobody */
    const struct recipient *copies;        /* who gets it, too: their rules are RULE_ALSO */
    size_t copy_count;
};

struct policy_message policy_message(void);
void policy_forget_message(void);

/* The session is over: services are left. */
void policy_end(const struct handler_settings *settings);

/* In a process that is forked from one that has asked: leaves nothing of questions and answers in its memory. */
void policy_forget(void);

#endif
