/* milter_check.h - whether milters can be reached, and what they say that they want (-t) */
#ifndef MILTER_CHECK_H
#define MILTER_CHECK_H

#include "conf/conf.h"

/*
 * Behind check_host (check.h): if there are no errors, connects to each milter, negotiates as a session does, and
 * adds what that comes to as a note, or why not as a warning.
 */
void milter_check(struct conf *conf);

#endif
