/* milter.c - unit tests of handlers/milter_packet.h: what milters answer, replies, packets that are written */
#include "handlers/milter_packet.h"

#include <stdio.h>

#include "unit.h"

/* ---- answers ------------------------------------------------------------------------------- */

#define CHANGED(what) MILTER_DONE, MILTER_CHANGE, what

static const struct {
    struct slice bytes;
    enum milter_progress progress;
    enum milter_word word;
    enum milter_change_kind change;
    uint32_t index;
    const char *name;
    struct slice value;
} answers[] = {
    { BYTES("\0\0\0\1c"), MILTER_DONE, MILTER_CONTINUE, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1a"), MILTER_DONE, MILTER_ACCEPT, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1r"), MILTER_DONE, MILTER_REJECT, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1t"), MILTER_DONE, MILTER_TEMPFAIL, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1d"), MILTER_DONE, MILTER_DISCARD, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1s"), MILTER_DONE, MILTER_SKIP, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1p"), MILTER_DONE, MILTER_PROGRESS, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1f"), MILTER_DONE, MILTER_CONN_FAIL, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\0014"), MILTER_DONE, MILTER_SHUTDOWN, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\4cxyz"), MILTER_DONE, MILTER_CONTINUE, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\7hX-A\0b\0"), CHANGED(MILTER_ADD_FIELD), 0, "X-A", BYTES("b") },
    { BYTES("\0\0\0\6hX-A\0\0"), CHANGED(MILTER_ADD_FIELD), 0, "X-A", BYTES("") },
    { BYTES("\0\0\0\x0bm\0\0\0\2X-A\0b\0"), CHANGED(MILTER_CHANGE_FIELD), 2, "X-A", BYTES("b") },
    { BYTES("\0\0\0\x0bi\xff\xff\xff\xffX-A\0b\0"), CHANGED(MILTER_INSERT_FIELD), 0xffffffff, "X-A", BYTES("b") },
    { BYTES("\0\0\0\7+<a@b>\0"), CHANGED(MILTER_ADD_RECIPIENT), 0, "<a@b>", BYTES("") },
    { BYTES("\0\0\0\x08+<a@b>\0"), MILTER_MORE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\4-a@b"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\4+a@b"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\5+a@b\0"), CHANGED(MILTER_ADD_RECIPIENT), 0, "a@b", BYTES("") },
    { BYTES("\0\0\0\5-a@b\0"), CHANGED(MILTER_DELETE_RECIPIENT), 0, "a@b", BYTES("") },
    { BYTES("\0\0\0\x09" "2a@b\0X=Y\0"), CHANGED(MILTER_ADD_RECIPIENT), 0, "a@b", BYTES("X=Y") },
    { BYTES("\0\0\0\x09" "2a@b\0X\0Y\0"), CHANGED(MILTER_ADD_RECIPIENT), 0, "a@b", BYTES("X\0Y") },
    { BYTES("\0\0\0\5" "2a@b\0"), CHANGED(MILTER_ADD_RECIPIENT), 0, "a@b", BYTES("") },
    { BYTES("\0\0\0\5" "ea@b\0"), CHANGED(MILTER_CHANGE_SENDER), 0, "a@b", BYTES("") },
    { BYTES("\0\0\0\2" "e\0"), CHANGED(MILTER_CHANGE_SENDER), 0, "", BYTES("") },
    { BYTES("\0\0\0\5qwhy\0"), CHANGED(MILTER_QUARANTINE), 0, "why", BYTES("") },
    { BYTES("\0\0\0\4" "babc"), CHANGED(MILTER_REPLACE_BODY), 0, "", BYTES("") },
    { BYTES("\0\0\0\1b"), CHANGED(MILTER_REPLACE_BODY), 0, "", BYTES("") },
    { BYTES("\0\0\0\4m\0\0\0"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\4hX\0v"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1h"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1y"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\0c"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1z"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1C"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\4\0\2c"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\4\0\1y"), MILTER_MORE, 0, 0, 0, "", BYTES("") },
    { BYTES("220 mail.example.com\r\n"), MILTER_NONSENSE, 0, 0, 0, "", BYTES("") },
    { BYTES("\0\0\0\1"), MILTER_MORE, 0, 0, 0, "", BYTES("") },
    { BYTES(""), MILTER_MORE, 0, 0, 0, "", BYTES("") },
};

