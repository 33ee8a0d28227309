/* check.c - what is wrong or doubtful in a configuration, told to a person */
#include "check.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account.h"
#include "helpers.h"
#include "reach.h"
#include "sandbox.h"

/* `skip` is where the pattern begins in its word: behind the slash of /REGEX/. */
static void check_pattern(struct conf *conf, struct pattern *pattern, size_t skip)
{
    char message[256];
    size_t offset = 0;

    if (!pattern_compile(pattern, message, sizeof message, &offset))
        conf_complain(conf, SEVERITY_ERROR, pattern->line,
                      conf_column(conf, pattern->line, pattern->column, skip + offset),
                      "bad regular expression: %s", message);
}

static void check_list(struct conf *conf, const struct patterns *list)
{
    for (struct pattern *pattern = list->first; pattern != NULL; pattern = pattern->next)
        check_pattern(conf, pattern, 0);
}

static void check_patterns(struct conf *conf)
{
    check_list(conf, &conf->rules.allow);
    check_list(conf, &conf->rules.deny);
    check_list(conf, &conf->rules.exempt);
    check_list(conf, &conf->rules.proxies);
    for (const struct allowgroup *g = conf->rules.first_group; g != NULL; g = g->next)
        check_list(conf, &g->patterns);
    for (struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        if (r->kind == RCPT_PATTERN)
            check_pattern(conf, r->pattern, 1);
    for (struct refusal *r = conf->rules.first_refusal; r != NULL; r = r->next)
        check_pattern(conf, &r->pattern, 0);
}

/* 1.x followed links; whoever may write the directory could then have us write any file. */
static void check_mailbox(struct conf *conf, unsigned line, struct slice path)
{
    char text[PATH_MAX];
    struct stat status;

    if (path.len >= sizeof text)
        return;
    memcpy(text, path.text, path.len);
    text[path.len] = '\0';
    if (lstat(text, &status) == 0 && S_ISLNK(status.st_mode))
        conf_complain(conf, SEVERITY_WARNING, line, line > 0 ? 1 : 0, "%s is a symbolic link: mailrecv refuses to append to it",
                      text);
}

static void check_dead_letters(struct conf *conf)
{
    if (conf->deadletter_file.len == 0)
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "no deadletter_file: mail for an address without a rule is refused with 550");
    else if (conf_keeps_dead_letters(conf))
        check_mailbox(conf, 0, conf->deadletter_file);
    else
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "deadletter_file /dev/null: mail for an address without a rule is accepted "
                      "and thrown away; a delivery that fails in passing is answered with 451");
}

static bool list_has_names(const struct patterns *list)
{
    for (const struct pattern *p = list->first; p != NULL; p = p->next)
        if (!pattern_is_for_addresses(p->text))
            return true;
    return false;
}

static void check_names(struct conf *conf)
{
    bool names = list_has_names(&conf->rules.allow) || list_has_names(&conf->rules.deny) ||
                 list_has_names(&conf->rules.exempt) || list_has_names(&conf->rules.proxies);

    for (const struct allowgroup *g = conf->rules.first_group; g != NULL; g = g->next)
        names = names || list_has_names(&g->patterns);
    if (names)
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "host names count only when they are forward-confirmed");
}

/* 1.x used the last of several lines for one address. */
static void check_repeated(struct conf *conf, const struct rule *rule)
{
    for (const struct rule *r = conf->rules.first_rule; r != rule; r = r->next)
        if (r->kind == RCPT_ADDRESS && slice_equal_nocase(r->rcpt, rule->rcpt)) {
            conf_complain(conf, SEVERITY_WARNING, rule->line, 1, "%.*s has a rule on line %u, too: the first one that accepts the "
                          "client decides", (int)rule->rcpt.len, rule->rcpt.text, r->line);
            return;
        }
}

static void check_sandbox(struct conf *conf)
{
    const char *missing = conf->sandbox != SANDBOX_OFF ? sandbox_missing() : "";

    if (missing[0] != '\0')
        conf_complain(conf, conf->sandbox == SANDBOX_TRY ? SEVERITY_WARNING : SEVERITY_ERROR, 0, 0, "sandbox: this kernel has no %s", missing);
}

static void check_user(struct conf *conf)
{
    struct account account;
    char name[ACCOUNT_NAME];

    if (conf->user.len == 0 && geteuid() == 0)
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "no user: when it is started as root, mailrecv serves as root");
    if (conf->user.len == 0)
        return;
    (void)snprintf(name, sizeof name, "%.*s", (int)conf->user.len, conf->user.text);
    if (account_find(&account, name) != 0)
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "there is no user %s: started as root, mailrecv would serve nobody", name);
}

