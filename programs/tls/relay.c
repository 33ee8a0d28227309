/* relay.c - bytes in both directions of one connection, until both sides have ended */
/*
 * Every buffer is fixed; a side that does not read makes the other side wait. There is no limit of time, as our side has
 * them, but for the end.
 */
#include "programs/tls/relay.h"

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "programs/tls/channel.h"
#include "programs/tls/credentials.h"

enum { MAX_PLAIN = 16384 }; /* what a TLS record holds */

/* Bytes on their way in one direction. It is filled only when it is empty. */
struct buffer {
    char bytes[MAX_PLAIN];
    size_t begin, end;
};

struct relay {
    SSL *ssl;
    struct buffer from_peer, from_plain;
    short peer_read, peer_write; /* what reading from and writing to the peer wait for */
    short plain_read, plain_write;
    bool peer_ended;  /* it will send no more */
    bool peer_gone;   /* it takes no more */
    bool plain_ended, plain_gone; /* the same */
    bool plain_told;  /* that the peer has ended */
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
static short peer_trouble(const struct relay *r, int result)
{
    if (SSL_get_error(r->ssl, result) == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
        channel_reject("connection", credentials_reason());
    return channel_wanted(r->ssl, result);
}

/* The four movements: each does what it can without waiting, and says whether that was something. */

static bool read_peer(struct relay *r)
{
    int got;

    r->peer_read = 0;
    if (r->peer_ended || !is_empty(&r->from_peer))
        return false;
    ERR_clear_error();
    got = SSL_read(r->ssl, r->from_peer.bytes, MAX_PLAIN);
    if (got > 0) {
        fill(&r->from_peer, (size_t)got);
        return true;
    }
    r->peer_read = peer_trouble(r, got);
    if (r->peer_read != 0)
        return false;
    r->peer_ended = true;
    r->peer_gone = r->peer_gone || SSL_get_error(r->ssl, got) != SSL_ERROR_ZERO_RETURN;
    return true;
}

static bool write_peer(struct relay *r)
{
    int sent;

    r->peer_write = 0;
    if (r->peer_gone)
        fill(&r->from_plain, 0);
    if (is_empty(&r->from_plain))
        return false;
    ERR_clear_error();
    sent = SSL_write(r->ssl, r->from_plain.bytes + r->from_plain.begin,
                     (int)(r->from_plain.end - r->from_plain.begin));
    if (sent > 0) {
        r->from_plain.begin += (size_t)sent;
        return true;
    }
    r->peer_write = peer_trouble(r, sent);
    r->peer_gone = r->peer_write == 0;
    r->peer_ended = r->peer_ended || r->peer_gone;
    return r->peer_gone;
}

static bool read_plain(struct relay *r)
{
    ssize_t got;

    r->plain_read = 0;
    if (r->plain_ended || !is_empty(&r->from_plain))
        return false;
    got = read(PLAIN, r->from_plain.bytes, MAX_PLAIN);
    if (got > 0) {
        fill(&r->from_plain, (size_t)got);
        return true;
    }
    if (got < 0 && errno == EAGAIN) {
        r->plain_read = POLLIN;
        return false;
    }
    r->plain_ended = true;
    return true;
}

/* Whether a server has ended as TLS wants it, or the connection was cut: then what it said last may be missing. */
static void tell_end(const SSL *ssl)
{
    if ((SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0)
        (void)channel_tell("closed");
    else
        (void)channel_tell("failed connection: the server has broken it off");
}

static bool write_plain(struct relay *r)
{
    ssize_t sent;

    r->plain_write = 0;
    if (r->plain_gone)
        fill(&r->from_peer, 0);
    if (is_empty(&r->from_peer)) {
        if (!r->peer_ended || r->plain_told)
            return false;
        r->plain_told = true;
        if (!SSL_is_server(r->ssl))
            tell_end(r->ssl);
        /* a session that wants to know whether its client has heard it must not take a broken connection for an end */
        (void)shutdown(PLAIN, SSL_is_server(r->ssl) && r->peer_gone ? SHUT_RDWR : SHUT_WR); /* fails if it is gone */
        return true;
    }
    sent = write(PLAIN, r->from_peer.bytes + r->from_peer.begin, r->from_peer.end - r->from_peer.begin);
    if (sent > 0) {
        r->from_peer.begin += (size_t)sent;
        return true;
    }
    if (sent < 0 && errno == EAGAIN) {
        r->plain_write = POLLOUT;
        return false;
    }
    r->plain_gone = true;
    return true;
}

/* A descriptor that nothing is wanted from must not wake us with its hang-up, again and again. */
static struct pollfd interest(int fd, int events)
{
    return (struct pollfd){ .fd = events != 0 ? fd : -1, .events = (short)events };
}

/* Our side has ended, and so has all that it said: says so to the peer. Where we are the client we have heard all that we wanted. */
static void finish(struct relay *r, uint64_t deadline)
{
    struct pollfd fds[2];
    int result;

    while (!r->peer_gone && (result = SSL_shutdown(r->ssl)) < 0 && channel_wanted(r->ssl, result) == POLLOUT &&
           clock_left(deadline) > 0) {
        fds[1] = (struct pollfd){ .fd = PEER, .events = POLLOUT };
        channel_wait(fds, 2, deadline);
    }
    if (SSL_is_server(r->ssl))
        channel_end(deadline);
}

void relay_run(SSL *ssl)
{
    static struct relay relay;
    struct relay *r = &relay;
    uint64_t deadline = 0; /* set when our side has ended, which may be long before its last byte is read */

    r->ssl = ssl;
    while ((!r->plain_ended || !is_empty(&r->from_plain)) && (deadline == 0 || clock_left(deadline) > 0)) {
        bool moved = read_peer(r);
        struct pollfd fds[3];

        moved = write_plain(r) || moved;
        moved = read_plain(r) || moved;
        moved = write_peer(r) || moved;
        fds[1] = interest(PEER, r->peer_read | r->peer_write);
        fds[2] = interest(PLAIN, r->plain_read | r->plain_write | (deadline == 0 ? POLLRDHUP : 0));
        channel_wait(fds, 3, moved ? 1 : deadline); /* 1 has passed: a glance at the channel */
        if (deadline == 0 && (fds[2].revents & (POLLRDHUP | POLLHUP)) != 0)
            deadline = clock_ms() + FINISH_MS;
    }
    finish(r, deadline != 0 ? deadline : clock_ms() + FINISH_MS);
}
