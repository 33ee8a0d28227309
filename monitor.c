/* monitor.c - the wall: what the dialogue may ask of the side that decides and delivers */
/*
 * For now both sides are one process and the questions are calls. Nothing here trusts the
 * arguments any more than it would if they came through a socket.
 */
#include "monitor.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "deliver.h"
#include "log.h"

static const struct reply contradiction = REPLY(451, "3.0", "Internal contradiction, please report it");

struct monitor {
    struct conf *conf;
    struct peer *peer;
    const volatile sig_atomic_t *terminated;
    uint64_t deadline;

    bool extended;              /* the client said EHLO */
    char helo[HELO_MAX + 1];

    bool in_transaction;
    struct mail_argument mail;
    size_t count;               /* accepted recipients */
    struct recipient *recipients; /* room for limit.smtp_rcpt_to; pages are touched when used */
    unsigned messages;          /* makes ids unique */
};

static struct monitor the_monitor;

static size_t recipients_size(const struct conf *conf)
{
    return (size_t)conf->smtp_rcpt_to.value * sizeof(struct recipient);
}

struct monitor *monitor_begin(struct conf *conf, struct peer *peer, const volatile sig_atomic_t *terminated)
{
    struct monitor *m = &the_monitor;
    void *room = mmap(NULL, recipients_size(conf), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED) {
        log_line(LOG_ERR, "no memory for %ju recipients", (uintmax_t)conf->smtp_rcpt_to.value);
        return NULL;
    }
    *m = (struct monitor){ .conf = conf, .peer = peer, .terminated = terminated, .recipients = room,
                           .deadline = clock_ms() + conf->connection_secs.value * 1000 };
    return m;
}

void monitor_end(struct monitor *monitor)
{
    (void)munmap(monitor->recipients, recipients_size(monitor->conf)); /* ours: cannot fail */
}

struct reply monitor_connect(struct monitor *monitor)
{
    struct peer *peer = monitor->peer;
    struct reply reply = rules_connect(&monitor->conf->rules, peer);

    if (log_wants('h'))
        (void)peer_name(peer); /* asked for so that the log has it */
    log_line(LOG_INFO, "SMTP connection from remote host %s [%s]", peer->name, peer->address);
    if (geteuid() == 0)
        log_line(LOG_WARNING, "serving as root: user NAME in the configuration changes that");
    return reply;
}

struct reply monitor_helo(struct monitor *monitor, bool extended, struct slice name)
{
    if (!envelope_helo(name))
        return contradiction;
    monitor_reset(monitor);
    monitor->extended = extended;
    memcpy(monitor->helo, name.text, name.len);
    monitor->helo[name.len] = '\0';
    return (struct reply){ .code = 0 };
}

struct reply monitor_mail(struct monitor *monitor, struct slice argument)
{
    if (monitor->in_transaction || envelope_mail(argument, &monitor->mail) != ENVELOPE_OK)
        return contradiction;
    monitor->in_transaction = true;
    monitor->count = 0;
    return (struct reply){ .code = 0 };
}

struct reply monitor_rcpt(struct monitor *monitor, struct slice argument)
{
    struct address address;
    struct reply reply;

    if (!monitor->in_transaction || envelope_rcpt(argument, monitor->mail.smtputf8, &address) != ENVELOPE_OK)
        return contradiction;
    if (monitor->count >= monitor->conf->smtp_rcpt_to.value)
        return monitor->conf->smtp_rcpt_to.reply;
    reply = rules_rcpt(&monitor->conf->rules, monitor->peer, &address, &monitor->recipients[monitor->count]);
    if (reply.code == 0)
        monitor->count++;
    return reply;
}

void monitor_reset(struct monitor *monitor)
{
    monitor->in_transaction = false;
    monitor->count = 0;
}

int monitor_spool(struct monitor *monitor)
{
    struct slice directory = monitor->conf->spool_directory;
    int fd = spool_file(directory);

    if (fd < 0)
        log_line(LOG_ERR, "cannot make a file in spool_directory %.*s: %m", (int)directory.len, directory.text);
    else
        log_debug('f', "opened a spool file in %.*s", (int)directory.len, directory.text);
    return fd;
}

