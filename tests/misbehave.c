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

static void helo_with_newline(struct monitor *m)
{
    (void)monitor_helo(m, true, slice_of("a\nb"));
}

static void data_to_nobody(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    (void)monitor_data(m);
}

static void data_twice(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    (void)monitor_rcpt(m, slice_of("TO:<user@example.com>"));
    (void)monitor_data(m);
    (void)monitor_data(m);
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
    spool.fd = monitor_spool(m, &spool.start);
    (void)!write(spool.fd, "abc", 3);
    (void)monitor_deliver(m, &spool);
}

/* Milters that were told of DATA would not answer. */
static void rcpt_behind_data(struct monitor *m)
{
    begin_delivery(m);
    (void)monitor_data(m);
    (void)monitor_rcpt(m, slice_of("TO:<user@example.com>"));
}

/* Nothing is wrong with it, unless the client was refused. */
static void deliver(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = 10 };

    begin_delivery(m);
    (void)monitor_data(m); /* if that is asked about */
    memcpy(spool.memory, "Subject: x", 10);
    (void)monitor_deliver(m, &spool);
}

/* Those who are asked about DATA are not. */
static void deliver_without_data(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = 10 };

    begin_delivery(m);
    memcpy(spool.memory, "Subject: x", 10);
    (void)monitor_deliver(m, &spool);
}

/* ---- LMTP: two replies, the first of which is given ---- */

static void deliver_to_two(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = 10 };

    begin_delivery(m);
    (void)monitor_rcpt(m, slice_of("TO:<other@example.com>"));
    memcpy(spool.memory, "Subject: x", 10);
    (void)monitor_deliver(m, &spool);
}

static void answer_first(struct monitor *m)
{
    begin_delivery(m);
    (void)monitor_answer(m);
}

static void answer_too_often(struct monitor *m)
{
    deliver_to_two(m);
    (void)monitor_answer(m);
    (void)monitor_answer(m);
}

static void rcpt_between_answers(struct monitor *m)
{
    deliver_to_two(m);
    (void)monitor_rcpt(m, slice_of("TO:<other@example.com>"));
}

static void spool_between_answers(struct monitor *m)
{
    uint64_t start;

    deliver_to_two(m);
    (void)monitor_spool(m, &start);
}

static void deliver_between_answers(struct monitor *m)
{
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = 10 };

    deliver_to_two(m);
    (void)monitor_deliver(m, &spool);
}

static void answer_after_reset(struct monitor *m)
{
    deliver_to_two(m);
    monitor_reset(m);
    (void)monitor_answer(m);
}

/* The recipient that was not delivered to is forgotten. */
static void deliver_after_reset(struct monitor *m)
{
    deliver_to_two(m);
    monitor_reset(m);
    deliver(m);
}

/* Of files there is one for each message. */
static void spool_twice(struct monitor *m)
{
    uint64_t start;

    begin_delivery(m);
    (void)monitor_spool(m, &start);
    if (monitor_spool(m, &start) < 0)
        (void)!write(STDOUT_FILENO, "REFUSED\n", 8);
}

/* Goes on writing to what was delivered. */
static void keep_spool(struct monitor *m)
{
    static const char text[] = "Subject: x\n\nthe message\n", more[] = "and more\n";
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = sizeof text - 1 };
    int kept;

    begin_delivery(m);
    (void)monitor_data(m);
    spool.fd = monitor_spool(m, &spool.start);
    kept = dup3(spool.fd, spool.fd + 1, 0);
    (void)!write(kept, text, sizeof text - 1);
    (void)monitor_deliver(m, &spool);
    if (write(kept, more, sizeof more - 1) == (ssize_t)sizeof more - 1)
        (void)!write(STDOUT_FILENO, "WROTE\n", 6);
}

