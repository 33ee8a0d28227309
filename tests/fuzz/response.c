/* response.c - fuzz target: replies of another server; in pieces they are what they are at once, and what is kept is clean */
/* The first byte says how long the pieces are; the rest comes from the server. */
#include "nexthop/response.h"

#include "fuzz.h"

static void check(const struct response *response, enum response_progress progress)
{
    size_t len = strlen(response->text);

    HOLDS(len < sizeof response->text && strlen(response->status) < sizeof response->status);
    HOLDS(response->lines <= RESPONSE_LINES + 1 && response->len <= sizeof response->line);
    for (size_t i = 0; i < len; i++)
        HOLDS(response->text[i] >= ' ' && response->text[i] <= '~');
    if (progress == RESPONSE_NEXT || progress == RESPONSE_LAST) {
        HOLDS(response->code >= 200 && response->code <= 599);
        HOLDS(response_line(response).len <= response->len);
    }
}

/* Feeds bytes up to the end of a reply; how many that took. */
static size_t feed(struct response *response, struct capabilities *offers, struct slice bytes, size_t piece,
                   enum response_progress *progress)
{
    size_t used, total = 0;

    response_begin(response);
    *progress = RESPONSE_MORE;
    while (total < bytes.len && (*progress == RESPONSE_MORE || *progress == RESPONSE_NEXT)) {
        size_t left = bytes.len - total;

        *progress = response_feed(response, (struct slice){ bytes.text + total, left < piece ? left : piece }, &used);
        HOLDS(used > 0 && used <= left);
        total += used;
        check(response, *progress);
        if (*progress == RESPONSE_NEXT || *progress == RESPONSE_LAST)
            capabilities_take(offers, response_line(response));
    }
    return total;
}

static bool is_same(const struct capabilities *a, const struct capabilities *b)
{
    return a->pipelining == b->pipelining && a->eight_bit == b->eight_bit && a->utf8 == b->utf8 && a->chunking == b->chunking &&
           a->starttls == b->starttls && a->enhanced == b->enhanced && a->auth_plain == b->auth_plain &&
           a->auth_login == b->auth_login && a->size == b->size && a->size_most == b->size_most;
}

void fuzz_response(const uint8_t *data, size_t size)
{
    static struct response whole, pieces;
    struct slice bytes = { (const char *)data + 1, size - 1 };

    while (size > 0 && bytes.len > 0) {
        struct capabilities offered = { 0 }, in_pieces = { 0 };
        enum response_progress end, piecewise;
        size_t used = feed(&whole, &offered, bytes, SIZE_MAX, &end);
        size_t taken = feed(&pieces, &in_pieces, bytes, data[0] + 1U, &piecewise);

        HOLDS(end == piecewise);
        if (end != RESPONSE_LAST)
            break;
        HOLDS(used == taken && whole.code == pieces.code && strcmp(whole.text, pieces.text) == 0);
        HOLDS(strcmp(whole.status, pieces.status) == 0 && is_same(&offered, &in_pieces));
        bytes.text += used;
        bytes.len -= used;
    }
}
