/* settings.h - what the configuration says of tables */
#ifndef TABLES_SETTINGS_H
#define TABLES_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/source.h"
#include "nexthop/server.h"

enum table_kind { TABLE_FILE, TABLE_SOCKETMAP, TABLE_TCP, TABLE_EXEC };

/* A text file that is asked, kept open for the session. Zeroed, it is not. */
struct table_file {
    bool open, indexed;
    bool hopeless;      /* its index cannot be made */
    int fd, index;      /* `index` if it is indexed */
    struct stat status; /* as it was when it was opened */
};

/* One table line. */
struct table {
    struct table *next;
    const struct table_settings *settings;
    struct slice name;
    unsigned line, column; /* where it is defined; while it is not, where it is first named */
    bool defined, used;
    bool secret;           /* what it has are hashes of passwords: nothing of them is shown */
    enum table_kind kind;
    struct slice path;     /* TABLE_FILE */
    struct table_file file;
    struct slice map;      /* TABLE_SOCKETMAP, TABLE_EXEC: what the service calls it */
    struct server server;
    struct shelf shelf;    /* TABLE_EXEC: where the program waits between sessions */
};

struct table_settings {
    struct table *first, **last;  /* in the order in which they are named first */
    const struct source *sources; /* the files of the configuration, for messages */
    struct slice cache;           /* the directory of indexes */
    uint64_t timeout;             /* milliseconds for one answer */
    uint64_t keep_secs;           /* how long a program answers sessions of a listener */
};

#endif
