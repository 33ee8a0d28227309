/* copy.h - the copy of a message that one recipient gets: our headers above what the sender sent */
#ifndef COPY_H
#define COPY_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "client/client.h"
#include "delivery/settings.h"
#include "delivery/stored.h"
#include "rules.h"
#include "session/message.h"
#include "session/settings.h"

/* What all copies of one message have in common. */
struct transaction {
    const struct delivery_settings *settings;
    const struct session_settings *session;
    const struct rules *rules;
    struct client *client;
    const struct address *sender;  /* the reverse-path, len 0 for <> */
    const struct address *canonical_sender; /* in its canonical form (canonical.h), as recipients are */
    const struct address *said_sender; /* as it was before milters, for the log, and for who sends the message again */
    struct opened **opened;        /* transactions with next servers that were asked about recipients (handover.h) */
    const struct spool *spool;
    const struct spool *came;      /* the same as the client sent it, before milters */
    bool once;                     /* the spool is read by one delivery only, whatever becomes of that */
    size_t recipients;             /* how many the whole message has */
    struct outcome *outcomes;      /* room for one of each in the list of the recipients, copies by also lines included */
    struct ledger_entry *entries;  /* the same for what the ledger has of them */
    struct slice fields;           /* that handlers have added: whole lines, above our own Received: field */
    const char *parameters;        /* of MAIL, as the client gave them: printable ASCII and blanks */
    const char *helo;              /* "" when the client said none */
    const char *protocol;          /* RFC 3848 and RFC 6531 4.3: ESMTP, UTF8SMTP... */
    const char *id;                /* ours, unique on this host */
    time_t received;               /* since when it has its id, for Received: */
    struct timespec connected_at, received_at; /* the client was there; the whole message was */
    uint64_t deadline;             /* of the session, see clock.h */
    const volatile sig_atomic_t *terminated; /* set by SIGTERM */
};

enum result {
    RESULT_NONE,     /* it was not tried yet */
    RESULT_DELIVERED,
    RESULT_DEFERRED, /* failed temporarily: try again */
    RESULT_REFUSED   /* failed for good */
};

enum { REASON_MAX = 256, OUTCOME_STATUS = 8 };

/* What became of one recipient's delivery; kept until all answers are given. */
struct outcome {
    enum result result;
    const struct limit *limit; /* the limit that ended it, NULL if none did */
    unsigned code;             /* of the reply that a command has asked for, with its reason; 0: it has not */
    char status[OUTCOME_STATUS]; /* the enhanced code of that reply behind its class, "" if it has none */
    bool violation;            /* refused, and it counts against the client */
    char reason[REASON_MAX];   /* "" or one line: what happened, or what the command said */
};

enum { COPY_HEAD = 4096 };

struct copy {
    const struct transaction *transaction;
    const struct recipient *recipient;
    size_t head_len;      /* of all that stands above the message: `head` with the fields of the transaction in it */
    size_t used, top_len; /* of `head`: all, and what stands above these fields */
    char head[COPY_HEAD]; /* From_ line if wanted, Return-Path:, Delivered-To:; behind the fields Received: */
};

/*
 * Builds the head of a recipient's copy (RFC 5321 4.4; RFC 9228 for Delivered-To). NULL: it goes on to another server,
 * which alone adds the first two fields: delivery is not final here, and one recipient must not read of the others.
 */
void copy_begin(struct copy *copy, const struct transaction *transaction, const struct recipient *recipient,
                bool from_line);

/* Bytes of the whole copy. */
uint64_t copy_size(const struct copy *copy);

/*
 * A piece of the copy from `offset` on: the rest of its head, or at most `size` bytes of the message. `buffer` has
 * that size, and may or may not be used. Empty at the end; .text is NULL when the spool cannot be read, with errno set.
 */
struct slice copy_piece(const struct copy *copy, uint64_t offset, char *buffer, size_t size);

enum { COPY_LEAST = STORED_LEAST }; /* all that is looked ahead for */

/*
 * For the piece of a copy that is written at this offset of a file: how large it should be. The next one then is
 * written at a multiple of SPOOL_PIECE, or soon behind it, for no piece but the last has less than COPY_LEAST bytes.
 */
static inline size_t copy_room(uint64_t offset)
{
    size_t room = SPOOL_PIECE - offset % SPOOL_PIECE;

    return room < COPY_LEAST ? COPY_LEAST : room;
}

/*
 * Of a transaction without fields of handlers: writes the head of the copy into a file that is to become a spool, and perhaps this copy. Returns how many bytes that
 * were, or -1 with errno set.
 */
ssize_t copy_head_to(const struct copy *copy, int fd);

/*
 * The whole copy as a file without a name, at its beginning; in memory while it is small. It is the spool itself where
 * that begins with the head of this copy, and nobody can write to it any more; else it is written here. Either way it
 * is for reading only, and any user who has it may open it once more (mode 0444).
 * Returns a descriptor that exec closes, or -1 with errno set.
 */
int copy_as_file(const struct copy *copy);

/* Sets an outcome; the reason is a format. */
void outcome_set(struct outcome *outcome, enum result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A system call failed temporarily: the reason is "WHAT: errno text". */
void outcome_errno(struct outcome *outcome, const char *what);

/* A limit has ended a delivery; its code says whether temporarily or for good. */
void outcome_limit(struct outcome *outcome, const struct limit *limit);

/* The time has come: which limit was it, the session's or the given one? */
void outcome_timeout(struct outcome *outcome, const struct transaction *transaction, const struct limit *limit);

#endif
