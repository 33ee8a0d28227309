/* link.c - a connection to RabbitMQ, over which messages are published side by side, each on a channel of its own */
#include "programs/publish/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { QUESTIONS = 1, FIRST = 2 /* channels */, FRAME_AROUND = 8 };

/* ---- notes ------------------------------------------------------------------------------- */

void link_note(const struct link *l, const char *what, amqp_bytes_t text)
{
    verdict_note("%s port %d: %s%.*s", l->place->host, l->place->port, what, (int)text.len, (const char *)text.bytes);
}

void link_note_status(const struct link *l, int status)
{
    link_note(l, "", librabbitmq_string(librabbitmq.error_string2(status)));
}

/* ---- the announcement -------------------------------------------------------------------- */

static amqp_field_value_t text_field(const char *text, size_t len)
{
    return (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = librabbitmq_bytes(text, len) };
}

/* An array with each line, of which the caller frees the entries. */
static amqp_field_value_t lines_field(const char *text)
{
    size_t most = 1;
    amqp_array_t array = { 0, NULL };

    for (const char *c = text; *c != '\0'; c++)
        most += *c == '\n';
    array.entries = calloc(most, sizeof *array.entries);
    while (array.entries != NULL && array.num_entries < (int)most) {
        size_t len = strcspn(text, "\n");

        array.entries[array.num_entries++] = text_field(text, len);
        text += len + (text[len] == '\n');
    }
    // cppcheck-suppress memleak ; the caller has them
    return (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_ARRAY, .value.array = array };
}

/* `entries` has room for all facts. */
static void put_properties(const struct message *message, amqp_basic_properties_t *p, amqp_table_entry_t *entries)
{
    const char *id = facts_unique_id(message), *received = facts_received_at(message);

    p->_flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG;
    p->content_type = librabbitmq_string("message/rfc822");
    p->delivery_mode = AMQP_DELIVERY_PERSISTENT;
    p->headers.entries = entries;
    for (size_t i = 0; i < FACTS; i++) {
        const char *value = message->values[i];

        if (value != NULL)
            entries[p->headers.num_entries++] = (amqp_table_entry_t){
                librabbitmq_string(facts[i].name),
                facts[i].lines ? lines_field(value) : text_field(value, strlen(value))
            };
    }
    if (id != NULL) {
        p->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        p->message_id = librabbitmq_string(id);
    }
    if (received != NULL) {
        p->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        p->timestamp = strtoull(received, NULL, 10);
    }
}

/* Everything but the body. Returns a status of the library. */
static int send_head(struct link *l, amqp_channel_t channel, const struct message *message)
{
    amqp_basic_publish_t publish = { .exchange = librabbitmq_string(message->to[0]),
                                     .routing_key = librabbitmq_string(message->to[1]),
                                     .mandatory = 1 };
    amqp_table_entry_t entries[FACTS];
    amqp_basic_properties_t properties = { 0 };
    amqp_frame_t header = { .frame_type = AMQP_FRAME_HEADER, .channel = channel };
    int status = librabbitmq.send_method(l->connection, channel, AMQP_BASIC_PUBLISH_METHOD, &publish);

    put_properties(message, &properties, entries);
    header.payload.properties.class_id = AMQP_BASIC_CLASS;
    header.payload.properties.body_size = message->body.size;
    header.payload.properties.decoded = &properties;
    if (status == AMQP_STATUS_OK)
        status = librabbitmq.send_frame(l->connection, &header);
    for (int i = 0; i < properties.headers.num_entries; i++)
        if (entries[i].value.kind == AMQP_FIELD_KIND_ARRAY)
            free(entries[i].value.value.array.entries);
    return status;
}

static int open_channel(struct link *l, amqp_channel_t channel, bool *is_open)
{
    amqp_channel_open_t open = { { 0, NULL } };

    *is_open = true;
    return librabbitmq.send_method(l->connection, channel, AMQP_CHANNEL_OPEN_METHOD, &open);
}

