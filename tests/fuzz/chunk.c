/* chunk.c - fuzz target: the argument of BDAT, and what is kept of octets, against simple second opinions */
/*
 * Byte 0: bit 0 looks for lone LFs, the rest is the size of a piece. Up to the first LF follows the argument; the
 * others are the octets.
 */
#include "session/chunk.h"

#include <errno.h>

#include "fuzz.h"
#include "session/message.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 3030 2, with more blanks than one. */
static void check_argument(struct slice argument)
{
    struct chunk chunk;
    size_t digits = 0, end = argument.len;
    bool last = end > 4 && is_blank(argument.text[end - 5]) &&
                slice_equal_nocase((struct slice){ argument.text + end - 4, 4 }, slice_of("LAST"));

    for (end -= last ? 4 : 0; last && end > 0 && is_blank(argument.text[end - 1]); end--)
        continue;
    while (digits < end && argument.text[digits] >= '0' && argument.text[digits] <= '9')
        digits++;
    if (!chunk_parse(argument, &chunk)) {
        HOLDS(digits == 0 || digits < end || digits >= 20);
        return;
    }
    HOLDS(digits > 0 && digits == end && chunk.last == last);
    if (digits < 20) {
        char text[20];

        memcpy(text, argument.text, digits);
        text[digits] = '\0';
        HOLDS(chunk.size == strtoull(text, NULL, 10));
    }
}

static int no_file(void *context, uint64_t *start)
{
    (void)context;
    *start = 0;
    errno = EIO;
    return -1;
}

static void give(struct message *message, const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size;) {
        size_t len, room;
        char *place = message_room(message, &room);

        len = size - at < piece ? size - at : piece;
        HOLDS(room > 0);
        if (len > room)
            len = room;
        memcpy(place, data + at, len);
        message_take(message, len);
        at += len;
    }
    message_close(message);
    message_finish(message);
}

static void check_octets(const uint8_t *data, size_t size, bool strict, size_t piece)
{
    static char memory[SPOOL_MEMORY];
    struct spool spool = { .memory = memory, .fd = -1 };
    struct message message;
    size_t kept = 0;
    bool bare = false;

    message_begin(&message, &spool, UINT32_MAX, false, no_file, NULL);
    message.strict = strict;
    give(&message, data, size, piece);
    HOLDS(message.error == 0 && !message.too_large);
    for (size_t i = 0; i < size; i++) {
        bool ends = data[i] == '\r' && i + 1 < size && data[i + 1] == '\n';

        bare = bare || (data[i] == '\r' && !ends) || (strict && data[i] == '\n' && (i == 0 || data[i - 1] != '\r'));
        if (ends)
            continue;
        HOLDS(kept < spool.size && memory[kept] == (char)data[i]);
        kept++;
    }
    HOLDS(message.bare_newline == bare);
    if (size > 0 && data[size - 1] != '\n') {
        HOLDS(kept < spool.size && memory[kept] == '\n');
        kept++;
    }
    HOLDS(spool.size == kept);
}

void fuzz_chunk(const uint8_t *data, size_t size)
{
    const uint8_t *lf;

    if (size < 1 || size > SPOOL_MEMORY / 2)
        return;
    lf = memchr(data + 1, '\n', size - 1);
    check_argument((struct slice){ (const char *)data + 1, lf != NULL ? (size_t)(lf - data - 1) : size - 1 });
    if (lf != NULL)
        check_octets(lf + 1, size - (size_t)(lf + 1 - data), (data[0] & 1) != 0, (size_t)data[0] / 2 + 1);
}
