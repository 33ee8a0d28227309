/* keywords.h - the directives about the process, its user and its log, for conf/keywords.c alone */
#ifndef BASE_KEYWORDS_H
#define BASE_KEYWORDS_H

#include "base/keyword.h"
#include "base/settings.h"

/* A build with sanitizers or for valgrind needs system calls that a session must not have. */
#ifndef SANDBOX_DEFAULT
#define SANDBOX_DEFAULT "try"
#endif

#define AT(member) .offset = offsetof(struct base_settings, member)

static const struct keyword base_keywords[] = {
    { .name = "user", .order = 20, .kind = KEYWORD_WORD, AT(user) },
    { .name = "sandbox", .order = 30, .kind = KEYWORD_CHOICE, AT(sandbox), .words = "off try on",
      .default_text = SANDBOX_DEFAULT },
    { .name = "debug", .order = 50, .kind = KEYWORD_FLAGS, AT(debug), .default_text = "-" },
    { .name = "logfile", .order = 60, .kind = KEYWORD_WORD, AT(logfile), .default_text = "syslog" },
    { .name = "loghex", .order = 70, .kind = KEYWORD_SWITCH, AT(loghex), .default_text = "on" },
};

#undef AT

#endif
