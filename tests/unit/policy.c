/* policy.c - unit tests of handlers/: what policy services are asked and answer, fields that they add */
#include <stdio.h>
#include <string.h>

#include "handlers/field.h"
#include "handlers/policy_answer.h"
#include "handlers/policy_request.h"

#include "unit.h"

/* ---- answers ----------------------------------------------------------------------------- */

static const struct {
    struct slice bytes;
    enum policy_progress progress;
    const char *action;
    size_t rest; /* bytes that are not the answer's */
} answers[] = {
    { BYTES("action=DUNNO\n\n"), POLICY_DONE, "DUNNO", 0 },
    { BYTES("action=DUNNO\r\n\r\n"), POLICY_DONE, "DUNNO", 0 },
    { BYTES("action= reject  Go away \t\n\n"), POLICY_DONE, "reject  Go away", 0 },
    { BYTES("action=\n\n"), POLICY_DONE, "", 0 },
    { BYTES("ttl=3\naction=OK\nx=y=z\n=\n\n"), POLICY_DONE, "OK", 0 },
    { BYTES("action=OK\naction=REJECT\n\n"), POLICY_DONE, "OK", 0 },
    { BYTES("action=OK\n\n\n"), POLICY_DONE, "OK", 1 },
    { BYTES("action=OK\n\naction=REJECT\n\n"), POLICY_DONE, "OK", 15 },
    { BYTES("action=a=b\n\n"), POLICY_DONE, "a=b", 0 },
    { BYTES("Action=OK\n\n"), POLICY_NONSENSE, "", 0 },
    { BYTES(" action=OK\n\n"), POLICY_NONSENSE, "", 0 },
    { BYTES("\n"), POLICY_NONSENSE, "", 0 },
    { BYTES("x=y\n\n"), POLICY_NONSENSE, "", 0 },
    { BYTES("action\n"), POLICY_NONSENSE, "", 0 },
    { BYTES("220 mail.example.com ESMTP\r\n"), POLICY_NONSENSE, "", 0 },
    { BYTES("action=O\0K\n\n"), POLICY_NONSENSE, "", 3 },
    { BYTES("action=OK\n"), POLICY_MORE, "OK", 0 },
    { BYTES("action=OK"), POLICY_MORE, "", 0 },
    { BYTES(""), POLICY_MORE, "", 0 },
};

static void test_answers(size_t piece)
{
    static struct policy_answer answer;

    for (size_t i = 0; i < COUNT(answers); i++) {
        struct slice rest = answers[i].bytes;
        enum policy_progress progress = POLICY_MORE;
        size_t used;

        policy_answer_begin(&answer);
        while (rest.len > 0 && progress == POLICY_MORE) {
            progress = policy_answer_feed(&answer, (struct slice){ rest.text, rest.len < piece ? rest.len : piece }, &used);
            rest.text += used;
            rest.len -= used;
        }
        ok(progress == answers[i].progress && rest.len == answers[i].rest &&
           slice_equal((struct slice){ answer.action, answer.action_len }, slice_of(answers[i].action)),
           "%zu bytes at once: answer \"%s\"", piece, show(answers[i].bytes));
    }
}

/* Feeds a text again and again, up to `most` times. */
static enum policy_progress feed_many(struct policy_answer *answer, struct slice text, size_t most)
{
    enum policy_progress progress = POLICY_MORE;
    size_t used;

    for (size_t i = 0; i < most && progress == POLICY_MORE; i++)
        progress = policy_answer_feed(answer, text, &used);
    return progress;
}

static void test_sizes(void)
{
    static struct policy_answer answer;

    policy_answer_begin(&answer);
    ok(feed_many(&answer, BYTES("x"), POLICY_LINE) == POLICY_MORE, "a line of POLICY_LINE bytes is taken");
    ok(feed_many(&answer, BYTES("x"), 1) == POLICY_NONSENSE, "a longer one is nonsense");
    policy_answer_begin(&answer);
    ok(feed_many(&answer, BYTES("a=b\n"), POLICY_ANSWER / 4) == POLICY_MORE, "so is no answer of POLICY_ANSWER bytes");
    ok(feed_many(&answer, BYTES("\n"), 1) == POLICY_NONSENSE, "but a longer one");
}

