/* resolver.c - the process that reads what the DNS answers, and repeats what it does not answer */
/*
 * c-ares sends the questions, repeats them, goes on to other servers and to TCP, and sees that an answer comes
 * from where it was asked for, with the id and the question that were sent. What the answer says
 * is read by wire.c. The first questions leave before the fork, and their answers are under way while the child
 * is made and confined: no byte of the network is read before that. From then on its sockets come from the parent,
 * which connects them to the servers that it knows, so that nobody else can be reached.
 */
#include "dns/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cold.h"
#include "base/library.h"
#include "base/sandbox.h"

enum { SOCKETS = ARES_GETSOCK_MAXNUM, CLASS_IN = 1, PORT = 53, OWN_BYTES = 1 << 19 };

enum state { FREE, TOLD, ASKED, REFUSED /* before there was a process that could tell */ };

/* Its number is its place; the name must live until c-ares has said its last word. */
struct question {
    enum state state;
    enum answer_type type;
    int status; /* REFUSED: why */
    char name[DOMAIN_MAX + 1];
};

/* What the process is told: a question, or (number RESOLVER_QUESTIONS) a socket that it waits for or, errno, none. */
struct order {
    uint32_t number;
    int32_t error;
    uint32_t type;
    char name[DOMAIN_MAX + 1];
};

static struct {
    ares_channel ares;
    union resolver_server servers[RESOLVER_SERVERS];
    size_t count; /* of them, 0: not listed yet */
    int channel;  /* to the parent; 0: this is the parent */
    int awaited;  /* the socket that the parent was asked for; PENDING, NONE */
    struct {
        int fd;
        bool used, stream;
    } sockets[SOCKETS]; /* by the number that c-ares has for each */
} resolver;

enum { NONE = -1, PENDING = -2 };

static struct {
    void *memory;
    size_t size;
} hidden[RESOLVER_HIDDEN];

/*
 * All that holds names that were asked for, among them memory of c-ares: it is in one place, so that it can be
 * forgotten. What c-ares gives back is not used again before the next resolver_prepare.
 */
static struct own {
    struct question questions[RESOLVER_QUESTIONS];
    size_t used; /* of these: */
    char bytes[OWN_BYTES] __attribute__((aligned(16)));
} *own;

static struct resolver_message message COLD_BSS;

/* ---- the library ------------------------------------------------------------------------- */

/* All that is used of it. */
static struct {
    __typeof__(ares_library_init_mem) *library_init;
    __typeof__(ares_init_options) *init_options;
    __typeof__(ares_set_servers_ports_csv) *set_servers;
    __typeof__(ares_get_servers_ports) *get_servers;
    __typeof__(ares_set_socket_functions) *set_socket_functions;
    __typeof__(ares_query) *query;
    __typeof__(ares_getsock) *getsock;
    __typeof__(ares_timeout) *timeout;
    __typeof__(ares_process_fd) *process_fd;
    __typeof__(ares_free_data) *free_data;
    __typeof__(ares_destroy) *destroy;
    __typeof__(ares_strerror) *strerror;
} ares;

static const struct library_function functions[] = {
    LIBRARY_FUNCTION(ares.library_init, ares_library_init_mem),
    LIBRARY_FUNCTION(ares.init_options, ares_init_options),
    LIBRARY_FUNCTION(ares.set_servers, ares_set_servers_ports_csv),
    LIBRARY_FUNCTION(ares.get_servers, ares_get_servers_ports),
    LIBRARY_FUNCTION(ares.set_socket_functions, ares_set_socket_functions),
    LIBRARY_FUNCTION(ares.query, ares_query),
    LIBRARY_FUNCTION(ares.getsock, ares_getsock),
    LIBRARY_FUNCTION(ares.timeout, ares_timeout),
    LIBRARY_FUNCTION(ares.process_fd, ares_process_fd),
    LIBRARY_FUNCTION(ares.free_data, ares_free_data),
    LIBRARY_FUNCTION(ares.destroy, ares_destroy),
    LIBRARY_FUNCTION(ares.strerror, ares_strerror),
};

