/* store.c - whether records are in a file or in Redis */
#include "stores/store.h"

#include "stores/redis_place.h"

const struct store_engine *store_engine_at(struct slice where)
{
    return redis_place_is(where) ? &store_redis : &store_file;
}
