/* handshake.h - the handshake, and what the monitor is told of the other side then */
#ifndef TLS_HANDSHAKE_H
#define TLS_HANDSHAKE_H

#include <openssl/ssl.h>

/* Does the handshake, as server or client, and tells what it came to. Returns when that went well. */
void handshake(SSL *ssl);

#endif
