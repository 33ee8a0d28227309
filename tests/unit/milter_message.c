/* milter_message.c - unit tests of handlers/milter_message.h: what becomes of a message by what milters want changed in it */
#include "handlers/milter_message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit.h"

#define ADD(name, value) { MILTER_ADD_FIELD, 0, false, SLICE(name), SLICE(value) }
#define INSERT(place, name, value) { MILTER_INSERT_FIELD, place, false, SLICE(name), SLICE(value) }
#define CHANGE(number, name, value) { MILTER_CHANGE_FIELD, number, false, SLICE(name), SLICE(value) }
#define AS_IS(name, value) { MILTER_ADD_FIELD, 0, true, SLICE(name), SLICE(value) }
#define DELETE(number, name) CHANGE(number, name, "")

/* A message, the fields above our own Received:, what a milter wants; and what becomes of it, with # for our own. */
static const struct row {
    const char *what;
    struct slice above, message;
    struct milter_change changes[5];
    struct slice result;
} rows[] = {
    { "nothing is wanted", SLICE(""), SLICE("A: 1\n\nx\n"), { ADD("", "") }, SLICE("#A: 1\n\nx\n") },
    { "a field is added at the end", SLICE(""), SLICE("A: 1\n\nx\n"), { ADD("X", "y") }, SLICE("#A: 1\nX: y\n\nx\n") },
    { "one that has its blank, or none", SLICE(""), SLICE("\n"), { AS_IS("X", " y"), AS_IS("Y", "z"), AS_IS("Z", "\ty") },
      SLICE("#X: y\nY:z\nZ:\ty\n\n") },
    { "one without a value", SLICE(""), SLICE("\n"), { ADD("X", ""), AS_IS("Y", "") }, SLICE("#X: \nY:\n\n") },
    { "0 is above our own", SLICE(""), SLICE("A: 1\n\n"), { INSERT(0, "X", "y") }, SLICE("X: y\n#A: 1\n\n") },
    { "1 is directly below it", SLICE(""), SLICE("A: 1\n\n"), { INSERT(1, "X", "y") }, SLICE("#X: y\nA: 1\n\n") },
    { "2 is behind the first of the client's", SLICE(""), SLICE("A: 1\nB: 2\n\n"), { INSERT(2, "X", "y") },
      SLICE("#A: 1\nX: y\nB: 2\n\n") },
    { "beyond the end is the end", SLICE(""), SLICE("A: 1\n\n"), { INSERT(2, "X", "y"), INSERT(UINT32_MAX, "Y", "z") },
      SLICE("#A: 1\nX: y\nY: z\n\n") },
    { "each is counted that was inserted before", SLICE(""), SLICE("A: 1\n\n"),
      { INSERT(0, "X", "1"), INSERT(0, "Y", "2"), INSERT(2, "Z", "3"), INSERT(4, "Q", "4") },
      SLICE("Y: 2\nX: 1\nZ: 3\n#Q: 4\nA: 1\n\n") },
    { "so are fields of policies", SLICE("P: 1\nQ: 2\n"), SLICE("A: 1\n\n"),
      { INSERT(0, "X", "0"), INSERT(2, "X", "2"), INSERT(4, "X", "4"), INSERT(6, "X", "5") },
      SLICE("X: 0\nP: 1\nX: 2\nQ: 2\nX: 4\n#X: 5\nA: 1\n\n") },
    { "one is changed, whatever its case", SLICE(""), SLICE("Subject: a\nB: 1\n\n"), { CHANGE(1, "SUBJECT", "b") },
      SLICE("#SUBJECT: b\nB: 1\n\n") },
    { "0 is like 1", SLICE(""), SLICE("S: a\nS: b\n\n"), { CHANGE(0, "S", "c") }, SLICE("#S: c\nS: b\n\n") },
    { "the second of its name", SLICE(""), SLICE("S: a\nT: x\nS: b\nS: c\n\n"), { CHANGE(2, "S", "d") },
      SLICE("#S: a\nT: x\nS: d\nS: c\n\n") },
    { "one of whose name there is no more is added", SLICE(""), SLICE("S: a\nT: b\n\n"), { CHANGE(2, "S", "c"), CHANGE(1, "U", "d") },
      SLICE("#S: a\nT: b\nS: c\nU: d\n\n") },
    { "our own is not counted", SLICE("Received: p\n"), SLICE("Received: a\n\n"),
      { CHANGE(1, "Received", "q"), CHANGE(2, "Received", "b"), CHANGE(3, "Received", "c") },
      SLICE("Received: q\n#Received: b\nReceived: c\n\n") },
    { "an empty value deletes", SLICE("P: 1\n"), SLICE("A: 1\n 2\nB: 3\n\n"), { DELETE(1, "a"), DELETE(1, "P") }, SLICE("#B: 3\n\n") },
    { "of those that are there", SLICE(""), SLICE("A: 1\n\n"), { DELETE(2, "A"), DELETE(1, "B"), DELETE(UINT32_MAX, "A") },
      SLICE("#A: 1\n\n") },
    { "from the last to the first", SLICE(""), SLICE("A: 1\nA: 2\nA: 3\n\n"), { DELETE(3, "A"), DELETE(2, "A"), DELETE(1, "A") },
      SLICE("#\n") },
    { "else what is left is counted", SLICE(""), SLICE("A: 1\nA: 2\nA: 3\n\n"), { DELETE(1, "A"), DELETE(2, "A"), DELETE(3, "A") },
      SLICE("#A: 2\n\n") },
    { "behind a field above that is gone", SLICE("P: 1\n"), SLICE("A: 1\n\n"), { DELETE(1, "P"), INSERT(1, "X", "y") },
      SLICE("#X: y\nA: 1\n\n") },
    { "a field that was added is changed", SLICE(""), SLICE("\n"), { ADD("X", "1"), CHANGE(1, "X", "2"), INSERT(0, "X", "0"), DELETE(2, "x") },
      SLICE("X: 0\n#\n") },
    { "folds stay", SLICE(""), SLICE("\n"), { ADD("X", "a\n\tb\n c\r\n d") }, SLICE("#X: a\n\tb\n c\n d\n\n") },
    { "a line end is a fold", SLICE(""), SLICE("\n"), { ADD("X", "a\nEvil: b\r\nc\n\n d") }, SLICE("#X: a\n\tEvil: b\n\tc\n\t\n d\n\n") },
    { "one at the end is none", SLICE(""), SLICE("\n"), { ADD("X", "a\r\n\r\n"), ADD("Y", "\n") }, SLICE("#X: a\nY: \n\n") },
    { "nor is a lone CR, or NUL", SLICE(""), SLICE("\n"), { ADD("X", "a\rb\0" "c\r\rd") }, SLICE("#X: a b c  d\n\n") },
    { "other bytes are as they are", SLICE(""), SLICE("\n"), { ADD("X", "\x1b\x7f\xff\xc3\xa4") }, SLICE("#X: \x1b\x7f\xff\xc3\xa4\n\n") },
    { "fields are as they came", SLICE(""), SLICE("A:1\nB :\t 2 \n  3\r\n \nc:\0\xff\n\n"), { ADD("X", "y") },
      SLICE("#A:1\nB :\t 2 \n  3\r\n \nc:\0\xff\nX: y\n\n") },
    { "a message without a header", SLICE(""), SLICE("\nA: 1\n"), { ADD("X", "y") }, SLICE("#X: y\n\nA: 1\n") },
    { "one that begins without an empty line", SLICE(""), SLICE("hello\nA: 1\n"), { ADD("X", "y") }, SLICE("#X: y\n\nhello\nA: 1\n") },
    { "a header that ends without one", SLICE(""), SLICE("A: 1\nhello\n"), { ADD("X", "y") }, SLICE("#A: 1\nX: y\n\nhello\n") },
    { "a From_ line", SLICE(""), SLICE("From a@example.com\nA: 1\n\n"), { ADD("X", "y") }, SLICE("#X: y\n\nFrom a@example.com\nA: 1\n\n") },
    { "a line that goes on with nothing", SLICE(""), SLICE(" A: 1\n\n"), { ADD("X", "y") }, SLICE("#X: y\n\n A: 1\n\n") },
    { "a header and no body", SLICE(""), SLICE("A: 1\n"), { ADD("X", "y") }, SLICE("#A: 1\nX: y\n") },
    { "a last line that has no end", SLICE(""), SLICE("A: 1\nB: 2"), { ADD("X", "y") }, SLICE("#A: 1\nX: y\n\nB: 2") },
    { "nothing at all", SLICE(""), SLICE(""), { ADD("X", "y") }, SLICE("#X: y\n") },
};

