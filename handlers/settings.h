/* settings.h - what the configuration says of handlers: which services and milters are asked when, for how long, where mail is held */
#ifndef HANDLERS_SETTINGS_H
#define HANDLERS_SETTINGS_H

#include "handlers/milter_packet.h"
#include "nexthop/server.h"
#include "rules/rule.h"
#include "session/limit.h"

/* One policy line. */
struct policy {
    struct policy *next;
    unsigned line;
    unsigned stages;        /* bits: 1 << enum policy_stage */
    struct server server;
};

/* The connection to a milter, and how far it has come. Zeroed, there is none. */
struct milter_connection {
    bool open;
    int fd;
    struct milter_options options; /* its lists are copied to `symbols` */
    char symbols[MILTER_LISTS][MILTER_SYMBOLS];
    bool reused;       /* it was open before the message that begins: if it is closed now, that may be why */
    unsigned helo;     /* which HELO it was told; see milter_facts */
    bool off;          /* it wants to hear no more of this client */
    bool late;         /* it did not answer in time: it is not tried again for this client */
    bool begun;        /* it was told of a message, and has not come to its end */
    bool asked;        /* ... and wants to hear more of it */
    bool failed;       /* ... and could not be asked */
    bool stopped;      /* ... because the session has to end: that is no failure of the milter, which might let mail pass */
    bool keeps_back;   /* ... for which the message goes into the quarantine */
    unsigned skipped;  /* a set of 1 << enum milter_command that it wants no more of */
    bool refuses;      /* it has refused the client, or this message, by `refusal` */
    bool refuses_client, refused_helo; /* the client: whatever it sends; because of this HELO */
    struct milter_reply refusal;
};

enum { MILTER_OWN_MACROS = 16384 }; /* most bytes of milter.macros: they are told at each stage, and leave room for ours */

/* A macro of milter.macros. */
struct milter_macro {
    struct milter_macro *next;
    struct slice name; /* without braces */
    struct slice value;
};

enum milter_failure { MILTER_FAILS_NOW, MILTER_FAILS_OPEN, MILTER_FAILS_CLOSED, MILTER_FAILS_ASIDE };

/* One milter line. */
struct milter {
    struct milter *next;
    struct rule clients; /* whose mail it is asked about: only its line and its conditions count */
    struct slice name;   /* where it is, for the log */
    struct where where;
    struct milter_connection connection;
};

/* Where a message goes that somebody wants kept back. */
struct quarantine {
    struct slice path; /* empty: there is none */
    bool maildir;      /* else it is an mbox file */
    unsigned line;
};

struct handler_settings {
    struct policy *first_policy, **last_policy; /* in the order of the file */
    struct milter *first_milter, **last_milter; /* the same */
    struct milter_macro *first_macro, **last_macro;
    size_t macro_bytes; /* of all of them as they are told, at most MILTER_OWN_MACROS */
    unsigned milter_failure; /* enum milter_failure */
    struct limit policy_secs, milter_secs;
    struct quarantine quarantine;
    bool unasked; /* not of the file: nobody is asked, as in a rehearsal, and when what was accepted before is delivered again */
};

/* Is there anybody who may change a message? */
static inline bool handlers_are_asked(const struct handler_settings *settings)
{
    return settings->first_policy != NULL || settings->first_milter != NULL;
}

#endif
