/* redis_place.c - where Redis is, as the configuration says it: redis:HOST:PORT/DB; pure */
#include "stores/redis_place.h"

static const struct slice schemes[] = { SLICE("redis:"), SLICE("rediss:") }; /* the second is TLS */

enum { DATABASE_DIGITS = 5 };

static bool begins(struct slice text, struct slice scheme)
{
    return text.len >= scheme.len && memcmp(text.text, scheme.text, scheme.len) == 0;
}

bool redis_place_is(struct slice text)
{
    return begins(text, schemes[0]) || begins(text, schemes[1]);
}

/* Takes /DB from the end of a place, if that is there: behind the path of a socket a name of digits is one. */
static const char *take_database(struct slice *text, unsigned *database)
{
    const char *slash = text->len > 1 ? memrchr(text->text + 1, '/', text->len - 1) : NULL;
    size_t len = slash != NULL ? (size_t)(text->text + text->len - slash - 1) : 0, digits = 0;

    *database = 0;
    while (digits < len && slash[1 + digits] >= '0' && slash[1 + digits] <= '9')
        digits++;
    if (slash == NULL || (digits < len && text->text[0] == '/'))
        return NULL;
    if (digits < len || len == 0 || len > DATABASE_DIGITS)
        return "a database is a number from 0 to 99999";
    for (size_t i = 1; i <= len; i++)
        *database = *database * 10 + (unsigned)(slash[i] - '0');
    text->len -= len + 1;
    return NULL;
}

const char *redis_place_parse(struct slice text, struct redis_place *place)
{
    const char *wrong;

    place->tls = begins(text, schemes[1]);
    if (!redis_place_is(text))
        return "it does not begin with redis: or rediss:";
    if (text.len >= REDIS_PLACE)
        return "it is too long";
    text.text += schemes[place->tls].len;
    text.len -= schemes[place->tls].len;
    wrong = take_database(&text, &place->database);
    return wrong != NULL ? wrong : where_parse(text, &place->where);
}
