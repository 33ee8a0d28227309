/* helper_check.h - what mailrecv-tls and mailrecv-checkpassword say about certificate, key, authorities and users file */
#ifndef HELPER_CHECK_H
#define HELPER_CHECK_H

#include "conf/conf.h"

/*
 * For -t: has the two programs check (their option -t) what the configuration names, and adds what they say as
 * problems at the directives that are concerned. `others`: the files are read later by somebody else than
 * us, so that one that we may not read is no mistake.
 */
void helper_check(struct conf *conf, bool others);

#endif
