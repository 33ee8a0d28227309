/* privileges.h - what is opened before root becomes the user who serves, and becoming that user */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>

#include "conf/conf.h"

/*
 * Opens the log: `where` as log_open has it, `of_option` the same text if an option names it, which outlives the
 * process; NULL if the configuration does. What root cannot open is left for the user that it becomes; any other failure is
 * logged in syslog.
 */
void privileges_open_log(const char *where, const char *of_option);

/*
 * May the log that the configuration names, `path`, be opened? With mistakes in it, also: who looks for them looks there.
 * But its own line must have none, and root makes no file where it would become a user of whom nothing is known for
 * certain.
 */
bool privileges_may_open_log(const struct conf *conf, const char *path);

/* Becomes the user of the configuration, if we are root, and opens the log that was left. False: the log says why. */
bool privileges_become(const struct conf *conf);

/* Tries the log once more that root could not open, if there is one: what follows is to be read somewhere. */
void privileges_retry_log(const struct conf *conf);

#endif
