/* sasl.c - what AUTH says: mechanisms PLAIN and LOGIN, base64; pure */
/*
 * An exchange is one or two steps, rows of a table: the challenge that asks for a response, and the
 * function that takes it. A mechanism is the name of its first step.
 */
#include "session/sasl.h"

#include <stdint.h>

#include "base/utf8.h"
#include "session/envelope.h"

/* The value of a character of the alphabet (RFC 4648 table 1), or 64. */
static uint32_t sextet(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (c >= '0' && c <= '9')
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Four characters, the last `padding` of them "=", to 24 bits. The bits of no byte must be zero. */
static bool decode_quantum(const char *four, size_t padding, uint32_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < 4; i++) {
        uint32_t value = i < 4 - padding ? sextet(four[i]) : 0;

        if (value > 63)
            return false;
        *bits = *bits << 6 | value;
    }
    return (*bits & ((UINT32_C(1) << 8 * padding) - 1)) == 0;
}

enum sasl_status sasl_base64(struct slice text, char *out, size_t size, size_t *len)
{
    *len = 0;
    if (text.len % 4 != 0)
        return SASL_BAD_BASE64;
    for (size_t at = 0; at < text.len; at += 4) {
        const char *four = text.text + at;
        bool last = at + 4 == text.len;
        size_t padding = last && four[3] == '=' ? four[2] == '=' ? 2 : 1 : 0;
        uint32_t bits;

        if (!decode_quantum(four, padding, &bits))
            return SASL_BAD_BASE64;
        if (size - *len < 3 - padding)
            return SASL_TOO_LONG;
        for (size_t i = 0; i < 3 - padding; i++)
            out[(*len)++] = (char)(unsigned char)(bits >> (16 - 8 * i) & 0xff);
    }
    return SASL_DONE;
}

bool sasl_is_mechanism(struct slice word)
{
    static const struct slice names[] = {
        SLICE("PLAIN"), SLICE("LOGIN"), SLICE("CRAM-MD5"), SLICE("DIGEST-MD5"), SLICE("SCRAM-SHA-1"),
        SLICE("SCRAM-SHA-1-PLUS"), SLICE("SCRAM-SHA-256"), SLICE("SCRAM-SHA-256-PLUS"), SLICE("SCRAM-SHA-512"),
        SLICE("SCRAM-SHA-512-PLUS"), SLICE("NTLM"), SLICE("GSSAPI"), SLICE("GSS-SPNEGO"), SLICE("KERBEROS_V4"),
        SLICE("EXTERNAL"), SLICE("ANONYMOUS"), SLICE("XOAUTH"), SLICE("XOAUTH2"), SLICE("OAUTHBEARER"), SLICE("OTP"),
        SLICE("SRP"),
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_equal_nocase(word, names[i]))
            return true;
    return false;
}

/* Takes a text over if it is what a sasl_text promises. */
static enum sasl_status set_text(struct sasl_text *to, struct slice text, bool may_be_empty)
{
    struct slice rest = text;

    if (text.len > SASL_TEXT_MAX)
        return SASL_TOO_LONG;
    if (text.len == 0 && !may_be_empty)
        return SASL_BAD_SYNTAX;
    while (rest.len > 0) {
        size_t len = rest.text[0] != '\0' ? utf8_length(rest) : 0;

        if (len == 0)
            return SASL_BAD_SYNTAX;
        rest.text += len;
        rest.len -= len;
    }
    if (text.len > 0)
        memcpy(to->text, text.text, text.len);
    to->text[text.len] = '\0';
    to->len = text.len;
    return SASL_DONE;
}

/* Cuts the text before the next NUL off the response; without one there is no next text. */
static bool cut(struct slice *response, struct slice *text)
{
    const char *nul = memchr(response->text, '\0', response->len);

    if (nul == NULL)
        return false;
    *text = (struct slice){ response->text, (size_t)(nul - response->text) };
    response->text += text->len + 1;
    response->len -= text->len + 1;
    return true;
}