/* Of RFC 3848 and RFC 6531 4.3. */
static const char *protocol(const struct monitor *monitor)
{
    if (!monitor->extended)
        return "SMTP";
    return monitor->mail.smtputf8 ? "UTF8SMTP" : "ESMTP";
}

/* Time, process and number of the message in it: no other message on this host has the same. */
static void make_id(struct monitor *monitor, char *id, size_t size)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    (void)snprintf(id, size, "%08jx%05lx.%lx.%x", (uintmax_t)now.tv_sec, (unsigned long)now.tv_nsec / 1000,
                   (unsigned long)getpid(), ++monitor->messages);
}

struct reply monitor_deliver(struct monitor *monitor, const struct spool *spool)
{
    static char id[64];
    struct transaction transaction = {
        .conf = monitor->conf,
        .peer = monitor->peer,
        .sender = &monitor->mail.sender,
        .spool = spool,
        .helo = monitor->helo,
        .protocol = protocol(monitor),
        .id = id,
        .received = time(NULL),
        .deadline = monitor->deadline,
        .terminated = monitor->terminated,
    };
    struct reply reply;

    if (!monitor->in_transaction || monitor->count == 0)
        return contradiction;
    make_id(monitor, id, sizeof id);
    reply = deliver_all(&transaction, monitor->recipients, monitor->count);
    monitor->count = 0; /* nothing is delivered twice */
    return reply;
}

bool monitor_wants(const struct monitor *monitor, char flag)
{
    (void)monitor;
    return log_wants(flag);
}

/* The fixed shape that fail2ban looks for: `ERROR: CODE text stage=... ... line="client text"`. */
void monitor_log_refusal(struct monitor *monitor, const char *stage, const struct reply *reply, struct slice line)
{
    char shown[LOG_TEXT], detail[LOG_TEXT], text[LOG_TEXT], from[LOG_TEXT];
    size_t len = reply->text.len < sizeof text ? reply->text.len : sizeof text - 1;

    for (size_t i = 0; i < len; i++)
        text[i] = (char)(reply->text.text[i] >= ' ' && reply->text.text[i] <= '~' ? reply->text.text[i] : '?');
    text[len] = '\0';
    log_line(LOG_NOTICE, "ERROR: %u %s stage=%s%s%.*s%s%s%s from=\"%s\" line=\"%s\"", reply->code, text, stage,
             reply->note.len > 0 ? " " : "", (int)reply->note.len, reply->note.text,
             reply->detail.len > 0 ? " detail=\"" : "", log_encode(detail, sizeof detail, reply->detail),
             reply->detail.len > 0 ? "\"" : "",
             log_encode(from, sizeof from, monitor->in_transaction ? address_slice(&monitor->mail.sender)
                                                                  : slice_of("")),
             log_encode(shown, sizeof shown, line));
}

static void log_message_lines(struct slice text)
{
    char shown[LOG_TEXT];

    while (text.len > 0) {
        const char *lf = memchr(text.text, '\n', text.len);
        size_t len = lf != NULL ? (size_t)(lf - text.text) : text.len;

        log_debug('l', "message: \"%s\"", log_encode(shown, sizeof shown, (struct slice){ text.text, len }));
        len += lf != NULL;
        text.text += len;
        text.len -= len;
    }
}

void monitor_log(struct monitor *monitor, enum monitor_event event, struct slice text)
{
    char shown[LOG_TEXT];

    (void)monitor; /* the line needs nothing of it: the log knows the client */
    switch (event) {
    case MONITOR_END:
        log_line(LOG_INFO, "end %.*s", (int)text.len, text.text);
        break;
    case MONITOR_LINE:
        log_debug('s', "client: \"%s\"", log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_REPLY:
        log_debug('s', "server: \"%s\"", log_encode(shown, sizeof shown, text));
        break;
    case MONITOR_MESSAGE:
        log_message_lines(text);
        break;
    }
}
