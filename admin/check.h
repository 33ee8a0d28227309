/* check.h - what is wrong or doubtful in a configuration, told to a person */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>

#include "conf/conf.h"

/*
 * For -t, after conf_load: compiles all patterns, which may add errors; if there are none at
 * all, adds what an administrator should know of its settings and rules as warnings and notes.
 */
void check_conf(struct conf *conf);

/*
 * The same, if there are no errors yet, for what is outside of the configuration: the kernel, files, programs,
 * certificates, passwords; as this user, or NULL (access.h).
 */
void check_host(struct conf *conf, const char *user);

/* The worst of what was found; SEVERITY_NOTE when there is nothing worse. */
enum severity check_worst(const struct conf *conf);

/* Writes the problems as compilers do, each with its line and a caret under the column, and what to do instead. */
void check_print(const struct conf *conf, FILE *out, bool colours);

/* Writes them as one JSON object (RFC 8259); `status` is the exit status. Bytes that are no UTF-8 become U+FFFD. */
void check_print_json(const struct conf *conf, FILE *out, int status);

#endif
