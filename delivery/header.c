/* header.c - the fields of a message's header, for a person to look at */
#include "delivery/header.h"

#include <stdlib.h>

/* The beginning of the message, copied, for it will be changed. */
static size_t read_beginning(struct header *header, const struct spool *spool)
{
    size_t want = spool->size < HEADER_MAX ? (size_t)spool->size : HEADER_MAX, len = 0;

    while (len < want) {
        struct slice piece = spool_piece(spool, len, header->text + len, want - len);

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

/* Bytes of the field that begins here, with all lines that continue it; 0: its end cannot be seen. */
static size_t field_length(struct slice rest, bool whole)
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

/* Takes the name in front of the colon, in lower case. Returns where the value begins; 0: this is no field. */
static size_t take_name(char *text, size_t len, size_t *name_len)
{
    size_t i = 0;

    for (; i < len && text[i] > ' ' && text[i] < 0x7f && text[i] != ':'; i++)
        text[i] = lower_ascii(text[i]);
    *name_len = i;
    while (i < len && is_blank(text[i])) /* as it was written once (RFC 5322 4.5) */
        i++;
    return *name_len > 0 && i < len && text[i] == ':' ? i + 1 : 0;
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
    size_t name_len, skip = take_name(header->text + at, len, &name_len);
    struct slice value;

    if (skip == 0)
        return false;
    value = unfold(header->text + at + skip, len - skip);
    header->fields[header->count++] = (struct header_field){
        (uint16_t)at, (uint16_t)name_len, (uint16_t)(value.text - header->text), (uint16_t)value.len
    };
    return true;
}

void header_read(struct header *header, const struct spool *spool)
{
    size_t end = read_beginning(header, spool), at = 0, len;
    bool whole = end == spool->size;

    header->count = 0;
    header->cut = end == 0 && !whole;
    for (; at < end; at += len) {
        len = field_length((struct slice){ header->text + at, end - at }, whole);
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
