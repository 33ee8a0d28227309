/* response.c - unit tests of response.h: replies of other servers, and what they offer */
#include "nexthop/response.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit.h"

static const struct {
    const char *bytes;
    unsigned code; /* 0: garbage */
    const char *status, *text;
} replies[] = {
    { "220 mail.example.com ESMTP\r\n", 220, "", "mail.example.com ESMTP" },
    { "250 2.1.5 Ok\r\n", 250, "1.5", "Ok" },
    { "250 2.1.5 Ok\n", 250, "1.5", "Ok" },
    { "250\r\n", 250, "", "" },
    { "250 \r\n", 250, "", "" },
    { "550 5.1.1\r\n", 550, "1.1", "" },
    { "550-5.1.1 <x> no such\r\n550-5.1.1 user\r\n550 5.1.1 here\r\n", 550, "1.1", "<x> no such" },
    { "452-\r\n452-4.2.2 Over quota\r\n452 x\r\n", 452, "2.2", "Over quota" },
    { "250-ok\r\n250\r\n", 250, "", "ok" },
    { "430 Authentication required\r\n", 430, "", "Authentication required" },
    { "550 4.1.1 of another class\r\n", 550, "", "4.1.1 of another class" },
    { "550 5.1 x\r\n", 550, "", "5.1 x" },
    { "250 a\x01" "b\xc3\xa4\tc\r\r\n", 250, "", "a?b???c?" },
    { "250-ok\r\n", 1, "", "" },
    { "25", 1, "", "" },
    { "", 1, "", "" },
    { "25\r\n", 0, "", "" },
    { "\r\n", 0, "", "" },
    { "2500 x\r\n", 0, "", "" },
    { "250x\r\n", 0, "", "" },
    { "150 x\r\n", 0, "", "" },
    { "600 x\r\n", 0, "", "" },
    { "HTTP/1.1 400 Bad Request\r\n", 0, "", "" },
    { "250-a\r\n251 b\r\n", 0, "", "" },
    { "* OK IMAP4rev1\r\n", 0, "", "" },
};

/* Feeds all bytes, `piece` at once; the last progress. */
static enum response_progress feed(struct response *response, struct slice bytes, size_t piece)
{
    enum response_progress progress = RESPONSE_MORE;
    size_t used;

    response_begin(response);
    while (bytes.len > 0 && (progress == RESPONSE_MORE || progress == RESPONSE_NEXT)) {
        progress = response_feed(response, (struct slice){ bytes.text, bytes.len < piece ? bytes.len : piece }, &used);
        bytes.text += used;
        bytes.len -= used;
    }
    return progress;
}

static void test_replies(size_t piece)
{
    static struct response response;

    for (size_t i = 0; i < COUNT(replies); i++) {
        struct slice bytes = slice_of(replies[i].bytes);
        enum response_progress progress = feed(&response, bytes, piece);

        if (replies[i].code <= 1) {
            ok(replies[i].code == 0 ? progress == RESPONSE_GARBAGE : progress == RESPONSE_MORE || progress == RESPONSE_NEXT,
               "'%s' is %s", show(bytes), replies[i].code == 0 ? "garbage" : "not complete");
            continue;
        }
        ok(progress == RESPONSE_LAST, "'%s' is complete", show(bytes));
        ok_number(response.code, replies[i].code, "the code of '%s'", show(bytes));
        ok_text(slice_of(response.status), slice_of(replies[i].status), "the enhanced code of '%s'", show(bytes));
        ok_text(slice_of(response.text), slice_of(replies[i].text), "the text of '%s'", show(bytes));
    }
}

/* Fills a text with a shorter one, over and over. */
static void fill(char *text, size_t len, struct slice with)
{
    for (size_t i = 0; i < len; i++)
        text[i] = with.text[i % with.len];
}

static void test_bounds(void)
{
    enum { SHORT = 5 };
    const size_t most = (size_t)SHORT * RESPONSE_LINES;
    static struct response response;
    static char line[RESPONSE_LINE + 1], lines[SHORT * (RESPONSE_LINES + 1)];

    fill(line, sizeof line, slice_of("250 "));
    line[RESPONSE_LINE - 1] = '\n';
    ok(feed(&response, (struct slice){ line, RESPONSE_LINE }, 1) == RESPONSE_LAST, "a line may have %d bytes", RESPONSE_LINE);
    ok_number(strlen(response.text), RESPONSE_TEXT - 1, "of which some are kept");
    line[RESPONSE_LINE - 1] = 'x';
    line[RESPONSE_LINE] = '\n';
    ok(feed(&response, (struct slice){ line, RESPONSE_LINE + 1 }, 1) == RESPONSE_GARBAGE, "one more is garbage");
    fill(lines, sizeof lines, slice_of("250-\n"));
    ok(feed(&response, (struct slice){ lines, sizeof lines }, sizeof lines) == RESPONSE_GARBAGE, "more than %d lines are garbage",
       RESPONSE_LINES);
    lines[most - 2] = ' ';
    ok(feed(&response, (struct slice){ lines, most }, sizeof lines) == RESPONSE_LAST, "as many are a reply");
}

static void test_pipelined(void)
{
    static struct response response;
    struct slice bytes = slice_of("250 a\r\n251 b\r\n");
    size_t used;

    response_begin(&response);
    ok(response_feed(&response, bytes, &used) == RESPONSE_LAST && used == 7, "a reply ends where the next one begins");
    ok_text(response_line(&response), slice_of("a"), "and its line is there");
}

static const struct {
    const char *line, *offered;
} offers[] = {
    { "PIPELINING", "p" }, { "8BITMIME", "8" }, { "SMTPUTF8", "u" }, { "chunking", "c" }, { "STARTTLS", "t" },
    { "ENHANCEDSTATUSCODES", "e" }, { "SIZE", "s0" }, { "SIZE 0", "s0" }, { "SIZE 26214400", "s26214400" },
    { "SIZE 26214400  x", "s0" }, { "SIZE 99999999999999999999", "s0" }, { "AUTH PLAIN LOGIN", "PL" },
    { "AUTH CRAM-MD5 login", "L" }, { "AUTH", "" }, { "AUTH EXTERNAL", "" }, { "AUTHPLAIN", "" },
    { "Ok SESSIONID=<x>", "" }, { "", "" }, { "PIPELININGS", "" }, { "SIZE=5", "" },
};

static void test_offers(void)
{
    for (size_t i = 0; i < COUNT(offers); i++) {
        struct capabilities c = { 0 };
        char got[64];

        capabilities_take(&c, slice_of(offers[i].line));
        (void)snprintf(got, sizeof got, "%s%s%s%s%s%s%s%s%s", c.pipelining ? "p" : "", c.eight_bit ? "8" : "", c.utf8 ? "u" : "",
                       c.chunking ? "c" : "", c.starttls ? "t" : "", c.enhanced ? "e" : "", c.auth_plain ? "P" : "",
                       c.auth_login ? "L" : "", c.size ? "s" : "");
        if (c.size)
            (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%ju", (uintmax_t)c.size_most);
        ok_text(slice_of(got), slice_of(offers[i].offered), "'%s' offers", offers[i].line);
    }
}

void test_response(void)
{
    test_replies(SIZE_MAX);
    test_replies(1);
    test_bounds();
    test_pipelined();
    test_offers();
}
