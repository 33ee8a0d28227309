/* proxy.c - the PROXY protocol, versions 1 and 2: on whose behalf a proxy has connected */
/*
 * The monitor reads nothing of a client's; a header comes from a proxy that the configuration trusts to say who
 * the client is, before the client's first byte, and before there is a session. What a header of version 2 has behind the
 * addresses is read and ignored.
 */
#include "client/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "session/line.h"

enum {
    V2_HEAD = 16,       /* signature, version and command, family, length */
    V2_LENGTH = 14,     /* where the length is */
    COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21,
    FAMILY_UNSPEC = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31,
    V1_FIELDS = 6
};

/* ---- version 1: a line -------------------------------------------------------------------------- */

/* A port in decimal, without sign, blanks and needless zeros. */
static bool parse_port(const char *text, unsigned *port)
{
    size_t len = strspn(text, "0123456789");

    *port = 0;
    if (len == 0 || len > 5 || text[len] != '\0' || (text[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++)
        *port = *port * 10 + (unsigned)(text[i] - '0');
    return *port <= 65535;
}

/* PROXY, protocol, source, destination, source port, destination port, each behind one blank. */
static enum proxy_status parse_fields(char *line, struct proxy_header *header)
{
    char *fields[V1_FIELDS] = { line };
    size_t count = 1;

    if (strncmp(line, "PROXY UNKNOWN", 13) == 0 && (line[13] == ' ' || line[13] == '\0'))
        return PROXY_OK; /* the rest of the line is to be ignored (2.1) */
    for (char *blank; (blank = strchr(fields[count - 1], ' ')) != NULL;) {
        if (count == V1_FIELDS)
            return PROXY_BAD;
        *blank = '\0';
        fields[count++] = blank + 1;
    }
    if (count != V1_FIELDS || strcmp(fields[0], "PROXY") != 0)
        return PROXY_BAD;
    if (strcmp(fields[1], "TCP4") == 0)
        header->family = AF_INET;
    else if (strcmp(fields[1], "TCP6") == 0)
        header->family = AF_INET6;
    return header->family != AF_UNSPEC && inet_pton(header->family, fields[2], header->source.bytes) == 1 &&
                   inet_pton(header->family, fields[3], header->destination.bytes) == 1 &&
                   parse_port(fields[4], &header->source.port) && parse_port(fields[5], &header->destination.port)
               ? PROXY_OK : PROXY_BAD;
}

static enum proxy_status parse_line(const char *bytes, size_t len, size_t *need, struct proxy_header *header)
{
    static const char begin[] = "PROXY ";
    const char *lf = memchr(bytes, '\n', len);
    char line[PROXY_V1_MAX];

    if (len < sizeof begin - 1 || memcmp(bytes, begin, sizeof begin - 1) != 0)
        return PROXY_BAD;
    *need = 1; /* where the line ends only its end tells */
    if (lf == NULL)
        return len < PROXY_V1_MAX ? PROXY_MORE : PROXY_BAD;
    if (lf + 1 != bytes + len || len > PROXY_V1_MAX || lf[-1] != '\r' || memchr(bytes, '\0', len) != NULL)
        return PROXY_BAD;
    memcpy(line, bytes, len - 2);
    line[len - 2] = '\0';
    return parse_fields(line, header);
}

/* ---- version 2: bytes ---------------------------------------------------------------------------- */

static unsigned two_bytes(const unsigned char *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* Source, destination, and their ports, each address `size` bytes long. */
static enum proxy_status parse_addresses(const unsigned char *bytes, size_t len, int family, struct proxy_header *header)
{
    size_t size = family == AF_INET ? 4 : 16;

    if (len < 2 * size + 4)
        return PROXY_BAD;
    header->family = family;
    memcpy(header->source.bytes, bytes, size);
    memcpy(header->destination.bytes, bytes + size, size);
    header->source.port = two_bytes(bytes + 2 * size);
    header->destination.port = two_bytes(bytes + 2 * size + 2);
    return PROXY_OK;
}

static enum proxy_status parse_bytes(const unsigned char *bytes, size_t len, size_t *need, struct proxy_header *header)
{
    size_t rest;

    *need = V2_HEAD - len;
    if (len < V2_HEAD)
        return PROXY_MORE;
    rest = two_bytes(bytes + V2_LENGTH);
    if (V2_HEAD + rest > PROXY_MAX || len > V2_HEAD + rest)
        return PROXY_BAD;
    *need = V2_HEAD + rest - len;
    if (*need > 0)
        return PROXY_MORE;
    if (bytes[LINE_PROXY_SIGNATURE] == COMMAND_LOCAL)
        return PROXY_OK; /* whatever the family: a check of the proxy's own (2.2) */
    if (bytes[LINE_PROXY_SIGNATURE] != COMMAND_PROXY)
        return PROXY_BAD;
    switch (bytes[LINE_PROXY_SIGNATURE + 1]) {
    case FAMILY_TCP4:
        return parse_addresses(bytes + V2_HEAD, rest, AF_INET, header);
    case FAMILY_TCP6:
        return parse_addresses(bytes + V2_HEAD, rest, AF_INET6, header);
    case FAMILY_UNSPEC:
    case FAMILY_UNIX:
        return PROXY_OK;
    default:
        return PROXY_BAD;
    }
}

/* ---- both ----------------------------------------------------------------------------------------- */

enum proxy_status proxy_parse(const char *bytes, size_t len, size_t *need, struct proxy_header *header)
{
    static const char shortest[] = "PROXY UNKNOWN\r\n";
    enum proxy_status status;

    *header = (struct proxy_header){ .family = AF_UNSPEC };
    *need = LINE_PROXY_SIGNATURE - len;
    _Static_assert((int)LINE_PROXY_SIGNATURE < (int)sizeof shortest - 1, "no header is shorter than the signature");
    if (len < LINE_PROXY_SIGNATURE)
        return PROXY_MORE;
    status = memcmp(bytes, line_proxy_signature, LINE_PROXY_SIGNATURE) == 0
                 ? parse_bytes((const unsigned char *)bytes, len, need, header)
                 : parse_line(bytes, len, need, header);
    if (status == PROXY_OK)
        *need = 0;
    if (status == PROXY_BAD)
        *header = (struct proxy_header){ .family = AF_UNSPEC };
    return status;
}

/* Waits until there is something to read. */
static enum proxy_status wait_for_more(int fd, uint64_t deadline, const volatile sig_atomic_t *terminated)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };
    sigset_t waiting = clock_mask();

    for (;;) {
        int n = *terminated ? -1 : clock_poll(&ready, 1, deadline, &waiting);

        if (*terminated)
            return PROXY_STOPPED;
        if (n > 0)
            return PROXY_OK;
        if (n == 0)
            return PROXY_LATE;
        if (errno != EINTR)
            return PROXY_GONE;
    }
}

enum proxy_status proxy_read(int fd, uint64_t deadline, const volatile sig_atomic_t *terminated,
                             struct proxy_header *header)
{
    char bytes[PROXY_MAX];
    size_t len = 0, need;
    enum proxy_status status;

    while ((status = proxy_parse(bytes, len, &need, header)) == PROXY_MORE) {
        enum proxy_status wait = wait_for_more(fd, deadline, terminated);
        ssize_t n;

        if (wait != PROXY_OK)
            return wait;
        n = read(fd, bytes + len, need);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return len == 0 ? PROXY_GONE : PROXY_BAD;
        len += (size_t)n;
    }
    return status;
}
