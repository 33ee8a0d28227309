/* driver.c - plays SMTP sessions with programs that serve one connection each, and times them */
/*
 * A subject is started as a super-server would start it: a connection over loopback is accepted, and
 * is standard input and output of the program. vfork keeps the driver's own share small and constant.
 * In every round each subject serves one session; the order is shuffled anew in each round, so that
 * whatever else the machine does meets all of them alike. Only figures of one run can be compared.
 *
 * What a subject claims to have delivered is looked for in the file that it delivers to; a subject
 * that says 250 and leaves less than the message there ends the run.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SUBJECTS = 64, MAX_WORDS = 32, MAX_LINE = 1024, MAX_IDLE = 256, MAX_TREE = 16 };
enum { WAIT_SECS = 60, CHUNK = 1 << 18, LARGE_FILE = 1 << 24 };

/* What is measured. Times are milliseconds. */
enum measure { BANNER, ACCEPTED, GONE, CPU, FAULTS, TRANSFER, RSS, DIRTY, PRIVATE, PROCESSES, MEASURES };

static const struct {
    const char *name, *meaning;
    int decimals;
} measures[MEASURES] = {
    [BANNER] = { "banner", "ms from exec to the greeting", 3 },
    [ACCEPTED] = { "250", "ms from exec to the 250 after the dot", 3 },
    [GONE] = { "exit", "ms from exec until all is delivered and all processes are gone", 3 },
    [CPU] = { "cpu", "ms of CPU, user and system, all processes", 3 },
    [FAULTS] = { "faults", "page faults, all processes", 0 },
    [TRANSFER] = { "MB/s", "10^6 bytes a second from 354 to 250", 1 },
    [RSS] = { "rss", "KB at the peak of the largest process", 0 },
    [DIRTY] = { "dirty", "dirty KB of all processes, what they share counted once", 0 },
    [PRIVATE] = { "private", "dirty KB that a process shares with no other, of all processes", 0 },
    [PROCESSES] = { "procs", "processes", 0 },
};

struct subject {
    char line[MAX_LINE]; /* cut into words */
    const char *name;
    const char *file;    /* where its messages arrive, NULL when nobody looks */
    char *argv[MAX_WORDS + 1];
    uint16_t port;       /* of a server that runs already, 0 for a program to start */
    size_t recipients;   /* of each message */
    bool lmtp;
    double *samples[MEASURES];
};

struct session {
    const struct subject *subject;
    int fd;
    pid_t pid; /* -1 when the server runs already */
    double start;
    size_t used;
    char buffer[4096]; /* replies that were read and not yet looked at */
};

static struct {
    const char *sender, *recipient, *client, *test, *output, *chosen, *bdat;
    size_t rounds, warm_up, size, idle;
    bool pipelined, look;
} options = { .sender = "sender@example.com", .recipient = "inbox@example.com", .test = "session",
              .rounds = 100, .warm_up = 3, .size = 2048 };

static struct subject subjects[MAX_SUBJECTS];
static size_t subject_count;
static char *message; /* at most CHUNK bytes, dot-stuffed; a larger message repeats its body */
static size_t message_length, body_start;

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("driver: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(1);
}

/* A session that went wrong takes its program along. */
static void __attribute__((format(printf, 2, 3), noreturn)) fail(const struct session *s, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut when too long */
    va_end(args);
    if (s->pid > 0)
        (void)kill(s->pid, SIGKILL);
    die("%s: %s", s->subject->name, text);
}

static double now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- the message ------------------------------------------------------------------------------ */

/* Lines of text, as mail has them; each twentieth begins with a dot, which is sent twice. */
static void build_message(void)
{
    static const char head[] = "From: Sender <sender@example.com>\r\nTo: inbox@example.com\r\n"
                               "Subject: a message of the benchmark\r\nDate: Mon, 1 Aug 2022 12:40:13 +0000\r\n"
                               "Message-ID: <1@example.com>\r\n\r\n";
    static const char text[] = "The quick brown fox jumps over the lazy dog, and nobody knows why it does";
    size_t limit = options.size < CHUNK ? options.size : CHUNK;

    message = malloc(CHUNK);
    if (message == NULL)
        die("out of memory");
    message_length = body_start = sizeof head - 1;
    memcpy(message, head, message_length);
    for (size_t line = 1; message_length + sizeof text + 3 < limit; line++) {
        if (line % 20 == 0) {
            memcpy(message + message_length, "..", 2);
            message_length += 2;
        }
        memcpy(message + message_length, text, sizeof text - 1);
        message_length += sizeof text - 1;
        memcpy(message + message_length, "\r\n", 2);
        message_length += 2;
    }
}

