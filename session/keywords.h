/* keywords.h - the directives about the dialogue, for conf/keywords.c alone */
#ifndef SESSION_KEYWORDS_H
#define SESSION_KEYWORDS_H

#include "base/keyword.h"
#include "session/settings.h"

#define AT(member) .offset = offsetof(struct session_settings, member)

static const struct keyword session_keywords[] = {
    { .name = "protocol", .order = 35, .kind = KEYWORD_CHOICE, AT(protocol), .words = "smtp lmtp",
      .default_text = "smtp" },
    { .name = "greeting", .order = 40, .kind = KEYWORD_TEXT, AT(greeting) },
    { .name = "limit.smtp_commands", .order = 310, .kind = KEYWORD_LIMIT, AT(smtp_commands), .max = KEYWORD_MAX,
      .default_text = "25 421 Too many commands without a message", .status = "7.0" },
    { .name = "limit.smtp_undelivered", .order = 320, .kind = KEYWORD_LIMIT, AT(smtp_undelivered),
      .max = KEYWORD_MAX,
      .default_text = "1000 421 Too many commands without a delivery", .status = "7.0" },
    { .name = "limit.smtp_unknowncmd", .order = 330, .kind = KEYWORD_LIMIT, AT(smtp_unknowncmd),
      .max = KEYWORD_MAX,
      .default_text = "4 421 Too many unknown commands", .status = "7.0" },
    { .name = "limit.smtp_failcmds", .order = 340, .kind = KEYWORD_LIMIT, AT(smtp_failcmds), .max = KEYWORD_MAX,
      .default_text = "4 421 Too many failed commands", .status = "7.0" },
    { .name = "limit.smtp_refused_rcpts", .order = 350, .kind = KEYWORD_LIMIT, AT(smtp_refused_rcpts),
      .max = KEYWORD_MAX,
      .default_text = "25 421 Too many refused recipients", .status = "7.0" },
    { .name = "limit.connection_secs", .order = 360, .kind = KEYWORD_LIMIT, AT(connection_secs),
      .max = KEYWORD_MAX,
      .default_text = "600 421 The session took too long", .status = "4.2" },
    { .name = "limit.command_secs", .order = 370, .kind = KEYWORD_LIMIT, AT(command_secs), .max = KEYWORD_MAX,
      .default_text = "300 421 Waited too long for input", .status = "4.2" },
    { .name = "limit.smtp_data_size", .order = 380, .kind = KEYWORD_LIMIT, AT(smtp_data_size),
      .max = 1000000000000000,
      .default_text = "24000000 552 Message is too large", .status = "3.4" },
    { .name = "limit.smtp_rcpt_to", .order = 390, .kind = KEYWORD_LIMIT, AT(smtp_rcpt_to), .max = 999999,
      .default_text = "100 452 Too many recipients", .status = "5.3" },
    { .name = "limit.smtp_ascii", .order = 400, .kind = KEYWORD_CHECK, AT(smtp_ascii),
      .default_text = "on 500 Commands must be printable ASCII", .status = "5.2" },
    { .name = "limit.helo_required", .order = 480, .kind = KEYWORD_CHECK, AT(helo_required),
      .default_text = "off 503 Say HELO or EHLO first", .status = "5.1" },
    { .name = "limit.bare_newline", .order = 490, .kind = KEYWORD_CHECK, AT(bare_newline),
      .words = "normalize reject",
      .default_text = "normalize 550 Lines must end in CRLF", .status = "5.2" },
    { .name = "limit.hops", .order = 500, .kind = KEYWORD_LIMIT, AT(hops), .max = KEYWORD_MAX,
      .default_text = "100 554 Too many hops, the message is in a loop", .status = "4.6" },
    { .name = "limit.auth_failures", .order = 510, .kind = KEYWORD_LIMIT, AT(auth_failures), .max = KEYWORD_MAX,
      .default_text = "3 421 Too many failed logins", .status = "7.0" },
    { .name = "tarpit", .order = 550, .kind = KEYWORD_DELAY, AT(tarpit), .max = KEYWORD_MAX, .default_text = "0" },
};

#undef AT

#endif
