/* ledger_show.h - what -S does with the ledger: shows which deliveries it knows, and forgets them */
#ifndef LEDGER_SHOW_H
#define LEDGER_SHOW_H

#include <stdio.h>

#include "conf/conf.h"

/*
 * Both need a configuration with a ledger, and return an exit status (sysexits.h): 0, or EX_IOERR when the file cannot
 * be used; standard error then says why. The file is never made or moved here, since whoever asks may be another user
 * than the service.
 */

/*
 * Writes the deliveries, latest first, as a table or as JSON objects with commas before all but the first one of the
 * output.
 */
int ledger_show(const struct conf *conf, bool json, size_t *objects, FILE *out);

/* Is this what ledger_clear takes, and not the address of a client? */
bool ledger_is_delivery(const char *word);

/* Forgets a delivery, of which the table has the id, or with the word "ledger" all of them. */
int ledger_clear(const struct conf *conf, const char *word, FILE *out);

#endif
