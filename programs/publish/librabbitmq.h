/* librabbitmq.h - the functions of librabbitmq, which is loaded when a broker is to be spoken to */
#ifndef LIBRABBITMQ_H
#define LIBRABBITMQ_H

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <string.h>

/* Under their own names, without the prefix. */
struct librabbitmq {
    amqp_connection_state_t (*new_connection)(void);
    int (*destroy_connection)(amqp_connection_state_t link);
    amqp_socket_t *(*tcp_socket_new)(amqp_connection_state_t link);
    amqp_socket_t *(*ssl_socket_new)(amqp_connection_state_t link);
    void (*ssl_socket_set_verify_peer)(amqp_socket_t *socket, amqp_boolean_t verify);
    void (*ssl_socket_set_verify_hostname)(amqp_socket_t *socket, amqp_boolean_t verify);
    int (*ssl_socket_set_ssl_versions)(amqp_socket_t *socket, amqp_tls_version_t min, amqp_tls_version_t max);
    int (*ssl_socket_set_cacert)(amqp_socket_t *socket, const char *file);
    void *(*ssl_socket_get_context)(amqp_socket_t *socket);
    int (*set_default_verify_paths)(void *context); /* of OpenSSL, which comes with it */
    int (*socket_open_noblock)(amqp_socket_t *socket, const char *host, int port, const struct timeval *limit);
    int (*set_handshake_timeout)(amqp_connection_state_t link, const struct timeval *limit);
    amqp_rpc_reply_t (*login_with_properties)(amqp_connection_state_t link, const char *vhost, int channel_max,
                                              int frame_max, int heartbeat, const amqp_table_t *properties,
                                              amqp_sasl_method_enum method, ...);
    int (*get_sockfd)(amqp_connection_state_t link);
    int (*get_frame_max)(amqp_connection_state_t link);
    int (*send_method)(amqp_connection_state_t link, amqp_channel_t channel, amqp_method_number_t id, void *method);
    int (*send_frame)(amqp_connection_state_t link, const amqp_frame_t *frame);
    int (*simple_wait_frame_noblock)(amqp_connection_state_t link, amqp_frame_t *frame, const struct timeval *limit);
    void (*maybe_release_buffers)(amqp_connection_state_t link);
    const char *(*error_string2)(int status);
};

extern struct librabbitmq librabbitmq;

/* NULL, or why it cannot be used. */
const char *librabbitmq_load(void);

/* A text as the library wants it. It writes to none that is sent, though its type would let it. */
static inline amqp_bytes_t librabbitmq_bytes(const char *text, size_t len)
{
    amqp_bytes_t bytes = { len, NULL };

    memcpy(&bytes.bytes, &text, sizeof bytes.bytes);
    return bytes;
}

static inline amqp_bytes_t librabbitmq_string(const char *text)
{
    return librabbitmq_bytes(text, strlen(text));
}

#endif
