/* message.c - the lines after DATA, or the octets after BDAT, to the spool */
/*
 * A state machine of five states reads the bytes. Inside a line it looks for LF only and copies
 * what stands before it in one go; CR matters only right before LF, so it is held back for a
 * moment (AFTER_CR) when it is the last byte at hand. Any other CR is a lone one and is stored,
 * so they are looked for in what was stored, all at once.
 *
 * Octets are read to where they are kept, and lose their CRs there.
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
    spool->head.len = 0;
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
        look_for_lone_cr(message);
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

/* ---- octets ------------------------------------------------------------------------------ */

/* Of the piece of the file that is being filled. */
static size_t missing(const struct spool *spool)
{
    return SPOOL_PIECE - (spool->start + spool->size - spool->used) % SPOOL_PIECE;
}

/*
 * In memory there is room for all that it holds. What goes to the file anyway is asked for a piece at a time, with a
 * little more for the CRs that it will lose: what is not written with its piece has to be moved.
 */
char *message_room(struct message *message, size_t *size)
{
    struct spool *spool = message->spool;
    size_t held = message->state == AFTER_CR, most = SPOOL_MEMORY;

    if (message->error == 0 && spool->used + held >= (spool->fd < 0 ? SPOOL_MEMORY : missing(spool)))
        write_out(message, false);
    if (message->error != 0)
        spool->used = 0;
    else if (spool->fd >= 0)
        most = missing(spool) + SPOOL_PIECE / 32;
    *size = most - spool->used - held;
    return spool->memory + spool->used + held;
}

/* The lines of the header, as far as they are here. */
static void follow_header(struct message *message, const char *text, const char *end)
{
    const char *lf;

    while (!message->in_body && (lf = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        count_hops(message, text, (size_t)(lf - text) - (lf > text && lf[-1] == '\r'), true);
        text = lf + 1;
    }
    if (!message->in_body)
        count_hops(message, text, (size_t)(end - text) - (end > text && end[-1] == '\r'), false);
}

static void look_for_lone_lf(struct message *message, const char *text, const char *end)
{
    const char *lf = text;

    while (!message->bare_newline && (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL) {
        message->bare_newline = lf == text || lf[-1] != '\r';
        lf++;
    }
}

/* Moves text together where the CRs of its line ends were; the last byte is left if it is a CR. Returns the new end. */
static char *drop_line_crs(struct message *message, char *text, const char *end)
{
    const char *from = text, *cr;

    while ((cr = memchr(from, '\r', (size_t)(end - from))) != NULL && cr + 1 < end) {
        bool lone = cr[1] != '\n';
        size_t len = (size_t)(cr - from) + lone;

        message->bare_newline = message->bare_newline || lone;
        memmove(text, from, len);
        text += len;
        from = cr + 1;
    }
    message->state = cr != NULL ? AFTER_CR : end[-1] == '\n' ? AT_LINE_START : IN_LINE;
    end -= cr != NULL;
    memmove(text, from, (size_t)(end - from));
    return text + (end - from);
}

void message_take(struct message *message, size_t len)
{
    struct spool *spool = message->spool;
    char *text = spool->memory + spool->used, *end = text + len;

    message->received += len;
    if (message->state == AFTER_CR) {
        *text = '\r';
        end++;
    }
    if (!message->in_body)
        follow_header(message, text, end);
    if (message->strict)
        look_for_lone_lf(message, text, end);
    len = (size_t)(drop_line_crs(message, text, end) - text);
    spool->used += len;
    spool->size += len;
}

void message_close(struct message *message)
{
    if (message->state == AFTER_CR)
        store(message, "\r", 1, false);
    if (message->state != AT_LINE_START)
        take(message, "", 0, 1);
}

void message_finish(struct message *message)
{
    look_for_lone_cr(message);
    if (message->spool->fd >= 0 && message->error == 0 && !message->too_large)
        write_out(message, true);
}

struct slice spool_piece(const struct spool *spool, uint64_t offset, char *buffer, size_t size)
{
    uint64_t left = offset < spool->head.len ? spool->head.len - offset : spool->size - offset;
    size_t len = left < size ? (size_t)left : size;
    ssize_t n;

    if (offset < spool->head.len)
        return (struct slice){ spool->head.text + offset, len };
    offset -= spool->head.len;
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
    if (spool->fd >= 0 && offset > spool->head.len) /* no promise hangs on it */
        (void)fallocate(spool->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                        (off_t)(spool->start + offset - spool->head.len));
}
