/* smtp.h - the dialogue (RFC 5321): commands, their order, replies */
#ifndef SMTP_H
#define SMTP_H

#include "conf/conf.h"
#include "monitor/monitor.h"
#include "session/line.h"

struct session;

/*
 * Greets the client, as the monitor says; nothing is read yet. All arguments must outlive the
 * session, of which a process has one. The greeting is on its way when this returns.
 */
struct session *smtp_greet(struct line_io *io, struct monitor *monitor, const struct conf *conf);

/* What a session in another process has to know to go on behind that greeting, and that session. */
struct introduction smtp_introduction(const struct session *session);
struct session *smtp_take_over(struct line_io *io, struct monitor *monitor, const struct conf *conf,
                               const struct introduction *introduction);

/*
 * Speaks SMTP until the connection ends, asking the monitor for every decision. Of the configuration it uses
 * what conf_reveal leaves it only. Everything a client may say leads to a reply; there is no result.
 */
void smtp_session(struct session *session);

/* Says one reply instead of a session, or of the rest of one, and ends the connection. */
void smtp_say(struct line_io *io, const struct reply *reply);

#endif
