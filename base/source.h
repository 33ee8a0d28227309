/* source.h - the files that a configuration was read from: where a line of the whole stands */
#ifndef SOURCE_H
#define SOURCE_H

#include <sys/types.h>

#include "base/slice.h"

/*
 * The lines of a configuration are numbered as if what it includes stood in its place, which is the order in which
 * they count. A source is a stretch of lines of one file: a file that includes others has several. Without
 * includes there is one, and a number in the whole is one in the file.
 */
struct source {
    struct source *next;
    const struct source *within; /* the stretch that ends with the line that includes this file; NULL: the main file */
    const char *path;
    struct slice text;
    unsigned first; /* of the whole: the number of the first line of `text`; UINT_MAX: not yet known */
    unsigned local; /* the same in its file */
    dev_t device;   /* which file it is, and whose */
    ino_t inode;
    uid_t owner;
};

/* Where a byte stands, for people. */
struct place {
    const char *path;
    unsigned line, column; /* from 1 */
    struct slice text;     /* the line without its end */
};

/* The file that this line of the whole stands in, and its number there. 0 is the main file as a whole. */
const char *source_path(const struct source *sources, unsigned line);
unsigned source_line(const struct source *sources, unsigned line);

/* Both, as arguments for "%s:%u". */
#define SOURCE_AT(sources, line) source_path(sources, line), source_line(sources, line)

/* The place of the byte at a column, from 1, counted from the beginning of this line; it may go on in the next ones. */
struct place source_place(const struct source *sources, unsigned line, unsigned column);

/* The next line of a text, which loses it; false at its end. */
bool source_next(struct slice *text, struct slice *line);

#endif
