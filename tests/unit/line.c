/* line.c - unit tests of line.h: bytes to lines, whatever pieces they come in */
#include "session/line.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define A1000 X10(X10("abcdefghij"))
#define LINE2046 A1000 A1000 X10("wxyz") "123456" /* the longest command without its CRLF */

/*
 * What comes out of a connection, as a text: each line in brackets, what is no line in capitals.
 * An input with the same outcome for all ways of cutting it needs one row only.
 */
static const struct {
    const char *name;
    struct slice input;
    bool lf_sessions;
    const char *outcome;
} rows[] = {
    { "CRLF", SLICE("a\r\nbc\r\n"), true, "[a][bc]EOF" },
    { "nothing", SLICE(""), true, "EOF" },
    { "an empty line", SLICE("\r\n\r\n"), true, "[][]EOF" },
    { "an unfinished line is dropped", SLICE("a\r\nb"), true, "[a]EOF" },
    { "CR is not an end", SLICE("a\r\nb\rc\r\n"), true, "[a][b\\x0dc]EOF" },
    { "CR CR LF", SLICE("a\r\r\n"), true, "[a\\x0d]EOF" },
    { "CR at the end of input", SLICE("a\r\nb\r"), true, "[a]EOF" },
    { "NUL is a byte as others", SLICE("a\0b\r\n"), true, "[a\\x00b]EOF" },
    { "8-bit bytes", SLICE("\xff\x80\r\n"), true, "[\\xff\\x80]EOF" },
    { "bare LF in a CRLF session", SLICE("a\r\nb\nc\r\nd\r\n"), true, "[a]BARE_LF[b\\x0ac][d]EOF" },
    { "a line that is a bare LF", SLICE("a\r\n\nb\r\n"), true, "[a]BARE_LF[\\x0ab]EOF" },
    { "bare LF and no end", SLICE("a\r\nb\n"), true, "[a]EOF" },
    { "bare LF, then CRLF", SLICE("a\r\nb\n\r\nc\r\n"), true, "[a]BARE_LF[b\\x0a][c]EOF" },
    { "LF session", SLICE("a\nbc\n\n"), true, "[a][bc][]EOF" },
    { "CRLF ends a line of an LF session", SLICE("a\nb\r\nc\n"), true, "[a][b][c]EOF" },
    { "an empty first line makes an LF session, too", SLICE("\na\n"), true, "[][a]EOF" },
    { "LF session forbidden", SLICE("a\nb\r\n"), false, "FIRST_BARE" },
    { "CRLF where LF sessions are forbidden", SLICE("a\r\nb\r\n"), false, "[a][b]EOF" },
    { "TLS", SLICE("\x16\x03\x01\x02\x00"), true, "NOT_SMTP" },
    { "TLS byte later", SLICE("a\r\n\x16\x03\r\n"), true, "[a][\\x16\\x03]EOF" },
};

static const struct {
    const char *name;
    struct slice input;
    const char *outcome;
} long_rows[] = {
    { "2048 bytes", SLICE(LINE2046 "\r\nb\r\n"), "(2046)[b]EOF" },
    { "2049 bytes", SLICE(LINE2046 "x\r\nb\r\n"), "TOO_LONG[b]EOF" },
    { "2048 bytes with LF", SLICE(LINE2046 "7\nb\n"), "(2047)[b]EOF" },
    { "2049 bytes with LF", SLICE(LINE2046 "78\nb\n"), "TOO_LONG[b]EOF" },
    { "much longer", SLICE("a\r\n" A1000 A1000 A1000 A1000 A1000 "\r\nb\r\n"), "[a]TOO_LONG[b]EOF" },
    { "too long, CR before the end", SLICE("a\r\n" A1000 A1000 A1000 "\r\r\r\nb\r\n"), "[a]TOO_LONG[b]EOF" },
    { "too long, with bare LF", SLICE("a\r\n" A1000 "\n" A1000 "\n" A1000 "\r\nb\r\n"), "[a]TOO_LONG[b]EOF" },
    { "too long, no end", SLICE("a\r\n" A1000 A1000 A1000), "[a]EOF" },
    { "two too long", SLICE("a\r\n" LINE2046 "x\r\n" LINE2046 "x\r\nb\r\n"), "[a]TOO_LONGTOO_LONG[b]EOF" },
    { "too long in an LF session", SLICE("a\n" A1000 A1000 A1000 "\nb\n"), "[a]TOO_LONG[b]EOF" },
    { "the first is too long: it decides all the same", SLICE(A1000 A1000 A1000 "\nb\n"), "TOO_LONG[b]EOF" },
};

