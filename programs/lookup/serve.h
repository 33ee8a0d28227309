/* serve.h - requests are read from standard input, replies written to standard output */
#ifndef SERVE_H
#define SERVE_H

#include "programs/lookup/source.h"

/* The time for one answer begins, or is over: then these words are written to the descriptor, and the process ends. */
void serve_begin(unsigned ms, int fd, struct slice words);
void serve_end(void);

/* Writes all of a text; false if that cannot be done. */
bool serve_write(int fd, struct slice text);

/*
 * Answers requests up to the end of standard input, in `ms` each. Where the database could not be opened `failure` is
 * why (else NULL), and the first request's answer. Returns the exit status.
 */
int serve(const struct source *source, const struct opened *opened, const struct answer *failure, unsigned ms);

#endif
