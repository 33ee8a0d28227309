/* recipient.h - an address in its forms, and whether a line names it */
#ifndef RECIPIENT_H
#define RECIPIENT_H

#include "dns/canonical.h"
#include "rules/rule.h"
#include "session/envelope.h"

/* The forms of an address that expressions are tried on, in this order. */
enum recipient_form { FORM_CANONICAL, FORM_UNICODE, FORM_GIVEN, FORMS };

/* What an address has besides its canonical form; few have any of it. */
struct recipient_forms {
    char given[ADDRESS_MAX + 1];   /* as the client wrote it, if that is not its canonical form */
    char original[ADDRESS_MAX + 1]; /* as the client wrote it, if a rewrite line has made another one of it */
    char unicode[ADDRESS_MAX + 1]; /* the canonical form with U-labels for A-labels, if it has some and is asked for them */
};

struct outcome;
struct ledger_entry;

/* A recipient, and the line that it was accepted by. */
struct recipient {
    struct recipient_forms *other; /* of the address; room that the owner gives, and that is touched only if there are any */
    bool has_given, has_original, has_unicode; /* which of them there are */
    struct address address;   /* its canonical form, plus the domain that a bare postmaster lacks */
    uint16_t bare_len;        /* bytes of it without that domain */
    uint16_t extension;       /* index of the delimiter in the local part where the rule's address
                                 was reached without it; 0: none */
    const struct rule *rule;
    unsigned asked;           /* the number of the transaction in which the next server has accepted it already (handover.h); 0: none */
    struct captures captures; /* what MATCH_1... are, in this form: */
    enum recipient_form form;
    struct slice value;       /* what the table of the line has for it (table_keep); empty: nothing, or there is no table */
    struct recipient *together; /* the next one that the same delivery is for (once), NULL: there is none; */
    size_t run_bytes;           /* of the addresses up to this one; */
    struct outcome *outcome;    /* of its delivery; */
    struct ledger_entry *entry; /* what the ledger has of that; deliver.c sets all four */
};

/* The address in one of its forms, as expressions see it: without the domain that a bare postmaster lacks. */
struct slice recipient_form(const struct recipient *recipient, enum recipient_form form);

/* The address of a local part that stands alone, as <postmaster> may (RFC 5321 4.5.1), is at our domain. */
void recipient_complete(const struct rules *rules, struct address *address);

/* Finds out the forms of an address, for which `other` must be set. Not of one that is no address: see the status. */
enum canonical_status recipient_know(const struct rules *rules, const struct address *given,
                                     enum canonical_words whose, struct recipient *recipient);

/*
 * Does an expression match the address in any of its forms? That with U-labels is for those that hold some. What the
 * client wrote comes last, for expressions that are about that: about quotes, say. `captures` may be NULL.
 */
enum match recipient_try(const struct rules *rules, struct pattern *pattern, struct recipient *recipient,
                         struct captures *captures);

/*
 * Does a table know the address: all of it, without its extension, or its domain as @DOMAIN? Local parts are without quotes;
 * a domain outside ASCII is tried in both spellings. Sets `value`, and `extension` as recipient_match does.
 */
enum match recipient_ask(const struct rules *rules, struct table *table, struct recipient *recipient);

/* The index of the delimiter that begins the extension of the local part, 0 when there is none. */
uint16_t recipient_extension(const struct rules *rules, const struct address *address);

/* Are these the recipient's addresses? With its extension or without; then `extension` is set, or `captures`. */
enum match recipient_match(const struct rules *rules, const struct mailboxes *mailboxes, struct recipient *recipient);

#endif