/* ---- memory ------------------------------------------------------------------------------ */

/* Stands before each piece. */
struct piece {
    size_t size;
} __attribute__((aligned(16)));

static bool is_own(const void *memory)
{
    return (uintptr_t)memory >= (uintptr_t)own->bytes && (uintptr_t)memory < (uintptr_t)own->bytes + OWN_BYTES;
}

/* A long session may need more than there is here; then it has begun, and its process has memory of its own. */
static void *take(size_t size)
{
    struct piece *piece = (struct piece *)(void *)(own->bytes + own->used);
    size_t room = OWN_BYTES - own->used; /* a multiple of the size of a struct piece */

    if (room < sizeof *piece || size > room - sizeof *piece)
        return malloc(size);
    own->used += (1 + (size + sizeof *piece - 1) / sizeof *piece) * sizeof *piece;
    piece->size = size;
    return piece + 1;
}

static void give(void *memory)
{
    if (!is_own(memory))
        free(memory);
}

static void *resize(void *memory, size_t size)
{
    size_t old;
    void *other;

    if (memory != NULL && !is_own(memory))
        return realloc(memory, size);
    old = memory != NULL ? ((struct piece *)memory)[-1].size : 0;
    other = take(size);
    if (other != NULL && old > 0)
        memcpy(other, memory, old < size ? old : size);
    return other;
}

/* False with errno set. */
static bool make_own(void)
{
    void *memory;

    if (own != NULL)
        return true;
    memory = mmap(NULL, sizeof *own, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    own = memory != MAP_FAILED ? memory : NULL;
    return own != NULL;
}

void resolver_forget(void)
{
    if (own != NULL)
        (void)munmap(own, sizeof *own); /* ours: cannot fail */
    own = NULL;
}

/* ---- what crosses the channel ------------------------------------------------------------ */

/* Where a message ends: behind `used` bytes of what its kind has besides the head. */
static size_t message_size(size_t used)
{
    return offsetof(struct resolver_message, data) + used;
}

/* Without somebody to tell it there is nothing left to do. */
static void tell(enum resolver_kind kind, size_t used)
{
    message.kind = kind;
    if (send(resolver.channel, &message, message_size(used), MSG_NOSIGNAL) < 0)
        _exit(EXIT_FAILURE);
}

/* Gives an order, with a descriptor if `fd` is one. False if it does not arrive. */
static bool give_order(int channel, const struct order *order, size_t len, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { .bytes = { 0 } };
    union {
        const void *constant;
        void *any;
    } bytes = { .constant = order };
    struct iovec part = { bytes.any, len };
    struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };

    if (fd >= 0) {
        struct cmsghdr *c;

        packet.msg_control = control.bytes;
        packet.msg_controllen = sizeof control.bytes;
        c = CMSG_FIRSTHDR(&packet);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(channel, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}


void resolver_tell(int channel, uint32_t number, enum answer_type type, const char *name)
{
    struct order order = { .number = number, .type = type };
    size_t len = strlen(name) + 1;

    memcpy(order.name, name, len);
    (void)give_order(channel, &order, offsetof(struct order, name) + len, NONE); /* else it is as if it was silent */
}

/* A descriptor that has come with a packet. */
static int descriptor_of(struct msghdr *packet)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(packet);
    int fd = NONE;

    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* Takes the next order, of the parent, who is trusted. */
static void take_order(int flags)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct order order;
    struct iovec part = { &order, sizeof order };
    struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes };
    ssize_t len = recvmsg(resolver.channel, &packet, flags);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0)
        _exit(EXIT_SUCCESS);
    if (order.number < RESOLVER_QUESTIONS) {
        struct question *q = &own->questions[order.number];

        q->type = (enum answer_type)order.type;
        memcpy(q->name, order.name, strlen(order.name) + 1);
        q->state = TOLD;
    } else {
        resolver.awaited = descriptor_of(&packet);
        errno = order.error;
    }
}

