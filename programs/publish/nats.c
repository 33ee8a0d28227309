/* nats.c - a message for a stream of NATS JetStream */
/*
 * The library has threads of its own. It is loaded when a URL is of NATS: RabbitMQ is not to wait for it.
 */
#include "programs/publish/job.h"

#include <limits.h>
#include <nats/nats.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/library.h"
#include "base/text.h"

static struct {
    natsStatus (*options_create)(natsOptions **options);
    natsStatus (*set_url)(natsOptions *options, const char *url);
    natsStatus (*set_user)(natsOptions *options, const char *user, const char *password);
    natsStatus (*set_timeout)(natsOptions *options, int64_t ms);
    natsStatus (*set_reconnect)(natsOptions *options, bool allow);
    natsStatus (*set_ignore_discovered)(natsOptions *options, bool ignore);
    natsStatus (*set_error_handler)(natsOptions *options, natsErrHandler handler, void *closure);
    natsStatus (*set_secure)(natsOptions *options, bool secure);
    natsStatus (*load_authorities)(natsOptions *options, const char *file);
    natsStatus (*connect)(natsConnection **connection, natsOptions *options);
    natsStatus (*last_error)(natsConnection *connection, const char **text);
    int64_t (*max_payload)(natsConnection *connection);
    const char *(*status_text)(natsStatus status);
    const char *(*thread_error)(natsStatus *status);
    natsStatus (*message_create)(natsMsg **message, const char *subject, const char *reply, const char *data, int len);
    natsStatus (*add_header)(natsMsg *message, const char *name, const char *value);
    natsStatus (*jetstream)(jsCtx **context, natsConnection *connection, jsOptions *options);
    natsStatus (*publish)(jsPubAck **ack, jsCtx *context, natsMsg *message, jsPubOptions *options, jsErrCode *code);
} nats;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(nats.options_create, natsOptions_Create),
    LIBRARY_FUNCTION(nats.set_url, natsOptions_SetURL),
    LIBRARY_FUNCTION(nats.set_user, natsOptions_SetUserInfo),
    LIBRARY_FUNCTION(nats.set_timeout, natsOptions_SetTimeout),
    LIBRARY_FUNCTION(nats.set_reconnect, natsOptions_SetAllowReconnect),
    LIBRARY_FUNCTION(nats.set_ignore_discovered, natsOptions_SetIgnoreDiscoveredServers),
    LIBRARY_FUNCTION(nats.set_error_handler, natsOptions_SetErrorHandler),
    LIBRARY_FUNCTION(nats.set_secure, natsOptions_SetSecure),
    LIBRARY_FUNCTION(nats.load_authorities, natsOptions_LoadCATrustedCertificates),
    LIBRARY_FUNCTION(nats.connect, natsConnection_Connect),
    LIBRARY_FUNCTION(nats.last_error, natsConnection_GetLastError),
    LIBRARY_FUNCTION(nats.max_payload, natsConnection_GetMaxPayload),
    LIBRARY_FUNCTION(nats.status_text, natsStatus_GetText),
    LIBRARY_FUNCTION(nats.thread_error, nats_GetLastError),
    LIBRARY_FUNCTION(nats.message_create, natsMsg_Create),
    LIBRARY_FUNCTION(nats.add_header, natsMsgHeader_Add),
    LIBRARY_FUNCTION(nats.jetstream, natsConnection_JetStream),
    LIBRARY_FUNCTION(nats.publish, js_PublishMsg),
};

static void note(const struct place *place, const char *why)
{
    verdict_note("%s port %d: %s", place->host, place->port, why);
}

/* Why a function of the library has failed just now: (FILE:LINE): TEXT */
static void note_status(const struct place *place, natsStatus status)
{
    const char *text = nats.thread_error(NULL), *behind = text != NULL ? strstr(text, "): ") : NULL;

    note(place, behind != NULL ? behind + 3 : nats.status_text(status));
}

/* ---- getting in -------------------------------------------------------------------------- */

static const struct place *asked; /* for the function below */

/*
 * Runs in a thread of the library. The server says that a subject is not permitted, and nothing else would come. If it
 * is the subject of the acknowledgement, the message may have been stored.
 */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
    const char *text = NULL;

    (void)subscription;
    (void)closure;
    if (status != NATS_NOT_PERMITTED)
        return;
    (void)nats.last_error(connection, &text);
    note(asked, text != NULL ? text : nats.status_text(status));
    _exit(verdict_tell(text != NULL && strcasestr(text, "for publish") != NULL ? FORBIDDEN : UNCONFIRMED));
}

/*
 * The library looks at the certificate, and whether it is good for the host of the URL. A server may want TLS also where
 * the URL does not say so, and then it is the same.
 */
static natsStatus secure(const struct job *job, natsOptions *options)
{
    natsStatus status = NATS_OK;

    if (job->tls)
        status = nats.set_secure(options, true);
    if (status == NATS_OK && job->authorities != NULL)
        status = nats.load_authorities(options, job->authorities);
    return status;
}

