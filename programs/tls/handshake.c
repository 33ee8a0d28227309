/* handshake.c - the handshake, and what the monitor is told of the other side then */
#include "programs/tls/handshake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include "programs/tls/channel.h"
#include "programs/tls/credentials.h"

static const char *gone(const SSL *ssl)
{
    return SSL_is_server(ssl) ? "the client has closed the connection" : "the server has closed the connection";
}

/* Why there is no TLS. */
static const char *handshake_reason(const SSL *ssl, int result, int error)
{
    int reason = ERR_GET_REASON(ERR_peek_error());

    if (SSL_get_error(ssl, result) == SSL_ERROR_SYSCALL)
        return error != 0 ? strerror(error) : gone(ssl);
    if (SSL_get_error(ssl, result) != SSL_ERROR_SSL || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return gone(ssl);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED)
        return X509_verify_cert_error_string(SSL_get_verify_result(ssl));
    if (reason == SSL_R_WRONG_VERSION_NUMBER && !SSL_is_server(ssl))
        return "the server does not speak TLS";
    return credentials_reason();
}

static void shake_hands(SSL *ssl)
{
    struct pollfd fds[3];
    short events;

    for (;;) {
        int result, error;

        errno = 0;
        result = SSL_is_server(ssl) ? SSL_accept(ssl) : SSL_connect(ssl);
        error = errno;
        if (result == 1)
            return;
        events = channel_wanted(ssl, result);
        if (events == 0)
            channel_reject("handshake", handshake_reason(ssl, result, error));
        fds[1] = (struct pollfd){ .fd = PEER, .events = events };
        fds[2] = (struct pollfd){ .fd = PLAIN, .events = POLLRDHUP };
        channel_wait(fds, 3, 0);
        if (fds[2].revents != 0)
            channel_fail("handshake", "the session has ended");
    }
}

/* As in RFC 2253. */
static void describe_name(const X509_NAME *who, char out[TEXT_SIZE])
{
    BIO *text = BIO_new(BIO_s_mem());
    char *name;
    long len;

    if (text == NULL || X509_NAME_print_ex(text, who, 0, XN_FLAG_RFC2253) < 0)
        channel_fail("handshake", "the certificate makes no sense");
    len = BIO_get_mem_data(text, &name);
    copy_printable(out, name, (size_t)len);
    BIO_free(text);
}

/* Subject and SHA-256. */
static void describe(const X509 *certificate, char subject[TEXT_SIZE], char fingerprint[TEXT_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1)
        channel_fail("handshake", "the certificate makes no sense");
    describe_name(X509_get_subject_name(certificate), subject);
    for (size_t i = 0; i < len; i++)
        (void)snprintf(fingerprint + 2 * i, 3, "%02x", digest[i]);
}

static void tell_of_client(const SSL *ssl)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char sni[TEXT_SIZE] = "", subject[TEXT_SIZE] = "", issuer[TEXT_SIZE] = "", fingerprint[TEXT_SIZE] = "";

    if (name != NULL)
        copy_printable(sni, name, strlen(name));
    if (certificate != NULL && SSL_get_verify_result(ssl) != X509_V_OK)
        channel_fail("handshake", "the client's certificate makes no sense");
    if (certificate != NULL) {
        describe(certificate, subject, fingerprint);
        describe_name(X509_get_issuer_name(certificate), issuer);
    }
    (void)channel_tell("secure\nprotocol=%s\ncipher=%s\nsni=%s\nsubject=%s\nissuer=%s\nfingerprint=%s", SSL_get_version(ssl),
                       SSL_get_cipher_name(ssl), sni, subject, issuer, fingerprint);
}

/* Adds one to the names that there is room for, separated by blanks. */
static void add_name(void *context, const char *name)
{
    char *names = context;
    size_t used = strlen(names);

    if (used + 1 + strlen(name) < TEXT_SIZE)
        (void)snprintf(names + used, TEXT_SIZE - used, "%s%s", used > 0 ? " " : "", name);
}

static void tell_of_server(const SSL *ssl)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    char subject[TEXT_SIZE], fingerprint[TEXT_SIZE], names[TEXT_SIZE] = "";

    if (certificate == NULL)
        channel_fail("handshake", "the server has no certificate");
    describe(certificate, subject, fingerprint);
    credentials_each_name(certificate, add_name, names);
    (void)channel_tell("secure\nprotocol=%s\ncipher=%s\nsubject=%s\nfingerprint=%s\nnames=%s\ndays=%d\ntrust=%s",
                       SSL_get_version(ssl), SSL_get_cipher_name(ssl), subject, fingerprint, names,
                       credentials_days_until(X509_get0_notAfter(certificate)),
                       X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
}

void handshake(SSL *ssl)
{
    shake_hands(ssl);
    if (SSL_is_server(ssl))
        tell_of_client(ssl);
    else
        tell_of_server(ssl);
}
