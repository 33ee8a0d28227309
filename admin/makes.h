/* makes.h - which files root, serving as root, would make where others may */
#ifndef MAKES_H
#define MAKES_H

#include "conf/conf.h"

/*
 * Would root, serving as root, make one of the files that the configuration names (and `log`; NULL: none) in a
 * directory that is another user's, or that others may write? Then it would be in the way of that user. `path` is
 * the first such file; with conf->delivery.rehearse only the log is made.
 */
enum { MAKES_PATH = 4096 };
bool makes_for_others(const struct conf *conf, const char *log, char path[MAKES_PATH]);

#endif
