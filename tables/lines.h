/* lines.h - the lines of an open text table, read in pieces */
#ifndef TABLES_LINES_H
#define TABLES_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { TABLE_LINE_MOST = 65536 }; /* bytes of a line; a table with a longer one cannot be used */

/*
 * Shows each line, without its LF, with the byte that it begins at, until `visit` returns false; that line lives until the
 * next call. False with errno set if not all of
 * the file could be read; EMSGSIZE: there is a line that is too long.
 */
bool table_lines(int fd, bool (*visit)(void *context, uint64_t at, struct slice line), void *context);

/* The line that begins at this byte; it lives until the next call of either. False: none begins there, or it cannot be read. */
bool table_line_at(int fd, uint64_t at, struct slice *line);

#endif
