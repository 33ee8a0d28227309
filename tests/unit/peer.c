/* peer.c - unit tests of peer.h: who a client is said to be */
#include "peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static const struct {
    const char *who;
    enum peer_status status;
    const char *address, *full, *name;
    enum peer_name_state state;
} pretended[] = {
    { "192.0.2.7", PEER_OK, "192.0.2.7", "", "unknown", PEER_NAME_NONE },
    { "192.0.2.7=Client.Example", PEER_OK, "192.0.2.7", "", "client.example", PEER_NAME_CONFIRMED },
    { "192.0.2.7=client.example.", PEER_OK, "192.0.2.7", "", "client.example", PEER_NAME_CONFIRMED },
    { "::ffff:192.0.2.7", PEER_OK, "192.0.2.7", "", "unknown", PEER_NAME_NONE },
    { "::FFFF:C000:0207", PEER_OK, "192.0.2.7", "", "unknown", PEER_NAME_NONE },
    { "2001:DB8:0:0::1", PEER_OK, "2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001", "unknown", PEER_NAME_NONE },
    { "::1", PEER_OK, "::1", "0000:0000:0000:0000:0000:0000:0000:0001", "unknown", PEER_NAME_NONE },
    { "local", PEER_OK, "local", "", "unknown", PEER_NAME_NONE },
    { "local=client.example", PEER_OK, "local", "", "client.example", PEER_NAME_CONFIRMED },
    { "", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "=client.example", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "client.example", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "192.0.2", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "192.0.2.256", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "192.0.2.7=", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "192.0.2.7=a b", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "192.0.2.7=-bad.example", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "192.0.2.7=\xe2\x80\x8b.example", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "192.0.2.7=\xc3\x84_b.example.", PEER_OK, "192.0.2.7", "", "xn--_b-uia.example", PEER_NAME_CONFIRMED },
    { "fe80::1%lo", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
    { "1111:2222:3333:4444:5555:6666:7777:8888:9999", PEER_BAD, NULL, NULL, NULL, PEER_NAME_NONE },
};

/* Standard input is no socket: the environment decides. */
static const struct {
    const char *remote, *port, *local, *local_port;
    const char *address, *server_address;
    unsigned want_port, want_server_port;
} environments[] = {
    { NULL, NULL, NULL, NULL, "local", "", 0, 0 },
    { "192.0.2.7", "1025", "198.51.100.1", "25", "192.0.2.7", "198.51.100.1", 1025, 25 },
    { "2001:db8::1", "1025", "2001:db8::2", "25", "2001:db8::1", "2001:db8::2", 1025, 25 },
    { "::ffff:192.0.2.7", "1", "::ffff:198.51.100.1", "2", "192.0.2.7", "198.51.100.1", 1, 2 },
    { "192.0.2.7", NULL, NULL, NULL, "192.0.2.7", "", 0, 0 },
    { "192.0.2.7", "65536", "nonsense", "25", "192.0.2.7", "", 0, 0 },
    { "nonsense", "1025", "198.51.100.1", "25", "local", "", 0, 0 },
    { "192.0.2.7] ERROR:", "1025", "198.51.100.1", "25", "local", "", 0, 0 },
};

static void set(const char *name, const char *value)
{
    if (value != NULL)
        (void)setenv(name, value, 1);
    else
        (void)unsetenv(name);
}

void test_peer(void)
{
    struct peer peer;
    int null = open("/dev/null", O_RDWR);

    for (size_t i = 0; i < COUNT(pretended); i++) {
        const char *who = show(slice_of(pretended[i].who));

        ok_number(peer_pretend(&peer, pretended[i].who), pretended[i].status, "pretend \"%s\"", who);
        if (pretended[i].status != PEER_OK)
            continue;
        ok_text(slice_of(peer.address), slice_of(pretended[i].address), "\"%s\": address", who);
        ok_text(slice_of(peer.address_full), slice_of(pretended[i].full), "\"%s\": address in full", who);
        ok_text(slice_of(peer.name), slice_of(pretended[i].name), "\"%s\": name", who);
        ok_number(peer_name(&peer), pretended[i].state, "\"%s\": state of the name, without asking DNS", who);
    }
    for (size_t i = 0; i < COUNT(environments); i++) {
        set("TCPREMOTEIP", environments[i].remote);
        set("TCPREMOTEPORT", environments[i].port);
        set("TCPLOCALIP", environments[i].local);
        set("TCPLOCALPORT", environments[i].local_port);
        ok_number(peer_find(&peer, null), PEER_OK, "environment %zu", i);
        ok_text(slice_of(peer.address), slice_of(environments[i].address), "environment %zu: address", i);
        ok_text(slice_of(peer.server_address), slice_of(environments[i].server_address), "environment %zu: ours", i);
        ok_number(peer.port, environments[i].want_port, "environment %zu: port", i);
        ok_number(peer.server_port, environments[i].want_server_port, "environment %zu: our port", i);
    }
    ok(!peer_is_tcp(null), "/dev/null is no TCP socket");
    (void)close(null);
}