/* How many bytes an answer has besides its status; SIZE_MAX: there is no such answer. */
static size_t answer_bytes(enum answer_type type, enum answer_status status, size_t count)
{
    if (status != ANSWER_FOUND)
        return count == 0 ? 0 : SIZE_MAX;
    switch (type) {
    case ANSWER_PTR:
        return count <= ANSWER_NAMES ? count * sizeof ((struct answer *)NULL)->names[0] : SIZE_MAX;
    case ANSWER_A:
    case ANSWER_AAAA:
        return count <= ANSWER_ADDRESSES ? count * sizeof ((struct answer *)NULL)->addresses[0] : SIZE_MAX;
    case ANSWER_TXT:
        return ANSWER_TEXT + 1;
    default: /* MX: its names are not wanted */
        return 0;
    }
}

static void tell_answer(const struct question *q, const struct answer *answer, const char *why)
{
    size_t count = answer->status == ANSWER_FOUND ? answer->count : 0;
    size_t size = answer_bytes(q->type, answer->status, count);

    message.number = (uint32_t)(q - own->questions);
    message.status = answer->status;
    message.count = (uint32_t)count;
    message.null_mx = answer->null_mx;
    (void)snprintf(message.why, sizeof message.why, "%s", why); /* cut when too long */
    memcpy(message.data, answer->names, size);
    tell(RESOLVER_ANSWER, size);
}

/* Text with its end in its place, and something in it. */
static bool is_text(const char *text, size_t size, char first)
{
    size_t len = strnlen(text, size);

    for (size_t i = 0; i < len; i++)
        if (text[i] < first || text[i] > '~')
            return false;
    return len < size;
}

/* Could wire_read have found this? */
static bool is_sound(const struct answer *answer, enum answer_type type)
{
    if (answer->status > ANSWER_UNSURE || (answer->status == ANSWER_FOUND) != (answer->count > 0) ||
        (answer->null_mx && (type != ANSWER_MX || answer->status != ANSWER_FOUND)))
        return false;
    if (answer->status == ANSWER_FOUND && type == ANSWER_TXT)
        return is_text(answer->text, sizeof answer->text, ' ');
    for (size_t i = 0; type == ANSWER_PTR && i < answer->count; i++)
        if (answer->names[i][0] == '\0' || !is_text(answer->names[i], sizeof answer->names[i], '!'))
            return false;
    return true;
}

bool resolver_read(const struct resolver_message *m, size_t len, enum answer_type type, struct answer *answer)
{
    size_t size;

    answer->status = ANSWER_UNSURE;
    answer->count = 0;
    answer->null_mx = false;
    if (len < message_size(0) || m->kind != RESOLVER_ANSWER || m->status > ANSWER_UNSURE || m->null_mx > 1 ||
        !is_text(m->why, sizeof m->why, ' '))
        return false;
    size = answer_bytes(type, (enum answer_status)m->status, m->count);
    if (size != len - message_size(0))
        return false;
    memcpy(answer->names, m->data, size);
    answer->status = (enum answer_status)m->status;
    answer->count = m->count;
    answer->null_mx = m->null_mx != 0;
    if (is_sound(answer, type))
        return true;
    answer->status = ANSWER_UNSURE;
    answer->count = 0;
    answer->null_mx = false;
    return false;
}

/* ---- sockets ----------------------------------------------------------------------------- */

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

    if (ares.get_servers(resolver.ares, &list) != ARES_SUCCESS)
        return; /* none is known */
    for (const struct ares_addr_port_node *n = list; n != NULL && resolver.count < RESOLVER_SERVERS; n = n->next) {
        union resolver_server *server = &resolver.servers[resolver.count++];
        in_port_t port = htons((uint16_t)(n->udp_port != 0 ? n->udp_port : PORT));

        if (n->family == AF_INET) {
            server->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port, .sin_addr = n->addr.addr4 };
        } else {
            server->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
            memcpy(&server->v6.sin6_addr, &n->addr.addr6, sizeof server->v6.sin6_addr);
        }
    }
    ares.free_data(list);
}

