/* told.c - unit tests of told.h: arguments of XCLIENT and XFORWARD, and the clients that they tell of */
#include "session/told.h"

#include <string.h>

#include "client/client.h"
#include "unit.h"

#define GIVEN(attribute) (1U << TOLD_##attribute)
#define LONGEST "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define LONG_NAME X10("abcdefghijklmnopqrstuvwx.") /* 250 bytes, the last a dot */

static const struct {
    const char *argument;
    enum told_command command;
    enum told_status status;
    unsigned given, missing;
} arguments[] = {
    { "ADDR=192.0.2.7", TOLD_XCLIENT, TOLD_OK, GIVEN(ADDR), 0 },
    { "ADDR=192.0.2.7", TOLD_XFORWARD, TOLD_OK, GIVEN(ADDR), 0 },
    { "addr=192.0.2.7 Name=mail.example.com", TOLD_XCLIENT, TOLD_OK, GIVEN(ADDR) | GIVEN(NAME), 0 },
    { "ADDR=IPV6:2001:db8::7", TOLD_XCLIENT, TOLD_OK, GIVEN(ADDR), 0 },
    { "ADDR=IPv6:" LONGEST, TOLD_XCLIENT, TOLD_OK, GIVEN(ADDR), 0 },
    { "ADDR=2001:db8::7", TOLD_XCLIENT, TOLD_OK, GIVEN(ADDR), 0 },
    { "ADDR=IPv6:fe80::1+25eth0", TOLD_XFORWARD, TOLD_OK, GIVEN(ADDR), 0 },
    { "ADDR=192+2E0.2.7", TOLD_XCLIENT, TOLD_OK, GIVEN(ADDR), 0 },
    { "ADDR=[UNAVAILABLE] NAME=[TempUnavail]", TOLD_XCLIENT, TOLD_OK, GIVEN(ADDR) | GIVEN(NAME), GIVEN(ADDR) | GIVEN(NAME) },
    { "  PORT=0 \t DESTPORT=65535  ", TOLD_XCLIENT, TOLD_OK, GIVEN(PORT) | GIVEN(DESTPORT), 0 },
    { "DESTADDR=198.51.100.1 HELO=+5B192.0.2.7+5D LOGIN=ann+40example.com PROTO=LMTP", TOLD_XCLIENT, TOLD_OK,
      GIVEN(DESTADDR) | GIVEN(HELO) | GIVEN(LOGIN) | GIVEN(PROTO), 0 },
    { "HELO=a=b LOGIN=+C3+BC", TOLD_XCLIENT, TOLD_OK, GIVEN(HELO) | GIVEN(LOGIN), 0 },
    { "IDENT=4F2A SOURCE=local PROTO=QMQP", TOLD_XFORWARD, TOLD_OK, GIVEN(IDENT) | GIVEN(SOURCE) | GIVEN(PROTO), 0 },
    { "NAME=" LONG_NAME "abcde", TOLD_XCLIENT, TOLD_OK, GIVEN(NAME), 0 },
    { "NAME=host1", TOLD_XFORWARD, TOLD_OK, GIVEN(NAME), 0 },
    { "NAME=mail.lan2", TOLD_XFORWARD, TOLD_OK, GIVEN(NAME), 0 },
    { "NAME=10.mail.example.com.", TOLD_XFORWARD, TOLD_OK, GIVEN(NAME), 0 },
    /* names that no host has are none */
#define NAMELESS(argument) { argument, TOLD_XFORWARD, TOLD_OK, GIVEN(ADDR) | GIVEN(NAME), GIVEN(NAME) }
    NAMELESS("ADDR=192.0.2.7 NAME=192.0.2.7"),
    NAMELESS("ADDR=192.0.2.7 NAME=7"),
    NAMELESS("ADDR=192.0.2.7 NAME=mail.example.1"),
    NAMELESS("ADDR=192.0.2.7 NAME=mail.example.1."),
    NAMELESS("ADDR=192.0.2.7 NAME=."),
    NAMELESS("ADDR=192.0.2.7 NAME=mail.example.com.."),
    NAMELESS("ADDR=192.0.2.7 NAME=a-.example"),
    NAMELESS("ADDR=192.0.2.7 NAME=-mail.example.com"),
    NAMELESS("ADDR=192.0.2.7 NAME=mail..example.com"),
    NAMELESS("ADDR=192.0.2.7 NAME=mail+20example.com"),
    NAMELESS("ADDR=192.0.2.7 NAME=m+C3+BC.example.com"),
    NAMELESS("ADDR=192.0.2.7 NAME=[mail.example.com]"),
    NAMELESS("ADDR=192.0.2.7 NAME=" LONG_NAME "abcdef"),
    { "LOGIN=" X10("0123456789abcdefghijklmno") "12345", TOLD_XCLIENT, TOLD_OK, GIVEN(LOGIN), 0 },
    /* what a command does not have */
    { "SESSION=abc", TOLD_XCLIENT, TOLD_UNKNOWN, 0, 0 },
    { "TTL=5", TOLD_XCLIENT, TOLD_UNKNOWN, 0, 0 },
    { "IDENT=4F2A", TOLD_XCLIENT, TOLD_UNKNOWN, 0, 0 },
    { "SOURCE=LOCAL", TOLD_XCLIENT, TOLD_UNKNOWN, 0, 0 },
    { "LOGIN=ann", TOLD_XFORWARD, TOLD_UNKNOWN, 0, 0 },
    { "DESTADDR=192.0.2.7", TOLD_XFORWARD, TOLD_UNKNOWN, 0, 0 },
    { "ADDR=192.0.2.7 HELLO=x", TOLD_XFORWARD, TOLD_UNKNOWN, 0, 0 },
    { "=192.0.2.7", TOLD_XCLIENT, TOLD_UNKNOWN, 0, 0 },
#define BAD(argument) { argument, TOLD_XCLIENT, TOLD_BAD, 0, 0 }
    BAD(""),
    BAD(" \t "),
    BAD("ADDR"),
    BAD("ADDR="),
    BAD("NAME="),
    BAD("ADDR=192.0.2.7 ADDR=192.0.2.8"),
    BAD("ADDR=192.0.2.7 addr=192.0.2.7"),
    /* addresses of other forms */
    BAD("ADDR=192.0.2.256"),
    BAD("ADDR=192.0.2"),
    BAD("ADDR=192.0.2.07x"),
    BAD("ADDR=3221225991"),
    BAD("ADDR=0xC0000207"),
    BAD("ADDR=[192.0.2.7]"),
    BAD("ADDR=192.0.2.7]"),
    BAD("ADDR=192.0.2.7/24"),
    BAD("ADDR=local"),
    BAD("ADDR=unknown"),
    BAD("ADDR=mail.example.com"),
    BAD("ADDR=IPV6:"),
    BAD("ADDR=IPV6:192.0.2.7"),
    BAD("ADDR=IPV6:IPV6:2001:db8::7"),
    BAD("ADDR=%eth0"),
    BAD("ADDR=IPV6:%eth0"),
    BAD("ADDR=192.0.2.7%eth0"),
    BAD("ADDR=IPV6:" LONGEST ":ffff"),
    BAD("ADDR=192.0.2.7+00"),
    BAD("ADDR=192.0.2.7+0D+0A"),
    BAD("ADDR=[UNAVAILABLE]x"),
    BAD("ADDR=+5BUNAVAILABLE+5D"), /* only in clear: it is no value */
    /* xtext that is none, and characters that nothing may have */
    BAD("HELO=a+"),
    BAD("HELO=a+4"),
    BAD("HELO=a+4g"),
    BAD("HELO=a++4"),
    BAD("HELO=a+00b"),
    BAD("HELO=a+0Ab"),
    BAD("HELO=a+0D+0Ab"),
    BAD("HELO=a+7Fb"),
    BAD("LOGIN=ann+00"),
    BAD("LOGIN=ann+0A"),
    BAD("HELO=a\x01"),
    BAD("PORT=65536"),
    BAD("PORT=99999999999999999999"),
    BAD("PORT=-1"),
    BAD("PORT=+2B1"),
    BAD("PORT=25x"),
    BAD("LOGIN=" X10("0123456789abcdefghijklmno") "123456"),
    { "SOURCE=elsewhere", TOLD_XFORWARD, TOLD_BAD, 0, 0 },
    { "IDENT=a+0Ab", TOLD_XFORWARD, TOLD_BAD, 0, 0 },
};

