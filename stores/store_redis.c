/* store_redis.c - records in Redis, which processes of several hosts find and change at once */
/*
 * What becomes of a record is decided here, as for one in a file; Redis only puts the new one in the place of the old one, if
 * that is still what was changed, and else says what is there now. So no host needs a lock, and none is ever waited for.
 */
#include "stores/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/slice.h"
#include "stores/redis.h"

enum {
    ATTEMPTS = 200,  /* each means that another process has changed it meanwhile */
    PREFIX = 32, KEY = PREFIX + STORE_NAME, NUMBER = 24, TOKEN = 2 * 16 + 1,
    PAUSE_MS = 5, PAUSE_MOST_MS = 50, /* before what somebody holds is asked for again */
    KINDS = 2
};

#define SCRIPT(text) { SLICE("EVAL"), SLICE(text)

/* KEYS: the record. ARGV: what it is thought to be, what it is to be ("": nothing), seconds. 1, or what it is. */
#define CHANGE                                                          \
    "local v = redis.call('GET', KEYS[1]) or ''\n"                      \
    "if v ~= ARGV[1] or ARGV[2] == '' then return v end\n"              \
    "redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])\n"              \
    "return 1"

#define FORGET                                                          \
    "local v = redis.call('GET', KEYS[1])\n"                            \
    "if v then redis.call('DEL', KEYS[1]) end\n"                        \
    "return v"

/* ARGV: where to go on, a pattern. Where to go on after that, and some records. */
#define LIST                                                            \
    "local found, values = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', 1000), {}\n" \
    "for _, key in ipairs(found[2]) do values[#values + 1] = redis.call('GET', key) end\n"     \
    "return {found[1], values}"

/* KEYS: the hold, all holds of this process, whose name is ARGV[1], and the record; seconds. The record, or 0: it is held. */
#define HOLD                                                            \
    "if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2])"   \
    " and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"    \
    "redis.call('SADD', KEYS[2], KEYS[1])\n"                            \
    "redis.call('EXPIRE', KEYS[2], ARGV[2])\n"                          \
    "return redis.call('GET', KEYS[3]) or ''"

#define RELEASE                                                         \
    "for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do\n"        \
    "  if redis.call('GET', key) == ARGV[1] then redis.call('DEL', key) end\n" \
    "end\n"                                                             \
    "return redis.call('DEL', KEYS[1])"

/* What this process has read or written last, of each kind: hardly ever has another one changed that meanwhile. */
static struct known {
    const struct store_kind *kind;
    char record[STORE_RECORD];
    bool there; /* else it is not */
    bool fresh; /* that was read just now */
} last[KINDS];

/* ---- keys ---------------------------------------------------------------------------------- */

/* mailrecv:contacts-01: of the magic word "contacts 01". */
static void put_prefix(const struct store_kind *kind, char prefix[PREFIX])
{
    (void)snprintf(prefix, PREFIX, "mailrecv:%s:", kind->magic); /* there is room */
    for (char *c = prefix; (c = strchr(c, ' ')) != NULL; c++)
        *c = '-';
}

static struct slice key_of(const struct store *s, const void *record, char key[KEY])
{
    char prefix[PREFIX], name[STORE_NAME];

    put_prefix(s->kind, prefix);
    s->kind->tell(record, name);
    (void)snprintf(key, KEY, "%s%s", prefix, name); /* there is room */
    return slice_of(key);
}

/* A command whose reply is short, as redis_ask. */
static redisReply *run(const struct store *s, const struct redis_command *command)
{
    return redis_ask(redis_at(s->path), command, REDIS_REPLY);
}

/* ---- records ------------------------------------------------------------------------------- */

/* Takes what Redis has. False with errno set: that is none of ours. */
static bool take(const struct store *s, const redisReply *reply, char record[STORE_RECORD])
{
    if (reply->type == REDIS_REPLY_STRING && reply->len == STORE_RECORD && s->kind->is_sound(reply->str)) {
        memcpy(record, reply->str, STORE_RECORD);
        return true;
    }
    errno = EBADMSG;
    return false;
}

static struct known *find_last(const struct store *s)
{
    struct known *known = last;

    while (known->kind != NULL && known->kind != s->kind && known < last + KINDS - 1)
        known++;
    if (known->kind != s->kind)
        *known = (struct known){ .kind = s->kind };
    return known;
}

