/* access.c - what the user who serves can read, write and execute of what the configuration names */
/*
 * All questions are collected first and answered together: where we are root and the user is somebody else, by a
 * child that becomes that user, in memory that both share. So the kernel answers, who knows more than modes show.
 */
#include "admin/access.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/hop_check.h"
#include "admin/modes.h"
#include "admin/probe.h"
#include "admin/programs.h"
#include "base/account.h"
#include "base/clock.h"
#include "base/cold.h"
#include "base/guarded.h"
#include "base/process.h"
#include "base/text.h"
#include "delivery/environment.h"
#include "delivery/path.h"
#include "stores/redis_place.h"
#include "tables/file.h"

enum {
    RULE_MOST = 2,         /* questions about one line */
    SETTINGS_MAX = 16,     /* questions about directives other than deliver */
    ANSWER_MS = 30 * 1000  /* longer than that no file system takes that works */
};

/* Adds a warning to a configuration: line, column, format. */
#define warn(conf, ...) conf_complain(conf, SEVERITY_WARNING, __VA_ARGS__)

/* How a need is told. */
static const char verbs[][12] = {
    [NEED_READ] = "read",       [NEED_EXECUTE] = "executed", [NEED_COMMAND] = "executed", [NEED_SOCKET] = "written",
    [NEED_MAILBOX] = "written", [NEED_LOG] = "written",      [NEED_MAILDIR] = "written",  [NEED_SPOOL] = "written",
    [NEED_ABOVE] = "entered",
};

static struct question *questions; /* room for all that a configuration can ask */
static size_t question_count;

/* Lets a child, with a group of its own, answer as the user. False: it could not, or hangs where a path leads. */
static bool answer_as_user(const struct conf *conf)
{
    struct process_end end;
    pid_t pid;

    conf_share(conf); /* the paths are there */
    pid = fork();
    if (pid < 0)
        return false;
    if (pid == 0) {
        if (setpgid(0, 0) != 0 || !account_become(&probe_who.account))
            _exit(EXIT_FAILURE);
        probe_answer(questions, question_count);
        _exit(EXIT_SUCCESS);
    }
    end = process_wait(pid, clock_ms() + ANSWER_MS);
    return process_exited(&end, EXIT_SUCCESS);
}

/* What to run, where that is plain. */
static void advise(struct conf *conf, const struct question *q, char *path)
{
    bool to_write = q->need >= NEED_MAILBOX;
    bool directory = q->need == NEED_MAILDIR || q->need == NEED_SPOOL || q->need == NEED_ABOVE;

    if (q->error == EACCES && q->in_parent)
        conf_advise(conf, directory ? "run: install -d -o %s -m 700 %s" : "run: install -o %s -m 600 /dev/null %s",
                    probe_who.account.name, path);
    else if (q->error == EACCES && q->need == NEED_SOCKET)
        conf_advise(conf, "let the server that listens there make the socket, and the way to it, for %s, too", probe_who.account.name);
    else if (q->error == EACCES && to_write && q->need != NEED_ABOVE)
        conf_advise(conf, "run: chown %s%s %s", directory ? "-R " : "", probe_who.account.name, path);
    else if (q->error == EACCES && q->secret)
        conf_advise(conf, "run: chown %s %s && chmod 600 %s", probe_who.account.name, path, path);
    else if (q->error == EACCES && q->need == NEED_READ)
        conf_advise(conf, "run: chgrp $(id -gn %s) %s && chmod g+r %s", probe_who.account.name, path, path);
    else if (q->error == EACCES)
        conf_advise(conf, "run: chmod a+rx %s", path);
    else if (q->error == ENOENT && to_write)
        conf_advise(conf, "run: install -d -o %s -m 700 %s", probe_who.account.name,
                    directory && !q->in_parent ? path : probe_parent(path));
}

