/* check.c - what is wrong or doubtful in a configuration, told to a person */
#include "check.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

static void check_pattern(struct conf *conf, struct pattern *pattern)
{
    char message[256];
    size_t offset = 0;

    if (!pattern_compile(pattern, message, sizeof message, &offset))
        conf_complain(conf, false, pattern->line, pattern->column + (unsigned)offset, "bad regular expression: %s",
                      message);
}

static void check_list(struct conf *conf, const struct patterns *list)
{
    for (struct pattern *pattern = list->first; pattern != NULL; pattern = pattern->next)
        check_pattern(conf, pattern);
}

static void check_patterns(struct conf *conf)
{
    check_list(conf, &conf->rules.allow);
    check_list(conf, &conf->rules.deny);
    for (size_t i = 0; i < RULES_BUCKETS; i++)
        for (const struct allowgroup *g = conf->rules.groups[i]; g != NULL; g = g->next_in_bucket)
            check_list(conf, &g->patterns);
    for (struct rule *r = conf->rules.first_rule; r != NULL; r = r->next)
        if (r->kind == RCPT_PATTERN)
            check_pattern(conf, &r->pattern);
    for (struct refusal *r = conf->rules.first_refusal; r != NULL; r = r->next)
        check_pattern(conf, &r->pattern);
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
        conf_complain(conf, true, line, line > 0 ? 1 : 0, "%s is a symbolic link: mailrecv refuses to append to it",
                      text);
}

static void check_dead_letters(struct conf *conf)
{
    if (conf->deadletter_file.len == 0)
        conf_complain(conf, true, 0, 0, "no deadletter_file: mail for an address without a rule is refused with 550");
    else if (conf_keeps_dead_letters(conf))
        check_mailbox(conf, 0, conf->deadletter_file);
    else
        conf_complain(conf, true, 0, 0, "deadletter_file /dev/null: mail for an address without a rule is accepted "
                      "and thrown away; a delivery that fails in passing is answered with 451");
}

/* What somebody who comes from 1.x, or is in a hurry, should know. */
static void check_sense(struct conf *conf)
{
    bool commands = false;

    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        commands = commands || rule->target.kind == TARGET_PIPE;
        if (rule->target.kind == TARGET_APPEND)
            check_mailbox(conf, rule->line, rule->target.text);
    }
    check_dead_letters(conf);
    if (commands && !conf->pipe_from_line)
        conf_complain(conf, true, 0, 0, "commands get the message without an mbox From line "
                      "(pipe.from_line on brings it back)");
    if (conf->rules.allow.first != NULL || conf->rules.deny.first != NULL)
        conf_complain(conf, true, 0, 0, "host names count only when they are forward-confirmed");
    if (!conf->fsync)
        conf_complain(conf, true, 0, 0, "fsync off: an accepted message can be lost with the power");
    if (conf->user.len == 0 && geteuid() == 0)
        conf_complain(conf, true, 0, 0, "no user: when it is started as root, mailrecv serves as root");
}

void check_conf(struct conf *conf)
{
    check_patterns(conf);
    if (conf->errors == 0)
        check_sense(conf);
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
    for (const struct conf_problem *problem = conf->problems; problem != NULL; problem = problem->next) {
        const char *kind = problem->warning ? "warning: " : "";

        if (problem->line == 0) {
            fprintf(out, "%s: %s%s\n", conf->path, kind, problem->message);
            continue;
        }
        fprintf(out, "%s:%u:%u: %s%s\n", conf->path, problem->line, problem->column, kind, problem->message);
        print_source(conf, problem, out);
    }
}
