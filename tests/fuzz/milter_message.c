/* milter_message.c - fuzz target: whatever a milter changes, each field stays one field, and the body what it was or was to become */
/*
 * Pieces with 0xfe between them: the first one is the message; each other one is a change: what kind of, which number, and
 * a field, or a piece of a body. Behind one of no kind the changes of the next milter begin.
 */
#include "handlers/milter_message.h"

#include <string.h>

#include "fuzz.h"

enum { SIZE = 65536, ROOM = 4 * SIZE, CHANGED = 64 };

static const struct slice above = SLICE("Received-SPF: pass\n\tclient-ip=192.0.2.7\nReceived: a\n");

static struct slice next_piece(struct slice *rest)
{
    const char *end = memchr(rest->text, 0xfe, rest->len);
    const struct slice piece = { rest->text, end != NULL ? (size_t)(end - rest->text) : rest->len };

    *rest = (struct slice){ rest->text + piece.len, rest->len - piece.len };
    if (end != NULL)
        *rest = (struct slice){ rest->text + 1, rest->len - 1 };
    return piece;
}

/* Takes a change apart. False: it is a piece of a body, which is given at once, or nothing. */
static bool read_change(struct slice piece, struct milter_change *change)
{
    static const enum milter_change_kind kinds[] = { MILTER_ADD_FIELD, MILTER_CHANGE_FIELD, MILTER_INSERT_FIELD };
    const struct slice field = { piece.text + 2, piece.len - 2 };
    const char *colon = memchr(field.text, ':', field.len);
    const unsigned char kind = (unsigned char)piece.text[0] % 4, number = (unsigned char)piece.text[1];

    if (kind == sizeof kinds / sizeof kinds[0]) {
        HOLDS(milter_message_replace(field));
        return false;
    }
    if (colon == NULL)
        return false;
    *change = (struct milter_change){ .kind = kinds[kind], .index = number / 2, .as_is = number % 2 != 0,
                                      .name = { field.text, (size_t)(colon - field.text) } };
    change->value = (struct slice){ colon + 1, field.len - change->name.len - 1 };
    return milter_is_field_name(change->name);
}

static void change_all(struct slice rest)
{
    struct milter_change changes[CHANGED];
    size_t count = 0;

    while (rest.len > 0) {
        struct slice piece = next_piece(&rest);

        if (piece.len < 2) {
            HOLDS(milter_message_apply(changes, count));
            count = 0;
        } else if (count < CHANGED && read_change(piece, &changes[count])) {
            count++;
        }
    }
    HOLDS(milter_message_apply(changes, count));
}

/* The fields and the body, each behind its length. */
static void look(struct text *out)
{
    struct slice name, value;

    for (size_t i = 0; milter_message_field(i, &name, &value); i++) {
        HOLDS(milter_is_field_name(name));
        text_number(out, name.len, 8);
        text_put(out, name);
        text_number(out, value.len, 8);
        text_put(out, value);
    }
    text_put(out, milter_message_body(0, NULL, SIZE));
}

void fuzz_milter_message(const uint8_t *data, size_t size)
{
    static char memory[SIZE], again[ROOM], shown[2][ROOM], fields[ROOM];
    struct spool spool = { .memory = memory, .fd = -1 }, result = { .memory = again, .fd = -1 };
    struct text out = { again, sizeof again, 0 }, header = { fields, sizeof fields, 0 };
    struct text was = { shown[0], ROOM, 0 }, is = { shown[1], ROOM, 0 };
    struct slice rest = { (const char *)data, size < SIZE / 4 ? size : SIZE / 4 }, message = next_piece(&rest), piece;

    memcpy(memory, message.text, message.len);
    spool.size = message.len;
    if (message.len > 0 && memory[message.len - 1] != '\n')
        memory[spool.size++] = '\n';
    HOLDS(milter_message_begin(&spool, above, slice_of("/tmp"), UINT64_MAX));
    change_all(rest);
    look(&was);
    text_put(&header, milter_message_fields());
    for (uint64_t at = 0; at < milter_message_spool()->size; at += piece.len) {
        piece = spool_piece(milter_message_spool(), at, NULL, 7);
        text_put(&out, piece);
    }
    result.size = out.len;
    HOLDS(out.len < sizeof again && header.len < sizeof fields);
    HOLDS(milter_message_begin(&result, text_slice(&header), slice_of("/tmp"), UINT64_MAX));
    look(&is);
    HOLDS(slice_equal(text_slice(&was), text_slice(&is)));
    milter_message_end();
}
