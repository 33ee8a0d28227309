/* keeper.c - a process that keeps a connection to RabbitMQ, for messages of later ones */
#include "programs/publish/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

enum {
    REQUEST = 1 << 16,      /* bytes; whoever has more to say publishes himself */
    GREETING_MS = 1000,     /* a keeper that is alive greets sooner */
    NOTE = 512
};

/* What is answered. */
struct answer {
    enum verdict verdict;
    char note[NOTE]; /* why; empty: nothing is to be said */
};

/* ---- the place where they meet ----------------------------------------------------------- */

/* FNV-1a: nobody who could choose the texts would gain by two that are the same. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;

    while (len-- > 0)
        hash = (hash ^ *byte++) * UINT64_C(0x100000001b3);
    return hash;
}

/* One for each user of this host, URL, authorities, and state of the password file. */
static struct sockaddr_un address_of(const struct job *job, socklen_t *len)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), job->text, strlen(job->text) + 1);
    struct stat status;

    if (job->authorities != NULL)
        hash = mix(hash, job->authorities, strlen(job->authorities) + 1);
    if (job->credentials != NULL && stat(job->credentials, &status) == 0) {
        hash = mix(hash, &status.st_dev, sizeof status.st_dev);
        hash = mix(hash, &status.st_ino, sizeof status.st_ino);
        hash = mix(hash, &status.st_mtim, sizeof status.st_mtim);
    }
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                       (size_t)snprintf(address.sun_path + 1, sizeof address.sun_path - 1, PROGRAM "-%lu-%016llx",
                                        (unsigned long)geteuid(), (unsigned long long)hash));
    return address;
}

/* Is the other end a process of our user? */
static bool is_ours(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

/* ---- requests ---------------------------------------------------------------------------- */

/* Strings with NUL: exchange, routing key, and of each fact `+` and its value, or `-`. Empty: they have no room. */
static struct slice write_request(const struct message *message)
{
    static char request[REQUEST];
    struct text text = { request, REQUEST, 0 };

    for (size_t i = 0; i < 2; i++)
        text_put(&text, (struct slice){ message->to[i], strlen(message->to[i]) + 1 });
    for (size_t i = 0; i < FACTS; i++) {
        text_put(&text, slice_of(message->values[i] != NULL ? "+" : "-"));
        text_put(&text, slice_of(message->values[i] != NULL ? message->values[i] : ""));
        text_put(&text, (struct slice){ "", 1 });
    }
    return text.len < text.size ? text_slice(&text) : (struct slice){ NULL, 0 };
}

/* The next string; NULL: there is none. */
static const char *next(struct slice *rest)
{
    const char *string = rest->text, *end = rest->len > 0 ? memchr(string, '\0', rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - string) + 1 : 0;

    *rest = (struct slice){ rest->text + len, rest->len - len };
    return end != NULL ? string : NULL;
}

static bool read_request(struct message *message, const char *request, size_t len)
{
    struct slice rest = { request, len };
    const char *string = NULL;

    for (size_t i = 0; i < 2 + FACTS; i++) {
        string = next(&rest);
        if (string == NULL)
            return false;
        if (i < 2)
            message->to[i] = string;
        else
            message->values[i - 2] = string[0] == '+' ? string + 1 : NULL;
    }
    return true;
}

/* The message goes as a descriptor of its file, with where in it it begins, and its size. */
static bool send_request(int fd, const struct message *message)
{
    const struct slice request = write_request(message);
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
    struct body body = message->body;
    struct iovec parts[] = { { &body, sizeof body }, { NULL, request.len } };
    struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };
    struct cmsghdr *head;

    memcpy(&parts[1].iov_base, &request.text, sizeof request.text); /* which is only read */
    packet.msg_control = &control;
    packet.msg_controllen = sizeof control;
    head = CMSG_FIRSTHDR(&packet);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof body.fd);
    memcpy(CMSG_DATA(head), &body.fd, sizeof body.fd);
    return request.len > 0 && sendmsg(fd, &packet, MSG_NOSIGNAL) > 0;
}

/* ---- who asks ---------------------------------------------------------------------------- */

