/* told.h - what a peer tells of a client on whose behalf it speaks: the attributes of XCLIENT and XFORWARD; pure */
#ifndef TOLD_H
#define TOLD_H

#include <netinet/in.h>

#include "base/text.h"
#include "session/envelope.h"

/* https://www.postfix.org/XCLIENT_README.html and XFORWARD_README.html; values are xtext (RFC 3461 4). */
enum told_command { TOLD_XCLIENT, TOLD_XFORWARD, TOLD_COMMANDS };

enum told_attribute {
    TOLD_NAME, TOLD_ADDR, TOLD_PORT, TOLD_PROTO, TOLD_HELO, TOLD_LOGIN, TOLD_DESTADDR, TOLD_DESTPORT, TOLD_IDENT, TOLD_SOURCE,
    TOLD_ATTRIBUTES
};

enum { TOLD_TEXT = 255 }; /* bytes of a login, and of the name that the peer has for a message */

struct told_address {
    int family; /* AF_INET, AF_INET6 */
    unsigned char bytes[16]; /* in network order */
};

struct told {
    unsigned given;   /* a set of 1 << enum told_attribute: what was said */
    unsigned missing; /* and of these what the peer does not know: [UNAVAILABLE], [TEMPUNAVAIL], a NAME that can be none */
    bool later;       /* NAME was [TEMPUNAVAIL]: it may know that later */
    bool extended;    /* PROTO is not SMTP */
    bool lmtp;        /* it is LMTP */
    unsigned port, destport;
    struct told_address addr, destaddr;
    char name[DOMAIN_MAX + 1]; /* of a host, in ASCII */
    char helo[HELO_MAX + 1];
    char login[TOLD_TEXT + 1], ident[TOLD_TEXT + 1];
};

enum told_status {
    TOLD_OK,
    TOLD_BAD,    /* an attribute has no value or a bad one, or stands twice */
    TOLD_UNKNOWN /* one that the command does not have */
};

/*
 * Parses the argument of a command, and adds it to what `told` holds: attributes collect over several XFORWARD. No text
 * has control characters. On any status but TOLD_OK what is in `told` is undefined.
 */
enum told_status told_parse(struct slice argument, enum told_command command, struct told *told);

/* Puts the names of the attributes that a command has, each behind a blank, in the order in which Postfix has them. */
void told_put_offer(struct text *text, enum told_command command);

/* Was an attribute given, with a value? */
static inline bool told_has(const struct told *told, enum told_attribute attribute)
{
    return (told->given & ~told->missing & 1U << attribute) != 0;
}

/* Does it say that the client is another than the peer? */
static inline bool told_is_another(const struct told *told)
{
    return (told->given & (1U << TOLD_ADDR | 1U << TOLD_NAME)) != 0;
}

#endif
