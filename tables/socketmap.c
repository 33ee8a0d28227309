/* socketmap.c - the socketmap protocol of Sendmail and Postfix (socketmap_table(5)): questions and answers; pure */
#include "tables/socketmap.h"

void socketmap_ask(struct text *out, struct slice map, struct slice key)
{
    char bytes[TABLE_REQUEST - NETSTRING_MARKS];
    struct text request = { bytes, sizeof bytes, 0 };

    text_put(&request, map);
    text_put(&request, (struct slice)SLICE(" "));
    text_put(&request, key);
    netstring_write(out, text_slice(&request));
}

/* What the first word says. False: it is none of the protocol. */
static bool understand(struct table_reply *reply, struct slice content)
{
    static const struct {
        struct slice word;
        enum table_answer kind;
    } words[] = { { SLICE("OK"), TABLE_FOUND },        { SLICE("NOTFOUND"), TABLE_UNKNOWN }, { SLICE("TEMP"), TABLE_FAILED },
                  { SLICE("TIMEOUT"), TABLE_FAILED },  { SLICE("PERM"), TABLE_FAILED } };
    const char *blank = memchr(content.text, ' ', content.len);
    struct slice word = { content.text, blank != NULL ? (size_t)(blank - content.text) : content.len };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (slice_equal(word, words[i].word)) {
            reply->kind = words[i].kind;
            reply->text = content;
            reply->value = blank == NULL ? (struct slice){ "", 0 } : (struct slice){ blank + 1, content.len - word.len - 1 };
            return true;
        }
    return false;
}

enum server_progress socketmap_feed(struct table_reply *reply, struct slice bytes, size_t *used)
{
    struct slice content;
    size_t whole;
    enum netstring result;

    *used = table_reply_add(reply, bytes, TABLE_REPLY);
    result = netstring_read((struct slice){ reply->bytes, reply->len }, TABLE_REPLY - NETSTRING_MARKS, &content, &whole);
    if (result != NETSTRING_DONE)
        return result == NETSTRING_MORE ? SERVER_MORE : SERVER_NONSENSE;
    *used -= reply->len - whole;
    return understand(reply, content) ? SERVER_DONE : SERVER_NONSENSE;
}
