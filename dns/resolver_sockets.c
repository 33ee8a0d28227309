/* resolver_sockets.c - the sockets of the resolver: its parent connects them, to the servers that it knows */
#include "dns/resolving.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT = 53 };

/* A socket that is connected (TCP: or about to be) to the server. It does not block. */
static int connect_to(const union resolver_server *server, bool stream)
{
    const int on = 1;
    socklen_t size = server->family == AF_INET ? sizeof server->v4 : sizeof server->v6;
    int fd = socket(server->family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (stream)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* it is only slower without */
    if (connect(fd, &server->address, size) != 0 && errno != EINPROGRESS) {
        int error = errno;

        (void)close(fd); /* nothing was written */
        errno = error;
        return -1;
    }
    return fd;
}

/* Learns from c-ares who the servers are. */
static void list_servers(void)
{
    struct ares_addr_port_node *list = NULL;

    if (resolving_ares.get_servers(resolving.ares, &list) != ARES_SUCCESS)
        return; /* none is known */
    for (const struct ares_addr_port_node *n = list; n != NULL && resolving.count < RESOLVER_SERVERS; n = n->next) {
        union resolver_server *server = &resolving.servers[resolving.count++];
        in_port_t port = htons((uint16_t)(n->udp_port != 0 ? n->udp_port : PORT));

        if (n->family == AF_INET) {
            server->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port, .sin_addr = n->addr.addr4 };
        } else {
            server->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
            memcpy(&server->v6.sin6_addr, &n->addr.addr6, sizeof server->v6.sin6_addr);
        }
    }
    resolving_ares.free_data(list);
}

/* A scope (fe80::1%eth0) is not compared: c-ares does not tell those that it has. */
static bool is_same(const union resolver_server *a, const union resolver_server *b)
{
    if (a->family == AF_INET && b->family == AF_INET)
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return a->family == AF_INET6 && b->family == AF_INET6 && a->v6.sin6_port == b->v6.sin6_port &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

/* Is it one of ours? */
static bool is_known(const union resolver_server *server)
{
    if (resolving.count == 0)
        list_servers();
    for (size_t i = 0; i < resolving.count; i++)
        if (is_same(&resolving.servers[i], server))
            return true;
    return false;
}

bool resolver_serve(int channel, const struct resolver_message *m, size_t len)
{
    struct order order = { .number = RESOLVER_QUESTIONS };
    bool given;
    int fd;

    if (len != resolving_size(sizeof m->server) || m->stream > 1 || !is_known(&m->server))
        return false;
    fd = connect_to(&m->server, m->stream != 0);
    order.error = fd < 0 ? errno : 0;
    given = resolving_give_order(channel, &order, offsetof(struct order, name), fd);
    if (fd >= 0)
        (void)close(fd); /* the process has it */
    return given;
}

/* What follows from the first answer is asked without waiting, from a port of its own as every question is. */
void resolving_connect_spare(void)
{
    resolving.spare.fd = connect_to(&resolving.spare.server, false); /* without it the parent is waited for */
}

/* Uses the spare socket up. NONE: there is none, or answers are there already, which nobody has asked for. */
static int take_spare(void)
{
    const int spare = resolving.spare.fd;
    char byte;

    resolving.spare.fd = NONE;
    if (spare < 0 || recv(spare, &byte, sizeof byte, MSG_DONTWAIT) < 0)
        return spare;
    (void)close(spare); /* a guess at the answer is as good before the question as after it */
    return NONE;
}

/* The spare socket, or one that the parent is waited for. Questions may come before it. */
static int fetch_socket(const union resolver_server *server, bool stream)
{
    const int spare = !stream && is_same(server, &resolving.spare.server) ? take_spare() : NONE;

    if (spare >= 0)
        return spare;
    if (!is_known(server)) {
        errno = ENETUNREACH; /* a server more than there is room for */
        return NONE;
    }
    resolving_message.server = *server;
    resolving_message.stream = stream;
    resolving_tell(RESOLVER_SOCKET, sizeof resolving_message.server);
    for (resolving.awaited = PENDING; resolving.awaited == PENDING;)
        resolving_take_order(0);
    return resolving.awaited;
}

/* What c-ares calls a socket is a number of ours, for the descriptor comes when the server is known. */
static ares_socket_t make_socket(int family, int type, int protocol, void *data)
{
    (void)family;
    (void)protocol;
    (void)data;
    for (int i = 0; i < SOCKETS; i++)
        if (!resolving.sockets[i].used) {
            resolving.sockets[i].used = true;
            resolving.sockets[i].stream = type == SOCK_STREAM;
            resolving.sockets[i].fd = NONE;
            return i;
        }
    errno = EMFILE;
    return ARES_SOCKET_BAD;
}

static int connect_socket(ares_socket_t number, const struct sockaddr *address, ares_socklen_t size, void *data)
{
    union resolver_server server = { .family = AF_UNSPEC };
    bool stream = resolving.sockets[number].stream;
    int fd;

    (void)data;
    memcpy(&server, address, size < sizeof server ? size : sizeof server);
    fd = resolving.channel > 0 ? fetch_socket(&server, stream) : connect_to(&server, stream);
    if (resolving.channel == 0)
        resolving.spare.server = server;
    resolving.sockets[number].fd = fd;
    return fd < 0 ? -1 : 0;
}

static int close_socket(ares_socket_t number, void *data)
{
    int fd = resolving.sockets[number].fd;

    (void)data;
    resolving.sockets[number].used = false;
    return fd < 0 ? 0 : close(fd);
}

static ares_ssize_t receive(ares_socket_t number, void *bytes, size_t size, int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *data)
{
    (void)data;
    return recvfrom(resolving.sockets[number].fd, bytes, size, flags, from, from_size);
}

/* One part is enough: c-ares goes on behind what was taken, and a datagram has one. */
static ares_ssize_t transmit(ares_socket_t number, const struct iovec *parts, int count, void *data)
{
    (void)count;
    (void)data;
    return send(resolving.sockets[number].fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
}

const struct ares_socket_functions resolving_sockets = { make_socket, close_socket, connect_socket, receive,
                                                               transmit };
