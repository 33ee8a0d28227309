/* packet.h - what crosses the wall: questions and answers, packed into one page */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"
#include "session/reply.h"

enum { PACKET_BYTES = 4096 - sizeof(size_t) };

/*
 * A question, something told, or an answer. What the numbers mean is the business of monitor.c;
 * nothing that came out of a packet may be believed but that the slices lie inside it.
 */
struct question {
    uint32_t kind, number, stage;
    uint64_t size;
    struct reply reply;
    struct slice text;
};

/* Several questions, one behind the other. What is used of it lies together, so that few pages are touched. */
struct packet {
    size_t used;
    char bytes[PACKET_BYTES];
};

/*
 * Is there room for this question behind those that are in the packet?
 */
bool packet_has_room(const struct packet *packet, const struct question *question);

/*
 * Adds a question. Its texts are cut at the end of the packet; returns how many bytes of
 * `question->text`, the last of them, there was room for.
 */
size_t packet_put(struct packet *packet, const struct question *question);

/*
 * Takes the question at *offset out of a packet that anybody may have written, and moves the offset behind
 * it. False if it is malformed. The slices point into the packet.
 */
bool packet_take(const struct packet *packet, size_t *offset, struct question *question);

#endif
