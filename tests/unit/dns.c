/* dns.c - unit tests of dns.h and dnsbl.h: RFC 1035 3.5, RFC 3596 2.5, RFC 5782 */
#include "dns/dns.h"

#include "client/dnsbl.h"
#include "unit.h"

#define A63 X10("aaaaaa") "aaa"

static const struct {
    const char *address, *zone, *name; /* NULL: too long */
} reversed[] = {
    { "192.0.2.7", "in-addr.arpa", "7.2.0.192.in-addr.arpa" },
    { "255.255.255.255", "bl.example", "255.255.255.255.bl.example" },
    { "2001:db8::567:89ab", "ip6.arpa", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa" },
    { "192.0.2.7", A63 "." A63 "." A63 "." X10("bbbbb") "bbb", "7.2.0.192." A63 "." A63 "." A63 "." X10("bbbbb") "bbb" },
    { "192.0.2.7", A63 "." A63 "." A63 "." X10("bbbbb") "bbbb", NULL },
    { "2001:db8::1", A63 "." A63 "." A63 ".", NULL },
};

static void test_reversed(void)
{
    for (size_t i = 0; i < COUNT(reversed); i++) {
        char name[DOMAIN_MAX + 1];
        struct client client;
        bool fits = client_pretend(&client, reversed[i].address) == CLIENT_OK &&
                    wire_reversed(client.family, client.bytes, slice_of(reversed[i].zone), name);

        ok(fits == (reversed[i].name != NULL), "%s below %s: %s", reversed[i].address, reversed[i].zone,
           fits ? "fits" : "is too long");
        if (fits && reversed[i].name != NULL)
            ok_text(slice_of(name), slice_of(reversed[i].name), "... as it is");
    }
}

static const struct {
    unsigned char addresses[2][4];
    size_t count;
    enum answer_status status;
    enum list_verdict verdict;
} entries[] = { /* with the filter 127.0.0..1.2..11 */
    { { { 0 } }, 0, ANSWER_NONE, LIST_NO },
    { { { 0 } }, 0, ANSWER_UNSURE, LIST_UNSURE },
    { { { 127, 0, 0, 2 } }, 1, ANSWER_FOUND, LIST_YES },
    { { { 127, 0, 0, 11 } }, 1, ANSWER_FOUND, LIST_YES },
    { { { 127, 0, 1, 2 } }, 1, ANSWER_FOUND, LIST_YES },
    { { { 127, 0, 0, 1 } }, 1, ANSWER_FOUND, LIST_NO },
    { { { 127, 0, 0, 12 } }, 1, ANSWER_FOUND, LIST_NO },
    { { { 127, 0, 2, 2 } }, 1, ANSWER_FOUND, LIST_NO },
    { { { 127, 1, 0, 2 } }, 1, ANSWER_FOUND, LIST_NO },
    { { { 127, 0, 0, 1 }, { 127, 0, 0, 2 } }, 2, ANSWER_FOUND, LIST_YES },
    { { { 126, 0, 0, 2 } }, 1, ANSWER_FOUND, LIST_UNSURE },
    { { { 128, 0, 0, 2 } }, 1, ANSWER_FOUND, LIST_UNSURE },
    { { { 127, 255, 255, 1 } }, 1, ANSWER_FOUND, LIST_UNSURE },
    { { { 127, 0, 0, 2 }, { 127, 255, 255, 254 } }, 2, ANSWER_FOUND, LIST_UNSURE },
    { { { 127, 255, 254, 254 } }, 1, ANSWER_FOUND, LIST_NO },
};

static void test_lists(void)
{
    static const struct list_filter filter = { { 127, 0, 0, 2 }, { 127, 0, 1, 11 } };

    for (size_t i = 0; i < COUNT(entries); i++) {
        struct answer answer = { .status = entries[i].status, .count = entries[i].count };
        unsigned char which[4];

        memcpy(answer.addresses[0], entries[i].addresses[0], 4);
        memcpy(answer.addresses[1], entries[i].addresses[1], 4);
        ok_number(list_read(&filter, &answer, which), entries[i].verdict, "entry %zu of a list", i);
    }
}

void test_dns(void)
{
    test_reversed();
    test_lists();
}
