/* smtp.h - the dialogue (RFC 5321): commands, their order, replies */
#ifndef SMTP_H
#define SMTP_H

#include "conf.h"
#include "line.h"
#include "monitor.h"

/*
 * Speaks SMTP on a prepared connection until it ends, asking the monitor for every decision.
 * Of the configuration it uses the limits and texts only. Everything a client may say leads to
 * a reply; there is no result.
 */
void smtp_session(struct line_io *io, struct monitor *monitor, const struct conf *conf);

/* Says one reply instead of a session, and ends the connection. */
void smtp_say(struct line_io *io, const struct reply *reply);

#endif
