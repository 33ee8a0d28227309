/* redis.h - commands for Redis, over a connection that is kept for the session, and with little patience */
#ifndef REDIS_H
#define REDIS_H

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "stores/redis_place.h"
#include "stores/settings.h"

/*
 * Only the monitor speaks to Redis, never the session. The library, hiredis, writes the commands and reads the replies; it is
 * loaded when there is something to say. Connecting, waiting and TLS are ours: a session spends redis.timeout on one that is
 * down or slow, all its commands together, and what it answers within a tenth of that does not count. Then it is not asked
 * again in this session, nor, below a listener, in the next ten seconds in any other.
 */
enum { REDIS_WORDS = 10, REDIS_REASON = 512, REDIS_REPLY = 16384, REDIS_LARGE = 1 << 20 /* bytes of replies */ };

struct redis;

struct redis_command {
    size_t count;
    struct slice words[REDIS_WORDS];
};

/* What the configuration says, which must outlive all else here. */
void redis_use(const struct store_settings *settings);

/* The one that is said to be there (redis_place.h), as conf/ has checked. The way to it is made when it is asked. */
struct redis *redis_at(const char *place);

/*
 * Puts a command and takes its reply, of `most` bytes at most, which redis_free frees. NULL if there is none or it is an error:
 * redis_why says why, and errno is EIO, or ECANCELED if it was left alone for its earlier failures.
 */
redisReply *redis_ask(struct redis *redis, const struct redis_command *command, size_t most);
void redis_free(redisReply *reply);

/* The same without a reply: what it comes to is not known. */
void redis_tell(struct redis *redis, const struct redis_command *command);

/* One line. */
const char *redis_why(const struct redis *redis);

/* In a listener, if one of these is a Redis: loads the library, and has the processes that it forks tell each other of failures. */
void redis_share(struct slice contacts, struct slice ledger);

/* In one of those: what it forks shall not have that. */
void redis_withhold(void);

#endif
