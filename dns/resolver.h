/* resolver.h - the process that asks the DNS and reads what it answers: what it is told, and what it tells */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <netinet/in.h>
#include <stdint.h>

#include "dns/wire.h"

/*
 * What the DNS answers is of the client's choosing. So a process reads it that is confined before the first byte, and
 * what that tells is believed no more than the DNS itself. It is a child of the process that decides, which has sent
 * the first questions itself: to start it takes no longer then than an answer takes to come.
 */
enum {
    RESOLVER_QUESTIONS = 64, /* that many are open at once; their numbers are below that */
    RESOLVER_SERVERS = 8,
    RESOLVER_TRIES = 3,      /* of a server, for a question */
    RESOLVER_HIDDEN = 2,
    RESOLVER_WHY = 80        /* bytes of a reason, for a log line, the NUL included */
};

/* ---- before there is the process --------------------------------------------------------- */

/*
 * Gets ready for questions to these servers (ADDRESS:PORT or [ADDRESS]:PORT, separated by commas; "": those of
 * resolv.conf(5)), with `timeout` milliseconds for a first try. What was asked before is forgotten. NULL, or why it is
 * not possible, until the next call.
 */
const char *resolver_prepare(const char *servers, int timeout);

/* Forgets what was asked. Whoever is forked before that must never ask: memory is missing there. */
void resolver_end(void);

/* Sends a question, and reads nothing. `number` is not in use. */
void resolver_ask(uint32_t number, enum answer_type type, const char *name);

/* Memory in whole pages, kept for good, that the process will not have. At most RESOLVER_HIDDEN such. */
void resolver_hide(void *memory, size_t size);

/*
 * Starts the process, which goes on with what was asked. Returns its process number and a channel to it, or -1
 * with errno. Not `confined` it is only a process of its own.
 */
pid_t resolver_start(bool confined, int *channel);

/* ---- what crosses the channel ------------------------------------------------------------ */

/* The address of a server. */
union resolver_server {
    sa_family_t family; /* AF_INET, AF_INET6 */
    struct sockaddr address;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

enum resolver_kind {
    RESOLVER_FAILED, /* it cannot do its work: why */
    RESOLVER_SOCKET, /* it needs a socket that is connected to this server, and waits for it */
    RESOLVER_ANSWER  /* to a question: what it says, and for the log what came of it */
};

/* What the process tells, in one packet, cut behind what is used of it. */
struct resolver_message {
    uint32_t kind;
    uint32_t number, status, count, null_mx; /* ANSWER */
    uint32_t stream;                         /* SOCKET: TCP */
    char why[RESOLVER_WHY];
    union {
        union resolver_server server; /* SOCKET */
        unsigned char data[sizeof((struct answer *)NULL)->names]; /* ANSWER: what struct answer has */
    };
};

/* Tells the process a question. Never waits: if it cannot hear, there will be no answer. */
void resolver_tell(int channel, uint32_t number, enum answer_type type, const char *name);

/*
 * Reads a message of `len` bytes, which anybody may have written, as the answer to a question of that type. False if no
 * reader of the DNS could have told that; nothing is known then.
 */
bool resolver_read(const struct resolver_message *message, size_t len, enum answer_type type, struct answer *answer);

/*
 * Gives the process the socket that a message of `len` bytes asks for, or says why it cannot have it. False if it
 * asks for anything but one of the servers, or does not listen.
 */
bool resolver_serve(int channel, const struct resolver_message *message, size_t len);

#endif
