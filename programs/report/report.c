/* report.c - the separate program mailrecv-report: reads logs, draws a picture of what happened, follows */
/*
 * One pass, and memory that does not grow with the log: lines are cut out of one buffer and counted
 * at once (tally.c). Compressed logs are read through the program that knows them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "programs/report/moment.h"
#include "programs/report/output.h"
#include "programs/report/tally.h"

#define PROGRAM "mailrecv-report"

enum {
    BUFFER = 256 << 10, /* bytes; a longer line is none of mailrecv's, and is taken in pieces */
    REDRAW_MS = 1000    /* the least time between two pictures, and between two looks at a file */
};

struct options {
    output_writer *writer;
    const char *days, *output; /* NULL: all days, standard output */
    size_t rows;
    bool follow;
    char **logs;
    size_t count;
};

/* A log that is being read. */
struct source {
    const char *name;
    int fd;
    pid_t helper; /* decompresses; 0: there is none */
    struct stat file;
    uint64_t offset;
    size_t used;
    char buffer[BUFFER];
};

static struct tally tally;
static struct source source;

static void __attribute__((format(printf, 1, 2))) complain(const char *format, ...)
{
    va_list args;

    (void)fflush(stdout); /* what it says is older; its errors are looked at in the end */
    (void)fputs(PROGRAM ": ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static const char *decompressor(const char *name)
{
    static const char *const programs[][2] = { { ".gz", "gzip" }, { ".xz", "xz" },
                                                { ".zst", "zstd" }, { ".bz2", "bzip2" } };
    const char *suffix = strrchr(name, '.');

    for (size_t i = 0; suffix != NULL && i < sizeof programs / sizeof programs[0]; i++)
        if (strcmp(suffix, programs[i][0]) == 0)
            return programs[i][1];
    return NULL;
}

/* Puts the program between the file and us; its standard input is the file, no name is on its command line. */
static bool decompress(struct source *s, const char *program)
{
    char name[8], option[] = "-dc", *arguments[] = { name, option, NULL };
    posix_spawn_file_actions_t actions;
    int ends[2], error;

    (void)snprintf(name, sizeof name, "%s", program); /* it is short */
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = posix_spawn_file_actions_adddup2(&actions, s->fd, STDIN_FILENO);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (error == 0)
            error = posix_spawnp(&s->helper, program, &actions, NULL, arguments, environ);
        (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    }
    (void)close(ends[1]);
    (void)close(s->fd); /* only read */
    s->fd = ends[0];
    if (error != 0)
        s->helper = 0;
    errno = error;
    return error == 0;
}

static void close_source(struct source *s)
{
    if (s->fd > STDIN_FILENO)
        (void)close(s->fd); /* only read */
    s->fd = -1;
}

static bool open_source(struct source *s, const char *name)
{
    const char *program = decompressor(name);

    servers_name_of_file(tally.file_of, name);
    s->name = name;
    s->helper = 0;
    s->offset = 0;
    s->used = 0;
    s->fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (s->fd < 0 || fstat(s->fd, &s->file) != 0) {
        complain("%s: %s", name, strerror(errno));
        close_source(s);
        return false;
    }
    if (program != NULL && !decompress(s, program)) {
        complain("%s: cannot start %s: %s", name, program, strerror(errno));
        close_source(s);
        return false;
    }
    return true;
}

/* Counts the whole lines in the buffer and keeps what is behind them; with `all` that, too. */
static void count_lines(struct source *s, bool all)
{
    size_t begin = 0;
    const char *end;

    while (begin < s->used && (end = memchr(s->buffer + begin, '\n', s->used - begin)) != NULL) {
        size_t len = (size_t)(end - (s->buffer + begin));

        tally_line(&tally, (struct slice){ s->buffer + begin, len });
        begin += len + 1;
    }
    if (begin < s->used && (all || (begin == 0 && s->used == BUFFER))) {
        tally_line(&tally, (struct slice){ s->buffer + begin, s->used - begin });
        begin = s->used;
    }
    s->used -= begin;
    memmove(s->buffer, s->buffer + begin, s->used);
}

/* Reads once. 1: there was something; 0: the end; -1: it cannot be read, which was said. */
static int read_some(struct source *s)
{
    ssize_t len = read(s->fd, s->buffer + s->used, BUFFER - s->used);

    if (len < 0 && errno == EINTR)
        return 1;
    if (len < 0)
        complain("%s: %s", s->name, strerror(errno));
    if (len <= 0)
        return (int)len;
    s->used += (size_t)len;
    s->offset += (uint64_t)len;
    count_lines(s, false);
    return 1;
}

/* Has the helper done its work? Says so if not. */
static bool end_helper(const struct source *s)
{
    int status = 0;
    pid_t waited;
    bool done;

    if (s->helper == 0)
        return true;
    do
        waited = waitpid(s->helper, &status, 0);
    while (waited < 0 && errno == EINTR);
    done = waited == s->helper && status == 0;
    if (!done)
        complain("%s: %s has failed, the rest is missing", s->name, decompressor(s->name));
    return done;
}

static bool read_log(const char *name)
{
    int got = 1;
    bool whole;

    if (!open_source(&source, name))
        return false;
    while (got > 0)
        got = read_some(&source);
    count_lines(&source, true);
    close_source(&source);
    whole = end_helper(&source);
    return whole && got == 0;
}

/* ---- days -------------------------------------------------------------------------------------- */

static bool parse_day(const char *text, size_t len, unsigned *day)
{
    static const char shape[] = "9999-99-99";
    if (len == 5 && memcmp(text, "today", len) == 0) {
        *day = moment_day(0);
        return true;
    }
    if (len == 9 && memcmp(text, "yesterday", len) == 0) {
        *day = moment_day(-1);
        return true;
    }
    *day = 0;
    for (size_t i = 0; i < len; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';

        if (i >= sizeof shape - 1 || (shape[i] == '9' ? !digit : text[i] != shape[i]))
            return false;
        if (digit)
            *day = *day * 10 + (unsigned)(text[i] - '0');
    }
    return len == sizeof shape - 1 && moment_is_day(*day);
}

/* DAY, DAY.., ..DAY or DAY..DAY; NULL is all days. */
static bool parse_days(const char *text, unsigned *from, unsigned *to)
{
    const char *dots = text != NULL ? strstr(text, "..") : NULL;

    *from = 0;
    *to = UINT32_MAX;
    if (text == NULL)
        return true;
    if (dots == NULL) {
        if (!parse_day(text, strlen(text), from))
            return false;
        *to = *from;
        return true;
    }
    return (dots > text || dots[2] != '\0') && (dots == text || parse_day(text, (size_t)(dots - text), from)) &&
           (dots[2] == '\0' || parse_day(dots + 2, strlen(dots + 2), to)) && *from <= *to;
}

/* With days that the clock names, another day is another picture. */
static void begin_tally(const struct options *o)
{
    unsigned from, to;

    (void)parse_days(o->days, &from, &to); /* it was checked */
    if (tally.tomorrow != 0 && from == tally.from && to == tally.to)
        return;
    tally.from = from;
    tally.to = to;
    tally_clear(&tally);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static bool write_stream(FILE *out, const struct options *o)
{
    tally_sort(&tally);
    o->writer(out, &tally, o->rows);
    return fflush(out) == 0 && ferror(out) == 0;
}

/* Whoever reads the file finds the former picture or this one, and never a half. */
static bool write_file(const struct options *o)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s.XXXXXX", o->output);
    int fd = len > 0 && (size_t)len < sizeof path ? mkostemp(path, O_CLOEXEC) : -1;
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    mode_t mask = umask(0);
    bool done;

    (void)umask(mask);
    if (out == NULL)
        return false;
    done = fchmod(fd, 0666 & ~mask) == 0 && write_stream(out, o);
    done = fclose(out) == 0 && done && rename(path, o->output) == 0;
    if (!done) {
        int error = errno;

        (void)unlink(path); /* best effort: the reason is told */
        errno = error;
    }
    return done;
}

static int show(const struct options *o)
{
    if (o->output != NULL ? write_file(o) : write_stream(stdout, o))
        return EX_OK;
    complain("cannot write %s: %s", o->output != NULL ? o->output : "standard output", strerror(errno));
    return EX_IOERR;
}

/* ---- following --------------------------------------------------------------------------------- */

/* Another file has the name now, or it was cut: logrotate was here. */
static bool is_rotated(const struct source *s)
{
    struct stat now;

    if (!S_ISREG(s->file.st_mode) || stat(s->name, &now) != 0)
        return false;
    return now.st_dev != s->file.st_dev || now.st_ino != s->file.st_ino || (uint64_t)now.st_size < s->offset;
}

/* Waits for more, a second at most. Files tell nobody that they grow. */
static void wait_more(const struct source *s)
{
    struct pollfd more = { .fd = s->fd, .events = POLLIN };

    (void)poll(&more, S_ISREG(s->file.st_mode) ? 0 : 1, REDRAW_MS); /* whatever it says, reading tells */
}

/* Reads what there is, for a second at most. False: there will be no more. */
static bool read_more(struct source *s)
{
    uint64_t until = clock_ms() + REDRAW_MS;
    int got = 1;

    while (got > 0 && clock_left(until) > 0) {
        struct pollfd more = { .fd = s->fd, .events = POLLIN };

        if (!S_ISREG(s->file.st_mode) && poll(&more, 1, 0) == 0)
            return true;
        got = read_some(s);
    }
    if (got == 0 && is_rotated(s)) {
        const char *name = s->name;

        count_lines(s, true);
        close_source(s);
        return open_source(s, name);
    }
    return got > 0 || (got == 0 && S_ISREG(s->file.st_mode));
}

/* A terminal shows the new picture in the place of the old, all else gets them one after the other. */
static int show_again(const struct options *o)
{
    if (o->output == NULL)
        (void)fputs(isatty(STDOUT_FILENO) ? "\033[H\033[2J" : "\f\n", stdout); /* errors stay in the stream */
    return show(o);
}

static int follow(const struct options *o, const char *name)
{
    bool more = true;
    int status = EX_OK;

    if (!open_source(&source, name))
        return EX_NOINPUT;
    for (uint64_t shown = UINT64_MAX; more && status == EX_OK;) {
        uint64_t before = shown;

        begin_tally(o);
        more = read_more(&source);
        if (!more)
            count_lines(&source, true);
        shown = tally.totals[TOTAL_LINES];
        if (shown != before)
            status = before == UINT64_MAX ? show(o) : show_again(o);
        if (more && status == EX_OK)
            wait_more(&source);
    }
    close_source(&source);
    return status;
}

/* ---- the command line -------------------------------------------------------------------------- */

static void __attribute__((noreturn, format(printf, 1, 2))) die_usage(const char *format, ...)
{
    va_list args;

    (void)fputs(PROGRAM ": ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputs(", see " PROGRAM " -h\n", stderr);
    exit(EX_USAGE);
}

static int output_status(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0 ? EX_OK : EX_IOERR;
}

static void print_help(void)
{
    puts("usage: " PROGRAM " [-f] [-d DAYS] [-n ROWS] [-o FORM] [-w FILE] [LOGFILE...]\n"
         "\n"
         "Shows what mailrecv's logs say of messages, refusals, hosts, commands and hours. A LOGFILE may be\n"
         "compressed (.gz, .xz, .zst, .bz2); - and none are standard input.\n"
         "  -d DAYS    only these: YYYY-MM-DD, today, yesterday, DAY..DAY, DAY.. or ..DAY\n"
         "  -f         follow the last LOGFILE, and show the picture again when it has grown\n"
         "  -n ROWS    of each table at most (10)\n"
         "  -o FORM    text, html, json, or prom for the textfile collector of node_exporter\n"
         "  -w FILE    write there, in one step, instead of to standard output\n"
         "  -V         show the version\n"
         "  -h         show this help\n"
         "\n"
         PROGRAM "(1) says more.");
}

static size_t parse_rows(const char *text)
{
    char *end;
    unsigned long rows;

    errno = 0;
    rows = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || rows < 1 || rows > TOP_ROWS)
        die_usage("'%s' is no number from 1 to %d", text, TOP_ROWS);
    return rows;
}

static void parse_options(int argc, char **argv, struct options *o)
{
    unsigned from, to;
    int letter;

    opterr = 0;
    while ((letter = getopt(argc, argv, ":d:fn:o:w:Vh")) != -1) {
        switch (letter) {
        case 'd': o->days = optarg; break;
        case 'f': o->follow = true; break;
        case 'n': o->rows = parse_rows(optarg); break;
        case 'o': o->writer = output_form(optarg); break;
        case 'w': o->output = optarg; break;
        case 'V': puts(PROGRAM " " VERSION); exit(output_status());
        case 'h': print_help(); exit(output_status());
        case ':': die_usage("option '-%c' needs a value", optopt);
        default: die_usage("unknown option '-%c'", optopt);
        }
        if (o->writer == NULL)
            die_usage("'%s' is no form", optarg);
    }
    if (!parse_days(o->days, &from, &to))
        die_usage("'%s' is no day or days", o->days);
    if (optind < argc) {
        o->logs = argv + optind;
        o->count = (size_t)(argc - optind);
    }
}

int main(int argc, char **argv)
{
    static char dash[] = "-", *standard_input[] = { dash };
    struct options o = { .writer = output_form("text"), .rows = 10, .logs = standard_input, .count = 1 };
    int status = EX_OK, shown;

    (void)signal(SIGCHLD, SIG_DFL); /* ignored by whoever started us, it would hide how a decompressor has ended */
    parse_options(argc, argv, &o);
    if (strcmp(o.logs[0], "-") == 0 && isatty(STDIN_FILENO))
        die_usage("no LOGFILE is given, and standard input is a terminal");
    if (o.follow && decompressor(o.logs[o.count - 1]) != NULL)
        die_usage("%s is compressed and cannot be followed", o.logs[o.count - 1]);
    begin_tally(&o);
    for (size_t i = 0; i < o.count - o.follow; i++)
        if (!read_log(o.logs[i]))
            status = EX_NOINPUT;
    shown = o.follow ? follow(&o, o.logs[o.count - 1]) : show(&o);
    return shown != EX_OK ? shown : status;
}
