/* milter.h - milters: asked in the order of their lines, at each stage, from MAIL on */
#ifndef MILTER_H
#define MILTER_H

#include "handlers/milter_verdict.h"

/*
 * A milter is reached when the client says MAIL: only then is it told of the connection and of HELO, and of a HELO
 * that has come
 * since. What it has against these is said to MAIL. It is told of the last HELO, of those that were said before.
 */

/*
 * Asks at MAIL, RCPT or DATA, or about a line that is no command. Code 0, or a refusal: of a milter, of
 * milter.failure, or because it is not known now whether this is a client of
 * the line. Its texts live until the next question. MAIL begins a message; behind a refusal of it milter_abort is to
 * be called.
 */
struct reply milter_ask(const struct milter_context *context, enum milter_command command);

/* The message is over, or there will be none: milters that were told of one and were not told of its end hear so. */
void milter_abort(const struct handler_settings *settings);

/* The client is another from now on, or the session is over: connections are closed. */
void milter_end(const struct handler_settings *settings);

#endif