/* Connected to a keeper that has greeted us; -1: there is none. */
static int meet(const struct job *job)
{
    socklen_t len;
    const struct sockaddr_un address = address_of(job, &len);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    char greeting;

    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&address, len) == 0 && is_ours(fd) && poll(&wait, 1, GREETING_MS) == 1 &&
        recv(fd, &greeting, 1, 0) == 1)
        return fd;
    (void)close(fd);
    return -1;
}

bool keeper_ask(const struct job *job, enum verdict *verdict)
{
    struct answer answer = { .verdict = UNREACHABLE };
    int fd = meet(job);
    bool sent = fd >= 0 && send_request(fd, &job->message);

    if (sent && recv(fd, &answer, sizeof answer, 0) != sizeof answer)
        answer = (struct answer){ UNCONFIRMED, "the process that keeps the connection has ended" };
    if (fd >= 0)
        (void)close(fd);
    answer.note[NOTE - 1] = '\0';
    *verdict = answer.verdict;
    if (answer.verdict == UNREACHABLE || answer.verdict == NOT_NOW)
        return false; /* the message is here still */
    if (answer.note[0] != '\0')
        verdict_note("%s", answer.note);
    return true;
}

/* ---- who keeps --------------------------------------------------------------------------- */

/* Who is being served; its message goes through the slot of the same number. */
struct client {
    int fd;            /* -1: gone, or nobody */
    bool has_asked;
    uint64_t deadline; /* for the broker */
    struct message message;
    char *request;     /* what the message points into */
};

static struct {
    struct link *link;
    const struct job *job;
    int listening;
    bool is_ending;
    struct client clients[LINK_MESSAGES];
} keeper;

static volatile sig_atomic_t is_told; /* to end */

static void end_soon(int signal)
{
    (void)signal;
    is_told = 1;
}

static bool is_free(size_t i)
{
    return keeper.clients[i].fd < 0 && !keeper.clients[i].has_asked;
}

static void forget(struct client *client)
{
    if (client->has_asked) {
        (void)close(client->message.body.fd); /* only read */
        free(client->request);
    }
    if (client->fd >= 0)
        (void)close(client->fd);
    *client = (struct client){ .fd = -1 };
}

static void answer(struct client *client, enum verdict verdict)
{
    struct answer answer = { .verdict = verdict };

    if (verdict != CONFIRMED && verdict != NOT_TAKEN && verdict != UNROUTED) /* of which no note has come just now */
        text_string(answer.note, sizeof answer.note, slice_of(verdict_last_note()));
    if (client->fd >= 0)
        (void)send(client->fd, &answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT); /* or it has gone */
    forget(client);
}

static void accept_client(void)
{
    int fd = accept4(keeper.listening, NULL, NULL, SOCK_CLOEXEC);
    size_t i = 0;

    if (fd < 0)
        return;
    while (i < LINK_MESSAGES && !is_free(i))
        i++;
    if (i == LINK_MESSAGES || !is_ours(fd) || send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
        (void)close(fd);
        return;
    }
    keeper.clients[i] = (struct client){ .fd = fd, .deadline = clock_ms() + keeper.job->seconds * 1000ULL };
}

/* Reads a request with its descriptor. False: there is none. */
static bool receive(struct client *client, char *request, size_t *len)
{
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control = { { 0 } };
    struct body body;
    struct iovec parts[] = { { &body, sizeof body }, { request, REQUEST } };
    struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };
    struct cmsghdr *head;
    ssize_t n;

    packet.msg_control = &control;
    packet.msg_controllen = sizeof control;
    n = recvmsg(client->fd, &packet, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    head = n > 0 ? CMSG_FIRSTHDR(&packet) : NULL;
    if (head == NULL || head->cmsg_type != SCM_RIGHTS || n <= (ssize_t)sizeof body)
        return false;
    memcpy(&body.fd, CMSG_DATA(head), sizeof body.fd);
    client->message.body = body;
    *len = (size_t)n - sizeof body;
    return true;
}

static void hear_client(size_t i)
{
    static char request[REQUEST];
    struct client *client = &keeper.clients[i];
    size_t len = 0;

    if (client->has_asked) { /* it has given up: what becomes of its message is of no use any more */
        (void)close(client->fd);
        client->fd = -1;
        return;
    }
    if (!receive(client, request, &len)) {
        forget(client);
        return;
    }
    client->has_asked = true;
    client->deadline = clock_ms() + keeper.job->seconds * 1000ULL;
    client->request = malloc(len);
    if (client->request == NULL || !read_request(&client->message, memcpy(client->request, request, len), len))
        answer(client, UNREACHABLE); /* it can do that itself */
    else if (!link_announce(keeper.link, i, &client->message))
        keeper.is_ending = true;
}

