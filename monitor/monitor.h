/* monitor.h - the wall: what the dialogue may ask of the side that decides and delivers */
#ifndef MONITOR_H
#define MONITOR_H

#include <signal.h>

#include "client/client.h"
#include "conf/conf.h"
#include "session/line.h"
#include "session/message.h"
#include "session/reply.h"
#include "session/sasl.h"

/*
 * The dialogue knows the client's words; the monitor knows names, rules, files, commands and the
 * log, and takes every decision. They are two processes: the session, which reads what strangers
 * send and can do nothing else, and the monitor, which believes nothing it is told (state.h).
 * Between them go packets of at most one page, checked one by one; what no honest session sends is a
 * violation, and the session ends. With `sandbox off` both are one process and the same
 * functions are called directly.
 *
 * The texts of an answer live until the next question.
 */
struct monitor;

/* Prepares the monitor of this process; there is one. All arguments must outlive the session.
 * NULL without memory. The first function does what needs no client, and need not be called. */
struct monitor *monitor_prepare(struct conf *conf);
struct monitor *monitor_begin(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated);

enum monitor_split {
    SPLIT_SESSION, /* this is the session: it dies with the monitor, and has only the client and the channel */
    SPLIT_ENDED,   /* this is the monitor, and the session has ended, whatever ended it */
    SPLIT_FAILED,  /* there is one process still; the log says why */
    SPLIT_AHEAD    /* this is the monitor, and the session waits for its client */
};

/*
 * Splits the process in two. Must be called before anything is read from the client; the
 * questions may be put before the split as well.
 */
enum monitor_split monitor_split(struct monitor *monitor);

/*
 * The same before there is a client: SPLIT_SESSION, SPLIT_AHEAD or SPLIT_FAILED. The session waits in monitor_await,
 * confined already. The monitor finds the client at standard input and output, and calls monitor_begin; it greets, and
 * monitor_introduce has the session go on with that client and ends with it, as SPLIT_ENDED does; false if it could not.
 */
enum monitor_split monitor_split_ahead(struct monitor *monitor);

/* What the session has to know of the greeting (smtp.h). */
struct introduction {
    uint64_t begin;
    uint32_t state, refused, speaks;
};

bool monitor_introduce(struct monitor *monitor, const struct introduction *introduction);

/* Returns the descriptor of the client; -1: there will be none. */
int monitor_await(struct monitor *monitor, struct introduction *introduction);

/*
 * The connection whose collected output leaves before a question waits for its answer for longer than a moment: the
 * client hears what it has been told. None until this is called; `io` must outlive the session.
 */
void monitor_lets_out(struct monitor *monitor, struct line_io *io);

/* SPOOL_MEMORY bytes that both sides see, for small messages. */
char *monitor_memory(struct monitor *monitor);

/*
 * Is the client to be served? If it is not, its connection is closed silently: a client that was already told that it is
 * locked out, or a proxy without a valid header. To be asked before anything else.
 */
bool monitor_admits(struct monitor *monitor);

/* Code 0, or the reply that takes the greeting's place. */
struct reply monitor_connect(struct monitor *monitor);

/* By which commands the client that was greeted may say for whom it speaks: a set of 1 << enum told_command. Before the split. */
unsigned monitor_speaks(const struct monitor *monitor);

/* The greeting is on its way: logs who has connected. monitor_split does so, too. */
void monitor_announce(struct monitor *monitor);

/* HELO or EHLO (`extended`) with this name: code 0 or a refusal. Ends a transaction. The name and
 * the arguments below are those that the functions of envelope.h have found to be well-formed. */
struct reply monitor_helo(struct monitor *monitor, bool extended, struct slice name);

/* MAIL with this argument: code 0 and a transaction has begun, or a refusal. */
struct reply monitor_mail(struct monitor *monitor, struct slice argument);