struct change {
    store_changer *make;
    const void *context;
    uint64_t now;
};

/* A record on its way: as it is thought to be, and as it came. */
struct attempt {
    char old[STORE_RECORD], begun[STORE_RECORD];
    bool there, read; /* it is thought to be there; that was read, and is no guess */
};

/* What comes of it. True if that is to be written. */
static bool make(const struct store *s, const struct attempt *a, void *record, const struct change *change)
{
    const bool known = a->there && !s->kind->is_past(a->old, s->keep, change->now);

    memcpy(record, known ? a->old : a->begun, STORE_RECORD);
    memset(record, 0, sizeof(uint32_t)); /* the sum, which Redis needs as little as a file needs its */
    return change->make(record, known, change->context);
}

static redisReply *put(const struct store *s, const struct attempt *a, const void *record, bool wanted, uint64_t now)
{
    const uint64_t end = s->kind->end(record, s->keep);
    const struct slice old = { a->old, a->there ? STORE_RECORD : 0 }, new = { record, wanted ? STORE_RECORD : 0 };
    char key[KEY], secs[NUMBER];

    (void)snprintf(secs, sizeof secs, "%ju", (uintmax_t)(end > now ? end - now + 1 : 1));
    return run(s, &(struct redis_command){ 7, SCRIPT(CHANGE), SLICE("1"), key_of(s, a->begun, key), old, new,
                                           slice_of(secs) } });
}

enum outcome { DONE, FAILED, AGAIN };

static enum outcome try(const struct store *s, struct attempt *a, void *record, const struct change *change)
{
    const bool wanted = make(s, a, record, change), there = a->there;
    redisReply *reply;
    enum outcome outcome;

    if (a->read && (!wanted || (there && memcmp(a->old, record, STORE_RECORD) == 0)))
        return DONE;
    reply = put(s, a, record, wanted, change->now);
    if (reply == NULL)
        return FAILED;
    a->read = true;
    a->there = reply->type != REDIS_REPLY_STRING || reply->len > 0;
    if (reply->type == REDIS_REPLY_INTEGER)
        memcpy(a->old, record, STORE_RECORD);
    outcome = reply->type == REDIS_REPLY_INTEGER ? DONE : a->there && !take(s, reply, a->old) ? FAILED : AGAIN;
    redis_free(reply);
    return outcome;
}

static bool change_one(const struct store *s, void *record, uint64_t now, store_changer *changer, const void *context)
{
    const struct change change = { changer, context, now };
    struct known *known = find_last(s);
    const bool same = s->kind->is_same(known->record, record);
    struct attempt a = { .there = same && known->there, .read = same && known->fresh };
    enum outcome outcome = AGAIN;

    memcpy(a.begun, record, STORE_RECORD);
    memcpy(a.old, known->record, STORE_RECORD);
    known->fresh = false;
    errno = EAGAIN; /* others have changed it each time */
    for (int i = 0; i < ATTEMPTS && outcome == AGAIN; i++)
        outcome = try(s, &a, record, &change);
    if (outcome == DONE) {
        memcpy(known->record, a.there ? a.old : a.begun, STORE_RECORD);
        known->there = a.there;
    } else if (!a.read) {
        memcpy(record, a.begun, STORE_RECORD);
    }
    return outcome == DONE;
}

static bool forget(const struct store *s, void *record)
{
    char key[KEY];
    redisReply *reply = run(s, &(struct redis_command){ 4, SCRIPT(FORGET), SLICE("1"), key_of(s, record, key) } });
    bool known;

    if (reply == NULL)
        return false;
    *find_last(s) = (struct known){ .kind = s->kind };
    errno = 0;
    known = reply->type != REDIS_REPLY_NIL && take(s, reply, record);
    redis_free(reply);
    return known;
}

/* ---- all of them ---------------------------------------------------------------------------- */

