/* index.h - where in a large text table a key stands: a file that is made when it is missing, old or damaged */
#ifndef TABLES_INDEX_H
#define TABLES_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/slice.h"

/*
 * The file has a page for each few hundred lines of the table, chosen by a hash of the key, and in it where these lines begin.
 * It says which file it is of, and in which version, and each page has a checksum over that and its bytes: what is old, damaged or
 * half written is found out by the question that would use it. What it says is a hint: whoever asks reads the line. It is
 * believed only if nobody but its owner can write it, who is us or root.
 *
 * One is made by whoever is asked first. It is written under another name, by one process at a time, and then gets its own.
 */
enum { TABLE_INDEX_MOST = 511 }; /* lines in a page */

/* The lines that may have the key, in the order of the table. */
struct table_places {
    size_t count;
    uint64_t at[TABLE_INDEX_MOST];
};

/* The path of the index of a table: in this directory. False: it is too long. */
bool table_index_path(struct slice directory, struct slice table, char *path, size_t size);

/* Opens the index of a table that is as `status` has it. Returns a descriptor, or -1: there is none that can be used. */
int table_index_open(const char *path, const struct stat *status);

/* Looks for lines whose key has this hash (line.h). False: the index is damaged. */
bool table_index_find(int fd, const struct stat *status, uint32_t hash, struct table_places *places);

/*
 * Makes the index of an open table, if that can be: somebody else may be making it, the directory may not be writable, the
 * table may have changed in the last seconds, in which it could change again without a sign. Returns it open, or -1; and `hopeless`, which the log says: another attempt
 * would end as this one.
 */
int table_index_make(const char *path, int table, const struct stat *status, bool *hopeless);

/* Is it the same file, and unchanged? */
bool table_index_is_same(const struct stat *a, const struct stat *b);

#endif
