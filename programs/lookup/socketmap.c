/* socketmap.c - what is asked and answered by the socketmap protocol of Sendmail and Postfix; pure */
#include "programs/lookup/socketmap.h"

enum netstring socketmap_read(struct slice bytes, struct slice *key, size_t *used)
{
    struct slice request;
    enum netstring state = netstring_read(bytes, SOCKETMAP_REQUEST, &request, used);
    const char *blank;

    *key = (struct slice){ NULL, 0 };
    if (state != NETSTRING_DONE)
        return state;
    blank = memchr(request.text, ' ', request.len);
    if (blank != NULL)
        *key = (struct slice){ blank + 1, (size_t)(request.text + request.len - (blank + 1)) };
    return state;
}

void socketmap_word(struct text *out, const struct answer *answer)
{
    static const struct slice words[] = {
        [ANSWER_TEMPORARY] = SLICE("TEMP "),   [ANSWER_FOUND] = SLICE("OK "),   [ANSWER_NOT_FOUND] = SLICE("NOTFOUND "),
        [ANSWER_TIMEOUT] = SLICE("TIMEOUT "), [ANSWER_NEVER] = SLICE("PERM "),
    };

    text_put(out, words[answer->kind]);
    text_put(out, answer->value);
}

void socketmap_reply(struct text *out, const struct answer *answer)
{
    static char word[SOCKETMAP_VALUE + sizeof "NOTFOUND "];
    struct text text = { word, sizeof word, 0 };

    socketmap_word(&text, answer);
    netstring_write(out, text_slice(&text));
}

struct slice socketmap_line(char out[SOCKETMAP_REASON], struct slice text)
{
    size_t len = text.len < SOCKETMAP_REASON ? text.len : SOCKETMAP_REASON;

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text.text[i] < ' ' || text.text[i] == 0x7f)
            out[i] = ' ';
        else
            out[i] = text.text[i];
    while (len > 0 && out[len - 1] == ' ')
        len--;
    return (struct slice){ out, len };
}
