/* message.c - unit tests of message.h: where a message ends, and what of it is kept */
#include "session/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#define END "\r\n.\r\n"

/*
 * What is fed and what is kept. Behind the end of each input stands "QUIT\r\n", which must be
 * left alone. Every row is fed in two pieces cut at each byte, and byte by byte.
 */
static const struct {
    const char *name;
    struct slice input, kept;
    bool lf_session, bare_newline, bare_dot;
} rows[] = {
    { "one line", SLICE("a" END), SLICE("a\n"), false, false, false },
    { "no line", SLICE(".\r\n"), SLICE(""), false, false, false },
    { "an empty line", SLICE(END), SLICE("\n"), false, false, false },
    { "headers and body", SLICE("A: b\r\n\r\nc\r\nd" END), SLICE("A: b\n\nc\nd\n"), false, false, false },
    { "8-bit and NUL", SLICE("\xff\0\x80" END), SLICE("\xff\0\x80\n"), false, false, false },

    { "a stuffed dot", SLICE("..a" END), SLICE(".a\n"), false, false, false },
    { "a stuffed lone dot", SLICE("a\r\n..\r\nb" END), SLICE("a\n.\nb\n"), false, false, false },
    { "two stuffed dots", SLICE("...\r\n" "x" END), SLICE("..\nx\n"), false, false, false },
    { "a dot before text", SLICE(".a\r\n.b" END), SLICE("a\nb\n"), false, false, false },
    { "dots inside lines stay", SLICE("a.\r\nb..c\r\n x." END), SLICE("a.\nb..c\n x.\n"), false, false, false },
    { "a dot and a blank", SLICE(". " END), SLICE(" \n"), false, false, false },

    { "a dot behind a lone LF and a blank", SLICE("a\n. \nb\n.c\n..\n" END),
      SLICE("a\n. \nb\n.c\n..\n\n"), false, true, false },
    { "a dot behind a lone LF and a lone CR", SLICE("a\n.\rb" END), SLICE("a\n.\rb\n"), false, true, false },

    /* false ends: none of these may end a message (CVE-2023-51764 and its kin) */
    { "LF.LF", SLICE("a\n.\nb" END), SLICE("a\n.\nb\n"), false, true, true },
    { "LF.CRLF", SLICE("a\n.\r\nb" END), SLICE("a\n.\nb\n"), false, true, true },
    { "CRLF.LF", SLICE("a\r\n.\nb" END), SLICE("a\n\nb\n"), false, true, true },
    { "CR.CR", SLICE("a\r.\rb" END), SLICE("a\r.\rb\n"), false, true, false },
    { "CRLF.CR", SLICE("a\r\n.\rb" END), SLICE("a\n\rb\n"), false, true, false },
    { "CR.CRLF", SLICE("a\r.\r\nb" END), SLICE("a\r.\nb\n"), false, true, false },
    { "LF.CR", SLICE("a\n.\rb" END), SLICE("a\n.\rb\n"), false, true, false },
    { "CR.LF", SLICE("a\r.\nb" END), SLICE("a\r.\nb\n"), false, true, false },
    { "CRLF.CRCRLF", SLICE("a\r\n.\r\r\nb" END), SLICE("a\n\r\nb\n"), false, true, false },
    { "CRCRLF.CRLF ends", SLICE("a\r" END), SLICE("a\r\n"), false, true, false },
    { "CRLF.CRCR", SLICE("a\r\n.\r\rb" END), SLICE("a\n\r\rb\n"), false, true, false },
    { "LFCR.CRLF", SLICE("a\n\r.\r\nb" END), SLICE("a\n\r.\nb\n"), false, true, false },
    { "LF.LF at the start", SLICE("\n.\n" "b" END), SLICE("\n.\nb\n"), false, true, true },
    { ".LF at the start", SLICE(".\n" "b" END), SLICE("\nb\n"), false, true, true },
    { ".CR at the start", SLICE(".\r" "b" END), SLICE("\rb\n"), false, true, false },

    /* the same with NUL in the way */
    { "CRLF NUL .CRLF", SLICE("a\r\n\0.\r\nb" END), SLICE("a\n\0.\nb\n"), false, false, false },
    { "CRLF. NUL CRLF", SLICE("a\r\n.\0\r\nb" END), SLICE("a\n\0\nb\n"), false, false, false },
    { "CRLF.CR NUL LF", SLICE("a\r\n.\r\0\nb" END), SLICE("a\n\r\0\nb\n"), false, true, false },
    { "CR NUL LF.CRLF", SLICE("a\r\0\n.\r\nb" END), SLICE("a\r\0\n.\nb\n"), false, true, true },
    { "NUL LF.LF NUL", SLICE("a\0\n.\n\0b" END), SLICE("a\0\n.\n\0b\n"), false, true, true },
    { "NUL LF.CRLF NUL", SLICE("a\0\n.\r\n\0b" END), SLICE("a\0\n.\n\0b\n"), false, true, true },
    { "NUL CRLF.LF NUL", SLICE("a\0\r\n.\n\0b" END), SLICE("a\0\n\n\0b\n"), false, true, true },
    { "NUL CR.CR NUL", SLICE("a\0\r.\r\0b" END), SLICE("a\0\r.\r\0b\n"), false, true, false },
    { "NUL CRLF.CR NUL", SLICE("a\0\r\n.\r\0b" END), SLICE("a\0\n\r\0b\n"), false, true, false },
    { "NUL CR.CRLF NUL", SLICE("a\0\r.\r\n\0b" END), SLICE("a\0\r.\n\0b\n"), false, true, false },
    { "NUL before the end", SLICE("a\0" END), SLICE("a\0\n"), false, false, false },

    { "a lone CR is kept", SLICE("a\rb\r\r\n\rc" END), SLICE("a\rb\r\n\rc\n"), false, true, false },
    { "a lone LF is a line end", SLICE("a\nb\n\nc" END), SLICE("a\nb\n\nc\n"), false, true, false },
    { "a dot behind a lone LF stays", SLICE("a\n..b" END), SLICE("a\n..b\n"), false, true, false },

    { "LF session: LF.LF", SLICE("a\n.\n"), SLICE("a\n"), true, true, false },
    { "LF session: LF.CRLF", SLICE("a\n.\r\n"), SLICE("a\n"), true, true, false },
    { "LF session: CRLF.LF", SLICE("a\r\n.\n"), SLICE("a\n"), true, false, false },
    { "LF session: CRLF.CRLF", SLICE("a" END), SLICE("a\n"), true, false, false },
    { "LF session: no line", SLICE(".\n"), SLICE(""), true, false, false },
    { "LF session: a stuffed dot", SLICE("..\n.a\n.\n"), SLICE(".\na\n"), true, true, false },
    { "LF session: CR.CR is no end", SLICE("a\r.\rb\n.\n"), SLICE("a\r.\rb\n"), true, true, false },
    { "LF session: LF.CR is no end", SLICE("a\n.\rb\n.\n"), SLICE("a\n\rb\n"), true, true, false },
    { "LF session: CR.LF is no end", SLICE("a\r.\nb\n.\n"), SLICE("a\r.\nb\n"), true, true, false },
};

