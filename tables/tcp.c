/* tcp.c - the protocol of Postfix's tcp tables (tcp_table(5)): questions and answers, a line each; pure */
#include "tables/tcp.h"

void tcp_ask(struct text *out, struct slice map, struct slice key)
{
    static const char digits[] = "0123456789ABCDEF";

    (void)map;
    text_put(out, (struct slice)SLICE("get "));
    for (size_t i = 0; i < key.len; i++) {
        const unsigned char byte = (unsigned char)key.text[i];
        const char code[] = { '%', digits[byte >> 4], digits[byte & 15] };
        const bool plain = byte > ' ' && byte < 0x7f && byte != '%';

        text_put(out, plain ? (struct slice){ key.text + i, 1 } : (struct slice){ code, sizeof code });
    }
    text_put(out, (struct slice)SLICE("\n"));
}

/* Decodes a text where it stands. False: there is a % without two digits. */
static bool decode(char *text, size_t *len)
{
    size_t to = 0;

    for (size_t i = 0; i < *len; i++) {
        char c = text[i];

        if (c == '%') {
            const int byte = slice_hex_byte((struct slice){ text + i + 1, *len - i - 1 });

            if (byte < 0)
                return false;
            c = (char)byte;
            i += 2;
        }
        text[to++] = c;
    }
    *len = to;
    return true;
}

/* What a line says. False: it is none of the protocol. */
static bool understand(struct table_reply *reply, size_t len)
{
    static const struct {
        struct slice code;
        enum table_answer kind;
    } codes[] = { { SLICE("200 "), TABLE_FOUND }, { SLICE("500 "), TABLE_UNKNOWN }, { SLICE("400 "), TABLE_FAILED } };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        const struct slice code = codes[i].code;
        size_t behind = len - code.len;

        if (len < code.len || memcmp(reply->bytes, code.text, code.len) != 0)
            continue;
        if (!decode(reply->bytes + code.len, &behind))
            return false;
        reply->kind = codes[i].kind;
        reply->value = (struct slice){ reply->bytes + code.len, behind };
        reply->text = (struct slice){ reply->bytes, code.len + behind };
        return true;
    }
    return false;
}

enum server_progress tcp_feed(struct table_reply *reply, struct slice bytes, size_t *used)
{
    const char *end;
    size_t len;

    *used = table_reply_add(reply, bytes, TCP_REPLY);
    end = memchr(reply->bytes, '\n', reply->len);
    if (end == NULL)
        return reply->len < TCP_REPLY ? SERVER_MORE : SERVER_NONSENSE;
    len = (size_t)(end - reply->bytes);
    *used -= reply->len - (len + 1);
    len -= len > 0 && reply->bytes[len - 1] == '\r'; /* one that belongs to a value is %0D */
    return understand(reply, len) ? SERVER_DONE : SERVER_NONSENSE;
}
