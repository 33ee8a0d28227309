/* check.h - what is wrong or doubtful in a configuration, told to a person */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

#include "conf.h"

/*
 * For -t, after conf_load: compiles all patterns, which may add errors; if there are none at
 * all, adds what an administrator should know as warnings.
 */
void check_conf(struct conf *conf);

/* Writes the problems as compilers do, each with its line and a caret under the column. */
void check_print(const struct conf *conf, FILE *out);

#endif
