/* shell_sight.h - what is known of each command of a shell's text, found by shell.c and shell_status.c */
#ifndef SHELL_SIGHT_H
#define SHELL_SIGHT_H

#include "admin/shell_tree.h"

enum { NAMES = 256 };

/* What is known of a node. */
struct sight {
    size_t function;  /* that it calls; 0: none */
    unsigned ends;
    size_t feeder;    /* whose output it reads; 0: none */
    bool called;      /* it may be executed: it is in no function, or in one that is called */
    bool tail;        /* its status is that of the text, if it is the last there */
    bool exempt;      /* set -e does not end the text by it */
    bool errexit, pipefail, to_file; /* set -e, set -o pipefail and exec >FILE stand before it */
    bool substituted, judged, background, piped, decides;
};

struct variable {
    struct slice name, value;
    bool several; /* values */
};

struct reading {
    struct shell_tree tree;
    struct sight *sights;
    size_t functions[NAMES], function_count;
    struct variable variables[NAMES];
    size_t variable_count;
    bool many;     /* more functions or variables than are noted, so that nothing is known of them */
    bool errexit;  /* somewhere */
    bool unclear;  /* what is sourced or made by eval may do anything */
    bool trapped;  /* what it ends with a trap says, */
    bool always_0; /* which is 0 */
};

/* A word without quotes, if all of it is between those. */
struct slice reading_bare(struct slice word);

/* A word by its index, "" for 0. */
struct slice reading_word(const struct reading *r, size_t word);

/* The first word of a command, behind assignments; 0: it has none. */
size_t reading_name(const struct reading *r, size_t node);
bool reading_is(const struct reading *r, size_t node, const char *name);

/* Finds out what is around each command, and whether the text ends with 0 whatever its commands exit with. */
void status_look_around(struct reading *r);
bool status_is_always_0(struct reading *r);

#endif
