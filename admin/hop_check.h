/* hop_check.h - what is wrong or doubtful in what other servers are to be told and to prove */
#ifndef HOP_CHECK_H
#define HOP_CHECK_H

#include "conf/conf.h"

/* Is there a line by which a server's certificate must be good? Then it is the first; else NULL. */
const struct rule *hop_check_verifies(const struct conf *conf);

/* Do lines lead to servers that may be spoken to in TLS? */
bool hop_check_wants_tls(const struct conf *conf);

/* Does the file of auth belong to another user than the one of probe.h? Then hop_check says so, whoever may read it. */
bool hop_check_is_others(const struct hop *hop);

/*
 * Adds as problems what is wrong with the files of auth, for the user of probe.h, and with the way of what is in them; one
 * that we may not read is not looked at.
 */
void hop_check(struct conf *conf);

#endif
