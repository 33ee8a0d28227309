/* link.h - a connection to RabbitMQ, over which messages are published side by side, each on a channel of its own */
/*
 * A broker that is short of memory or disk stops reading, and what it finds in the socket when it reads again counts,
 * even if whoever wrote it gave up hours ago and has sent it again since. So a message is announced first, which makes
 * such a broker say that it is blocked, together with a question that others answer. Only then the body follows.
 *
 * What is wrong with a message closes its channel, so that none of the others is concerned.
 */
#ifndef LINK_H
#define LINK_H

#include <stdint.h>

#include "programs/publish/job.h"
#include "programs/publish/librabbitmq.h"

enum { LINK_MESSAGES = 100 }; /* at once */

enum slot_state {
    SLOT_FREE,
    SLOT_ANNOUNCED, /* the broker does not have the message yet */
    SLOT_SENT
};

struct slot {
    enum slot_state state;
    bool is_open; /* its channel */
    uint64_t count; /* of messages on this channel since it was opened: the broker numbers them so, too */
    enum verdict verdict;
    const struct message *message;
};

struct link {
    amqp_connection_state_t connection;
    const struct place *place;
    bool is_asked; /* the channel for questions is open */
    struct slot slots[LINK_MESSAGES];
    size_t questions[LINK_MESSAGES], asked, answered; /* the slots whose announcements are to be answered, in turn */
};

enum heard {
    HEARD_NOTHING,
    HEARD_VERDICT, /* about one message, whose slot is free again */
    HEARD_BLOCKED, /* what is announced is not to be sent, nor is anything else */
    HEARD_END      /* nothing more will be heard; the verdict that slots have is that of their messages */
};

/* Announces a message, which must stay until the verdict about it, in a free slot. False: the link is broken. */
bool link_announce(struct link *l, size_t number, const struct message *message);

/* Listens, `wait`ing for something to be heard or for what is there already, and sends what may be sent. */
enum heard link_hear(struct link *l, bool wait, size_t *slot);

/* For a note. */
void link_note(const struct link *l, const char *what, amqp_bytes_t text);
void link_note_status(const struct link *l, int status);

#endif