/*
 * XCLIENT with this argument: as monitor_connect and monitor_speaks for the client that it tells of, who has connected now, as it
 * were. Both this and XFORWARD are for those only who may say them, and not for within a transaction.
 */
struct reply monitor_xclient(struct monitor *monitor, struct slice argument, unsigned *speaks);

/* XFORWARD with this argument: whose mail the next transaction brings. */
void monitor_xforward(struct monitor *monitor, struct slice argument);

/*
 * A client that may say XCLIENT or XFORWARD has said what may have been one, and was refused: MAIL is refused until RSET, or
 * until one with an address is accepted.
 */
void monitor_mistold(struct monitor *monitor);

/* RCPT with this argument: code 0 and the recipient is accepted, or a refusal. */
struct reply monitor_rcpt(struct monitor *monitor, struct slice argument);

/* DATA with recipients, or the first BDAT: code 0 and the message may come, or a refusal, of which nothing remains. */
struct reply monitor_data(struct monitor *monitor);

/* A line whose first word, this one, is no command: code 0 and it is refused as ever, or another refusal. */
struct reply monitor_unknown(struct monitor *monitor, struct slice verb);

/*
 * STARTTLS: code 0, and as soon as the client has been told so it is to be spoken to through `plain`, a
 * stream socket that is the caller's now; all that it has said is forgotten. Or a refusal.
 */
struct reply monitor_tls(struct monitor *monitor, int *plain);

/* AUTH with these credentials: code 0 and the client has a name, or a refusal, which takes its time. */
struct reply monitor_auth(struct monitor *monitor, const struct sasl *sasl);

/*
 * A file without a name, once in a transaction that has recipients, for a message that outgrows its memory, which goes
 * there from *start on; -1 with errno set.
 */
int monitor_spool(struct monitor *monitor, uint64_t *start);

/*
 * Delivers the spool to the accepted recipients and forgets them: the reply to the client. The spool is to be cleared
 * then, if it is not already. In LMTP this is the reply for the first RCPT that was accepted; monitor_answer gives those for
 * the others, in their order, one with each call. Behind one that closes the session there are no more. Until the last
 * nothing else may be asked; monitor_reset gives them up.
 */
struct reply monitor_deliver(struct monitor *monitor, struct spool *spool);
struct reply monitor_answer(struct monitor *monitor);

/* Ends a transaction, if there is one. */
void monitor_reset(struct monitor *monitor);

/*
 * Logs a refusal that was sent: the reply and the client's line that it answers, empty if it was
 * none. `stage` is one of the words connect, helo, mail, rcpt, data, command, limit, flood, input, starttls, auth,
 * identity.
 */
void monitor_log_refusal(struct monitor *monitor, const char *stage, const struct reply *reply, struct slice line);

/* What else the dialogue has to log. */
enum monitor_event {
    MONITOR_END,     /* the session ends: its counts and the reason, as key=value */
    MONITOR_CUT,     /* the same, of a client that has gone in the middle of a command */
    MONITOR_LOST,    /* a message that the client did not send to its end: reason, bytes, and a dot that was no end */
    MONITOR_LINE,    /* debug s: a line of the client */
    MONITOR_REPLY,   /* debug s: the text of a reply */
    MONITOR_MESSAGE  /* debug l: bytes of a message */
};

void monitor_log(struct monitor *monitor, enum monitor_event event, struct slice text);

/* Is this debug flag on? */
bool monitor_wants(const struct monitor *monitor, char flag);

struct packet;

/*
 * Does what a packet of the session wants, whoever wrote it (packet.h). Returns NULL, or what no honest
 * session would have sent: nothing behind that is done, and the session must be ended.
 */
const char *monitor_hear(struct monitor *monitor, const struct packet *packet);

/* Behind SPLIT_ENDED: was it a signal that has ended the session? */
bool monitor_crashed(const struct monitor *monitor);

/* Frees what the monitor holds. */
void monitor_end(struct monitor *monitor);

#endif
