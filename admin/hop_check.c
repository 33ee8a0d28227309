/* hop_check.c - what is wrong or doubtful in what other servers are to be told and to prove */
#include "admin/hop_check.h"

#include <unistd.h>

#include "admin/probe.h"
#include "base/text.h"
#include "nexthop/connect.h"
#include "nexthop/credentials.h"
#include "nexthop/hop.h"

const struct rule *hop_check_verifies(const struct conf *conf)
{
    const struct rule *rule = conf->rules.first_rule;

    while (rule != NULL && (rule->target.hop == NULL || !rule->target.hop->verify))
        rule = rule->next;
    return rule;
}

bool hop_check_wants_tls(const struct conf *conf)
{
    const struct rule *rule = conf->rules.first_rule;

    while (rule != NULL && (rule->target.hop == NULL || rule->target.hop->security == HOP_CLEAR))
        rule = rule->next;
    return rule != NULL;
}

void hop_check(struct conf *conf)
{
    const uid_t user = probe_who.how == OURSELVES ? NEXTHOP_ANY_OWNER : probe_who.account.uid;
    struct nexthop_credentials credentials;
    char path[PATH_MAX], reason[NEXTHOP_REASON];

    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        const struct hop *hop = rule->target.hop;

        if (hop == NULL || hop->auth.len == 0)
            continue;
        text_string(path, sizeof path, hop->auth); /* cut, it is not there */
        if (access(path, R_OK) != 0)
            continue; /* access.c tells who may not read it */
        if (nexthop_credentials_read(hop->auth, user, &credentials, reason, sizeof reason))
            nexthop_credentials_wipe(&credentials);
        else
            conf_complain(conf, SEVERITY_ERROR, rule->line, conf_column_of(conf, rule->line, hop->auth), "%s", reason);
    }
}
