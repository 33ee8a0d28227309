/* mailfile.c - messages that lie in a file or a maildir: finding them, what is known of them, marking what is done */
/*
 * Nothing of a file is kept between two calls but offsets, and what stands there is looked at again under the
 * lock: others append to the file while a message is delivered, and readers may have replaced it.
 */
#include "admin/mailfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/from.h"
#include "admin/head.h"
#include "base/clock.h"
#include "base/cold.h"
#include "base/log.h"
#include "delivery/mbox.h"
#include "delivery/stored.h"

enum { PIECE = 65536 };

/* ---- places ------------------------------------------------------------------------------ */

static bool add_file(struct mailfile *box, const char *directory, const char *name)
{
    char **files = reallocarray(box->files, box->count + 1, sizeof *files);

    if (files == NULL)
        return false;
    box->files = files;
    if (asprintf(&files[box->count], name != NULL ? "%s/%s" : "%s", directory, name) < 0)
        return false;
    box->count++;
    return true;
}

/* The files of one directory of a maildir. */
static bool add_directory(struct mailfile *box, const char *path, const char *name)
{
    char directory[PATH_MAX];
    const struct dirent *entry;
    bool added = true;
    DIR *stream;

    if (snprintf(directory, sizeof directory, "%s/%s", path, name) >= (int)sizeof directory) {
        errno = ENAMETOOLONG;
        return false;
    }
    stream = opendir(directory);
    if (stream == NULL)
        return false;
    while (added && (errno = 0, entry = readdir(stream)) != NULL)
        added = entry->d_name[0] == '.' || add_file(box, directory, entry->d_name);
    added = added && errno == 0;
    (void)closedir(stream); /* it was only read */
    return added;
}

/* By the names alone, which begin with the time: mail keeps its number when it moves from new to cur. */
static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;

    return strcmp(strrchr(*x, '/'), strrchr(*y, '/'));
}

bool mailfile_open(struct mailfile *box, const char *path, uint64_t lock_ms)
{
    char resolved[PATH_MAX]; /* without links: marks are set only where the path still leads */
    struct stat status;

    *box = (struct mailfile){ .fd = -1, .lock_ms = lock_ms };
    if (realpath(path, resolved) == NULL || stat(path, &status) != 0)
        return false;
    box->maildir = S_ISDIR(status.st_mode);
    if (!box->maildir)
        return add_file(box, resolved, NULL);
    if (!add_directory(box, path, "new") || !add_directory(box, path, "cur"))
        return false;
    if (box->count > 0)
        qsort(box->files, box->count, sizeof *box->files, compare_names);
    return true;
}

static void close_file(struct mailfile *box)
{
    if (box->fd >= 0)
        (void)close(box->fd); /* marks are synced */
    box->fd = -1;
}

void mailfile_close(struct mailfile *box)
{
    close_file(box);
    for (size_t i = 0; i < box->count; i++)
        free(box->files[i]);
    free(box->files);
}

static const char *file_of(const struct mailfile *box)
{
    return box->files[box->next - 1];
}

/* Unlocked are files that cannot be written: nobody waits for us, and nothing is marked. */
static bool lock(const struct mailfile *box)
{
    return !box->writable || mbox_lock(box->fd, clock_ms() + box->lock_ms);
}

static void unlock(const struct mailfile *box)
{
    const struct flock record = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    if (box->writable) {
        (void)fcntl(box->fd, F_SETLK, &record); /* to give back what we have cannot fail */
        (void)flock(box->fd, LOCK_UN);
    }
}

/* ---- where messages begin ---------------------------------------------------------------- */

/*
 * Is the file that was opened an mbox? One begins with a From_ line, maybe behind blank lines; or with what was torn, so
 * that it is no header either. Goes to its first message.
 */
static bool is_mbox(struct mailfile *box)
{
    char text[HEAD_SIZE];
    ssize_t n = pread(box->fd, text, sizeof text, 0);
    size_t len = n > 0 ? (size_t)n : 0, skipped = 0;

    while (skipped < len && text[skipped] != '\0' && strchr(" \t\r\n", text[skipped]) != NULL)
        skipped++;
    if (len - skipped >= FROM && memcmp(text + skipped, from_word, FROM) == 0 &&
        (skipped == 0 || text[skipped - 1] == '\n')) {
        box->at = skipped;
        return true;
    }
    return !box->maildir && !from_is_field(text, len) && from_find_end(box->fd, 0, box->size, false) < box->size;
}

