/* accept.c - what a session was allowed so far: greeting, HELO, envelope, delivery */
#include "accept.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "deliver.h"
#include "log.h"

static const struct reply no_objection = { .code = 0 };

static struct reply contradict(struct acceptance *a)
{
    static const struct reply contradiction = REPLY(451, "3.0", "Internal contradiction, please report it");

    a->contradiction = true;
    return contradiction;
}

static size_t recipients_size(const struct conf *conf)
{
    return (size_t)conf->smtp_rcpt_to.value * sizeof(struct recipient);
}

bool accept_begin(struct acceptance *a, struct conf *conf, struct peer *peer,
                  const volatile sig_atomic_t *terminated)
{
    void *room = mmap(NULL, recipients_size(conf), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *a = (struct acceptance){ .conf = conf, .peer = peer, .terminated = terminated, .recipients = room,
                              .deadline = clock_ms() + conf->connection_secs.value * 1000 };
    if (room == MAP_FAILED)
        log_line(LOG_ERR, "no memory for %ju recipients", (uintmax_t)conf->smtp_rcpt_to.value);
    return room != MAP_FAILED;
}

void accept_end(struct acceptance *a)
{
    (void)munmap(a->recipients, recipients_size(a->conf)); /* ours: cannot fail */
}

static void log_trouble(void)
{
    if (rules_trouble()[0] != '\0')
        log_line(LOG_ERR, "%s", rules_trouble());
}

struct reply accept_connect(struct acceptance *a)
{
    struct peer *peer = a->peer;
    struct reply reply = rules_connect(&a->conf->rules, peer);

    if (log_wants('h'))
        (void)peer_name(peer); /* asked for so that the log has it */
    log_line(LOG_INFO, "SMTP connection from remote host %s [%s]", peer->name, peer->address);
    if (geteuid() == 0)
        log_line(LOG_WARNING, "serving as root: user NAME in the configuration changes that");
    log_trouble();
    return reply;
}

struct reply accept_helo(struct acceptance *a, bool extended, struct slice name)
{
    if (!envelope_helo(name))
        return contradict(a);
    accept_reset(a);
    a->extended = extended;
    memcpy(a->helo, name.text, name.len);
    a->helo[name.len] = '\0';
    return no_objection;
}

struct reply accept_mail(struct acceptance *a, struct slice argument)
{
    if (a->in_transaction || envelope_mail(argument, &a->mail) != ENVELOPE_OK)
        return contradict(a);
    a->in_transaction = true;
    a->count = 0;
    return no_objection;
}

struct reply accept_rcpt(struct acceptance *a, struct slice argument)
{
    struct address address;
    struct reply reply;

    if (!a->in_transaction || envelope_rcpt(argument, a->mail.smtputf8, &address) != ENVELOPE_OK)
        return contradict(a);
    if (a->count >= a->conf->smtp_rcpt_to.value)
        return a->conf->smtp_rcpt_to.reply;
    reply = rules_rcpt(&a->conf->rules, a->peer, &address, &a->recipients[a->count]);
    log_trouble();
    if (reply.code == 0)
        a->count++;
    return reply;
}

void accept_reset(struct acceptance *a)
{
    a->in_transaction = false;
    a->count = 0;
}

int accept_spool(struct acceptance *a)
{
    struct slice directory = a->conf->spool_directory;
    int fd = spool_file(directory);

    if (fd < 0)
        log_line(LOG_ERR, "cannot make a file in spool_directory %.*s: %m", (int)directory.len, directory.text);
    else
        log_debug('f', "opened a spool file in %.*s", (int)directory.len, directory.text);
    return fd;
}

/* Of RFC 3848 and RFC 6531 4.3. */
static const char *protocol(const struct acceptance *a)
{
    if (!a->extended)
        return "SMTP";
    return a->mail.smtputf8 ? "UTF8SMTP" : "ESMTP";
}

/* Time, process and number of the message in it: no other message on this host has the same. */
static void make_id(struct acceptance *a, char *id, size_t size)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    (void)snprintf(id, size, "%08jx%05lx.%lx.%x", (uintmax_t)now.tv_sec, (unsigned long)now.tv_nsec / 1000,
                   (unsigned long)getpid(), ++a->messages);
}

struct reply accept_deliver(struct acceptance *a, const struct spool *spool)
{
    static char id[64];
    struct transaction transaction = {
        .conf = a->conf,
        .peer = a->peer,
        .sender = &a->mail.sender,
        .spool = spool,
        .helo = a->helo,
        .protocol = protocol(a),
        .id = id,
        .received = time(NULL),
        .deadline = a->deadline,
        .terminated = a->terminated,
    };
    struct reply reply;

    if (!a->in_transaction || a->count == 0)
        return contradict(a);
    make_id(a, id, sizeof id);
    reply = deliver_all(&transaction, a->recipients, a->count);
    a->count = 0; /* nothing is delivered twice */
    return reply;
}
