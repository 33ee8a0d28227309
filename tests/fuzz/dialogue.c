/* dialogue.c - fuzz target: a server that says anything; nobody counts as served without a reply of its own, and texts are clean */
/* The first byte says which protocol; the rest is all that the server says, whatever it hears. */
#include "nexthop/dialogue.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fuzz.h"

enum { RECIPIENTS = 3, MOST = 16384, PATIENCE_MS = 10000 };

static const char message[] = "Subject: x\n\n.\ntext";

static struct slice piece(void *context, uint64_t offset, char *buffer, size_t size)
{
    size_t left = sizeof message - 1 - (size_t)offset, len = left < size ? left : size;

    (void)context;
    memcpy(buffer, message + offset, len);
    return (struct slice){ buffer, len };
}

/* Lines that may end a reply with a yes: no more recipients can be served by LMTP than there are. */
static size_t count_yes(struct slice bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes.len; i++)
        count += bytes.text[i] == '2' && (i == 0 || bytes.text[i - 1] == '\n');
    return count;
}

static void check(const struct verdict *verdict)
{
    HOLDS(verdict->code == 0 || (verdict->code >= 200 && verdict->code <= 599 && verdict->code / 100 != 3));
    HOLDS(verdict->code != 221 && verdict->code != 421);
    HOLDS(strlen(verdict->text) < sizeof verdict->text && strlen(verdict->status) < sizeof verdict->status);
    for (const char *c = verdict->text; *c != '\0'; c++)
        HOLDS(*c >= ' ' && *c <= '~');
}

static void hand_over(struct dialogue *dialogue, struct slice bytes)
{
    struct address sender, addresses[RECIPIENTS];
    struct letter letter = { .sender = &sender, .piece = piece };
    struct letter_recipient recipients[RECIPIENTS];
    size_t served = 0;

    HOLDS(envelope_mailbox(slice_of("ann@example.com"), &sender) && letter_look(&letter));
    for (size_t i = 0; i < RECIPIENTS; i++) {
        HOLDS(envelope_mailbox(slice_of("bob@example.com"), &addresses[i]));
        recipients[i] = (struct letter_recipient){ .address = &addresses[i] };
    }
    if (!dialogue_greet(dialogue) || !dialogue_introduce(dialogue))
        return;
    if (dialogue_envelope(dialogue, &letter, true, recipients, RECIPIENTS))
        (void)dialogue_message(dialogue, &letter, recipients, RECIPIENTS);
    else
        for (size_t i = 0; i < RECIPIENTS; i++)
            HOLDS(!verdict_accepts(&recipients[i].verdict));
    for (size_t i = 0; i < RECIPIENTS; i++) {
        check(&recipients[i].verdict);
        served += verdict_accepts(&recipients[i].verdict);
    }
    /* greeting, introduction, MAIL, RCPT for each who is served, and of LMTP the answer for each, else one */
    HOLDS(served == 0 || count_yes(bytes) >= 3 + served + (dialogue->lmtp ? served : 1));
    dialogue_quit(dialogue);
}

void fuzz_dialogue(const uint8_t *data, size_t size)
{
    static struct dialogue dialogue;
    int ends[2];

    if (size < 1 || size > MOST)
        return;
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    HOLDS(send(ends[1], data + 1, size - 1, MSG_NOSIGNAL) == (ssize_t)(size - 1));
    HOLDS(shutdown(ends[1], SHUT_WR) == 0);
    dialogue = (struct dialogue){ .name = "client.example", .lmtp = (data[0] & 1) != 0 };
    exchange_begin(&dialogue.exchange, ends[0], clock_ms() + PATIENCE_MS, NULL);
    hand_over(&dialogue, (struct slice){ (const char *)data + 1, size - 1 });
    check(&dialogue.trouble);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
