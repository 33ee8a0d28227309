/* keywords.h - the directives about handlers, for conf/keywords.c alone */
#ifndef HANDLERS_KEYWORDS_H
#define HANDLERS_KEYWORDS_H

#include "base/keyword.h"
#include "handlers/settings.h"

#define AT(member) .offset = offsetof(struct handler_settings, member)

static const struct keyword handler_keywords[] = {
    { .name = "limit.policy_secs", .order = 545, .kind = KEYWORD_LIMIT, AT(policy_secs), .max = KEYWORD_MAX,
      .default_text = "100 451 A policy cannot be checked now, try again later", .status = "3.5" },
    { .name = "limit.milter_secs", .order = 546, .kind = KEYWORD_LIMIT, AT(milter_secs), .max = KEYWORD_MAX,
      .default_text = "300 451 A filter cannot be asked now, try again later", .status = "7.1" },
    { .name = "milter.failure", .order = 117, .kind = KEYWORD_CHOICE, AT(milter_failure), .words = "tempfail accept reject quarantine",
      .default_text = "tempfail" },
};

#undef AT

#endif
