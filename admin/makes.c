/* makes.c - which files root, serving as root, would make where others may */
#include "admin/makes.h"

#include <stdio.h>
#include <sys/stat.h>

#include "admin/probe.h"
#include "base/guarded.h"
#include "delivery/path.h"
#include "stores/redis_place.h"

/* Is the file missing, and would be made in such a directory? A maildir is one itself: each message is made. */
static bool makes_one(struct slice text, bool is_maildir, char path[MAKES_PATH])
{
    char above[MAKES_PATH];
    struct stat status;

    if (text.len == 0 || text.len >= MAKES_PATH || redis_place_is(text))
        return false;
    (void)snprintf(path, MAKES_PATH, "%.*s", (int)text.len, text.text);
    memcpy(above, path, sizeof above);
    if (lstat(path, &status) == 0)
        return is_maildir && stat(path, &status) == 0 && guarded_is_shared(&status); /* a link is everybody's to write */
    return stat(probe_parent(above), &status) == 0 && guarded_is_shared(&status);
}

bool makes_for_others(const struct conf *conf, const char *log, char path[MAKES_PATH])
{
    if (log != NULL && strcmp(log, "syslog") != 0 && strcmp(log, "stderr") != 0 &&
        makes_one(slice_of(log), false, path))
        return true;
    if (conf->delivery.rehearse != NULL)
        return false;
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        if ((rule->target.kind == TARGET_APPEND || rule->target.kind == TARGET_MAILDIR) && !path_is_chosen(&rule->target) &&
            makes_one(rule->target.text, rule->target.kind == TARGET_MAILDIR, path))
            return true;
    return makes_one(conf->delivery.deadletter_file, false, path) ||
           makes_one(conf->client.lockout_db, false, path) ||
           makes_one(conf->delivery.ledger, false, path) ||
           makes_one(conf->handlers.quarantine.path, conf->handlers.quarantine.maildir, path);
}
