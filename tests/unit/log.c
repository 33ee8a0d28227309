/* log.c - unit tests of log.h: client text cannot forge anything */
#include "base/log.h"

#include "unit.h"

/* Everything that is not a plain character becomes <0xNN>. */
static const struct {
    struct slice text;
    const char *encoded;
} rows[] = {
    { SLICE(""), "" },
    { SLICE("user@example.com"), "user@example.com" },
    { SLICE("a b"), "a b" },
    { SLICE("~!#$%&()*+,-./:;=?@^_{|}"), "~!#$%&()*+,-./:;=?@^_{|}" },
    { SLICE("[192.0.2.1]"), "<0x5b>192.0.2.1<0x5d>" },
    { SLICE("a\"b"), "a<0x22>b" },
    { SLICE("a'b`c"), "a<0x27>b<0x60>c" },
    { SLICE("a\\b"), "a<0x5c>b" },
    { SLICE("a\r\nb"), "a<0x0d><0x0a>b" },
    { SLICE("a\0b"), "a<0x00>b" },
    { SLICE("\t\x1b[1m\x7f"), "<0x09><0x1b><0x5b>1m<0x7f>" },
    { SLICE("\x80\xff\xc3\xa4"), "<0x80><0xff><0xc3><0xa4>" },
    { SLICE("\" [192.0.2.9] ERROR: 550 No one here"), "<0x22> <0x5b>192.0.2.9<0x5d> ERROR: 550 No one here" },
};

/* A small buffer of 16 bytes: nothing is written beyond it, a cut shows as "...". */
static const struct {
    struct slice text;
    const char *encoded;
} cuts[] = {
    { SLICE("123456789012"), "123456789012" },
    { SLICE("12345678901234567890"), "123456789012..." },
    { SLICE("[[[[["), "<0x5b><0x5b>..." },
    { SLICE("123456[x"), "123456<0x5b>..." },
    { SLICE("1234567["), "1234567..." },
};

void test_log(void)
{
    char out[LOG_TEXT], guarded[20];

    for (size_t i = 0; i < COUNT(rows); i++)
        ok_text(slice_of(log_encode(out, sizeof out, rows[i].text)), slice_of(rows[i].encoded),
                "log_encode \"%s\"", show(rows[i].text));

    for (size_t i = 0; i < COUNT(cuts); i++) {
        memset(guarded, '#', sizeof guarded);
        ok_text(slice_of(log_encode(guarded, 16, cuts[i].text)), slice_of(cuts[i].encoded),
                "log_encode \"%s\" into 16 bytes", show(cuts[i].text));
        ok(memcmp(guarded + 16, "####", 4) == 0, "... and not beyond them");
    }

    /* every byte by itself: what comes out is plain */
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        const char *encoded = log_encode(out, sizeof out, (struct slice){ &c, 1 });
        bool plain = true;

        for (const char *p = encoded; *p != '\0'; p++)
            plain = plain && *p >= ' ' && *p <= '~' && strchr("[]\"'`\\", *p) == NULL;
        ok(plain && encoded[0] != '\0', "log_encode byte 0x%02x gives plain characters", byte);
    }

    ok_number(log_set_flags(BYTES("csr")), 3, "log_set_flags csr");
    ok(log_wants('c') && log_wants('s') && log_wants('r') && !log_wants('l'), "c, s and r are on, l is off");
    ok_number(log_set_flags(BYTES("cZs")), 1, "log_set_flags finds the one that is no flag");
    ok(log_wants('r'), "... and changes nothing");
    ok_number(log_set_flags(BYTES("a")), 1, "log_set_flags a");
    ok(log_wants('l') && log_wants('F') && log_wants('+'), "a is all of them");
    ok_number(log_set_flags(BYTES("-")), 1, "log_set_flags -");
    ok(!log_wants('a') && !log_wants('l') && !log_wants('\0'), "- is none");
}
