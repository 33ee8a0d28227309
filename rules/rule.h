/* rule.h - the lines about recipients as conf/ reads them: conditions, recipients, what becomes of their mail */
#ifndef RULE_H
#define RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "client/groups.h"
#include "nexthop/hop.h"
#include "patterns/pattern.h"
#include "session/reply.h"
#include "tables/settings.h"

/* All of it lives as long as the configuration. A pattern is compiled when a decision first needs it. */

struct statuses;

enum target_kind { TARGET_APPEND, TARGET_MAILDIR, TARGET_PIPE, TARGET_EXEC, TARGET_LMTP, TARGET_SMTP };

/* What an argument of exec may stand for; the text of each is in rules_placeholders. */
enum placeholder {
    ARGUMENT_SENDER,
    ARGUMENT_RECIPIENT,
    ARGUMENT_LOCAL,
    ARGUMENT_DOMAIN,
    ARGUMENT_EXTENSION,
    ARGUMENT_CLIENT_ADDRESS,
    ARGUMENT_VALUE, /* what the table has for the recipient */
    ARGUMENT_WORD /* just itself */
};

extern const struct slice rules_placeholders[ARGUMENT_WORD];

extern const struct reply rules_unsure; /* what is heard of an address that cannot be decided about now */

struct argument {
    enum placeholder stands_for;
    struct slice text;
};

/* Where the mail of a recipient goes. */
struct target {
    enum target_kind kind;
    struct slice text;          /* the path, in which %{value} may stand, the shell command, the program, or where the next server is */
    struct argument *arguments; /* TARGET_EXEC: behind the program */
    size_t argument_count;
    const struct statuses *statuses; /* what the exit status of a command means (delivery/statuses.h); NULL: as usual */
    struct hop *hop;            /* TARGET_LMTP and TARGET_SMTP */
    bool temporary;             /* no failure of the command, no refusal of the next server is final */
    bool takes_value;           /* the line is for those whom a table knows: %{value} in the path is what it has for the recipient */
    bool once;                  /* one delivery of a message for all its recipients that the line names */
};

/* Which addresses are meant: of recipients, or of senders. */
enum mailboxes_kind {
    MAILBOXES_ADDRESS,
    MAILBOXES_DOMAIN,
    MAILBOXES_PATTERN,
    MAILBOXES_TABLE,
    MAILBOXES_NULL /* the sender <> */
};

struct mailboxes {
    enum mailboxes_kind kind;
    struct slice text;        /* the address, the domain behind the @, or table:NAME, as the file has it */
    struct slice canonical;   /* the same as it is compared (canonical.h) */
    struct pattern *pattern;  /* MAILBOXES_PATTERN */
    struct table *table;      /* MAILBOXES_TABLE: all that it knows */
};

/* What must hold, besides the recipient, for a line to be the one; rules/condition.c says how each is looked at. */
enum condition_kind {
    CONDITION_TLS,
    CONDITION_AUTH,      /* `text`: the user; empty: any */
    CONDITION_PORT,
    CONDITION_FROM,
    CONDITION_HELO,
    CONDITION_GROUP,
    CONDITION_NOT_GROUP,
    CONDITIONS
};

struct condition {
    struct condition *next; /* in the order of the line */
    enum condition_kind kind;
    unsigned column;        /* of what it is about */
    union {
        struct slice text;
        unsigned port;
        struct mailboxes *from;
        struct pattern *pattern;
        struct allowgroup *group;
    };
};

enum rule_kind { RULE_DELIVER, RULE_REFUSE, RULE_ALSO, RULES };

extern const char *const rule_words[RULES]; /* the directive: "deliver" */

/* One deliver, refuse or also line. */
struct rule {
    struct rule *next;
    enum rule_kind kind;
    unsigned line;
    struct mailboxes rcpt;
    struct condition *conditions; /* all of them must hold */
    struct target target;         /* not of a refuse line */
    const struct reply *reply;    /* of a refuse line */
};

/* One error line. */
struct refusal {
    struct refusal *next;
    struct pattern pattern;
    struct table *table; /* instead of the expression; NULL: there is none */
    struct reply reply;
};

/* Whose addresses a line is about that gives them another form. */
enum rewritten { REWRITE_SENDER, REWRITE_RECIPIENT, REWRITTEN };

/* A piece of the new address: text, or what the expression has caught in a group, by number or by name. */
struct rewrite_part {
    struct rewrite_part *next;
    enum { REWRITE_TEXT, REWRITE_NUMBER, REWRITE_NAME } kind;
    struct slice text; /* as it stands in the file; of a name, just that */
    size_t group;      /* REWRITE_NUMBER; 0 is all that was matched */
};

/* One rewrite line. */
struct rewrite {
    struct rewrite *next;
    unsigned line;
    struct pattern pattern;
    struct slice address;       /* the new one, as the file has it */
    struct rewrite_part *parts; /* of it */
    bool null;                  /* it is <> */
};

struct index;

struct rules {
    struct groups groups;       /* who may connect, and which groups a client is in */
    struct slice domain;        /* of a bare <postmaster> */
    struct slice delimiters;    /* recipient_delimiter; empty: none */
    bool wants_unicode;         /* an expression for addresses that is not all ASCII, or a table, may be tried */
    const struct index *index;  /* of these lines (index.h); NULL: each is looked at */
    bool asks;                  /* a next server is asked about recipients at RCPT already */
    size_t also_count;          /* how many of the lines are also lines */
    struct rule *first_rule, **last_rule; /* deliver, refuse and also lines in the order of the file */
    struct refusal *first_refusal, **last_refusal;
    struct rewrite *first_rewrite[REWRITTEN], **last_rewrite[REWRITTEN];
    const struct rule *dead_letter; /* where mail without a rule goes; NULL: it is refused */
};

#endif
