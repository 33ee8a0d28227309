/* keeper.h - certificate and key loaded once: waits for connections, and has a process of its own serve each */
#ifndef TLS_KEEPER_H
#define TLS_KEEPER_H

#include <openssl/ssl.h>

/*
 * With a listener, mailrecv-tls is started once for many connections. The descriptor of the channel is then a socket on
 * which monitors ask: a packet of one byte, with three descriptors, those of client, session and channel (relay.h).
 */

/*
 * Forks processes, each for one connection, in each of which it returns; they must give up all that they can, and then
 * call keeper_take. Ends when nobody can ask any more, or when a process has crashed, which may have been an attempt to
 * find out how memory lies: then with 128 and the number of the signal.
 */
void keeper_run(SSL_CTX *context);

/* Waits for a connection, and puts it in its place. Ends when there is no keeper any more. */
void keeper_take(void);

#endif