/* ---- actions ----------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum policy_act act;
    unsigned code;
    const char *status, *rest;
} actions[] = {
    { "OK", POLICY_PASS, 0, "", "" },
    { "ok all fine", POLICY_PASS, 0, "", "all fine" },
    { "Permit", POLICY_PASS, 0, "", "" },
    { "dunno NULL (<>) Sender", POLICY_PASS, 0, "", "NULL (<>) Sender" },
    { "", POLICY_PASS, 0, "", "" },
    { "  ", POLICY_PASS, 0, "", "" },
    { "200", POLICY_PASS, 0, "", "" },
    { "12345", POLICY_PASS, 0, "", "" },
    { "399", POLICY_PASS, 0, "", "" },
    { "600", POLICY_PASS, 0, "", "" },
    { "REJECT", POLICY_REFUSE, 554, "7.1", "" },
    { "reject  Go away", POLICY_REFUSE, 554, "7.1", "Go away" },
    { " REJECT\t5.7.9  Go away", POLICY_REFUSE, 554, "7.9", "Go away" },
    { "REJECT 4.7.9 Go away", POLICY_REFUSE, 554, "7.9", "Go away" },
    { "REJECT 5.7.9", POLICY_REFUSE, 554, "7.9", "" },
    { "REJECT 5.7.9x", POLICY_REFUSE, 554, "7.1", "5.7.9x" },
    { "DEFER later", POLICY_REFUSE, 450, "7.1", "later" },
    { "defer_if_permit 4.2.0 Greylisted", POLICY_DEFER_IF_PERMIT, 450, "2.0", "Greylisted" },
    { "DEFER_IF_REJECT", POLICY_DEFER_IF_REJECT, 450, "7.1", "" },
    { "550", POLICY_REFUSE, 550, "7.1", "" },
    { "550 5.7.23 SPF fail", POLICY_REFUSE, 550, "7.23", "SPF fail" },
    { "450 wait", POLICY_REFUSE, 450, "7.1", "wait" },
    { "421 4.3.2 bye", POLICY_REFUSE, 421, "3.2", "bye" },
    { "599 odd", POLICY_REFUSE, 599, "7.1", "odd" },
    { "400", POLICY_REFUSE, 400, "7.1", "" },
    { "250 fine", POLICY_UNKNOWN, 0, "", "250 fine" },
    { "5500 x", POLICY_UNKNOWN, 0, "", "5500 x" },
    { "PREPEND X-Test: a b", POLICY_PREPEND, 0, "", "X-Test: a b" },
    { "prepend", POLICY_PREPEND, 0, "", "" },
    { "REDIRECT other@example.com", POLICY_REDIRECT, 0, "", "other@example.com" },
    { "bcc other@example.com", POLICY_BCC, 0, "", "other@example.com" },
    { "DISCARD why", POLICY_DISCARD, 0, "", "why" },
    { "HOLD", POLICY_HOLD, 0, "", "" },
    { "INFO a", POLICY_INFO, 0, "", "a" },
    { "WARN b", POLICY_WARN, 0, "", "b" },
    { "FILTER smtp:[192.0.2.1]", POLICY_UNKNOWN, 0, "", "FILTER smtp:[192.0.2.1]" },
    { "OKAY", POLICY_UNKNOWN, 0, "", "OKAY" },
};

static void test_actions(void)
{
    for (size_t i = 0; i < COUNT(actions); i++) {
        struct policy_action action = policy_action_read(slice_of(actions[i].text));

        ok(action.act == actions[i].act && action.code == actions[i].code &&
           slice_equal(action.status, slice_of(actions[i].status)) && slice_equal(action.text, slice_of(actions[i].rest)),
           "action \"%s\"", actions[i].text);
    }
}

/* ---- fields ------------------------------------------------------------------------------ */

