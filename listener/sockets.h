/* sockets.h - the sockets that are listened on: those that whoever started us has opened, or our own */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

enum { SOCKETS_MOST = 32 };

struct sockets {
    size_t count;
    bool own; /* opened by -L: nobody else listens there */
    struct pollfd polled[SOCKETS_MOST];
};

/*
 * Finds the listening stream sockets that a super-server has handed over: standard input (xinetd and inetd with `wait`,
 * systemd with StandardInput=socket), or LISTEN_FDS descriptors from 3 on where LISTEN_PID is this process, SOCKETS_MOST
 * at most. They are above standard error then, alone there, and exec closes them; 0 to 2 lead to /dev/null where they
 * were one. False: there are none, and nothing else either.
 * O_NONBLOCK stays as it is, for it outlives us.
 */
bool sockets_given(struct sockets *sockets);

/*
 * For a program that was given such sockets and cannot listen: a client that waits hears 421 and is let go, and two
 * seconds pass. Who has started it would start it again at once, and give up the socket when that happens too often.
 */
void sockets_turn_away(void);

/* Has somebody handed such sockets over? Then nobody reads standard error, for all that we know. */
bool sockets_were_given(void);

/*
 * Opens a socket of our own: unix:PATH, a PATH that begins with /, ADDRESS:PORT, [ADDRESS]:PORT, or a PORT of all
 * addresses, IPv6 and IPv4. False with what is wrong in `why` (at most `size` bytes).
 */
bool sockets_open(struct sockets *sockets, const char *where, char *why, size_t size);

/* Exec closes them, or not. */
void sockets_keep(const struct sockets *sockets, bool keep);

void sockets_close(struct sockets *sockets);

#endif
