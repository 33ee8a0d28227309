/* hop.h - a server that messages are handed to, and the way to it: up to where MAIL can be said */
#ifndef HOP_H
#define HOP_H

#include "nexthop/dialogue.h"
#include "nexthop/tls.h"
#include "nexthop/where.h"

enum hop_security {
    HOP_IF_OFFERED, /* STARTTLS where it is offered */
    HOP_CLEAR,
    HOP_STARTTLS,   /* or not at all */
    HOP_TLS         /* from the first byte */
};

/* What the configuration says of it. */
struct hop {
    struct where where;
    enum hop_security security;
    bool lmtp;
    bool verify;       /* its certificate must be good for the name in `where` */
    bool ask;          /* at RCPT already */
    struct slice auth; /* the file with user and password; empty: it wants none */
};

/* The same server, spoken to in the same way? */
bool hop_equal(const struct hop *a, const struct hop *b);

/* A connection to it. */
struct hop_line {
    struct dialogue dialogue;
    struct nexthop_tls tls;
    int fd; /* -1: there is none */
};

/*
 * Connects, calling ourselves `name`, which must outlive the connection; greeting, TLS and login are done then, until
 * `deadline` (clock.h) or SIGTERM. False: dialogue.trouble says why not, and nothing is left to be closed.
 */
bool hop_open(struct hop_line *line, const struct hop *hop, const char *name, uint64_t deadline,
              const volatile sig_atomic_t *terminated);

/* Is it still there? Whoever has closed it, or has said something that was not asked for, takes nothing more. */
bool hop_is_open(struct hop_line *line);

/* Says goodbye if it can, and closes. */
void hop_close(struct hop_line *line);

#endif
