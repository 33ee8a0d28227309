/* table_check.h - whether tables can be asked, and what is wrong in those that are text files (-t) */
#ifndef TABLE_CHECK_H
#define TABLE_CHECK_H

#include "conf/conf.h"

/*
 * Behind check_host (check.h): adds as problems what is found out. Servers and programs are asked for a postmaster, as the user
 * who serves, where we can be that; and for all postmasters that must be, where nothing else has them.
 */
void table_check(struct conf *conf);

#endif
