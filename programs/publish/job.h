/* job.h - what is to be published, where, and how: what both kinds of brokers are told */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>

#include "base/credentials.h"
#include "programs/publish/body.h"
#include "programs/publish/url.h"

/* Facts that go along as headers, by the names that they have in MAILRECV_JSON. */
struct fact {
    const char *name, *variable;
    bool lines; /* a value for each line of the variable */
};

enum { FACTS = 15 };

extern const struct fact facts[FACTS];

struct message {
    const char *to[2];         /* exchange and routing key; or subject */
    const char *values[FACTS]; /* of the variables; NULL: not set */
    struct body body;
};

/* Takes the values from the environment. */
void facts_take(struct message *message);

/*
 * DELIVERY_ID, if it is new for each message that is not a retry, as with a ledger; else NULL: by what is
 * the same for equal messages nobody may drop one of them.
 */
const char *facts_unique_id(const struct message *message);

/* RECEIVED_AT, or NULL. */
const char *facts_received_at(const struct message *message);

struct job {
    const char *text; /* the URL as it was given */
    struct url url;
    bool tls;
    const char *authorities; /* a file; NULL: those of the system */
    const char *credentials; /* a file; NULL: none */
    char user[CREDENTIALS_MOST + 1], password[CREDENTIALS_MOST + 1]; /* empty: none */
    unsigned seconds, keep; /* for all of it; how long a connection is kept for others, 0: not at all */
    struct message message;
};

/*
 * Hands the message to the broker at this place, and waits for its confirmation. The broker has to have let us in by
 * `until` (clock.h). What was in the way is said by notes; the verdict is the caller's to tell.
 */
typedef enum verdict publish_at(struct job *job, const struct place *place, uint64_t until);

publish_at rabbitmq_publish, nats_publish;

#endif
