/* ledger_key.h - which delivery is the same as another one: a digest of sender, recipient and message */
#ifndef LEDGER_KEY_H
#define LEDGER_KEY_H

#include "delivery/copy.h"

enum { LEDGER_KEY = 20, LEDGER_DIGEST = 32 };

/* How much of a message its digest is made from. */
enum ledger_extent {
    LEDGER_WHOLE, /* all of it */
    LEDGER_EDGES  /* all of its header, and of a long body the beginning, the end and the length */
};

/*
 * The digest of what all attempts to send this message have in common, which is not what milters make of it: they add
 * what is new each time. False: the message cannot be read.
 */
bool ledger_key_message(const struct spool *spool, enum ledger_extent extent, unsigned char digest[LEDGER_DIGEST]);

/* That of the delivery of such a message to this recipient: the first bytes of its digest. */
void ledger_key_delivery(const struct transaction *transaction, const struct recipient *recipient,
                         const unsigned char message[LEDGER_DIGEST], unsigned char key[LEDGER_KEY]);

#endif
