/* terminal.h - a session that a person types: a prompt, and the log lines beneath each command */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "session/line.h"

/*
 * Lets the lines that are typed on standard input, a terminal, be the client's: each is prompted for on
 * standard error and ends in CRLF, as a mail server's would. Editing is left to the terminal. The
 * connection must have been prepared with line_init. False with errno set if that cannot be.
 */
bool terminal_begin(struct line_io *io);

/* For log_divert: writes an event to standard error, below the command that it is about. */
void terminal_log(int level, const char *event);

#endif