/* Is it one of ours? A scope (fe80::1%eth0) is not compared: c-ares does not tell those that it has. */
static bool is_known(const union resolver_server *server)
{
    if (resolver.count == 0)
        list_servers();
    for (size_t i = 0; i < resolver.count; i++) {
        const union resolver_server *known = &resolver.servers[i];

        if (known->family != server->family)
            continue;
        if (known->family == AF_INET && known->v4.sin_port == server->v4.sin_port &&
            known->v4.sin_addr.s_addr == server->v4.sin_addr.s_addr)
            return true;
        if (known->family == AF_INET6 && known->v6.sin6_port == server->v6.sin6_port &&
            memcmp(&known->v6.sin6_addr, &server->v6.sin6_addr, sizeof known->v6.sin6_addr) == 0)
            return true;
    }
    return false;
}

bool resolver_serve(int channel, const struct resolver_message *m, size_t len)
{
    struct order order = { .number = RESOLVER_QUESTIONS };
    bool given;
    int fd;

    if (len != message_size(sizeof m->server) || m->stream > 1 || !is_known(&m->server))
        return false;
    fd = connect_to(&m->server, m->stream != 0);
    order.error = fd < 0 ? errno : 0;
    given = give_order(channel, &order, offsetof(struct order, name), fd);
    if (fd >= 0)
        (void)close(fd); /* the process has it */
    return given;
}

/* Waits for a socket of the parent. Questions may come before it. */
static int fetch_socket(const union resolver_server *server, bool stream)
{
    if (!is_known(server)) {
        errno = ENETUNREACH; /* a server more than there is room for */
        return NONE;
    }
    message.server = *server;
    message.stream = stream;
    tell(RESOLVER_SOCKET, sizeof message.server);
    for (resolver.awaited = PENDING; resolver.awaited == PENDING;)
        take_order(0);
    return resolver.awaited;
}

/* What c-ares calls a socket is a number of ours, for the descriptor comes when the server is known. */
static ares_socket_t make_socket(int family, int type, int protocol, void *data)
{
    (void)family;
    (void)protocol;
    (void)data;
    for (int i = 0; i < SOCKETS; i++)
        if (!resolver.sockets[i].used) {
            resolver.sockets[i].used = true;
            resolver.sockets[i].stream = type == SOCK_STREAM;
            resolver.sockets[i].fd = NONE;
            return i;
        }
    errno = EMFILE;
    return ARES_SOCKET_BAD;
}

static int connect_socket(ares_socket_t number, const struct sockaddr *address, ares_socklen_t size, void *data)
{
    union resolver_server server = { .family = AF_UNSPEC };
    bool stream = resolver.sockets[number].stream;
    int fd;

    (void)data;
    memcpy(&server, address, size < sizeof server ? size : sizeof server);
    fd = resolver.channel > 0 ? fetch_socket(&server, stream) : connect_to(&server, stream);
    resolver.sockets[number].fd = fd;
    return fd < 0 ? -1 : 0;
}

static int close_socket(ares_socket_t number, void *data)
{
    int fd = resolver.sockets[number].fd;

    (void)data;
    resolver.sockets[number].used = false;
    return fd < 0 ? 0 : close(fd);
}

static ares_ssize_t receive(ares_socket_t number, void *bytes, size_t size, int flags, struct sockaddr *from,
                            ares_socklen_t *from_size, void *data)
{
    (void)data;
    return recvfrom(resolver.sockets[number].fd, bytes, size, flags, from, from_size);
}

