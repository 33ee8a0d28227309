/* lockout_show.h - what -S does: shows who was seen and who is locked out, forgives, and locks out */
#ifndef LOCKOUT_SHOW_H
#define LOCKOUT_SHOW_H

#include <stdio.h>

#include "conf/conf.h"

/*
 * Each returns an exit status (sysexits.h): 0, EX_CONFIG without lockout.db, EX_IOERR when the file cannot be used;
 * standard error then says why. The file is never made or moved here, since whoever asks may be another user than the service.
 */

/* Writes the contacts, latest first, as a table or as JSON objects with commas before all but the first one of the output. */
int lockout_show(const struct conf *conf, bool json, size_t *objects, FILE *out);

/* Forgets what is known of an address, or of the network of an IPv6 address. EX_USAGE: it is none. */
int lockout_clear(const struct conf *conf, const char *address, FILE *out);

/* Locks an address out, or the network of an IPv6 address, for `secs`; NULL: lockout.secs. EX_USAGE: one is none. */
int lockout_lock_by_hand(const struct conf *conf, const char *address, const char *secs, FILE *out);

#endif
