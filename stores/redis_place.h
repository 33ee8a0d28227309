/* redis_place.h - where Redis is, as the configuration says it; pure */
#ifndef REDIS_PLACE_H
#define REDIS_PLACE_H

#include "nexthop/where.h"

struct redis_place {
    struct where where;
    bool tls;
    unsigned database;
};

enum { REDIS_PLACE = 320 }; /* bytes of one at most, with the NUL */

/* Is a place of Redis meant, and not the path of a file? */
bool redis_place_is(struct slice text);

/*
 * Reads redis:HOST:PORT[/DB], redis:[ADDRESS]:PORT[/DB], redis:/SOCKET[/DB], and the same with rediss:, which is TLS. Returns
 * NULL, or what is wrong, for people; `place` is undefined then.
 */
const char *redis_place_parse(struct slice text, struct redis_place *place);

#endif
