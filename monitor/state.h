/* state.h - what the monitor knows for certain of a session: greeting, HELO, envelope, delivery */
#ifndef STATE_H
#define STATE_H

#include <signal.h>

#include "client/client.h"
#include "client/lockout.h"
#include "client/starttls.h"
#include "conf/conf.h"
#include "delivery/copy.h"
#include "session/counts.h"
#include "session/message.h"
#include "session/reply.h"

struct ledger_entry;
struct milter_change;

enum { MILTER_RECIPIENTS = 100 }; /* most that milters may add to a message */

/*
 * The monitor's own view of a session. Whoever asks may be anybody: arguments are parsed here
 * once more with the functions of envelope.h, and what was accepted is kept here, so that a
 * delivery can be asked for, but never a recipient, a rule, a command or a file. A question that
 * an honest session cannot ask sets `contradiction`, and nothing is done.
 *
 * The texts of a reply live until the next question.
 */
struct session_state {
    struct conf *conf;
    struct client *client;
    const volatile sig_atomic_t *terminated;
    uint64_t deadline;            /* of the session, see clock.h */
    struct timespec connected_at; /* the session began */
    bool announced;               /* the log has the connection */
    bool greeted;                 /* the client was not refused */
    bool contradiction;

    struct counts counts;         /* of what the monitor was asked and told itself */
    bool excess;                  /* no session that keeps the limits has that much */
    bool refusal_counted;         /* of a recipient: it is still to be told for the log */
    bool message_came;            /* the client went on to send one, whatever became of it */
    bool lost;                    /* a message had no end, behind which nothing comes */
    bool violation;               /* the client heard a refusal that is one */
    bool command_objects;         /* a command has said that a message was one */
    bool ended;                   /* the session has said its last word */
    struct starttls tls;
    unsigned auth_failures;
    struct lockout lockout;
    enum lockout_verdict locked;

    unsigned speaks;              /* the client is a peer that may say for whom it speaks: a set of 1 << enum told_command */
    bool told;                    /* XFORWARD has said whose mail the next transaction brings */
    bool mistold;                 /* or it was to say so, and was not understood: no mail is the peer's own then */
    bool forwarded;               /* and that is the client as long as it lasts */
    bool unlisted;                /* what lists of hosts say of the client was forgotten */

    bool extended;                /* the client said EHLO */
    bool lmtp;                    /* it speaks LMTP */
    bool helo_told, proto_told;   /* a peer has said how the client greeted it: what the peer says itself is not the client's */
    char helo[HELO_MAX + 1];
    unsigned helos;               /* how many there were */
    struct reply helo_refusal;    /* of the last HELO, which whoever goes on with MAIL hears again; code 0: none */

    bool in_transaction;
    bool mail_refused;            /* a transaction was refused: RSET ends that, too */
    struct mail_argument mail;
    char parameters[HELO_MAX + 1]; /* of it */
    struct address sender;        /* of it, in its canonical form */
    uint64_t named;               /* how often one was accepted: the same one may have been named before */
    size_t count;                 /* accepted recipients, each once, and behind each its copies by also lines */
    struct recipient *recipients; /* room for limit.smtp_rcpt_to and copies; pages are touched when used */
    uint32_t *hashes;             /* of their addresses */
    struct recipient_forms *forms; /* room for theirs */
    struct outcome *outcomes;     /* of their deliveries */
    struct opened *opened;        /* transactions with next servers that were asked about them */
    uint32_t *order;              /* which of them each accepted RCPT has named */
    struct ledger_entry *entries; /* what the ledger has of them */
    bool spooled;                 /* the transaction has had its file */
    unsigned messages;            /* makes ids unique */
    bool stamped;                 /* this one has its id */
    char id[64];                  /* of the message that was delivered last, or for which there is a file */
    time_t received;              /* since when it has that id */
    uint64_t start;               /* of the message in that file */
    unsigned instances;           /* makes the next unique */
    char instance[64];            /* of the transaction, for handlers */
    bool data_accepted;           /* by them */
    struct slice fields;          /* that they have added to the message that is delivered */
    bool held, discarded;         /* by them */
    size_t added;                 /* recipients that milters have added */
    const struct address *from, *canonical_from; /* the sender as they have left it */
    struct reply end_refusal;     /* of handlers, by which nobody gets the message; code 0: there is none */
    char *held_fields;            /* the same with more; NULL: they are where they were kept */