/* Lists answer with errors and hints, too, and zones change hands: then everybody is on the list. */
static void check_lists(struct conf *conf)
{
    for (const struct host_list *list = conf->rules.lists; list != NULL; list = list->next)
        if (!list->filtered)
            conf_complain(conf, SEVERITY_WARNING, list->line, 1, "without a filter such as =127.0.0.2..11, any answer of %.*s "
                          "below 127.0.0.0/8 says that a host is listed", (int)list->zone.len, list->zone.text);
}

static void check_lockout(struct conf *conf)
{
    static const char *const words[] = { "lockout.violations", "lockout.period", "lockout.secs", "lockout.exempt" };

    for (size_t i = 0; i < sizeof words / sizeof words[0] && conf->lockout_db.len == 0; i++)
        if (conf_line_of(conf, words[i]) > 0)
            conf_complain(conf, SEVERITY_WARNING, conf_line_of(conf, words[i]), 1,
                          "'%s' has no effect without lockout.db", words[i]);
}

static void check_early_talker(struct conf *conf)
{
    if (conf->early_talker.value != 0 && conf->tls == TLS_IMPLICIT)
        conf_complain(conf, SEVERITY_WARNING, conf_line_of(conf, "limit.early_talker"), 1,
                      "'limit.early_talker' has no effect with tls implicit, where clients have to talk first");
}

/* What somebody who comes from 1.x, or is in a hurry, should know. */
static void check_sense(struct conf *conf)
{
    bool commands = false;

    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        commands = commands || rule->target.kind == TARGET_PIPE;
        if (rule->target.kind == TARGET_APPEND)
            check_mailbox(conf, rule->line, rule->target.text);
        if (rule->kind == RCPT_ADDRESS)
            check_repeated(conf, rule);
    }
    check_dead_letters(conf);
    check_names(conf);
    check_lists(conf);
    if (commands && !conf->pipe_from_line)
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "commands get the message without an mbox From line "
                      "(pipe.from_line on brings it back)");
    if (conf->default_reply_line > 0)
        conf_complain(conf, SEVERITY_WARNING, conf->default_reply_line, 1, "without CODE and TEXT a limit answers with its "
                      "default, 421 for most");
    if (!conf->fsync)
        conf_complain(conf, SEVERITY_WARNING, 0, 0, "fsync off: an accepted message can be lost with the power");
    check_lockout(conf);
    check_early_talker(conf);
    check_user(conf);
}

void check_conf(struct conf *conf)
{
    check_patterns(conf);
    check_sandbox(conf);
    if (conf->errors == 0)
        check_sense(conf);
}

/* The column of the first word of a line. */
static unsigned first_column(const struct conf *conf, unsigned number)
{
    struct slice line = conf_line(conf, number);
    unsigned column = 1;

    while (column < line.len && strchr(" \t", line.text[column - 1]) != NULL)
        column++;
    return column;
}

/* AUTH without TLS would show passwords to whoever listens. */
static void check_auth(struct conf *conf)
{
    unsigned line = conf_line_of(conf, "auth");

    if (conf->auth == AUTH_OFF || conf->tls != TLS_OFF || conf->auth_insecure)
        return;
    conf_complain(conf, SEVERITY_WARNING, line, first_column(conf, line),
                  "AUTH is never offered, because that takes TLS and tls is off%s",
                  conf->auth == AUTH_REQUIRED ? ": nobody can send mail" : "");
    conf_advise(conf, "write: tls required, tls.cert PATH and tls.key PATH");
}

void check_host(struct conf *conf, const char *user)
{
    if (conf->errors > 0)
        return;
    check_auth(conf);
    helpers_check(conf, reach_check(conf, user));
}

/* The line itself and a caret under the column; tabs stay tabs, so that the caret meets its place. */
static void print_source(const struct conf *conf, const struct conf_problem *problem, FILE *out)
{
    struct slice line = conf_line(conf, problem->line);

    fprintf(out, "    %.*s\n    ", (int)line.len, line.text);
    for (unsigned i = 1; i < problem->column; i++)
        fputc(i <= line.len && line.text[i - 1] == '\t' ? '\t' : ' ', out);
    fputs("^\n", out);
}

void check_print(const struct conf *conf, FILE *out)
{
    static const char kinds[][10] = { [SEVERITY_ERROR] = "", [SEVERITY_WARNING] = "warning: ",
                                      [SEVERITY_NOTE] = "note: " };

    for (const struct conf_problem *problem = conf->problems; problem != NULL; problem = problem->next) {
        if (problem->line == 0) {
            fprintf(out, "%s: %s%s\n", conf->path, kinds[problem->severity], problem->message);
        } else {
            fprintf(out, "%s:%u:%u: %s%s\n", conf->path, problem->line, problem->column, kinds[problem->severity],
                    problem->message);
            if (problem->severity != SEVERITY_NOTE)
                print_source(conf, problem, out);
        }
        if (problem->advice != NULL)
            fprintf(out, "    %s\n", problem->advice);
    }
}