/* What is wrong where the system's own text would not say it, and what to do. */
static const struct special {
    enum need need;
    int error;
    const char *text, *advice;
} specials[] = {
    { NEED_EXECUTE, ENOTSUP, "is on a file system that is mounted noexec", "put the program somewhere else" },
    { NEED_COMMAND, ENOTSUP, "is on a file system that is mounted noexec", "put the program somewhere else" },
    { NEED_SOCKET, ENOENT, "is not there: the server that makes it is not running, or makes it somewhere else", NULL },
    { NEED_SOCKET, ENOTSOCK, "is no socket", "write the path of the socket that the server listens at" },
    { NEED_MAILBOX, ELOOP, "is a symbolic link: mailrecv refuses to append to it", NULL },
    { NEED_MAILBOX, ESPIPE, "is not a regular file: mailrecv refuses to append to it",
      "a command may write to it: pipe cat >PATH" },
    { NEED_MAILDIR, ELOOP, "or its tmp, new or cur is a symbolic link to what is not there",
      "remove the link, then the directory is made; or make what it names" },
    { NEED_MAILDIR, EXDEV, "has its tmp on another file system than its new: no message can be moved",
      "make both directories of one file system" },
};

static const struct special *special_of(const struct question *q)
{
    for (size_t i = 0; i < sizeof specials / sizeof specials[0]; i++)
        if (specials[i].need == q->need && specials[i].error == q->error)
            return &specials[i];
    return NULL;
}

/* What is wrong. */
static void complain(struct conf *conf, const struct question *q)
{
    unsigned column = conf_column_of(conf, q->line, q->path);
    const struct special *special = special_of(q);
    char path[PATH_MAX], above[PATH_MAX];

    (void)probe_path(q, path); /* cut when too long */
    memcpy(above, path, sizeof above);
    if (special != NULL)
        warn(conf, q->line, column, "%s %s", path, special->text);
    else if (q->need == NEED_COMMAND && q->error == ENOENT && strchr(path, '/') == NULL)
        warn(conf, q->line, column, "there is no program %s in " ENVIRONMENT_PATH, path);
    else if (q->in_parent)
        warn(conf, q->line, column, "%s is not there, and %s cannot make it in %s: %s", path,
             probe_who.account.name, probe_parent(above), strerror(q->error));
    else
        warn(conf, q->line, column, "%s cannot be %s by %s: %s", path, verbs[q->need], probe_who.account.name,
             strerror(q->error));
    if (special == NULL)
        advise(conf, q, path);
    else if (special->advice != NULL)
        conf_advise(conf, "%s", special->advice);
}

/* What is wrong with the script of a program. */
static void complain_of_script(struct conf *conf, const struct question *q)
{
    char path[PATH_MAX], text[1024], advice[PATH_MAX + 1024];

    (void)probe_path(q, path);
    script_explain(&q->script, text, sizeof text);
    script_advise(&q->script, path, advice, sizeof advice);
    warn(conf, q->line, conf_column_of(conf, q->line, q->path), "%s cannot be executed by %s: %s", path,
         probe_who.account.name, text);
    conf_advise(conf, "%s", advice);
}

/* We are neither root nor that user. */
static void complain_of_unknown(struct conf *conf, const struct question *q)
{
    char path[PATH_MAX];

    (void)probe_path(q, path);
    warn(conf, q->line, conf_column_of(conf, q->line, q->path), "you may not look at %s, so that it is not known whether "
         "it can be %s by %s", path, verbs[q->need], probe_who.account.name);
    conf_advise(conf, "ask as root: mailrecv -t -u %s", probe_who.account.name);
}

/* ---- exposure ---------------------------------------------------------------------------- */

static bool is_open_to_all(const struct stat *status)
{
    return (status->st_mode & S_IWOTH) != 0 && (!S_ISDIR(status->st_mode) || (status->st_mode & S_ISVTX) == 0);
}

static unsigned column_of(const struct conf *conf, const struct question *q)
{
    return conf_column_of(conf, q->line, q->path);
}