/* Asks for confirmations on a channel. Doing so again changes nothing, and is answered: that is the question. */
static int select_confirm(struct link *l, amqp_channel_t channel)
{
    amqp_confirm_select_t select = { 0 };

    return librabbitmq.send_method(l->connection, channel, AMQP_CONFIRM_SELECT_METHOD, &select);
}

/* Small frames that are written together travel together. */
static void cork(const struct link *l, int on)
{
    /* if that fails they travel alone */
    (void)setsockopt(librabbitmq.get_sockfd(l->connection), IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

bool link_announce(struct link *l, size_t number, const struct message *message)
{
    struct slot *slot = &l->slots[number];
    amqp_channel_t channel = (amqp_channel_t)(FIRST + number);
    int status = AMQP_STATUS_OK;

    *slot = (struct slot){ SLOT_ANNOUNCED, slot->is_open, slot->is_open ? slot->count + 1 : 1, CONFIRMED, message };
    l->questions[l->asked++ % LINK_MESSAGES] = number;
    cork(l, 1);
    if (!l->is_asked)
        status = open_channel(l, QUESTIONS, &l->is_asked);
    if (status == AMQP_STATUS_OK && !slot->is_open) {
        status = open_channel(l, channel, &slot->is_open);
        if (status == AMQP_STATUS_OK)
            status = select_confirm(l, channel);
    }
    if (status == AMQP_STATUS_OK)
        status = send_head(l, channel, message);
    if (status == AMQP_STATUS_OK)
        status = select_confirm(l, QUESTIONS);
    cork(l, 0);
    if (status != AMQP_STATUS_OK)
        link_note_status(l, status);
    return status == AMQP_STATUS_OK;
}

/* ---- the body ---------------------------------------------------------------------------- */

static bool send_body(struct link *l, size_t number)
{
    static char chunk[1 << 17];
    const struct body *body = &l->slots[number].message->body;
    size_t most = sizeof chunk - FRAME_AROUND, frame_max = (size_t)librabbitmq.get_frame_max(l->connection);
    amqp_frame_t frame = { .frame_type = AMQP_FRAME_BODY, .channel = (amqp_channel_t)(FIRST + number) };

    if (frame_max > FRAME_AROUND && frame_max - FRAME_AROUND < most)
        most = frame_max - FRAME_AROUND;
    for (uint64_t at = 0; at < body->size; at += frame.payload.body_fragment.len) {
        uint64_t rest = body->size - at;
        int status;

        frame.payload.body_fragment = (amqp_bytes_t){ rest < most ? (size_t)rest : most, chunk };
        if (!body_read(body, at, chunk, frame.payload.body_fragment.len))
            return false;
        status = librabbitmq.send_frame(l->connection, &frame);
        if (status != AMQP_STATUS_OK) {
            link_note_status(l, status);
            return false;
        }
    }
    return true;
}

/* The broker reads: what was announced first follows. */
static bool answered(struct link *l)
{
    size_t number;
    struct slot *slot;

    if (l->answered == l->asked)
        return true;
    number = l->questions[l->answered++ % LINK_MESSAGES];
    slot = &l->slots[number];
    if (slot->state != SLOT_ANNOUNCED)
        return true;
    slot->state = SLOT_SENT;
    if (send_body(l, number))
        return true;
    slot->verdict = UNCONFIRMED;
    return false;
}

/* ---- what the broker says ---------------------------------------------------------------- */

static enum verdict meaning(uint16_t code)
{
    switch (code) {
    case AMQP_CONTENT_TOO_LARGE:
    case AMQP_PRECONDITION_FAILED: return TOO_LARGE; /* of all that this is said for, it is the one that can be meant */
    case AMQP_NOT_FOUND: return NOWHERE;
    case AMQP_ACCESS_REFUSED: return FORBIDDEN;
    default: return UNCONFIRMED;
    }
}

static enum heard finish(struct slot *slot, enum verdict verdict)
{
    if (slot->state == SLOT_FREE)
        return HEARD_NOTHING;
    if (slot->verdict == CONFIRMED)
        slot->verdict = verdict;
    slot->state = SLOT_FREE;
    return HEARD_VERDICT;
}

/* Nothing more is to come: what is not known is not known. */
static enum heard end(struct link *l)
{
    for (size_t i = 0; i < LINK_MESSAGES; i++)
        if (l->slots[i].verdict == CONFIRMED)
            l->slots[i].verdict = l->slots[i].state == SLOT_ANNOUNCED ? UNREACHABLE : UNCONFIRMED;
    return HEARD_END;
}

/* Is it this message that is confirmed? Nobody has one of which we have kept the body back. */
static bool is_meant(const struct slot *slot, const amqp_basic_ack_t *ack)
{
    const bool is_whole = slot->state == SLOT_SENT || (slot->state == SLOT_ANNOUNCED && slot->message->body.size == 0);

    return is_whole && (ack->delivery_tag == slot->count || (ack->multiple && ack->delivery_tag == 0));
}

/* On the channel of a slot. */
static enum heard hear_of(struct link *l, struct slot *slot, amqp_channel_t channel, const amqp_method_t *method)
{
    amqp_channel_close_ok_t ok = { 0 };
    const amqp_channel_close_t *close = method->decoded;

    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: return is_meant(slot, method->decoded) ? finish(slot, CONFIRMED) : HEARD_NOTHING;
    case AMQP_BASIC_NACK_METHOD: return finish(slot, NOT_TAKEN);
    case AMQP_BASIC_RETURN_METHOD: /* and then it is confirmed that nobody has it */
        link_note(l, "returned: ", ((amqp_basic_return_t *)method->decoded)->reply_text);
        slot->verdict = UNROUTED;
        return HEARD_NOTHING;
    case AMQP_CHANNEL_CLOSE_METHOD:
        link_note(l, "", close->reply_text);
        slot->is_open = false;
        /* if that fails the link is broken, which is heard next */
        (void)librabbitmq.send_method(l->connection, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        return finish(slot, meaning(close->reply_code));
    default: return HEARD_NOTHING;
    }
}

static enum heard hear_method(struct link *l, const amqp_frame_t *frame, size_t *number)
{
    const amqp_method_t *method = &frame->payload.method;

    if (method->id == AMQP_CONNECTION_BLOCKED_METHOD) {
        link_note(l, "blocked: ", ((amqp_connection_blocked_t *)method->decoded)->reason);
        return HEARD_BLOCKED;
    }
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        link_note(l, "", ((amqp_connection_close_t *)method->decoded)->reply_text);
        return end(l);
    }
    if (frame->channel == QUESTIONS && method->id == AMQP_CONFIRM_SELECT_OK_METHOD)
        return answered(l) ? HEARD_NOTHING : end(l);
    if (frame->channel < FIRST || frame->channel >= FIRST + LINK_MESSAGES)
        return HEARD_NOTHING;
    *number = (size_t)frame->channel - FIRST;
    return hear_of(l, &l->slots[*number], frame->channel, method);
}

enum heard link_hear(struct link *l, bool wait, size_t *slot)
{
    const struct timeval at_once = { 0, 0 };
    enum heard heard = HEARD_NOTHING;

    while (heard == HEARD_NOTHING) {
        amqp_frame_t frame;
        int status = librabbitmq.simple_wait_frame_noblock(l->connection, &frame, wait ? NULL : &at_once);

        if (status == AMQP_STATUS_TIMEOUT)
            return HEARD_NOTHING;
        if (status != AMQP_STATUS_OK) {
            link_note_status(l, status);
            return end(l);
        }
        if (frame.frame_type == AMQP_FRAME_METHOD)
            heard = hear_method(l, &frame, slot);
        librabbitmq.maybe_release_buffers(l->connection);
    }
    return heard;
}
