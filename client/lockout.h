/* lockout.h - three strikes and you are out: which clients are kept out for a while, and why */
#ifndef LOCKOUT_H
#define LOCKOUT_H

#include "client/client.h"
#include "client/lockout_db.h"
#include "client/settings.h"
#include "session/reply.h"

struct groups;

/*
 * What the monitor counts against a client, across sessions, in lockout.db. Without that directive none of these
 * functions does anything. A file that fails is logged once for each session, and keeps nobody out or in.
 */
struct lockout {
    const struct client_settings *settings;
    const struct groups *groups; /* lockout.exempt */
    struct client *client;
    bool counted;        /* a session has one violation at most */
    bool failed;         /* that is in the log already */
    uint64_t until;      /* the end of the lock, seconds of the real-time clock; 0: there is none */
};

enum lockout_verdict {
    LOCKOUT_NONE,
    LOCKOUT_TELL,  /* locked, and not told so yet: lockout_reply takes the greeting's place */
    LOCKOUT_CLOSE  /* locked and told: nothing is said */
};

enum { LOCKOUT_TIME = 32 };

/*
 * Counts the connection; to be called once, first. `settings`, `groups` and `client` are set, the rest is zeros. Where it cannot
 * be closed without a word, since it is not the client's own (`told`: a peer speaks for it), a locked client is always told.
 */
enum lockout_verdict lockout_connect(struct lockout *lockout, bool told);

/* What a locked client hears; its text lives until the next call. */
struct reply lockout_reply(const struct lockout *lockout);

/* The end of the lock of a client that would be refused for it now, 0: it would not. Changes nothing; may ask DNS. */
uint64_t lockout_until(const struct lockout *lockout);

/* Does lockout.exempt keep this client from being counted and locked out? Of doubt it has the benefit. May ask DNS. */
bool lockout_is_exempt(const struct lockout *lockout);

/* A refusal was given at this stage (monitor.h): counts it, if it is a violation. Returns whether it is. */
bool lockout_refusal(struct lockout *lockout, const char *stage, unsigned code);

/* Counts a violation, unless the session has had its one; the word `reason` is for the log. */
void lockout_violation(struct lockout *lockout, const char *reason);

/* A message was delivered: the violations are forgotten. */
void lockout_forgive(struct lockout *lockout);

/* The file of a configuration that has one; `path` is room for its name, of PATH_MAX bytes. */
struct lockout_db lockout_contacts(const struct client_settings *settings, char *path, bool serving);

/*
 * Is this contact still remembered? Makes it what it would be if the client came now: violations and locks
 * end by themselves.
 */
bool lockout_present(const struct client_settings *settings, struct contact *contact);

/*
 * Locks a contact out for so many seconds, and fills in what is known of it. The file is not made. False with errno set
 * as by lockout_db_change.
 */
bool lockout_lock(const struct client_settings *settings, uint64_t secs, struct contact *contact);

/* A time in UTC, as RFC 3339 writes it; `out` has room for LOCKOUT_TIME bytes. Returns `out`. */
const char *lockout_time(uint64_t seconds, char *out);

#endif
