/* line.c - bytes to lines and back, with length limit and deadline */
/*
 * One buffer each way. All waiting is done in wait_for, with SIGTERM let in only there. The
 * descriptors stay blocking, because on a terminal or a pipe they are shared with others.
 */
#include "session/line.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { TLS_HANDSHAKE = 0x16, ACKNOWLEDGED_MS = 5 /* between two looks at what the client has not acknowledged */ };

static const volatile sig_atomic_t *terminated_flag;
static sigset_t while_waiting; /* SIGTERM is let in */

void line_init(struct line_io *io, int in, int out, const volatile sig_atomic_t *terminated)
{
    struct stat in_stat, out_stat;

    io->in = in;
    io->out = out;
    io->socket = fstat(in, &in_stat) == 0 && fstat(out, &out_stat) == 0 && S_ISSOCK(out_stat.st_mode) &&
                 in_stat.st_ino == out_stat.st_ino;
    io->lf_sessions = true;
    io->ending = LINE_UNDECIDED;
    io->failed = LINE_OK;
    io->pipelined = false;
    io->deadline = UINT64_MAX;
    io->idle_ms = UINT64_MAX / 2;
    io->start = io->end = io->out_len = 0;
    io->before_wait = NULL;
    io->watched = io->heeded = io->ahead = false;
    terminated_flag = terminated;
    while_waiting = clock_mask();
}

/* Why not to wait for the client any longer; LINE_OK: there is no reason. */
static enum line_status why_stop(const struct line_io *io, uint64_t until)
{
    if (terminated_flag != NULL && *terminated_flag)
        return LINE_TERMINATED;
    if (clock_left(io->deadline) == 0)
        return LINE_DEADLINE;
    return clock_left(until) == 0 ? LINE_IDLE : LINE_OK;
}

/*
 * Waits until fd is ready; `until` is when the patience with this one wait ends. A client that
 * always has more to say runs out of time like any other, but what we have to say still leaves.
 */
static enum line_status wait_for(const struct line_io *io, int fd, short events, uint64_t until)
{
    struct pollfd ready = { .fd = fd, .events = events };

    for (;;) {
        enum line_status status = why_stop(io, until);
        int result;

        if (status != LINE_OK && events == POLLIN)
            return status;
        result = clock_poll(&ready, 1, status == LINE_OK ? clock_earlier(until, io->deadline) : 0, &while_waiting);
        if (result > 0)
            return LINE_OK;
        if (result < 0 && errno != EINTR)
            return LINE_BROKEN;
        if (status != LINE_OK)
            return status;
    }
}

static ssize_t write_some(const struct line_io *io, const char *bytes, size_t len)
{
    if (io->socket)
        return send(io->out, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    /* poll(2) has promised room for this much, so that it will not block */
    return write(io->out, bytes, len < PIPE_BUF ? len : PIPE_BUF);
}

enum line_status line_flush(struct line_io *io)
{
    uint64_t until = clock_ms() + io->idle_ms;
    size_t sent = 0;

    while (sent < io->out_len && io->failed == LINE_OK) {
        ssize_t n = -1;

        errno = EAGAIN;
        if (io->socket || wait_for(io, io->out, POLLOUT, until) == LINE_OK)
            n = write_some(io, io->out_buf + sent, io->out_len - sent);
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN && io->socket) {
            io->failed = wait_for(io, io->out, POLLOUT, until);
        } else if (errno != EINTR) {
            io->failed = LINE_BROKEN;
        }
    }
    io->out_len = 0;
    return io->failed;
}

void line_put(struct line_io *io, const char *bytes, size_t len)
{
    if (io->ahead && len > 0) {
        io->ahead = false;
        bytes++;
        len--;
    }
    while (len > 0 && io->failed == LINE_OK) {
        size_t room = sizeof io->out_buf - io->out_len;
        size_t part = len < room ? len : room;

        memcpy(io->out_buf + io->out_len, bytes, part);
        io->out_len += part;
        bytes += part;
        len -= part;
        if (io->out_len == sizeof io->out_buf)
            (void)line_flush(io); /* the failure is remembered in io */
    }
}

/* Is all that was sent with the client, or with its kernel? Of a file it is. */
static bool has_all(const struct line_io *io)
{
    int left = 0;

    return !io->socket || (ioctl(io->out, SIOCOUTQ, &left) == 0 && left == 0);
}

/* Reads what the client says, or some of it. Replies leave before we wait. */
static enum line_status receive(struct line_io *io, char *room, size_t size, size_t *len, uint64_t until)
{
    bool early = io->watched && line_pending(io); /* not behind the flush: the client may be quick */
    ssize_t n;

