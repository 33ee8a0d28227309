/* mbox.c - a copy at the end of an mbox file */
/*
 * The order of the calls is the promise: lock, remember the end, write, fsync, and only then success; on failure cut
 * back while the lock is still held.
 */
#include "delivery/mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "delivery/path.h"
#include "delivery/writer.h"

enum { LOCK_TICK_US = 100000 };

/* Makes the name of an open file, which is new in its directory, last. */
static bool __attribute__((noinline)) sync_parent(const char *path, int fd)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    memcpy(parent, slash == NULL ? "." : path, slash == NULL ? 1 : len);
    parent[slash == NULL ? 1 : len] = '\0';
    return writer_sync_directory(AT_FDCWD, parent, fd);
}

static void on_tick(int signal)
{
    (void)signal; /* its only purpose is to interrupt flock and fcntl */
}

/*
 * Waits for both locks until a deadline. The timer ticks on, so that it does not matter if a
 * tick comes between the look at the clock and the call that waits.
 */
bool mbox_lock(int fd, uint64_t until)
{
    const struct sigaction tick = { .sa_handler = on_tick };
    struct itimerval timer = { .it_value.tv_usec = LOCK_TICK_US, .it_interval.tv_usec = LOCK_TICK_US };
    const struct itimerval off = { .it_value.tv_sec = 0 };
    struct flock record = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    bool flocked, locked = false;
    int error;

    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fcntl(fd, F_SETLK, &record) == 0)
        return true; /* nearly always, and without a timer */
    if (sigaction(SIGALRM, &tick, NULL) != 0 || setitimer(ITIMER_REAL, &timer, NULL) != 0)
        return false;
    do {
        flocked = flock(fd, LOCK_EX) == 0;
        locked = flocked && fcntl(fd, F_SETLKW, &record) == 0;
    } while (!locked && errno == EINTR && clock_left(until) > 0);
    error = errno;
    (void)setitimer(ITIMER_REAL, &off, NULL); /* cannot fail: the arguments are ours */
    errno = error;
    return locked;
}

/* Opens an existing file, or makes it. Never follows a link, never waits for a FIFO. */
static int open_mailbox(const char *path, mode_t mode)
{
    const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags);

    if (fd < 0 && errno == ENOENT)
        fd = writer_open(AT_FDCWD, path, flags | O_CREAT, mode);
    return fd;
}

/* Is what we have locked still what the path names? Readers replace mailboxes by renaming. */
bool mbox_is_at(int fd, const char *path)
{
    struct stat open_file, named;

    return fstat(fd, &open_file) == 0 && lstat(path, &named) == 0 && open_file.st_dev == named.st_dev &&
           open_file.st_ino == named.st_ino;
}

