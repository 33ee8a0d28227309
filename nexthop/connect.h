/* connect.h - a connection to another server: its addresses, found and tried one after the other */
#ifndef NEXTHOP_CONNECT_H
#define NEXTHOP_CONNECT_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/un.h>

#include "nexthop/where.h"

enum {
    NEXTHOP_ADDRESSES = 8, /* of a name that are tried */
    NEXTHOP_REASON = 512,  /* bytes that a reason may take */
    NEXTHOP_SHOWN = 128    /* of an address for people, the NUL included */
};

union nexthop_address {
    sa_family_t family;
    struct sockaddr any;
    struct sockaddr_un local;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

struct nexthop_addresses {
    bool unsure; /* there is none, as far as can be known now */
    size_t count;
    union nexthop_address at[NEXTHOP_ADDRESSES];
};

/*
 * The addresses of a place, those of a name alternately of IPv6 and IPv4, as many as there are of each. Names are looked
 * up by dns.h, which must have begun, in a stage of their own; `localhost` is this host. False with a reason, one line,
 * if there is none. Deadlines are as in clock.h.
 */
bool nexthop_find(const struct where *where, uint64_t deadline, struct nexthop_addresses *addresses, char *reason,
                  size_t size);

/* Connects to one of them. Returns a socket that does not wait and that exec closes, or -1 with a reason. */
int nexthop_reach(const union nexthop_address *address, uint64_t deadline, char *reason, size_t size);

/* ADDRESS:PORT, [ADDRESS]:PORT, or the path of a socket. */
const char *nexthop_show(const union nexthop_address *address, char text[NEXTHOP_SHOWN]);

/*
 * Both: the addresses of the place are tried in turn, each for its share of the time that is left, and for ten seconds
 * at most. The reason then tells of each. SIGTERM ends the attempt.
 */
int nexthop_connect(const struct where *where, uint64_t deadline, char *reason, size_t size);

#endif
