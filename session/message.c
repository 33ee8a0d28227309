/* message.c - the lines after DATA to the spool */
/*
 * A state machine of five states reads the bytes. Inside a line it looks for LF only and copies
 * what stands before it in one go; CR matters only right before LF, so it is held back for a
 * moment (AFTER_CR) when it is the last byte at hand. Any other CR is a lone one and is stored,
 * so they are looked for in what was stored, all at once.
 */
#include "session/message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int spool_file(struct slice directory)
{
    static const char template[] = "/mailrecv.XXXXXX";
    char path[PATH_MAX];
    int fd;

    if (directory.len + sizeof template > sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(path, directory.text, directory.len);
    path[directory.len] = '\0';
    fd = open(path, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, S_IRUSR | S_IWUSR);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    /* not every file system can make a file that never had a name */
    memcpy(path + directory.len, template, sizeof template);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0 && unlink(path) != 0) {
        (void)close(fd); /* empty */
        return -1;
    }
    return fd;
}

int spool_reader(int fd)
{
    char path[32];

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* The kernel gives a lease for reading only while no descriptor in any process is open for writing. */
bool spool_is_final(int fd)
{
    return fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

int write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n >= 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void spool_clear(struct spool *spool)
{
    if (spool->fd >= 0)
        (void)close(spool->fd); /* the file has no name: it is gone now */
    spool->fd = -1;
    spool->used = 0;
    spool->start = spool->size = 0;
}

void message_begin(struct message *message, struct spool *spool, uint64_t limit, bool lf_session,
                   spool_open *open, void *context)
{
    spool_clear(spool);
    *message = (struct message){ .spool = spool, .open = open, .open_context = context, .limit = limit,
                                 .lf_session = lf_session, .state = AT_LINE_START };
}

/* A CR that was stored was no part of a line end. */
static void look_for_lone_cr(struct message *message)
{
    const struct spool *spool = message->spool;

    message->bare_newline = message->bare_newline || memchr(spool->memory, '\r', spool->used) != NULL;
}

/* Writes the memory of a spool to its file, piece by piece; the last one only if it is whole or `all` is set. */
static void write_pieces(struct message *message, bool all)
{
    struct spool *spool = message->spool;
    uint64_t at = spool->start + spool->size - spool->used;
    size_t done = 0, len;

    while (done < spool->used && message->error == 0) {
        len = SPOOL_PIECE - (at + done) % SPOOL_PIECE;
        if (len > spool->used - done) {
            if (!all)
                break;
            len = spool->used - done;
        }
        message->error = write_all(spool->fd, spool->memory + done, len);
        done += len;
    }
    spool->used -= done;
    memmove(spool->memory, spool->memory + done, spool->used);
}

/* Makes room in the memory of a spool, or with `all` set empties it: into its file. */
static void write_out(struct message *message, bool all)
{
    struct spool *spool = message->spool;

    look_for_lone_cr(message);
    if (spool->fd < 0 && (spool->fd = message->open(message->open_context, &spool->start)) < 0)
        message->error = errno;
    else
        write_pieces(message, all);
}

/* Text, and behind it an LF if `lf` is set. What does not fit fills the memory, which is then written. */
static void store(struct message *message, const char *text, size_t len, bool lf)
{
    struct spool *spool = message->spool;
    size_t room;

    while (message->error == 0 && len + lf > (room = SPOOL_MEMORY - spool->used)) {
        size_t part = len < room ? len : room;

        memcpy(spool->memory + spool->used, text, part);
        spool->used += part;
        spool->size += part;
        text += part;
        len -= part;
        write_out(message, false);
    }
    if (message->error != 0)
        return;
    memcpy(spool->memory + spool->used, text, len);
    if (lf)
        spool->memory[spool->used + len] = '\n';
    spool->used += len + lf;
    spool->size += len + lf;
}

/* Follows the header line by line to its end, and counts the hosts that the message has passed. */
static void count_hops(struct message *message, const char *text, size_t len, bool ends)
{
    static const char name[] = "received:";
    enum { NAME = sizeof name - 1, OTHER = NAME + 1 }; /* what `field` is once the line is decided */

    for (size_t i = 0; i < len && message->field < NAME; i++) {
        bool same = lower_ascii(text[i]) == name[message->field];

        message->field = same ? message->field + 1 : OTHER;
        message->hops += message->field == NAME;
    }
    if (ends) {
        message->in_body = message->field == 0;
        message->field = 0;
    }
}

/*
 * Text of a line and, if `end` is not 0, its end, which came as so many bytes. Counts before storing,
 * so that nothing beyond the limit is ever kept.
 */
static void take(struct message *message, const char *text, size_t len, size_t end)
{
    message->received += len + end;
    if (!message->in_body)
        count_hops(message, text, len, end > 0);
    message->too_large = message->too_large || message->received > message->limit;
    if (!message->too_large)
        store(message, text, len, end > 0);
}

/* Follows a dot behind a lone LF to its line end, in which case the client takes it for the end of the message. */
static void follow_dot(struct message *message, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len && message->dot != NO_DOT; i++) {
        if (message->dot == AFTER_LF && bytes[i] == '.') {
            message->dot = LF_DOT;
        } else if (message->dot == LF_DOT && bytes[i] == '\r') {
            message->dot = LF_DOT_CR;
        } else {
            message->bare_dot = message->bare_dot || (message->dot != AFTER_LF && bytes[i] == '\n');
            message->dot = NO_DOT;
        }
    }
}

/* Bytes inside a line, up to and including its LF if that is here. Returns how many were taken. */
static size_t take_line(struct message *message, const char *bytes, size_t len)
{
    const char *lf = memchr(bytes, '\n', len);
    size_t body = lf != NULL ? (size_t)(lf - bytes) : len;
    bool cr = body > 0 && bytes[body - 1] == '\r';

    if (message->dot != NO_DOT)
        follow_dot(message, bytes, len);
    take(message, bytes, body - cr, lf == NULL ? 0 : cr ? 2 : 1);
    if (lf == NULL) {
        message->state = cr ? AFTER_CR : IN_LINE;
        return len;
    }
    message->bare_newline = message->bare_newline || !cr;
    message->state = cr || message->lf_session ? AT_LINE_START : IN_LINE;
    if (message->state == IN_LINE)
        message->dot = AFTER_LF;
    return body + 1;
}

/* One byte where a single byte decides. Returns whether it was taken; if not, it is looked at anew. */
static bool take_byte(struct message *message, char byte, bool *end)
{
    bool lf_ends = byte == '\n' && message->lf_session;

    switch (message->state) {
    case AT_LINE_START:
        message->state = AFTER_DOT;
        return true;
    case AFTER_DOT:
        *end = lf_ends;
        message->bare_dot = message->bare_dot || (byte == '\n' && !lf_ends);
        message->state = byte == '\r' ? AFTER_DOT_CR : IN_LINE;
        return byte == '\r' || lf_ends;
    case AFTER_DOT_CR:
        *end = byte == '\n';
        if (*end)
            return true;
        break;
    case AFTER_CR:
        if (message->dot != NO_DOT)
            follow_dot(message, &byte, 1);
        if (byte == '\n') {
            take(message, "", 0, 2);
            message->state = AT_LINE_START;
            return true;
        }
        break;
    case IN_LINE:
        return false;
    }
    take(message, "\r", 1, 0); /* the CR was no part of a line end */
    message->state = IN_LINE;
    return false;
}

enum message_status message_feed(struct message *message, struct slice bytes, size_t *used)
{
    size_t at = 0;
    bool end = false;

    while (at < bytes.len && !end) {
        if (message->state == IN_LINE || (message->state == AT_LINE_START && bytes.text[at] != '.'))
            at += take_line(message, bytes.text + at, bytes.len - at);
        else
            at += take_byte(message, bytes.text[at], &end);
    }
    *used = at;
    if (end)
        return MESSAGE_END;
    return message->received / MESSAGE_FLOOD > message->limit ? MESSAGE_OVER : MESSAGE_MORE;
}

void message_finish(struct message *message)
{
    if (message->spool->fd < 0)
        look_for_lone_cr(message);
    else if (message->error == 0 && !message->too_large)
        write_out(message, true);
}

struct slice spool_piece(const struct spool *spool, uint64_t offset, char *buffer, size_t size)
{
    uint64_t left = spool->size - offset;
    size_t len = left < size ? (size_t)left : size;
    ssize_t n;

    if (spool->fd < 0)
        return (struct slice){ spool->memory + offset, len };
    do
        n = pread(spool->fd, buffer, len, (off_t)(spool->start + offset));
    while (n < 0 && errno == EINTR);
    if (n == 0 && len > 0) {
        errno = EIO; /* shorter than what was written */
        n = -1;
    }
    return n < 0 ? (struct slice){ NULL, 0 } : (struct slice){ buffer, (size_t)n };
}

void spool_forget(const struct spool *spool, uint64_t offset)
{
    if (spool->fd >= 0) /* no promise hangs on it */
        (void)fallocate(spool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)(spool->start + offset));
}
