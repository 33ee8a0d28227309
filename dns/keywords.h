/* keywords.h - the directives about the DNS, for conf/keywords.c alone */
#ifndef DNS_KEYWORDS_H
#define DNS_KEYWORDS_H

#include "base/keyword.h"
#include "dns/dns.h"

#define AT(member) .offset = offsetof(struct dns_settings, member)

static const struct keyword dns_keywords[] = {
    { .name = "dns.timeout", .order = 260, .kind = KEYWORD_COUNT, AT(timeout), .max = KEYWORD_MAX,
      .default_text = "5000" },
    { .name = "dns.reverse", .order = 265, .kind = KEYWORD_SWITCH, AT(reverse), .default_text = "on" },
};

#undef AT

#endif
