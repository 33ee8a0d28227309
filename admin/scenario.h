/* scenario.h - what a client is supposed to be and to say: the words behind -x and -r */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <stdbool.h>
#include <stddef.h>

#include "client/client.h"

/* All pointers are those of the words. */
struct scenario {
    const char *helo, *from;  /* NULL: not said; `from` with or without angle brackets, "" or <> for none */
    const char *user;         /* who has authenticated, NULL: nobody */
    bool tls;                 /* the connection is encrypted */
    char fingerprint[CLIENT_FINGERPRINT + 1]; /* of a certificate of the client that was verified, "": it has none */
    char *const *recipients;
    size_t count;             /* of recipients */
};

/*
 * Parses `[helo NAME] [from ADDRESS] [auth USER] [tls] [cert SHA256] [rcpt ADDRESS...]`: the words in any
 * order, but rcpt is the last, and all behind it are addresses. `words` ends with NULL. Only
 * what no command line of SMTP could hold is refused here: whether an address is one, a session shall
 * say. False with what is wrong in `message`.
 */
bool scenario_parse(struct scenario *scenario, char *const *words, char *message, size_t size);

/* Makes the client one who has done what is supposed: TLS, certificate, authentication. */
void scenario_apply(const struct scenario *scenario, struct client *client);

#endif