/* The parts of a reply of LIST. NULL: it is none. */
static const redisReply *values_of(const redisReply *reply, char cursor[NUMBER])
{
    const redisReply *next = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 ? reply->element[0] : NULL;

    if (next == NULL || next->type != REDIS_REPLY_STRING || next->len >= NUMBER ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return NULL;
    memcpy(cursor, next->str, next->len + 1);
    return reply->element[1];
}

/* Some more of them, from the cursor on. False with errno set. */
static bool collect(const struct store *s, char cursor[NUMBER], char *all, size_t *count)
{
    char prefix[PREFIX], pattern[PREFIX + 1];
    redisReply *reply;
    const redisReply *values;

    put_prefix(s->kind, prefix);
    (void)snprintf(pattern, sizeof pattern, "%s*", prefix); /* there is room */
    reply = redis_ask(redis_at(s->path), &(struct redis_command){ 5, SCRIPT(LIST), SLICE("0"), slice_of(cursor),
                      slice_of(pattern) } }, REDIS_LARGE);
    if (reply == NULL)
        return false;
    values = values_of(reply, cursor);
    for (size_t i = 0; values != NULL && i < values->elements && *count < STORE_MAX; i++)
        if (take(s, values->element[i], all + STORE_RECORD * *count)) /* another value is none of ours */
            ++*count;
    redis_free(reply);
    errno = EBADMSG;
    return values != NULL;
}

static void *list(const struct store *s, size_t *count)
{
    char cursor[NUMBER] = "0", *all = calloc(STORE_MAX, STORE_RECORD);
    bool good = all != NULL;

    *count = 0;
    do
        good = good && collect(s, cursor, all, count);
    while (good && strcmp(cursor, "0") != 0 && *count < STORE_MAX);
    if (good)
        return all;
    free(all); /* which leaves errno alone */
    *count = 0;
    return NULL;
}

/* ---- holding ------------------------------------------------------------------------------- */

static char token[TOKEN]; /* this process, as no other one is called */

/* False with errno set. */
static bool name_ourselves(void)
{
    unsigned char bytes[TOKEN / 2];

    if (token[0] != '\0')
        return true;
    if (getrandom(bytes, sizeof bytes, GRND_NONBLOCK) != (ssize_t)sizeof bytes)
        return false;
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static struct slice own_key(char key[KEY])
{
    (void)snprintf(key, KEY, "mailrecv:holder:%s", token); /* there is room */
    return slice_of(key);
}

/* 1: it is ours, and the record is known; 0: somebody else has it; -1 with errno set. */
static int ask_hold(const struct store *s, const void *record)
{
    struct known *known = find_last(s);
    char key[KEY], held[KEY + 8], own[KEY], secs[NUMBER];
    redisReply *reply;
    int answer;

    (void)snprintf(held, sizeof held, "%s:held", key_of(s, record, key).text);
    (void)snprintf(secs, sizeof secs, "%ju", (uintmax_t)s->hold);
    reply = run(s, &(struct redis_command){ 8, SCRIPT(HOLD), SLICE("3"), slice_of(held), own_key(own), slice_of(key),
                                            slice_of(token), slice_of(secs) } });
    if (reply == NULL)
        return -1;
    answer = reply->type == REDIS_REPLY_STRING;
    memcpy(known->record, record, STORE_RECORD);
    known->there = answer == 1 && reply->len > 0 && take(s, reply, known->record);
    known->fresh = answer == 1 && known->there == (reply->len > 0);
    redis_free(reply);
    return answer;
}

static bool hold(const struct store *s, int *fd, const void *record, uint64_t until)
{
    uint64_t pause = PAUSE_MS;
    int answer;

    if (!name_ourselves())
        return false;
    while ((answer = ask_hold(s, record)) == 0 && clock_left(until) > 0) {
        /* a signal may end it: it is asked again anyway */
        (void)clock_poll(NULL, 0, clock_earlier(until, clock_ms() + pause), NULL);
        pause = clock_earlier(2 * pause, PAUSE_MOST_MS);
    }
    if (answer == 0)
        errno = EBUSY;
    if (answer == 1)
        *fd = 0; /* no descriptor: something is held */
    return answer == 1;
}

static void release(const struct store *s, int *fd)
{
    char own[KEY];

    if (*fd >= 0)
        redis_tell(redis_at(s->path),
                   &(struct redis_command){ 5, SCRIPT(RELEASE), SLICE("1"), own_key(own), slice_of(token) } });
    *fd = -1;
}

static const char *why(const struct store *s)
{
    return errno == EIO || errno == ECANCELED ? redis_why(redis_at(s->path))
           : errno == EBADMSG                 ? "what is there was not written by mailrecv"
                                              : strerror(errno);
}

const struct store_engine store_redis = {
    .change = change_one, .forget = forget, .list = list, .hold = hold, .release = release, .why = why,
};
