/* callout.h - does a mail host of a domain answer, so that mail could go there? */
#ifndef CALLOUT_H
#define CALLOUT_H

#include <signal.h>

#include "dns/wire.h"
#include "nexthop/connect.h"

enum { CALLOUT_WHY = WHERE_HOST + NEXTHOP_SHOWN + NEXTHOP_REASON + 8 };

/*
 * Connects to port 25 of the mail hosts of a domain, in their order, until one greets with 220; to at most six addresses, in
 * half a minute, until `deadline` (clock.h), and never to one that is not of the public internet: the domain is a stranger's
 * word. The domain is canonical (dns/canonical.h), and no address literal. ANSWER_NONE: there is none, or all have refused for
 * good; ANSWER_UNSURE: that may be another time. `why` is for people, about the host that was asked last.
 */
enum answer_status callout(const char *domain, uint64_t deadline, const volatile sig_atomic_t *terminated,
                           char why[CALLOUT_WHY]);

#endif