/* Opens the next file, without waiting for a FIFO. */
static bool open_file(struct mailfile *box)
{
    const char *path = box->files[box->next++];
    const int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    struct stat status;
    bool known;

    box->fd = open(path, O_RDWR | flags);
    box->writable = box->fd >= 0;
    if (box->fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM))
        box->fd = open(path, O_RDONLY | flags);
    if (box->fd < 0 || fstat(box->fd, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return false;
    }
    if (!lock(box))
        return false;
    known = fstat(box->fd, &status) == 0; /* not before: somebody may be appending */
    box->at = 0;
    box->size = known ? (uint64_t)status.st_size : 0;
    box->mbox = is_mbox(box);
    unlock(box);
    return known;
}

/* ---- one message ------------------------------------------------------------------------- */

/* How a message of an mbox ends, and whether that is an end. `theirs` are not looked for in what we have written. */
static const struct ending {
    char text[12];
    size_t separator; /* how much of it belongs to no message */
    bool whole, theirs;
} endings[] = {
    { "\r\n\r\n" MBOX_DOS_END "\n", 2 + sizeof MBOX_DOS_END, true, true },
    { "\n" MBOX_NO_END "\n", sizeof MBOX_NO_END, false, false },
    { "\r\n\r\n\n", 3, true, true },
    { "\n\n", 1, true, false },
    { "\r\n\r\n", 2, true, true },
};

/* Finds out where the text of a message in an mbox ends, and whether it is whole. */
static void look_at_end(const struct mailfile *box, struct mailfile_message *m)
{
    char tail[sizeof endings[0].text];

    if (m->ours && mbox_marked(box->fd, m->end) > 2) {
        m->text_end = m->end - 2;
        return;
    }
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const struct ending *e = &endings[i];
        size_t len = strlen(e->text);

        if ((e->theirs && m->ours) || m->end - m->begin < len ||
            pread(box->fd, tail, len, (off_t)(m->end - len)) != (ssize_t)len || memcmp(tail, e->text, len) != 0)
            continue;
        if (!e->whole && m->part == MAILFILE_WHOLE)
            m->part = MAILFILE_NO_END;
        if (m->end - m->body >= len)
            m->text_end = m->end - e->separator;
        return;
    }
    if (m->part == MAILFILE_WHOLE)
        m->part = MAILFILE_NO_END;
}

/* Looks at the message that begins at an offset of a file of this size. */
static bool read_message(const struct mailfile *box, uint64_t begin, uint64_t file_size, struct mailfile_message *m)
{
    static char head[HEAD_MOST] COLD_BSS;
    size_t size = file_size - begin < sizeof head ? (size_t)(file_size - begin) : sizeof head, skipped;
    uint64_t end;
    ssize_t n = pread(box->fd, head, size, (off_t)begin);

    if (n < 0 || (size_t)n < size ||
        (box->mbox && begin > 0 && (size < FROM || memcmp(head, from_word, FROM) != 0))) {
        errno = n < 0 ? errno : ESTALE;
        return false;
    }
    skipped = box->mbox ? from_line(head, size) : 0;
    m->ours = (!box->mbox || skipped > 0) &&
              head_parse((struct slice){ head + skipped, size - skipped }, begin + skipped, m);
    end = box->mbox ? from_find_end(box->fd, begin, file_size, m->ours) : file_size;
    if (!m->ours || m->text > end) /* then it was torn above its text, and the rest of that header is another message's */
        *m = (struct mailfile_message){ .path = m->path, .body = begin + skipped };
    m->begin = begin;
    m->end = m->text_end = end;
    m->part = box->mbox && skipped == 0 ? MAILFILE_NO_BEGINNING : MAILFILE_WHOLE;
    if (box->mbox)
        look_at_end(box, m);
    return true;
}

