/* keywords.h - the directives about connections to other servers, for conf/keywords.c alone */
#ifndef NEXTHOP_KEYWORDS_H
#define NEXTHOP_KEYWORDS_H

#include "base/keyword.h"
#include "nexthop/settings.h"

#define AT(member) .offset = offsetof(struct nexthop_settings, member)

static const struct keyword nexthop_keywords[] = {
    { .name = "tls.ca", .order = 195, .kind = KEYWORD_WORD, AT(tls_ca), .default_text = "/etc/ssl/certs/ca-certificates.crt" },
};

#undef AT

#endif
