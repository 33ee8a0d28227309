/* replay.h - saved messages are decided on and delivered once more (-r) */
#ifndef REPLAY_H
#define REPLAY_H

#include <signal.h>

#include "admin/scenario.h"
#include "client/client.h"
#include "conf/conf.h"

/* What is to be done. */
struct replay {
    const char *place;               /* of the messages, see mailfile.h */
    char *const *numbers;            /* N or N-N: which of them */
    size_t count;                    /* of numbers; 0: all */
    const struct client *client;         /* who the client is to be; NULL: who it was, or else local */
    const struct scenario *scenario; /* what takes the place of what the client said when the message came */
};

/* Is this one of the numbers, in the form that it must have? */
bool replay_is_number(const char *word);

/*
 * Goes through the messages, writes one line for each to standard output, and marks them as mailfile.h has it. A
 * failure leaves a message as it was; nothing goes to the dead-letter file. With conf->delivery.rehearse set, nothing is
 * delivered and nothing marked. A message that is marked as done is passed over, one that was begun and
 * not ended too, unless it is named by its number. Ends early when `terminated` is set. Returns EX_OK when
 * all that were wanted are delivered now, 1 when not, EX_NOINPUT when the place cannot be read. Changes conf.
 */
int replay(struct conf *conf, const struct replay *order, const volatile sig_atomic_t *terminated);

#endif