/* ---- one session ------------------------------------------------------------------------------ */

static void send_all(const struct session *s, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = send(s->fd, data, length, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            fail(s, "cannot send: %s", strerror(errno));
        data += n;
        length -= (size_t)n;
    }
}

/* Takes the next whole reply, of one line or several, and returns its code. */
static int reply(struct session *s)
{
    for (;;) {
        char *line = s->buffer, *end;

        while ((end = memchr(line, '\n', s->used - (size_t)(line - s->buffer))) != NULL) {
            bool last = end - line < 4 || line[3] != '-';
            int code = (int)strtol(line, NULL, 10);

            line = end + 1;
            if (!last)
                continue;
            s->used -= (size_t)(line - s->buffer);
            memmove(s->buffer, line, s->used);
            s->buffer[s->used] = '\0';
            return code;
        }
        ssize_t n = recv(s->fd, s->buffer + s->used, sizeof s->buffer - 1 - s->used, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            fail(s, "no whole reply: %s; read \"%s\"", n < 0 ? strerror(errno) : "closed", s->buffer);
        s->used += (size_t)n;
        s->buffer[s->used] = '\0';
    }
}

static void expect(struct session *s, int code, const char *what)
{
    int got = reply(s);

    if (got != code)
        fail(s, "%s was answered with %d, not %d", what, got, code);
}

static void command(struct session *s, int code, const char *text)
{
    send_all(s, text, strlen(text));
    expect(s, code, text);
}

static int socket_or_die(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("cannot make a socket: %s", strerror(errno));
    return fd;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int connect_to(uint16_t port)
{
    const struct timeval limit = { .tv_sec = WAIT_SECS };
    const struct sockaddr_in to = loopback(port);
    struct sockaddr_in from = loopback(0);
    const int on = 1;
    int fd = socket_or_die();

    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        die("cannot prepare a socket: %s", strerror(errno));
    if (options.client != NULL && (inet_pton(AF_INET, options.client, &from.sin_addr) != 1 ||
                                   bind(fd, (const struct sockaddr *)&from, sizeof from) != 0))
        die("cannot connect from %s: %s", options.client, strerror(errno));
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) != 0)
        die("cannot connect to port %u: %s", (unsigned)port, strerror(errno));
    return fd;
}

