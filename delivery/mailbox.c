/* mailbox.c - a copy into a file: mbox and maildir */
/*
 * Both kinds write through a struct writer, which remembers the first failure. It collects where the
 * bytes are, not the bytes: what is copied is copied by the kernel. The order of the calls is the
 * promise: lock, remember the end, write, fsync, and only then success; on failure cut back while the
 * lock is still held.
 */
#include "delivery/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"

enum {
    LOCK_TICK_US = 100000,
    PARTS = 64,           /* of one write */
    WRITE_BACK = 4 << 20, /* bytes after which the disk is told to begin */
    FORGET = 1 << 20      /* bytes after which a spool that is read once is told what was read */
};

struct writer {
    int fd;
    int error;      /* errno of the first failure */
    bool sync;      /* there will be an fsync */
    uint64_t at;    /* where in the file the next byte goes */
    size_t unsynced; /* bytes written since the last sync_file_range(2) */
    size_t count;
    struct iovec parts[PARTS];
};

/* An fsync waits less for what is on its way already. It also reports what fails on that way. */
static void start_write_back(struct writer *w)
{
    if (w->sync && w->unsynced >= WRITE_BACK) {
        (void)sync_file_range(w->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        w->unsynced = 0;
    }
}

static void flush(struct writer *w)
{
    size_t first = 0;

    while (first < w->count && w->error == 0) {
        ssize_t written = writev(w->fd, w->parts + first, (int)(w->count - first));
        size_t n = written > 0 ? (size_t)written : 0;

        if (written < 0 && errno != EINTR)
            w->error = errno;
        w->unsynced += n;
        while (n > 0) {
            struct iovec *part = &w->parts[first];
            size_t len = n < part->iov_len ? n : part->iov_len;

            part->iov_base = (char *)part->iov_base + len;
            part->iov_len -= len;
            first += part->iov_len == 0;
            n -= len;
        }
    }
    w->count = 0;
    start_write_back(w);
}

/* The bytes must stay where they are until they are flushed. */
static void put(struct writer *w, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (w->count == PARTS)
        flush(w);
    memcpy(&w->parts[w->count].iov_base, &bytes, sizeof bytes); /* a void pointer, but writev only reads there */
    w->parts[w->count++].iov_len = len;
    w->at += len;
}

/*
 * mboxrd: a line that begins with any number of > and "From " gets one more >. It does not
 * matter where among the others it is put. Returns how many bytes were dealt with: not the four at the
 * end of a piece, or less, of which more must be seen, unless it is the last.
 */
static size_t put_quoted(struct writer *w, bool *in_line, struct slice piece, bool last)
{
    static const char from_[] = "From ";
    const char *run = piece.text, *p = run, *end = run + piece.len;

    while (p < end) {
        if (*in_line) {
            const char *lf = memchr(p, '\n', (size_t)(end - p));

            p = lf != NULL ? lf + 1 : end;
            *in_line = lf == NULL;
        } else if (*p == '>') {
            p++;
        } else {
            size_t left = (size_t)(end - p), len = left < sizeof from_ - 1 ? left : sizeof from_ - 1;
            bool begins = *p == from_[0] && memcmp(p, from_, len) == 0;

            if (begins && len < sizeof from_ - 1 && !last)
                break;
            if (begins && len == sizeof from_ - 1) {
                put(w, run, (size_t)(p - run));
                put(w, ">", 1);
                run = p;
            }
            *in_line = true;
        }
    }
    put(w, run, (size_t)(p - run));
    return (size_t)(p - piece.text);
}

/* Writes the whole copy; quoted below its head if `quote` is set. */
static void put_copy(struct writer *w, const struct copy *copy, bool quote)
{
    static char buffer[SPOOL_PIECE] COLD_BSS;
    const struct transaction *t = copy->transaction;
    uint64_t offset = 0, forgotten = 0, size = copy_size(copy);
    bool in_line = false;

    while (offset < size && w->error == 0) {
        struct slice piece = copy_piece(copy, offset, buffer, copy_room(w->at));
        size_t len = piece.len;

        if (piece.text == NULL) {
            w->error = errno;
            return;
        }
        if (quote && offset >= copy->head_len)
            len = put_quoted(w, &in_line, piece, offset + piece.len == size);
        else
            put(w, piece.text, piece.len);
        if (piece.text == buffer)
            flush(w); /* before other bytes are there */
        if (len == 0)
            w->error = EIO; /* the spool has less than was written to it */
        offset += len;
        if (t->once && offset - forgotten >= FORGET && w->error == 0) {
            spool_forget(t->spool, offset - copy->head_len);
            forgotten = offset;
        }
    }
}

/* A slice as a path for the kernel. */
static bool path_of(struct slice text, char path[PATH_MAX], struct outcome *outcome)
{
    if (text.len >= PATH_MAX) {
        outcome_set(outcome, RESULT_DEFERRED, "the path is too long");
        return false;
    }
    memcpy(path, text.text, text.len);
    path[text.len] = '\0';
    return true;
}

/*
 * Makes a new name in a directory last beyond a power cut: with its whole file system, where `below` lies, if we may not
 * read the directory.
 */
static bool sync_directory(int at, const char *path, int below)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

    if (fd < 0)
        return errno == EACCES && syncfs(below) == 0;
    result = fsync(fd);
    (void)close(fd); /* it was only synced */
    return result == 0;
}

/* The same for the open file of a path. */
static bool sync_parent(const char *path, int fd)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);

    memcpy(parent, slash == NULL ? "." : path, slash == NULL ? 1 : len);
    parent[slash == NULL ? 1 : len] = '\0';
    return sync_directory(AT_FDCWD, parent, fd);
}

