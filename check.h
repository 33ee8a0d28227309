/* check.h - what is wrong or doubtful in a configuration, told to a person */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

#include "conf.h"

/*
 * For -t, after conf_load: compiles all patterns, which may add errors; if there are none at
 * all, adds what an administrator should know as warnings and notes.
 */
void check_conf(struct conf *conf);

/*
 * The same for what is outside of the configuration and was named by it without errors: files, programs,
 * certificates, passwords; as this user, or NULL (reach.h).
 */
void check_host(struct conf *conf, const char *user);

/* Writes the problems as compilers do, each with its line and a caret under the column. */
void check_print(const struct conf *conf, FILE *out);

#endif
