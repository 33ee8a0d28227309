/* alive.h - whether a mail server is alive somewhere, and what it says of itself (-M) */
#ifndef ALIVE_H
#define ALIVE_H

#include <signal.h>
#include <stdio.h>

#include "conf/conf.h"

/*
 * Asks all mail hosts of a domain at port 25, or a server that is named as HOST:PORT, ADDRESS, unix:PATH..., each at all of its
 * addresses, up to where mail could be said, and prints what they answer. SIGTERM sets `terminated` and ends it. Returns the
 * exit status: 0 if one could be given mail, 1 if none, EX_USAGE if the place is none.
 */
int alive(const struct conf *conf, const char *place, const volatile sig_atomic_t *terminated, FILE *out);

#endif
