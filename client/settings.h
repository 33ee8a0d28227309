/* settings.h - what the configuration asks of clients: TLS, logins, checks, lockout */
#ifndef CLIENT_SETTINGS_H
#define CLIENT_SETTINGS_H

#include <stdbool.h>

#include "base/keyword.h"
#include "base/process.h"
#include "session/limit.h"
#include "tables/settings.h"

/* Whether the connection is encrypted (RFC 3207, RFC 8314). */
enum tls {
    TLS_OFF,
    TLS_OPTIONAL, /* STARTTLS is offered */
    TLS_REQUIRED, /* and wanted before MAIL */
    TLS_IMPLICIT  /* from the first byte */
};

/* Whether clients say who they are (RFC 4954). */
enum auth {
    AUTH_OFF,
    AUTH_OPTIONAL,
    AUTH_REQUIRED /* before MAIL */
};

struct client_settings {
    unsigned tls, auth;         /* enum tls, enum auth */
    struct slice tls_cert[KEYWORD_LINES], tls_key[KEYWORD_LINES]; /* the pairs of certificate and key; an empty one is none */
    struct slice tls_client_ca, tls_ciphers, tls_helper;
    unsigned tls_min_version;   /* 0: 1.2, 1: 1.3 */
    struct slice auth_users, auth_senders;
    struct table *users_table, *senders_table; /* instead of a file of that name; NULL: it is a file */
    struct program auth_command;
    bool auth_insecure, auth_sender_check;
    struct slice lockout_db;    /* empty: no client is locked out */
    uint64_t lockout_violations, lockout_period, lockout_secs; /* the last two in seconds */
    struct limit fcrdns_check, helo_dns_check, helo_syntax_check; /* switches */
    struct limit sender_dns_check, rcpt_dns_check, sender_syntax_check, rcpt_syntax_check, sender_mta_check;
    struct pause early_talker;  /* before the greeting */
};

#endif
