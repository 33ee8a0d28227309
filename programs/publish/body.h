/* body.h - the message on standard input, as a file of a known size */
#ifndef BODY_H
#define BODY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "programs/publish/verdict.h"

enum { BODY_MOST = 128 << 20 }; /* bytes, which is what RabbitMQ takes as it comes */

struct body {
    int fd;
    off_t begin;
    uint64_t size;
};

/* Takes it. What is no file is copied to one without a name. CONFIRMED: it is there; else why not, with a note. */
enum verdict body_take(struct body *body);

/* Reads `len` bytes from an offset on. False: they are not there, and a note says why. */
bool body_read(const struct body *body, uint64_t offset, char *bytes, size_t len);

#endif
