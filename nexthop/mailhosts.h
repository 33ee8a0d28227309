/* mailhosts.h - the mail hosts of a domain, in the order in which they are tried (RFC 5321 5.1) */
#ifndef MAILHOSTS_H
#define MAILHOSTS_H

#include "dns/wire.h"

struct mail_hosts {
    enum answer_status status; /* ANSWER_NONE: there are none that mail could go to; ANSWER_UNSURE: not known now */
    bool null_mx;              /* none, for the domain says that it wants no mail (RFC 7505) */
    bool implicit;             /* it names none, and is its own: whether it has an address is to be seen */
    size_t count;
    char names[ANSWER_NAMES][DOMAIN_MAX + 1]; /* well-formed; the best ones, if there are more */
};

/*
 * Asks for the mail hosts of a canonical domain (dns/canonical.h), no address literal, in a stage of the DNS of its own until `deadline` (clock.h).
 * nexthop_find (connect.h) has the addresses of each.
 */
void mail_hosts_find(const char *domain, uint64_t deadline, struct mail_hosts *hosts);

#endif
