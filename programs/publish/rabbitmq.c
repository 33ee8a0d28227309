/* rabbitmq.c - a message for an exchange of RabbitMQ, or another broker that speaks AMQP 0-9-1 and confirms */
/*
 * A broker that is short of memory or disk stops reading, and what it finds in the socket when it reads again counts, even if
 * whoever wrote it gave up hours ago and has sent it again since. So the message is announced first, which makes such a
 * broker say that it is blocked, together with the opening of a second channel, which another broker answers. Only then the
 * body follows. That costs no more time than opening the first channel would, for all of it is sent at once.
 */
#include "programs/publish/job.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { MESSAGES = 1, PROBE = 2 /* channels */, FRAME = 131072, FRAME_AROUND = 8 };

struct link {
    amqp_connection_state_t connection;
    const struct job *job;
    const struct place *place;
};

/* What the broker has said: a verdict, or one of these. */
enum { GO_ON = -1, READY = -2 };

/* ---- getting in -------------------------------------------------------------------------- */

static void note(const struct link *l, const char *what, amqp_bytes_t text)
{
    verdict_note("%s port %d: %s%.*s", l->place->host, l->place->port, what, (int)text.len, (const char *)text.bytes);
}

static void note_status(const struct link *l, int status)
{
    note(l, "", amqp_cstring_bytes(amqp_error_string2(status)));
}

static struct timeval left(uint64_t until)
{
    int ms = clock_left(until);

    return (struct timeval){ ms / 1000, ms % 1000 * 1000 };
}

static amqp_socket_t *make_tls_socket(const struct link *l)
{
    amqp_socket_t *socket = amqp_ssl_socket_new(l->connection);
    const char *file = l->job->authorities;

    if (socket == NULL)
        return NULL;
    amqp_ssl_socket_set_verify_peer(socket, 1);
    amqp_ssl_socket_set_verify_hostname(socket, 1);
    if (amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) != AMQP_STATUS_OK)
        return NULL;
    if (file == NULL)
        return SSL_CTX_set_default_verify_paths(amqp_ssl_socket_get_context(socket)) == 1 ? socket : NULL;
    if (amqp_ssl_socket_set_cacert(socket, file) != AMQP_STATUS_OK) {
        verdict_note("%s: no authorities can be read", file);
        return NULL;
    }
    return socket;
}

static enum verdict reach(struct link *l, uint64_t until)
{
    amqp_socket_t *socket = l->job->tls ? make_tls_socket(l) : amqp_tcp_socket_new(l->connection);
    struct timeval limit = left(until);
    int status;

    if (socket == NULL)
        return UNPREPARED;
    status = amqp_socket_open_noblock(socket, l->place->host, l->place->port, &limit);
    if (status == AMQP_STATUS_OK)
        return CONFIRMED;
    note_status(l, status);
    return UNREACHABLE;
}

/* Does the broker have to know what we know of AMQP? It says that it is blocked only to whom it has heard this from. */
static amqp_rpc_reply_t say_who(struct link *l)
{
    const struct job *job = l->job;
    const amqp_field_value_t yes = { .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1 };
    amqp_table_entry_t able[] = { { amqp_cstring_bytes("publisher_confirms"), yes },
                                  { amqp_cstring_bytes("basic.nack"), yes },
                                  { amqp_cstring_bytes("connection.blocked"), yes } };
    amqp_table_entry_t entries[] = {
        { amqp_cstring_bytes("product"),
          { .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(PROGRAM) } },
        { amqp_cstring_bytes("capabilities"), { .kind = AMQP_FIELD_KIND_TABLE, .value.table = { 3, able } } },
    };
    const amqp_table_t properties = { 2, entries };
    bool named = job->user[0] != '\0';

    return amqp_login_with_properties(l->connection, job->url.path[0] != '\0' ? job->url.path : "/", PROBE, FRAME, 0,
                                      &properties, AMQP_SASL_METHOD_PLAIN, named ? job->user : "guest",
                                      named ? job->password : "guest");
}

static enum verdict log_in(struct link *l, uint64_t until)
{
    struct timeval limit = left(until);
    amqp_rpc_reply_t reply;
    const amqp_connection_close_t *close;

