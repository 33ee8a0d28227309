/* users.h - the users file: reading it safely, line by line */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* The users file, all of it in memory. */
struct users {
    char label[4096];  /* how messages call it */
    char problem[256]; /* why it cannot be used */
    char *text;
    size_t len;
};

/* One line of it. The slices point into its text. */
struct user {
    struct slice name, hash; /* the hash without {CRYPT} before it */
    const char *problem;     /* why there is no such entry, or NULL */
};

/*
 * Reads the file of that descriptor, which is closed, or of that name when the descriptor is negative. False with
 * `problem` set. users_wipe is to be called either way.
 */
bool users_load(struct users *users, const char *file, int fd);

/* Overwrites and frees what was read. */
void users_wipe(struct users *users);

/*
 * Takes the next line that is neither blank nor a comment off `rest`, which is all of the text at first. `number` counts
 * all lines, and is 0 at first. False at the end.
 */
bool users_next(struct slice *rest, size_t *number, struct user *user);

/* Takes off what stands before the first such byte, and the byte; all if there is none. */
struct slice users_cut(struct slice *rest, char at);

#endif