/* Before the broker has their messages. */
static void turn_away_announced(void)
{
    for (size_t i = 0; i < LINK_MESSAGES; i++)
        if (keeper.link->slots[i].state == SLOT_ANNOUNCED) {
            keeper.link->slots[i].state = SLOT_FREE;
            answer(&keeper.clients[i], NOT_NOW);
        }
}

/* False: this is the end, and all know what became of their messages. */
static bool hear_broker(void)
{
    for (;;) {
        size_t i = 0;

        switch (link_hear(keeper.link, false, &i)) {
        case HEARD_NOTHING: return true;
        case HEARD_VERDICT: answer(&keeper.clients[i], keeper.link->slots[i].verdict); break;
        case HEARD_BLOCKED:
            keeper.is_ending = true;
            turn_away_announced();
            break;
        case HEARD_END:
            for (i = 0; i < LINK_MESSAGES; i++)
                if (keeper.clients[i].has_asked)
                    answer(&keeper.clients[i], keeper.link->slots[i].verdict);
            return false;
        }
    }
}

/* Waits for something to do. False: there is nothing more. */
static bool serve_once(void)
{
    const int broker = librabbitmq.get_sockfd(keeper.link->connection);
    struct pollfd fds[2 + LINK_MESSAGES] = { { .fd = keeper.listening, .events = POLLIN },
                                             { .fd = broker, .events = POLLIN } };
    uint64_t idle = clock_ms() + keeper.job->keep * 1000ULL, until = UINT64_MAX;
    const sigset_t mask = clock_mask();
    size_t served = 0;
    int n;

    for (size_t i = 0; i < LINK_MESSAGES; i++) {
        fds[2 + i] = (struct pollfd){ .fd = keeper.clients[i].fd, .events = POLLIN };
        if (is_free(i))
            continue;
        served++;
        until = clock_earlier(until, keeper.clients[i].deadline);
    }
    keeper.is_ending = keeper.is_ending || is_told;
    if (served == LINK_MESSAGES || keeper.is_ending)
        fds[0].fd = -1;
    if (served == 0 && keeper.is_ending)
        return false;
    (void)alarm(0);
    n = clock_poll(fds, 2 + LINK_MESSAGES, served > 0 ? until : idle, &mask);
    (void)alarm(keeper.job->seconds); /* for a broker that reads no more */
    if (n == 0 || (n < 0 && errno != EINTR))
        return false;
    if (n < 0)
        return true;
    for (size_t i = 0; i < LINK_MESSAGES; i++)
        if (fds[2 + i].revents != 0)
            hear_client(i);
    if (fds[0].revents != 0)
        accept_client();
    return hear_broker();
}

/* In the new process, which belongs to no session of anybody. */
static void keep(void)
{
    const struct sigaction action = { .sa_handler = end_soon };
    sigset_t blocked;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)setsid(); /* cannot fail in a new process */
    if (null < 0 || chdir("/") != 0)
        return;
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(null, fd) < 0)
            return;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &blocked, NULL); /* but for the waits */
    (void)sigaction(SIGTERM, &action, NULL);
    for (size_t i = 0; i < LINK_MESSAGES; i++)
        keeper.clients[i].fd = -1;
    while (serve_once())
        ;
}

static int listen_for(const struct job *job)
{
    socklen_t len;
    const struct sockaddr_un address = address_of(job, &len);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)&address, len) == 0 && listen(fd, LINK_MESSAGES) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

bool keeper_begin(struct job *job, struct link *link)
{
    int fd = listen_for(job);
    pid_t child = fd >= 0 ? fork() : -1;

    keeper.link = link;
    keeper.job = job;
    keeper.listening = fd;
    if (child == 0) {
        explicit_bzero(job->password, sizeof job->password);
        keep();
        _exit(0);
    }
    if (fd >= 0)
        (void)close(fd);
    return child > 0;
}
