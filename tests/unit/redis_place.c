/* redis_place.c - unit tests of redis_place.h: how the place of a Redis is written */
#include "base/text.h"
#include "stores/redis_place.h"

#include "unit.h"

static const struct {
    const char *text;
    bool tls;
    enum where_kind kind;
    unsigned port, database;
    const char *rest; /* NULL: it is no place */
} places[] = {
    { "redis:redis.example.com:6379", false, WHERE_NAME, 6379, 0, "redis.example.com" },
    { "redis:192.0.2.7:6379/12", false, WHERE_IPV4, 6379, 12, "192.0.2.7" },
    { "rediss:[2001:db8::1]:6380/99999", true, WHERE_IPV6, 6380, 99999, "2001:db8::1" },
    { "redis:/run/redis/redis.sock", false, WHERE_UNIX, 0, 0, "/run/redis/redis.sock" },
    { "redis:/run/redis/redis.sock/3", false, WHERE_UNIX, 0, 3, "/run/redis/redis.sock" },
    { "redis:/run/12ab", false, WHERE_UNIX, 0, 0, "/run/12ab" },
    { "redis:/1", false, WHERE_UNIX, 0, 0, "/1" },
    { "redis:", false, 0, 0, 0, NULL },
    { "redis:/", false, WHERE_UNIX, 0, 0, "/" },
    { "redis:6379", false, 0, 0, 0, NULL },
    { "redis://192.0.2.7:6379", false, WHERE_UNIX, 0, 0, "//192.0.2.7:6379" },
    { "redis:192.0.2.7:6379/", false, 0, 0, 0, NULL },
    { "redis:192.0.2.7:6379/x", false, 0, 0, 0, NULL },
    { "redis:192.0.2.7:6379/-1", false, 0, 0, 0, NULL },
    { "redis:192.0.2.7:6379/123456", false, 0, 0, 0, NULL },
    { "redis:2001:db8::1:6379", false, 0, 0, 0, NULL },
    { "/var/lib/mailrecv/ledger", false, 0, 0, 0, NULL },
};

void test_redis_place(void)
{
    char longest[REDIS_PLACE + 1];
    struct text out = { longest, sizeof longest, 0 };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct redis_place place;
        const char *wrong = redis_place_parse(slice_of(places[i].text), &place);

        ok((wrong == NULL) == (places[i].rest != NULL), "%s: %s", places[i].text, wrong != NULL ? wrong : "a place");
        if (wrong != NULL || places[i].rest == NULL)
            continue;
        ok_text(place.where.text, slice_of(places[i].rest), "%s: the host or path", places[i].text);
        ok(place.where.kind == places[i].kind && place.where.port == places[i].port && place.tls == places[i].tls &&
               place.database == places[i].database, "%s: kind, port, TLS and database", places[i].text);
    }
    text_put(&out, slice_of("redis:/"));
    while (out.len < sizeof longest)
        text_put(&out, slice_of("x"));
    ok(redis_place_parse((struct slice){ longest, sizeof longest }, &(struct redis_place){ .tls = false }) != NULL,
       "too long a place");
    ok(redis_place_is(slice_of("rediss:x")) && !redis_place_is(slice_of("redis")) && !redis_place_is(slice_of("/redis:")),
       "a place of Redis is told from a path");
}