/* Names another recipient when there is a file for the first, whose head is as long. */
static void recipient_behind_spool(struct monitor *m)
{
    static const char text[] = "Subject: x\n\nthe message\n";
    struct spool spool = { .memory = monitor_memory(m), .fd = -1, .size = sizeof text - 1 };

    begin_delivery(m);
    spool.fd = monitor_spool(m, &spool.start);
    (void)!write(spool.fd, text, sizeof text - 1);
    (void)monitor_rcpt(m, slice_of("TO:<resu@example.com>"));
    (void)monitor_deliver(m, &spool);
}

static void log_no_refusal(struct monitor *m)
{
    const struct reply reply = REPLY(250, "0.0", "Ok");

    monitor_log_refusal(m, "rcpt", &reply, slice_of(""));
}

/* ---- TLS and AUTH ------------------------------------------------------------------------ */

static const char good_helo[] = "client.example";

/* Returns the session's end of the plain bytes. */
static int begin_tls(struct monitor *m)
{
    int plain;

    if (monitor_tls(m, &plain).code != 0)
        _exit(1);
    return plain;
}

static void helo_before_handshake(struct monitor *m)
{
    (void)begin_tls(m);
    (void)monitor_helo(m, true, slice_of(good_helo));
}

static void mail_before_handshake(struct monitor *m)
{
    (void)begin_tls(m);
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
}

static void auth_as(struct monitor *m, const char *name, const char *password);

static void auth_before_handshake(struct monitor *m)
{
    (void)begin_tls(m);
    auth_as(m, "ann", "secret");
}

/* The monitor has heard what became of the handshake, and is asked again. */
static void helo_after_failure(struct monitor *m)
{
    char end;

    (void)!read(begin_tls(m), &end, 1); /* waits for the end of mailrecv-tls */
    monitor_log(m, MONITOR_END, slice_of("reason=none"));
    (void)monitor_helo(m, true, slice_of(good_helo));
}

static void tls_only(struct monitor *m)
{
    int plain;

    (void)monitor_tls(m, &plain);
}

static void tls_twice(struct monitor *m)
{
    (void)begin_tls(m);
    tls_only(m);
}

static void tls_in_transaction(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    tls_only(m);
}

/* Name and password of these lengths: what they hold may be anything. */
static void auth_with(struct monitor *m, const char *name, size_t name_len, const char *password, size_t password_len)
{
    struct sasl sasl = { .user.len = name_len, .password.len = password_len };

    memcpy(sasl.user.text, name, name_len);
    memcpy(sasl.password.text, password, password_len);
    (void)monitor_auth(m, &sasl);
}

static void auth_as(struct monitor *m, const char *name, const char *password)
{
    auth_with(m, name, strlen(name), password, strlen(password));
}

static void auth_only(struct monitor *m)
{
    auth_as(m, "ann", "secret");
}

static void auth_twice(struct monitor *m)
{
    auth_only(m);
    auth_only(m);
}

static void auth_in_transaction(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    auth_only(m);
}

static void auth_nobody(struct monitor *m)
{
    auth_as(m, "", "secret");
}

/* A name without an end, so that nothing is left of the NULs between the parts. */
static void auth_without_nul(struct monitor *m)
{
    static struct sasl sasl;

    memset(&sasl, 'x', sizeof sasl);
    sasl.identity.len = sizeof sasl;
    sasl.user.len = sasl.password.len = 0;
    (void)monitor_auth(m, &sasl);
}

static void auth_with_more_nuls(struct monitor *m)
{
    auth_with(m, "ann", 3, "se\0cret", 7);
}

/* The limit is 1. */
static void auth_guess(struct monitor *m)
{
    for (int i = 0; i < 3; i++)
        auth_as(m, "ann", "wrong");
}

static void speak_for_another(struct monitor *m)
{
    unsigned speaks;

    (void)monitor_xclient(m, slice_of("ADDR=192.0.2.8"), &speaks);
}

/* Who may do so once may not again. */
static void speak_for_two(struct monitor *m)
{
    speak_for_another(m);
    speak_for_another(m);
}

