/* hop_check.c - what is wrong or doubtful in what other servers are to be told and to prove */
#include "admin/hop_check.h"

#include <unistd.h>

#include "admin/probe.h"
#include "base/credentials.h"
#include "base/text.h"
#include "nexthop/connect.h"
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

static uid_t who_serves(void)
{
    return probe_who.how == OURSELVES ? CREDENTIALS_ANY_OWNER : probe_who.account.uid;
}

/* False: access.c tells who may not read it. */
static bool may_be_read(const struct hop *hop, char path[PATH_MAX])
{
    text_string(path, PATH_MAX, hop->auth); /* cut, it is not there */
    return access(path, R_OK) == 0;
}

bool hop_check_is_others(const struct hop *hop)
{
    const uid_t user = who_serves();
    char path[PATH_MAX];
    struct stat status;

    return user != CREDENTIALS_ANY_OWNER && may_be_read(hop, path) && stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           status.st_uid != user;
}

static void check_file(struct conf *conf, const struct rule *rule)
{
    const struct hop *hop = rule->target.hop;
    struct credentials credentials;
    char path[PATH_MAX], reason[NEXTHOP_REASON];

    if (!may_be_read(hop, path))
        return;
    if (credentials_read(hop->auth, who_serves(), &credentials, reason, sizeof reason)) {
        credentials_wipe(&credentials);
        return;
    }
    conf_complain(conf, SEVERITY_ERROR, rule->line, conf_column_of(conf, rule->line, hop->auth), "%s", reason);
    if (hop_check_is_others(hop))
        conf_advise(conf, "run: chown %s %s && chmod 600 %s", probe_who.account.name, path, path);
}

/* In clear it does not leave this host at all. */
static void check_way(struct conf *conf, const struct rule *rule)
{
    const struct hop *hop = rule->target.hop;

    if (hop->verify || hop->security == HOP_CLEAR || where_is_local(&hop->where))
        return;
    conf_complain(conf, SEVERITY_WARNING, rule->line, conf_column_of(conf, rule->line, rule->target.text),
                  "without verify the password goes to whoever answers there");
    conf_advise(conf, "write: %s verify auth %.*s", hop->security == HOP_TLS ? "tls" : "starttls", (int)hop->auth.len,
                hop->auth.text);
}

void hop_check(struct conf *conf)
{
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        if (rule->target.hop != NULL && rule->target.hop->auth.len > 0) {
            check_file(conf, rule);
            check_way(conf, rule);
        }
}
