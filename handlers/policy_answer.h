/* policy_answer.h - what a policy service answers (SMTPD_POLICY_README of Postfix), and what the action in it means; pure */
#ifndef POLICY_ANSWER_H
#define POLICY_ANSWER_H

#include <stdbool.h>

#include "base/slice.h"

enum {
    POLICY_LINE = 8192,   /* most bytes of a line */
    POLICY_ANSWER = 65536 /* most bytes of an answer */
};

enum policy_progress {
    POLICY_MORE,    /* all bytes are taken, and the answer is not complete */
    POLICY_DONE,    /* it is: `action` holds what it says */
    POLICY_NONSENSE /* this is no answer: nothing that comes from there can be believed any more */
};

/* Lines name=value up to an empty one, of which the first `action` counts, in whatever place; others are for others. */
struct policy_answer {
    size_t total, len;        /* bytes of the answer, of the line that is being read */
    bool acts;                /* there was an action */
    size_t action_len;
    char line[POLICY_LINE];
    char action[POLICY_LINE]; /* without blanks around it */
};

/* Before the first byte of each answer. */
void policy_answer_begin(struct policy_answer *answer);

/* Takes bytes up to the end of the answer; `used` says how many. Lines end in LF or CRLF. */
enum policy_progress policy_answer_feed(struct policy_answer *answer, struct slice bytes, size_t *used);

/* What an action is (access(5) of Postfix). */
enum policy_act {
    POLICY_PASS,      /* OK, PERMIT, DUNNO, nothing, digits that are no code of a refusal: no objection */
    POLICY_REFUSE,    /* REJECT, DEFER, 4xx, 5xx: by this reply */
    POLICY_DEFER_IF_PERMIT, /* the same, where nobody refuses it for good */
    POLICY_DEFER_IF_REJECT, /* the same, where somebody does */
    POLICY_PREPEND,
    POLICY_REDIRECT,
    POLICY_BCC,
    POLICY_DISCARD,
    POLICY_HOLD,
    POLICY_INFO,
    POLICY_WARN,
    POLICY_UNKNOWN,   /* any other word */
    POLICY_ACTS
};

/* The words of these acts as the log has them: "prepend". */
extern const char *const policy_acts[POLICY_ACTS];

struct policy_action {
    enum policy_act act;
    unsigned code;       /* of the acts that refuse: 400 to 599, else 0 */
    struct slice status; /* the enhanced code behind its class (RFC 3463), which is that of the code: "7.1" */
    struct slice text;   /* what stands behind the word and these codes; of POLICY_UNKNOWN all of it; may be empty */
};

/* Reads an action, in any case. The slices point into it, or are constants. */
struct policy_action policy_action_read(struct slice text);

#endif
