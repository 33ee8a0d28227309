/* network.c - unit tests of network.h and network_table.h: what is a network, and which addresses it holds */
#include "patterns/network_table.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <strings.h>

#include "unit.h"

static const struct {
    const char *word;
    enum network_status status;
    const char *right; /* in the usual form, or what to write instead */
} words[] = {
    { "192.0.2.0/24", NETWORK_GOOD, "192.0.2.0/24" },
    { "0.0.0.0/0", NETWORK_GOOD, "0.0.0.0/0" },
    { "255.255.255.255/32", NETWORK_GOOD, "255.255.255.255/32" },
    { "128.0.0.0/1", NETWORK_GOOD, "128.0.0.0/1" },
    { "2001:db8::/32", NETWORK_GOOD, "2001:db8::/32" },
    { "2001:0DB8:0:0::/64", NETWORK_GOOD, "2001:db8::/64" },
    { "1:2:3:4:5:6:7:8/128", NETWORK_GOOD, "1:2:3:4:5:6:7:8/128" },
    { "1:2:3:4:5:6:7::/112", NETWORK_GOOD, "1:2:3:4:5:6:7:0/112" },
    { "::1/128", NETWORK_GOOD, "::1/128" },
    { "::/0", NETWORK_GOOD, "::/0" },
    { "8000::/1", NETWORK_GOOD, "8000::/1" },
    { "::ffff:192.0.2.0/120", NETWORK_GOOD, "192.0.2.0/24" },
    { "::FFFF:c000:200/120", NETWORK_GOOD, "192.0.2.0/24" },
    { "::ffff:0:0/96", NETWORK_GOOD, "0.0.0.0/0" },
    { "64:ff9b::192.0.2.0/120", NETWORK_GOOD, "64:ff9b::c000:200/120" },
    { "192.0.2.77/24", NETWORK_HOST_BITS, "192.0.2.0/24" },
    { "192.0.2.1/0", NETWORK_HOST_BITS, "0.0.0.0/0" },
    { "2001:db8::1/127", NETWORK_HOST_BITS, "2001:db8::/127" },
    { "2001:db8::1/63", NETWORK_HOST_BITS, "2001:db8::/63" },
    { "::ffff:192.0.2.7/120", NETWORK_HOST_BITS, "192.0.2.0/24" },
    { "::ffff:192.0.2.0/24", NETWORK_HOST_BITS, "192.0.2.0/24" },
    { "::ffff:192.0.2.0/64", NETWORK_OUT_OF_RANGE, "192.0.2.0/32" },
    { "192.0.2.0/33", NETWORK_OUT_OF_RANGE, "192.0.2.0/32" },
    { "192.0.2.77/33", NETWORK_OUT_OF_RANGE, "192.0.2.77/32" },
    { "192.0.2.0/99999999999", NETWORK_OUT_OF_RANGE, "192.0.2.0/32" },
    { "2001:db8::/129", NETWORK_OUT_OF_RANGE, "2001:db8::/128" },
    { "10/8", NETWORK_SHORT, "10.0.0.0/8" },
    { "192.168/16", NETWORK_SHORT, "192.168.0.0/16" },
    { "172.16.1/12", NETWORK_SHORT, "172.16.0.0/12" },
    { "10./8", NETWORK_SHORT, "10.0.0.0/8" },
    { "300.0.0.0/8", NETWORK_BAD, NULL },
    { "010.0.0.0/8", NETWORK_BAD, NULL },
    { "1.2.3.4.5/8", NETWORK_BAD, NULL },
    { "1.2.3.4./8", NETWORK_BAD, NULL },
    { "./8", NETWORK_BAD, NULL },
    { ":/8", NETWORK_BAD, NULL },
    { "1::2::/8", NETWORK_BAD, NULL },
    { "1:2:3:4:5:6:7:8:9/8", NETWORK_BAD, NULL },
    { "1:2:3:4:5:6:7:8::/8", NETWORK_BAD, NULL },
    { "1:2:3:4:5:6:7/8", NETWORK_BAD, NULL },
    { "12345::/8", NETWORK_BAD, NULL },
    { "192.0.2.0", NETWORK_NONE, NULL },
    { "192.0.2.0/", NETWORK_NONE, NULL },
    { "/24", NETWORK_NONE, NULL },
    { "/", NETWORK_NONE, NULL },
    { "", NETWORK_NONE, NULL },
    { "192.0.2.0/24x", NETWORK_NONE, NULL },
    { "192.0.2.0/2.4", NETWORK_NONE, NULL },
    { "192.0.2.0/24/8", NETWORK_NONE, NULL },
    { "192.0.2.0/255.255.255.0", NETWORK_NONE, NULL },
    { "^192\\.0\\.2\\.0/24", NETWORK_NONE, NULL },
    { "dead/8", NETWORK_NONE, NULL },
    { "fe80::%eth0/64", NETWORK_NONE, NULL },
    { "192.0.2.0/-1", NETWORK_NONE, NULL },
};

