/* network_table.h - all networks of the configuration: which of them an address is in, found without trying each */
#ifndef NETWORK_TABLE_H
#define NETWORK_TABLE_H

#include "patterns/network.h"

/* So a place has 32 bits. */
enum {
    NETWORKS_MOST = 1 << 23,   /* of a table */
    NETWORKS_BEFORE_MOST = 256 /* bytes before a network on a line of a run */
};

/* Networks of one list, a line each; lines that follow each other, and have the same before and nothing behind them. */
struct network_run {
    const void *list;
    struct slice text; /* from the first to the last */
    unsigned line;     /* of the first */
    uint32_t place;    /* of the first */
};

/*
 * A hash table, which is looked into once for each length that some network has. A configuration is read for each
 * connection, and asked for one address or two: so a network takes no more memory than its slot, which holds its place:
 * how many bytes of runs stand before it. There it is read again when it may be the one. One table for all lists,
 * because a configuration has many groups of a few networks, or few of many. It begins as zeros; whoever adds something
 * gives the memory.
 */
struct network_table {
    struct network_run *runs;
    uint32_t *slots;        /* 0: free */
    uint32_t run_count, run_room;
    uint32_t count, room;   /* networks that there are, and that there may be: some slots stay free */
    unsigned shift;         /* from a hash to a slot */
    uint64_t lengths[2][3]; /* sets of the numbers of bits, of IPv4 and IPv6 */
};

/* How many bytes the slots for so many networks take. */
size_t network_table_bytes(uint32_t room);

/* Moves slots or runs to other memory, of zeros, with room for more than before. */
void network_table_move(struct network_table *table, uint32_t *slots, uint32_t room);
void network_table_move_runs(struct network_table *table, struct network_run *runs, uint32_t room);

/* Begins a run of this list; there must be room for it. */
void network_table_begin(struct network_table *table, const void *list, struct slice text, unsigned line);

/* Adds a good network that is the last one of the last run, where it is written; there must be room for it. */
void network_table_add(struct network_table *table, const struct network *network, struct slice text);

/* The place of the first network of the list that holds the address, which is in network order; 0: none does. */
uint32_t network_table_find(const struct network_table *table, const void *list, bool six, const unsigned char *bytes);

/* The place of the first network of a list that has some. */
uint32_t network_table_first(const struct network_table *table, const void *list);

/* The network at a place as it is written, and the number of its line. */
struct slice network_table_text(const struct network_table *table, uint32_t place, unsigned *line);

#endif