static struct line_io io;
static int null;

static const char *name_of(enum line_status status)
{
    static const char *const names[] = {
        [LINE_OK] = "", [LINE_TOO_LONG] = "TOO_LONG", [LINE_BARE_LF] = "BARE_LF", [LINE_FIRST_BARE] = "FIRST_BARE",
        [LINE_NOT_SMTP] = "NOT_SMTP", [LINE_EOF] = "EOF", [LINE_IDLE] = "IDLE", [LINE_DEADLINE] = "DEADLINE",
        [LINE_TERMINATED] = "TERMINATED", [LINE_BROKEN] = "BROKEN",
    };

    return names[status];
}

/* Reads all lines of the connection into a text as the table has it. */
static struct slice read_all(bool lf_sessions)
{
    static char outcome[4096];
    size_t used = 0;
    enum line_status status;

    io.lf_sessions = lf_sessions;
    do {
        struct slice line;

        status = line_read(&io, &line);
        used += (size_t)snprintf(outcome + used, sizeof outcome - used, "%s", name_of(status));
        if (status == LINE_OK && line.len > 1000)
            used += (size_t)snprintf(outcome + used, sizeof outcome - used, "(%zu)", line.len);
        else if (status == LINE_OK || status == LINE_BARE_LF)
            used += (size_t)snprintf(outcome + used, sizeof outcome - used, "[%s]", show(line));
    } while (status == LINE_OK || status == LINE_BARE_LF || status == LINE_TOO_LONG);
    return (struct slice){ outcome, used };
}

/*
 * A connection whose reads give exactly these pieces: a SOCK_SEQPACKET pair keeps their borders.
 * Pieces of `size` bytes, the first of `first`.
 */
static void connect_pieces(struct slice input, size_t first, size_t size)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return;
    for (size_t at = 0, len = first; at < input.len; at += len, len = size) {
        if (len > input.len - at)
            len = input.len - at;
        if (len > 0 && send(pair[0], input.text + at, len, MSG_DONTWAIT) != (ssize_t)len)
            break; /* read_all will say EOF too early */
    }
    (void)close(pair[0]);
    line_init(&io, pair[1], null, NULL);
}

static void test_lines(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice input = rows[i].input;

        for (size_t split = 0; split < input.len || split == 0; split++) {
            connect_pieces(input, split, input.len);
            ok_text(read_all(rows[i].lf_sessions), slice_of(rows[i].outcome), "%s, cut at %zu", rows[i].name, split);
            (void)close(io.in);
        }
        connect_pieces(input, 1, 1);
        ok_text(read_all(rows[i].lf_sessions), slice_of(rows[i].outcome), "%s, byte by byte", rows[i].name);
        (void)close(io.in);
    }
    for (size_t i = 0; i < COUNT(long_rows); i++) {
        struct slice input = long_rows[i].input;

        for (size_t size = 37; size < 4200; size += 97) {
            connect_pieces(input, size, size);
            ok_text(read_all(true), slice_of(long_rows[i].outcome), "%s, in pieces of %zu", long_rows[i].name, size);
            (void)close(io.in);
        }
        for (size_t behind = 1; behind < 10; behind++) {
            connect_pieces(input, input.len - behind, input.len);
            ok_text(read_all(true), slice_of(long_rows[i].outcome), "%s, cut %zu before the end", long_rows[i].name, behind);
            (void)close(io.in);
        }
    }
}

/* A pipe with these bytes in it; the write end stays open: it is returned. */
static int connect_pipe(struct slice input)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], input.text, input.len) != (ssize_t)input.len)
        return -1;
    line_init(&io, ends[0], null, NULL);
    return ends[1];
}