static natsStatus set_options(const struct job *job, const struct place *place, uint64_t until, natsOptions **options)
{
    bool literal = strchr(place->host, ':') != NULL;
    char url[URL_NAME + 32];
    natsStatus status = nats.options_create(options);

    asked = place;
    (void)snprintf(url, sizeof url, literal ? "nats://[%s]:%d" : "nats://%s:%d", place->host, place->port);
    if (status == NATS_OK)
        status = nats.set_url(*options, url);
    if (status == NATS_OK && job->user[0] != '\0')
        status = nats.set_user(*options, job->user, job->password);
    if (status == NATS_OK)
        status = nats.set_timeout(*options, clock_left(until) + 1);
    if (status == NATS_OK)
        status = nats.set_reconnect(*options, false);
    if (status == NATS_OK)
        status = nats.set_ignore_discovered(*options, true);
    if (status == NATS_OK)
        status = nats.set_error_handler(*options, on_error, NULL);
    return status == NATS_OK ? secure(job, *options) : status;
}

static enum verdict reach(const struct job *job, const struct place *place, uint64_t until, natsConnection **connection)
{
    natsOptions *options = NULL;
    natsStatus status = set_options(job, place, until, &options);

    if (status != NATS_OK) {
        note_status(place, status);
        return UNPREPARED;
    }
    status = nats.connect(connection, options);
    if (status == NATS_OK)
        return CONFIRMED;
    note_status(place, status);
    return status == NATS_CONNECTION_AUTH_FAILED ? LOCKED_OUT : UNREACHABLE;
}

/* ---- the message ------------------------------------------------------------------------- */

/* A header cannot hold a line end: what has several lines gets several headers. */
static natsStatus add_lines(natsMsg *message, const char *name, const char *text)
{
    natsStatus status = NATS_OK;
    char *lines = strdup(text), *rest = lines;

    if (lines == NULL)
        return NATS_NO_MEMORY;
    while (status == NATS_OK && rest != NULL)
        status = nats.add_header(message, name, strsep(&rest, "\n"));
    free(lines);
    return status;
}

/* The message as the library wants it: it makes a copy, so that memory is needed twice for as long as that takes. */
static natsStatus make_message(const struct job *job, natsMsg **message)
{
    const struct body *body = &job->message.body;
    char *bytes = malloc(body->size + 1);
    natsStatus status = bytes == NULL ? NATS_NO_MEMORY : NATS_OK;

    if (status == NATS_OK && !body_read(body, 0, bytes, body->size))
        status = NATS_IO_ERROR;
    if (status == NATS_OK)
        status = nats.message_create(message, job->message.to[0], NULL, bytes, (int)body->size);
    free(bytes);
    if (status == NATS_OK)
        status = nats.add_header(*message, "Content-Type", "message/rfc822");
    for (size_t i = 0; i < FACTS && status == NATS_OK; i++)
        if (job->message.values[i] != NULL)
            status = add_lines(*message, facts[i].name, job->message.values[i]);
    return status;
}

/* What an answer of JetStream, or none, means. */
static enum verdict judge(natsStatus status, jsErrCode code)
{
    if (status == NATS_OK)
        return CONFIRMED;
    if (status == NATS_NO_RESPONDERS)
        return UNROUTED;
    if (status == NATS_MAX_PAYLOAD || code == JSStreamMessageExceedsMaximumErr)
        return TOO_LARGE;
    if (status == NATS_TIMEOUT)
        return LATE;
    return code != 0 ? NOT_TAKEN : UNCONFIRMED;
}

static enum verdict hand_over(const struct job *job, const struct place *place, natsConnection *connection)
{
    jsPubOptions options = { .MaxWait = INT_MAX, .MsgId = facts_unique_id(&job->message) }; /* verdict_within ends it */
    natsMsg *message = NULL;
    jsCtx *context = NULL;
    jsPubAck *ack = NULL;
    jsErrCode code = 0;
    natsStatus status;

    if (job->message.body.size > (uint64_t)nats.max_payload(connection))
        return TOO_LARGE;
    status = make_message(job, &message);
    if (status == NATS_OK)
        status = nats.jetstream(&context, connection, NULL);
    if (status != NATS_OK) {
        note_status(place, status);
        return UNPREPARED;
    }
    status = nats.publish(&ack, context, message, &options, &code);
    if (status != NATS_OK)
        note_status(place, status);
    return judge(status, code);
}

/* What the library has made stays: its threads use it until the program ends. */
enum verdict nats_publish(struct job *job, const struct place *place, uint64_t until)
{
    const char *why = library_load("libnats.so.3.4", functions, sizeof functions / sizeof functions[0]);
    natsConnection *connection = NULL;
    enum verdict verdict;

    if (why != NULL) {
        verdict_note("%s", why);
        return UNPREPARED;
    }
    verdict = reach(job, place, until, &connection);
    return verdict == CONFIRMED ? hand_over(job, place, connection) : verdict;
}