static bool find_in_file(struct mailfile *box, struct mailfile_message *m)
{
    struct stat status;
    uint64_t begin = box->at;
    bool found = false;

    if (!lock(box))
        return false;
    if (fstat(box->fd, &status) == 0) {
        uint64_t size = (uint64_t)status.st_size < box->size ? (uint64_t)status.st_size : box->size;

        found = begin >= size || read_message(box, begin, size, m);
        if (found && begin < size)
            box->at = m->end;
    }
    unlock(box);
    return found;
}

int mailfile_next(struct mailfile *box, struct mailfile_message *message)
{
    *message = (struct mailfile_message){ .ours = false };
    for (;;) {
        uint64_t begin;

        if (box->fd < 0 && box->next == box->count)
            return 0;
        message->path = box->files[box->fd < 0 ? box->next : box->next - 1];
        message->number = box->found + 1;
        begin = box->fd < 0 ? 0 : box->at;
        if ((box->fd < 0 && !open_file(box)) || !find_in_file(box, message)) {
            int error = errno;

            close_file(box); /* the next call goes on with the next file */
            box->found++;
            errno = error;
            return -1;
        }
        if (box->at > begin)
            break;
        close_file(box);
    }
    message->number = ++box->found;
    log_debug('f', "message %zu: bytes %ju to %ju of %s", message->number, (uintmax_t)message->begin,
              (uintmax_t)message->end, message->path);
    return 1;
}

/* ---- copying ----------------------------------------------------------------------------- */

/*
 * Turns what was saved into what a client would send, for message.c: so what is stored is what a session
 * would have stored. The quoting of mboxrd is one > before any number of them and "From ".
 */
struct sender {
    struct message *message;
    bool quoted, drop_cr;
    bool at_start;       /* of a line that goes out */
    bool in_line;        /* the line that comes in cannot be a quoted one (any more) */
    bool cr;             /* held back */
    uint64_t quotes;     /* > seen at the begin of the line, and not sent */
    bool header, first;  /* in the header that was sent; before its first line is decided */
    size_t matched;      /* bytes of "From " seen behind them, and not sent */
    size_t used;
    char bytes[PIECE];
};

static void send_bytes(struct sender *s)
{
    size_t used;

    (void)message_feed(s->message, (struct slice){ s->bytes, s->used }, &used); /* its errors are in the message */
    s->used = 0;
}

static void send_byte(struct sender *s, char byte)
{
    if (s->used + 4 > sizeof s->bytes)
        send_bytes(s);
    if (s->cr && byte != '\n')
        s->bytes[s->used++] = '\r';
    s->cr = s->drop_cr && byte == '\r';
    if (s->cr)
        return;
    if (s->at_start && byte == '.')
        s->bytes[s->used++] = '.';
    if (byte == '\n')
        s->bytes[s->used++] = '\r';
    s->bytes[s->used++] = byte;
    s->at_start = byte == '\n';
}

/* The line is no quoted one: what was held back goes out. */
static void release(struct sender *s, uint64_t quotes)
{
    for (; quotes > 0; quotes--)
        send_byte(s, '>');
    for (size_t i = 0; i < s->matched; i++)
        send_byte(s, from_word[i]);
    s->quotes = 0;
    s->matched = 0;
    s->in_line = true;
}

static void take_byte(struct sender *s, char byte)
{
    if (s->quoted && !s->in_line) {
        if (byte == '>' && s->matched == 0) {
            s->quotes++;
            return;
        }
        if (byte == from_word[s->matched]) {
            if (++s->matched == FROM)
                release(s, s->quotes > 0 ? s->quotes - 1 : 0);
            return;
        }
        release(s, s->quotes);
    }
    send_byte(s, byte);
    if (byte == '\n')
        s->in_line = false;
}

/*
 * Lines of the header as they were sent (stored.h). Returns how many bytes were dealt with: not those of a line of
 * which more must be seen, unless it is in the last piece.
 */
static size_t take_header(struct sender *s, const char *piece, size_t len, bool last)
{
    size_t at = 0, written;

    while (s->header && at < len) {
        if (s->at_start) {
            if (len - at < STORED_LEAST && !last)
                break;
            s->header = stored_undo((struct slice){ piece + at, len - at }, s->first, s->quoted, &written);
            s->first = false;
            at += written;
            if (!s->header || at == len)
                break;
        }
        send_byte(s, piece[at++]);
    }
    return at;
}

