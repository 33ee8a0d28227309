/* settings.h - what the configuration says of listening: how many sessions at once, and for how long without any */
#ifndef LISTENER_SETTINGS_H
#define LISTENER_SETTINGS_H

#include "session/limit.h"

struct listener_settings {
    struct limit sessions;        /* at once */
    struct limit client_sessions; /* of them from one client */
    struct limit client_rate;     /* connections of one client in a minute; 0: as many as it likes */
    uint64_t spares;              /* processes that wait for the next connection */
    uint64_t idle_secs;           /* without a client, before the listener ends; 0: never */
};

#endif
