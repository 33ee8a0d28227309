/* chunk.c - unit tests of chunk.h, and of the octets of message.h: what BDAT says, and what of its octets is kept */
#include "session/chunk.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "session/message.h"
#include "unit.h"

static void test_arguments(void)
{
    static const struct {
        struct slice argument;
        uint64_t size;
        bool good, last;
    } rows[] = {
        { SLICE("0"), 0, true, false },
        { SLICE("10"), 10, true, false },
        { SLICE("10 LAST"), 10, true, true },
        { SLICE("10\t laSt"), 10, true, true },
        { SLICE("0 LAST"), 0, true, true },
        { SLICE("007"), 7, true, false },
        { SLICE("18446744073709551615 LAST"), UINT64_MAX, true, true },
        { SLICE("000000000000000000000000000018446744073709551615"), UINT64_MAX, true, false },
        { SLICE("18446744073709551616"), 0, false, false },
        { SLICE("184467440737095516150"), 0, false, false },
        { SLICE("99999999999999999999999999 LAST"), 0, false, false },
        { SLICE(""), 0, false, false },
        { SLICE("LAST"), 0, false, false },
        { SLICE(" 1"), 0, false, false },
        { SLICE("1 "), 0, false, false },
        { SLICE("1LAST"), 0, false, false },
        { SLICE("1 LAS"), 0, false, false },
        { SLICE("1 LASTS"), 0, false, false },
        { SLICE("1 LAST LAST"), 0, false, false },
        { SLICE("1 2"), 0, false, false },
        { SLICE("-1"), 0, false, false },
        { SLICE("+1"), 0, false, false },
        { SLICE("0x1"), 0, false, false },
        { SLICE("1.0"), 0, false, false },
        { SLICE("1\0"), 0, false, false },
        { SLICE("/"), 0, false, false },
        { SLICE(":"), 0, false, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct chunk chunk;
        bool good = chunk_parse(rows[i].argument, &chunk);

        ok(good == rows[i].good && (!good || (chunk.size == rows[i].size && chunk.last == rows[i].last)),
           "BDAT %s is %s", show(rows[i].argument), rows[i].good ? "understood" : "malformed");
    }
}

static char memory[SPOOL_MEMORY];
static struct spool spool = { .memory = memory, .fd = -1 };

static int open_memfd(void *context, uint64_t *start)
{
    const char *head = context;
    int fd = memfd_create("spool", MFD_CLOEXEC);

    *start = strlen(head);
    return fd >= 0 && write(fd, head, strlen(head)) == (ssize_t)strlen(head) ? fd : -1;
}

static int open_never(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    errno = ENOSPC;
    return -1;
}

/* Gives octets to a message, the first piece and then the others of so many bytes. */
static void give(struct message *message, struct slice octets, size_t first, size_t size)
{
    size_t at = 0, len = first;

    while (at < octets.len) {
        size_t room;
        char *place = message_room(message, &room);

        if (len > room)
            len = room;
        if (len > octets.len - at)
            len = octets.len - at;
        memcpy(place, octets.text + at, len);
        message_take(message, len);
        at += len;
        len = size;
    }
    message_close(message);
    message_finish(message);
}

/* What is sent and what is kept; each row is given in two pieces cut at each byte, and byte by byte. */
static const struct {
    const char *name;
    struct slice octets, kept;
    bool bare; /* a lone LF or CR is in it */
    unsigned hops;
} rows[] = {
    { "nothing", SLICE(""), SLICE(""), false, 0 },
    { "a line", SLICE("a\r\n"), SLICE("a\n"), false, 0 },
    { "a line without its end", SLICE("a\r\nb"), SLICE("a\nb\n"), false, 0 },
    { "an empty line", SLICE("\r\n"), SLICE("\n"), false, 0 },
    { "dots", SLICE(".\r\n..\r\n.a\r\n"), SLICE(".\n..\n.a\n"), false, 0 },
    { "NUL and 8 bits", SLICE("\0\r\n\xff\r\0\r\n"), SLICE("\0\n\xff\r\0\n"), true, 0 },
    { "a lone LF", SLICE("a\nb\r\n"), SLICE("a\nb\n"), true, 0 },
    { "a lone LF at the beginning", SLICE("\na\r\n"), SLICE("\na\n"), true, 0 },
    { "a lone LF at the end", SLICE("a\n"), SLICE("a\n"), true, 0 },
    { "a lone CR", SLICE("a\rb\r\n"), SLICE("a\rb\n"), true, 0 },
    { "a lone CR at the beginning", SLICE("\ra\r\n"), SLICE("\ra\n"), true, 0 },
    { "a lone CR at the end", SLICE("a\r"), SLICE("a\r\n"), true, 0 },
    { "two CRs and LF", SLICE("a\r\r\nb\r\n"), SLICE("a\r\nb\n"), true, 0 },
    { "CRs only", SLICE("\r\r\r"), SLICE("\r\r\r\n"), true, 0 },
    { "LF and CR", SLICE("a\n\rb\r\n"), SLICE("a\n\rb\n"), true, 0 },
    { "hops", SLICE("Received: a\r\n b\r\nX: y\r\nreCEIVED:\r\n\r\nReceived: c\r\n"),
      SLICE("Received: a\n b\nX: y\nreCEIVED:\n\nReceived: c\n"), false, 2 },
    { "hops of lines that end in LF", SLICE("Received:\nReceived:\n\nReceived:\n"),
      SLICE("Received:\nReceived:\n\nReceived:\n"), true, 2 },
    { "no hops", SLICE(" Received:\r\nReceived\r:\r\nReceive\r\nd:"), SLICE(" Received:\nReceived\r:\nReceive\nd:\n"),
      true, 0 },
    { "a header that ends behind a lone CR", SLICE("A:\r\r\n\r\nReceived:\r\n"), SLICE("A:\r\n\nReceived:\n"), true, 0 },
};

static void check_row(size_t i, size_t first, size_t size, bool strict)
{
    struct message message;

    message_begin(&message, &spool, 1000, false, open_never, NULL);
    message.strict = strict;
    give(&message, rows[i].octets, first, size);
    ok(slice_equal(spool_piece(&spool, 0, NULL, sizeof memory), rows[i].kept) && message.hops == rows[i].hops &&
           (message.bare_newline == rows[i].bare || !strict) && message.error == 0 && !message.too_large &&
           message.received >= rows[i].octets.len,
       "%s, first %zu octets, then %zu at a time", rows[i].name, first, size);
}

static void test_octets(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t first = 1; first <= rows[i].octets.len; first++)
            check_row(i, first, sizeof memory, true);
        check_row(i, 1, 1, true);
        check_row(i, sizeof memory, 1, false);
    }
}

