/* helper_check.c - what mailrecv-tls and mailrecv-checkpassword say about certificate, key, authorities and users file */
#include "admin/helper_check.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/hop_check.h"
#include "base/clock.h"
#include "base/guarded.h"
#include "base/process.h"
#include "client/starttls.h"
#include "nexthop/tls.h"

enum {
    END_MS = 5000,  /* what has closed its output should end */
    SHOWN_MAX = 20  /* lines of one program */
};

/* A program that reports in lines `error: TEXT`, `warning: TEXT` and `note: TEXT`. */
struct report {
    struct conf *conf;
    const char *program; /* its name, for messages */
    const char *keyword; /* the directive that is concerned, unless place_line says another */
    struct slice value;  /* of the directive */
    int files[STARTTLS_FILES]; /* of TLS, open; -1: that it is not has been told */
    unsigned lines, left_out;
    bool found_errors;
};

/* How the lines of mailrecv-tls begin that are not about the first certificate alone; `named`: the message names the
 * directive. */
static const struct {
    char begin[32], keyword[16];
    bool named;
    enum starttls_file file;
} subjects[] = {
    { "certificate: ", "tls.cert", true, STARTTLS_CERT },
    { "key: ", "tls.key", true, STARTTLS_KEY },
    { "client CA: ", "tls.client_ca", true, STARTTLS_CLIENT_CA },
    { "ciphers: ", "tls.ciphers", true, STARTTLS_FILES },
    { "second pair: certificate: ", "tls.cert", true, STARTTLS_SECOND_CERT },
    { "second pair: key: ", "tls.key", true, STARTTLS_SECOND_KEY },
    { "second pair: ", "tls.cert", false, STARTTLS_SECOND_CERT },
};

static void complain(struct conf *conf, enum severity severity, const char *keyword, struct slice value,
                     const char *text)
{
    struct conf_place place = conf_place_of(conf, keyword, value);

    conf_complain(conf, severity, place.line, place.column, "%s", text);
}

/* Tells a line of a program, at the directive that it is about. */
static void tell(struct report *r, enum severity severity, const char *text)
{
    static const char authorities[] = "authorities: ";
    char message[1024];

    if (++r->lines > SHOWN_MAX && severity != SEVERITY_ERROR) {
        r->left_out++;
        return;
    }
    r->found_errors = r->found_errors || severity == SEVERITY_ERROR;
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        const char *keyword = subjects[i].keyword;
        size_t len = strlen(subjects[i].begin);

        if (strcmp(r->program, "mailrecv-tls") != 0 || strncmp(text, subjects[i].begin, len) != 0)
            continue;
        (void)snprintf(message, sizeof message, "%s%s%s", subjects[i].named ? keyword : "",
                       subjects[i].named ? ": " : "", text + len); /* cut when too long */
        if (subjects[i].file == STARTTLS_FILES)
            complain(r->conf, severity, keyword, r->conf->client.tls_ciphers, message);
        else if (r->files[subjects[i].file] >= 0)
            complain(r->conf, severity, keyword, starttls_path(&r->conf->client, subjects[i].file), message);
        return;
    }
    if (strcmp(r->keyword, "tls.ca") != 0) {
        complain(r->conf, severity, r->keyword, r->value, text);
        return;
    }
    (void)snprintf(message, sizeof message, "tls.ca: %.*s: %s", (int)r->value.len, r->value.text,
                   text + (strncmp(text, authorities, strlen(authorities)) == 0 ? strlen(authorities) : 0));
    complain(r->conf, severity, r->keyword, r->value, message); /* the file is named, for it may be the default one */
}

static void take_line(struct report *r, char *line)
{
    static const char words[][10] = { [SEVERITY_ERROR] = "error: ", [SEVERITY_WARNING] = "warning: ",
                                      [SEVERITY_NOTE] = "note: " };
    char message[1024];

    line[strcspn(line, "\n")] = '\0';
    for (enum severity i = SEVERITY_ERROR; i <= SEVERITY_NOTE; i++)
        if (strncmp(line, words[i], strlen(words[i])) == 0) {
            tell(r, i, line + strlen(words[i]));
            return;
        }
    (void)snprintf(message, sizeof message, "%s says: %s", r->program, line);
    tell(r, SEVERITY_ERROR, message);
}

/* Takes all that the program says, and how it ends: 0 is good, 1 after errors. */
static void take_report(struct report *r, FILE *output, pid_t pid)
{
    char *line = NULL, message[256], text[PROCESS_TEXT];
    size_t size = 0;
    struct process_end end;

    while (getline(&line, &size, output) >= 0)
        take_line(r, line);
    free(line);
    end = process_wait(pid, clock_ms() + END_MS);
    if (r->left_out > 0) {
        (void)snprintf(message, sizeof message, "%u more of these: %s -t shows all", r->left_out, r->program);
        complain(r->conf, SEVERITY_NOTE, r->keyword, r->value, message);
    }
    if (process_exited(&end, 0) || (end.in_time && end.how == PROCESS_EXITED && r->found_errors))
        return;
    (void)snprintf(message, sizeof message, "%s has failed: it %s", r->program,
                   end.in_time ? process_end_text(&end, text) : "has not ended in time");
    complain(r->conf, SEVERITY_ERROR, r->keyword, r->value, message);
}

