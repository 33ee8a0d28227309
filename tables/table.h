/* table.h - what a table has for a key */
#ifndef TABLES_TABLE_H
#define TABLES_TABLE_H

#include "patterns/pattern.h"
#include "tables/reply.h"
#include "tables/settings.h"

/*
 * Asks a table, in lower case as far as a key is ASCII. MATCH_YES with the value, which has no NUL and lives until the next
 * question to any table. MATCH_UNSURE: there is no answer now, which the log says with the reason. Shown under the debug flag r.
 */
enum match table_ask(struct table *table, struct slice key, struct slice *value);

/* Keeps a value until table_forget, in memory that no forked process has. False without memory, which the log says. */
bool table_keep(struct slice *value);

/* Forgets what was kept. */
void table_forget(void);

/* The session is over: files are closed, services left. */
void table_end(const struct table_settings *settings);

/*
 * In a listener: programs answer, one after the other, all processes that are forked from here on. False: there are none that
 * could.
 */
bool table_share(const struct table_settings *settings);

/* In a listener: those programs that nobody asks now are ended; if it is the last time none is kept any more. */
void table_rest(const struct table_settings *settings, bool last);

#endif