static void test_words(void)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        struct slice word = slice_of(words[i].word);
        char written[NETWORK_TEXT];
        struct network network;

        ok_number(network_parse(word, &network), words[i].status, "%s", words[i].word);
        network_write(&network, written);
        if (words[i].right != NULL)
            ok_text(slice_of(written), slice_of(words[i].right), "... is, or is to be");
        ok((network_read(word, &network) == word.len && word.len > 0) == (words[i].status == NETWORK_GOOD),
           "... is read, or not");
    }
}

static unsigned next_random(unsigned *state)
{
    *state = *state * 1103515245U + 12345U;
    return *state >> 16;
}

/* An address as a text, of few bits that are set, so that many share a network; `broken`: with some other character. */
static void random_address(unsigned *state, int family, bool broken, char *out)
{
    static const char others[] = "0123456789abcdefF::::...";
    unsigned char bytes[16];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(next_random(state) % 3 == 0 ? next_random(state) : 0);
    (void)inet_ntop(family, bytes, out, INET6_ADDRSTRLEN);
    if (broken)
        out[next_random(state) % strlen(out)] = others[next_random(state) % (sizeof others - 1)];
}

/* What inet_pton takes for an address, and nothing else, is read as one, with the same bits. */
static void test_addresses(void)
{
    unsigned state = 1, wrong = 0, read = 0;

    for (unsigned i = 0; i < 20000; i++) {
        char text[INET6_ADDRSTRLEN], word[INET6_ADDRSTRLEN + 8];
        unsigned char bytes[16];
        struct network network, wanted;
        int family = i % 2 == 0 ? AF_INET : AF_INET6;
        bool good, six;

        random_address(&state, family, i % 3 == 0, text);
        if (strncasecmp(text, "::ffff:", 7) == 0) /* is of IPv4 */
            continue;
        six = strchr(text, ':') != NULL;
        good = inet_pton(six ? AF_INET6 : AF_INET, text, bytes) == 1;
        (void)snprintf(word, sizeof word, "%s/%u", text, network_size(six));
        if (good)
            wanted = network_of_address(six, bytes);
        wrong += (network_read(slice_of(word), &network) > 0) != good || (good && !network_equal(&network, &wanted));
        read += good;
    }
    ok_number(wrong, 0, "%u addresses are read as inet_pton does", read);
}

enum { NETWORKS = 600, LISTS = 3 };

/* Networks as lines of a text; runs of them are of one list. */
static struct sample {
    char text[NETWORKS * NETWORK_TEXT];
    struct slice words[NETWORKS];
    size_t lists[NETWORKS];
} sample;

static void make_sample(unsigned *state)
{
    size_t used = 0;

    for (size_t i = 0; i < NETWORKS; i++) {
        char address[INET6_ADDRSTRLEN], word[INET6_ADDRSTRLEN + 8];
        unsigned bits = 14 + next_random(state) % 19;
        struct network network;

        random_address(state, i % 2 == 0 ? AF_INET : AF_INET6, false, address);
        (void)snprintf(word, sizeof word, "%s/%u", address, i % 2 == 0 ? bits : bits * 4);
        (void)network_parse(slice_of(word), &network);
        network_write(&network, sample.text + used);
        sample.words[i] = slice_of(sample.text + used);
        used += sample.words[i].len;
        sample.text[used++] = '\n';
        sample.lists[i] = i == 0 || next_random(state) % 8 == 0 ? next_random(state) % LISTS : sample.lists[i - 1];
    }
}