/* In what is not ours, the end of the first line says how lines end. */
static bool ends_in_crlf(int fd, uint64_t begin)
{
    char line[HEAD_SIZE];
    ssize_t n = pread(fd, line, sizeof line, (off_t)begin);
    const char *lf = n > 0 ? memchr(line, '\n', (size_t)n) : NULL;

    return lf != NULL && lf > line && lf[-1] == '\r';
}

static const char *copy_message(const struct mailfile *box, const struct mailfile_message *m, struct message *spooled)
{
    static struct sender s COLD_BSS;
    static char piece[PIECE] COLD_BSS;

    s = (struct sender){ .message = spooled, .quoted = box->mbox, .at_start = true, .first = m->ours,
                         .drop_cr = !m->ours && ends_in_crlf(box->fd, m->body) };
    for (uint64_t offset = m->body; offset < m->text_end;) {
        uint64_t end = m->ours && offset < m->text && m->text < m->text_end ? m->text : m->text_end;
        size_t size = end - offset < sizeof piece ? (size_t)(end - offset) : sizeof piece, i = 0;
        ssize_t n = pread(box->fd, piece, size, (off_t)offset);

        if (n <= 0)
            return n < 0 ? strerror(errno) : "the file has become shorter";
        s.header = s.header || (s.first && offset == m->text);
        if (s.header)
            i = take_header(&s, piece, (size_t)n, offset + (uint64_t)n == m->text_end);
        if (s.header && i == 0)
            return "the file has become shorter";
        for (; !s.header && i < (size_t)n; i++)
            take_byte(&s, piece[i]);
        offset += i;
    }
    if (!s.in_line && s.quotes + s.matched > 0)
        release(&s, s.quotes);
    if (!s.at_start || s.cr) /* half a line end is one */
        send_byte(&s, '\n');
    send_bytes(&s);
    memcpy(s.bytes, ".\r\n", 3);
    s.used = 3;
    send_bytes(&s);
    message_finish(spooled);
    return spooled->error != 0 ? strerror(spooled->error) : NULL;
}

/* ---- marks ------------------------------------------------------------------------------- */

/* Only over the mark that is expected there, whatever has happened to the file. */
static const char *set_mark(const struct mailfile *box, const struct mailfile_message *m, enum mailfile_mark from,
                            enum mailfile_mark to)
{
    char there[HEAD_MARK];

    if (!box->writable)
        return "the file cannot be written";
    if (pread(box->fd, there, HEAD_MARK, (off_t)m->mark_at) != HEAD_MARK || memcmp(there, head_marks[from], HEAD_MARK) != 0 ||
        !mbox_is_at(box->fd, file_of(box)))
        return "the file has been changed by somebody else";
    if (pwrite(box->fd, head_marks[to], HEAD_MARK, (off_t)m->mark_at) != HEAD_MARK || fdatasync(box->fd) != 0)
        return strerror(errno);
    return NULL;
}

static const char *take_locked(const struct mailfile *box, const struct mailfile_message *m, bool mark, struct message *spooled)
{
    char there[HEAD_MARK];
    const char *why;

    if (m->ours &&
        (pread(box->fd, there, HEAD_MARK, (off_t)m->mark_at) != HEAD_MARK || memcmp(there, head_marks[m->mark], HEAD_MARK) != 0))
        return "somebody else is at it";
    why = copy_message(box, m, spooled);
    if (why == NULL && mark && m->ours)
        why = set_mark(box, m, m->mark, MAILFILE_BEGUN);
    return why;
}

const char *mailfile_take(struct mailfile *box, struct mailfile_message *message, bool mark, struct message *spooled)
{
    const char *why;

    if (!lock(box))
        return "the file cannot be locked";
    why = take_locked(box, message, mark, spooled);
    unlock(box);
    return why;
}

const char *mailfile_settle(struct mailfile *box, const struct mailfile_message *message, enum mailfile_mark mark)
{
    const char *why;

    if (!message->ours)
        return NULL;
    if (!lock(box))
        return "the file cannot be locked";
    why = set_mark(box, message, MAILFILE_BEGUN, mark);
    unlock(box);
    return why;
}