static const struct slice directory = SLICE("/tmp");

/* The message as deliveries get it. Lives until the next call. */
static struct slice result(void)
{
    static char text[4096];
    struct text out = { text, sizeof text, 0 };
    const struct spool *spool = milter_message_spool();
    char buffer[7];
    struct slice piece;

    text_put(&out, milter_message_fields());
    text_put(&out, slice_of("#"));
    for (uint64_t at = 0; at < spool->size; at += piece.len) {
        piece = spool_piece(spool, at, buffer, sizeof buffer);
        if (piece.text == NULL || piece.len == 0)
            return slice_of("(cannot be read)");
        text_put(&out, piece);
    }
    return text_slice(&out);
}

/* A message in memory that must not be written to, or in a file behind three other bytes. */
static struct spool spool_of(struct slice message, bool in_file)
{
    static char memory[SPOOL_MEMORY];
    struct spool spool = { .memory = memory, .fd = -1, .size = message.len };

    if (in_file) {
        spool = (struct spool){ .fd = spool_file(directory), .start = 3, .size = message.len };
        (void)!write_all(spool.fd, "abc", 3);
        (void)!write_all(spool.fd, message.text, message.len);
    } else {
        memcpy(memory, message.text, message.len);
    }
    return spool;
}

static size_t count_changes(const struct row *row)
{
    size_t count = 0;

    while (count < COUNT(row->changes) && row->changes[count].name.len > 0)
        count++;
    return count;
}

