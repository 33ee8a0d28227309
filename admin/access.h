/* access.h - what the user who serves can read, write and execute of what the configuration names */
#ifndef ACCESS_H
#define ACCESS_H

#include "conf/conf.h"

/*
 * For -t: adds a warning for each file, directory and program that this user could not use as the
 * configuration wants it; NULL stands for the directive `user`, where we are root, or else for ourselves. Another
 * user than ourselves is asked for by becoming that user, where we are root, or else told from the modes of the files,
 * with a warning where we may not look at them.
 * Returns whether files are read later by somebody else than us, by that user or by a root that becomes it.
 */
bool access_check(struct conf *conf, const char *user);

#endif
