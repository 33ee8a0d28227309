/* proxy.h - the PROXY protocol, versions 1 and 2: on whose behalf a proxy has connected */
#ifndef PROXY_H
#define PROXY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt; section numbers below are of that text. */
enum {
    PROXY_V1_MAX = 107,   /* bytes of a version 1 line, its CRLF included (2.1) */
    PROXY_MAX = 4096      /* bytes of a header that is taken; version 2 may have 65551, which nobody sends */
};

struct proxy_end {
    unsigned char bytes[16]; /* the address in network order */
    unsigned port;
};

struct proxy_header {
    int family;              /* AF_INET, AF_INET6; AF_UNSPEC: it speaks for itself, or does not know for whom */
    struct proxy_end source, destination;
};

enum proxy_status {
    PROXY_OK,
    PROXY_MORE,   /* proxy_parse: bytes are missing */
    PROXY_BAD,    /* no header, or one with a mistake */
    PROXY_GONE,   /* proxy_read: the connection ended, having sent nothing */
    PROXY_LATE,   /* ... the deadline has passed */
    PROXY_STOPPED /* ... SIGTERM has arrived */
};

/*
 * Parses the bytes that begin a connection. With PROXY_MORE, *need is the number of further bytes that belong to the
 * header in any case; with PROXY_OK it is 0, and all the bytes do. Pure; whoever reads only what is needed reads no byte too many.
 */
enum proxy_status proxy_parse(const char *bytes, size_t len, size_t *need, struct proxy_header *header);

/*
 * Reads a header from a descriptor, and not one byte behind it. SIGTERM must be blocked; it is let in while
 * waiting, and sets `terminated`. `deadline` is as in clock.h.
 */
enum proxy_status proxy_read(int fd, uint64_t deadline, const volatile sig_atomic_t *terminated,
                             struct proxy_header *header);

#endif