static void test_rows(bool in_file)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spool spool = spool_of(rows[i].message, in_file);
        const size_t count = count_changes(&rows[i]);

        ok(milter_message_begin(&spool, rows[i].above, directory, 1000) && milter_message_apply(rows[i].changes, count) &&
               milter_message_changed() == (count > 0), "%s: it can be changed", rows[i].what);
        ok_text(result(), rows[i].result, "%s%s", rows[i].what, in_file ? ", in a file" : "");
        ok(milter_message_spool()->fd == spool.fd, "%s: the body is where it was", rows[i].what);
        milter_message_end();
        spool_clear(&spool);
    }
}

/* Is the result the same when each change is that of another milter? */
static void test_one_after_the_other(void)
{
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct spool spool = spool_of(rows[i].message, false);
        bool done = milter_message_begin(&spool, rows[i].above, directory, 1000);

        for (size_t k = 0; k < count_changes(&rows[i]); k++)
            done = done && milter_message_apply(&rows[i].changes[k], 1);
        ok(done && slice_equal(result(), rows[i].result), "%s, one milter after the other", rows[i].what);
        milter_message_end();
    }
}

/* ---- what milters are shown -------------------------------------------------------------------- */

static void test_shown(void)
{
    static const struct {
        struct slice name, value;
    } fields[] = { { SLICE("P"), SLICE(" 1") },    { SLICE("Empty"), SLICE("") }, { SLICE("Q"), SLICE(" ") },
                   { SLICE("A"), SLICE("  1\n\t2 ") }, { SLICE("b"), SLICE("\tx\0y\r") } };
    static const struct milter_change more = INSERT(0, "X", "y");
    struct spool spool = spool_of(BYTES("Empty:\nQ: \nA:  1\n\t2 \nb \t:\tx\0y\r\n\nb:\n\n"), false);
    struct slice name, value;

    (void)milter_message_begin(&spool, slice_of("P: 1\n"), directory, 1000);
    for (size_t i = 0; i < COUNT(fields); i++)
        ok(milter_message_field(i, &name, &value) && slice_equal(name, fields[i].name) && slice_equal(value, fields[i].value),
           "field %zu is %s:%s", i, show(fields[i].name), show(fields[i].value));
    ok(!milter_message_field(COUNT(fields), &name, &value), "behind them there is none");
    ok_text(milter_message_body(0, NULL, 100), slice_of("b:\n\n"), "the body begins behind the empty line");
    ok_text(milter_message_body(2, NULL, 1), slice_of("\n"), "a piece of it");
    ok(milter_message_body(4, NULL, 1).len == 0, "nothing is behind it");
    (void)milter_message_apply(&more, 1);
    ok(milter_message_field(0, &name, &value) && name.text[0] == 'X' && milter_message_field(1, &name, &value) && name.text[0] == 'P',
       "the next milter is shown what this one has inserted");
    milter_message_end();
}

/* ---- bodies ------------------------------------------------------------------------------------ */

static bool replace_by(struct slice body, size_t piece)
{
    bool done = milter_message_replace(slice_of(""));

    for (size_t at = 0; at < body.len && done; at += piece)
        done = milter_message_replace((struct slice){ body.text + at, body.len - at < piece ? body.len - at : piece });
    return done;
}