static char memory[SPOOL_MEMORY];
static struct spool spool = { .memory = memory, .fd = -1 };
static unsigned opened;

static int open_memfd(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    opened++;
    return memfd_create("spool", MFD_CLOEXEC);
}

/* Five bytes are in the file already. */
static int open_begun(void *context, uint64_t *start)
{
    int fd = open_memfd(context, start);

    *start = 5;
    return fd >= 0 && write(fd, "head\n", 5) == 5 ? fd : -1;
}

static int open_never(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    opened++;
    errno = ENOSPC;
    return -1;
}

static int open_full(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    opened++;
    return open("/dev/full", O_RDWR | O_CLOEXEC);
}

/* All of a spool as one text, read in small pieces. */
static struct slice spool_text(void)
{
    static char text[1 << 20];
    char buffer[997];
    size_t used = 0;
    struct slice piece;

    do {
        piece = spool_piece(&spool, used, buffer, sizeof buffer);
        if (piece.text == NULL)
            return BYTES("(unreadable)");
        memcpy(text + used, piece.text, piece.len);
        used += piece.len;
    } while (piece.len > 0);
    return (struct slice){ text, used };
}

/* Feeds an input and what follows it in pieces; returns how many bytes of all were taken. */
static size_t feed(struct message *message, struct slice all, size_t first, size_t size, enum message_status *status)
{
    size_t at = 0, len = first;

    *status = MESSAGE_MORE;
    while (at < all.len && *status == MESSAGE_MORE) {
        size_t used = 0;

        if (len > all.len - at)
            len = all.len - at;
        *status = message_feed(message, (struct slice){ all.text + at, len }, &used);
        if (*status == MESSAGE_MORE && used != len)
            return SIZE_MAX;
        at += used;
        len = size;
    }
    return at;
}

