/* lint_commands.c - commands whose exit status says too little: in lines, and in shell scripts that are their programs */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/lint.h"
#include "admin/programs.h"
#include "base/cold.h"
#include "delivery/environment.h"

enum { SCRIPT_MOST = 65536, PLACE_TEXT = PATH_MAX + 32 };

/* Where commands are looked at. */
struct sight {
    struct conf *conf;
    const struct rule *rule;
    struct slice text;    /* all of it */
    const char *script;   /* the path of the file that it is; NULL: it stands in the line itself */
    struct slice program; /* which the line calls for it */
    bool checked, pipefail;
};

static void look_into(struct sight *sight, struct slice text);

/* Does it look at the room on the disk, or at the size of what it has, or keep the message whole? */
static bool is_checked(struct slice text)
{
    return slice_has(text, "df ") || slice_has(text, "MESSAGE_SIZE") || slice_has(text, "sync ");
}

/* "" for what stands in the line, or where it is in the script. */
static const char *place_of(const struct sight *sight, struct slice word, char place[PLACE_TEXT])
{
    unsigned line = 1;

    place[0] = '\0';
    for (const char *p = sight->text.text; sight->script != NULL && p < word.text; p++)
        line += *p == '\n';
    if (sight->script != NULL)
        (void)snprintf(place, PLACE_TEXT, "%s:%u: ", sight->script, line);
    return place;
}

static void __attribute__((format(printf, 3, 4)))
warn(const struct sight *sight, struct slice word, const char *format, ...)
{
    char place[PLACE_TEXT], text[512];
    unsigned column;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    column = conf_column_of(sight->conf, sight->rule->line, sight->script != NULL ? sight->program : word);
    conf_complain(sight->conf, SEVERITY_WARNING, sight->rule->line, column, "%s%.*s %s", place_of(sight, word, place),
                  (int)word.len, word.text, text);
}

/* "65, 67, 77" */
static const char *statuses_text(const struct known_program *row, char text[20])
{
    size_t used = 0;

    for (size_t i = 0; i < sizeof row->statuses && row->statuses[i] != 0; i++)
        used += (size_t)snprintf(text + used, 20 - used, "%s%u", i > 0 ? ", " : "", row->statuses[i]);
    return text;
}

static void complain(const struct sight *sight, const struct known_program *row, struct slice word)
{
    char statuses[20];

    switch (row->consequence) {
    case MAIL_LOST:
        warn(sight, word, "exits with 0 %s: mail is lost (seen with %s)", row->otherwise, row->seen);
        break;
    case MAIL_BOUNCED:
        warn(sight, word, "exits with %s %s: good mail is bounced (seen with %s)", statuses_text(row, statuses),
             row->otherwise, row->seen);
        conf_advise(sight->conf, "write: %s; or temporary before rcpt_to", row->write);
        return;
    case MAIL_COPIED:
        warn(sight, word, "%s: each retry leaves one more copy (seen with %s)", row->otherwise, row->seen);
        break;
    }
    conf_advise(sight->conf, "write: %s", row->write);
}

/* The text behind -c of a shell. */
static struct slice inner_text(const struct shell_command *command, size_t first)
{
    static const char *const shells[] = { "sh", "bash", "dash", "/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/sh",
                                          "/usr/bin/bash", "/usr/bin/dash" };
    bool is_shell = false;

    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        is_shell = is_shell || slice_equal(command->words[first], slice_of(shells[i]));
    if (is_shell && command->count > first + 2 && slice_equal(command->words[first + 1], slice_of("-c")))
        return command->words[first + 2];
    return (struct slice){ "", 0 };
}

static void look_at(void *context, const struct shell_command *command)
{
    struct sight *sight = context;
    const struct leniency leniency = { sight->rule->target.temporary, sight->rule->target.statuses };
    size_t first = programs_begin(command);

    for (size_t i = 0; i < programs_count; i++)
        if (programs_warns(&programs[i], command, first, sight->checked, &leniency))
            complain(sight, &programs[i], command->words[first]);
    if (!sight->pipefail && programs_matters(command, first)) {
        warn(sight, command->words[first],
             "may fail, and the pipe hides that: mail is lost if what follows exits with 0");
        conf_advise(sight->conf, "write a script for bash with set -o pipefail, or have its output in a file first");
    }
    if (first < command->count)
        look_into(sight, inner_text(command, first));
}