/* One part is enough: c-ares goes on behind what was taken, and a datagram has one. */
static ares_ssize_t transmit(ares_socket_t number, const struct iovec *parts, int count, void *data)
{
    (void)count;
    (void)data;
    return send(resolver.sockets[number].fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = { make_socket, close_socket, connect_socket, receive,
                                                               transmit };

/* ---- questions --------------------------------------------------------------------------- */

/*
 * c-ares has an answer, or none. What it calls no name and no data is for wire.c to see. The parent
 * meets only with questions that could not be sent.
 */
static void on_answer(void *argument, int status, int timeouts, unsigned char *bytes, int len)
{
    static const char *const words[] = { "found", "none", "no usable answer" };
    static struct answer answer COLD_BSS;
    struct question *q = argument;
    bool answered = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;

    (void)timeouts;
    q->status = status;
    q->state = resolver.channel > 0 || status == ARES_EDESTRUCTION ? FREE : REFUSED;
    if (resolver.channel == 0)
        return;
    answer.status = ANSWER_UNSURE;
    answer.null_mx = false;
    if (answered && bytes != NULL && len > 0)
        wire_read(bytes, (size_t)len, q->type, q->name, &answer);
    tell_answer(q, &answer, answered ? words[answer.status] : ares.strerror(status));
}

static void ask(struct question *q)
{
    q->state = ASKED;
    ares.query(resolver.ares, q->name, CLASS_IN, (int)q->type, on_answer, q);
}

/* While one is asked others may be told of. */
static void ask_questions(void)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        if (own->questions[i].state == TOLD)
            ask(&own->questions[i]);
}

/* What could not be sent before. */
static void tell_refused(void)
{
    for (size_t i = 0; i < RESOLVER_QUESTIONS; i++)
        if (own->questions[i].state == REFUSED)
            on_answer(&own->questions[i], own->questions[i].status, 0, NULL, 0);
}

/* The sockets that c-ares has, and what it waits for on each. */
static nfds_t list_sockets(struct pollfd *fds, ares_socket_t numbers[SOCKETS])
{
    ares_socket_t all[SOCKETS];
    unsigned wanted = (unsigned)ares.getsock(resolver.ares, all, SOCKETS);
    nfds_t count = 0;

    for (unsigned i = 0; i < SOCKETS; i++) {
        bool readable = ARES_GETSOCK_READABLE(wanted, i) != 0, writable = ARES_GETSOCK_WRITABLE(wanted, i) != 0;

        if (!readable && !writable)
            continue;
        fds[count] = (struct pollfd){ .fd = resolver.sockets[all[i]].fd,
                                      .events = (short)((readable ? POLLIN : 0) | (writable ? POLLOUT : 0)) };
        numbers[count++] = all[i];
    }
    return count;
}

/* Lets c-ares do what there is to do on these sockets, or, if it is on none, what it does when time has passed. */
static void process(const struct pollfd *fds, const ares_socket_t *numbers, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        bool readable = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool writable = (fds[i].revents & (POLLOUT | POLLERR | POLLHUP)) != 0 && (fds[i].events & POLLOUT) != 0;

        if (readable || writable)
            ares.process_fd(resolver.ares, readable ? numbers[i] : ARES_SOCKET_BAD,
                            writable ? numbers[i] : ARES_SOCKET_BAD);
    }
    ares.process_fd(resolver.ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void __attribute__((noreturn)) serve(void)
{
    for (;;) {
        struct pollfd fds[1 + SOCKETS];
        ares_socket_t numbers[SOCKETS];
        nfds_t count = list_sockets(fds + 1, numbers);
        struct timeval left = { 0, 0 };
        struct timespec until;
        bool timed = ares.timeout(resolver.ares, NULL, &left) != NULL;

        until = (struct timespec){ left.tv_sec, left.tv_usec * 1000 };
        fds[0] = (struct pollfd){ .fd = resolver.channel, .events = POLLIN };
        if (ppoll(fds, count + 1, timed ? &until : NULL, NULL) < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
        process(fds + 1, numbers, count);
        if (fds[0].revents != 0)
            take_order(MSG_DONTWAIT);
        ask_questions();
    }
}

/* ---- before the fork --------------------------------------------------------------------- */

/* Makes a channel. The first tries together are shorter than a stage, so that a lost packet is made up for. */
static int make_channel(const char *servers, int timeout)
{
    static char lookups[] = "b"; /* not hosts(5), which is read before */
    struct ares_options options = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES, .tries = RESOLVER_TRIES,
                                    .lookups = lookups, .timeout = timeout };
    int status = ares.library_init(ARES_LIB_INIT_ALL, take, give, resize);

    if (status == ARES_SUCCESS)
        status = ares.init_options(&resolver.ares, &options, ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                   ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS);
    if (status == ARES_SUCCESS && servers[0] != '\0')
        status = ares.set_servers(resolver.ares, servers);
    if (status == ARES_SUCCESS)
        ares.set_socket_functions(resolver.ares, &socket_functions, NULL);
    return status;
}

const char *resolver_prepare(const char *servers, int timeout)
{
    const char *why;
    int status;

    if (resolver.ares != NULL)
        ares.destroy(resolver.ares);
    resolver.ares = NULL;
    if (!make_own())
        return strerror(errno);
    own->used = 0;
    why = library_load("libcares.so.2", functions, sizeof functions / sizeof functions[0]);
    if (why != NULL)
        return why;
    resolver.count = 0;
    status = make_channel(servers, timeout);
    return status == ARES_SUCCESS ? NULL : ares.strerror(status);
}

void resolver_ask(uint32_t number, enum answer_type type, const char *name)
{
    struct question *q = &own->questions[number];

    q->type = type;
    memcpy(q->name, name, strlen(name) + 1);
    ask(q);
}

/* ---- the fork ---------------------------------------------------------------------------- */

void resolver_hide(void *memory, size_t size)
{
    for (size_t i = 0; i < RESOLVER_HIDDEN; i++)
        if (hidden[i].memory == NULL || hidden[i].memory == memory) {
            hidden[i].memory = memory;
            hidden[i].size = size;
            return;
        }
}

/* What is hidden is not only out of sight: some of it is shared. */
static bool drop_hidden(void)
{
    bool done = true;

    for (size_t i = 0; done && i < RESOLVER_HIDDEN && hidden[i].memory != NULL; i++)
        done = munmap(hidden[i].memory, hidden[i].size) == 0;
    return done;
}

/* Closes all but the channel and the sockets of c-ares. */
static bool close_others(void)
{
    unsigned next = 0;
    bool done = true;

    while (done) {
        unsigned keep = (unsigned)resolver.channel >= next ? (unsigned)resolver.channel : ~0U;

        for (size_t i = 0; i < SOCKETS; i++)
            if (resolver.sockets[i].used && resolver.sockets[i].fd >= 0 && (unsigned)resolver.sockets[i].fd >= next &&
                (unsigned)resolver.sockets[i].fd < keep)
                keep = (unsigned)resolver.sockets[i].fd;
        if (keep == ~0U)
            break;
        done = keep == next || close_range(next, keep - 1, 0) == 0;
        next = keep + 1;
    }
    return done && close_range(next, ~0U, 0) == 0;
}

/* Deaf to signals (SIGKILL ends it), dies with its parent, and holds what it needs only. */
static bool prepare_process(pid_t parent)
{
    sigset_t all;

    (void)sigfillset(&all);
    return sigprocmask(SIG_SETMASK, &all, NULL) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent &&
           prctl(PR_SET_NAME, "mailrecv-dns") == 0 && close_others() && drop_hidden();
}

static void __attribute__((noreturn)) run(bool confined, pid_t parent)
{
    if (!prepare_process(parent) || (confined && !sandbox_enter(SANDBOX_RESOLVER, 0))) {
        (void)snprintf(message.why, sizeof message.why, "sandbox: %s", strerror(errno)); /* cut when too long */
        tell(RESOLVER_FAILED, 0);
        _exit(EXIT_FAILURE);
    }
    tell_refused();
    serve();
}

pid_t resolver_start(bool confined, int *channel)
{
    pid_t parent = getpid(), child;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    child = _Fork();
    if (child == 0) {
        resolver.channel = ends[1];
        run(confined, parent);
    }
    if (child < 0) {
        int error = errno;

        (void)close(ends[0]); /* nothing was written */
        (void)close(ends[1]);
        errno = error;
        return -1;
    }
    (void)close(ends[1]); /* the child has it */
    *channel = ends[0];
    return child;
}
