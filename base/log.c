/* log.c - one event, one line: to syslog, a file or standard error */
/*
 * The only file that knows where lines go. Every line is built in one buffer and leaves with
 * one write, so that lines of concurrent processes never mix (O_APPEND). A log that takes nothing is waited for
 * a moment, and then not again until it takes a line: what was not logged meanwhile is counted and said.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/guarded.h"
#include "base/outlet.h"
#include "base/text.h"

enum {
    LINE_SIZE = 4096, /* PIPE_BUF: a pipe takes it whole or not at all */
    HEAD = 64,        /* bytes before the event, for date, program and pid */
    TAIL = 256 << 10, /* bytes of the file that are looked at for what was said before */
    MINUTE = 60,
    LINE_MS = 250,    /* how long one line may wait */
    SESSION_MS = 1000 /* how long all lines together may, but for the last */
};

/* Lines that are kept back. */
static struct {
    size_t used, count;
    struct {
        time_t when;
        size_t end; /* of its text */
    } lines[8];
    char text[LINE_SIZE];
} held COLD_BSS;

static struct {
    struct outlet own;      /* the file, or standard error; closed: syslog */
    struct outlet syslog;   /* connected with the first line that goes there */
    struct outlet fallback; /* standard error, where there is no syslog daemon */
    bool owns_fd;
    bool made;              /* the file, which was missing */
    bool chosen;            /* not syslog, although the lines may go there */
    bool copies;            /* to syslog, of each line */
    bool last;              /* the client waits for nothing any more */
    int patience;           /* milliseconds that are left of SESSION_MS */
    bool holds;             /* lines of LOG_INFO are kept back */
    time_t when;            /* the time of the line that is written, if that is not now */
    uint64_t missing;       /* lines that were not logged, and not told of */
    log_sink *sink;
    char client[64];
    char flags[sizeof(LOG_FLAGS)];
} log_state = { .own = OUTLET_CLOSED, .syslog = OUTLET_CLOSED, .fallback = OUTLET_CLOSED, .patience = SESSION_MS };

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Does somebody read standard error who may see the log? xinetd gives the connection as descriptor 2 as well: what is
 * written there, the client reads. The monitor puts /dev/null in its place.
 */
static bool stderr_is_ours(void)
{
    struct stat in, err;

    if (fstat(STDERR_FILENO, &err) != 0 || (S_ISCHR(err.st_mode) && err.st_rdev == makedev(1, 3)))
        return false;
    return !S_ISSOCK(err.st_mode) || fstat(STDIN_FILENO, &in) != 0 || !is_same(&in, &err);
}

/* Standard error; a pipe is opened anew where we may, so that writing does not wait and others are not disturbed. */
static void take_stderr(void)
{
    struct stat status;
    int fd = -1;

    if (fstat(STDERR_FILENO, &status) == 0 && S_ISFIFO(status.st_mode))
        fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    log_state.owns_fd = fd >= 0;
    outlet_take(&log_state.own, fd >= 0 ? fd : STDERR_FILENO);
}

bool log_open(const char *where)
{
    int fd;

    if (log_state.owns_fd)
        outlet_close(&log_state.own);
    log_state.owns_fd = log_state.made = false;
    log_state.own.fd = -1;
    log_state.chosen = strcmp(where, "syslog") != 0;

    if (!log_state.chosen)
        return true;
    if (strcmp(where, "stderr") == 0) {
        log_state.chosen = stderr_is_ours();
        if (log_state.chosen)
            take_stderr();
        return true;
    }
    /* not blocking: a FIFO that nobody reads must not hold the mail up */
    fd = guarded_open(where, O_WRONLY | O_APPEND | O_CREAT, S_IRUSR | S_IWUSR | S_IRGRP, &log_state.made);
    if (fd < 0)
        return false;
    outlet_take(&log_state.own, fd);
    log_state.owns_fd = true;
    return true;
}

bool log_give(uid_t uid, gid_t gid)
{
    return !log_state.made || fchown(log_state.own.fd, uid, gid) == 0;
}

void log_be_patient(void)
{
    log_state.last = true;
    log_state.patience = LINE_MS;
}

void log_copy_to_syslog(bool on)
{
    log_state.copies = on;
}

/* The end of the log's file as it is now; empty if it cannot be read. */
static struct slice read_tail(void)
{
    static char tail[TAIL] COLD_BSS;
    char path[32];
    struct stat status;
    ssize_t len = 0;
    int fd = -1;