static void check_row(size_t i, size_t first, size_t size)
{
    static const struct slice behind = SLICE("QUIT\r\n");
    char all[256];
    struct slice input = rows[i].input, kept;
    struct message message;
    enum message_status status;
    size_t used;
    bool good;

    memcpy(all, input.text, input.len);
    memcpy(all + input.len, behind.text, behind.len);
    message_begin(&message, &spool, 1000, rows[i].lf_session, open_memfd, NULL);
    used = feed(&message, (struct slice){ all, input.len + behind.len }, first, size, &status);
    message_finish(&message);
    kept = spool_text();
    good = status == MESSAGE_END && used == input.len && slice_equal(kept, rows[i].kept) &&
           spool.size == rows[i].kept.len && message.bare_newline == rows[i].bare_newline &&
           message.bare_dot == rows[i].bare_dot && message.error == 0 && !message.too_large;
    if (!ok(good, "%s, first %zu bytes, then %zu at a time", rows[i].name, first, size))
        printf("#   status %d, %zu of %zu bytes taken, bare_newline %d, kept \"%s\", wanted \"%s\"\n", (int)status, used,
               input.len, message.bare_newline, show(kept), show(rows[i].kept));
    spool_clear(&spool);
}

static void test_ends(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t split = 1; split <= rows[i].input.len; split++)
            check_row(i, split, sizeof memory);
        check_row(i, 1, 1);
    }
}

/* Bytes as received: CRLF counts two, added dots and the end count none. */
static void test_size(void)
{
    static const struct {
        struct slice input;
        uint64_t received;
    } counted[] = {
        { SLICE(".\r\n"), 0 },        { SLICE("a" END), 3 },        { SLICE("..a" END), 4 },
        { SLICE("a\nb" END), 5 },     { SLICE("a\rb" END), 5 },     { SLICE("\r\n\r\n.\r\n"), 4 },
        { SLICE("a\r\n..\r\n.\r\n"), 6 },
    };
    static const struct {
        uint64_t limit;
        bool too_large;
    } limits[] = { { 11, true }, { 12, false }, { 13, false } };
    struct message message;
    enum message_status status;
    size_t used;

    for (size_t i = 0; i < COUNT(counted); i++) {
        message_begin(&message, &spool, 1000, false, open_memfd, NULL);
        (void)feed(&message, counted[i].input, 1, 1, &status);
        ok_number(message.received, counted[i].received, "size of \"%s\", byte by byte", show(counted[i].input));
        message_begin(&message, &spool, 1000, false, open_memfd, NULL);
        (void)feed(&message, counted[i].input, sizeof memory, 1, &status);
        ok_number(message.received, counted[i].received, "size of \"%s\", at once", show(counted[i].input));
    }
    for (size_t i = 0; i < COUNT(limits); i++) {
        message_begin(&message, &spool, limits[i].limit, false, open_memfd, NULL);
        used = feed(&message, BYTES("0123456789" END), 3, 4, &status);
        ok(message.too_large == limits[i].too_large, "12 bytes, limit %d: %s", (int)limits[i].limit,
           limits[i].too_large ? "too large" : "good");
        ok(status == MESSAGE_END && used == 15, "... and read to its end");
        ok(spool.size <= limits[i].limit, "... and no more is kept than the limit");
    }

    /* ten times the limit: whoever goes on beyond it is dropped */
    message_begin(&message, &spool, 10, false, open_memfd, NULL);
    ok_number(message_feed(&message, BYTES(X10("0123456789")), &used), MESSAGE_MORE, "ten times the limit is read");
    ok_number(message_feed(&message, BYTES("0123456789"), &used), MESSAGE_OVER, "eleven times is not");
    ok(message.too_large, "... and it is too large");
    spool_clear(&spool);
}

