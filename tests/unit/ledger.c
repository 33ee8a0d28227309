/* ledger.c - unit tests of ledger_key.h and ledger_db.h: what is the same message, and what is kept without room */
#include "delivery/ledger_db.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

enum { KEEP = 100, NOW = 1000000, MADE = 200, FLOOD = 70000 };

static char directory[] = "/tmp/mailrecv-unit.XXXXXX", path[4096];

/* ---- the digest ------------------------------------------------------------------------------ */

static char memory[SPOOL_MEMORY];

static struct spool in_memory(struct slice text)
{
    memcpy(memory, text.text, text.len);
    return (struct spool){ .memory = memory, .used = text.len, .fd = -1, .size = text.len };
}

/* The same in a file, behind bytes that are not its own. */
static struct spool in_file(struct slice text)
{
    struct spool spool = { .fd = spool_file(slice_of("/tmp")), .start = 3, .size = text.len };

    if (spool.fd < 0 || write_all(spool.fd, "abc", 3) != 0 || write_all(spool.fd, text.text, text.len) != 0)
        ok(false, "a file is written: %s", strerror(errno));
    return spool;
}

static bool same(struct slice a, struct slice b, enum ledger_extent extent)
{
    unsigned char digests[2][LEDGER_DIGEST];
    struct spool spool = in_memory(a);

    if (!ledger_key_message(&spool, extent, digests[0]))
        ok(false, "there is a digest");
    spool = in_file(b);
    if (!ledger_key_message(&spool, extent, digests[1]))
        ok(false, "there is a digest of a file");
    (void)close(spool.fd);
    return memcmp(digests[0], digests[1], LEDGER_DIGEST) == 0;
}

static void test_messages(void)
{
    static const struct {
        struct slice a, b;
        bool same;
    } rows[] = {
        { BYTES(""), BYTES(""), true },
        { BYTES("A: b\n\nc\n"), BYTES("A: b\n\nc\n"), true },
        { BYTES("A: b\n\nc\n"), BYTES("A: b\n\nd\n"), false },
        { BYTES("A: b\n\nc\n"), BYTES("A: d\n\nc\n"), false },
        { BYTES("A: b\n"), BYTES("A: b\n\n"), false },
        { BYTES("Received: x\nA: b\n\nc\n"), BYTES("A: b\n\nc\n"), true },
        { BYTES("A: b\nRECEIVED: x\n y\n\tz\n\nc\n"), BYTES("A: b\n\nc\n"), true },
        { BYTES("A: b\n\nc\n"), BYTES("A: b\nReceived: x"), false },
        { BYTES("Received: x"), BYTES("Received: y"), true },
        { BYTES("Received"), BYTES("Received:"), false },
        { BYTES("Receive: x\n\n"), BYTES("\n"), false },
        { BYTES("Received-SPF: x\n\n"), BYTES("\n"), true },
        { BYTES("Received-By: x\n\n"), BYTES("\n"), false },
        { BYTES("X-MS-Exchange-Organization-Network-Message-Id-And-More: x\n\n"), BYTES("\n"), true },
        { BYTES("X-MSExchange-Organization-Network-Message-Id-And-More: x\n\n"), BYTES("\n"), false },
        { BYTES("ARC: x\n\n"), BYTES("\n"), false },
        { BYTES("ARC-: x\n\n"), BYTES("\n"), true },
        { BYTES(" Received: x\n\n"), BYTES("\n"), false },
        { BYTES("no field\nReceived: x\n\n"), BYTES("no field\n\n"), false },
        { BYTES("A: b\n\nReceived: x\n"), BYTES("A: b\n\n"), false },
        { BYTES("Received:\0 x\n\n"), BYTES("\n"), true },
        { BYTES("A: \0\n\n"), BYTES("A: \n\n"), false },
    };

    for (size_t i = 0; i < COUNT(rows); i++)
        ok(same(rows[i].a, rows[i].b, LEDGER_WHOLE) == rows[i].same, "%s is %s %s", show(rows[i].a),
           rows[i].same ? "the same as" : "another than", show(rows[i].b));
}

/* A header that is longer than a piece of the file, with a field across its end. */
static void test_pieces(void)
{
    static const char field[] = "\nReceived: from here\n\tthere", rest[] = "\nB: c\n\ntext\n",
                      first[] = "A: ";
    static char with[SPOOL_MEMORY], without[SPOOL_MEMORY];
    bool all = true;

    memset(with, 'x', sizeof with);
    memcpy(with, first, sizeof first - 1);
    memcpy(without, with, sizeof without);
    for (size_t len = SPOOL_PIECE - 40; len < SPOOL_PIECE + 10; len++) {
        const size_t end = len + sizeof field - 1;

        memcpy(with + len, field, sizeof field - 1);
        memcpy(with + end, rest, sizeof rest - 1);
        memcpy(without + len, rest, sizeof rest - 1);
        all = all && same((struct slice){ without, len + sizeof rest - 1 },
                          (struct slice){ with, end + sizeof rest - 1 }, LEDGER_WHOLE);
        without[len] = with[len] = 'x';
        memset(without + len, 'x', sizeof rest);
        memset(with + len, 'x', sizeof field + sizeof rest);
    }
    ok(all, "a field across the end of a piece of the file is left out");
}

