/* where.h - where another server is, as the configuration and the command line say it; pure */
#ifndef WHERE_H
#define WHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum where_kind { WHERE_UNIX, WHERE_IPV4, WHERE_IPV6, WHERE_NAME };

struct where {
    enum where_kind kind;
    uint16_t port;     /* 1 to 65535; 0 for WHERE_UNIX */
    struct slice text; /* the path, the address without brackets, or the name: a part of what was parsed */
};

enum { WHERE_PATH = 107, WHERE_HOST = 253 }; /* most bytes of a path (unix(7)), of a name (RFC 1035 3.1) */

/*
 * Reads unix:PATH, a PATH that begins with /, HOST:PORT or [ADDRESS]:PORT; and as Postfix and libmilter write it,
 * inet:HOST:PORT, inet6:..., local:PATH, inet:PORT@HOST. HOST is an IPv4 address or a name, ADDRESS is one of IPv6.
 * Returns NULL, or what is wrong, for people; `where` is undefined then.
 */
const char *where_parse(struct slice text, struct where *where);

/* The same place? Names are compared without regard to case; what they stand for is not looked up. */
bool where_equal(const struct where *a, const struct where *b);

/* Does nothing that is said there leave this host: a UNIX socket, a loopback address, `localhost`? */
bool where_is_local(const struct where *where);

#endif