    bool one_fate;                /* a message has one reply, even in LMTP: it is delivered once more (admin/replay.h) */
    bool answers_each;            /* a message has a reply for each accepted RCPT, in their order (LMTP, PRDR); else one */
    unsigned refusals_due;        /* of those replies that may be refusals, which count for nothing */
    uint64_t answers_due;         /* how many replies are still to be asked for; while there are, nothing else is */
    unsigned best_answer;         /* the lowest code of those that were given */
    bool objected;                /* a command has said that this message is a violation */
    struct spool spool;           /* of the message until then, */
    struct transaction transaction; /* and what its deliveries share */
};

/*
 * Prepares for a session; all arguments must outlive it. False without memory. The first function does what needs no client,
 * and need not be called.
 */
void state_make_room(struct session_state *s, const struct conf *conf);
bool state_begin(struct session_state *s, struct conf *conf, struct client *client,
                  const volatile sig_atomic_t *terminated);

/* Frees what state_begin took. */
void state_end(struct session_state *s);

/*
 * Is the client to be served? If not, the connection is closed without a word, and the log says why. Must be asked first,
 * since it finds out who the client is, if a proxy has connected.
 */
bool state_admit(struct session_state *s);

/*
 * Logs who has connected, unless that has been done. The client does not wait for it: where it is greeted, this comes
 * behind the greeting.
 */
void state_announce(struct session_state *s);

/*
 * The client has been answered: does meanwhile what it will soon wait for. That is to find out its name, if there is
 * a delivery that shows it. Takes one stage of dns.h at most.
 */
void state_prepare(struct session_state *s);

/* The questions of monitor.h, which see. */
struct reply state_connect(struct session_state *s);
struct reply state_helo(struct session_state *s, bool extended, struct slice name);
struct reply state_mail(struct session_state *s, struct slice argument);
struct reply state_rcpt(struct session_state *s, struct slice argument);
struct reply state_data(struct session_state *s);
bool state_wants_data(const struct conf *conf); /* is somebody asked about DATA? Then no message may come without that */
struct reply state_unknown(struct session_state *s, struct slice verb);
struct reply state_tls(struct session_state *s, int client, int plain);
struct reply state_auth(struct session_state *s, struct slice identity, struct slice user, struct slice password);
struct reply state_xclient(struct session_state *s, struct slice argument);
void state_xforward(struct session_state *s, struct slice argument);
void state_mistold(struct session_state *s);
struct reply state_deliver(struct session_state *s, const struct spool *spool);
struct reply state_answer(struct session_state *s);
void state_reset(struct session_state *s);
void state_heeded(struct session_state *s); /* the client has had all replies */
int state_spool(struct session_state *s, uint64_t *start);

/* Notes what something that was asked or told came to, and sets `excess`. */
void state_note(struct session_state *s, enum came_to came_to);

/* A refusal was given to the client, at this stage, for this line (monitor.h): counts it, logs it, counts a violation. */
void state_refusal(struct session_state *s, const char *stage, const struct reply *reply, struct slice line);

/*
 * The session has said its last word, or ended without: hears what is still to be logged of TLS, and counts what only
 * the whole session tells against the client. `cut`: it has gone in the middle of a command. Returns the violation that the last
 * line of the log has to name for the filter of fail2ban, or "".
 */
const char *state_verdict(struct session_state *s, bool cut);

/* ---- for the files of these functions ---- */

/* What there is against the client, by who it is: code 0 and `greeted`, or a refusal. `speaks` is found out. */
struct reply state_judge(struct session_state *s);