    *len = 0;
    if (line_flush(io) != LINE_OK)
        return io->failed;
    if (io->before_wait != NULL)
        io->before_wait(io);
    do {
        enum line_status status = wait_for(io, io->in, POLLIN, until);

        if (status != LINE_OK)
            return status;
        n = read(io->in, room, size);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n <= 0)
        return io->failed = n == 0 ? LINE_EOF : LINE_BROKEN;
    *len = (size_t)n;
    io->heeded = io->heeded || (io->watched && !early && has_all(io));
    return LINE_OK;
}

/* Reads more behind the unread bytes; there is room. */
static enum line_status fill(struct line_io *io, uint64_t until)
{
    enum line_status status;
    size_t len;

    if (io->start == io->end)
        io->start = io->end = 0;
    if (io->end == sizeof io->in_buf) {
        memmove(io->in_buf, io->in_buf + io->start, io->end - io->start);
        io->end -= io->start;
        io->start = 0;
    }
    status = receive(io, io->in_buf + io->end, sizeof io->in_buf - io->end, &len, until);
    io->end += len;
    return status;
}

enum line_status line_bytes(struct line_io *io, struct slice *bytes)
{
    enum line_status status = LINE_OK;

    if (io->start == io->end)
        status = io->failed != LINE_OK ? io->failed : fill(io, clock_ms() + io->idle_ms);
    *bytes = (struct slice){ io->in_buf + io->start, io->end - io->start };
    return status;
}

void line_consume(struct line_io *io, size_t len)
{
    io->start += len;
}

enum line_status line_take(struct line_io *io, char *bytes, size_t size, size_t *len)
{
    const size_t unread = io->end - io->start;

    if (unread == 0)
        return io->failed != LINE_OK ? io->failed : receive(io, bytes, size, len, clock_ms() + io->idle_ms);
    *len = unread < size ? unread : size;
    memcpy(bytes, io->in_buf + io->start, *len);
    line_consume(io, *len);
    return LINE_OK;
}

/* The first LF of the connection: what stands before it decides how lines end from now on. */
static enum line_status decide_ending(struct line_io *io, const char *lf)
{
    bool bare = lf == io->in_buf + io->start || lf[-1] != '\r';

    if (bare && !io->lf_sessions)
        return LINE_FIRST_BARE;
    io->ending = bare ? LINE_LF : LINE_CRLF;
    return LINE_OK;
}

const char line_proxy_signature[LINE_PROXY_SIGNATURE] = { '\r', '\n', '\r', '\n', '\0', '\r', '\n',
                                                          'Q', 'U', 'I', 'T', '\n' };

/* Is what has arrived first of another protocol? Of PROXY a piece is too little to tell: its lines are refused. */
static enum line_status look_at_first(const struct line_io *io)
{
    const char *first = io->in_buf + io->start;

    if (first[0] == TLS_HANDSHAKE)
        return LINE_NOT_SMTP;
    if (first[0] != '\r' || io->end - io->start < LINE_PROXY_SIGNATURE)
        return LINE_OK;
    return memcmp(first, line_proxy_signature, LINE_PROXY_SIGNATURE) == 0 ? LINE_PROXY : LINE_OK;
}

/*
 * Finds the end of the line that begins at io->start, looking only at bytes from `from` on.
 * Returns the LF that ends it or NULL; `bare` is set when a lone LF was passed.
 */
static const char *find_end(const struct line_io *io, size_t from, bool *bare)
{
    const char *begin = io->in_buf + io->start, *p = io->in_buf + from;
    const char *end = io->in_buf + io->end;

    while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
        if (io->ending != LINE_CRLF || (p > begin && p[-1] == '\r'))
            return p;
        *bare = true;
        p++;
    }
    return NULL;
}

/* Drops the rest of a line that is too long, keeping a CR that may belong to its end. */
static void drop_all_but_last(struct line_io *io)
{
    if (io->end - io->start > 1)
        io->start = io->end - 1;
}

/* The line at io->start, of which more is there than a line may have, is too long; it may be so already. */
static void keep_beginning(struct line_io *io, bool *too_long)
{
    if (!*too_long)
        memcpy(io->beginning, io->in_buf + io->start, sizeof io->beginning);
    *too_long = true;
}

enum line_status line_read(struct line_io *io, struct slice *line)
{
    uint64_t until = clock_ms() + io->idle_ms;
    size_t searched = 0; /* bytes from io->start on that hold no line end */
    bool bare = false, too_long = false;
    const char *lf;
    enum line_status status;

    *line = (struct slice){ "", 0 };
    io->pipelined = io->start < io->end;
    while ((lf = find_end(io, io->start + searched, &bare)) == NULL) {
        searched = io->end - io->start;
        if (searched > LINE_MAX_COMMAND) {
            keep_beginning(io, &too_long);
            drop_all_but_last(io);
            searched = 1;
        }
        if (io->failed != LINE_OK)
            return io->failed;
        if ((status = fill(io, until)) != LINE_OK)
            return status;
        if (io->ending == LINE_UNDECIDED && searched == 0 && (status = look_at_first(io)) != LINE_OK)
            return status;
    }
    if (io->ending == LINE_UNDECIDED && (status = decide_ending(io, lf)) != LINE_OK)
        return status;