/* `start` lets the program write to the descriptor; it returns 0 or an error number. */
static void ask(struct report *r, int (*start)(const struct report *r, int output, pid_t *pid))
{
    char message[256];
    int ends[2] = { -1, -1 }, error;
    FILE *output = NULL;
    pid_t pid = 0;

    if (pipe2(ends, O_CLOEXEC) != 0 || (output = fdopen(ends[0], "r")) == NULL)
        error = errno;
    else
        error = start(r, ends[1], &pid);
    if (ends[1] >= 0)
        (void)close(ends[1]);
    if (error == 0) {
        take_report(r, output, pid);
    } else {
        (void)snprintf(message, sizeof message, "cannot start %s: %s", r->program, strerror(error));
        complain(r->conf, SEVERITY_ERROR, r->keyword, r->value, message);
    }
    if (output != NULL)
        (void)fclose(output); /* only read */
    else if (ends[0] >= 0)
        (void)close(ends[0]);
}

/* Opens a file of a directive for reading; if that is not possible, tells so and returns -1. */
static int open_value(struct conf *conf, const char *keyword, struct slice value, bool others)
{
    char path[PATH_MAX], message[PATH_MAX + 96];
    struct stat status;
    int fd = -1;

    errno = ENAMETOOLONG;
    if ((size_t)snprintf(path, sizeof path, "%.*s", (int)value.len, value.text) < sizeof path)
        fd = guarded_open(path, O_RDONLY, 0, NULL);
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        (void)close(fd); /* nothing was read */
        (void)snprintf(message, sizeof message, "%s is a FIFO or a device, expected a file", path);
        complain(conf, SEVERITY_ERROR, keyword, value, message);
        return -1;
    }
    if (fd >= 0)
        return fd;
    if (errno == ELOOP && geteuid() == 0)
        (void)snprintf(message, sizeof message, "cannot open %s: a symbolic link leads there, and not only "
                       "root can have made it", path);
    else if (others && errno == EACCES)
        (void)snprintf(message, sizeof message, "%s cannot be checked: %s", path, strerror(errno));
    else
        (void)snprintf(message, sizeof message, "cannot open %s: %s", path, strerror(errno));
    complain(conf, others && errno == EACCES ? SEVERITY_WARNING : SEVERITY_ERROR, keyword, value, message);
    return -1;
}

static int start_tls(const struct report *r, int output, pid_t *pid)
{
    return starttls_test(&r->conf->client, r->files, output, pid);
}

static void check_tls(struct conf *conf, bool others)
{
    static const char keywords[STARTTLS_FILES][16] = { "tls.cert", "tls.key", "tls.client_ca", "tls.cert", "tls.key" };
    struct report report = { .conf = conf, .program = "mailrecv-tls", .keyword = "tls.cert",
                             .value = conf->client.tls_cert[0] };

    for (enum starttls_file i = 0; i < STARTTLS_FILES; i++) {
        struct slice path = starttls_path(&conf->client, i);

        report.files[i] = path.len > 0 ? open_value(conf, keywords[i], path, others) : -1;
    }
    ask(&report, start_tls);
    for (enum starttls_file i = 0; i < STARTTLS_FILES; i++)
        if (report.files[i] >= 0)
            (void)close(report.files[i]); /* only read */
}

static int start_authorities(const struct report *r, int output, pid_t *pid)
{
    return nexthop_tls_test(r->files[0], output, pid);
}

/* Where the default is used, no line names it. */
static void check_authorities(struct conf *conf, bool others)
{
    struct report report = { .conf = conf, .program = "mailrecv-tls", .keyword = "tls.ca", .value = conf->nexthop.tls_ca };

    report.files[0] = open_value(conf, report.keyword, report.value, others);
    if (report.files[0] < 0)
        return;
    nexthop_tls_use(conf->client.tls_helper, conf->nexthop.tls_ca);
    ask(&report, start_authorities);
    (void)close(report.files[0]); /* only read */
}

static int start_checkpassword(const struct report *r, int output, pid_t *pid)
{
    static char test[] = "-t", file[] = "-f";
    char program[PATH_MAX], path[PATH_MAX], *none[] = { NULL };
    char *arguments[] = { program, test, file, path, NULL };
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC), error;

    if (nothing < 0)
        return errno;
    (void)process_find("mailrecv-checkpassword", program, sizeof program); /* starting it will fail */
    (void)snprintf(path, sizeof path, "%.*s", (int)r->value.len, r->value.text); /* it was opened before */
    const int fds[] = { nothing, output, output };
    error = process_start(pid, program, arguments, none, fds, sizeof fds / sizeof fds[0]);
    (void)close(nothing);
    return error;
}

static void check_users(struct conf *conf, bool others)
{
    struct report report = { .conf = conf, .program = "mailrecv-checkpassword", .keyword = "auth.users",
                             .value = conf->client.auth_users };
    int fd = open_value(conf, report.keyword, report.value, others);

    if (fd < 0)
        return;
    (void)close(fd); /* only to see whether it can be opened */
    ask(&report, start_checkpassword);
}

void helper_check(struct conf *conf, bool others)
{
    if (conf->client.tls != TLS_OFF)
        check_tls(conf, others);
    if (hop_check_verifies(conf) != NULL)
        check_authorities(conf, others);
    if (conf->client.auth != AUTH_OFF && conf->client.auth_command.path.len == 0 && conf->client.users_table == NULL)
        check_users(conf, others);
}
