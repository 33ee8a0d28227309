/* table.c - fuzz target: replies of services, in pieces as at once; what they are asked; lines of text tables */
/* Byte 0: the size of a piece. The others are a reply, a key, and a line. */
#include "fuzz.h"

#include <string.h>

#include "tables/line.h"
#include "tables/socketmap.h"
#include "tables/tcp.h"

typedef enum server_progress feeding(struct table_reply *reply, struct slice bytes, size_t *used);

static enum server_progress feed(feeding *protocol, struct table_reply *reply, struct slice bytes, size_t piece, size_t *total)
{
    enum server_progress progress = SERVER_MORE;
    size_t used;

    reply->len = 0;
    for (*total = 0; *total < bytes.len && progress == SERVER_MORE; *total += used) {
        size_t left = bytes.len - *total;

        progress = protocol(reply, (struct slice){ bytes.text + *total, left < piece ? left : piece }, &used);
        HOLDS(used <= left && (used > 0 || progress == SERVER_NONSENSE));
    }
    return progress;
}

static void check_reply(const struct table_reply *reply)
{
    const char *end = reply->bytes + reply->len;

    HOLDS(reply->text.text >= reply->bytes && reply->text.text + reply->text.len < end && reply->text.len >= 2);
    HOLDS(reply->value.len == 0 || reply->value.text + reply->value.len == reply->text.text + reply->text.len);
}

/* Whatever comes, it comes of the pieces as of the whole. */
static void check_protocol(feeding *protocol, struct slice bytes, size_t piece)
{
    static struct table_reply whole, pieces;
    size_t used, taken;
    enum server_progress progress = feed(protocol, &whole, bytes, SIZE_MAX, &used);

    HOLDS(progress == feed(protocol, &pieces, bytes, piece, &taken));
    if (progress != SERVER_DONE)
        return;
    HOLDS(used == taken && whole.kind == pieces.kind && slice_equal(whole.value, pieces.value));
    check_reply(&whole);
}

/* A key is one question, and one word; as a value it comes back as it was. */
static void check_key(struct slice key)
{
    static char request[TABLE_REQUEST];
    static struct table_reply reply;
    struct text text = { request, sizeof request, 0 };
    size_t used;

    tcp_ask(&text, (struct slice)SLICE(""), key);
    HOLDS(text.len >= 5 && memchr(request, '\n', text.len) == request + text.len - 1);
    HOLDS(memchr(request + 4, ' ', text.len - 4) == NULL);
    request[0] = '2';
    request[1] = request[2] = '0';
    reply.len = 0;
    HOLDS(tcp_feed(&reply, text_slice(&text), &used) == SERVER_DONE && used == text.len && slice_equal(reply.value, key));
}

/* A line is the same whatever blanks are around it; its key is itself. */
static void check_line(struct slice line)
{
    struct table_entry entry;
    char key[4096], spaced[4096 + 2];
    size_t len = 0;

    if (line.len > sizeof key || table_line_read(line, &entry) != TABLE_LINE_ENTRY)
        return;
    for (size_t i = 0; i < entry.key.len; i++) {
        i += entry.quoted && entry.key.text[i] == '\\' && i + 1 < entry.key.len;
        key[len++] = entry.key.text[i];
    }
    HOLDS(table_line_is(&entry, (struct slice){ key, len }));
    HOLDS(table_line_hash(&entry) == table_key_hash((struct slice){ key, len }));
    HOLDS(table_line_long_hash(&entry) == table_line_long_hash(&(struct table_entry){ .key = { key, len } }));
    HOLDS(!table_line_is(&entry, (struct slice){ key, len > 0 ? len - 1 : 1 }) || len == 0);
    if ((unsigned char)line.text[0] == 0xEF)
        return;
    spaced[0] = ' ';
    memcpy(spaced + 1, line.text, line.len);
    spaced[line.len + 1] = '\r';
    HOLDS(table_line_read((struct slice){ spaced, line.len + 2 }, &entry) == TABLE_LINE_ENTRY);
    HOLDS(table_line_is(&entry, (struct slice){ key, len }));
}

void fuzz_table(const uint8_t *data, size_t size)
{
    struct slice bytes = { (const char *)data + 1, size - 1 };

    if (size == 0)
        return;
    check_protocol(socketmap_feed, bytes, data[0] + 1U);
    check_protocol(tcp_feed, bytes, data[0] + 1U);
    check_key((struct slice){ bytes.text, bytes.len < TABLE_KEY ? bytes.len : TABLE_KEY });
    check_line(bytes);
}
