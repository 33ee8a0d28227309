/* chunk.h - what BDAT says of the octets behind it (RFC 3030 2); pure */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct chunk {
    uint64_t size; /* octets that follow the command's line */
    bool last;     /* the message ends with them */
};

/* Takes apart the argument of BDAT. False if it is malformed: where its octets end nobody knows then. */
bool chunk_parse(struct slice argument, struct chunk *chunk);

#endif
