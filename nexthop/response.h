/* response.h - what another server answers (RFC 5321 4.2), and which extensions it offers; pure */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    RESPONSE_LINE = 2048, /* most bytes of a line, its end included; RFC 5321 has 512 */
    RESPONSE_LINES = 200, /* most lines */
    RESPONSE_TEXT = 256,
    RESPONSE_STATUS = 8
};

enum response_progress {
    RESPONSE_MORE,   /* all bytes are taken, and the reply is not complete */
    RESPONSE_NEXT,   /* another line is complete, and more will follow */
    RESPONSE_LAST,   /* the last line is: the whole reply is there */
    RESPONSE_GARBAGE /* this is no reply: nothing that comes from there can be believed any more */
};

/* One reply. What it said first is what people are told. */
struct response {
    unsigned code;                /* 200 to 599 */
    char status[RESPONSE_STATUS]; /* the enhanced code of its class, behind that: "1.1" of 5.1.1; "": there is none */
    char text[RESPONSE_TEXT];     /* of the first line that has any, without codes: printable ASCII, '?' for the rest */
    unsigned lines;
    bool ended;                   /* `line` is complete */
    size_t len;
    char line[RESPONSE_LINE];     /* that is being read */
};

/* Before the first byte of each reply. */
void response_begin(struct response *response);

/* Takes bytes up to the end of a line, CRLF or a lone LF; `used` says how many. */
enum response_progress response_feed(struct response *response, struct slice bytes, size_t *used);

/* After RESPONSE_NEXT and RESPONSE_LAST: the line as it came, without its end and the code with what follows that. */
struct slice response_line(const struct response *response);

/* ---- EHLO and LHLO ------------------------------------------------------------------------- */

/* What the other side offers (RFC 5321 4.1.1.1). */
struct capabilities {
    bool pipelining, eight_bit, utf8, chunking, starttls, enhanced;
    bool auth_plain, auth_login;
    bool size;
    uint64_t size_most; /* bytes of a message; 0: it names none */
};

/* Takes a line of the answer to EHLO or LHLO but the first; what is not known here is left out. */
void capabilities_take(struct capabilities *capabilities, struct slice line);

#endif
