/* file.h - a text file as a table: KEY VALUE in each line, the first line of a key counts */
#ifndef TABLES_FILE_H
#define TABLES_FILE_H

#include "tables/answer.h"
#include "tables/settings.h"

/*
 * Looks for a key, when nobody has written to the file for a moment; once more if somebody does meanwhile. A small file is read; of
 * a large one the place is found in its index (index.h), and it is read as a whole only where there is none. The value lives until
 * the next question to any table. TABLE_FAILED with a reason, one line.
 */
enum table_answer table_file_ask(struct table *table, struct slice key, struct slice *value, char reason[TABLE_REASON]);

/* Closes it. */
void table_file_end(struct table_file *file);

/* Is a file of this size read through its index? */
bool table_file_wants_index(const struct stat *status);

#endif
