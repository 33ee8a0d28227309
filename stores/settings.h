/* settings.h - what the configuration says of Redis, which keeps what several hosts remember together */
#ifndef STORES_SETTINGS_H
#define STORES_SETTINGS_H

#include <stdint.h>

#include "base/slice.h"

struct store_settings {
    struct slice redis_auth;  /* the file with [user:]password; empty: none is wanted */
    uint64_t redis_timeout;   /* milliseconds that a session spends on one that is down or slow */
};

#endif