/* The checks of HELO, whose refusal MAIL gets, too. */
struct reply state_check_helo(struct session_state *s, bool extended, struct slice name);

/* The client is another from now on: what was counted against the last one ends, and what was found out is forgotten. */
void state_change_client(struct session_state *s);

/* Logs that the client is another than the peer, and what that calls its message, which may be "". */
void state_show_client(const struct session_state *s, const char *ident);

/* MAIL: the client is from now on the one that XFORWARD has told of, if it has. Code 0, or what there is against that. */
struct reply state_begin_forwarded(struct session_state *s);

/* The transaction is over, or MAIL was refused, for which what XFORWARD has told still holds when it is tried again: the client is the peer. */
void state_end_forwarded(struct session_state *s);

/* What tells against the client of so far: counts it, and returns what kind of violation it is for the filter of fail2ban, or "". */
const char *state_settle(struct session_state *s, bool cut);

/*
 * What rewrite lines make of the address of a sender or a recipient, which may become another one. Code 0, or the reply.
 * Where `changed`, forms->original is what it was.
 */
struct reply state_rewrite_sender(const struct session_state *s, struct address *sender);
struct reply state_rewrite_recipient(const struct session_state *s, struct address *address, struct recipient_forms *forms,
                                     bool *changed);

/* The client has its answer: what need not be waited for any more is ended, as connections to next servers. */
void state_rest(struct session_state *s);

/* A recipient that is accepted: what does its next server say, if that is to be asked? Code 0: nothing against it. */
struct reply state_inquire(struct session_state *s, struct recipient *recipient);

/* The question is one that no honest session asks: sets `contradiction`. */
struct reply state_contradict(struct session_state *s);

/* Could an honest session ask anything now? What is known of TLS is learned first. */
bool state_is_possible(struct session_state *s);

/* Whose mail the transaction is: what decisions about addresses go by. It points into the state. */
struct asking state_asking(const struct session_state *s);

/* The message has its id from now on, and the time at which it was received. */
void state_stamp(struct session_state *s);

/*
 * Ask the handlers of a stage, if there are any: code 0 or a refusal. state_ask_mail begins a message, whose sender is known;
 * state_ask_end ends it. Recipients are asked about when the rules have accepted them.
 */
struct reply state_ask_connect(struct session_state *s);
struct reply state_ask_helo(struct session_state *s, bool extended, struct slice name);
struct reply state_ask_mail(struct session_state *s);
struct reply state_ask_rcpt(struct session_state *s, const struct address *recipient);
struct reply state_ask_end(struct session_state *s, const struct spool *spool);

/* Ask the milters, after all others, what the client wants being all right so far. */
struct reply state_milter_mail(struct session_state *s);
struct reply state_milter_rcpt(struct session_state *s, const struct recipient *recipient);
struct reply state_milter_data(struct session_state *s);

/* Shows them the message, which becomes what they have made of it until milter_message_end (handlers/milter_message.h); behind state_apply_policies. */
struct reply state_milter_message(struct session_state *s, const struct spool **spool);

/* What policies want done with the message is done to the list of recipients, and to `fields`. */
void state_apply_policies(struct session_state *s);

/* Nobody gets the message, by this line. */
void state_discard(struct session_state *s, unsigned line);

/* It is to be held. Code 0, or a reply where there is no quarantine. */
struct reply state_hold(struct session_state *s);

/*
 * Recipients that a milter has added and deleted, another sender, a message that it wants held: what of its changes is about
 * the envelope is done, in their order, and logged with its name; `line` is its own. A recipient that no rule takes is not
 * added. Code 0, or a reply to the message.
 */
struct reply state_change_envelope(struct session_state *s, struct slice milter, unsigned line,
                                   const struct milter_change *changes, size_t count);

/* All handlers were asked: a message that is to be held goes there alone. False without memory. */
bool state_settle_recipients(struct session_state *s);

/* Logs why the last decision could not be taken, if that is so. */
void state_log_trouble(void);

#endif