    if (amqp_set_handshake_timeout(l->connection, &limit) != AMQP_STATUS_OK)
        return UNPREPARED;
    reply = say_who(l);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return CONFIRMED;
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) {
        note_status(l, reply.library_error);
        return UNREACHABLE;
    }
    if (reply.reply.id != AMQP_CONNECTION_CLOSE_METHOD)
        return UNREACHABLE;
    close = reply.reply.decoded;
    note(l, "", close->reply_text);
    return close->reply_code == AMQP_ACCESS_REFUSED || close->reply_code == AMQP_NOT_ALLOWED ? LOCKED_OUT : UNREACHABLE;
}

/* ---- what the broker says ---------------------------------------------------------------- */

/* The channel or the connection is closed: why. */
static int closed(const struct link *l, uint16_t code, amqp_bytes_t text)
{
    note(l, "", text);
    switch (code) {
    case AMQP_CONTENT_TOO_LARGE:
    case AMQP_PRECONDITION_FAILED: return TOO_LARGE; /* of all that this is said for, it is the one that we can do */
    case AMQP_NOT_FOUND: return NOWHERE;
    case AMQP_ACCESS_REFUSED: return FORBIDDEN;
    default: return UNCONFIRMED;
    }
}

static int heard_method(const struct link *l, const amqp_frame_t *frame)
{
    const amqp_method_t *method = &frame->payload.method;

    switch (method->id) {
    case AMQP_CHANNEL_OPEN_OK_METHOD: return frame->channel == PROBE ? READY : GO_ON;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        note(l, "blocked: ", ((amqp_connection_blocked_t *)method->decoded)->reason);
        return NOT_NOW;
    case AMQP_BASIC_ACK_METHOD: return CONFIRMED;
    case AMQP_BASIC_NACK_METHOD: return NOT_TAKEN;
    case AMQP_BASIC_RETURN_METHOD:
        note(l, "returned: ", ((amqp_basic_return_t *)method->decoded)->reply_text);
        return UNROUTED;
    case AMQP_CHANNEL_CLOSE_METHOD: {
        const amqp_channel_close_t *close = method->decoded;

        return closed(l, close->reply_code, close->reply_text);
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
        const amqp_connection_close_t *close = method->decoded;

        return closed(l, close->reply_code, close->reply_text);
    }
    default: return GO_ON;
    }
}

/* Waits for something that matters; verdict_within ends that. */
static int hear(struct link *l)
{
    int heard = GO_ON;

    while (heard == GO_ON) {
        amqp_frame_t frame;
        int status = amqp_simple_wait_frame(l->connection, &frame);

        if (status != AMQP_STATUS_OK) {
            note_status(l, status);
            return UNCONFIRMED;
        }
        if (frame.frame_type == AMQP_FRAME_METHOD)
            heard = heard_method(l, &frame);
    }
    return heard;
}

/* ---- the message ------------------------------------------------------------------------- */

static amqp_field_value_t text_field(const char *text, size_t len)
{
    return (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = { len, (void *)(uintptr_t)text } };
}

/* An array with each line. The memory is never given back: the program publishes once. */
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
    return (amqp_field_value_t){ .kind = AMQP_FIELD_KIND_ARRAY, .value.array = array };
}

/* `entries` has room for all facts. */
static void put_properties(amqp_basic_properties_t *p, amqp_table_entry_t *entries)
{
    const char *id = fact_unique_id(), *received = getenv("RECEIVED_AT");

    p->_flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_HEADERS_FLAG;
    p->content_type = amqp_cstring_bytes("message/rfc822");
    p->delivery_mode = AMQP_DELIVERY_PERSISTENT;
    p->headers.entries = entries;
    for (size_t i = 0; i < FACTS; i++) {
        const char *value = getenv(facts[i].variable);

        if (value != NULL)
            entries[p->headers.num_entries++] = (amqp_table_entry_t){
                amqp_cstring_bytes(facts[i].name), facts[i].lines ? lines_field(value) : text_field(value, strlen(value))
            };
    }
    if (id != NULL) {
        p->_flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
        p->message_id = amqp_cstring_bytes(id);
    }
    if (received != NULL) {
        p->_flags |= AMQP_BASIC_TIMESTAMP_FLAG;
        p->timestamp = strtoull(received, NULL, 10);
    }
}

