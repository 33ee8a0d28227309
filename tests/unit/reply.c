/* reply.c - unit tests of reply.h: what a reply looks like on the wire */
#include "session/reply.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

#define A500 X10(X10("abcde"))

static const struct {
    const char *name;
    struct reply reply;
    struct slice wire;
} rows[] = {
    { "one line", REPLY(250, "0.0", "Ok"), SLICE("250 2.0.0 Ok\r\n") },
    { "the class of the enhanced code is that of the code", REPLY(550, "1.1", "No"), SLICE("550 5.1.1 No\r\n") },
    { "a passing failure", REPLY(451, "3.0", "Later"), SLICE("451 4.3.0 Later\r\n") },
    { "no enhanced code", REPLY(354, "", "Go"), SLICE("354 Go\r\n") },
    { "three digits in an enhanced code", REPLY(550, "999.999", "x"), SLICE("550 5.999.999 x\r\n") },
    { "several lines", REPLY(250, "", "mail.example.com\nPIPELINING\nHELP"),
      SLICE("250-mail.example.com\r\n250-PIPELINING\r\n250 HELP\r\n") },
    { "several lines with enhanced code", REPLY(550, "7.1", "one\ntwo"), SLICE("550-5.7.1 one\r\n550 5.7.1 two\r\n") },
    { "detail", { .code = 554, .status = SLICE("7.0"), .text = SLICE("Refused:"), .detail = SLICE("<a@b> no") },
      SLICE("554 5.7.0 Refused: <a@b> no\r\n") },
    { "the note is for the log only", { .code = 550, .status = SLICE("7.1"), .text = SLICE("No"), .note = SLICE("groups=a") },
      SLICE("550 5.7.1 No\r\n") },
    { "nothing but printable ASCII leaves", REPLY(554, "7.0", "a\r\x01\x7f\xc3\xa4\tb"), SLICE("554 5.7.0 a??????b\r\n") },
    { "a detail cannot begin a line", { .code = 554, .status = SLICE("7.0"), .text = SLICE("No:"), .detail = SLICE("a\r\n250 ok") },
      SLICE("554 5.7.0 No: a??250 ok\r\n") },
    /* 512 octets with CRLF, of which "550 5.7.1 " takes 10 */
    { "a text that just fits", REPLY(550, "7.1", A500), SLICE("550 5.7.1 " A500 "\r\n") },
    { "a word that is one octet too long is cut", REPLY(550, "7.1", A500 "f"),
      SLICE("550-5.7.1 " A500 "\r\n550 5.7.1 f\r\n") },
    { "a blank at the limit is where a line breaks", REPLY(550, "7.1", A500 " next"),
      SLICE("550-5.7.1 " A500 "\r\n550 5.7.1 next\r\n") },
    { "the last blank that fits is where a line breaks", REPLY(550, "", X10(X10(" word")) "s overlong1"),
      SLICE("550-" X10(X10(" word")) "s\r\n550 overlong1\r\n") },
    { "a word moves to the next line as a whole", REPLY(550, "7.1", X10(X10("abc")) " " X10(X10("wxyz"))),
      SLICE("550-5.7.1 " X10(X10("abc")) "\r\n550 5.7.1 " X10(X10("wxyz")) "\r\n") },
    { "a word that fills more than half a line is cut", REPLY(550, "7.1", "short " X10(X10("abcd")) X10("efghefgh") "ijklijklijklijkl"),
      SLICE("550-5.7.1 short " X10(X10("abcd")) X10("efghefgh") "ijklijklijklij\r\n550 5.7.1 kl\r\n") },
    { "three lines of full length", REPLY(550, "7.1", A500 A500 A500),
      SLICE("550-5.7.1 " A500 "\r\n550-5.7.1 " A500 "\r\n550 5.7.1 " A500 "\r\n") },
};

void test_reply(void)
{
    static struct line_io io;

    for (size_t i = 0; i < COUNT(rows); i++) {
        int in = open("/dev/null", O_RDONLY), out = memfd_create("reply", MFD_CLOEXEC);
        struct slice wire;
        bool fits = true;

        line_init(&io, in, out, NULL);
        reply_send(&io, &rows[i].reply);
        ok_number(line_flush(&io), LINE_OK, "%s: sent", rows[i].name);
        wire = file_text(out);
        ok_text(wire, rows[i].wire, "%s", rows[i].name);
        for (size_t at = 0, length; at < wire.len; at += length) {
            const char *lf = memchr(wire.text + at, '\n', wire.len - at);

            length = lf != NULL ? (size_t)(lf - wire.text) + 1 - at : wire.len - at;
            fits = fits && lf != NULL && length <= 512;
        }
        ok(fits, "%s: no line has more than 512 octets", rows[i].name);
        (void)close(in);
        (void)close(out);
    }
}
