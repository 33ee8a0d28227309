/* keywords.h - the directives about Redis, for conf/keywords.c alone */
#ifndef STORES_KEYWORDS_H
#define STORES_KEYWORDS_H

#include "base/keyword.h"
#include "stores/settings.h"

#define AT(member) .offset = offsetof(struct store_settings, member)

static const struct keyword store_keywords[] = {
    { .name = "redis.auth", .order = 275, .kind = KEYWORD_WORD, AT(redis_auth) },
    { .name = "redis.timeout", .order = 276, .kind = KEYWORD_COUNT, AT(redis_timeout), .max = KEYWORD_MAX,
      .default_text = "20" },
};

#undef AT

#endif
