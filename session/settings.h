/* settings.h - what the configuration says of the dialogue: its greeting and its limits */
#ifndef SESSION_SETTINGS_H
#define SESSION_SETTINGS_H

#include "session/limit.h"

enum { PROTOCOL_SMTP, PROTOCOL_LMTP };

struct session_settings {
    unsigned protocol;          /* the one that is spoken: index of the choices in keywords.h */
    struct slice greeting;
    struct limit smtp_commands, smtp_undelivered, smtp_unknowncmd, smtp_failcmds; /* how much of what (counts.h) */
    struct limit smtp_refused_rcpts, auth_failures;
    struct limit connection_secs, command_secs;
    struct limit smtp_data_size, smtp_rcpt_to, hops;
    struct limit smtp_ascii, helo_required, bare_newline; /* switches */
    uint64_t tarpit;            /* seconds before the first refusal of a session, twice that before the second... */
};

/* Is LMTP spoken (RFC 2033)? Else SMTP. */
static inline bool session_lmtp(const struct session_settings *settings)
{
    return settings->protocol == PROTOCOL_LMTP;
}

#endif
