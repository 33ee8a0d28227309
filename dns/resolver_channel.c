/* resolver_channel.c - what crosses the channel between the resolver and its parent: orders, answers, sockets */
#include "dns/resolving.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/passing.h"
#include "base/text.h"

struct resolver_message resolving_message COLD_BSS;

/* Where a message ends: behind `used` bytes of what its kind has besides the head. */
size_t resolving_size(size_t used)
{
    return offsetof(struct resolver_message, data) + used;
}

/* Without somebody to tell it there is nothing left to do. */
void resolving_tell(enum resolver_kind kind, size_t used)
{
    resolving_message.kind = kind;
    if (send(resolving.channel, &resolving_message, resolving_size(used), MSG_NOSIGNAL) < 0)
        _exit(EXIT_FAILURE);
}

/* Gives an order, with a descriptor if `fd` is one. False if it does not arrive. */
bool resolving_give_order(int channel, const struct order *order, size_t len, int fd)
{
    return passing_send(channel, order, len, fd, MSG_DONTWAIT) >= 0;
}

void resolver_tell(int channel, uint32_t number, enum answer_type type, const char *name)
{
    struct order order = { .number = number, .type = type };
    size_t len = strlen(name) + 1;

    memcpy(order.name, name, len);
    /* If it does not arrive, it is as if the process was silent. */
    (void)resolving_give_order(channel, &order, offsetof(struct order, name) + len, NONE);
}

/* Takes the next order, of the parent, who is trusted. */
void resolving_take_order(int flags)
{
    struct order order;
    int fd;
    ssize_t len = passing_receive(resolving.channel, &order, sizeof order, &fd, flags);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0)
        _exit(EXIT_SUCCESS);
    if (order.number < RESOLVER_QUESTIONS) {
        struct question *q = &resolving_own->questions[order.number];

        q->type = (enum answer_type)order.type;
        memcpy(q->name, order.name, strlen(order.name) + 1);
        q->state = TOLD;
    } else {
        resolving.awaited = fd;
        errno = order.error;
    }
}

/* How many bytes an answer has besides its status; SIZE_MAX: there is no such answer. */
static size_t answer_bytes(enum answer_type type, enum answer_status status, size_t count)
{
    if (status != ANSWER_FOUND)
        return count == 0 ? 0 : SIZE_MAX;
    switch (type) {
    case ANSWER_PTR:
    case ANSWER_MX:
        return count <= ANSWER_NAMES ? count * sizeof ((struct answer *)NULL)->names[0] : SIZE_MAX;
    case ANSWER_A:
    case ANSWER_AAAA:
        return count <= ANSWER_ADDRESSES ? count * sizeof ((struct answer *)NULL)->addresses[0] : SIZE_MAX;
    default: /* TXT */
        return ANSWER_TEXT + 1;
    }
}

void resolving_tell_answer(const struct question *q, const struct answer *answer, const char *why)
{
    size_t count = answer->status == ANSWER_FOUND ? answer->count : 0;
    size_t size = answer_bytes(q->type, answer->status, count);

    resolving_message.number = (uint32_t)(q - resolving_own->questions);
    resolving_message.status = answer->status;
    resolving_message.count = (uint32_t)count;
    resolving_message.null_mx = answer->null_mx;
    text_string(resolving_message.why, sizeof resolving_message.why, slice_of(why)); /* cut when too long */
    memcpy(resolving_message.data, answer->names, size);
    resolving_tell(RESOLVER_ANSWER, size);
}

/* Text with its end in its place, and something in it. */
static bool is_text(const char *text, size_t size, char first)
{
    size_t len = strnlen(text, size);

    for (size_t i = 0; i < len; i++)
        if (text[i] < first || text[i] > '~')
            return false;
    return len < size;
}

/* Could wire_read have found this? */
static bool is_sound(const struct answer *answer, enum answer_type type)
{
    if (answer->status > ANSWER_UNSURE || (answer->status == ANSWER_FOUND) != (answer->count > 0) ||
        (answer->null_mx && (type != ANSWER_MX || answer->status != ANSWER_FOUND)))
        return false;
    if (answer->status == ANSWER_FOUND && type == ANSWER_TXT)
        return is_text(answer->text, sizeof answer->text, ' ');
    for (size_t i = 0; (type == ANSWER_PTR || type == ANSWER_MX) && i < answer->count; i++)
        if (answer->names[i][0] == '\0' ? type == ANSWER_PTR : answer->null_mx || !is_text(answer->names[i], DOMAIN_MAX + 1, '!'))
            return false;
    return true;
}

bool resolver_read(const struct resolver_message *m, size_t len, enum answer_type type, struct answer *answer)
{
    size_t size;

    answer->status = ANSWER_UNSURE;
    answer->count = 0;
    answer->null_mx = false;
    if (len < resolving_size(0) || m->kind != RESOLVER_ANSWER || m->status > ANSWER_UNSURE || m->null_mx > 1 ||
        !is_text(m->why, sizeof m->why, ' '))
        return false;
    size = answer_bytes(type, (enum answer_status)m->status, m->count);
    if (size != len - resolving_size(0))
        return false;
    memcpy(answer->names, m->data, size);
    answer->status = (enum answer_status)m->status;
    answer->count = m->count;
    answer->null_mx = m->null_mx != 0;
    if (is_sound(answer, type))
        return true;
    answer->status = ANSWER_UNSURE;
    answer->count = 0;
    answer->null_mx = false;
    return false;
}
