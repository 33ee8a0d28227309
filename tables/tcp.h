/* tcp.h - the protocol of Postfix's tcp tables (tcp_table(5)): questions and answers, a line each; pure */
#ifndef TABLES_TCP_H
#define TABLES_TCP_H

#include "base/text.h"
#include "tables/reply.h"

enum { TCP_REPLY = 4096 }; /* bytes of a reply, with the end of its line */

/*
 * Puts the question for a key, at most TABLE_REQUEST bytes. All that is no graphic ASCII character, and %, is written as %XX: no
 * key is two questions. The protocol has no names of maps.
 */
void tcp_ask(struct text *out, struct slice map, struct slice key);

/*
 * Takes bytes up to the end of the reply, LF or CR LF; `used` says how many. SERVER_NONSENSE: it is too long, does not begin with
 * 200, 400 or 500 and a blank, or has a % without two hexadecimal digits behind it.
 */
enum server_progress tcp_feed(struct table_reply *reply, struct slice bytes, size_t *used);

#endif
