/* writer.c - the bytes of a copy on their way into a file: what mbox and maildir have in common */
#include "delivery/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cold.h"
#include "delivery/stored.h"

enum {
    WRITE_BACK = 4 << 20, /* bytes after which the disk is told to begin */
    FORGET = 1 << 20      /* bytes after which a spool that is read once is told what was read */
};

/* An fsync waits less for what is on its way already. It also reports what fails on that way. */
static void start_write_back(struct writer *w)
{
    if (w->sync && w->unsynced >= WRITE_BACK) {
        (void)sync_file_range(w->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
        w->unsynced = 0;
    }
}

void writer_flush(struct writer *w)
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

void writer_put(struct writer *w, const char *bytes, size_t len)
{
    if (len == 0)
        return;
    if (w->count == WRITER_PARTS)
        writer_flush(w);
    memcpy(&w->parts[w->count].iov_base, &bytes, sizeof bytes); /* a void pointer, but writev only reads there */
    w->parts[w->count++].iov_len = len;
    w->at += len;
}

/* Where in a message the writer is. */
struct progress {
    bool mbox;
    bool header, first; /* in the header, before its first line is decided */
    bool in_line;       /* behind what decides about the line */
};

/* Behind the end of the line, or of the piece. */
static const char *leave_line(struct progress *at, const char *p, const char *end)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));

    at->in_line = lf == NULL;
    return lf != NULL ? lf + 1 : end;
}

/*
 * Lines of the header, as stored.h has it, as far as it goes. Returns how many bytes were dealt with: not those of a
 * line of which more must be seen, unless it is in the last piece.
 */
static size_t put_header(struct writer *w, struct progress *at, struct slice piece, bool last)
{
    const char *run = piece.text, *p = run, *end = run + piece.len, *before;

    while (at->header && p < end) {
        struct slice rest = { p, (size_t)(end - p) };

        if (at->in_line) {
            p = leave_line(at, p, end);
            continue;
        }
        if (rest.len < STORED_LEAST && !last && memchr(p, '\n', rest.len) == NULL)
            break;
        at->header = at->in_line = stored_keep(rest, at->first, at->mbox, &before);
        at->first = false;
        if (*before != '\0') {
            writer_put(w, run, (size_t)(p - run));
            writer_put(w, before, strlen(before));
            run = p;
        }
    }
    writer_put(w, run, (size_t)(p - run));
    return (size_t)(p - piece.text);
}

/* A message that has nothing but a header ends here. */
static void end_header(struct writer *w, const struct progress *at)
{
    const char *before;

    (void)stored_keep((struct slice){ "", 0 }, at->first, at->mbox, &before);
    writer_put(w, before, strlen(before));
}

/*
 * mboxrd: a line that begins with any number of > and "From " gets one more >. It does not
 * matter where among the others it is put. Returns how many bytes were dealt with: not the four at the
 * end of a piece, or less, of which more must be seen, unless it is the last.
 */
static size_t put_quoted(struct writer *w, struct progress *at, struct slice piece, bool last)
{
    static const char from_[] = "From ";
    const char *run = piece.text, *p = run, *end = run + piece.len;

    while (p < end) {
        if (at->in_line) {
            p = leave_line(at, p, end);
        } else if (*p == '>') {
            p++;
        } else {
            size_t left = (size_t)(end - p), len = left < sizeof from_ - 1 ? left : sizeof from_ - 1;
            bool begins = *p == from_[0] && memcmp(p, from_, len) == 0;

            if (begins && len < sizeof from_ - 1 && !last)
                break;
            if (begins && len == sizeof from_ - 1) {
                writer_put(w, run, (size_t)(p - run));
                writer_put(w, ">", 1);
                run = p;
            }
            at->in_line = true;
        }
    }
    writer_put(w, run, (size_t)(p - run));
    return (size_t)(p - piece.text);
}

/* A piece of the message. Returns how many bytes were dealt with. */
static size_t put_piece(struct writer *w, struct progress *at, struct slice piece, bool last)
{
    size_t len = at->header ? put_header(w, at, piece, last) : 0;

    if (at->header)
        return len;
    piece = (struct slice){ piece.text + len, piece.len - len };
    if (at->mbox)
        return len + put_quoted(w, at, piece, last);
    writer_put(w, piece.text, piece.len);
    return len + piece.len;
}

void writer_copy(struct writer *w, const struct copy *copy, bool mbox)
{
    static char buffer[SPOOL_PIECE] COLD_BSS;
    const struct transaction *t = copy->transaction;
    struct progress at = { .mbox = mbox, .header = true, .first = true };
    uint64_t offset = 0, forgotten = 0, size = copy_size(copy);

    while (offset < size && w->error == 0) {
        struct slice piece = copy_piece(copy, offset, buffer, copy_room(w->at));
        size_t len = piece.len;

        if (piece.text == NULL) {
            w->error = errno;
            return;
        }
        if (offset >= copy->head_len)
            len = put_piece(w, &at, piece, offset + piece.len == size);
        else
            writer_put(w, piece.text, piece.len);
        if (piece.text == buffer)
            writer_flush(w); /* before other bytes are there */
        if (len == 0)
            w->error = EIO; /* the spool has less than was written to it */
        offset += len;
        if (t->once && offset - forgotten >= FORGET && w->error == 0) {
            spool_forget(t->spool, offset - copy->head_len);
            forgotten = offset;
        }
    }
    if (at.header)
        end_header(w, &at);
}

int writer_open(int at, const char *path, int flags, mode_t mode)
{
    mode_t mask = umask(0);
    int fd = openat(at, path, flags, mode);

    (void)umask(mask);
    return fd;
}

int writer_make_directory(int at, const char *path, mode_t mode)
{
    mode_t mask = umask(0);
    int result = mkdirat(at, path, mode);

    (void)umask(mask);
    return result;
}

bool writer_sync_directory(int at, const char *path, int below)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

    if (fd < 0)
        return errno == EACCES && syncfs(below) == 0;
    result = fsync(fd);
    (void)close(fd); /* it was only synced */
    return result == 0;
}
