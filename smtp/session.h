/* session.h - what the files of the dialogue share, and nobody else sees: the state of a session, a row of the table */
#ifndef SMTP_SESSION_H
#define SMTP_SESSION_H

#include "conf/conf.h"
#include "monitor/monitor.h"
#include "session/counts.h"
#include "session/envelope.h"
#include "session/line.h"

/* The states of a session, as bits of the masks in the table. */
enum state {
    START = 1,    /* greeted */
    READY = 2,    /* HELO or EHLO was said */
    SENDER = 4,   /* MAIL was accepted, no recipient yet */
    RECIPIENT = 8, /* one was */
    CHUNKS = 16,  /* BDAT has begun the message, which has no end yet */
    MESSAGE = 32, /* 354 was sent: what comes is the message */
    REFUSED = 64, /* the greeting was a refusal: RFC 5321 3.1 has us wait for QUIT */
    EXCHANGE = 128, /* 334 was sent: what comes is a response of AUTH */
    END = 256
};

enum { TRANSACTION = SENDER | RECIPIENT | CHUNKS, ANY = START | READY | TRANSACTION };

enum takes { ARG_NONE, ARG_NEEDED, ARG_OPTIONAL };

/* What a command may hold besides printable ASCII. */
enum alphabet {
    ASCII,    /* nothing */
    UTF8,     /* UTF-8, in an address: whether SMTPUTF8 was said is another question */
    EIGHT_BIT /* whatever computers are called, in whatever encoding */
};

/* What the loop has to know of a command. */
enum command_kind { KIND_OTHER, KIND_HELO, KIND_LHLO, KIND_MAIL, KIND_RCPT, KIND_DATA, KIND_BDAT, KIND_AUTH, KIND_RSET, KIND_SPEAKER };

enum { SMTP_COMMANDS = 32 }; /* rows of the table at most */

struct session {
    struct line_io *io;
    struct monitor *monitor;
    const struct conf *conf;
    enum state state;
    enum state before;     /* when the line came that is being answered */
    bool begun;            /* and MAIL had been said then, refused or not */
    const char *end_reason;
    bool cut;              /* the client has gone in the middle of a command */
    uint64_t begin;

    bool greeted;          /* HELO or EHLO was said */
    bool extended;         /* it was EHLO */
    bool secure;           /* TLS has begun */
    bool authenticated;
    unsigned speaks;       /* by which commands the client may say for whom it speaks (monitor_speaks) */
    bool forwarded;        /* XFORWARD was said: for this transaction, or the next */
    bool secrets;          /* AUTH was the last command: what comes may be a password, understood or not */
    int plain;             /* where the client is to be spoken to once it has heard 220, -1: nowhere else */
    struct sasl sasl;
    bool smtputf8;         /* of this transaction */
    bool prdr;             /* and MAIL has asked for a reply for each recipient */
    unsigned recipients;   /* RCPTs of it that were accepted */
    bool mail_refused;     /* so that what was sent behind it has nothing to stand on */
    bool rcpt_refused;     /* in this transaction */

    struct counts counts;  /* what the limits count */
    uint64_t unknown;      /* for the log */
    uint64_t refused;      /* what tarpit counts */
    unsigned messages;
    unsigned total[SMTP_COMMANDS], accepted[SMTP_COMMANDS]; /* per row of the table */
    struct spool spool;
    struct message message; /* in the states MESSAGE and CHUNKS */
    unsigned answers_due;  /* replies to the message that its client still waits for: in LMTP one for each recipient, by PRDR one more */
    bool answered_each;    /* the last message had more replies than one */
    unsigned best_answer;  /* the lowest code of those that it has */
    struct reply answer;   /* where it is the same for all; code 0: the monitor has them */
    char line[64];         /* of BDAT, since its octets take the place of what was read */
    char text[1024];       /* of a reply that is made up */
};