static enum milter_progress feed(struct slice *bytes, size_t piece, struct milter_answer *answer)
{
    static struct milter_reader reader;
    enum milter_progress progress = MILTER_MORE;
    size_t used;

    reader.have = 0;
    while (bytes->len > 0 && progress == MILTER_MORE) {
        progress = milter_answer_feed(&reader, (struct slice){ bytes->text, bytes->len < piece ? bytes->len : piece }, &used, answer);
        *bytes = (struct slice){ bytes->text + used, bytes->len - used };
    }
    return progress;
}

static void test_answers(size_t piece)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct slice rest = answers[i].bytes;
        struct milter_answer answer;

        if (!ok(feed(&rest, piece, &answer) == answers[i].progress, "%zu bytes at once: answer \"%s\"", piece,
                show(answers[i].bytes)) || answers[i].progress != MILTER_DONE)
            continue;
        ok(answer.word == answers[i].word && answer.change.kind == answers[i].change && answer.change.index == answers[i].index,
           "its word and its index");
        ok_text(answer.change.name, slice_of(answers[i].name), "its name");
        ok_text(answer.change.value, answers[i].value, "its value");
    }
}

/* The data of a body come as they are read, and only the last of them end the packet. */
static void test_body(void)
{
    static struct milter_reader reader;
    struct slice bytes = BYTES("\0\1\0\1bab");
    struct milter_answer answer;
    size_t used;

    reader.have = 0;
    ok(milter_answer_feed(&reader, bytes, &used, &answer) == MILTER_DONE && used == bytes.len, "a part of a body of 64 KB");
    ok_text(answer.text, slice_of("ab"), "is given at once");
    ok(milter_reader_waits(&reader) && reader.left == 65534, "and the rest is waited for");
    ok(milter_answer_feed(&reader, (struct slice){ "", 0 }, &used, &answer) == MILTER_MORE, "with no further bytes");
    reader.left = 1;
    ok(milter_answer_feed(&reader, slice_of("xy"), &used, &answer) == MILTER_DONE && used == 1 && !milter_reader_waits(&reader),
       "up to its last byte");
}

static void test_options(void)
{
    struct slice bytes = BYTES("\0\0\0\x2fO\0\0\0\6\0\0\1\x11\0\x10\7\2\0\0\0\2i {auth_type}\0\0\0\0\5\0\0\0\0\x63j\0"), rest = bytes;
    struct milter_answer answer;

    ok(feed(&rest, bytes.len, &answer) == MILTER_MORE, "options of which bytes are missing");
    rest = BYTES("\0\0\0\x2aO\0\0\0\6\0\0\1\x11\0\x10\7\2\0\0\0\2i {auth_type}\0\0\0\0\5\0\0\0\0\x63j\0");
    ok(feed(&rest, rest.len, &answer) == MILTER_DONE && answer.word == MILTER_OPTIONS, "options with three lists of macros");
    ok(answer.options.version == 6 && answer.options.actions == 0x111 && answer.options.steps == 0x100702, "what they say");
    ok_number(answer.options.listed, 1U << 2 | 1U << 5, "a list of no stage is none");
    ok_text(answer.options.symbols[2], slice_of("i {auth_type}"), "a list");
    ok_text(answer.options.symbols[5], slice_of(""), "an empty list");
    rest = BYTES("\0\0\0\x0cO\0\0\0\6\0\0\1\x11\0\x10\7");
    ok(feed(&rest, rest.len, &answer) == MILTER_NONSENSE, "options that are too short");
    rest = BYTES("\0\0\0\x0fO\0\0\0\6\0\0\1\x11\0\x10\7\2\0\0");
    ok(feed(&rest, rest.len, &answer) == MILTER_NONSENSE, "half a list");
}

/* ---- replies ------------------------------------------------------------------------------- */