static void test_bodies(void)
{
    static const struct {
        const char *what;
        struct slice message, body, result;
    } bodies[] = {
        { "lines", SLICE("A: 1\n\nold\n"), SLICE("a\r\nb\r\n"), SLICE("#A: 1\n\na\nb\n") },
        { "lines that end in LF, and in nothing", SLICE("A: 1\n\nold\n"), SLICE("a\nb"), SLICE("#A: 1\n\na\nb\n") },
        { "bytes", SLICE("A: 1\n\nold\n"), SLICE("\0\r\r\n\xff\r\0"), SLICE("#A: 1\n\n\0\r\n\xff\r\0\n") },
        { "dots", SLICE("A: 1\n\nold\n"), SLICE(".\r\n..\r\n"), SLICE("#A: 1\n\n.\n..\n") },
        { "nothing", SLICE("A: 1\n\nold\n"), SLICE(""), SLICE("#A: 1\n\n") },
        { "nothing, without an empty line", SLICE("A: 1\nold\n"), SLICE(""), SLICE("#A: 1\n") },
        { "what looks like a header", SLICE("A: 1\n"), SLICE("B: 2\n"), SLICE("#A: 1\n\nB: 2\n") },
        { "what looks like one that goes on", SLICE("hello\n"), SLICE(" B: 2\n"), SLICE("#\n B: 2\n") },
    };

    for (size_t i = 0; i < COUNT(bodies); i++)
        for (size_t piece = 1; piece <= bodies[i].body.len + 1; piece++) {
            struct spool spool = spool_of(bodies[i].message, piece % 2 == 0);

            (void)milter_message_begin(&spool, slice_of(""), directory, 1000);
            ok(replace_by(bodies[i].body, piece) && milter_message_apply(NULL, 0) && milter_message_changed() &&
                   slice_equal(result(), bodies[i].result), "the new body is %s, %zu bytes at once", bodies[i].what, piece);
            milter_message_end();
            spool_clear(&spool);
        }
}

/* Several milters: each sees what those before have left, and what is not accepted is forgotten. */
static void test_bodies_in_turn(void)
{
    static const struct milter_change more = ADD("X", "y");
    struct spool spool = spool_of(BYTES("A: 1\n\nold\n"), false);

    (void)milter_message_begin(&spool, slice_of(""), directory, 1000);
    (void)replace_by(slice_of("one\n"), 100);
    ok_text(milter_message_body(0, NULL, 100), slice_of("old\n"), "a new body is none before it is accepted");
    milter_message_undo();
    ok(milter_message_apply(NULL, 0) && !milter_message_changed(), "one that was not accepted is forgotten");
    ok(milter_message_spool() == &spool, "what nobody has changed is what came");
    (void)replace_by(slice_of("two\n"), 100);
    ok(milter_message_apply(&more, 1), "a body and a field");
    ok_text(milter_message_body(0, NULL, 100), slice_of("two\n"), "the next milter sees it");
    (void)replace_by(slice_of("three\n"), 100);
    milter_message_undo();
    ok_text(result(), slice_of("#A: 1\nX: y\n\ntwo\n"), "the body of the one before stays where that of the next is forgotten");
    ok(replace_by(slice_of("four\n"), 100) && milter_message_apply(NULL, 0), "another body");
    ok_text(result(), slice_of("#A: 1\nX: y\n\nfour\n"), "the last body counts");
    milter_message_end();
}

/* A body outgrows its memory, and one is taken from a file. */
static void test_large_bodies(void)
{
    enum { LINES = 50000 };
    static const char line[] = "0123456789\r\n";
    struct spool spool = spool_of(BYTES("A: 1\n\nold\n"), true);
    const struct spool *got;
    char buffer[64];
    bool done;

    done = milter_message_begin(&spool, slice_of(""), directory, LINES * (sizeof line - 1));
    for (size_t i = 0; i < LINES && done; i++)
        done = milter_message_replace(slice_of(line));
    ok(done && milter_message_apply(NULL, 0), "a body of %d lines is taken", LINES);
    got = milter_message_spool();
    ok(got->fd >= 0 && got->size == 6 + LINES * (sizeof line - 2), "it is in a file, and has its size");
    ok_text(spool_piece(got, got->size - 12, buffer, sizeof buffer), slice_of("\n0123456789\n"), "its end is there");
    ok(spool_piece(got, 4, buffer, sizeof buffer).len == 2, "a piece ends where the header ends");
    done = true;
    for (size_t i = 0; i < LINES && done; i++)
        done = milter_message_replace(slice_of(line));
    ok(done && !milter_message_replace(slice_of("x")) && errno == EMSGSIZE, "a larger one is not");
    ok(!milter_message_replace(slice_of("")) && !milter_message_apply(NULL, 0) && errno == EMSGSIZE, "however much comes behind");
    ok(milter_message_spool()->size == got->size && milter_message_apply(NULL, 0), "nothing is changed then");
    milter_message_end();
    (void)milter_message_begin(&spool, slice_of(""), slice_of("/nowhere"), UINT64_MAX);
    done = true;
    for (size_t i = 0; i < LINES && done; i++)
        done = milter_message_replace(slice_of(line));
    ok(!done && errno == ENOENT && !milter_message_apply(NULL, 0) && errno == ENOENT, "one that finds no place is an error");
    milter_message_end();
    spool_clear(&spool);
}

