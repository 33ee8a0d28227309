/* lockout_db.h - what is remembered of clients between sessions: connections, violations, locks */
#ifndef LOCKOUT_DB_H
#define LOCKOUT_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stores/store.h"

/*
 * A store (stores/store.h) of 64 bytes for each client that was seen lately, an IPv4 address or an IPv6 network of 64
 * bits. It is not synced.
 */
enum { CONTACT_TEXT = 48 }; /* bytes that contact_text may need */

struct contact {
    uint32_t sum;            /* the store's own */
    uint8_t family;          /* 4 or 6; 0: there is none */
    uint8_t told;            /* whether a locked client has heard so (lockout.c) */
    uint8_t by_hand;         /* the lock was asked for, with an end of its own (lockout.c) */
    uint8_t unused;
    uint8_t network[8];      /* an IPv4 address and zeros, or the first half of an IPv6 address */
    uint32_t connections, violations, locks;
    uint32_t deliveries;     /* in the time in which violations are counted */
    uint64_t first, last;    /* when it was seen; this and all below in seconds of the real-time clock */
    uint64_t begin;          /* of that time */
    uint64_t until;          /* the end of the lock, 0: it has none */
};

struct lockout_db {
    const struct store_engine *engine;
    const char *path;
    uint64_t keep;           /* seconds after which a contact without a lock is forgotten */
    bool serving;            /* may make the file, and move a damaged one to PATH.corrupt */
};

/* The contact, without any history, of an address: AF_INET or AF_INET6, in network order. */
struct contact contact_of(int family, const unsigned char *bytes);

/* Its address as text, an IPv6 network with /64; `out` has room for CONTACT_TEXT bytes. Returns `out`. */
const char *contact_text(const struct contact *contact, char *out);

/*
 * Lets `change` change what is known of a contact: *contact says whom it is about, and is what is known then.
 * Seconds `now` make `last`, and contacts that were not seen for long are forgotten in passing. False with errno
 * set if that is not in the file, because it cannot be opened or written, or somebody holds the lock (EAGAIN, after
 * two seconds); *contact is then changed all the same if the file could be read, and else left as it was.
 */
bool lockout_db_change(const struct lockout_db *contacts, struct contact *contact, uint64_t now,
                     void (*change)(struct contact *contact, const void *context), const void *context);

/* Forgets a contact. Returns whether it was known; if not, errno is 0 or says what went wrong. */
bool lockout_db_forget(const struct lockout_db *contacts, const struct contact *contact);

/* Why the last of these has failed, as store_why. */
const char *lockout_db_why(const struct lockout_db *contacts);

/* All contacts, in memory that the caller frees; NULL with errno set if that fails (store.h). */
struct contact *lockout_db_list(const struct lockout_db *contacts, size_t *count);

#endif
