/* response.c - what another server answers (RFC 5321 4.2), and which extensions it offers; pure */
#include "nexthop/response.h"

#include "base/text.h"
#include "session/enhanced.h"

enum { CODE_DIGITS = 3, TEXT_BEGINS = 4 };

void response_begin(struct response *response)
{
    response->code = response->lines = 0;
    response->status[0] = response->text[0] = '\0';
    response->ended = false;
    response->len = 0;
}

struct slice response_line(const struct response *response)
{
    bool has_text = response->len > TEXT_BEGINS;

    return (struct slice){ response->line + (has_text ? TEXT_BEGINS : 0), has_text ? response->len - TEXT_BEGINS : 0 };
}

static void keep_text(struct response *response, struct slice text)
{
    if (response->text[0] != '\0')
        return;
    text_string(response->text, sizeof response->text, text);
    for (size_t i = 0; i < text.len && i < sizeof response->text - 1; i++)
        if (response->text[i] < ' ' || response->text[i] > '~')
            response->text[i] = '?';
}

/* A line without its end: CODE, "-" or " ", text. */
static enum response_progress take_line(struct response *response)
{
    struct slice line = { response->line, response->len }, text, status;
    unsigned code, class;
    bool goes_on = line.len > CODE_DIGITS && line.text[CODE_DIGITS] == '-';

    if (digits_take(&line, CODE_DIGITS, &code) != CODE_DIGITS || code < 200 || code > 599 ||
        (line.len > 0 && !goes_on && line.text[0] != ' ') || (response->lines > 0 && code != response->code) ||
        ++response->lines > RESPONSE_LINES)
        return RESPONSE_GARBAGE;
    response->code = code;
    text = response_line(response);
    if (enhanced_take(&text, &class, &status) && class == code / 100) {
        if (response->status[0] == '\0')
            text_string(response->status, sizeof response->status, status);
    } else {
        text = response_line(response);
    }
    keep_text(response, text);
    return goes_on ? RESPONSE_NEXT : RESPONSE_LAST;
}

enum response_progress response_feed(struct response *response, struct slice bytes, size_t *used)
{
    const char *lf = bytes.len > 0 ? memchr(bytes.text, '\n', bytes.len) : NULL;
    size_t taken = lf != NULL ? (size_t)(lf - bytes.text) + 1 : bytes.len;

    *used = taken;
    if (response->ended)
        response->len = 0;
    response->ended = lf != NULL;
    if (response->len + taken > sizeof response->line)
        return RESPONSE_GARBAGE;
    if (taken > 0)
        memcpy(response->line + response->len, bytes.text, taken);
    response->len += taken;
    if (!response->ended)
        return RESPONSE_MORE;
    response->len--;
    if (response->len > 0 && response->line[response->len - 1] == '\r')
        response->len--;
    return take_line(response);
}

/* ---- EHLO and LHLO ------------------------------------------------------------------------- */

static struct slice next_word(struct slice *line)
{
    struct slice word = { line->text, 0 };

    while (word.len < line->len && line->text[word.len] != ' ')
        word.len++;
    line->text += word.len;
    line->len -= word.len;
    while (line->len > 0 && line->text[0] == ' ') {
        line->text++;
        line->len--;
    }
    return word;
}

static void take_mechanisms(struct capabilities *capabilities, struct slice names)
{
    while (names.len > 0) {
        struct slice name = next_word(&names);

        capabilities->auth_plain = capabilities->auth_plain || slice_equal_nocase(name, slice_of("PLAIN"));
        capabilities->auth_login = capabilities->auth_login || slice_equal_nocase(name, slice_of("LOGIN"));
    }
}

/* RFC 1870 3: up to 20 digits; none, and what does not fit, name no limit. */
static void take_size(struct capabilities *capabilities, struct slice number)
{
    uint64_t size = 0;

    capabilities->size = true;
    for (size_t i = 0; i < number.len; i++) {
        if (number.text[i] < '0' || number.text[i] > '9' || size > (UINT64_MAX - 9) / 10)
            return;
        size = size * 10 + (uint64_t)(number.text[i] - '0');
    }
    capabilities->size_most = size;
}

void capabilities_take(struct capabilities *capabilities, struct slice line)
{
    const struct {
        struct slice name;
        bool *offered;
    } plain[] = {
        { SLICE("PIPELINING"), &capabilities->pipelining }, { SLICE("8BITMIME"), &capabilities->eight_bit },
        { SLICE("SMTPUTF8"), &capabilities->utf8 },         { SLICE("CHUNKING"), &capabilities->chunking },
        { SLICE("STARTTLS"), &capabilities->starttls },     { SLICE("ENHANCEDSTATUSCODES"), &capabilities->enhanced },
    };
    struct slice word = next_word(&line);

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (slice_equal_nocase(word, plain[i].name))
            *plain[i].offered = true;
    if (slice_equal_nocase(word, slice_of("SIZE")))
        take_size(capabilities, line);
    if (slice_equal_nocase(word, slice_of("AUTH")))
        take_mechanisms(capabilities, line);
}