#define X70 X10("x") X10("x") X10("x") X10("x") X10("x") X10("x") X10("x")
#define X500 X10(X10("x") X10("x") X10("x") X10("x") X10("x"))

static const struct {
    const char *field, *lines; /* NULL: it is none */
} fields[] = {
    { "X-Test: a", "X-Test: a\n" },
    { "X-Test:a", "X-Test:a\n" },
    { "X-Test:", "X-Test:\n" },
    { "X-Test: ", "X-Test:\n" },
    { "X-Test: a  b ", "X-Test: a  b\n" },
    { "X: " X70 " yyyyyy", "X: " X70 "\n yyyyyy\n" },
    { "X: " X70 " yyyy", "X: " X70 " yyyy\n" },
    { "X: " X70 "xxxxxxxxxxxx y", "X: " X70 "xxxxxxxxxxxx\n y\n" },
    { "X: a " X70 X70 "\tb", "X: a\n " X70 X70 "\n\tb\n" },
    { "X: a   \t   " X70, "X: a\n   \t   " X70 "\n" },
    { "X:" X70 " " X70 " " X70, "X:" X70 "\n " X70 "\n " X70 "\n" },
    { "X-\303\244: a", NULL },
    { "X-Test: \303\244", "X-Test: \303\244\n" },
    { "X Test: a", NULL },
    { "X-Test : a", NULL },
    { " X-Test: a", NULL },
    { ": a", NULL },
    { "X-Test", NULL },
    { "", NULL },
    { "X-Test: a\rY: b", NULL },
    { "X-Test: a\nY: b", NULL },
    { "X-Test: \001", NULL },
    { "X-Test: \177", NULL },
    { "X-Test: " X500 X500, NULL },
    { "X-Test: " X500, "X-Test: " X500 "\n" },
};

static void test_fields(void)
{
    for (size_t i = 0; i < COUNT(fields); i++) {
        char bytes[1024];
        struct text out = { bytes, sizeof bytes, 0 };
        bool is_field = field_fold(slice_of(fields[i].field), &out);

        ok(is_field == (fields[i].lines != NULL), "%.40s is %s", show(slice_of(fields[i].field)), is_field ? "a field" : "none");
        ok_text(text_slice(&out), slice_of(fields[i].lines != NULL ? fields[i].lines : ""), "what is written of it");
    }
    for (size_t size = 0; size <= 10; size++) {
        char bytes[10];
        struct text out = { bytes, size, 0 };

        ok(field_fold(slice_of("X: a b c"), &out) == (size >= 9) && out.len == (size >= 9 ? 9 : 0),
           "a field of 9 bytes and room of %zu", size);
    }
}

/* ---- requests ---------------------------------------------------------------------------- */

static struct address address_of(const char *text)
{
    struct address address = { .len = 0 };

    (void)envelope_mailbox(slice_of(text), &address);
    return address;
}

static void ok_request(const struct policy_facts *facts, const char *wanted, const char *what)
{
    char bytes[POLICY_REQUEST];
    struct text out = { bytes, sizeof bytes, 0 };

    policy_request_write(facts, &out);
    ok_text(text_slice(&out), slice_of(wanted), "%s", what);
}

