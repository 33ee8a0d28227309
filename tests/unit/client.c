/* client.c - unit tests of client.h: who a client is said to be */
#include "client/client.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

static const struct {
    const char *who;
    enum client_status status;
    const char *address, *full, *name;
    enum client_name_state state;
} pretended[] = {
    { "192.0.2.7", CLIENT_OK, "192.0.2.7", "", "unknown", CLIENT_NAME_NONE },
    { "192.0.2.7=Client.Example", CLIENT_OK, "192.0.2.7", "", "client.example", CLIENT_NAME_CONFIRMED },
    { "192.0.2.7=client.example.", CLIENT_OK, "192.0.2.7", "", "client.example", CLIENT_NAME_CONFIRMED },
    { "::ffff:192.0.2.7", CLIENT_OK, "192.0.2.7", "", "unknown", CLIENT_NAME_NONE },
    { "::FFFF:C000:0207", CLIENT_OK, "192.0.2.7", "", "unknown", CLIENT_NAME_NONE },
    { "2001:DB8:0:0::1", CLIENT_OK, "2001:db8::1", "2001:0db8:0000:0000:0000:0000:0000:0001", "unknown", CLIENT_NAME_NONE },
    { "::1", CLIENT_OK, "::1", "0000:0000:0000:0000:0000:0000:0000:0001", "unknown", CLIENT_NAME_NONE },
    { "local", CLIENT_OK, "local", "", "unknown", CLIENT_NAME_NONE },
    { "local=client.example", CLIENT_OK, "local", "", "client.example", CLIENT_NAME_CONFIRMED },
    { "", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "=client.example", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "client.example", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "192.0.2", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "192.0.2.256", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "192.0.2.7=", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "192.0.2.7=a b", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "192.0.2.7=-bad.example", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "192.0.2.7=\xe2\x80\x8b.example", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "192.0.2.7=\xc3\x84_b.example.", CLIENT_OK, "192.0.2.7", "", "xn--_b-uia.example", CLIENT_NAME_CONFIRMED },
    { "fe80::1%lo", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
    { "1111:2222:3333:4444:5555:6666:7777:8888:9999", CLIENT_BAD, NULL, NULL, NULL, CLIENT_NAME_NONE },
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

void test_client(void)
{
    struct client client;
    int null = open("/dev/null", O_RDWR);

    for (size_t i = 0; i < COUNT(pretended); i++) {
        const char *who = show(slice_of(pretended[i].who));

        ok_number(client_pretend(&client, pretended[i].who), pretended[i].status, "pretend \"%s\"", who);
        if (pretended[i].status != CLIENT_OK)
            continue;
        ok_text(slice_of(client.address), slice_of(pretended[i].address), "\"%s\": address", who);
        ok_text(slice_of(client.address_full), slice_of(pretended[i].full), "\"%s\": address in full", who);
        ok_text(slice_of(client.name), slice_of(pretended[i].name), "\"%s\": name", who);
        ok_number(client_name(&client), pretended[i].state, "\"%s\": state of the name, without asking DNS", who);
    }
    for (size_t i = 0; i < COUNT(environments); i++) {
        set("TCPREMOTEIP", environments[i].remote);
        set("TCPREMOTEPORT", environments[i].port);
        set("TCPLOCALIP", environments[i].local);
        set("TCPLOCALPORT", environments[i].local_port);
        ok_number(client_find(&client, null), CLIENT_OK, "environment %zu", i);
        ok_text(slice_of(client.address), slice_of(environments[i].address), "environment %zu: address", i);
        ok_text(slice_of(client.server_address), slice_of(environments[i].server_address), "environment %zu: ours", i);
        ok_number(client.port, environments[i].want_port, "environment %zu: port", i);
        ok_number(client.server_port, environments[i].want_server_port, "environment %zu: our port", i);
    }
    ok(!client_is_tcp(null), "/dev/null is no TCP socket");
    (void)close(null);
}