/* Whom a peer, 203.0.113.9=relay.example with a certificate and a login, tells of. */
static const struct {
    const char *argument, *address, *full, *name;
    enum client_name_state state;
    unsigned port;
    const char *server, *user, *subject;
} clients[] = {
    { "ADDR=192.0.2.7 NAME=Client.Example PORT=99", "192.0.2.7", "", "client.example", CLIENT_NAME_CONFIRMED, 99, "198.51.100.1",
      "", "" },
    { "ADDR=192.0.2.7", "192.0.2.7", "", "unknown", CLIENT_NAME_UNASKED, 0, "198.51.100.1", "", "" },
    { "ADDR=192.0.2.7 NAME=[UNAVAILABLE]", "192.0.2.7", "", "unknown", CLIENT_NAME_NONE, 0, "198.51.100.1", "", "" },
    { "ADDR=192.0.2.7 NAME=[TEMPUNAVAIL]", "192.0.2.7", "", "unknown", CLIENT_NAME_UNSURE, 0, "198.51.100.1", "", "" },
    { "ADDR=IPV6:2001:DB8:0::7", "2001:db8::7", "2001:0db8:0000:0000:0000:0000:0000:0007", "unknown", CLIENT_NAME_UNASKED, 0,
      "198.51.100.1", "", "" },
    { "ADDR=IPV6:::ffff:192.0.2.7 DESTADDR=IPV6:::ffff:192.0.2.25", "192.0.2.7", "", "unknown", CLIENT_NAME_UNASKED, 0,
      "192.0.2.25", "", "" },
    { "ADDR=fe80::1%eth0 NAME=Mail.Lan2.", "fe80::1", "fe80:0000:0000:0000:0000:0000:0000:0001", "mail.lan2", CLIENT_NAME_CONFIRMED, 0,
      "198.51.100.1", "", "" },
    { "ADDR=192.0.2.7 NAME=a-.example", "192.0.2.7", "", "unknown", CLIENT_NAME_NONE, 0, "198.51.100.1", "", "" },
    { "ADDR=[UNAVAILABLE]", "unknown", "", "unknown", CLIENT_NAME_NONE, 0, "198.51.100.1", "", "" },
    { "LOGIN=ann", "203.0.113.9", "", "relay.example", CLIENT_NAME_CONFIRMED, 1025, "198.51.100.1", "ann", "" },
    { "LOGIN=[UNAVAILABLE] PORT=[UNAVAILABLE]", "203.0.113.9", "", "relay.example", CLIENT_NAME_CONFIRMED, 0, "198.51.100.1", "",
      "" },
    { "NAME=other.example", "203.0.113.9", "", "other.example", CLIENT_NAME_CONFIRMED, 1025, "198.51.100.1", "", "" },
    { "NAME=[UNAVAILABLE]", "203.0.113.9", "", "unknown", CLIENT_NAME_NONE, 1025, "198.51.100.1", "", "" },
};

