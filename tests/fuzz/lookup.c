/* lookup.c - fuzz target: requests of a table, in any pieces the same; a query, where keys go and nowhere else */
/* The first byte says how much has come of the rest, which are a row of requests; and the text of a query. */
#include "programs/lookup/query.h"
#include "programs/lookup/socketmap.h"

#include "fuzz.h"

/* What is no request stays so, whatever follows; of what is one the end is known. Returns its length; 0: it is none. */
static size_t check_request(struct slice bytes, size_t part)
{
    struct slice key, again, beginning = { bytes.text, bytes.len < part ? bytes.len : part };
    size_t used, used_again;
    enum netstring whole = socketmap_read(bytes, &key, &used), state = socketmap_read(beginning, &again, &used_again);

    HOLDS(state == NETSTRING_MORE || state == whole);
    HOLDS(state != NETSTRING_DONE || (used == used_again && key.text == again.text && key.len == again.len));
    HOLDS(whole != NETSTRING_MORE || bytes.len < SOCKETMAP_REQUEST + NETSTRING_MARKS);
    if (whole != NETSTRING_DONE)
        return 0;
    HOLDS(used > 0 && used <= bytes.len && bytes.text[used - 1] == ',');
    HOLDS(key.text == NULL || (key.text > bytes.text && key.text + key.len == bytes.text + used - 1 && key.text[-1] == ' '));
    return used;
}

static void check_requests(struct slice bytes, size_t part)
{
    size_t used;

    while ((used = check_request(bytes, part)) > 0)
        bytes = (struct slice){ bytes.text + used, bytes.len - used };
}

/* What was replied is what is read. */
static void check_reply(struct slice value)
{
    static char bytes[SOCKETMAP_REPLY];
    const struct answer answer = { ANSWER_FOUND, value };
    struct text out = { bytes, sizeof bytes, 0 };
    struct slice word;
    size_t used;

    socketmap_reply(&out, &answer);
    HOLDS(netstring_read(text_slice(&out), SOCKETMAP_REPLY, &word, &used) == NETSTRING_DONE && used == out.len);
    HOLDS(word.len == value.len + 3 && memcmp(word.text, "OK ", 3) == 0 && memcmp(word.text + 3, value.text, value.len) == 0);
}

static void check_line(struct slice text)
{
    char bytes[SOCKETMAP_REASON];
    struct slice line = socketmap_line(bytes, text);

    HOLDS(line.len <= sizeof bytes && line.len <= text.len);
    for (size_t i = 0; i < line.len; i++)
        HOLDS((unsigned char)line.text[i] >= ' ' && line.text[i] != 0x7f);
}

/* Written for a database it is a query with as many places, whichever style it had; the rest of its text is as it was. */
static void check_query(struct slice query, bool backslashes)
{
    static char marks[QUERY_MAX], numbers[QUERY_MAX], again[QUERY_MAX];
    size_t count = query_write(query, QUERY_QUESTION_MARKS, backslashes, marks);

    HOLDS(count <= QUERY_KEYS);
    if (count == 0 || query_write(query, QUERY_NUMBERED, backslashes, numbers) == 0)
        return;
    HOLDS(query_write(slice_of(numbers), QUERY_NUMBERED, backslashes, again) == count && strcmp(numbers, again) == 0);
    HOLDS(strlen(numbers) == strlen(marks) + count);
    HOLDS(strlen(marks) == query.len || strlen(numbers) == query.len);
}

void fuzz_lookup(const uint8_t *data, size_t size)
{
    struct slice bytes = { (const char *)data + 1, size - 1 };

    if (size == 0)
        return;
    check_requests(bytes, data[0]);
    check_reply(bytes.len <= SOCKETMAP_VALUE ? bytes : (struct slice){ bytes.text, SOCKETMAP_VALUE });
    check_line(bytes);
    if (memchr(bytes.text, '\0', bytes.len) == NULL) /* an argument of a program */
        check_query(bytes, data[0] % 2 != 0);
}
