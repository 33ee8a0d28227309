/* proxy.c - unit tests of proxy.h: headers of both versions, and what is none */
#include "client/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define FOUR "\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\xd2\x00\x19"
#define SIX "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x19" "\x04\xd2\x00\x19"
#define LONGEST "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

static const struct {
    const char *bytes;
    size_t len;
    enum proxy_status status;
    int family;
    const char *source, *destination;
    unsigned port, own_port;
} headers[] = {
#define LINE(text) text, sizeof(text) - 1
    { LINE("PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\n"), PROXY_OK, AF_INET, "192.0.2.7", "198.51.100.1", 1234, 25 },
    { LINE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_OK, AF_INET, "255.255.255.255",
      "255.255.255.255", 65535, 65535 },
    { LINE("PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n"), PROXY_OK, AF_INET, "192.0.2.7", "198.51.100.1", 0, 0 },
    { LINE("PROXY TCP6 2001:db8::7 2001:db8::19 1234 25\r\n"), PROXY_OK, AF_INET6, "2001:db8::7", "2001:db8::19", 1234, 25 },
    { LINE("PROXY TCP6 " LONGEST " " LONGEST " 65535 65535\r\n"), PROXY_OK, AF_INET6, LONGEST, LONGEST, 65535, 65535 },
    { LINE("PROXY UNKNOWN\r\n"), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
    { LINE("PROXY UNKNOWN " LONGEST " " LONGEST " 65535 65535\r\n"), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
    { LINE("PROXY UNKNOWN whatever it says\r\n"), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
#define BAD(text) { LINE(text), PROXY_BAD, AF_UNSPEC, NULL, NULL, 0, 0 }
    BAD("PROXY UNKNOWNS\r\n"),
    BAD("PROXY  TCP4 192.0.2.7 198.51.100.1 1234 25\r\n"),
    BAD("PROXY TCP4 192.0.2.7  198.51.100.1 1234 25\r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 1234 25 \r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 1234\r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 1234 25 26\r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 01234 25\r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 +1234 25\r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 1234 65536\r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 1234 x\r\n"),
    BAD("PROXY TCP4 192.0.2.256 198.51.100.1 1234 25\r\n"),
    BAD("PROXY TCP4 2001:db8::7 2001:db8::19 1234 25\r\n"),
    BAD("PROXY TCP6 192.0.2.7 198.51.100.1 1234 25\r\n"),
    BAD("PROXY TCP5 192.0.2.7 198.51.100.1 1234 25\r\n"),
    BAD("PROXY UDP4 192.0.2.7 198.51.100.1 1234 25\r\n"),
    BAD("proxy TCP4 192.0.2.7 198.51.100.1 1234 25\r\n"),
    BAD("PROXY TCP4 192.0.2.7\0 198.51.100.1 1234 25\r\n"),
    BAD("PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\nEHLO"),
    BAD("EHLO client.example\r\n"),
    BAD("PROXY UNKNOWN " X10("0123456789") "\r\n"),
    { LINE(V2 "\x21\x11\x00\x0c" FOUR), PROXY_OK, AF_INET, "192.0.2.7", "198.51.100.1", 1234, 25 },
    { LINE(V2 "\x21\x21\x00\x24" SIX), PROXY_OK, AF_INET6, "2001:db8::7", "2001:db8::19", 1234, 25 },
    { LINE(V2 "\x21\x11\x00\x13" FOUR "\x04\x00\x04\xde\xad\xbe\xef"), PROXY_OK, AF_INET, "192.0.2.7", "198.51.100.1", 1234,
      25 },
    { LINE(V2 "\x20\x00\x00\x00"), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
    { LINE(V2 "\x20\x11\x00\x0c" FOUR), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
    { LINE(V2 "\x21\x00\x00\x00"), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
    { LINE(V2 "\x21\x00\x00\x03" "abc"), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
    { LINE(V2 "\x21\x31\x00\x01" "a"), PROXY_OK, AF_UNSPEC, NULL, NULL, 0, 0 },
    BAD(V2 "\x21\x11\x00\x0b" "\xc0\x00\x02\x07\xc6\x33\x64\x01\x04\xd2\x00"),
    BAD(V2 "\x21\x21\x00\x0c" FOUR),
    BAD(V2 "\x21\x12\x00\x0c" FOUR),
    BAD(V2 "\x21\x41\x00\x0c" FOUR),
    BAD(V2 "\x22\x11\x00\x0c" FOUR),
    BAD(V2 "\x11\x11\x00\x0c" FOUR),
    BAD(V2 "\x31\x11\x00\x0c" FOUR),
    BAD(V2 "\x21\x11\xff\xff"),
    BAD(V2 "\x21\x11\x00\x0c" FOUR "E"),
};

/* What must come: needs less than all of the header, again and again, and never more. */
static void test_pieces(const char *bytes, size_t len, const char *shown)
{
    struct proxy_header header;
    size_t got = 0, need;

    while (proxy_parse(bytes, got, &need, &header) == PROXY_MORE && got + need <= len)
        got += need;
    ok_number(got, len, "\"%s\": all of it is needed", shown);
}

static void test_end(const struct proxy_end *end, int family, const char *address, unsigned port, const char *shown)
{
    char text[INET6_ADDRSTRLEN] = "";

    (void)inet_ntop(family, end->bytes, text, sizeof text);
    ok_text(slice_of(text), slice_of(address), "\"%s\": address", shown);
    ok_number(end->port, port, "\"%s\": port", shown);
}

/* From a socket: the header and no byte more. */
static void test_reading(const char *bytes, size_t len, enum proxy_status want, bool ends, const char *what)
{
    static const volatile sig_atomic_t never;
    struct proxy_header header;
    char rest[16] = "";
    int ends_of[2];

    if (!ok(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_of) == 0, "a pair of sockets"))
        return;
    (void)!write(ends_of[0], bytes, len);
    if (ends)
        (void)close(ends_of[0]);
    ok_number(proxy_read(ends_of[1], clock_ms() + (ends ? 10000 : 20), &never, &header), want, "read: %s", what);
    if (want == PROXY_OK) {
        (void)!read(ends_of[1], rest, sizeof rest - 1);
        ok_text(slice_of(rest), slice_of("EHLO"), "read: %s: the rest is left", what);
    }
    if (!ends)
        (void)close(ends_of[0]);
    (void)close(ends_of[1]);
}

void test_proxy(void)
{
    static const char with_client[] = "PROXY TCP4 192.0.2.7 198.51.100.1 1234 25\r\nEHLO";
    static const char second_with_client[] = V2 "\x21\x11\x00\x0c" FOUR "EHLO";

    for (size_t i = 0; i < COUNT(headers); i++) {
        const char *shown = show((struct slice){ headers[i].bytes, headers[i].len });
        struct proxy_header header;
        size_t need;

        ok_number(proxy_parse(headers[i].bytes, headers[i].len, &need, &header), headers[i].status, "\"%s\"", shown);
        ok_number((unsigned)header.family, (unsigned)headers[i].family, "\"%s\": family", shown);
        if (headers[i].status != PROXY_OK)
            continue;
        test_pieces(headers[i].bytes, headers[i].len, shown);
        if (headers[i].source == NULL)
            continue;
        test_end(&header.source, header.family, headers[i].source, headers[i].port, shown);
        test_end(&header.destination, header.family, headers[i].destination, headers[i].own_port, shown);
    }
    test_reading(with_client, sizeof with_client - 1, PROXY_OK, false, "a line and a client");
    test_reading(second_with_client, sizeof second_with_client - 1, PROXY_OK, false, "version 2 and a client");
    test_reading("", 0, PROXY_GONE, true, "nothing");
    test_reading("PROXY TCP4", 10, PROXY_BAD, true, "half a line and the end");
    test_reading("PROXY TCP4 192", 14, PROXY_LATE, false, "half a line");
    test_reading("", 0, PROXY_LATE, false, "silence");
}
