/* wire.c - unit tests of wire.h: RFC 1035 4, RFC 1034 3.6.2, RFC 7505 */
#include "dns/wire.h"

#include "unit.h"

#define NAME "\1a\7example\0"
#define ASKED "\xc0\x0c" /* a pointer to the name of the question */
#define A(owner, address) owner "\0\1\0\1\0\0\0\x3c\0\4" address
#define AAAA(owner, address) owner "\0\x1c\0\1\0\0\0\x3c\0\x10" address
#define CNAME(owner, len, target) owner "\0\5\0\1\0\0\0\x3c\0" len target
#define PTR(len, target) ASKED "\0\x0c\0\1\0\0\0\x3c\0" len target
#define MX(len, host) ASKED "\0\x0f\0\1\0\0\0\x3c\0" len "\0\x0a" host
#define TXT(len, strings) ASKED "\0\x10\0\1\0\0\0\x3c\0" len strings
#define SEVEN "\xc0\0\2\7" /* 192.0.2.7 */

/* Flags, number of records and records of an answer about a.example; what it says, and how often. */
static const struct {
    const char *what;
    enum answer_type type;
    unsigned flags, records;
    struct slice bytes;
    enum answer_status status;
    size_t count;
    const char *text; /* the first name, address or text, NULL: it does not matter */
} answers[] = {
    { "an address", ANSWER_A, 0x8180, 1, SLICE(A(ASKED, SEVEN)), ANSWER_FOUND, 1, SEVEN },
    { "two of them", ANSWER_A, 0x8180, 2, SLICE(A(ASKED, SEVEN) A(ASKED, "\xc0\0\2\x08")), ANSWER_FOUND, 2, SEVEN },
    { "owner in capitals", ANSWER_A, 0x8180, 1, SLICE(A("\1A\7eXAMPLE\0", SEVEN)), ANSWER_FOUND, 1, SEVEN },
    { "IPv6", ANSWER_AAAA, 0x8180, 1, SLICE(AAAA(ASKED, "0123456789abcdef")), ANSWER_FOUND, 1, "0123456789abcdef" },
    { "nothing", ANSWER_A, 0x8180, 0, SLICE(""), ANSWER_NONE, 0, NULL },
    { "NXDOMAIN", ANSWER_A, 0x8183, 0, SLICE(""), ANSWER_NONE, 0, NULL },
    { "another type", ANSWER_A, 0x8180, 1, SLICE(AAAA(ASKED, "0123456789abcdef")), ANSWER_NONE, 0, NULL },
    { "another name", ANSWER_A, 0x8180, 1, SLICE(A("\1b\xc0\x0e", SEVEN)), ANSWER_NONE, 0, NULL },
    { "another class", ANSWER_A, 0x8180, 1, SLICE(ASKED "\0\1\0\3\0\0\0\x3c\0\4" SEVEN), ANSWER_NONE, 0, NULL },

    { "an alias", ANSWER_A, 0x8180, 2, SLICE(CNAME(ASKED, "\4", "\1b\xc0\x0e") A("\1b\xc0\x0e", SEVEN)), ANSWER_FOUND, 1, SEVEN },
    { "an alias behind what it leads to", ANSWER_A, 0x8180, 2, SLICE(A("\1b\xc0\x0e", SEVEN) CNAME(ASKED, "\4", "\1b\xc0\x0e")),
      ANSWER_FOUND, 1, SEVEN },
    { "an alias to nothing", ANSWER_A, 0x8180, 1, SLICE(CNAME(ASKED, "\4", "\1b\xc0\x0e")), ANSWER_NONE, 0, NULL },
    { "an alias of another name", ANSWER_A, 0x8180, 2, SLICE(CNAME("\1c\xc0\x0e", "\4", "\1b\xc0\x0e") A("\1b\xc0\x0e", SEVEN)),
      ANSWER_NONE, 0, NULL },
    { "an alias of itself", ANSWER_A, 0x8180, 1, SLICE(CNAME(ASKED, "\2", ASKED)), ANSWER_UNSURE, 0, NULL },
    { "an alias that ends behind its data", ANSWER_A, 0x8180, 2, SLICE(CNAME(ASKED, "\3", "\1b\xc0\x0e") A(ASKED, SEVEN)),
      ANSWER_UNSURE, 0, NULL },

    { "a name", ANSWER_PTR, 0x8180, 1, SLICE(PTR("\x0b", "\1B\7Example\0")), ANSWER_FOUND, 1, "b.example" },
    { "names that are none", ANSWER_PTR, 0x8180, 3, SLICE(PTR("\1", "\0") PTR("\5", "\3b.c\0") PTR("\5", "\3b\nc\0")), ANSWER_NONE, 0, NULL },
    { "eleven names", ANSWER_PTR, 0x8180, 11, SLICE(X10(PTR("\4", "\1b\xc0\x0e")) PTR("\4", "\1c\xc0\x0e")), ANSWER_FOUND, 10, "b.example" },
    { "a name that does not end", ANSWER_PTR, 0x8180, 1, SLICE(PTR("\2", "\1b")), ANSWER_UNSURE, 0, NULL },
    { "a name that leads to itself", ANSWER_PTR, 0x8180, 1, SLICE(PTR("\2", "\xc0\x27")), ANSWER_UNSURE, 0, NULL },
    { "a label of a kind that nobody uses", ANSWER_PTR, 0x8180, 1, SLICE(PTR("\3", "\x41x\0")), ANSWER_UNSURE, 0, NULL },

    { "a mail host", ANSWER_MX, 0x8180, 1, SLICE(MX("\6", "\1b\xc0\x0e")), ANSWER_FOUND, 1, NULL },
    { "texts", ANSWER_TXT, 0x8180, 1, SLICE(TXT("\6", "\2a\n\2\"c")), ANSWER_FOUND, 1, "a?\"c" },
    { "an empty text", ANSWER_TXT, 0x8180, 1, SLICE(TXT("\1", "\0")), ANSWER_FOUND, 1, "" },
    { "a text that ends behind its data", ANSWER_TXT, 0x8180, 1, SLICE(TXT("\3", "\3ab")), ANSWER_UNSURE, 0, NULL },

    { "fewer records than it says", ANSWER_A, 0x8180, 2, SLICE(A(ASKED, SEVEN)), ANSWER_UNSURE, 0, NULL },
    { "more records than it says", ANSWER_A, 0x8180, 1, SLICE(A(ASKED, SEVEN) "x"), ANSWER_FOUND, 1, SEVEN },
    { "a long address", ANSWER_A, 0x8180, 1, SLICE(ASKED "\0\1\0\1\0\0\0\x3c\0\5" SEVEN "x"), ANSWER_UNSURE, 0, NULL },
    { "SERVFAIL", ANSWER_A, 0x8182, 1, SLICE(A(ASKED, SEVEN)), ANSWER_UNSURE, 0, NULL },
    { "REFUSED", ANSWER_A, 0x8185, 1, SLICE(A(ASKED, SEVEN)), ANSWER_UNSURE, 0, NULL },
    { "a truncated one", ANSWER_A, 0x8380, 1, SLICE(A(ASKED, SEVEN)), ANSWER_UNSURE, 0, NULL },
    { "a question", ANSWER_A, 0x0100, 1, SLICE(A(ASKED, SEVEN)), ANSWER_UNSURE, 0, NULL },
    { "an answer to something else", ANSWER_A, 0xa180, 1, SLICE(A(ASKED, SEVEN)), ANSWER_UNSURE, 0, NULL },
};