static void test_waiting(void)
{
    static volatile sig_atomic_t terminated;
    struct slice line;
    int write_end = connect_pipe(BYTES("a\r\nb"));

    ok_number(line_read(&io, &line), LINE_OK, "a line that is there needs no waiting");
    io.idle_ms = 1;
    ok_number(line_read(&io, &line), LINE_IDLE, "half a line: idle_ms ends the wait");
    io.deadline = clock_ms();
    ok_number(line_read(&io, &line), LINE_DEADLINE, "the deadline has passed");
    ok(write(write_end, "c\r\n", 3) == 3, "more input");
    ok_number(line_read(&io, &line), LINE_DEADLINE, "... even for a client that goes on and on");
    io.deadline = UINT64_MAX;
    io.idle_ms = UINT64_MAX / 2;
    ok_number(line_read(&io, &line), LINE_OK, "with a later deadline the line goes on");
    ok_text(line, BYTES("bc"), "... with what had come before");
    (void)close(io.in);
    (void)close(write_end);

    write_end = connect_pipe(BYTES(""));
    line_init(&io, io.in, null, &terminated);
    terminated = 1;
    ok_number(line_read(&io, &line), LINE_TERMINATED, "SIGTERM ends the wait");
    (void)close(io.in);
    (void)close(write_end);

    line_init(&io, open("/", O_RDONLY | O_CLOEXEC), null, NULL);
    ok_number(line_read(&io, &line), LINE_BROKEN, "a directory cannot be read");
    ok_number(line_read(&io, &line), LINE_BROKEN, "... and the connection stays broken");
    (void)close(io.in);
}

static void test_bytes(void)
{
    struct slice line, bytes;

    connect_pieces(BYTES("DATA\r\nabcdef"), 9, 3);
    ok_number(line_read(&io, &line), LINE_OK, "a line");
    ok(!io.pipelined, "the first line is not pipelined");
    ok_number(line_bytes(&io, &bytes), LINE_OK, "the bytes behind it");
    ok_text(bytes, BYTES("abc"), "... are those that came with it");
    line_consume(&io, 1);
    ok_number(line_bytes(&io, &bytes), LINE_OK, "once more");
    ok_text(bytes, BYTES("bc"), "... they stay until they are consumed");
    line_consume(&io, 2);
    ok_number(line_bytes(&io, &bytes), LINE_OK, "more");
    ok_text(bytes, BYTES("def"), "... is read when all are consumed");
    line_consume(&io, 3);
    ok_number(line_bytes(&io, &bytes), LINE_EOF, "the end");
    ok_number(bytes.len, 0, "... has no bytes");
    (void)close(io.in);

    connect_pieces(BYTES("a\r\nb\r\nc\r\n"), 6, 3);
    (void)line_read(&io, &line);
    (void)line_read(&io, &line);
    ok(io.pipelined, "the second line came with the first: pipelined");
    (void)line_read(&io, &line);
    ok(!io.pipelined, "the third came later: not pipelined");
    (void)close(io.in);
}

/* Output is collected until a read would block, or until it is more than the buffer holds. */
static void test_output(void)
{
    static const char big[LINE_OUT] = { 'x' };
    struct slice line;
    char text[16];
    int pair[2], write_end = connect_pipe(BYTES("a\r\nb\r\n")), out[2];

    if (!ok(pipe2(out, O_CLOEXEC | O_NONBLOCK) == 0, "a pipe for output"))
        return;
    line_init(&io, io.in, out[1], NULL);
    io.idle_ms = 1;
    (void)line_read(&io, &line);
    line_put(&io, "one", 3);
    (void)line_read(&io, &line);
    ok(read(out[0], text, sizeof text) < 0, "a line that is there: nothing is written");
    ok_number(line_read(&io, &line), LINE_IDLE, "no more line");
    ok_number((uintmax_t)read(out[0], text, sizeof text), 3, "... then output leaves before the wait");
    line_put(&io, big, sizeof big);
    ok(read(out[0], text, sizeof text) > 0, "a full buffer leaves at once");
    (void)close(out[0]);
    (void)signal(SIGPIPE, SIG_IGN);
    line_put(&io, "x", 1);
    ok_number(line_flush(&io), LINE_BROKEN, "nobody reads: broken");
    ok_number(line_read(&io, &line), LINE_BROKEN, "... and no line is read any more");
    (void)close(out[1]);
    (void)close(io.in);
    (void)close(write_end);

    if (!ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "a socket"))
        return;
    (void)signal(SIGPIPE, SIG_DFL);
    line_init(&io, pair[1], pair[1], NULL);
    (void)close(pair[0]);
    line_put(&io, "x", 1);
    ok_number(line_flush(&io), LINE_BROKEN, "a closed socket is broken, without SIGPIPE");
    (void)close(pair[1]);
}

void test_line(void)
{
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    test_lines();
    test_waiting();
    test_bytes();
    test_output();
    (void)close(null);
}
