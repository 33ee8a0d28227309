/* sasl.c - fuzz target: an AUTH exchange; what is accepted is clean, of base64 there is one spelling */
/* The lines of the input are the argument of AUTH and what follows it. */
#include "session/sasl.h"

#include <string.h>

#include "fuzz.h"
#include "base/utf8.h"
#include "session/envelope.h"

/* Strict decoding leaves one way to write what was decoded: written again it is the same. */
static void check_base64(struct slice text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=";
    char out[3000 + 2];
    size_t len;
    enum sasl_status status = sasl_base64(text, out, sizeof out - 2, &len);

    HOLDS(status == SASL_DONE || status == SASL_BAD_BASE64 || status == SASL_TOO_LONG);
    if (status != SASL_DONE)
        return;
    HOLDS(len <= sizeof out - 2 && text.len == (len + 2) / 3 * 4);
    memset(out + len, 0, 2);
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char *p = (const unsigned char *)out + i / 4 * 3;
        unsigned bits = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        bool padding = i / 4 * 3 + i % 4 > len;

        HOLDS(text.text[i] == alphabet[padding ? 64 : bits >> (18 - 6 * (i % 4)) & 63]);
    }
}

static void check_text(const struct sasl_text *text, bool may_be_empty)
{
    struct slice rest = { text->text, text->len };

    HOLDS(text->len <= SASL_TEXT_MAX && text->text[text->len] == '\0' && (may_be_empty || text->len > 0));
    HOLDS(strlen(text->text) == text->len);
    while (rest.len > 0) {
        size_t len = utf8_length(rest);

        HOLDS(len > 0);
        rest.text += len;
        rest.len -= len;
    }
}

static struct slice next_line(struct slice *input)
{
    const char *lf = input->len > 0 ? memchr(input->text, '\n', input->len) : NULL;
    struct slice line = { input->text, lf != NULL ? (size_t)(lf - input->text) : input->len };
    size_t used = line.len + (lf != NULL);

    input->text += used;
    input->len -= used;
    return line;
}

void fuzz_sasl(const uint8_t *data, size_t size)
{
    struct slice input = { (const char *)data, size };
    struct sasl sasl;
    enum sasl_status status;
    size_t steps = 0;

    if (size < 1)
        return;
    status = sasl_begin(&sasl, next_line(&input));
    for (; status == SASL_CONTINUE && steps < 3; steps++) {
        struct slice line = next_line(&input);

        HOLDS(sasl.challenge.len % 4 == 0);
        check_base64(line);
        status = sasl_feed(&sasl, line);
    }
    HOLDS(status != SASL_CONTINUE && steps <= 2); /* LOGIN asks twice; an empty response is never enough */
    if (status == SASL_DONE) {
        check_text(&sasl.identity, true);
        check_text(&sasl.user, false);
        check_text(&sasl.password, false);
        sasl_wipe(&sasl);
    }
    HOLDS(sasl.user.len == 0 && sasl.password.len == 0 && sasl.password.text[0] == '\0');
}
