/* wire.h - what an answer of the DNS says: a message to facts; pure */
#ifndef WIRE_H
#define WIRE_H

#include "session/envelope.h"

/* Types of questions (RFC 1035 3.2.2, RFC 3596). */
enum answer_type { ANSWER_A = 1, ANSWER_PTR = 12, ANSWER_MX = 15, ANSWER_TXT = 16, ANSWER_AAAA = 28 };

enum answer_status {
    ANSWER_FOUND,  /* there are records of that type */
    ANSWER_NONE,   /* the name does not exist, or it has none */
    ANSWER_UNSURE  /* no answer to this question, or one that makes no sense: nothing is known */
};

enum {
    ANSWER_NAMES = 10,      /* that count of one PTR or MX answer: who controls a zone can list thousands */
    ANSWER_ADDRESSES = 128, /* that count of one A or AAAA answer */
    ANSWER_CHAIN = 10,      /* CNAMEs that are followed */
    ANSWER_TEXT = 255       /* bytes of a TXT record that count */
};

/* What was found; `count` is of names (PTR, MX) or addresses, and 1 for TXT. */
struct answer {
    enum answer_status status;
    size_t count;
    bool null_mx; /* the only mail host is the root: no mail is wanted (RFC 7505) */
    union {
        /* As they came, without a final dot; any printable bytes. MX: the preferred ones first; "" is none that has a name. */
        char names[ANSWER_NAMES][DOMAIN_MAX + 1];
        unsigned char addresses[ANSWER_ADDRESSES][16]; /* A: the first 4 bytes */
        char text[ANSWER_TEXT + 1]; /* the first TXT record, printable ASCII: other bytes are '?' */
    };
};

/*
 * Reads a message of the DNS (RFC 1035 4) as the answer to the question for records of a type that
 * `name` (without a final dot) has. CNAMEs are followed from the name that was asked for (RFC 1034
 * 3.6.2); records of other names, types and classes are passed over, and so are PTR names with bytes that are not
 * printable. A message that is cut, malformed anywhere, truncated, or about something else is ANSWER_UNSURE.
 */
void wire_read(const unsigned char *message, size_t len, enum answer_type type, const char *name,
                 struct answer *answer);

/*
 * The name below `zone` that stands for an address: bytes (IPv4) or nibbles (IPv6) in reverse order
 * (RFC 1035 3.5, RFC 3596 2.5, RFC 5782 2.1 and 2.4). False if it would be too long.
 */
bool wire_reversed(int family, const unsigned char bytes[16], struct slice zone, char name[DOMAIN_MAX + 1]);

#endif
