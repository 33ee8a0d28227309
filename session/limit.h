/* limit.h - a limit, and what a client hears beyond it */
#ifndef LIMIT_H
#define LIMIT_H

#include <stdint.h>

#include "session/reply.h"

/* A limit and the reply that a client gets beyond it. For on/off limits the value is 1 or 0. */
struct limit {
    uint64_t value;
    unsigned line; /* of the configuration, where it is set; 0: nowhere */
    struct reply reply;
};

/* A limit that is on or off, with its seconds. */
struct pause {
    struct limit limit;
    uint64_t secs;
};

#endif