static void test_requests(void)
{
    struct client client = { .family = AF_INET, .address = "192.0.2.7", .port = 4711, .server_address = "192.0.2.1",
                             .server_port = 25, .name = "client.example", .user = "ann",
                             .tls = { .protocol = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256",
                                      .subject = "O=a\\,CN=b,CN=Ann\\, the first,C=DE", .fingerprint = "00ab9f" } };
    const struct client local = { .family = AF_UNSPEC, .address = "local", .name = "unknown" };
    const struct address sender = address_of("\"a \\\"b=c\"@example.org"), recipient = address_of("inbox@example.com"),
                         null = { .len = 0 };
    struct policy_facts facts = { .stage = POLICY_RCPT, .client = &client, .protocol = "ESMTP", .helo = SLICE("a\nclient_name=b\rc"),
                                  .sender = &sender, .recipient = &recipient, .instance = "1.2.3", .id = "",
                                  .size = 12345 };

    ok_request(&facts, "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=192.0.2.7\n"
        "client_name=client.example\nclient_port=4711\nreverse_client_name=client.example\nserver_address=192.0.2.1\n"
        "server_port=25\nhelo_name=a?client_name=b?c\nsender=a \"b=c@example.org\nrecipient=inbox@example.com\n"
        "recipient_count=0\nqueue_id=\ninstance=1.2.3\nsize=12345\netrn_domain=\nstress=\nsasl_method=\nsasl_username=ann\n"
        "sasl_sender=\nccert_subject=Ann\\, the first\nccert_issuer=\nccert_fingerprint=00:AB:9F\nccert_pubkey_fingerprint=\n"
        "encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_128_GCM_SHA256\nencryption_keysize=128\npolicy_context=\n\n",
        "all attributes of Postfix 3.7, in its order, and no line more by what a client says");
    facts = (struct policy_facts){ .stage = POLICY_HELO, .extended = true, .client = &local, .protocol = "SMTP",
                                   .helo = SLICE("client.example"), .sender = &null, .instance = "", .id = "6b.1" };
    ok_request(&facts, "request=smtpd_access_policy\nprotocol_state=EHLO\nprotocol_name=SMTP\nclient_address=127.0.0.1\n"
        "client_name=localhost\nclient_port=\nreverse_client_name=localhost\nserver_address=\n"
        "server_port=\nhelo_name=client.example\nsender=\nrecipient=\n"
        "recipient_count=0\nqueue_id=6b.1\ninstance=\nsize=0\netrn_domain=\nstress=\nsasl_method=\nsasl_username=\n"
        "sasl_sender=\nccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
        "encryption_protocol=\nencryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n",
        "of a client without address, name, port and sender");
}

static void test_keysizes(void)
{
    static const struct {
        const char *cipher, *bits;
    } ciphers[] = {
        { "TLS_AES_256_GCM_SHA384", "256" }, { "TLS_AES_128_GCM_SHA256", "128" }, { "TLS_CHACHA20_POLY1305_SHA256", "256" },
        { "ECDHE-RSA-AES128-GCM-SHA256", "128" }, { "ECDHE-ECDSA-AES256-SHA384", "256" }, { "ECDHE-RSA-CHACHA20-POLY1305", "256" },
        { "", "0" }
    };

    for (size_t i = 0; i < COUNT(ciphers); i++) {
        struct client client = { .family = AF_INET };
        const struct policy_facts facts = { .client = &client, .protocol = "SMTP", .helo = SLICE(""), .instance = "", .id = "" };
        char bytes[POLICY_REQUEST], wanted[64];
        struct text out = { bytes, sizeof bytes, 0 };

        text_string(client.tls.cipher, sizeof client.tls.cipher, slice_of(ciphers[i].cipher));
        policy_request_write(&facts, &out);
        (void)snprintf(wanted, sizeof wanted, "encryption_keysize=%s\n", ciphers[i].bits);
        ok(memmem(bytes, out.len, wanted, strlen(wanted)) != NULL, "\"%s\" has %s bits", ciphers[i].cipher, ciphers[i].bits);
    }
}

void test_policy(void)
{
    for (size_t piece = 1; piece < 6; piece++)
        test_answers(piece);
    test_answers(SIZE_MAX);
    test_sizes();
    test_actions();
    test_fields();
    test_requests();
    test_keysizes();
}
