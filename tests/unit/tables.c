/* tables.c - unit tests of tables/: lines of text files, what services are asked and answer */
#include "unit.h"

#include "tables/line.h"
#include "tables/socketmap.h"
#include "tables/tcp.h"

static const struct {
    const char *line;
    enum table_line kind;
    const char *key, *value;
} lines[] = {
    { "", TABLE_LINE_NONE, "", "" },
    { " \t\r", TABLE_LINE_NONE, "", "" },
    { "# joe@example.com box", TABLE_LINE_NONE, "", "" },
    { "  # joe@example.com", TABLE_LINE_NONE, "", "" },
    { "joe@example.com", TABLE_LINE_ENTRY, "joe@example.com", "" },
    { "Joe@example.com box", TABLE_LINE_ENTRY, "joe@EXAMPLE.com", "box" },
    { " joe@example.com\t a  b # c \r", TABLE_LINE_ENTRY, "joe@example.com", "a  b # c" },
    { "\xEF\xBB\xBFjoe@example.com box", TABLE_LINE_ENTRY, "joe@example.com", "box" },
    { "@example.com x", TABLE_LINE_ENTRY, "@example.com", "x" },
    { "o'neil@example.com \"x\"", TABLE_LINE_ENTRY, "o'neil@example.com", "\"x\"" },
    { "j\xc3\xb6@example.com x", TABLE_LINE_ENTRY, "j\xc3\xb6@example.com", "x" },
    { "\"john smith@example.com\" js", TABLE_LINE_ENTRY, "John Smith@example.com", "js" },
    { "\"#1@example.com\"", TABLE_LINE_ENTRY, "#1@example.com", "" },
    { "\"a\\\"b\\\\@example.com\"\tx", TABLE_LINE_ENTRY, "a\"b\\@example.com", "x" },
    { "a\\b@example.com x", TABLE_LINE_ENTRY, "a\\b@example.com", "x" },
    { "\"\" x", TABLE_LINE_ENTRY, "", "x" },
    { "\"joe@example.com box", TABLE_LINE_BAD, "", "" },
    { "\"joe\"@example.com box", TABLE_LINE_BAD, "", "" },
    { "\"joe\\\"", TABLE_LINE_BAD, "", "" },
    { "\"joe\\", TABLE_LINE_BAD, "", "" },
    { "\"", TABLE_LINE_BAD, "", "" },
};

struct reply {
    struct slice bytes;
    enum server_progress progress;
    size_t behind; /* bytes that are none of it */
    enum table_answer kind;
    const char *value, *text;
};

