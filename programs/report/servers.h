/* servers.h - the hosts whose logs are read, each with numbers of its own */
#ifndef SERVERS_H
#define SERVERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "programs/report/total.h"

enum {
    SERVERS = 64,    /* the last of so many is what all further ones are counted as, together */
    SERVER_NAME = 64 /* bytes, with NUL; a longer name is cut */
};

struct server {
    char name[SERVER_NAME];
    uint64_t totals[TOTALS];
};

struct servers {
    size_t used, last; /* the one that was asked for last */
    struct server list[SERVERS];
};

/* The host of this name, which is new if it is not there yet. Lives until the hosts are sorted. */
struct server *servers_find(struct servers *servers, struct slice name);

/* By name. */
void servers_sort(struct servers *servers);

/*
 * Whose log is in this file: its name up to `.log`, as of mx1.example.com.log.2.gz; if that is mailrecv, the name of
 * its directory.
 */
void servers_name_of_file(char name[SERVER_NAME], const char *path);

#endif
