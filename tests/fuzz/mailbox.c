/* mailbox.c - fuzz target: what is found in mboxes and maildirs, whoever wrote them, and what we have written there */
/*
 * Byte 0: bit 0 makes it a file of a maildir, bit 1 has two messages written where bit 0 is not set, instead of one.
 * Byte 1: the share of the others that stands in the mbox before we write. The rest is what clients have sent.
 */
#include "admin/mailfile.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"
#include "delivery/mbox.h"
#include "delivery/writer.h"
#include "fuzz.h"

static char path[64];

/* What is found in the file, from its beginning to its end. */
struct finding {
    struct mailfile box;
    struct mailfile_message message;
    struct message taken;
    struct spool spool;
    char memory[SPOOL_MEMORY];
};

static int no_file(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    abort(); /* all inputs are small */
}

static void begin(struct finding *f, bool maildir)
{
    static char *files[] = { path };

    f->box = (struct mailfile){ .fd = -1, .lock_ms = 1000, .files = files, .count = 1, .maildir = maildir };
}

/* The next message, which begins where the one before has ended. */
static bool next(struct finding *f)
{
    const struct mailfile_message *m = &f->message;
    uint64_t end = f->box.at;
    int found = mailfile_next(&f->box, &f->message);

    HOLDS(found >= 0);
    if (found == 0)
        return false;
    HOLDS(f->box.mbox ? m->begin == end || m->number == 1 : m->begin == 0 && m->number == 1);
    HOLDS(m->begin <= m->body && m->body <= m->text_end && m->text_end <= m->end && m->begin < m->end);
    HOLDS(!m->ours || (m->body < m->text && m->text <= m->text_end && m->mark_at < m->body));
    HOLDS(f->box.mbox || m->part == MAILFILE_WHOLE);
    f->spool = (struct spool){ .memory = f->memory, .fd = -1 };
    message_begin(&f->taken, &f->spool, UINT32_MAX, false, no_file, NULL);
    HOLDS(mailfile_take(&f->box, &f->message, false, &f->taken) == NULL);
    HOLDS(f->spool.size == 0 || f->memory[f->spool.size - 1] == '\n');
    return true;
}

/* A message of ours: what is taken has its Received: field, of three lines, above what was sent. */
static void check_ours(const struct finding *f, struct slice sent)
{
    size_t head = (size_t)f->spool.size - sent.len;

    HOLDS(f->message.ours && f->message.part == MAILFILE_WHOLE && f->message.mark == MAILFILE_WAITING);
    HOLDS(f->spool.size > sent.len && memcmp(f->memory, "Received: ", 10) == 0 && f->memory[head - 1] == '\n');
    HOLDS(memcmp(f->memory + head, sent.text, sent.len) == 0);
}

static void find_all(struct finding *f, bool maildir, uint64_t size, const struct slice sent[], size_t count)
{
    size_t found = 0, first;

    for (begin(f, maildir); next(f); found++)
        HOLDS(f->box.at == f->message.end && f->message.end <= size);
    HOLDS(found == 0 || f->box.at == size);
    if (!maildir && !f->box.mbox)
        count = 0; /* what was there before is one message, by its first line, and all behind it is its text */
    HOLDS(found >= count);
    first = found - count;
    begin(f, maildir);
    for (size_t i = 0; i < found; i++) {
        HOLDS(next(f));
        if (i >= first)
            check_ours(f, sent[i - first]);
    }
    HOLDS(!next(f));
}

static void remove_file(void)
{
    (void)unlink(path);
}

/* A file of all targets that is empty. */
static int empty_file(void)
{
    static int fd = -1;

    if (fd < 0) {
        const char *directory = getenv("TMPDIR");

        (void)snprintf(path, sizeof path, "%.40s/mailbox.XXXXXX", directory != NULL ? directory : "/tmp");
        fd = mkstemp(path);
        HOLDS(fd >= 0 && atexit(remove_file) == 0);
    }
    HOLDS(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

/* As mbox.c does it, or maildir.c. */
static void store(const struct transaction *t, const struct recipient *recipient, bool maildir, int fd)
{
    const struct target target = { .kind = TARGET_APPEND, .text = slice_of(path) };
    struct outcome outcome = { .result = RESULT_NONE };
    struct writer writer = { .fd = fd };
    struct copy copy;

    if (!maildir) {
        mbox_append(t, recipient, &target, &outcome);
        HOLDS(outcome.result == RESULT_DELIVERED);
        return;
    }
    copy_begin(&copy, t, recipient, false);
    writer_copy(&writer, &copy, false);
    writer_flush(&writer);
    HOLDS(writer.error == 0);
}

static void write_all_sent(bool maildir, struct slice sent[], size_t count, int fd)
{
    static char memory[SPOOL_MEMORY];
    struct recipient recipient = { .address = { .text = "a@mx.example", .len = 12, .local_len = 1 } };
    const struct address sender = { .text = "s@client.example", .len = 16, .local_len = 1 };
    struct spool spool = { .memory = memory, .fd = -1 };
    struct client client = { .address = "local", .family = AF_UNSPEC }; /* it has no name to be asked for */
    static struct conf conf;

    if (conf.rules.domain.len == 0)
        conf_parse(&conf, "fuzz.conf", slice_of("domain mx.example\nfsync off\n"
                                             "deliver rcpt_to a@mx.example append /dev/null\n"));
    HOLDS(conf.errors == 0);
    for (size_t i = 0; i < count; i++) {
        const struct transaction t = { .settings = &conf.delivery, .session = &conf.session, .rules = &conf.rules,
                                       .client = &client, .sender = &sender, .spool = &spool, .came = &spool,
                                       .recipients = 1, .parameters = "", .helo = "helo.example", .protocol = "ESMTP",
                                       .id = "1.2.3", .deadline = UINT64_MAX };

        memcpy(memory, sent[i].text, sent[i].len);
        spool.used = sent[i].len;
        spool.size = sent[i].len;
        store(&t, &recipient, maildir, fd);
    }
}

/* The whole lines that a text begins with: a message has no others. */
static struct slice whole_lines(struct slice text)
{
    const char *lf = text.len > 0 ? memrchr(text.text, '\n', text.len) : NULL;

    return (struct slice){ text.text, lf != NULL ? (size_t)(lf + 1 - text.text) : 0 };
}

void fuzz_mailbox(const uint8_t *data, size_t size)
{
    static struct finding finding;
    struct slice bytes = { (const char *)data + 2, size - 2 }, sent[2];
    bool maildir;
    size_t before, count;
    off_t end;
    int fd;

    if (size < 2 || size > SPOOL_MEMORY / 2)
        return;
    maildir = (data[0] & 1) != 0;
    count = maildir || (data[0] & 2) == 0 ? 1 : 2;
    before = bytes.len * data[1] / 255;
    fd = empty_file();
    HOLDS(write(fd, bytes.text, before) == (ssize_t)before);
    find_all(&finding, maildir, before, NULL, 0);
    if (maildir)
        fd = empty_file(), before = 0;
    sent[0] = whole_lines((struct slice){ bytes.text + before, (bytes.len - before) / count });
    sent[1] = whole_lines((struct slice){ sent[0].text + sent[0].len, bytes.len - before - sent[0].len });
    write_all_sent(maildir, sent, count, fd);
    end = lseek(fd, 0, SEEK_END);
    HOLDS(end > 0);
    find_all(&finding, maildir, (uint64_t)end, sent, count);
}