/* Whoever can write to the path, or to a directory above it that is not sticky, can put something else there. */
static void check_exposure(struct conf *conf, const struct question *q)
{
    char path[PATH_MAX];
    struct stat status;
    bool there, first = true;

    if (!probe_path(q, path) || path[0] != '/')
        return;
    there = stat(path, &status) == 0;
    if (there && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return; /* as /dev/null */
    if (there && is_open_to_all(&status)) {
        warn(conf, q->line, column_of(conf, q), "everybody can write to %s", path);
        conf_advise(conf, "run: chmod o-w %s", path);
        return;
    }
    for (; strcmp(probe_parent(path), "/") != 0; first = false) {
        if (stat(path, &status) != 0 || (status.st_mode & S_IWOTH) == 0)
            continue;
        if (is_open_to_all(&status))
            warn(conf, q->line, column_of(conf, q), "everybody can write to %s, and so put something else there",
                 path);
        else if (first && !there)
            warn(conf, q->line, column_of(conf, q), "everybody can write to %s, and so be the first to make this",
                 path);
        else
            continue;
        conf_advise(conf, "write a path in a directory that is not open to everybody, as /var/lib/mailrecv");
        return;
    }
}

/* Root opens the log before it becomes the user: not through links of others, and so perhaps not at all. */
static void check_log_place(struct conf *conf)
{
    struct conf_place place = conf_place_of(conf, "logfile", conf->base.logfile);
    char path[PATH_MAX], above[PATH_MAX];
    struct stat status;

    if (conf->base.logfile.text[0] != '/' || snprintf(path, sizeof path, "%.*s", (int)conf->base.logfile.len,
                                                 conf->base.logfile.text) >= PATH_MAX)
        return;
    memcpy(above, path, sizeof above);
    for (bool first = true; strcmp(probe_parent(above), "/") != 0; first = false) {
        if (stat(above, &status) != 0 || !guarded_is_shared(&status) || (!first && (status.st_mode & S_ISVTX) != 0))
            continue; /* a sticky one lets nobody else move what is below it */
        warn(conf, place.line, place.column, "others than root can write to %s, and so put something else in the "
             "place of the log, which root opens first", above);
        conf_advise(conf, "write: logfile /var/log/mailrecv.log, or a path in another directory that is only root's");
        return;
    }
}

static void check_key(struct conf *conf, struct slice key)
{
    struct conf_place place = conf_place_of(conf, "tls.key", key);
    char path[PATH_MAX];
    struct stat status;

    text_string(path, sizeof path, key); /* cut, it is not there */
    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || (status.st_mode & S_IROTH) == 0)
        return;
    warn(conf, place.line, place.column, "everybody on this host can read the key");
    conf_advise(conf, "run: chmod o-r %s", path);
}

/* ---- what is asked ----------------------------------------------------------------------- */

static struct question *ask(struct conf *conf, enum need need, unsigned line, struct slice path)
{
    static struct question nobody_asks RARE_BSS;

    if (path.text[0] != '/' && (need != NEED_COMMAND || memchr(path.text, '/', path.len) != NULL)) {
        warn(conf, line, conf_column_of(conf, line, path),
             "%.*s is looked for where the super-server starts mailrecv, mostly in /", (int)path.len,
             path.text);
        conf_advise(conf, "write the full path");
        return &nobody_asks;
    }
    questions[question_count] = (struct question){ .need = need, .line = line, .path = path };
    return &questions[question_count++];
}

static void ask_setting(struct conf *conf, enum need need, const char *keyword, struct slice path, bool opened_before)
{
    unsigned line = conf_place_of(conf, keyword, path).line;

    if (path.len > 0 && line > 0)
        ask(conf, need, line, path)->opened_before = opened_before;
}

/* A file, or Redis, where redis_check.c looks. */
static void ask_store(struct conf *conf, const char *keyword, struct slice where)
{
    if (!redis_place_is(where))
        ask_setting(conf, NEED_MAILBOX, keyword, where, false);
    else
        ask_setting(conf, NEED_READ, "redis.auth", conf->stores.redis_auth, false);
}