static void speak_in_transaction(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    speak_for_another(m);
}

static void speak_with_bad_syntax(struct monitor *m)
{
    unsigned speaks;

    (void)monitor_xclient(m, slice_of("ADDR=192.0.2.8\n"), &speaks);
}

static void forward(struct monitor *m)
{
    monitor_xforward(m, slice_of("ADDR=192.0.2.66"));
}

static void forward_in_transaction(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    forward(m);
}

static void forward_with_bad_syntax(struct monitor *m)
{
    monitor_xforward(m, slice_of("LOGIN=ann"));
}

/* That it was not understood, and goes on. */
static void mistell_and_deliver(struct monitor *m)
{
    monitor_mistold(m);
    deliver(m);
}

/* Does not hear that MAIL was refused, for the client is not wanted. */
static void forward_and_deliver(struct monitor *m)
{
    forward(m);
    deliver(m);
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

/* ---- beyond the limits ------------------------------------------------------------------- */

enum { WITHOUT_END = 100000 };

/* Never ends by itself when a limit is exceeded. */
static void guess_recipients(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
    for (int i = 0; i < WITHOUT_END; i++)
        (void)monitor_rcpt(m, slice_of("TO:<nobody@example.com>"));
}

/* The same, with a recipient that exists in each transaction, and the transactions given up. */
static void guess_recipients_in_turns(struct monitor *m)
{
    for (int i = 0; i < WITHOUT_END; i++) {
        if (i % 50 == 0) {
            monitor_reset(m);
            begin_delivery(m);
        }
        (void)monitor_rcpt(m, slice_of("TO:<nobody@example.com>"));
    }
}

static void exceed_recipients(struct monitor *m)
{
    begin_delivery(m);
    for (int i = 0; i < WITHOUT_END; i++)
        (void)monitor_rcpt(m, slice_of("TO:<user@example.com>"));
}

static void log_refusals(struct monitor *m, const char *stage, unsigned code)
{
    const struct reply reply = { .code = code, .counts = COUNTS_NOT, .text = SLICE("No") };

    for (int i = 0; i < WITHOUT_END; i++)
        monitor_log_refusal(m, stage, &reply, slice_of("FOO"));
}

static void log_many_refusals(struct monitor *m)
{
    log_refusals(m, "command", 500);
}

static void log_many_temporary_refusals(struct monitor *m)
{
    log_refusals(m, "rcpt", 451);
}

/* As if each were the reply for a recipient. */
static void log_many_answers(struct monitor *m)
{
    (void)monitor_mail(m, slice_of("FROM:<sender@example.com> PRDR"));
    (void)monitor_rcpt(m, slice_of("TO:<user@example.com>"));
    log_refusals(m, "data", 451);
}

static void say_helo(struct monitor *m)
{
    for (int i = 0; i < WITHOUT_END; i++)
        (void)monitor_helo(m, true, slice_of("client.example"));
}

static void begin_transactions(struct monitor *m)
{
    for (int i = 0; i < WITHOUT_END; i++) {
        (void)monitor_mail(m, slice_of("FROM:<sender@example.com>"));
        monitor_reset(m);
    }
}

static void ask_for_spools(struct monitor *m)
{
    uint64_t start;

    begin_delivery(m);
    for (int i = 0; i < WITHOUT_END; i++) {
        int fd = monitor_spool(m, &start);

        if (fd >= 0)
            (void)close(fd);
    }
}

static void end_twice(struct monitor *m)
{
    monitor_log(m, MONITOR_END, slice_of("reason=quit"));
    monitor_log(m, MONITOR_END, slice_of("reason=quit"));
}

/* ---- staying ----------------------------------------------------------------------------- */

static void stay(struct monitor *m)
{
    (void)m;
    for (;;)
        (void)ppoll(NULL, 0, NULL, NULL);
}

static void leave(struct monitor *m)
{
    (void)close(CHANNEL);
    stay(m);
}

static void send_nothing(struct monitor *m)
{
    (void)send(CHANNEL, "", 0, 0);
    stay(m);
}

static void half_close(struct monitor *m)
{
    (void)shutdown(CHANNEL, SHUT_WR);
    stay(m);
}

/* Nothing of it is wrong, but that it has no end. */
static void flood(struct monitor *m)
{
    for (;;)
        monitor_log(m, MONITOR_LINE, slice_of("NOOP"));
}

static void leave_with_tls(struct monitor *m)
{
    (void)begin_tls(m);
    leave(m);
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
    { "helo-syntax", helo_with_newline },
    { "deliver", deliver },
    { "deliver-without-data", deliver_without_data },
    { "data-to-nobody", data_to_nobody },
    { "data-twice", data_twice },
    { "rcpt-behind-data", rcpt_behind_data },
    { "deliver-to-nobody", deliver_to_nobody },
    { "deliver-too-much", deliver_too_much },
    { "deliver-no-file", deliver_no_file },
    { "deliver-other-size", deliver_other_size },
    { "answer-first", answer_first },
    { "answer-too-often", answer_too_often },
    { "rcpt-between-answers", rcpt_between_answers },
    { "spool-between-answers", spool_between_answers },
    { "deliver-between-answers", deliver_between_answers },
    { "answer-after-reset", answer_after_reset },
    { "deliver-after-reset", deliver_after_reset },
    { "spool-twice", spool_twice },
    { "keep-spool", keep_spool },
    { "recipient-behind-spool", recipient_behind_spool },
    { "log-no-refusal", log_no_refusal },
    { "helo-before-handshake", helo_before_handshake },
    { "mail-before-handshake", mail_before_handshake },
    { "auth-before-handshake", auth_before_handshake },
    { "helo-after-failure", helo_after_failure },
    { "tls", tls_only },
    { "tls-twice", tls_twice },
    { "tls-in-transaction", tls_in_transaction },
    { "auth", auth_only },
    { "auth-twice", auth_twice },
    { "auth-in-transaction", auth_in_transaction },
    { "auth-nobody", auth_nobody },
    { "auth-without-nul", auth_without_nul },
    { "auth-with-more-nuls", auth_with_more_nuls },
    { "auth-guess", auth_guess },
    { "xclient", speak_for_another },
    { "xclient-twice", speak_for_two },
    { "xclient-in-transaction", speak_in_transaction },
    { "xclient-syntax", speak_with_bad_syntax },
    { "xforward", forward },
    { "xforward-in-transaction", forward_in_transaction },
    { "xforward-syntax", forward_with_bad_syntax },
    { "xforward-refused", forward_and_deliver },
    { "mistold", mistell_and_deliver },
    { "descriptors", list_descriptors },
    { "forge-log", forge_log },
    { "guess-recipients", guess_recipients },
    { "guess-in-turns", guess_recipients_in_turns },
    { "exceed-recipients", exceed_recipients },
    { "log-refusals", log_many_refusals },
    { "log-temporary-refusals", log_many_temporary_refusals },
    { "log-answers", log_many_answers },
    { "say-helo", say_helo },
    { "begin-transactions", begin_transactions },
    { "ask-for-spools", ask_for_spools },
    { "end-twice", end_twice },
    { "stay", stay },
    { "leave", leave },
    { "empty-packet", send_nothing },
    { "half-close", half_close },
    { "flood", flood },
    { "tls-leave", leave_with_tls },
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
    uint64_t start;

    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (session->what != NULL && strcmp(acts[i].name, session->what) == 0)
            acts[i].act(session->monitor);
    (void)monitor_spool(session->monitor, &start); /* the monitor has dealt with all of it, or ended us */
    (void)!write(STDOUT_FILENO, survived, sizeof survived - 1);
}

void smtp_say(struct line_io *io, const struct reply *reply)
{
    (void)io;
    (void)reply;
}
