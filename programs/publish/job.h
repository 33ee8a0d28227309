/* job.h - what is to be published, where, and how: what both kinds of brokers are told */
#ifndef JOB_H
#define JOB_H

#include <stdbool.h>

#include "base/credentials.h"
#include "programs/publish/body.h"
#include "programs/publish/url.h"

struct job {
    struct url url;
    bool tls;
    const char *authorities;        /* a file; NULL: those of the system */
    char user[CREDENTIALS_MOST + 1], password[CREDENTIALS_MOST + 1]; /* empty: none */
    char **to;                      /* exchange and routing key; or subject */
    struct body body;
};

/*
 * Hands the message to the broker at this place, and waits for its confirmation. The broker has to have let us in by
 * `until` (clock.h). What was in the way is said by notes; the verdict is the caller's to tell.
 */
typedef enum verdict publish_at(const struct job *job, const struct place *place, uint64_t until);

publish_at rabbitmq_publish, nats_publish;

/* Facts that go along as headers, by the names that they have in MAILRECV_JSON. */
struct fact {
    const char *name, *variable;
    bool lines; /* a value for each line of the variable */
};

enum { FACTS = 15 };

extern const struct fact facts[FACTS];

/*
 * DELIVERY_ID, if it is new for each message that is not a retry, as with a ledger; else NULL: by what is
 * the same for equal messages nobody may drop one of them.
 */
const char *fact_unique_id(void);

#endif
