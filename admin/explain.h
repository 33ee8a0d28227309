/* explain.h - why a mail would be accepted or refused, and what would become of it (-x) */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "admin/scenario.h"
#include "client/client.h"
#include "conf/conf.h"

/* The debug flags that show why: rules and patterns, and what DNS said. */
#define EXPLAIN_FLAGS "hr"

/*
 * Plays a session of this client in this process, in which it says what the scenario has, and writes to
 * standard output what the decisions log about themselves, each reply, and for each recipient the target and
 * what a command would see. Nothing is delivered. An address without a name is asked for in DNS, as ever.
 * Returns EX_OK when nothing was refused, 1 when something was, EX_OSERR when that could not be found
 * out. Changes conf, client and where the log goes, for good.
 */
int explain(struct conf *conf, struct client *client, const struct scenario *scenario);

#endif