/* A message of `size` bytes and its end, in pieces of 4000. */
static enum message_status feed_big(struct message *message, size_t size)
{
    static char line[4000];
    enum message_status status = MESSAGE_MORE;
    size_t used;

    for (size_t i = 0; i < sizeof line; i++)
        line[i] = (char)(i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'a' + (int)(i % 26));
    for (size_t at = 0; at < size && status == MESSAGE_MORE; at += sizeof line)
        status = message_feed(message, (struct slice){ line, sizeof line }, &used);
    if (status == MESSAGE_MORE)
        status = message_feed(message, BYTES(".\r\n"), &used);
    message_finish(message);
    return status;
}

/* Is this what is kept of a message of feed_big? */
static bool same_big(struct slice text)
{
    bool same = true;

    for (size_t i = 0; i < text.len; i++) {
        size_t at = i % 3950, received = at / 79 * 80 + at % 79; /* each line lost its CR */

        same = same && text.text[i] == (at % 79 == 78 ? '\n' : (char)('a' + received % 26));
    }
    return same;
}

static void test_spool(void)
{
    struct message message;
    struct slice text;

    opened = 0;
    message_begin(&message, &spool, 1000000, false, open_memfd, NULL);
    ok_number(feed_big(&message, 120000), MESSAGE_END, "120 kB");
    ok(opened == 0 && spool.fd == -1 && spool.size == 118500, "... stay in memory");

    message_begin(&message, &spool, 1000000, false, open_memfd, NULL);
    ok_number(feed_big(&message, 400000), MESSAGE_END, "400 kB");
    ok(opened == 1 && spool.fd >= 0, "... go to one file");
    ok_number(spool.size, 395000, "... with LF for CRLF");
    text = spool_text();
    ok_number(text.len, 395000, "... and are read back");
    ok(same_big(text), "... byte for byte");
    ok(ftruncate(spool.fd, 0) == 0 && spool_piece(&spool, 0, memory, sizeof memory).text == NULL && errno == EIO,
       "a spool file that has lost its bytes is an error");
    spool_clear(&spool);
    ok(spool.fd == -1 && spool.size == 0, "spool_clear empties it");

    message_begin(&message, &spool, 1000000, false, open_begun, NULL);
    ok_number(feed_big(&message, 400000), MESSAGE_END, "400 kB behind what is in the file");
    ok(spool.start == 5 && spool.size == 395000 && lseek(spool.fd, 0, SEEK_END) == 395005, "... are all written");
    ok_number(spool_text().len, 395000, "... and are read back");
    ok(same_big(spool_text()), "... byte for byte");
    ok(pread(spool.fd, memory, 5, 0) == 5 && memcmp(memory, "head\n", 5) == 0, "... and what was there is still");

    opened = 0;
    message_begin(&message, &spool, 1000000, false, open_never, NULL);
    ok_number(feed_big(&message, 400000), MESSAGE_END, "no spool file: read to the end");
    ok(message.error == ENOSPC && opened == 1, "... the error is remembered, one attempt is made");

    message_begin(&message, &spool, 1000000, false, open_full, NULL);
    ok_number(feed_big(&message, 400000), MESSAGE_END, "full disk: read to the end");
    ok_number((uintmax_t)message.error, ENOSPC, "... the error is remembered");

    opened = 0;
    message_begin(&message, &spool, 1000, false, open_memfd, NULL);
    ok_number(feed_big(&message, 8000), MESSAGE_END, "too large: read to the end");
    ok(message.too_large && opened == 0 && spool.size <= 1000, "... without a file");
    spool_clear(&spool);
}

void test_message(void)
{
    test_ends();
    test_size();
    test_spool();
}
