/* header.c - the fields of a message's header, for a person to look at */
#include "delivery/header.h"

#include <stdlib.h>

#include "base/text.h"

/* The fields above the message and its beginning, copied, for they will be changed. */
static size_t read_beginning(struct header *header, struct slice above, const struct spool *spool)
{
    struct text out = { header->text, HEADER_MAX, 0 };
    size_t len, want;

    text_put(&out, above);
    len = out.len;
    want = spool->size < HEADER_MAX - len ? len + (size_t)spool->size : HEADER_MAX;
    while (len < want) {
        struct slice piece = spool_piece(spool, len - out.len, header->text + len, want - len);

        if (piece.text == NULL)
            break;
        if (piece.text != header->text + len)
            memcpy(header->text + len, piece.text, piece.len);
        len += piece.len;
    }
    return len;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

size_t header_field_length(struct slice rest, bool whole)
{
    size_t len = 0;

    do {
        const char *lf = memchr(rest.text + len, '\n', rest.len - len);

        if (lf == NULL || lf + 1 == rest.text + rest.len)
            return whole ? rest.len : 0;
        len = (size_t)(lf - rest.text) + 1;
    } while (is_blank(rest.text[len]));
    return len;
}

size_t header_value_at(struct slice field, size_t *name_len)
{
    size_t i = 0;

    while (i < field.len && field.text[i] > ' ' && field.text[i] < 0x7f && field.text[i] != ':')
        i++;
    *name_len = i;
    while (i < field.len && is_blank(field.text[i])) /* as it was written once (RFC 5322 4.5) */
        i++;
    return *name_len > 0 && i < field.len && field.text[i] == ':' ? i + 1 : 0;
}

/* Takes out the line ends, and the blanks around what is left. */
static struct slice unfold(char *text, size_t len)
{
    size_t used = 0, begin = 0;

    for (size_t i = 0; i < len; i++)
        if (text[i] != '\n')
            text[used++] = text[i];
    while (begin < used && is_blank(text[begin]))
        begin++;
    while (used > begin && is_blank(text[used - 1]))
        used--;
    return (struct slice){ text + begin, used - begin };
}

static bool take_field(struct header *header, size_t at, size_t len)
{
    size_t name_len, skip = header_value_at((struct slice){ header->text + at, len }, &name_len);
    struct slice value;

    if (skip == 0)
        return false;
    for (size_t i = at; i < at + name_len; i++)
        header->text[i] = lower_ascii(header->text[i]);
    value = unfold(header->text + at + skip, len - skip);
    header->fields[header->count++] = (struct header_field){
        (uint16_t)at, (uint16_t)name_len, (uint16_t)(value.text - header->text), (uint16_t)value.len
    };
    return true;
}

void header_read(struct header *header, struct slice above, const struct spool *spool)
{
    size_t end = read_beginning(header, above, spool), at = 0, len;
    bool whole = end == above.len + spool->size;

    header->count = 0;
    header->cut = end == 0 && !whole;
    for (; at < end; at += len) {
        len = header_field_length((struct slice){ header->text + at, end - at }, whole);
        header->cut = len == 0;
        if (len == 0 || !take_field(header, at, len))
            return;
    }
}

static int compare(const void *a, const void *b, void *text)
{
    const struct header_field *x = a, *y = b;
    size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
    int order = memcmp((char *)text + x->name, (char *)text + y->name, len);

    if (order == 0)
        order = x->name_len - y->name_len;
    return order != 0 ? order : x->name - y->name;
}

void header_sort(struct header *header, size_t count)
{
    qsort_r(header->fields, count, sizeof header->fields[0], compare, header->text);
}
