/* hosts.c - unit tests of hosts.h: hosts(5), as the C library reads it (getent ahosts) */
#include "dns/hosts.h"

#include <arpa/inet.h>

#include "base/text.h"
#include "unit.h"

static const struct {
    const char *text, *lines; /* of each line that counts: the address and its names, with blanks between; then ';' */
} files[] = {
    { "", "" },
    { "\n\n", "" },
    { "192.0.2.1 a.example", "192.0.2.1 a.example;" },
    { "192.0.2.1 a.example\n", "192.0.2.1 a.example;" },
    { "192.0.2.1 a.example b c\n2001:db8::1 a.example\n", "192.0.2.1 a.example b c;2001:db8::1 a.example;" },
    { " \t192.0.2.1\t\ta.example \t b\t\n", "192.0.2.1 a.example b;" },
    { "192.0.2.1 a.example\r\n192.0.2.2 b.example\r\n", "192.0.2.1 a.example;192.0.2.2 b.example;" },
    { "192.0.2.1 a.example\rb\n", "192.0.2.1 a.example b;" },
    { "192.0.2.1\va\fb\n", "192.0.2.1 a b;" },
    { "# 192.0.2.1 a\n192.0.2.2 b # c\n192.0.2.3 d#e\n#", "192.0.2.2 b;192.0.2.3 d;" },
    { "192.0.2.1\n192.0.2.2 # b\n192.0.2.3 \t\r\n192.0.2.4 d\n", "192.0.2.4 d;" },
    { "192.0.2.1 A.Example. . b..\n", "192.0.2.1 A.Example . b.;" },
    { "fe80::1%eth0 a\n192.0.2.1%lo b\nfe80::1 c\n", "fe80::1 c;" },
    { "::ffff:192.0.2.1 a\n::192.0.2.1 b\n::1 c\n", "192.0.2.1 a;::192.0.2.1 b;::1 c;" },
    { "2001:DB8::A a\n", "2001:db8::a a;" },
    { "192.0.2 a\n192.0.2.256 b\n192.0.2.01 c\n0x7f.0.0.1 d\nexample 192.0.2.1\n1:2 e\n192.0.2.1/24 f\n", "" },
    { "2001:0db8:0000:0000:0000:0000:0000:0000:00001 a\n0000:0000:0000:0000:0000:ffff:255.255.255.255 b\n",
      "255.255.255.255 b;" },
};

static void test_lines(void)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        char bytes[256];
        struct text got = { bytes, sizeof bytes, 0 };
        struct slice text = slice_of(files[i].text), name;
        struct host host;

        while (hosts_next(&text, &host)) {
            char address[INET6_ADDRSTRLEN];

            text_put(&got, slice_of(inet_ntop(host.family, host.bytes, address, sizeof address)));
            while ((name = hosts_name(&host.names)).len > 0) {
                text_put(&got, slice_of(" "));
                text_put(&got, name);
            }
            text_put(&got, slice_of(";"));
        }
        ok_text(text_slice(&got), slice_of(files[i].lines), "file %zu", i);
    }
}

/* What is longer than any name, and bytes that end strings elsewhere. */
static void test_odd_bytes(void)
{
    static char line[1 << 16];
    static const char nul[] = "192.0.2.1\0 a\n192.0.2.2 b\0c\n";
    struct slice text = { line, sizeof line }, name;
    struct host host;

    memset(line, 'x', sizeof line);
    memcpy(line, "192.0.2.1 ", 10); /* NOLINT(bugprone-not-null-terminated-result): no string */
    ok(hosts_next(&text, &host) && hosts_name(&host.names).len == sizeof line - 10, "a long name");
    ok(!hosts_next(&text, &host), "... is the last");
    memset(line, '1', sizeof line);
    line[sizeof line - 2] = ' ';
    text = (struct slice){ line, sizeof line };
    ok(!hosts_next(&text, &host), "a long address is none");
    text = (struct slice){ nul, sizeof nul - 1 };
    ok(hosts_next(&text, &host) && host.bytes[3] == 2, "an address with a NUL is none");
    name = hosts_name(&host.names);
    ok(name.len == 3 && memcmp(name.text, "b\0c", 3) == 0, "a name with a NUL is another name");
}

void test_hosts(void)
{
    test_lines();
    test_odd_bytes();
}
