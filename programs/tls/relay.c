/* relay.c - one connection: the handshake, then bytes in both directions, and what the monitor is told of it */
/*
 * Every buffer is fixed; a side that does not read makes the other side wait. There is no limit of time, as the session has
 * them, but for the end.
 */
#include "programs/tls/relay.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "programs/tls/credentials.h"

enum {
    MAX_MESSAGE = 1024,
    MAX_PLAIN = 16384, /* what a TLS record holds */
    FINISH_MS = 2000   /* for the last bytes to the client, and for the client to end then */
};

/* ---- what is told ------------------------------------------------------------------------ */

bool tell(const char *format, ...)
{
    char message[MAX_MESSAGE];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return len > 0 && write(CHANNEL, message, (size_t)len < sizeof message ? (size_t)len : sizeof message - 1) > 0;
}

/* ---- serving ----------------------------------------------------------------------------- */

void fail(const char *about, const char *why)
{
    char text[TEXT_SIZE];

    copy_printable(text, why, strlen(why));
    (void)tell("failed %s: %s", about, text);
    _exit(EXIT_FAILURE);
}

/* Waits for what is in `fds`, whose first must be the channel: without a monitor nothing goes on.
 * The deadline is as in clock.h, 0 for none. */
static void wait_for(struct pollfd *fds, nfds_t count, uint64_t deadline)
{
    struct timespec timeout = { 0, 0 };

    if (deadline != 0) {
        int left = clock_left(deadline);

        timeout = (struct timespec){ left / 1000, left % 1000 * 1000000L };
    }
    fds[0] = (struct pollfd){ .fd = CHANNEL, .events = POLLRDHUP };
    if (ppoll(fds, count, deadline != 0 ? &timeout : NULL, NULL) < 0 && errno != EINTR)
        fail("connection", strerror(errno));
    if (fds[0].revents != 0)
        _exit(EXIT_FAILURE);
}

/* What a call of OpenSSL that came to nothing waits for: POLLIN, POLLOUT, or 0 if it is over. */
static short wanted(const SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ: return POLLIN;
    case SSL_ERROR_WANT_WRITE: return POLLOUT;
    default: return 0;
    }
}

/* Ends both connections. Reads and forgets what the client still sends, until its end: to close a socket with
 * unread bytes would reset the connection, and take our last bytes with it. */
static void end_both(uint64_t deadline)
{
    char waste[MAX_PLAIN];
    struct pollfd fds[2];
    ssize_t got;

    (void)shutdown(SESSION, SHUT_RDWR); /* both fail if the other side is gone */
    (void)shutdown(CLIENT, SHUT_WR);
    while (clock_left(deadline) > 0 &&
           ((got = read(CLIENT, waste, sizeof waste)) > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))) {
        fds[1] = (struct pollfd){ .fd = CLIENT, .events = POLLIN };
        wait_for(fds, 2, deadline);
    }
}

/* The client has broken the protocol: the alert that OpenSSL has sent shall arrive. */
static void __attribute__((noreturn)) reject(const char *about, const char *why)
{
    (void)tell("failed %s: %s", about, why);
    end_both(clock_ms() + FINISH_MS);
    _exit(EXIT_FAILURE);
}

/* Why there is no TLS. */
static const char *handshake_reason(const SSL *ssl, int result, int error)
{
    long verified = SSL_get_verify_result(ssl);

    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_SSL:
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED)
            return X509_verify_cert_error_string(verified);
        return credentials_reason();
    case SSL_ERROR_SYSCALL:
        return error != 0 ? strerror(error) : "the client has closed the connection";
    default:
        return "the client has closed the connection";
    }
}

static void handshake(SSL *ssl)
{
    struct pollfd fds[3];
    short events;

    for (;;) {
        int result, error;

        errno = 0;
        result = SSL_accept(ssl);
        error = errno;
        if (result == 1)
            return;
        events = wanted(ssl, result);
        if (events == 0)
            reject("handshake", handshake_reason(ssl, result, error));
        fds[1] = (struct pollfd){ .fd = CLIENT, .events = events };
        fds[2] = (struct pollfd){ .fd = SESSION, .events = POLLRDHUP };
        wait_for(fds, 3, 0);
        if (fds[2].revents != 0)
            fail("handshake", "the session has ended");
    }
}

/* Subject and SHA-256 of a certificate, both "" if there is none. */
static void describe_client(const SSL *ssl, char subject[TEXT_SIZE], char fingerprint[TEXT_SIZE])
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    BIO *text;
    char *name;
    long name_len;

    subject[0] = fingerprint[0] = '\0';
    if (certificate == NULL)
        return;
    text = BIO_new(BIO_s_mem());
    if (SSL_get_verify_result(ssl) != X509_V_OK || X509_digest(certificate, EVP_sha256(), digest, &len) != 1 ||
        text == NULL || X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0)
        fail("handshake", "the client's certificate makes no sense");
    name_len = BIO_get_mem_data(text, &name);
    copy_printable(subject, name, (size_t)name_len);
    for (size_t i = 0; i < len; i++)
        (void)snprintf(fingerprint + 2 * i, 3, "%02x", digest[i]);
    BIO_free(text);
}

static void tell_secure(const SSL *ssl)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    char sni[TEXT_SIZE] = "", subject[TEXT_SIZE], fingerprint[TEXT_SIZE];

    if (name != NULL)
        copy_printable(sni, name, strlen(name));
    describe_client(ssl, subject, fingerprint);
    (void)tell("secure\nprotocol=%s\ncipher=%s\nsni=%s\nsubject=%s\nfingerprint=%s", SSL_get_version(ssl),
         SSL_get_cipher_name(ssl), sni, subject, fingerprint);
}

