/* condition.h - what a line wants besides its recipient: groups, TLS, a user, a sender, a port, HELO */
#ifndef CONDITION_H
#define CONDITION_H

#include "rules/rule.h"
#include "session/envelope.h"
#include "session/reply.h"

/* Who wants to send, and what the client has said of it. */
struct asking {
    struct client *client;
    const struct address *sender;    /* as the client wrote it, len 0 for <> */
    const struct address *canonical; /* the same in its canonical form */
    const char *helo;                /* "" when the client has said none */
};

/* Why lines that name the recipient do not take its mail. */
struct denial {
    bool denied;            /* there is one */
    bool unsure;            /* perhaps one lacks nothing but TLS or a password */
    const struct reply *wanted; /* what one lacks that lacks nothing else, NULL: there is none */
    unsigned needs;         /* a set of 1 << enum condition_kind, without groups */
    char note[256];         /* the groups: groups=NAME,!NAME */
};

/*
 * Does the client meet all conditions of a line? What may ask the DNS is looked at only if all others are met, but for
 * those that a client can still meet. If not, and `denial` is not NULL, that has the reason added. Shows what it
 * looks at under the debug flag r.
 */
enum match condition_all(const struct rules *rules, const struct rule *rule, const struct asking *asking,
                         struct denial *denial);

/* The refusal for a recipient that was denied, with what would have been accepted as its note, which lives in `denial`. */
struct reply condition_refusal(struct denial *denial);

/* Do two conditions want the same? */
bool condition_same(const struct condition *a, const struct condition *b);

#endif
