/* mailhosts.c - the mail hosts of a domain, in the order in which they are tried (RFC 5321 5.1) */
#include "nexthop/mailhosts.h"

#include "dns/dns.h"

static void add(struct mail_hosts *hosts, const char *name)
{
    if (envelope_domain(slice_of(name)))
        memcpy(hosts->names[hosts->count++], name, strlen(name) + 1);
}

void mail_hosts_find(const char *domain, uint64_t deadline, struct mail_hosts *hosts)
{
    const struct answer *answer;

    dns_new_deadline_by(deadline);
    answer = dns_ask(DNS_MX, domain);
    hosts->status = answer->status;
    hosts->null_mx = answer->status == ANSWER_FOUND && answer->null_mx;
    hosts->implicit = answer->status == ANSWER_NONE;
    hosts->count = 0;
    if (hosts->implicit)
        add(hosts, domain);
    for (size_t i = 0; answer->status == ANSWER_FOUND && i < answer->count; i++)
        add(hosts, answer->names[i]);
    if (hosts->status != ANSWER_UNSURE)
        hosts->status = hosts->count > 0 ? ANSWER_FOUND : ANSWER_NONE;
}
