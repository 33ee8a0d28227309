/* netstring.c - netstrings: bytes with their length in front, as 5:hello, */
#include "base/netstring.h"

enum netstring netstring_read(struct slice bytes, size_t max, struct slice *content, size_t *used)
{
    size_t len = 0, i = 0;

    for (; i < bytes.len && bytes.text[i] >= '0' && bytes.text[i] <= '9'; i++) {
        size_t digit = (size_t)(bytes.text[i] - '0');

        if (digit > max || len > (max - digit) / 10 || (i > 0 && len == 0))
            return NETSTRING_BAD;
        len = 10 * len + digit;
    }
    if (i == bytes.len)
        return NETSTRING_MORE;
    if (i == 0 || bytes.text[i] != ':')
        return NETSTRING_BAD;
    i++;
    if (bytes.len - i <= len)
        return NETSTRING_MORE;
    if (bytes.text[i + len] != ',')
        return NETSTRING_BAD;
    *content = (struct slice){ bytes.text + i, len };
    *used = i + len + 1;
    return NETSTRING_DONE;
}

void netstring_write(struct text *out, struct slice content)
{
    text_number(out, content.len, 1);
    text_put(out, (struct slice)SLICE(":"));
    text_put(out, content);
    text_put(out, (struct slice)SLICE(","));
}
