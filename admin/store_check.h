/* store_check.h - whether the files of lockout.db and ledger are theirs */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "conf/conf.h"

/* Adds an error to a configuration where one of them is something else, or something else is written to it. */
void store_check(struct conf *conf);

#endif
