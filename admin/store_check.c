/* store_check.c - whether the files of lockout.db and ledger are theirs: nothing else writes to them, or has made them */
#include "admin/store_check.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/text.h"
#include "client/lockout.h"
#include "delivery/ledger_db.h"
#include "stores/redis_place.h"

/* A file that is only for what this directive keeps. */
struct kept {
    const char *keyword;
    struct slice path;
};

static bool is_same_file(struct slice a, struct slice b)
{
    char one[PATH_MAX], other[PATH_MAX];
    struct stat ours, theirs;

    text_string(one, sizeof one, a); /* cut, it is not there */
    text_string(other, sizeof other, b);
    return slice_equal(a, b) || (stat(one, &ours) == 0 && stat(other, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
                                 ours.st_ino == theirs.st_ino);
}

/* What this line writes to. */
static void compare(struct conf *conf, const struct kept *kept, unsigned line, struct slice path)
{
    const struct conf_place place = conf_place_of(conf, kept->keyword, kept->path);

    if (line == 0 || path.len == 0 || !is_same_file(kept->path, path))
        return;
    conf_complain(conf, SEVERITY_ERROR, place.line, place.column, "%.*s is what %s writes to as well",
                  (int)kept->path.len, kept->path.text, conf_line_text(conf, line, place.line));
    conf_advise(conf, "write a path for %s that nothing else is written to", kept->keyword);
}

static void compare_all(struct conf *conf, const struct kept *kept)
{
    compare(conf, kept, conf_line_of(conf, "logfile"), conf->base.logfile);
    compare(conf, kept, conf_line_of(conf, "deadletter_file"), conf->delivery.deadletter_file);
    compare(conf, kept, conf->handlers.quarantine.line, conf->handlers.quarantine.path);
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        if (rule->target.kind == TARGET_APPEND || rule->target.kind == TARGET_MAILDIR)
            compare(conf, kept, rule->line, rule->target.text);
}

/* After the attempt to list what is in its file; what we may not read others tell. */
static void check_file(struct conf *conf, const struct kept *kept, const void *all)
{
    const struct conf_place place = conf_place_of(conf, kept->keyword, kept->path);

    if (all != NULL || errno != EMEDIUMTYPE)
        return;
    conf_complain(conf, SEVERITY_ERROR, place.line, place.column, "%.*s is no %s; it is left alone, and nothing is remembered",
                  (int)kept->path.len, kept->path.text, kept->keyword);
    conf_advise(conf, "write another path, whose file is made when it is needed");
}

static bool is_file(struct slice path)
{
    return path.len > 0 && !redis_place_is(path);
}

void store_check(struct conf *conf)
{
    const struct kept contacts = { "lockout.db", conf->client.lockout_db }, ledger = { "ledger", conf->delivery.ledger };
    char path[PATH_MAX];
    size_t count;
    void *all;

    if (is_file(contacts.path)) {
        const struct lockout_db db = lockout_contacts(&conf->client, path, false);

        compare_all(conf, &contacts);
        all = lockout_db_list(&db, &count);
        check_file(conf, &contacts, all);
        free(all);
    }
    if (is_file(ledger.path)) {
        const struct store store = ledger_db_store(&conf->delivery, path, false);

        if (is_file(contacts.path))
            compare(conf, &ledger, conf_line_of(conf, "lockout.db"), contacts.path);
        compare_all(conf, &ledger);
        all = store_list(&store, &count);
        check_file(conf, &ledger, all);
        free(all);
    }
}
