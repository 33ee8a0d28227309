/* reply.h - one answer to one command: code, enhanced status code, text (RFC 5321 4.2, RFC 2034) */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>

#include "base/slice.h"
#include "session/line.h"

/* Whose fault a 5xx is; one that is temporary is nobody's. */
enum reply_counts {
    COUNTS_FAILED,        /* it counts for limit.smtp_failcmds, of a recipient for limit.smtp_refused_rcpts */
    COUNTS_UNKNOWN,       /* for limit.smtp_unknowncmd */
    COUNTS_AUTH,          /* for limit.auth_failures */
    COUNTS_IDLE,          /* for limit.smtp_commands only: it was no guess */
    COUNTS_NOT,           /* for limit.smtp_undelivered only: it was no mistake */
    COUNTS_DONE           /* for nothing: what it answers has been counted, or is bounded otherwise */
};

/*
 * A reply is a small value that points to text which its maker owns: string literals, the
 * configuration, or the monitor, whose texts live until it is asked the next question.
 */
struct reply {
    unsigned code;        /* 200 to 599; 0 is "no objection" */
    struct slice status;  /* enhanced code behind its class, "1.1" for 5.1.1; empty: none wanted */
    struct slice text;    /* ours or the administrator's; '\n' begins another line of the reply */
    struct slice detail;  /* what somebody else had a hand in: follows the text, encoded in the log */
    struct slice note;    /* for the log only: facts as key=value, already encoded */
    bool closes;          /* the session ends with this reply */
    enum reply_counts counts;
};

/* For initialisers: REPLY(250, "0.0", "Ok") is "250 2.0.0 Ok". */
#define REPLY(number, subject_detail, words) \
    { .code = (number), .status = SLICE(subject_detail), .text = SLICE(words) }

/* What SIGTERM has a session end with (RFC 5321 3.8). */
extern const struct reply reply_stopping;

/* Makes 4xx of a 5xx whose reason could not be verified. */
static inline struct reply reply_as_temporary(struct reply reply)
{
    if (reply.code >= 500)
        reply.code = 451;
    return reply;
}

/* Does the reply refuse something? */
static inline bool reply_refuses(const struct reply *reply)
{
    return reply->code >= 400;
}

/*
 * Puts a reply into the output of the connection (RFC 5321 4.2.1): several lines where the text
 * has them or where one would exceed 512 bytes, the enhanced code on each, bytes outside
 * printable ASCII as '?'. Never blocks for long and cannot fail: line_put says how.
 */
void reply_send(struct line_io *io, const struct reply *reply);

/* What the log says of a refusal besides the reply and the client's line. */
struct reply_context {
    const char *stage;   /* at which it was given, a word */
    const char *host;    /* the client's confirmed name, "" if it is not known */
    const char *via;     /* the peer that has told who the client is, "" if there is none */
    struct slice helo;   /* what the client calls itself, empty if it has said nothing */
    struct slice sender; /* of the transaction, empty if there is none */
};

/*
 * Logs a refusal in the one shape that it has, which fail2ban looks for:
 * `ERROR: CODE text stage=... ... host=... via=... helo="..." from="..." line="client text"`; host=, via= and helo= where there are any.
 */
void reply_log(const struct reply *reply, const struct reply_context *context, struct slice line);

#endif