    if (log_state.own.fd >= 0 && log_state.own.kind == OUTLET_FILE) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", log_state.own.fd); /* it fits */
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd >= 0 && fstat(fd, &status) == 0)
        len = pread(fd, tail, sizeof tail, status.st_size > TAIL ? status.st_size - TAIL : 0);
    if (fd >= 0)
        (void)close(fd); /* only read */
    return (struct slice){ tail, len > 0 ? (size_t)len : 0 };
}

/* Is the date at the beginning of this text, as put_date writes it, of the last minute? */
static bool is_recent(struct slice text)
{
    char date[32];
    struct tm then = { .tm_isdst = -1 };
    time_t now = time(NULL), when;

    text_string(date, sizeof date, text);
    if (strptime(date, "%a %b %d %H:%M:%S %Y", &then) == NULL)
        return false;
    when = mktime(&then);
    return when <= now && now - when < MINUTE;
}

bool log_has(const char *event)
{
    static struct slice tail;
    static bool read;
    char wanted[LOG_TEXT * 2];
    int len = snprintf(wanted, sizeof wanted, "] %s\n", event);
    const char *line, *found;

    if (!read)
        tail = read_tail();
    read = true;
    line = tail.text;
    if (len < 0 || (size_t)len >= sizeof wanted)
        return false;
    for (struct slice rest = tail; (found = memmem(rest.text, rest.len, wanted, (size_t)len)) != NULL;) {
        const char *newline = memrchr(line, '\n', (size_t)(found - line));

        if (newline != NULL)
            line = newline + 1;
        if (is_recent((struct slice){ line, (size_t)(found - line) }))
            return true;
        rest = (struct slice){ found + len, rest.len - (size_t)(found + len - rest.text) };
    }
    return false;
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

/* The local date as ctime(3) writes it, or as syslog has it; a blank behind it. */
static size_t put_date(char *out, size_t size, bool with_year)
{
    time_t now = log_state.when != 0 ? log_state.when : time(NULL);
    struct tm local;
    size_t len = 0;

    if (localtime_r(&now, &local) != NULL)
        len = with_year ? strftime(out, size, "%a %b %e %H:%M:%S %Y ", &local)
                        : strftime(out, size, "%b %e %H:%M:%S ", &local);
    return len > 0 ? len : (size_t)snprintf(out, size, "@%jd ", (intmax_t)now);
}

/* Begins an event: the client, and where the text goes on. */
static size_t put_client(char *out, size_t size)
{
    return (size_t)snprintf(out, size, "[%s] ", log_state.client[0] != '\0' ? log_state.client : "-"); /* it fits */
}

/* Writes `HEAD EVENT`, as a file wants it or, with a level, syslog. The head has its room before the event. */
static bool write_line(struct outlet *outlet, int level, char *event, size_t len, int *patience)
{
    char head[HEAD];
    size_t used = level >= 0 ? (size_t)snprintf(head, sizeof head, "<%d>", LOG_MAIL | level) : 0;

    used += put_date(head + used, sizeof head - used, level < 0);
    used += (size_t)snprintf(head + used, sizeof head - used, "MAILRECV[%ld]: ", (long)getpid()); /* it fits */
    memcpy(event - used, head, used);
    return outlet_write(outlet, event - used, used + len, patience);
}

/* To the syslog daemon, which may have been restarted. ENOENT if there is none. */
static bool to_syslog(int level, char *event, size_t len, int *patience)
{
    for (int tries = 0; tries < 2; tries++) {
        if (log_state.syslog.fd < 0 && !outlet_connect_syslog(&log_state.syslog)) {
            errno = errno == EAGAIN ? EAGAIN : ENOENT; /* whatever it is: nobody listens there */
            return false;
        }
        if (write_line(&log_state.syslog, level, event, len, patience))
            return true;
        if (errno == EAGAIN)
            return false;
        outlet_close(&log_state.syslog);
    }
    errno = ENOENT;
    return false;
}

/*
 * To standard error, since there is no syslog daemon; which is said first. Not where the log is a file: those who look
 * there do not look here.
 */
static bool to_fallback(char *event, size_t len, int *patience)
{
    static const char why[] = "log: nothing listens at " _PATH_LOG ", the log goes to standard error";
    char line[HEAD + 192], *said = line + HEAD;
    size_t used;

    if (log_state.chosen || !stderr_is_ours())
        return false;
    if (log_state.fallback.fd < 0) {
        outlet_take(&log_state.fallback, STDERR_FILENO);
        used = put_client(said, sizeof line - HEAD);
        memcpy(said + used, why, sizeof why);
        (void)write_line(&log_state.fallback, -1, said, used + sizeof why - 1,
                         patience); /* or the next is missing, too */
    }
    return write_line(&log_state.fallback, -1, event, len, patience);
}

/* Writes a line to the first that takes it. */
static bool send_line(int level, char *event, size_t len)
{
    int wait = log_state.missing > 0 && !log_state.last ? 0 : log_state.patience, left;
    bool taken;

    if (wait > LINE_MS)
        wait = LINE_MS;
    left = wait;
    taken = (log_state.own.fd >= 0 && write_line(&log_state.own, -1, event, len, &left)) ||
            to_syslog(level, event, len, &left) || (errno == ENOENT && to_fallback(event, len, &left));
    log_state.patience -= wait - left;
    return taken;
}

/* Says how many lines are missing. */
static bool tell_missing(void)
{
    char line[HEAD + 192], *event = line + HEAD;
    size_t used = put_client(event, sizeof line - HEAD);

    used += (size_t)snprintf(event + used, sizeof line - HEAD - used, "log: missing lines=%ju",
                             (uintmax_t)log_state.missing); /* it fits */
    if (!send_line(LOG_WARNING, event, used))
        return false;
    log_state.missing = 0;
    return true;
}

static void send_event(int level, char *event, size_t len)
{
    if ((log_state.missing > 0 && !tell_missing()) || !send_line(level, event, len))
        log_state.missing++;
    if (log_state.copies && log_state.own.fd >= 0)
        (void)to_syslog(level, event, len, &(int){ 0 }); /* only a copy */
}

/* ---- lines that are kept back ------------------------------------------------------------ */

void log_hold(void)
{
    log_state.holds = true;
}

void log_drop(void)
{
    if (!log_state.holds)
        return; /* pages that nobody has written to need not be copied */
    explicit_bzero(&held, sizeof held);
    log_state.holds = false;
}

void log_release(void)
{
    char line[LINE_SIZE];

    if (!log_state.holds)
        return;
    for (size_t i = 0, begin = 0; i < held.count; begin = held.lines[i++].end) {
        size_t len = held.lines[i].end - begin;

        memcpy(line + HEAD, held.text + begin, len);
        log_state.when = held.lines[i].when;
        send_event(LOG_INFO, line + HEAD, len);
    }
    log_state.when = 0;
    log_drop();
}

/* Keeps a line back, if that is to be. False: it is to be written, and what was kept back has been. */
static bool keep_back(int level, const char *event, size_t len)
{
    if (!log_state.holds)
        return false;
    if (level == LOG_INFO && len <= sizeof held.text - held.used &&
        held.count < sizeof held.lines / sizeof held.lines[0]) {
        memcpy(held.text + held.used, event, len);
        held.used += len;
        held.lines[held.count].when = time(NULL);
        held.lines[held.count++].end = held.used;
        return true;
    }
    log_release();
    return false;
}

/*
 * Builds a line and writes it. Two buffers would be simpler to read, but each is a page that no other
 * part of a session touches.
 */
static void __attribute__((format(printf, 3, 0))) write_event(int level, char flag, const char *format, va_list args)
{
    enum { ROOM = LINE_SIZE - HEAD - 1 }; /* for the event; behind it is the line's end */
    char line[LINE_SIZE], *event = line + HEAD;
    size_t text, used;
    int mailfile_errno = errno, len;

    used = put_client(event, ROOM);
    text = used; /* without client */
    if (level == LOG_DEBUG)
        used += (size_t)snprintf(event + used, ROOM - used, "DEBUG %c: ", flag);
    errno = mailfile_errno; /* for %m */
    len = vsnprintf(event + used, ROOM - used, format, args);
    used += len > 0 ? (size_t)len : 0;
    if (used > ROOM - 1)
        used = ROOM - 1; /* cut, as the header says */
    if (log_state.sink != NULL)
        log_state.sink(level, event + text);
    else if (!keep_back(level, event, used))
        send_event(level, event, used);
    errno = mailfile_errno;
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
