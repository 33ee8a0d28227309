/* dialogue.c - fuzz target: a server that says anything; nobody counts as served without a reply of its own, and texts are clean */
/*
 * Byte 0: bit 0 is LMTP; bit 1 is a server that says all at once, whatever it hears; else it says a line whenever we wait for
 * one, so that nothing comes too early. With bit 2 we log in; with bit 3 the message has a NUL, which BDAT alone can carry. The
 * rest is what the server says.
 */
#include "nexthop/dialogue.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fuzz.h"

enum { RECIPIENTS = 3, MOST = 16384, PATIENCE_MS = 10000 };

/* The server: its end and ours, and what it has still to say. */
static struct {
    int own, other;
    struct slice rest;
} server = { -1, -1, { NULL, 0 } };

/* The linker gives the program this (--wrap) in the place of the real one. */
int real_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) __asm__("__real_ppoll");
int fuzz_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) __asm__("__wrap_ppoll");

/* The server says this much more, and when that was all, is gone. */
static void say(size_t len)
{
    HOLDS(send(server.own, server.rest.text, len, MSG_NOSIGNAL) == (ssize_t)len);
    server.rest = (struct slice){ server.rest.text + len, server.rest.len - len };
    HOLDS(server.rest.len > 0 || shutdown(server.own, SHUT_WR) == 0);
}

int fuzz_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    if (count == 1 && fds[0].fd == server.other && (fds[0].events & POLLIN) != 0 && server.rest.len > 0) {
        const char *lf = memchr(server.rest.text, '\n', server.rest.len);

        say(lf != NULL ? (size_t)(lf + 1 - server.rest.text) : server.rest.len);
    }
    return real_ppoll(fds, count, timeout, mask);
}

static const struct slice plain = SLICE("Subject: x\n\n.\ntext"), with_nul = SLICE("Subject: x\n\n\0\n");

static struct slice piece(void *context, uint64_t offset, char *buffer, size_t size)
{
    const struct slice *message = context;
    size_t left = message->len - (size_t)offset, len = left < size ? left : size;

    memcpy(buffer, message->text + offset, len);
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

static void hand_over(struct dialogue *dialogue, struct slice bytes, bool login, struct slice message)
{
    struct address sender, addresses[RECIPIENTS];
    struct letter letter = { .sender = &sender, .piece = piece, .context = &message };
    struct letter_recipient recipients[RECIPIENTS];
    size_t served = 0;

    HOLDS(envelope_mailbox(slice_of("ann@example.com"), &sender) && letter_look(&letter));
    for (size_t i = 0; i < RECIPIENTS; i++) {
        HOLDS(envelope_mailbox(slice_of("bob@example.com"), &addresses[i]));
        recipients[i] = (struct letter_recipient){ .address = &addresses[i] };
    }
    if (!dialogue_greet(dialogue) || !dialogue_introduce(dialogue) ||
        (login && !dialogue_login(dialogue, slice_of("user"), slice_of("secret"))))
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

    if (size < 2 || size > MOST)
        return;
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    server.other = ends[0];
    server.own = ends[1];
    server.rest = (struct slice){ (const char *)data + 1, size - 1 };
    if ((data[0] & 2) != 0)
        say(server.rest.len);
    dialogue = (struct dialogue){ .name = "client.example", .lmtp = (data[0] & 1) != 0 };
    exchange_begin(&dialogue.exchange, ends[0], clock_ms() + PATIENCE_MS, NULL);
    hand_over(&dialogue, (struct slice){ (const char *)data + 1, size - 1 }, (data[0] & 4) != 0,
              (data[0] & 8) != 0 ? with_nul : plain);
    check(&dialogue.trouble);
    (void)close(ends[0]);
    (void)close(ends[1]);
    server.other = server.own = -1;
}
