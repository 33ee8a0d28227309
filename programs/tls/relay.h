/* relay.h - one connection: the handshake, then bytes in both directions, and what the monitor is told of it */
#ifndef TLS_RELAY_H
#define TLS_RELAY_H

#include <stdbool.h>

#include <openssl/ssl.h>

/* The descriptors of a connection. */
enum { CLIENT = 0, SESSION = 1, CHANNEL = 3 };

/* One packet to the monitor. False: it does not want to know, if it is there at all. */
bool __attribute__((format(printf, 1, 2))) tell(const char *format, ...);

/* Tells the monitor that it is over, and why. */
void __attribute__((noreturn)) fail(const char *about, const char *why);

/* Serves the client, which `ssl` reads and writes without waiting, until both sides have ended. Returns when that went well. */
void relay_serve(SSL *ssl);

#endif
