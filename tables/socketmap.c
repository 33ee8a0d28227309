/* socketmap.c - the socketmap protocol of Sendmail and Postfix (socketmap_table(5)): questions and answers; pure */
#include "tables/socketmap.h"

void socketmap_ask(struct text *out, struct slice map, struct slice key)
{
    char bytes[SOCKETMAP_REQUEST];
    struct text request = { bytes, sizeof bytes, 0 };

    text_put(&request, map);
    text_put(&request, (struct slice)SLICE(" "));
    text_put(&request, key);
    netstring_write(out, text_slice(&request));
}

void socketmap_begin(struct socketmap_answer *answer)
{
    answer->len = 0;
}

/* What the first word says. False: it is none of the protocol. */
static bool understand(struct socketmap_answer *answer, struct slice content)
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
            answer->kind = words[i].kind;
            answer->text = content;
            answer->value = blank == NULL ? (struct slice){ "", 0 }
                                          : (struct slice){ blank + 1, content.len - word.len - 1 };
            return true;
        }
    return false;
}

enum netstring socketmap_feed(struct socketmap_answer *answer, struct slice bytes, size_t *used)
{
    const size_t before = answer->len;
    size_t skipped = 0, room = sizeof answer->bytes - before, taken, whole;
    struct slice content;
    enum netstring result;

    while (before == 0 && skipped < bytes.len && (bytes.text[skipped] == '\n' || bytes.text[skipped] == '\r'))
        skipped++;
    taken = bytes.len - skipped < room ? bytes.len - skipped : room;
    if (taken > 0)
        memcpy(answer->bytes + before, bytes.text + skipped, taken);
    answer->len += taken;
    result = netstring_read((struct slice){ answer->bytes, answer->len }, sizeof answer->bytes - NETSTRING_MARKS, &content,
                            &whole);
    *used = result == NETSTRING_DONE ? skipped + whole - before : bytes.len;
    return result == NETSTRING_DONE && !understand(answer, content) ? NETSTRING_BAD : result;
}
