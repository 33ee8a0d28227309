/* sasl.h - what AUTH says: mechanisms PLAIN and LOGIN, base64; pure */
#ifndef SASL_H
#define SASL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum {
    SASL_TEXT_MAX = 255,                    /* bytes of each identity and of the password (RFC 4616 2) */
    SASL_DECODED_MAX = 3 * SASL_TEXT_MAX + 2 /* of one response: PLAIN with the longest of each */
};

/* Well-formed UTF-8 without NUL bytes, as the client sent it: nothing is normalised. */
struct sasl_text {
    char text[SASL_TEXT_MAX + 1]; /* NUL-terminated */
    size_t len;
};

/*
 * One exchange between `334` and `235`. What the client sent is a secret until sasl_wipe: the
 * caller wipes this, and the lines that it has read, as soon as they are used.
 */
struct sasl {
    struct sasl_text identity;    /* on whose behalf (authzid); empty: on the user's own. LOGIN has none */
    struct sasl_text user;        /* whose password it is (authcid); never empty once it is SASL_DONE */
    struct sasl_text password;    /* never empty once it is SASL_DONE */
    struct slice challenge;       /* on SASL_CONTINUE: what stands behind `334 `, in base64; a constant */
    const struct sasl_step *step; /* what the next response is; of no interest to others */
};

enum sasl_status {
    SASL_CONTINUE,          /* send the challenge, feed the next line */
    SASL_DONE,              /* user and password are there */
    SASL_CANCELLED,         /* the client has sent "*" (RFC 4954 4: 501) */
    SASL_BAD_BASE64,        /* RFC 4954 4: 501 5.5.2 */
    SASL_BAD_SYNTAX,        /* no mechanism, a third word, or not what the mechanism wants (501 5.5.2) */
    SASL_UNKNOWN_MECHANISM, /* RFC 4954 4: 504 5.5.4 */
    SASL_TOO_LONG           /* a text longer than SASL_TEXT_MAX (RFC 4954 6: 500 5.5.6) */
};

/* Is this word, in any case, the name of a mechanism, be it one that is not spoken here (IANA, SASL mechanisms)? */
bool sasl_is_mechanism(struct slice word);

/*
 * Begins an exchange with the argument of AUTH: `mechanism [initial-response]` (RFC 4954 4), the
 * mechanism in any case, an empty initial response written as "=". LOGIN takes the name as one.
 */
enum sasl_status sasl_begin(struct sasl *sasl, struct slice argument);

/*
 * Goes on with the next line of the client, without its end; allowed only after SASL_CONTINUE.
 * After both functions identity, user and password are wiped unless it is SASL_CONTINUE or
 * SASL_DONE; every status but SASL_CONTINUE ends the exchange.
 */
enum sasl_status sasl_feed(struct sasl *sasl, struct slice line);

/* Overwrites all of it, in a way that no compiler removes. */
void sasl_wipe(struct sasl *sasl);

/*
 * Decodes base64 (RFC 4648 4), strictly: padded to a multiple of four, no other characters, no bits
 * behind the last byte. Writes at most `size` bytes to `out`, which needs no terminator and may not
 * overlap the text, and their number to `len`. SASL_DONE, SASL_BAD_BASE64 or SASL_TOO_LONG, on
 * which `out` and `len` are undefined (and `out` may hold some of the secret).
 */
enum sasl_status sasl_base64(struct slice text, char *out, size_t size, size_t *len);

#endif
