/* channel.h - one connection: its descriptors, what the monitor is told of it, and waiting for all of them */
#ifndef TLS_CHANNEL_H
#define TLS_CHANNEL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

/* The descriptors of a connection: the client (of a client of ours the server), the plain bytes of our side, the monitor. */
enum { PEER = 0, PLAIN = 1, CHANNEL = 3 };

enum { FINISH_MS = 2000 }; /* for the last bytes to the peer, and for the peer to end then */

/* One packet to the monitor. False: it does not want to know, if it is there at all. */
bool __attribute__((format(printf, 1, 2))) channel_tell(const char *format, ...);

/* Tells the monitor that it is over, and why. */
void __attribute__((noreturn)) channel_fail(const char *about, const char *why);

/* The same where the peer has broken the protocol: the alert that OpenSSL has sent shall arrive. */
void __attribute__((noreturn)) channel_reject(const char *about, const char *why);

/* What a call of OpenSSL that came to nothing waits for: POLLIN, POLLOUT, or 0 if it is over. */
short channel_wanted(const SSL *ssl, int result);

/* Waits for what is in `fds`, whose first is left for the channel: without a monitor nothing goes on.
 * The deadline is as in clock.h, 0 for none. */
void channel_wait(struct pollfd *fds, nfds_t count, uint64_t deadline);

/* Ends both connections. Reads and forgets what the peer still sends, until its end: to close a socket with
 * unread bytes would reset the connection, and take our last bytes with it. */
void channel_end(uint64_t deadline);

#endif