static size_t build(unsigned char *message, enum answer_type type, unsigned flags, unsigned records, struct slice bytes)
{
    const unsigned char head[] = { 0, 0, (unsigned char)(flags >> 8), (unsigned char)flags, 0, 1, 0,
                                   (unsigned char)records, 0, 0, 0, 0 };
    const unsigned char tail[] = { 0, (unsigned char)type, 0, 1 };
    size_t at = sizeof head;

    memcpy(message, head, sizeof head);
    memcpy(message + at, NAME, sizeof NAME - 1);
    at += sizeof NAME - 1;
    memcpy(message + at, tail, sizeof tail);
    at += sizeof tail;
    memcpy(message + at, bytes.text, bytes.len);
    return at + bytes.len;
}

static void test_table(void)
{
    for (size_t i = 0; i < COUNT(answers); i++) {
        unsigned char message[512];
        struct answer answer;
        size_t len = build(message, answers[i].type, answers[i].flags, answers[i].records, answers[i].bytes);

        wire_read(message, len, answers[i].type, "a.example", &answer);
        ok_number(answer.status, answers[i].status, "%s", answers[i].what);
        if (answers[i].status != ANSWER_UNSURE)
            ok_number(answer.count, answers[i].count, "... %zu of them", answers[i].count);
        if (answers[i].text != NULL)
            ok_text((struct slice){ answer.text, strlen(answers[i].text) }, slice_of(answers[i].text), "... as it is");
    }
}

