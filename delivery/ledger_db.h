/* ledger_db.h - which deliveries were begun and made whose senders do not know it yet */
#ifndef LEDGER_DB_H
#define LEDGER_DB_H

#include "stores/store.h"
#include "delivery/ledger_key.h"

/* What is known of a delivery. */
enum ledger_state {
    LEDGER_NONE,      /* nothing, and nothing is written down */
    LEDGER_BEGUN,     /* a command was started for it, and has an id to know it by */
    LEDGER_MADE       /* it succeeded, and was on the disk before anything was said */
};

enum { LEDGER_ID = 28, LEDGER_ID_TEXT = LEDGER_ID + 12 };

/* A record of a store (stores/store.h). */
struct ledger_entry {
    uint32_t sum;             /* the store's own */
    uint32_t state : 8;
    uint32_t number : 24;     /* its place among the recipients of that message */
    unsigned char key[LEDGER_KEY];
    char id[LEDGER_ID];       /* of the message of the first attempt, filled with zeros */
    uint64_t time;            /* of the last attempt, seconds of the real-time clock */
};

/* Where they are, whose name is in `path` then, which has room for PATH_MAX bytes. */
struct store ledger_db_store(const struct delivery_settings *settings, char *path, bool serving);

/*
 * Finds what is known of the delivery with entry->key, or else writes the entry if its state says that it has begun.
 * False with errno set if that cannot be done.
 */
bool ledger_db_find(const struct store *store, struct ledger_entry *entry);

/* Notes that it was made: that is on the disk when this returns. False with errno set: it is not. */
bool ledger_db_note(const struct store *store, struct ledger_entry *entry);

/* What tells this delivery from all others: the id of its first attempt, and its number. Returns `text`. */
const char *ledger_db_id(const struct ledger_entry *entry, char text[LEDGER_ID_TEXT]);

#endif
