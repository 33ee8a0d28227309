/* settings.h - what the configuration says of the dialogue: its greeting and its limits */
#ifndef SESSION_SETTINGS_H
#define SESSION_SETTINGS_H

#include "session/limit.h"

struct session_settings {
    struct slice greeting;
    struct limit smtp_commands, smtp_undelivered, smtp_unknowncmd, smtp_failcmds; /* how much of what (counts.h) */
    struct limit smtp_refused_rcpts, auth_failures;
    struct limit connection_secs, command_secs;
    struct limit smtp_data_size, smtp_rcpt_to, hops;
    struct limit smtp_ascii, helo_required, bare_newline; /* switches */
    uint64_t tarpit;            /* seconds before the first refusal of a session, twice that before the second... */
};

#endif
