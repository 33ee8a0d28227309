/* content.h - a message as another server gets it: lines that end in CRLF, dots stuffed where a dot ends it; pure */
#ifndef CONTENT_H
#define CONTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* What there is in a message. Zeroed before its first piece. */
struct content {
    uint64_t size;   /* bytes with CRLF for LF, dots not stuffed */
    bool eight_bit;  /* bytes outside ASCII */
    bool eight_bit_header;
    bool nul, lone_cr;
    bool in_line;    /* the last line is not ended */
    bool in_body;    /* the empty line behind the header was seen */
};

/* Looks at the next piece of a message whose lines end in LF; each CR in it is a lone one. */
void content_look(struct content *content, struct slice piece);

/* How far a message is written. Zeroed before its first piece. */
struct content_writer {
    bool dots;    /* stuff them (RFC 5321 4.5.2) */
    bool in_line;
};

enum { CONTENT_LEAST = 3 }; /* bytes of `out` without which nothing is done */

/* Writes of `piece`, which is cut, as much as there is room for. Returns the bytes that were written. */
size_t content_write(struct content_writer *writer, struct slice *piece, char *out, size_t size);

#endif
