/* keywords.h - the directives about deliveries, for conf/keywords.c alone */
#ifndef DELIVERY_KEYWORDS_H
#define DELIVERY_KEYWORDS_H

#include "base/keyword.h"
#include "delivery/settings.h"

#define AT(member) .offset = offsetof(struct delivery_settings, member)

static const struct keyword delivery_keywords[] = {
    { .name = "deadletter_file", .order = 80, .kind = KEYWORD_WORD, AT(deadletter_file) },
    { .name = "spool_directory", .order = 90, .kind = KEYWORD_WORD, AT(spool_directory),
      .default_text = "/var/tmp" },
    { .name = "fsync", .order = 100, .kind = KEYWORD_SWITCH, AT(fsync), .default_text = "on" },
    { .name = "mailbox.mode", .order = 105, .kind = KEYWORD_CHOICE, AT(mailbox_mode), .words = "600 640 660",
      .default_text = "600" },
    { .name = "pipe.from_line", .order = 110, .kind = KEYWORD_SWITCH, AT(pipe_from_line), .default_text = "off" },
    { .name = "ledger", .order = 115, .kind = KEYWORD_WORD, AT(ledger) },
    { .name = "ledger.secs", .order = 116, .kind = KEYWORD_COUNT, AT(ledger_secs), .max = KEYWORD_MAX,
      .default_text = "432000" },
    { .name = "limit.pipe_secs", .order = 520, .kind = KEYWORD_LIMIT, AT(pipe_secs), .max = KEYWORD_MAX,
      .default_text = "120 451 The delivery took too long", .status = "3.0" },
    { .name = "limit.handover_secs", .order = 525, .kind = KEYWORD_LIMIT, AT(handover_secs), .max = KEYWORD_MAX,
      .default_text = "120 451 The next server took too long", .status = "4.1" },
    { .name = "limit.lock_secs", .order = 530, .kind = KEYWORD_LIMIT, AT(lock_secs), .max = KEYWORD_MAX,
      .default_text = "30 451 The mailbox is locked", .status = "2.0" },
};

#undef AT

#endif
