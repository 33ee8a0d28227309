/* exits.h - what is told on standard error */
#ifndef EXITS_H
#define EXITS_H

#define PROGRAM "mailrecv-lookup"

/* Writes a line to standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, points to -h, and exits with EX_USAGE. */
void die_usage(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
