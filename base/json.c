/* json.c - characters of JSON strings (RFC 8259 7); pure */
#include "base/json.h"

#include <stdio.h>

#include "base/utf8.h"

struct slice json_character(struct slice *text, char out[JSON_CHARACTER])
{
    unsigned char byte = (unsigned char)text->text[0];
    size_t len = utf8_length(*text);

    if (len == 0)
        (void)snprintf(out, JSON_CHARACTER, "\\ufffd");
    else if (byte < ' ')
        (void)snprintf(out, JSON_CHARACTER, "\\u%04x", byte);
    else
        (void)snprintf(out, JSON_CHARACTER, "%s%.*s", byte == '"' || byte == '\\' ? "\\" : "", (int)len, text->text);
    len += len == 0;
    text->text += len;
    text->len -= len;
    return slice_of(out);
}
