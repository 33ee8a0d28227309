/* sasl.c - unit tests of sasl.h: RFC 4648 4 and 10, RFC 4616 2 and 4, RFC 4954 4 */
#include "session/sasl.h"

#include <stdio.h>

#include "unit.h"

#define USERNAME "VXNlcm5hbWU6"
#define PASSWORD "UGFzc3dvcmQ6"
#define A255 X10("aaaaaaaaaaaaaaaaaaaaaaaaa") "aaaaa"
#define YWFH85 X10("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh") "YWFhYWFhYWFhYWFhYWFh" /* A255 in base64 */

/* Base64; `decoded.text` NULL: it is bad. */
static const struct {
    struct slice text, decoded;
} codes[] = {
    { SLICE(""), SLICE("") },
    { SLICE("Zg=="), SLICE("f") },
    { SLICE("Zm8="), SLICE("fo") },
    { SLICE("Zm9v"), SLICE("foo") },
    { SLICE("Zm9vYg=="), SLICE("foob") },
    { SLICE("Zm9vYmE="), SLICE("fooba") },
    { SLICE("Zm9vYmFy"), SLICE("foobar") },
    { SLICE("AAAA"), SLICE("\0\0\0") },
    { SLICE("////"), SLICE("\xff\xff\xff") },
    { SLICE("AP+/"), SLICE("\x00\xff\xbf") },
    { SLICE("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
      SLICE("\x00\x10\x83\x10\x51\x87\x20\x92\x8b\x30\xd3\x8f\x41\x14\x93\x51\x55\x97\x61\x96\x9b\x71\xd7\x9f"
            "\x82\x18\xa3\x92\x59\xa7\xa2\x9a\xab\xb2\xdb\xaf\xc3\x1c\xb3\xd3\x5d\xb7\xe3\x9e\xbb\xf3\xdf\xbf") },

    { SLICE("Z"), { NULL, 0 } },
    { SLICE("Zg"), { NULL, 0 } },
    { { "Zm9vYmFy", 7 }, { NULL, 0 } },
    { SLICE("Zg="), { NULL, 0 } },
    { SLICE("Zm8"), { NULL, 0 } },
    { SLICE("Zm9vY"), { NULL, 0 } },
    { SLICE("="), { NULL, 0 } },
    { SLICE("===="), { NULL, 0 } },
    { SLICE("Z==="), { NULL, 0 } },
    { SLICE("=Zg="), { NULL, 0 } },
    { SLICE("Z=g="), { NULL, 0 } },
    { SLICE("Zg=v"), { NULL, 0 } },
    { SLICE("Zg==Zg=="), { NULL, 0 } },
    { SLICE("Zm8=Zm9v"), { NULL, 0 } },
    { SLICE("Zm9v===="), { NULL, 0 } },
    { SLICE("Zm9v="), { NULL, 0 } },
    { SLICE("Zh=="), { NULL, 0 } }, /* bits behind the last byte */
    { SLICE("Zo=="), { NULL, 0 } },
    { SLICE("Z/=="), { NULL, 0 } },
    { SLICE("Zm9="), { NULL, 0 } },
    { SLICE("Zm+="), { NULL, 0 } },
    { SLICE("Zm9v\r\n"), { NULL, 0 } },
    { SLICE("Zm9 "), { NULL, 0 } },
    { SLICE(" Zm9"), { NULL, 0 } },
    { SLICE("Zm-v"), { NULL, 0 } },
    { SLICE("Zm_v"), { NULL, 0 } },
    { SLICE("Zm\0v"), { NULL, 0 } },
    { SLICE("Zm\xc0v"), { NULL, 0 } },
    { SLICE("@AAA"), { NULL, 0 } }, /* neighbours of the ranges */
    { SLICE("[AAA"), { NULL, 0 } },
    { SLICE("`AAA"), { NULL, 0 } },
    { SLICE("{AAA"), { NULL, 0 } },
    { SLICE(":AAA"), { NULL, 0 } },
    { SLICE(".AAA"), { NULL, 0 } },
};

/*
 * Whole exchanges: the argument of AUTH, the lines behind it (NULL: no more), the last status, the
 * challenges that came, and the identity, user and password of a SASL_DONE.
 */
static const struct {
    const char *argument, *lines[3];
    enum sasl_status status;
    const char *challenges, *identity, *user, *password;
} exchanges[] = {
    { "PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm", { NULL }, SASL_DONE, "", "", "tim", "tanstaaftanstaaf" },
    { "PLAIN VXJzZWwAS3VydABreA==", { NULL }, SASL_DONE, "", "Ursel", "Kurt", "kx" },
    { "plain AHUAcA==", { NULL }, SASL_DONE, "", "", "u", "p" },
    { "  PLAIN \t AHUAcA== ", { NULL }, SASL_DONE, "", "", "u", "p" },
    { "PLAIN", { "AHUAcA==" }, SASL_DONE, "|", "", "u", "p" },
    { "PLAIN ", { "AHUAcA==" }, SASL_DONE, "|", "", "u", "p" },
    { "PLAIN AMOkAOKCrA==", { NULL }, SASL_DONE, "", "", "\xc3\xa4", "\xe2\x82\xac" },
    { "LOGIN", { "dGlt", "c2VjcmV0" }, SASL_DONE, USERNAME "|" PASSWORD "|", "", "tim", "secret" },
    { "Login dGlt", { "c2VjcmV0" }, SASL_DONE, PASSWORD "|", "", "tim", "secret" },
    { "LOGIN", { "dGltQGV4YW1wbGUuY29t", "IA==" }, SASL_DONE, USERNAME "|" PASSWORD "|", "", "tim@example.com", " " },
    { "LOGIN " YWFH85, { YWFH85 }, SASL_DONE, PASSWORD "|", "", A255, A255 },

    { "", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },
    { " \t", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },
    { "PLAIN AHUAcA== x", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },
    { "CRAM-MD5", { NULL }, SASL_UNKNOWN_MECHANISM, "", NULL, NULL, NULL },
    { "PLAI", { NULL }, SASL_UNKNOWN_MECHANISM, "", NULL, NULL, NULL },
    { "PLAINS", { NULL }, SASL_UNKNOWN_MECHANISM, "", NULL, NULL, NULL },
    { "=", { NULL }, SASL_UNKNOWN_MECHANISM, "", NULL, NULL, NULL },
    { "GSSAPI =", { NULL }, SASL_UNKNOWN_MECHANISM, "", NULL, NULL, NULL },

    { "PLAIN", { "*" }, SASL_CANCELLED, "|", NULL, NULL, NULL },
    { "LOGIN", { "*" }, SASL_CANCELLED, USERNAME "|", NULL, NULL, NULL },
    { "LOGIN", { "dGlt", "*" }, SASL_CANCELLED, USERNAME "|" PASSWORD "|", NULL, NULL, NULL },
    { "PLAIN *", { NULL }, SASL_BAD_BASE64, "", NULL, NULL, NULL },
    { "PLAIN", { "**" }, SASL_BAD_BASE64, "|", NULL, NULL, NULL },
    { "PLAIN", { " *" }, SASL_BAD_BASE64, "|", NULL, NULL, NULL },
    { "PLAIN", { "=" }, SASL_BAD_BASE64, "|", NULL, NULL, NULL },
    { "PLAIN", { "AHUAcA== " }, SASL_BAD_BASE64, "|", NULL, NULL, NULL },
    { "PLAIN AHUAcA", { NULL }, SASL_BAD_BASE64, "", NULL, NULL, NULL },
    { "LOGIN dGl", { NULL }, SASL_BAD_BASE64, "", NULL, NULL, NULL },
    { "LOGIN", { "dGlt", "c2VjcmV" }, SASL_BAD_BASE64, USERNAME "|" PASSWORD "|", NULL, NULL, NULL },

    { "PLAIN =", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },
    { "PLAIN", { "" }, SASL_BAD_SYNTAX, "|", NULL, NULL, NULL },
    { "PLAIN dXA=", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },         /* up */
    { "PLAIN AHVw", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },         /* NUL up */
    { "PLAIN AHUA", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },         /* NUL u NUL */
    { "PLAIN AABw", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },         /* NUL NUL p */
    { "PLAIN AHUAcAA=", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },     /* NUL u NUL p NUL */
    { "PLAIN AHUAcABx", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },     /* NUL u NUL p NUL q */
    { "PLAIN AP8AcA==", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },     /* NUL \xff NUL p */
    { "PLAIN AHUAwIA=", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },     /* NUL u NUL \xc0\x80 */
    { "PLAIN /wB1AHA=", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },     /* \xff NUL u NUL p */
    { "LOGIN =", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },
    { "LOGIN", { "" }, SASL_BAD_SYNTAX, USERNAME "|", NULL, NULL, NULL },
    { "LOGIN dGlt", { "" }, SASL_BAD_SYNTAX, PASSWORD "|", NULL, NULL, NULL },
    { "LOGIN dABp", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },         /* t NUL i */
    { "LOGIN dGlt", { "cAA=" }, SASL_BAD_SYNTAX, PASSWORD "|", NULL, NULL, NULL }, /* p NUL */
    { "LOGIN w6Q=", { "w6Q=" }, SASL_DONE, PASSWORD "|", "", "\xc3\xa4", "\xc3\xa4" },
    { "LOGIN 5A==", { NULL }, SASL_BAD_SYNTAX, "", NULL, NULL, NULL },         /* ISO 8859-1 */

    { "LOGIN " YWFH85 "YQ==", { NULL }, SASL_TOO_LONG, "", NULL, NULL, NULL },
    { "LOGIN dGlt", { YWFH85 "YQ==" }, SASL_TOO_LONG, PASSWORD "|", NULL, NULL, NULL },
    { "PLAIN", { YWFH85 YWFH85 YWFH85 YWFH85 }, SASL_TOO_LONG, "|", NULL, NULL, NULL },
};

/* Plays exchange i; what came is in sasl and challenges. */
static enum sasl_status play(size_t i, struct sasl *sasl, char *challenges, size_t size)
{
    enum sasl_status status = sasl_begin(sasl, slice_of(exchanges[i].argument));
    size_t used = 0;

    challenges[0] = '\0';
    for (size_t line = 0; status == SASL_CONTINUE; line++) {
        used += (size_t)snprintf(challenges + used, size - used, "%.*s|", (int)sasl->challenge.len,
                                 sasl->challenge.text);
        if (line == COUNT(exchanges[i].lines) || exchanges[i].lines[line] == NULL)
            break;
        status = sasl_feed(sasl, slice_of(exchanges[i].lines[line]));
    }
    return status;
}

static void check_text(const struct sasl_text *got, const char *want, const char *what, const char *name)
{
    ok_text((struct slice){ got->text, got->len }, slice_of(want), "%s: %s", what, name);
    ok(got->text[got->len] == '\0', "%s: %s ends in NUL", what, name);
}

/* The three of PLAIN have the same limit each; built here, since base64 hides the borders. */
static void test_limits(void)
{
    static const size_t lengths[][3] = {
        { 255, 255, 255 }, { 256, 1, 1 }, { 0, 256, 1 }, { 0, 1, 256 }, { 255, 255, 256 },
    };
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";

    for (size_t i = 0; i < COUNT(lengths); i++) {
        unsigned char plain[3 * 300] = { 0 };
        char line[4 * 300];
        size_t len = 0, used = 0;
        struct sasl sasl;
        enum sasl_status want = i == 0 ? SASL_DONE : SASL_TOO_LONG;

        for (size_t j = 0; j < 3; j++) {
            memset(plain + len, 'x', lengths[i][j]);
            len += lengths[i][j] + (j < 2);
        }
        for (size_t at = 0; at < len; at += 3) {
            unsigned bits = (unsigned)plain[at] << 16 | (unsigned)plain[at + 1] << 8 | plain[at + 2];

            for (unsigned j = 0; j < 4; j++)
                line[used++] = alphabet[at + j <= len ? bits >> (18 - 6 * j) & 63 : 64];
        }
        (void)sasl_begin(&sasl, slice_of("PLAIN"));
        ok_number(sasl_feed(&sasl, (struct slice){ line, used }), want, "PLAIN with %zu, %zu and %zu bytes",
                  lengths[i][0], lengths[i][1], lengths[i][2]);
        ok(want != SASL_DONE || (sasl.identity.len == 255 && sasl.user.len == 255 && sasl.password.len == 255),
           "PLAIN with %zu, %zu and %zu bytes: all arrive", lengths[i][0], lengths[i][1], lengths[i][2]);
    }
}

void test_sasl(void)
{
    static const struct sasl wiped;

    for (size_t i = 0; i < COUNT(codes); i++) {
        char out[64] = "";
        size_t len = 99;
        enum sasl_status status = sasl_base64(codes[i].text, out, sizeof out, &len);

        ok_number(status, codes[i].decoded.text != NULL ? SASL_DONE : SASL_BAD_BASE64, "base64 \"%s\"",
                  show(codes[i].text));
        if (codes[i].decoded.text == NULL)
            continue;
        ok_text((struct slice){ out, len }, codes[i].decoded, "base64 \"%s\": decoded", show(codes[i].text));
        ok_number(sasl_base64(codes[i].text, out, codes[i].decoded.len, &len), SASL_DONE, "base64 \"%s\": fits",
                  show(codes[i].text));
        if (codes[i].decoded.len > 0)
            ok_number(sasl_base64(codes[i].text, out, codes[i].decoded.len - 1, &len), SASL_TOO_LONG,
                      "base64 \"%s\": a byte less does not", show(codes[i].text));
    }
    for (size_t i = 0; i < COUNT(exchanges); i++) {
        const char *what = exchanges[i].argument;
        char challenges[256];
        struct sasl sasl;
        enum sasl_status status = play(i, &sasl, challenges, sizeof challenges);

        ok_number(status, exchanges[i].status, "exchange %zu, %.40s", i, what);
        ok_text(slice_of(challenges), slice_of(exchanges[i].challenges), "exchange %zu: challenges", i);
        if (exchanges[i].status == SASL_DONE) {
            check_text(&sasl.identity, exchanges[i].identity, what, "identity");
            check_text(&sasl.user, exchanges[i].user, what, "user");
            check_text(&sasl.password, exchanges[i].password, what, "password");
            sasl_wipe(&sasl);
        }
        ok(memcmp(&sasl.identity, &wiped.identity, sizeof wiped.identity) == 0 &&
               memcmp(&sasl.user, &wiped.user, sizeof wiped.user) == 0 &&
               memcmp(&sasl.password, &wiped.password, sizeof wiped.password) == 0,
           "exchange %zu: nothing is kept", i);
    }
    test_limits();
}