static struct told parsed(const char *argument, enum told_command command)
{
    struct told told = { .given = 0 };

    (void)told_parse(slice_of(argument), command, &told);
    return told;
}

static void test_clients(void)
{
    for (size_t i = 0; i < COUNT(clients); i++) {
        const struct told told = parsed(clients[i].argument, TOLD_XCLIENT);
        const char *shown = clients[i].argument;
        struct client client;

        if (!ok(client_pretend(&client, "203.0.113.9=relay.example") == CLIENT_OK, "a peer"))
            return;
        client.port = 1025;
        client_pretend_tls(&client);
        memcpy(client.server_address, "198.51.100.1", sizeof "198.51.100.1");
        memcpy(client.user, "relay", sizeof "relay");
        memcpy(client.tls.subject, "CN=relay", sizeof "CN=relay");
        memset(client.tls.fingerprint, 'a', CLIENT_FINGERPRINT);
        client_from_peer(&client, &told);
        ok_text(slice_of(client.address), slice_of(clients[i].address), "\"%s\": address", shown);
        ok_text(slice_of(client.address_full), slice_of(clients[i].full), "\"%s\": address in full", shown);
        ok_text(slice_of(client.name), slice_of(clients[i].name), "\"%s\": name", shown);
        ok_number(client.state, clients[i].state, "\"%s\": state of the name", shown);
        ok_number(client.port, clients[i].port, "\"%s\": port", shown);
        ok_text(slice_of(client.server_address), slice_of(clients[i].server), "\"%s\": server", shown);
        ok_text(slice_of(client.user), slice_of(clients[i].user), "\"%s\": user", shown);
        ok_text(slice_of(client.via), slice_of("203.0.113.9"), "\"%s\": the peer", shown);
        ok(client.tls.subject[0] == '\0' && client.tls.fingerprint[0] == '\0', "\"%s\": no certificate", shown);
        ok_text(slice_of(client.tls.protocol), slice_of("TLSv1.3"), "\"%s\": the connection is encrypted still", shown);
    }
}

