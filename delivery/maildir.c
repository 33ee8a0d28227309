/* maildir.c - a copy as a new file of a maildir */
#include "delivery/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "delivery/path.h"
#include "delivery/writer.h"

/* Opens a directory below `parent`, making it if it is missing. */
static int open_directory(int parent, const char *name, mode_t mode)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 || errno != ENOENT || (writer_make_directory(parent, name, mode) != 0 && errno != EEXIST))
        return fd;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct maildir {
    int base, tmp, new;
};

static void close_maildir(const struct maildir *m)
{
    const int fds[] = { m->base, m->tmp, m->new };

    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]); /* directories: nothing is buffered */
}

static bool open_maildir(struct maildir *m, const char *path, mode_t mode)
{
    int cur = -1;

    *m = (struct maildir){ -1, -1, -1 };
    m->base = open_directory(AT_FDCWD, path, mode);
    if (m->base >= 0)
        m->tmp = open_directory(m->base, "tmp", mode);
    if (m->tmp >= 0)
        m->new = open_directory(m->base, "new", mode);
    if (m->new >= 0)
        cur = open_directory(m->base, "cur", mode);
    if (cur >= 0)
        (void)close(cur); /* it only has to be there */
    return cur >= 0;
}

/* A name that no other delivery uses; '/' and ':' have a meaning in maildirs, host names have neither. */
static void unique_name(char *name, size_t size)
{
    static unsigned count;
    struct timespec now;
    char host[65] = "";

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    if (gethostname(host, sizeof host - 1) != 0 || strpbrk(host, "/:") != NULL)
        (void)snprintf(host, sizeof host, "localhost");
    (void)snprintf(name, size, "%jd.M%06ldP%ldQ%u.%s", (intmax_t)now.tv_sec, now.tv_nsec / 1000, (long)getpid(),
                   ++count, host);
}

/* From an open file in tmp to a name in new that lasts. Returns 0 or errno. */
static int publish(const struct transaction *t, const struct maildir *m, const char *path, const char *name)
{
    bool sync = t->settings->fsync;

    /* whoever made the directories may have failed, or be still about to sync them */
    if (sync && (fsync(m->base) != 0 || !writer_sync_directory(m->base, "..", m->base)))
        return errno;
    if (renameat(m->tmp, name, m->new, name) != 0)
        return errno;
    if (sync && fsync(m->new) != 0) {
        int error = errno;

        if (unlinkat(m->new, name, 0) != 0)
            log_line(LOG_ERR, "%s/new/%s stays although its delivery failed: %s", path, name, strerror(errno));
        return error;
    }
    return 0;
}

static void write_maildir(const struct transaction *t, const struct copy *copy, const char *path,
                          const struct maildir *m, struct outcome *outcome)
{
    struct writer writer = { .sync = t->settings->fsync };
    char name[160];

    unique_name(name, sizeof name);
    writer.fd = writer_open(m->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, delivery_file_mode(t->settings));
    if (writer.fd < 0) {
        outcome_errno(outcome, "cannot make a file in tmp");
        return;
    }
    log_debug('f', "opened %s/tmp/%s", path, name);
    writer_copy(&writer, copy, false);
    writer_flush(&writer);
    if (writer.error == 0 && t->settings->fsync && fsync(writer.fd) != 0)
        writer.error = errno;
    if (close(writer.fd) != 0 && writer.error == 0)
        writer.error = errno;
    if (writer.error == 0)
        writer.error = publish(t, m, path, name);
    log_debug('f', "closed %s/new/%s", path, name);
    if (writer.error == 0) {
        outcome_set(outcome, RESULT_DELIVERED, "%s", "");
        return;
    }
    (void)unlinkat(m->tmp, name, 0); /* it may have been renamed; what stays in tmp is nobody's mail */
    errno = writer.error;
    outcome_errno(outcome, "cannot write the file");
}

void maildir_deliver(const struct transaction *transaction, const struct recipient *recipient,
                     const struct target *target, struct outcome *outcome)
{
    char path[PATH_MAX];
    const char *wrong;
    struct maildir maildir;
    struct copy copy;

    wrong = path_of(target, recipient, path);
    if (wrong != NULL) {
        outcome_set(outcome, RESULT_DEFERRED, "%s", wrong);
        return;
    }
    copy_begin(&copy, transaction, recipient, false);
    if (open_maildir(&maildir, path, delivery_directory_mode(transaction->settings)))
        write_maildir(transaction, &copy, path, &maildir, outcome);
    else
        outcome_errno(outcome, "cannot open the maildir");
    close_maildir(&maildir);
}