static void look_into(struct sight *sight, struct slice text)
{
    if (text.len > 0)
        shell_each(text, look_at, sight);
}

/* Is this, by its first line, a script for a shell that reads as sh does? */
static bool is_for_shell(struct slice text)
{
    static const char *const shells[] = { "/sh", "/bash", "/dash", "/ksh", "env sh", "env bash", "env -S bash" };
    const char *lf = memchr(text.text, '\n', text.len);
    struct slice line = { text.text, lf != NULL ? (size_t)(lf - text.text) : text.len };
    bool named = false;

    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++)
        named = named || slice_has(line, shells[i]);
    return named && line.len > 2 && memcmp(line.text, "#!", 2) == 0;
}

/* Reads a file of SCRIPT_MOST bytes at most; empty if it is none, or cannot be read. */
static struct slice read_script(const char *path)
{
    static char text[SCRIPT_MOST] COLD_BSS;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    ssize_t n = 0;

    if (fd < 0)
        return (struct slice){ "", 0 };
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= SCRIPT_MOST)
        n = read(fd, text, sizeof text);
    (void)close(fd); /* only read */
    return (struct slice){ text, n > 0 ? (size_t)n : 0 };
}

/* A program that is looked for as commands look for it. */
static struct slice find_script(struct slice program, char path[PATH_MAX])
{
    struct slice text = { "", 0 };
    size_t len;

    if (program.len == 0 || memchr(program.text, '/', program.len) != NULL)
        return snprintf(path, PATH_MAX, "%.*s", (int)program.len, program.text) < PATH_MAX && path[0] == '/'
                   ? read_script(path) : text;
    for (const char *p = ENVIRONMENT_PATH; text.len == 0 && *p != '\0'; p += len + (p[len] == ':')) {
        len = strcspn(p, ":");
        if (snprintf(path, PATH_MAX, "%.*s/%.*s", (int)len, p, (int)program.len, program.text) < PATH_MAX)
            text = read_script(path);
    }
    return text;
}

/* The program of a line is a shell script: what is in that? */
static void look_at_program(const struct sight *line, struct slice program)
{
    char path[PATH_MAX];
    struct slice text = find_script(program, path);
    struct sight sight = { .conf = line->conf, .rule = line->rule, .text = text, .script = path, .program = program,
                           .checked = is_checked(text), .pipefail = slice_has(text, "pipefail") };

    if (is_for_shell(text))
        look_into(&sight, text);
}

/* The program of the last command of a line, whose status is that of the line; or of the only one. */
static void find_program(void *context, const struct shell_command *command)
{
    struct slice *program = context;
    size_t first = programs_begin(command);

    if (first < command->count && !command->substituted)
        *program = command->words[first];
}

static void lint_pipe(struct sight *sight)
{
    struct slice program = { "", 0 };

    look_into(sight, sight->text);
    shell_each(sight->text, find_program, &program);
    look_at_program(sight, program);
}

static void lint_exec(struct sight *sight)
{
    const struct target *target = &sight->rule->target;
    struct shell_command command = { .words = { target->text }, .count = 1, .decides = true };

    for (size_t i = 0; i < target->argument_count && command.count < SHELL_WORDS; i++)
        command.words[command.count++] = target->arguments[i].text;
    look_at(sight, &command);
    look_at_program(sight, target->text);
}

void lint_commands(struct conf *conf)
{
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        struct slice text = rule->target.text;
        struct sight sight = { .conf = conf, .rule = rule, .text = text, .checked = is_checked(text),
                               .pipefail = slice_has(text, "pipefail") };

        if (rule->kind != RULE_REFUSE && rule->target.kind == TARGET_PIPE)
            lint_pipe(&sight);
        else if (rule->kind != RULE_REFUSE && rule->target.kind == TARGET_EXEC)
            lint_exec(&sight);
    }
}