static void ask_secrets(struct conf *conf, bool opened_before)
{
    if (conf->client.tls != TLS_OFF || hop_check_wants_tls(conf))
        ask_setting(conf, NEED_EXECUTE, "tls.helper", conf->client.tls_helper, false);
    if (hop_check_verifies(conf) != NULL)
        ask_setting(conf, NEED_READ, "tls.ca", conf->nexthop.tls_ca, probe_who.how == OURSELVES);
    if (conf->client.tls != TLS_OFF) {
        for (size_t i = 0; i < KEYWORD_LINES; i++) {
            ask_setting(conf, NEED_READ, "tls.cert", conf->client.tls_cert[i], opened_before);
            ask_setting(conf, NEED_READ, "tls.key", conf->client.tls_key[i], opened_before);
            check_key(conf, conf->client.tls_key[i]);
        }
        ask_setting(conf, NEED_READ, "tls.client_ca", conf->client.tls_client_ca, opened_before);
    }
    if (conf->client.auth == AUTH_OFF)
        return;
    ask_setting(conf, NEED_EXECUTE, "auth.command", conf->client.auth_command.path, false);
    if (conf->client.auth_command.path.len == 0 && conf->client.users_table == NULL)
        ask_setting(conf, NEED_READ, "auth.users", conf->client.auth_users, opened_before);
    if (conf->client.auth_sender_check && conf->client.senders_table == NULL)
        ask_setting(conf, NEED_READ, "auth.senders", conf->client.auth_senders, false);
}

static void ask_hop(struct conf *conf, const struct rule *rule)
{
    const struct hop *hop = rule->target.hop;

    if (hop->where.kind == WHERE_UNIX)
        (void)ask(conf, NEED_SOCKET, rule->line, hop->where.text);
    if (hop->auth.len > 0 && !hop_check_is_others(hop))
        ask(conf, NEED_READ, rule->line, hop->auth)->secret = true;
}

static void ask_service(struct conf *conf, unsigned line, const struct server *server)
{
    if (server->program.path.len > 0)
        (void)ask(conf, NEED_EXECUTE, line, server->program.path);
    else if (server->where.kind == WHERE_UNIX)
        (void)ask(conf, NEED_SOCKET, line, server->where.text);
}

static void ask_policies(struct conf *conf)
{
    for (const struct policy *p = conf->handlers.first_policy; p != NULL; p = p->next)
        ask_service(conf, p->line, &p->server);
}

static void ask_table_file(struct conf *conf, const struct table *table)
{
    struct question *question = ask(conf, NEED_READ, table->line, table->path);
    char path[PATH_MAX];
    struct stat status;

    if (probe_path(question, path) && stat(path, &status) == 0 && table_file_wants_index(&status))
        (void)ask(conf, NEED_SPOOL, table->line, conf->tables.cache);
}

static void ask_tables(struct conf *conf)
{
    for (const struct table *t = conf->tables.first; t != NULL; t = t->next)
        if (t->kind == TABLE_FILE)
            ask_table_file(conf, t);
        else
            ask_service(conf, t->line, &t->server);
}

static void ask_milters(struct conf *conf)
{
    for (const struct milter *m = conf->handlers.first_milter; m != NULL; m = m->next)
        if (m->where.kind == WHERE_UNIX)
            (void)ask(conf, NEED_SOCKET, m->clients.line, m->where.text);
}

/* Of a path that a table chooses: the directory before what it chooses. */
static void ask_above(struct conf *conf, unsigned line, struct slice path)
{
    const char *chosen = memmem(path.text, path.len, "%{", 2);
    const char *slash = chosen != NULL ? memrchr(path.text, '/', (size_t)(chosen - path.text)) : NULL;

    if (slash != NULL && slash > path.text)
        (void)ask(conf, NEED_ABOVE, line, (struct slice){ path.text, (size_t)(slash - path.text) });
}

static void ask_targets(struct conf *conf)
{
    static const enum need needs[] = { [TARGET_APPEND] = NEED_MAILBOX, [TARGET_MAILDIR] = NEED_MAILDIR,
                                       [TARGET_PIPE] = NEED_COMMAND, [TARGET_EXEC] = NEED_EXECUTE };

    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        const struct target *target = &rule->target;
        struct slice path = target->kind == TARGET_PIPE ? programs_plain(target->text) : target->text;

        if (target->hop != NULL)
            ask_hop(conf, rule);
        else if (path.len > 0 && path_is_chosen(target))
            ask_above(conf, rule->line, path);
        else if (path.len > 0)
            (void)ask(conf, needs[target->kind], rule->line, path);
    }
}

