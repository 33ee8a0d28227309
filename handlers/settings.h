/* settings.h - what the configuration says of handlers: which services are asked when, for how long, where mail is held */
#ifndef HANDLERS_SETTINGS_H
#define HANDLERS_SETTINGS_H

#include "base/process.h"
#include "nexthop/where.h"
#include "session/limit.h"

/* The way to a service, kept for the session. Zeroed, there is none. */
struct policy_connection {
    bool open;
    bool spoiled;      /* it has said something that nobody has asked for */
    int in, out;       /* a socket twice, or two pipes */
    int messages;      /* what the program says on standard error */
    pid_t pid;         /* of the program; 0: it is none of ours */
    unsigned lines;    /* of these messages that are in the log */
};

/* One policy line. */
struct policy {
    struct policy *next;
    unsigned line;
    unsigned stages;        /* bits: 1 << enum policy_stage */
    struct slice name;      /* where it is, or the path of the program: for the log */
    struct where where;
    struct program program; /* its path is empty: the service is at `where` */
    struct policy_connection connection;
};

/* Where a message goes that somebody wants kept back. */
struct quarantine {
    struct slice path; /* empty: there is none */
    bool maildir;      /* else it is an mbox file */
    unsigned line;
};

struct handler_settings {
    struct policy *first_policy, **last_policy; /* in the order of the file */
    struct limit policy_secs;
    struct quarantine quarantine;
    bool unasked; /* not of the file: nobody is asked, as in a rehearsal, and when what was accepted before is delivered again */
};

#endif
