/* socketmap.h - what is asked and answered by the socketmap protocol of Sendmail and Postfix; pure */
#ifndef SOCKETMAP_H
#define SOCKETMAP_H

#include "base/netstring.h"

enum {
    SOCKETMAP_REQUEST = 2048,  /* bytes of a name of a map and a key */
    SOCKETMAP_VALUE = 100000,  /* as Postfix has it */
    SOCKETMAP_REASON = 512,
    SOCKETMAP_REPLY = SOCKETMAP_VALUE + 16 + NETSTRING_MARKS
};

/* What is said about a key. Zeroed it is a temporary error: no answer is never a yes and never a no. */
struct answer {
    enum answer_kind { ANSWER_TEMPORARY, ANSWER_FOUND, ANSWER_NOT_FOUND, ANSWER_TIMEOUT, ANSWER_NEVER } kind;
    struct slice value; /* the value that was found, or the reason of an error */
};

/*
 * Do these bytes begin with a request? When DONE, `key` is what is asked for, within `bytes`, and `used` says how many
 * bytes the request has. Its text is NULL where the request is none: it has no name of a map with a blank behind it.
 */
enum netstring socketmap_read(struct slice bytes, struct slice *key, size_t *used);

/* Puts the answer without its marks: OK and the value, NOTFOUND, or the kind of error and its reason. */
void socketmap_word(struct text *out, const struct answer *answer);

/* Puts the reply, with a buffer of SOCKETMAP_REPLY bytes. */
void socketmap_reply(struct text *out, const struct answer *answer);

/* Copies a text for people as one line without blanks at its end: no line feeds, no other control characters. */
struct slice socketmap_line(char out[SOCKETMAP_REASON], struct slice text);

#endif
