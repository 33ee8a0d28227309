/* proxy.c - fuzz target: a PROXY header of either version; what is needed is read and no byte more */
/* The input is what a proxy sends, and the client behind it. */
#include "client/proxy.h"
#include "session/line.h"

#include <arpa/inet.h>
#include <string.h>

#include "fuzz.h"

/* An accepted line of version 1 ends in its ports, which have one spelling, and begins with the client's address. */
static void check_line(const char *bytes, size_t len, const struct proxy_header *header)
{
    char line[PROXY_V1_MAX + 1], ports[32];
    unsigned char again[16] = { 0 };
    char *source = line + sizeof "PROXY TCP4 " - 1;
    int ports_len = snprintf(ports, sizeof ports, " %u %u\r\n", header->source.port, header->destination.port);

    HOLDS(len <= PROXY_V1_MAX && memcmp(bytes, "PROXY ", 6) == 0 && memcmp(bytes + len - 2, "\r\n", 2) == 0);
    memcpy(line, bytes, len);
    line[len] = '\0';
    if (header->family == AF_UNSPEC) {
        HOLDS(strncmp(line, "PROXY UNKNOWN", 13) == 0);
        return;
    }
    HOLDS(ports_len > 0 && (size_t)ports_len < len && strcmp(line + len - (size_t)ports_len, ports) == 0);
    HOLDS(strncmp(line, header->family == AF_INET ? "PROXY TCP4 " : "PROXY TCP6 ", 11) == 0);
    source[strcspn(source, " ")] = '\0';
    HOLDS(inet_pton(header->family, source, again) == 1 && memcmp(again, header->source.bytes, sizeof again) == 0);
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
    HOLDS(len <= PROXY_MAX && len >= LINE_PROXY_SIGNATURE);
    HOLDS(header.family == AF_UNSPEC || (status == PROXY_OK && (header.family == AF_INET || header.family == AF_INET6)));
    HOLDS(header.source.port <= 65535 && header.destination.port <= 65535);
    if (status != PROXY_OK)
        return;
    HOLDS(need == 0);
    /* a byte of the client's is not taken for one of the header */
    HOLDS(len == size || proxy_parse(bytes, len + 1, &ignored, &again) == PROXY_BAD);
    if (memcmp(bytes, line_proxy_signature, LINE_PROXY_SIGNATURE) != 0)
        check_line(bytes, len, &header);
}
