/* keywords.h - the directives about tables, for conf/keywords.c alone */
#ifndef TABLES_KEYWORDS_H
#define TABLES_KEYWORDS_H

#include "base/keyword.h"
#include "tables/settings.h"

#define AT(member) .offset = offsetof(struct table_settings, member)

static const struct keyword table_keywords[] = {
    { .name = "table.cache", .order = 122, .kind = KEYWORD_WORD, AT(cache), .default_text = "/var/lib/mailrecv" },
    { .name = "table.timeout", .order = 124, .kind = KEYWORD_COUNT, AT(timeout), .max = KEYWORD_MAX, .default_text = "5000" },
    { .name = "table.keep_secs", .order = 126, .kind = KEYWORD_DELAY, AT(keep_secs), .max = KEYWORD_MAX,
      .default_text = "60" },
};

#undef AT

#endif
