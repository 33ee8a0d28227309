/* rabbitmq.c - a message for an exchange of RabbitMQ, or another broker that speaks AMQP 0-9-1 and confirms */
#include "programs/publish/job.h"

#include <string.h>

#include "base/clock.h"
#include "programs/publish/keeper.h"
#include "programs/publish/link.h"

enum { FRAME = 131072 };

static struct timeval left(uint64_t until)
{
    int ms = clock_left(until);

    return (struct timeval){ ms / 1000, ms % 1000 * 1000L };
}

static amqp_socket_t *make_tls_socket(const struct job *job, const struct link *l)
{
    amqp_socket_t *socket = librabbitmq.ssl_socket_new(l->connection);
    const char *file = job->authorities;

    if (socket == NULL)
        return NULL;
    librabbitmq.ssl_socket_set_verify_peer(socket, 1);
    librabbitmq.ssl_socket_set_verify_hostname(socket, 1);
    if (librabbitmq.ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST) != AMQP_STATUS_OK)
        return NULL;
    if (file == NULL)
        return librabbitmq.set_default_verify_paths(librabbitmq.ssl_socket_get_context(socket)) == 1 ? socket : NULL;
    if (librabbitmq.ssl_socket_set_cacert(socket, file) != AMQP_STATUS_OK) {
        verdict_note("%s: no authorities can be read", file);
        return NULL;
    }
    return socket;
}

static enum verdict reach(const struct job *job, struct link *l, uint64_t until)
{
    amqp_socket_t *socket = job->tls ? make_tls_socket(job, l) : librabbitmq.tcp_socket_new(l->connection);
    struct timeval limit = left(until);
    int status;

    if (socket == NULL)
        return UNPREPARED;
    status = librabbitmq.socket_open_noblock(socket, l->place->host, l->place->port, &limit);
    if (status == AMQP_STATUS_OK)
        return CONFIRMED;
    link_note_status(l, status);
    return UNREACHABLE;
}

/* The broker is to say that it is blocked: it does so only to whom it has heard from that he knows what that means. */
static amqp_rpc_reply_t say_who(const struct job *job, struct link *l)
{
    const amqp_field_value_t yes = { .kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1 };
    amqp_table_entry_t able[] = { { librabbitmq_string("publisher_confirms"), yes },
                                  { librabbitmq_string("basic.nack"), yes },
                                  { librabbitmq_string("connection.blocked"), yes } };
    amqp_table_entry_t entries[] = {
        { librabbitmq_string("product"), { .kind = AMQP_FIELD_KIND_UTF8, .value.bytes = librabbitmq_string(PROGRAM) } },
        { librabbitmq_string("capabilities"), { .kind = AMQP_FIELD_KIND_TABLE, .value.table = { 3, able } } },
    };
    const amqp_table_t properties = { 2, entries };
    bool named = job->user[0] != '\0';

    return librabbitmq.login_with_properties(l->connection, job->url.path[0] != '\0' ? job->url.path : "/",
                                             LINK_MESSAGES + 1, FRAME, 0, &properties, AMQP_SASL_METHOD_PLAIN,
                                             named ? job->user : "guest", named ? job->password : "guest");
}

static enum verdict log_in(const struct job *job, struct link *l, uint64_t until)
{
    struct timeval limit = left(until);
    amqp_rpc_reply_t reply;
    const amqp_connection_close_t *close;

    if (librabbitmq.set_handshake_timeout(l->connection, &limit) != AMQP_STATUS_OK)
        return UNPREPARED;
    reply = say_who(job, l);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return CONFIRMED;
    if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) {
        link_note_status(l, reply.library_error);
        return UNREACHABLE;
    }
    if (reply.reply.id != AMQP_CONNECTION_CLOSE_METHOD)
        return UNREACHABLE;
    close = reply.reply.decoded;
    link_note(l, "", close->reply_text);
    return close->reply_code == AMQP_ACCESS_REFUSED || close->reply_code == AMQP_NOT_ALLOWED ? LOCKED_OUT : UNREACHABLE;
}

/* verdict_within ends it, too. */
static enum verdict hand_over(struct link *l, const struct message *message)
{
    enum heard heard = HEARD_BLOCKED;
    size_t slot = 0;

    if (!link_announce(l, slot, message))
        return UNREACHABLE;
    while (heard == HEARD_BLOCKED) {
        heard = link_hear(l, true, &slot);
        if (heard == HEARD_BLOCKED && l->slots[0].state == SLOT_ANNOUNCED)
            return NOT_NOW;
    }
    return l->slots[0].verdict;
}

/* The broker is told that this is the end; its answer would change nothing. */
static void leave(struct link *l)
{
    amqp_connection_close_t close = { .reply_code = AMQP_REPLY_SUCCESS };

    (void)librabbitmq.send_method(l->connection, 0, AMQP_CONNECTION_CLOSE_METHOD, &close);
}

enum verdict rabbitmq_publish(struct job *job, const struct place *place, uint64_t until)
{
    static struct link l;
    const char *why = librabbitmq_load();
    enum verdict verdict;

    if (why != NULL) {
        verdict_note("%s", why);
        return UNPREPARED;
    }
    l = (struct link){ .connection = librabbitmq.new_connection(), .place = place };
    if (l.connection == NULL)
        return UNPREPARED;
    verdict = reach(job, &l, until);
    if (verdict == CONFIRMED)
        verdict = log_in(job, &l, until);
    if (verdict == CONFIRMED) {
        verdict = hand_over(&l, &job->message);
        if (verdict == CONFIRMED && job->keep > 0 && keeper_begin(job, &l))
            return verdict; /* the connection is another process's now */
        leave(&l);
    }
    (void)librabbitmq.destroy_connection(l.connection); /* the verdict stands */
    return verdict;
}
