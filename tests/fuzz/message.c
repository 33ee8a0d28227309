/* message.c - fuzz target: the end of a message and what is kept, against a simple second opinion */
/*
 * Byte 0: bit 0 makes it an LF session, bit 1 sets a small size limit, the rest is the size of a
 * piece. The others are what the client sends behind DATA.
 */
#include "session/message.h"

#include <errno.h>

#include "fuzz.h"

/* The message as RFC 5321 4.5.2 has it, one byte after the other. */
struct opinion {
    bool ended;
    size_t used, len;
    char text[SPOOL_MEMORY];
};

/* Is there a line of a lone dot at `at`? Returns the bytes that it has. */
static size_t lone_dot(const uint8_t *data, size_t size, size_t at, bool lf_session)
{
    if (at + 3 <= size && memcmp(data + at, ".\r\n", 3) == 0)
        return 3;
    return lf_session && at + 2 <= size && memcmp(data + at, ".\n", 2) == 0 ? 2 : 0;
}

static void form_opinion(const uint8_t *data, size_t size, bool lf_session, struct opinion *o)
{
    bool line_start = true;
    size_t at = 0, dot;

    o->ended = false;
    o->len = 0;
    while (at < size) {
        if (line_start && (dot = lone_dot(data, size, at, lf_session)) > 0) {
            o->ended = true;
            at += dot;
            break;
        }
        if (line_start && data[at] == '.') {
            line_start = false;
            at++;
            continue;
        }
        if (data[at] == '\r' && at + 1 < size && data[at + 1] == '\n') {
            o->text[o->len++] = '\n';
            line_start = true;
            at += 2;
            continue;
        }
        line_start = data[at] == '\n' && lf_session;
        o->text[o->len++] = (char)data[at++];
    }
    o->used = at;
}

static int no_file(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    errno = EIO;
    return -1;
}

static size_t feed(struct message *message, const uint8_t *data, size_t size, size_t piece, enum message_status *status)
{
    size_t at = 0;

    *status = MESSAGE_MORE;
    while (at < size && *status == MESSAGE_MORE) {
        size_t len = size - at < piece ? size - at : piece, used = 0;

        *status = message_feed(message, (struct slice){ (const char *)data + at, len }, &used);
        HOLDS(used <= len && (*status != MESSAGE_MORE || used == len));
        at += used;
    }
    message_finish(message);
    return at;
}

void fuzz_message(const uint8_t *data, size_t size)
{
    static char memory[SPOOL_MEMORY];
    static struct opinion opinion;
    struct spool spool = { .memory = memory, .fd = -1 };
    struct message message;
    enum message_status status;
    bool lf_session, small;
    size_t used, piece;
    uint64_t limit;

    if (size < 1 || size > SPOOL_MEMORY / 2)
        return;
    lf_session = (data[0] & 1) != 0;
    small = (data[0] & 2) != 0;
    piece = (size_t)data[0] / 4 + 1;
    limit = small ? 20 : UINT32_MAX;
    data++;
    size--;

    form_opinion(data, size, lf_session, &opinion);
    message_begin(&message, &spool, limit, lf_session, no_file, NULL);
    used = feed(&message, data, size, piece, &status);
    HOLDS(message.error == 0);
    HOLDS(spool.size <= limit);
    if (status == MESSAGE_OVER) {
        HOLDS(small && message.too_large && message.received > 10 * limit);
        return;
    }
    HOLDS((status == MESSAGE_END) == opinion.ended && used == opinion.used);
    HOLDS(message.too_large == (message.received > limit));
    if (message.too_large || !opinion.ended)
        return;
    HOLDS(spool.size == opinion.len && memcmp(memory, opinion.text, opinion.len) == 0);
}
