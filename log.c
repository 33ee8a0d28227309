/* log.c - one event, one line: to syslog, a file or standard error */
/*
 * The only file that knows where lines go. Every line is built in one buffer and leaves with
 * one write, so that lines of concurrent processes never mix (O_APPEND).
 */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

enum { LINE_SIZE = 4096, TO_SYSLOG = -1 };

static struct {
    int fd; /* TO_SYSLOG, or where lines are written */
    bool owns_fd;
    bool syslog_open;
    log_sink *sink;
    char client[64];
    char flags[sizeof(LOG_FLAGS)];
} log_state = { .fd = TO_SYSLOG };

/* xinetd gives the connection as descriptor 2 as well: what is written there, the client reads */
static bool stderr_is_the_client(void)
{
    struct stat in, err;

    return fstat(STDIN_FILENO, &in) == 0 && fstat(STDERR_FILENO, &err) == 0 &&
           S_ISSOCK(err.st_mode) && in.st_dev == err.st_dev && in.st_ino == err.st_ino;
}

bool log_open(const char *where)
{
    if (log_state.owns_fd)
        (void)close(log_state.fd); /* nothing was buffered, nothing can be lost */
    log_state.owns_fd = false;
    log_state.fd = TO_SYSLOG;

    if (strcmp(where, "syslog") == 0)
        return true;
    if (strcmp(where, "stderr") == 0) {
        if (!stderr_is_the_client())
            log_state.fd = STDERR_FILENO;
        return true;
    }
    /* not blocking: a FIFO that nobody reads must not hold the mail up */
    log_state.fd = open(where, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
                        S_IRUSR | S_IWUSR | S_IRGRP);
    log_state.owns_fd = log_state.fd >= 0;
    return log_state.owns_fd;
}

void log_divert(log_sink *sink)
{
    log_state.sink = sink;
}

void log_set_client(const char *address)
{
    text_string(log_state.client, sizeof log_state.client, slice_of(address));
}

size_t log_set_flags(struct slice flags)
{
    char set[sizeof(LOG_FLAGS)] = "";
    size_t used = 0;

    for (size_t i = 0; i < flags.len; i++) {
        char flag = flags.text[i];

        if (flag == '-')
            continue;
        if (flag == '\0' || strchr(LOG_FLAGS, flag) == NULL)
            return i;
        if (strchr(set, flag) == NULL)
            set[used++] = flag;
    }
    memcpy(log_state.flags, set, sizeof set);
    return flags.len;
}

bool log_wants(char flag)
{
    return log_state.flags[0] != '\0' &&
           (strchr(log_state.flags, flag) != NULL || strchr(log_state.flags, 'a') != NULL);
}

static void to_syslog(int level, const char *event)
{
    if (!log_state.syslog_open)
        openlog("MAILRECV", LOG_PID | LOG_NDELAY, LOG_MAIL);
    log_state.syslog_open = true;
    syslog(level, "%s", event);
}

/* The local date as ctime(3) writes it, without the year's line end. */
static void date_text(char *out, size_t size)
{
    time_t now = time(NULL);
    struct tm local;

    if (localtime_r(&now, &local) == NULL || strftime(out, size, "%a %b %e %H:%M:%S %Y", &local) == 0)
        (void)snprintf(out, size, "@%jd", (intmax_t)now);
}

/*
 * Builds a line and writes it. Two buffers would be simpler to read, but each is a page that no other
 * part of a session touches.
 */
static void __attribute__((format(printf, 3, 0))) write_event(int level, char flag, const char *format, va_list args)
{
    char line[LINE_SIZE], date[40];
    size_t event = 0, text, used;
    int saved_errno = errno, len;

    if (log_state.fd != TO_SYSLOG && log_state.sink == NULL) {
        date_text(date, sizeof date);
        event = (size_t)snprintf(line, sizeof line, "%s MAILRECV[%ld]: ", date, (long)getpid());
    }
    used = event + (size_t)snprintf(line + event, sizeof line - event, "[%s] ",
                                    log_state.client[0] != '\0' ? log_state.client : "-");
    text = used; /* without client */
    if (level == LOG_DEBUG)
        used += (size_t)snprintf(line + used, sizeof line - used, "DEBUG %c: ", flag);
    errno = saved_errno; /* for %m */
    len = vsnprintf(line + used, sizeof line - used, format, args);
    used += len > 0 ? (size_t)len : 0;
    if (used > sizeof line - 2)
        used = sizeof line - 2; /* cut, as the header says */
    memcpy(line + used, "\n", 2);
    if (log_state.sink != NULL) {
        line[used] = '\0';
        log_state.sink(level, line + text);
    } else if (log_state.fd == TO_SYSLOG || write(log_state.fd, line, used + 1) != (ssize_t)used + 1) {
        line[used] = '\0';
        to_syslog(level, line + event);
    }
    errno = saved_errno;
}

void log_line(int level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_event(level, '-', format, args);
    va_end(args);
}

void log_debug(char flag, const char *format, ...)
{
    va_list args;

    if (!log_wants(flag))
        return;
    va_start(args, format);
    write_event(LOG_DEBUG, flag, format, args);
    va_end(args);
}

const char *log_encode(char *out, size_t size, struct slice text)
{
    static const char hex[] = "0123456789abcdef";
    static const char cut[] = "...";
    size_t used = 0;

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.text[i];
        bool plain = byte >= ' ' && byte <= '~' && strchr("\"'`\\[]", byte) == NULL;
        size_t need = plain ? 1 : 6;

        if (used + need + sizeof cut > size) {
            memcpy(out + used, cut, sizeof cut - 1);
            used += sizeof cut - 1;
            break;
        }
        if (plain) {
            out[used++] = (char)byte;
        } else {
            const char code[6] = { '<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>' };

            memcpy(out + used, code, sizeof code);
            used += sizeof code;
        }
    }
    out[used] = '\0';
    return out;
}
