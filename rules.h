/* rules.h - the decisions: who may connect, which recipient is accepted, where its mail goes */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "client/groups.h"
#include "patterns/pattern.h"
#include "session/envelope.h"
#include "session/reply.h"

/*
 * The rules as conf/ reads them, in the order of the file, and the functions that decide by
 * them. A pattern is compiled when a decision first needs it. All of it lives as long as the
 * configuration; the only I/O behind these functions is the question for the client's name,
 * which client_name asks when no address has decided.
 */

struct statuses;

enum target_kind { TARGET_APPEND, TARGET_MAILDIR, TARGET_PIPE, TARGET_EXEC };

/* What an argument of exec may stand for; the text of each is in rules_placeholders. */
enum placeholder {
    ARGUMENT_SENDER,
    ARGUMENT_RECIPIENT,
    ARGUMENT_LOCAL,
    ARGUMENT_DOMAIN,
    ARGUMENT_EXTENSION,
    ARGUMENT_CLIENT_ADDRESS,
    ARGUMENT_WORD /* just itself */
};

extern const struct slice rules_placeholders[ARGUMENT_WORD];

struct argument {
    enum placeholder stands_for;
    struct slice text;
};

/* Where the mail of a recipient goes. */
struct target {
    enum target_kind kind;
    struct slice text;          /* the path, the shell command, or the program */
    struct argument *arguments; /* TARGET_EXEC: behind the program */
    size_t argument_count;
    const struct statuses *statuses; /* what the exit status of a command means (delivery/statuses.h); NULL: as usual */
    bool temporary;             /* no failure of the command is final */
};

enum rcpt_kind { RCPT_ADDRESS, RCPT_DOMAIN, RCPT_PATTERN };

/* One deliver line. */
struct rule {
    struct rule *next;
    unsigned line, group_column;
    enum rcpt_kind kind;
    bool needs_tls, needs_auth;
    struct slice rcpt;        /* the address, or the domain behind the @, as the file has it */
    struct slice canonical;   /* the same as it is compared (canonical.h) */
    struct pattern *pattern;  /* RCPT_PATTERN */
    struct allowgroup *group; /* NULL: any client */
    struct target target;
};

/* One error line. */
struct refusal {
    struct refusal *next;
    struct pattern pattern;
    struct reply reply;
};

struct rules {
    struct groups groups;       /* who may connect, and which groups a client is in */
    struct slice domain;        /* of a bare <postmaster> */
    struct slice delimiters;    /* recipient_delimiter; empty: none */
    bool wants_unicode;         /* there is an expression for recipients that is not all ASCII */
    struct rule *first_rule, **last_rule;
    struct refusal *first_refusal, **last_refusal;
    const struct rule *dead_letter; /* where mail without a rule goes; NULL: it is refused */
};

/* The forms of an address that expressions are tried on, in this order. */
enum recipient_form { FORM_CANONICAL, FORM_UNICODE, FORM_GIVEN, FORMS };

/* What an address has besides its canonical form; few have any of it. */
struct recipient_forms {
    char given[ADDRESS_MAX + 1];   /* as the client wrote it, if that is not its canonical form */
    char unicode[ADDRESS_MAX + 1]; /* the canonical form with U-labels for A-labels, if it has some and is asked for them */
};

/* An accepted recipient. */
struct recipient {
    struct recipient_forms *other; /* of the address; room that the owner gives, and that is touched only if there are any */
    bool has_given, has_unicode;   /* which of them there are */
    struct address address;   /* its canonical form, plus the domain that a bare postmaster lacks */
    uint16_t bare_len;        /* bytes of it without that domain */
    uint16_t extension;       /* index of the delimiter in the local part where the rule's address
                                 was reached without it; 0: none */
    const struct rule *rule;
    struct captures captures; /* what MATCH_1... are, in this form: */
    enum recipient_form form;
};

/* The address in one of its forms, as expressions see it: without the domain that a bare postmaster lacks. */
struct slice recipient_form(const struct recipient *recipient, enum recipient_form form);

/* Frees what patterns have compiled. */
void rules_free(struct rules *rules);

/*
 * Both decisions log what they try, and how it turned out, under the debug flag r: each line as
 * `FILE:LINE: DIRECTIVE ...`. Nothing else explains a decision, so that no explanation can differ from it.
 */

/* May this client speak to us at all? Code 0, or the reply that takes the greeting's place. */
struct reply rules_connect(struct rules *rules, struct client *client);

/*
 * THE decision: is mail for this recipient accepted from this client, and where does it go? However the address is
 * written (envelope.h), it is the same for all that is one canonical address.
 * Code 0 and `recipient` filled in, or the refusal, whose note lives until the next call.
 */
struct reply rules_rcpt(struct rules *rules, struct client *client, const struct address *given,
                        struct recipient *recipient);

/* Does the rule name this recipient, whoever may send to it? The part of that decision that -t needs alone, of an
 * address that the configuration names. */
enum match rules_names(const struct rules *rules, struct rule *rule, const struct address *given);

#endif
