/* environment.h - what a delivery command is told: environment variables and JSON */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "base/surroundings.h"
#include "delivery/copy.h"

enum {
    ENVIRONMENT_VARIABLES = 64,
    ENVIRONMENT_STRING = 131072, /* bytes of one variable: more the kernel does not take (MAX_ARG_STRLEN) */
    ENVIRONMENT_TEXT = 2 * ENVIRONMENT_STRING
};

struct environment {
    char *variables[ENVIRONMENT_VARIABLES + 1]; /* for execve(2): ends with NULL */
    size_t count;
    size_t used, limit; /* of the text: what the variable that is being written may use */
    char text[ENVIRONMENT_TEXT];
};

/*
 * Collects the facts of one delivery as variables, and as one JSON object (RFC 8259) in
 * MAILRECV_JSON, which has the header of the message, too, as far as there is room. `size` is the number of bytes that
 * the command will read. Returns 0, E2BIG when the facts do not fit, which only an endless path in the configuration can
 * bring about, or an error number when it cannot be told who we are (account.h).
 */
int environment_build(struct environment *environment, const struct transaction *transaction,
                      const struct recipient *recipient, uint64_t size);

#endif
