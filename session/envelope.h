/* envelope.h - syntax of addresses and of the HELO, MAIL and RCPT arguments; pure */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    DOMAIN_MAX = 255,              /* RFC 5321 4.5.3.1.2 */
    ADDRESS_MAX = 64 + 1 + DOMAIN_MAX, /* a local part may be longer where the domain is shorter */
    HELO_MAX = 2048                /* a command line has no more */
};

/*
 * A mailbox as the client gave it, without angle brackets and source route (RFC 5321 4.1.2).
 * The null reverse-path has len 0; a bare <postmaster> has no domain: local_len == len.
 */
struct address {
    char text[ADDRESS_MAX + 1]; /* NUL-terminated */
    uint16_t len;
    uint16_t local_len;         /* the domain begins behind the @ at this index */
    bool utf8;                  /* holds characters outside ASCII (RFC 6531) */
    bool plain;                 /* is known to be its own canonical form (canonical.h) */
};

/* What the argument of MAIL said. */
struct mail_argument {
    struct address sender;
    uint64_t size; /* SIZE=, 0 when not given (RFC 1870) */
    bool eight_bit; /* BODY=8BITMIME (RFC 6152) */
    bool smtputf8; /* SMTPUTF8 (RFC 6531) */
    bool prdr;     /* PRDR: each recipient is to have its own reply to the message; never in LMTP, where it has one anyway */
    uint16_t parameters; /* where in the argument they begin; all of them are printable ASCII */
    bool auth; /* AUTH= (RFC 4954 5), whose value is not kept */
};

enum envelope_status {
    ENVELOPE_OK,
    ENVELOPE_NO_PATH,     /* FROM: or TO: is missing */
    ENVELOPE_BAD_ADDRESS, /* the address violates RFC 5321 4.1.2, or is too long */
    ENVELOPE_NO_DOMAIN,   /* it is a local part, without @ and domain */
    ENVELOPE_BAD_VALUE,   /* a parameter has a bad value, or stands twice */
    ENVELOPE_UNKNOWN,     /* a parameter that no announced extension defines */
    ENVELOPE_NOT_UTF8     /* UTF-8 in an address without SMTPUTF8 (RFC 6531 3.4) */
};

/*
 * Parse the argument of MAIL ("FROM:<a@example.com> SIZE=100") and of RCPT ("TO:<b@example.com>",
 * which has no parameters; `smtputf8` is what MAIL said). Blanks behind the colon, missing angle brackets, dots anywhere
 * in a local part, underscores in a domain and a dot at its end are tolerated, for they are met. Clients of LMTP also leave
 * out domains (then local_len == len), and SMTPUTF8. On any status but
 * ENVELOPE_OK and ENVELOPE_NOT_UTF8 the result is undefined.
 */
enum envelope_status envelope_mail(struct slice argument, bool lmtp, struct mail_argument *mail);
enum envelope_status envelope_rcpt(struct slice argument, bool lmtp, bool smtputf8, struct address *recipient);

/*
 * What a local part stands for: without its quotes and the backslashes in them, if it has any. Writes at most local.len
 * bytes to `out`, which may be local.text, and returns how many.
 */
size_t envelope_unquote(struct slice local, char *out);

/* Parses a mailbox that stands alone, as in the configuration: local@domain, nothing around it. */
bool envelope_mailbox(struct slice text, struct address *address);

/*
 * A domain name: labels of letters, digits, underscores and inner hyphens, up to 63 bytes each, or of these and characters
 * outside ASCII; without the dot of the root at its end.
 */
bool envelope_domain(struct slice text);

/* The name of a host: a domain in ASCII whose last label is no number, for that would be an address (RFC 3696 2). */
bool envelope_host(struct slice text);

/* An address literal, [192.0.2.1] or [IPv6:2001:db8::1] or [Tag:content] (RFC 5321 4.1.3). */
bool envelope_literal(struct slice text);

/* What HELO and EHLO may give as a name, which hardly ever is looked at: no control characters. */
bool envelope_helo(struct slice text);

/* The domain of an address; empty for the null reverse-path and a bare postmaster. */
static inline struct slice address_domain(const struct address *address)
{
    size_t skip = address->local_len < address->len ? address->local_len + 1U : address->len;

    return (struct slice){ address->text + skip, address->len - skip };
}

static inline struct slice address_slice(const struct address *address)
{
    return (struct slice){ address->text, address->len };
}

#endif
