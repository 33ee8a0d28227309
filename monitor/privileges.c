/* privileges.c - what is opened before root becomes the user who serves, and becoming that user */
#include "monitor/privileges.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/account.h"
#include "base/cold.h"
#include "base/log.h"
#include "base/text.h"
#include "client/auth.h"
#include "client/starttls.h"

static const char *unopened_log; /* "": that of the configuration; by root, who follows no links of others: the user may try */

static void say_unopened(const char *where)
{
    log_line(LOG_ERR, "cannot open the log %s: %s", where,
             errno == ELOOP ? "a symbolic link leads there, and not only root can have made it" : strerror(errno));
}

/* What root cannot open is left for the user that it becomes. */
void privileges_open_log(const char *where, const char *of_option)
{
    if (log_open(where))
        return;
    if (geteuid() == 0)
        unopened_log = of_option != NULL ? of_option : "";
    else
        say_unopened(where);
}

/* The last try, as whom we have become; no more than a line in syslog if it fails again. */
void privileges_retry_log(const struct conf *conf)
{
    char path[4096]; /* not kept: what the session need not know is not in its memory */
    const char *where = path;

    if (unopened_log == NULL)
        return;
    text_string(path, sizeof path, conf->base.logfile);
    if (unopened_log[0] != '\0')
        where = unopened_log;
    if (!log_open(where))
        say_unopened(where);
    unopened_log = NULL;
}

/*
 * May the log that the configuration names be opened? With mistakes in it, also: who looks for them looks there. But its
 * own line must have none, and root makes no file where it would become a user of whom nothing is known for certain.
 */
bool privileges_may_open_log(const struct conf *conf, const char *path)
{
    unsigned line;

    if (conf->errors == 0)
        return true;
    line = conf_line_of(conf, "logfile");
    for (const struct conf_problem *p = conf->problems; p != NULL; p = p->next)
        if (p->severity == SEVERITY_ERROR && p->line == line)
            return false;
    return line > 0 && (geteuid() != 0 || conf_line_of(conf, "user") == 0 || access(path, F_OK) == 0);
}

/* Becomes that user, groups too; opens before what perhaps only root can read. */
static bool change_user(const struct conf *conf, struct slice user)
{
    static struct account account COLD_BSS;
    char name[ACCOUNT_NAME];
    int error;

    if (conf->client.tls != TLS_OFF)
        starttls_open(&conf->client);
    if (conf->client.auth != AUTH_OFF)
        auth_open(&conf->client);
    text_string(name, sizeof name, user);
    error = account_find(&account, name);
    if (error != 0) {
        log_line(LOG_ERR, "there is no user %s: %s", name, error != ENOENT ? strerror(error) : "not in passwd");
        return false;
    }
    if (!log_give(account.uid, account.gid))
        log_line(LOG_WARNING, "cannot give the log to %s: %m", name);
    if (account_become(&account))
        return true;
    log_line(LOG_ERR, "cannot become user %s: %m", name);
    return false;
}

/* Becomes the user of the configuration, if we are root. */
bool privileges_become(const struct conf *conf)
{
    bool done = geteuid() != 0 || conf->base.user.len == 0 || change_user(conf, conf->base.user);

    privileges_retry_log(conf);
    return done;
}
