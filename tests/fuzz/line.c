/* line.c - fuzz target: bytes to lines; what comes out does not depend on how the bytes were cut */
/*
 * Byte 0: bit 0 forbids LF sessions, the rest is the size of a piece. The others are what the
 * client sends.
 */
#include "session/line.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

/* Everything that line_read gave, in one run of bytes: status, length, line. */
struct trace {
    size_t used;
    char bytes[1 << 18];
};

static struct line_io io;

static void note(struct trace *trace, const void *bytes, size_t len)
{
    HOLDS(len <= sizeof trace->bytes - trace->used);
    memcpy(trace->bytes + trace->used, bytes, len);
    trace->used += len;
}

/* False: it was ended by a header of PROXY, of which a piece is too little to tell. */
static bool read_all(struct trace *trace)
{
    enum line_status status;
    struct slice line;

    do {
        status = line_read(&io, &line);
        note(trace, &status, sizeof status);
        if (status != LINE_OK && status != LINE_BARE_LF)
            continue;
        HOLDS(line.len < LINE_MAX_COMMAND);
        HOLDS((memchr(line.text, '\n', line.len) != NULL) == (status == LINE_BARE_LF));
        HOLDS(status == LINE_OK || io.ending == LINE_CRLF);
        note(trace, &line.len, sizeof line.len);
        note(trace, line.text, line.len);
    } while (status == LINE_OK || status == LINE_BARE_LF || status == LINE_TOO_LONG);
    HOLDS(status == LINE_EOF || status == LINE_NOT_SMTP || status == LINE_FIRST_BARE || status == LINE_PROXY);
    HOLDS(status != LINE_FIRST_BARE || !io.lf_sessions);
    return status != LINE_PROXY;
}

/* A pair of SOCK_SEQPACKET keeps the borders of the pieces: each read gives one. */
static bool play(const uint8_t *data, size_t size, size_t piece, bool lf_sessions, struct trace *trace)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), pair[2];
    bool whole;

    HOLDS(null >= 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    for (size_t at = 0, len; at < size; at += len) {
        len = size - at < piece ? size - at : piece;
        HOLDS(send(pair[0], data + at, len, MSG_DONTWAIT) == (ssize_t)len);
    }
    (void)close(pair[0]);
    line_init(&io, pair[1], null, NULL);
    io.lf_sessions = lf_sessions;
    trace->used = 0;
    whole = read_all(trace);
    (void)close(pair[1]);
    (void)close(null);
    return whole;
}

void fuzz_line(const uint8_t *data, size_t size)
{
    static struct trace whole, pieces;
    size_t piece;
    bool lf_sessions;

    if (size < 1 || size > 60000)
        return;
    lf_sessions = (data[0] & 1) == 0;
    piece = (size_t)data[0] / 2 + 1 + size / 100; /* a socket holds some hundred packets */
    if (!play(data + 1, size - 1, size, lf_sessions, &whole) || !play(data + 1, size - 1, piece, lf_sessions, &pieces))
        return;
    HOLDS(whole.used == pieces.used && memcmp(whole.bytes, pieces.bytes, whole.used) == 0);
}
