/* keywords.h - the directives about listening, for conf/keywords.c alone */
#ifndef LISTENER_KEYWORDS_H
#define LISTENER_KEYWORDS_H

#include "base/keyword.h"
#include "listener/settings.h"

#define AT(member) .offset = offsetof(struct listener_settings, member)

static const struct keyword listener_keywords[] = {
    { .name = "limit.sessions", .order = 700, .kind = KEYWORD_LIMIT, AT(sessions), .max = KEYWORD_MAX,
      .default_text = "100 421 Too many sessions, try again later", .status = "3.2" },
    { .name = "limit.client_sessions", .order = 710, .kind = KEYWORD_LIMIT, AT(client_sessions), .max = KEYWORD_MAX,
      .default_text = "10 421 Too many sessions from your host, try again later", .status = "7.0" },
    { .name = "limit.client_rate", .order = 720, .kind = KEYWORD_LIMIT, AT(client_rate), .max = KEYWORD_MAX,
      .words = "none", .default_text = "none 421 Too many connections from your host, try later", .status = "7.0" },
    { .name = "listen.spares", .order = 725, .kind = KEYWORD_DELAY, AT(spares), .max = 64, .default_text = "2" },
    { .name = "listen.idle_secs", .order = 730, .kind = KEYWORD_DELAY, AT(idle_secs), .max = KEYWORD_MAX,
      .default_text = "60" },
};

#undef AT

#endif