/* ---- limits ------------------------------------------------------------------------------------ */

/* A file of many lines, and a body. */
static struct spool long_header(const char *line, size_t lines)
{
    struct spool spool = { .fd = spool_file(directory) };
    FILE *file = fdopen(dup(spool.fd), "w");

    for (size_t i = 0; i < lines; i++)
        (void)fputs(line, file);
    (void)fputs("\nbody\n", file);
    (void)fclose(file);
    spool.size = lines * strlen(line) + 6;
    return spool;
}

static void test_long_headers(void)
{
    static const struct {
        const char *what, *line;
        size_t lines, fields; /* 0: it is too large */
    } headers[] = {
        { "as many fields as there may be", "a:\n", MILTER_MOST_FIELDS - 1, MILTER_MOST_FIELDS - 1 },
        { "more", "a:\n", MILTER_MOST_FIELDS, 0 },
        { "one field, over the first pieces", " 0123456789 0123456789 0123456789 0123456789\n", 20000, 1 },
        { "a field without an end", " 0123456789 0123456789 0123456789 0123456789\n", 30000, 0 },
    };
    struct slice name, value;

    for (size_t i = 0; i < COUNT(headers); i++) {
        struct spool spool = long_header(headers[i].line, headers[i].lines);
        char buffer[16];
        bool begun;

        if (headers[i].line[0] == ' ')
            (void)!pwrite(spool.fd, "a:", 2, 0);
        begun = milter_message_begin(&spool, slice_of(""), directory, 1000);
        if (headers[i].fields == 0)
            ok(!begun && errno == EMSGSIZE, "%s: it is too large", headers[i].what);
        else
            ok(begun && milter_message_field(headers[i].fields - 1, &name, &value) &&
                   !milter_message_field(headers[i].fields, &name, &value) &&
                   slice_equal(milter_message_body(0, buffer, sizeof buffer), slice_of("body\n")), "%s", headers[i].what);
        milter_message_end();
        spool_clear(&spool);
    }
}

static void test_many_changes(void)
{
    static struct milter_change changes[MILTER_MOST_FIELDS];
    static const struct milter_change one = ADD("X", "y"), none = DELETE(1, "A");
    static char large[MILTER_MOST_HEADER / 4];
    struct milter_change big = ADD("X", "");
    struct spool spool = spool_of(BYTES("A: 1\n\n"), false);

    for (size_t i = 0; i < COUNT(changes); i++)
        changes[i] = one;
    (void)milter_message_begin(&spool, slice_of(""), directory, 1000);
    ok(!milter_message_apply(changes, COUNT(changes)) && errno == EMSGSIZE && !milter_message_changed(), "too many fields are none");
    ok(milter_message_apply(changes, COUNT(changes) - 1), "as many as there may be are there");
    ok(!milter_message_apply(&one, 1) && errno == EMSGSIZE, "then no more");
    ok(milter_message_apply(&none, 1) && milter_message_apply(&one, 1), "but where one was deleted");
    milter_message_end();
    memset(large, 'x', sizeof large);
    big.value = (struct slice){ large, sizeof large };
    (void)milter_message_begin(&spool, slice_of(""), directory, 1000);
    ok(milter_message_apply(&big, 1) && !milter_message_apply(&big, 1) && errno == EMSGSIZE, "what milters write is bounded in all");
    ok(milter_message_apply(&one, 1) && milter_message_changed(), "a small one has room yet");
    milter_message_end();
}

/* A file that has less than it had is an error, not a message. */
static void test_short_file(void)
{
    struct spool spool = long_header("A: 1\n", 10);

    spool.size++;
    ok(!milter_message_begin(&spool, slice_of(""), directory, 1000) && errno == EIO, "a message that cannot be read");
    spool_clear(&spool);
}

void test_milter_message(void)
{
    test_rows(false);
    test_rows(true);
    test_one_after_the_other();
    test_shown();
    test_bodies();
    test_bodies_in_turn();
    test_large_bodies();
    test_long_headers();
    test_many_changes();
    test_short_file();
}
