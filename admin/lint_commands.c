/* lint_commands.c - commands whose status says too little, or whose words strangers choose: in lines and their scripts */
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/lint.h"
#include "admin/given.h"
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
    bool checked;
    bool examined;        /* it looks for bytes that must not be in a variable, or splits words in its own way */
    bool settled;         /* what it exits with is not what the line exits with */
    unsigned by;          /* who chooses variables (given.h) */
    struct slice doing, doing_at; /* the first command that does something with mail */
    bool waited;          /* that was not started in the background */
    const char *counted;  /* lines of the script are counted up to here, */
    unsigned line;        /* which is in this one */
};

static enum shell_end look_into(struct sight *sight, struct slice text);

/* Does it look at the room on the disk, or at the size of what it has, or keep the message whole? */
static bool is_checked(struct slice text)
{
    return slice_has(text, "df ") || slice_has(text, "MESSAGE_SIZE") || slice_has(text, "sync ");
}

/* "" for what stands in the line, or where it is in the script. Most of what is told is behind what was told before. */
static const char *place_of(struct sight *sight, struct slice word, char place[PLACE_TEXT])
{
    place[0] = '\0';
    if (sight->script == NULL)
        return place;
    if (sight->counted == NULL || sight->counted > word.text) {
        sight->counted = sight->text.text;
        sight->line = 1;
    }
    for (; sight->counted < word.text; sight->counted++)
        sight->line += *sight->counted == '\n';
    (void)snprintf(place, PLACE_TEXT, "%s:%u: ", sight->script, sight->line);
    return place;
}

