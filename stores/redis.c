/* redis.c - commands for Redis, over a connection that is kept for the session, and with little patience */
#include "stores/redis.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/credentials.h"
#include "base/library.h"
#include "base/log.h"
#include "base/text.h"
#include "nexthop/connect.h"
#include "nexthop/tls.h"

enum { PLACES = 2, ALONE_SECS = 10, BRIEF = 10 /* a tenth of redis.timeout is no wait */ };

struct redis {
    char name[REDIS_PLACE];
    struct redis_place place; /* parts of the name */
    int fd;                   /* -1: there is no connection */
    struct nexthop_tls tls;
    redisReader *reader;
    size_t unheard;           /* replies that nobody waits for */
    uint64_t spent;           /* milliseconds of this session */
    bool failed;              /* and is not asked again */
    bool closed;              /* the other side has closed the connection */
    char why[REDIS_REASON];
};

static struct redis servers[PLACES] COLD_BSS;
static const struct store_settings *in_use;
static _Atomic uint64_t *alone; /* until when each is left alone (clock.h); of all processes of a listener; NULL: no listener */

/* ---- the library --------------------------------------------------------------------------- */

static struct {
    int (*format)(char **target, int count, const char **words, const size_t *lengths);
    void (*free_command)(char *command);
    redisReader *(*create)(void);
    int (*feed)(redisReader *reader, const char *bytes, size_t len);
    int (*get)(redisReader *reader, void **reply);
    void (*free_reader)(redisReader *reader);
    void (*free_reply)(void *reply);
} hiredis;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(hiredis.format, redisFormatCommandArgv), LIBRARY_FUNCTION(hiredis.free_command, redisFreeCommand),
    LIBRARY_FUNCTION(hiredis.create, redisReaderCreate),      LIBRARY_FUNCTION(hiredis.feed, redisReaderFeed),
    LIBRARY_FUNCTION(hiredis.get, redisReaderGetReply),       LIBRARY_FUNCTION(hiredis.free_reader, redisReaderFree),
    LIBRARY_FUNCTION(hiredis.free_reply, freeReplyObject), /* the last: if it is there, all are */
};

/* The version that this was compiled for: in another one redisReply may have other members. */
#define TEXT_OF(number) #number
#define FILE_OF(version) "libhiredis.so." TEXT_OF(version)

/* NULL, or why it is not there. */
static const char *load(void)
{
    const size_t count = sizeof functions / sizeof functions[0];

    return hiredis.free_reply != NULL ? NULL : library_load(FILE_OF(HIREDIS_SONAME), functions, count);
}

/* ---- the connection ------------------------------------------------------------------------ */

static void hang_up(struct redis *r)
{
    if (r->fd >= 0)
        (void)close(r->fd); /* what was to be heard was heard */
    if (r->fd >= 0 && r->place.tls)
        nexthop_tls_end(&r->tls);
    if (r->reader != NULL)
        hiredis.free_reader(r->reader);
    r->fd = -1;
    r->reader = NULL;
    r->unheard = 0;
}

/* Waits for the server. False with a reason. */
static bool wait_for(struct redis *r, short events, uint64_t until)
{
    struct pollfd ready = { .fd = r->fd, .events = events };
    int n = clock_poll(&ready, 1, until, NULL);

    if (n <= 0)
        (void)snprintf(r->why, sizeof r->why, "%s", n == 0 ? "it has not answered in time" : strerror(errno));
    return n > 0;
}

/* A read or write has failed. Is it to be tried again? */
static bool goes_on(struct redis *r, const char *what, short events, uint64_t until)
{
    if (errno == EAGAIN || errno == EINTR)
        return wait_for(r, events, until);
    r->closed = errno == EPIPE || errno == ECONNRESET;
    (void)snprintf(r->why, sizeof r->why, "%s: %s", what, strerror(errno));
    return false;
}

