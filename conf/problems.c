/* problems.c - what is wrong with the file: collected in the order of its lines, logged once */
#include "conf/parser.h"

#include <ctype.h>
#include <stdarg.h>

#include "base/log.h"

static bool is_behind(const struct conf_problem *problem, unsigned line, unsigned column)
{
    return problem->line > line || (problem->line == line && problem->column > column);
}

/* A format and its arguments, in memory of the configuration. */
static const char *__attribute__((format(printf, 2, 0)))
format_text(struct conf *conf, const char *format, va_list args)
{
    char text[1024], *copy;

    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    for (char *c = text; *c != '\0'; c++) /* from the file, and on its way to a terminal */
        if (iscntrl((unsigned char)*c) != 0)
            *c = '?';
    copy = memory_take(conf, strlen(text) + 1);
    memcpy(copy, text, strlen(text) + 1);
    return copy;
}

void conf_complain(struct conf *conf, enum severity severity, unsigned line, unsigned column, const char *format, ...)
{
    struct conf_problem *problem = memory_take(conf, sizeof *problem), **place = &conf->problems;
    va_list args;

    *problem = (struct conf_problem){ .line = line, .column = column, .severity = severity };
    va_start(args, format);
    problem->message = format_text(conf, format, args);
    va_end(args);
    if (conf->last_problem != NULL && !is_behind(conf->last_problem, line, column))
        place = &conf->last_problem->next; /* nearly always: problems are found in order */
    while (*place != NULL && !is_behind(*place, line, column))
        place = &(*place)->next;
    problem->next = *place;
    *place = problem;
    conf->last_problem = problem;
    conf->errors += severity == SEVERITY_ERROR;
}

void conf_advise(struct conf *conf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    conf->last_problem->advice = format_text(conf, format, args);
    va_end(args);
}

struct place conf_problem_place(const struct conf *conf, const struct conf_problem *problem)
{
    return source_place(conf->sources, problem->line, problem->column);
}

/* A format and its arguments in memory of the configuration, for conf_line_text. */
static const char *__attribute__((format(printf, 2, 3))) put_text(struct conf *conf, const char *format, ...)
{
    va_list args;
    const char *text;

    va_start(args, format);
    text = format_text(conf, format, args);
    va_end(args);
    return text;
}

const char *conf_line_text(struct conf *conf, unsigned line, unsigned told_at)
{
    const char *path = source_path(conf->sources, line);
    bool same = strcmp(path, source_path(conf->sources, told_at)) == 0;

    return put_text(conf, "line %u%s%s", source_line(conf->sources, line), same ? "" : " of ", same ? "" : path);
}

/* A process lives for a connection: whether the same was said a minute ago only the log itself knows. */
static void log_problem(const struct conf *conf, const struct conf_problem *p)
{
    struct place at = conf_problem_place(conf, p);
    char place[32] = "", text[2 * LOG_TEXT];

    if (p->line > 0)
        (void)snprintf(place, sizeof place, ":%u:%u", at.line, at.column);
    (void)snprintf(text, sizeof text, "%s%s: %s", at.path, place, p->message); /* cut when too long */
    if (!log_has(text))
        log_line(p->severity == SEVERITY_ERROR ? LOG_ERR : LOG_WARNING, "%s", text);
}

void conf_log_problems(struct conf *conf)
{
    log_copy_to_syslog(true); /* so that errors are found there, too */
    for (struct conf_problem *p = conf->problems; p != NULL; p = p->next) {
        if (!p->logged && (p->severity == SEVERITY_ERROR || log_wants('w')))
            log_problem(conf, p);
        p->logged = true;
    }
    log_copy_to_syslog(false);
}