static void ask_all(struct conf *conf, bool opened_before)
{
    ask_targets(conf);
    ask_policies(conf);
    ask_milters(conf);
    ask_tables(conf);
    ask_setting(conf, conf->handlers.quarantine.maildir ? NEED_MAILDIR : NEED_MAILBOX, "quarantine",
                conf->handlers.quarantine.path, false);
    ask_secrets(conf, opened_before || probe_who.how == OURSELVES); /* what we cannot open is told by helper_check.c */
    ask_setting(conf, NEED_MAILBOX, "deadletter_file", conf->delivery.deadletter_file, false);
    ask_store(conf, "lockout.db", conf->client.lockout_db);
    ask_store(conf, "ledger", conf->delivery.ledger);
    ask_setting(conf, NEED_SPOOL, "spool_directory", conf->delivery.spool_directory, false);
    if (!slice_equal(conf->base.logfile, slice_of("syslog")) && !slice_equal(conf->base.logfile, slice_of("stderr")))
        ask_setting(conf, NEED_LOG, "logfile", conf->base.logfile, opened_before);
    if (opened_before && conf_line_of(conf, "logfile") > 0)
        check_log_place(conf);
}

/* Finds out who is asked for: that user, or the directive's, or ourselves. */
static bool find_who(const struct conf *conf, const char *user)
{
    char name[ACCOUNT_NAME];

    (void)snprintf(name, sizeof name, "%.*s", (int)conf->base.user.len, conf->base.user.text);
    if (user != NULL || name[0] != '\0')
        return probe_user(user != NULL ? user : name);
    if (account_of(&probe_who.account, geteuid()) != 0)
        (void)snprintf(probe_who.account.name, sizeof probe_who.account.name, "you");
    probe_who.how = OURSELVES;
    return true;
}

/* Of lines that may be repeated. */
static size_t count_questions(const struct conf *conf)
{
    size_t count = 0;

    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next)
        count += RULE_MOST;
    for (const struct policy *p = conf->handlers.first_policy; p != NULL; p = p->next)
        count++;
    for (const struct milter *m = conf->handlers.first_milter; m != NULL; m = m->next)
        count++;
    for (const struct table *t = conf->tables.first; t != NULL; t = t->next)
        count += RULE_MOST;
    return count;
}

static void tell_answers(struct conf *conf)
{
    /* which files of that need are no mail; to find a line takes as long as the configuration is long */
    const unsigned contacts = conf_line_of(conf, "lockout.db"), ledger = conf_line_of(conf, "ledger");

    if (probe_who.how != BY_BECOMING)
        probe_answer(questions, question_count);
    else if (!answer_as_user(conf))
        warn(conf, 0, 0, "cannot see as %s what it can read and write", probe_who.account.name);
    for (size_t i = 0; i < question_count; i++) {
        if (questions[i].error != 0)
            complain(conf, &questions[i]);
        else if (questions[i].script.fault != SCRIPT_FINE)
            complain_of_script(conf, &questions[i]);
        else if (questions[i].unknown)
            complain_of_unknown(conf, &questions[i]);
        check_exposure(conf, &questions[i]);
        if (questions[i].need == NEED_MAILDIR ||
            (questions[i].need == NEED_MAILBOX && questions[i].line != contacts && questions[i].line != ledger))
            modes_check(conf, questions[i].line, questions[i].path, questions[i].need == NEED_MAILDIR);
    }
}

bool access_check(struct conf *conf, const char *user)
{
    const size_t size = (count_questions(conf) + SETTINGS_MAX) * sizeof *questions;

    if (!find_who(conf, user))
        return true; /* there is no such user, which others have said */
    questions = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (questions == MAP_FAILED) {
        warn(conf, 0, 0, "cannot look at files: %s", strerror(errno));
        return probe_who.how != OURSELVES;
    }
    question_count = 0;
    ask_all(conf, user == NULL && conf->base.user.len > 0);
    tell_answers(conf);
    (void)munmap(questions, size);
    return probe_who.how != OURSELVES || conf->base.user.len > 0;
}