/* Everything but the body, and then the question whether the broker is blocked. Returns a status of the library. */
static int announce(struct link *l)
{
    amqp_channel_open_t open = { { 0, NULL } };
    amqp_confirm_select_t confirm = { 0 };
    amqp_basic_publish_t publish = { .exchange = amqp_cstring_bytes(l->job->to[0]),
                                     .routing_key = amqp_cstring_bytes(l->job->to[1]),
                                     .mandatory = 1 };
    amqp_table_entry_t entries[FACTS];
    amqp_basic_properties_t properties = { 0 };
    amqp_frame_t header = { .frame_type = AMQP_FRAME_HEADER, .channel = MESSAGES };
    int status;

    put_properties(&properties, entries);
    header.payload.properties.class_id = AMQP_BASIC_CLASS;
    header.payload.properties.body_size = l->job->body.size;
    header.payload.properties.decoded = &properties;
    status = amqp_send_method(l->connection, MESSAGES, AMQP_CHANNEL_OPEN_METHOD, &open);
    if (status == AMQP_STATUS_OK)
        status = amqp_send_method(l->connection, MESSAGES, AMQP_CONFIRM_SELECT_METHOD, &confirm);
    if (status == AMQP_STATUS_OK)
        status = amqp_send_method(l->connection, MESSAGES, AMQP_BASIC_PUBLISH_METHOD, &publish);
    if (status == AMQP_STATUS_OK)
        status = amqp_send_frame(l->connection, &header);
    if (status == AMQP_STATUS_OK)
        status = amqp_send_method(l->connection, PROBE, AMQP_CHANNEL_OPEN_METHOD, &open);
    return status;
}

/* CONFIRMED: it has left. */
static enum verdict send_body(struct link *l)
{
    static char chunk[FRAME];
    const struct body *body = &l->job->body;
    int frame_max = amqp_get_frame_max(l->connection);
    size_t most = (size_t)(frame_max > FRAME_AROUND && frame_max < FRAME ? frame_max : FRAME) - FRAME_AROUND;
    amqp_frame_t frame = { .frame_type = AMQP_FRAME_BODY, .channel = MESSAGES };

    for (uint64_t at = 0; at < body->size; at += frame.payload.body_fragment.len) {
        uint64_t rest = body->size - at;
        int status;

        frame.payload.body_fragment = (amqp_bytes_t){ rest < most ? (size_t)rest : most, chunk };
        if (!body_read(body, at, chunk, frame.payload.body_fragment.len))
            return UNREADABLE;
        status = amqp_send_frame(l->connection, &frame);
        if (status != AMQP_STATUS_OK) {
            note_status(l, status);
            return UNCONFIRMED;
        }
    }
    return CONFIRMED;
}

/* Small frames that are written together travel together. */
static void cork(const struct link *l, int on)
{
    (void)setsockopt(amqp_get_sockfd(l->connection), IPPROTO_TCP, TCP_CORK, &on, sizeof on); /* or they travel alone */
}

static enum verdict hand_over(struct link *l)
{
    enum verdict sent;
    int heard, status;

    cork(l, 1);
    status = announce(l);
    cork(l, 0);
    if (status != AMQP_STATUS_OK) {
        note_status(l, status);
        return UNREACHABLE;
    }
    heard = hear(l);
    if (heard != READY)
        return heard == UNCONFIRMED ? UNREACHABLE : (enum verdict)heard; /* which has no message yet */
    sent = send_body(l);
    if (sent != CONFIRMED)
        return sent;
    heard = hear(l);
    return heard == READY || heard == NOT_NOW ? UNCONFIRMED : (enum verdict)heard;
}

/* The broker is told that this is the end; its answer would change nothing. */
static void leave(struct link *l)
{
    amqp_connection_close_t close = { .reply_code = AMQP_REPLY_SUCCESS };

    (void)amqp_send_method(l->connection, 0, AMQP_CONNECTION_CLOSE_METHOD, &close);
}

enum verdict rabbitmq_publish(const struct job *job, const struct place *place, uint64_t until)
{
    struct link l = { amqp_new_connection(), job, place };
    enum verdict verdict = UNPREPARED;

    if (l.connection == NULL)
        return UNPREPARED;
    verdict = reach(&l, until);
    if (verdict == CONFIRMED)
        verdict = log_in(&l, until);
    if (verdict == CONFIRMED) {
        verdict = hand_over(&l);
        leave(&l);
    }
    (void)amqp_destroy_connection(l.connection); /* the verdict stands */
    return verdict;
}
