/* dialogue.h - a message handed to another server: the client's side of SMTP and LMTP (RFC 5321, RFC 2033) */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "nexthop/content.h"
#include "nexthop/exchange.h"
#include "session/envelope.h"

enum { VERDICT_TEXT = RESPONSE_TEXT + 64 };

/* What became of something. */
struct verdict {
    unsigned code;                /* of the reply that decided, 200 to 599; 0: none did, and it may be tried again */
    char status[RESPONSE_STATUS]; /* of that reply, behind the class, "0.0" if it has none */
    char text[VERDICT_TEXT];      /* of that reply, or what happened, for people */
    bool late;                    /* there was no reply in time */
};

static inline bool verdict_accepts(const struct verdict *verdict)
{
    return verdict->code / 100 == 2;
}

struct dialogue {
    const char *name;            /* we call ourselves so */
    bool lmtp;
    struct capabilities offers;
    struct verdict trouble;      /* when a function has returned false: why, for those who are not decided otherwise */
    struct exchange exchange;
};

/* A recipient, and what the other server says of it. */
struct letter_recipient {
    const struct address *address;
    struct verdict verdict;
};

/* A piece of the message, whose lines end in LF, as of copy_piece (delivery/copy.h). */
typedef struct slice letter_piece(void *context, uint64_t offset, char *buffer, size_t size);

/* What is handed over. */
struct letter {
    const struct address *sender;
    bool eight_bit, utf8;        /* BODY=8BITMIME and SMTPUTF8 are to be said where they are offered */
    struct content content;      /* what letter_look has found; zeroed, it is not known yet */
    letter_piece *piece;
    void *context;
};

/* Reads all of the message once, to know its size and what is in it. False with errno set. */
bool letter_look(struct letter *letter);

/* Hears the greeting over a connection that has just been made. */
bool dialogue_greet(struct dialogue *dialogue);

/* Says LHLO, or EHLO and where that is not known HELO; hears what is offered. */
bool dialogue_introduce(struct dialogue *dialogue);

/* STARTTLS, up to where the handshake begins. */
bool dialogue_starttls(struct dialogue *dialogue);

/* Logs in, by PLAIN or else LOGIN. */
bool dialogue_login(struct dialogue *dialogue, struct slice user, struct slice password);

/*
 * MAIL, if it is to be said, and RCPT for all recipients, who get their verdicts. With pipelining they leave together.
 * False: the message cannot be handed over to anybody; who was not refused by name has the trouble as verdict.
 */
bool dialogue_envelope(struct dialogue *dialogue, const struct letter *letter, bool mail,
                       struct letter_recipient *recipients, size_t count);

/*
 * The message, whose content is known, for those recipients that were accepted, if there are any. Their verdicts
 * become what is said of it: of LMTP one for each, of SMTP one for all. False: for some nothing was said; theirs is the
 * trouble.
 */
bool dialogue_message(struct dialogue *dialogue, const struct letter *letter, struct letter_recipient *recipients,
                      size_t count);

/* Says goodbye; the socket stays open. */
void dialogue_quit(struct dialogue *dialogue);

#endif