static void fill_table(struct network_table *table)
{
    static uint32_t slots[3][2048];
    static struct network_run runs[NETWORKS];
    static const uint32_t rooms[] = { 5, 100, NETWORKS };
    struct network network;
    size_t moves = 0;

    network_table_move_runs(table, runs, NETWORKS);
    for (size_t i = 0; i < NETWORKS; i++) {
        if (table->count == table->room) {
            network_table_move(table, slots[moves], rooms[moves]);
            moves++;
        }
        if (i == 0 || sample.lists[i] != sample.lists[i - 1])
            network_table_begin(table, &sample.lists[sample.lists[i]], sample.words[i], (unsigned)i + 1);
        (void)network_read(sample.words[i], &network);
        network_table_add(table, &network, sample.words[i]);
    }
}

/* The number of the first line of the list that holds the address, found by trying each. */
static unsigned try_each(size_t list, const struct network *address)
{
    for (size_t i = 0; i < NETWORKS; i++) {
        struct network network, around;

        (void)network_read(sample.words[i], &network);
        around = network_around(*address, network.bits);
        if (sample.lists[i] == list && network.six == address->six && network_equal(&around, &network))
            return (unsigned)i + 1;
    }
    return 0;
}

static void test_table(void)
{
    struct network_table table = { .count = 0 };
    unsigned state = 7, wrong = 0, inside = 0, line;

    make_sample(&state);
    fill_table(&table);
    for (unsigned i = 0; i < 6000; i++) {
        int family = i % 2 == 0 ? AF_INET : AF_INET6;
        char text[INET6_ADDRSTRLEN];
        unsigned char bytes[16] = { 0 };
        struct network address;
        unsigned wanted, found = 0;
        struct slice shown = { "", 0 };
        uint32_t place;

        random_address(&state, family, false, text);
        (void)inet_pton(family, text, bytes);
        address = network_of_address(family == AF_INET6, bytes);
        wanted = try_each(i % LISTS, &address);
        place = network_table_find(&table, &sample.lists[i % LISTS], family == AF_INET6, bytes);
        if (place > 0)
            shown = network_table_text(&table, place, &found);
        wrong += found != wanted || (found > 0 && !slice_equal(shown, sample.words[found - 1]));
        inside += wanted > 0;
    }
    ok_number(wrong, 0, "the first line that holds an address is found");
    ok(inside > 1000 && inside < 5000, "%u addresses are in a network", inside);
    (void)network_table_text(&table, network_table_first(&table, &sample.lists[sample.lists[NETWORKS - 1]]), &line);
    ok(sample.lists[line - 1] == sample.lists[NETWORKS - 1] && line < NETWORKS, "the first network of a list");
}

/* The same network in several lists, among few slots. */
static void test_lists(void)
{
    static const unsigned char address[4] = { 10, 1, 2, 3 };
    static uint32_t slots[16];
    static struct network_run runs[5];
    struct network_table table = { .count = 0 };
    struct slice word = SLICE("10.0.0.0/8");
    struct network network;

    (void)network_read(word, &network);
    network_table_move(&table, slots, 5);
    network_table_move_runs(&table, runs, 5);
    for (unsigned i = 0; i < 5; i++) {
        network_table_begin(&table, &slots[i], word, i + 1);
        network_table_add(&table, &network, word);
    }
    for (unsigned i = 0, line = 0; i < 5; i++, line = 0) {
        uint32_t place = network_table_find(&table, &slots[i], false, address);

        if (place > 0)
            (void)network_table_text(&table, place, &line);
        ok_number(line, i + 1, "the network of list %u", i);
    }
    ok_number(network_table_find(&table, &slots[5], false, address), 0, "... and a list that has none");
}

void test_network(void)
{
    test_lists();
    test_words();
    test_addresses();
    test_table();
}
