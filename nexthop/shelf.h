/* shelf.h - programs that wait, when they have answered one session of a listener, for the question of another */
#ifndef NEXTHOP_SHELF_H
#define NEXTHOP_SHELF_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The place where they wait is a pair of sockets that the listener makes, and its sessions have: the pipes of a program are
 * a packet there, which one process alone takes out. While a session has them nobody else does. When it dies, so do they,
 * and the program sees the end of its standard input; nobody hears an answer to it. All of them end with the last process
 * that has the place.
 */
struct shelf {
    int in, out;  /* what is put into the one comes out of the other */
    uint64_t ms;  /* how long after its start a program is put there */
};

struct shelved {
    int in, out, messages; /* our ends of its pipes */
    int process;           /* a pidfd */
    uint64_t started;      /* clock.h */
};

/* Makes the place. False: there is none, which the log says, and each session has a program of its own. */
bool shelf_make(struct shelf *shelf, uint64_t ms);

/* Puts one there. False: there are some already, it has been started too long ago, or the place is closed; it is ours still. */
bool shelf_put(const struct shelf *shelf, const struct shelved *program);

/* Takes the one that has waited longest. False: there is none. */
bool shelf_take(const struct shelf *shelf, struct shelved *program);

/* Ends those that are there; closed, the place takes no more, in no process. */
void shelf_clear(const struct shelf *shelf, bool close);

/* Waits for the end of a program that may be no child of ours and whose pipes are closed: at last it is ended. */
void shelf_end(int process, uint64_t deadline);

#endif