struct command {
    struct slice verb;
    unsigned states;            /* in which it is legal */
    enum takes argument;
    enum command_kind kind;     /* what the loop has to know of it */
    enum came_to came_to;       /* where it is accepted; came_to has the exceptions */
    enum alphabet alphabet;
    const char *stage;          /* for the log */
    struct reply (*handler)(struct session *s, struct slice argument);
    struct slice out_of_order;  /* text of the 503; empty: legal in ANY */
};

/* Is there such a command in the protocol that is spoken? */
static inline bool smtp_speaks(const struct session *s, const struct command *c)
{
    return c->kind != (session_lmtp(&s->conf->session) ? KIND_HELO : KIND_LHLO);
}

/* ---- smtp.c ---- */

/* The table of commands; the row behind the last has no verb. */
extern const struct command smtp_commands[];

/* The transaction is over, however it went. */
void smtp_end_transaction(struct session *s);

/* From here on the client is at the other end of mailrecv-tls, and has said nothing yet (RFC 3207 4.2). */
void smtp_begin_tls(struct session *s);

/* What an exchange of AUTH has come to (RFC 4954 4 and 6). */
struct reply smtp_go_on_with_auth(struct session *s, enum sasl_status status);

/* ---- smtp/behalf.c ---- */

struct reply cmd_xclient(struct session *s, struct slice argument);
struct reply cmd_xforward(struct session *s, struct slice argument);

/*
 * What may have been one of them is refused. From a peer that may say them the monitor takes no mail as its own then
 * (monitor_mistold), and that is no guess. Returns the refusal.
 */
struct reply smtp_mistold(struct session *s, struct reply refusal);

/* ---- smtp/begin.c ---- */

/* The session of this process, and of `io`; it has begun then (clock.h). */
struct session *smtp_make_session(struct line_io *io, struct monitor *monitor, const struct conf *conf, uint64_t begin);

/* After the greeting. Who may come again has nothing to say now; who may not is waited for, but not for long. */
void smtp_enter_state(struct session *s, enum state state);

/* ---- smtp/loggable.c ---- */

/*
 * What of a line the log may show: a command of the table or NULL, and its argument. Whether there may be a password in it
 * is in s->secrets then. It lives until the next line is read.
 */
struct slice smtp_loggable(struct session *s, const struct command *c, struct slice line, struct slice argument);

/* ---- smtp/loop.c ---- */

static inline bool smtp_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The greeting, or the refusal that takes its place (monitor_connect): enters the state behind it, and returns what is to be said. */
struct reply smtp_open(struct session *s, struct reply reply);

/* Printable ASCII with blanks and tabs, and what the alphabet has besides. */
bool smtp_is_printable(struct slice line, enum alphabet alphabet);

/* The reply of a limit that ends the session. */
struct reply smtp_exceed(const struct limit *limit);

/* What to say and do when the input ends or is no SMTP; `status` is none of LINE_OK, LINE_TOO_LONG, LINE_BARE_LF. */
struct reply smtp_refuse_input(struct session *s, enum line_status status);

/* ---- smtp/message.c ---- */

/* Receives the message up to its end, has it delivered, and returns its reply, in LMTP the one for the first recipient. */
struct reply smtp_receive_message(struct session *s);

/*
 * The reply for the next recipient, once the client has the one before. False: it waits for no more. What a client does not
 * get to hear because the connection is at its end is not delivered.
 */
bool smtp_next_answer(struct session *s, struct reply *reply);
/* BDAT: receives the octets behind it. Behind the last of a message that is delivered, and has its one reply. */
struct reply smtp_receive_chunk(struct session *s, struct slice argument);

/* Where the octets of a BDAT end nobody knows: what comes cannot be told from commands, and the session ends. */
struct reply smtp_refuse_chunk(struct session *s);

/* The same where it is refused for what was before it: the octets are thrown away, and the transaction has failed. */
struct reply smtp_skip_chunk(struct session *s, struct slice argument, struct reply refusal);

/* The session ends in the middle of a message, which is told to the log. */
void smtp_lose_message(struct session *s);

#endif
