/* network_table.c - all networks of the configuration: which of them an address is in, found without trying each */
#include "patterns/network_table.h"

enum { SET_BITS = 64 }; /* in each number of a set */

/* Slots are 2 to the power of this, a quarter of them free. */
static unsigned slot_bits(uint32_t room)
{
    return 32 - (unsigned)__builtin_clz(room + room / 3 + 1);
}

size_t network_table_bytes(uint32_t room)
{
    return sizeof(uint32_t) << slot_bits(room);
}

/* The slot of a network, if no other is there. The first bits of the product depend on all bits of the key. */
static inline uint32_t hash(const struct network_table *table, const struct network *network, const void *list)
{
    const uint64_t golden = 0x9e3779b97f4a7c15U;
    uint64_t key = (network->high ^ (network->low * golden)) + (uintptr_t)list + (network->bits << 1 | network->six);

    return (uint32_t)(key * golden >> table->shift);
}

static inline uint32_t next_slot(const struct network_table *table, uint32_t slot)
{
    return (slot + 1) & (UINT32_MAX >> (table->shift - 32));
}

static inline void put(struct network_table *table, const struct network *network, const void *list, uint32_t place)
{
    uint32_t slot = hash(table, network, list);

    while (table->slots[slot] > 0)
        slot = next_slot(table, slot);
    table->slots[slot] = place;
}

static const struct network_run *find_run(const struct network_table *table, uint32_t place)
{
    uint32_t low = 0, high = table->run_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (table->runs[middle].place <= place)
            low = middle;
        else
            high = middle;
    }
    return &table->runs[low];
}

/* Reads the network at a place of a run again; returns how it is written. */
static struct slice read_again(const struct network_run *run, uint32_t place, struct network *network)
{
    size_t offset = place - run->place;
    struct slice text = { run->text.text + offset, run->text.len - offset };

    text.len = network_read(text, network);
    return text;
}

void network_table_move(struct network_table *table, uint32_t *slots, uint32_t room)
{
    const uint32_t *old = table->slots;
    size_t old_slots = old != NULL ? (size_t)1 << slot_bits(table->room) : 0;
    struct network network;

    table->slots = slots;
    table->room = room;
    table->shift = 64 - slot_bits(room);
    for (size_t i = 0; i < old_slots; i++) {
        const struct network_run *run = find_run(table, old[i]);

        if (old[i] > 0 && read_again(run, old[i], &network).len > 0)
            put(table, &network, run->list, old[i]);
    }
}

void network_table_move_runs(struct network_table *table, struct network_run *runs, uint32_t room)
{
    if (table->run_count > 0)
        memcpy(runs, table->runs, table->run_count * sizeof *runs);
    table->runs = runs;
    table->run_room = room;
}

void network_table_begin(struct network_table *table, const void *list, struct slice text, unsigned line)
{
    struct network_run *run = &table->runs[table->run_count];

    *run = (struct network_run){ .list = list, .text = text, .line = line, .place = 1 };
    if (table->run_count++ > 0)
        run->place = run[-1].place + (uint32_t)run[-1].text.len;
}

void network_table_add(struct network_table *table, const struct network *network, struct slice text)
{
    struct network_run *run = &table->runs[table->run_count - 1];
    size_t offset = (size_t)(text.text - run->text.text);

    run->text.len = offset + text.len;
    put(table, network, run->list, run->place + (uint32_t)offset);
    table->lengths[network->six][network->bits / SET_BITS] |= (uint64_t)1 << network->bits % SET_BITS;
    table->count++;
}

/* Of two places the first one; 0 is none. */
static uint32_t earlier(uint32_t a, uint32_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

/* The first place where the list has just this network. */
static uint32_t find_equal(const struct network_table *table, const void *list, const struct network *wanted)
{
    uint32_t first = 0;
    struct network network;

    for (uint32_t i = hash(table, wanted, list); table->slots[i] > 0; i = next_slot(table, i)) {
        const struct network_run *run = find_run(table, table->slots[i]);

        if (run->list == list && read_again(run, table->slots[i], &network).len > 0 && network_equal(&network, wanted))
            first = earlier(first, table->slots[i]);
    }
    return first;
}

uint32_t network_table_find(const struct network_table *table, const void *list, bool six, const unsigned char *bytes)
{
    struct network address = network_of_address(six, bytes);
    uint32_t first = 0;

    for (unsigned bits = 0; bits <= network_size(six); bits++) {
        struct network around = network_around(address, bits);

        if ((table->lengths[six][bits / SET_BITS] >> bits % SET_BITS & 1) != 0)
            first = earlier(first, find_equal(table, list, &around));
    }
    return first;
}

uint32_t network_table_first(const struct network_table *table, const void *list)
{
    const struct network_run *run = table->runs;

    while (run->list != list)
        run++;
    return run->place;
}

struct slice network_table_text(const struct network_table *table, uint32_t place, unsigned *line)
{
    const struct network_run *run = find_run(table, place);
    struct network network;

    *line = run->line;
    for (size_t i = 0; i < place - run->place; i++)
        *line += run->text.text[i] == '\n';
    return read_again(run, place, &network);
}
