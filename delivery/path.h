/* path.h - the path of a target, with what a table has for the recipient in it */
#ifndef PATH_H
#define PATH_H

#include "delivery/copy.h"

/* Does the table of its line choose the path? Then it has %{value} in it. */
bool path_is_chosen(const struct target *target);

/* Why a value cannot be a part of a path, for people; NULL: it can. */
const char *path_wrong(struct slice value);

/*
 * Writes the path for the kernel, of PATH_MAX bytes. Returns NULL, or why there is none, for people: a value that is empty,
 * begins with / or has .. as a part does not choose a file. `path` is then as the configuration has it, cut.
 */
const char *path_of(const struct target *target, const struct recipient *recipient, char path[]);

#endif
