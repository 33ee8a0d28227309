/* librabbitmq.c - the functions of librabbitmq, which is loaded when a broker is to be spoken to */
#include "programs/publish/librabbitmq.h"

#include "base/library.h"

struct librabbitmq librabbitmq;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(librabbitmq.new_connection, amqp_new_connection),
    LIBRARY_FUNCTION(librabbitmq.destroy_connection, amqp_destroy_connection),
    LIBRARY_FUNCTION(librabbitmq.tcp_socket_new, amqp_tcp_socket_new),
    LIBRARY_FUNCTION(librabbitmq.ssl_socket_new, amqp_ssl_socket_new),
    LIBRARY_FUNCTION(librabbitmq.ssl_socket_set_verify_peer, amqp_ssl_socket_set_verify_peer),
    LIBRARY_FUNCTION(librabbitmq.ssl_socket_set_verify_hostname, amqp_ssl_socket_set_verify_hostname),
    LIBRARY_FUNCTION(librabbitmq.ssl_socket_set_ssl_versions, amqp_ssl_socket_set_ssl_versions),
    LIBRARY_FUNCTION(librabbitmq.ssl_socket_set_cacert, amqp_ssl_socket_set_cacert),
    LIBRARY_FUNCTION(librabbitmq.ssl_socket_get_context, amqp_ssl_socket_get_context),
    LIBRARY_FUNCTION(librabbitmq.socket_open_noblock, amqp_socket_open_noblock),
    LIBRARY_FUNCTION(librabbitmq.set_handshake_timeout, amqp_set_handshake_timeout),
    LIBRARY_FUNCTION(librabbitmq.login_with_properties, amqp_login_with_properties),
    LIBRARY_FUNCTION(librabbitmq.get_sockfd, amqp_get_sockfd),
    LIBRARY_FUNCTION(librabbitmq.get_frame_max, amqp_get_frame_max),
    LIBRARY_FUNCTION(librabbitmq.send_method, amqp_send_method),
    LIBRARY_FUNCTION(librabbitmq.send_frame, amqp_send_frame),
    LIBRARY_FUNCTION(librabbitmq.simple_wait_frame_noblock, amqp_simple_wait_frame_noblock),
    LIBRARY_FUNCTION(librabbitmq.maybe_release_buffers, amqp_maybe_release_buffers),
    LIBRARY_FUNCTION(librabbitmq.error_string2, amqp_error_string2),
    LIBRARY_FUNCTION(librabbitmq.set_default_verify_paths, SSL_CTX_set_default_verify_paths),
};

const char *librabbitmq_load(void)
{
    return library_load("librabbitmq.so.4", functions, sizeof functions / sizeof functions[0]);
}
