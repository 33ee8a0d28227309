/* relay.h - bytes in both directions of one connection, until both sides have ended */
#ifndef TLS_RELAY_H
#define TLS_RELAY_H

#include <openssl/ssl.h>

/* Passes bytes on between the peer, which `ssl` reads and writes without waiting, and our side. Returns when that went well. */
void relay_run(SSL *ssl);

#endif
