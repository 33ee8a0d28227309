/* content.c - a message as another server gets it: lines that end in CRLF, dots stuffed where a dot ends it; pure */
#include "nexthop/content.h"

/* Up to the empty line; returns how many bytes that were. */
static size_t look_at_header(struct content *content, struct slice piece)
{
    size_t i = 0;

    for (; i < piece.len && !content->in_body; i++) {
        content->in_body = piece.text[i] == '\n' && !content->in_line;
        content->in_line = piece.text[i] != '\n';
        content->eight_bit_header = content->eight_bit_header || (unsigned char)piece.text[i] >= 0x80;
    }
    return i;
}

void content_look(struct content *content, struct slice piece)
{
    unsigned char all = 0;
    uint64_t ends = 0;

    if (!content->in_body)
        (void)look_at_header(content, piece);
    for (size_t i = 0; i < piece.len; i++) {
        all |= (unsigned char)piece.text[i];
        ends += piece.text[i] == '\n';
    }
    content->size += piece.len + ends;
    content->eight_bit = content->eight_bit || all >= 0x80;
    if (piece.len == 0)
        return;
    content->nul = content->nul || memchr(piece.text, '\0', piece.len) != NULL;
    content->lone_cr = content->lone_cr || memchr(piece.text, '\r', piece.len) != NULL;
    content->in_line = piece.text[piece.len - 1] != '\n';
}

size_t content_write(struct content_writer *writer, struct slice *piece, char *out, size_t size)
{
    size_t len = 0;

    while (piece->len > 0 && size - len >= CONTENT_LEAST) {
        const char *lf = memchr(piece->text, '\n', piece->len);
        size_t line = lf != NULL ? (size_t)(lf - piece->text) : piece->len;

        if (writer->dots && !writer->in_line && piece->text[0] == '.')
            out[len++] = '.';
        if (line > size - len - 2) { /* room for the line's end */
            line = size - len - 2;
            lf = NULL;
        }
        memcpy(out + len, piece->text, line);
        len += line;
        if (lf != NULL) {
            out[len++] = '\r';
            out[len++] = '\n';
        }
        writer->in_line = lf == NULL;
        piece->text += line + (lf != NULL);
        piece->len -= line + (lf != NULL);
    }
    return len;
}
