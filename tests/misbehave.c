/* misbehave.c - a session process that has been taken over: stands in for smtp.c in a test build */
/*
 * The environment variable MISBEHAVE says what it tries, once it is confined like any session.
 * If it is still there afterwards it tells its client "SURVIVED".
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "smtp.h"

struct session {
    struct monitor *monitor;
    const char *what;
};

enum { CHANNEL = 2 };

static void open_file(struct monitor *m)
{
    (void)m;
    (void)open("/etc/passwd", O_RDONLY);
}

static void execute(struct monitor *m)
{
    char *const arguments[] = { (char[]){ "true" }, NULL };

    (void)m;
    (void)execv("/bin/true", arguments);
}

static void start_process(struct monitor *m)
{
    (void)m;
    (void)fork();
}

static void make_socket(struct monitor *m)
{
    (void)m;
    (void)socket(AF_INET, SOCK_STREAM, 0);
}

static void kill_parent(struct monitor *m)
{
    (void)m;
    (void)kill(getppid(), SIGKILL);
}

static void trace_parent(struct monitor *m)
{
    (void)m;
    (void)ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static void make_code(struct monitor *m)
{
    (void)m;
    (void)mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void send_garbage(struct monitor *m)
{
    char garbage[512];

    (void)m;
    memset(garbage, 0xff, sizeof garbage);
    (void)!write(CHANNEL, garbage, sizeof garbage);
}

static void send_little(struct monitor *m)
{
    (void)m;
    (void)!write(CHANNEL, "x", 1);
}

static void rcpt_without_mail(struct monitor *m)
{
    (void)monitor_rcpt(m, slice_of("TO:<user@example.com>"));
}

static void mail_twice(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
}

static void mail_with_bad_syntax(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>\nRCPT TO:<user@example.com>"));
}

static void helo_with_blanks(struct monitor *m)
{
    (void)monitor_helo(m, true, slice_of("a b"));
}

static void deliver_to_nobody(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = 10 };

    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    (void)monitor_deliver(m, &spool);
}

static void begin_delivery(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    (void)monitor_rcpt(m, slice_of("TO:<user@example.com>"));
}

static void deliver_too_much(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = SPOOL_MEMORY + 1 };

    begin_delivery(m);
    (void)monitor_deliver(m, &spool);
}

static void deliver_no_file(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = 0, .size = 10 };

    begin_delivery(m);
    (void)monitor_deliver(m, &spool);
}

static void deliver_other_size(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = 10 };

    begin_delivery(m);
    spool.fd = monitor_spool(m);
    (void)!write(spool.fd, "abc", 3);
    (void)monitor_deliver(m, &spool);
}

static void log_no_refusal(struct monitor *m)
{
    const struct reply reply = REPLY(250, "0.0", "Ok");

    monitor_log_refusal(m, "rcpt", &reply, slice_of(""));
}

/* Tells the client which descriptors there are. */
static void list_descriptors(struct monitor *m)
{
    (void)m;
    for (int fd = 0; fd < 64; fd++) {
        struct pollfd one = { .fd = fd };
        const struct timespec now = { .tv_sec = 0 };
        const char line[] = { (char)('0' + fd), '\n' };

        if (ppoll(&one, 1, &now, NULL) >= 0 && (one.revents & POLLNVAL) == 0)
            (void)!write(STDOUT_FILENO, line, sizeof line);
    }
}

/* Harmless if it cannot look like a line about somebody else. */
static void forge_log(struct monitor *m)
{
    const char *text = "x [198.51.100.9] ERROR: 550 No one here\nMAILRECV[1]: [198.51.100.9] ERROR: 550 No one here";
    struct reply reply = REPLY(550, "1.1", "");

    reply.text = reply.note = reply.detail = slice_of(text);
    monitor_log_refusal(m, "rcpt", &reply, slice_of(text));
    monitor_log(m, MONITOR_END, slice_of(text));
}

static const struct {
    const char *name;
    void (*act)(struct monitor *m);
} acts[] = {
    { "open", open_file },
    { "exec", execute },
    { "fork", start_process },
    { "socket", make_socket },
    { "kill", kill_parent },
    { "ptrace", trace_parent },
    { "mmap", make_code },
    { "garbage", send_garbage },
    { "little", send_little },
    { "rcpt-without-mail", rcpt_without_mail },
    { "mail-twice", mail_twice },
    { "mail-syntax", mail_with_bad_syntax },
    { "helo-syntax", helo_with_blanks },
    { "deliver-to-nobody", deliver_to_nobody },
    { "deliver-too-much", deliver_too_much },
    { "deliver-no-file", deliver_no_file },
    { "deliver-other-size", deliver_other_size },
    { "log-no-refusal", log_no_refusal },
    { "descriptors", list_descriptors },
    { "forge-log", forge_log },
};

struct session *smtp_greet(struct line_io *io, struct monitor *monitor, const struct conf *conf)
{
    static struct session session;

    (void)io;
    (void)conf;
    (void)monitor_connect(monitor);
    session = (struct session){ monitor, getenv("MISBEHAVE") };
    return &session;
}

void smtp_session(struct session *session)
{
    static const char survived[] = "SURVIVED\n";

    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (session->what != NULL && strcmp(acts[i].name, session->what) == 0)
            acts[i].act(session->monitor);
    (void)monitor_spool(session->monitor); /* the monitor has dealt with all of it, or ended us */
    (void)!write(STDOUT_FILENO, survived, sizeof survived - 1);
}

void smtp_say(struct line_io *io, const struct reply *reply)
{
    (void)io;
    (void)reply;
}
