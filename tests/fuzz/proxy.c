/* proxy.c - fuzz target: a PROXY header of either version; what is needed is read and no byte more */
/* The input is what a proxy sends, and the client behind it. */
#include "proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"

/* An accepted line of version 1 has one spelling of ports, and its addresses read back as the same. */
static void check_line(const char *bytes, size_t len, const struct proxy_header *header)
{
    char line[PROXY_V1_MAX + 1], source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    unsigned char again[16] = { 0 };
    unsigned port, other;

    HOLDS(len <= PROXY_V1_MAX && memcmp(bytes, "PROXY ", 6) == 0 && memcmp(bytes + len - 2, "\r\n", 2) == 0);
    memcpy(line, bytes, len);
    line[len] = '\0';
    if (header->family == AF_UNSPEC) {
        HOLDS(strncmp(line, "PROXY UNKNOWN", 13) == 0);
        return;
    }
    HOLDS(sscanf(line, "PROXY TCP%*[46] %45s %45s %5u %5u\r\n", source, destination, &port, &other) == 4);
    HOLDS(inet_pton(header->family, source, again) == 1 && memcmp(again, header->source.bytes, sizeof again) == 0);
    HOLDS(port == header->source.port && other == header->destination.port);
}

void fuzz_proxy(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct proxy_header header, again;
    enum proxy_status status;
    size_t len = 0, need = 0, ignored;

    while ((status = proxy_parse(bytes, len, &need, &header)) == PROXY_MORE) {
        HOLDS(need > 0 && len + need <= PROXY_MAX);
        HOLDS(header.family == AF_UNSPEC);
        if (need > size - len)
            return;
        len += need;
    }
    HOLDS(status == PROXY_OK || status == PROXY_BAD);
    HOLDS(len <= PROXY_MAX && len >= PROXY_SIGNATURE);
    HOLDS(header.family == AF_UNSPEC || (status == PROXY_OK && (header.family == AF_INET || header.family == AF_INET6)));
    HOLDS(header.source.port <= 65535 && header.destination.port <= 65535);
    if (status != PROXY_OK)
        return;
    HOLDS(need == 0);
    /* a byte of the client's is not taken for one of the header */
    HOLDS(len == size || proxy_parse(bytes, len + 1, &ignored, &again) == PROXY_BAD);
    if (memcmp(bytes, proxy_signature, PROXY_SIGNATURE) != 0)
        check_line(bytes, len, &header);
}
