/* redis_check.c - whether Redis can be reached and may be asked (-t) */
#include "admin/redis_check.h"

#include <unistd.h>

#include "admin/probe.h"
#include "base/clock.h"
#include "base/credentials.h"
#include "base/log.h"
#include "base/text.h"
#include "dns/dns.h"
#include "nexthop/tls.h"
#include "stores/redis.h"

enum { PATIENCE_MS = 5000, FACT = 64 };

static volatile sig_atomic_t never;

/* The value of a line NAME:VALUE of INFO. */
static const char *fact_of(const redisReply *info, const char *name, char value[FACT])
{
    const struct slice all = { info->str, info->len };
    const char *line = memmem(all.text, all.len, name, strlen(name));
    struct slice rest = { "", 0 };

    if (line != NULL)
        rest = (struct slice){ line + strlen(name), all.len - (size_t)(line - all.text) - strlen(name) };
    for (size_t i = 0; i < rest.len; i++)
        if (rest.text[i] == '\r' || rest.text[i] == '\n')
            rest.len = i;
    return log_encode(value, FACT, rest);
}

/* What INFO says that the administrator should know, by the beginning of the value. */
static const struct {
    const char *name, *value;
    bool ledger; /* matters for that alone */
    const char *what;
} doubts[] = {
    { "maxmemory_policy:", "allkeys", false,
      "when its memory is full, Redis forgets any key, and a lock or a delivery with it" },
    { "aof_enabled:", "0", true,
      "Redis forgets its last minutes when it dies, and what was delivered then may be delivered again: "
      "'appendonly yes' in its configuration changes that" },
    { "slave_read_only:", "1", false,
      "this Redis is a replica, which takes no changes: name its master, or a proxy that follows it" },
    { "redis_mode:", "cluster", false,
      "this Redis is a node of a cluster, and mailrecv follows none of its redirections: name a Redis without one" },
};

/* What is worth knowing of it. */
static void tell(struct conf *conf, const struct conf_place *place, const redisReply *info, bool answers, bool ledger)
{
    char value[FACT];

    if (answers)
        conf_complain(conf, SEVERITY_NOTE, place->line, place->column, "this is Redis %s, and it may be asked",
                      fact_of(info, "redis_version:", value));
    for (size_t i = 0; i < sizeof doubts / sizeof doubts[0]; i++)
        if ((ledger || !doubts[i].ledger) &&
            strncmp(fact_of(info, doubts[i].name, value), doubts[i].value, strlen(doubts[i].value)) == 0)
            conf_complain(conf, SEVERITY_WARNING, place->line, place->column, "%s (%s%s)", doubts[i].what,
                          doubts[i].name, value);
}

/* What a session does with it, but that nothing is changed; and what it is. */
static void ask(struct conf *conf, const char *keyword, struct slice where)
{
    static const struct redis_command info = { 1, { SLICE("INFO") } }, script = {
        4, { SLICE("EVAL"), SLICE("return redis.call('GET', KEYS[1])"), SLICE("1"), SLICE("mailrecv:test") }
    };
    const struct conf_place place = conf_place_of(conf, keyword, where);
    char name[REDIS_PLACE];
    struct redis *redis;
    redisReply *asked, *told;

    text_string(name, sizeof name, where);
    redis = redis_at(name);
    asked = redis_ask(redis, &script, REDIS_REPLY);
    if (asked == NULL)
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column, "Redis cannot be asked now: %s",
                      redis_why(redis));
    told = redis_ask(redis, &info, REDIS_LARGE);
    if (told == NULL && asked != NULL)
        conf_complain(conf, SEVERITY_NOTE, place.line, place.column, "Redis may be asked, but not what it is: %s",
                      redis_why(redis));
    if (told != NULL && told->type == REDIS_REPLY_STRING)
        tell(conf, &place, told, asked != NULL, strcmp(keyword, "ledger") == 0);
    if (told != NULL)
        redis_free(told);
    if (asked != NULL)
        redis_free(asked);
}

/* The file with the password, if we may read it: access.c tells who may not. */
static void check_password(struct conf *conf)
{
    const uid_t user = probe_who.how == OURSELVES ? CREDENTIALS_ANY_OWNER : probe_who.account.uid;
    const struct conf_place place = conf_place_of(conf, "redis.auth", conf->stores.redis_auth);
    struct credentials credentials;
    char path[PATH_MAX], reason[REDIS_REASON];

    text_string(path, sizeof path, conf->stores.redis_auth); /* cut, it is not there */
    if (conf->stores.redis_auth.len == 0 || access(path, R_OK) != 0)
        return;
    if (!credentials_read_password(conf->stores.redis_auth, user, &credentials, reason, sizeof reason))
        conf_complain(conf, SEVERITY_ERROR, place.line, place.column, "%s", reason);
    else
        credentials_wipe(&credentials);
}

static bool is_used(const struct conf *conf)
{
    return redis_place_is(conf->client.lockout_db) || redis_place_is(conf->delivery.ledger);
}

void redis_check_patiently(struct conf *conf)
{
    if (!is_used(conf))
        return;
    if (conf->stores.redis_timeout < PATIENCE_MS)
        conf->stores.redis_timeout = PATIENCE_MS;
    dns_begin(&conf->dns, conf->base.sandbox != SANDBOX_OFF, clock_ms() + PATIENCE_MS, &never);
    nexthop_tls_use(conf->client.tls_helper, conf->nexthop.tls_ca);
}

static void doubt(struct conf *conf, const char *keyword)
{
    const struct conf_place place = conf_place_of(conf, keyword, (struct slice){ NULL, 0 });

    if (place.line > 0)
        conf_complain(conf, SEVERITY_WARNING, place.line, place.column,
                      "'%s' has no effect without redis: in lockout.db or ledger", keyword);
}

void redis_check(struct conf *conf)
{
    const struct slice contacts = conf->client.lockout_db, ledger = conf->delivery.ledger;
    const uint64_t timeout = conf->stores.redis_timeout;

    if (!is_used(conf)) {
        doubt(conf, "redis.auth");
        doubt(conf, "redis.timeout");
        return;
    }
    check_password(conf);
    if (conf->errors > 0)
        return;
    redis_check_patiently(conf);
    if (redis_place_is(contacts))
        ask(conf, "lockout.db", contacts);
    if (redis_place_is(ledger))
        ask(conf, "ledger", ledger);
    conf->stores.redis_timeout = timeout;
    dns_end();
}