static void test_edges(void)
{
    static const char header[] = "A: b\n\n";
    static char a[100000], b[100000];
    const struct slice one = { a, sizeof a }, other = { b, sizeof b };

    memset(a, 'x', sizeof a);
    memcpy(a, header, sizeof header - 1);
    memcpy(b, a, sizeof b);
    b[50000] = 'y';
    ok(same(one, other, LEDGER_EDGES), "the middle of a long text is not looked at");
    ok(!same(one, other, LEDGER_WHOLE), "unless all is wanted");
    ok(!same(one, (struct slice){ b, sizeof b - 1 }, LEDGER_EDGES), "its length is");
    b[sizeof b - 1] = 'y';
    ok(!same(one, other, LEDGER_EDGES), "and its end");
    memcpy(b, a, sizeof b);
    b[10] = 'y';
    ok(!same(one, other, LEDGER_EDGES), "and its beginning");
}

/* ---- the file -------------------------------------------------------------------------------- */

static const struct delivery_settings settings = { .ledger = SLICE("/tmp"), .ledger_secs = KEEP };

static struct ledger_entry number(uint32_t n, enum ledger_state state, uint64_t now)
{
    struct ledger_entry entry = { .state = state & 0xff, .id = "id", .time = now };

    memcpy(entry.key, &n, sizeof n);
    return entry;
}

static struct store here(void)
{
    char unused[4096];
    struct store store = ledger_db_store(&settings, unused, true);

    store.path = path;
    return store;
}

static enum ledger_state find(uint32_t n, enum ledger_state state, uint64_t now)
{
    const struct store store = here();
    struct ledger_entry entry = number(n, state, now);

    if (!ledger_db_find(&store, &entry))
        ok(false, "the ledger is asked: %s", strerror(errno));
    return entry.state;
}

static void note(uint32_t n, uint64_t now)
{
    const struct store store = here();
    struct ledger_entry entry = number(n, LEDGER_BEGUN, now);

    if (!ledger_db_note(&store, &entry))
        ok(false, "an entry is made: %s", strerror(errno));
}

static void test_entries(void)
{
    const struct store store = here();
    struct ledger_entry entry = number(2, LEDGER_NONE, NOW);
    char text[LEDGER_ID_TEXT];

    ok_number(find(1, LEDGER_NONE, NOW), LEDGER_NONE, "an unknown delivery");
    ok_number(find(1, LEDGER_NONE, NOW), LEDGER_NONE, "is not remembered for that");
    ok_number(find(2, LEDGER_BEGUN, NOW), LEDGER_BEGUN, "one that begins");
    ok_number(find(2, LEDGER_NONE, NOW), LEDGER_BEGUN, "is");
    note(2, NOW + 1);
    ok_number(find(2, LEDGER_BEGUN, NOW + 1), LEDGER_MADE, "one that was made stays so");
    ok_number(find(2, LEDGER_NONE, NOW + 1 + KEEP), LEDGER_MADE, "as long as said");
    ok(store_forget(&store, &entry), "it is forgotten");
    note(2, NOW);
    ok_number(find(2, LEDGER_NONE, NOW + 1 + KEEP), LEDGER_NONE, "after its time it is, too");
    entry = (struct ledger_entry){ .id = "0123456789abcdef0123456789ab", .number = 0xffffff };
    ok_text(slice_of(ledger_db_id(&entry, text)), slice_of("0123456789abcdef0123456789ab.16777215"), "the longest id");
}

static void test_holding(void)
{
    const struct store store = here();
    const struct ledger_entry one = number(1, LEDGER_NONE, NOW), two = number(2, LEDGER_NONE, NOW);
    int first = -1, second = -1;

    ok(store_hold(&store, &first, &one, 0), "what nobody holds is held at once");
    ok(!store_hold(&store, &second, &one, 0) && errno == EBUSY, "what somebody holds is not");
    ok(store_hold(&store, &second, &two, 0), "something else is");
    (void)close(first);
    ok(store_hold(&store, &second, &one, 0), "until it is let go");
    (void)close(second);
}

/* More than there is room for: what was only begun goes first. */
static void test_flood(void)
{
    const struct store store = here();
    struct ledger_entry *all;
    size_t count, made = 0;

    for (uint32_t i = 0; i < MADE; i++)
        note(i, NOW);
    for (uint32_t i = 0; i < FLOOD; i++)
        (void)find(1000 + i, LEDGER_BEGUN, NOW + 1);
    all = store_list(&store, &count);
    for (size_t i = 0; i < count; i++)
        made += all[i].state == LEDGER_MADE;
    free(all);
    ok_number(made, MADE, "a flood of attempts makes nothing forgotten that was made");
    ok(count > 60000 && count <= STORE_MAX, "there is room for tens of thousands: %zu", count);
}

void test_ledger(void)
{
    test_messages();
    test_pieces();
    test_edges();
    if (!ok(mkdtemp(directory) != NULL, "a directory is made"))
        return;
    (void)snprintf(path, sizeof path, "%s/ledger", directory);
    test_entries();
    test_holding();
    test_flood();
    ok(unlink(path) == 0 && rmdir(directory) == 0, "there is one file");
}