/* Lines of all lengths; returns how many octets. `kept` is what is to become of them. */
static size_t fill(char *octets, char *kept, size_t size, size_t *kept_len)
{
    size_t len = 0;

    *kept_len = 0;
    for (size_t line = 0; len + 300 < size; line++) {
        for (size_t i = 0; i < line % 251; i++)
            octets[len++] = kept[(*kept_len)++] = (char)('a' + (line + i) % 26);
        octets[len++] = '\r';
        octets[len++] = kept[(*kept_len)++] = '\n';
    }
    return len;
}

/* In pieces of any size, and behind any number of bytes that are in the file already. */
static void test_large(void)
{
    static char octets[400000], kept[400000], text[400000], head[] = "a head of forty bytes, in the file before";
    static const size_t pieces[] = { 1000, 4096, 65535, 65536, 66000, 131071, 400000 };
    size_t kept_len, len = fill(octets, kept, sizeof octets, &kept_len);
    struct message message;

    for (size_t i = 0; i < 2 * COUNT(pieces); i++) {
        size_t piece = pieces[i / 2];

        message_begin(&message, &spool, sizeof octets, false, open_memfd, i % 2 == 0 ? head : head + sizeof head - 1);
        give(&message, (struct slice){ octets, len }, piece, piece);
        ok(message.error == 0 && !message.bare_newline && spool.size == kept_len && spool.used == 0 &&
               pread(spool.fd, text, kept_len, (off_t)spool.start) == (ssize_t)kept_len && memcmp(text, kept, kept_len) == 0,
           "%zu octets go to a file, %zu at a time, behind %zu bytes", len, piece, (size_t)spool.start);
        spool_clear(&spool);
    }
    message_begin(&message, &spool, sizeof octets, false, open_never, NULL);
    give(&message, (struct slice){ octets, len }, 5000, 5000);
    ok(message.error == ENOSPC && message.received == len, "without a file all is taken, and the error is remembered");
    message_begin(&message, &spool, sizeof octets, false, open_never, NULL);
    give(&message, (struct slice){ octets, SPOOL_MEMORY }, SPOOL_MEMORY, 1);
    ok(message.error == 0 && spool.fd < 0, "as many as memory holds need no file");
    spool_clear(&spool);
}

static void test_close(void)
{
    struct message message;

    message_begin(&message, &spool, 2, false, open_never, NULL);
    give(&message, BYTES("ab"), 1, 1);
    ok(message.too_large && spool.size <= 2, "a line end that is added counts");
    message_begin(&message, &spool, 3, false, open_never, NULL);
    give(&message, BYTES("ab"), 1, 1);
    ok(!message.too_large && spool.size == 3, "... and has room up to the limit");
}

void test_chunk(void)
{
    test_arguments();
    test_octets();
    test_large();
    test_close();
}
