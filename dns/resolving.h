/* resolving.h - what the files of the resolver share, and nobody else sees */
#ifndef RESOLVING_H
#define RESOLVING_H

#include <ares.h>

#include "dns/resolver.h"

enum { SOCKETS = ARES_GETSOCK_MAXNUM, OWN_BYTES = 1 << 19 };

enum state { FREE, TOLD, ASKED, REFUSED /* before there was a process that could tell */ };

/* Its number is its place; the name must live until c-ares has said its last word. */
struct question {
    enum state state;
    enum answer_type type;
    int status; /* REFUSED: why */
    char name[DOMAIN_MAX + 1];
};

/* What the process is told: a question, or (number RESOLVER_QUESTIONS) a socket that it waits for or, errno, none. */
struct order {
    uint32_t number;
    int32_t error;
    uint32_t type;
    char name[DOMAIN_MAX + 1];
};

enum { NONE = -1, PENDING = -2 };

struct resolving {
    ares_channel ares;
    union resolver_server servers[RESOLVER_SERVERS];
    size_t count; /* of them, 0: not listed yet */
    int channel;  /* to the parent; 0: this is the parent */
    int awaited;  /* the socket that the parent was asked for; PENDING, NONE */
    struct {
        union resolver_server server;
        int fd; /* NONE: it is used already */
    } spare; /* for the question after the first */
    struct {
        int fd;
        bool used, stream;
    } sockets[SOCKETS]; /* by the number that c-ares has for each */
};

extern struct resolving resolving;

/*
 * All that holds names that were asked for, among them memory of c-ares: it is in one place, so that the resolver
 * alone gets it. What c-ares gives back is not used again before the next resolver_prepare.
 */
struct own {
    struct question questions[RESOLVER_QUESTIONS];
    size_t used; /* of these: */
    char bytes[OWN_BYTES] __attribute__((aligned(16)));
};

extern struct own *resolving_own;
extern struct resolver_message resolving_message;

/* All that is used of it. */
struct resolving_ares {
    __typeof__(ares_library_init_mem) *library_init;
    __typeof__(ares_init_options) *init_options;
    __typeof__(ares_set_servers_ports_csv) *set_servers;
    __typeof__(ares_get_servers_ports) *get_servers;
    __typeof__(ares_set_socket_functions) *set_socket_functions;
    __typeof__(ares_query) *query;
    __typeof__(ares_getsock) *getsock;
    __typeof__(ares_timeout) *timeout;
    __typeof__(ares_process_fd) *process_fd;
    __typeof__(ares_free_data) *free_data;
    __typeof__(ares_destroy) *destroy;
    __typeof__(ares_strerror) *strerror;
};

extern struct resolving_ares resolving_ares;

/* ---- resolver_memory.c: for c-ares ---- */

void *resolving_take(size_t size);
void resolving_give(void *memory);
void *resolving_resize(void *memory, size_t size);

/* Makes what resolving_own points to, unless it is there. False with errno set. */
bool resolving_make_own(void);

/* Gives it back. */
void resolving_drop_own(void);

/* Does a process that is forked next get it? At first none does. */
void resolving_share_own(bool share);

/* ---- resolver_channel.c ---- */

/* Where a message ends: behind `used` bytes of what its kind has besides the head. */
size_t resolving_size(size_t used);

/* Tells the parent; without one there is nothing left to do, and the process ends. */
void resolving_tell(enum resolver_kind kind, size_t used);
void resolving_tell_answer(const struct question *q, const struct answer *answer, const char *why);

/* Gives an order of `len` bytes, with a descriptor if `fd` is one. False if it does not arrive. */
bool resolving_give_order(int channel, const struct order *order, size_t len, int fd);

/* Takes the next order, of the parent, who is trusted. `flags` as recvmsg(2) has them. */
void resolving_take_order(int flags);

/* ---- resolver_sockets.c ---- */

extern const struct ares_socket_functions resolving_sockets;

/* Before the process is confined: makes one more socket for the server that was asked last. */
void resolving_connect_spare(void);

#endif
