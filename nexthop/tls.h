/* tls.h - TLS with another server: starts mailrecv-tls as a client, and hears what became of it */
#ifndef NEXTHOP_TLS_H
#define NEXTHOP_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"

enum { NEXTHOP_TLS_TEXT = 256 };

/*
 * Whatever a server sends in TLS is read by a process of its own, which can do nothing else, and passed on in clear.
 * It ends with the socket for that.
 */
struct nexthop_tls {
    pid_t helper; /* 0: there is none */
    int channel;  /* to it */
    /* what the handshake came to, in printable ASCII */
    char protocol[16];                /* TLSv1.3 */
    char cipher[64];
    char subject[NEXTHOP_TLS_TEXT];   /* of the server's certificate (RFC 4514) */
    char names[NEXTHOP_TLS_TEXT];     /* the DNS names that it is for, with blanks between them */
    char fingerprint[65];             /* its SHA-256 */
    char days[16];                    /* until it expires; negative: since */
    char trust[NEXTHOP_TLS_TEXT];     /* "ok", or why it cannot be trusted; "" where nobody has looked, or the authorities cannot be read */
};

enum nexthop_trust {
    NEXTHOP_ANYBODY, /* the certificate is not looked at: who can change what is sent can read it, too */
    NEXTHOP_LOOK,    /* it is, and `trust` tells, but it decides nothing */
    NEXTHOP_VERIFY   /* it must be good: signed by one of the authorities, not expired, and for this server */
};

/* Where mailrecv-tls is ("": beside the running program, or installed), and the authorities; both must outlive the calls below. */
void nexthop_tls_use(struct slice helper, struct slice authorities);

/*
 * Encrypts a connection from the next byte on, with the server that is called so: a name (RFC 6066), an address, or "" where there is neither, which NEXTHOP_VERIFY never finds good. `server` is closed in any case;
 * the connection ends with the socket that is returned, which does not wait and that exec closes. Returns -1 with a
 * reason, one line, when it has not come to that by `deadline` (clock.h); *tls needs no end then.
 */
int nexthop_tls_start(struct nexthop_tls *tls, int server, const char *name, enum nexthop_trust trust,
                      uint64_t deadline, char *reason, size_t size);

/*
 * After the end of what the server has sent: has it said so itself? If not, the connection was cut, maybe by somebody
 * else, and what is missing cannot be known.
 */
bool nexthop_tls_is_whole(const struct nexthop_tls *tls);

/*
 * Starts the helper to check these authorities, an open file; what it finds goes to `output`, as mailrecv-tls(8) says under
 * -t. Returns 0 and the process, or an error number.
 */
int nexthop_tls_test(int authorities, int output, pid_t *helper);

/* When the socket is closed: has the helper say good-bye to the server, for two seconds at most, and end. */
void nexthop_tls_end(struct nexthop_tls *tls);

#endif
