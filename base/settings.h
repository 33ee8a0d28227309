/* settings.h - what the configuration says of the process, its user and its log */
#ifndef BASE_SETTINGS_H
#define BASE_SETTINGS_H

#include <stdbool.h>

#include "base/slice.h"

/* Whether the session is a process of its own that can do nothing but talk. */
enum sandbox {
    SANDBOX_OFF, /* no: one process */
    SANDBOX_TRY, /* with whatever of Landlock and seccomp the kernel has */
    SANDBOX_ON   /* with both, or nothing is served */
};

struct base_settings {
    struct slice user;          /* the user that root becomes; empty: it stays root */
    unsigned sandbox;           /* enum sandbox */
    struct slice debug, logfile; /* flags and place of the log (log.h) */
    bool loghex;
};

#endif
