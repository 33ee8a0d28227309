/* listener.h - accepts connections, and has a process of its own serve each */
#ifndef LISTENER_H
#define LISTENER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sysexits.h>

#include "client/groups.h"
#include "listener/settings.h"
#include "listener/sockets.h"

/*
 * The listener never reads a byte from a client, has no message and opens no mailbox. It holds sockets, the
 * configuration, and the list of the sessions; what it forks has the connection as standard input and output, and is then what
 * a super-server would have started for one connection.
 */
struct listener {
    const struct listener_settings *settings;
    struct groups *groups;                  /* who is exempt from the limits of one client */
    struct sockets *sockets;
    char *const *arguments;                 /* of main, for the next program */
    const volatile sig_atomic_t *terminated; /* set by SIGTERM, which is blocked but for the wait */
    bool (*is_stale)(void *context);        /* has the configuration changed? */
    void (*keep)(void *context, int requests); /* in a process of its own: becomes the helper for TLS that waits; or NULL */
    /* In a process of its own: counts against a client that it was beyond a limit for one client; NULL: nobody counts. */
    void (*count)(void *context, const struct sockaddr_storage *peer);
    /* Ends what sessions have left for the next ones, each time that there have been some for so many milliseconds; the last
     * time when no more come. NULL: they leave nothing. */
    void (*tidy)(void *context, bool last);
    uint64_t tidy_ms;
    /* In the process of a session: serves the client at standard input and output, or the one that is to come (spares.h;
     * -1: it is there, from `peer`). Returns its exit status. */
    int (*serve)(void *context, int spare, const struct sockaddr_storage *peer);
    void *context;
};

/*
 * Accepts until it is told to end (SIGTERM: sessions are told, too; SIGHUP, SIGUSR1: they go on to their end), or nobody
 * was connected for listen.idle_secs, where somebody else listens on. Never ends while a session lasts. Returns an exit
 * status. A session that ends with LISTENER_CRASHED, or by a signal, has the program execute itself anew.
 */
int listener_run(const struct listener *listener);

enum { LISTENER_CRASHED = EX_SOFTWARE };

#endif