static const struct {
    const char *bytes;
    unsigned code; /* 0: it is none */
    const char *status, *text;
} replies[] = {
    { "550 5.7.1 No", 550, "7.1", "No" },
    { "451 4.7.1 Try again later", 451, "7.1", "Try again later" },
    { "554 5.7.1 100%% sure", 554, "7.1", "100% sure" },
    { "554 5.7.1 100% sure", 554, "7.1", "100 sure" },
    { "554 5.7.1 %s%", 554, "7.1", "s" },
    { "550 No", 550, "7.1", "No" },
    { "550", 550, "7.1", "" },
    { "550 5.7.1", 550, "7.1", "" },
    { "550 4.2.2 Full", 550, "2.2", "Full" },
    { "550-5.7.1 a\r\n550 5.7.1 b", 550, "7.1", "a\nb" },
    { "550-5.7.9 a\n550 b\n", 550, "7.9", "a\nb" },
    { "550 5.7.1 a\r\nb", 550, "7.1", "a\nb" },
    { "421 4.3.2 Bye", 421, "3.2", "Bye" },
    { "250 2.0.0 Ok", 0, "", "" },
    { "399 No", 0, "", "" },
    { "600 No", 0, "", "" },
    { "5500 No", 0, "", "" },
    { "No", 0, "", "" },
    { "", 0, "", "" },
};

static void test_replies(void)
{
    static struct milter_reply reply;

    for (size_t i = 0; i < COUNT(replies); i++) {
        bool read = milter_reply_read(slice_of(replies[i].bytes), &reply);

        if (!ok(read == (replies[i].code != 0), "reply \"%s\"", show(slice_of(replies[i].bytes))) || !read)
            continue;
        ok_number(reply.code, replies[i].code, "its code");
        ok_text(slice_of(reply.status), slice_of(replies[i].status), "its status");
        ok_text((struct slice){ reply.text, reply.len }, slice_of(replies[i].text), "its text");
    }
}

/* ---- writing ------------------------------------------------------------------------------- */

static void test_writing(void)
{
    char bytes[64];
    struct text out = { bytes, sizeof bytes, 0 };
    size_t begin = milter_packet_begin(&out, 'L');

    milter_put_string(&out, slice_of("X-A"));
    milter_put_string(&out, slice_of(" b"));
    milter_packet_end(&out, begin);
    begin = milter_packet_begin(&out, 'E');
    milter_packet_end(&out, begin);
    ok_text(text_slice(&out), BYTES("\0\0\0\x08LX-A\0 b\0\0\0\0\1E"), "a field and the end of a message");
}

static void test_fitting(void)
{
    static char text[100000];
    static const struct {
        size_t name, value, name_fits, value_fits;
        const char *what;
    } rows[] = {
        { 3, 100, 3, 100, "a short value fits" },
        { 3, 59995, 3, 59995, "and one of 60000 bytes with its name" },
        { 3, sizeof text, 3, 40000, "a longer one is cut at a fold" },
        { 59990, sizeof text, 59990, 10, "or where there is none" },
        { 65536, 100, 60000, 0, "a name that is longer than a packet is cut" },
    };

    memset(text, 'x', sizeof text);
    text[40000] = text[70000] = '\n';
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct slice name = { text, rows[i].name }, value = { text, rows[i].value };

        milter_field_fit(&name, &value);
        ok(name.len == rows[i].name_fits && value.len == rows[i].value_fits, "%s", rows[i].what);
    }
}

static void test_names(void)
{
    ok(milter_is_field_name(slice_of("X-A")) && milter_is_field_name(slice_of("x_!")), "names of fields");
    ok(!milter_is_field_name(slice_of("")) && !milter_is_field_name(slice_of("X A")) && !milter_is_field_name(slice_of("X:")) &&
       !milter_is_field_name(slice_of("X\n")) && !milter_is_field_name(slice_of("\xc3\xa4")), "what is none");
}

void test_milter(void)
{
    test_answers(1);
    test_answers(2);
    test_answers(SIZE_MAX);
    test_body();
    test_options();
    test_replies();
    test_writing();
    test_fitting();
    test_names();
}
