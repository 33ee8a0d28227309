/* serve.h - one client served: as the right user, behind the wall, from the greeting to the end */
#ifndef SERVE_H
#define SERVE_H

#include <signal.h>
#include <stdbool.h>

#include "client/client.h"
#include "conf/conf.h"
#include "session/line.h"

/* Prepares a session that a person types. False: it cannot be had. */
typedef bool serve_typed(struct line_io *io, const struct conf *conf, struct client *client);

/*
 * Speaks SMTP with the client on standard input and output until the connection ends; with mistakes in the configuration it
 * hears 421, and keeps its mail. `typed` is NULL for a real client; a session that a person types is one process.
 * `terminated` is the flag that the handler of SIGTERM sets, which is blocked. Returns the exit status, which is `crashed`
 * where a signal has ended the session; with one
 * behind the wall it does not return, but exits.
 */
int serve_client(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated, serve_typed *typed,
                 int crashed);

/* Counts against a client that a limit of the listener has kept out. */
void serve_excess(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated);

/*
 * The same as serve_client for a client that is yet to come, with all done before that can be. `arrive` waits for it: it is then standard
 * input and output, and `client` says who it is; false: nobody comes. Behind the wall it does not return, but exits.
 */
typedef bool serve_arrival(void *context);
int serve_ahead(struct conf *conf, struct client *client, const volatile sig_atomic_t *terminated, int crashed,
                serve_arrival *arrive, void *context);

#endif