/* Whatever is missing at its end, an answer is not taken for a whole one. */
static void test_cut(void)
{
    unsigned char message[512];
    size_t len = build(message, ANSWER_A, 0x8180, 1, BYTES(A(ASKED, SEVEN)));
    struct answer answer;
    size_t unsure = 0;

    for (size_t i = 0; i < len; i++) {
        wire_read(message, i, ANSWER_A, "a.example", &answer);
        unsure += answer.status == ANSWER_UNSURE;
    }
    ok_number(unsure, len, "an answer that is cut says nothing");
    wire_read(message, len, ANSWER_A, "b.example", &answer);
    ok_number(answer.status, ANSWER_UNSURE, "nor does one about another name");
    wire_read(message, len, ANSWER_AAAA, "a.example", &answer);
    ok_number(answer.status, ANSWER_UNSURE, "or about another type");
    wire_read(message, len, ANSWER_A, "A.EXAMPLE", &answer);
    ok_number(answer.status, ANSWER_FOUND, "names have no case");
}

static void test_null_mx(void)
{
    static const struct {
        struct slice records;
        unsigned count;
        bool null;
    } hosts[] = {
        { SLICE(MX("\3", "\0")), 1, true },
        { SLICE(MX("\6", "\1b\xc0\x0e")), 1, false },
        { SLICE(MX("\3", "\0") MX("\6", "\1b\xc0\x0e")), 2, false },
        { SLICE(MX("\6", "\1b\xc0\x0e") MX("\3", "\0")), 2, false },
    };

    for (size_t i = 0; i < COUNT(hosts); i++) {
        unsigned char message[512];
        struct answer answer;
        size_t len = build(message, ANSWER_MX, 0x8180, hosts[i].count, hosts[i].records);

        wire_read(message, len, ANSWER_MX, "a.example", &answer);
        ok(answer.status == ANSWER_FOUND && answer.null_mx == hosts[i].null, "mail hosts %zu: %s", i,
           hosts[i].null ? "none is wanted" : "there is one");
    }
}

/* A record whose preference is `low`, for a name of one letter. */
#define HOST(low, letter) ASKED "\0\x0f\0\1\0\0\0\x3c\0\6\0" low "\1" letter "\xc0\x0e"

static void test_mail_hosts(void)
{
    static const struct {
        struct slice records;
        unsigned count;
        const char *order; /* first letters, '-' for a name that is none */
    } hosts[] = {
        { SLICE(HOST("\5", "b") HOST("\1", "c") HOST("\3", "d")), 3, "cdb" },
        { SLICE(HOST("\5", "b") HOST("\5", "c") HOST("\1", "d") HOST("\5", "e")), 4, "dbce" },
        { SLICE(HOST("\2", " ") HOST("\1", "b") MX("\3", "\0")), 3, "b--" },
        { SLICE(HOST("\7", "a") HOST("\7", "b") HOST("\7", "c") HOST("\7", "d") HOST("\7", "e") HOST("\7", "f") HOST("\7", "g")
                HOST("\7", "h") HOST("\7", "i") HOST("\7", "j") HOST("\7", "k") HOST("\1", "l")), 12, "labcdefghi" },
    };

    for (size_t i = 0; i < COUNT(hosts); i++) {
        char order[ANSWER_NAMES];
        unsigned char message[512];
        struct answer answer;
        size_t len = build(message, ANSWER_MX, 0x8180, hosts[i].count, hosts[i].records);

        wire_read(message, len, ANSWER_MX, "a.example", &answer);
        for (size_t j = 0; j < answer.count; j++)
            order[j] = (char)(answer.names[j][0] != '\0' ? answer.names[j][0] : '-');
        ok_text((struct slice){ order, answer.count }, slice_of(hosts[i].order), "the order of mail hosts %zu", i);
    }
}

void test_wire(void)
{
    test_mail_hosts();
    test_table();
    test_cut();
    test_null_mx();
}
