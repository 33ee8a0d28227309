/* exits.h - the exit statuses, and what is told on standard error */
#ifndef EXITS_H
#define EXITS_H

#include "base/slice.h"

#define PROGRAM "mailrecv-checkpassword"

/* The answers that the checkpassword interface knows; 1 and 2 also serve -t and -p. */
enum { RIGHT = 0, WRONG = 1, MISUSE = 2, TEMPORARY = 111 };

/* Writes a line to standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, points to -h, and exits with MISUSE. */
void die_usage(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The exit status of what has printed something: RIGHT, or TEMPORARY if it could not be written. */
int output_status(void);

/* A text for a message, its special bytes encoded as in the log; lives until the next call. */
const char *encoded(struct slice text);

#endif
