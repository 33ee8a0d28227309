/* lockout_db.c - unit tests of lockout_db.h: what is remembered, forgotten, and kept when there is no room */
#include "client/lockout_db.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

enum { KEEP = 100, START = 1000000, LOCKED = 300, FLOOD = 70000 };

static char directory[] = "/tmp/mailrecv-unit.XXXXXX", path[64];
static const struct lockout_db file = { .engine = &store_file, .path = path, .keep = KEEP, .serving = true };

static struct contact from(const char *address)
{
    unsigned char bytes[16] = { 0 };
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;

    (void)inet_pton(family, address, bytes);
    return contact_of(family, bytes);
}

static struct contact number(uint32_t n)
{
    const unsigned char bytes[4] = { 192, (unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n };

    return contact_of(AF_INET, bytes);
}

static void count(struct contact *contact, const void *context)
{
    (void)context;
    contact->connections++;
}

static void lock(struct contact *contact, const void *context)
{
    contact->until = *(const uint64_t *)context;
}

static struct contact seen(struct contact contact, uint64_t now)
{
    if (!lockout_db_change(&file, &contact, now, count, NULL))
        ok(false, "a contact is changed: %s", strerror(errno));
    return contact;
}

static size_t how_many(void)
{
    size_t count_of = 0;

    free(lockout_db_list(&file, &count_of));
    return count_of;
}

static void test_texts(void)
{
    static const char *const texts[][2] = {
        { "192.0.2.7", "192.0.2.7" },
        { "0.0.0.0", "0.0.0.0" },
        { "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
        { "::1", "::/64" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::/64" },
    };
    char text[CONTACT_TEXT];

    for (size_t i = 0; i < COUNT(texts); i++) {
        const struct contact contact = from(texts[i][0]);

        ok_text(slice_of(contact_text(&contact, text)), slice_of(texts[i][1]), "%s", texts[i][0]);
    }
}

static void test_memory(void)
{
    struct contact contact = seen(from("192.0.2.7"), START);

    ok_number(contact.connections, 1, "the first connection");
    ok_number(contact.first, START, "is when it was seen first");
    contact = seen(from("192.0.2.7"), START + 5);
    ok_number(contact.connections, 2, "the second");
    ok_number(contact.first, START, "leaves that as it is");
    ok_number(contact.last, START + 5, "and is when it was seen last");
    ok_number(seen(from("2001:db8::1"), START).connections, 1, "another client");
    ok_number(seen(from("2001:db8::ffff:0:0:1"), START).connections, 2, "its neighbour in the /64 is the same");
    ok_number(seen(from("c000:207::"), START).connections, 1, "an IPv6 network with the bytes of the first is not");
    ok_number(how_many(), 3, "all are in the list");
    ok_number(seen(from("192.0.2.7"), START + 5 + KEEP).connections, 3, "is remembered as long as said");
    ok_number(seen(from("192.0.2.7"), START + 6 + 2 * KEEP).connections, 1, "and no longer");
}

static void test_forgetting(void)
{
    struct contact contact = from("192.0.2.7");

    ok(lockout_db_forget(&file, &contact), "a contact is forgotten");
    ok(!lockout_db_forget(&file, &contact) && errno == 0, "and not known then");
    ok_number(seen(contact, START).connections, 1, "it begins anew");
    ok(lockout_db_forget(&(struct lockout_db){ .engine = &store_file, .path = path, .keep = KEEP }, &contact), "who does not serve may do so, too");
    ok(unlink(path) == 0, "the file is removed");
    ok(!lockout_db_forget(&(struct lockout_db){ .engine = &store_file, .path = path, .keep = KEEP }, &contact) && errno == ENOENT,
       "and not made by who does not serve");
}

/* More than there is room for, so that a hash with its own idea of crowds does not matter. */
static void test_flood(void)
{
    const uint64_t until = START + 1000;
    size_t kept = 0, locked = 0, total;
    struct contact *all;

    for (uint32_t i = 0; i < LOCKED; i++) {
        struct contact contact = number(i);

        (void)lockout_db_change(&file, &contact, START, lock, &until);
    }
    for (uint32_t i = 0; i < FLOOD; i++)
        (void)seen(number(100000 + i), START + 1 + i / 1000);
    all = lockout_db_list(&file, &total);
    for (size_t i = 0; i < total; i++) {
        locked += all[i].until == until;
        kept += all[i].last > START + FLOOD / 1000 - 10;
    }
    free(all);
    ok_number(locked, LOCKED, "a flood of others makes none forgotten that is locked");
    ok(total > 60000 && total <= 65536, "there is room for tens of thousands: %zu", total);
    ok(kept > 9000, "the latest are remembered: %zu", kept);
    for (uint32_t i = 0; i < FLOOD / 4; i++)
        (void)seen(number(1000000 + i), START + 2000);
    total = how_many();
    ok(total >= FLOOD / 4 && total < FLOOD / 4 + 1000, "who was not seen for long is forgotten in passing: %zu", total);
}

void test_lockout_db(void)
{
    if (!ok(mkdtemp(directory) != NULL, "a directory is made"))
        return;
    (void)snprintf(path, sizeof path, "%s/contacts", directory);
    test_texts();
    test_memory();
    test_forgetting();
    test_flood();
    ok(unlink(path) == 0 && rmdir(directory) == 0, "there is one file");
}