/* `word` is what is told about; `at` is where that stands, maybe as a variable. */
static void __attribute__((format(printf, 4, 5)))
warn(struct sight *sight, struct slice at, struct slice word, const char *format, ...)
{
    char place[PLACE_TEXT], text[512];
    unsigned column;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    column = conf_column_of(sight->conf, sight->rule->line, sight->script != NULL ? sight->program : at);
    conf_complain(sight->conf, SEVERITY_WARNING, sight->rule->line, column, "%s%.*s %s", place_of(sight, at, place),
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

static void complain(struct sight *sight, const struct known_program *row, struct slice at, struct slice word)
{
    char statuses[20];

    switch (row->consequence) {
    case MAIL_LOST:
        warn(sight, at, word, "exits with 0 %s: mail is lost (seen with %s)", row->otherwise, row->seen);
        break;
    case MAIL_BOUNCED:
        warn(sight, at, word, "exits with %s %s: good mail is bounced (seen with %s)", statuses_text(row, statuses),
             row->otherwise, row->seen);
        conf_advise(sight->conf, "write: %s; or temporary before rcpt_to", row->write);
        return;
    case MAIL_COPIED:
        warn(sight, at, word, "%s: each retry leaves one more copy (seen with %s)", row->otherwise, row->seen);
        break;
    }
    conf_advise(sight->conf, "write: %s", row->write);
}

/* Where a word stands. */
static struct slice place_in(const struct shell_command *command, size_t word)
{
    return command->raw[word].len > 0 ? command->raw[word] : command->words[word];
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

/* Does an expression take any text? */
static bool is_wide(struct slice expression)
{
    return slice_has(expression, ".*") || slice_has(expression, ".+") || slice_has(expression, "[^");
}

/* Who chooses what is in the variables of a line? */
static unsigned given_by(const struct conf *conf, const struct rule *rule)
{
    const struct mailboxes *rcpt = &rule->rcpt;
    unsigned by = GIVEN_BY_CLIENT | GIVEN_BY_SENDER;

    for (const struct condition *c = rule->conditions; c != NULL; c = c->next)
        if (c->kind == CONDITION_FROM)
            by &= ~(unsigned)GIVEN_BY_SENDER;
    if (rcpt->kind == MAILBOXES_DOMAIN || (rcpt->kind == MAILBOXES_PATTERN && is_wide(rcpt->pattern->text)))
        by |= GIVEN_BY_RECIPIENT;
    return conf->rules.delimiters.len > 0 ? by | GIVEN_BY_EXTENSION : by;
}

/* Where strangers choose words or code. True: some word is code, which is not looked into. */
static bool look_for_given(struct sight *sight, const struct shell_command *command, size_t first)
{
    bool is_code = false;

    for (size_t i = 0; i < command->count; i++) {
        const struct given_code *code = first < command->count ? given_code(command, first, i) : NULL;
        struct given given;
        size_t at = 0;

        while (given_next(command->raw[i], sight->by, &at, &given)) {
            if (given_anew(sight->text, given.text))
                continue;
            if (code != NULL) {
                warn(sight, given.text, given.text, "becomes code of %.*s here: a stranger can have anything executed",
                     (int)command->words[first].len, command->words[first].text);
                conf_advise(sight->conf, "write %s", code->write);
                is_code = true;
            } else if (!given.quoted && !sight->examined && !given_is_whole(command, i)) {
                warn(sight, given.text, given.text, "without quotes is split at blanks, and * and ? in it become names of "
                     "files: a stranger chooses the words of %.*s", (int)command->words[0].len, command->words[0].text);
                conf_advise(sight->conf, "write: \"%.*s\"", (int)given.text.len, given.text.text);
            }
        }
    }
    return is_code;
}

static void look_at(void *context, const struct shell_command *command)
{
    struct sight *sight = context;
    const struct leniency leniency = { sight->rule->target.temporary || sight->settled, sight->rule->target.statuses };
    size_t first = programs_begin(command);

    for (size_t i = 0; i < programs_count; i++)
        if (!command->function && programs_warns(&programs[i], command, first, sight->checked, &leniency))
            complain(sight, &programs[i], place_in(command, first), command->words[first]);
    if (programs_matters(command, first)) {
        warn(sight, place_in(command, first), command->words[first],
             "may fail, and the pipe hides that: mail is lost if what follows exits with 0");
        conf_advise(sight->conf, "write a script for bash with set -o pipefail, or have its output in a file first");
    }
    if (sight->doing.len == 0 && programs_does(command, first)) {
        sight->doing = command->words[first];
        sight->doing_at = place_in(command, first);
        sight->waited = !command->background;
    }
    if (!look_for_given(sight, command, first) && first < command->count)
        (void)look_into(sight, inner_text(command, first)); /* it is one command of others */
}

static enum shell_end look_into(struct sight *sight, struct slice text)
{
    return text.len > 0 ? shell_each(text, look_at, sight) : SHELL_UNKNOWN;
}

/* All of a text. What is copied by an also line need not be, so that failures may be hidden there. */
static void look_at_text(struct sight *sight)
{
    enum shell_end end = look_into(sight, sight->text);

    if (end != SHELL_ALWAYS_0 || sight->doing.len == 0 || sight->rule->kind != RULE_DELIVER)
        return;
    warn(sight, sight->doing_at, sight->doing, "%s",
         sight->waited ? "may fail, and what stands around it exits with 0 all the same: mail is lost then"
                       : "is started in the background: nobody waits for it, and its standard input is not the message: "
                         "mail is lost");
    conf_advise(sight->conf, "write: %.*s ...%s", (int)sight->doing.len, sight->doing.text,
                sight->waited ? " || exit 75" : ", without &");
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

/* A text, of the line or of its program, to be looked at. */
static struct sight sight_of(struct conf *conf, const struct rule *rule, struct slice text)
{
    return (struct sight){ .conf = conf, .rule = rule, .text = text, .checked = is_checked(text),
                           .by = given_by(conf, rule),
                           .examined = slice_has(text, "[!") || slice_has(text, "[^") ||
                                       slice_has(text, "=~") || slice_has(text, "IFS=") || slice_has(text, "set -f") };
}

/* The program of a line is a shell script: what is in that? */
static void look_at_program(const struct sight *line, struct slice program, bool settled)
{
    char path[PATH_MAX];
    struct slice text = find_script(program, path);
    struct sight sight = sight_of(line->conf, line->rule, text);

    sight.script = path;
    sight.program = program;
    sight.settled = settled;
    if (is_for_shell(text))
        look_at_text(&sight);
}

/* The program of the last command of a line that is not of the shell itself. */
struct last_program {
    struct slice name;
    bool settled;
};

static void find_program(void *context, const struct shell_command *command)
{
    static const char own[] = "exit return echo printf : true false test [ set wait";
    struct last_program *last = context;
    size_t first = programs_begin(command);

    if (first < command->count && !command->substituted && !programs_is(command->words[first], own))
        *last = (struct last_program){ command->words[first], !command->decides };
}

static void lint_pipe(struct sight *sight)
{
    struct last_program last = { .settled = false };

    look_at_text(sight);
    (void)shell_each(sight->text, find_program, &last); /* that was looked at */
    if (last.name.len > 0)
        look_at_program(sight, last.name, last.settled);
}

static void lint_exec(struct sight *sight)
{
    const struct target *target = &sight->rule->target;
    struct shell_command command = { .words = { target->text }, .count = 1, .decides = true };

    for (size_t i = 0; i < target->argument_count && command.count < SHELL_WORDS; i++)
        command.words[command.count++] = target->arguments[i].text;
    look_at(sight, &command);
    look_at_program(sight, target->text, false);
}

void lint_commands(struct conf *conf)
{
    for (const struct rule *rule = conf->rules.first_rule; rule != NULL; rule = rule->next) {
        struct sight sight = sight_of(conf, rule, rule->target.text);

        if (rule->kind != RULE_REFUSE && rule->target.kind == TARGET_PIPE)
            lint_pipe(&sight);
        else if (rule->kind != RULE_REFUSE && rule->target.kind == TARGET_EXEC)
            lint_exec(&sight);
    }
}
