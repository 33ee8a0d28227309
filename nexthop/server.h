/* server.h - a service that is asked: a connection to it, or a program on pipes, kept for the session */
#ifndef NEXTHOP_SERVER_H
#define NEXTHOP_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process.h"
#include "nexthop/shelf.h"
#include "nexthop/where.h"

enum { SERVER_REASON = 512 };

struct server {
    const char *kind;       /* the directive, for the log */
    struct slice name;      /* where it is, or the path of the program: for the log */
    struct where where;
    struct program program; /* its path is empty: the service is at `where` */
    const char *const *inherits; /* variables of ours that the program has, too; NULL: none */
    const struct shelf *shelf; /* where the program waits when it has answered; NULL: it is for this session alone */

    /* The way to it. Zeroed, there is none. */
    bool open;
    bool spoiled;           /* it has said something that nobody has asked for */
    int in, out;            /* a socket twice, or two pipes */
    int messages;           /* what the program says on standard error */
    pid_t pid;              /* of the program; 0: we have not started one */
    int process;            /* one that was taken from where it waited; -1: it was not */
    uint64_t started;       /* clock.h */
    unsigned lines;         /* of these messages that are in the log */
};

enum server_progress {
    SERVER_MORE,    /* all bytes are taken, and the answer is not complete */
    SERVER_DONE,
    SERVER_NONSENSE /* this is no answer: nothing that comes from there can be believed any more */
};

/* A question, and how its answer is taken. */
struct server_question {
    struct slice request;
    void (*begin)(void *context); /* before the first byte */
    enum server_progress (*take)(void *context, struct slice bytes, size_t *used);
    void *context;
    uint64_t deadline;            /* clock.h */
};

/*
 * Puts a question and takes the answer. The way to the service is made when it is first asked, and once more when
 * it was closed. False with a reason, one line, if there is no answer by the deadline, or nonsense, or on SIGTERM; what
 * is said later is not heard. What a program writes to standard error goes to the log.
 */
bool server_ask(struct server *server, const struct server_question *question, char reason[SERVER_REASON]);

/* Closes the way to it, if there is one. A program has to end then; one that does not is asked to, and killed at last. */
void server_end(struct server *server);

#endif
