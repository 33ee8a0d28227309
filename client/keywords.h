/* keywords.h - the directives about clients (TLS, logins, checks, lockout), for conf/keywords.c alone */
#ifndef CLIENT_KEYWORDS_H
#define CLIENT_KEYWORDS_H

#include "base/keyword.h"
#include "client/settings.h"

#define AT(member) .offset = offsetof(struct client_settings, member)

static const struct keyword client_keywords[] = {
    { .name = "tls", .order = 130, .kind = KEYWORD_CHOICE, AT(tls), .words = "off optional required implicit",
      .default_text = "off" },
    { .name = "tls.cert", .order = 140, .kind = KEYWORD_WORDS, AT(tls_cert) },
    { .name = "tls.key", .order = 150, .kind = KEYWORD_WORDS, AT(tls_key) },
    { .name = "tls.client_ca", .order = 160, .kind = KEYWORD_WORD, AT(tls_client_ca) },
    { .name = "tls.min_version", .order = 170, .kind = KEYWORD_CHOICE, AT(tls_min_version), .words = "1.2 1.3",
      .default_text = "1.2" },
    { .name = "tls.ciphers", .order = 180, .kind = KEYWORD_WORD, AT(tls_ciphers) },
    { .name = "tls.helper", .order = 190, .kind = KEYWORD_WORD, AT(tls_helper) },
    { .name = "auth", .order = 200, .kind = KEYWORD_CHOICE, AT(auth), .words = "off optional required",
      .default_text = "off" },
    { .name = "auth.insecure", .order = 210, .kind = KEYWORD_SWITCH, AT(auth_insecure), .default_text = "off" },
    { .name = "auth.sender_check", .order = 240, .kind = KEYWORD_SWITCH, AT(auth_sender_check),
      .default_text = "off" },
    { .name = "lockout.db", .order = 270, .kind = KEYWORD_WORD, AT(lockout_db) },
    { .name = "lockout.violations", .order = 280, .kind = KEYWORD_COUNT, AT(lockout_violations),
      .max = KEYWORD_MAX, .default_text = "3" },
    { .name = "lockout.period", .order = 290, .kind = KEYWORD_COUNT, AT(lockout_period), .max = KEYWORD_MAX,
      .default_text = "3600" },
    { .name = "lockout.secs", .order = 300, .kind = KEYWORD_COUNT, AT(lockout_secs), .max = KEYWORD_MAX,
      .default_text = "3600" },
    { .name = "limit.fcrdns_check", .order = 410, .kind = KEYWORD_CHECK, AT(fcrdns_check),
      .default_text = "off 450 Your host has no name that leads back to its address", .status = "7.25" },
    { .name = "limit.helo_dns_check", .order = 420, .kind = KEYWORD_CHECK, AT(helo_dns_check),
      .default_text = "off 450 Your HELO name has no address", .status = "7.1" },
    { .name = "limit.helo_syntax_check", .order = 430, .kind = KEYWORD_CHECK, AT(helo_syntax_check),
      .default_text = "off 501 Give your host name, or your address in brackets", .status = "5.4" },
    { .name = "limit.sender_dns_check", .order = 440, .kind = KEYWORD_CHECK, AT(sender_dns_check),
      .default_text = "off 450 The domain of the sender does not exist", .status = "1.8" },
    { .name = "limit.sender_mta_check", .order = 445, .kind = KEYWORD_CHECK, AT(sender_mta_check),
      .default_text = "off 450 The mail hosts of the sender do not answer", .status = "1.8" },
    { .name = "limit.rcpt_dns_check", .order = 450, .kind = KEYWORD_CHECK, AT(rcpt_dns_check),
      .default_text = "off 450 The domain of the recipient does not exist", .status = "1.2" },
    { .name = "limit.sender_syntax_check", .order = 460, .kind = KEYWORD_CHECK, AT(sender_syntax_check),
      .default_text = "off 553 The address of the sender is not a plain one", .status = "1.7" },
    { .name = "limit.rcpt_syntax_check", .order = 470, .kind = KEYWORD_CHECK, AT(rcpt_syntax_check),
      .default_text = "off 553 The address of the recipient is not a plain one", .status = "1.3" },
    { .name = "limit.early_talker", .order = 540, .kind = KEYWORD_PAUSE, AT(early_talker), .max = KEYWORD_MAX,
      .default_text = "off 5 554 You talk before you are greeted", .status = "5.1" },
};

#undef AT

#endif
