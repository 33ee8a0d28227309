/* milter.c - fuzz target: what a milter answers, in pieces as at once; replies have a code, fields a name, strings no NUL */
/* The first byte says how long the pieces are; the rest comes from the milter. */
#include <string.h>

#include "handlers/milter_packet.h"

#include "fuzz.h"

/* What a stream of answers comes to, with bodies put together. */
struct heard {
    uint64_t hash;
    size_t taken;
    bool nonsense;
};

static void note(struct heard *heard, struct slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        heard->hash = (heard->hash ^ (unsigned char)bytes.text[i]) * 0x100000001b3;
}

static bool has_nul(struct slice text)
{
    return text.len > 0 && memchr(text.text, '\0', text.len) != NULL;
}

static void check_reply(struct slice text)
{
    static struct milter_reply reply;

    if (!milter_reply_read(text, &reply))
        return;
    HOLDS(reply.code >= 400 && reply.code <= 599 && strlen(reply.status) >= 3 && reply.len <= sizeof reply.text);
}

static void check(const struct milter_answer *answer, struct heard *heard)
{
    const struct milter_change *change = &answer->change;

    HOLDS(answer->word < MILTER_WORDS && change->kind < MILTER_CHANGES && !has_nul(change->name));
    if (answer->word == MILTER_OPTIONS)
        for (size_t i = 0; i < MILTER_LISTS; i++)
            if ((answer->options.listed & 1U << i) != 0) {
                HOLDS(answer->options.symbols[i].len <= MILTER_SYMBOLS && !has_nul(answer->options.symbols[i]));
                note(heard, answer->options.symbols[i]);
            }
    if (answer->word == MILTER_REPLY)
        check_reply(answer->text);
    note(heard, answer->text);
    note(heard, change->name);
    note(heard, change->value);
}

static struct heard hear(struct slice bytes, size_t piece)
{
    static struct milter_reader reader;
    struct heard heard = { .hash = 1 };
    struct milter_answer answer;

    reader.have = 0;
    while (heard.taken < bytes.len && !heard.nonsense) {
        const size_t left = bytes.len - heard.taken;
        size_t used;
        enum milter_progress progress = milter_answer_feed(
            &reader, (struct slice){ bytes.text + heard.taken, left < piece ? left : piece }, &used, &answer);

        HOLDS(used > 0 && used <= left && (progress != MILTER_MORE || used == (left < piece ? left : piece)));
        HOLDS(reader.have <= MILTER_HEAD + MILTER_ANSWER);
        heard.taken += used;
        heard.nonsense = progress == MILTER_NONSENSE;
        if (progress == MILTER_DONE)
            check(&answer, &heard);
    }
    return heard;
}

void fuzz_milter(const uint8_t *data, size_t size)
{
    struct slice bytes = { (const char *)data + 1, size - 1 };
    struct heard whole, pieces;

    if (size == 0)
        return;
    whole = hear(bytes, SIZE_MAX);
    pieces = hear(bytes, data[0] + 1U);
    HOLDS(whole.hash == pieces.hash && whole.taken == pieces.taken && whole.nonsense == pieces.nonsense);
    check_reply(bytes);
}