void test_told(void)
{
    struct told told = { .given = 0 };
    char bytes[128];
    struct text text = { bytes, sizeof bytes, 0 };

    for (size_t i = 0; i < COUNT(arguments); i++) {
        const char *shown = show(slice_of(arguments[i].argument));
        struct told one = { .given = 0 };

        ok_number(told_parse(slice_of(arguments[i].argument), arguments[i].command, &one), arguments[i].status, "\"%s\"", shown);
        if (arguments[i].status != TOLD_OK)
            continue;
        ok_number(one.given, arguments[i].given, "\"%s\": what is given", shown);
        ok_number(one.missing, arguments[i].missing, "\"%s\": what is not known", shown);
    }
    told = parsed("HELO=+5B192.0.2.7+5d LOGIN=a=+2B+20b PROTO=smtp", TOLD_XCLIENT);
    ok_text(slice_of(told.helo), slice_of("[192.0.2.7]"), "HELO is decoded");
    ok_text(slice_of(told.login), slice_of("a=+ b"), "LOGIN is decoded");
    ok(!told.extended && parsed("PROTO=ESMTP", TOLD_XCLIENT).extended && parsed("PROTO=LMTP", TOLD_XCLIENT).extended, "PROTO");

    told = parsed("ADDR=192.0.2.7 NAME=[TEMPUNAVAIL]", TOLD_XFORWARD);
    ok(told.later && !told_has(&told, TOLD_NAME) && told_has(&told, TOLD_ADDR), "a name that may be known later");
    ok(told_parse(slice_of("NAME=a..b"), TOLD_XFORWARD, &told) == TOLD_OK && !told.later, "and one that never will");
    ok_number(told_parse(slice_of("NAME=client.example IDENT=x"), TOLD_XFORWARD, &told), TOLD_OK, "attributes collect");
    ok(told_has(&told, TOLD_NAME) && told_has(&told, TOLD_ADDR) && told_has(&told, TOLD_IDENT), "the last value counts");
    ok(!told_is_another(&(struct told){ .given = GIVEN(SOURCE) | GIVEN(HELO) }) && told_is_another(&told), "whose mail it is");

    told_put_offer(&text, TOLD_XCLIENT);
    ok_text(text_slice(&text), slice_of(" NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"), "what XCLIENT has");
    text.len = 0;
    told_put_offer(&text, TOLD_XFORWARD);
    ok_text(text_slice(&text), slice_of(" NAME ADDR PORT PROTO HELO IDENT SOURCE"), "what XFORWARD has");
    test_clients();
}
