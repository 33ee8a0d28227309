/* policy_request.h - what a policy service is asked: a table of attributes, each row with the function that writes it; pure */
#ifndef POLICY_REQUEST_H
#define POLICY_REQUEST_H

#include "base/text.h"
#include "client/client.h"

enum policy_stage { POLICY_CONNECT, POLICY_HELO, POLICY_MAIL, POLICY_RCPT, POLICY_DATA, POLICY_END, POLICY_STAGES };

/* As the configuration and the log call them: "connect". */
extern const char *const policy_stages[POLICY_STAGES];

/* What is known when a question is put. */
struct policy_facts {
    enum policy_stage stage;
    const struct client *client;
    bool extended;                   /* of POLICY_HELO: it is EHLO, or LHLO */
    const char *protocol;            /* SMTP, ESMTP or LMTP; SMTP before HELO has been accepted */
    struct slice helo;               /* empty: nothing was said */
    const struct address *sender;    /* NULL: none was named yet */
    const struct address *recipient; /* that is asked about, or the only one; NULL: there is none, or more than one */
    size_t recipients;               /* accepted ones; only of POLICY_DATA and POLICY_END */
    const char *instance;            /* the same for one message, and for no other; "": there is none yet */
    const char *id;                  /* of the message, "": it has none yet */
    uint64_t size;                   /* that was declared; of POLICY_END that which it has, with CRLF; 0: not known */
};

/* Bytes that a request can have: a HELO line, two addresses, the client's certificate and what is of a fixed size. */
enum { POLICY_REQUEST = 8192 };

/*
 * Writes all attributes that Postfix 3.7 sends, in its order, those that are not known with no value, and the empty line.
 * In values, what could end a line or a string is '?'.
 */
void policy_request_write(const struct policy_facts *facts, struct text *out);

#endif