static bool send_all(struct redis *r, const char *bytes, size_t len, uint64_t until)
{
    while (len > 0) {
        ssize_t n = send(r->fd, bytes, len, MSG_NOSIGNAL);

        if (n < 0 && !goes_on(r, "cannot ask", POLLOUT, until))
            return false;
        bytes += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool send_command(struct redis *r, const struct redis_command *command, uint64_t until)
{
    const char *words[REDIS_WORDS];
    size_t lengths[REDIS_WORDS];
    char *bytes = NULL;
    int len;
    bool sent;

    for (size_t i = 0; i < command->count; i++) {
        words[i] = command->words[i].text;
        lengths[i] = command->words[i].len;
    }
    len = hiredis.format(&bytes, (int)command->count, words, lengths);
    if (len < 0) {
        (void)snprintf(r->why, sizeof r->why, "out of memory");
        return false;
    }
    sent = send_all(r, bytes, (size_t)len, until);
    explicit_bzero(bytes, (size_t)len); /* it may have a password in it */
    hiredis.free_command(bytes);
    return sent;
}

/* Reads what has come, into the library. False with a reason: nothing more comes. */
static bool read_some(struct redis *r, size_t *left, uint64_t until)
{
    char bytes[4096];
    ssize_t n = read(r->fd, bytes, *left < sizeof bytes ? *left : sizeof bytes);

    if (n < 0)
        return goes_on(r, "cannot read its answer", POLLIN, until);
    if (n == 0) {
        r->closed = *left > 0;
        (void)snprintf(r->why, sizeof r->why, *left > 0 ? "it has closed the connection" : "its answer is too long");
        return false;
    }
    *left -= (size_t)n;
    if (hiredis.feed(r->reader, bytes, (size_t)n) == REDIS_OK)
        return true;
    (void)snprintf(r->why, sizeof r->why, "its answer cannot be read: %s", r->reader->errstr);
    return false;
}

/* The next reply; NULL with a reason. */
static redisReply *hear(struct redis *r, size_t most, uint64_t until)
{
    void *reply = NULL;

    while (reply == NULL) {
        if (hiredis.get(r->reader, &reply) != REDIS_OK) {
            (void)snprintf(r->why, sizeof r->why, "its answer cannot be read: %s", r->reader->errstr);
            return NULL;
        }
        if (reply == NULL && !read_some(r, &most, until))
            return NULL;
    }
    return reply;
}

/* Is it no error? Else that is the reason. */
static bool is_good(struct redis *r, const redisReply *reply)
{
    const struct slice text = { reply->str, reply->len };
    char shown[LOG_TEXT];

    if (reply->type == REDIS_REPLY_ERROR)
        (void)snprintf(r->why, sizeof r->why, "%s", log_encode(shown, sizeof shown, text));
    return reply->type != REDIS_REPLY_ERROR;
}

/* Whose file redis.auth may be; root looks for others. */
static uid_t owner(void)
{
    return geteuid() == 0 ? CREDENTIALS_ANY_OWNER : geteuid();
}

/* Says who we are. Its answer is heard before that to the first question. False with a reason. */
static bool log_in(struct redis *r, uint64_t until)
{
    struct credentials credentials;
    struct redis_command command = { 3, { SLICE("AUTH") } };
    bool said;

    if (in_use->redis_auth.len == 0)
        return true;
    if (!credentials_read_password(in_use->redis_auth, owner(), &credentials, r->why, sizeof r->why))
        return false;
    command.count = credentials.user.len > 0 ? 3 : 2;
    command.words[1] = credentials.user;
    command.words[command.count - 1] = credentials.password;
    said = send_command(r, &command, until);
    credentials_wipe(&credentials);
    return said;
}

static bool choose_database(struct redis *r, uint64_t until)
{
    char digits[16];

    (void)snprintf(digits, sizeof digits, "%u", r->place.database);
    return r->place.database == 0 ||
           send_command(r, &(struct redis_command){ 2, { SLICE("SELECT"), slice_of(digits) } }, until);
}

static bool connect_to(struct redis *r, uint64_t until)
{
    const struct where *where = &r->place.where;
    char name[WHERE_HOST + 1];

    r->fd = nexthop_connect(where, until, r->why, sizeof r->why);
    if (r->fd >= 0 && r->place.tls) {
        text_string(name, sizeof name, where->kind == WHERE_UNIX ? (struct slice){ "localhost", 9 } : where->text);
        r->fd = nexthop_tls_start(&r->tls, r->fd, name, NEXTHOP_VERIFY, until, r->why, sizeof r->why);
    }
    if (r->fd < 0)
        return false;
    r->reader = hiredis.create();
    if (r->reader == NULL)
        (void)snprintf(r->why, sizeof r->why, "out of memory");
    r->unheard = (in_use->redis_auth.len > 0 ? 1U : 0U) + (r->place.database != 0 ? 1U : 0U);
    return r->reader != NULL && log_in(r, until) && choose_database(r, until);
}

/* ---- questions ----------------------------------------------------------------------------- */

/* What was said at the beginning, and what nobody waits for. Only the first can fail in a way that matters. */
static bool hear_earlier(struct redis *r, bool fresh, uint64_t until)
{
    bool good = true;

    for (; good && r->unheard > 0; r->unheard--) {
        redisReply *reply = hear(r, REDIS_REPLY, until);

        good = reply != NULL && (!fresh || is_good(r, reply));
        if (reply != NULL)
            hiredis.free_reply(reply);
    }
    return good;
}

static redisReply *ask_once(struct redis *r, const struct redis_command *command, size_t most, uint64_t until)
{
    const bool fresh = r->fd < 0;

    r->closed = false;
    if ((fresh && !connect_to(r, until)) || !send_command(r, command, until) || !hear_earlier(r, fresh, until))
        return NULL;
    return hear(r, most, until);
}

static _Atomic uint64_t *alone_until(const struct redis *r)
{
    return &alone[r - servers];
}

/* It is left alone: for the rest of this session, and by others for a while. */
static void give_up(struct redis *r)
{
    size_t len = strlen(r->why);

    hang_up(r);
    r->failed = true;
    if (alone == NULL)
        return;
    atomic_store(alone_until(r), clock_ms() + ALONE_SECS * (uint64_t)1000);
    (void)snprintf(r->why + len, sizeof r->why - len, "; it is left alone for %d seconds", ALONE_SECS);
}

static bool is_left_alone(const struct redis *r)
{
    return r->failed || (alone != NULL && clock_ms() < atomic_load(alone_until(r)));
}

redisReply *redis_ask(struct redis *redis, const struct redis_command *command, size_t most)
{
    struct redis *r = redis;
    const uint64_t begin = clock_ms(), patience = in_use->redis_timeout, until = begin + patience - r->spent;
    const bool kept = r->fd >= 0;
    redisReply *reply = NULL;
    const char *missing;
    uint64_t took;

    errno = ECANCELED;
    if (is_left_alone(r))
        return NULL;
    missing = load();
    if (missing != NULL)
        (void)snprintf(r->why, sizeof r->why, "%s", missing);
    else if ((reply = ask_once(r, command, most, until)) == NULL && kept && r->closed) {
        hang_up(r);
        reply = ask_once(r, command, most, until); /* it was started anew, or had no more room for us */
    }
    took = clock_ms() - begin;
    if (took > patience / BRIEF)
        r->spent = clock_earlier(r->spent + took, patience);
    errno = EIO;
    if (reply == NULL) {
        give_up(r);
    } else if (!is_good(r, reply)) {
        hiredis.free_reply(reply);
        reply = NULL;
    }
    return reply;
}

void redis_free(redisReply *reply)
{
    hiredis.free_reply(reply);
}

void redis_tell(struct redis *redis, const struct redis_command *command)
{
    if (redis->fd < 0)
        return;
    if (send_command(redis, command, clock_ms()))
        redis->unheard++;
    else
        hang_up(redis); /* it may have been told half of it */
}

const char *redis_why(const struct redis *redis)
{
    return redis->why;
}

/* ---- which there are ------------------------------------------------------------------------ */

void redis_use(const struct store_settings *settings)
{
    in_use = settings;
}

struct redis *redis_at(const char *place)
{
    struct redis *r = servers;

    while (r->name[0] != '\0' && strcmp(r->name, place) != 0 && r < servers + PLACES - 1)
        r++;
    if (r->name[0] == '\0') {
        (void)snprintf(r->name, sizeof r->name, "%s", place);
        r->fd = -1;
        (void)redis_place_parse(slice_of(r->name), &r->place); /* conf/ has done it before */
    }
    return r;
}

void redis_share(struct slice contacts, struct slice ledger)
{
    const char *missing;
    void *memory;

    if (!redis_place_is(contacts) && !redis_place_is(ledger))
        return;
    missing = load();
    memory = mmap(NULL, sizeof *alone * PLACES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (missing != NULL)
        log_line(LOG_ERR, "redis: %s", missing);
    alone = memory != MAP_FAILED ? memory : NULL; /* then each session finds out by itself */
}

void redis_withhold(void)
{
    if (alone != NULL)
        (void)madvise(alone, sizeof *alone * PLACES, MADV_DONTFORK); /* ours: cannot fail */
}
