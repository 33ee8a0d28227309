/* table_check.h - whether tables can be asked, and what is wrong in those that are text files (-t) */
#ifndef TABLE_CHECK_H
#define TABLE_CHECK_H

#include "conf/conf.h"

/* Adds as problems what is found out. Servers are connected to; programs are not started. */
void table_check(struct conf *conf);

#endif