/* Bytes on their way in one direction. It is filled only when it is empty. */
struct buffer {
    char bytes[MAX_PLAIN];
    size_t begin, end;
};

struct relay {
    SSL *ssl;
    struct buffer from_client, from_session;
    short client_read, client_write; /* what reading from and writing to the client wait for */
    short session_read, session_write;
    bool client_ended;  /* it will send no more */
    bool client_gone;   /* it takes no more */
    bool session_ended, session_gone; /* the same */
    bool session_told;  /* that the client has ended */
};

static bool is_empty(const struct buffer *b)
{
    return b->begin == b->end;
}

static void fill(struct buffer *b, size_t len)
{
    b->begin = 0;
    b->end = len;
}

/* OpenSSL has not done it: what to wait for, or 0 when the connection is over. An error of the protocol ends all. */
static short client_trouble(const struct relay *r, int result)
{
    if (SSL_get_error(r->ssl, result) == SSL_ERROR_SSL)
        reject("connection", credentials_reason());
    return wanted(r->ssl, result);
}

/* The four movements: each does what it can without waiting, and says whether that was something. */

static bool read_client(struct relay *r)
{
    int got;

    r->client_read = 0;
    if (r->client_ended || !is_empty(&r->from_client))
        return false;
    ERR_clear_error();
    got = SSL_read(r->ssl, r->from_client.bytes, MAX_PLAIN);
    if (got > 0) {
        fill(&r->from_client, (size_t)got);
        return true;
    }
    r->client_read = client_trouble(r, got);
    if (r->client_read != 0)
        return false;
    r->client_ended = true;
    r->client_gone = r->client_gone || SSL_get_error(r->ssl, got) != SSL_ERROR_ZERO_RETURN;
    return true;
}

static bool write_client(struct relay *r)
{
    int sent;

    r->client_write = 0;
    if (r->client_gone)
        fill(&r->from_session, 0);
    if (is_empty(&r->from_session))
        return false;
    ERR_clear_error();
    sent = SSL_write(r->ssl, r->from_session.bytes + r->from_session.begin,
                     (int)(r->from_session.end - r->from_session.begin));
    if (sent > 0) {
        r->from_session.begin += (size_t)sent;
        return true;
    }
    r->client_write = client_trouble(r, sent);
    r->client_gone = r->client_write == 0;
    r->client_ended = r->client_ended || r->client_gone;
    return r->client_gone;
}

static bool read_session(struct relay *r)
{
    ssize_t got;

    r->session_read = 0;
    if (r->session_ended || !is_empty(&r->from_session))
        return false;
    got = read(SESSION, r->from_session.bytes, MAX_PLAIN);
    if (got > 0) {
        fill(&r->from_session, (size_t)got);
        return true;
    }
    if (got < 0 && errno == EAGAIN) {
        r->session_read = POLLIN;
        return false;
    }
    r->session_ended = true;
    return true;
}

static bool write_session(struct relay *r)
{
    ssize_t sent;

    r->session_write = 0;
    if (r->session_gone)
        fill(&r->from_client, 0);
    if (is_empty(&r->from_client)) {
        if (!r->client_ended || r->session_told)
            return false;
        r->session_told = true;
        (void)shutdown(SESSION, SHUT_WR); /* fails if it is gone */
        return true;
    }
    sent = write(SESSION, r->from_client.bytes + r->from_client.begin, r->from_client.end - r->from_client.begin);
    if (sent > 0) {
        r->from_client.begin += (size_t)sent;
        return true;
    }
    if (sent < 0 && errno == EAGAIN) {
        r->session_write = POLLOUT;
        return false;
    }
    r->session_gone = true;
    return true;
}

/* A descriptor that nothing is wanted from must not wake us with its hang-up, again and again. */
static struct pollfd interest(int fd, int events)
{
    return (struct pollfd){ .fd = events != 0 ? fd : -1, .events = (short)events };
}

/* The session has ended, and so has all that it said: says so to the client. */
static void finish(struct relay *r, uint64_t deadline)
{
    struct pollfd fds[2];
    int result;

    while (!r->client_gone && (result = SSL_shutdown(r->ssl)) < 0 && wanted(r->ssl, result) == POLLOUT &&
           clock_left(deadline) > 0) {
        fds[1] = (struct pollfd){ .fd = CLIENT, .events = POLLOUT };
        wait_for(fds, 2, deadline);
    }
    end_both(deadline);
}

static void pass_bytes(SSL *ssl)
{
    static struct relay relay;
    struct relay *r = &relay;
    uint64_t deadline = 0; /* set when the session has ended, which may be long before its last byte is read */

    r->ssl = ssl;
    while ((!r->session_ended || !is_empty(&r->from_session)) && (deadline == 0 || clock_left(deadline) > 0)) {
        bool moved = read_client(r);
        struct pollfd fds[3];

        moved = write_session(r) || moved;
        moved = read_session(r) || moved;
        moved = write_client(r) || moved;
        fds[1] = interest(CLIENT, r->client_read | r->client_write);
        fds[2] = interest(SESSION, r->session_read | r->session_write | (deadline == 0 ? POLLRDHUP : 0));
        wait_for(fds, 3, moved ? 1 : deadline); /* 1 has passed: a glance at the channel */
        if (deadline == 0 && (fds[2].revents & (POLLRDHUP | POLLHUP)) != 0)
            deadline = clock_ms() + FINISH_MS;
    }
    finish(r, deadline != 0 ? deadline : clock_ms() + FINISH_MS);
}

void relay_serve(SSL *ssl)
{
    handshake(ssl);
    tell_secure(ssl);
    pass_bytes(ssl);
}
