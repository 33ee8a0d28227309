/* resolver.c - fuzz target: what a process that reads the DNS may tell when it was taken over */
/*
 * Byte 0 is the type of the question, as an index into `types`; what follows is the message, padded with zeros.
 */
#include "dns/resolver.h"

#include <string.h>

#include "fuzz.h"

/* Printable text with its end in its place. */
static void check_text(const char *text, size_t size, char first)
{
    HOLDS(memchr(text, '\0', size) != NULL);
    for (; *text != '\0'; text++)
        HOLDS(*text >= first && *text <= '~');
}

void fuzz_resolver(const uint8_t *data, size_t size)
{
    static const enum answer_type types[] = { ANSWER_A, ANSWER_PTR, ANSWER_MX, ANSWER_TXT, ANSWER_AAAA };
    static struct resolver_message message;
    static struct answer answer;
    enum answer_type type;
    bool taken;

    if (size < 1 || size - 1 > sizeof message)
        return;
    type = types[data[0] % (sizeof types / sizeof types[0])];
    memset(&message, 0, sizeof message);
    memcpy(&message, data + 1, size - 1);
    memset(&answer, 0xa5, sizeof answer);
    taken = resolver_read(&message, size - 1, type, &answer);
    HOLDS(taken || (answer.status == ANSWER_UNSURE && answer.count == 0 && !answer.null_mx));
    if (taken)
        check_text(message.why, sizeof message.why, ' '); /* it is logged */
    HOLDS(answer.status <= ANSWER_UNSURE && (answer.status == ANSWER_FOUND) == (answer.count > 0));
    HOLDS(!answer.null_mx || (type == ANSWER_MX && answer.status == ANSWER_FOUND));
    if (answer.status != ANSWER_FOUND)
        return;
    HOLDS(type == ANSWER_TXT ||
          answer.count <= (type == ANSWER_PTR || type == ANSWER_MX ? ANSWER_NAMES : ANSWER_ADDRESSES));
    for (size_t i = 0; (type == ANSWER_PTR || type == ANSWER_MX) && i < answer.count; i++) {
        HOLDS(type == ANSWER_MX || answer.names[i][0] != '\0');
        HOLDS(!answer.null_mx || answer.names[i][0] == '\0');
        check_text(answer.names[i], sizeof answer.names[i], '!');
    }
    if (type == ANSWER_TXT)
        check_text(answer.text, sizeof answer.text, ' ');
}