static bool is_dev_null(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* Why mbox_lock failed: EINTR means that the time was up. */
static void outcome_unlocked(struct outcome *outcome, const struct transaction *t, const struct limit *limit)
{
    if (errno == EINTR)
        outcome_timeout(outcome, t, limit);
    else
        outcome_errno(outcome, "cannot lock the file");
}

/* Opens and locks; -1 with the outcome set, which is "delivered" for /dev/null. */
static int open_locked(const struct transaction *t, const char *path, struct outcome *outcome)
{
    const struct limit *limit = &t->settings->lock_secs;
    uint64_t until = clock_earlier(clock_ms() + limit->value * 1000, t->deadline);

    for (;;) {
        struct stat status;
        int fd = open_mailbox(path, delivery_file_mode(t->settings));

        if (fd < 0) {
            outcome_errno(outcome, errno == ELOOP ? "symbolic links are refused" : "cannot open the file");
            return -1;
        }
        if (fstat(fd, &status) != 0)
            outcome_errno(outcome, "fstat");
        else if (is_dev_null(&status))
            outcome_set(outcome, RESULT_DELIVERED, "%s", "");
        else if (!S_ISREG(status.st_mode))
            outcome_set(outcome, RESULT_DEFERRED, "not a regular file");
        else if (!mbox_lock(fd, until))
            outcome_unlocked(outcome, t, limit);
        else if (mbox_is_at(fd, path))
            return fd;
        else if (clock_left(until) == 0)
            outcome_timeout(outcome, t, limit);
        else {
            (void)close(fd); /* somebody else's file by now */
            continue;
        }
        (void)close(fd); /* nothing was written */
        return -1;
    }
}

/*
 * What is written between the end of a file and a message, which must begin behind an empty line. A file that does not
 * end in one may end in half a message: so that mailfile.c does not take that for whole later, a line of blanks is
 * left. What stands before that tells whether the file ended in the empty line of a DOS file: that is an end for what others
 * have written, and none for a message of ours, in which it may stand behind what was torn.
 */
static const char *separator(int fd, off_t end, int *error)
{
    static const struct {
        char tail[5];
        const char *text;
    } separators[] = { { "\n\n", "" },
                       { "\r\n\r\n", MBOX_DOS_END "\n" },
                       { "\n", MBOX_NO_END "\n" },
                       { "", "\n" MBOX_NO_END "\n" } };
    char last[4] = { '\n', '\n', '\n', '\n' }; /* the beginning of a file is as good as an empty line */
    size_t size = sizeof last, len = end < (off_t)size ? (size_t)end : size, i = 0, tail;
    ssize_t n = pread(fd, last + size - len, len, end - (off_t)len);

    if (n != (ssize_t)len)
        *error = n < 0 ? errno : EIO;
    while (tail = strlen(separators[i].tail), memcmp(last + size - tail, separators[i].tail, tail) != 0)
        i++;
    return separators[i].text;
}

uint64_t mbox_marked(int fd, uint64_t end)
{
    static const char mark[] = "\n" MBOX_NO_END;
    const size_t len = sizeof mark - 2; /* without its own line end */
    char piece[4096];
    uint64_t at = end;
    size_t left = 0;

    while (at > 0 && left == 0) {
        size_t size = at < sizeof piece ? (size_t)at : sizeof piece;

        if (pread(fd, piece, size, (off_t)(at - size)) != (ssize_t)size)
            return 0;
        for (left = size; left > 0 && piece[left - 1] == '\n'; left--)
            ;
        at -= size - left;
    }
    if (at < len || pread(fd, piece, len, (off_t)(at - len)) != (ssize_t)len || memcmp(piece, mark, len) != 0)
        return 0;
    return end - at;
}

/* May it end in a line as MBOX_NO_END, or in one and empty lines? Where it cannot be read, *error says why. */
static bool may_seem_torn(const struct spool *spool, int *error)
{
    char buffer[2];
    struct slice tail = { NULL, 0 };

    if (spool->size < sizeof buffer)
        return false;
    tail = spool_piece(spool, spool->size - sizeof buffer, buffer, sizeof buffer);
    if (tail.text == NULL)
        *error = errno;
    return tail.text != NULL && tail.len == sizeof buffer && (tail.text[0] == ' ' || tail.text[0] == '\n');
}

static void append_copy(const struct transaction *t, const struct copy *copy, const char *path, int fd,
                        struct outcome *outcome)
{
    struct writer writer = { .fd = fd, .sync = t->settings->fsync };
    bool doubtful = may_seem_torn(t->spool, &writer.error);
    const char *between;
    struct stat before;

    if (fstat(fd, &before) != 0) {
        outcome_errno(outcome, "fstat");
        return;
    }
    writer.at = (uint64_t)before.st_size;
    between = separator(fd, before.st_size, &writer.error);
    writer_put(&writer, between, strlen(between));
    writer_copy(&writer, copy, true);
    if (doubtful)
        writer_flush(&writer);
    writer_put(&writer, "\n\n", doubtful && mbox_marked(fd, writer.at) > 0 ? 2 : 1);
    writer_flush(&writer);
    if (writer.error == 0 && t->settings->fsync && fsync(fd) != 0)
        writer.error = errno;
    /* an empty file may be one whose name nobody has synced yet */
    if (writer.error == 0 && t->settings->fsync && before.st_size == 0 && !sync_parent(path, fd))
        writer.error = errno;
    if (writer.error == 0) {
        outcome_set(outcome, RESULT_DELIVERED, "%s", "");
        return;
    }
    if (ftruncate(fd, before.st_size) != 0)
        log_line(LOG_ERR, "half a message is left in %s behind byte %jd: %s", path, (intmax_t)before.st_size,
                 strerror(errno));
    errno = writer.error;
    outcome_errno(outcome, "cannot write the file");
}

void mbox_append(const struct transaction *transaction, const struct recipient *recipient,
                    const struct target *target, struct outcome *outcome)
{
    char path[PATH_MAX];
    const char *wrong;
    struct copy copy;
    int fd;

    wrong = path_of(target, recipient, path);
    if (wrong != NULL) {
        outcome_set(outcome, RESULT_DEFERRED, "%s", wrong);
        return;
    }
    copy_begin(&copy, transaction, recipient, true);
    fd = open_locked(transaction, path, outcome);
    if (fd < 0)
        return;
    log_debug('f', "opened %s", path);
    append_copy(transaction, &copy, path, fd, outcome);
    (void)close(fd); /* fsync has reported all there is to report; this releases the locks */
    log_debug('f', "closed %s", path);
}
