/* socketmap.h - the socketmap protocol of Sendmail and Postfix (socketmap_table(5)): questions and answers; pure */
#ifndef TABLES_SOCKETMAP_H
#define TABLES_SOCKETMAP_H

#include "base/netstring.h"
#include "tables/reply.h"

/* Puts the question for a key of a map, at most TABLE_REQUEST bytes. */
void socketmap_ask(struct text *out, struct slice map, struct slice key);

/*
 * Takes bytes up to the end of the reply; `used` says how many. SERVER_NONSENSE: it is none, is too long, or does not begin
 * with OK, NOTFOUND, TEMP, TIMEOUT or PERM.
 */
enum server_progress socketmap_feed(struct table_reply *reply, struct slice bytes, size_t *used);

#endif
