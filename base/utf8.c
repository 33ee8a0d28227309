/* utf8.c - characters of UTF-8 (RFC 3629); pure */
#include "base/utf8.h"

size_t utf8_length(struct slice text)
{
    const unsigned char *p = (const unsigned char *)text.text;
    size_t len;
    unsigned char low = 0x80, high = 0xbf; /* bounds of the second byte (RFC 3629 4) */

    if (text.len == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    else if (p[0] == 0xed)
        high = 0x9f;
    else if (p[0] == 0xf0)
        low = 0x90;
    else if (p[0] == 0xf4)
        high = 0x8f;
    if (text.len < len || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if (p[i] < 0x80 || p[i] > 0xbf)
            return 0;
    return len;
}