static const struct reply socketmap_replies[] = {
    { SLICE("4:OK x,"), SERVER_DONE, 0, TABLE_FOUND, "x", "OK x" },
    { SLICE("2:OK,"), SERVER_DONE, 0, TABLE_FOUND, "", "OK" },
    { SLICE("3:OK ,"), SERVER_DONE, 0, TABLE_FOUND, "", "OK " },
    { SLICE("7:OK a  b,"), SERVER_DONE, 0, TABLE_FOUND, "a  b", "OK a  b" },
    { SLICE("\r\n4:OK x,4:"), SERVER_DONE, 2, TABLE_FOUND, "x", "OK x" },
    { SLICE("9:NOTFOUND ,"), SERVER_DONE, 0, TABLE_UNKNOWN, "", "NOTFOUND " },
    { SLICE("8:NOTFOUND,"), SERVER_DONE, 0, TABLE_UNKNOWN, "", "NOTFOUND" },
    { SLICE("9:TEMP down,"), SERVER_DONE, 0, TABLE_FAILED, "down", "TEMP down" },
    { SLICE("8:TIMEOUT ,"), SERVER_DONE, 0, TABLE_FAILED, "", "TIMEOUT " },
    { SLICE("9:PERM fool,"), SERVER_DONE, 0, TABLE_FAILED, "fool", "PERM fool" },
    { SLICE("4:OKAY,"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("2:ok,"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("0:,"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("3: OK,"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("3:OK x,"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("03:OK ,"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("16500:OK"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("OK x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("4:OK x"), SERVER_MORE, 0, 0, "", "" },
    { SLICE("4"), SERVER_MORE, 0, 0, "", "" },
    { SLICE("\n"), SERVER_MORE, 0, 0, "", "" },
    { SLICE(""), SERVER_MORE, 0, 0, "", "" },
};

static const struct reply tcp_replies[] = {
    { SLICE("200 x\n"), SERVER_DONE, 0, TABLE_FOUND, "x", "200 x" },
    { SLICE("200 \n"), SERVER_DONE, 0, TABLE_FOUND, "", "200 " },
    { SLICE("200  a b \n"), SERVER_DONE, 0, TABLE_FOUND, " a b ", "200  a b " },
    { SLICE("200 a%20b%2Fc%2f%25%c3%BC\n"), SERVER_DONE, 0, TABLE_FOUND, "a b/c/%\xc3\xbc", "200 a b/c/%\xc3\xbc" },
    { SLICE("200 a%0Ab%2520\n"), SERVER_DONE, 0, TABLE_FOUND, "a\nb%20", "200 a\nb%20" },
    { SLICE("\r\n200 x\n500 "), SERVER_DONE, 4, TABLE_FOUND, "x", "200 x" },
    { SLICE("200 x\r\n"), SERVER_DONE, 0, TABLE_FOUND, "x", "200 x" },
    { SLICE("200 x%0D\n"), SERVER_DONE, 0, TABLE_FOUND, "x\r", "200 x\r" },
    { SLICE("200 x\n\n"), SERVER_DONE, 1, TABLE_FOUND, "x", "200 x" },
    { SLICE("500 not here\n"), SERVER_DONE, 0, TABLE_UNKNOWN, "not here", "500 not here" },
    { SLICE("400 database%20down\n"), SERVER_DONE, 0, TABLE_FAILED, "database down", "400 database down" },
    { SLICE("200\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200\tx\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE(" 200 x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("20\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("2000 x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("201 x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("300 x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("501 x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200 a%\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200 a%4\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200 a%4x\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200 a%x4\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200 a% 4\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("500 100% not here\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("4:OK x,\n"), SERVER_NONSENSE, 0, 0, "", "" },
    { SLICE("200 x"), SERVER_MORE, 0, 0, "", "" },
    { SLICE("\n\n"), SERVER_MORE, 0, 0, "", "" },
    { SLICE(""), SERVER_MORE, 0, 0, "", "" },
};

static struct table_reply reply;

/* All at once, and byte by byte. */
static void test_replies(enum server_progress (*feed)(struct table_reply *to, struct slice bytes, size_t *used),
                         const struct reply *replies, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t piece = 1; piece <= 2; piece++) {
            struct slice rest = replies[i].bytes;
            enum server_progress progress = SERVER_MORE;
            size_t used;

            reply.len = 0;
            for (; rest.len > 0 && progress == SERVER_MORE; rest = (struct slice){ rest.text + used, rest.len - used })
                progress = feed(&reply, (struct slice){ rest.text, piece == 1 ? 1 : rest.len }, &used);
            ok_number(progress, replies[i].progress, "what comes of '%s'", show(replies[i].bytes));
            if (progress != SERVER_DONE || replies[i].progress != SERVER_DONE)
                continue;
            ok_number(rest.len, replies[i].behind, "what is behind '%s'", show(replies[i].bytes));
            ok_number(reply.kind, replies[i].kind, "what '%s' means", show(replies[i].bytes));
            ok_text(reply.value, slice_of(replies[i].value), "its value");
            ok_text(reply.text, slice_of(replies[i].text), "its text");
        }
}

/* The longest line is taken, the next byte is nonsense. */
static void test_length(void)
{
    static char line[TCP_REPLY + 1];
    struct text text = { line, sizeof line, 0 };
    size_t used;

    memset(line, 'x', sizeof line);
    text_put(&text, (struct slice)SLICE("200 "));
    line[TCP_REPLY] = '\n';
    reply.len = 0;
    ok_number(tcp_feed(&reply, (struct slice){ line, sizeof line }, &used), SERVER_NONSENSE, "a line of 4097 bytes");
    reply.len = 0;
    ok_number(tcp_feed(&reply, (struct slice){ line, TCP_REPLY - 1 }, &used), SERVER_MORE, "one of 4095 without its end");
    ok_number(tcp_feed(&reply, (struct slice)SLICE("\n"), &used), SERVER_DONE, "the end");
    ok_number(reply.value.len, TCP_REPLY - 5, "all of its value");
}

static void test_questions(void)
{
    static const struct {
        const char *key, *request;
    } questions[] = {
        { "joe@example.com", "get joe@example.com\n" },
        { "", "get \n" },
        { "a b\tc@example.com", "get a%20b%09c@example.com\n" },
        { "x\nget y\r", "get x%0Aget%20y%0D\n" },
        { "50%n@example.com", "get 50%25n@example.com\n" },
        { "j\xc3\xb6@example.com\x7f\xff", "get j%C3%B6@example.com%7F%FF\n" },
        { "!#$&'*+-/=?^_`{|}~\"\\", "get !#$&'*+-/=?^_`{|}~\"\\\n" },
    };
    static char request[TABLE_REQUEST], longest[TABLE_KEY];
    struct text text;

    for (size_t i = 0; i < COUNT(questions); i++) {
        text = (struct text){ request, sizeof request, 0 };
        tcp_ask(&text, (struct slice)SLICE("map"), slice_of(questions[i].key));
        ok_text(text_slice(&text), slice_of(questions[i].request), "the question for '%s'", show(slice_of(questions[i].key)));
    }
    text = (struct text){ request, sizeof request, 0 };
    tcp_ask(&text, (struct slice)SLICE(""), (struct slice){ longest, sizeof longest });
    ok(text.len == 3 * sizeof longest + 5 && request[text.len - 1] == '\n', "the longest question is whole");
}

void test_tables(void)
{
    struct table_entry entry;

    test_replies(socketmap_feed, socketmap_replies, COUNT(socketmap_replies));
    test_replies(tcp_feed, tcp_replies, COUNT(tcp_replies));
    test_length();
    test_questions();
    for (size_t i = 0; i < COUNT(lines); i++) {
        const struct slice key = slice_of(lines[i].key);

        ok_number(table_line_read(slice_of(lines[i].line), &entry), lines[i].kind, "the kind of '%s'", show(slice_of(lines[i].line)));
        if (lines[i].kind != TABLE_LINE_ENTRY)
            continue;
        ok(table_line_is(&entry, key), "the key is '%s'", show(key));
        ok_number(table_line_hash(&entry), table_key_hash(key), "its hash is that of '%s'", show(key));
        ok(table_line_long_hash(&entry) == table_line_long_hash(&(struct table_entry){ .key = key }), "so is the longer one");
        ok(!table_line_is(&entry, BYTES("joe@example.co")) && !table_line_is(&entry, BYTES("joe@example.comm")), "it is no other");
        ok_text(entry.value, slice_of(lines[i].value), "the value of '%s'", show(key));
    }
}
