/* packet.c - what crosses the wall: questions and answers, packed into one page */
#include "monitor/packet.h"

#include <string.h>

enum { PARTS = 5, ALIGNMENT = 8 };

/* On the wire: this, the bytes of the parts, and what is missing to a multiple of ALIGNMENT. */
struct head {
    uint32_t kind, number, stage;
    uint32_t code, closes, counts; /* of the reply */
    uint64_t size;
    uint32_t len[PARTS];
    uint32_t total;                /* bytes from here to the next question */
};

static size_t aligned(size_t len)
{
    return (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

bool packet_has_room(const struct packet *packet, const struct question *question)
{
    const struct reply *r = &question->reply;
    size_t texts = r->text.len + r->status.len + r->detail.len + r->note.len + question->text.len;

    return aligned(sizeof(struct head) + texts) <= PACKET_BYTES - packet->used;
}

size_t packet_put(struct packet *packet, const struct question *question)
{
    const struct reply *r = &question->reply;
    const struct slice parts[PARTS] = { r->text, r->status, r->detail, r->note, question->text };
    struct head head = { .kind = question->kind, .number = question->number, .stage = question->stage,
                         .code = r->code, .closes = r->closes, .counts = r->counts, .size = question->size };
    char *begin = packet->bytes + packet->used;
    size_t used = sizeof head, room = PACKET_BYTES - packet->used;

    if (room < sizeof head)
        return 0;
    for (size_t i = 0; i < PARTS; i++) {
        size_t len = parts[i].len < room - used ? parts[i].len : room - used;

        if (len > 0)
            memcpy(begin + used, parts[i].text, len);
        used += len;
        head.len[i] = (uint32_t)len;
    }
    head.total = (uint32_t)(aligned(used) < room ? aligned(used) : room);
    memcpy(begin, &head, sizeof head);
    packet->used += head.total;
    return head.len[PARTS - 1];
}

bool packet_take(const struct packet *packet, size_t *offset, struct question *question)
{
    size_t room = packet->used - *offset, used = sizeof(struct head);
    const char *begin = packet->bytes + *offset;
    struct slice parts[PARTS];
    struct head head;

    if (room < sizeof head)
        return false;
    memcpy(&head, begin, sizeof head);
    if (head.total > room || head.total < sizeof head)
        return false;
    for (size_t i = 0; i < PARTS; i++) {
        if (head.len[i] > head.total - used)
            return false;
        parts[i] = (struct slice){ begin + used, head.len[i] };
        used += head.len[i];
    }
    *question = (struct question){ .kind = head.kind, .number = head.number, .stage = head.stage, .size = head.size,
                                   .reply = { .code = head.code, .closes = head.closes != 0,
                                              .counts = (enum reply_counts)head.counts, .text = parts[0],
                                              .status = parts[1], .detail = parts[2], .note = parts[3] },
                                   .text = parts[4] };
    *offset += head.total;
    return true;
}
