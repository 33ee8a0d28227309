/* ledger.h - what was delivered is remembered until the sender knows it, so that no retry repeats it */
#ifndef LEDGER_H
#define LEDGER_H

#include "delivery/ledger_db.h"

/*
 * The monitor's part, for the message that is being delivered. Without `ledger` in the configuration, and in a
 * rehearsal, nothing is claimed, noted or owed. A file that fails is logged once for each session; mail then flows, and
 * a retry repeats what it would have known.
 *
 * What a delivery comes to is written down when it is known, and on the disk before anything is said to the sender. It
 * is taken back when the sender was told 250 and went on, or ended the connection in order: from then on the same
 * message is another one, however much it is like this one.
 */

/* Another message begins. */
void ledger_begin(void);

enum ledger_claim {
    LEDGER_FREE,    /* it is to be made, and is held until ledger_release */
    LEDGER_ALREADY, /* it was made, and the sender may not know it */
    LEDGER_BUSY     /* another session was still making it when the time was up */
};

/*
 * May the delivery to this recipient be made? Waits until `until` (clock.h) for a session that is making it. One that a
 * command is to make gets an id then, which it keeps until it has succeeded or was refused. Sets recipient->entry.
 */
enum ledger_claim ledger_claim(const struct transaction *transaction, struct recipient *recipient, bool command,
                               uint64_t until);

/* The claimed delivery to this recipient has the outcome that it has: notes it, unless that has been done. */
void ledger_note(const struct transaction *transaction, const struct recipient *recipient);

/* Nothing is being delivered any more. */
void ledger_release(const struct delivery_settings *settings);

/*
 * Room for the deliveries of which a sender was told, and has said nothing since; what is beyond waits where it is for its
 * time to be up. Without it there is no such delivery.
 */
void ledger_give_room(struct ledger_entry *room, size_t count);

/* The sender is about to be told that this delivery was made. */
void ledger_owe(const struct recipient *recipient);

/* The sender knows what it was told. */
void ledger_settle(const struct delivery_settings *settings);

enum { LEDGER_NAME = 2 * LEDGER_KEY + 1 };

/*
 * The name of a delivery for commands: with a ledger that of the first attempt, and else the digest of sender,
 * recipient and message. "" where there is no message, or it cannot be made; in a rehearsal with a ledger, words. Writes
 * at most LEDGER_NAME bytes; returns `name`.
 */
const char *ledger_name(const struct transaction *transaction, const struct recipient *recipient, char *name);

#endif