    *line = (struct slice){ io->in_buf + io->start, (size_t)(lf - (io->in_buf + io->start)) };
    if (line->len + 1 > LINE_MAX_COMMAND)
        keep_beginning(io, &too_long);
    io->start += line->len + 1;
    if (line->len > 0 && line->text[line->len - 1] == '\r')
        line->len--;
    if (too_long)
        *line = (struct slice){ io->beginning, sizeof io->beginning };
    return too_long ? LINE_TOO_LONG : bare ? LINE_BARE_LF : LINE_OK;
}

bool line_pending(const struct line_io *io)
{
    struct pollfd ready = { .fd = io->in, .events = POLLIN };

    return io->start < io->end || clock_poll(&ready, 1, 0, &while_waiting) > 0;
}

bool line_switch(struct line_io *io, int fd)
{
    if (line_flush(io) != LINE_OK || dup3(fd, io->in, O_CLOEXEC) < 0 || dup3(fd, io->out, O_CLOEXEC) < 0 ||
        close(fd) != 0)
        return false;
    io->socket = true;
    io->start = io->end = 0;
    return true;
}

void line_wipe(struct line_io *io, struct slice line)
{
    if (line.len > 0)
        explicit_bzero(io->in_buf + (line.text - io->in_buf), line.len);
}

/* Waits for the end of a client that has closed its direction, or both. */
static void wait_for_end(struct line_io *io, uint64_t until, char next)
{
    struct pollfd gone = { .fd = io->out }; /* POLLHUP and POLLERR are always reported */

    io->ahead = send(io->out, &next, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    if (io->ahead || errno == EAGAIN)
        (void)clock_poll(&gone, 1, until, &while_waiting);
}

void line_pause(struct line_io *io, uint64_t ms, char next)
{
    struct pollfd gone = { .fd = io->out, .events = io->socket ? POLLRDHUP : 0 };
    uint64_t until = clock_earlier(clock_ms() + ms, io->deadline);

    if (line_flush(io) == LINE_OK && why_stop(io, until) == LINE_OK &&
        clock_poll(&gone, 1, until, &while_waiting) > 0 && gone.revents == POLLRDHUP)
        wait_for_end(io, until, next);
}

void line_watch(struct line_io *io)
{
    io->watched = true;
    io->heeded = false;
}

void line_forget(struct line_io *io)
{
    io->watched = io->heeded = false;
}

/* Reads and drops what comes until the client has ended. False: it did not, or not in order. */
static bool read_to_end(struct line_io *io, uint64_t until)
{
    ssize_t n;

    do {
        if (wait_for(io, io->in, POLLIN, until) != LINE_OK)
            return false;
        n = read(io->in, io->in_buf, sizeof io->in_buf);
    } while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
    return n == 0;
}

/* Has the other end of the connection, or a relay for it, hung up in both directions, though we have not? */
static bool is_broken(const struct line_io *io, short of)
{
    struct pollfd gone = { .fd = io->out, .events = POLLRDHUP };

    return clock_poll(&gone, 1, 0, &while_waiting) > 0 && (gone.revents & of) != 0;
}

void line_await_end(struct line_io *io, uint64_t wait_ms, bool relayed)
{
    uint64_t until = clock_ms() + wait_ms;
    bool ended;

    if (io->failed == LINE_EOF)
        io->failed = LINE_OK; /* a half-closed client still reads */
    if (line_flush(io) != LINE_OK)
        return;
    terminated_flag = NULL; /* it is ending anyway */
    io->deadline = until;
    /* who has left behind a relay before all was sent has perhaps not had it; over TCP has_all can tell */
    if (io->socket && (relayed ? is_broken(io, POLLRDHUP | POLLHUP | POLLERR) : shutdown(io->out, SHUT_WR) != 0))
        return;
    ended = !io->socket || (read_to_end(io, until) && !(relayed && is_broken(io, POLLHUP | POLLERR)));
    while (ended && !has_all(io) && clock_left(until) > 0)
        (void)clock_poll(NULL, 0, clock_earlier(until, clock_ms() + ACKNOWLEDGED_MS), &while_waiting);
    io->heeded = ended && has_all(io);
}

void line_close(struct line_io *io, uint64_t wait_ms)
{
    uint64_t until = clock_ms() + wait_ms;

    if (io->failed == LINE_EOF)
        io->failed = LINE_OK; /* a half-closed client still reads */
    if (line_flush(io) != LINE_OK || !io->socket)
        return;
    if (shutdown(io->out, SHUT_WR) != 0)
        return; /* the client is gone already */
    io->deadline = until;
    terminated_flag = NULL; /* it is ending anyway */
    while (wait_for(io, io->in, POLLIN, until) == LINE_OK && read(io->in, io->in_buf, sizeof io->in_buf) > 0)
        continue;
}
