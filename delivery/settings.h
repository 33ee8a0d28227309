/* settings.h - what the configuration says of deliveries: where files are, how safe they are, how long one may take */
#ifndef DELIVERY_SETTINGS_H
#define DELIVERY_SETTINGS_H

#include <stdbool.h>
#include <sys/types.h>

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
    unsigned mailbox_mode;        /* index of the choices in keywords.h */
    bool fsync, pipe_from_line;
    struct limit pipe_secs, lock_secs, handover_secs;
    struct slice ledger;          /* the file; empty: there is none */
    uint64_t ledger_secs;
    struct statuses *statuses;    /* of the status lines */
    deliver_rehearse *rehearse;   /* not of the file: set, nothing is delivered but shown to this; else NULL */
};

/* The mode of new mailboxes, and of messages in maildirs. */
static inline mode_t delivery_file_mode(const struct delivery_settings *settings)
{
    static const mode_t modes[] = { 0600, 0640, 0660 };

    return modes[settings->mailbox_mode];
}

/* The same for directories: whoever may read there may enter. */
static inline mode_t delivery_directory_mode(const struct delivery_settings *settings)
{
    mode_t mode = delivery_file_mode(settings);

    return mode | (mode & 0444) >> 2;
}

/* Is there a dead-letter file that holds what is put into it? (/dev/null does not.) */
static inline bool delivery_keeps_dead_letters(const struct delivery_settings *settings)
{
    return settings->deadletter_file.len > 0 && !slice_equal(settings->deadletter_file, slice_of("/dev/null"));
}

#endif
