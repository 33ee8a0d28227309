/* conf.h - the text of mailrecv.conf to struct conf: what the rest of the program needs of it */
#ifndef CONF_H
#define CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/settings.h"
#include "base/slice.h"
#include "base/source.h"
#include "client/settings.h"
#include "delivery/settings.h"
#include "dns/dns.h"
#include "handlers/settings.h"
#include "listener/settings.h"
#include "nexthop/settings.h"
#include "rules.h"
#include "session/settings.h"
#include "stores/settings.h"
#include "tables/settings.h"

enum { CONF_TEXT = 1900 }; /* bytes that the text of a reply may have */

enum severity {
    SEVERITY_ERROR,   /* nothing is served */
    SEVERITY_WARNING, /* it works, but hardly as it was meant */
    SEVERITY_NOTE     /* worth knowing */
};

/* Something to say about the file. */
struct conf_problem {
    struct conf_problem *next;
    unsigned line, column;  /* from 1, in bytes; the line is one of the whole (base/source.h); 0: the file as a whole */
    enum severity severity;
    const char *message;    /* what is wrong, what was expected */
    const char *advice;     /* what to write or do instead; NULL: the message says all */
    bool logged;
};

struct conf_memory;
struct folded;
struct watched;

/* The configuration. All slices point into memory that conf_free releases, or are constants. */
struct conf {
    const char *path;
    struct source *sources;         /* its beginning, and behind it what it includes and the rest */
    struct folded *folded, *last_folded; /* lines that go on in the next one (parser.h), in their order */
    struct watched *watched;        /* what it was read from, as it was (watch.c) */
    struct conf_memory *memory;
    struct conf_problem *problems, *last_problem; /* in the order of their lines; the one added last */
    unsigned errors;

    const struct limit *default_reply; /* that of the last line without CODE TEXT, NULL: there is none */
    unsigned default_replies;          /* how many lines there are */
    struct base_settings base;
    struct session_settings session;
    struct dns_settings dns;
    struct client_settings client;
    struct delivery_settings delivery;
    struct handler_settings handlers;
    struct listener_settings listener;
    struct nexthop_settings nexthop;
    struct store_settings stores;
    struct table_settings tables;
    struct rules rules;             /* domain, allow, deny, groups, deliver, error */
    struct rule dead_letter;        /* the rule of mail without a rule, line 0 */
};

/*
 * Reads a configuration file and finds all of its errors but those inside patterns, which are
 * compiled when they are needed or by check_conf. Problems are listed in conf->problems; with
 * conf->errors > 0 nothing else in conf may be used. `path` must outlive conf. Free it either way.
 */
void conf_load(struct conf *conf, const char *path);

/* The same for a text that is in memory (it must outlive conf). */
void conf_parse(struct conf *conf, const char *path, struct slice text);

/* Where the problem stands; line 0: nowhere. */
struct place conf_problem_place(const struct conf *conf, const struct conf_problem *problem);

/* "line 3" or "line 3 of FILE", for a message about a line of another place; it lives as long as the configuration. */
const char *conf_line_text(struct conf *conf, unsigned line, unsigned told_at);

/* Adds a problem to the list, at its place; the message is a format. */
void conf_complain(struct conf *conf, enum severity severity, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Says what to write or do instead, of the problem that was added last. */
void conf_advise(struct conf *conf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The column of the byte `offset` of the word at `column`, as its quotes and backslashes have it. */
unsigned conf_column(const struct conf *conf, unsigned number, unsigned column, size_t offset);

/* The column of a slice that was read from this line; of its first word, if `text` was copied for a backslash in it. */
unsigned conf_column_of(const struct conf *conf, unsigned number, struct slice text);

/* Where a directive stands, or a value of it. */
struct conf_place {
    unsigned line, column; /* 0: nowhere */
};

/* The place of `value` in a line with this keyword, or of the keyword in the last one if `value` was read from none. */
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

/* Has the lines about recipients found without a look at all of them, which is worth it for many sessions. */
void conf_index(struct conf *conf);

/* In a process that has it all: none that is forked from here on has anything of it. */
void conf_withhold(const struct conf *conf);

/* Would the configuration perhaps be another if it was read now? One of its files, or a directory of them, has changed. */
bool conf_changed(const struct conf *conf);

/* This file counts as one of them; with `identity` only that it is the same file, whatever is in it. */
void conf_watch(struct conf *conf, struct slice path, bool identity);

/* Logs every directive as it was read, if the debug flag c is on. */
void conf_log_lines(struct conf *conf);

/* Logs the errors that have not been logged yet; warnings and notes, too, if the debug flag w is on. */
void conf_log_problems(struct conf *conf);

/* Writes the effective settings in the language of the file, so that they can be loaded again. */
void conf_print(struct conf *conf, FILE *out);

void conf_free(struct conf *conf);

#endif
