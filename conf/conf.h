/* conf.h - the text of mailrecv.conf to struct conf: what the rest of the program needs of it */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/process.h"
#include "base/slice.h"
#include "dns/dns.h"
#include "rules.h"
#include "session/limit.h"

enum { CONF_TEXT = 1900 }; /* bytes that the text of a reply may have */

/* Whether the session is a process of its own that can do nothing but talk. */
enum sandbox {
    SANDBOX_OFF, /* no: one process */
    SANDBOX_TRY, /* with whatever of Landlock and seccomp the kernel has */
    SANDBOX_ON   /* with both, or nothing is served */
};

enum severity {
    SEVERITY_ERROR,   /* nothing is served */
    SEVERITY_WARNING, /* it works, but hardly as it was meant */
    SEVERITY_NOTE     /* worth knowing */
};

/* Something to say about the file. */
struct conf_problem {
    struct conf_problem *next;
    unsigned line, column;  /* from 1, in bytes; 0: the file as a whole */
    enum severity severity;
    const char *message;    /* what is wrong, what was expected */
    const char *advice;     /* what to write or do instead; NULL: the message says all */
    bool logged;
};

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

struct conf_memory;
struct transaction;

/* Is shown a delivery that is not made (deliver.h). */
typedef void conf_rehearse(const struct transaction *transaction, const struct recipient *recipient,
                           const struct target *target);

/* The configuration. All slices point into memory that conf_free releases, or are constants. */
struct conf {
    const char *path;
    struct slice text;              /* the whole file */
    struct conf_memory *memory;
    struct conf_problem *problems, *last_problem; /* in the order of their lines; the one added last */
    unsigned errors;

    unsigned default_reply_line;    /* a limit without CODE TEXT stands here, 0: none does */
    struct rules rules;             /* domain, allow, deny, groups, deliver, error */
    struct slice debug, logfile, deadletter_file, spool_directory, user, greeting;
    struct slice tls_cert, tls_key, tls_client_ca, tls_ciphers, tls_helper;
    struct slice auth_users, auth_senders;
    struct slice lockout_db;        /* empty: nobody is locked out */
    uint64_t lockout_violations, lockout_period, lockout_secs; /* the last two in seconds */
    struct program auth_command;
    bool loghex, pipe_from_line, fsync, auth_insecure, auth_sender_check;
    unsigned sandbox, tls, auth;    /* enum sandbox, enum tls, enum auth */
    unsigned tls_min_version;       /* 0: 1.2, 1: 1.3 */
    struct dns_settings dns;
    struct limit smtp_commands, smtp_undelivered, smtp_unknowncmd, smtp_failcmds, smtp_refused_rcpts;
    struct limit connection_secs, command_secs;
    struct limit smtp_data_size, smtp_rcpt_to, smtp_ascii, fcrdns_check, helo_required;
    struct limit helo_dns_check, helo_syntax_check, sender_dns_check, rcpt_dns_check, sender_syntax_check, rcpt_syntax_check;
    struct limit pipe_secs, lock_secs, bare_newline, hops, auth_failures;
    struct pause early_talker;      /* before the greeting */
    uint64_t tarpit;                /* seconds before the first refusal of a session, twice that before the second... */
    struct rule dead_letter;        /* the rule of mail without a rule, line 0 */
    conf_rehearse *rehearse;        /* not of the file: set, nothing is delivered but shown to this; else NULL */
};

/*
 * Reads a configuration file and finds all of its errors but those inside patterns, which are
 * compiled when they are needed or by check_conf. Problems are listed in conf->problems; with
 * conf->errors > 0 nothing else in conf may be used. `path` must outlive conf. Free it either way.
 */
void conf_load(struct conf *conf, const char *path);

/* The same for a text that is in memory (it must outlive conf). */
void conf_parse(struct conf *conf, const char *path, struct slice text);

/* Adds a problem to the list, at its place; the message is a format. */
void conf_complain(struct conf *conf, enum severity severity, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Says what to write or do instead, of the problem that was added last. */
void conf_advise(struct conf *conf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The line with this number, counted from 1, without its end; empty if there is none. */
struct slice conf_line(const struct conf *conf, unsigned number);

/* The column of the byte `offset` of the word at `column`, as its quotes and backslashes have it. */
unsigned conf_column(const struct conf *conf, unsigned number, unsigned column, size_t offset);

/* The column of a slice that was read from this line; of its first word, if `text` was copied for a backslash in it. */
unsigned conf_column_of(const struct conf *conf, unsigned number, struct slice text);

/* Where a directive stands, or a value of it. */
struct conf_place {
    unsigned line, column; /* 0: nowhere */
};

/* The place of `value` in the last line with this keyword, or of the keyword if `value` was not read from there. */
struct conf_place conf_place_of(const struct conf *conf, const char *keyword, struct slice value);

/* The number of the last line with this keyword, 0 if there is none. */
unsigned conf_line_of(const struct conf *conf, const char *keyword);

/*
 * Of the memory of the configuration no forked process has anything, unless conf_share was called: in the session, which
 * talks to strangers, all slices and pointers lead nowhere. Those that clients hear, domain, greeting and the
 * replies of limits, lead elsewhere when this was called before. For one configuration at a time.
 */
void conf_reveal(struct conf *conf);
void conf_share(const struct conf *conf);

/* Logs every directive as it was read, if the debug flag c is on. */
void conf_log_lines(const struct conf *conf);

/* Logs the errors that have not been logged yet; warnings and notes, too, if the debug flag w is on. */
void conf_log_problems(struct conf *conf);

/* Writes the effective settings in the language of the file, so that they can be loaded again. */
void conf_print(struct conf *conf, FILE *out);

/* Is there a dead-letter file that holds what is put into it? (/dev/null does not.) */
bool conf_keeps_dead_letters(const struct conf *conf);

void conf_free(struct conf *conf);

#endif
