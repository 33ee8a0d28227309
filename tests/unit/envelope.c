/* envelope.c - unit tests of envelope.h: the syntax of RFC 5321 4.1.2, RFC 6531 3.3 */
#include "base/utf8.h"
#include "session/envelope.h"

#include "unit.h"

#include <stdio.h>

#define L63 X10("abcdef") "abc"                          /* the longest label */
#define D255 L63 "." L63 "." L63 "." L63                 /* the longest domain */
#define LOCAL64 L63 "x"
#define AE "\xc3\xa4"                                    /* U+00E4 */
#define BAD ENVELOPE_BAD_ADDRESS

/* The argument of MAIL. `sender` NULL: not looked at. */
static const struct {
    struct slice argument;
    enum envelope_status status;
    const char *sender;
    uint64_t size;
    bool eight_bit, smtputf8;
} mails[] = {
    { SLICE("FROM:<a@example.com>"), ENVELOPE_OK, "a@example.com", 0, false, false },
    { SLICE("from:<A@Example.COM>"), ENVELOPE_OK, "A@Example.COM", 0, false, false },
    { SLICE("FROM:<>"), ENVELOPE_OK, "", 0, false, false },
    { SLICE("FROM: <>"), ENVELOPE_OK, "", 0, false, false },
    { SLICE("FROM:<> SIZE=1"), ENVELOPE_OK, "", 1, false, false },
    { SLICE("FROM: \t <a@example.com>"), ENVELOPE_OK, "a@example.com", 0, false, false },
    { SLICE("FROM:a@example.com"), ENVELOPE_OK, "a@example.com", 0, false, false },
    { SLICE("FROM: a@example.com SIZE=7"), ENVELOPE_OK, "a@example.com", 7, false, false },
    { SLICE("FROM:<@r.example,@s.example:a@example.com>"), ENVELOPE_OK, "a@example.com", 0, false, false },
    { SLICE("FROM:<a@example.com> \t"), ENVELOPE_OK, "a@example.com", 0, false, false },

    { SLICE(""), ENVELOPE_NO_PATH, NULL, 0, false, false },
    { SLICE("FROM"), ENVELOPE_NO_PATH, NULL, 0, false, false },
    { SLICE("FROM <a@example.com>"), ENVELOPE_NO_PATH, NULL, 0, false, false },
    { SLICE("FROM :<a@example.com>"), ENVELOPE_NO_PATH, NULL, 0, false, false },
    { SLICE("TO:<a@example.com>"), ENVELOPE_NO_PATH, NULL, 0, false, false },
    { SLICE("FROM:"), BAD, NULL, 0, false, false },
    { SLICE("FROM: "), BAD, NULL, 0, false, false },
    { SLICE("FROM:<"), BAD, NULL, 0, false, false },
    { SLICE("FROM:>"), BAD, NULL, 0, false, false },
    { SLICE("FROM:< >"), BAD, NULL, 0, false, false },
    { SLICE("FROM:<>>"), BAD, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com"), BAD, NULL, 0, false, false },
    { SLICE("FROM:a@example.com>"), BAD, NULL, 0, false, false },
    { SLICE("FROM:<<a@example.com>>"), BAD, NULL, 0, false, false },
    { SLICE("FROM:< a@example.com>"), BAD, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com >"), BAD, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com>SIZE=1"), BAD, NULL, 0, false, false },
    { SLICE("FROM:<postmaster>"), ENVELOPE_NO_DOMAIN, NULL, 0, false, false },
    { SLICE("FROM:Anna <a@example.com>"), BAD, NULL, 0, false, false },

    { SLICE("FROM:<a@example.com> SIZE=0"), ENVELOPE_OK, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> size=00012"), ENVELOPE_OK, NULL, 12, false, false },
    { SLICE("FROM:<a@example.com> SIZE=18446744073709551614"), ENVELOPE_OK, NULL, UINT64_MAX - 1, false, false },
    { SLICE("FROM:<a@example.com> SIZE=18446744073709551615"), ENVELOPE_OK, NULL, UINT64_MAX, false, false },
    { SLICE("FROM:<a@example.com> SIZE=18446744073709551616"), ENVELOPE_OK, NULL, UINT64_MAX, false, false },
    { SLICE("FROM:<a@example.com> SIZE=99999999999999999999"), ENVELOPE_OK, NULL, UINT64_MAX, false, false },
    { SLICE("FROM:<a@example.com> SIZE=100000000000000000000"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZE=-1"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZE=1k"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZE="), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZE"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZE=1=2"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZE=1 SIZE=1"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> BODY=8BITMIME"), ENVELOPE_OK, NULL, 0, true, false },
    { SLICE("FROM:<a@example.com> body=8bitmime"), ENVELOPE_OK, NULL, 0, true, false },
    { SLICE("FROM:<a@example.com> BODY=7BIT"), ENVELOPE_OK, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> BODY=BINARYMIME"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> BODY="), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> BODY"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> BODY=7BIT BODY=7BIT"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SMTPUTF8"), ENVELOPE_OK, NULL, 0, false, true },
    { SLICE("FROM:<a@example.com> smtputf8 BODY=8BITMIME\tSIZE=5"), ENVELOPE_OK, NULL, 5, true, true },
    { SLICE("FROM:<a@example.com> SMTPUTF8=x"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SMTPUTF8="), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SMTPUTF8 SMTPUTF8"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> AUTH=<>"), ENVELOPE_OK, "a@example.com", 0, false, false },
    { SLICE("FROM:<a@example.com> AUTH=e+3Dmc2@example.com"), ENVELOPE_OK, "a@example.com", 0, false, false },
    { SLICE("FROM:<a@example.com> AUTH="), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> AUTH=a+3d"), ENVELOPE_BAD_VALUE, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> RET=HDRS"), ENVELOPE_UNKNOWN, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZES=1"), ENVELOPE_UNKNOWN, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> SIZ=1"), ENVELOPE_UNKNOWN, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> =1"), ENVELOPE_UNKNOWN, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> \x01"), ENVELOPE_UNKNOWN, NULL, 0, false, false },
    { SLICE("FROM:<a@example.com> <b@example.com>"), ENVELOPE_UNKNOWN, NULL, 0, false, false },

    { SLICE("FROM:<" AE "@example.com> SMTPUTF8"), ENVELOPE_OK, AE "@example.com", 0, false, true },
    { SLICE("FROM:<a@" AE ".example> SMTPUTF8"), ENVELOPE_OK, "a@" AE ".example", 0, false, true },
    { SLICE("FROM:<" AE "@example.com>"), ENVELOPE_NOT_UTF8, AE "@example.com", 0, false, false },
    { SLICE("FROM:<\xc3@example.com> SMTPUTF8"), BAD, NULL, 0, false, false },
};

/* The argument of RCPT. */
static const struct {
    struct slice argument;
    bool smtputf8;
    enum envelope_status status;
    const char *recipient;
} rcpts[] = {
    { SLICE("TO:<a@example.com>"), false, ENVELOPE_OK, "a@example.com" },
    { SLICE("To: a@example.com"), false, ENVELOPE_OK, "a@example.com" },
    { SLICE("TO:<@r.example:a@example.com>"), false, ENVELOPE_OK, "a@example.com" },
    { SLICE("TO:<postmaster>"), false, ENVELOPE_OK, "postmaster" },
    { SLICE("TO:<PostMaster>"), false, ENVELOPE_OK, "PostMaster" },
    { SLICE("TO:postmaster"), false, ENVELOPE_OK, "postmaster" },
    { SLICE("TO:<postmaster@>"), false, BAD, NULL },
    { SLICE("TO:<postmasters>"), false, ENVELOPE_NO_DOMAIN, NULL },
    { SLICE("TO:<\"postmaster\">"), false, ENVELOPE_OK, "\"postmaster\"" },
    { SLICE("TO:<\"Post\\master\">"), false, ENVELOPE_OK, "\"Post\\master\"" },
    { SLICE("TO:<\"post master\">"), false, ENVELOPE_NO_DOMAIN, NULL },
    { SLICE("TO:<root>"), false, ENVELOPE_NO_DOMAIN, NULL },
    { SLICE("TO:root"), false, ENVELOPE_NO_DOMAIN, NULL },
    { SLICE("TO:root "), false, ENVELOPE_NO_DOMAIN, NULL },
    { SLICE("TO:root x"), false, BAD, NULL },
    { SLICE("TO:<root x>"), false, BAD, NULL },
    { SLICE("TO:<>"), false, BAD, NULL },
    { SLICE("TO:"), false, BAD, NULL },
    { SLICE("FROM:<a@example.com>"), false, ENVELOPE_NO_PATH, NULL },
    { SLICE("TO<a@example.com>"), false, ENVELOPE_NO_PATH, NULL },
    { SLICE("TO:<a@example.com> NOTIFY=NEVER"), false, ENVELOPE_UNKNOWN, NULL },
    { SLICE("TO:<a@example.com> x"), false, ENVELOPE_UNKNOWN, NULL },
    { SLICE("TO:<a@example.com>, <b@example.com>"), false, BAD, NULL },
    { SLICE("TO:<@r.example,a@example.com>"), false, BAD, NULL },
    { SLICE("TO:<@r.example a@example.com>"), false, BAD, NULL },
    { SLICE("TO:<@:a@example.com>"), false, BAD, NULL },
    { SLICE("TO:<@r.example:>"), false, BAD, NULL },
    { SLICE("TO:@r.example:a@example.com"), false, BAD, NULL },
    { SLICE("TO:<" AE "@example.com>"), true, ENVELOPE_OK, AE "@example.com" },
    { SLICE("TO:<" AE "@example.com>"), false, ENVELOPE_NOT_UTF8, AE "@example.com" },
    { SLICE("TO:<\"" AE " x\"@example.com>"), true, ENVELOPE_OK, "\"" AE " x\"@example.com" },
    { SLICE("TO:<\xff@example.com>"), true, BAD, NULL },
};

/* Mailboxes that stand alone; `local` is the length of the local part, 0 for a refusal. */
/* What LMTP takes besides: MAIL and RCPT, the address behind the colon, and how much of it is the local part. */
static const struct {
    struct slice path;
    enum envelope_status status;
    const char *address;
    size_t local;
} locals[] = {
    { SLICE("<unknown>"), ENVELOPE_OK, "unknown", 7 },
    { SLICE("unknown"), ENVELOPE_OK, "unknown", 7 },
    { SLICE("<\"quo ted\">"), ENVELOPE_OK, "\"quo ted\"", 9 },
    { SLICE("<\xc3\xa4@example.com>"), ENVELOPE_OK, "\xc3\xa4@example.com", 2 },
    { SLICE("<\xc3\xa4>"), ENVELOPE_OK, "\xc3\xa4", 2 },
    { SLICE("<a@example.com>"), ENVELOPE_OK, "a@example.com", 1 },
    { SLICE("<two words>"), ENVELOPE_BAD_ADDRESS, NULL, 0 },
    { SLICE("<user> ORCPT=rfc822;user"), ENVELOPE_UNKNOWN, NULL, 0 },
    { SLICE("<a@>"), ENVELOPE_BAD_ADDRESS, NULL, 0 },
    { SLICE("<\xc3@example.com>"), ENVELOPE_BAD_ADDRESS, NULL, 0 },
};

static const struct {
    struct slice text;
    size_t local;
} mailboxes[] = {
    { SLICE("a@b"), 1 },
    { SLICE("a.b.c@example.com"), 5 },
    { SLICE("!#$%&'*+-/=?^_`{|}~@example.com"), 19 },
    { SLICE("0@0.example"), 1 },
    { SLICE("user+tag@example.com"), 8 },
    { SLICE("a@xn--4ca.example"), 1 },
    { SLICE(".a@example.com"), 2 },
    { SLICE("a.@example.com"), 2 },
    { SLICE("a..b@example.com"), 4 },
    { SLICE("..@example.com"), 0 },
    { SLICE(".@example.com"), 0 },
    { SLICE("@example.com"), 0 },
    { SLICE("a@"), 0 },
    { SLICE("a"), 0 },
    { SLICE(""), 0 },
    { SLICE("postmaster"), 0 },
    { SLICE("a@@example.com"), 0 },
    { SLICE("a@b@example.com"), 0 },
    { SLICE("a b@example.com"), 0 },
    { SLICE("a@example.com "), 0 },
    { SLICE(" a@example.com"), 0 },
    { SLICE("(x)a@example.com"), 0 },
    { SLICE("a,b@example.com"), 0 },
    { SLICE("a;b@example.com"), 0 },
    { SLICE("a:b@example.com"), 0 },
    { SLICE("a[b@example.com"), 0 },
    { SLICE("a\\b@example.com"), 0 },
    { SLICE("a\0b@example.com"), 0 },
    { SLICE("a\rb@example.com"), 0 },
    { SLICE("a\nb@example.com"), 0 },
    { SLICE("a\x7f@example.com"), 0 },

    { SLICE("\"a\"@example.com"), 3 },
    { SLICE("\"\"@example.com"), 2 },
    { SLICE("\"a b\"@example.com"), 5 },
    { SLICE("\"a@b\"@example.com"), 5 },
    { SLICE("\"<a>,;:()[]\"@example.com"), 12 },
    { SLICE("\"a\\\"b\"@example.com"), 6 },
    { SLICE("\"a\\\\\"@example.com"), 5 },
    { SLICE("\"\\a\"@example.com"), 4 },
    { SLICE("\"a\\\"@example.com"), 0 },
    { SLICE("\"a@example.com"), 0 },
    { SLICE("a\"@example.com"), 0 },
    { SLICE("\"a\"b@example.com"), 0 },
    { SLICE("a\"b\"@example.com"), 0 },
    { SLICE("\"a\".b@example.com"), 0 },
    { SLICE("\"a\tb\"@example.com"), 0 },
    { SLICE("\"a\nb\"@example.com"), 0 },
    { SLICE("\"a\\\nb\"@example.com"), 0 },
    { SLICE("\"a\0b\"@example.com"), 0 },
    { SLICE("\"\\" AE "\"@example.com"), 0 },

    { SLICE("a@example."), 1 },
    { SLICE("a@example.com."), 1 },
    { SLICE("a@example.com.."), 0 },
    { SLICE("a@."), 0 },
    { SLICE("a@" D255 "."), 1 },
    { SLICE("a@.example"), 0 },
    { SLICE("a@a..example"), 0 },
    { SLICE("a@-a.example"), 0 },
    { SLICE("a@a-.example"), 0 },
    { SLICE("a@a--b.example"), 1 },
    { SLICE("a@a_b.example"), 1 },
    { SLICE("a@_a.b_"), 1 },
    { SLICE("a@" X10(AE AE AE AE) ".example"), 1 }, /* how long it is for the DNS is another question */
    { SLICE("a@a b.example"), 0 },
    { SLICE("a@" L63 ".example"), 1 },
    { SLICE("a@" L63 "d.example"), 0 },
    { SLICE("a@" D255), 1 },
    { SLICE("a@" L63 "." L63 "." L63 "." X10("abcdef") "ab.c"), 0 }, /* 256 bytes */
    { SLICE(LOCAL64 "@example.com"), 64 },
    { SLICE(LOCAL64 "@" D255), 64 },
    { SLICE(LOCAL64 "y@" D255), 0 },
    { SLICE(LOCAL64 "y@example.com"), 65 }, /* tolerated where it fits, as envelope.h says */

    { SLICE("a@[192.0.2.1]"), 1 },
    { SLICE("a@[IPv6:2001:db8::1]"), 1 },
    { SLICE("a@[ipv6:::1]"), 1 },
    { SLICE("a@[IPv6:::ffff:192.0.2.1]"), 1 },
    { SLICE("a@[Tag:content]"), 1 },
    { SLICE("a@[x-tag-1:!content!]"), 1 },
    { SLICE("a@[192.0.2.1"), 0 },
    { SLICE("a@192.0.2.1]"), 0 },
    { SLICE("a@[192.0.2]"), 0 },
    { SLICE("a@[192.0.2.256]"), 0 },
    { SLICE("a@[192.0.2.1]x"), 0 },
    { SLICE("a@[192.0.2.1].example"), 0 },
    { SLICE("a@[]"), 0 },
    { SLICE("a@[ 192.0.2.1]"), 0 },
    { SLICE("a@[2001:db8::1]"), 1 }, /* a general literal with the tag 2001: no better known to the grammar */
    { SLICE("a@[::1]"), 0 },
    { SLICE("a@[IPv6:]"), 0 },
    { SLICE("a@[IPv6:192.0.2.1]"), 0 },
    { SLICE("a@[IPv6:2001:db8::1::2]"), 0 },
    { SLICE("a@[IPv6:1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]"), 0 },
    { SLICE("a@[Tag:]"), 0 },
    { SLICE("a@[:content]"), 0 },
    { SLICE("a@[Tag-:content]"), 0 },
    { SLICE("a@[!a:content]"), 0 },
    { SLICE("a@[T!g:content]"), 0 },
    { SLICE("a@[Tag:con[tent]"), 0 },
    { SLICE("a@[Tag:con\\tent]"), 0 },
    { SLICE("a@[Tag:con tent]"), 0 },

    { SLICE(AE "@example.com"), 2 },
    { SLICE("a." AE "." AE "@" AE ".example"), 7 },
    { SLICE("\xf0\x9f\x93\xa7@example.com"), 4 },
    { SLICE("\xc3@example.com"), 0 },
    { SLICE("a@\xc3"), 0 },
    { SLICE("a@[\xc3\xa4:x]"), 0 },
};

/* One character of UTF-8 (RFC 3629 4), with what follows it. */
static const struct {
    struct slice text;
    size_t length;
} characters[] = {
    { SLICE(""), 0 },
    { SLICE("a"), 1 },
    { SLICE("\0"), 1 },
    { SLICE("\x7fx"), 1 },
    { SLICE("\x80"), 0 },
    { SLICE("\xbf\xbf"), 0 },
    { SLICE("\xc0\x80"), 0 }, /* overlong */
    { SLICE("\xc1\xbf"), 0 },
    { SLICE("\xc2\x80"), 2 },
    { SLICE("\xc2"), 0 },
    { SLICE("\xc2\x7f"), 0 },
    { SLICE("\xc2\xc0"), 0 },
    { SLICE("\xdf\xbfx"), 2 },
    { SLICE("\xe0\x9f\xbf"), 0 }, /* overlong */
    { SLICE("\xe0\xa0\x80"), 3 },
    { SLICE("\xe2\x82\xac"), 3 },
    { SLICE("\xe2\x82"), 0 },
    { SLICE("\xe2\x82\x28"), 0 },
    { SLICE("\xed\x9f\xbf"), 3 },
    { SLICE("\xed\xa0\x80"), 0 }, /* a surrogate */
    { SLICE("\xed\xbf\xbf"), 0 },
    { SLICE("\xef\xbf\xbf"), 3 },
    { SLICE("\xf0\x8f\xbf\xbf"), 0 }, /* overlong */
    { SLICE("\xf0\x90\x80\x80"), 4 },
    { SLICE("\xf0\x90\x80"), 0 },
    { SLICE("\xf4\x8f\xbf\xbf"), 4 },
    { SLICE("\xf4\x90\x80\x80"), 0 }, /* beyond U+10FFFF */
    { SLICE("\xf5\x80\x80\x80"), 0 },
    { SLICE("\xff"), 0 },
};

static const struct {
    struct slice text;
    bool good;
} helos[] = {
    { SLICE("client.example"), true },
    { SLICE("[192.0.2.1]"), true },
    { SLICE("x"), true },
    { SLICE("_odd!but~printable"), true },
    { SLICE(D255), true },
    { SLICE(D255 "x"), true },
    { SLICE(""), false },
    { SLICE("a b"), true },
    { SLICE("a\tb"), false },
    { SLICE("a\0b"), false },
    { SLICE("a\x7f"), false },
    { SLICE(AE ".example"), true },
    { SLICE("\xe4.example"), true },
};

static const struct {
    struct slice text;
    bool good;
} domains[] = {
    { SLICE("example.com"), true },
    { SLICE("a"), true },
    { SLICE("1.2.3.4"), true },
    { SLICE(AE ".example"), true },
    { SLICE(D255), true },
    { SLICE(""), false },
    { SLICE("example.com."), false },
    { SLICE("[192.0.2.1]"), false },
    { SLICE("a b"), false },
    { SLICE("a/b"), false },
};

static void test_prdr(void)
{
    static const struct {
        struct slice argument;
        enum envelope_status status;
        bool lmtp, prdr;
    } rows[] = {
        { SLICE("FROM:<a@example.com> PRDR"), ENVELOPE_OK, false, true },
        { SLICE("FROM:<> SIZE=1 prdr BODY=7BIT"), ENVELOPE_OK, false, true },
        { SLICE("FROM:<a@example.com>"), ENVELOPE_OK, false, false },
        { SLICE("FROM:<a@example.com> PRDR=x"), ENVELOPE_BAD_VALUE, false, false },
        { SLICE("FROM:<a@example.com> PRDR PRDR"), ENVELOPE_BAD_VALUE, false, false },
        { SLICE("FROM:<a@example.com> PRDR"), ENVELOPE_UNKNOWN, true, false },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mail_argument mail;
        enum envelope_status status = envelope_mail(rows[i].argument, rows[i].lmtp, &mail);

        ok(status == rows[i].status && (status != ENVELOPE_OK || mail.prdr == rows[i].prdr), "MAIL %s%s: PRDR",
           show(rows[i].argument), rows[i].lmtp ? " in LMTP" : "");
    }
}

void test_envelope(void)
{
    for (size_t i = 0; i < COUNT(mails); i++) {
        struct mail_argument mail;
        const char *shown = show(mails[i].argument);
        enum envelope_status status = envelope_mail(mails[i].argument, false, &mail);

        if (!ok_number(status, mails[i].status, "MAIL %s", shown) || mails[i].status != ENVELOPE_OK)
            continue;
        if (mails[i].sender != NULL)
            ok_text(address_slice(&mail.sender), slice_of(mails[i].sender), "MAIL %s: sender", shown);
        ok_number(mail.size, mails[i].size, "MAIL %s: SIZE", shown);
        ok(mail.eight_bit == mails[i].eight_bit, "MAIL %s: BODY", shown);
        ok(mail.smtputf8 == mails[i].smtputf8, "MAIL %s: SMTPUTF8", shown);
    }
    test_prdr();
    for (size_t i = 0; i < COUNT(rcpts); i++) {
        struct address address;
        const char *shown = show(rcpts[i].argument);
        enum envelope_status status = envelope_rcpt(rcpts[i].argument, false, rcpts[i].smtputf8, &address);

        ok_number(status, rcpts[i].status, "RCPT %s", shown);
        if (rcpts[i].recipient != NULL)
            ok_text(address_slice(&address), slice_of(rcpts[i].recipient), "RCPT %s: recipient", shown);
    }
    for (size_t i = 0; i < COUNT(locals); i++) {
        const char *shown = show(locals[i].path);
        char argument[128];
        struct mail_argument mail;
        struct address address;

        (void)snprintf(argument, sizeof argument, "FROM:%s", locals[i].path.text);
        if (ok_number(envelope_mail(slice_of(argument), true, &mail), locals[i].status, "LMTP: MAIL FROM:%s", shown) &&
            locals[i].address != NULL) {
            ok_text(address_slice(&mail.sender), slice_of(locals[i].address), "LMTP: sender %s", shown);
            ok_number(mail.sender.local_len, locals[i].local, "LMTP: local part of sender %s", shown);
        }
        (void)snprintf(argument, sizeof argument, "TO:%s", locals[i].path.text);
        if (ok_number(envelope_rcpt(slice_of(argument), true, false, &address), locals[i].status, "LMTP: RCPT TO:%s",
                      shown) && locals[i].address != NULL) {
            ok_text(address_slice(&address), slice_of(locals[i].address), "LMTP: recipient %s", shown);
            ok_number(address.local_len, locals[i].local, "LMTP: local part of recipient %s", shown);
        }
    }
    for (size_t i = 0; i < COUNT(mailboxes); i++) {
        struct slice text = mailboxes[i].text;
        struct address address = { .len = 0 };
        bool good = envelope_mailbox(text, &address);

        ok(good == (mailboxes[i].local > 0), "mailbox %s is %s", show(text), mailboxes[i].local > 0 ? "good" : "bad");
        if (!good || mailboxes[i].local == 0)
            continue;
        ok_text(address_slice(&address), text, "mailbox %s: kept as written", show(text));
        ok_number(address.local_len, mailboxes[i].local, "mailbox %s: local part", show(text));
        ok_text(address_domain(&address),
                (struct slice){ text.text + mailboxes[i].local + 1, text.len - mailboxes[i].local - 1 },
                "mailbox %s: domain", show(text));
        ok(address.text[address.len] == '\0', "mailbox %s: ends in NUL", show(text));
    }
    for (size_t i = 0; i < COUNT(characters); i++)
        ok_number(utf8_length(characters[i].text), characters[i].length, "UTF-8 \"%s\"", show(characters[i].text));
    for (size_t i = 0; i < COUNT(helos); i++)
        ok(envelope_helo(helos[i].text) == helos[i].good, "HELO %s is %s", show(helos[i].text),
           helos[i].good ? "good" : "bad");
    for (size_t i = 0; i < COUNT(domains); i++)
        ok(envelope_domain(domains[i].text) == domains[i].good, "domain %s is %s", show(domains[i].text),
           domains[i].good ? "good" : "bad");
}
