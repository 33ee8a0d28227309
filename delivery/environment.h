/* environment.h - what a delivery command is told: environment variables and JSON */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include "delivery/copy.h"

enum {
    ENVIRONMENT_VARIABLES = 48,
    ENVIRONMENT_TEXT = 32768
};

/* The search path of commands; nothing is inherited. */
#define ENVIRONMENT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct environment {
    char *variables[ENVIRONMENT_VARIABLES + 1]; /* for execve(2): ends with NULL */
    size_t count;
    size_t used;
    char text[ENVIRONMENT_TEXT];
};

/*
 * Collects the facts of one delivery as variables, and as one JSON object (RFC 8259) in
 * MAILRECV_JSON. `size` is the number of bytes that the command will read. Returns false when
 * they do not fit, which only an endless path in the configuration can bring about.
 */
bool environment_build(struct environment *environment, const struct transaction *transaction,
                       const struct recipient *recipient, uint64_t size);

/* The text that an argument of exec stands for, as a string that lives as long as the buffer. */
const char *environment_argument(const struct transaction *transaction, const struct recipient *recipient,
                                 const struct argument *argument, char *buffer, size_t size);

#endif