/* ---- mbox -------------------------------------------------------------------------------- */

static void on_tick(int signal)
{
    (void)signal; /* its only purpose is to interrupt flock and fcntl */
}

/*
 * Waits for both locks until a deadline. The timer ticks on, so that it does not matter if a
 * tick comes between the look at the clock and the call that waits.
 */
bool mailbox_lock(int fd, uint64_t until)
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
static int open_mailbox(const char *path)
{
    const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
    int fd = open(path, flags);

    if (fd < 0 && errno == ENOENT)
        fd = open(path, flags | O_CREAT, S_IRUSR | S_IWUSR);
    return fd;
}

/* Is what we have locked still what the path names? Readers replace mailboxes by renaming. */
bool mailbox_is_at(int fd, const char *path)
{
    struct stat open_file, named;

    return fstat(fd, &open_file) == 0 && lstat(path, &named) == 0 && open_file.st_dev == named.st_dev &&
           open_file.st_ino == named.st_ino;
}

static bool is_dev_null(const struct stat *status)
{
    return S_ISCHR(status->st_mode) && status->st_rdev == makedev(1, 3);
}

/* Why mailbox_lock failed: EINTR means that the time was up. */
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
        int fd = open_mailbox(path);

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
        else if (!mailbox_lock(fd, until))
            outcome_unlocked(outcome, t, limit);
        else if (mailbox_is_at(fd, path))
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
 * end in one may end in half a message: so that mailfile.c does not take that for whole later, a line of blanks is left.
 * What stands before that tells whether the file ended in the empty line of a DOS file: that is an end for what others
 * have written, and none for a message of ours, in which it may stand behind what was torn.
 */
static const char *separator(int fd, off_t end, int *error)
{
    static const struct {
        char tail[5];
        const char *text;
    } separators[] = { { "\n\n", "" },
                       { "\r\n\r\n", MAILBOX_DOS_END "\n" },
                       { "\n", MAILBOX_NO_END "\n" },
                       { "", "\n" MAILBOX_NO_END "\n" } };
    char last[4] = { '\n', '\n', '\n', '\n' }; /* the beginning of a file is as good as an empty line */
    size_t size = sizeof last, len = end < (off_t)size ? (size_t)end : size, i = 0, tail;
    ssize_t n = pread(fd, last + size - len, len, end - (off_t)len);

    if (n != (ssize_t)len)
        *error = n < 0 ? errno : EIO;
    while (tail = strlen(separators[i].tail), memcmp(last + size - tail, separators[i].tail, tail) != 0)
        i++;
    return separators[i].text;
}

static void append_copy(const struct transaction *t, const struct copy *copy, const char *path, int fd,
                        struct outcome *outcome)
{
    struct writer writer = { .fd = fd, .sync = t->settings->fsync };
    const char *between;
    struct stat before;

    if (fstat(fd, &before) != 0) {
        outcome_errno(outcome, "fstat");
        return;
    }
    writer.at = (uint64_t)before.st_size;
    between = separator(fd, before.st_size, &writer.error);
    put(&writer, between, strlen(between));
    put_copy(&writer, copy, true);
    put(&writer, "\n", 1);
    flush(&writer);
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

void mailbox_append(const struct transaction *transaction, const struct recipient *recipient,
                    const struct target *target, struct outcome *outcome)
{
    char path[PATH_MAX];
    struct copy copy;
    int fd;

    if (!path_of(target->text, path, outcome))
        return;
    copy_begin(&copy, transaction, recipient, true);
    fd = open_locked(transaction, path, outcome);
    if (fd < 0)
        return;
    log_debug('f', "opened %s", path);
    append_copy(transaction, &copy, path, fd, outcome);
    (void)close(fd); /* fsync has reported all there is to report; this releases the locks */
    log_debug('f', "closed %s", path);
}

/* ---- maildir ----------------------------------------------------------------------------- */

/* Opens a directory below `parent`, making it if it is missing. */
static int open_directory(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 || errno != ENOENT || (mkdirat(parent, name, S_IRWXU) != 0 && errno != EEXIST))
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

static bool open_maildir(struct maildir *m, const char *path)
{
    int cur = -1;

    *m = (struct maildir){ -1, -1, -1 };
    m->base = open_directory(AT_FDCWD, path);
    if (m->base >= 0)
        m->tmp = open_directory(m->base, "tmp");
    if (m->tmp >= 0)
        m->new = open_directory(m->base, "new");
    if (m->new >= 0)
        cur = open_directory(m->base, "cur");
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
    if (sync && (fsync(m->base) != 0 || !sync_directory(m->base, "..", m->base)))
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
    writer.fd = openat(m->tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (writer.fd < 0) {
        outcome_errno(outcome, "cannot make a file in tmp");
        return;
    }
    log_debug('f', "opened %s/tmp/%s", path, name);
    put_copy(&writer, copy, false);
    flush(&writer);
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

void mailbox_maildir(const struct transaction *transaction, const struct recipient *recipient,
                     const struct target *target, struct outcome *outcome)
{
    char path[PATH_MAX];
    struct maildir maildir;
    struct copy copy;

    if (!path_of(target->text, path, outcome))
        return;
    copy_begin(&copy, transaction, recipient, false);
    if (open_maildir(&maildir, path))
        write_maildir(transaction, &copy, path, &maildir, outcome);
    else
        outcome_errno(outcome, "cannot open the maildir");
    close_maildir(&maildir);
}