/* Returns the listening socket, and its port in *port. */
static int listen_somewhere(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket_or_die();

    if (bind(fd, (const struct sockaddr *)&address, length) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        die("cannot listen: %s", strerror(errno));
    *port = ntohs(address.sin_port);
    return fd;
}

static pid_t spawn(char *const argv[], int connection)
{
    pid_t pid = vfork();

    if (pid == 0) {
        if (dup2(connection, STDIN_FILENO) == STDIN_FILENO && dup2(connection, STDOUT_FILENO) == STDOUT_FILENO)
            execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

/* Connects, starts the program, and waits for the greeting; the clock starts before the program. */
static void open_session(struct session *s, const struct subject *subject)
{
    static uint16_t port;
    static int listener = -1;

    if (listener < 0)
        listener = listen_somewhere(&port);
    *s = (struct session){ .subject = subject, .pid = -1 };
    if (subject->port > 0) {
        s->start = now_ms();
        s->fd = connect_to(subject->port);
    } else {
        s->fd = connect_to(port);
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (connection < 0)
            die("cannot accept: %s", strerror(errno));
        s->start = now_ms();
        s->pid = spawn(subject->argv, connection);
        if (s->pid < 0)
            die("cannot start %s: %s", subject->name, strerror(errno));
        (void)close(connection);
    }
    expect(s, 220, "the connection");
}

/* Sends the message without its end, in whole lines, and returns how many bytes that were. NULL only counts them. */
static size_t send_message(const struct session *s)
{
    size_t sent = message_length;

    if (s != NULL)
        send_all(s, message, message_length);
    while (sent < options.size) {
        const char *body = message + body_start;
        size_t length = message_length - body_start;

        if (length > options.size - sent) {
            const char *end = memrchr(body, '\n', options.size - sent);

            if (end == NULL)
                break;
            length = (size_t)(end + 1 - body);
        }
        if (s != NULL)
            send_all(s, body, length);
        sent += length;
    }
    return sent;
}

static void add(const struct subject *subject, size_t round, enum measure m, double value)
{
    if (round >= options.warm_up)
        subject->samples[m][round - options.warm_up] = value;
}

/* The command of the n-th recipient; one of several is told from the others by its extension. Returns its length. */
static size_t write_rcpt(const struct session *s, size_t n, char *out, size_t size)
{
    const char *at = strchr(options.recipient, '@');
    int len;

    if (s->subject->recipients == 1 || at == NULL)
        len = snprintf(out, size, "RCPT TO:<%s>\r\n", options.recipient);
    else
        len = snprintf(out, size, "RCPT TO:<%.*s+%zu%s>\r\n", (int)(at - options.recipient), options.recipient, n + 1,
                       at);
    if (len < 0 || (size_t)len >= size)
        fail(s, "too many recipients for one group");
    return (size_t)len;
}

/* What comes before the message; a relay waits for each reply. A chunk is sent at once behind its BDAT. */
static void announce(struct session *s, bool bdat)
{
    char group[4096], begin[64] = "DATA\r\n";
    size_t used = (size_t)snprintf(group, sizeof group, "MAIL FROM:<%s>\r\n", options.sender);

    for (size_t i = 0; i < s->subject->recipients; i++) {
        if (!options.pipelined) {
            command(s, 250, group);
            used = 0;
        }
        used += write_rcpt(s, i, group + used, sizeof group - used - sizeof begin);
    }
    if (bdat)
        (void)snprintf(begin, sizeof begin, "BDAT %zu LAST\r\n", send_message(NULL));
    if (options.pipelined) {
        (void)snprintf(group + used, sizeof group - used, "%s", begin);
        send_all(s, group, strlen(group));
        for (size_t i = 0; i <= s->subject->recipients; i++)
            expect(s, 250, "MAIL or RCPT");
    } else {
        command(s, 250, group);
        send_all(s, begin, strlen(begin));
    }
    if (!bdat)
        expect(s, 354, "DATA");
}

/* From the 220 to the last 250 after the message. Returns the size of the message. */
static size_t send_mail(struct session *s, size_t round)
{
    const bool bdat = options.bdat != NULL && strcmp(s->subject->name, options.bdat) == 0;
    const char *dot = bdat ? "" : ".\r\n", *quit = options.pipelined ? "QUIT\r\n" : "";
    char end[16];
    size_t sent;
    double begin;

    command(s, 250, s->subject->lmtp ? "LHLO client.example.com\r\n" : "EHLO client.example.com\r\n");
    announce(s, bdat);
    begin = now_ms();
    sent = send_message(s);
    (void)snprintf(end, sizeof end, "%s%s", dot, quit);
    send_all(s, end, strlen(end));
    for (size_t i = 0; i < (s->subject->lmtp ? s->subject->recipients : 1); i++)
        expect(s, 250, "the message");
    add(s->subject, round, ACCEPTED, now_ms() - s->start);
    add(s->subject, round, TRANSFER, (double)sent / 1e3 / (now_ms() - begin));
    return sent;
}

/* ---- what a session costs --------------------------------------------------------------------- */

/* The number after a keyword in a file of /proc; none where the file may not be read, which is not 0. */
static double proc_number(pid_t pid, const char *file, const char *keyword)
{
    char path[64], line[256];
    double value = NAN;
    FILE *in;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    in = fopen(path, "re");
    while (in != NULL && fgets(line, sizeof line, in) != NULL)
        if (strncmp(line, keyword, strlen(keyword)) == 0)
            value = strtod(line + strlen(keyword), NULL);
    if (in != NULL)
        (void)fclose(in);
    return value;
}

/* The process and all below it, at most MAX_TREE. */
static size_t process_tree(pid_t root, pid_t tree[MAX_TREE])
{
    size_t count = 1;

    tree[0] = root;
    for (size_t i = 0; i < count; i++) {
        char path[64];
        int child;
        FILE *in;

        (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)tree[i], (int)tree[i]);
        in = fopen(path, "re");
        while (in != NULL && count < MAX_TREE && fscanf(in, "%d", &child) == 1)
            tree[count++] = child;
        if (in != NULL)
            (void)fclose(in);
    }
    return count;
}

static void look_at_memory(const struct session *s, size_t round)
{
    pid_t tree[MAX_TREE];
    size_t count;
    double rss = 0, dirty = 0, private = 0;

    if (s->pid < 0)
        return;
    count = process_tree(s->pid, tree);
    for (size_t i = 0; i < count; i++) {
        double peak = proc_number(tree[i], "status", "VmHWM:");

        rss = isnan(rss) || isnan(peak) ? NAN : fmax(rss, peak);
        dirty += proc_number(tree[i], "smaps_rollup", "Pss_Dirty:");
        private += proc_number(tree[i], "smaps_rollup", "Private_Dirty:");
    }
    add(s->subject, round, RSS, rss);
    add(s->subject, round, DIRTY, dirty);
    add(s->subject, round, PRIVATE, private);
    add(s->subject, round, PROCESSES, (double)count);
}

static double ms_of(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

/* Says goodbye and waits for every process: as subreaper the driver inherits those left behind. */
static void close_session(struct session *s, size_t round)
{
    double cpu = 0, faults = 0;
    struct rusage usage;
    pid_t pid;

    if (!options.pipelined || options.idle > 0)
        send_all(s, "QUIT\r\n", 6);
    expect(s, 221, "QUIT");
    (void)close(s->fd); /* as clients do: some servers wait for it, so as not to keep the port */
    while (s->pid > 0 && ((pid = wait4(-1, NULL, 0, &usage)) > 0 || errno == EINTR)) {
        if (pid < 0)
            continue;
        cpu += ms_of(usage.ru_utime) + ms_of(usage.ru_stime);
        faults += (double)(usage.ru_minflt + usage.ru_majflt);
    }
    add(s->subject, round, GONE, now_ms() - s->start);
    if (s->pid > 0) {
        add(s->subject, round, CPU, cpu);
        add(s->subject, round, FAULTS, faults);
    }
}

/* ---- rounds ----------------------------------------------------------------------------------- */

/* The size of a file, or of all files of a directory (a maildir's `new`). */
static off_t file_size(const char *path)
{
    DIR *directory = path != NULL ? opendir(path) : NULL;
    const struct dirent *entry;
    struct stat st;
    off_t sum = 0;

    if (directory == NULL)
        return path != NULL && stat(path, &st) == 0 ? st.st_size : 0;
    while ((entry = readdir(directory)) != NULL)
        if (fstatat(dirfd(directory), entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            sum += st.st_size;
    (void)closedir(directory);
    return sum;
}

/* Empties what has grown large, so that the disk holds one large message of each subject. */
static void forget_large(const char *path)
{
    DIR *directory;
    const struct dirent *entry;

    if (file_size(path) < LARGE_FILE)
        return;
    directory = opendir(path);
    if (directory == NULL && unlink(path) != 0)
        die("cannot remove %s: %s", path, strerror(errno));
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.' && unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            die("cannot remove %s/%s: %s", path, entry->d_name, strerror(errno));
    if (directory != NULL)
        (void)closedir(directory);
}

/* The least that a delivered message leaves: line ends may have lost their CR, and lines their dots. */
static bool has_arrived(const struct subject *subject, off_t before, size_t sent)
{
    double deadline = now_ms() + WAIT_SECS * 1e3;

    do {
        if (file_size(subject->file) - before >= (off_t)(sent / 10 * 9))
            return true;
        (void)usleep(100);
    } while (subject->port > 0 && now_ms() < deadline); /* a server with a queue delivers later */
    return false;
}

static void measure_session(const struct subject *subject, size_t round)
{
    static struct session session;
    off_t before;
    size_t sent;

    forget_large(subject->file);
    before = file_size(subject->file);
    open_session(&session, subject);
    add(subject, round, BANNER, now_ms() - session.start);
    sent = send_mail(&session, round);
    if (options.look)
        look_at_memory(&session, round);
    close_session(&session, round);
    if (subject->file != NULL && !has_arrived(subject, before, sent))
        fail(&session, "said 250 and has not delivered to %s", subject->file);
    if (subject->port > 0)
        add(subject, round, GONE, now_ms() - session.start);
}

/* Many sessions that have said EHLO and wait; each is a sample of its own. */
static void measure_idle(const struct subject *subject)
{
    static struct session sessions[MAX_IDLE];

    for (size_t i = 0; i < options.idle; i++) {
        open_session(&sessions[i], subject);
        command(&sessions[i], 250, "EHLO client.example.com\r\n");
    }
    for (size_t i = 0; i < options.idle; i++)
        look_at_memory(&sessions[i], i);
    for (size_t i = 0; i < options.idle; i++) {
        send_all(&sessions[i], "QUIT\r\n", 6);
        expect(&sessions[i], 221, "QUIT");
        (void)close(sessions[i].fd);
    }
    while (wait(NULL) > 0 || errno == EINTR)
        continue;
}

static uint64_t random_number(void)
{
    static uint64_t state = 88172645463325252u; /* xorshift; the same order in each run */

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void play_rounds(void)
{
    size_t order[MAX_SUBJECTS];

    for (size_t i = 0; i < subject_count; i++)
        order[i] = i;
    for (size_t round = 0; round < options.rounds + options.warm_up; round++) {
        for (size_t i = subject_count; i > 1; i--) {
            size_t j = (size_t)(random_number() % i), swap = order[i - 1];

            order[i - 1] = order[j];
            order[j] = swap;
        }
        for (size_t i = 0; i < subject_count; i++)
            measure_session(&subjects[order[i]], round);
    }
}

/* ---- the table -------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(const double *sorted, double q)
{
    return sorted[(size_t)(q * (double)(options.rounds - 1) + 0.5)];
}

/* One sample that could not be taken spoils the row: it would be a figure of something else. */
static bool complete(const struct subject *subject, enum measure m)
{
    for (size_t i = 0; i < options.rounds; i++)
        if (isnan(subject->samples[m][i]))
            return false;
    return true;
}

static void print_row(const struct subject *subject, enum measure m, FILE *out)
{
    const double *v = subject->samples[m];
    double median = quantile(v, 0.5), low = quantile(v, 0.1), high = quantile(v, 0.9);
    double ratio = median / quantile(subjects[0].samples[m], 0.5);
    int decimals = measures[m].decimals;

    if (!complete(subject, m)) {
        printf("  %-24s %10s\n", subject->name, "-");
        return;
    }
    printf("  %-24s %10.*f %7.2f %10.*f %7.2f %10.*f - %.*f\n", subject->name, decimals, median, ratio, decimals, v[0],
           v[0] / subjects[0].samples[m][0], decimals, low, decimals, high);
    if (out != NULL)
        fprintf(out, "%s\t%s\t%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\n", options.test, subject->name, measures[m].name,
                median, v[0], low, high, ratio);
}

/* Only measures that were taken, and asked for, are shown. */
static bool wanted(enum measure m)
{
    const char *names = options.chosen;
    size_t length = strlen(measures[m].name);

    if (!complete(&subjects[0], m))
        return false;
    while (names != NULL && *names != '\0') {
        if (strncmp(names, measures[m].name, length) == 0 && (names[length] == ' ' || names[length] == '\0'))
            return true;
        names += strcspn(names, " ");
        names += strspn(names, " ");
    }
    return options.chosen == NULL;
}

static void print_table(void)
{
    FILE *out = options.output != NULL ? fopen(options.output, "ae") : NULL;

    if (options.output != NULL && out == NULL)
        die("cannot write %s: %s", options.output, strerror(errno));
    for (size_t i = 0; i < subject_count; i++)
        for (enum measure m = 0; m < MEASURES; m++)
            if (complete(&subjects[i], m))
                qsort(subjects[i].samples[m], options.rounds, sizeof(double), compare);
    for (enum measure m = 0; m < MEASURES; m++) {
        if (!wanted(m))
            continue;
        printf("%s: %s\n  %-24s %10s %7s %10s %7s %10s\n", options.test, measures[m].meaning, "", "median", "ratio",
               "least", "ratio", "8 of 10");
        for (size_t i = 0; i < subject_count; i++)
            print_row(&subjects[i], m, out);
    }
    if ((out != NULL && fclose(out) != 0) || fflush(stdout) != 0)
        die("cannot write the table: %s", strerror(errno));
}

/* ---- start ------------------------------------------------------------------------------------ */

static size_t number(const char *text)
{
    char *end;
    unsigned long long n = strtoull(text, &end, 10);

    if (*end != '\0' || text[0] == '-' || n > (unsigned long long)1 << 40)
        die("%s is no number that fits", text);
    return (size_t)n;
}

/* "NAME FILE PROGRAM ARGUMENT..." or "NAME FILE @PORT"; FILE may be "-". */
static void add_subject(const char *line)
{
    struct subject *s = &subjects[subject_count];
    char *words[MAX_WORDS + 3] = { NULL };
    size_t count = 0, samples = options.idle > options.rounds ? options.idle : options.rounds;

    if (line[0] == '#' || line[strspn(line, " \t\n")] == '\0')
        return;
    if (subject_count == MAX_SUBJECTS || strlen(line) >= sizeof s->line)
        die("too many subjects, or too long: %s", line);
    memcpy(s->line, line, strlen(line) + 1);
    for (char *word = strtok(s->line, " \t\n"); word != NULL && count < MAX_WORDS + 2; word = strtok(NULL, " \t\n"))
        words[count++] = word;
    if (count < 3)
        die("a subject is NAME FILE PROGRAM ARGUMENT..., not: %s", line);
    s->name = words[0];
    s->lmtp = strncmp(s->name, "lmtp", 4) == 0;
    s->recipients = strchr(s->name, '*') != NULL ? number(strchr(s->name, '*') + 1) : 1;
    s->file = strcmp(words[1], "-") == 0 ? NULL : words[1];
    if (words[2][0] == '@')
        s->port = (uint16_t)number(words[2] + 1);
    memcpy(s->argv, words + 2, (count - 1) * sizeof words[0]);
    for (enum measure m = 0; m < MEASURES; m++) {
        s->samples[m] = malloc(samples * sizeof(double));
        if (s->samples[m] == NULL)
            die("out of memory");
        for (size_t i = 0; i < samples; i++)
            s->samples[m][i] = NAN;
    }
    subject_count++;
}

static void add_subjects_of(const char *path)
{
    char line[MAX_LINE];
    FILE *in = fopen(path, "re");

    if (in == NULL)
        die("cannot read %s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, in) != NULL)
        add_subject(line);
    (void)fclose(in);
}

static void __attribute__((noreturn)) usage(void)
{
    fputs("usage: driver [OPTION]... [SUBJECT]...\n"
          "A SUBJECT is one argument (or a line of a file), \"NAME FILE PROGRAM ARGUMENT...\" or\n"
          "\"NAME FILE @PORT\" for a server that runs already; FILE (or directory) is where mail arrives, or -.\n"
          "A NAME that begins with lmtp speaks LMTP; behind a * stands the number of recipients (1).\n"
          "  -f FILE    subjects from a file, one a line\n"
          "  -n ROUNDS  how often (100)            -w ROUNDS  before that, unmeasured (3)\n"
          "  -s BYTES   size of a message (2048)   -p         pipelined (RFC 2920)\n"
          "  -r ADDRESS recipient (inbox@example.com)\n"
          "  -b NAME    the subject that gets its messages by BDAT, in one chunk (RFC 3030)\n"
          "  -a ADDRESS of the client (127.0.0.1)\n"
          "  -m         look at the memory of all processes after the 250\n"
          "  -i COUNT   instead of rounds: so many idle sessions at once\n"
          "  -t NAME    name of the test           -k NAMES   only these columns, as \"banner exit\"\n"
          "  -o FILE    append the figures: test, subject, measure, median, least, 1 and 9 of 10, ratio\n",
          stderr);
    exit(64);
}

static void parse_options(int argc, char **argv)
{
    const char *file = NULL;
    int option;

    while ((option = getopt(argc, argv, "f:n:w:s:pb:r:a:mi:t:k:o:")) != -1) {
        switch (option) {
        case 'f': file = optarg; break;
        case 'n': options.rounds = number(optarg); break;
        case 'w': options.warm_up = number(optarg); break;
        case 's': options.size = number(optarg); break;
        case 'p': options.pipelined = true; break;
        case 'b': options.bdat = optarg; break;
        case 'r': options.recipient = optarg; break;
        case 'a': options.client = optarg; break;
        case 'm': options.look = true; break;
        case 'i': options.idle = number(optarg); break;
        case 't': options.test = optarg; break;
        case 'k': options.chosen = optarg; break;
        case 'o': options.output = optarg; break;
        default: usage();
        }
    }
    if (options.rounds == 0 || options.idle > MAX_IDLE)
        usage();
    if (options.idle > 0) {
        options.rounds = options.idle;
        options.warm_up = 0;
    }
    if (file != NULL)
        add_subjects_of(file);
    for (int i = optind; i < argc; i++)
        add_subject(argv[i]);
    if (subject_count == 0)
        usage();
}

int main(int argc, char **argv)
{
    parse_options(argc, argv);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        die("cannot inherit processes: %s", strerror(errno));
    build_message();
    if (options.idle > 0)
        for (size_t i = 0; i < subject_count; i++)
            measure_idle(&subjects[i]);
    else
        play_rounds();
    print_table();
    return 0;
}
