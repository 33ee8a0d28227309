/* settings.h - what the configuration says of deliveries: where files are, how safe they are, how long one may take */
#ifndef DELIVERY_SETTINGS_H
#define DELIVERY_SETTINGS_H

#include <stdbool.h>

#include "session/limit.h"

struct recipient;
struct statuses;
struct target;
struct transaction;

/* Is shown a delivery that is not made (deliver.h). */
typedef void deliver_rehearse(const struct transaction *transaction, const struct recipient *recipient,
                              const struct target *target);

struct delivery_settings {
    struct slice deadletter_file; /* empty: there is none */
    struct slice spool_directory;
    bool fsync, pipe_from_line;
    struct limit pipe_secs, lock_secs;
    struct statuses *statuses;    /* of the status lines */
    deliver_rehearse *rehearse;   /* not of the file: set, nothing is delivered but shown to this; else NULL */
};

/* Is there a dead-letter file that holds what is put into it? (/dev/null does not.) */
static inline bool delivery_keeps_dead_letters(const struct delivery_settings *settings)
{
    return settings->deadletter_file.len > 0 && !slice_equal(settings->deadletter_file, slice_of("/dev/null"));
}

#endif
