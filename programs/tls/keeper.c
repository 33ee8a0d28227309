/* keeper.c - certificate and key loaded once: waits for connections, and has a process of its own serve each */
/*
 * A process is forked before its connection comes, and is confined while it waits: most of what it costs has been paid
 * by then. It takes the connection itself, so that the keeper touches none, and nobody waits for the clients of others.
 * More than one that waits serves nobody faster: each is woken when a connection comes.
 * The random numbers of forked processes differ: OpenSSL compares getpid(2) with that of the process that has seeded
 * its generators, and seeds them anew.
 */
#include "programs/tls/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "programs/tls/channel.h"

enum {
    REQUESTS = 4,      /* the descriptor; that of the channel becomes free, as those of client and session */
    REST_MS = 200,     /* before it is tried again to fork a process */
    BY_SIGNAL = 128,   /* the exit status for signals, as shells have it */
    TURNS = 10         /* of a handshake, at most */
};

/* By this pair of sockets a process says that it has taken a connection, and sees that there is no keeper any more. */
static int keepers_end = -1, spares_end = -1;

static pid_t spare; /* the process that waits for a connection; 0: there is none */

static void on_child(int signal)
{
    (void)signal; /* it has ended a wait */
}

/* What it has forked goes on. */
static void on_hangup(int signal)
{
    (void)signal;
    _exit(EXIT_SUCCESS);
}

/* What OpenSSL prepares when it first needs it shall be there before processes are forked. That is all it is for. */
static void rehearse(SSL_CTX *context)
{
    SSL_CTX *other = SSL_CTX_new(TLS_client_method());
    SSL *client = SSL_new(other), *server = SSL_new(context);
    BIO *ends[2];

    if (client != NULL && server != NULL && BIO_new_bio_pair(&ends[0], 0, &ends[1], 0) == 1) {
        SSL_set_bio(client, ends[0], ends[0]);
        SSL_set_bio(server, ends[1], ends[1]);
        SSL_set_connect_state(client);
        SSL_set_accept_state(server);
        for (int i = 0; i < TURNS; i++) {
            (void)SSL_do_handshake(client); /* each does what it can */
            (void)SSL_do_handshake(server);
        }
    }
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(other);
    ERR_clear_error();
}

static bool prepare(void)
{
    const struct sigaction child = { .sa_handler = on_child }, hangup = { .sa_handler = on_hangup };
    sigset_t blocked;
    int ends[2];

    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGCHLD); /* but for the wait */
    if (sigprocmask(SIG_BLOCK, &blocked, NULL) != 0 || sigaction(SIGCHLD, &child, NULL) != 0 ||
        sigaction(SIGHUP, &hangup, NULL) != 0 || dup2(CHANNEL, REQUESTS) != REQUESTS ||
        socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
        return false;
    keepers_end = ends[0];
    spares_end = ends[1];
    return true;
}

/* In a new process: the descriptors of a connection are free, and will be the first that it receives. */
static void make_room(void)
{
    (void)close(keepers_end);
    (void)close(PEER); /* these and the next, if they were there at all */
    (void)close(PLAIN);
    (void)close(CHANNEL);
}

/* True in a new process. */
static bool fork_spare(void)
{
    pid_t pid = fork();

    if (pid == 0)
        make_room();
    spare = pid > 0 ? pid : 0; /* if there can be none now, perhaps soon */
    return pid == 0;
}

/* Has the process that waited taken a connection? */
static void hear_taken(void)
{
    char byte;

    if (recv(keepers_end, &byte, sizeof byte, MSG_DONTWAIT) == sizeof byte)
        spare = 0;
}

/* A monitor may have killed a process that did not end. One that ends before it has taken a connection is broken. */
static void reap(void)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        hear_taken();
        if (WIFSIGNALED(status) && (WTERMSIG(status) != SIGKILL || pid == spare))
            _exit(BY_SIGNAL + WTERMSIG(status));
        if (pid == spare)
            _exit(EXIT_FAILURE);
    }
}

static void wait_for_news(void)
{
    struct pollfd fds[2] = { { .fd = REQUESTS }, { .fd = keepers_end, .events = POLLIN } };
    const struct timespec rest = { .tv_nsec = REST_MS * 1000000L };
    sigset_t none;

    (void)sigemptyset(&none);
    if (ppoll(fds, 2, spare != 0 ? NULL : &rest, &none) > 0 && fds[0].revents != 0)
        _exit(EXIT_SUCCESS); /* nobody can ask any more */
}

void keeper_run(SSL_CTX *context)
{
    if (!prepare())
        _exit(EXIT_FAILURE);
    rehearse(context);
    while (spare != 0 || !fork_spare()) {
        wait_for_news();
        hear_taken();
        reap();
    }
}

/* ---- in a process for one connection ------------------------------------------------------- */

/* True when something has come; it may be of no use. */
static bool receive(void)
{
    static const int places[] = { PEER, PLAIN, CHANNEL }; /* as the kernel fills them */
    union {
        char bytes[CMSG_SPACE(sizeof places)];
        struct cmsghdr align;
    } control;
    char byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    const struct cmsghdr *header;

    if (recvmsg(REQUESTS, &message, MSG_DONTWAIT) < 0)
        return false;
    (void)!write(spares_end, &byte, sizeof byte); /* or the keeper has just ended */
    header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof places) ||
        memcmp(CMSG_DATA(header), places, sizeof places) != 0)
        _exit(EXIT_FAILURE);
    return true;
}

void keeper_take(void)
{
    struct pollfd fds[2] = { { .fd = REQUESTS, .events = POLLIN }, { .fd = spares_end } };

    do {
        if ((ppoll(fds, 2, NULL, NULL) < 0 && errno != EINTR) || fds[1].revents != 0)
            _exit(EXIT_SUCCESS);
    } while (!receive());
    (void)close(REQUESTS); /* neither has anything written that is not there */
    (void)close(spares_end);
}