/* [authzid] NUL authcid NUL password (RFC 4616 2) */
static enum sasl_status take_plain(struct sasl *sasl, struct slice response)
{
    struct slice identity, user;
    enum sasl_status status;

    if (!cut(&response, &identity) || !cut(&response, &user))
        return SASL_BAD_SYNTAX;
    status = set_text(&sasl->identity, identity, true);
    if (status == SASL_DONE)
        status = set_text(&sasl->user, user, false);
    return status == SASL_DONE ? set_text(&sasl->password, response, false) : status;
}

/* LOGIN has no RFC; draft-murchison-sasl-login 2 says what all do: two prompts, two responses. */
static enum sasl_status take_name(struct sasl *sasl, struct slice response)
{
    return set_text(&sasl->user, response, false);
}

static enum sasl_status take_password(struct sasl *sasl, struct slice response)
{
    return set_text(&sasl->password, response, false);
}

/* The row behind one with `more` asks for the rest. */
static const struct sasl_step {
    struct slice mechanism, challenge;
    enum sasl_status (*take)(struct sasl *sasl, struct slice response);
    bool more;
} steps[] = {
    { SLICE("PLAIN"), SLICE(""), take_plain, false },
    { SLICE("LOGIN"), SLICE("VXNlcm5hbWU6"), take_name, true }, /* Username: */
    { SLICE(""), SLICE("UGFzc3dvcmQ6"), take_password, false }, /* Password: */
};

static enum sasl_status ask(struct sasl *sasl, const struct sasl_step *step)
{
    sasl->step = step;
    sasl->challenge = step->challenge;
    return SASL_CONTINUE;
}

static enum sasl_status end(struct sasl *sasl, enum sasl_status status)
{
    if (status != SASL_DONE && status != SASL_CONTINUE)
        sasl_wipe(sasl);
    return status;
}

static enum sasl_status take(struct sasl *sasl, struct slice encoded)
{
    char decoded[SASL_DECODED_MAX];
    size_t len;
    enum sasl_status status = sasl_base64(encoded, decoded, sizeof decoded, &len);

    if (status == SASL_DONE)
        status = sasl->step->take(sasl, (struct slice){ decoded, len });
    explicit_bzero(decoded, sizeof decoded);
    if (status == SASL_DONE && sasl->step->more)
        status = ask(sasl, sasl->step + 1);
    return end(sasl, status);
}

/* Cuts the next word off a line. */
static struct slice next_word(struct slice *line)
{
    struct slice word;

    while (line->len > 0 && (line->text[0] == ' ' || line->text[0] == '\t')) {
        line->text++;
        line->len--;
    }
    word = (struct slice){ line->text, 0 };
    while (line->len > 0 && line->text[0] != ' ' && line->text[0] != '\t') {
        line->text++;
        line->len--;
        word.len++;
    }
    return word;
}

enum sasl_status sasl_begin(struct sasl *sasl, struct slice argument)
{
    struct slice mechanism = next_word(&argument), initial = next_word(&argument);
    const struct sasl_step *step = NULL;

    memset(sasl, 0, sizeof *sasl);
    if (mechanism.len == 0 || next_word(&argument).len > 0)
        return SASL_BAD_SYNTAX;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (slice_equal_nocase(mechanism, steps[i].mechanism))
            step = &steps[i];
    if (step == NULL)
        return SASL_UNKNOWN_MECHANISM;
    (void)ask(sasl, step);
    if (initial.len == 0)
        return SASL_CONTINUE;
    return take(sasl, slice_equal(initial, slice_of("=")) ? slice_of("") : initial);
}

enum sasl_status sasl_feed(struct sasl *sasl, struct slice line)
{
    if (slice_equal(line, slice_of("*")))
        return end(sasl, SASL_CANCELLED);
    return take(sasl, line);
}

void sasl_wipe(struct sasl *sasl)
{
    explicit_bzero(sasl, sizeof *sasl);
}
