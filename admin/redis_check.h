/* redis_check.h - whether Redis can be reached and may be asked (-t) */
#ifndef REDIS_CHECK_H
#define REDIS_CHECK_H

#include "conf/conf.h"

/*
 * Behind check_host (check.h): if there are no errors, asks each Redis of the file as a session does, and adds what it is as a
 * note, or why it cannot be asked as a warning. The user of probe.h is to read redis.auth.
 */
void redis_check(struct conf *conf);

/* Lets a person wait for Redis longer than a session does. */
void redis_check_patiently(struct conf *conf);

#endif
